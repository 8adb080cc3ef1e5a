/* SPDX-License-Identifier: Apache-2.0 */
/* The key of a slice: tensorflow/core/util/saved_tensor_slice_util.cc, EncodeTensorNameSlice. */
#ifndef CNNFI_LOADER_CHECKPOINT_ORDERED_CODE_H
#define CNNFI_LOADER_CHECKPOINT_ORDERED_CODE_H

#include "base/str.h"
#include "loader/checkpoint/checkpoint_impl.h"

void cnnfi_ordered_slice_key(cnnfi_strbuf *key, const char *name, const cnnfi_extent *extents, int32_t rank);

#endif
