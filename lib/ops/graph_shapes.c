/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/graph_shapes.h"

#include <string.h>

#include "graph/order.h"
#include "ops/op_rules.h"

/* Constants that rules ask the values of are axes, sizes, paddings: short. */
#define SMALL_BYTES 1024

/* Room for one node's call: reused, as large as the largest node needs. */
typedef struct walk {
    cnnfi_graph_shapes *shapes;
    cnnfi_value *inputs, *outputs;
    size_t n_inputs, n_outputs;
    struct cnnf_error refused; /* a rule's refusal is not this walk's failure */
    cnnf_error *error;
} walk;

static bool room_for(cnnf_context *context, cnnfi_value **array, size_t *have, size_t want)
{
    if (want <= *have) return true;
    cnnfi_free(context, *array);
    *array = cnnfi_array(context, want, sizeof **array);
    *have = *array ? want : 0;
    return *array != NULL;
}

/* The bytes of a short constant, kept as long as the table. */
static cnnf_status load_small(walk *w, const cnnf_node *node, cnnfi_value *value)
{
    cnnfi_graph_shapes *s = w->shapes;
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(node, "value");
    const bool is_const = strcmp(node->op, "Const") == 0 || strcmp(node->op, "HostConst") == 0;
    if (!is_const || !tensor || !cnnfi_value_is_shaped(value) || !cnnf_dtype_size(value->dtype)) return CNNF_OK;
    if (cnnf_tensor_byte_size(tensor) > SMALL_BYTES || value->count == 0) return CNNF_OK;
    if (!cnnfi_grow(s->context, (void **)&s->loaded, &s->loaded_capacity, s->n_loaded, sizeof *s->loaded)) {
        return cnnfi_fail_nomem(w->error);
    }
    cnnf_tensor *loaded = NULL;
    const cnnf_status status = cnnf_tensor_load(&loaded, tensor, &w->refused);
    if (status == CNNF_E_NOMEM) return cnnfi_fail_nomem(w->error);
    if (status) return CNNF_OK;
    s->loaded[s->n_loaded++] = loaded;
    value->data = (void *)(uintptr_t)cnnf_tensor_data(loaded);
    return CNNF_OK;
}

static cnnf_status keep_outputs(walk *w, const cnnf_node *node, int32_t count)
{
    cnnfi_graph_shapes *s = w->shapes;
    s->first[node->index] = s->n_values;
    s->counts[node->index] = count;
    for (int32_t i = 0; i < count; i++) {
        if (!cnnfi_grow(s->context, (void **)&s->values, &s->capacity, s->n_values, sizeof *s->values)) {
            return cnnfi_fail_nomem(w->error);
        }
        s->values[s->n_values++] = w->outputs[i];
    }
    return CNNF_OK;
}

static cnnf_status visit(walk *w, const cnnf_node *node)
{
    cnnfi_graph_shapes *s = w->shapes;
    const size_t n = cnnfi_node_data_inputs(node);
    const int32_t most = cnnfi_call_max_outputs(node);
    if (!room_for(s->context, &w->inputs, &w->n_inputs, n + 1) ||
        !room_for(s->context, &w->outputs, &w->n_outputs, (size_t)most)) {
        return cnnfi_fail_nomem(w->error);
    }
    for (size_t i = 0; i < n; i++)
        w->inputs[i] = cnnfi_graph_shape(s, node->edges[i]);
    cnnfi_call call = {.context = s->context,
                       .node = node,
                       .n_inputs = (int32_t)n,
                       .inputs = w->inputs,
                       .max_outputs = most,
                       .outputs = w->outputs,
                       .error = &w->refused};
    const cnnfi_op_rule *rule = cnnfi_op_rule_find(node->op);
    const cnnf_status status = cnnfi_op_infer(&call);
    if (status == CNNF_E_NOMEM) return cnnfi_fail_nomem(w->error);
    if (status < 0) return keep_outputs(w, node, 0);
    for (int32_t i = 0; i < call.n_outputs; i++)
        w->outputs[i].data = NULL;
    if (call.n_outputs > 0) CNNFI_TRY(load_small(w, node, &w->outputs[0]));
    /* The same bytes under another shape: a value stays known. */
    if (rule && rule->flags & CNNFI_RULE_VIEW && call.n_outputs == 1) w->outputs[0].data = w->inputs[0].data;
    return keep_outputs(w, node, call.n_outputs);
}

cnnf_status cnnfi_graph_shapes_init(cnnfi_graph_shapes *shapes, const cnnf_graph *graph, cnnf_error *error)
{
    int32_t *order = NULL;
    walk w = {.shapes = shapes, .error = error};
    *shapes = (cnnfi_graph_shapes){.context = graph->context, .graph = graph};
    cnnf_status status = cnnfi_toposort(&order, graph, error);
    if (!status) {
        shapes->first = cnnfi_array(graph->context, graph->n_nodes + 1, sizeof *shapes->first);
        shapes->counts = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *shapes->counts); /* 0: not visited */
        if (!shapes->first || !shapes->counts) status = cnnfi_fail_nomem(error);
    }
    for (size_t i = 0; !status && i < graph->n_nodes; i++)
        status = visit(&w, graph->nodes[order[i]]);
    cnnfi_free(graph->context, order);
    cnnfi_free(graph->context, w.inputs);
    cnnfi_free(graph->context, w.outputs);
    if (status) cnnfi_graph_shapes_free(shapes);
    return status;
}

void cnnfi_graph_shapes_free(cnnfi_graph_shapes *shapes)
{
    for (size_t i = 0; i < shapes->n_loaded; i++)
        cnnf_tensor_unref(shapes->loaded[i]);
    cnnfi_free(shapes->context, shapes->loaded);
    cnnfi_free(shapes->context, shapes->values);
    cnnfi_free(shapes->context, shapes->counts);
    cnnfi_free(shapes->context, shapes->first);
    *shapes = (cnnfi_graph_shapes){0};
}

cnnfi_value cnnfi_graph_shape(const cnnfi_graph_shapes *shapes, cnnfi_edge output)
{
    if (output.node < 0 || output.port < 0 || output.port >= shapes->counts[output.node]) return cnnfi_value_unknown(0);
    return shapes->values[shapes->first[output.node] + (size_t)output.port];
}
