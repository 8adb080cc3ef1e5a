/* SPDX-License-Identifier: Apache-2.0 */
/* Zeros that a Pad puts around an image, put there by the convolution itself. */
#include <string.h>

#include "ops/op_table.h"
#include "edit/pattern.h"
#include "transform/framework/pass_edit.h"

typedef struct fusion {
    cnnf_node *conv, *pad;
    int64_t paddings[8];   /* before and after, per axis */
    int32_t height, width; /* axes */
} fusion;

static bool is_conv(const cnnf_node *node)
{
    return strcmp(node->op, "Conv2D") == 0 || strcmp(node->op, "DepthwiseConv2dNative") == 0;
}

static const char *match_pad(const cnnfi_edit *p, fusion *f)
{
    if (!cnnfi_node_string_is(f->conv, "padding", "VALID")) return "the convolution pads, too";
    if (!cnnfi_pattern_is_private(p, f->pad)) return "the padded image is used elsewhere";
    if (!cnnfi_pattern_ints(p, f->pad, 1, f->paddings, 8)) return "the paddings are not constant";
    const bool nchw = cnnfi_node_string_is(f->conv, "data_format", "NCHW");
    f->height = nchw ? 2 : 1;
    f->width = f->height + 1;
    for (int32_t axis = 0; axis < 4; axis++) {
        const bool spatial = axis == f->height || axis == f->width;
        for (int32_t side = 0; side < 2; side++) {
            const int64_t n = f->paddings[2 * axis + side];
            if (n < 0 || n > INT32_MAX || (n && !spatial)) return "it pads more than height and width";
        }
    }
    return NULL;
}

/* With stride 1, SAME pads by the filter's size alone. */
static bool is_same(const cnnfi_edit *p, const fusion *f)
{
    const cnnf_tensor *filter = cnnfi_pattern_const(p, f->conv, 1);
    if (!filter || cnnf_tensor_rank(filter) != 4) return false;
    for (int32_t i = 0; i < 2; i++) {
        const int32_t axis = i ? f->width : f->height;
        const int64_t total = (cnnf_tensor_dim(filter, i) - 1) * cnnf_node_attr_list_int(f->conv, "dilations", axis, 1);
        if (cnnf_node_attr_list_int(f->conv, "strides", axis, 0) != 1) return false;
        if (f->paddings[2 * axis] != total / 2 || f->paddings[2 * axis + 1] != total - total / 2) return false;
    }
    return true;
}

static bool knows_explicit(const fusion *f, int32_t release)
{
    const cnnfi_op *op = cnnfi_op_find(f->conv->op);
    const cnnfi_op_attr *attr = op ? cnnfi_op_attr_find(op, "explicit_paddings") : NULL;
    return attr && cnnfi_op_attr_in_release(op, attr, release);
}

static void fuse(cnnfi_edit *edit, const fusion *f, bool same)
{
    cnnfi_edit_set_input(edit, f->conv, 0, cnnfi_edit_input(f->pad, 0));
    cnnfi_node_set_string(edit->b, f->conv, "padding", same ? "SAME" : "EXPLICIT");
    if (!same) cnnfi_node_set_ints(edit->b, f->conv, "explicit_paddings", f->paddings, 8);
    cnnfi_edit_remove(edit, f->pad);
}

static bool try_fuse(cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node, int32_t release)
{
    fusion f = {.conv = node, .pad = is_conv(node) ? cnnfi_pattern_input(edit, node, 0, "Pad") : NULL};
    if (!f.pad) return false;
    const char *why = match_pad(edit, &f);
    const bool same = !why && is_same(edit, &f);
    if (!why && !same && !knows_explicit(&f, release)) why = "the target knows no explicit padding";
    if (why)
        cnnfi_run_note(run, node->name, "kept: %s", why);
    else
        fuse(edit, &f, same);
    return !why;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const char *version = cnnfi_run_string(run, "version", "1.15");
    int32_t release;
    cnnfi_edit edit;
    if (!cnnfi_release_parse(version, &release)) {
        return cnnfi_fail(run->error, CNNF_E_INVALID, "version=%s: TensorFlow 1.4 to 2.15 are known", version);
    }
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; i < edit.originals; i++)
        edit.changes += try_fuse(run, &edit, edit.b->graph->nodes[i], release);
    cnnfi_run_count(run, "fused", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

static const cnnfi_pass_param params[] = {
    {"version", CNNFI_ARG_STRING, false, false, "the oldest TensorFlow that shall read the graph; default 1.15"},
};

const cnnfi_pass cnnfi_pass_fuse_pad_and_conv = {
    .name = "fuse_pad_and_conv",
    .description = "Lets convolutions pad by themselves: SAME where that is the same, else explicit paddings.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_pass,
};
