/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/recurrent.py: SimpleRNN, GRU, LSTM over a known number of steps, unrolled. */
#include <string.h>

#include "loader/keras/layers/recurrent.h"
#include "graph/builder.h"

#define MAX_GATES 4

/* What a step sees. Weights of multi-backend Keras are cut into gates once, when the layer is built. */
typedef struct slices {
    cnnfi_kt kernel[MAX_GATES], recurrent[MAX_GATES], bias[MAX_GATES], recurrent_bias[MAX_GATES];
    cnnfi_kt input_bias, hidden_bias; /* GRU, reset_after: the two rows of its bias */
} slices;

typedef struct cell {
    cnnfi_kc *kc;
    cnnfi_kb *b;
    int32_t gates;
    int64_t units;
    bool use_bias, reset_after, separate; /* separate: implementation 1, one product for each gate */
    cnnfi_kt kernel, recurrent, bias;
    const slices *cut; /* multi-backend */
} cell;

typedef struct cell_kind {
    const char *layer, *cell, *scope; /* "LSTM", "LSTMCell", "lstm_cell" */
    int32_t gates, states;
    /* state[0] is the output */
    void (*step)(cell *c, cnnfi_kt x, cnnfi_kt *state);
} cell_kind;

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

static cnnfi_kt gate_of(cell *c, cnnfi_kt x, int32_t gate)
{
    return columns(c->b, x, gate * c->units, gate + 1 < c->gates ? (gate + 1) * c->units : 0);
}

static cnnfi_kt bias_row(cell *c, int64_t row)
{
    cnnfi_kt out = c->bias;
    const cnnfi_kindex index = {.kind = CNNFI_KINDEX_AT, .begin = row};
    if (!cnnfi_kb_index(c->b, &out, cnnfi_kb_read(c->b, c->bias), 1, &index)) return c->bias;
    out = cnnfi_kb_reshape(c->b, "Reshape", out, 1, (const int64_t[]){-1});
    out.dims[0] = c->gates * c->units;
    return out;
}

static void cut_gru(cell *c, slices *s)
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

static void cut_lstm(cell *c, slices *s)
{
    for (int32_t g = 0; g < c->gates; g++)
        s->kernel[g] = gate_of(c, c->kernel, g);
    for (int32_t g = 0; g < c->gates; g++)
        s->recurrent[g] = gate_of(c, c->recurrent, g);
    for (int32_t g = 0; c->use_bias && g < c->gates; g++)
        s->bias[g] = gate_of(c, c->bias, g);
}

/* ---- steps ---- */

static cnnfi_kt dot(cell *c, cnnfi_kt x, cnnfi_kt y)
{
    return cnnfi_kb_matmul(c->b, "MatMul", x, y);
}

static cnnfi_kt add_bias(cell *c, cnnfi_kt x, cnnfi_kt bias)
{
    return c->use_bias ? cnnfi_kb_bias_add(c->b, "BiasAdd", x, bias, "NHWC") : x;
}

static cnnfi_kt plus(cell *c, cnnfi_kt x, cnnfi_kt y)
{
    return cnnfi_kb_binary(c->b, "AddV2", "add", x, y);
}

static cnnfi_kt times(cell *c, cnnfi_kt x, cnnfi_kt y)
{
    return cnnfi_kb_binary(c->b, "Mul", "mul", x, y);
}

static cnnfi_kt activate(cell *c, cnnfi_kt x)
{
    return cnnfi_kc_activation(c->kc, "activation", x);
}

static cnnfi_kt open_gate(cell *c, cnnfi_kt x)
{
    return cnnfi_kc_activation(c->kc, "recurrent_activation", x);
}

static cnnfi_kt recurrent_gate(cell *c, int32_t gate)
{
    return c->cut ? c->cut->recurrent[gate] : gate_of(c, c->recurrent, gate);
}

static void simple_step(cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kt h = add_bias(c, dot(c, x, c->kernel), c->bias);
    state[0] = activate(c, plus(c, h, dot(c, state[0], c->recurrent)));
}

/* tf.split() of a row of gates, or multi-backend's slices of it */
static void split_gates(cell *c, cnnfi_kt z, int32_t axis, cnnfi_kt *out)
{
    cnnfi_kt part = c->b->tf ? cnnfi_kb_split(c->b, "split", z, axis, c->gates) : z;
    for (int32_t g = 0; g < c->gates; g++)
        out[g] = c->b->tf ? cnnfi_kb_port(c->b, &part, g) : gate_of(c, z, g);
}

static void lstm_inputs(cell *c, cnnfi_kt x, cnnfi_kt *out)
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

static cnnfi_kt lstm_gate(cell *c, cnnfi_kt x, cnnfi_kt h, int32_t gate)
{
    return plus(c, x, dot(c, h, recurrent_gate(c, gate)));
}

/* gates: input, forget, candidate, output */
static void lstm_separate(cell *c, cnnfi_kt x, cnnfi_kt *state)
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

static void lstm_together(cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kt z[MAX_GATES], all = dot(c, x, c->kernel);
    all = add_bias(c, plus(c, all, dot(c, state[0], c->recurrent)), c->bias);
    split_gates(c, all, 1, z);
    cnnfi_kt i = open_gate(c, z[0]), f = open_gate(c, z[1]), kept = times(c, f, state[1]);
    state[1] = plus(c, kept, times(c, i, activate(c, z[2])));
    cnnfi_kt o = open_gate(c, z[3]);
    state[0] = times(c, o, activate(c, state[1]));
}

static void lstm_step(cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    if (c->separate)
        lstm_separate(c, x, state);
    else
        lstm_together(c, x, state);
}

/* tf.keras: the bias, or its two rows */
static void gru_biases(cell *c, cnnfi_kt *input, cnnfi_kt *hidden)
{
    *input = *hidden = c->bias;
    if (c->cut) {
        *input = c->cut->input_bias;
        *hidden = c->cut->hidden_bias;
    } else if (c->use_bias && c->reset_after) {
        cnnfi_kt rows = cnnfi_kb_read(c->b, c->bias);
        cnnf_node *node = cnnfi_kb_node_t(c->b, input, "Unpack", "unstack", 1, &rows);
        cnnfi_node_set_int(c->b->graph, node, "num", 2);
        cnnfi_node_set_int(c->b->graph, node, "axis", 0);
        *input = cnnfi_kt_shaped(*input, 1, &rows.dims[1]);
        *hidden = cnnfi_kb_port(c->b, input, 1);
    }
}

/* h = z * h + (1 - z) * candidate */
static cnnfi_kt gru_mix(cell *c, cnnfi_kt z, cnnfi_kt h, cnnfi_kt candidate)
{
    cnnfi_kt kept = times(c, z, h);
    return plus(c, kept, times(c, cnnfi_kb_const_binary(c->b, "Sub", "sub", 1, z), candidate));
}

static cnnfi_kt hidden_product(cell *c, cnnfi_kt h, int32_t gate, cnnfi_kt hidden_bias)
{
    cnnfi_kt y = dot(c, h, recurrent_gate(c, gate));
    if (!c->reset_after || !c->use_bias) return y;
    return add_bias(c, y, c->cut ? c->cut->recurrent_bias[gate] : gate_of(c, hidden_bias, gate));
}

/* gates: update, reset, candidate */
static void gru_separate(cell *c, cnnfi_kt x, cnnfi_kt *state)
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
static void split_uneven(cell *c, cnnfi_kt x, cnnfi_kt *out)
{
    cnnfi_kb *b = c->b;
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

static void gru_together(cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kt in[MAX_GATES], hid[MAX_GATES], input_bias, hidden_bias, h = state[0];
    gru_biases(c, &input_bias, &hidden_bias);
    split_gates(c, add_bias(c, dot(c, x, c->kernel), input_bias), -1, in);
    cnnfi_kt inner = c->reset_after ? dot(c, h, c->recurrent) : dot(c, h, columns(c->b, c->recurrent, 0, 2 * c->units));
    if (c->reset_after) inner = add_bias(c, inner, hidden_bias);
    if (c->b->tf)
        split_uneven(c, inner, hid);
    else
        for (int32_t g = 0; g < 2; g++)
            hid[g] = gate_of(c, inner, g);
    cnnfi_kt z = open_gate(c, plus(c, in[0], hid[0])), r = open_gate(c, plus(c, in[1], hid[1]));
    if (!c->reset_after) {
        cnnfi_kt reset = times(c, r, h);
        hid[2] = dot(c, reset, columns(c->b, c->recurrent, 2 * c->units, 0));
    } else {
        hid[2] = times(c, r, c->b->tf ? hid[2] : gate_of(c, inner, 2));
    }
    state[0] = gru_mix(c, z, h, activate(c, plus(c, in[2], hid[2])));
}

static void gru_step(cell *c, cnnfi_kt x, cnnfi_kt *state)
{
    if (c->separate)
        gru_separate(c, x, state);
    else
        gru_together(c, x, state);
}

static const cell_kind kinds[] = {
    {"SimpleRNN", "SimpleRNNCell", "simple_rnn_cell", 1, 1, simple_step},
    {"GRU", "GRUCell", "gru_cell", 3, 1, gru_step},
    {"LSTM", "LSTMCell", "lstm_cell", 4, 2, lstm_step},
};

static const cell_kind *kind_named(const char *name)
{
    for (size_t i = 0; name && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].layer, name) == 0 || strcmp(kinds[i].cell, name) == 0) return &kinds[i];
    return NULL;
}

/* The kind, and for RNN(cell) the cell's configuration in place of the layer's in *inner. */
static const cell_kind *kind_of(cnnfi_kc *kc, cnnfi_kc *inner)
{
    const cell_kind *kind = kind_named(kc->layer->class_name);
    *inner = *kc;
    if (kind) return kind;
    const char *class_name = NULL;
    const cnnfi_json *config = cnnfi_kc_serialized(cnnfi_json_get(kc->config, "cell"), &class_name);
    kind = kind_named(class_name);
    if (!kind) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "its cell '%s' is not supported", class_name ? class_name : "?");
    if (config) inner->config = config;
    return kind;
}

static bool reset_after(const cnnfi_kc *kc, const cell_kind *kind)
{
    return kind->gates == 3 && cnnfi_kc_bool(kc, "reset_after", kc->b->keras3);
}

/* ---- building ---- */

void cnnfi_keras_rnn_build(cnnfi_kc *outer)
{
    cnnfi_kc kc;
    cnnfi_kb *b = outer->b;
    const cell_kind *kind = kind_of(outer, &kc);
    if (!kind) return;
    int64_t units = cnnfi_kc_positive(&kc, "units"), in = kc.inputs[0].dims[kc.inputs[0].rank - 1],
            wide = kind->gates * units;
    const int64_t bias_dims[2] = {2, wide};
    bool after = reset_after(&kc, kind);
    const char *saved = b->scope;
    if (b->tf) (void)cnnfi_kb_push(b, kind->scope);
    (void)cnnfi_kc_weight(&kc, "kernel", 2, (const int64_t[]){in, wide}, CNNFI_KINIT_RANDOM, true);
    (void)cnnfi_kc_weight(&kc, "recurrent_kernel", 2, (const int64_t[]){units, wide}, CNNFI_KINIT_RANDOM, true);
    /* LSTM's forget bias starts at one: three constants, joined */
    bool forget = !b->tf && kind->gates == 4 && cnnfi_kc_bool(&kc, "use_bias", true) &&
                  cnnfi_kc_bool(&kc, "unit_forget_bias", true);
    if (forget) cnnfi_kb_reserve(b, "Const");
    if (forget) cnnfi_kb_reserve(b, "Const");
    if (forget) cnnfi_kb_reserve(b, "concat");
    if (cnnfi_kc_bool(&kc, "use_bias", true))
        (void)cnnfi_kc_weight(&kc, "bias", after ? 2 : 1, after ? bias_dims : &wide, CNNFI_KINIT_ZEROS, true);
    cnnfi_kb_pop(b, saved);
    if (b->tf || kind->gates == 1 || !cnnfi_kb_ok(b)) return;
    slices *s = cnnfi_builder_array(b->graph, 1, sizeof *s);
    cell c = {.kc = &kc,
              .b = b,
              .gates = kind->gates,
              .units = units,
              .use_bias = cnnfi_kc_bool(&kc, "use_bias", true),
              .reset_after = after,
              .kernel = cnnfi_kc_variable(&kc, 0),
              .recurrent = cnnfi_kc_variable(&kc, 1),
              .bias = cnnfi_kc_variable(&kc, 2)};
    if (!s) return;
    if (kind->gates == 4)
        cut_lstm(&c, s);
    else
        cut_gru(&c, s);
    outer->state->extra = s;
}

/* ---- states ---- */

static cnnfi_kt tile_to(cnnfi_kb *b, cnnfi_kt x, int64_t units)
{
    const char *saved = cnnfi_kb_push(b, "Tile");
    cnnfi_kt out, inputs[2] = {x, cnnfi_kb_ints(b, "multiples", 2, (const int32_t[]){1, (int32_t)units})};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Tile", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tmultiples", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    out.dims[1] = units;
    return out;
}

/* multi-backend: zeros summed out of the input */
static void zero_states(cnnfi_kb *b, cnnfi_kt x, int64_t units, int32_t n, cnnfi_kt *state)
{
    cnnfi_kt zeros = cnnfi_kb_unary(b, "ZerosLike", "zeros_like", x);
    cnnfi_kt one = cnnfi_kb_expand_dims(b, "ExpandDims",
                                        cnnfi_kb_reduce(b, "Sum", "Sum", zeros, 2, (const int32_t[]){1, 2}, false), -1);
    for (int32_t i = 0; i < n; i++)
        state[i] = tile_to(b, one, units);
}

static void zero_states_tf(cnnfi_kb *b, cnnfi_kt x, int64_t units, int32_t n, cnnfi_kt *state)
{
    cnnfi_kt batch = cnnfi_kb_slice(b, "strided_slice", cnnfi_kb_shape_of(b, "Shape", x), 0, 1, false, false, true);
    for (int32_t i = 0; i < n; i++) {
        const char *saved = cnnfi_kb_push(b, "zeros");
        const cnnfi_kdim items[2] = {cnnfi_kdim_tensor(batch), cnnfi_kdim_of(units)};
        cnnfi_kt shape = cnnfi_kb_autopack(b, "packed", 2, items),
                 inputs[2] = {shape, cnnfi_kb_scalar(b, "Const", CNNF_FLOAT, 0)};
        cnnf_node *node = cnnfi_kb_node(b, &state[i], "Fill", "", 2, inputs);
        cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
        cnnfi_node_set_type(b->graph, node, "index_type", CNNF_INT32);
        cnnfi_kb_pop(b, saved);
        state[i] = cnnfi_kt_shaped(state[i], 2, (const int64_t[]){x.dims[0], units});
        state[i].dtype = CNNF_FLOAT;
    }
}

static void first_states(cnnfi_kc *kc, int64_t units, int32_t n, cnnfi_kt *state)
{
    cnnfi_kt x = kc->inputs[0];
    if (kc->n_inputs == (size_t)n + 1) {
        for (int32_t i = 0; i < n; i++) {
            state[i] = kc->inputs[i + 1];
            if (!state[i].name || state[i].rank != 2)
                cnnfi_kc_fail(kc, CNNF_E_MISMATCH, "initial state %d is no matrix", i);
        }
    } else if (kc->n_inputs != 1) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "it is called with %zu inputs", kc->n_inputs);
    } else if (kc->b->tf) {
        zero_states_tf(kc->b, x, units, n, state);
    } else {
        zero_states(kc->b, x, units, n, state);
    }
}

/* ---- the loop, unrolled ---- */

static const int32_t swap_time[3] = {1, 0, 2};

static cnnfi_kt stack_steps(cnnfi_kb *b, int64_t steps, const cnnfi_kt *outputs)
{
    cnnfi_kt y;
    cnnf_node *node = cnnfi_kb_node_t(b, &y, "Pack", "stack", (size_t)steps, outputs);
    cnnfi_node_set_int(b->graph, node, "N", steps);
    cnnfi_node_set_int(b->graph, node, "axis", 0);
    y = cnnfi_kt_shaped(y, 3, (const int64_t[]){steps, outputs[0].dims[0], outputs[0].dims[1]});
    return cnnfi_kb_transpose(b, "transpose", y, swap_time);
}

static bool check(cnnfi_kc *kc)
{
    const cnnfi_kt *x = &kc->inputs[0];
    if (x->dims[1] < 1 || x->dims[1] > 65536)
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "a recurrent layer is unrolled here and needs a known number of steps");
    if (x->mask)
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED,
                      "recurrent layers over masked steps (Masking, mask_zero) are not supported");
    if (cnnfi_kc_bool(kc, "stateful", false))
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "stateful recurrent layers are not supported");
    if (cnnfi_kc_bool(kc, "time_major", false)) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "time_major is not supported");
    return cnnfi_kb_ok(kc->b);
}

static void run_steps(cell *c, const cell_kind *kind, cnnfi_kt x, bool backwards, cnnfi_kt *state, cnnfi_kt *outputs)
{
    cnnfi_kb *b = c->b;
    int64_t steps = x.dims[1];
    cnnfi_kt turned = cnnfi_kb_transpose(b, "transpose", x, swap_time), part;
    cnnf_node *node = cnnfi_kb_node_t(b, &part, "Unpack", "unstack", 1, &turned);
    cnnfi_node_set_int(b->graph, node, "num", steps);
    cnnfi_node_set_int(b->graph, node, "axis", 0);
    part = cnnfi_kt_shaped(part, 2, (const int64_t[]){x.dims[0], x.dims[2]});
    for (int64_t t = 0; t < steps && cnnfi_kb_ok(b); t++) {
        const char *saved = b->scope;
        if (b->tf) (void)cnnfi_kb_push(b, kind->scope);
        kind->step(c, cnnfi_kb_port(b, &part, (int32_t)(backwards ? steps - 1 - t : t)), state);
        cnnfi_kb_pop(b, saved);
        outputs[t] = state[0];
    }
}

void cnnfi_keras_rnn_call(cnnfi_kc *outer, bool reverse)
{
    cnnfi_kc kc;
    const cell_kind *kind = kind_of(outer, &kc);
    if (!kind || !check(outer)) return;
    cnnfi_kb *b = outer->b;
    cell c = {.kc = &kc,
              .b = b,
              .gates = kind->gates,
              .units = cnnfi_kc_positive(&kc, "units"),
              .use_bias = cnnfi_kc_bool(&kc, "use_bias", true),
              .reset_after = reset_after(&kc, kind),
              .separate = cnnfi_kc_int(&kc, "implementation", b->keras3 ? 2 : 1) == 1,
              .kernel = cnnfi_kc_variable(&kc, 0),
              .recurrent = cnnfi_kc_variable(&kc, 1),
              .bias = cnnfi_kc_variable(&kc, 2),
              .cut = outer->state->extra};
    cnnfi_kt x = outer->inputs[0], state[2];
    cnnfi_kt *outputs = cnnfi_builder_array(b->graph, (size_t)x.dims[1] + 1, sizeof *outputs);
    first_states(outer, c.units, kind->states, state);
    if (!outputs || !cnnfi_kb_ok(b)) return;
    run_steps(&c, kind, x, cnnfi_kc_bool(outer, "go_backwards", false) != reverse, state, outputs);
    if (!cnnfi_kb_ok(b)) return;
    cnnfi_kt all = stack_steps(b, x.dims[1], outputs);
    cnnfi_kt results[3] = {cnnfi_kc_bool(outer, "return_sequences", false) ? all : state[0], state[0], state[1]};
    cnnfi_kc_return_n(outer, cnnfi_kc_bool(outer, "return_state", false) ? (size_t)kind->states + 1 : 1, results);
}

static void recurrent(cnnfi_kc *kc)
{
    cnnfi_keras_rnn_call(kc, false);
}

#define FIELDS                                                                                                         \
    "units activation recurrent_activation use_bias reset_after implementation return_sequences return_state "         \
    "go_backwards"
#define ROW(class, weights)                                                                                            \
    {                                                                                                                  \
        class, FIELDS, weights, CNNFI_KERAS_VERIFIED, 3, 3, 1, 3, cnnfi_keras_rnn_build, recurrent, NULL               \
    }

static const cnnfi_keras_row rows[] = {
    ROW("GRU", "kernel recurrent_kernel bias"),
    ROW("LSTM", "kernel recurrent_kernel bias"),
    ROW("RNN", "the cell's"),
    ROW("SimpleRNN", "kernel recurrent_kernel bias"),
};

const cnnfi_keras_family cnnfi_keras_recurrent = {"Recurrent", rows, sizeof rows / sizeof rows[0]};
