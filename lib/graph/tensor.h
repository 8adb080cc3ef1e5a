/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensor storage. A tensor's elements are in one of three places:
 *   MEMORY  bytes, C order;
 *   RANGE   bytes [offset, offset + size) of a source (a file), little-endian, C order;
 *   PROTO   the value fields of a TensorProto (float_val, string_val, ...) in canonical wire form: kept as
 *           they were so that a pass-through is byte-identical; decoded on demand (the last value repeats).
 * String tensors are always PROTO (string_val fields only).
 */
#ifndef CNNFI_GRAPH_TENSOR_H
#define CNNFI_GRAPH_TENSOR_H

#include <stdbool.h>

#include <cnnfreeze/tensor.h>

#include "base/source.h"
#include "base/str.h"
#include "graph/shape.h"

typedef enum cnnfi_storage { CNNFI_STORAGE_MEMORY, CNNFI_STORAGE_RANGE, CNNFI_STORAGE_PROTO } cnnfi_storage;

/* How a tensor is written as a TensorProto: what the file had where it is not as TensorFlow's make_tensor_proto would
   write it, which is with tensor_shape, and with tensor_content iff there is more than one element of a numeric dtype.
   Bits. */
typedef enum cnnfi_encoding {
    CNNFI_ENCODING_AUTO = 0,
    CNNFI_ENCODING_CONTENT = 1,  /* tensor_content, whatever the count */
    CNNFI_ENCODING_SHAPELESS = 2 /* without tensor_shape */
} cnnfi_encoding;

/* A tensor over [offset, offset + size) of a source; `size` must be what dtype and dims need.
   crc: masked crc32c of the bytes to be verified when the whole is read, used when has_crc. */
cnnf_status cnnfi_tensor_range(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                               const int64_t *dims, cnnfi_source *source, uint64_t offset, size_t size, bool has_crc,
                               uint32_t crc, cnnf_error *error);
/* A tensor from the value fields of a TensorProto (everything but dtype, tensor_shape and tensor_content), copied. */
cnnf_status cnnfi_tensor_proto(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                               const int64_t *dims, const void *fields, size_t size, cnnf_error *error);
/* A string tensor from `count` pieces. */
cnnf_status cnnfi_tensor_strings(cnnf_tensor **out, cnnf_context *context, int32_t rank, const int64_t *dims,
                                 const cnnfi_bytes *strings, size_t count, cnnf_error *error);
/* Copies of `data`; like cnnf_tensor_wrap() with release NULL. */
cnnf_status cnnfi_tensor_copy(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                              const int64_t *dims, const void *data, cnnf_error *error);
/* The same elements with other dims (same count): shares the storage. */
cnnf_status cnnfi_tensor_reshape(cnnf_tensor **out, const cnnf_tensor *tensor, int32_t rank, const int64_t *dims,
                                 cnnf_error *error);
/* A tensor of one value repeated, kept small (PROTO with one value): a variable's initial value. */
cnnf_status cnnfi_tensor_splat(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                               const int64_t *dims, double value, cnnf_error *error);

cnnf_context *cnnfi_tensor_context(const cnnf_tensor *tensor);
const int64_t *cnnfi_tensor_dims(const cnnf_tensor *tensor);
cnnfi_storage cnnfi_tensor_storage(const cnnf_tensor *tensor);
/* Whether a checksum is verified when the whole is read. */
bool cnnfi_tensor_has_crc(const cnnf_tensor *tensor);
cnnfi_encoding cnnfi_tensor_encoding(const cnnf_tensor *tensor);
/* Set by loaders before the tensor is shared. */
void cnnfi_tensor_set_encoding(cnnf_tensor *tensor, cnnfi_encoding encoding);
/* PROTO: the value fields; else {NULL, 0}. */
cnnfi_bytes cnnfi_tensor_fields(const cnnf_tensor *tensor);
/* RANGE: the source, borrowed; else NULL. */
const cnnfi_source *cnnfi_tensor_source(const cnnf_tensor *tensor, uint64_t *offset);
/* Hands the bytes to `piece` in order, at most CNNFI_PIECE_BYTES at a time, and verifies the crc at the end. */
cnnf_status cnnfi_tensor_stream(const cnnf_tensor *tensor,
                                cnnf_status (*piece)(const void *data, size_t size, void *user, cnnf_error *error),
                                void *user, cnnf_error *error);
/* Element of a small numeric tensor as int64 or double (any numeric dtype); false when there is none. Reads the file if
 * it must. */
bool cnnfi_tensor_get_i64(const cnnf_tensor *tensor, int64_t index, int64_t *out);
bool cnnfi_tensor_get_f64(const cnnf_tensor *tensor, int64_t index, double *out);
/* Same dtype, shape and bytes. */
cnnf_status cnnfi_tensor_equal(bool *out, const cnnf_tensor *a, const cnnf_tensor *b, cnnf_error *error);

#endif
