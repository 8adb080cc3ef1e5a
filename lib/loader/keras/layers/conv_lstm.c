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

static void build(cnnfi_rnn_cell *c, cnnfi_keras_tensor x)
{
    cnnfi_layer_call *call = &c->call;
    int32_t n = dims_of(c);
    c->conv = cnnfi_keras_conv_read(call, n);
    c->units = cnnfi_layer_positive(call, "filters");
    c->use_bias = cnnfi_layer_bool(call, "use_bias", true);
    int64_t dims[5], wide = GATES * c->units;
    memcpy(dims, c->conv.kernel, (size_t)n * sizeof dims[0]);
    dims[n] = x.dims[c->conv.first ? 1 : x.rank - 1];
    dims[n + 1] = wide;
    c->kernel = cnnfi_layer_weight(call, "kernel", n + 2, dims, CNNFI_KERAS_INIT_RANDOM, true);
    dims[n] = c->units;
    c->recurrent = cnnfi_layer_weight(call, "recurrent_kernel", n + 2, dims, CNNFI_KERAS_INIT_RANDOM, true);
    if (!call->b->tf && c->use_bias && cnnfi_layer_bool(call, "unit_forget_bias", true)) {
        cnnfi_build_reserve(call->b, "Const");
        cnnfi_build_reserve(call->b, "Const");
        cnnfi_build_reserve(call->b, "concat");
    }
    if (c->use_bias) c->bias = cnnfi_layer_weight(call, "bias", 1, &wide, CNNFI_KERAS_INIT_ZEROS, true);
}

/* K.conv2d() and kin: without a GPU, channels first is turned round. */
static cnnfi_keras_tensor convolve(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor kernel,
                                   const cnnfi_keras_conv *conv)
{
    cnnfi_keras_builder *b = c->call.b;
    if (conv->first) x = cnnfi_keras_to_last(b, x);
    cnnfi_keras_tensor y = cnnfi_keras_convolution(&c->call, "convolution", x, kernel, conv, false);
    return conv->first ? cnnfi_keras_to_first(b, y) : y;
}

static cnnfi_keras_tensor input_conv(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor kernel,
                                     const cnnfi_keras_tensor *bias)
{
    cnnfi_keras_builder *b = c->call.b;
    cnnfi_keras_tensor y = convolve(c, x, kernel, &c->conv);
    if (!bias) return y;
    if (b->tf && !(c->conv.first && y.rank == 3))
        return cnnfi_build_bias_add(b, "BiasAdd", y, *bias, c->conv.first ? "NCHW" : "NHWC");
    return cnnfi_build_keras_bias(b, y, *bias, c->conv.first);
}

static cnnfi_keras_tensor recurrent_conv(cnnfi_rnn_cell *c, cnnfi_keras_tensor h, cnnfi_keras_tensor kernel)
{
    cnnfi_keras_conv conv = c->conv;
    conv.same = true;
    conv.dilated = conv.causal = false;
    for (int32_t i = 0; i < conv.n; i++)
        conv.strides[i] = conv.dilation[i] = 1;
    return convolve(c, h, kernel, &conv);
}

static void split(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t axis, cnnfi_keras_tensor *out)
{
    cnnfi_keras_tensor part = cnnfi_build_split(b, "split", cnnfi_build_read(b, x), axis, GATES);
    for (int32_t g = 0; g < GATES; g++)
        out[g] = cnnfi_build_port(b, &part, g);
}

static cnnfi_keras_tensor add(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor y)
{
    return cnnfi_build_binary(b, "AddV2", "add", x, y);
}

/* gates: input, forget, candidate, output */
static void step(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    cnnfi_keras_builder *b = c->call.b;
    cnnfi_layer_call *call = &c->call;
    cnnfi_keras_tensor kernel[GATES], recurrent[GATES], bias[GATES], z[GATES], h[GATES];
    split(b, c->kernel, c->kernel.rank - 1, kernel);
    split(b, c->recurrent, c->recurrent.rank - 1, recurrent);
    if (c->use_bias) split(b, c->bias, 0, bias);
    for (int32_t g = 0; g < GATES; g++)
        z[g] = input_conv(c, x, kernel[g], c->use_bias ? &bias[g] : NULL);
    for (int32_t g = 0; g < GATES; g++)
        h[g] = recurrent_conv(c, state[0], recurrent[g]);
    cnnfi_keras_tensor i = cnnfi_layer_activation(call, "recurrent_activation", add(b, z[0], h[0]));
    cnnfi_keras_tensor f = cnnfi_layer_activation(call, "recurrent_activation", add(b, z[1], h[1]));
    cnnfi_keras_tensor kept = cnnfi_build_binary(b, "Mul", "mul", f, state[1]);
    cnnfi_keras_tensor fresh = cnnfi_layer_activation(call, "activation", add(b, z[2], h[2]));
    state[1] = add(b, kept, cnnfi_build_binary(b, "Mul", "mul", i, fresh));
    cnnfi_keras_tensor o = cnnfi_layer_activation(call, "recurrent_activation", add(b, z[3], h[3]));
    state[0] = cnnfi_build_binary(b, "Mul", "mul", o, cnnfi_layer_activation(call, "activation", state[1]));
}

/* ConvRNN2D.get_initial_state(): zeros of the shape that a convolution by zeros has; x: [batch, steps, ...] */
static void initial(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    cnnfi_keras_builder *b = c->call.b;
    int64_t dims[5];
    cnnfi_keras_tensor zeros = cnnfi_build_unary(b, "ZerosLike", "zeros_like", x);
    cnnfi_keras_tensor sum = cnnfi_build_reduce_axis(b, "Sum", "Sum", zeros, 1, false);
    memcpy(dims, c->kernel.dims, (size_t)c->kernel.rank * sizeof dims[0]);
    dims[c->kernel.rank - 1] = c->units;
    cnnfi_keras_tensor kernel = cnnfi_build_splat(b, b->tf ? "zeros" : "Const", c->kernel.rank, dims, 0);
    state[0] = state[1] = input_conv(c, sum, kernel, NULL);
}

const cnnfi_rnn_kind cnnfi_rnn_conv_lstm[3] = {
    {"ConvLSTM1D", "ConvLSTM1DCell", "conv_lstm_cell", GATES, 2, 3, build, step, initial},
    {"ConvLSTM2D", "ConvLSTM2DCell", "conv_lstm_cell", GATES, 2, 4, build, step, initial},
    {"ConvLSTM3D", "ConvLSTM3DCell", "conv_lstm_cell", GATES, 2, 5, build, step, initial},
};
