/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/tflite/flatbuffer.h"

#include <string.h>

static size_t position(const cnnfi_skeleton *s)
{
    return (size_t)cnnfi_skeleton_size(s);
}

static void put_zeros(cnnfi_skeleton *s, size_t count)
{
    static const uint8_t zeros[64];
    cnnfi_strbuf_add(&s->bytes, zeros, count);
}

/* Zeros until `ahead` bytes from here are a multiple of `alignment`. */
static void align(cnnfi_skeleton *s, size_t alignment, size_t ahead)
{
    put_zeros(s, (alignment - (position(s) + ahead) % alignment) % alignment);
}

static void put_u16(cnnfi_skeleton *s, size_t value)
{
    const uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8)};
    cnnfi_strbuf_add(&s->bytes, bytes, sizeof bytes);
}

static void put_u32(cnnfi_skeleton *s, size_t value)
{
    put_u16(s, value & 0xffff);
    put_u16(s, value >> 16);
}

/* Places lie before the first payload: there the position in the file is that in memory. */
static void link_here(cnnfi_skeleton *s, size_t place)
{
    const size_t distance = position(s) - place;
    if (s->bytes.failed) return;
    for (size_t i = 0; i < 4; i++)
        s->bytes.data[place + i] = (char)(uint8_t)(distance >> 8 * i);
}

size_t cnnfi_flat_begin(cnnfi_skeleton *s, const char *identifier)
{
    put_u32(s, 0);
    cnnfi_strbuf_add(&s->bytes, identifier, 4);
    return 0;
}

static bool is_written(const cnnfi_flat_field *field)
{
    return field->kind == CNNFI_FLAT_OFFSET || field->value != 0;
}

/* offsets[id]: where the field is in the table; 0: left out. The words first, then the bytes. Returns the size. */
static size_t lay_out(size_t n_fields, const cnnfi_flat_field *fields, uint16_t *offsets, size_t *n_ids)
{
    size_t end = 4;
    *n_ids = 0;
    for (int bytes = 0; bytes < 2; bytes++)
        for (size_t i = 0; i < n_fields; i++) {
            if (!is_written(&fields[i]) || (fields[i].kind == CNNFI_FLAT_BYTE) != (bytes == 1)) continue;
            offsets[fields[i].id] = (uint16_t)end;
            end += bytes ? 1 : 4;
            if (fields[i].id >= *n_ids) *n_ids = fields[i].id + 1;
        }
    return end;
}

static void put_field(cnnfi_skeleton *s, cnnfi_flat_field *field)
{
    const uint8_t byte = (uint8_t)field->value;
    field->place = position(s);
    if (field->kind == CNNFI_FLAT_BYTE)
        cnnfi_strbuf_add(&s->bytes, &byte, 1);
    else
        put_u32(s, field->kind == CNNFI_FLAT_OFFSET ? 0 : field->value);
}

void cnnfi_flat_table(cnnfi_skeleton *s, size_t place, size_t n_fields, cnnfi_flat_field *fields)
{
    uint16_t offsets[CNNFI_FLAT_MAX_FIELDS] = {0};
    size_t n_ids;
    const size_t size = lay_out(n_fields, fields, offsets, &n_ids), vtable = 4 + 2 * n_ids;
    align(s, 4, vtable);
    put_u16(s, vtable);
    put_u16(s, size);
    for (size_t id = 0; id < n_ids; id++)
        put_u16(s, offsets[id]);
    link_here(s, place);
    put_u32(s, vtable);
    for (int bytes = 0; bytes < 2; bytes++)
        for (size_t i = 0; i < n_fields; i++)
            if (is_written(&fields[i]) && (fields[i].kind == CNNFI_FLAT_BYTE) == (bytes == 1)) put_field(s, &fields[i]);
}

size_t cnnfi_flat_offsets(cnnfi_skeleton *s, size_t place, size_t count)
{
    align(s, 4, 0);
    link_here(s, place);
    put_u32(s, count);
    const size_t first = position(s);
    for (size_t i = 0; i < count; i++)
        put_u32(s, 0);
    return first;
}

void cnnfi_flat_bytes(cnnfi_skeleton *s, size_t place, size_t size, size_t alignment)
{
    align(s, alignment, 4);
    link_here(s, place);
    put_u32(s, size);
}

void cnnfi_flat_vector(cnnfi_skeleton *s, size_t place, const void *data, size_t count, size_t size)
{
    align(s, size < 4 ? 4 : size, 4);
    link_here(s, place);
    put_u32(s, count);
    if (count > 0) cnnfi_strbuf_add(&s->bytes, data, count * size);
}

void cnnfi_flat_string(cnnfi_skeleton *s, size_t place, const char *text)
{
    const size_t length = strlen(text);
    align(s, 4, 0);
    link_here(s, place);
    put_u32(s, length);
    cnnfi_strbuf_add(&s->bytes, text, length + 1);
}
