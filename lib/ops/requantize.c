/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/requantize.h"

#include <string.h>

static cnnf_status read_bits(cnnfi_call *call, cnnfi_requantize *q)
{
    cnnf_status status = CNNF_OK;
    q->bits = cnnf_node_attr_int(call->node, "num_bits", 8);
    if (call->n_inputs == 4) {
        CNNFI_TRY(cnnfi_want_rank(call, 3, 0));
        status = cnnfi_call_int(call, 3, &q->bits);
        if (status == CNNFI_INFER_DYNAMIC) q->bits = CNNFI_UNKNOWN;
    }
    if (status != CNNF_OK) return status < 0 ? status : CNNF_OK;
    if (q->bits >= 1 && q->bits <= (q->is_signed ? 61 : 62)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_CORRUPT, "num_bits is %lld", (long long)q->bits);
}

/* Both ends have one number, or as many as the axis is long. */
static cnnf_status check_range(cnnfi_call *call, const cnnfi_requantize *q)
{
    const cnnfi_value *in = call->inputs;
    if (q->axis < -1) return cnnfi_call_fail(call, CNNF_E_CORRUPT, "axis is %lld", (long long)q->axis);
    if (q->axis >= CNNFI_OP_MAX_RANK || (in->rank != CNNFI_UNKNOWN && q->axis >= in->rank))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %lld of rank %d", (long long)q->axis, (int)in->rank);
    int64_t size = q->axis < 0 ? 1 : in->dims[q->axis];
    for (int32_t i = 1; i < 3; i++) {
        CNNFI_TRY(cnnfi_want_same_dtype(call, 0, i));
        CNNFI_TRY(cnnfi_want_rank(call, i, q->axis < 0 ? 0 : 1));
        if (!cnnfi_dim_fits(in[i].count, size)) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d must have %lld elements", (int)i, (long long)size);
        }
        size = cnnfi_dim_merge(size, in[i].count);
    }
    return CNNF_OK;
}

cnnf_status cnnfi_requantize_read(cnnfi_call *call, cnnfi_requantize *q)
{
    const char *mode = cnnf_node_attr_string(NULL, call->node, "round_mode");
    const bool v3 = call->n_inputs == 4;
    *q = (cnnfi_requantize){.axis = cnnf_node_attr_int(call->node, "axis", -1),
                            .is_signed = cnnf_node_attr_bool(call->node, "signed_input", 1) != 0,
                            .given = cnnf_node_attr_bool(call->node, "range_given", v3) != 0,
                            .narrow = cnnf_node_attr_bool(call->node, "narrow_range", 0) != 0,
                            .half_up = mode && strcmp(mode, "HALF_UP") == 0};
    CNNFI_TRY(read_bits(call, q));
    return check_range(call, q);
}
