/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_convert.h"

#include <string.h>

#include "base/num.h"

cnnf_dtype cnnfi_h5_dtype(const cnnfi_h5_type *type, cnnf_dtype floats)
{
    static const cnnf_dtype integers[2][4] = {{CNNF_UINT8, CNNF_UINT16, CNNF_UINT32, CNNF_UINT64},
                                              {CNNF_INT8, CNNF_INT16, CNNF_INT32, CNNF_INT64}};
    return type->class == CNNFI_H5_FLOAT ? floats : integers[type->is_signed][cnnfi_h5_log2(type->size)];
}

static size_t float_size(cnnf_dtype floats)
{
    return floats == CNNF_DOUBLE ? 8 : floats == CNNF_HALF ? 2 : 4;
}

bool cnnfi_h5_as_stored(const cnnfi_h5_type *type, cnnf_dtype floats)
{
    if (type->size > 1 && type->big_endian) return false;
    return type->class == CNNFI_H5_INTEGER || type->size == float_size(floats);
}

static void swap_bytes(const uint8_t *from, uint8_t *to, size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++, from += size, to += size)
        for (size_t byte = 0; byte < size; byte++)
            to[byte] = from[size - 1 - byte];
}

/* One IEEE number in host order, as a double: exact for all three sizes. */
static double load_float(const uint8_t *p, uint32_t size)
{
    uint16_t half;
    float single;
    double value;
    switch (size) {
    case 2:
        memcpy(&half, p, sizeof half);
        return (double)cnnfi_half_to_float(half);
    case 4:
        memcpy(&single, p, sizeof single);
        return (double)single;
    default:
        memcpy(&value, p, sizeof value);
        return value;
    }
}

static void store_float(double value, cnnf_dtype floats, uint8_t *to)
{
    const float single = (float)value;
    const uint16_t half = cnnfi_float_to_half(single);
    if (floats == CNNF_DOUBLE)
        memcpy(to, &value, sizeof value);
    else if (floats == CNNF_HALF)
        memcpy(to, &half, sizeof half);
    else
        memcpy(to, &single, sizeof single);
}

void cnnfi_h5_convert(const cnnfi_h5_type *type, cnnf_dtype floats, const uint8_t *from, void *to, size_t count)
{
    const bool swap = type->big_endian && type->size > 1;
    const bool same = type->class == CNNFI_H5_INTEGER || type->size == float_size(floats);
    uint8_t *out = to, one[8];
    if (count == 0) return;
    if (same && swap) {
        swap_bytes(from, out, type->size, count);
    } else if (same) {
        memcpy(out, from, count * type->size);
    } else {
        for (size_t i = 0; i < count; i++, from += type->size, out += float_size(floats)) {
            if (swap) swap_bytes(from, one, type->size, 1);
            store_float(load_float(swap ? one : from, type->size), floats, out);
        }
    }
}
