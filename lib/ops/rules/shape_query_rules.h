/* SPDX-License-Identifier: Apache-2.0 */
/* Two shapes that broadcast, as BroadcastArgs and BroadcastGradientArgs read them. */
#ifndef CNNFI_OPS_RULES_SHAPE_QUERY_RULES_H
#define CNNFI_OPS_RULES_SHAPE_QUERY_RULES_H

#include "ops/call.h"

typedef struct cnnfi_shape_pair {
    int64_t n[2], dims[2][CNNFI_OP_MAX_RANK]; /* as given: [n] */
    int64_t rank;                             /* of the common shape */
} cnnfi_shape_pair;

/* Inputs 0 and 1, which must fit each other; CNNFI_INFER_DYNAMIC: *rank, if it is known, is all that is. */
cnnf_status cnnfi_shape_pair_read(cnnfi_call *call, cnnfi_shape_pair *pair);

/* Size of shape k along axis i of the common one. */
static inline int64_t cnnfi_shape_pair_dim(const cnnfi_shape_pair *pair, int k, int64_t i)
{
    const int64_t at = i - (pair->rank - pair->n[k]);
    return at < 0 ? 1 : pair->dims[k][at];
}

/* Whether the gradient of shape k is summed over axis i. */
bool cnnfi_shape_pair_sums(const cnnfi_shape_pair *pair, int k, int64_t i);

#endif
