/* SPDX-License-Identifier: Apache-2.0 */
/* Consumers, topological order, reachability. All iterative: a graph may be one long chain. */
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/graph.h"
#include "graph/order.h"

cnnf_status cnnfi_consumers_init(cnnfi_consumers *out, const cnnf_graph *graph, cnnf_error *error)
{
    *out = (cnnfi_consumers){.context = graph->context};
    size_t total = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        total += graph->nodes[i]->n_inputs;
    out->start = cnnfi_calloc(graph->context, graph->n_nodes + 2, sizeof *out->start);
    out->node = cnnfi_array(graph->context, total, sizeof *out->node);
    out->input = cnnfi_array(graph->context, total, sizeof *out->input);
    if (!out->start || !out->node || !out->input) {
        cnnfi_consumers_free(out);
        return cnnfi_fail_nomem(error);
    }
    /* Counting sort, two places ahead so that filling leaves start[] right. */
    size_t *const fill = out->start + 1;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const size_t producer = (size_t)node->edges[k].node;
            if (producer + 1 <= graph->n_nodes) fill[producer + 1]++;
        }
    }
    for (size_t i = 1; i <= graph->n_nodes; i++)
        fill[i] += fill[i - 1];
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const size_t at = fill[node->edges[k].node]++;
            out->node[at] = (int32_t)i;
            out->input[at] = (int32_t)k;
        }
    }
    return CNNF_OK;
}

void cnnfi_consumers_free(cnnfi_consumers *consumers)
{
    if (!consumers->context) return;
    cnnfi_free(consumers->context, consumers->start);
    cnnfi_free(consumers->context, consumers->node);
    cnnfi_free(consumers->context, consumers->input);
    *consumers = (cnnfi_consumers){0};
}

/* "cycle: a -> b -> a": walks backwards among nodes that were not ordered until one repeats. */
static cnnf_status fail_cycle(const cnnf_graph *graph, const int32_t *waiting, cnnf_error *error)
{
    size_t at = 0;
    while (at < graph->n_nodes && !waiting[at])
        at++;
    for (size_t step = 0; step < graph->n_nodes; step++) { /* into the cycle, wherever it starts */
        const cnnf_node *node = graph->nodes[at];
        for (size_t k = 0; k < node->n_inputs; k++) {
            if (waiting[node->edges[k].node]) at = (size_t)node->edges[k].node;
        }
    }
    char text[400] = "";
    size_t used = 0, node = at;
    for (int shown = 0; shown < 8 && used < sizeof text; shown++) {
        const cnnf_node *n = graph->nodes[node];
        const size_t length = strlen(n->name);
        if (used + length + 5 > sizeof text) break;
        memcpy(text + used, n->name, length);
        memcpy(text + used + length, " <- ", 5);
        used += length + 4;
        for (size_t k = 0; k < n->n_inputs; k++) {
            if (waiting[n->edges[k].node]) node = (size_t)n->edges[k].node;
        }
        if (node == at) break;
    }
    const char *name = graph->nodes[at]->name;
    return cnnfi_fail_at_node(error, CNNF_E_CORRUPT, name, "cycle: %s%s", text, name);
}

static bool is_back_edge(const cnnf_graph *graph, cnnfi_edge edge)
{
    const char *op = graph->nodes[edge.node]->op;
    return strcmp(op, "NextIteration") == 0 || strcmp(op, "RefNextIteration") == 0;
}

static int32_t count_waiting(const cnnf_graph *graph, const cnnf_node *node)
{
    int32_t n = 0;
    for (size_t k = 0; k < node->n_inputs; k++)
        n += !is_back_edge(graph, node->edges[k]);
    return n;
}

/* Binary heap of node indices: the lowest ready index first keeps file order. */
static void heap_push(int32_t *heap, size_t *size, int32_t value)
{
    size_t at = (*size)++;
    for (; at && heap[(at - 1) / 2] > value; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = value;
}

static int32_t heap_pop(int32_t *heap, size_t *size)
{
    const int32_t top = heap[0], last = heap[--*size];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < *size; at = child) {
        if (child + 1 < *size && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}

static size_t kahn(const cnnf_graph *graph, const cnnfi_consumers *consumers, int32_t *waiting, int32_t *heap,
                   int32_t *order)
{
    size_t ready = 0, done = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        waiting[i] = count_waiting(graph, graph->nodes[i]);
        if (!waiting[i]) heap_push(heap, &ready, (int32_t)i);
    }
    while (ready) {
        const int32_t node = heap_pop(heap, &ready);
        order[done++] = node;
        for (size_t c = consumers->start[node]; c < consumers->start[node + 1]; c++) {
            const int32_t user = consumers->node[c];
            const cnnfi_edge edge = graph->nodes[user]->edges[consumers->input[c]];
            if (!is_back_edge(graph, edge) && --waiting[user] == 0) heap_push(heap, &ready, user);
        }
    }
    return done;
}

cnnf_status cnnfi_toposort(int32_t **order, const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_context *context = graph->context;
    *order = NULL;
    cnnfi_consumers consumers;
    CNNFI_TRY(cnnfi_consumers_init(&consumers, graph, error));
    int32_t *waiting = cnnfi_array(context, graph->n_nodes, sizeof *waiting);
    int32_t *heap = cnnfi_array(context, graph->n_nodes, sizeof *heap);
    int32_t *sorted = cnnfi_array(context, graph->n_nodes, sizeof *sorted);
    cnnf_status status = waiting && heap && sorted ? CNNF_OK : cnnfi_fail_nomem(error);
    if (!status && kahn(graph, &consumers, waiting, heap, sorted) != graph->n_nodes) {
        status = fail_cycle(graph, waiting, error);
    }
    if (!status) {
        *order = sorted;
        sorted = NULL;
    }
    cnnfi_free(context, waiting);
    cnnfi_free(context, heap);
    cnnfi_free(context, sorted);
    cnnfi_consumers_free(&consumers);
    return status;
}

static void push_once(bool *keep, int32_t *stack, size_t *size, int64_t node)
{
    if (node < 0 || keep[node]) return;
    keep[node] = true;
    stack[(*size)++] = (int32_t)node;
}

/* `_class`: a list of strings "loc:@name". */
static void push_class(const cnnf_graph *graph, const cnnf_node *node, bool *keep, int32_t *stack, size_t *size)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, "_class");
    if (!attr || attr->kind != CNNF_ATTR_LIST || attr->u.list.item_kind != CNNF_ATTR_STRING) return;
    for (size_t i = 0; i < attr->u.list.count; i++) {
        const cnnfi_bytes text = attr->u.list.u.strings[i];
        if (text.size < 5 || memcmp(text.data, "loc:@", 5)) continue;
        push_once(keep, stack, size, cnnfi_strmap_get_n(&graph->names, (const char *)text.data + 5, text.size - 5));
    }
}

cnnf_status cnnfi_reach(bool *keep, const cnnf_graph *graph, const int32_t *roots, size_t n_roots, bool with_class,
                        cnnf_error *error)
{
    int32_t *stack = cnnfi_array(graph->context, graph->n_nodes, sizeof *stack);
    if (!stack) return cnnfi_fail_nomem(error);
    memset(keep, 0, graph->n_nodes * sizeof *keep);
    size_t size = 0;
    for (size_t i = 0; i < n_roots; i++)
        push_once(keep, stack, &size, roots[i]);
    while (size) {
        const cnnf_node *node = graph->nodes[stack[--size]];
        for (size_t k = 0; k < node->n_inputs; k++)
            push_once(keep, stack, &size, node->edges[k].node);
        if (with_class) push_class(graph, node, keep, stack, &size);
    }
    cnnfi_free(graph->context, stack);
    return CNNF_OK;
}
