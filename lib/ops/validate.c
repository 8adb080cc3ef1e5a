/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of TensorFlow's graph constructor (graph_constructor.cc, node_def_util.cc), node by node. */
#include "ops/validate.h"

#include <inttypes.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/order.h"
#include "ops/contract.h"

/* What readers of a node ask about it, looked up once. */
typedef struct known {
    const cnnfi_op *op; /* NULL: not known */
    int64_t outputs;    /* -1: not known */
} known;

/* ---- inputs ---- */

static cnnf_status check_order(const cnnf_node *node, cnnf_error *error)
{
    for (size_t i = cnnfi_node_data_inputs(node); i < node->n_inputs; i++) {
        if (node->inputs[i][0] == '^') continue;
        return cnnfi_fail_at(node, error, "input %zu '%s' comes after a control input", i, node->inputs[i]);
    }
    return CNNF_OK;
}

static cnnf_status check_ports(const known *nodes, const cnnf_graph *graph, const cnnf_node *node, cnnf_error *error)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        const cnnfi_edge edge = node->edges[i];
        if (edge.port == CNNFI_PORT_CONTROL) continue;
        const int64_t outputs = nodes[edge.node].outputs;
        if (outputs < 0 || edge.port < outputs) continue;
        return cnnfi_fail_at(node, error, "input %zu is '%s', but %s has %" PRId64 " outputs", i, node->inputs[i],
                             graph->nodes[edge.node]->op, outputs);
    }
    return CNNF_OK;
}

/* An op that takes a reference changes a variable; everything else takes a reference's value, too. */
static cnnf_status check_types(const known *nodes, const cnnf_graph *graph, const cnnf_node *node, cnnf_error *error)
{
    const cnnfi_op *op = nodes[node->index].op;
    const size_t inputs = cnnfi_node_data_inputs(node);
    for (size_t i = 0; i < inputs; i++) {
        const cnnfi_edge edge = node->edges[i];
        bool want_ref, have_ref;
        const cnnf_dtype want = cnnfi_op_input_type(op, node, (int64_t)i, &want_ref);
        const cnnf_dtype have =
            cnnfi_op_output_type(nodes[edge.node].op, graph->nodes[edge.node], edge.port, &have_ref);
        if (!want || !have || (want == have && (have_ref || !want_ref))) continue;
        return cnnfi_fail_at(node, error, "input %zu was passed %s%s from '%s', incompatible with expected %s%s", i,
                             cnnf_dtype_name(have), have_ref ? "_ref" : "", node->inputs[i], cnnf_dtype_name(want),
                             want_ref ? "_ref" : "");
    }
    return CNNF_OK;
}

static cnnf_status check_node(const known *nodes, const cnnf_graph *graph, const cnnf_node *node, cnnf_error *error)
{
    const cnnfi_op *op = nodes[node->index].op;
    if (!*node->name) return cnnfi_fail_at(node, error, "it has no name");
    CNNFI_TRY(check_order(node, error));
    if (op) CNNFI_TRY(cnnfi_contract_attrs(op, node, true, error));
    if (op) CNNFI_TRY(cnnfi_contract_arity(op, node, (int64_t)cnnfi_node_data_inputs(node), error));
    CNNFI_TRY(check_ports(nodes, graph, node, error));
    return op ? check_types(nodes, graph, node, error) : CNNF_OK;
}

static cnnf_status check_nodes(const cnnf_graph *graph, known *nodes, cnnf_error *error)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        nodes[i].op = cnnfi_op_find(node->op);
        nodes[i].outputs = cnnfi_op_node_outputs(nodes[i].op, node);
    }
    /* As many names as nodes: none occurs twice. */
    const bool unique = graph->names.count == graph->n_nodes;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        if (!unique && cnnfi_strmap_get(&graph->names, node->name) != node->index)
            return cnnfi_fail_at(node, error, "its name occurs twice");
        CNNFI_TRY(check_node(nodes, graph, node, error));
    }
    return CNNF_OK;
}

/* Inside a function, inputs are names of arguments and outputs: arity and attributes can be checked. */
static cnnf_status check_function(const cnnfi_function *function, cnnf_error *error)
{
    for (size_t i = 0; i < function->n_nodes; i++) {
        const cnnf_node *node = function->nodes[i];
        const cnnfi_op *op = cnnfi_op_find(node->op);
        cnnf_status status = check_order(node, error);
        if (!status && op) status = cnnfi_contract_attrs(op, node, true, error);
        if (!status && op) status = cnnfi_contract_arity(op, node, (int64_t)cnnfi_node_data_inputs(node), error);
        if (status) return cnnfi_error_prefix(error, status, "function '%s'", function->name);
    }
    return CNNF_OK;
}

cnnf_status cnnfi_graph_validate(const cnnf_graph *graph, cnnf_error *error)
{
    int32_t *order = NULL;
    known *nodes = cnnfi_array(graph->context, graph->n_nodes, sizeof *nodes);
    const cnnf_status status = nodes ? check_nodes(graph, nodes, error) : cnnfi_fail_nomem(error);
    cnnfi_free(graph->context, nodes);
    CNNFI_TRY(status);
    for (size_t i = 0; i < graph->n_functions; i++)
        CNNFI_TRY(check_function(graph->functions[i], error));
    CNNFI_TRY(cnnfi_toposort(&order, graph, error));
    cnnfi_free(graph->context, order);
    return CNNF_OK;
}
