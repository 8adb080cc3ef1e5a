/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling, normalisation, softmax, resizing. */
#include <string.h>

#include "serializer/onnx/onnx_ops.h"
#include "serializer/onnx/onnx_window.h"

/* ---- pooling ---- */

/* `number`: places. What lies outside counts neither in a mean nor in a maximum, with both. */
static void convert_pool(cnnfi_onnx_call *call)
{
    cnnfi_export_question q;
    cnnfi_window w;
    if (!cnnfi_export_ask(&call->asked, &q)) return;
    const cnnf_status status = cnnfi_window_pool(&q.call, &w, (int32_t)call->row->number);
    if (!cnnfi_export_answered(&call->asked, &q, status)) return;
    if (status != CNNF_OK || w.depth != 1) {
        cnnfi_export_refuse(&call->asked, "%s", w.depth != 1 ? "pools channels" : "the window is not constant");
        return;
    }
    const cnnfi_layout layout = w.channels_first ? CNNFI_PLAIN : CNNFI_FIRST;
    cnnfi_onnx_node *node;
    const char *x = cnnfi_onnx_in(call, 0, layout);
    const char *y = cnnfi_onnx_add(call->m, &node, call->row->as, cnnfi_onnx_out_name(call, 0, layout), 1, &x);
    cnnfi_onnx_set_window(call, node, &w);
    cnnfi_onnx_set_pads(call, node, &w);
    cnnfi_onnx_give(call, 0, layout, y);
}

/* ---- batch normalisation ---- */

typedef struct norm_call {
    cnnfi_onnx_model *m;
    cnnfi_layout layout;
    int32_t rank;
    double epsilon;
    const char *x, *scale, *offset;
} norm_call;

static norm_call norm_begin(const cnnfi_onnx_call *call)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    const cnnfi_layout layout = cnnfi_export_channels_last(&call->asked) ? CNNFI_FIRST : CNNFI_PLAIN;
    return (norm_call){.m = call->m,
                       .layout = layout,
                       .rank = rank,
                       .epsilon = cnnf_node_attr_float(call->node, "epsilon", 1e-4),
                       .x = cnnfi_onnx_in(call, 0, layout),
                       .scale = cnnfi_onnx_in(call, 1, CNNFI_PLAIN),
                       .offset = cnnfi_onnx_in(call, 2, CNNFI_PLAIN)};
}

static const char *mean_over_all_but_channels(const norm_call *n, const char *x)
{
    int64_t axes[CNNFI_OP_MAX_RANK];
    int32_t count = 0;
    for (int32_t i = 0; i < n->rank; i++)
        if (i != 1) axes[count++] = i;
    return cnnfi_onnx_reduce(n->m, "ReduceMean", x, (size_t)count, axes, true, NULL);
}

/* By the statistics of the data itself: how tf.keras says LayerNormalization. */
static const char *normalise_by_itself(const norm_call *n, const char *out)
{
    const cnnf_dtype dtype = CNNF_FLOAT;
    const char *centred = cnnfi_onnx_binary(n->m, "Sub", NULL, n->x, mean_over_all_but_channels(n, n->x));
    const char *variance = mean_over_all_but_channels(n, cnnfi_onnx_binary(n->m, "Mul", NULL, centred, centred));
    const char *sum = cnnfi_onnx_binary(n->m, "Add", NULL, variance, cnnfi_onnx_scalar(n->m, dtype, n->epsilon));
    const char *unit = cnnfi_onnx_binary(n->m, "Div", NULL, centred, cnnfi_onnx_unary(n->m, "Sqrt", NULL, sum));
    const char *scaled = cnnfi_onnx_binary(n->m, "Mul", NULL, unit, cnnfi_onnx_per_channel(n->m, n->scale, n->rank));
    return cnnfi_onnx_binary(n->m, "Add", out, scaled, cnnfi_onnx_per_channel(n->m, n->offset, n->rank));
}

static void convert_fused_batch_norm(cnnfi_onnx_call *call)
{
    const cnnfi_attr *training = cnnfi_node_attr(call->node, "is_training");
    if (cnnfi_export_in_shape(&call->asked, 0).rank < 3) {
        cnnfi_export_refuse(&call->asked, "the number of axes of its input is not known");
        return;
    }
    const norm_call n = norm_begin(call);
    const char *out = cnnfi_onnx_out_name(call, 0, n.layout);
    if (training == NULL || training->u.b) {
        cnnfi_onnx_give(call, 0, n.layout, normalise_by_itself(&n, out));
        return;
    }
    const char *inputs[] = {n.x, n.scale, n.offset, cnnfi_onnx_in(call, 3, CNNFI_PLAIN),
                            cnnfi_onnx_in(call, 4, CNNFI_PLAIN)};
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(n.m, &node, "BatchNormalization", out, 5, inputs);
    cnnfi_onnx_set_float(n.m, node, "epsilon", (float)n.epsilon);
    cnnfi_onnx_give(call, 0, n.layout, y);
}

/* ONNX divides alpha by the size of the window. */
static void convert_lrn(cnnfi_onnx_call *call)
{
    const int64_t size = 2 * cnnf_node_attr_int(call->node, "depth_radius", 5) + 1;
    const char *x = cnnfi_onnx_in(call, 0, CNNFI_FIRST);
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, "LRN", cnnfi_onnx_out_name(call, 0, CNNFI_FIRST), 1, &x);
    cnnfi_onnx_set_float(call->m, node, "alpha", (float)(cnnf_node_attr_float(call->node, "alpha", 1) * (double)size));
    cnnfi_onnx_set_float(call->m, node, "beta", (float)cnnf_node_attr_float(call->node, "beta", 0.5));
    cnnfi_onnx_set_float(call->m, node, "bias", (float)cnnf_node_attr_float(call->node, "bias", 1));
    cnnfi_onnx_set_int(call->m, node, "size", size);
    cnnfi_onnx_give(call, 0, CNNFI_FIRST, y);
}

/* Along TensorFlow's last axis. */
static void convert_softmax(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    const char *x = cnnfi_onnx_in(call, 0, layout);
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, call->row->as, cnnfi_onnx_out_name(call, 0, layout), 1, &x);
    cnnfi_onnx_set_int(call->m, node, "axis", layout == CNNFI_FIRST && rank > 2 ? 1 : -1);
    cnnfi_onnx_give(call, 0, layout, y);
}

/* ---- resizing ---- */

/* The sizes [N, C, H, W]: constant, or N and C as the data has them. */
static const char *resize_sizes(const cnnfi_onnx_call *call, const char *x, const cnnfi_value *in,
                                const int64_t size[2])
{
    const int64_t whole[] = {in->dims[0], in->dims[3], size[0], size[1]};
    if (in->dims[0] >= 0 && in->dims[3] >= 0) return cnnfi_onnx_ints(call->m, 4, whole);
    const char *shape = cnnfi_onnx_unary(call->m, "Shape", NULL, x);
    const char *slice[] = {shape, cnnfi_onnx_int(call->m, 0), cnnfi_onnx_int(call->m, 2)};
    const char *parts[] = {cnnfi_onnx_add(call->m, NULL, "Slice", NULL, 3, slice), cnnfi_onnx_ints(call->m, 2, size)};
    cnnfi_onnx_node *node;
    const char *joined = cnnfi_onnx_add(call->m, &node, "Concat", NULL, 2, parts);
    cnnfi_onnx_set_int(call->m, node, "axis", 0);
    return joined;
}

/* Whole factors need no sizes, and serve a height and width that are open. */
static const char *resize_scales(const cnnfi_onnx_call *call, const cnnfi_value *in, const int64_t size[2])
{
    float scales[] = {1, 1, 0, 0};
    for (int32_t i = 0; i < 2; i++) {
        const int64_t from = in->dims[i + 1];
        if (from <= 0 || size[i] <= 0 || size[i] % from != 0) return NULL;
        scales[i + 2] = (float)(size[i] / from);
    }
    return cnnfi_onnx_floats(call->m, 4, scales);
}

/* Which of the source's points an output point is, and which neighbour is nearest. */
static void set_coordinates(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, bool nearest)
{
    const bool align = cnnf_node_attr_bool(call->node, "align_corners", 0);
    const bool half = cnnf_node_attr_bool(call->node, "half_pixel_centers", 0);
    cnnfi_onnx_set_text(call->m, node, "coordinate_transformation_mode",
                        align  ? "align_corners"
                        : half ? "half_pixel"
                               : "asymmetric");
    /* TensorFlow takes floor((i + 0.5) * scale), floor(i * scale), round(i * scale): of the coordinates above that is
       the nearest one, ties up, the floor, and the nearest one again. */
    if (nearest) cnnfi_onnx_set_text(call->m, node, "nearest_mode", align || half ? "round_prefer_ceil" : "floor");
}

/* TensorFlow has 1,024 weights between two pixels, ONNX has all: the same numbers where each place is one of those. */
static bool cubic_is_exact(const cnnfi_onnx_call *call, const cnnfi_value *in, const int64_t size[2])
{
    const bool align = cnnf_node_attr_bool(call->node, "align_corners", 0);
    const bool half = cnnf_node_attr_bool(call->node, "half_pixel_centers", 0);
    for (int32_t i = 0; i < 2; i++) {
        const bool corners = align && size[i] > 1;
        const int64_t from = in->dims[i + 1] - corners, to = size[i] - corners;
        if (from < 0 || to <= 0 || from * (half ? 512 : 1024) % to != 0) return false;
    }
    return true;
}

static void set_cubic(const cnnfi_onnx_call *call, cnnfi_onnx_node *node)
{
    const bool half = cnnf_node_attr_bool(call->node, "half_pixel_centers", 0);
    cnnfi_onnx_set_float(call->m, node, "cubic_coeff_a", half ? -0.5F : -0.75F);
    if (half) cnnfi_onnx_set_int(call->m, node, "exclude_outside", 1);
}

static void convert_resize(cnnfi_onnx_call *call)
{
    const cnnfi_value in = cnnfi_export_in_shape(&call->asked, 0);
    const char *mode = call->row->as;
    int64_t size[2];
    size_t count;
    if (!cnnfi_export_want_ints(&call->asked, 1, "the new size", size, 2, &count) || count != 2 || in.rank != 4) return;
    if (strcmp(mode, "cubic") == 0 && !cubic_is_exact(call, &in, size)) {
        cnnfi_export_refuse(&call->asked, "TensorFlow's rounded weights cannot be said for this size");
        return;
    }
    const char *x = cnnfi_onnx_in(call, 0, CNNFI_FIRST);
    /* TensorFlow's results are floats, but for the nearest neighbour's. */
    const bool nearest = strcmp(mode, "nearest") == 0;
    if (!nearest && in.dtype != CNNF_FLOAT) x = cnnfi_onnx_cast(call->m, x, CNNF_FLOAT, NULL);
    const char *scales = resize_scales(call, &in, size);
    const char *inputs[] = {x, NULL, scales, scales == NULL ? resize_sizes(call, x, &in, size) : NULL};
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, "Resize", cnnfi_onnx_out_name(call, 0, CNNFI_FIRST),
                                   scales != NULL ? 3 : 4, inputs);
    cnnfi_onnx_set_text(call->m, node, "mode", mode);
    set_coordinates(call, node, nearest);
    if (strcmp(mode, "cubic") == 0) set_cubic(call, node);
    cnnfi_onnx_give(call, 0, CNNFI_FIRST, y);
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_nn_rows[] = {
    {"AvgPool", convert_pool, "AveragePool", 2},
    {"MaxPool", convert_pool, "MaxPool", 2},
    {"MaxPoolV2", convert_pool, "MaxPool", 2},
    {"AvgPool3D", convert_pool, "AveragePool", 3},
    {"MaxPool3D", convert_pool, "MaxPool", 3},
    {"FusedBatchNorm", convert_fused_batch_norm},
    {"FusedBatchNormV2", convert_fused_batch_norm},
    {"FusedBatchNormV3", convert_fused_batch_norm},
    {"LRN", convert_lrn},
    {"Softmax", convert_softmax, "Softmax"},
    {"LogSoftmax", convert_softmax, "LogSoftmax"},
    {"ResizeBilinear", convert_resize, "linear"},
    {"ResizeNearestNeighbor", convert_resize, "nearest"},
    {"ResizeBicubic", convert_resize, "cubic"},
    {NULL, NULL},
};
/* clang-format on */
