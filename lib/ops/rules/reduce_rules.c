/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions over axes. */
#include "ops/rules/reduce_rules.h"

#include <string.h>

#include "ops/op_rules.h"

/* Duplicates are an error, as in TensorFlow (reduction_ops_common.cc), so that there are no more axes than the input
   has. */
cnnf_status cnnfi_reduce_axes(cnnfi_call *call, bool gone[CNNFI_OP_MAX_RANK])
{
    int64_t axes[CNNFI_OP_MAX_RANK], count = 0;
    const int32_t rank = call->inputs[0].rank;
    int32_t axis;
    memset(gone, 0, CNNFI_OP_MAX_RANK * sizeof *gone);
    if (rank != CNNFI_UNKNOWN && call->inputs[1].count > rank) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld axes of %d", (long long)call->inputs[1].count, (int)rank);
    }
    CNNFI_TRY(cnnfi_call_ints(call, 1, axes, CNNFI_OP_MAX_RANK, &count));
    for (int64_t i = 0; i < count; i++) {
        CNNFI_TRY(cnnfi_check_axis(call, axes[i], rank, "axis", &axis));
        if (gone[axis]) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d is there twice", (int)axis);
        gone[axis] = true;
    }
    return CNNF_OK;
}

/* What follows from the number of axes alone. */
static cnnf_status output_without_axes(cnnfi_call *call, bool keep)
{
    const cnnfi_value *in = &call->inputs[0];
    const int64_t axes = call->inputs[1].count, ones[CNNFI_OP_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    if (axes == 0) return cnnfi_output_like(call, 0, in->dtype);
    if (in->rank == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, in->dtype, CNNFI_UNKNOWN);
    if (axes == in->rank) return cnnfi_output_one(call, in->dtype, keep ? in->rank : 0, ones);
    if (keep) return cnnfi_output_of_rank(call, in->dtype, in->rank);
    return cnnfi_output_of_rank(call, in->dtype, axes == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : in->rank - (int32_t)axes);
}

static cnnf_status infer_reduce(cnnfi_call *call)
{
    bool gone[CNNFI_OP_MAX_RANK];
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t rank = 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_int(call, 1));
    const cnnfi_value *in = &call->inputs[0];
    const bool keep = cnnf_node_attr_bool(call->node, "keep_dims", 0);
    const cnnf_status status = cnnfi_reduce_axes(call, gone);
    if (status < 0) return status;
    if (status == CNNFI_INFER_DYNAMIC || in->rank == CNNFI_UNKNOWN) return output_without_axes(call, keep);
    for (int32_t i = 0; i < in->rank; i++) {
        if (!gone[i]) dims[rank++] = in->dims[i];
        if (gone[i] && keep) dims[rank++] = 1;
    }
    return cnnfi_output_one(call, in->dtype, rank, dims);
}

static const cnnfi_op_rule rules[] = {
    {"All", infer_reduce, 0},  {"Any", infer_reduce, 0}, {"EuclideanNorm", infer_reduce, 0}, {"Max", infer_reduce, 0},
    {"Mean", infer_reduce, 0}, {"Min", infer_reduce, 0}, {"Prod", infer_reduce, 0},          {"Sum", infer_reduce, 0},
};

const cnnfi_rule_family cnnfi_rules_reduce = {"reduce", rules, sizeof rules / sizeof *rules};
