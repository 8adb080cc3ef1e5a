/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exp(x - max(x)) / sum(exp(x - max(x))), which old Keras wrote for tensors of more than two dimensions, is a Softmax:
 * one op that every tool knows. TensorFlow's kernel computes just that, over the last axis.
 */
#include <string.h>

#include "edit/pattern.h"
#include "edit/values.h"
#include "transform/framework/pass_edit.h"

typedef struct softmax {
    cnnf_node *quotient, *sum, *exponential, *difference, *max;
} softmax;

typedef struct fuser {
    cnnfi_pass_run *run;
    cnnfi_edit edit;
    cnnfi_values values;
} fuser;

/* Reduces the last axis of a tensor of known rank, and keeps it. */
static bool reduces_last(fuser *f, const cnnf_node *reduction, int32_t rank)
{
    int64_t axis[1];
    size_t count = 0;
    if (!cnnf_node_attr_bool(reduction, "keep_dims", 0)) return false;
    if (!cnnfi_value_ints(&f->values, reduction, 1, axis, 1, &count) || count != 1) return false;
    return axis[0] == -1 || (rank > 0 && axis[0] == rank - 1);
}

/* Whether `reader` and `other` (nullable) alone use the node, and nobody asked for it. */
static bool is_read_by(const fuser *f, const cnnf_node *node, const cnnf_node *reader, const cnnf_node *other)
{
    if (cnnfi_edit_is_protected(&f->edit, node)) return false;
    for (const cnnfi_use *use = cnnfi_edit_uses(&f->edit, node); use; use = use->next) {
        if (use->user != reader && use->user != other) return false;
        if (use->port == CNNFI_PORT_CONTROL) return false;
    }
    return true;
}

static bool same_edge(cnnfi_edge a, cnnfi_edge b)
{
    return a.node >= 0 && a.node == b.node && a.port == b.port;
}

static bool find_nodes(const fuser *f, cnnf_node *node, softmax *s)
{
    *s = (softmax){.quotient = node};
    if (strcmp(node->op, "RealDiv") != 0 && strcmp(node->op, "Div") != 0) return false;
    s->exponential = cnnfi_pattern_input(&f->edit, node, 0, "Exp");
    s->sum = cnnfi_pattern_input(&f->edit, node, 1, "Sum");
    s->difference = s->exponential ? cnnfi_pattern_input(&f->edit, s->exponential, 0, "Sub") : NULL;
    s->max = s->difference ? cnnfi_pattern_input(&f->edit, s->difference, 1, "Max") : NULL;
    return s->sum && s->max;
}

static const char *mismatch(fuser *f, const softmax *s)
{
    const cnnfi_edge x = cnnfi_edit_input(s->difference, 0);
    const cnnfi_value shape = cnnfi_shape_of_input(&f->values.shapes, s->difference, 0);
    if (!same_edge(x, cnnfi_edit_input(s->max, 0))) return "the maximum is of something else";
    if (!same_edge(cnnfi_edit_input(s->sum, 0), cnnfi_end(s->exponential, 0))) return "the sum is of something else";
    if (!reduces_last(f, s->max, shape.rank) || !reduces_last(f, s->sum, shape.rank))
        return "it is not over the last axis";
    if (shape.rank == 0) return "it is a scalar";
    if (!is_read_by(f, s->sum, s->quotient, NULL) || !is_read_by(f, s->exponential, s->quotient, s->sum) ||
        !is_read_by(f, s->difference, s->exponential, NULL) || !is_read_by(f, s->max, s->difference, NULL))
        return "an inner node is used elsewhere";
    return NULL;
}

/* The quotient, whose name people know, becomes the Softmax. */
static void fuse(fuser *f, const softmax *s)
{
    cnnfi_edit *edit = &f->edit;
    const cnnfi_edge x = cnnfi_edit_input(s->difference, 0);
    const cnnf_dtype dtype = cnnfi_node_type(s->quotient, "T");
    cnnfi_edit_reset(edit, s->quotient, "Softmax");
    cnnfi_node_set_type(edit->b, s->quotient, "T", dtype);
    cnnfi_edit_add_input(edit, s->quotient, x);
    edit->changes++;
}

static bool is_float(const cnnf_node *node)
{
    const cnnf_dtype dtype = cnnfi_node_type(node, "T");
    return dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    fuser f = {.run = run};
    CNNFI_TRY(cnnfi_pass_begin_edit(&f.edit, run, in));
    cnnfi_values_init(&f.values, &f.edit, false);
    for (size_t i = 0; i < f.edit.originals && !f.edit.b->status; i++) {
        softmax s;
        cnnf_node *node = f.edit.b->graph->nodes[i];
        if (node->removed || !is_float(node) || !find_nodes(&f, node, &s)) continue;
        const char *why = mismatch(&f, &s);
        if (why)
            cnnfi_run_note(run, node->name, "kept: %s", why);
        else
            fuse(&f, &s);
    }
    cnnfi_run_count(run, "softmax", (int64_t)f.edit.changes);
    cnnfi_edit_sweep(&f.edit);
    return cnnfi_pass_end_edit(&f.edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_fuse_softmax = {
    .name = "fuse_softmax",
    .description = "Turns Max, Sub, Exp, Sum, RealDiv over the last axis into one Softmax.",
    .run = run_pass,
};
