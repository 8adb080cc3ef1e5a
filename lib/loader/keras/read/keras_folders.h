/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights in the layout of saving_lib (.keras, and `*.weights.h5` of Keras 3 and tf.keras from 2.12 on): a folder per
 * layer, called after its class, with the variables in `vars/0`, `vars/1` ...
 */
#ifndef CNNFI_LOADER_KERAS_READ_KERAS_FOLDERS_H
#define CNNFI_LOADER_KERAS_READ_KERAS_FOLDERS_H

#include "loader/hdf5/hdf5_file.h"
#include "loader/keras/read/keras_model.h"

/* Whether the file has that layout for the model's layers. */
cnnf_status cnnfi_keras_has_folders(bool *out, cnnfi_keras_model *model, cnnfi_h5 *h5, cnnf_error *error);
/* Gives every layer of the model its weights. */
cnnf_status cnnfi_keras_read_folders(cnnfi_keras_model *model, cnnfi_h5 *h5, cnnf_error *error);

#endif
