/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/graph_shapes.h"

#include <string.h>

#include "graph/order.h"

/* Room for one node's call: reused, as large as the largest node needs. */
typedef struct walk {
    cnnfi_graph_shapes *shapes;
    const cnnfi_constant **inputs; /* [n_inputs] */
    cnnfi_constant *outputs;       /* [n_outputs] */
    size_t n_inputs, n_outputs;
    cnnf_error *error;
} walk;

/* At least `want` items in *array, whose old content is not kept; false: no memory. */
static bool room_for(cnnf_context *context, void **array, size_t *have, size_t want, size_t size)
{
    if (want <= *have) return true;
    cnnfi_free(context, *array);
    *array = cnnfi_array(context, want, size);
    *have = *array ? want : 0;
    return *array != NULL;
}

static const cnnfi_constant *fact(const cnnfi_graph_shapes *s, cnnfi_edge output)
{
    if (output.node < 0 || output.port < 0 || output.port >= s->counts[output.node]) return NULL;
    return &s->facts[s->first[output.node] + (size_t)output.port];
}

static cnnf_status keep_outputs(walk *w, const cnnf_node *node, int32_t count)
{
    cnnfi_graph_shapes *s = w->shapes;
    s->first[node->index] = s->n_facts;
    for (int32_t i = 0; i < count; i++) {
        if (!cnnfi_grow(s->context, (void **)&s->facts, &s->capacity, s->n_facts, sizeof *s->facts)) {
            return cnnfi_fail_nomem(w->error);
        }
        s->facts[s->n_facts++] = w->outputs[i];
    }
    s->counts[node->index] = count;
    return CNNF_OK;
}

/*
 * GraphDefs of TensorFlow before 1.2 (producer 21 and below) wrote a placeholder of unknown rank as a scalar; the
 * runtime reads them so, too.
 */
static void forget_old_scalar(const cnnfi_graph_shapes *s, const cnnf_node *node, cnnfi_constant *output)
{
    const cnnfi_versions *versions = &s->graph->versions;
    if (strcmp(node->op, "Placeholder") != 0 || output->shape.rank != 0) return;
    if (versions->present && versions->producer <= 21) output->shape = cnnfi_value_unknown(output->shape.dtype);
}

static cnnf_status visit(walk *w, const cnnf_node *node)
{
    cnnfi_graph_shapes *s = w->shapes;
    struct cnnf_error refused = {0}; /* a rule's refusal is not this walk's failure */
    const size_t n = cnnfi_node_data_inputs(node);
    const int32_t most = cnnfi_call_max_outputs(node);
    if (!room_for(s->context, (void **)&w->inputs, &w->n_inputs, n + 1, sizeof *w->inputs) ||
        !room_for(s->context, (void **)&w->outputs, &w->n_outputs, (size_t)most, sizeof *w->outputs)) {
        return cnnfi_fail_nomem(w->error);
    }
    for (size_t i = 0; i < n; i++)
        w->inputs[i] = fact(s, node->edges[i]);
    cnnfi_constant_call call = {.node = node,
                                .n_inputs = (int32_t)n,
                                .inputs = w->inputs,
                                .max_outputs = most,
                                .outputs = w->outputs,
                                .arena = &s->arena,
                                .error = &refused};
    const cnnf_status status = cnnfi_constant_evaluate(&call);
    if (status == CNNF_E_NOMEM) return cnnfi_fail_nomem(w->error);
    if (!status && call.n_outputs == 1) forget_old_scalar(s, node, &w->outputs[0]);
    return keep_outputs(w, node, status ? 0 : call.n_outputs);
}

cnnf_status cnnfi_graph_shapes_init(cnnfi_graph_shapes *shapes, const cnnf_graph *graph, cnnf_error *error)
{
    int32_t *order = NULL;
    walk w = {.shapes = shapes, .error = error};
    *shapes = (cnnfi_graph_shapes){.context = graph->context, .graph = graph};
    cnnfi_arena_init(&shapes->arena, graph->context);
    cnnf_status status = cnnfi_toposort(&order, graph, error);
    if (!status) {
        shapes->first = cnnfi_array(graph->context, graph->n_nodes + 1, sizeof *shapes->first);
        shapes->counts = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *shapes->counts); /* 0: not visited */
        if (!shapes->first || !shapes->counts) status = cnnfi_fail_nomem(error);
    }
    for (size_t i = 0; !status && i < graph->n_nodes; i++)
        status = visit(&w, graph->nodes[order[i]]);
    cnnfi_free(graph->context, order);
    cnnfi_free(graph->context, (void *)w.inputs);
    cnnfi_free(graph->context, w.outputs);
    if (status) cnnfi_graph_shapes_free(shapes);
    return status;
}

void cnnfi_graph_shapes_free(cnnfi_graph_shapes *shapes)
{
    cnnfi_free(shapes->context, shapes->facts);
    cnnfi_free(shapes->context, shapes->counts);
    cnnfi_free(shapes->context, shapes->first);
    cnnfi_arena_free(&shapes->arena);
    *shapes = (cnnfi_graph_shapes){0};
}

cnnfi_value cnnfi_graph_shape(const cnnfi_graph_shapes *shapes, cnnfi_edge output)
{
    const cnnfi_constant *known = fact(shapes, output);
    return known ? known->shape : cnnfi_value_unknown(0);
}

const cnnfi_constant *cnnfi_graph_constant(const cnnfi_graph_shapes *shapes, cnnfi_edge output)
{
    return fact(shapes, output);
}
