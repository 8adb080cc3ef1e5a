/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/recurrent.py: SimpleRNN, GRU, LSTM, RNN and ConvLSTM over a known number of steps. */
#include <string.h>

#include "loader/keras/layers/recurrent.h"
#include "graph/builder.h"
#include "loader/keras/layers/rnn_cells.h"

#define MAX_CELLS 64
#define MAX_STEPS 65536

/* ---- cells ---- */

static const cnnfi_rnn_kind *const kinds[] = {&cnnfi_rnn_simple,       &cnnfi_rnn_gru,
                                              &cnnfi_rnn_lstm,         &cnnfi_rnn_conv_lstm[0],
                                              &cnnfi_rnn_conv_lstm[1], &cnnfi_rnn_conv_lstm[2]};

static const cnnfi_rnn_kind *kind_named(const char *name)
{
    for (size_t i = 0; name && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i]->layer, name) == 0 || strcmp(kinds[i]->cell, name) == 0) return kinds[i];
    return NULL;
}

/* One more cell; config NULL: the layer itself is one. */
static void add_cell(cnnfi_kc *kc, cnnfi_rnn *rnn, const char *class_name, const cnnfi_json *config)
{
    const cnnfi_rnn_kind *kind = kind_named(class_name);
    if (!rnn->cells) rnn->cells = cnnfi_builder_array(kc->b->graph, 1, sizeof *rnn->cells);
    if (!rnn->cells) return;
    if (!kind) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "its cell '%s' is not supported", class_name ? class_name : "?");
        return;
    }
    cnnfi_rnn_cell *c = &rnn->cells[rnn->n_cells++];
    *c = (cnnfi_rnn_cell){.kind = kind, .kc = *kc, .scope = kind->scope};
    if (config) c->scope = cnnfi_json_string(cnnfi_json_get(config, "name"), kind->scope);
    if (config) c->kc.config = config;
    rnn->n_states += (size_t)kind->states;
}

static void add_cells(cnnfi_kc *kc, cnnfi_rnn *rnn)
{
    const char *class_name = NULL;
    if (kind_named(kc->layer->class_name)) {
        add_cell(kc, rnn, kc->layer->class_name, NULL);
        return;
    }
    const cnnfi_json *config = cnnfi_kc_serialized(cnnfi_json_get(kc->config, "cell"), &class_name);
    if (!class_name || strcmp(class_name, "StackedRNNCells") != 0) {
        add_cell(kc, rnn, class_name, config);
        return;
    }
    const cnnfi_json *cells = cnnfi_json_get(config, "cells");
    rnn->stack = cnnfi_json_string(cnnfi_json_get(config, "name"), "stacked_rnn_cells");
    if (cnnfi_json_size(cells) == 0 || cnnfi_json_size(cells) > MAX_CELLS)
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "it stacks %zu cells", cnnfi_json_size(cells));
    else
        rnn->cells = cnnfi_builder_array(kc->b->graph, cnnfi_json_size(cells), sizeof *rnn->cells);
    for (size_t i = 0; i < cnnfi_json_size(cells) && cnnfi_kb_ok(kc->b); i++) {
        config = cnnfi_kc_serialized(cnnfi_json_at(cells, i), &class_name);
        add_cell(kc, rnn, class_name, config);
    }
}

/* The layer's cells, made when it is built; NULL after a failure. */
static cnnfi_rnn *rnn_of(cnnfi_kc *kc)
{
    if (!kc->state->extra) {
        cnnfi_rnn *rnn = cnnfi_builder_array(kc->b->graph, 1, sizeof *rnn);
        if (!rnn) return NULL;
        kc->state->extra = rnn;
        add_cells(kc, rnn);
    }
    return cnnfi_kb_ok(kc->b) ? kc->state->extra : NULL;
}

/* What the next cell of a stack gets. */
static cnnfi_kt after_cell(const cnnfi_rnn_cell *c, cnnfi_kt x)
{
    x.dims[x.rank - 1] = c->units;
    return x;
}

static bool time_major(const cnnfi_kc *kc)
{
    return cnnfi_kc_bool(kc, "time_major", false);
}

static cnnfi_kt step_shape(cnnfi_kt x)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {-1};
    for (int32_t i = 2; i < x.rank; i++)
        dims[i - 1] = x.dims[i];
    return cnnfi_kt_shaped(x, x.rank - 1, dims);
}

void cnnfi_keras_rnn_build(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_rnn *rnn = rnn_of(kc);
    if (!rnn) return;
    cnnfi_kt x = step_shape(kc->inputs[0]);
    const char *saved = b->scope;
    if (b->tf && rnn->stack) (void)cnnfi_kb_push(b, rnn->stack);
    for (size_t i = 0; i < rnn->n_cells && cnnfi_kb_ok(b); i++) {
        cnnfi_rnn_cell *c = &rnn->cells[i];
        if (x.rank != c->kind->rank) {
            cnnfi_kc_fail(kc, CNNF_E_MISMATCH, "its input has %d dimensions, it takes %d", x.rank + 1,
                          c->kind->rank + 1);
            break;
        }
        const char *outer = b->scope;
        if (b->tf) (void)cnnfi_kb_push(b, c->scope);
        c->kind->build(c, x);
        cnnfi_kb_pop(b, outer);
        x = after_cell(c, x);
    }
    cnnfi_kb_pop(b, saved);
}

cnnfi_kt cnnfi_rnn_step(cnnfi_rnn *rnn, cnnfi_kt x, cnnfi_kt *state)
{
    cnnfi_kb *b = rnn->cells[0].kc.b;
    const char *saved = b->scope;
    if (b->tf && rnn->stack) (void)cnnfi_kb_push(b, rnn->stack);
    for (size_t i = 0; i < rnn->n_cells && cnnfi_kb_ok(b); i++) {
        cnnfi_rnn_cell *c = &rnn->cells[i];
        const char *outer = b->scope;
        if (b->tf) (void)cnnfi_kb_push(b, c->scope);
        c->kind->step(c, x, state);
        cnnfi_kb_pop(b, outer);
        x = state[0];
        state += c->kind->states;
    }
    cnnfi_kb_pop(b, saved);
    return x;
}

/* ---- first states ---- */

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

/* multi-backend: zeros summed out of the input; [batch, 1] */
static cnnfi_kt zero_column(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt zeros = cnnfi_kb_unary(b, "ZerosLike", "zeros_like", x);
    return cnnfi_kb_expand_dims(b, "ExpandDims",
                                cnnfi_kb_reduce(b, "Sum", "Sum", zeros, 2, (const int32_t[]){1, 2}, false), -1);
}

static cnnfi_kt zeros_tf(cnnfi_kb *b, cnnfi_kt batch, int64_t size, int64_t units)
{
    cnnfi_kt out;
    const char *saved = cnnfi_kb_push(b, "zeros");
    const cnnfi_kdim items[2] = {cnnfi_kdim_tensor(batch), cnnfi_kdim_of(units)};
    cnnfi_kt shape = cnnfi_kb_autopack(b, "packed", 2, items),
             inputs[2] = {shape, cnnfi_kb_scalar(b, "Const", CNNF_FLOAT, 0)};
    cnnf_node *node = cnnfi_kb_node(b, &out, "Fill", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b->graph, node, "index_type", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    out.dtype = CNNF_FLOAT;
    return cnnfi_kt_shaped(out, 2, (const int64_t[]){size, units});
}

/* A stateful layer starts from zeros as well: its states are no weights. */
static void zero_states(cnnfi_kc *kc, cnnfi_rnn *rnn, cnnfi_kt *state)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = kc->inputs[0], from;
    int32_t at = time_major(kc) ? 1 : 0;
    if (rnn->cells[0].kind->initial) {
        rnn->cells[0].kind->initial(&rnn->cells[0], x, state);
        return;
    }
    from = b->tf ? cnnfi_kb_slice(b, "strided_slice", cnnfi_kb_shape_of(b, "Shape", x), at, at + 1, false, false, true)
                 : zero_column(b, x);
    for (size_t i = 0; i < rnn->n_cells; i++)
        for (int32_t k = 0; k < rnn->cells[i].kind->states; k++, state++)
            *state = b->tf ? zeros_tf(b, from, x.dims[at], rnn->cells[i].units) : tile_to(b, from, rnn->cells[i].units);
}

static bool reversed_states(const cnnfi_kc *kc, const cnnfi_rnn *rnn)
{
    const char *class_name = NULL;
    const cnnfi_json *config = cnnfi_kc_serialized(cnnfi_json_get(kc->config, "cell"), &class_name);
    return rnn->stack && cnnfi_json_bool(cnnfi_json_get(config, "reverse_state_order"), false);
}

static void first_states(cnnfi_kc *kc, cnnfi_rnn *rnn, cnnfi_kt *state)
{
    if (kc->n_inputs == rnn->n_states + 1) {
        for (size_t i = 0; i < rnn->n_states; i++) {
            state[i] = kc->inputs[i + 1];
            if (!state[i].name || state[i].rank != rnn->cells[0].kind->rank)
                cnnfi_kc_fail(kc, CNNF_E_MISMATCH, "initial state %zu has %d dimensions", i, state[i].rank);
        }
        if (reversed_states(kc, rnn))
            cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "initial states in reverse order are not supported");
    } else if (kc->n_inputs != 1) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "it is called with %zu inputs", kc->n_inputs);
    } else {
        zero_states(kc, rnn, state);
    }
}

/* ---- calling ---- */

static bool check(cnnfi_kc *kc)
{
    const cnnfi_kt *x = &kc->inputs[0];
    int64_t steps = x->dims[time_major(kc) ? 0 : 1];
    if (steps == 0 || steps > MAX_STEPS)
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "%lld steps are not supported", (long long)steps);
    if (x->mask && x->mask->rank != 2)
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "its mask has %d dimensions, not 2", x->mask->rank);
    for (int32_t i = 2; i < x->rank; i++)
        if (x->dims[i] < 0) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "dimension %d of its input must be known", i);
    return cnnfi_kb_ok(kc->b);
}

/* The states in the order that Keras returns them. */
static void put_states(cnnfi_kc *kc, const cnnfi_rnn *rnn, const cnnfi_kt *state, cnnfi_kt *out)
{
    if (!reversed_states(kc, rnn)) {
        memcpy(out, state, rnn->n_states * sizeof *out);
        return;
    }
    size_t at = rnn->n_states;
    for (size_t i = 0; i < rnn->n_cells; i++) {
        at -= (size_t)rnn->cells[i].kind->states;
        memcpy(out + at, state, (size_t)rnn->cells[i].kind->states * sizeof *out);
        state += rnn->cells[i].kind->states;
    }
}

/* Keras 3 finds no mask by itself when it is given states too: with two arguments it looks for `sequences_mask`. */
static const cnnfi_kt *mask_of(const cnnfi_kc *kc)
{
    bool given = !kc->b->keras3 || kc->n_inputs == 1;
    for (size_t i = 0; kc->call && i < kc->call->n_named; i++)
        given = given || strcmp(kc->call->names[i], "mask") == 0;
    return given ? kc->inputs[0].mask : NULL;
}

void cnnfi_keras_rnn_call(cnnfi_kc *kc, bool reverse, bool zero_output)
{
    cnnfi_kb *b = kc->b;
    cnnfi_rnn *rnn = rnn_of(kc);
    if (!rnn || !check(kc)) return;
    cnnfi_kt *state = cnnfi_builder_array(b->graph, rnn->n_states, sizeof *state),
             *results = cnnfi_builder_array(b->graph, rnn->n_states + 1, sizeof *results);
    if (!state || !results) return;
    cnnfi_rnn_run run = {.b = b,
                         .rnn = rnn,
                         .x = kc->inputs[0],
                         .mask = mask_of(kc),
                         .time_major = time_major(kc),
                         .backwards = cnnfi_kc_bool(kc, "go_backwards", false) != reverse,
                         .zero_output = zero_output || cnnfi_kc_bool(kc, "zero_output_for_mask", false),
                         .sequences = cnnfi_kc_bool(kc, "return_sequences", false),
                         .written_out = cnnfi_kc_bool(kc, "unroll", false),
                         .state = state};
    int64_t *steps = &run.x.dims[run.time_major ? 0 : 1];
    first_states(kc, rnn, state);
    if (!cnnfi_kb_ok(b)) return;
    if (*steps < 0 && b->model->rnn_steps > 0) *steps = b->model->rnn_steps;
    if (*steps < 0)
        cnnfi_rnn_loop(&run);
    else
        cnnfi_rnn_unroll(&run);
    if (!cnnfi_kb_ok(b)) return;
    results[0] = run.sequences ? run.all : run.last;
    results[0].mask = run.sequences ? kc->inputs[0].mask : NULL;
    put_states(kc, rnn, state, results + 1);
    cnnfi_kc_return_n(kc, cnnfi_kc_bool(kc, "return_state", false) ? rnn->n_states + 1 : 1, results);
}

void cnnfi_keras_rnn_inputs(cnnfi_kc *kc)
{
    const size_t most = kc->n_inputs + (kc->call ? kc->call->n_named : 0);
    cnnfi_kt *inputs = most > kc->n_inputs ? cnnfi_builder_array(kc->b->graph, most, sizeof *inputs) : NULL;
    if (!inputs) return;
    memcpy(inputs, kc->inputs, kc->n_inputs * sizeof *inputs);
    for (size_t i = 0; i < kc->call->n_named; i++)
        if (strcmp(kc->call->names[i], "initial_state") == 0) inputs[kc->n_inputs++] = kc->named[i];
    kc->inputs = inputs;
}

static void recurrent(cnnfi_kc *kc)
{
    cnnfi_keras_rnn_inputs(kc);
    cnnfi_keras_rnn_call(kc, false, false);
}

#define OVER_TIME " return_sequences return_state go_backwards stateful time_major zero_output_for_mask"
#define FIELDS    "units activation recurrent_activation use_bias reset_after implementation" OVER_TIME
#define CONV_FIELDS                                                                                                    \
    "filters kernel_size strides padding data_format dilation_rate activation recurrent_activation use_bias" OVER_TIME
#define WEIGHTS "kernel recurrent_kernel bias"
#define ROW(class, fields, weights, verified, rank)                                                                    \
    {                                                                                                                  \
        class, fields, weights, verified, rank, rank, 1, 1 + 2 * MAX_CELLS, cnnfi_keras_rnn_build, recurrent, NULL     \
    }

static const cnnfi_keras_row rows[] = {
    ROW("ConvLSTM1D", CONV_FIELDS, WEIGHTS, "tf.keras 2.15, 3", 4),
    ROW("ConvLSTM2D", CONV_FIELDS, WEIGHTS, CNNFI_KERAS_VERIFIED, 5),
    ROW("ConvLSTM3D", CONV_FIELDS, WEIGHTS, "tf.keras 2.15, 3", 6),
    ROW("GRU", FIELDS, WEIGHTS, CNNFI_KERAS_VERIFIED, 3),
    ROW("LSTM", FIELDS, WEIGHTS, CNNFI_KERAS_VERIFIED, 3),
    ROW("RNN", "cell" OVER_TIME, "the cells'", CNNFI_KERAS_VERIFIED, 3),
    ROW("SimpleRNN", FIELDS, WEIGHTS, CNNFI_KERAS_VERIFIED, 3),
};

const cnnfi_keras_family cnnfi_keras_recurrent = {"Recurrent", rows, sizeof rows / sizeof rows[0]};
