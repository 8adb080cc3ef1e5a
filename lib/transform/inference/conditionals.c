/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding conditionals with a known predicate: see conditionals.h. One walk from the inputs on decides each node when
 * all before it are decided, so that a predicate that hangs on another conditional is known in its turn; what is dead
 * goes afterwards.
 */
#include "transform/inference/conditionals.h"

#include <string.h>

#include "base/error.h"
#include "edit/inline.h"
#include "edit/liveness.h"
#include "edit/unused_functions.h"
#include "edit/walk.h"
#include "graph/tensor.h"

typedef struct folding {
    cnnfi_edit *edit;
    const cnnfi_pass_run *run;
    cnnfi_values values;
    cnnfi_liveness liveness;
    cnnfi_inliner inliner;
    size_t folded;
} folding;

/* ---- Switch and Merge ---- */

/* value_index: which input it was. */
static void set_value_index(cnnfi_edit *edit, const cnnf_node *merge, int32_t index)
{
    if (cnnfi_edit_user_count(edit, merge, 1) == 0) return;
    cnnf_tensor *value = NULL;
    cnnfi_builder *b = edit->b;
    if (!b->status) b->status = cnnfi_tensor_copy(&value, b->graph->context, CNNF_INT32, 0, NULL, &index, b->error);
    const cnnf_node *constant = cnnfi_edit_const(edit, value, "%s/value_index", merge->name);
    cnnf_tensor_unref(value);
    cnnfi_edit_redirect(edit, merge, 1, cnnfi_end(constant, 0), NULL);
}

static void fold_merge(folding *f, cnnf_node *merge)
{
    const size_t data = cnnfi_node_data_inputs(merge);
    size_t alive = 0, last = 0;
    for (size_t i = 0; i < data; i++) {
        if (cnnfi_liveness_is_dead_input(&f->liveness, merge, i)) continue;
        alive++;
        last = i;
    }
    if (alive == data || alive == 0) return;
    if (alive > 1) {
        cnnfi_builder_fail(f->edit->b, CNNF_E_UNSUPPORTED, "node '%s': a Merge of %zu inputs of which %zu remain",
                           merge->name, data, alive);
        return;
    }
    set_value_index(f->edit, merge, (int32_t)last);
    cnnfi_edit_bypass(f->edit, merge, cnnfi_edit_input(merge, last));
    f->folded++;
}

/* The living output is the data; who waited for the Switch waits for nothing: its predicate is constant. */
static void fold_switch(folding *f, cnnf_node *node, int32_t dead_port)
{
    cnnfi_edit *edit = f->edit;
    const cnnfi_edge data = cnnfi_edit_input(node, 0);
    cnnfi_edit_redirect(edit, node, 1 - dead_port, data, NULL);
    cnnfi_edit_stop_waiting(edit, node);
    if (cnnfi_edit_is_protected(edit, node))
        cnnfi_edit_bypass(edit, node, data);
    else
        cnnfi_edit_remove(edit, node);
    f->folded++;
}

static void remove_dead(folding *f, cnnf_node *node)
{
    if (cnnfi_run_is_output(f->run, node->name)) {
        cnnfi_builder_fail(f->edit->b, CNNF_E_UNSUPPORTED, "node '%s' is an output, but only training computes it",
                           node->name);
        return;
    }
    cnnfi_edit_remove(f->edit, node);
    f->folded++;
}

static void remove_decided(folding *f)
{
    for (size_t i = 0; i < f->edit->count && !f->edit->b->status; i++) {
        cnnf_node *node = f->edit->b->graph->nodes[i];
        const int32_t dead_port = cnnfi_liveness_dead_port(&f->liveness, node);
        if (node->removed) continue;
        if (cnnfi_liveness_is_dead(&f->liveness, node))
            remove_dead(f, node);
        else if (dead_port >= 0)
            fold_switch(f, node, dead_port);
    }
}

/* ---- pivots: who waits for Identity(predicate) waits for nothing ---- */

static void drop_constant_controls(folding *f)
{
    cnnfi_edit *edit = f->edit;
    for (size_t i = 0; i < edit->count; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        for (size_t k = node->n_inputs; k-- > 0 && node->edges[k].port == CNNFI_PORT_CONTROL;) {
            const cnnf_node *from = cnnfi_edit_producer(edit, node, k, NULL);
            double value;
            if (!from || from->n_inputs != 1 || !cnnfi_op_is_identity(from->op)) continue;
            if (cnnfi_value_scalar(&f->values, from, 0, &value)) cnnfi_edit_remove_input(edit, node, k);
        }
    }
}

/* ---- If and Case ---- */

static const cnnfi_func_ref *branch_of_if(const cnnf_node *node, double predicate)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, predicate != 0 ? "then_branch" : "else_branch");
    return attr && attr->kind == CNNF_ATTR_FUNC ? attr->u.func : NULL;
}

static const cnnfi_func_ref *branch_of_case(const cnnf_node *node, double index)
{
    const cnnfi_attr *branches = cnnfi_node_attr(node, "branches");
    const bool list = branches && branches->kind == CNNF_ATTR_LIST && branches->u.list.item_kind == CNNF_ATTR_FUNC;
    if (!list || branches->u.list.count == 0) return NULL;
    /* Out of range takes the last branch (Case's documentation). */
    const size_t last = branches->u.list.count - 1;
    return &branches->u.list.u.funcs[index >= 0 && index <= (double)last ? (size_t)index : last];
}

/* The branch that is taken, or what a body that was put in place calls. */
static bool find_body(folding *f, cnnf_node *node, cnnfi_call_site *site)
{
    static const char *const ifs[] = {"If", "StatelessIf"}, *const cases[] = {"Case", "StatelessCase"};
    const bool is_if = cnnfi_text_in(node->op, ifs, 2), is_case = cnnfi_text_in(node->op, cases, 2);
    double value;
    if (!is_if && !is_case) return cnnfi_inliner_made(&f->inliner, node) && cnnfi_find_call(site, f->edit, node);
    if (!cnnfi_value_scalar(&f->values, node, 0, &value)) return false;
    const cnnfi_func_ref *branch = is_if ? branch_of_if(node, value) : branch_of_case(node, value);
    return branch && cnnfi_find_branch(site, f->edit, node, branch, 1);
}

/* ---- the walk ---- */

static void decide(folding *f, cnnf_node *node)
{
    cnnfi_call_site site;
    cnnfi_liveness_visit(&f->liveness, node);
    if (cnnfi_liveness_is_dead(&f->liveness, node)) return;
    if (cnnfi_op_is_merge(node->op)) {
        fold_merge(f, node);
    } else if (find_body(f, node, &site)) {
        cnnfi_inline(&f->inliner, &site);
        f->folded++;
    }
}

size_t cnnfi_fold_conditionals(cnnfi_edit *edit, const cnnfi_pass_run *run)
{
    folding f = {.edit = edit, .run = run};
    cnnfi_walk walk;
    cnnfi_values_init(&f.values, edit, true);
    cnnfi_liveness_init(&f.liveness, edit, &f.values);
    cnnfi_inliner_init(&f.inliner, edit, false);
    cnnfi_walk_init(&walk, edit);
    for (cnnf_node *node; (node = cnnfi_walk_next(&walk));)
        decide(&f, node);
    cnnfi_inliner_free(&f.inliner);
    remove_decided(&f);
    if (f.folded && !edit->b->status) {
        drop_constant_controls(&f);
        cnnfi_drop_unused_functions(edit->b);
        edit->changes++;
    }
    return f.folded;
}
