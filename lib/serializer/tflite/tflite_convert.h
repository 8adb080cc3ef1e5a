/* SPDX-License-Identifier: Apache-2.0 */
/* From a frozen TensorFlow graph to a TFLite one, op by op in the order of data. Each op is a row of one family's table
   (tflite_ops.h). */
#ifndef CNNFI_SERIALIZER_TFLITE_TFLITE_CONVERT_H
#define CNNFI_SERIALIZER_TFLITE_TFLITE_CONVERT_H

#include "serializer/tflite/tflite_call.h"

/* NULL: the op is not exported. */
const cnnfi_tfl_row *cnnfi_tfl_find(const char *op);

/* Converts what the outputs (names, or none: those that the graph declares) need. On failure the model has it. */
void cnnfi_tfl_convert_graph(cnnfi_tfl_convert *c, const cnnf_graph *graph, size_t n_outputs, char *const *outputs);

#endif
