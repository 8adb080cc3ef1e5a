/* SPDX-License-Identifier: Apache-2.0 */
/* A checkpoint being opened, and what its readers (bundle, v1, object graph) share. */
#ifndef CNNFI_LOADER_CHECKPOINT_CHECKPOINT_IMPL_H
#define CNNFI_LOADER_CHECKPOINT_CHECKPOINT_IMPL_H

#include <cnnfreeze/checkpoint.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/source.h"
#include "base/strmap.h"
#include "graph/tensor.h"

#define CNNFI_CHECKPOINT_V1      1
#define CNNFI_CHECKPOINT_V2      2
#define CNNFI_CHECKPOINT_OBJECTS 3

/* Key of the TrackableObjectGraph in a TF2 checkpoint. */
#define CNNFI_OBJECT_GRAPH_KEY "_CHECKPOINTABLE_OBJECT_GRAPH"

typedef struct cnnfi_checkpoint_item {
    const char *name; /* in the arena */
    cnnf_tensor *tensor;
    const char *lost; /* the shard that does not exist, in the arena; NULL when the bytes are there */
    uint32_t crc;     /* masked; of what the shard holds */
    bool has_crc;
} cnnfi_checkpoint_item;

#define CNNFI_ALIAS_AMBIGUOUS (-2)

struct cnnf_checkpoint {
    _Atomic int64_t refs;
    cnnf_context *context;
    cnnfi_budget *budget; /* borrowed, of the call that opens it; NULL afterwards */
    cnnfi_arena arena;
    int32_t version;
    const char *path; /* of the index or V1 file */
    size_t count, capacity;
    cnnfi_checkpoint_item *items; /* in byte order of the names */
    cnnfi_strmap names;           /* name -> index */
    cnnfi_strmap aliases;         /* a TF2 variable's own name -> index, or CNNFI_ALIAS_AMBIGUOUS */
};

/* Where a checkpoint is. */
typedef struct cnnfi_checkpoint_place {
    char *prefix; /* new; V1: the file, or the prefix of its shards */
    int32_t version;
} cnnfi_checkpoint_place;

/* TensorSliceProto: `rank` extents; length -1: the whole dimension. */
typedef struct cnnfi_extent {
    int64_t start, length;
} cnnfi_extent;

/* cnnf_checkpoint_open() as a part of another call, which pays. */
cnnf_status cnnfi_checkpoint_open(cnnf_checkpoint **out, cnnf_context *context, const char *path, cnnfi_budget *budget,
                                  cnnf_error *error);
/* Finds the checkpoint that `path` means: prefix, folder, state file, any member. */
cnnf_status cnnfi_checkpoint_locate(cnnfi_checkpoint_place *out, cnnf_context *context, const char *path,
                                    cnnf_error *error);
/* The prefix a `checkpoint` state file names, inside the state file's folder. *out is new. */
cnnf_status cnnfi_checkpoint_read_state(char **out, cnnf_context *context, const char *path, cnnf_error *error);

cnnf_status cnnfi_checkpoint_read_bundle(cnnf_checkpoint *checkpoint, const char *prefix, cnnf_error *error);
cnnf_status cnnfi_checkpoint_read_v1(cnnf_checkpoint *checkpoint, const char *path, cnnf_error *error);
/* Fills `aliases` from the object graph, when there is one. */
cnnf_status cnnfi_checkpoint_read_objects(cnnf_checkpoint *checkpoint, cnnf_error *error);

/* Appends an item and takes the tensor's reference, also on failure. */
cnnf_status cnnfi_checkpoint_add(cnnf_checkpoint *checkpoint, const cnnfi_checkpoint_item *item, cnnf_error *error);
/* Index of a name or, in an object-based checkpoint, of a variable's own name; -1. */
int64_t cnnfi_checkpoint_find_variable(const cnnf_checkpoint *checkpoint, const char *name);
/* The tensor for use: fails when its shard is missing. */
cnnf_status cnnfi_checkpoint_use(const cnnf_tensor **out, const cnnf_checkpoint *checkpoint, int64_t index,
                                 cnnf_error *error);
/* Up to three names near `name`: "'a', 'b'"; empty when none is near. Returns out. */
char *cnnfi_checkpoint_nearest(char *out, size_t size, const cnnf_checkpoint *checkpoint, const char *name);

/* Reads the extents of one TensorSliceProto of a tensor of `rank` dimensions and checks them against dims.
   `file`, `tensor` and `index` are for the message. */
cnnf_status cnnfi_slice_parse(cnnfi_extent *extents, int32_t rank, const int64_t *dims, cnnfi_bytes message,
                              const char *file, const char *tensor, size_t index, cnnf_error *error);
/* Fails unless the slices cover the tensor once and completely; extents: count x rank. */
cnnf_status cnnfi_slices_cover(const cnnfi_extent *extents, size_t count, int32_t rank, const int64_t *dims,
                               const char *file, const char *tensor, cnnfi_budget *budget, cnnf_error *error);
/* Copies a slice's elements (C order) to or from their place in the whole tensor. */
void cnnfi_slice_scatter(uint8_t *whole, const uint8_t *part, const cnnfi_extent *extents, int32_t rank,
                         const int64_t *dims, size_t item_size);
void cnnfi_slice_gather(uint8_t *part, const uint8_t *whole, const cnnfi_extent *extents, int32_t rank,
                        const int64_t *dims, size_t item_size);
/* TensorShapeProto into arena dims; dtype and shape checked as tensors of a file are. */
cnnf_status cnnfi_checkpoint_shape(cnnfi_shape *out, cnnfi_arena *arena, cnnfi_bytes message, const char *file,
                                   const char *tensor, cnnf_error *error);

#endif
