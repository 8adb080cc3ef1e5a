/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_header.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"

#define MAX_BLOCKS 1024u

/* Flags of a message; those that are not here are for writers. */
enum { FLAG_SHARED = 0x02, FLAG_NEVER_SHARED = 0x04, FLAG_FAIL = 0x08, FLAG_MARK = 0x10, FLAG_MARKED = 0x20 };

/* A header while it is read: the blocks that it consists of, each named by a continuation message of one before. */
typedef struct reading {
    cnnfi_h5_store *store;
    cnnfi_h5_header *header;
    unsigned version, flags; /* flags of version 2 */
    cnnfi_h5_span *block;    /* in the store's scratch */
    size_t n_blocks, block_capacity;
    size_t met;    /* messages of any kind */
    uint32_t seen; /* bit per kind */
} reading;

static cnnf_status add_block(reading *r, uint64_t at, uint64_t offset, uint64_t length)
{
    cnnfi_h5_store *store = r->store;
    if (r->n_blocks == MAX_BLOCKS || length < 8)
        return CNNFI_H5_CORRUPT(store, at, "an object header of more than %u blocks, or of an empty one", MAX_BLOCKS);
    if (!cnnfi_range_fits(offset, length, store->size))
        return CNNFI_H5_CORRUPT(store, at, "an object header's block lies outside the file");
    for (size_t i = 0; i < r->n_blocks; i++)
        if (offset < r->block[i].at + r->block[i].size && r->block[i].at < offset + length)
            return CNNFI_H5_CORRUPT(store, at, "an object header's blocks overlap");
    void *array = r->block;
    cnnfi_h5_span *slot = cnnfi_h5_append(&store->scratch, &array, &r->block_capacity, &r->n_blocks, sizeof *r->block);
    if (!slot) return cnnfi_fail_nomem(store->error);
    r->block = array;
    *slot = (cnnfi_h5_span){offset, length};
    return CNNF_OK;
}

static bool may_repeat(unsigned kind)
{
    return kind == CNNFI_H5_MSG_ATTRIBUTE || kind == CNNFI_H5_MSG_LINK || kind == CNNFI_H5_MSG_CONTINUATION;
}

static bool known(unsigned kind)
{
    return kind <= CNNFI_H5_MSG_FILE_SPACE && kind != 0x09 && kind != 0x0f && kind != 0x14;
}

/* Combinations that libhdf5 refuses (H5O__chunk_deserialize()); it must not meet them, for then it leaks. */
static bool contradict(unsigned flags)
{
    return ((flags & FLAG_SHARED) && (flags & FLAG_NEVER_SHARED)) ||
           ((flags & FLAG_MARKED) && ((flags & FLAG_FAIL) || !(flags & FLAG_MARK)));
}

static cnnf_status add_message(reading *r, const cnnfi_h5_message *m, unsigned flags)
{
    cnnfi_h5_store *store = r->store;
    r->met++;
    if (contradict(flags)) return CNNFI_H5_CORRUPT(store, m->at, "message %u has flags %u", m->kind, flags);
    if (m->kind == CNNFI_H5_MSG_NIL) return CNNF_OK;
    if (!known(m->kind))
        return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, m->at, "header message %u is not supported", m->kind);
    if (m->kind == CNNFI_H5_MSG_REFCOUNT && r->version == 1)
        return CNNFI_H5_CORRUPT(store, m->at, "a reference count in an object header of version 1");
    if (flags & FLAG_SHARED)
        return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, m->at,
                             "header message %u is shared with another object; not supported", m->kind);
    if (!may_repeat(m->kind) && (r->seen & 1u << m->kind))
        return CNNFI_H5_CORRUPT(store, m->at, "message %u occurs twice", m->kind);
    r->seen |= 1u << m->kind;
    if (m->kind == CNNFI_H5_MSG_CONTINUATION)
        return m->size >= 16 ? add_block(r, m->at, cnnfi_le64(m->p), cnnfi_le64(m->p + 8))
                             : CNNFI_H5_CORRUPT(store, m->at, "a continuation message of %zu bytes", m->size);
    cnnfi_h5_header *h = r->header;
    void *array = h->messages;
    cnnfi_h5_message *slot = cnnfi_h5_append(&store->arena, &array, &h->capacity, &h->count, sizeof *slot);
    if (!slot) return cnnfi_fail_nomem(store->error);
    h->messages = array;
    *slot = *m;
    return CNNF_OK;
}

/* Version 1: kind 2, size 2, flags 1, reserved 3; version 2: kind 1, size 2, flags 1, order of creation 2 if tracked.
 */
static cnnf_status read_messages(reading *r, uint64_t at, const uint8_t *p, size_t length)
{
    const bool old = r->version == 1;
    const size_t head = old ? 8 : r->flags & 4 ? 6 : 4;
    /* In version 2 what is too small for a message is a gap. */
    for (size_t pos = 0; old ? pos < length : length - pos >= head;) {
        if (length - pos < head) return CNNFI_H5_CORRUPT(r->store, at + pos, "an object header ends within a message");
        const uint8_t *q = p + pos;
        const size_t size = cnnfi_le16(q + (old ? 2 : 1));
        const cnnfi_h5_message m = {old ? cnnfi_le16(q) : q[0], at + pos + head, q + head, size};
        if (size > length - pos - head || (old && size % 8 != 0))
            return CNNFI_H5_CORRUPT(r->store, at + pos, "message %u of %zu bytes runs past its end", m.kind, size);
        CNNFI_TRY(add_message(r, &m, q[old ? 4 : 3]));
        pos += head + size;
    }
    return CNNF_OK;
}

static cnnf_status read_version1(reading *r, const uint8_t *p)
{
    cnnfi_h5_store *store = r->store;
    const uint64_t at = r->header->at;
    const unsigned count = cnnfi_le16(p + 2);
    if (count > 0) CNNFI_TRY(add_block(r, at, at + 16, cnnfi_le32(p + 8)));
    for (size_t i = 0; i < r->n_blocks; i++) {
        const cnnfi_h5_span block = r->block[i];
        const uint8_t *bytes = NULL;
        CNNFI_TRY(cnnfi_h5_fetch(store, &store->arena, block.at, block.size, &bytes, "an object header"));
        CNNFI_TRY(read_messages(r, block.at, bytes, (size_t)block.size));
    }
    if (r->met != count) return CNNFI_H5_CORRUPT(store, at, "an object header of %u messages has %zu", count, r->met);
    return CNNF_OK;
}

/* "OHDR": flags tell which of times (16 bytes) and attribute bounds (4) follow, and the width of the size. */
static cnnf_status read_version2(reading *r, const uint8_t *p)
{
    cnnfi_h5_store *store = r->store;
    const uint64_t at = r->header->at;
    r->flags = p[5];
    const size_t width = (size_t)1 << (p[5] & 3), head = 6 + (p[5] & 0x20 ? 16u : 0u) + (p[5] & 0x10 ? 4u : 0u) + width;
    if (p[4] != 2 || (p[5] & 0xc0)) return CNNFI_H5_CORRUPT(store, at, "object header version %u", p[4]);
    const uint8_t *bytes = NULL;
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, at, head, &bytes, "an object header"));
    const uint64_t size = cnnfi_h5_uint(bytes + head - width, width);
    if (size > store->size) return CNNFI_H5_CORRUPT(store, at, "an object header lies outside the file");
    CNNFI_TRY(add_block(r, at, at, head + size + 4));
    for (size_t i = 0; i < r->n_blocks; i++) {
        const cnnfi_h5_span block = r->block[i];
        const size_t skip = i == 0 ? head : 4;
        CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->arena, block.at, block.size, i == 0 ? "OHDR" : "OCHK", &bytes,
                                         "an object header"));
        CNNFI_TRY(read_messages(r, block.at + skip, bytes + skip, (size_t)block.size - skip - 4));
    }
    return CNNF_OK;
}

cnnf_status cnnfi_h5_read_header(cnnfi_h5_store *store, uint64_t at, cnnfi_h5_header *out)
{
    const uint8_t *p = NULL;
    *out = (cnnfi_h5_header){.at = at};
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, at, 16, &p, "an object header"));
    reading r = {.store = store, .header = out, .version = memcmp(p, "OHDR", 4) == 0 ? 2 : p[0]};
    if (r.version == 2) return read_version2(&r, p);
    if (r.version != 1) return CNNFI_H5_CORRUPT(store, at, "object header version %u", p[0]);
    return read_version1(&r, p);
}

const cnnfi_h5_message *cnnfi_h5_find(const cnnfi_h5_header *header, unsigned kind)
{
    for (size_t i = 0; i < header->count; i++)
        if (header->messages[i].kind == kind) return &header->messages[i];
    return NULL;
}
