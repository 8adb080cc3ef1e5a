/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules of lib/ops/ say of a graph: print_shapes GRAPH.pb
 *
 * One line per node, in topological order, fields apart by tabs: its name; "ok", "partial", "refused" or "no rule";
 * then for each output "dtype:rank:dims" (-1: not known), or the message. check_shapes.py holds it against TensorFlow.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cnnfreeze/cnnfreeze.h>

#include "graph/order.h"
#include "ops/op_rules.h"

typedef struct outputs {
    cnnfi_value *values; /* [count] */
    int32_t count;
} outputs;

static cnnfi_value value_at(const outputs *table, cnnfi_edge edge)
{
    const outputs *from = &table[edge.node];
    return edge.port < from->count ? from->values[edge.port] : cnnfi_value_unknown(0);
}

/* A constant's bytes, kept until the process ends. */
static void load_constant(const cnnf_node *node, cnnfi_value *value, cnnf_error *error)
{
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(node, "value");
    cnnf_tensor *loaded = NULL;
    if (!tensor || cnnf_dtype_size(value->dtype) == 0 || cnnf_tensor_load(&loaded, tensor, error)) return;
    static char nothing[16];
    const void *data = cnnf_tensor_data(loaded);
    value->data = data ? (void *)(uintptr_t)data : nothing;
}

static void print_line(const cnnfi_call *call, cnnf_status status)
{
    const bool has_rule = cnnfi_op_rule_find(call->node->op) != NULL;
    printf("%s\t%s", call->node->name,
           status < 0          ? "refused"
           : !has_rule         ? "no rule"
           : status == CNNF_OK ? "ok"
                               : "partial");
    if (status < 0) printf("\t%s", cnnf_error_message(call->error));
    for (int32_t i = 0; status >= 0 && i < call->n_outputs; i++) {
        const cnnfi_value *out = &call->outputs[i];
        printf("\t%s:%d:", out->dtype ? cnnf_dtype_name(out->dtype) : "?", (int)out->rank);
        for (int32_t axis = 0; axis < out->rank; axis++)
            printf("%s%" PRId64, axis ? "," : "", out->dims[axis]);
    }
    printf("\n");
}

static bool visit(const cnnf_graph *graph, const cnnf_node *node, outputs *table, cnnf_error *error)
{
    int32_t n_inputs = 0;
    const int32_t most = cnnfi_call_max_outputs(node);
    outputs *out = &table[node->index];
    cnnfi_value *inputs = calloc(node->n_inputs + 1, sizeof *inputs);
    out->values = calloc((size_t)most, sizeof *out->values);
    if (!inputs || !out->values) {
        free(inputs);
        return false;
    }
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (node->edges[i].port != CNNFI_PORT_CONTROL) inputs[n_inputs++] = value_at(table, node->edges[i]);
    }
    cnnfi_call call = {.context = graph->context,
                       .node = node,
                       .n_inputs = n_inputs,
                       .inputs = inputs,
                       .outputs = out->values,
                       .max_outputs = most,
                       .error = error};
    const cnnf_status status = cnnfi_op_infer(&call);
    out->count = status < 0 ? 0 : call.n_outputs;
    if (strcmp(node->op, "Const") == 0 && out->count == 1) load_constant(node, out->values, error);
    print_line(&call, status);
    free(inputs);
    return true;
}

static bool walk(const cnnf_graph *graph, cnnf_error *error)
{
    int32_t *order = NULL;
    bool good = cnnfi_toposort(&order, graph, error) == CNNF_OK;
    outputs *table = calloc(graph->n_nodes + 1, sizeof *table);
    for (size_t i = 0; good && table && i < graph->n_nodes; i++)
        good = visit(graph, graph->nodes[order[i]], table, error);
    for (size_t i = 0; table && i < graph->n_nodes; i++)
        free(table[i].values);
    free(table);
    cnnfi_free(graph->context, order);
    return good && table;
}

int main(int argc, char **argv)
{
    cnnf_error *error = cnnf_error_new();
    cnnf_context *context = NULL;
    cnnf_graph *graph = NULL;
    bool good = argc == 2 && cnnf_context_new(&context, NULL, error) == CNNF_OK &&
                cnnf_load_file(&graph, context, argv[1], NULL, error) == CNNF_OK && walk(graph, error);
    if (!good) fprintf(stderr, "print_shapes: %s\n", argc == 2 ? cnnf_error_message(error) : "GRAPH.pb");
    cnnf_graph_unref(graph);
    cnnf_context_unref(context);
    cnnf_error_free(error);
    return good ? 0 : 1;
}
