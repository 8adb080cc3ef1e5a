/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/export/export_walk.h"

#include <string.h>

#include "base/context.h"
#include "graph/order.h"
#include "graph/resolve.h"

/* How many outputs of each node are read. */
static void count_outputs(cnnfi_export *x, size_t n_outputs, const cnnfi_edge *outputs)
{
    const cnnf_graph *graph = x->graph;
    x->n_read = cnnfi_export_array(x, graph->n_nodes, sizeof *x->n_read);
    x->wanted = cnnfi_export_array(x, graph->n_nodes, sizeof *x->wanted);
    if (x->status != CNNF_OK) return;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const cnnfi_edge edge = node->edges[k];
            if (edge.node >= 0 && edge.port >= x->n_read[edge.node]) x->n_read[edge.node] = edge.port + 1;
        }
    }
    for (size_t i = 0; i < n_outputs; i++) {
        int32_t *count = &x->n_read[outputs[i].node];
        if (outputs[i].port >= *count) *count = outputs[i].port + 1;
        x->wanted[outputs[i].node] = true;
    }
}

/* Marks what the outputs read; data alone: what is waited for computes nothing. */
static bool *mark_needed(cnnfi_export *x, const int32_t *order, size_t n_outputs, const cnnfi_edge *outputs)
{
    const cnnf_graph *graph = x->graph;
    bool *needed = cnnfi_export_array(x, graph->n_nodes, sizeof *needed);
    if (needed == NULL) return NULL;
    for (size_t i = 0; i < n_outputs; i++)
        needed[outputs[i].node] = true;
    for (size_t i = graph->n_nodes; i-- > 0;) {
        const cnnf_node *node = graph->nodes[order[i]];
        for (size_t k = 0; needed[order[i]] && k < node->n_inputs; k++)
            if (node->edges[k].port >= 0 && node->edges[k].node >= 0) needed[node->edges[k].node] = true;
    }
    return needed;
}

/* "node", "node:1", a Keras layer's name. */
static cnnf_status find_output(cnnfi_edge *out, const cnnf_graph *graph, const char *text, cnnf_error *error)
{
    const cnnf_node *node = NULL;
    const char *name;
    size_t length;
    const int32_t port = cnnfi_input_parse(text, &name, &length);
    char plain[CNNFI_LINE_BYTES + 1];
    if (port > 0 && length < sizeof plain) {
        memcpy(plain, name, length);
        plain[length] = '\0';
        text = plain;
    }
    CNNFI_TRY(cnnfi_resolve_node(&node, graph, text, error));
    *out = (cnnfi_edge){.node = node->index, .port = port > 0 ? port : 0};
    return CNNF_OK;
}

static cnnfi_edge *find_outputs(cnnfi_export *x, size_t n_outputs, const char *const *outputs)
{
    cnnfi_edge *edges = cnnfi_export_array(x, n_outputs, sizeof *edges);
    for (size_t i = 0; edges != NULL && i < n_outputs; i++) {
        struct cnnf_error error = {0};
        cnnfi_export_pass_on(x, find_output(&edges[i], x->graph, outputs[i], &error), &error);
    }
    return edges;
}

static cnnfi_export_call call_of(cnnfi_export *x, const cnnf_node *node)
{
    return (cnnfi_export_call){.x = x, .node = node, .n_inputs = (int32_t)cnnfi_node_data_inputs(node)};
}

static void walk_node(cnnfi_export *x, const cnnf_node *node, const cnnfi_export_side *side)
{
    cnnfi_export_call call = call_of(x, node);
    x->scope = node->name;
    side->node(&call);
}

static void walk_output(cnnfi_export *x, cnnfi_edge edge, const cnnfi_export_side *side)
{
    const cnnf_node *node = x->graph->nodes[edge.node];
    cnnf_node reader = {.name = node->name, .op = "Identity", .n_inputs = 1, .edges = &edge, .index = edge.node};
    cnnfi_export_call call = {.x = x, .node = &reader, .n_inputs = 1};
    const cnnfi_export_call self = call_of(x, node);
    x->scope = node->name;
    const cnnfi_value shape = cnnfi_export_out_shape(&self, edge.port);
    side->output(&call, edge, &shape);
}

static void walk_in_order(cnnfi_export *x, const int32_t *order, size_t n_outputs, const cnnfi_edge *outputs,
                          const cnnfi_export_side *side)
{
    count_outputs(x, n_outputs, outputs);
    const bool *needed = x->status == CNNF_OK ? mark_needed(x, order, n_outputs, outputs) : NULL;
    if (needed != NULL) side->begin(x, n_outputs, outputs);
    for (size_t i = 0; needed != NULL && i < x->graph->n_nodes && x->status == CNNF_OK; i++)
        if (needed[order[i]]) walk_node(x, x->graph->nodes[order[i]], side);
    for (size_t i = 0; i < n_outputs && x->status == CNNF_OK; i++)
        walk_output(x, outputs[i], side);
}

void cnnfi_export_walk(cnnfi_export *x, const cnnf_graph *graph, size_t n_outputs, const char *const *outputs,
                       const cnnfi_export_side *side)
{
    struct cnnf_error error = {0};
    int32_t *order = NULL;
    x->graph = graph;
    const cnnfi_edge *edges = find_outputs(x, n_outputs, outputs);
    if (x->status != CNNF_OK) return;
    cnnf_status status = cnnfi_toposort(&order, graph, &error);
    if (status == CNNF_OK) status = cnnfi_edit_begin(&x->edit, graph, NULL, &error);
    if (status != CNNF_OK) {
        cnnfi_export_pass_on(x, status, &error);
    } else {
        cnnfi_values_init(&x->values, &x->edit, false);
        walk_in_order(x, order, n_outputs, edges, side);
        /* What the tables could not find out for want of memory looked like something unknown. */
        if (x->edit.b->status != CNNF_OK) x->status = CNNF_OK;
        cnnfi_export_pass_on(x, x->edit.b->status, x->edit.b->error);
        cnnfi_edit_free(&x->edit);
    }
    cnnfi_free(graph->context, order);
}

void cnnfi_export_walk_declared(cnnfi_export *x, const cnnf_graph *graph, size_t n_outputs, char *const *outputs,
                                const cnnfi_export_side *side)
{
    const bool declared = n_outputs == 0;
    const size_t n = declared ? graph->meta.n_outputs : n_outputs;
    if (n == 0) {
        cnnfi_export_fail(x, CNNF_E_NOT_FOUND, "%s export: the graph declares no outputs; name them", x->format);
        return;
    }
    const char **names = cnnfi_export_array(x, n, sizeof *names);
    for (size_t i = 0; names != NULL && i < n; i++)
        names[i] = declared ? graph->meta.outputs[i] : outputs[i];
    if (names != NULL) cnnfi_export_walk(x, graph, n, names, side);
}
