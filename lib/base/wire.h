/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protobuf wire format of small, flat messages, field by field: nothing is allocated, nothing
 * recurses. Checkpoint entries and slices are read and written with it; graphs go through protobuf-c.
 */
#ifndef CNNFI_BASE_WIRE_H
#define CNNFI_BASE_WIRE_H

#include <string.h>

#include "base/bytes.h"

#define CNNFI_WIRE_VARINT  0
#define CNNFI_WIRE_FIXED64 1
#define CNNFI_WIRE_BYTES   2
#define CNNFI_WIRE_FIXED32 5

typedef struct cnnfi_wire_field {
    uint32_t number, type;
    uint64_t value;    /* of the numeric types */
    cnnfi_bytes bytes; /* of CNNFI_WIRE_BYTES */
} cnnfi_wire_field;

static inline bool cnnfi_wire_value(cnnfi_cursor *c, cnnfi_wire_field *field)
{
    uint32_t small;
    switch (field->type) {
    case CNNFI_WIRE_VARINT:
        return cnnfi_read_varint(c, &field->value);
    case CNNFI_WIRE_FIXED64:
        return cnnfi_read_u64(c, &field->value);
    case CNNFI_WIRE_FIXED32:
        if (!cnnfi_read_u32(c, &small)) return false;
        field->value = small;
        return true;
    case CNNFI_WIRE_BYTES:
        return cnnfi_read_varint(c, &field->value) && field->value <= cnnfi_cursor_left(c) &&
               cnnfi_read_bytes(c, (size_t)field->value, &field->bytes);
    default: /* groups: no message of TensorFlow's has them */
        return false;
    }
}

/* The next field: 1; at the end 0; malformed -1. */
static inline int cnnfi_wire_next(cnnfi_cursor *c, cnnfi_wire_field *field)
{
    uint64_t tag;
    *field = (cnnfi_wire_field){.number = 0};
    if (cnnfi_cursor_left(c) == 0) return 0;
    if (!cnnfi_read_varint(c, &tag) || tag > UINT32_MAX || tag >> 3 == 0) return -1;
    field->number = (uint32_t)(tag >> 3);
    field->type = (uint32_t)(tag & 7);
    return cnnfi_wire_value(c, field) ? 1 : -1;
}

static inline bool cnnfi_wire_is(const cnnfi_wire_field *field, uint32_t number, uint32_t type)
{
    return field->number == number && field->type == type;
}

/* ---- writing ---- */

static inline size_t cnnfi_varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >>= 7)
        size++;
    return size;
}

static inline void cnnfi_put_varint(cnnfi_strbuf *buf, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        cnnfi_strbuf_putc(buf, (char)(value | 0x80));
    cnnfi_strbuf_putc(buf, (char)value);
}

static inline void cnnfi_put_tag(cnnfi_strbuf *buf, uint32_t number, uint32_t type)
{
    cnnfi_put_varint(buf, (uint64_t)number << 3 | type);
}

static inline void cnnfi_put_int(cnnfi_strbuf *buf, uint32_t number, int64_t value)
{
    cnnfi_put_tag(buf, number, CNNFI_WIRE_VARINT);
    cnnfi_put_varint(buf, (uint64_t)value);
}

/* proto3's scalars: zero is not written. */
static inline void cnnfi_put_int_nonzero(cnnfi_strbuf *buf, uint32_t number, int64_t value)
{
    if (value) cnnfi_put_int(buf, number, value);
}

static inline void cnnfi_put_fixed32(cnnfi_strbuf *buf, uint32_t number, uint32_t value)
{
    cnnfi_put_tag(buf, number, CNNFI_WIRE_FIXED32);
    cnnfi_strbuf_add(buf, &value, 4);
}

static inline void cnnfi_put_bytes(cnnfi_strbuf *buf, uint32_t number, const void *data, size_t size)
{
    cnnfi_put_tag(buf, number, CNNFI_WIRE_BYTES);
    cnnfi_put_varint(buf, size);
    cnnfi_strbuf_add(buf, data, size);
}

static inline void cnnfi_put_string(cnnfi_strbuf *buf, uint32_t number, const char *text)
{
    cnnfi_put_bytes(buf, number, text, strlen(text));
}

#endif
