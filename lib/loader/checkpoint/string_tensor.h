/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_LOADER_CHECKPOINT_STRING_TENSOR_H
#define CNNFI_LOADER_CHECKPOINT_STRING_TENSOR_H

#include "base/str.h"
#include "graph/tensor.h"

typedef struct cnnfi_string_entry {
    const char *file, *tensor; /* for messages */
    uint32_t crc;              /* masked, of the entry */
} cnnfi_string_entry;

/* A string tensor from its bytes in a shard: lengths, their crc, the strings; both checksums are verified. */
cnnf_status cnnfi_strings_decode(cnnf_tensor **out, cnnf_context *context, const cnnfi_shape *shape, cnnfi_bytes bytes,
                                 const cnnfi_string_entry *entry, cnnf_error *error);

#endif
