/* SPDX-License-Identifier: Apache-2.0 */
/* The axes of a reduction, read by its rule and its kernels. */
#ifndef CNNFI_OPS_RULES_REDUCE_RULES_H
#define CNNFI_OPS_RULES_REDUCE_RULES_H

#include "ops/call.h"

/* Which axes of input 0 go, as input 1 says. CNNFI_INFER_DYNAMIC: its values or the rank are not known. */
cnnf_status cnnfi_reduce_axes(cnnfi_call *call, bool gone[CNNFI_OP_MAX_RANK]);

#endif
