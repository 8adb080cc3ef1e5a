/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/convolutional.py: Conv1D, Conv2D, Conv3D. */
#include "loader/keras/layers/layers.h"

static int32_t rank_of(const cnnfi_layer_call *call)
{
    return call->inputs[0].rank - 2;
}

static void conv_build(cnnfi_layer_call *call)
{
    int32_t n = rank_of(call);
    cnnfi_keras_conv c = cnnfi_keras_conv_read(call, n);
    int64_t filters = cnnfi_layer_positive(call, "filters"), groups = cnnfi_layer_int(call, "groups", 1), dims[5];
    int64_t channels = cnnfi_keras_channels(call, c.first);
    if (groups < 1 || channels % groups != 0 || filters % groups != 0) {
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "groups %lld do not divide the channels", (long long)groups);
        return;
    }
    for (int32_t i = 0; i < n; i++)
        dims[i] = c.kernel[i];
    dims[n] = channels / groups;
    dims[n + 1] = filters;
    (void)cnnfi_layer_weight(call, "kernel", n + 2, dims, CNNFI_KERAS_INIT_RANDOM, true);
    if (cnnfi_layer_bool(call, "use_bias", true))
        (void)cnnfi_layer_weight(call, "bias", 1, &filters, CNNFI_KERAS_INIT_ZEROS, true);
}

/* tf.nn.conv1d: Conv2D over a dimension of one */
static cnnfi_keras_tensor conv_1d(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor kernel,
                                  const cnnfi_keras_conv *c, bool same, bool first)
{
    const int64_t strides[2] = {1, c->strides[0]};
    int32_t axis = (first ? -2 : -3) + (b->tf1 ? x.rank + 1 : 0); /* TensorFlow 1 counts from the front */
    cnnfi_keras_tensor image = cnnfi_build_expand_dims(b, "ExpandDims", x, axis);
    cnnfi_keras_tensor filter = cnnfi_build_expand_dims(b, "ExpandDims", kernel, 0);
    return cnnfi_build_squeeze(b, "Squeeze", cnnfi_keras_conv_op(b, "", image, filter, 2, strides, same, first), axis);
}

static cnnfi_keras_tensor plain(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor kernel,
                                const cnnfi_keras_conv *c, bool same, bool first)
{
    if (c->n == 1) return conv_1d(b, x, kernel, c, same, first);
    return cnnfi_keras_conv_op(b, "", x, kernel, c->n, c->strides, same, first);
}

cnnfi_keras_tensor cnnfi_keras_convolution(cnnfi_layer_call *call, const char *name, cnnfi_keras_tensor x,
                                           cnnfi_keras_tensor kernel, const cnnfi_keras_conv *c, bool first)
{
    cnnfi_keras_builder *b = call->b;
    const char *saved = cnnfi_build_push(b, name);
    cnnfi_keras_tensor y;
    if (c->dilated) {
        cnnfi_keras_space space = {.n = c->n, .at = first ? 2 : 1, .same = c->same};
        for (int32_t i = 0; i < c->n; i++) {
            space.kernel[i] = c->kernel[i];
            space.rate[i] = c->dilation[i];
        }
        cnnfi_keras_tensor batched = cnnfi_keras_space_to_batch(call, &space, x);
        y = cnnfi_keras_batch_to_space(call, &space, plain(b, batched, kernel, c, false, first), x);
    } else {
        y = plain(b, x, kernel, c, c->same, first);
    }
    cnnfi_build_pop(b, saved);
    return y;
}

static void conv_multi(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_conv c = cnnfi_keras_conv_read(call, rank_of(call));
    cnnfi_keras_tensor x = cnnfi_keras_causal_pad(b, call->inputs[0], &c);
    if (c.first) x = cnnfi_keras_to_last(b, x);
    cnnfi_keras_tensor y = cnnfi_keras_convolution(call, "convolution", x, cnnfi_layer_variable(call, 0), &c, false);
    if (c.first) y = cnnfi_keras_to_first(b, y);
    y = cnnfi_keras_bias_multi(call, y, 1, c.first);
    cnnfi_layer_return(call, cnnfi_layer_activation(call, "activation", y));
}

static void conv_tf(cnnfi_layer_call *call)
{
    static const char *const names[] = {"Conv1D", "Conv2D", "Conv3D"};
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_conv c = cnnfi_keras_conv_read(call, rank_of(call));
    cnnfi_keras_tensor x = cnnfi_keras_causal_pad(b, call->inputs[0], &c);
    cnnfi_keras_tensor y = cnnfi_keras_convolution(call, names[c.n - 1], x, cnnfi_layer_variable(call, 0), &c, c.first);
    y = cnnfi_keras_bias_tf(call, y, 1, c.first);
    cnnfi_layer_return(call, cnnfi_layer_activation(call, "activation", y));
}

#define CONV(class, rank)                                                                                              \
    {                                                                                                                  \
        class, "filters kernel_size strides padding data_format dilation_rate groups activation use_bias",             \
            "kernel bias", CNNFI_KERAS_VERIFIED, rank, rank, 1, 1, conv_build, conv_multi, conv_tf                     \
    }

static const cnnfi_keras_row rows[] = {
    CONV("Conv1D", 3),
    CONV("Conv2D", 4),
    CONV("Conv3D", 5),
};

const cnnfi_keras_family cnnfi_keras_convolutional = {"Convolutional", rows, sizeof rows / sizeof rows[0]};
