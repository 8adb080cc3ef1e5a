/* SPDX-License-Identifier: Apache-2.0 */
/* min(max(x, 0), 6), as Relu and Minimum (Keras' relu6) or as Maximum and Minimum (clipping), is a Relu6. */
#include <string.h>

#include "edit/pattern.h"
#include "edit/values.h"
#include "transform/framework/pass_edit.h"

typedef struct fuser {
    cnnfi_pass_run *run;
    cnnfi_edit edit;
    cnnfi_values values;
} fuser;

/* Whether a constant of one element leaves the other input's rank as it is. */
static bool keeps_rank(fuser *f, const cnnf_node *node, size_t constant)
{
    const cnnfi_value one = cnnfi_shape_of_input(&f->values.shapes, node, constant);
    const cnnfi_value other = cnnfi_shape_of_input(&f->values.shapes, node, 1 - constant);
    return one.rank == 0 || (one.rank > 0 && one.rank <= other.rank);
}

/* The input beside a constant of one element that is `value`; -1: the node is nothing of that kind. */
static int32_t other_input(fuser *f, const cnnf_node *node, double value)
{
    for (int32_t k = 0; k < 2 && cnnfi_node_data_inputs(node) == 2; k++) {
        double found;
        const bool is_value = cnnfi_value_scalar(&f->values, node, (size_t)k, &found) && found == value;
        if (is_value && keeps_rank(f, node, (size_t)k)) return 1 - k;
    }
    return -1;
}

/* What x is in max(x, 0); node -1: it is none, or read elsewhere. */
static cnnfi_edge rectified(fuser *f, const cnnf_node *node)
{
    const cnnfi_edge none = {-1, 0};
    if (!node || !cnnfi_pattern_is_private(&f->edit, node)) return none;
    if (strcmp(node->op, "Relu") == 0) return cnnfi_edit_input(node, 0);
    const int32_t input = strcmp(node->op, "Maximum") == 0 ? other_input(f, node, 0) : -1;
    return input < 0 ? none : cnnfi_edit_input(node, (size_t)input);
}

/* The outer node, whose name people know, becomes the Relu6. */
static void fuse(fuser *f, cnnf_node *node, cnnfi_edge x)
{
    const cnnf_dtype dtype = cnnfi_node_type(node, "T");
    cnnfi_edit_reset(&f->edit, node, "Relu6");
    cnnfi_node_set_type(f->edit.b, node, "T", dtype);
    cnnfi_edit_add_input(&f->edit, node, x);
    f->edit.changes++;
}

/* min(max(x, 0), 6), or max(min(x, 6), 0). */
static void look_at(fuser *f, cnnf_node *node)
{
    const bool is_least = strcmp(node->op, "Minimum") == 0, is_most = strcmp(node->op, "Maximum") == 0;
    const int32_t input = is_least ? other_input(f, node, 6) : is_most ? other_input(f, node, 0) : -1;
    if (input < 0) return;
    const cnnf_node *inner = cnnfi_pattern_input(&f->edit, node, (size_t)input, NULL);
    cnnfi_edge x = {-1, 0};
    if (is_least) {
        x = rectified(f, inner);
    } else if (inner && strcmp(inner->op, "Minimum") == 0 && cnnfi_pattern_is_private(&f->edit, inner)) {
        const int32_t below = other_input(f, inner, 6);
        if (below >= 0) x = cnnfi_edit_input(inner, (size_t)below);
    }
    if (x.node >= 0) fuse(f, node, x);
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    fuser f = {.run = run};
    CNNFI_TRY(cnnfi_pass_begin_edit(&f.edit, run, in));
    cnnfi_values_init(&f.values, &f.edit, false);
    for (size_t i = 0; i < f.edit.originals && !f.edit.b->status; i++) {
        cnnf_node *node = f.edit.b->graph->nodes[i];
        if (!node->removed && cnnfi_node_type(node, "T") == CNNF_FLOAT) look_at(&f, node);
    }
    cnnfi_run_count(run, "relu6", (int64_t)f.edit.changes);
    cnnfi_edit_sweep(&f.edit);
    return cnnfi_pass_end_edit(&f.edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_fuse_relu6 = {
    .name = "fuse_relu6",
    .description = "Turns Relu and Minimum with 6, or Maximum with 0 and Minimum with 6, into one Relu6.",
    .run = run_pass,
};
