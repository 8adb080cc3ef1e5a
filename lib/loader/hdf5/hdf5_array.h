/* SPDX-License-Identifier: Apache-2.0 */
/* The two arrays that index chunks since HDF5 1.10: fixed, and extensible in one dimension. */
#ifndef CNNFI_LOADER_HDF5_ARRAY_H
#define CNNFI_LOADER_HDF5_ARRAY_H

#include "loader/hdf5/hdf5_store.h"

typedef struct cnnfi_h5_array {
    uint64_t at;      /* of its header */
    bool filtered;    /* elements: address 8; filtered: address 8, stored size, mask 4 */
    uint64_t numbers; /* elements that there may be at most; UINT64_MAX when one dimension is unlimited */
    /* Element `number` of `size` bytes; those never written hold CNNFI_H5_UNDEFINED, or are not handed over. */
    cnnf_status (*element)(cnnfi_h5_store *store, uint64_t number, const uint8_t *element, size_t size, void *user);
    void *user;
} cnnfi_h5_array;

cnnf_status cnnfi_h5_walk_fixed_array(cnnfi_h5_store *store, const cnnfi_h5_array *array);
cnnf_status cnnfi_h5_walk_extensible_array(cnnfi_h5_store *store, const cnnfi_h5_array *array);

#endif
