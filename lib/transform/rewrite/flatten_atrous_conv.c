/* SPDX-License-Identifier: Apache-2.0 */
/* BatchToSpaceND(Conv(SpaceToBatchND(x))) is one convolution with a filter that has zeros between its rows and columns.
 */
#include <string.h>

#include "base/context.h"
#include "graph/tensor.h"
#include "graph/builder.h"
#include "edit/pattern.h"
#include "transform/framework/pass_edit.h"

typedef struct atrous {
    cnnf_node *join, *conv, *split;       /* BatchToSpaceND, the convolution, SpaceToBatchND */
    const cnnf_tensor *filter;            /* [h, w, in, out] */
    int64_t rate[2], before[2], after[2]; /* padding of the whole: split's less join's crops */
} atrous;

static const char *match_shape(const cnnfi_edit *edit, atrous *a)
{
    int64_t paddings[4], crops[4], rate[2];
    if (!cnnfi_pattern_ints(edit, a->split, 1, a->rate, 2) || !cnnfi_pattern_ints(edit, a->split, 2, paddings, 4) ||
        !cnnfi_pattern_ints(edit, a->join, 1, rate, 2) || !cnnfi_pattern_ints(edit, a->join, 2, crops, 4)) {
        return "block shape, paddings or crops are not constant";
    }
    if (rate[0] != a->rate[0] || rate[1] != a->rate[1] || rate[0] < 1 || rate[1] < 1) return "the block shapes differ";
    for (size_t i = 0; i < 2; i++) {
        if (crops[2 * i]) return "it crops at the start";
        a->before[i] = paddings[2 * i];
        a->after[i] = paddings[2 * i + 1] - crops[2 * i + 1];
        if (a->before[i] < 0 || a->after[i] < 0) return "it crops more than it pads";
    }
    return NULL;
}

static const char *match_conv(const cnnfi_edit *edit, atrous *a)
{
    a->filter = cnnfi_pattern_const(edit, a->conv, 1);
    if (!a->filter || cnnf_tensor_rank(a->filter) != 4) return "the filter is not constant";
    if (!cnnfi_node_string_is(a->conv, "padding", "VALID")) return "the convolution pads";
    if (cnnf_node_attr_string(NULL, a->conv, "data_format") && !cnnfi_node_string_is(a->conv, "data_format", "NHWC")) {
        return "it is not NHWC";
    }
    for (int64_t i = 0; i < 4; i++) {
        if (cnnf_node_attr_list_int(a->conv, "strides", i, 0) != 1) return "it has strides";
        if (cnnf_node_attr_list_int(a->conv, "dilations", i, 1) != 1) return "it is dilated, too";
    }
    if (!cnnfi_pattern_is_private(edit, a->conv) || !cnnfi_pattern_is_private(edit, a->split))
        return "an inner node is used elsewhere";
    return match_shape(edit, a);
}

/* (k - 1) * rate + 1 */
static int64_t spread(const atrous *a, int32_t axis)
{
    return (cnnf_tensor_dim(a->filter, axis) - 1) * a->rate[axis] + 1;
}

static const char *padding_of(const atrous *a)
{
    bool valid = true, same = true;
    for (int32_t i = 0; i < 2; i++) {
        const int64_t total = spread(a, i) - 1;
        valid &= !a->before[i] && !a->after[i];
        same &= a->before[i] == total / 2 && a->after[i] == total - total / 2;
    }
    return valid ? "VALID" : same ? "SAME" : NULL;
}

static bool match(cnnfi_pass_run *run, const cnnfi_edit *edit, cnnf_node *node, atrous *a)
{
    if (strcmp(node->op, "BatchToSpaceND")) return false;
    *a = (atrous){.join = node, .conv = cnnfi_pattern_input(edit, node, 0, NULL)};
    const bool is_conv = a->conv && (!strcmp(a->conv->op, "Conv2D") || !strcmp(a->conv->op, "DepthwiseConv2dNative"));
    a->split = is_conv ? cnnfi_pattern_input(edit, a->conv, 0, "SpaceToBatchND") : NULL;
    if (!a->split) return false;
    const char *why = match_conv(edit, a);
    if (!why && !padding_of(a)) why = "its padding is neither SAME nor VALID";
    if (why) cnnfi_run_note(run, node->name, "kept: %s", why);
    return !why;
}

/* [h, w, in, out] -> [(h - 1) * rate + 1, (w - 1) * rate + 1, in, out] */
static cnnf_status spread_filter(cnnf_tensor **out, const atrous *a, cnnf_context *context, cnnf_error *error)
{
    const int64_t *from = cnnfi_tensor_dims(a->filter);
    const int64_t dims[] = {spread(a, 0), spread(a, 1), from[2], from[3]};
    cnnf_tensor *loaded = NULL;
    cnnf_status status = cnnf_tensor_load(&loaded, a->filter, error);
    if (!status) status = cnnf_tensor_new(out, context, cnnf_tensor_dtype(a->filter), 4, dims, error);
    const size_t row = (size_t)(from[2] * from[3]) * cnnf_dtype_size(cnnf_tensor_dtype(a->filter));
    const uint8_t *source = loaded ? cnnf_tensor_data(loaded) : NULL;
    uint8_t *target = status ? NULL : cnnf_tensor_data_mut(*out);
    for (int64_t y = 0; target && source && y < from[0]; y++) {
        for (int64_t x = 0; x < from[1]; x++) {
            const int64_t to = y * a->rate[0] * dims[1] + x * a->rate[1];
            memcpy(target + (size_t)to * row, source + (size_t)(y * from[1] + x) * row, row);
        }
    }
    cnnf_tensor_unref(loaded);
    return status;
}

/* The join, whose name people know, becomes the convolution. */
static void flatten(cnnfi_edit *edit, const atrous *a)
{
    cnnfi_builder *b = edit->b;
    cnnf_tensor *filter = NULL;
    if (b->status) return;
    b->status = spread_filter(&filter, a, b->graph->context, b->error);
    cnnf_node *constant = cnnfi_edit_const(edit, filter, "%s/filter", a->join->name);
    cnnf_tensor_unref(filter);
    cnnfi_edit_place_before(edit, constant, NULL);
    cnnfi_edit_set_op(edit, a->join, a->conv->op);
    a->join->n_attrs = 0;
    for (size_t i = 0; i < a->conv->n_attrs; i++)
        cnnfi_node_copy_attr(b, a->join, a->conv->attrs[i].key, &a->conv->attrs[i]);
    cnnfi_node_set_string(b, a->join, "padding", padding_of(a));
    cnnfi_edit_remove_input(edit, a->join, 2); /* of three data inputs; a convolution has two */
    cnnfi_edit_set_input(edit, a->join, 0, cnnfi_edit_input(a->split, 0));
    cnnfi_edit_set_input(edit, a->join, 1, cnnfi_end(constant, 0));
    cnnfi_edit_remove(edit, a->conv);
    cnnfi_edit_remove(edit, a->split);
    edit->changes++;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; i < edit.originals; i++) {
        atrous a;
        if (match(run, &edit, edit.b->graph->nodes[i], &a)) flatten(&edit, &a);
    }
    cnnfi_run_count(run, "flattened", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_flatten_atrous_conv = {
    .name = "flatten_atrous_conv",
    .description = "Turns SpaceToBatchND, convolution, BatchToSpaceND into one convolution with a spread filter.",
    .run = run_pass,
};
