/* SPDX-License-Identifier: Apache-2.0 */
/* An object of the file: its header, and when they are asked for its links and attributes. */
#ifndef CNNFI_LOADER_HDF5_OBJECT_H
#define CNNFI_LOADER_HDF5_OBJECT_H

#include <cnnfreeze/tensor.h>

#include "loader/hdf5/hdf5_header.h"

/* The values of a dataset read so far, by what floats became. */
enum { CNNFI_H5_AS_FLOAT, CNNFI_H5_AS_DOUBLE, CNNFI_H5_AS_HALF, CNNFI_H5_FORMS };

typedef struct cnnfi_h5_object {
    cnnfi_h5_header header;
    bool links_read, attributes_read;
    cnnfi_h5_link *links;
    size_t n_links, link_capacity;
    cnnfi_strmap link_names;
    cnnfi_h5_attribute *attributes;
    size_t n_attributes, attribute_capacity;
    cnnfi_strmap attribute_names;
    cnnf_tensor *values[CNNFI_H5_FORMS];
    bool counted; /* its bytes against what the file can hold */
} cnnfi_h5_object;

/* Reads the header at `at`; the object lives in the store's arena and is emptied with cnnfi_h5_object_clear(). */
cnnf_status cnnfi_h5_object_read(cnnfi_h5_store *store, uint64_t at, cnnfi_h5_object **out);
void cnnfi_h5_object_clear(cnnfi_h5_object *object);

/* The link of that name; NULL when there is none, or the object is no group. */
cnnf_status cnnfi_h5_object_link(cnnfi_h5_store *store, cnnfi_h5_object *object, const char *name, size_t length,
                                 const cnnfi_h5_link **out);
/* The attribute of that name, or NULL. */
cnnf_status cnnfi_h5_object_attribute(cnnfi_h5_store *store, cnnfi_h5_object *object, const char *name,
                                      const cnnfi_h5_attribute **out);

#endif
