/* SPDX-License-Identifier: Apache-2.0 */
/* Undoing a chunk's filters: deflate, shuffle, fletcher32; every size is known before and compared. */
#ifndef CNNFI_LOADER_HDF5_FILTER_H
#define CNNFI_LOADER_HDF5_FILTER_H

#include "loader/hdf5/hdf5_chunks.h"

/* The filters must be the three known ones, deflate at most once, shuffle of elements of `element_size`. */
cnnf_status cnnfi_h5_check_filters(cnnfi_h5_store *store, const cnnfi_h5_filters *filters, uint64_t element_size,
                                   const char *where);
/* Whether `stored` bytes can be `bytes` decoded ones; in vain nothing is allocated. */
cnnf_status cnnfi_h5_check_chunk_size(cnnfi_h5_store *store, const cnnfi_h5_filters *filters,
                                      const cnnfi_h5_chunk *chunk, uint64_t bytes);
/*
 * Reads a chunk and undoes its filters. `bytes` is its decoded size; *out is a new block of the context's with so many
 * bytes, for cnnfi_free().
 */
cnnf_status cnnfi_h5_decode_chunk(cnnfi_h5_store *store, const cnnfi_h5_filters *filters, const cnnfi_h5_chunk *chunk,
                                  size_t bytes, uint8_t **out);

#endif
