/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold_batch_norms: every batch norm becomes an affine per channel and is absorbed by the weights
 * around it, exactly; what nothing can absorb becomes Mul and Add. The ways are tried in this order:
 *
 *   1. backwards, activations untouched            conv -> BN
 *   2. forwards, activations untouched             BN -> conv without padding, BN -> dense
 *   3. backwards through a ReLU, which becomes a   conv -> ReLU -> BN: s * relu(c) + b = max(s * c + b, b),
 *      bound per channel                           min(s * c + b, b) where s < 0
 *   4. the signs forwards and the rest backwards   conv -> ReLU -> MaxPool -> BN with negative scales
 *
 * 3 leaves every value after the batch norm what it was, so zero padding behind it stays right, and a channel
 * with scale 0 is the constant b. Arithmetic is in double, results are stored in the weights' dtype.
 */
#include <string.h>

#include "transform/batch_norm/absorb.h"
#include "transform/batch_norm/find_batch_norms.h"
#include "transform/batch_norm/fold_report.h"
#include "transform/framework/pass_edit.h"
#include "graph/builder.h"

typedef struct fold {
    cnnfi_pass_run *run;
    cnnfi_edit edit;
    cnnfi_values values;
    bool plain_relu; /* ways 3 and 4 are closed */
} fold;

static cnnf_node *first_of(const cnnfi_norm *norm)
{
    return norm->nodes[0];
}

static cnnf_node *last_of(const cnnfi_norm *norm)
{
    return norm->nodes[norm->n_nodes - 1];
}

/* ---- the ways ---- */

typedef struct attempt {
    cnnfi_travel travel;
    cnnfi_affine backward, forward; /* n 0: nothing that way */
} attempt;

static bool travels(fold *f, attempt *a, const cnnfi_norm *norm)
{
    cnnfi_travel *t = &a->travel;
    if (a->forward.n && cnnfi_edit_is_protected(&f->edit, last_of(norm))) {
        return cnnfi_travel_refuse(t, last_of(norm), "it is an output of the graph");
    }
    if (a->backward.n && !cnnfi_absorb_backward(t, first_of(norm), norm->data_input, &a->backward)) return false;
    return !a->forward.n || cnnfi_absorb_forward(t, last_of(norm), &a->forward);
}

static bool try_way(fold *f, attempt *a, const cnnfi_norm *norm, bool keep_activations)
{
    a->travel = (cnnfi_travel){.edit = &f->edit, .values = &f->values, .keep_activations = keep_activations};
    return travels(f, a, norm);
}

static bool choose_way(fold *f, attempt *a, const cnnfi_norm *norm, cnnfi_fold_entry *entry)
{
    *a = (attempt){.backward = norm->affine};
    entry->outcome = CNNFI_FOLD_BACKWARD;
    if (try_way(f, a, norm, true)) return true;
    entry->reason = a->travel.reason;
    entry->reason_node = a->travel.reason_node;
    if (norm->kind == CNNFI_NORM_SCALE) return false;

    *a = (attempt){.forward = norm->affine};
    entry->outcome = CNNFI_FOLD_FORWARD;
    if (try_way(f, a, norm, true)) return true;
    if (f->plain_relu) return false;

    attempt split = {.backward = {0}};
    cnnfi_affine_split_sign(&f->edit, &norm->affine, &split.forward, &split.backward);
    const bool falls = cnnfi_affine_negatives(&norm->affine) > 0;
    const bool can_split = falls && split.backward.n && try_way(f, &split, norm, false);
    entry->outcome = CNNFI_FOLD_BOTH;
    *a = split;
    if (can_split) return true;

    *a = (attempt){.backward = norm->affine};
    entry->outcome = CNNFI_FOLD_BACKWARD;
    return try_way(f, a, norm, false);
}

/* ---- taking the batch norm out ---- */

/* Control inputs of a batch norm that goes pass to those who read it. */
static void pass_on_controls(fold *f, const cnnfi_norm *norm)
{
    for (size_t i = 0; i < norm->n_nodes; i++) {
        const cnnf_node *node = norm->nodes[i];
        for (size_t k = cnnfi_node_data_inputs(node); k < node->n_inputs; k++) {
            const cnnf_node *from = cnnfi_edit_producer(&f->edit, node, k, NULL);
            for (const cnnfi_use *use = cnnfi_edit_uses(&f->edit, last_of(norm)); use; use = use->next) {
                if (use->port == 0) cnnfi_edit_add_control(&f->edit, use->user, from);
            }
        }
    }
}

/* The batch norm's last node, whose name people know, becomes the addition that its shift needed. */
static void become(fold *f, cnnf_node *node, cnnf_node *sum)
{
    cnnfi_edit *edit = &f->edit;
    const cnnfi_edge data = cnnfi_edit_input(sum, 0), offset = cnnfi_edit_input(sum, 1);
    const cnnf_dtype dtype = cnnfi_node_type(sum, "T");
    cnnfi_edit_reset(edit, node, sum->op);
    cnnfi_edit_add_input(edit, node, data);
    cnnfi_edit_add_input(edit, node, offset);
    const cnnfi_attr *format = cnnfi_node_attr(sum, "data_format");
    if (format) cnnfi_node_copy_attr(edit->b, node, "data_format", format);
    cnnfi_node_set_type(edit->b, node, "T", dtype);
}

static void take_out(fold *f, const cnnfi_norm *norm, const cnnf_node *inserted)
{
    cnnfi_edit *edit = &f->edit;
    cnnf_node *first = first_of(norm), *last = last_of(norm);
    cnnf_node *source = cnnfi_edit_producer(edit, first, norm->data_input, NULL);
    const cnnfi_edge input = cnnfi_edit_input(first, norm->data_input);
    pass_on_controls(f, norm);
    for (size_t i = 0; i + 1 < norm->n_nodes; i++)
        cnnfi_edit_bypass(edit, norm->nodes[i], input);
    if (source && source == inserted) {
        become(f, last, source);
        cnnfi_edit_redirect(edit, source, 0, cnnfi_end(last, 0), last);
        cnnfi_edit_remove(edit, source);
    } else {
        cnnfi_edit_bypass(edit, last, input);
    }
}

static void absorb(fold *f, attempt *a, const cnnfi_norm *norm)
{
    a->travel.commit = true;
    a->travel.changes = NULL;
    a->travel.inserted = NULL;
    if (travels(f, a, norm)) take_out(f, norm, a->backward.n ? a->travel.inserted : NULL);
    f->edit.changes++;
}

/* ---- what nothing absorbs: Mul and Add ---- */

static const cnnf_node *channel_const(fold *f, const cnnfi_norm *norm, const char *what, const double *values)
{
    cnnfi_edit *edit = &f->edit;
    const cnnf_node *last = last_of(norm);
    cnnfi_affine layout = norm->affine;
    if (layout.n == 1) layout.axis = 0;
    cnnf_tensor *value = cnnfi_channel_tensor(edit, cnnfi_node_type(last, "T"), &layout, values, layout.n);
    const cnnf_node *node = cnnfi_edit_const(edit, value, "%s/%s", last->name, what);
    cnnf_tensor_unref(value);
    return node;
}

static void make_binary(fold *f, cnnf_node *node, const char *op, cnnfi_edge data, const cnnf_node *constant,
                        cnnf_dtype dtype)
{
    cnnfi_edit_reset(&f->edit, node, op);
    cnnfi_edit_add_input(&f->edit, node, data);
    cnnfi_edit_add_input(&f->edit, node, cnnfi_end(constant, 0));
    cnnfi_node_set_type(f->edit.b, node, "T", dtype);
}

/* Already what lowering makes: Mul, Add, or Mul then Add, with constants of their own. */
static bool is_low(fold *f, const cnnfi_norm *norm)
{
    static const char *const forms[3][2] = {{"Mul", "Add"}, {"Mul", NULL}, {"Add", NULL}};
    for (size_t k = 0; k < 3; k++) {
        bool same = norm->n_nodes == (forms[k][1] ? 2u : 1u);
        for (size_t i = 0; same && i < norm->n_nodes; i++) {
            const cnnf_node *node = norm->nodes[i];
            same = strcmp(node->op, forms[k][i]) == 0 &&
                   (cnnfi_const_node(&f->edit, node, 1) || cnnfi_const_node(&f->edit, node, 0));
        }
        if (same) return true;
    }
    return false;
}

static void lower(fold *f, const cnnfi_norm *norm)
{
    cnnfi_edit *edit = &f->edit;
    cnnf_node *first = first_of(norm), *last = last_of(norm);
    const cnnf_dtype dtype = cnnfi_node_type(last, "T");
    const bool scales = cnnfi_affine_has_scale(&norm->affine), shifts = cnnfi_affine_has_shift(&norm->affine);
    cnnfi_edge data = cnnfi_edit_input(first, norm->data_input);
    pass_on_controls(f, norm);
    for (size_t i = 0; i + 1 < norm->n_nodes; i++)
        cnnfi_edit_bypass(edit, norm->nodes[i], data);
    if (!scales && !shifts) {
        cnnfi_edit_bypass(edit, last, data);
        return;
    }
    if (scales && shifts) {
        const cnnf_node *scale = channel_const(f, norm, "scale", norm->affine.scale);
        cnnf_node *mul = cnnfi_edit_add(edit, "Mul", cnnfi_edit_unique(edit, "%s/mul", last->name));
        if (!mul) return;
        make_binary(f, mul, "Mul", data, scale, dtype);
        data = cnnfi_end(mul, 0);
    }
    const cnnf_node *rest =
        channel_const(f, norm, shifts ? "shift" : "scale", shifts ? norm->affine.shift : norm->affine.scale);
    make_binary(f, last, shifts ? "Add" : "Mul", data, rest, dtype);
}

static bool touches_bounds(const attempt *a)
{
    return a->backward.n && !a->travel.keep_activations;
}

static void fold_one(fold *f, cnnfi_norm *norm)
{
    if (!cnnfi_norm_refresh(&f->edit, &f->values, norm)) return;
    attempt a;
    const char *name = cnnfi_builder_strdup(f->edit.b, last_of(norm)->name);
    cnnfi_fold_entry entry = {
        .name = name, .outcome = CNNFI_FOLD_KEPT, .affine = &norm->affine, .reason = norm->refusal};
    if (!name) return;
    if (!norm->refusal && choose_way(f, &a, norm, &entry)) {
        absorb(f, &a, norm);
        entry.bounds = touches_bounds(&a);
        entry.changes = a.travel.changes;
        entry.reason = entry.reason_node = NULL;
    } else if (!norm->refusal && norm->kind == CNNFI_NORM_BATCH && !is_low(f, norm)) {
        entry.outcome = CNNFI_FOLD_LOWERED;
        lower(f, norm);
        f->edit.changes++;
    } else {
        entry.outcome = CNNFI_FOLD_KEPT;
        if (norm->kind == CNNFI_NORM_SCALE) return;
    }
    cnnfi_fold_report(f->run, &entry);
}

/* At inference the statistics that a fused batch norm puts out (ports 1 and 2) are those it was given. */
static void settle_statistics(fold *f)
{
    cnnfi_edit *edit = &f->edit;
    for (size_t i = 0; i < edit->count && !edit->b->status; i++) {
        const cnnf_node *node = edit->b->graph->nodes[i];
        if (node->removed || !cnnfi_op_is_fused_batch_norm(node->op) || cnnf_node_attr_bool(node, "is_training", 1))
            continue;
        for (int32_t port = 1; port <= 2 && node->n_inputs >= 5; port++) {
            if (cnnfi_edit_user_count(edit, node, port) == 0) continue;
            cnnfi_edit_redirect(edit, node, port, cnnfi_edit_input(node, 2 + (size_t)port), NULL);
            edit->changes++;
        }
    }
}

static void settle_weights(fold *f)
{
    const size_t count = f->edit.count;
    for (size_t i = 0; i < count && !f->edit.b->status; i++) {
        cnnf_node *node = f->edit.b->graph->nodes[i];
        const cnnfi_linear_op *op = node->removed ? NULL : cnnfi_linear_op_find(node->op);
        if (!op) continue;
        const cnnfi_value shape = cnnfi_shape_of_input(&f->values.shapes, node, (size_t)op->weights);
        cnnfi_linear_settle_weights(&f->edit, node, &shape);
    }
}

static cnnf_status run_fold(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    fold f = {.run = run, .plain_relu = cnnfi_run_bool(run, "plain_relu", false)};
    CNNFI_TRY(cnnfi_pass_begin_edit(&f.edit, run, in));
    cnnfi_values_init(&f.values, &f.edit, false);
    settle_statistics(&f);
    cnnfi_norm *norms = cnnfi_find_batch_norms(&f.edit, &f.values);
    if (norms) settle_weights(&f);
    for (cnnfi_norm *norm = norms; norm && !f.edit.b->status; norm = norm->next)
        fold_one(&f, norm);
    cnnfi_edit_sweep(&f.edit);
    return cnnfi_pass_end_edit(&f.edit, run, in, out);
}

static const cnnfi_pass_param params[] = {
    {"plain_relu", CNNFI_ARG_BOOL, false, false,
     "leave ReLUs as they are: what then cannot be absorbed becomes Mul and Add"},
};

const cnnfi_pass cnnfi_pass_fold_batch_norms = {
    .name = "fold_batch_norms",
    .description =
        "Absorbs batch normalisation into the weights before or after it, exactly; the rest becomes Mul and Add.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_fold,
};

/* The Graph Transform Tool has two passes for two forms; here one does both. */
const cnnfi_pass cnnfi_pass_fold_old_batch_norms = {
    .name = "fold_old_batch_norms",
    .description = "The same as fold_batch_norms, which knows the old forms too.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_fold,
};
