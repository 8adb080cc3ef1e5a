/* SPDX-License-Identifier: Apache-2.0 */
/* A checkpoint's data shard: tensors one after the other, without padding. */
#ifndef CNNFI_SERIALIZER_CHECKPOINT_CHECKPOINT_DATA_H
#define CNNFI_SERIALIZER_CHECKPOINT_CHECKPOINT_DATA_H

#include "base/sink.h"
#include "graph/tensor.h"
#include "serializer/checkpoint/checkpoint_index.h"

/* Streams the tensor into the shard and fills the entry that the index will have. */
cnnf_status cnnfi_checkpoint_write_tensor(cnnfi_bundle_entry *entry, cnnfi_sink *sink, const cnnf_tensor *tensor,
                                          cnnf_error *error);
/* Bytes it will take there. */
uint64_t cnnfi_checkpoint_tensor_bytes(const cnnf_tensor *tensor);

#endif
