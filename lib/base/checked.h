/* SPDX-License-Identifier: Apache-2.0 */
/* Checked arithmetic: every size that comes from a file goes through here. True = it fits. */
#ifndef CNNFI_BASE_CHECKED_H
#define CNNFI_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool cnnfi_mul_size(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool cnnfi_add_size(size_t *out, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool cnnfi_mul_i64(int64_t *out, int64_t a, int64_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool cnnfi_add_i64(int64_t *out, int64_t a, int64_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline int64_t cnnfi_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t cnnfi_max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Whether [offset, offset + size) lies inside [0, total). */
static inline bool cnnfi_range_fits(uint64_t offset, uint64_t size, uint64_t total)
{
    return offset <= total && size <= total - offset;
}

#endif
