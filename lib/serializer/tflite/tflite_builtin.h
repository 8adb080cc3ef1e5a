/* SPDX-License-Identifier: Apache-2.0 */
/* TFLite's operators: which options they have, which version a use of one is, and since when runtimes know it. */
#ifndef CNNFI_SERIALIZER_TFLITE_TFLITE_BUILTIN_H
#define CNNFI_SERIALIZER_TFLITE_TFLITE_BUILTIN_H

#include "serializer/tflite/tflite_model.h"

/* BuiltinOptions of an operator's table; 0: it has none. */
uint32_t cnnfi_tfl_options_type(cnnfi_tfl_code code);
/* The operator's version by its tensors and options. */
int32_t cnnfi_tfl_version(const cnnfi_tfl_node *node);
/* The field of its options that fuses an activation; -1: it has none, or kernels do not apply it. */
int32_t cnnfi_tfl_activation_field(cnnfi_tfl_code code);
/* "2.3.0": the oldest runtime with this version of the operator; *length: of that text. */
const char *cnnfi_tfl_runtime(cnnfi_tfl_code code, int32_t version, size_t *length);

#endif
