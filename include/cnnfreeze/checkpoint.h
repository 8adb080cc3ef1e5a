/* SPDX-License-Identifier: Apache-2.0 */
/**
 * checkpoint.h - the tensors of a TensorFlow checkpoint, by name.
 *
 * Reads V2 (tensor bundle, any number of shards), V1 and TF2 object-based checkpoints
 * (docs/formats/checkpoint.md). Opening reads the index only; tensors stay in their shard, and
 * every read of a whole tensor verifies its crc32c.
 *
 * Thread-safety: safe (immutable, reference-counted).
 */
#ifndef CNNFREEZE_CHECKPOINT_H
#define CNNFREEZE_CHECKPOINT_H

#include <stdint.h>

#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/tensor.h>

typedef struct cnnf_checkpoint cnnf_checkpoint;

CNNF_BEGIN_DECLS

/**
 * Opens a checkpoint: a prefix (`run/model.ckpt`), a folder or its `checkpoint` file (the latest
 * one), or any member file. *out is *new*, released with cnnf_checkpoint_unref().
 * CNNF_OK, CNNF_E_NOT_FOUND, CNNF_E_IO, CNNF_E_FORMAT, CNNF_E_CORRUPT, CNNF_E_UNSUPPORTED,
 * CNNF_E_LIMIT, CNNF_E_INVALID, CNNF_E_NOMEM; on failure *out is NULL. @since 0.1
 */
CNNF_API cnnf_status cnnf_checkpoint_open(cnnf_checkpoint **out, cnnf_context *context, const char *path,
                                          cnnf_error *error);
CNNF_API cnnf_checkpoint *cnnf_checkpoint_ref(const cnnf_checkpoint *checkpoint); /**< @since 0.1 */
CNNF_API void cnnf_checkpoint_unref(cnnf_checkpoint *checkpoint);                 /**< NULL is allowed. @since 0.1 */
/** Number of tensors. @since 0.1 */
CNNF_API int64_t cnnf_checkpoint_count(const cnnf_checkpoint *checkpoint);
/** Names in byte order, *borrowed*; NULL outside the range. @since 0.1 */
CNNF_API const char *cnnf_checkpoint_name(const cnnf_checkpoint *checkpoint, int64_t index);
/** Index of a name; -1 when there is none. @since 0.1 */
CNNF_API int64_t cnnf_checkpoint_find(const cnnf_checkpoint *checkpoint, const char *name);
/** The tensor, *borrowed*: dtype and shape are known, the bytes are still in the file. @since 0.1 */
CNNF_API const cnnf_tensor *cnnf_checkpoint_tensor(const cnnf_checkpoint *checkpoint, int64_t index);
/** Reads the tensor and compares its crc32c. CNNF_OK, CNNF_E_CORRUPT, CNNF_E_IO, CNNF_E_INVALID, CNNF_E_NOMEM. @since
 * 0.1 */
CNNF_API cnnf_status cnnf_checkpoint_verify(const cnnf_checkpoint *checkpoint, int64_t index, cnnf_error *error);
/** 1 (V1), 2 (V2); 3 for an object-based V2. @since 0.1 */
CNNF_API int32_t cnnf_checkpoint_version(const cnnf_checkpoint *checkpoint);

CNNF_END_DECLS

#endif
