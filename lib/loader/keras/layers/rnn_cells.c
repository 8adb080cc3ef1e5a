/* SPDX-License-Identifier: Apache-2.0 */
/* SimpleRNNCell, GRUCell and LSTMCell: their weights and one step of each. */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/rnn_cells.h"

#define MAX_GATES 4

/* Weights of multi-backend Keras are cut into gates once, when the layer is built. */
struct cnnfi_rnn_slices {
    cnnfi_keras_tensor kernel[MAX_GATES], recurrent[MAX_GATES], bias[MAX_GATES], recurrent_bias[MAX_GATES];
    cnnfi_keras_tensor input_bias, hidden_bias; /* GRU, reset_after: the two rows of its bias */
};
typedef struct cnnfi_rnn_slices slices;

/* ---- slices of weights ---- */

/* x[:, from:to], x[from:to] of a vector; 0 is written as nothing, and so is the end when `to` is 0 */
static cnnfi_keras_tensor columns(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int64_t from, int64_t to)
{
    cnnfi_keras_index indices[2] = {{.kind = CNNFI_KERAS_INDEX_RANGE}};
    cnnfi_keras_tensor out;
    x = cnnfi_build_read(b, x);
    size_t last = (size_t)x.rank - 1;
    if (last > 1) return x;
    indices[last] = (cnnfi_keras_index){.has_begin = from > 0, .begin = from, .has_end = to > 0, .end = to};
    return cnnfi_build_index(b, &out, x, last + 1, indices) ? out : x;
}

static cnnfi_keras_tensor gate_of(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, int32_t gate)
{
    return columns(c->call.b, x, gate * c->units, gate + 1 < c->gates ? (gate + 1) * c->units : 0);
}

static cnnfi_keras_tensor bias_row(cnnfi_rnn_cell *c, int64_t row)
{
    cnnfi_keras_tensor out = c->bias;
    const cnnfi_keras_index index = {.kind = CNNFI_KERAS_INDEX_AT, .begin = row};
    if (!cnnfi_build_index(c->call.b, &out, cnnfi_build_read(c->call.b, c->bias), 1, &index)) return c->bias;
    out = cnnfi_build_reshape(c->call.b, "Reshape", out, 1, (const int64_t[]){-1});
    out.dims[0] = c->gates * c->units;
    return out;
}

static void cut_gru(cnnfi_rnn_cell *c, slices *s)
{
    s->input_bias = c->bias;
    if (c->use_bias && c->reset_after) {
        s->input_bias = bias_row(c, 0);
        s->hidden_bias = bias_row(c, 1);
    }
    for (int32_t g = 0; g < c->gates; g++) {
        s->kernel[g] = gate_of(c, c->kernel, g);
        s->recurrent[g] = gate_of(c, c->recurrent, g);
    }
    for (int32_t g = 0; c->use_bias && g < c->gates; g++)
        s->bias[g] = gate_of(c, s->input_bias, g);
    for (int32_t g = 0; c->use_bias && c->reset_after && g < c->gates; g++)
        s->recurrent_bias[g] = gate_of(c, s->hidden_bias, g);
}

static void cut_lstm(cnnfi_rnn_cell *c, slices *s)
{
    for (int32_t g = 0; g < c->gates; g++)
        s->kernel[g] = gate_of(c, c->kernel, g);
    for (int32_t g = 0; g < c->gates; g++)
        s->recurrent[g] = gate_of(c, c->recurrent, g);
    for (int32_t g = 0; c->use_bias && g < c->gates; g++)
        s->bias[g] = gate_of(c, c->bias, g);
}

/* ---- steps ---- */

static cnnfi_keras_tensor dot(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor y)
{
    return cnnfi_build_matmul(c->call.b, "MatMul", x, y);
}

static cnnfi_keras_tensor add_bias(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor bias)
{
    return c->use_bias ? cnnfi_build_bias_add(c->call.b, "BiasAdd", x, bias, "NHWC") : x;
}

static cnnfi_keras_tensor plus(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor y)
{
    return cnnfi_build_binary(c->call.b, "AddV2", "add", x, y);
}

static cnnfi_keras_tensor times(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor y)
{
    return cnnfi_build_binary(c->call.b, "Mul", "mul", x, y);
}

static cnnfi_keras_tensor activate(cnnfi_rnn_cell *c, cnnfi_keras_tensor x)
{
    return cnnfi_layer_activation(&c->call, "activation", x);
}

static cnnfi_keras_tensor open_gate(cnnfi_rnn_cell *c, cnnfi_keras_tensor x)
{
    return cnnfi_layer_activation(&c->call, "recurrent_activation", x);
}

static cnnfi_keras_tensor recurrent_gate(cnnfi_rnn_cell *c, int32_t gate)
{
    return c->cut ? c->cut->recurrent[gate] : gate_of(c, c->recurrent, gate);
}

static void simple_step(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    cnnfi_keras_tensor h = add_bias(c, dot(c, x, c->kernel), c->bias);
    state[0] = activate(c, plus(c, h, dot(c, state[0], c->recurrent)));
}

/* tf.split() of a row of gates, or multi-backend's slices of it */
static void split_gates(cnnfi_rnn_cell *c, cnnfi_keras_tensor z, int32_t axis, cnnfi_keras_tensor *out)
{
    cnnfi_keras_tensor part = c->call.b->tf ? cnnfi_build_split(c->call.b, "split", z, axis, c->gates) : z;
    for (int32_t g = 0; g < c->gates; g++)
        out[g] = c->call.b->tf ? cnnfi_build_port(c->call.b, &part, g) : gate_of(c, z, g);
}

static void lstm_inputs(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *out)
{
    cnnfi_keras_tensor kernels[MAX_GATES], biases[MAX_GATES];
    if (c->cut)
        memcpy(kernels, c->cut->kernel, sizeof kernels);
    else
        split_gates(c, c->kernel, 1, kernels);
    for (int32_t g = 0; g < c->gates; g++)
        out[g] = dot(c, x, kernels[g]);
    if (!c->use_bias) return;
    if (c->cut)
        memcpy(biases, c->cut->bias, sizeof biases);
    else
        split_gates(c, c->bias, 0, biases);
    for (int32_t g = 0; g < c->gates; g++)
        out[g] = add_bias(c, out[g], biases[g]);
}

static cnnfi_keras_tensor lstm_gate(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor h, int32_t gate)
{
    return plus(c, x, dot(c, h, recurrent_gate(c, gate)));
}

/* gates: input, forget, candidate, output */
static void lstm_separate(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    cnnfi_keras_tensor z[MAX_GATES], h = state[0];
    lstm_inputs(c, x, z);
    cnnfi_keras_tensor i = open_gate(c, lstm_gate(c, z[0], h, 0)), f = open_gate(c, lstm_gate(c, z[1], h, 1));
    cnnfi_keras_tensor kept = times(c, f, state[1]);
    cnnfi_keras_tensor fresh = times(c, i, activate(c, lstm_gate(c, z[2], h, 2)));
    state[1] = plus(c, kept, fresh);
    cnnfi_keras_tensor o = open_gate(c, lstm_gate(c, z[3], h, 3));
    state[0] = times(c, o, activate(c, state[1]));
}

static void lstm_together(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    cnnfi_keras_tensor z[MAX_GATES], all = dot(c, x, c->kernel);
    all = add_bias(c, plus(c, all, dot(c, state[0], c->recurrent)), c->bias);
    split_gates(c, all, 1, z);
    cnnfi_keras_tensor i = open_gate(c, z[0]), f = open_gate(c, z[1]), kept = times(c, f, state[1]);
    state[1] = plus(c, kept, times(c, i, activate(c, z[2])));
    cnnfi_keras_tensor o = open_gate(c, z[3]);
    state[0] = times(c, o, activate(c, state[1]));
}

static void lstm_step(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    if (c->separate)
        lstm_separate(c, x, state);
    else
        lstm_together(c, x, state);
}

/* tf.keras: the bias, or its two rows */
static void gru_biases(cnnfi_rnn_cell *c, cnnfi_keras_tensor *input, cnnfi_keras_tensor *hidden)
{
    *input = *hidden = c->bias;
    if (c->cut) {
        *input = c->cut->input_bias;
        *hidden = c->cut->hidden_bias;
    } else if (c->use_bias && c->reset_after) {
        cnnfi_keras_tensor rows = cnnfi_build_read(c->call.b, c->bias);
        cnnf_node *node = cnnfi_build_node_t(c->call.b, input, "Unpack", "unstack", 1, &rows);
        cnnfi_node_set_int(c->call.b->graph, node, "num", 2);
        cnnfi_node_set_int(c->call.b->graph, node, "axis", 0);
        *input = cnnfi_keras_tensor_shaped(*input, 1, &rows.dims[1]);
        *hidden = cnnfi_build_port(c->call.b, input, 1);
    }
}

/* h = z * h + (1 - z) * candidate */
static cnnfi_keras_tensor gru_mix(cnnfi_rnn_cell *c, cnnfi_keras_tensor z, cnnfi_keras_tensor h,
                                  cnnfi_keras_tensor candidate)
{
    cnnfi_keras_tensor kept = times(c, z, h);
    return plus(c, kept, times(c, cnnfi_build_const_binary(c->call.b, "Sub", "sub", 1, z), candidate));
}

static cnnfi_keras_tensor hidden_product(cnnfi_rnn_cell *c, cnnfi_keras_tensor h, int32_t gate,
                                         cnnfi_keras_tensor hidden_bias)
{
    cnnfi_keras_tensor y = dot(c, h, recurrent_gate(c, gate));
    if (!c->reset_after || !c->use_bias) return y;
    return add_bias(c, y, c->cut ? c->cut->recurrent_bias[gate] : gate_of(c, hidden_bias, gate));
}

/* gates: update, reset, candidate */
static void gru_separate(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    cnnfi_keras_tensor in[MAX_GATES], hid[MAX_GATES], input_bias, hidden_bias, h = state[0];
    gru_biases(c, &input_bias, &hidden_bias);
    for (int32_t g = 0; g < c->gates; g++)
        in[g] = dot(c, x, c->cut ? c->cut->kernel[g] : gate_of(c, c->kernel, g));
    for (int32_t g = 0; c->use_bias && g < c->gates; g++)
        in[g] = add_bias(c, in[g], c->cut ? c->cut->bias[g] : gate_of(c, input_bias, g));
    /* the products come first, the biases after both */
    for (int32_t g = 0; g < 2; g++)
        hid[g] = dot(c, h, recurrent_gate(c, g));
    for (int32_t g = 0; c->reset_after && c->use_bias && g < 2; g++)
        hid[g] = add_bias(c, hid[g], c->cut ? c->cut->recurrent_bias[g] : gate_of(c, hidden_bias, g));
    cnnfi_keras_tensor z = open_gate(c, plus(c, in[0], hid[0])), r = open_gate(c, plus(c, in[1], hid[1]));
    if (c->reset_after)
        hid[2] = times(c, r, hidden_product(c, h, 2, hidden_bias));
    else {
        cnnfi_keras_tensor reset = times(c, r, h);
        hid[2] = dot(c, reset, recurrent_gate(c, 2));
    }
    state[0] = gru_mix(c, z, h, activate(c, plus(c, in[2], hid[2])));
}

/* tf.split(x, [units, units, -1], axis=-1) */
static void split_uneven(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *out)
{
    cnnfi_keras_builder *b = c->call.b;
    const int32_t sizes[3] = {(int32_t)c->units, (int32_t)c->units, -1};
    cnnfi_keras_tensor sizes_t = cnnfi_build_ints(b, "Const", 3, sizes), part;
    const char *saved = cnnfi_build_push(b, "split");
    cnnfi_keras_tensor inputs[3] = {x, sizes_t, cnnfi_build_int(b, "split_dim", -1)};
    cnnf_node *node = cnnfi_build_node_t(b, &part, "SplitV", "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tlen", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "num_split", 3);
    cnnfi_build_pop(b, saved);
    for (int32_t g = 0; g < 3; g++) {
        out[g] = cnnfi_build_port(b, &part, g);
        out[g].dims[1] = g < 2 ? c->units : x.dims[1] - 2 * c->units;
    }
}

static void gru_together(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    cnnfi_keras_tensor in[MAX_GATES], hid[MAX_GATES], input_bias, hidden_bias, h = state[0];
    gru_biases(c, &input_bias, &hidden_bias);
    split_gates(c, add_bias(c, dot(c, x, c->kernel), input_bias), -1, in);
    cnnfi_keras_tensor inner =
        c->reset_after ? dot(c, h, c->recurrent) : dot(c, h, columns(c->call.b, c->recurrent, 0, 2 * c->units));
    if (c->reset_after) inner = add_bias(c, inner, hidden_bias);
    if (c->call.b->tf)
        split_uneven(c, inner, hid);
    else
        for (int32_t g = 0; g < 2; g++)
            hid[g] = gate_of(c, inner, g);
    cnnfi_keras_tensor z = open_gate(c, plus(c, in[0], hid[0])), r = open_gate(c, plus(c, in[1], hid[1]));
    if (!c->reset_after) {
        cnnfi_keras_tensor reset = times(c, r, h);
        hid[2] = dot(c, reset, columns(c->call.b, c->recurrent, 2 * c->units, 0));
    } else {
        hid[2] = times(c, r, c->call.b->tf ? hid[2] : gate_of(c, inner, 2));
    }
    state[0] = gru_mix(c, z, h, activate(c, plus(c, in[2], hid[2])));
}

static void gru_step(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    if (c->separate)
        gru_separate(c, x, state);
    else
        gru_together(c, x, state);
}

/* ---- building ---- */

static void cut(cnnfi_rnn_cell *c)
{
    cnnfi_keras_builder *b = c->call.b;
    slices *s = cnnfi_builder_array(b->graph, 1, sizeof *s);
    if (!s) return;
    int32_t ghost = b->ghost; /* a nested model's slices are real, as its variables are */
    b->ghost = 0;
    if (c->gates == 4)
        cut_lstm(c, s);
    else
        cut_gru(c, s);
    b->ghost = ghost;
    c->cut = s;
}

static void read_options(cnnfi_rnn_cell *c)
{
    cnnfi_layer_call *call = &c->call;
    c->gates = c->kind->gates;
    c->units = cnnfi_layer_positive(call, "units");
    c->use_bias = cnnfi_layer_bool(call, "use_bias", true);
    c->reset_after = c->gates == 3 && cnnfi_layer_bool(call, "reset_after", call->b->keras3);
    c->separate = cnnfi_layer_int(call, "implementation", call->b->keras3 ? 2 : 1) == 1;
}

/* LSTM's forget bias starts at one: three constants, joined. */
static void reserve_forget_bias(cnnfi_rnn_cell *c)
{
    cnnfi_keras_builder *b = c->call.b;
    if (b->tf || c->gates != 4 || !c->use_bias || !cnnfi_layer_bool(&c->call, "unit_forget_bias", true)) return;
    cnnfi_build_reserve(b, "Const");
    cnnfi_build_reserve(b, "Const");
    cnnfi_build_reserve(b, "concat");
}

static void build(cnnfi_rnn_cell *c, cnnfi_keras_tensor x)
{
    cnnfi_layer_call *call = &c->call;
    read_options(c);
    int64_t in = x.dims[x.rank - 1], wide = c->gates * c->units;
    const int64_t bias_dims[2] = {2, wide};
    c->kernel = cnnfi_layer_weight(call, "kernel", 2, (const int64_t[]){in, wide}, CNNFI_KERAS_INIT_RANDOM, true);
    c->recurrent = cnnfi_layer_weight(call, "recurrent_kernel", 2, (const int64_t[]){c->units, wide},
                                      CNNFI_KERAS_INIT_RANDOM, true);
    reserve_forget_bias(c);
    if (c->use_bias)
        c->bias = cnnfi_layer_weight(call, "bias", c->reset_after ? 2 : 1, c->reset_after ? bias_dims : &wide,
                                     CNNFI_KERAS_INIT_ZEROS, true);
    if (!call->b->tf && c->gates > 1 && cnnfi_build_ok(call->b)) cut(c);
}

const cnnfi_rnn_kind cnnfi_rnn_simple = {"SimpleRNN", "SimpleRNNCell", "simple_rnn_cell", 1,   1,
                                         2,           build,           simple_step,       NULL};
const cnnfi_rnn_kind cnnfi_rnn_gru = {"GRU", "GRUCell", "gru_cell", 3, 1, 2, build, gru_step, NULL};
const cnnfi_rnn_kind cnnfi_rnn_lstm = {"LSTM", "LSTMCell", "lstm_cell", 4, 2, 2, build, lstm_step, NULL};
