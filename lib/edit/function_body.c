/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/function_body.h"

#include <inttypes.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/num.h"
#include "ops/op_table.h"

/* ---- calls ---- */

/* Arguments that stand for several tensors cannot be matched with inputs one by one. */
static bool has_single_arguments(const cnnfi_arg *args, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (args[i].number_attr && *args[i].number_attr) return false;
        if (args[i].type_list_attr && *args[i].type_list_attr) return false;
    }
    return true;
}

const cnnfi_function *cnnfi_inlinable_function(const cnnf_graph *graph, const cnnf_node *node,
                                               const cnnfi_func_ref **reference)
{
    const bool call = strcmp(node->op, "PartitionedCall") == 0 || strcmp(node->op, "StatefulPartitionedCall") == 0;
    const cnnfi_attr *attr = call ? cnnfi_node_attr(node, "f") : NULL;
    const cnnfi_func_ref *named = attr && attr->kind == CNNF_ATTR_FUNC ? attr->u.func : NULL;
    if (call && !named) return NULL;
    /* A Defun of TensorFlow 1 is an op of its own. */
    const cnnfi_function *f = cnnfi_graph_function(graph, call ? named->name : node->op);
    if (!f || f->n_inputs != cnnfi_node_data_inputs(node)) return NULL;
    if (!has_single_arguments(f->inputs, f->n_inputs) || !has_single_arguments(f->outputs, f->n_outputs)) return NULL;
    if (reference) *reference = named;
    return f;
}

/* ---- tensors of a body ---- */

/* How many tensors an output argument stands for; -1: an attribute is missing. */
static int64_t output_width(const cnnfi_op_arg *arg, const cnnf_node *node)
{
    const cnnfi_attr *attr;
    if (arg->type_list_attr && *arg->type_list_attr) {
        attr = cnnfi_node_attr(node, arg->type_list_attr);
        return attr && attr->kind == CNNF_ATTR_LIST ? (int64_t)attr->u.list.count : -1;
    }
    if (!arg->number_attr || !*arg->number_attr) return 1;
    attr = cnnfi_node_attr(node, arg->number_attr);
    return attr && attr->kind == CNNF_ATTR_INT && attr->u.i >= 0 ? attr->u.i : -1;
}

static bool same_text(const char *text, const char *bytes, size_t length)
{
    return strlen(text) == length && memcmp(text, bytes, length) == 0;
}

/*
 * The first port of the output argument called so; -1. One output has one name: freezers that turn a ReadVariableOp
 * into an Identity leave the old one (`value`) behind.
 */
static int64_t first_port(const cnnf_graph *graph, const cnnf_node *node, const char *name, size_t length)
{
    int64_t port = 0;
    const cnnfi_op *op = cnnfi_op_find(node->op);
    const cnnfi_function *f = op ? NULL : cnnfi_graph_function(graph, node->op);
    if ((op && op->n_outputs == 1) || (f && f->n_outputs == 1)) return 0;
    for (size_t i = 0; op && i < op->n_outputs; i++) {
        const cnnfi_op_arg *arg = cnnfi_op_output(op, i);
        if (same_text(arg->name, name, length)) return port;
        const int64_t width = output_width(arg, node);
        if (width < 0) return -1;
        port += width;
    }
    for (size_t i = 0; f && i < f->n_outputs; i++) {
        if (same_text(f->outputs[i].name, name, length)) return (int64_t)i;
    }
    return -1;
}

static cnnf_status fail_input(const cnnfi_body *body, const char *text, const char *why, cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "function '%s': input '%s': %s", body->function->name, text, why);
}

cnnf_status cnnfi_body_resolve(cnnfi_body_tensor *out, const cnnfi_body *body, const cnnf_graph *graph,
                               const char *text, cnnf_error *error)
{
    const bool control = text[0] == '^';
    const char *name = text + control, *colon = strchr(name, ':'), *last = strrchr(name, ':');
    const size_t length = colon ? (size_t)(colon - name) : strlen(name);
    *out = (cnnfi_body_tensor){cnnfi_strmap_get_n(&body->names, name, length), control ? CNNFI_PORT_CONTROL : 0};
    if (out->producer < 0) return fail_input(body, text, "names no node", error);
    if (control || !colon || (size_t)out->producer >= body->function->n_nodes) return CNNF_OK;
    if (!cnnfi_parse_i64(last + 1, strlen(last + 1), &out->port) || out->port < 0)
        return fail_input(body, text, "no output number", error);
    if (last == colon) return CNNF_OK;
    const cnnf_node *node = body->function->nodes[out->producer];
    const int64_t first = first_port(graph, node, colon + 1, (size_t)(last - colon - 1));
    if (first < 0) return fail_input(body, text, "the op's outputs are not known", error);
    out->port += first;
    return CNNF_OK;
}

const char *cnnfi_function_returns(const cnnfi_function *function, const char *name)
{
    size_t low = 0, high = function->n_ret; /* sorted by key */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(function->ret[middle].key, name);
        if (order == 0) return function->ret[middle].value;
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return NULL;
}

/* ---- nodes nobody has to wait for ---- */

static int64_t function_index(const cnnf_graph *graph, const cnnfi_function *function)
{
    return function ? cnnfi_strmap_get(&graph->function_names, function->name) : -1;
}

static bool is_quiet_op(const cnnfi_body *bodies, const cnnf_graph *graph, const cnnf_node *node)
{
    const int64_t called = function_index(graph, cnnfi_inlinable_function(graph, node, NULL));
    if (called >= 0) return bodies[called].quiet;
    static const char *const quiet[] = {"Const", "NoOp", "Placeholder", "ReadVariableOp", "VarHandleOp"};
    if (cnnfi_text_in(node->op, quiet, sizeof quiet / sizeof *quiet)) return true;
    const cnnfi_op *op = cnnfi_op_find(node->op);
    return op && !(op->flags & CNNFI_OP_IS_STATEFUL);
}

static bool waits_for_quiet(const cnnfi_body *body, const cnnf_node *node)
{
    for (size_t k = cnnfi_node_data_inputs(node); k < node->n_inputs; k++) {
        const int64_t producer = cnnfi_strmap_get(&body->names, node->inputs[k] + 1);
        if (producer < 0 || ((size_t)producer < body->function->n_nodes && !body->inert[producer])) return false;
    }
    return true;
}

/* A NoOp that gathers only readings is as inert as they are: rounds until nothing changes, few by nature. */
static void find_inert(cnnfi_body *bodies, const cnnf_graph *graph, cnnfi_body *body)
{
    const size_t n = body->function->n_nodes;
    size_t inert = 0;
    bool changed = true;
    for (int round = 0; changed && round < 16; round++) {
        changed = false;
        for (size_t i = 0; i < n; i++) {
            const cnnf_node *node = body->function->nodes[i];
            if (body->inert[i] || !is_quiet_op(bodies, graph, node) || !waits_for_quiet(body, node)) continue;
            body->inert[i] = changed = true;
            inert++;
        }
    }
    body->quiet = inert == n;
}

static cnnf_status body_init(cnnfi_body *bodies, const cnnf_graph *graph, size_t index, cnnf_error *error)
{
    const cnnfi_function *function = graph->functions[index];
    cnnfi_body *body = &bodies[index];
    body->function = function;
    cnnfi_strmap_init(&body->names, graph->context);
    body->inert = cnnfi_calloc(graph->context, function->n_nodes + 1, sizeof *body->inert);
    bool ok = body->inert != NULL;
    for (size_t i = 0; ok && i < function->n_inputs; i++)
        ok = cnnfi_strmap_set(&body->names, function->inputs[i].name, (int64_t)(function->n_nodes + i));
    for (size_t i = 0; ok && i < function->n_nodes; i++)
        ok = cnnfi_strmap_set(&body->names, function->nodes[i]->name, (int64_t)i);
    if (!ok) return cnnfi_fail_nomem(error);
    find_inert(bodies, graph, body);
    return CNNF_OK;
}

void cnnfi_body_free(cnnfi_body *body, cnnf_context *context)
{
    if (!body->function) return;
    cnnfi_strmap_free(&body->names);
    cnnfi_free(context, body->inert);
}

/* ---- a function after those it calls ---- */

typedef struct visit {
    size_t function, node; /* node: the next one to look at */
} visit;

/* The next function that the one on top calls and nobody has asked for; -1. One that calls itself is not quiet. */
static int64_t next_called(const cnnfi_body *bodies, const cnnf_graph *graph, visit *top)
{
    const cnnfi_function *f = graph->functions[top->function];
    while (top->node < f->n_nodes) {
        const int64_t called = function_index(graph, cnnfi_inlinable_function(graph, f->nodes[top->node++], NULL));
        if (called >= 0 && !bodies[called].asked) return called;
    }
    return -1;
}

cnnf_status cnnfi_body_prepare(cnnfi_body *bodies, const cnnf_graph *graph, size_t index, cnnf_error *error)
{
    cnnf_status status = CNNF_OK;
    visit *stack = NULL;
    size_t depth = 0, capacity = 0;
    if (bodies[index].asked) return CNNF_OK;
    for (int64_t called = (int64_t)index; !status && (called >= 0 || depth);) {
        if (called >= 0) {
            if (!cnnfi_grow(graph->context, (void **)&stack, &capacity, depth, sizeof *stack)) {
                status = cnnfi_fail_nomem(error);
                break;
            }
            bodies[called].asked = true;
            stack[depth++] = (visit){.function = (size_t)called};
        }
        called = next_called(bodies, graph, &stack[depth - 1]);
        if (called < 0) status = body_init(bodies, graph, stack[--depth].function, error);
    }
    cnnfi_free(graph->context, stack);
    return status;
}
