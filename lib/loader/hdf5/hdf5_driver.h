/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read-only HDF5 file driver over a cnnfi_source: libhdf5 sees the structures that the reader has found good and
 * zeros elsewhere, whether the bytes are a file, memory, or an entry inside a zip. No path is opened twice.
 */
#ifndef CNNFI_LOADER_HDF5_DRIVER_H
#define CNNFI_LOADER_HDF5_DRIVER_H

#include <hdf5.h>

#include "loader/hdf5/hdf5_store.h"

/* [base, base + size) of a source, what may be seen of it, and the failure of the last read. */
typedef struct cnnfi_h5_bytes {
    cnnfi_source *source;
    uint64_t base, size;
    const cnnfi_h5_span *shown; /* of the source */
    size_t n_shown;
    cnnf_error *error; /* CNNF_OK while every read went well */
} cnnfi_h5_bytes;

/* Registers the driver; the id is released with H5FDunregister(). Negative: failed. */
hid_t cnnfi_h5_driver_register(void);
/* Makes files opened with `fapl` read `bytes`. Negative: failed. */
herr_t cnnfi_h5_driver_set(hid_t fapl, hid_t driver, const cnnfi_h5_bytes *bytes);

#endif
