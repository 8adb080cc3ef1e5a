/* SPDX-License-Identifier: Apache-2.0 */
/* The value fields of a TensorProto (tensorflow/core/framework/tensor.proto): to elements and back. */
#ifndef CNNFI_GRAPH_TENSOR_PROTO_H
#define CNNFI_GRAPH_TENSOR_PROTO_H

#include <cnnfreeze/tensor.h>

#include "base/str.h"

/* Decodes `count` elements into data; fewer values repeat the last one, none are zeros, more are ignored. */
cnnf_status cnnfi_tensor_proto_decode(cnnfi_bytes fields, cnnf_dtype dtype, size_t count, void *data,
                                      cnnf_error *error);
/* The string_val entries, as pieces of `fields`; a new block of the context's (NULL when there are none). */
cnnf_status cnnfi_tensor_proto_strings(cnnfi_bytes fields, cnnf_context *context, cnnfi_bytes **strings, size_t *count,
                                       cnnf_error *error);
/* Appends string_val entries, or the one value of a tensor that repeats it (a number dtype). */
void cnnfi_tensor_proto_put_strings(cnnfi_strbuf *fields, const cnnfi_bytes *strings, size_t count);
void cnnfi_tensor_proto_put_value(cnnfi_strbuf *fields, cnnf_dtype dtype, double value);

#endif
