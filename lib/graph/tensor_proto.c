/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/tensor_proto.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

#define FIELD_STRING_VAL 8

/* Which field holds a dtype's values (tensor.proto), how one value lies on the wire, and its element's size. */
static const struct {
    uint32_t field;
    int wire;
    size_t parts; /* values per element: complex numbers take two */
} value_fields[] = {
    [CNNF_FLOAT] = {5, WIRE_32, 1},         [CNNF_DOUBLE] = {6, WIRE_64, 1},      [CNNF_INT32] = {7, WIRE_VARINT, 1},
    [CNNF_UINT8] = {7, WIRE_VARINT, 1},     [CNNF_INT16] = {7, WIRE_VARINT, 1},   [CNNF_INT8] = {7, WIRE_VARINT, 1},
    [CNNF_COMPLEX64] = {9, WIRE_32, 2},     [CNNF_INT64] = {10, WIRE_VARINT, 1},  [CNNF_BOOL] = {11, WIRE_VARINT, 1},
    [CNNF_QINT8] = {7, WIRE_VARINT, 1},     [CNNF_QUINT8] = {7, WIRE_VARINT, 1},  [CNNF_QINT32] = {7, WIRE_VARINT, 1},
    [CNNF_BFLOAT16] = {13, WIRE_VARINT, 1}, [CNNF_QINT16] = {7, WIRE_VARINT, 1},  [CNNF_QUINT16] = {7, WIRE_VARINT, 1},
    [CNNF_UINT16] = {7, WIRE_VARINT, 1},    [CNNF_COMPLEX128] = {12, WIRE_64, 2}, [CNNF_HALF] = {13, WIRE_VARINT, 1},
    [CNNF_UINT32] = {16, WIRE_VARINT, 1},   [CNNF_UINT64] = {17, WIRE_VARINT, 1}, [CNNF_INT4] = {7, WIRE_VARINT, 1},
    [CNNF_UINT4] = {7, WIRE_VARINT, 1},
};

/* The next field; for the fixed and varint types `value` is a cursor over just that value. */
static bool next_field(cnnfi_cursor *c, uint32_t *field, int *wire, cnnfi_bytes *value)
{
    uint64_t tag, length = 0;
    if (!cnnfi_read_varint(c, &tag)) return false;
    *field = (uint32_t)(tag >> 3);
    *wire = (int)(tag & 7);
    const size_t start = c->at;
    switch (*wire) {
    case WIRE_VARINT:
        if (!cnnfi_read_varint(c, &length)) return false;
        *value = (cnnfi_bytes){.data = c->data + start, .size = c->at - start};
        return true;
    case WIRE_64:
        return cnnfi_read_bytes(c, 8, value);
    case WIRE_32:
        return cnnfi_read_bytes(c, 4, value);
    case WIRE_BYTES:
        return cnnfi_read_varint(c, &length) && length <= cnnfi_cursor_left(c) &&
               cnnfi_read_bytes(c, (size_t)length, value);
    default:
        return false;
    }
}

/* One value from `c` into an element part of `size` bytes (little-endian host: low bytes first). */
static bool take_value(cnnfi_cursor *c, int wire, size_t size, uint8_t *out)
{
    uint64_t value = 0;
    if (wire == WIRE_VARINT) {
        if (!cnnfi_read_varint(c, &value)) return false;
        memcpy(out, &value, size);
        return true;
    }
    cnnfi_bytes raw;
    if (!cnnfi_read_bytes(c, size, &raw)) return false;
    memcpy(out, raw.data, size);
    return true;
}

/* Repeats the element before `have` up to `count`, doubling the copied stretch. */
static void repeat_last(uint8_t *data, size_t element, size_t have, size_t count)
{
    if (!have) {
        memset(data, 0, count * element);
        return;
    }
    const size_t first = have - 1;
    for (size_t done = 1; first + done < count;) {
        const size_t left = count - first - done, n = done < left ? done : left;
        memcpy(data + (first + done) * element, data + first * element, n * element);
        done += n;
    }
}

/* Values of the float8 types are one bytes field. */
static size_t take_float8(cnnfi_bytes value, size_t count, uint8_t *data)
{
    const size_t n = value.size < count ? value.size : count;
    if (n) memcpy(data, value.data, n);
    return n;
}

cnnf_status cnnfi_tensor_proto_decode(cnnfi_bytes fields, cnnf_dtype dtype, size_t count, void *data, cnnf_error *error)
{
    const bool float8 = dtype == CNNF_FLOAT8_E5M2 || dtype == CNNF_FLOAT8_E4M3FN;
    const size_t rows = sizeof value_fields / sizeof *value_fields;
    const size_t element = cnnf_dtype_size(dtype);
    if (!float8 && (dtype <= 0 || (size_t)dtype >= rows || !value_fields[dtype].field)) {
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "tensor: dtype %s has no values", cnnf_dtype_name(dtype));
    }
    const uint32_t wanted = float8 ? 18 : value_fields[dtype].field;
    const int wire = float8 ? WIRE_BYTES : value_fields[dtype].wire;
    const size_t parts = float8 ? 1 : value_fields[dtype].parts, part = element / parts;
    uint8_t *out = data;
    size_t values = 0; /* parts read */
    cnnfi_cursor c = cnnfi_cursor_of(fields.data, fields.size);
    while (cnnfi_cursor_left(&c)) {
        uint32_t field;
        int found;
        cnnfi_bytes value;
        if (!next_field(&c, &field, &found, &value)) return cnnfi_fail(error, CNNF_E_CORRUPT, "tensor: damaged values");
        if (field != wanted) continue;
        if (float8) {
            values = take_float8(value, count, out);
            continue;
        }
        cnnfi_cursor v = cnnfi_cursor_of(value.data, value.size);
        while (cnnfi_cursor_left(&v) && values < count * parts) {
            if (!take_value(&v, wire, part, out + values * part)) {
                return cnnfi_fail(error, CNNF_E_CORRUPT, "tensor: damaged values");
            }
            values++;
        }
    }
    repeat_last(out, element, values / parts, count);
    if (dtype == CNNF_BOOL) {
        for (size_t i = 0; i < count; i++)
            out[i] = out[i] != 0;
    }
    return CNNF_OK;
}

cnnf_status cnnfi_tensor_proto_strings(cnnfi_bytes fields, cnnf_context *context, cnnfi_bytes **strings, size_t *count,
                                       cnnf_error *error)
{
    *strings = NULL;
    *count = 0;
    size_t capacity = 0;
    cnnfi_cursor c = cnnfi_cursor_of(fields.data, fields.size);
    while (cnnfi_cursor_left(&c)) {
        uint32_t field;
        int wire;
        cnnfi_bytes value;
        if (!next_field(&c, &field, &wire, &value)) return cnnfi_fail(error, CNNF_E_CORRUPT, "tensor: damaged values");
        if (field != FIELD_STRING_VAL || wire != WIRE_BYTES) continue;
        if (!cnnfi_grow(context, (void **)strings, &capacity, *count, sizeof **strings)) return cnnfi_fail_nomem(error);
        (*strings)[(*count)++] = value;
    }
    return CNNF_OK;
}

/* ---- making ---- */

static void put_varint(cnnfi_strbuf *buf, uint64_t value)
{
    while (value >= 0x80) {
        cnnfi_strbuf_putc(buf, (char)(value | 0x80));
        value >>= 7;
    }
    cnnfi_strbuf_putc(buf, (char)value);
}

void cnnfi_tensor_proto_put_strings(cnnfi_strbuf *fields, const cnnfi_bytes *strings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_varint(fields, FIELD_STRING_VAL << 3 | WIRE_BYTES);
        put_varint(fields, strings[i].size);
        cnnfi_strbuf_add(fields, strings[i].data, strings[i].size);
    }
}

void cnnfi_tensor_proto_put_value(cnnfi_strbuf *fields, cnnf_dtype dtype, double value)
{
    const float as_float = (float)value;
    cnnfi_strbuf body;
    cnnfi_strbuf_init(&body, fields->context);
    if (dtype == CNNF_FLOAT)
        cnnfi_strbuf_add(&body, &as_float, sizeof as_float);
    else if (dtype == CNNF_DOUBLE)
        cnnfi_strbuf_add(&body, &value, sizeof value);
    else
        put_varint(&body, (uint64_t)(int64_t)value);
    put_varint(fields, value_fields[dtype].field << 3 | WIRE_BYTES); /* repeated scalars are packed */
    put_varint(fields, body.size);
    cnnfi_strbuf_add(fields, body.data, body.size);
    fields->failed = fields->failed || body.failed;
    cnnfi_strbuf_free(&body);
}
