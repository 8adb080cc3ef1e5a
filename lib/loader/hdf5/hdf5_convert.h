/* SPDX-License-Identifier: Apache-2.0 */
/* Stored numbers of either byte order to the elements of a tensor. */
#ifndef CNNFI_LOADER_HDF5_CONVERT_H
#define CNNFI_LOADER_HDF5_CONVERT_H

#include <cnnfreeze/tensor.h>

#include "loader/hdf5/hdf5_message.h"

/* The tensor's dtype: floats become `floats` (CNNF_FLOAT, CNNF_DOUBLE, CNNF_HALF), integers stay. */
cnnf_dtype cnnfi_h5_dtype(const cnnfi_h5_type *type, cnnf_dtype floats);
/* Whether the stored bytes are the tensor's. */
bool cnnfi_h5_as_stored(const cnnfi_h5_type *type, cnnf_dtype floats);
/* `count` elements at `from` (any alignment) to elements of cnnfi_h5_dtype(type, floats) at `to`. */
void cnnfi_h5_convert(const cnnfi_h5_type *type, cnnf_dtype floats, const uint8_t *from, void *to, size_t count);

#endif
