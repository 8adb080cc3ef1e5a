/* SPDX-License-Identifier: Apache-2.0 */
/* What a recurrent layer repeats: its cell, or the cells stacked in it. */
#ifndef CNNFI_LOADER_KERAS_LAYERS_RNN_CELLS_H
#define CNNFI_LOADER_KERAS_LAYERS_RNN_CELLS_H

#include "loader/keras/layers/layers.h"

#define CNNFI_RNN_MAX_CELL_STATES 2

typedef struct cnnfi_rnn_cell cnnfi_rnn_cell;

typedef struct cnnfi_rnn_kind {
    const char *layer, *cell, *scope; /* "LSTM", "LSTMCell", "lstm_cell" */
    int32_t gates, states, rank;      /* rank: of a step's input */
    /* Weights, in the current scope; x: what a step's input looks like. */
    void (*build)(cnnfi_rnn_cell *c, cnnfi_keras_tensor x);
    /* state[0] is the output */
    void (*step)(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state);
    /* The first states where they are no zeros of [batch, units]; x: the layer's input. NULL otherwise. */
    void (*initial)(cnnfi_rnn_cell *c, cnnfi_keras_tensor x, cnnfi_keras_tensor *state);
} cnnfi_rnn_kind;

struct cnnfi_rnn_cell {
    const cnnfi_rnn_kind *kind;
    cnnfi_layer_call call; /* the layer's, with the cell's configuration */
    const char *scope;     /* tf.keras: its name */
    int32_t gates;
    int64_t units;
    bool use_bias, reset_after, separate; /* separate: implementation 1, one product for each gate */
    cnnfi_keras_tensor kernel, recurrent, bias;
    const struct cnnfi_rnn_slices *cut; /* multi-backend */
    cnnfi_keras_conv conv;              /* ConvLSTM */
};

/* A layer's cells, in the order data goes through them. */
typedef struct cnnfi_rnn {
    size_t n_cells, n_states;
    cnnfi_rnn_cell *cells;
    const char *stack; /* tf.keras: scope of StackedRNNCells; NULL */
} cnnfi_rnn;

extern const cnnfi_rnn_kind cnnfi_rnn_simple, cnnfi_rnn_gru, cnnfi_rnn_lstm;
extern const cnnfi_rnn_kind cnnfi_rnn_conv_lstm[3];

/* All cells, one step: state holds n_states and is replaced; the output is the return value. */
cnnfi_keras_tensor cnnfi_rnn_step(cnnfi_rnn *rnn, cnnfi_keras_tensor x, cnnfi_keras_tensor *state);

/* ---- over time ---- */

typedef struct cnnfi_rnn_run {
    cnnfi_keras_builder *b;
    cnnfi_rnn *rnn;
    cnnfi_keras_tensor x;           /* [batch, steps, ...]; time_major: [steps, batch, ...] */
    const cnnfi_keras_tensor *mask; /* [batch, steps], NULL */
    bool time_major, backwards, zero_output, sequences;
    bool written_out;             /* Keras' own unroll=True */
    cnnfi_keras_tensor *state;    /* n_states: the first, then the last */
    cnnfi_keras_tensor last, all; /* all: only when sequences is set */
} cnnfi_rnn_run;

/* K.rnn(unroll=True): the steps written out (rnn_unroll.c) */
void cnnfi_rnn_unroll(cnnfi_rnn_run *run);
/* K.rnn(): a loop over TensorArrays (rnn_loop.c) */
void cnnfi_rnn_loop(cnnfi_rnn_run *run);

/* What both do (rnn_time.c): batch and time exchanged. */
cnnfi_keras_tensor cnnfi_rnn_swap_time(cnnfi_keras_builder *b, cnnfi_keras_tensor x);
/* The run's mask: [steps, batch], in tf.keras [steps, batch, 1] */
cnnfi_keras_tensor cnnfi_rnn_turned_mask(cnnfi_rnn_run *run);
/* A step's mask for where(), as wide as `like`; tf.keras repeats it along the dimensions from `fixed` on. */
cnnfi_keras_tensor cnnfi_rnn_fit_mask(cnnfi_keras_builder *b, cnnfi_keras_tensor mask, cnnfi_keras_tensor like,
                                      int32_t fixed);
/* The run's states are `held` again where the step is masked. */
void cnnfi_rnn_hold_states(cnnfi_rnn_run *run, cnnfi_keras_tensor mask, const cnnfi_keras_tensor *held, int32_t fixed);

#endif
