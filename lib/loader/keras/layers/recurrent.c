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
static void add_cell(cnnfi_layer_call *call, cnnfi_rnn *rnn, const char *class_name, const cnnfi_json *config)
{
    const cnnfi_rnn_kind *kind = kind_named(class_name);
    if (!rnn->cells) rnn->cells = cnnfi_builder_array(call->b->graph, 1, sizeof *rnn->cells);
    if (!rnn->cells) return;
    if (!kind) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its cell '%s' is not supported", class_name ? class_name : "?");
        return;
    }
    cnnfi_rnn_cell *c = &rnn->cells[rnn->n_cells++];
    *c = (cnnfi_rnn_cell){.kind = kind, .call = *call, .scope = kind->scope};
    if (config) c->scope = cnnfi_json_string(cnnfi_json_get(config, "name"), kind->scope);
    if (config) c->call.config = config;
    rnn->n_states += (size_t)kind->states;
}

static void add_cells(cnnfi_layer_call *call, cnnfi_rnn *rnn)
{
    const char *class_name = NULL;
    if (kind_named(call->layer->class_name)) {
        add_cell(call, rnn, call->layer->class_name, NULL);
        return;
    }
    const cnnfi_json *config = cnnfi_layer_serialized(cnnfi_json_get(call->config, "cell"), &class_name);
    if (!class_name || strcmp(class_name, "StackedRNNCells") != 0) {
        add_cell(call, rnn, class_name, config);
        return;
    }
    const cnnfi_json *cells = cnnfi_json_get(config, "cells");
    rnn->stack = cnnfi_json_string(cnnfi_json_get(config, "name"), "stacked_rnn_cells");
    if (cnnfi_json_size(cells) == 0 || cnnfi_json_size(cells) > MAX_CELLS)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "it stacks %zu cells", cnnfi_json_size(cells));
    else
        rnn->cells = cnnfi_builder_array(call->b->graph, cnnfi_json_size(cells), sizeof *rnn->cells);
    for (size_t i = 0; i < cnnfi_json_size(cells) && cnnfi_build_ok(call->b); i++) {
        config = cnnfi_layer_serialized(cnnfi_json_at(cells, i), &class_name);
        add_cell(call, rnn, class_name, config);
    }
}

/* The layer's cells, made when it is built; NULL after a failure. */
static cnnfi_rnn *rnn_of(cnnfi_layer_call *call)
{
    if (!call->state->extra) {
        cnnfi_rnn *rnn = cnnfi_builder_array(call->b->graph, 1, sizeof *rnn);
        if (!rnn) return NULL;
        call->state->extra = rnn;
        add_cells(call, rnn);
    }
    return cnnfi_build_ok(call->b) ? call->state->extra : NULL;
}

/* What the next cell of a stack gets. */
static cnnfi_keras_tensor after_cell(const cnnfi_rnn_cell *c, cnnfi_keras_tensor x)
{
    x.dims[x.rank - 1] = c->units;
    return x;
}

static bool time_major(const cnnfi_layer_call *call)
{
    return cnnfi_layer_bool(call, "time_major", false);
}

static cnnfi_keras_tensor step_shape(cnnfi_keras_tensor x)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {-1};
    for (int32_t i = 2; i < x.rank; i++)
        dims[i - 1] = x.dims[i];
    return cnnfi_keras_tensor_shaped(x, x.rank - 1, dims);
}

void cnnfi_keras_rnn_build(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_rnn *rnn = rnn_of(call);
    if (!rnn) return;
    cnnfi_keras_tensor x = step_shape(call->inputs[0]);
    const char *saved = b->scope;
    if (b->tf && rnn->stack) (void)cnnfi_build_push(b, rnn->stack);
    for (size_t i = 0; i < rnn->n_cells && cnnfi_build_ok(b); i++) {
        cnnfi_rnn_cell *c = &rnn->cells[i];
        if (x.rank != c->kind->rank) {
            cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its input has %d dimensions, it takes %d", x.rank + 1,
                             c->kind->rank + 1);
            break;
        }
        const char *outer = b->scope;
        if (b->tf) (void)cnnfi_build_push(b, c->scope);
        c->kind->build(c, x);
        cnnfi_build_pop(b, outer);
        x = after_cell(c, x);
    }
    cnnfi_build_pop(b, saved);
}

cnnfi_keras_tensor cnnfi_rnn_step(cnnfi_rnn *rnn, cnnfi_keras_tensor x, cnnfi_keras_tensor *state)
{
    cnnfi_keras_builder *b = rnn->cells[0].call.b;
    const char *saved = b->scope;
    if (b->tf && rnn->stack) (void)cnnfi_build_push(b, rnn->stack);
    for (size_t i = 0; i < rnn->n_cells && cnnfi_build_ok(b); i++) {
        cnnfi_rnn_cell *c = &rnn->cells[i];
        const char *outer = b->scope;
        if (b->tf) (void)cnnfi_build_push(b, c->scope);
        c->kind->step(c, x, state);
        cnnfi_build_pop(b, outer);
        x = state[0];
        state += c->kind->states;
    }
    cnnfi_build_pop(b, saved);
    return x;
}

/* ---- first states ---- */

static cnnfi_keras_tensor tile_to(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int64_t units)
{
    const char *saved = cnnfi_build_push(b, "Tile");
    cnnfi_keras_tensor out, inputs[2] = {x, cnnfi_build_ints(b, "multiples", 2, (const int32_t[]){1, (int32_t)units})};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Tile", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tmultiples", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    out.dims[1] = units;
    return out;
}

/* multi-backend: zeros summed out of the input; [batch, 1] */
static cnnfi_keras_tensor zero_column(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor zeros = cnnfi_build_unary(b, "ZerosLike", "zeros_like", x);
    return cnnfi_build_expand_dims(b, "ExpandDims",
                                   cnnfi_build_reduce(b, "Sum", "Sum", zeros, 2, (const int32_t[]){1, 2}, false), -1);
}

static cnnfi_keras_tensor zeros_tf(cnnfi_keras_builder *b, cnnfi_keras_tensor batch, int64_t size, int64_t units)
{
    cnnfi_keras_tensor out;
    const char *saved = cnnfi_build_push(b, "zeros");
    const cnnfi_keras_dim items[2] = {cnnfi_keras_dim_tensor(batch), cnnfi_keras_dim_of(units)};
    cnnfi_keras_tensor shape = cnnfi_build_autopack(b, "packed", 2, items),
                       inputs[2] = {shape, cnnfi_build_scalar(b, "Const", CNNF_FLOAT, 0)};
    cnnf_node *node = cnnfi_build_node(b, &out, "Fill", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b->graph, node, "index_type", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    out.dtype = CNNF_FLOAT;
    return cnnfi_keras_tensor_shaped(out, 2, (const int64_t[]){size, units});
}

/* A stateful layer starts from zeros as well: its states are no weights. */
static void zero_states(cnnfi_layer_call *call, cnnfi_rnn *rnn, cnnfi_keras_tensor *state)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], from;
    int32_t at = time_major(call) ? 1 : 0;
    if (rnn->cells[0].kind->initial) {
        rnn->cells[0].kind->initial(&rnn->cells[0], x, state);
        return;
    }
    from = b->tf ? cnnfi_build_slice(b, "strided_slice", cnnfi_build_shape_of(b, "Shape", x), at, at + 1, false, false,
                                     true)
                 : zero_column(b, x);
    for (size_t i = 0; i < rnn->n_cells; i++)
        for (int32_t k = 0; k < rnn->cells[i].kind->states; k++, state++)
            *state = b->tf ? zeros_tf(b, from, x.dims[at], rnn->cells[i].units) : tile_to(b, from, rnn->cells[i].units);
}

static bool reversed_states(const cnnfi_layer_call *call, const cnnfi_rnn *rnn)
{
    const char *class_name = NULL;
    const cnnfi_json *config = cnnfi_layer_serialized(cnnfi_json_get(call->config, "cell"), &class_name);
    return rnn->stack && cnnfi_json_bool(cnnfi_json_get(config, "reverse_state_order"), false);
}

static void first_states(cnnfi_layer_call *call, cnnfi_rnn *rnn, cnnfi_keras_tensor *state)
{
    if (call->n_inputs == rnn->n_states + 1) {
        for (size_t i = 0; i < rnn->n_states; i++) {
            state[i] = call->inputs[i + 1];
            if (!state[i].name || state[i].rank != rnn->cells[0].kind->rank)
                cnnfi_layer_fail(call, CNNF_E_MISMATCH, "initial state %zu has %d dimensions", i, state[i].rank);
        }
        if (reversed_states(call, rnn))
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "initial states in reverse order are not supported");
    } else if (call->n_inputs != 1) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "it is called with %zu inputs", call->n_inputs);
    } else {
        zero_states(call, rnn, state);
    }
}

/* ---- calling ---- */

static bool check(cnnfi_layer_call *call)
{
    const cnnfi_keras_tensor *x = &call->inputs[0];
    int64_t steps = x->dims[time_major(call) ? 0 : 1];
    if (steps == 0 || steps > MAX_STEPS)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "%lld steps are not supported", (long long)steps);
    if (x->mask && x->mask->rank != 2)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its mask has %d dimensions, not 2", x->mask->rank);
    for (int32_t i = 2; i < x->rank; i++)
        if (x->dims[i] < 0) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "dimension %d of its input must be known", i);
    return cnnfi_build_ok(call->b);
}

/* The states in the order that Keras returns them. */
static void put_states(cnnfi_layer_call *call, const cnnfi_rnn *rnn, const cnnfi_keras_tensor *state,
                       cnnfi_keras_tensor *out)
{
    if (!reversed_states(call, rnn)) {
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
static const cnnfi_keras_tensor *mask_of(const cnnfi_layer_call *call)
{
    bool given = !call->b->keras3 || call->n_inputs == 1;
    for (size_t i = 0; call->record && i < call->record->n_named; i++)
        given = given || strcmp(call->record->names[i], "mask") == 0;
    return given ? call->inputs[0].mask : NULL;
}

void cnnfi_keras_rnn_call(cnnfi_layer_call *call, bool reverse, bool zero_output)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_rnn *rnn = rnn_of(call);
    if (!rnn || !check(call)) return;
    cnnfi_keras_tensor *state = cnnfi_builder_array(b->graph, rnn->n_states, sizeof *state),
                       *results = cnnfi_builder_array(b->graph, rnn->n_states + 1, sizeof *results);
    if (!state || !results) return;
    cnnfi_rnn_run run = {.b = b,
                         .rnn = rnn,
                         .x = call->inputs[0],
                         .mask = mask_of(call),
                         .time_major = time_major(call),
                         .backwards = cnnfi_layer_bool(call, "go_backwards", false) != reverse,
                         .zero_output = zero_output || cnnfi_layer_bool(call, "zero_output_for_mask", false),
                         .sequences = cnnfi_layer_bool(call, "return_sequences", false),
                         .written_out = cnnfi_layer_bool(call, "unroll", false),
                         .state = state};
    int64_t *steps = &run.x.dims[run.time_major ? 0 : 1];
    first_states(call, rnn, state);
    if (!cnnfi_build_ok(b)) return;
    if (*steps < 0 && b->model->rnn_steps > 0) *steps = b->model->rnn_steps;
    if (*steps < 0)
        cnnfi_rnn_loop(&run);
    else
        cnnfi_rnn_unroll(&run);
    if (!cnnfi_build_ok(b)) return;
    results[0] = run.sequences ? run.all : run.last;
    results[0].mask = run.sequences ? call->inputs[0].mask : NULL;
    put_states(call, rnn, state, results + 1);
    cnnfi_layer_return_n(call, cnnfi_layer_bool(call, "return_state", false) ? rnn->n_states + 1 : 1, results);
}

void cnnfi_keras_rnn_inputs(cnnfi_layer_call *call)
{
    const size_t most = call->n_inputs + (call->record ? call->record->n_named : 0);
    cnnfi_keras_tensor *inputs =
        most > call->n_inputs ? cnnfi_builder_array(call->b->graph, most, sizeof *inputs) : NULL;
    if (!inputs) return;
    memcpy(inputs, call->inputs, call->n_inputs * sizeof *inputs);
    for (size_t i = 0; i < call->record->n_named; i++)
        if (strcmp(call->record->names[i], "initial_state") == 0) inputs[call->n_inputs++] = call->named[i];
    call->inputs = inputs;
}

static void recurrent(cnnfi_layer_call *call)
{
    cnnfi_keras_rnn_inputs(call);
    cnnfi_keras_rnn_call(call, false, false);
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
