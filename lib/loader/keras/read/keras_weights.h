/* SPDX-License-Identifier: Apache-2.0 */
/* Giving a nested model's flat list of weights to the layers inside, by their names. */
#ifndef CNNFI_LOADER_KERAS_READ_KERAS_WEIGHTS_H
#define CNNFI_LOADER_KERAS_READ_KERAS_WEIGHTS_H

#include "loader/keras/read/keras_model.h"

/*
 * Keras stores a nested model's weights as one list (trainable ones of all layers, then the others), and how many
 * each layer has is known to its class alone; but each name holds its layer's: "sequential/conv2d/kernel:0".
 * Sets owner[i] for each of `count` names to a layer in `container`, at any depth.
 */
cnnf_status cnnfi_keras_weight_owners(cnnfi_keras_model *model, cnnfi_keras_container *container, const char *where,
                                      const char *const *names, size_t count, cnnfi_keras_layer **owner,
                                      cnnf_error *error);
/* Gives each weight to its owner, in order. */
cnnf_status cnnfi_keras_weights_give(cnnfi_keras_model *model, cnnfi_keras_layer *const *owner,
                                     const cnnfi_keras_weight *weights, size_t count, cnnf_error *error);

#endif
