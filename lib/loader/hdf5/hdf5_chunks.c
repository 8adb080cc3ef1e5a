/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_chunks.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "loader/hdf5/hdf5_array.h"
#include "loader/hdf5/hdf5_tree.h"

/* ---- the table ---- */

/* A chunk's place in the grid, `position` in chunks; false when it is outside. */
static bool place(const cnnfi_h5_chunks *c, const uint64_t *position, size_t *out)
{
    size_t index = 0;
    for (unsigned i = 0; i < c->layout->rank; i++) {
        if (position[i] >= c->grid[i]) return false;
        index = index * (size_t)c->grid[i] + (size_t)position[i];
    }
    *out = index;
    return true;
}

static cnnf_status put(cnnfi_h5_store *store, cnnfi_h5_chunks *c, const uint64_t *position, const cnnfi_h5_chunk *chunk)
{
    size_t index = 0;
    if (!place(c, position, &index)) return CNNFI_H5_CORRUPT(store, c->layout->at, "a chunk lies outside its dataset");
    if (c->items[index].at != CNNFI_H5_UNDEFINED) return CNNFI_H5_CORRUPT(store, c->layout->at, "a chunk occurs twice");
    if (!cnnfi_range_fits(chunk->at, chunk->size, store->size))
        return CNNFI_H5_CORRUPT(store, chunk->at, "a chunk of %" PRIu64 " bytes lies outside the file", chunk->size);
    c->items[index] = *chunk;
    c->stored += chunk->size;
    if (c->stored > store->size) return CNNFI_H5_CORRUPT(store, chunk->at, "the chunks overlap");
    return CNNF_OK;
}

/* ---- B-trees ---- */

typedef struct tree_use {
    cnnfi_h5_chunks *chunks;
    size_t size_width; /* version 2: bytes of a chunk's stored size; 0 when nothing is filtered */
} tree_use;

/* Keys: stored size 4, mask 4, then 8 bytes an offset in elements, the last of them the elements' own. */
static bool offsets_ordered(const uint8_t *a, const uint8_t *b, void *user)
{
    const tree_use *use = user;
    for (unsigned i = 0; i <= use->chunks->layout->rank; i++) {
        const uint64_t left = cnnfi_le64(a + 8 + 8 * i), right = cnnfi_le64(b + 8 + 8 * i);
        if (left != right) return left < right;
    }
    return true;
}

static cnnf_status tree1_chunk(cnnfi_h5_store *store, uint64_t child, const uint8_t *left, const uint8_t *right,
                               void *user)
{
    const tree_use *use = user;
    const cnnfi_h5_layout *layout = use->chunks->layout;
    const cnnfi_h5_chunk chunk = {child, cnnfi_le32(left), cnnfi_le32(left + 4)};
    uint64_t position[CNNFI_H5_MAX_RANK];
    (void)right;
    for (unsigned i = 0; i < layout->rank; i++) {
        const uint64_t offset = cnnfi_le64(left + 8 + 8 * i);
        position[i] = offset / layout->chunk[i];
        if (offset % layout->chunk[i] != 0) return CNNFI_H5_CORRUPT(store, child, "a chunk begins within another");
    }
    if (cnnfi_le64(left + 8 + 8 * layout->rank) != 0)
        return CNNFI_H5_CORRUPT(store, child, "a chunk begins within an element");
    return put(store, use->chunks, position, &chunk);
}

/* Type 10: address 8, position in chunks 8 each; type 11: address 8, size, mask 4, position. */
static cnnf_status tree2_chunk(cnnfi_h5_store *store, const uint8_t *record, size_t size, void *user)
{
    tree_use *use = user;
    cnnfi_h5_chunks *c = use->chunks;
    const size_t rank = c->layout->rank, head = 8 + 8 * rank + (c->filtered ? 4 : 0);
    uint64_t position[CNNFI_H5_MAX_RANK];
    if (c->filtered ? size <= head || size > head + 8 : size != head)
        return CNNFI_H5_CORRUPT(store, c->layout->at, "a chunk's record of %zu bytes", size);
    const size_t width = size - head;
    cnnfi_h5_chunk chunk = {cnnfi_le64(record), c->bytes, 0};
    if (c->filtered) {
        chunk.size = cnnfi_h5_uint(record + 8, width);
        chunk.mask = cnnfi_le32(record + 8 + width);
    }
    for (size_t i = 0; i < rank; i++)
        position[i] = cnnfi_le64(record + size - 8 * (rank - i));
    return put(store, c, position, &chunk);
}

static cnnf_status read_tree(cnnfi_h5_store *store, cnnfi_h5_chunks *c)
{
    tree_use use = {.chunks = c};
    const uint64_t root = c->layout->address;
    if (c->layout->index == CNNFI_H5_INDEX_TREE2)
        return cnnfi_h5_walk_tree2(store, root, c->filtered ? 11 : 10, tree2_chunk, &use);
    const cnnfi_h5_tree1 tree = {1, store->chunk_k, 8 + 8 * (c->layout->rank + 1u), offsets_ordered, tree1_chunk, &use};
    return cnnfi_h5_walk_tree1(store, &tree, root);
}

/* ---- arrays: chunks by their number in the largest shape that the dataset may have ---- */

typedef struct array_use {
    cnnfi_h5_chunks *chunks;
    unsigned order[CNNFI_H5_MAX_RANK];   /* the dimensions, slowest first: an unlimited one goes to the front */
    uint64_t largest[CNNFI_H5_MAX_RANK]; /* chunks in each of them; unlimited: UINT64_MAX */
} array_use;

/* Number -> position; false when that is beyond what the dataset has now. */
static bool position_of(const array_use *use, uint64_t number, uint64_t *position)
{
    const cnnfi_h5_chunks *c = use->chunks;
    bool inside = true;
    for (unsigned i = c->layout->rank; i-- > 0;) {
        const unsigned d = use->order[i];
        position[d] = i == 0 ? number : number % use->largest[i];
        if (i > 0) number /= use->largest[i];
        inside = inside && position[d] < c->grid[d];
    }
    return inside;
}

static cnnf_status array_element(cnnfi_h5_store *store, uint64_t number, const uint8_t *element, size_t size,
                                 void *user)
{
    const array_use *use = user;
    cnnfi_h5_chunks *c = use->chunks;
    uint64_t position[CNNFI_H5_MAX_RANK];
    cnnfi_h5_chunk chunk = {cnnfi_le64(element), c->bytes, 0};
    if (chunk.at == CNNFI_H5_UNDEFINED || !position_of(use, number, position)) return CNNF_OK;
    if (c->filtered) {
        chunk.size = cnnfi_h5_uint(element + 8, size - 12);
        chunk.mask = cnnfi_le32(element + size - 4);
    }
    return put(store, c, position, &chunk);
}

/* No index at all: chunks follow each other. */
static cnnf_status read_implicit(cnnfi_h5_store *store, array_use *use, uint64_t numbers)
{
    cnnfi_h5_chunks *c = use->chunks;
    uint64_t total = 0, position[CNNFI_H5_MAX_RANK];
    if (c->filtered || __builtin_mul_overflow(numbers, c->bytes, &total) ||
        !cnnfi_range_fits(c->layout->address, total, store->size))
        return CNNFI_H5_CORRUPT(store, c->layout->at, "chunks without index that lie outside the file");
    for (uint64_t i = 0; i < numbers; i++) {
        const cnnfi_h5_chunk chunk = {c->layout->address + i * c->bytes, c->bytes, 0};
        if (position_of(use, i, position)) CNNFI_TRY(put(store, c, position, &chunk));
    }
    return CNNF_OK;
}

/* The dimensions' order, and how many numbers there are; UINT64_MAX when one is unlimited. */
static cnnf_status number_chunks(cnnfi_h5_store *store, const cnnfi_h5_chunks *c, array_use *use, uint64_t *numbers)
{
    const unsigned rank = c->layout->rank;
    unsigned n = 0, unlimited = rank;
    for (unsigned i = 0; i < rank; i++)
        if (c->space->max[i] == CNNFI_H5_UNDEFINED) {
            if (unlimited < rank) return CNNFI_H5_CORRUPT(store, c->layout->at, "an array of two unlimited dimensions");
            unlimited = use->order[n++] = i;
        }
    for (unsigned i = 0; i < rank; i++)
        if (i != unlimited) use->order[n++] = i;
    *numbers = 1;
    for (unsigned i = 0; i < rank; i++) {
        const uint64_t max = c->space->max[use->order[i]], chunk = c->layout->chunk[use->order[i]];
        use->largest[i] = max == CNNFI_H5_UNDEFINED ? UINT64_MAX : max / chunk + (max % chunk != 0);
        if (use->largest[i] == 0) return CNNFI_H5_CORRUPT(store, c->layout->at, "chunks of an empty dataset");
        if (__builtin_mul_overflow(*numbers, use->largest[i], numbers)) *numbers = UINT64_MAX;
    }
    return CNNF_OK;
}

static cnnf_status read_array(cnnfi_h5_store *store, cnnfi_h5_chunks *c)
{
    array_use use = {.chunks = c};
    uint64_t numbers = 0;
    CNNFI_TRY(number_chunks(store, c, &use, &numbers));
    const cnnfi_h5_array array = {c->layout->address, c->filtered, numbers, array_element, &use};
    switch (c->layout->index) {
    case CNNFI_H5_INDEX_IMPLICIT:
        return read_implicit(store, &use, numbers);
    case CNNFI_H5_INDEX_FIXED_ARRAY:
        return cnnfi_h5_walk_fixed_array(store, &array);
    default:
        return cnnfi_h5_walk_extensible_array(store, &array);
    }
}

static cnnf_status read_single(cnnfi_h5_store *store, cnnfi_h5_chunks *c)
{
    const cnnfi_h5_layout *layout = c->layout;
    const uint64_t origin[CNNFI_H5_MAX_RANK] = {0};
    cnnfi_h5_chunk chunk = {layout->address, c->bytes, 0};
    if (layout->single_filtered) chunk = (cnnfi_h5_chunk){layout->address, layout->single_size, layout->single_mask};
    if (c->count != 1 || layout->single_filtered != c->filtered)
        return CNNFI_H5_CORRUPT(store, layout->at, "a single chunk that does not fit its dataset");
    return put(store, c, origin, &chunk);
}

/* ---- all ---- */

/* The grid and the bytes of a chunk; limits before anything is allocated. */
static cnnf_status size_table(cnnfi_h5_store *store, cnnfi_h5_chunks *c)
{
    uint64_t count = 1;
    c->bytes = c->layout->element_size;
    for (unsigned i = 0; i < c->layout->rank; i++) {
        const uint64_t dim = c->space->dims[i], chunk = c->layout->chunk[i];
        c->grid[i] = dim / chunk + (dim % chunk != 0);
        if (__builtin_mul_overflow(count, c->grid[i], &count) || __builtin_mul_overflow(c->bytes, chunk, &c->bytes))
            return CNNFI_H5_CORRUPT(store, c->layout->at, "chunks beyond all bounds");
    }
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_ENTRIES, count, store->path, store->error));
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_TENSOR_BYTES, c->bytes, store->path, store->error));
    c->count = (size_t)count;
    return CNNF_OK;
}

cnnf_status cnnfi_h5_read_chunks(cnnfi_h5_store *store, const cnnfi_h5_layout *layout, const cnnfi_h5_space *space,
                                 bool filtered, cnnfi_h5_chunks *out)
{
    *out = (cnnfi_h5_chunks){.layout = layout, .space = space, .filtered = filtered};
    CNNFI_TRY(size_table(store, out));
    out->items = cnnfi_arena_array(&store->scratch, out->count, sizeof *out->items);
    if (!out->items) return cnnfi_fail_nomem(store->error);
    for (size_t i = 0; i < out->count; i++)
        out->items[i].at = CNNFI_H5_UNDEFINED;
    if (layout->address == CNNFI_H5_UNDEFINED || out->count == 0) return CNNF_OK;
    switch (layout->index) {
    case CNNFI_H5_INDEX_TREE1:
    case CNNFI_H5_INDEX_TREE2:
        return read_tree(store, out);
    case CNNFI_H5_INDEX_SINGLE:
        return read_single(store, out);
    default:
        return read_array(store, out);
    }
}
