/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_heap.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"

/* ---- local ---- */

/* "HEAP", version 1, reserved 3, size 8, first free block 8 (1: none), address of the data 8. */
cnnf_status cnnfi_h5_read_local_heap(cnnfi_h5_store *store, uint64_t at, cnnfi_h5_local_heap *out)
{
    const uint8_t *head = NULL;
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, at, 32, &head, "a local heap"));
    if (memcmp(head, "HEAP", 4) != 0 || head[4] != 0) return CNNFI_H5_CORRUPT(store, at, "no local heap");
    out->size = cnnfi_le64(head + 8);
    CNNFI_TRY(
        cnnfi_h5_fetch(store, &store->scratch, cnnfi_le64(head + 24), out->size, &out->data, "a local heap's data"));
    uint64_t block = cnnfi_le64(head + 16);
    for (uint64_t n = 0; block != 1; n++) {
        if (block % 8 != 0 || !cnnfi_range_fits(block, 16, out->size) || n > out->size / 16)
            return CNNFI_H5_CORRUPT(store, at, "the free list of a local heap is damaged");
        const uint64_t length = cnnfi_le64(out->data + block + 8);
        if (length < 16 || !cnnfi_range_fits(block, length, out->size))
            return CNNFI_H5_CORRUPT(store, at, "a free block of a local heap is damaged");
        block = cnnfi_le64(out->data + block);
    }
    return CNNF_OK;
}

const char *cnnfi_h5_heap_string(const cnnfi_h5_local_heap *heap, uint64_t offset)
{
    if (offset >= heap->size || !memchr(heap->data + offset, '\0', (size_t)(heap->size - offset))) return NULL;
    return (const char *)heap->data + offset;
}

/* ---- global ---- */

typedef struct global_object {
    const uint8_t *data; /* NULL: no object has this index */
    uint64_t size;
} global_object;

typedef struct cnnfi_h5_collection {
    global_object *objects; /* by index */
    size_t count;
} collection;

/* The object at `pos`: index 2, references 2, reserved 4, size 8, data padded to 8; index 0 is free space. */
static bool next_object(const uint8_t *p, uint64_t size, uint64_t *pos, uint16_t *index, global_object *out)
{
    const uint64_t bytes = cnnfi_le64(p + *pos + 8), left = size - *pos;
    *index = cnnfi_le16(p + *pos);
    if (bytes > left) return false;
    const uint64_t step = *index == 0 ? bytes : 16 + (bytes + 7) / 8 * 8;
    *out = (global_object){p + *pos + 16, bytes};
    *pos += step;
    return step >= 16 && step <= left;
}

/* Room for the largest index, then each object in its place; no index may come twice. */
static cnnf_status fill_collection(cnnfi_h5_store *store, uint64_t at, const uint8_t *p, uint64_t size, collection *c)
{
    uint16_t index = 0, largest = 0;
    global_object object;
    for (uint64_t pos = 16; size - pos >= 16; largest = index > largest ? index : largest)
        if (!next_object(p, size, &pos, &index, &object))
            return CNNFI_H5_CORRUPT(store, at, "an object of a global heap runs past its end");
    c->count = largest + 1u;
    c->objects = cnnfi_arena_array(&store->arena, c->count, sizeof *c->objects);
    if (!c->objects) return cnnfi_fail_nomem(store->error);
    for (uint64_t pos = 16; size - pos >= 16 && next_object(p, size, &pos, &index, &object);) {
        if (index == 0) continue;
        if (c->objects[index].data) return CNNFI_H5_CORRUPT(store, at, "global heap object %u occurs twice", index);
        c->objects[index] = object;
    }
    return CNNF_OK;
}

static cnnf_status read_collection(cnnfi_h5_store *store, uint64_t at, collection *c)
{
    const uint8_t *p = NULL;
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, at, 16, &p, "a global heap"));
    const uint64_t size = cnnfi_le64(p + 8);
    if (memcmp(p, "GCOL", 4) != 0 || p[4] != 1 || size < 4096) return CNNFI_H5_CORRUPT(store, at, "no global heap");
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->arena, at, size, &p, "a global heap"));
    return fill_collection(store, at, p, size, c);
}

/* Each collection is read once. */
static cnnf_status open_collection(cnnfi_h5_store *store, uint64_t at, const collection **out)
{
    char *key = cnnfi_arena_printf(&store->arena, "%" PRIx64, at);
    if (!key) return cnnfi_fail_nomem(store->error);
    const int64_t index = cnnfi_strmap_get(&store->collections, key);
    if (index >= 0) {
        *out = store->heaps[index];
        return CNNF_OK;
    }
    void *grown = store->heaps;
    collection *c = cnnfi_arena_alloc(&store->arena, sizeof *c);
    if (!c || !cnnfi_grow(store->context, &grown, &store->heap_capacity, store->n_heaps, sizeof(collection *)))
        return cnnfi_fail_nomem(store->error);
    store->heaps = grown;
    CNNFI_TRY(read_collection(store, at, c));
    if (!cnnfi_strmap_set(&store->collections, key, (int64_t)store->n_heaps)) return cnnfi_fail_nomem(store->error);
    store->heaps[store->n_heaps++] = c;
    *out = c;
    return CNNF_OK;
}

cnnf_status cnnfi_h5_global_object(cnnfi_h5_store *store, uint64_t at, uint32_t index, uint32_t size,
                                   const uint8_t **out)
{
    const collection *c = NULL;
    CNNFI_TRY(open_collection(store, at, &c));
    if (index == 0 || index >= c->count || !c->objects[index].data)
        return CNNFI_H5_CORRUPT(store, at, "global heap object %" PRIu32 " is not there", index);
    if (c->objects[index].size != size)
        return CNNFI_H5_CORRUPT(store, at, "global heap object %" PRIu32 " has %" PRIu64 " bytes, want %" PRIu32, index,
                                c->objects[index].size, size);
    *out = c->objects[index].data;
    return CNNF_OK;
}
