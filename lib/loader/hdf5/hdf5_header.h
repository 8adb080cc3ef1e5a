/* SPDX-License-Identifier: Apache-2.0 */
/* Object headers of version 1 and 2: the list of an object's messages. */
#ifndef CNNFI_LOADER_HDF5_HEADER_H
#define CNNFI_LOADER_HDF5_HEADER_H

#include "loader/hdf5/hdf5_message.h"

typedef struct cnnfi_h5_header {
    uint64_t at;
    cnnfi_h5_message *messages; /* without the empty ones and the continuations; in the store's arena */
    size_t count, capacity;
} cnnfi_h5_header;

cnnf_status cnnfi_h5_read_header(cnnfi_h5_store *store, uint64_t at, cnnfi_h5_header *out);
/* The message of that kind, or NULL. */
const cnnfi_h5_message *cnnfi_h5_find(const cnnfi_h5_header *header, unsigned kind);

#endif
