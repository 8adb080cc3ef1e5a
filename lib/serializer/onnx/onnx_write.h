/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX graph's wire form: a ModelProto. */
#ifndef CNNFI_SERIALIZER_ONNX_ONNX_WRITE_H
#define CNNFI_SERIALIZER_ONNX_ONNX_WRITE_H

#include "serializer/graphdef/skeleton.h"
#include "serializer/onnx/onnx_model.h"

/* Initializers from this size on can lie in a file of their own. */
#define CNNFI_ONNX_EXTERNAL_BYTES ((size_t)1024)

/* The model into `s`. `location` not NULL: the name of the file beside it that has the larger initializers, one after
   the other, each at a multiple of 4096; *external is its size. */
void cnnfi_onnx_write(cnnfi_skeleton *s, const cnnfi_onnx_model *model, const char *location, uint64_t *external);
/* That file. */
cnnf_status cnnfi_onnx_write_external(const cnnfi_onnx_model *model, cnnfi_sink *sink, cnnf_error *error);

#endif
