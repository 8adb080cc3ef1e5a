/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutator of checkpoints: damages the blocks of the table where they are and repairs their crc32c, and those of the
 * tensors that the entries speak of, so that damage gets behind the checksums.
 */
#include <string.h>

#include "fuzz_parts.h"
#include "base/crc32c.h"
#include "base/wire.h"

FUZZ_PLAIN_BEGIN

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#define MOST_BLOCKS 64
#define FOOTER      48u
#define TRAILER     5u

typedef struct block {
    uint64_t at, size;
} block;

typedef struct table {
    block blocks[MOST_BLOCKS]; /* metaindex, index, then data */
    size_t count;
} table;

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void add_block(table *t, part p, cnnfi_cursor *c)
{
    block b;
    if (!cnnfi_read_varint(c, &b.at) || !cnnfi_read_varint(c, &b.size)) return;
    if (b.at > p.size || b.size > p.size - b.at || p.size - b.at - b.size < TRAILER || t->count == MOST_BLOCKS) return;
    t->blocks[t->count++] = b;
}

/* Calls `entry` with each value of a block that is not compressed. */
static void each_value(part p, block b, void (*entry)(uint8_t *value, size_t size, void *user), void *user)
{
    uint32_t restarts = 0;
    if (b.size < 4 || p.data[b.at + b.size] != 0) return;
    memcpy(&restarts, p.data + b.at + b.size - 4, 4);
    if (restarts > (b.size - 4) / 4) return;
    cnnfi_cursor c = cnnfi_cursor_of(p.data + b.at, (size_t)(b.size - 4 - restarts * 4u));
    uint64_t shared, tail, value;
    cnnfi_bytes bytes;
    while (cnnfi_read_varint(&c, &shared) && cnnfi_read_varint(&c, &tail) && cnnfi_read_varint(&c, &value)) {
        if (tail > cnnfi_cursor_left(&c) || value > cnnfi_cursor_left(&c) - tail) return;
        cnnfi_read_bytes(&c, (size_t)tail, &bytes);
        const size_t at = (size_t)b.at + c.at;
        cnnfi_read_bytes(&c, (size_t)value, &bytes);
        entry(p.data + at, (size_t)value, user);
    }
}

typedef struct found_table {
    table *t;
    part p;
} found_table;

static void index_entry(uint8_t *value, size_t size, void *user)
{
    found_table *f = user;
    cnnfi_cursor c = cnnfi_cursor_of(value, size);
    add_block(f->t, f->p, &c);
}

static void find_blocks(table *t, part p)
{
    t->count = 0;
    if (p.size < FOOTER) return;
    cnnfi_cursor c = cnnfi_cursor_of(p.data + p.size - FOOTER, 40);
    add_block(t, p, &c);
    add_block(t, p, &c);
    found_table f = {t, p};
    if (t->count == 2) each_value(p, t->blocks[1], index_entry, &f);
}

/* BundleEntryProto {offset = 4, size = 5, crc32c = 6}: the checksum of the bytes that are there now. */
static void repair_entry(uint8_t *value, size_t size, void *user)
{
    const part *data = user;
    cnnfi_cursor c = cnnfi_cursor_of(value, size);
    cnnfi_wire_field field;
    uint64_t offset = 0, length = 0;
    size_t sum = 0;
    while (cnnfi_wire_next(&c, &field) > 0) {
        if (cnnfi_wire_is(&field, 4, CNNFI_WIRE_VARINT)) offset = field.value;
        if (cnnfi_wire_is(&field, 5, CNNFI_WIRE_VARINT)) length = field.value;
        if (cnnfi_wire_is(&field, 6, CNNFI_WIRE_FIXED32)) sum = c.at - 4;
    }
    if (!sum || offset > data->size || length > data->size - offset) return;
    const uint32_t crc = cnnfi_crc32c_mask(cnnfi_crc32c(0, data->data + offset, (size_t)length));
    memcpy(value + sum, &crc, sizeof crc);
}

static void repair(const table *t, part p)
{
    for (size_t i = 0; i < t->count; i++) {
        uint8_t *bytes = p.data + t->blocks[i].at;
        const size_t size = (size_t)t->blocks[i].size;
        const uint32_t crc = cnnfi_crc32c_mask(cnnfi_crc32c(0, bytes, size + 1));
        memcpy(bytes + size + 1, &crc, sizeof crc);
    }
}

static void damage(const table *t, part p, uint32_t *state)
{
    static const uint8_t known[] = {0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x22, 0x2a};
    size_t at = next(state) % p.size;
    if (t->count && next(state) % 8) {
        const block *b = &t->blocks[next(state) % t->count];
        if (b->size) at = (size_t)(b->at + next(state) % b->size);
    }
    switch (next(state) % 4) {
    case 0:
        p.data[at] ^= (uint8_t)(1u << next(state) % 8);
        break;
    case 1:
        p.data[at] = known[next(state) % sizeof known];
        break;
    case 2:
        p.data[at] = (uint8_t)(p.data[at] + (next(state) % 2 ? 1 : -1));
        break;
    default: {
        const size_t from = next(state) % p.size, length = 1 + next(state) % 16;
        if (from + length <= p.size && at + length <= p.size) memmove(p.data + at, p.data + from, length);
    }
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static table t;
    uint8_t *rest = data;
    size_t left = size;
    uint32_t state = seed * 2654435761u + 1;
    const part index = next_part(&rest, &left);
    part shard = next_part(&rest, &left);
    find_blocks(&t, index);
    if (!seed) return size;
    if (!t.count || !index.size || next(&state) % 16 == 0) return LLVMFuzzerMutate(data, size, max_size);
    for (uint32_t n = 1 + next(&state) % 4; n > 0; n--) {
        damage(&t, index, &state);
        if (shard.size && next(&state) % 4 == 0) shard.data[next(&state) % shard.size] ^= (uint8_t)next(&state);
    }
    for (size_t i = 2; i < t.count && next(&state) % 8; i++)
        each_value(index, t.blocks[i], repair_entry, &shard);
    if (next(&state) % 16) repair(&t, index);
    return size;
}

FUZZ_PLAIN_END
