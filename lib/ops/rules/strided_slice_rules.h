/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes of a tensor: how Slice, StridedSlice and kin read their inputs, for their rules and their kernels. */
#ifndef CNNFI_OPS_RULES_STRIDED_SLICE_RULES_H
#define CNNFI_OPS_RULES_STRIDED_SLICE_RULES_H

#include "ops/call.h"

/* Entries of a strided slice; more than axes, since ellipsis and new axes count. */
#define CNNFI_SLICE_ENTRIES 32

typedef struct cnnfi_box {
    int32_t rank; /* of the tensor; CNNFI_UNKNOWN */
    int64_t begin[CNNFI_OP_MAX_RANK], step[CNNFI_OP_MAX_RANK], size[CNNFI_OP_MAX_RANK]; /* [rank] */
    int32_t out_rank; /* without the axes that give one element, with new ones */
    int64_t out_dims[CNNFI_OP_MAX_RANK + CNNFI_SLICE_ENTRIES]; /* [out_rank] */
} cnnfi_box;

/* CNNF_OK: the box is known, and lies inside a tensor whose shape is. CNNFI_INFER_DYNAMIC: what follows of its shape.
 */

/* Inputs: tensor, begin, size. */
cnnf_status cnnfi_slice_box(cnnfi_call *call, cnnfi_box *box);
/* begin, end and strides are inputs first .. first + 2, the masks attributes; of a tensor of `whole`'s shape. */
cnnf_status cnnfi_strided_box(cnnfi_call *call, int32_t first, const cnnfi_value *whole, cnnfi_box *box);

#endif
