/* SPDX-License-Identifier: Apache-2.0 */
/* B-trees of version 1 (symbol tables, chunks) and 2 (dense storage, chunks), walked in order, every key checked. */
#ifndef CNNFI_LOADER_HDF5_TREE_H
#define CNNFI_LOADER_HDF5_TREE_H

#include "loader/hdf5/hdf5_store.h"

typedef struct cnnfi_h5_tree1 {
    uint8_t type; /* 0 symbol table nodes, 1 chunks */
    unsigned k;   /* a node has at most 2k children */
    size_t key_size;
    /* Whether both are keys, a not above b. */
    bool (*ordered)(const uint8_t *a, const uint8_t *b, void *user);
    /* A child of the lowest level, between its keys. */
    cnnf_status (*leaf)(cnnfi_h5_store *store, uint64_t child, const uint8_t *left, const uint8_t *right, void *user);
    void *user;
} cnnfi_h5_tree1;

cnnf_status cnnfi_h5_walk_tree1(cnnfi_h5_store *store, const cnnfi_h5_tree1 *tree, uint64_t root);

typedef cnnf_status (*cnnfi_h5_record_fn)(cnnfi_h5_store *store, const uint8_t *record, size_t size, void *user);
/* Hands all records of the tree whose header is at `at` and whose type must be `type` to `record`. */
cnnf_status cnnfi_h5_walk_tree2(cnnfi_h5_store *store, uint64_t at, uint8_t type, cnnfi_h5_record_fn record,
                                void *user);

#endif
