/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libhdf5's part: opening the file. It is shown what the reader has found good (superblock and root group) and zeros
 * elsewhere, decodes nothing, and is closed again before a single weight is read.
 */
#ifndef CNNFI_LOADER_HDF5_LIBRARY_H
#define CNNFI_LOADER_HDF5_LIBRARY_H

#include "loader/hdf5/hdf5_store.h"

/*
 * Whether H5Fopen() takes the file. Takes the process-wide HDF5 lock; libhdf5 prints nothing on this thread meanwhile,
 * and the host's own setting is put back.
 */
cnnf_status cnnfi_h5_library_opens(cnnfi_h5_store *store);

#endif
