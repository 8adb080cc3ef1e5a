/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling, normalisation, softmax, resizing. */
#include <math.h>
#include <string.h>

#include "edit/constants.h"
#include "graph/element.h"
#include "ops/window.h"
#include "serializer/tflite/tflite_ops.h"

/* ---- pooling ---- */

static bool ask_pool(const cnnfi_tfl_call *call, cnnfi_export_question *q, cnnfi_window *w)
{
    if (!cnnfi_export_ask(&call->asked, q)) return false;
    const cnnf_status status = cnnfi_window_pool(&q->call, w, 2);
    if (!cnnfi_export_answered(&call->asked, q, status)) return false;
    const bool padded = cnnfi_node_string_is(call->node, "padding", "EXPLICIT");
    if (status == CNNF_OK && w->depth == 1 && !padded) return true;
    cnnfi_tfl_refuse(call, "%s",
                     w->depth != 1 ? "pools channels"
                     : padded      ? "padding EXPLICIT"
                                   : "the window or the data's shape is not known");
    return false;
}

static void convert_pool(cnnfi_tfl_call *call)
{
    cnnfi_export_question q;
    cnnfi_window w;
    if (!ask_pool(call, &q, &w)) return;
    const bool same = cnnfi_node_string_is(call->node, "padding", "SAME");
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_node *node;
    if (w.channels_first) {
        const int64_t dims[] = {w.batch, w.out[1], w.out[2], w.in_channels};
        cnnfi_tfl_tensor *last = cnnfi_tfl_channels_last(call, x), *out = cnnfi_tfl_part_of(call, CNNF_FLOAT, 4, dims);
        node = cnnfi_tfl_add(call->m, call->row->as, 1, &last, 1, &out);
        cnnfi_tfl_give(call, 0, cnnfi_tfl_channels_first(call, out, cnnfi_tfl_out(call, 0)));
    } else {
        node = cnnfi_tfl_give_one(call, call->row->as, 1, &x);
        cnnfi_tfl_offer(call, node);
    }
    cnnfi_tfl_set_byte(node, POOL_PADDING, same ? PADDING_SAME : PADDING_VALID);
    cnnfi_tfl_set_int(node, POOL_STRIDE_W, w.stride[2]);
    cnnfi_tfl_set_int(node, POOL_STRIDE_H, w.stride[1]);
    cnnfi_tfl_set_int(node, POOL_FILTER_W, w.filter[2]);
    cnnfi_tfl_set_int(node, POOL_FILTER_H, w.filter[1]);
}

/* ---- batch normalisation ---- */

/* [C] beside the data: as it is, or [C, 1, 1] where the channels come first. */
static cnnfi_tfl_tensor *per_channel(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *vector)
{
    const int32_t rank = cnnfi_tfl_in_shape(call, 0).rank;
    if (vector == NULL || cnnfi_export_channels_last(&call->asked)) return vector;
    int64_t dims[CNNFI_OP_MAX_RANK] = {vector->dims[0], 1, 1, 1, 1, 1, 1, 1};
    return cnnfi_tfl_reshape(call->m, vector, cnnfi_tfl_part_of(call, vector->dtype, rank - 1, dims));
}

static const double *numbers_of(const cnnfi_tfl_call *call, int32_t input, int64_t count)
{
    const cnnf_tensor *tensor = cnnfi_export_const_of(&call->asked, input);
    if (tensor == NULL || cnnf_tensor_element_count(tensor) != count) return NULL;
    return cnnfi_doubles_of_tensor(&call->m->x.edit, tensor);
}

/* y = x * a + b with constants a and b [C]. */
static bool normalise_by_constants(const cnnfi_tfl_call *call, double epsilon)
{
    const int64_t count = cnnfi_tfl_in_shape(call, 1).count;
    const double *scale = numbers_of(call, 1, count), *offset = numbers_of(call, 2, count),
                 *mean = numbers_of(call, 3, count), *variance = numbers_of(call, 4, count);
    if (count < 1 || scale == NULL || offset == NULL || mean == NULL || variance == NULL) return false;
    double *a = cnnfi_export_array(&call->m->x, (size_t)count, sizeof *a),
           *b = cnnfi_export_array(&call->m->x, (size_t)count, sizeof *b);
    for (int64_t i = 0; a != NULL && b != NULL && i < count; i++) {
        a[i] = scale[i] / sqrt(variance[i] + epsilon);
        b[i] = offset[i] - mean[i] * a[i];
    }
    if (a == NULL || b == NULL) return true;
    cnnfi_tfl_tensor *factor = per_channel(call, cnnfi_tfl_numbers(call->m, CNNF_FLOAT, 1, &count, a)),
                     *shift = per_channel(call, cnnfi_tfl_numbers(call->m, CNNF_FLOAT, 1, &count, b));
    cnnfi_tfl_tensor *inputs[] = {
        cnnfi_tfl_binary(call->m, TFL_MUL, cnnfi_tfl_in(call, 0), factor, cnnfi_tfl_part(call)), shift};
    cnnfi_tfl_offer(call, cnnfi_tfl_give_one(call, TFL_ADD, 2, inputs));
    return true;
}

static cnnfi_tfl_tensor *mean_over_places(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *x)
{
    int64_t axes[CNNFI_OP_MAX_RANK], dims[CNNFI_OP_MAX_RANK];
    size_t count = 0;
    if (x == NULL) return NULL;
    const int32_t channels = cnnfi_export_channels_last(&call->asked) ? x->rank - 1 : 1;
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = i == channels ? x->dims[i] : 1;
        if (i != channels) axes[count++] = i;
    }
    cnnfi_tfl_tensor *inputs[] = {x, cnnfi_tfl_ints(call->m, count, axes)};
    cnnfi_tfl_tensor *out = cnnfi_tfl_part_of(call, CNNF_FLOAT, x->rank, dims);
    cnnfi_tfl_set_byte(cnnfi_tfl_add(call->m, TFL_MEAN, 2, inputs, 1, &out), REDUCER_KEEP_DIMS, 1);
    return out;
}

/* By the given statistics (inputs 3 and 4), or those of the data itself: how tf.keras says LayerNormalization. */
static void normalise(const cnnfi_tfl_call *call, double epsilon, bool itself)
{
    cnnfi_tfl_model *m = call->m;
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_tensor *mean = itself ? mean_over_places(call, x) : per_channel(call, cnnfi_tfl_in(call, 3));
    cnnfi_tfl_tensor *centred = cnnfi_tfl_binary(m, TFL_SUB, x, mean, cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *square = itself ? cnnfi_tfl_unary(m, TFL_SQUARE, centred, cnnfi_tfl_part(call)) : NULL;
    cnnfi_tfl_tensor *variance = itself ? mean_over_places(call, square) : per_channel(call, cnnfi_tfl_in(call, 4));
    if (x == NULL || variance == NULL) return;
    const cnnfi_tfl_tensor shape = *variance;
    cnnfi_tfl_tensor *sum = cnnfi_tfl_binary(m, TFL_ADD, variance, cnnfi_tfl_scalar(m, CNNF_FLOAT, epsilon),
                                             cnnfi_tfl_part_of(call, CNNF_FLOAT, shape.rank, shape.dims));
    cnnfi_tfl_tensor *factor =
        cnnfi_tfl_unary(m, TFL_RSQRT, sum, cnnfi_tfl_part_of(call, CNNF_FLOAT, shape.rank, shape.dims));
    cnnfi_tfl_tensor *unit = cnnfi_tfl_binary(m, TFL_MUL, centred, factor, cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *inputs[] = {
        cnnfi_tfl_binary(m, TFL_MUL, unit, per_channel(call, cnnfi_tfl_in(call, 1)), cnnfi_tfl_part(call)),
        per_channel(call, cnnfi_tfl_in(call, 2))};
    cnnfi_tfl_offer(call, cnnfi_tfl_give_one(call, TFL_ADD, 2, inputs));
}

static void convert_fused_batch_norm(cnnfi_tfl_call *call)
{
    const cnnfi_attr *training = cnnfi_node_attr(call->node, "is_training");
    const double epsilon = cnnf_node_attr_float(call->node, "epsilon", 1e-4);
    const bool itself = training == NULL || training->u.b;
    if (cnnfi_tfl_in_shape(call, 0).rank < 3)
        cnnfi_tfl_refuse(call, "the number of axes of its input is not known");
    else if (itself || !normalise_by_constants(call, epsilon))
        normalise(call, epsilon, itself);
}

static void convert_lrn(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_LOCAL_RESPONSE_NORMALIZATION, 1, &x);
    cnnfi_tfl_set_int(node, LRN_RADIUS, cnnf_node_attr_int(call->node, "depth_radius", 5));
    cnnfi_tfl_set_real(node, LRN_BIAS, cnnf_node_attr_float(call->node, "bias", 1));
    cnnfi_tfl_set_real(node, LRN_ALPHA, cnnf_node_attr_float(call->node, "alpha", 1));
    cnnfi_tfl_set_real(node, LRN_BETA, cnnf_node_attr_float(call->node, "beta", 0.5));
}

static void convert_softmax(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_set_real(cnnfi_tfl_give_one(call, TFL_SOFTMAX, 1, &x), SOFTMAX_BETA, 1);
}

static void convert_log_softmax(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_give_one(call, TFL_LOG_SOFTMAX, 1, &x);
}

/* ---- resizing ---- */

static cnnfi_tfl_node *give_resized(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *x)
{
    cnnfi_tfl_tensor *inputs[] = {x, cnnfi_tfl_in_int32(call, 1)};
    const bool align = cnnf_node_attr_bool(call->node, "align_corners", 0),
               half = cnnf_node_attr_bool(call->node, "half_pixel_centers", 0);
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, call->row->as, 2, inputs);
    const bool nearest = call->row->as == TFL_RESIZE_NEAREST_NEIGHBOR;
    cnnfi_tfl_set_byte(node, nearest ? RESIZE_NEAREST_ALIGN : RESIZE_BILINEAR_ALIGN, align);
    cnnfi_tfl_set_byte(node, nearest ? RESIZE_NEAREST_HALF : RESIZE_BILINEAR_HALF, half);
    return node;
}

static void convert_resize(cnnfi_tfl_call *call)
{
    const cnnfi_value in = cnnfi_tfl_in_shape(call, 0);
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    /* A bilinear result is floats, whatever went in. */
    if (call->row->as == TFL_RESIZE_BILINEAR && in.dtype != CNNF_FLOAT)
        x = cnnfi_tfl_cast(call->m, x, cnnfi_tfl_part_like(call, 0, CNNF_FLOAT));
    give_resized(call, x);
}

#define FLOAT CNNFI_TFL_OF_FLOAT

/* clang-format off */
const cnnfi_tfl_row cnnfi_tfl_nn_rows[] = {
    {"AvgPool", convert_pool, TFL_AVERAGE_POOL_2D, FLOAT},
    {"MaxPool", convert_pool, TFL_MAX_POOL_2D, FLOAT},
    {"MaxPoolV2", convert_pool, TFL_MAX_POOL_2D, FLOAT},
    {"FusedBatchNorm", convert_fused_batch_norm, TFL_MUL, FLOAT},
    {"FusedBatchNormV2", convert_fused_batch_norm, TFL_MUL, FLOAT},
    {"FusedBatchNormV3", convert_fused_batch_norm, TFL_MUL, FLOAT},
    {"LRN", convert_lrn, TFL_LOCAL_RESPONSE_NORMALIZATION, FLOAT},
    {"Softmax", convert_softmax, TFL_SOFTMAX, FLOAT},
    {"LogSoftmax", convert_log_softmax, TFL_LOG_SOFTMAX, FLOAT},
    {"ResizeBilinear", convert_resize, TFL_RESIZE_BILINEAR, CNNFI_TFL_OF_NUMBERS | CNNFI_TFL_OF_BYTE},
    {"ResizeNearestNeighbor", convert_resize, TFL_RESIZE_NEAREST_NEIGHBOR, FLOAT | CNNFI_TFL_OF_BYTE},
    {NULL, NULL},
};
/* clang-format on */
