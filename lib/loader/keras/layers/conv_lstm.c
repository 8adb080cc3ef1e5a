/* SPDX-License-Identifier: Apache-2.0 */
/* ConvLSTM1D to 3D: LSTM's cell with convolutions for products. */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/rnn_cells.h"

#define GATES 4

static int32_t dims_of(const cnnfi_rnn_cell *c)
{
    return c->kind->rank - 2;
}

static void build(cnnfi_rnn_cell *c, cnnfi_kt x)
{
    cnnfi_kc *kc = &c->kc;
    int32_t n = dims_of(c);
    c->conv = cnnfi_keras_conv_read(kc, n);
    c->units = cnnfi_kc_positive(kc, "filters");
    c->use_bias = cnnfi_kc_bool(kc, "use_bias", true);
    int64_t dims[5], wide = GATES * c->units;
    memcpy(dims, c->conv.kernel, (size_t)n * sizeof dims[0]);
    dims[n] = x.dims[c->conv.first ? 1 : x.rank - 1];
    dims[n + 1] = wide;
    c->kernel = cnnfi_kc_weight(kc, "kernel", n + 2, dims, CNNFI_KINIT_RANDOM, true);
    dims[n] = c->units;
    c->recurrent = cnnfi_kc_weight(kc, "recurrent_kernel", n + 2, dims, CNNFI_KINIT_RANDOM, true);
    if (!kc->b->tf && c->use_bias && cnnfi_kc_bool(kc, "unit_forget_bias", true)) {
        cnnfi_kb_reserve(kc->b, "Const");
        cnnfi_kb_reserve(kc->b, "Const");
        cnnfi_kb_reserve(kc->b, "concat");
    }
    if (c->use_bias) c->bias = cnnfi_kc_weight(kc, "bias", 1, &wide, CNNFI_KINIT_ZEROS, true);
}

/* K.conv2d() and kin: without a GPU, channels first is turned round. */
static cnnfi_kt convolve(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt kernel, const cnnfi_kconv *conv)
{
    cnnfi_kb *b = c->kc.b;
    if (conv->first) x = cnnfi_keras_to_last(b, x);
    cnnfi_kt y = cnnfi_keras_convolution(&c->kc, "convolution", x, kernel, conv, false);
    return conv->first ? cnnfi_keras_to_first(b, y) : y;
}

static cnnfi_kt input_conv(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt kernel, const cnnfi_kt *bias)
{
    cnnfi_kb *b = c->kc.b;
    cnnfi_kt y = convolve(c, x, kernel, &c->conv);
    if (!bias) return y;
    if (b->tf && !(c->conv.first && y.rank == 3))
        return cnnfi_kb_bias_add(b, "BiasAdd", y, *bias, c->conv.first ? "NCHW" : "NHWC");
    return cnnfi_kb_keras_bias(b, y, *bias, c->conv.first);
}

static cnnfi_kt recurrent_conv(cnnfi_rnn_cell *c, cnnfi_kt h, cnnfi_kt kernel)
{
    cnnfi_kconv conv = c->conv;
    conv.same = true;
    conv.dilated = conv.causal = false;
    for (int32_t i = 0; i < conv.n; i++)
        conv.strides[i] = conv.dilation[i] = 1;
    return convolve(c, h, kernel, &conv);
}

static void split(cnnfi_kb *b, cnnfi_kt x, int32_t axis, cnnfi_kt *out)
{
    cnnfi_kt part = cnnfi_kb_split(b, "split", cnnfi_kb_read(b, x), axis, GATES);
    for (int32_t g = 0; g < GATES; g++)
        out[g] = cnnfi_kb_port(b, &part, g);
}

static cnnfi_kt add(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt y)
{
    return cnnfi_kb_binary(b, "AddV2", "add", x, y);
}

/* gates: input, forget, candidate, output */
static void step(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kb *b = c->kc.b;
    cnnfi_kc *kc = &c->kc;
    cnnfi_kt kernel[GATES], recurrent[GATES], bias[GATES], z[GATES], h[GATES];
    split(b, c->kernel, c->kernel.rank - 1, kernel);
    split(b, c->recurrent, c->recurrent.rank - 1, recurrent);
    if (c->use_bias) split(b, c->bias, 0, bias);
    for (int32_t g = 0; g < GATES; g++)
        z[g] = input_conv(c, x, kernel[g], c->use_bias ? &bias[g] : NULL);
    for (int32_t g = 0; g < GATES; g++)
        h[g] = recurrent_conv(c, state[0], recurrent[g]);
    cnnfi_kt i = cnnfi_kc_activation(kc, "recurrent_activation", add(b, z[0], h[0]));
    cnnfi_kt f = cnnfi_kc_activation(kc, "recurrent_activation", add(b, z[1], h[1]));
    cnnfi_kt kept = cnnfi_kb_binary(b, "Mul", "mul", f, state[1]);
    cnnfi_kt fresh = cnnfi_kc_activation(kc, "activation", add(b, z[2], h[2]));
    state[1] = add(b, kept, cnnfi_kb_binary(b, "Mul", "mul", i, fresh));
    cnnfi_kt o = cnnfi_kc_activation(kc, "recurrent_activation", add(b, z[3], h[3]));
    state[0] = cnnfi_kb_binary(b, "Mul", "mul", o, cnnfi_kc_activation(kc, "activation", state[1]));
}

/* ConvRNN2D.get_initial_state(): zeros of the shape that a convolution by zeros has; x: [batch, steps, ...] */
static void initial(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kb *b = c->kc.b;
    int64_t dims[5];
    cnnfi_kt zeros = cnnfi_kb_unary(b, "ZerosLike", "zeros_like", x);
    cnnfi_kt sum = cnnfi_kb_reduce_axis(b, "Sum", "Sum", zeros, 1, false);
    memcpy(dims, c->kernel.dims, (size_t)c->kernel.rank * sizeof dims[0]);
    dims[c->kernel.rank - 1] = c->units;
    cnnfi_kt kernel = cnnfi_kb_splat(b, b->tf ? "zeros" : "Const", c->kernel.rank, dims, 0);
    state[0] = state[1] = input_conv(c, sum, kernel, NULL);
}

const cnnfi_rnn_kind cnnfi_rnn_conv_lstm[3] = {
    {"ConvLSTM1D", "ConvLSTM1DCell", "conv_lstm_cell", GATES, 2, 3, build, step, initial},
    {"ConvLSTM2D", "ConvLSTM2DCell", "conv_lstm_cell", GATES, 2, 4, build, step, initial},
    {"ConvLSTM3D", "ConvLSTM3DCell", "conv_lstm_cell", GATES, 2, 5, build, step, initial},
};
