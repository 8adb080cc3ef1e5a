/* SPDX-License-Identifier: Apache-2.0 */
/**
 * tensor.h - dtype, shape and bytes.
 *
 * A tensor is immutable once shared and reference-counted. Its bytes are in memory or still in the
 * file they were loaded from (an open descriptor; the path may be gone): cnnf_tensor_data() gives
 * the first kind, cnnf_tensor_read() and cnnf_tensor_load() both. Elements are little-endian, in C
 * order, without padding; a bool is one byte. String tensors (CNNF_STRING) have elements, not bytes.
 *
 * Thread-safety: safe, but for writing through cnnf_tensor_data_mut().
 */
#ifndef CNNFREEZE_TENSOR_H
#define CNNFREEZE_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/context.h>
#include <cnnfreeze/error.h>
#include <cnnfreeze/export.h>

typedef struct cnnf_tensor cnnf_tensor;

/** Element types: TensorFlow's numbers (tensorflow/core/framework/types.proto). */
typedef int32_t cnnf_dtype;
#define CNNF_DTYPE_INVALID 0
#define CNNF_FLOAT         1
#define CNNF_DOUBLE        2
#define CNNF_INT32         3
#define CNNF_UINT8         4
#define CNNF_INT16         5
#define CNNF_INT8          6
#define CNNF_STRING        7
#define CNNF_COMPLEX64     8
#define CNNF_INT64         9
#define CNNF_BOOL          10
#define CNNF_QINT8         11
#define CNNF_QUINT8        12
#define CNNF_QINT32        13
#define CNNF_BFLOAT16      14
#define CNNF_QINT16        15
#define CNNF_QUINT16       16
#define CNNF_UINT16        17
#define CNNF_COMPLEX128    18
#define CNNF_HALF          19
#define CNNF_RESOURCE      20
#define CNNF_VARIANT       21
#define CNNF_UINT32        22
#define CNNF_UINT64        23
#define CNNF_FLOAT8_E5M2   24
#define CNNF_FLOAT8_E4M3FN 25
#define CNNF_INT4          29
#define CNNF_UINT4         30

/** Called once, on any thread, when wrapped memory is no longer needed. */
typedef void (*cnnf_release_fn)(void *user);

CNNF_BEGIN_DECLS

/** "float", "int32", ... as TensorFlow writes them; "unknown" for other values. @since 0.1 */
CNNF_API const char *cnnf_dtype_name(cnnf_dtype dtype);
/** Bytes of one element; 0 for strings, resources, variants and unknown values. @since 0.1 */
CNNF_API size_t cnnf_dtype_size(cnnf_dtype dtype);

/**
 * A *new* tensor of zeros in memory, for the caller to fill through cnnf_tensor_data_mut().
 * dims: `rank` sizes, each >= 0 (0 gives an empty tensor); rank 0 is a scalar.
 * CNNF_OK, CNNF_E_NOMEM, CNNF_E_INVALID, CNNF_E_LIMIT; on failure *out is NULL. @since 0.1
 */
CNNF_API cnnf_status cnnf_tensor_new(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                                     const int64_t *dims, cnnf_error *error);
/**
 * A *new* tensor over the caller's memory, kept until `release(user)` is called. release NULL: the
 * bytes are copied now. `size` must be what dtype and dims need. Status as cnnf_tensor_new(); on
 * failure release is not called. @since 0.1
 */
CNNF_API cnnf_status cnnf_tensor_wrap(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                                      const int64_t *dims, const void *data, size_t size, cnnf_release_fn release,
                                      void *user, cnnf_error *error);
/** One more reference; returns its argument. NULL gives NULL. @since 0.1 */
CNNF_API cnnf_tensor *cnnf_tensor_ref(const cnnf_tensor *tensor);
/** Gives a reference back; NULL is allowed. @since 0.1 */
CNNF_API void cnnf_tensor_unref(cnnf_tensor *tensor);

CNNF_API cnnf_dtype cnnf_tensor_dtype(const cnnf_tensor *tensor); /**< @since 0.1 */
CNNF_API int32_t cnnf_tensor_rank(const cnnf_tensor *tensor);     /**< @since 0.1 */
/** Size along `axis`; -1 when the axis does not exist. @since 0.1 */
CNNF_API int64_t cnnf_tensor_dim(const cnnf_tensor *tensor, int32_t axis);
CNNF_API int64_t cnnf_tensor_element_count(const cnnf_tensor *tensor); /**< @since 0.1 */
/** Bytes of all elements; 0 for string tensors. @since 0.1 */
CNNF_API size_t cnnf_tensor_byte_size(const cnnf_tensor *tensor);
/** The bytes, *borrowed* from the tensor, when they are in memory; NULL when they are in a file or there are none.
 * @since 0.1 */
CNNF_API const void *cnnf_tensor_data(const cnnf_tensor *tensor);
/** The bytes for writing: only for the single reference to a tensor of cnnf_tensor_new(); else NULL. @since 0.1 */
CNNF_API void *cnnf_tensor_data_mut(cnnf_tensor *tensor);
/**
 * Copies `size` bytes from byte `offset`. Of the whole tensor the checksum is verified where the format has
 * one. CNNF_OK, CNNF_E_INVALID (outside the tensor, or a string tensor), CNNF_E_IO (the file failed or changed
 * while in use), CNNF_E_CORRUPT, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_tensor_read(void *data, const cnnf_tensor *tensor, size_t offset, size_t size,
                                      cnnf_error *error);
/**
 * The tensor with its bytes in memory: a *new* reference to itself, or a *new* tensor read from the
 * file (its checksum verified where the format has one). Status as cnnf_tensor_read(), and
 * CNNF_E_CORRUPT, CNNF_E_LIMIT. @since 0.1
 */
CNNF_API cnnf_status cnnf_tensor_load(cnnf_tensor **out, const cnnf_tensor *tensor, cnnf_error *error);
/**
 * Element `index` of a string tensor: bytes *borrowed* from the tensor. CNNF_OK, CNNF_E_INVALID. @since 0.1
 */
CNNF_API cnnf_status cnnf_tensor_string(const char **data, size_t *size, const cnnf_tensor *tensor, int64_t index,
                                        cnnf_error *error);

CNNF_END_DECLS

#endif
