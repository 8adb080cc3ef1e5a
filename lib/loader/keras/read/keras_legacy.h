/* SPDX-License-Identifier: Apache-2.0 */
/* Old and other spellings of classes and config fields, brought to those of Keras 2. */
#ifndef CNNFI_LOADER_KERAS_READ_KERAS_LEGACY_H
#define CNNFI_LOADER_KERAS_READ_KERAS_LEGACY_H

#include "loader/keras/read/keras_model.h"

/* "Convolution2D" -> "Conv2D"; its argument when there is nothing to change. */
const char *cnnfi_keras_class_alias(const char *class_name);
/* `stored`: the class as the file has it. Renames fields, unwraps dtype policies, function objects and tuples of a
 * layer's config in place. false = no memory.
 */
bool cnnfi_keras_normalise_config(cnnfi_json_doc *doc, const char *stored, const char *class_name, cnnfi_json *config);
/* Whether a config is in the words of Keras 1 (for files that do not say their version). */
bool cnnfi_keras_is_keras1_config(const cnnfi_json *config);

#endif
