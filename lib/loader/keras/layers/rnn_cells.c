/* SPDX-License-Identifier: Apache-2.0 */
/* SimpleRNNCell, GRUCell and LSTMCell: their weights and one step of each. */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/rnn_cells.h"

#define MAX_GATES 4

/* Weights of multi-backend Keras are cut into gates once, when the layer is built. */
struct cnnfi_rnn_slices {
    cnnfi_kt kernel[MAX_GATES], recurrent[MAX_GATES], bias[MAX_GATES], recurrent_bias[MAX_GATES];
    cnnfi_kt input_bias, hidden_bias; /* GRU, reset_after: the two rows of its bias */
};
typedef struct cnnfi_rnn_slices slices;

/* ---- slices of weights ---- */

/* x[:, from:to], x[from:to] of a vector; 0 is written as nothing, and so is the end when `to` is 0 */
static cnnfi_kt columns(cnnfi_kb *b, cnnfi_kt x, int64_t from, int64_t to)
{
    cnnfi_kindex indices[2] = {{.kind = CNNFI_KINDEX_RANGE}};
    cnnfi_kt out;
    x = cnnfi_kb_read(b, x);
    size_t last = (size_t)x.rank - 1;
    if (last > 1) return x;
    indices[last] = (cnnfi_kindex){.has_begin = from > 0, .begin = from, .has_end = to > 0, .end = to};
    return cnnfi_kb_index(b, &out, x, last + 1, indices) ? out : x;
}

static cnnfi_kt gate_of(cnnfi_rnn_cell *c, cnnfi_kt x, int32_t gate)
{
    return columns(c->kc.b, x, gate * c->units, gate + 1 < c->gates ? (gate + 1) * c->units : 0);
}

static cnnfi_kt bias_row(cnnfi_rnn_cell *c, int64_t row)
{
    cnnfi_kt out = c->bias;
    const cnnfi_kindex index = {.kind = CNNFI_KINDEX_AT, .begin = row};
    if (!cnnfi_kb_index(c->kc.b, &out, cnnfi_kb_read(c->kc.b, c->bias), 1, &index)) return c->bias;
    out = cnnfi_kb_reshape(c->kc.b, "Reshape", out, 1, (const int64_t[]){-1});
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

static cnnfi_kt dot(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt y)
{
    return cnnfi_kb_matmul(c->kc.b, "MatMul", x, y);
}

static cnnfi_kt add_bias(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt bias)
{
    return c->use_bias ? cnnfi_kb_bias_add(c->kc.b, "BiasAdd", x, bias, "NHWC") : x;
}

static cnnfi_kt plus(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt y)
{
    return cnnfi_kb_binary(c->kc.b, "AddV2", "add", x, y);
}

static cnnfi_kt times(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt y)
{
    return cnnfi_kb_binary(c->kc.b, "Mul", "mul", x, y);
}

static cnnfi_kt activate(cnnfi_rnn_cell *c, cnnfi_kt x)
{
    return cnnfi_kc_activation(&c->kc, "activation", x);
}

static cnnfi_kt open_gate(cnnfi_rnn_cell *c, cnnfi_kt x)
{
    return cnnfi_kc_activation(&c->kc, "recurrent_activation", x);
}

static cnnfi_kt recurrent_gate(cnnfi_rnn_cell *c, int32_t gate)
{
    return c->cut ? c->cut->recurrent[gate] : gate_of(c, c->recurrent, gate);
}

static void simple_step(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kt h = add_bias(c, dot(c, x, c->kernel), c->bias);
    state[0] = activate(c, plus(c, h, dot(c, state[0], c->recurrent)));
}

/* tf.split() of a row of gates, or multi-backend's slices of it */
static void split_gates(cnnfi_rnn_cell *c, cnnfi_kt z, int32_t axis, cnnfi_kt *out)
{
    cnnfi_kt part = c->kc.b->tf ? cnnfi_kb_split(c->kc.b, "split", z, axis, c->gates) : z;
    for (int32_t g = 0; g < c->gates; g++)
        out[g] = c->kc.b->tf ? cnnfi_kb_port(c->kc.b, &part, g) : gate_of(c, z, g);
}

static void lstm_inputs(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *out)
{
    cnnfi_kt kernels[MAX_GATES], biases[MAX_GATES];
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

static cnnfi_kt lstm_gate(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt h, int32_t gate)
{
    return plus(c, x, dot(c, h, recurrent_gate(c, gate)));
}

/* gates: input, forget, candidate, output */
static void lstm_separate(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kt z[MAX_GATES], h = state[0];
    lstm_inputs(c, x, z);
    cnnfi_kt i = open_gate(c, lstm_gate(c, z[0], h, 0)), f = open_gate(c, lstm_gate(c, z[1], h, 1));
    cnnfi_kt kept = times(c, f, state[1]);
    cnnfi_kt fresh = times(c, i, activate(c, lstm_gate(c, z[2], h, 2)));
    state[1] = plus(c, kept, fresh);
    cnnfi_kt o = open_gate(c, lstm_gate(c, z[3], h, 3));
    state[0] = times(c, o, activate(c, state[1]));
}

static void lstm_together(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kt z[MAX_GATES], all = dot(c, x, c->kernel);
    all = add_bias(c, plus(c, all, dot(c, state[0], c->recurrent)), c->bias);
    split_gates(c, all, 1, z);
    cnnfi_kt i = open_gate(c, z[0]), f = open_gate(c, z[1]), kept = times(c, f, state[1]);
    state[1] = plus(c, kept, times(c, i, activate(c, z[2])));
    cnnfi_kt o = open_gate(c, z[3]);
    state[0] = times(c, o, activate(c, state[1]));
}

static void lstm_step(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    if (c->separate)
        lstm_separate(c, x, state);
    else
        lstm_together(c, x, state);
}

/* tf.keras: the bias, or its two rows */
static void gru_biases(cnnfi_rnn_cell *c, cnnfi_kt *input, cnnfi_kt *hidden)
{
    *input = *hidden = c->bias;
    if (c->cut) {
        *input = c->cut->input_bias;
        *hidden = c->cut->hidden_bias;
    } else if (c->use_bias && c->reset_after) {
        cnnfi_kt rows = cnnfi_kb_read(c->kc.b, c->bias);
        cnnf_node *node = cnnfi_kb_node_t(c->kc.b, input, "Unpack", "unstack", 1, &rows);
        cnnfi_node_set_int(c->kc.b->graph, node, "num", 2);
        cnnfi_node_set_int(c->kc.b->graph, node, "axis", 0);
        *input = cnnfi_kt_shaped(*input, 1, &rows.dims[1]);
        *hidden = cnnfi_kb_port(c->kc.b, input, 1);
    }
}

/* h = z * h + (1 - z) * candidate */
static cnnfi_kt gru_mix(cnnfi_rnn_cell *c, cnnfi_kt z, cnnfi_kt h, cnnfi_kt candidate)
{
    cnnfi_kt kept = times(c, z, h);
    return plus(c, kept, times(c, cnnfi_kb_const_binary(c->kc.b, "Sub", "sub", 1, z), candidate));
}

static cnnfi_kt hidden_product(cnnfi_rnn_cell *c, cnnfi_kt h, int32_t gate, cnnfi_kt hidden_bias)
{
    cnnfi_kt y = dot(c, h, recurrent_gate(c, gate));
    if (!c->reset_after || !c->use_bias) return y;
    return add_bias(c, y, c->cut ? c->cut->recurrent_bias[gate] : gate_of(c, hidden_bias, gate));
}

/* gates: update, reset, candidate */
static void gru_separate(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kt in[MAX_GATES], hid[MAX_GATES], input_bias, hidden_bias, h = state[0];
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
    cnnfi_kt z = open_gate(c, plus(c, in[0], hid[0])), r = open_gate(c, plus(c, in[1], hid[1]));
    if (c->reset_after)
        hid[2] = times(c, r, hidden_product(c, h, 2, hidden_bias));
    else {
        cnnfi_kt reset = times(c, r, h);
        hid[2] = dot(c, reset, recurrent_gate(c, 2));
    }
    state[0] = gru_mix(c, z, h, activate(c, plus(c, in[2], hid[2])));
}

/* tf.split(x, [units, units, -1], axis=-1) */
static void split_uneven(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *out)
{
    cnnfi_kb *b = c->kc.b;
    const int32_t sizes[3] = {(int32_t)c->units, (int32_t)c->units, -1};
    cnnfi_kt sizes_t = cnnfi_kb_ints(b, "Const", 3, sizes), part;
    const char *saved = cnnfi_kb_push(b, "split");
    cnnfi_kt inputs[3] = {x, sizes_t, cnnfi_kb_int(b, "split_dim", -1)};
    cnnf_node *node = cnnfi_kb_node_t(b, &part, "SplitV", "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tlen", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "num_split", 3);
    cnnfi_kb_pop(b, saved);
    for (int32_t g = 0; g < 3; g++) {
        out[g] = cnnfi_kb_port(b, &part, g);
        out[g].dims[1] = g < 2 ? c->units : x.dims[1] - 2 * c->units;
    }
}

static void gru_together(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kt in[MAX_GATES], hid[MAX_GATES], input_bias, hidden_bias, h = state[0];
    gru_biases(c, &input_bias, &hidden_bias);
    split_gates(c, add_bias(c, dot(c, x, c->kernel), input_bias), -1, in);
    cnnfi_kt inner =
        c->reset_after ? dot(c, h, c->recurrent) : dot(c, h, columns(c->kc.b, c->recurrent, 0, 2 * c->units));
    if (c->reset_after) inner = add_bias(c, inner, hidden_bias);
    if (c->kc.b->tf)
        split_uneven(c, inner, hid);
    else
        for (int32_t g = 0; g < 2; g++)
            hid[g] = gate_of(c, inner, g);
    cnnfi_kt z = open_gate(c, plus(c, in[0], hid[0])), r = open_gate(c, plus(c, in[1], hid[1]));
    if (!c->reset_after) {
        cnnfi_kt reset = times(c, r, h);
        hid[2] = dot(c, reset, columns(c->kc.b, c->recurrent, 2 * c->units, 0));
    } else {
        hid[2] = times(c, r, c->kc.b->tf ? hid[2] : gate_of(c, inner, 2));
    }
    state[0] = gru_mix(c, z, h, activate(c, plus(c, in[2], hid[2])));
}

static void gru_step(cnnfi_rnn_cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    if (c->separate)
        gru_separate(c, x, state);
    else
        gru_together(c, x, state);
}

/* ---- building ---- */

static void cut(cnnfi_rnn_cell *c)
{
    cnnfi_kb *b = c->kc.b;
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
    cnnfi_kc *kc = &c->kc;
    c->gates = c->kind->gates;
    c->units = cnnfi_kc_positive(kc, "units");
    c->use_bias = cnnfi_kc_bool(kc, "use_bias", true);
    c->reset_after = c->gates == 3 && cnnfi_kc_bool(kc, "reset_after", kc->b->keras3);
    c->separate = cnnfi_kc_int(kc, "implementation", kc->b->keras3 ? 2 : 1) == 1;
}

/* LSTM's forget bias starts at one: three constants, joined. */
static void reserve_forget_bias(cnnfi_rnn_cell *c)
{
    cnnfi_kb *b = c->kc.b;
    if (b->tf || c->gates != 4 || !c->use_bias || !cnnfi_kc_bool(&c->kc, "unit_forget_bias", true)) return;
    cnnfi_kb_reserve(b, "Const");
    cnnfi_kb_reserve(b, "Const");
    cnnfi_kb_reserve(b, "concat");
}

static void build(cnnfi_rnn_cell *c, cnnfi_kt x)
{
    cnnfi_kc *kc = &c->kc;
    read_options(c);
    int64_t in = x.dims[x.rank - 1], wide = c->gates * c->units;
    const int64_t bias_dims[2] = {2, wide};
    c->kernel = cnnfi_kc_weight(kc, "kernel", 2, (const int64_t[]){in, wide}, CNNFI_KINIT_RANDOM, true);
    c->recurrent =
        cnnfi_kc_weight(kc, "recurrent_kernel", 2, (const int64_t[]){c->units, wide}, CNNFI_KINIT_RANDOM, true);
    reserve_forget_bias(c);
    if (c->use_bias)
        c->bias = cnnfi_kc_weight(kc, "bias", c->reset_after ? 2 : 1, c->reset_after ? bias_dims : &wide,
                                  CNNFI_KINIT_ZEROS, true);
    if (!kc->b->tf && c->gates > 1 && cnnfi_kb_ok(kc->b)) cut(c);
}

const cnnfi_rnn_kind cnnfi_rnn_simple = {"SimpleRNN", "SimpleRNNCell", "simple_rnn_cell", 1,   1,
                                         2,           build,           simple_step,       NULL};
const cnnfi_rnn_kind cnnfi_rnn_gru = {"GRU", "GRUCell", "gru_cell", 3, 1, 2, build, gru_step, NULL};
const cnnfi_rnn_kind cnnfi_rnn_lstm = {"LSTM", "LSTMCell", "lstm_cell", 4, 2, 2, build, lstm_step, NULL};
