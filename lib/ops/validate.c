/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of TensorFlow's graph constructor (graph_constructor.cc, node_def_util.cc), node by node. */
#include "ops/validate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/order.h"
#include "ops/op_table.h"

static cnnf_status fail_node(const cnnf_node *node, cnnf_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static cnnf_status fail_node(const cnnf_node *node, cnnf_error *error, const char *format, ...)
{
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cnnfi_fail(error, CNNF_E_CORRUPT, "node '%s' (%d): %s", node->name, (int)node->index, text);
    cnnfi_error_set_node(error, node->name);
    return CNNF_E_CORRUPT;
}

/* ---- attributes ---- */

static int32_t scalar_kind(const char *type)
{
    static const struct {
        const char *type;
        int32_t kind;
    } kinds[] = {{"string", CNNF_ATTR_STRING}, {"int", CNNF_ATTR_INT},   {"float", CNNF_ATTR_FLOAT},
                 {"bool", CNNF_ATTR_BOOL},     {"type", CNNF_ATTR_TYPE}, {"shape", CNNF_ATTR_SHAPE},
                 {"tensor", CNNF_ATTR_TENSOR}, {"func", CNNF_ATTR_FUNC}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strncmp(type, kinds[i].type, strlen(kinds[i].type)) == 0) return kinds[i].kind;
    }
    return CNNF_ATTR_NONE;
}

static bool has_type(const cnnfi_attr *attr, const char *type)
{
    if (strncmp(type, "list(", 5)) return attr->kind == scalar_kind(type);
    if (attr->kind != CNNF_ATTR_LIST) return false;
    return !attr->u.list.count || attr->u.list.item_kind == scalar_kind(type + 5);
}

static bool is_above_minimum(const cnnfi_op_attr *rule, const cnnfi_attr *attr)
{
    if (rule->minimum == INT64_MIN) return true;
    if (attr->kind == CNNF_ATTR_INT) return attr->u.i >= rule->minimum;
    return attr->kind != CNNF_ATTR_LIST || (int64_t)attr->u.list.count >= rule->minimum;
}

static cnnf_status check_attrs(const cnnf_node *node, const cnnfi_op *op, cnnf_error *error)
{
    for (size_t i = 0; i < op->n_attrs; i++) {
        const cnnfi_op_attr *rule = cnnfi_op_attr_at(op, i);
        const cnnfi_attr *attr = cnnfi_node_attr(node, rule->name);
        if (!attr || attr->kind == CNNF_ATTR_PLACEHOLDER) {
            if (attr || rule->default_value.data) continue;
            return fail_node(node, error, "%s needs an attribute '%s'", node->op, rule->name);
        }
        if (!has_type(attr, rule->type))
            return fail_node(node, error, "attribute '%s' is no %s", rule->name, rule->type);
        if (!is_above_minimum(rule, attr)) {
            return fail_node(node, error, "attribute '%s' is below its minimum %" PRId64, rule->name, rule->minimum);
        }
        if (!cnnfi_wire_allows(rule->allowed, attr)) {
            return fail_node(node, error, "attribute '%s' has a value that %s does not take", rule->name, node->op);
        }
    }
    return CNNF_OK;
}

/* ---- inputs ---- */

static cnnf_status check_order(const cnnf_node *node, cnnf_error *error)
{
    for (size_t i = cnnfi_node_data_inputs(node); i < node->n_inputs; i++) {
        if (node->inputs[i][0] == '^') continue;
        return fail_node(node, error, "input %zu '%s' comes after a control input", i, node->inputs[i]);
    }
    return CNNF_OK;
}

static cnnf_status check_ports(const cnnf_graph *graph, const cnnf_node *node, cnnf_error *error)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        const cnnfi_edge edge = node->edges[i];
        if (edge.port == CNNFI_PORT_CONTROL) continue;
        const cnnf_node *from = graph->nodes[edge.node];
        const int64_t outputs = cnnfi_node_output_count(from);
        if (outputs < 0 || edge.port < outputs) continue;
        return fail_node(node, error, "input %zu is '%s', but %s has %" PRId64 " outputs", i, node->inputs[i], from->op,
                         outputs);
    }
    return CNNF_OK;
}

static cnnf_status check_arity(const cnnf_node *node, const cnnfi_op *op, cnnf_error *error)
{
    const int64_t want = cnnfi_op_node_inputs(op, node), have = (int64_t)cnnfi_node_data_inputs(node);
    if (want < 0 || want == have) return CNNF_OK;
    return fail_node(node, error, "%s takes %" PRId64 " inputs, not %" PRId64, node->op, want, have);
}

/* An op that takes a reference changes a variable; everything else takes a reference's value, too. */
static cnnf_status check_types(const cnnf_graph *graph, const cnnf_node *node, const cnnfi_op *op, cnnf_error *error)
{
    for (size_t i = 0; i < cnnfi_node_data_inputs(node); i++) {
        const cnnf_node *from = graph->nodes[node->edges[i].node];
        bool want_ref, have_ref;
        const cnnf_dtype want = cnnfi_op_input_type(op, node, (int64_t)i, &want_ref);
        const cnnf_dtype have = cnnfi_op_output_type(cnnfi_op_find(from->op), from, node->edges[i].port, &have_ref);
        if (!want || !have || (want == have && (have_ref || !want_ref))) continue;
        return fail_node(node, error, "input %zu was passed %s%s from '%s', incompatible with expected %s%s", i,
                         cnnf_dtype_name(have), have_ref ? "_ref" : "", node->inputs[i], cnnf_dtype_name(want),
                         want_ref ? "_ref" : "");
    }
    return CNNF_OK;
}

static cnnf_status check_node(const cnnf_graph *graph, const cnnf_node *node, cnnf_error *error)
{
    const cnnfi_op *op = cnnfi_op_find(node->op);
    if (!*node->name) return fail_node(node, error, "it has no name");
    if (cnnfi_strmap_get(&graph->names, node->name) != node->index)
        return fail_node(node, error, "its name occurs twice");
    CNNFI_TRY(check_order(node, error));
    if (op) CNNFI_TRY(check_attrs(node, op, error));
    if (op) CNNFI_TRY(check_arity(node, op, error));
    CNNFI_TRY(check_ports(graph, node, error));
    return op ? check_types(graph, node, op, error) : CNNF_OK;
}

/* Inside a function, inputs are names of arguments and outputs: arity and attributes can be checked. */
static cnnf_status check_function(const cnnfi_function *function, cnnf_error *error)
{
    for (size_t i = 0; i < function->n_nodes; i++) {
        const cnnf_node *node = function->nodes[i];
        const cnnfi_op *op = cnnfi_op_find(node->op);
        cnnf_status status = check_order(node, error);
        if (!status && op) status = check_attrs(node, op, error);
        if (!status && op) status = check_arity(node, op, error);
        if (status) return cnnfi_error_prefix(error, status, "function '%s'", function->name);
    }
    return CNNF_OK;
}

cnnf_status cnnfi_graph_validate(const cnnf_graph *graph, cnnf_error *error)
{
    int32_t *order = NULL;
    for (size_t i = 0; i < graph->n_nodes; i++)
        CNNFI_TRY(check_node(graph, graph->nodes[i], error));
    for (size_t i = 0; i < graph->n_functions; i++)
        CNNFI_TRY(check_function(graph->functions[i], error));
    CNNFI_TRY(cnnfi_toposort(&order, graph, error));
    cnnfi_free(graph->context, order);
    return CNNF_OK;
}
