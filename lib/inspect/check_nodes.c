/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables of the tools ask about a node and its neighbours. */
#include <string.h>

#include "graph/tensor.h"
#include "inspect/check.h"

const cnnf_node *cnnfi_check_producer(const cnnfi_finding *f, const cnnf_node *node, size_t input)
{
    return input < cnnfi_node_data_inputs(node) ? f->graph->nodes[node->edges[input].node] : NULL;
}

const cnnf_node *cnnfi_check_source(const cnnfi_finding *f, const cnnf_node *node, size_t input)
{
    const cnnf_node *from = cnnfi_check_producer(f, node, input);
    /* A published graph may hold a loop: no more steps than nodes. */
    for (size_t i = 0; from && strcmp(from->op, "Identity") == 0 && i < f->graph->n_nodes; i++)
        from = cnnfi_check_producer(f, from, 0);
    return from;
}

cnnfi_value cnnfi_check_shape(const cnnfi_finding *f, const cnnf_node *node, size_t input)
{
    if (input >= cnnfi_node_data_inputs(node)) return cnnfi_value_unknown(CNNF_DTYPE_INVALID);
    return cnnfi_graph_shape(f->shapes, node->edges[input]);
}

cnnfi_value cnnfi_check_output(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_graph_shape(f->shapes, (cnnfi_edge){node->index, 0});
}

bool cnnfi_check_is_const(const cnnfi_finding *f, const cnnf_node *node, size_t input)
{
    const cnnf_node *from = cnnfi_check_source(f, node, input);
    return from && (strcmp(from->op, "Const") == 0 || (f->target->folds && f->constant[from->index]));
}

const cnnf_tensor *cnnfi_check_tensor(const cnnfi_finding *f, const cnnf_node *node, size_t input)
{
    const cnnf_node *from = cnnfi_check_source(f, node, input);
    return from && strcmp(from->op, "Const") == 0 ? cnnf_node_attr_tensor(from, "value") : NULL;
}

int64_t cnnfi_check_ints(const cnnfi_finding *f, const cnnf_node *node, size_t input, int64_t *out, int64_t capacity)
{
    const cnnf_tensor *tensor = cnnfi_check_tensor(f, node, input);
    const int64_t count = tensor ? cnnf_tensor_element_count(tensor) : -1;
    if (count < 0 || count > capacity) return -1;
    for (int64_t i = 0; i < count; i++) {
        if (!cnnfi_tensor_get_i64(tensor, i, &out[i])) return -1;
    }
    return count;
}

static const cnnf_node *find_readers(const cnnfi_finding *f, const cnnf_node *node, const char *op, size_t *count)
{
    const cnnf_node *first = NULL;
    *count = 0;
    for (size_t i = f->consumers->start[node->index]; i < f->consumers->start[node->index + 1]; i++) {
        const cnnf_node *reader = f->graph->nodes[f->consumers->node[i]];
        if (op && strcmp(reader->op, op) != 0) continue;
        if (!first) first = reader;
        (*count)++;
    }
    return first;
}

size_t cnnfi_check_readers(const cnnfi_finding *f, const cnnf_node *node, const char *op)
{
    size_t count;
    find_readers(f, node, op, &count);
    return count;
}

const cnnf_node *cnnfi_check_reader(const cnnfi_finding *f, const cnnf_node *node, const char *op)
{
    size_t count;
    return find_readers(f, node, op, &count);
}
