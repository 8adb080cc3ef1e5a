/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/convolutional.py: Conv1D, Conv2D, Conv3D. */
#include <string.h>

#include "loader/keras_layers/layers.h"

/* A convolution over n spatial dimensions, as its configuration has it. */
typedef struct conv {
    int32_t n;
    bool first, same, causal, dilated;
    int64_t kernel[3], strides[3], dilation[3];
} conv;

static conv read_conv(cnnfi_kc *kc, int32_t n)
{
    conv c = {.n = n, .first = cnnfi_kc_channels_first(kc)};
    c.causal = n == 1 && strcmp(cnnfi_kc_string(kc, "padding", "valid"), "causal") == 0;
    c.same = !c.causal && cnnfi_keras_same_padding(kc);
    cnnfi_kc_ints(kc, "kernel_size", (size_t)n, c.kernel, 1, 1);
    cnnfi_kc_ints(kc, "strides", (size_t)n, c.strides, 1, 1);
    cnnfi_kc_ints(kc, "dilation_rate", (size_t)n, c.dilation, 1, 1);
    for (int32_t i = 0; i < n; i++) c.dilated = c.dilated || c.dilation[i] != 1;
    return c;
}

static int32_t rank_of(const cnnfi_kc *kc)
{
    return kc->inputs[0].rank - 2;
}

static void conv_build(cnnfi_kc *kc)
{
    int32_t n = rank_of(kc);
    conv c = read_conv(kc, n);
    int64_t filters = cnnfi_kc_positive(kc, "filters"), groups = cnnfi_kc_int(kc, "groups", 1), dims[5];
    int64_t channels = kc->inputs[0].dims[c.first ? 1 : n + 1];
    if (groups < 1 || (channels >= 0 && channels % groups != 0) || filters % groups != 0) {
        cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "groups %lld do not divide the channels", (long long)groups);
        return;
    }
    for (int32_t i = 0; i < n; i++) dims[i] = c.kernel[i];
    dims[n] = channels < 0 ? -1 : channels / groups;
    dims[n + 1] = filters;
    (void)cnnfi_kc_weight(kc, "kernel", n + 2, dims, CNNFI_KINIT_RANDOM, true);
    if (cnnfi_kc_bool(kc, "use_bias", true)) (void)cnnfi_kc_weight(kc, "bias", 1, &filters, CNNFI_KINIT_ZEROS, true);
}

/* x[, spatial...] and the kernel to an op Conv2D or Conv3D named after the scope; strides and dilation of x's rank. */
static cnnfi_kt conv_op(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt kernel, int32_t n, const int64_t *strides, bool same, bool first)
{
    static const int64_t ones[5] = {1, 1, 1, 1, 1};
    cnnfi_kt y, inputs[2] = {x, kernel};
    int32_t at = first ? 2 : 1;
    int64_t steps[5] = {1, 1, 1, 1, 1};
    for (int32_t i = 0; i < n; i++) steps[at + i] = strides[i];
    cnnf_node *node = cnnfi_kb_node_t(b, &y, n == 3 ? "Conv3D" : "Conv2D", "", 2, inputs);
    cnnfi_node_set_string(b->graph, node, "data_format", cnnfi_keras_tf_format(n, first));
    cnnfi_node_set_string(b->graph, node, "padding", same ? "SAME" : "VALID");
    cnnfi_node_set_ints(b->graph, node, "strides", steps, (size_t)n + 2);
    cnnfi_node_set_ints(b->graph, node, "dilations", ones, (size_t)n + 2);
    if (n == 2) {
        cnnfi_node_set_ints(b->graph, node, "explicit_paddings", NULL, 0);
        cnnfi_node_set_bool(b->graph, node, "use_cudnn_on_gpu", true);
    }
    for (int32_t i = 0; i < n; i++) {
        y.dims[at + i] = cnnfi_keras_window_length(x.dims[at + i], kernel.dims[i], strides[i], 1, same);
    }
    y.dims[first ? 1 : n + 1] = kernel.dims[n + 1];
    return y;
}

/* tf.nn.conv1d: Conv2D over a dimension of one */
static cnnfi_kt conv_1d(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt kernel, const conv *c, bool same)
{
    const int64_t strides[2] = {1, c->strides[0]};
    cnnfi_kt image = cnnfi_kb_expand_dims(b, "ExpandDims", x, -3);
    cnnfi_kt filter = cnnfi_kb_expand_dims(b, "ExpandDims", kernel, 0);
    return cnnfi_kb_squeeze(b, "Squeeze", conv_op(b, image, filter, 2, strides, same, false), -3);
}

static cnnfi_kt plain(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt kernel, const conv *c, bool same)
{
    if (c->n == 1) return conv_1d(b, x, kernel, c, same);
    return conv_op(b, x, kernel, c->n, c->strides, same, false);
}

/* tf.nn.convolution() or one of its kin in scope `name`; x: channels last */
static cnnfi_kt convolution(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnfi_kt kernel, const conv *c)
{
    const char *saved = cnnfi_kb_push(b, name);
    cnnfi_kt y;
    if (c->dilated) {
        cnnfi_kspace space = {.n = c->n, .same = c->same};
        for (int32_t i = 0; i < c->n; i++) {
            space.kernel[i] = c->kernel[i];
            space.rate[i] = c->dilation[i];
        }
        cnnfi_kt batched = cnnfi_keras_space_to_batch(b, &space, x);
        y = cnnfi_keras_batch_to_space(b, &space, plain(b, batched, kernel, c, false), x);
    } else {
        y = plain(b, x, kernel, c, c->same);
    }
    cnnfi_kb_pop(b, saved);
    return y;
}

static cnnfi_kt causal_pad(cnnfi_kb *b, cnnfi_kt x, const conv *c)
{
    const int32_t paddings[3][2] = {{0, 0}, {(int32_t)(c->dilation[0] * (c->kernel[0] - 1)), 0}, {0, 0}};
    return c->causal ? cnnfi_kb_pad(b, "Pad", x, paddings) : x;
}

static void conv_multi(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    conv c = read_conv(kc, rank_of(kc));
    cnnfi_kt x = causal_pad(b, kc->inputs[0], &c);
    if (c.first) x = cnnfi_keras_to_last(b, x);
    cnnfi_kt y = convolution(b, "convolution", x, cnnfi_kc_variable(kc, 0), &c);
    if (c.first) y = cnnfi_keras_to_first(b, y);
    if (cnnfi_kc_bool(kc, "use_bias", true)) y = cnnfi_kb_keras_bias(b, y, cnnfi_kc_variable(kc, 1), c.first);
    cnnfi_kc_return(kc, cnnfi_kc_activation(kc, "activation", y));
}

static void conv_tf(cnnfi_kc *kc)
{
    static const char *const names[] = {"Conv1D", "Conv2D", "Conv3D"};
    cnnfi_kb *b = kc->b;
    conv c = read_conv(kc, rank_of(kc));
    cnnfi_kt x = causal_pad(b, kc->inputs[0], &c);
    cnnfi_kt y = convolution(b, names[c.n - 1], x, cnnfi_kc_variable(kc, 0), &c);
    if (cnnfi_kc_bool(kc, "use_bias", true)) y = cnnfi_kb_bias_add(b, "BiasAdd", y, cnnfi_kc_variable(kc, 1), "NHWC");
    cnnfi_kc_return(kc, cnnfi_kc_activation(kc, "activation", y));
}

#define CONV(class, rank)                                                                                              \
    {class, "filters kernel_size strides padding data_format dilation_rate groups activation use_bias", "kernel bias",  \
     CNNFI_KERAS_VERIFIED, rank, rank, 1, 1, conv_build, conv_multi, conv_tf}

static const cnnfi_keras_row rows[] = {
    CONV("Conv1D", 3),
    CONV("Conv2D", 4),
    CONV("Conv3D", 5),
};

const cnnfi_keras_family cnnfi_keras_convolutional = {"Convolutional", rows, sizeof rows / sizeof rows[0]};
