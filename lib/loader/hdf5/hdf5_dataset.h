/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset of numbers as a tensor: a range of the file where its bytes can stay, else decoded. */
#ifndef CNNFI_LOADER_HDF5_DATASET_H
#define CNNFI_LOADER_HDF5_DATASET_H

#include "loader/hdf5/hdf5_object.h"

/* What all datasets of a file have decoded so far. */
typedef struct cnnfi_h5_decoded {
    uint64_t declared;  /* bytes of their elements, wherever they went */
    uint64_t stored;    /* bytes of their chunks in the file */
    size_t in_memory;   /* bytes of tensors in memory */
    cnnfi_source *file; /* what did not fit; NULL before */
} cnnfi_h5_decoded;

/* A *new* tensor. `where` ("m.h5: dataset '/a'") begins every message. */
cnnf_status cnnfi_h5_read_dataset(cnnf_tensor **out, cnnfi_h5_store *store, cnnfi_h5_object *object,
                                  cnnfi_h5_decoded *decoded, cnnf_dtype floats, const char *where);

#endif
