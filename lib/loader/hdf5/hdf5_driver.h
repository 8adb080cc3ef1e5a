/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read-only HDF5 file driver over a cnnfi_source: libhdf5 reads the very bytes (and only those) that the
 * source guards, whether they are a file, memory, or an entry inside a zip. No path is opened twice.
 */
#ifndef CNNFI_LOADER_HDF5_DRIVER_H
#define CNNFI_LOADER_HDF5_DRIVER_H

#include <hdf5.h>

#include "base/source.h"

/* [base, base + size) of a source, and the failure of the last read. Borrowed by the driver while a file is open. */
typedef struct cnnfi_h5_bytes {
    cnnfi_source *source;
    uint64_t base, size;
    cnnf_error *error; /* CNNF_OK while every read went well */
} cnnfi_h5_bytes;

/* Registers the driver; the id is released with H5FDunregister(). Negative: failed. */
hid_t cnnfi_h5_driver_register(void);
/* Makes files opened with `fapl` read `bytes`. Negative: failed. */
herr_t cnnfi_h5_driver_set(hid_t fapl, hid_t driver, const cnnfi_h5_bytes *bytes);

#endif
