/* SPDX-License-Identifier: Apache-2.0 */
/* Fractal heaps: a doubling table of blocks; small objects in the id itself, large ones outside the table. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"
#include "loader/hdf5/hdf5_heap.h"
#include "loader/hdf5/hdf5_tree.h"

typedef struct cnnfi_h5_direct_block {
    uint64_t offset, size; /* in the heap's address space */
    uint64_t at;
    const uint8_t *bytes;
} direct_block;

typedef struct cnnfi_h5_huge_object {
    uint64_t id, at, size;
} huge_object;

/* ---- the doubling table ---- */

/* Rows 0 and 1 have blocks of the starting size, each further row blocks of twice the size of the one before. */
static uint64_t block_size(const cnnfi_h5_fractal_heap *h, unsigned row)
{
    return row < 2 ? h->start_size : h->start_size << (row - 1);
}

static unsigned direct_rows(const cnnfi_h5_fractal_heap *h)
{
    return cnnfi_h5_log2(h->max_direct) - cnnfi_h5_log2(h->start_size) + 2;
}

/* "FHDB", version 1, heap's address 8, offset, checksum of all with itself as zero (when the heap says so), objects. */
static cnnf_status read_direct(cnnfi_h5_fractal_heap *h, uint64_t at, uint64_t offset, uint64_t size)
{
    cnnfi_h5_store *store = h->store;
    const uint8_t *p = NULL;
    const size_t head = 13 + h->offset_width;
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->arena, at, size, &p, "a fractal heap's block"));
    if (size < head + 4 || memcmp(p, "FHDB", 4) != 0 || p[4] != 0 || cnnfi_le64(p + 5) != h->at ||
        cnnfi_h5_uint(p + 13, h->offset_width) != offset)
        return CNNFI_H5_CORRUPT(store, at, "no block of this fractal heap");
    if (h->checked) {
        uint8_t *sum = (uint8_t *)(uintptr_t)p + head; /* the arena's, ours */
        const uint32_t stored = cnnfi_le32(sum);
        memset(sum, 0, 4);
        if (cnnfi_h5_lookup3(p, (size_t)size) != stored)
            return CNNFI_H5_CORRUPT(store, at, "the checksum of a fractal heap's block does not match");
    }
    void *array = h->blocks;
    direct_block *block = cnnfi_h5_append(&store->scratch, &array, &h->block_capacity, &h->n_blocks, sizeof *h->blocks);
    if (!block) return cnnfi_fail_nomem(store->error);
    h->blocks = array;
    *block = (direct_block){offset, size, at, p};
    return CNNF_OK;
}

/*
 * "FHIB", version 1, heap's address 8, offset, addresses of `rows` x width children, checksum. A child that is no
 * direct block has fewer rows than this one, which bounds the recursion.
 */
static cnnf_status read_indirect(cnnfi_h5_fractal_heap *h, uint64_t at, uint64_t offset, unsigned rows)
{
    cnnfi_h5_store *store = h->store;
    const uint8_t *p = NULL;
    const size_t head = 13 + h->offset_width;
    const unsigned first_bits = cnnfi_h5_log2(h->start_size) + cnnfi_h5_log2(h->width);
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, at, head + (uint64_t)rows * h->width * 8 + 4, "FHIB", &p,
                                     "a fractal heap's indirect block"));
    if (p[4] != 0 || cnnfi_le64(p + 5) != h->at || cnnfi_h5_uint(p + 13, h->offset_width) != offset)
        return CNNFI_H5_CORRUPT(store, at, "no indirect block of this fractal heap");
    for (unsigned row = 0; row < rows; row++) {
        const uint64_t size = block_size(h, row);
        for (unsigned i = 0; i < h->width; i++, offset += size) {
            const uint64_t child = cnnfi_le64(p + head + 8 * ((size_t)row * h->width + i));
            if (child == CNNFI_H5_UNDEFINED) continue;
            CNNFI_TRY(row < direct_rows(h) ? read_direct(h, child, offset, size)
                                           : read_indirect(h, child, offset, cnnfi_h5_log2(size) - first_bits + 1));
        }
    }
    return CNNF_OK;
}

/* ---- objects outside the table ---- */

/* B-tree type 1: address 8, size 8, id 8. */
static cnnf_status add_huge(cnnfi_h5_store *store, const uint8_t *record, size_t size, void *user)
{
    cnnfi_h5_fractal_heap *h = user;
    void *array = h->huge;
    const uint64_t id = size == 24 ? cnnfi_le64(record + 16) : 0;
    if (size != 24 || (h->n_huge > 0 && h->huge[h->n_huge - 1].id >= id))
        return CNNFI_H5_CORRUPT(store, h->at, "the records of a fractal heap's huge objects are damaged");
    huge_object *huge = cnnfi_h5_append(&store->scratch, &array, &h->huge_capacity, &h->n_huge, sizeof *h->huge);
    if (!huge) return cnnfi_fail_nomem(store->error);
    h->huge = array;
    *huge = (huge_object){id, cnnfi_le64(record), cnnfi_le64(record + 8)};
    return CNNF_OK;
}

/* By halving; *found stays as it is when there is none. */
static void find_huge(const cnnfi_h5_fractal_heap *h, uint64_t id, huge_object *found)
{
    size_t low = 0, high = h->n_huge;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (h->huge[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < h->n_huge && h->huge[low].id == id) *found = h->huge[low];
}

/* Ids are short, so that they name a record of the B-tree; were they long, they would hold address and size. */
static cnnf_status huge_at(const cnnfi_h5_fractal_heap *h, const uint8_t *id, const uint8_t **out, size_t *size,
                           uint64_t *at)
{
    cnnfi_h5_store *store = h->store;
    huge_object found = {.size = 0};
    if (h->id_size >= 17)
        found = (huge_object){0, cnnfi_le64(id + 1), cnnfi_le64(id + 9)};
    else
        find_huge(h, cnnfi_h5_uint(id + 1, h->id_size - 1), &found);
    if (found.size == 0) return CNNFI_H5_CORRUPT(store, h->at, "a huge object of a fractal heap is not there");
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_ATTR_BYTES, found.size, store->path, store->error));
    *size = (size_t)found.size;
    *at = found.at;
    return cnnfi_h5_fetch(store, &store->arena, found.at, found.size, out, "a huge object");
}

/* ---- objects inside the table ---- */

/* Offset and length; the block that holds them is found by halving. */
static cnnf_status managed_at(const cnnfi_h5_fractal_heap *h, const uint8_t *id, const uint8_t **out, size_t *size,
                              uint64_t *at)
{
    const uint64_t offset = cnnfi_h5_uint(id + 1, h->offset_width),
                   length = cnnfi_h5_uint(id + 1 + h->offset_width, h->length_width);
    size_t low = 0, high = h->n_blocks;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (h->blocks[middle].offset + h->blocks[middle].size <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    const uint64_t head = 13 + h->offset_width + (h->checked ? 4u : 0u);
    const direct_block *block = low < h->n_blocks ? &h->blocks[low] : NULL;
    if (!block || offset < block->offset + head || length == 0 || length > h->max_managed ||
        length > block->offset + block->size - offset)
        return CNNFI_H5_CORRUPT(h->store, h->at, "an object at %" PRIu64 " of a fractal heap is not there", offset);
    *out = block->bytes + (offset - block->offset);
    *size = (size_t)length;
    *at = block->at + (offset - block->offset);
    return CNNF_OK;
}

/* In the id itself: its length less one in 4 bits, or in 12 when ids are long. */
static cnnf_status tiny_at(const cnnfi_h5_fractal_heap *h, const uint8_t *id, const uint8_t **out, size_t *size,
                           uint64_t *at)
{
    const bool extended = h->id_size > 18;
    const size_t head = extended ? 2 : 1;
    *size = (extended ? (size_t)(id[0] & 15) << 8 | id[1] : (size_t)(id[0] & 15)) + 1;
    *at = h->at;
    if (*size > h->id_size - head) return CNNFI_H5_CORRUPT(h->store, h->at, "a tiny object longer than its id");
    *out = (const uint8_t *)cnnfi_arena_strndup(&h->store->arena, id + head, *size);
    return *out ? CNNF_OK : cnnfi_fail_nomem(h->store->error);
}

cnnf_status cnnfi_h5_fractal_object(cnnfi_h5_fractal_heap *heap, const uint8_t *id, const uint8_t **out, size_t *size,
                                    uint64_t *at)
{
    switch (id[0] >> 4) { /* version 0 and the type */
    case 0:
        return managed_at(heap, id, out, size, at);
    case 1:
        return huge_at(heap, id, out, size, at);
    case 2:
        return tiny_at(heap, id, out, size, at);
    default:
        return CNNFI_H5_CORRUPT(heap->store, heap->at, "an id of a fractal heap is damaged");
    }
}

/* ---- the header ---- */

static bool power_of_two(uint64_t value)
{
    return value > 0 && (value & (value - 1)) == 0;
}

/* The fields of "FRHP" that say how the heap is laid out; false when they make no sense. */
static bool decode_heap(cnnfi_h5_fractal_heap *h, const uint8_t *p)
{
    h->id_size = cnnfi_le16(p + 5);
    h->checked = p[9] & 2;
    h->max_managed = cnnfi_le32(p + 10);
    h->width = cnnfi_le16(p + 110);
    h->start_size = cnnfi_le64(p + 112);
    h->max_direct = cnnfi_le64(p + 120);
    h->max_bits = cnnfi_le16(p + 128);
    if (p[4] != 0 || !power_of_two(h->width) || h->width > 1024 || !power_of_two(h->start_size) ||
        !power_of_two(h->max_direct) || h->start_size > h->max_direct || h->max_direct > UINT32_MAX ||
        h->max_bits == 0 || h->max_bits > 64 || h->max_managed == 0 || h->max_managed > h->max_direct)
        return false;
    h->offset_width = (h->max_bits + 7) / 8;
    const size_t block_width = cnnfi_h5_width(h->max_direct), object_width = cnnfi_h5_width(h->max_managed);
    h->length_width = block_width < object_width ? block_width : object_width;
    return h->id_size >= 1 + h->offset_width + h->length_width && h->id_size <= 4096;
}

cnnf_status cnnfi_h5_open_fractal_heap(cnnfi_h5_store *store, uint64_t at, cnnfi_h5_fractal_heap *out)
{
    const uint8_t *p = NULL;
    *out = (cnnfi_h5_fractal_heap){.store = store, .at = at};
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, at, 146, &p, "a fractal heap"));
    if (cnnfi_le16(p + 7) != 0)
        return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, at, "a fractal heap with filters is not supported");
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, at, 146, "FRHP", &p, "a fractal heap"));
    if (!decode_heap(out, p)) return CNNFI_H5_CORRUPT(store, at, "a fractal heap's header is damaged");
    const uint64_t huge = cnnfi_le64(p + 22), root = cnnfi_le64(p + 132);
    const unsigned rows = cnnfi_le16(p + 140);
    if (rows + cnnfi_h5_log2(out->start_size) + cnnfi_h5_log2(out->width) > 62) /* offsets stay below 2^63 */
        return CNNFI_H5_CORRUPT(store, at, "a fractal heap of %u rows", rows);
    if (root != CNNFI_H5_UNDEFINED)
        CNNFI_TRY(rows == 0 ? read_direct(out, root, 0, out->start_size) : read_indirect(out, root, 0, rows));
    return huge != CNNFI_H5_UNDEFINED && out->id_size < 17 ? cnnfi_h5_walk_tree2(store, huge, 1, add_huge, out)
                                                           : CNNF_OK;
}
