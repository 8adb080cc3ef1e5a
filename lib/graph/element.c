/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/element.h"

#include <string.h>

#include "base/num.h"

int64_t cnnfi_saturate_i64(double number)
{
    if (!(number > -9223372036854775808.0)) return INT64_MIN;
    return number >= 9223372036854775808.0 ? INT64_MAX : (int64_t)number;
}

/* One row per dtype: how its bytes are read, whether the value is an integer. */
#define NUMBERS(ROW)                                                                                                   \
    ROW(CNNF_FLOAT, float, v, false)                                                                                   \
    ROW(CNNF_DOUBLE, double, v, false)                                                                                 \
    ROW(CNNF_HALF, uint16_t, cnnfi_half_to_float(v), false)                                                            \
    ROW(CNNF_BFLOAT16, uint16_t, cnnfi_bfloat16_to_float(v), false)                                                    \
    ROW(CNNF_INT8, int8_t, v, true)                                                                                    \
    ROW(CNNF_INT16, int16_t, v, true)                                                                                  \
    ROW(CNNF_INT32, int32_t, v, true)                                                                                  \
    ROW(CNNF_INT64, int64_t, v, true)                                                                                  \
    ROW(CNNF_UINT8, uint8_t, v, true)                                                                                  \
    ROW(CNNF_UINT16, uint16_t, v, true)                                                                                \
    ROW(CNNF_UINT32, uint32_t, v, true)                                                                                \
    ROW(CNNF_UINT64, uint64_t, v, true)                                                                                \
    ROW(CNNF_QINT8, int8_t, v, true)                                                                                   \
    ROW(CNNF_QINT16, int16_t, v, true)                                                                                 \
    ROW(CNNF_QINT32, int32_t, v, true)                                                                                 \
    ROW(CNNF_QUINT8, uint8_t, v, true)                                                                                 \
    ROW(CNNF_QUINT16, uint16_t, v, true)                                                                               \
    ROW(CNNF_BOOL, uint8_t, v != 0, true)                                                                              \
    ROW(CNNF_COMPLEX64, floats2, v.re, false)                                                                          \
    ROW(CNNF_COMPLEX128, doubles2, v.re, false)

typedef struct floats2 {
    float re, im;
} floats2;
typedef struct doubles2 {
    double re, im;
} doubles2;

bool cnnfi_element_f64(double *out, cnnf_dtype dtype, const void *data, int64_t index)
{
    switch (dtype) {
#define ROW(id, T, expression, is_integer)                                                                             \
    case id: {                                                                                                         \
        T v;                                                                                                           \
        memcpy(&v, (const uint8_t *)data + (size_t)index * sizeof v, sizeof v);                                        \
        *out = (double)(expression);                                                                                   \
        return true;                                                                                                   \
    }
        NUMBERS(ROW)
#undef ROW
    default:
        *out = 0;
        return false;
    }
}

bool cnnfi_element_i64(int64_t *out, cnnf_dtype dtype, const void *data, int64_t index)
{
    switch (dtype) {
#define ROW(id, T, expression, is_integer)                                                                             \
    case id: {                                                                                                         \
        T v;                                                                                                           \
        memcpy(&v, (const uint8_t *)data + (size_t)index * sizeof v, sizeof v);                                        \
        *out = (is_integer) ? (int64_t)(expression) : cnnfi_saturate_i64((double)(expression));                        \
        return true;                                                                                                   \
    }
        NUMBERS(ROW)
#undef ROW
    default:
        *out = 0;
        return false;
    }
}

size_t cnnfi_element_from_f64(uint8_t out[8], cnnf_dtype dtype, double value)
{
    const int64_t integer = cnnfi_saturate_i64(value);
    const float single = (float)value;
    const uint16_t half = dtype == CNNF_HALF ? cnnfi_float_to_half(single) : cnnfi_float_to_bfloat16(single);
    const size_t size = cnnf_dtype_size(dtype);
    switch (dtype) {
    case CNNF_DOUBLE:
        memcpy(out, &value, size);
        return size;
    case CNNF_FLOAT:
        memcpy(out, &single, size);
        return size;
    case CNNF_HALF:
    case CNNF_BFLOAT16:
        memcpy(out, &half, size);
        return size;
    case CNNF_BOOL:
    case CNNF_INT8:
    case CNNF_UINT8:
    case CNNF_INT16:
    case CNNF_UINT16:
    case CNNF_INT32:
    case CNNF_UINT32:
    case CNNF_INT64:
    case CNNF_UINT64:
        memcpy(out, &integer, size); /* little-endian: its low bytes */
        return size;
    default:
        return 0;
    }
}
