/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_tree.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

#define MAX_DEPTH 8u

/* ---- version 1 ---- */

/* What the node above says about this one. */
typedef struct bounds {
    int level;
    const uint8_t *left, *right; /* keys; NULL at the root */
} bounds;

/*
 * "TREE", type 1, level 1, entries used 2, left and right sibling 8 + 8, then key, child, key, ..., key. Calls itself
 * at most MAX_DEPTH times: the level falls by one each time.
 */
static cnnf_status walk_node1(cnnfi_h5_store *store, const cnnfi_h5_tree1 *t, uint64_t at, bounds above)
{
    const uint8_t *p = NULL;
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, at, 24, &p, "a B-tree node"));
    const unsigned level = p[5], used = cnnfi_le16(p + 6);
    const size_t step = t->key_size + 8;
    if (memcmp(p, "TREE", 4) != 0 || p[4] != t->type || used > 2 * t->k)
        return CNNFI_H5_CORRUPT(store, at, "no B-tree node of type %u", t->type);
    if (level >= MAX_DEPTH || (above.level >= 0 && (int)level != above.level))
        return CNNFI_H5_CORRUPT(store, at, "a B-tree node of level %u", level);
    if (used == 0) return above.level < 0 ? CNNF_OK : CNNFI_H5_CORRUPT(store, at, "a B-tree node without children");
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, at, 24 + used * step + t->key_size, &p, "a B-tree node"));
    const uint8_t *first = p + 24, *last = first + used * step;
    if (above.left && (!t->ordered(above.left, first, t->user) || !t->ordered(last, above.right, t->user)))
        return CNNFI_H5_CORRUPT(store, at, "a B-tree node's keys are not those of the node above");
    for (const uint8_t *key = first; key < last; key += step)
        if (!t->ordered(key, key + step, t->user))
            return CNNFI_H5_CORRUPT(store, at, "a B-tree's keys are damaged or not in order");
    for (const uint8_t *key = first; key < last; key += step) {
        const uint64_t child = cnnfi_le64(key + t->key_size);
        const bounds here = {(int)level - 1, key, key + step};
        CNNFI_TRY(level > 0 ? walk_node1(store, t, child, here) : t->leaf(store, child, key, key + step, t->user));
    }
    return CNNF_OK;
}

cnnf_status cnnfi_h5_walk_tree1(cnnfi_h5_store *store, const cnnfi_h5_tree1 *tree, uint64_t root)
{
    return walk_node1(store, tree, root, (bounds){.level = -1});
}

/* ---- version 2 ---- */

typedef struct tree2 {
    cnnfi_h5_store *store;
    uint8_t type;
    size_t node_size, record_size;
    size_t count_width;              /* bytes that count the records of one node */
    uint64_t most[MAX_DEPTH];        /* records of a node of that depth and all below it */
    size_t total_width[MAX_DEPTH];   /* bytes that hold that number; 0 for leaves */
    uint64_t max_records[MAX_DEPTH]; /* of one node */
    uint64_t met;
    cnnfi_h5_record_fn record;
    void *user;
} tree2;

/* A child as an inner node describes it: address 8, records, records below it (when it is no leaf). */
static size_t pointer_size(const tree2 *t, unsigned depth)
{
    return 8 + t->count_width + t->total_width[depth - 1];
}

/* As H5B2__hdr_init() computes them: a leaf has 10 bytes that are no records (signature, version, type, checksum). */
static bool size_nodes(tree2 *t, unsigned depth)
{
    if (t->node_size < 10 + t->record_size) return false;
    t->max_records[0] = t->most[0] = (t->node_size - 10) / t->record_size;
    t->count_width = cnnfi_h5_width(t->most[0]);
    for (unsigned d = 1; d <= depth; d++) {
        const size_t pointer = pointer_size(t, d);
        if (t->node_size < 10 + 2 * pointer + t->record_size) return false;
        t->max_records[d] = (t->node_size - 10 - pointer) / (t->record_size + pointer);
        if (__builtin_mul_overflow(t->max_records[d] + 1, t->most[d - 1], &t->most[d]) ||
            __builtin_add_overflow(t->most[d], t->max_records[d], &t->most[d]))
            return false;
        t->total_width[d] = cnnfi_h5_width(t->most[d]);
    }
    return true;
}

/* One node with `count` records and all below it, in order; calls itself `depth` times at most. */
static cnnf_status walk_node2(tree2 *t, uint64_t at, unsigned depth, uint64_t count)
{
    cnnfi_h5_store *store = t->store;
    const uint8_t *p = NULL;
    const size_t pointer = depth > 0 ? pointer_size(t, depth) : 0;
    if (count > t->max_records[depth])
        return CNNFI_H5_CORRUPT(store, at, "a B-tree node of %" PRIu64 " records", count);
    const size_t records = (size_t)count * t->record_size, pointers = depth > 0 ? (size_t)(count + 1) * pointer : 0;
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, at, 10 + records + pointers, depth > 0 ? "BTIN" : "BTLF",
                                     &p, "a B-tree node"));
    if (p[4] != 0 || p[5] != t->type) return CNNFI_H5_CORRUPT(store, at, "a B-tree node of another kind");
    t->met += count;
    for (uint64_t i = 0; i <= count; i++) {
        const uint8_t *child = p + 6 + records + i * pointer;
        if (depth > 0) CNNFI_TRY(walk_node2(t, cnnfi_le64(child), depth - 1, cnnfi_h5_uint(child + 8, t->count_width)));
        if (i < count) CNNFI_TRY(t->record(store, p + 6 + i * t->record_size, t->record_size, t->user));
    }
    return CNNF_OK;
}

cnnf_status cnnfi_h5_walk_tree2(cnnfi_h5_store *store, uint64_t at, uint8_t type, cnnfi_h5_record_fn record, void *user)
{
    const uint8_t *p = NULL;
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, at, 38, "BTHD", &p, "a B-tree header"));
    const unsigned depth = cnnfi_le16(p + 12);
    const uint64_t root = cnnfi_le64(p + 16), total = cnnfi_le64(p + 26);
    tree2 t = {.store = store,
               .type = type,
               .node_size = cnnfi_le32(p + 6),
               .record_size = cnnfi_le16(p + 10),
               .record = record,
               .user = user};
    if (p[4] != 0 || p[5] != type || t.record_size == 0 || depth >= MAX_DEPTH || !size_nodes(&t, depth))
        return CNNFI_H5_CORRUPT(store, at, "a B-tree header that is damaged");
    if (root != CNNFI_H5_UNDEFINED) CNNFI_TRY(walk_node2(&t, root, depth, cnnfi_le16(p + 24)));
    if (t.met != total)
        return CNNFI_H5_CORRUPT(store, at, "a B-tree of %" PRIu64 " records has %" PRIu64, total, t.met);
    return CNNF_OK;
}
