/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"

bool cnnfi_shape_elements(int64_t *out, int32_t rank, const int64_t *dims)
{
    int64_t count = 1;
    bool empty = false; /* a later 0 must not hide an overflow before it, nor overflow an empty shape */
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0) return false;
        if (dims[i] == 0)
            empty = true;
        else if (!cnnfi_mul_i64(&count, count, dims[i]))
            return false;
    }
    *out = empty ? 0 : count;
    return true;
}

cnnf_status cnnfi_shape_bytes(size_t *out, const cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                              const int64_t *dims, const char *what, cnnf_error *error)
{
    char text[128];
    int64_t count;
    const size_t size = cnnf_dtype_size(dtype);
    if (rank < 0 || rank > CNNFI_MAX_RANK) return cnnfi_fail(error, CNNF_E_INVALID, "%s: rank %d", what, rank);
    CNNFI_TRY(cnnfi_check_limit(context, CNNF_LIMIT_RANK, (uint64_t)rank, what, error));
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0) {
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: dimension %d is %" PRId64, what, i, dims[i]);
        }
    }
    if (!cnnfi_shape_elements(&count, rank, dims)) {
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: shape %s overflows", what,
                          cnnfi_shape_print(text, sizeof text, rank, dims));
    }
    CNNFI_TRY(cnnfi_check_limit(context, CNNF_LIMIT_TENSOR_ELEMENTS, (uint64_t)count, what, error));
    if (!cnnfi_mul_size(out, (size_t)count, size)) {
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: shape %s overflows", what,
                          cnnfi_shape_print(text, sizeof text, rank, dims));
    }
    return cnnfi_check_limit(context, CNNF_LIMIT_TENSOR_BYTES, *out, what, error);
}

bool cnnfi_shape_equal(const cnnfi_shape *a, const cnnfi_shape *b)
{
    if (a->rank != b->rank) return false;
    return a->rank <= 0 || memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

char *cnnfi_shape_print(char *out, size_t size, int32_t rank, const int64_t *dims)
{
    if (rank < 0) {
        snprintf(out, size, "<unknown>");
        return out;
    }
    size_t at = (size_t)snprintf(out, size, "[");
    for (int32_t i = 0; i < rank && at < size; i++) {
        const char *comma = i ? "," : "";
        at += dims[i] < 0 ? (size_t)snprintf(out + at, size - at, "%s?", comma)
                          : (size_t)snprintf(out + at, size - at, "%s%" PRId64, comma, dims[i]);
    }
    if (at < size) snprintf(out + at, size - at, "]");
    return out;
}
