/* SPDX-License-Identifier: Apache-2.0 */
/* What Bidirectional needs of a recurrent layer. */
#ifndef CNNFI_LOADER_KERAS_LAYERS_RECURRENT_H
#define CNNFI_LOADER_KERAS_LAYERS_RECURRENT_H

#include "loader/keras/layers/layers.h"

/* Weights, in the current scope. */
void cnnfi_keras_rnn_build(cnnfi_layer_call *call);
/* Puts the states that Keras 3 hands over as `initial_state` behind the input. */
void cnnfi_keras_rnn_inputs(cnnfi_layer_call *call);
/* The layer in the current scope. reverse: the other way round than its configuration says; zero_output: masked steps
   give zeros, whatever it says. */
void cnnfi_keras_rnn_call(cnnfi_layer_call *call, bool reverse, bool zero_output);

#endif
