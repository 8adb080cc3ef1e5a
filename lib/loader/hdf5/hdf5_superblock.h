/* SPDX-License-Identifier: Apache-2.0 */
/* Where an HDF5 file begins, and what its superblock (version 0 to 3) says. */
#ifndef CNNFI_LOADER_HDF5_SUPERBLOCK_H
#define CNNFI_LOADER_HDF5_SUPERBLOCK_H

#include "loader/hdf5/hdf5_object.h"

/* The signature in [base, base + size) of `source`: at 0, or behind a user block of 512, 1024, 2048 ... bytes. */
cnnf_status cnnfi_h5_find_signature(uint64_t *at, const cnnfi_source *source, uint64_t base, uint64_t size,
                                    const char *name, cnnf_error *error);
/* Checks the superblock at the store's address 0, its extension too, and reads the root group's links. */
cnnf_status cnnfi_h5_read_superblock(cnnfi_h5_store *store, cnnfi_h5_object **root);

#endif
