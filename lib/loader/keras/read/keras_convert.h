/* SPDX-License-Identifier: Apache-2.0 */
/* Weights of Keras 1, of the Theano backend and of cuDNN's layers, brought to the shapes and order of Keras 2 on
 * TensorFlow. */
#ifndef CNNFI_LOADER_KERAS_READ_KERAS_CONVERT_H
#define CNNFI_LOADER_KERAS_READ_KERAS_CONVERT_H

#include "loader/keras/read/keras_model.h"

/* preprocess_weights_for_loading(), for every layer of the container. */
cnnf_status cnnfi_keras_convert_weights(cnnfi_keras_model *model, cnnfi_keras_container *container, cnnf_error *error);

#endif
