/* SPDX-License-Identifier: Apache-2.0 */
/* Which axis Gather takes rows of, for its rule and its kernel. */
#ifndef CNNFI_OPS_RULES_GATHER_RULES_H
#define CNNFI_OPS_RULES_GATHER_RULES_H

#include "ops/call.h"

typedef struct cnnfi_gather {
    int32_t axis, batch; /* batch <= axis: axes that params and indices have in common */
} cnnfi_gather;

/* Inputs: params, indices, and for GatherV2 axis. CNNFI_INFER_DYNAMIC: a rank or the axis is not known; batch is, if
   the rank of indices is. */
cnnf_status cnnfi_gather_axes(cnnfi_call *call, cnnfi_gather *out);

#endif
