/* SPDX-License-Identifier: Apache-2.0 */
/* Where the chunks of a dataset are: any of the format's indexes becomes one table. */
#ifndef CNNFI_LOADER_HDF5_CHUNKS_H
#define CNNFI_LOADER_HDF5_CHUNKS_H

#include "loader/hdf5/hdf5_message.h"

typedef struct cnnfi_h5_chunk {
    uint64_t at;   /* CNNFI_H5_UNDEFINED: not stored, all fill value */
    uint64_t size; /* bytes stored */
    uint32_t mask; /* bit i: filter i was not applied */
} cnnfi_h5_chunk;

typedef struct cnnfi_h5_chunks {
    const cnnfi_h5_layout *layout;
    const cnnfi_h5_space *space;
    bool filtered;
    uint64_t bytes;                   /* of one chunk, decoded */
    uint64_t grid[CNNFI_H5_MAX_RANK]; /* chunks in each dimension of the dataset as it is */
    size_t count;
    cnnfi_h5_chunk *items; /* [grid...], C order; in the store's scratch */
    uint64_t stored;       /* bytes of all */
} cnnfi_h5_chunks;

/* The layout must fit the space: same rank, chunks not empty, element size that of the type. */
cnnf_status cnnfi_h5_read_chunks(cnnfi_h5_store *store, const cnnfi_h5_layout *layout, const cnnfi_h5_space *space,
                                 bool filtered, cnnfi_h5_chunks *out);

#endif
