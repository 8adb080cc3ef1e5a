/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/convolutional.py: the depthwise and separable ones. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static int32_t rank_of(const cnnfi_kc *kc)
{
    return kc->inputs[0].rank - 2;
}

static void depthwise_kernel(cnnfi_kc *kc, const cnnfi_kconv *c, int64_t channels, int64_t multiplier)
{
    int64_t dims[5];
    for (int32_t i = 0; i < c->n; i++)
        dims[i] = c->kernel[i];
    dims[c->n] = channels;
    dims[c->n + 1] = multiplier;
    (void)cnnfi_kc_weight(kc, "depthwise_kernel", c->n + 2, dims, CNNFI_KINIT_RANDOM, true);
}

static int64_t multiplier_of(cnnfi_kc *kc)
{
    int64_t multiplier = cnnfi_kc_int(kc, "depth_multiplier", 1);
    if (multiplier > 0 && multiplier <= INT32_MAX) return multiplier;
    cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "depth_multiplier is not positive");
    return 1;
}

static void depthwise_build(cnnfi_kc *kc)
{
    cnnfi_kconv c = cnnfi_keras_conv_read(kc, rank_of(kc));
    int64_t channels = cnnfi_keras_channels(kc, c.first), multiplier = multiplier_of(kc), all = channels * multiplier;
    if (!cnnfi_kb_ok(kc->b)) return;
    depthwise_kernel(kc, &c, channels, multiplier);
    if (cnnfi_kc_bool(kc, "use_bias", true)) (void)cnnfi_kc_weight(kc, "bias", 1, &all, CNNFI_KINIT_ZEROS, true);
}

static void separable_build(cnnfi_kc *kc)
{
    cnnfi_kconv c = cnnfi_keras_conv_read(kc, rank_of(kc));
    int64_t filters = cnnfi_kc_positive(kc, "filters"), channels = cnnfi_keras_channels(kc, c.first);
    int64_t multiplier = multiplier_of(kc), dims[5] = {1, 1, 1, 1, 1};
    if (!cnnfi_kb_ok(kc->b)) return;
    depthwise_kernel(kc, &c, channels, multiplier);
    dims[c.n] = channels * multiplier;
    dims[c.n + 1] = filters;
    (void)cnnfi_kc_weight(kc, "pointwise_kernel", c.n + 2, dims, CNNFI_KINIT_RANDOM, true);
    if (cnnfi_kc_bool(kc, "use_bias", true)) (void)cnnfi_kc_weight(kc, "bias", 1, &filters, CNNFI_KINIT_ZEROS, true);
}

/* A window over two dimensions: DepthwiseConv2dNative has no other. */
typedef struct window {
    bool first, same, dilated;
    int64_t strides[2], kernel[2], dilation[2];
} window;

static window window_of(const cnnfi_kconv *c)
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

static cnnfi_kt native(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnfi_kt kernel, const window *w, bool same)
{
    cnnfi_kt y, inputs[2] = {x, kernel};
    int32_t at = w->first ? 2 : 1;
    int64_t strides[4] = {1, 1, 1, 1};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, "DepthwiseConv2dNative", name, 2, inputs);
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
static cnnfi_kt depthwise_op(cnnfi_kc *kc, const char *name, cnnfi_kt x, cnnfi_kt kernel, const window *w)
{
    cnnfi_kb *b = kc->b;
    if (!w->dilated) return native(b, name, x, kernel, w, w->same);
    cnnfi_kb_reserve(b, "Shape"); /* the kernel's, which folds away */
    cnnfi_kspace space = {.n = 2, .at = w->first ? 2 : 1, .same = w->same};
    for (int32_t i = 0; i < 2; i++) {
        space.kernel[i] = w->kernel[i];
        space.rate[i] = w->dilation[i];
    }
    cnnfi_kt batched = cnnfi_keras_space_to_batch(kc, &space, x);
    return cnnfi_keras_batch_to_space(kc, &space, native(b, name, batched, kernel, w, false), x);
}

/* tf.nn.depthwise_conv2d() */
static cnnfi_kt depthwise_conv(cnnfi_kc *kc, cnnfi_kt x, cnnfi_kt kernel, const window *w)
{
    cnnfi_kb *b = kc->b;
    const char *saved = cnnfi_kb_push(b, "depthwise");
    kernel = cnnfi_kb_read(b, kernel);
    cnnfi_kt y = depthwise_op(kc, "", x, kernel, w);
    cnnfi_kb_pop(b, saved);
    return y;
}

/* tf.nn.separable_conv2d() */
static cnnfi_kt separable_conv(cnnfi_kc *kc, cnnfi_kt x, cnnfi_kt depthwise, cnnfi_kt pointwise, const window *w)
{
    static const int64_t ones[2] = {1, 1};
    cnnfi_kb *b = kc->b;
    const char *saved = cnnfi_kb_push(b, "separable_conv2d");
    depthwise = cnnfi_kb_read(b, depthwise);
    pointwise = cnnfi_kb_read(b, pointwise);
    cnnfi_kt y = depthwise_op(kc, "depthwise", x, depthwise, w);
    y = cnnfi_keras_conv_op(b, "", y, pointwise, 2, ones, false, w->first);
    cnnfi_kb_pop(b, saved);
    return y;
}

/* Both Keras transpose around the depthwise op on the CPU. */
static void depthwise_2d(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kconv c = cnnfi_keras_conv_read(kc, 2);
    window w = window_of(&c);
    w.first = false;
    cnnfi_kt x = c.first ? cnnfi_keras_to_last(b, kc->inputs[0]) : kc->inputs[0];
    cnnfi_kt y = depthwise_conv(kc, x, cnnfi_kc_variable(kc, 0), &w);
    if (c.first) y = cnnfi_keras_to_first(b, y);
    y = b->tf ? cnnfi_keras_bias_tf(kc, y, 1, c.first) : cnnfi_keras_bias_multi(kc, y, 1, c.first);
    cnnfi_kc_return(kc, cnnfi_kc_activation(kc, "activation", y));
}

static void depthwise_1d(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kconv c = cnnfi_keras_conv_read(kc, 1);
    window w = window_of(&c);
    int32_t axis = c.first ? 2 : 1;
    cnnfi_kt x = cnnfi_kb_expand_dims(b, "ExpandDims", cnnfi_keras_causal_pad(b, kc->inputs[0], &c), axis);
    cnnfi_kt kernel = cnnfi_kb_expand_dims(b, "ExpandDims", cnnfi_kc_variable(kc, 0), 0);
    cnnfi_kt y = cnnfi_keras_bias_tf(kc, depthwise_conv(kc, x, kernel, &w), 1, c.first);
    y = cnnfi_kb_squeeze(b, "Squeeze", y, axis);
    cnnfi_kc_return(kc, cnnfi_kc_activation(kc, "activation", y));
}

static void separable_2d(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kconv c = cnnfi_keras_conv_read(kc, 2);
    window w = window_of(&c);
    bool turn = c.first && !b->tf;
    if (turn) w.first = false;
    cnnfi_kt x = turn ? cnnfi_keras_to_last(b, kc->inputs[0]) : kc->inputs[0];
    cnnfi_kt y = separable_conv(kc, x, cnnfi_kc_variable(kc, 0), cnnfi_kc_variable(kc, 1), &w);
    if (turn) y = cnnfi_keras_to_first(b, y);
    y = b->tf ? cnnfi_keras_bias_tf(kc, y, 2, c.first) : cnnfi_keras_bias_multi(kc, y, 2, c.first);
    cnnfi_kc_return(kc, cnnfi_kc_activation(kc, "activation", y));
}

static void separable_1d(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kconv c = cnnfi_keras_conv_read(kc, 1);
    window w = window_of(&c);
    bool turn = c.first && !b->tf;
    if (turn) w.first = false;
    int32_t axis = w.first ? 2 : 1;
    cnnfi_kt x = cnnfi_keras_causal_pad(b, kc->inputs[0], &c);
    if (turn) x = cnnfi_keras_to_last(b, x);
    x = cnnfi_kb_expand_dims(b, "ExpandDims", x, axis);
    cnnfi_kt depthwise = cnnfi_kb_expand_dims(b, "ExpandDims", cnnfi_kc_variable(kc, 0), 0);
    cnnfi_kt pointwise = cnnfi_kb_expand_dims(b, "ExpandDims", cnnfi_kc_variable(kc, 1), 0);
    cnnfi_kt y = separable_conv(kc, x, depthwise, pointwise, &w);
    if (b->tf) y = cnnfi_keras_bias_tf(kc, y, 2, c.first);
    y = cnnfi_kb_squeeze(b, "Squeeze", y, axis);
    if (turn) y = cnnfi_keras_to_first(b, y);
    if (!b->tf) y = cnnfi_keras_bias_multi(kc, y, 2, c.first);
    cnnfi_kc_return(kc, cnnfi_kc_activation(kc, "activation", y));
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
