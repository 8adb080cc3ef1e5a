/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of strings: fixed, or variable in a global heap. */
#ifndef CNNFI_LOADER_HDF5_ATTRIBUTE_H
#define CNNFI_LOADER_HDF5_ATTRIBUTE_H

#include "loader/hdf5/hdf5_message.h"

/* Appends the strings of an attribute with at most one dimension to *list, in `arena`; *count is there and counted on.
 */
cnnf_status cnnfi_h5_append_strings(cnnfi_h5_store *store, cnnfi_arena *arena, const cnnfi_h5_attribute *attribute,
                                    const char ***list, size_t *count);

#endif
