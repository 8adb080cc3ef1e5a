/* SPDX-License-Identifier: Apache-2.0 */
/* A FlatBuffer read back, every step held to the file's bounds and to alignment. */
#ifndef SUPPORT_FLAT_READER_H
#define SUPPORT_FLAT_READER_H

#include <stdint.h>
#include <string.h>

#include <check.h>

typedef struct flat_file {
    const uint8_t *data;
    size_t size;
} flat_file;

/* Places are counted from the file's first byte; 0 is nothing. */
static inline uint32_t flat_u32(const flat_file *f, size_t at)
{
    ck_assert_msg(at % 4 == 0 && at + 4 <= f->size, "a word at %zu of %zu", at, f->size);
    return (uint32_t)f->data[at] | (uint32_t)f->data[at + 1] << 8 | (uint32_t)f->data[at + 2] << 16 |
           (uint32_t)f->data[at + 3] << 24;
}

static inline uint32_t flat_u16(const flat_file *f, size_t at)
{
    ck_assert_msg(at % 2 == 0 && at + 2 <= f->size, "a half word at %zu of %zu", at, f->size);
    return (uint32_t)f->data[at] | (uint32_t)f->data[at + 1] << 8;
}

/* Where an offset points to: forwards. */
static inline size_t flat_follow(const flat_file *f, size_t at)
{
    const size_t distance = flat_u32(f, at);
    ck_assert_msg(distance > 0 && distance < f->size - at, "an offset at %zu leaves the file", at);
    return at + distance;
}

/* The place of a field of a table; 0: it has its default. */
static inline size_t flat_field(const flat_file *f, size_t table, uint32_t id)
{
    const size_t vtable = table - (size_t)(int32_t)flat_u32(f, table);
    ck_assert_msg(vtable + 4 <= f->size, "the vtable of %zu is outside", table);
    const uint32_t vtable_size = flat_u16(f, vtable), table_size = flat_u16(f, vtable + 2);
    ck_assert_msg(vtable + vtable_size <= f->size && table + table_size <= f->size && vtable_size % 2 == 0,
                  "the table at %zu is outside", table);
    if (4 + 2 * id + 2 > vtable_size) return 0;
    const uint32_t offset = flat_u16(f, vtable + 4 + 2 * id);
    ck_assert_msg(offset < table_size, "field %u of the table at %zu is outside of it", id, table);
    return offset > 0 ? table + offset : 0;
}

static inline int64_t flat_int(const flat_file *f, size_t table, uint32_t id, int64_t otherwise)
{
    const size_t at = flat_field(f, table, id);
    return at > 0 ? (int32_t)flat_u32(f, at) : otherwise;
}

static inline int64_t flat_byte(const flat_file *f, size_t table, uint32_t id)
{
    const size_t at = flat_field(f, table, id);
    return at > 0 ? (int8_t)f->data[at] : 0;
}

/* A table, vector or string behind a field; 0. */
static inline size_t flat_at(const flat_file *f, size_t table, uint32_t id)
{
    const size_t at = flat_field(f, table, id);
    return at > 0 ? flat_follow(f, at) : 0;
}

/* How many elements of `size` bytes a vector has; all are inside. */
static inline size_t flat_count(const flat_file *f, size_t vector, size_t size)
{
    if (vector == 0) return 0;
    const size_t count = flat_u32(f, vector);
    ck_assert_msg(count <= (f->size - vector - 4) / size, "the vector at %zu leaves the file", vector);
    ck_assert_msg((vector + 4) % (size < 4 ? 1 : size) == 0, "the vector at %zu is not aligned", vector);
    return count;
}

static inline size_t flat_item(const flat_file *f, size_t vector, size_t index)
{
    ck_assert_uint_lt(index, flat_count(f, vector, 4));
    return flat_follow(f, vector + 4 + 4 * index);
}

static inline int32_t flat_item_int(const flat_file *f, size_t vector, size_t index)
{
    ck_assert_uint_lt(index, flat_count(f, vector, 4));
    return (int32_t)flat_u32(f, vector + 4 + 4 * index);
}

/* Zero-terminated, inside the file. */
static inline const char *flat_text(const flat_file *f, size_t string)
{
    const size_t length = flat_count(f, string, 1);
    ck_assert_msg(string > 0 && string + 4 + length < f->size && f->data[string + 4 + length] == 0,
                  "a text without an end");
    return (const char *)f->data + string + 4;
}

/* The root table of a file with this identifier. */
static inline size_t flat_root(const flat_file *f, const char *identifier)
{
    ck_assert_uint_gt(f->size, 8);
    ck_assert_mem_eq(f->data + 4, identifier, 4);
    return flat_follow(f, 0);
}

#endif
