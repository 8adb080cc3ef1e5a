/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of Keras files: each makes a cnnfi_keras_model. */
#ifndef CNNFI_LOADER_KERAS_READ_KERAS_READ_H
#define CNNFI_LOADER_KERAS_READ_KERAS_READ_H

#include "base/source.h"
#include "loader/keras/read/keras_model.h"
#include "loader/load_options.h"

/* An H5 of any Keras. `options` may be NULL. */
cnnf_status cnnfi_keras_read_h5(cnnfi_keras_model **out, cnnf_context *context, cnnfi_source *source,
                                const cnnf_load_options *options, cnnf_error *error);
/* A .keras zip. */
cnnf_status cnnfi_keras_read_v3(cnnfi_keras_model **out, cnnf_context *context, cnnfi_source *source,
                                const cnnf_load_options *options, cnnf_error *error);

/* An object-based checkpoint of weights, with options->architecture_file. */
cnnf_status cnnfi_keras_read_checkpoint(cnnfi_keras_model **out, cnnf_context *context, const char *path,
                                        const cnnf_load_options *options, cnnf_error *error);
/* A model that multi_gpu_model() made becomes the one it was made of. */
void cnnfi_keras_take_replicated(cnnfi_keras_model *model);

/* ---- pieces they share ---- */

/* The JSON of a file, as one of the model's documents. */
cnnf_status cnnfi_keras_read_architecture(cnnfi_json_doc **out, cnnfi_keras_model *model, const char *path,
                                          cnnf_error *error);
/* Whether Keras counts it among the layers with weights. */
bool cnnfi_keras_has_weights(const cnnfi_keras_layer *layer);

/* Sets world, keras_version and keras_major. */
cnnf_status cnnfi_keras_set_version(cnnfi_keras_model *model, const char *version, const cnnfi_json *config,
                                    cnnf_error *error);
/* model_config -> model->top. `doc` is one of the model's documents; its objects are normalised in place. */
cnnf_status cnnfi_keras_read_config(cnnfi_keras_model *model, cnnfi_json_doc *doc, const cnnf_load_options *options,
                                    cnnf_error *error);
/* The layer of that name in a container, or NULL. */
cnnfi_keras_layer *cnnfi_keras_find_layer(cnnfi_keras_container *container, const char *name);
/* The dtype a layer's floating weights are kept in. */
cnnf_dtype cnnfi_keras_weight_dtype(const cnnfi_keras_layer *layer);

#endif
