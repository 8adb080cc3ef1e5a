/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scale_dropout_weights: for networks trained with classic dropout, which drops units while training and does not
 * scale those it keeps: at inference the weights that read them are multiplied by the probability to keep, 1 - rate.
 * Keras and tf.nn.dropout scale while training: their networks do not want this.
 */
#include <string.h>

#include "base/str.h"
#include "graph/builder.h"
#include "transform/batch_norm/absorb.h"
#include "transform/inference/dropout.h"
#include "transform/framework/pass_edit.h"

typedef struct scaling {
    cnnfi_pass_run *run;
    cnnfi_edit edit;
    cnnfi_values values;
    cnnfi_dropouts dropouts;
    double rate; /* -1: each dropout's own */
    int64_t scaled;
} scaling;

/* `dropout_1/Identity`, `model/dropout/Identity`: what is left of a dropout at inference. */
static bool is_left_over(const cnnf_node *node)
{
    const char *at = strcmp(node->op, "Identity") == 0 ? strstr(node->name, "dropout") : NULL;
    return at && (at == node->name || at[-1] == '/') && cnnfi_ends_with(node->name, "/Identity");
}

/* The weights behind `node` take 1 - rate. */
static bool scale_behind(scaling *s, cnnf_node *node, double rate)
{
    double *scale, *shift;
    const cnnfi_affine a = cnnfi_affine_new(&s->edit, 1, 0, &scale, &shift);
    cnnfi_travel t = {.edit = &s->edit, .values = &s->values, .keep_activations = true};
    if (!a.n) return false;
    *scale = 1.0 - rate;
    const bool output = cnnfi_edit_is_protected(&s->edit, node);
    if (output) cnnfi_travel_refuse(&t, node, "it is an output of the graph");
    if (output || !cnnfi_absorb_forward(&t, node, &a)) {
        cnnfi_builder_fail(s->edit.b, CNNF_E_UNSUPPORTED, "node '%s': its %s cannot be scaled exactly: %s%s%s",
                           node->name, "next weights", t.reason_node ? t.reason_node : "", t.reason_node ? ": " : "",
                           t.reason);
        return false;
    }
    t.commit = true;
    cnnfi_absorb_forward(&t, node, &a);
    for (const cnnfi_weight_change *c = t.changes; c; c = c->next) {
        cnnfi_run_note(s->run, node->name, "the weights of %s were scaled", c->node);
    }
    s->edit.changes++;
    s->scaled++;
    return true;
}

static void scale_dropout(scaling *s, const cnnfi_dropout *dropout)
{
    const double rate = s->rate >= 0 ? s->rate : dropout->keep >= 0 ? 1.0 - dropout->keep : -1;
    if (rate < 0) {
        cnnfi_builder_fail(s->edit.b, CNNF_E_INVALID, "node '%s': its rate is fed; give rate=", dropout->node->name);
        return;
    }
    if (scale_behind(s, dropout->node, rate)) cnnfi_remove_dropout(&s->edit, dropout);
}

/* Once scaled it goes: a second run finds nothing to scale. */
static void scale_left_over(scaling *s, cnnf_node *node)
{
    if (s->rate < 0)
        cnnfi_builder_fail(s->edit.b, CNNF_E_INVALID,
                           "node '%s': its rate is not in the graph; give rate=", node->name);
    else if (scale_behind(s, node, s->rate))
        cnnfi_edit_bypass(&s->edit, node, cnnfi_edit_input(node, 0));
}

static bool is_chosen(const scaling *s, const char *name)
{
    return cnnfi_run_arg_count(s->run, "name") == 0 || cnnfi_run_matches(s->run, "name", name);
}

static cnnf_status run_scale(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    scaling s = {.run = run, .rate = cnnfi_run_float(run, "rate", -1)};
    cnnfi_dropout dropout;
    if (s.rate >= 1) return cnnfi_fail(run->error, CNNF_E_INVALID, "scale_dropout_weights: rate must be below 1");
    CNNFI_TRY(cnnfi_pass_begin_edit(&s.edit, run, in));
    cnnfi_values_init(&s.values, &s.edit, false);
    cnnfi_dropouts_init(&s.dropouts, &s.edit);
    for (size_t i = 0; i < s.edit.count && !s.edit.b->status; i++) {
        cnnf_node *node = s.edit.b->graph->nodes[i];
        if (node->removed) continue;
        if (cnnfi_find_dropout(&s.dropouts, node, &dropout)) {
            if (is_chosen(&s, dropout.node->name)) scale_dropout(&s, &dropout);
        } else if (is_left_over(node) && is_chosen(&s, node->name)) {
            scale_left_over(&s, node);
        }
    }
    cnnfi_run_count(run, "scaled", s.scaled);
    cnnfi_edit_sweep(&s.edit);
    return cnnfi_pass_end_edit(&s.edit, run, in, out);
}

static const cnnfi_pass_param params[] = {
    {"rate", CNNFI_ARG_FLOAT, false, false, "the share of units that training dropped; without it, each dropout's own"},
    {"name", CNNFI_ARG_STRING, false, true, "only these dropout nodes (globs allowed)"},
};

const cnnfi_pass cnnfi_pass_scale_dropout_weights = {
    .name = "scale_dropout_weights",
    .description =
        "Multiplies the weights behind dropout by 1 - rate, for networks whose training did not scale; not for Keras'.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_scale,
};
