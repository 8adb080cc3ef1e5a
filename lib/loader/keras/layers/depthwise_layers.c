/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/convolutional.py: the depthwise and separable ones. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static int32_t rank_of(const cnnfi_layer_call *call)
{
    return call->inputs[0].rank - 2;
}

static void depthwise_kernel(cnnfi_layer_call *call, const cnnfi_keras_conv *c, int64_t channels, int64_t multiplier)
{
    int64_t dims[5];
    for (int32_t i = 0; i < c->n; i++)
        dims[i] = c->kernel[i];
    dims[c->n] = channels;
    dims[c->n + 1] = multiplier;
    (void)cnnfi_layer_weight(call, "depthwise_kernel", c->n + 2, dims, CNNFI_KERAS_INIT_RANDOM, true);
}

static int64_t multiplier_of(cnnfi_layer_call *call)
{
    int64_t multiplier = cnnfi_layer_int(call, "depth_multiplier", 1);
    if (multiplier > 0 && multiplier <= INT32_MAX) return multiplier;
    cnnfi_layer_fail(call, CNNF_E_CORRUPT, "depth_multiplier is not positive");
    return 1;
}

static void depthwise_build(cnnfi_layer_call *call)
{
    cnnfi_keras_conv c = cnnfi_keras_conv_read(call, rank_of(call));
    int64_t channels = cnnfi_keras_channels(call, c.first), multiplier = multiplier_of(call),
            all = channels * multiplier;
    if (!cnnfi_build_ok(call->b)) return;
    depthwise_kernel(call, &c, channels, multiplier);
    if (cnnfi_layer_bool(call, "use_bias", true))
        (void)cnnfi_layer_weight(call, "bias", 1, &all, CNNFI_KERAS_INIT_ZEROS, true);
}

static void separable_build(cnnfi_layer_call *call)
{
    cnnfi_keras_conv c = cnnfi_keras_conv_read(call, rank_of(call));
    int64_t filters = cnnfi_layer_positive(call, "filters"), channels = cnnfi_keras_channels(call, c.first);
    int64_t multiplier = multiplier_of(call), dims[5] = {1, 1, 1, 1, 1};
    if (!cnnfi_build_ok(call->b)) return;
    depthwise_kernel(call, &c, channels, multiplier);
    dims[c.n] = channels * multiplier;
    dims[c.n + 1] = filters;
    (void)cnnfi_layer_weight(call, "pointwise_kernel", c.n + 2, dims, CNNFI_KERAS_INIT_RANDOM, true);
    if (cnnfi_layer_bool(call, "use_bias", true))
        (void)cnnfi_layer_weight(call, "bias", 1, &filters, CNNFI_KERAS_INIT_ZEROS, true);
}

/* A window over two dimensions: DepthwiseConv2dNative has no other. */
typedef struct window {
    bool first, same, dilated;
    int64_t strides[2], kernel[2], dilation[2];
} window;

static window window_of(const cnnfi_keras_conv *c)
{
    window w = {.first = c->first, .same = c->same, .dilated = c->dilated};
    for (int32_t i = 0; i < 2; i++) {
        /* one dimension becomes [1, length] with the stride in both */
        int32_t at = c->n == 2 ? i : 0;
        w.strides[i] = c->strides[at];
        w.kernel[i] = c->n == 2 || i == 1 ? c->kernel[at] : 1;
        w.dilation[i] = c->n == 2 || i == 1 ? c->dilation[at] : 1;
    }
    return w;
}

static cnnfi_keras_tensor native(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                 cnnfi_keras_tensor kernel, const window *w, bool same)
{
    cnnfi_keras_tensor y, inputs[2] = {x, kernel};
    int32_t at = w->first ? 2 : 1;
    int64_t strides[4] = {1, 1, 1, 1};
    cnnf_node *node = cnnfi_build_node_t(b, &y, "DepthwiseConv2dNative", name, 2, inputs);
    for (int32_t i = 0; i < 2; i++) {
        strides[at + i] = w->strides[i];
        y.dims[at + i] = cnnfi_keras_window_length(x.dims[at + i], kernel.dims[i], w->strides[i], 1, same);
    }
    y.dims[w->first ? 1 : 3] = kernel.dims[2] * kernel.dims[3];
    cnnfi_node_set_ints(b->graph, node, "strides", strides, 4);
    cnnfi_node_set_ints(b->graph, node, "dilations", (const int64_t[]){1, 1, 1, 1}, 4);
    cnnfi_node_set_string(b->graph, node, "padding", same ? "SAME" : "VALID");
    cnnfi_node_set_string(b->graph, node, "data_format", w->first ? "NCHW" : "NHWC");
    return y;
}

/* The depthwise op, dilated by moving space into the batch, in the current scope. */
static cnnfi_keras_tensor depthwise_op(cnnfi_layer_call *call, const char *name, cnnfi_keras_tensor x,
                                       cnnfi_keras_tensor kernel, const window *w)
{
    cnnfi_keras_builder *b = call->b;
    if (!w->dilated) return native(b, name, x, kernel, w, w->same);
    cnnfi_build_reserve(b, "Shape"); /* the kernel's, which folds away */
    cnnfi_keras_space space = {.n = 2, .at = w->first ? 2 : 1, .same = w->same};
    for (int32_t i = 0; i < 2; i++) {
        space.kernel[i] = w->kernel[i];
        space.rate[i] = w->dilation[i];
    }
    cnnfi_keras_tensor batched = cnnfi_keras_space_to_batch(call, &space, x);
    return cnnfi_keras_batch_to_space(call, &space, native(b, name, batched, kernel, w, false), x);
}

/* tf.nn.depthwise_conv2d() */
static cnnfi_keras_tensor depthwise_conv(cnnfi_layer_call *call, cnnfi_keras_tensor x, cnnfi_keras_tensor kernel,
                                         const window *w)
{
    cnnfi_keras_builder *b = call->b;
    const char *saved = cnnfi_build_push(b, "depthwise");
    kernel = cnnfi_build_read(b, kernel);
    cnnfi_keras_tensor y = depthwise_op(call, "", x, kernel, w);
    cnnfi_build_pop(b, saved);
    return y;
}

/* tf.nn.separable_conv2d() */
static cnnfi_keras_tensor separable_conv(cnnfi_layer_call *call, cnnfi_keras_tensor x, cnnfi_keras_tensor depthwise,
                                         cnnfi_keras_tensor pointwise, const window *w)
{
    static const int64_t ones[2] = {1, 1};
    cnnfi_keras_builder *b = call->b;
    const char *saved = cnnfi_build_push(b, "separable_conv2d");
    depthwise = cnnfi_build_read(b, depthwise);
    pointwise = cnnfi_build_read(b, pointwise);
    cnnfi_keras_tensor y = depthwise_op(call, "depthwise", x, depthwise, w);
    y = cnnfi_keras_conv_op(b, "", y, pointwise, 2, ones, false, w->first);
    cnnfi_build_pop(b, saved);
    return y;
}

/* Both Keras transpose around the depthwise op on the CPU. */
static void depthwise_2d(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_conv c = cnnfi_keras_conv_read(call, 2);
    window w = window_of(&c);
    w.first = false;
    cnnfi_keras_tensor x = c.first ? cnnfi_keras_to_last(b, call->inputs[0]) : call->inputs[0];
    cnnfi_keras_tensor y = depthwise_conv(call, x, cnnfi_layer_variable(call, 0), &w);
    if (c.first) y = cnnfi_keras_to_first(b, y);
    y = b->tf ? cnnfi_keras_bias_tf(call, y, 1, c.first) : cnnfi_keras_bias_multi(call, y, 1, c.first);
    cnnfi_layer_return(call, cnnfi_layer_activation(call, "activation", y));
}

static void depthwise_1d(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_conv c = cnnfi_keras_conv_read(call, 1);
    window w = window_of(&c);
    int32_t axis = c.first ? 2 : 1;
    cnnfi_keras_tensor x =
        cnnfi_build_expand_dims(b, "ExpandDims", cnnfi_keras_causal_pad(b, call->inputs[0], &c), axis);
    cnnfi_keras_tensor kernel = cnnfi_build_expand_dims(b, "ExpandDims", cnnfi_layer_variable(call, 0), 0);
    cnnfi_keras_tensor y = cnnfi_keras_bias_tf(call, depthwise_conv(call, x, kernel, &w), 1, c.first);
    y = cnnfi_build_squeeze(b, "Squeeze", y, axis);
    cnnfi_layer_return(call, cnnfi_layer_activation(call, "activation", y));
}

static void separable_2d(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_conv c = cnnfi_keras_conv_read(call, 2);
    window w = window_of(&c);
    bool turn = c.first && !b->tf;
    if (turn) w.first = false;
    cnnfi_keras_tensor x = turn ? cnnfi_keras_to_last(b, call->inputs[0]) : call->inputs[0];
    cnnfi_keras_tensor y = separable_conv(call, x, cnnfi_layer_variable(call, 0), cnnfi_layer_variable(call, 1), &w);
    if (turn) y = cnnfi_keras_to_first(b, y);
    y = b->tf ? cnnfi_keras_bias_tf(call, y, 2, c.first) : cnnfi_keras_bias_multi(call, y, 2, c.first);
    cnnfi_layer_return(call, cnnfi_layer_activation(call, "activation", y));
}

static void separable_1d(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_conv c = cnnfi_keras_conv_read(call, 1);
    window w = window_of(&c);
    bool turn = c.first && !b->tf;
    if (turn) w.first = false;
    int32_t axis = w.first ? 2 : 1;
    cnnfi_keras_tensor x = cnnfi_keras_causal_pad(b, call->inputs[0], &c);
    if (turn) x = cnnfi_keras_to_last(b, x);
    x = cnnfi_build_expand_dims(b, "ExpandDims", x, axis);
    cnnfi_keras_tensor depthwise = cnnfi_build_expand_dims(b, "ExpandDims", cnnfi_layer_variable(call, 0), 0);
    cnnfi_keras_tensor pointwise = cnnfi_build_expand_dims(b, "ExpandDims", cnnfi_layer_variable(call, 1), 0);
    cnnfi_keras_tensor y = separable_conv(call, x, depthwise, pointwise, &w);
    if (b->tf) y = cnnfi_keras_bias_tf(call, y, 2, c.first);
    y = cnnfi_build_squeeze(b, "Squeeze", y, axis);
    if (turn) y = cnnfi_keras_to_first(b, y);
    if (!b->tf) y = cnnfi_keras_bias_multi(call, y, 2, c.first);
    cnnfi_layer_return(call, cnnfi_layer_activation(call, "activation", y));
}

#define COMMON "kernel_size strides padding data_format dilation_rate depth_multiplier activation use_bias"
#define DEPTHWISE(class, rank, verified, call)                                                                         \
    {                                                                                                                  \
        class, COMMON, "depthwise_kernel bias", verified, rank, rank, 1, 1, depthwise_build, call, NULL                \
    }
#define SEPARABLE(class, rank, call)                                                                                   \
    {                                                                                                                  \
        class, "filters " COMMON, "depthwise_kernel pointwise_kernel bias", CNNFI_KERAS_VERIFIED, rank, rank, 1, 1,    \
            separable_build, call, NULL                                                                                \
    }

static const cnnfi_keras_row rows[] = {
    DEPTHWISE("DepthwiseConv1D", 3, "tf.keras 2.15, 3", depthwise_1d),
    DEPTHWISE("DepthwiseConv2D", 4, CNNFI_KERAS_VERIFIED, depthwise_2d),
    SEPARABLE("SeparableConv1D", 3, separable_1d),
    SEPARABLE("SeparableConv2D", 4, separable_2d),
};

const cnnfi_keras_family cnnfi_keras_depthwise = {"Depthwise and separable convolutions", rows,
                                                  sizeof rows / sizeof rows[0]};
