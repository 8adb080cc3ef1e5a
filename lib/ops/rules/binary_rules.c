/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise ops of two inputs. Dtypes are the op table's; a zero divisor is a matter of values. */
#include "ops/op_rules.h"

static cnnf_dtype common_dtype(const cnnfi_call *call)
{
    return call->inputs[0].dtype ? call->inputs[0].dtype : call->inputs[1].dtype;
}

static cnnf_status infer_broadcast(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    return cnnfi_broadcast_output(call, 2, common_dtype(call));
}

static cnnf_status infer_predicate(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    return cnnfi_broadcast_output(call, 2, CNNF_BOOL);
}

/* incompatible_shape_error=false: shapes that do not fit give one bool, so that one unknown size leaves all open. */
static cnnf_status infer_equal(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t rank;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    if (cnnf_node_attr_bool(call->node, "incompatible_shape_error", 1)) return infer_predicate(call);
    if (!cnnfi_broadcast_dims(call->inputs, 2, &rank, dims)) return cnnfi_output_one(call, CNNF_BOOL, 0, NULL);
    const bool known = cnnfi_value_is_shaped(&call->inputs[0]) && cnnfi_value_is_shaped(&call->inputs[1]);
    return cnnfi_output_one(call, CNNF_BOOL, known ? rank : CNNFI_UNKNOWN, dims);
}

/* Gradients by a function's result (cwise_ops_common.h: SimpleBinaryOp): as many elements, in the first one's shape. */
static cnnf_status infer_unchanged(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    const cnnfi_value *in = call->inputs;
    if (!cnnfi_dim_fits(in[0].count, in[1].count)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "inputs of %lld and %lld elements, must be as many",
                               (long long)in[0].count, (long long)in[1].count);
    }
    return cnnfi_output_like(call, 0, common_dtype(call));
}

/* Gradients by features: both in one shape. */
static cnnf_status infer_merged(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_same_shape(call, 0, 1));
    const cnnfi_value *a = &call->inputs[0], *b = &call->inputs[1];
    int64_t dims[CNNFI_OP_MAX_RANK];
    for (int32_t i = 0; i < CNNFI_OP_MAX_RANK; i++)
        dims[i] = cnnfi_dim_merge(a->dims[i], b->dims[i]);
    return cnnfi_output_one(call, common_dtype(call), a->rank == CNNFI_UNKNOWN ? b->rank : a->rank, dims);
}

static const cnnfi_op_rule rules[] = {
    {"Add", infer_broadcast, 0},
    {"AddV2", infer_broadcast, 0},
    {"Atan2", infer_broadcast, 0},
    {"BitwiseAnd", infer_broadcast, 0},
    {"BitwiseOr", infer_broadcast, 0},
    {"BitwiseXor", infer_broadcast, 0},
    {"Div", infer_broadcast, 0},
    {"DivNoNan", infer_broadcast, 0},
    {"EluGrad", infer_merged, 0},
    {"Equal", infer_equal, 0},
    {"FloorDiv", infer_broadcast, 0},
    {"FloorMod", infer_broadcast, 0},
    {"Greater", infer_predicate, 0},
    {"GreaterEqual", infer_predicate, 0},
    {"Igamma", infer_broadcast, 0},
    {"Igammac", infer_broadcast, 0},
    {"InvGrad", infer_unchanged, 0},
    {"LeftShift", infer_broadcast, 0},
    {"Less", infer_predicate, 0},
    {"LessEqual", infer_predicate, 0},
    {"LogicalAnd", infer_predicate, 0},
    {"LogicalOr", infer_predicate, 0},
    {"Maximum", infer_broadcast, 0},
    {"Minimum", infer_broadcast, 0},
    {"Mod", infer_broadcast, 0},
    {"Mul", infer_broadcast, 0},
    {"MulNoNan", infer_broadcast, 0},
    {"NextAfter", infer_broadcast, 0},
    {"NotEqual", infer_equal, 0},
    {"Polygamma", infer_broadcast, 0},
    {"Pow", infer_broadcast, 0},
    {"RealDiv", infer_broadcast, 0},
    {"ReciprocalGrad", infer_unchanged, 0},
    {"Relu6Grad", infer_merged, 0},
    {"ReluGrad", infer_merged, 0},
    {"RightShift", infer_broadcast, 0},
    {"RsqrtGrad", infer_unchanged, 0},
    {"SigmoidGrad", infer_unchanged, 0},
    {"SoftplusGrad", infer_merged, 0},
    {"SoftsignGrad", infer_merged, 0},
    {"SqrtGrad", infer_unchanged, 0},
    {"SquaredDifference", infer_broadcast, 0},
    {"Sub", infer_broadcast, 0},
    {"TanhGrad", infer_unchanged, 0},
    {"TruncateDiv", infer_broadcast, 0},
    {"TruncateMod", infer_broadcast, 0},
    {"Xdivy", infer_broadcast, 0},
    {"Xlog1py", infer_broadcast, 0},
    {"Xlogy", infer_broadcast, 0},
    {"Zeta", infer_broadcast, 0},
};

const cnnfi_rule_family cnnfi_rules_binary = {"binary", rules, sizeof rules / sizeof *rules};
