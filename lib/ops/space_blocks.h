/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of space that become depth or batch, and back: for the ops' rules, where sizes may be unknown, and kernels. */
#ifndef CNNFI_OPS_SPACE_BLOCKS_H
#define CNNFI_OPS_SPACE_BLOCKS_H

#include "ops/call.h"

/* SpaceToDepth, DepthToSpace: the side that is space. */
typedef struct cnnfi_depth_blocks {
    bool channels_first;
    int64_t batch, height, width, channels, block;
} cnnfi_depth_blocks;

/* data_format NHWC or NCHW. */
cnnf_status cnnfi_depth_blocks_read(cnnfi_call *call, bool to_depth, cnnfi_depth_blocks *s);

/* SpaceToBatch(ND), BatchToSpace(ND): spatial axes are 1 .. axes. */
typedef struct cnnfi_batch_blocks {
    int32_t axes;                                                /* CNNFI_UNKNOWN */
    int64_t block[CNNFI_OP_MAX_RANK];                            /* [axes]; CNNFI_UNKNOWN */
    int64_t before[CNNFI_OP_MAX_RANK], after[CNNFI_OP_MAX_RANK]; /* paddings or crops, [axes]; CNNFI_UNKNOWN */
    int64_t product;                                             /* of the blocks */
} cnnfi_batch_blocks;

/* ND: inputs data, block_shape, paddings or crops; the older ops have attribute block_size and two axes. */
cnnf_status cnnfi_batch_blocks_read(cnnfi_call *call, cnnfi_batch_blocks *s);

#endif
