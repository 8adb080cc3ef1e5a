/* SPDX-License-Identifier: Apache-2.0 */
/* Keras files to graphs: reading (keras_read.h), then building (keras_build.h). */
#ifndef CNNFI_LOADER_KERAS_READ_KERAS_H
#define CNNFI_LOADER_KERAS_READ_KERAS_H

#include <cnnfreeze/loader.h>

#include "base/source.h"

/* An H5 or .keras file, told apart by its first bytes. options NULL = the defaults. */
cnnf_status cnnfi_load_keras(cnnf_graph **out, cnnf_context *context, cnnfi_source *source,
                             const cnnf_load_options *options, cnnf_error *error);
/* Weights in TensorFlow's format (a checkpoint's prefix), options->architecture_file their architecture. */
cnnf_status cnnfi_load_keras_checkpoint(cnnf_graph **out, cnnf_context *context, const char *path,
                                        const cnnf_load_options *options, cnnf_error *error);

#endif
