/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/freeze/initializers.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/tensor.h"
#include "graph/resolve.h"
#include "graph/order.h"
#include "edit/edit.h"

#define MAX_STEPS 64 /* between an assignment and its constant */

static bool op_is(const cnnf_node *node, const char *op)
{
    return strcmp(node->op, op) == 0;
}

static const cnnf_node *data_input(const cnnf_graph *graph, const cnnf_node *node, size_t index)
{
    if (index >= cnnfi_node_data_inputs(node) || node->edges[index].node < 0) return NULL;
    return graph->nodes[node->edges[index].node];
}

static const cnnf_tensor *const_value(const cnnf_node *node)
{
    const cnnfi_attr *value = node && op_is(node, "Const") ? cnnfi_node_attr(node, "value") : NULL;
    return value && value->kind == CNNF_ATTR_TENSOR ? value->u.tensor : NULL;
}

/* Fill(dims, value) of constants. */
static cnnf_status fill_value(cnnf_tensor **out, const cnnf_graph *graph, const cnnf_node *node, cnnf_error *error)
{
    int64_t dims[CNNFI_MAX_RANK];
    double value;
    const cnnf_tensor *shape = const_value(data_input(graph, node, 0)),
                      *element = const_value(data_input(graph, node, 1));
    if (!shape || !element || cnnf_tensor_element_count(shape) > CNNFI_MAX_RANK ||
        !cnnfi_tensor_get_f64(element, 0, &value))
        return CNNF_OK;
    const int32_t rank = (int32_t)cnnf_tensor_element_count(shape);
    for (int32_t i = 0; i < rank; i++) {
        if (!cnnfi_tensor_get_i64(shape, i, &dims[i]) || dims[i] < 0) return CNNF_OK;
    }
    return cnnfi_tensor_splat(out, graph->context, cnnf_tensor_dtype(element), rank, dims, value, error);
}

/* The constant a node computes, a new reference; NULL when it is not one. */
static cnnf_status constant_of(cnnf_tensor **out, const cnnf_graph *graph, const cnnf_node *node, cnnf_error *error)
{
    *out = NULL;
    for (int step = 0; node && step < MAX_STEPS && op_is(node, "Identity"); step++)
        node = data_input(graph, node, 0);
    const cnnf_tensor *value = const_value(node);
    if (value) *out = cnnf_tensor_ref(value);
    return node && op_is(node, "Fill") ? fill_value(out, graph, node, error) : CNNF_OK;
}

static bool is_assignment(const cnnf_node *node)
{
    return op_is(node, "Assign") || op_is(node, "AssignVariableOp");
}

static cnnf_status run_assignment(cnnfi_edit *edit, const cnnf_graph *graph, const cnnf_node *assign, cnnf_error *error)
{
    const cnnf_node *variable = data_input(graph, assign, 0);
    cnnf_tensor *value = NULL;
    if (!variable || !cnnfi_op_is_variable(variable->op)) return CNNF_OK;
    CNNFI_TRY(constant_of(&value, graph, data_input(graph, assign, 1), error));
    if (!value) {
        return cnnfi_fail_at_node(error, CNNF_E_UNSUPPORTED, assign->name,
                                  "initializer '%s': the value of '%s' is not constant", assign->name, variable->name);
    }
    cnnfi_node_set_value(edit->b, edit->b->graph->nodes[variable->index], value);
    cnnf_tensor_unref(value);
    return CNNF_OK;
}

static cnnf_status find_all(int32_t *roots, const cnnf_graph *graph, const cnnfi_text_list *names, cnnf_error *error)
{
    for (size_t i = 0; i < names->count; i++) {
        const cnnf_node *node;
        CNNFI_TRY(cnnfi_resolve_node(&node, graph, names->items[i], error));
        roots[i] = node->index;
    }
    return CNNF_OK;
}

static cnnf_status run_all(cnnfi_edit *edit, const cnnf_graph *graph, const cnnfi_text_list *names, cnnf_error *error)
{
    bool *reached = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *reached);
    int32_t *roots = cnnfi_array(graph->context, names->count, sizeof *roots);
    cnnf_status status = reached && roots ? find_all(roots, graph, names, error) : cnnfi_fail_nomem(error);
    if (status == CNNF_OK) status = cnnfi_reach(reached, graph, roots, names->count, false, error);
    for (size_t i = 0; status == CNNF_OK && i < graph->n_nodes; i++) {
        if (reached[i] && is_assignment(graph->nodes[i])) status = run_assignment(edit, graph, graph->nodes[i], error);
    }
    cnnfi_free(graph->context, reached);
    cnnfi_free(graph->context, roots);
    return status;
}

cnnf_status cnnfi_run_initializers(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_text_list *names,
                                   cnnf_error *error)
{
    cnnfi_edit edit;
    if (names->count == 0) {
        *out = cnnf_graph_ref(graph);
        return CNNF_OK;
    }
    CNNFI_TRY(cnnfi_edit_begin(&edit, graph, NULL, error));
    const cnnf_status status = run_all(&edit, graph, names, error);
    if (status == CNNF_OK) return cnnfi_builder_publish(out, cnnfi_edit_finish(&edit), error);
    cnnfi_edit_free(&edit);
    return status;
}
