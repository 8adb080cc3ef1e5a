/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_superblock.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

cnnf_status cnnfi_h5_find_signature(uint64_t *at, const cnnfi_source *source, uint64_t base, uint64_t size,
                                    const char *name, cnnf_error *error)
{
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    uint8_t found[8];
    if (size == 0) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: not an HDF5 file (0 bytes)", name);
    for (*at = 0; *at <= size - sizeof found && size >= sizeof found; *at = *at ? 2 * *at : 512) {
        CNNFI_TRY(cnnfi_source_read(source, base + *at, found, sizeof found, error));
        if (memcmp(found, signature, sizeof found) == 0) return CNNF_OK;
    }
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: not an HDF5 file (no signature at offset 0, 512, 1024, 2048)", name);
}

/* ---- what versions have in common ---- */

static cnnf_status check_sizes(cnnfi_h5_store *store, const uint8_t *sizes)
{
    if (sizes[0] == 8 && sizes[1] == 8) return CNNF_OK;
    return cnnfi_fail(store->error, CNNF_E_UNSUPPORTED,
                      "%s: HDF5: offsets of %d and lengths of %d bytes are not supported", store->name, sizes[0],
                      sizes[1]);
}

/* "End of file" counts from the beginning of the file when a base address does, else from the superblock. */
static cnnf_status check_end(cnnfi_h5_store *store, uint64_t base, uint64_t end)
{
    if (base != 0 && base != store->user_block)
        return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, 24, "a base address of %" PRIu64 " is not supported", base);
    if (end >= base && end - base <= store->size) {
        store->size = end - base; /* libhdf5 reads nothing behind it, and leaks when it should */
        return CNNF_OK;
    }
    return cnnfi_fail(store->error, CNNF_E_CORRUPT,
                      "%s: HDF5: file is %" PRIu64 " bytes but superblock says end of file is %" PRIu64, store->name,
                      store->size + store->user_block, end);
}

/* ---- versions 0 and 1 ---- */

static cnnf_status check_ks(cnnfi_h5_store *store)
{
    if (store->leaf_k && store->internal_k && store->chunk_k && store->leaf_k <= 4096 && store->internal_k <= 4096 &&
        store->chunk_k <= 4096)
        return CNNF_OK;
    return CNNFI_H5_CORRUPT(store, 16, "the superblock is damaged");
}

/* libhdf5 follows the table that the root entry caches, so it must be the root's. */
static cnnf_status check_root_entry(cnnfi_h5_store *store, const uint8_t *entry, const cnnfi_h5_object *root)
{
    const uint32_t cache = cnnfi_le32(entry + 16);
    const cnnfi_h5_message *table = cnnfi_h5_find(&root->header, CNNFI_H5_MSG_SYMBOL_TABLE);
    if (cache > 1) return CNNFI_H5_CORRUPT(store, 24, "the root entry is damaged");
    if (cache == 1 && (!table || table->size < 16 || memcmp(table->p, entry + 24, 16) != 0))
        return CNNFI_H5_CORRUPT(store, 24, "the root entry caches another table");
    return CNNF_OK;
}

/*
 * Versions of free space, root and shared messages at 9, 10, 12; sizes 13, 14; leaf k 16, internal k 18; flags 20;
 * version 1: chunk k 24, reserved 2; base, free space, end of file, driver: 8 each; root entry 40.
 */
static cnnf_status read_version0(cnnfi_h5_store *store, const uint8_t *p, cnnfi_h5_object **root)
{
    const uint8_t *tail = p + (p[8] == 1 ? 28 : 24), *entry = tail + 32;
    CNNFI_TRY(check_sizes(store, p + 13));
    store->leaf_k = cnnfi_le16(p + 16);
    store->internal_k = cnnfi_le16(p + 18);
    store->chunk_k = p[8] == 1 ? cnnfi_le16(p + 24) : 32;
    if (p[9] != 0 || p[10] != 0 || p[12] != 0 || cnnfi_le32(p + 20) > 3)
        return CNNFI_H5_CORRUPT(store, 9, "the superblock is damaged");
    CNNFI_TRY(check_ks(store));
    CNNFI_TRY(check_end(store, cnnfi_le64(tail), cnnfi_le64(tail + 16)));
    if (cnnfi_le64(tail + 8) != CNNFI_H5_UNDEFINED || cnnfi_le64(tail + 24) != CNNFI_H5_UNDEFINED)
        return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, 24, "free-space or driver information is not supported");
    store->root = cnnfi_le64(entry + 8);
    CNNFI_TRY(cnnfi_h5_object_read(store, store->root, root));
    return check_root_entry(store, entry, *root);
}

/* ---- versions 2 and 3 ---- */

/* Of the extension only two messages are known: how wide nodes of version 1 are, and how space is managed. */
static cnnf_status check_extension_message(cnnfi_h5_store *store, const cnnfi_h5_message *m)
{
    const uint8_t *p = m->p;
    if (m->kind == CNNFI_H5_MSG_TREE_K) {
        if (m->size < 7 || p[0] != 0) return CNNFI_H5_CORRUPT(store, m->at, "node sizes that are damaged");
        store->chunk_k = cnnfi_le16(p + 1);
        store->internal_k = cnnfi_le16(p + 3);
        store->leaf_k = cnnfi_le16(p + 5);
        return check_ks(store);
    }
    /* version 1, strategy, whether free space is kept in the file, threshold 8, page size 8, ... */
    if (m->kind == CNNFI_H5_MSG_FILE_SPACE && m->size >= 29 && p[0] == 1 && p[1] <= 3 && p[2] == 0 &&
        cnnfi_le64(p + 11) >= 512 && cnnfi_le64(p + 11) <= (uint64_t)1 << 30)
        return CNNF_OK;
    return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, m->at, "superblock extension message %u is not supported", m->kind);
}

/* Sizes 9, 10; flags 11; base 12, extension 20, end of file 28, root 36; checksum 44. */
static cnnf_status read_version2(cnnfi_h5_store *store, const uint8_t *p, cnnfi_h5_object **root)
{
    CNNFI_TRY(check_sizes(store, p + 9));
    const uint32_t stored = cnnfi_le32(p + 44);
    if (stored != cnnfi_h5_lookup3(p, 44))
        return CNNFI_H5_CORRUPT(store, 0, "the superblock's checksum does not match");
    if (p[11] & ~5u) return CNNFI_H5_CORRUPT(store, 11, "the superblock is damaged");
    if (p[11]) return CNNFI_H5_CORRUPT(store, 11, "the file was not closed by its writer (h5clear -s mends the mark)");
    CNNFI_TRY(check_end(store, cnnfi_le64(p + 12), cnnfi_le64(p + 28)));
    store->leaf_k = 4; /* libhdf5's defaults */
    store->internal_k = 16;
    store->chunk_k = 32;
    store->extension = cnnfi_le64(p + 20);
    if (store->extension != CNNFI_H5_UNDEFINED) {
        cnnfi_h5_header extension;
        CNNFI_TRY(cnnfi_h5_read_header(store, store->extension, &extension));
        for (size_t i = 0; i < extension.count; i++)
            CNNFI_TRY(check_extension_message(store, &extension.messages[i]));
    }
    store->root = cnnfi_le64(p + 36);
    return cnnfi_h5_object_read(store, store->root, root);
}

cnnf_status cnnfi_h5_read_superblock(cnnfi_h5_store *store, cnnfi_h5_object **root)
{
    const uint8_t *p = NULL;
    const cnnfi_h5_link *link = NULL;
    *root = NULL;
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, 0, 9, &p, "the superblock"));
    if (p[8] > 3)
        return cnnfi_fail(store->error, CNNF_E_UNSUPPORTED, "%s: HDF5: superblock version %d is not supported",
                          store->name, p[8]);
    const uint64_t size = p[8] == 0 ? 96 : p[8] == 1 ? 100 : 48;
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, 0, size, &p, "the superblock"));
    CNNFI_TRY(p[8] < 2 ? read_version0(store, p, root) : read_version2(store, p, root));
    return cnnfi_h5_object_link(store, *root, "", 0, &link);
}
