/* SPDX-License-Identifier: Apache-2.0 */
/* Folding conditionals with a known predicate: see conditionals.h. */
#include "transform/inference/conditionals.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "graph/tensor.h"
#include "graph/builder.h"
#include "edit/inline_call.h"
#include "edit/unused_functions.h"

/* Predicates are a few ops deep: pred_id, LogicalNot of it, a comparison. */
#define MAX_DEPTH 32
#define MAX_CALLS 20000

/* ---- what a predicate is ---- */

static bool known(const cnnfi_edit *edit, const cnnf_node *node, size_t input, double *value, int depth);

static bool known_binary(const cnnfi_edit *edit, const cnnf_node *node, double *value, int depth)
{
    static const char *const ops[] = {"LogicalAnd", "LogicalOr",    "Equal", "NotEqual",
                                      "Greater",    "GreaterEqual", "Less",  "LessEqual"};
    double a, b;
    size_t op = 0;
    while (op < 8 && strcmp(node->op, ops[op]) != 0)
        op++;
    const bool has_a = op < 8 && known(edit, node, 0, &a, depth), has_b = op < 8 && known(edit, node, 1, &b, depth);
    /* One operand decides: and with false, or with true. */
    if (op < 2 && ((has_a && (a != 0) == (op == 1)) || (has_b && (b != 0) == (op == 1)))) {
        *value = op == 1;
        return true;
    }
    if (!has_a || !has_b) return false;
    const bool results[] = {a != 0 && b != 0, a != 0 || b != 0, a == b, a != b, a > b, a >= b, a < b, a <= b};
    *value = results[op];
    return true;
}

static bool known_node(const cnnfi_edit *edit, const cnnf_node *node, double *value, int depth)
{
    static const char *const passing[] = {"Cast", "Reshape", "Squeeze", "ExpandDims", "ToBool", "Switch", "RefSwitch"};
    if (strcmp(node->op, "Const") == 0) {
        const cnnf_tensor *tensor = cnnf_node_attr_tensor(node, "value");
        return tensor && cnnf_tensor_element_count(tensor) == 1 && cnnfi_tensor_get_f64(tensor, 0, value);
    }
    if (strcmp(node->op, "LogicalNot") == 0) {
        if (!known(edit, node, 0, value, depth)) return false;
        *value = *value == 0;
        return true;
    }
    if (cnnfi_op_is_identity(node->op) || cnnfi_text_in(node->op, passing, sizeof passing / sizeof *passing)) {
        return known(edit, node, 0, value, depth);
    }
    return known_binary(edit, node, value, depth);
}

static bool known(const cnnfi_edit *edit, const cnnf_node *node, size_t input, double *value, int depth)
{
    int32_t port;
    const cnnf_node *from = cnnfi_edit_producer(edit, node, input, &port);
    return from && port >= 0 && depth < MAX_DEPTH && known_node(edit, from, value, depth + 1);
}

bool cnnfi_known_scalar(const cnnfi_edit *edit, const cnnf_node *node, size_t input, double *value)
{
    return known(edit, node, input, value, 0);
}

/* ---- Switch and Merge ---- */

static bool is_switch(const cnnf_node *node)
{
    return strcmp(node->op, "Switch") == 0 || strcmp(node->op, "RefSwitch") == 0;
}

static bool is_merge(const cnnf_node *node)
{
    return strcmp(node->op, "Merge") == 0 || strcmp(node->op, "RefMerge") == 0;
}

typedef struct liveness {
    cnnfi_edit *edit;
    bool *dead;        /* by node: no output will ever have a value */
    int8_t *dead_port; /* by Switch: which output never has one; -1 not known */
    size_t n;
} liveness;

static bool dead_input(const liveness *l, const cnnf_node *node, size_t input)
{
    int32_t port;
    const cnnf_node *from = cnnfi_edit_producer(l->edit, node, input, &port);
    if (!from) return false;
    return l->dead[from->index] || (port >= 0 && is_switch(from) && l->dead_port[from->index] == port);
}

static bool is_dead(const liveness *l, const cnnf_node *node)
{
    const size_t data = cnnfi_node_data_inputs(node);
    size_t dead = 0;
    if (is_merge(node)) {
        for (size_t i = 0; i < data; i++)
            dead += dead_input(l, node, i);
        return data > 0 && dead == data;
    }
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (dead_input(l, node, i)) return true;
    }
    return false;
}

/* Which nodes are dead: death only spreads, so going round until nothing changes ends; file order makes it quick. */
static bool find_dead(liveness *l)
{
    cnnfi_edit *edit = l->edit;
    bool any = false, changed = true;
    l->n = edit->count;
    l->dead = cnnfi_edit_array(edit, l->n, sizeof *l->dead);
    l->dead_port = cnnfi_edit_array(edit, l->n, sizeof *l->dead_port);
    for (size_t i = 0; l->dead && l->dead_port && i < l->n; i++) {
        const cnnf_node *node = edit->b->graph->nodes[i];
        double value;
        const bool decided = !node->removed && is_switch(node) && cnnfi_known_scalar(edit, node, 1, &value);
        l->dead_port[i] = (int8_t)(decided ? value == 0 : -1);
        any |= decided;
    }
    while (any && changed && !edit->b->status) {
        changed = false;
        for (size_t i = 0; i < l->n; i++) {
            const cnnf_node *node = edit->b->graph->nodes[i];
            if (node->removed || l->dead[i] || !is_dead(l, node)) continue;
            l->dead[i] = changed = true;
        }
    }
    return any && !edit->b->status;
}

/* value_index: which input it was. */
static void set_value_index(cnnfi_edit *edit, cnnf_node *merge, int32_t index)
{
    if (cnnfi_edit_user_count(edit, merge, 1) == 0) return;
    cnnf_tensor *value = NULL;
    cnnfi_builder *b = edit->b;
    if (!b->status) b->status = cnnfi_tensor_copy(&value, b->graph->context, CNNF_INT32, 0, NULL, &index, b->error);
    const cnnf_node *constant = cnnfi_edit_const(edit, value, "%s/value_index", merge->name);
    cnnf_tensor_unref(value);
    cnnfi_edit_redirect(edit, merge, 1, cnnfi_end(constant, 0), NULL);
}

static size_t fold_merge(const liveness *l, cnnf_node *merge)
{
    const size_t data = cnnfi_node_data_inputs(merge);
    size_t alive = 0, last = 0;
    for (size_t i = 0; i < data; i++) {
        if (dead_input(l, merge, i)) continue;
        alive++;
        last = i;
    }
    if (alive == data || alive == 0) return 0;
    if (alive > 1) {
        cnnfi_builder_fail(l->edit->b, CNNF_E_UNSUPPORTED, "node '%s': a Merge of %zu inputs of which %zu remain",
                           merge->name, data, alive);
        return 0;
    }
    set_value_index(l->edit, merge, (int32_t)last);
    cnnfi_edit_bypass(l->edit, merge, cnnfi_edit_input(merge, last));
    return 1;
}

/* The living output is the data; who waited for the Switch waits for nothing: its predicate is constant. */
static void fold_switch(const liveness *l, cnnf_node *node)
{
    cnnfi_edit *edit = l->edit;
    const cnnfi_edge data = cnnfi_edit_input(node, 0);
    cnnfi_edit_redirect(edit, node, 1 - l->dead_port[node->index], data, NULL);
    cnnfi_edit_stop_waiting(edit, node);
    if (cnnfi_edit_is_protected(edit, node))
        cnnfi_edit_bypass(edit, node, data);
    else
        cnnfi_edit_remove(edit, node);
}

static bool remove_dead(const liveness *l, cnnf_node *node, const cnnfi_pass_run *run)
{
    if (cnnfi_run_is_output(run, node->name)) {
        cnnfi_builder_fail(l->edit->b, CNNF_E_UNSUPPORTED, "node '%s' is an output, but only training computes it",
                           node->name);
        return false;
    }
    cnnfi_edit_remove(l->edit, node);
    return true;
}

static size_t fold_switches(cnnfi_edit *edit, const cnnfi_pass_run *run)
{
    liveness l = {.edit = edit};
    size_t folded = 0;
    if (!find_dead(&l)) return 0;
    for (size_t i = 0; i < l.n; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (!node->removed && !l.dead[i] && is_merge(node)) folded += fold_merge(&l, node);
    }
    for (size_t i = 0; i < l.n && !edit->b->status; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (node->removed) continue;
        if (l.dead[i])
            remove_dead(&l, node, run);
        else if (l.dead_port[i] >= 0)
            fold_switch(&l, node);
        else
            continue;
        folded++;
    }
    return folded;
}

/* ---- pivots: who waits for Identity(predicate) waits for nothing ---- */

static void drop_constant_controls(cnnfi_edit *edit)
{
    for (size_t i = 0; i < edit->count; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (node->removed) continue;
        for (size_t k = node->n_inputs; k-- > cnnfi_node_data_inputs(node);) {
            const cnnf_node *from = cnnfi_edit_producer(edit, node, k, NULL);
            double value;
            const bool constant = from && cnnfi_op_is_identity(from->op) && cnnfi_known_scalar(edit, from, 0, &value);
            if (constant && from->n_inputs == 1) cnnfi_edit_remove_input(edit, node, k);
        }
    }
}

/* ---- If and Case ---- */

static const cnnfi_function *branch_of_case(const cnnfi_edit *edit, const cnnf_node *node, double index)
{
    const cnnfi_attr *branches = cnnfi_node_attr(node, "branches");
    const bool list = branches && branches->kind == CNNF_ATTR_LIST && branches->u.list.item_kind == CNNF_ATTR_FUNC;
    if (!list || branches->u.list.count == 0) return NULL;
    /* Out of range takes the last branch (Case's documentation). */
    const size_t last = branches->u.list.count - 1;
    const size_t at = index >= 0 && index <= (double)last ? (size_t)index : last;
    return cnnfi_graph_function(edit->b->graph, branches->u.list.u.funcs[at].name);
}

static const cnnfi_function *taken_branch(const cnnfi_edit *edit, const cnnf_node *node)
{
    static const char *const ifs[] = {"If", "StatelessIf"}, *const cases[] = {"Case", "StatelessCase"};
    const bool is_if = cnnfi_text_in(node->op, ifs, 2), is_case = cnnfi_text_in(node->op, cases, 2);
    double value;
    if ((!is_if && !is_case) || !cnnfi_known_scalar(edit, node, 0, &value)) return NULL;
    return is_if ? cnnfi_function_attr(edit, node, value != 0 ? "then_branch" : "else_branch")
                 : branch_of_case(edit, node, value);
}

/* A body just put in place may hold conditionals and calls of its own: they are at the end of the list. */
static size_t inline_branches(cnnfi_edit *edit)
{
    size_t inlined = 0, first = edit->count;
    for (size_t i = 0; i < edit->count && !edit->b->status && inlined < MAX_CALLS; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        const cnnfi_function *branch = node->removed ? NULL : taken_branch(edit, node);
        const cnnfi_function *called = node->removed || branch || i < first ? NULL : cnnfi_called_function(edit, node);
        if (!branch && !called) continue;
        cnnfi_inline_call(edit, node, branch ? branch : called, branch ? 1 : 0);
        inlined++;
    }
    return inlined;
}

size_t cnnfi_fold_conditionals(cnnfi_edit *edit, const cnnfi_pass_run *run)
{
    size_t total = 0, folded = 1;
    while (folded && !edit->b->status && total < MAX_CALLS) {
        folded = inline_branches(edit) + fold_switches(edit, run);
        total += folded;
    }
    if (total) {
        drop_constant_controls(edit);
        cnnfi_drop_unused_functions(edit->b);
        edit->changes++;
    }
    return total;
}
