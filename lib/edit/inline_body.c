/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/inline_body.h"

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

/* The first port of the output argument called so; -1. */
static int64_t first_port(const cnnf_graph *graph, const cnnf_node *node, const char *name, size_t length)
{
    int64_t port = 0;
    const cnnfi_op *op = cnnfi_op_find(node->op);
    const cnnfi_function *f = op ? NULL : cnnfi_graph_function(graph, node->op);
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

/* ---- nodes nobody has to wait for ---- */

static bool is_quiet_op(const cnnfi_body *bodies, const cnnfi_strmap *functions, const cnnf_graph *graph,
                        const cnnf_node *node)
{
    const cnnfi_function *called = cnnfi_inlinable_function(graph, node, NULL);
    if (called) return bodies[cnnfi_strmap_get(functions, called->name)].quiet;
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

typedef struct walk {
    const cnnf_graph *graph;
    const cnnfi_strmap *functions; /* name -> index */
    cnnfi_body *bodies;
    uint8_t *state; /* 0 new, 1 on the stack, 2 done */
    struct frame {
        size_t function, node;
    } * stack;
    size_t depth;
} walk;

/* A NoOp that gathers only readings is as inert as they are: rounds until nothing changes, few by nature. */
static void find_inert(const walk *w, cnnfi_body *body)
{
    const size_t n = body->function->n_nodes;
    size_t inert = 0;
    bool changed = true;
    for (int round = 0; changed && round < 16; round++) {
        changed = false;
        for (size_t i = 0; i < n; i++) {
            const cnnf_node *node = body->function->nodes[i];
            if (body->inert[i] || !is_quiet_op(w->bodies, w->functions, w->graph, node) || !waits_for_quiet(body, node))
                continue;
            body->inert[i] = changed = true;
            inert++;
        }
    }
    body->quiet = inert == n;
}

static cnnf_status body_init(const walk *w, size_t index, cnnf_error *error)
{
    const cnnfi_function *function = w->graph->functions[index];
    cnnfi_body *body = &w->bodies[index];
    *body = (cnnfi_body){.function = function, .ready = true};
    cnnfi_strmap_init(&body->names, w->graph->context);
    body->inert = cnnfi_calloc(w->graph->context, function->n_nodes + 1, sizeof *body->inert);
    bool ok = body->inert != NULL;
    for (size_t i = 0; ok && i < function->n_inputs; i++)
        ok = cnnfi_strmap_set(&body->names, function->inputs[i].name, (int64_t)(function->n_nodes + i));
    for (size_t i = 0; ok && i < function->n_nodes; i++)
        ok = cnnfi_strmap_set(&body->names, function->nodes[i]->name, (int64_t)i);
    if (!ok) return cnnfi_fail_nomem(error);
    find_inert(w, body);
    return CNNF_OK;
}

void cnnfi_body_free(cnnfi_body *body, cnnf_context *context)
{
    if (!body->ready) return;
    cnnfi_strmap_free(&body->names);
    cnnfi_free(context, body->inert);
}

/* ---- all functions, those called first ---- */

static cnnf_status fail_recursion(const walk *w, size_t again, cnnf_error *error)
{
    char text[400] = "";
    size_t used = 0, from = 0;
    while (w->stack[from].function != again)
        from++;
    for (size_t i = from; i < w->depth && used < sizeof text - 4; i++) {
        const char *name = w->graph->functions[w->stack[i].function]->name;
        const size_t n = strlen(name);
        if (used + n + 5 > sizeof text) break;
        memcpy(text + used, name, n);
        memcpy(text + used + n, " -> ", 5);
        used += n + 4;
    }
    return cnnfi_fail(error, CNNF_E_CORRUPT, "cycle: %s%s", text, w->graph->functions[again]->name);
}

/* Goes on with the function on top; pushes the next one it calls. */
static cnnf_status step(walk *w, cnnf_error *error)
{
    struct frame *top = &w->stack[w->depth - 1];
    const cnnfi_function *f = w->graph->functions[top->function];
    while (top->node < f->n_nodes) {
        const cnnfi_function *called = cnnfi_inlinable_function(w->graph, f->nodes[top->node++], NULL);
        const int64_t index = called ? cnnfi_strmap_get(w->functions, called->name) : -1;
        if (index < 0 || w->state[index] == 2) continue;
        if (w->state[index] == 1) return fail_recursion(w, (size_t)index, error);
        w->state[index] = 1;
        w->stack[w->depth++] = (struct frame){(size_t)index, 0};
        return CNNF_OK;
    }
    w->state[top->function] = 2;
    w->depth--;
    return body_init(w, top->function, error);
}

static cnnf_status walk_all(walk *w, cnnf_error *error)
{
    for (size_t i = 0; i < w->graph->n_functions; i++) {
        if (w->state[i]) continue;
        w->state[i] = 1;
        w->stack[w->depth++] = (struct frame){i, 0};
        while (w->depth > 0)
            CNNFI_TRY(step(w, error));
    }
    return CNNF_OK;
}

cnnf_status cnnfi_bodies_init(cnnfi_body *bodies, const cnnf_graph *graph, const cnnfi_strmap *functions,
                              cnnf_error *error)
{
    walk w = {.graph = graph, .functions = functions, .bodies = bodies};
    w.state = cnnfi_calloc(graph->context, graph->n_functions + 1, sizeof *w.state);
    w.stack = cnnfi_array(graph->context, graph->n_functions + 1, sizeof *w.stack);
    const cnnf_status status = w.state && w.stack ? walk_all(&w, error) : cnnfi_fail_nomem(error);
    cnnfi_free(graph->context, w.state);
    cnnfi_free(graph->context, w.stack);
    return status;
}
