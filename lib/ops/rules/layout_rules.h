/* SPDX-License-Identifier: Apache-2.0 */
/* How Transpose, Reverse, Pad and kin read their inputs, for their rules and their kernels. */
#ifndef CNNFI_OPS_RULES_LAYOUT_RULES_H
#define CNNFI_OPS_RULES_LAYOUT_RULES_H

#include "ops/call.h"

/* All give CNNF_OK when what they read is known, CNNFI_INFER_DYNAMIC when it is not. */

/* Input 1 as a permutation of input 0's axes. *rank: how many, also when only that is known; CNNFI_UNKNOWN. */
cnnf_status cnnfi_read_permutation(cnnfi_call *call, int64_t perm[CNNFI_OP_MAX_RANK], int32_t *rank);
/* Input 1: a bool for each axis of input 0 (Reverse), or the axes (ReverseV2). */
cnnf_status cnnfi_read_reversed(cnnfi_call *call, bool reversed[CNNFI_OP_MAX_RANK]);
/* Attributes seq_dim and batch_dim of ReverseSequence. */
cnnf_status cnnfi_read_sequence(cnnfi_call *call, int32_t *seq, int32_t *batch);

typedef struct cnnfi_padding {
    int32_t rank; /* CNNFI_UNKNOWN */
    int64_t before[CNNFI_OP_MAX_RANK], after[CNNFI_OP_MAX_RANK];
    int64_t dims[CNNFI_OP_MAX_RANK]; /* of the result */
} cnnfi_padding;

/* Elements of an axis that a mirror may not use: 1 for REFLECT, 0 for SYMMETRIC. */
int64_t cnnfi_mirror_edge(const cnnfi_call *call);
/* Input 1: a pair for each axis of input 0. `edge` -1: no mirror. */
cnnf_status cnnfi_read_padding(cnnfi_call *call, int64_t edge, cnnfi_padding *padding);

#endif
