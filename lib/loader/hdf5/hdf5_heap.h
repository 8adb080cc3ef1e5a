/* SPDX-License-Identifier: Apache-2.0 */
/* The three heaps: local (names of a symbol table), global (variable-length data), fractal (dense storage). */
#ifndef CNNFI_LOADER_HDF5_HEAP_H
#define CNNFI_LOADER_HDF5_HEAP_H

#include "loader/hdf5/hdf5_store.h"

typedef struct cnnfi_h5_local_heap {
    const uint8_t *data; /* in the store's scratch */
    uint64_t size;
} cnnfi_h5_local_heap;

cnnf_status cnnfi_h5_read_local_heap(cnnfi_h5_store *store, uint64_t at, cnnfi_h5_local_heap *out);
/* The string at `offset`, or NULL when there is none that ends within the heap. */
const char *cnnfi_h5_heap_string(const cnnfi_h5_local_heap *heap, uint64_t offset);

/* Object `index` of the collection at `at`, which must have exactly `size` bytes. */
cnnf_status cnnfi_h5_global_object(cnnfi_h5_store *store, uint64_t at, uint32_t index, uint32_t size,
                                   const uint8_t **out);

/* A fractal heap read whole: its direct blocks by their offset in the heap's address space. */
typedef struct cnnfi_h5_fractal_heap {
    cnnfi_h5_store *store;
    uint64_t at;
    size_t id_size, offset_width, length_width;
    uint64_t max_managed, start_size, max_direct;
    unsigned width, max_bits;
    bool checked; /* direct blocks have a checksum */
    struct cnnfi_h5_direct_block *blocks;
    size_t n_blocks, block_capacity;
    struct cnnfi_h5_huge_object *huge;
    size_t n_huge, huge_capacity;
} cnnfi_h5_fractal_heap;

/* Blocks go to the store's arena, so that objects may be pointed at while the file is open. */
cnnf_status cnnfi_h5_open_fractal_heap(cnnfi_h5_store *store, uint64_t at, cnnfi_h5_fractal_heap *out);
/* The object with the id at `id` (heap->id_size bytes); *at is where it lies, for messages. */
cnnf_status cnnfi_h5_fractal_object(cnnfi_h5_fractal_heap *heap, const uint8_t *id, const uint8_t **out, size_t *size,
                                    uint64_t *at);

#endif
