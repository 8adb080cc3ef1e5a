/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/convolutional.py: Conv1D, Conv2D, Conv3D. */
#include "loader/keras/layers/layers.h"

static int32_t rank_of(const cnnfi_kc *kc)
{
    return kc->inputs[0].rank - 2;
}

static void conv_build(cnnfi_kc *kc)
{
    int32_t n = rank_of(kc);
    cnnfi_kconv c = cnnfi_keras_conv_read(kc, n);
    int64_t filters = cnnfi_kc_positive(kc, "filters"), groups = cnnfi_kc_int(kc, "groups", 1), dims[5];
    int64_t channels = cnnfi_keras_channels(kc, c.first);
    if (groups < 1 || channels % groups != 0 || filters % groups != 0) {
        cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "groups %lld do not divide the channels", (long long)groups);
        return;
    }
    for (int32_t i = 0; i < n; i++)
        dims[i] = c.kernel[i];
    dims[n] = channels / groups;
    dims[n + 1] = filters;
    (void)cnnfi_kc_weight(kc, "kernel", n + 2, dims, CNNFI_KINIT_RANDOM, true);
    if (cnnfi_kc_bool(kc, "use_bias", true)) (void)cnnfi_kc_weight(kc, "bias", 1, &filters, CNNFI_KINIT_ZEROS, true);
}

/* tf.nn.conv1d: Conv2D over a dimension of one */
static cnnfi_kt conv_1d(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt kernel, const cnnfi_kconv *c, bool same, bool first)
{
    const int64_t strides[2] = {1, c->strides[0]};
    int32_t axis = (first ? -2 : -3) + (b->tf1 ? x.rank + 1 : 0); /* TensorFlow 1 counts from the front */
    cnnfi_kt image = cnnfi_kb_expand_dims(b, "ExpandDims", x, axis);
    cnnfi_kt filter = cnnfi_kb_expand_dims(b, "ExpandDims", kernel, 0);
    return cnnfi_kb_squeeze(b, "Squeeze", cnnfi_keras_conv_op(b, "", image, filter, 2, strides, same, first), axis);
}

static cnnfi_kt plain(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt kernel, const cnnfi_kconv *c, bool same, bool first)
{
    if (c->n == 1) return conv_1d(b, x, kernel, c, same, first);
    return cnnfi_keras_conv_op(b, "", x, kernel, c->n, c->strides, same, first);
}

cnnfi_kt cnnfi_keras_convolution(cnnfi_kc *kc, const char *name, cnnfi_kt x, cnnfi_kt kernel, const cnnfi_kconv *c,
                                 bool first)
{
    cnnfi_kb *b = kc->b;
    const char *saved = cnnfi_kb_push(b, name);
    cnnfi_kt y;
    if (c->dilated) {
        cnnfi_kspace space = {.n = c->n, .at = first ? 2 : 1, .same = c->same};
        for (int32_t i = 0; i < c->n; i++) {
            space.kernel[i] = c->kernel[i];
            space.rate[i] = c->dilation[i];
        }
        cnnfi_kt batched = cnnfi_keras_space_to_batch(kc, &space, x);
        y = cnnfi_keras_batch_to_space(kc, &space, plain(b, batched, kernel, c, false, first), x);
    } else {
        y = plain(b, x, kernel, c, c->same, first);
    }
    cnnfi_kb_pop(b, saved);
    return y;
}

static void conv_multi(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kconv c = cnnfi_keras_conv_read(kc, rank_of(kc));
    cnnfi_kt x = cnnfi_keras_causal_pad(b, kc->inputs[0], &c);
    if (c.first) x = cnnfi_keras_to_last(b, x);
    cnnfi_kt y = cnnfi_keras_convolution(kc, "convolution", x, cnnfi_kc_variable(kc, 0), &c, false);
    if (c.first) y = cnnfi_keras_to_first(b, y);
    y = cnnfi_keras_bias_multi(kc, y, 1, c.first);
    cnnfi_kc_return(kc, cnnfi_kc_activation(kc, "activation", y));
}

static void conv_tf(cnnfi_kc *kc)
{
    static const char *const names[] = {"Conv1D", "Conv2D", "Conv3D"};
    cnnfi_kb *b = kc->b;
    cnnfi_kconv c = cnnfi_keras_conv_read(kc, rank_of(kc));
    cnnfi_kt x = cnnfi_keras_causal_pad(b, kc->inputs[0], &c);
    cnnfi_kt y = cnnfi_keras_convolution(kc, names[c.n - 1], x, cnnfi_kc_variable(kc, 0), &c, c.first);
    y = cnnfi_keras_bias_tf(kc, y, 1, c.first);
    cnnfi_kc_return(kc, cnnfi_kc_activation(kc, "activation", y));
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
