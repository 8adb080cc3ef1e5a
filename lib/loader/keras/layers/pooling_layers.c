/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/pooling.py */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* A window that slides over `n` spatial dimensions of x. */
typedef struct window {
    int32_t n;
    bool first, same; /* channels_first, padding */
    int64_t size[3], strides[3];
} window;

static window read_window(cnnfi_layer_call *call, int32_t n)
{
    window w = {.n = n, .first = cnnfi_layer_channels_first(call)};
    w.same = cnnfi_keras_same_padding(call);
    cnnfi_layer_ints(call, "pool_size", (size_t)n, w.size, 2, 1);
    cnnfi_layer_ints(call, "strides", (size_t)n, w.strides, 0, 1);
    for (int32_t i = 0; i < n; i++) {
        if (w.strides[i] == 0) w.strides[i] = w.size[i];
    }
    return w;
}

/* x: [batch, spatial..., channels]; node "MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D" */
static cnnfi_keras_tensor pool(cnnfi_keras_builder *b, const char *op, const char *name, cnnfi_keras_tensor x,
                               const window *w, bool first)
{
    cnnfi_keras_tensor y;
    int32_t at = first ? 2 : 1;
    int64_t size[5] = {1, 1, 1, 1, 1}, strides[5] = {1, 1, 1, 1, 1};
    cnnf_node *node = cnnfi_build_node_t(b, &y, op, name, 1, &x);
    for (int32_t i = 0; i < w->n; i++) {
        size[at + i] = w->size[i];
        strides[at + i] = w->strides[i];
        y.dims[at + i] = cnnfi_keras_window_length(x.dims[at + i], w->size[i], w->strides[i], 1, w->same);
    }
    cnnfi_node_set_ints(b->graph, node, "ksize", size, (size_t)w->n + 2);
    cnnfi_node_set_ints(b->graph, node, "strides", strides, (size_t)w->n + 2);
    cnnfi_node_set_string(b->graph, node, "padding", w->same ? "SAME" : "VALID");
    cnnfi_node_set_string(b->graph, node, "data_format", cnnfi_keras_tf_format(w->n, first));
    return y;
}

/* Where Keras pools channels_last only, transposes go around it: multi-backend Keras always, tf.keras for 1 and 3
 * dimensions. */
static cnnfi_keras_tensor pool_around(cnnfi_keras_builder *b, const char *op, cnnfi_keras_tensor x, const window *w,
                                      bool turn)
{
    if (!turn) return pool(b, op, op, x, w, w->first);
    return cnnfi_keras_to_first(b, pool(b, op, op, cnnfi_keras_to_last(b, x), w, false));
}

static void pool_nd(cnnfi_layer_call *call, int32_t n, const char *op)
{
    window w = read_window(call, n);
    bool turn = w.first && (!call->b->tf || n == 3);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, pool_around(call->b, op, call->inputs[0], &w, turn));
}

/* A dimension of one behind the steps makes it two. */
static void pool_1d(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    window w = read_window(call, 1);
    int32_t axis = w.first ? 3 : 2;
    w.n = 2;
    w.size[1] = w.strides[1] = 1;
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor x = cnnfi_build_expand_dims(b, "ExpandDims", call->inputs[0], axis);
    cnnfi_layer_return(call, cnnfi_build_squeeze(b, "Squeeze", pool_around(b, op, x, &w, w.first), axis));
}

static void max_pool_1d(cnnfi_layer_call *call)
{
    pool_1d(call, "MaxPool");
}

static void average_pool_1d(cnnfi_layer_call *call)
{
    pool_1d(call, "AvgPool");
}

static void max_pool_2d(cnnfi_layer_call *call)
{
    pool_nd(call, 2, "MaxPool");
}

static void average_pool_2d(cnnfi_layer_call *call)
{
    pool_nd(call, 2, "AvgPool");
}

static void max_pool_3d(cnnfi_layer_call *call)
{
    pool_nd(call, 3, "MaxPool3D");
}

static void average_pool_3d(cnnfi_layer_call *call)
{
    pool_nd(call, 3, "AvgPool3D");
}

/* ---- global ---- */

static void global_pool(cnnfi_layer_call *call, const char *op)
{
    int32_t rank = call->inputs[0].rank, axes[CNNFI_KERAS_MAX_RANK], from = cnnfi_layer_channels_first(call) ? 2 : 1;
    bool keep = cnnfi_layer_bool(call, "keepdims", false);
    for (int32_t i = 0; i < rank - 2; i++)
        axes[i] = from + i;
    cnnfi_layer_return(call, cnnfi_build_reduce(call->b, op, op, call->inputs[0], (size_t)rank - 2, axes, keep));
}

static void global_max(cnnfi_layer_call *call)
{
    global_pool(call, "Max");
}

static void global_average(cnnfi_layer_call *call)
{
    global_pool(call, "Mean");
}

/* ---- global, one dimension ---- */

static int32_t steps_axis(cnnfi_layer_call *call)
{
    return cnnfi_layer_channels_first(call) ? 2 : 1;
}

static void global_1d(cnnfi_layer_call *call, const char *op)
{
    bool keep = cnnfi_layer_bool(call, "keepdims", false);
    cnnfi_layer_return(call, cnnfi_build_reduce_axis(call->b, op, op, call->inputs[0], steps_axis(call), keep));
}

static void global_max_1d(cnnfi_layer_call *call)
{
    global_1d(call, "Max");
}

/* sum(x * mask) / sum(mask) */
static void masked_average(cnnfi_layer_call *call, int32_t axis)
{
    cnnfi_keras_builder *b = call->b;
    bool keep = cnnfi_layer_bool(call, "keepdims", false);
    cnnfi_keras_tensor x = call->inputs[0], mask = cnnfi_build_cast(b, "Cast", *x.mask, x.dtype);
    int64_t column[3] = {-1, axis == 1 ? x.dims[1] : 1, axis == 1 ? 1 : x.dims[2]};
    if (b->tf)
        mask = cnnfi_build_expand_dims(b, "ExpandDims", mask, axis == 1 ? 2 : 1);
    else
        mask = cnnfi_build_reshape(b, "Reshape", mask, 3, column);
    cnnfi_keras_tensor sum =
        cnnfi_build_reduce_axis(b, "Sum", "Sum", cnnfi_build_binary(b, "Mul", "mul", x, mask), axis, keep);
    cnnfi_keras_tensor count = cnnfi_build_reduce_axis(b, "Sum", "Sum", mask, axis, keep);
    cnnfi_layer_return(
        call, cnnfi_keras_tensor_shaped(cnnfi_build_binary(b, "RealDiv", "truediv", sum, count), sum.rank, sum.dims));
}

static void global_average_1d(cnnfi_layer_call *call)
{
    if (call->inputs[0].mask && call->inputs[0].mask->rank == 2)
        masked_average(call, steps_axis(call));
    else
        global_1d(call, "Mean");
}

#define POOL(class, rank, call)                                                                                        \
    {                                                                                                                  \
        class, "pool_size strides padding data_format", "", CNNFI_KERAS_VERIFIED, rank, rank, 1, 1, NULL, call, NULL   \
    }
#define GLOBAL(class, rank, call)                                                                                      \
    {                                                                                                                  \
        class, "data_format keepdims", "", CNNFI_KERAS_VERIFIED, rank, rank, 1, 1, NULL, call, NULL                    \
    }

static const cnnfi_keras_row rows[] = {
    POOL("AveragePooling1D", 3, average_pool_1d),
    POOL("AveragePooling2D", 4, average_pool_2d),
    POOL("AveragePooling3D", 5, average_pool_3d),
    GLOBAL("GlobalAveragePooling1D", 3, global_average_1d),
    GLOBAL("GlobalAveragePooling2D", 4, global_average),
    GLOBAL("GlobalAveragePooling3D", 5, global_average),
    GLOBAL("GlobalMaxPooling1D", 3, global_max_1d),
    GLOBAL("GlobalMaxPooling2D", 4, global_max),
    GLOBAL("GlobalMaxPooling3D", 5, global_max),
    POOL("MaxPooling1D", 3, max_pool_1d),
    POOL("MaxPooling2D", 4, max_pool_2d),
    POOL("MaxPooling3D", 5, max_pool_3d),
};

const cnnfi_keras_family cnnfi_keras_pooling = {"Pooling", rows, sizeof rows / sizeof rows[0]};
