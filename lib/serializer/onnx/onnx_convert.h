/* SPDX-License-Identifier: Apache-2.0 */
/* From a frozen TensorFlow graph to an ONNX one, op by op in the order of data. Each op is a row of one family's table
   (onnx_ops.h). */
#ifndef CNNFI_SERIALIZER_ONNX_ONNX_CONVERT_H
#define CNNFI_SERIALIZER_ONNX_ONNX_CONVERT_H

#include "serializer/onnx/onnx_call.h"

/* NULL: the op is not exported. */
const cnnfi_onnx_row *cnnfi_onnx_find(const char *op);

/* Converts what the outputs (names, or none: those that the graph declares) need. On failure the model has it. */
void cnnfi_onnx_convert_graph(cnnfi_onnx_convert *c, const cnnf_graph *graph, size_t n_outputs, char *const *outputs);

#endif
