/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded cursor over bytes in memory: little-endian numbers, protobuf varints. */
#ifndef CNNFI_BASE_BYTES_H
#define CNNFI_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

/* Numbers inside a record that has been read whole. */
static inline uint16_t cnnfi_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t cnnfi_le32(const uint8_t *p)
{
    return (uint32_t)cnnfi_le16(p) | (uint32_t)cnnfi_le16(p + 2) << 16;
}

static inline uint64_t cnnfi_le64(const uint8_t *p)
{
    return (uint64_t)cnnfi_le32(p) | (uint64_t)cnnfi_le32(p + 4) << 32;
}

typedef struct cnnfi_cursor {
    const uint8_t *data;
    size_t size, at;
} cnnfi_cursor;

static inline cnnfi_cursor cnnfi_cursor_of(const void *data, size_t size)
{
    return (cnnfi_cursor){.data = (const uint8_t *)data, .size = size, .at = 0};
}

static inline size_t cnnfi_cursor_left(const cnnfi_cursor *c)
{
    return c->size - c->at;
}

/* Each is false, and the cursor does not move, when there are not enough bytes or a varint is longer than 10. */
static inline bool cnnfi_read_bytes(cnnfi_cursor *c, size_t size, cnnfi_bytes *out)
{
    if (cnnfi_cursor_left(c) < size) return false;
    *out = (cnnfi_bytes){.data = c->data + c->at, .size = size};
    c->at += size;
    return true;
}

static inline bool cnnfi_read_u32(cnnfi_cursor *c, uint32_t *out)
{
    if (cnnfi_cursor_left(c) < 4) return false;
    memcpy(out, c->data + c->at, 4);
    c->at += 4;
    return true;
}

static inline bool cnnfi_read_u64(cnnfi_cursor *c, uint64_t *out)
{
    if (cnnfi_cursor_left(c) < 8) return false;
    memcpy(out, c->data + c->at, 8);
    c->at += 8;
    return true;
}

static inline bool cnnfi_read_varint(cnnfi_cursor *c, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 10 && c->at + i < c->size; i++) {
        uint8_t byte = c->data[c->at + i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            c->at += i + 1;
            *out = value;
            return true;
        }
    }
    return false;
}

#endif
