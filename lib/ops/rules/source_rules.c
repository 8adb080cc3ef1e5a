/* SPDX-License-Identifier: Apache-2.0 */
/* Where values come from and how they are handed on: constants, placeholders, variables, identities, dead branches. */
#include "ops/op_rules.h"

/* ---- sources: what their attributes say ---- */

static cnnf_status infer_const(cnnfi_call *call)
{
    cnnfi_value value;
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(call->node, "value");
    if (!tensor) return cnnfi_call_fail(call, CNNF_E_CORRUPT, "attribute 'value' is missing");
    if (!cnnfi_value_of_tensor(&value, tensor)) {
        return cnnfi_output_of_rank(call, cnnf_tensor_dtype(tensor), CNNFI_UNKNOWN);
    }
    return cnnfi_output_one(call, value.dtype, value.rank, value.dims);
}

/* dtype and shape as attributes. Placeholders of old graphs say "no shape" where the others say "unknown": a scalar
   (GraphDef versions below 24 had no unknown ranks), which nobody ever meant. */
static cnnf_status infer_declared(cnnfi_call *call)
{
    const cnnfi_value said = cnnfi_value_of_attrs(call->node);
    return cnnfi_output_one(call, said.dtype, said.rank, said.dims);
}

/* ---- identities ---- */

static cnnf_status infer_same(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status infer_each(cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++) {
        const cnnfi_value *in = &call->inputs[i];
        CNNFI_TRY(cnnfi_call_output(call, i, in->dtype, in->rank, in->dims));
    }
    return CNNF_OK;
}

/* The default may be fed by something else: only what the `shape` attribute promises holds for both. */
static cnnf_status infer_default(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    const bool is_declared = cnnf_node_attr_shape_rank(call->node, "shape") >= 0;
    if (cnnfi_value_is_shaped(&call->inputs[0]) || !is_declared) return infer_same(call);
    return infer_declared(call);
}

/* ---- branches ---- */

static cnnf_status infer_switch(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_dtype(call, 1, CNNF_BOOL));
    if (!cnnfi_dim_fits(call->inputs[1].count, 1)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the predicate must be one bool");
    }
    const cnnfi_value *in = &call->inputs[0];
    CNNFI_TRY(cnnfi_call_output(call, 0, in->dtype, in->rank, in->dims));
    return cnnfi_call_output(call, 1, in->dtype, in->rank, in->dims);
}

/* What all inputs agree on; the second output is which one it was. */
static cnnf_status infer_merge(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    cnnfi_value common = call->inputs[0];
    for (int32_t i = 1; i < call->n_inputs; i++) {
        const cnnfi_value *in = &call->inputs[i];
        if (in->rank != common.rank) common = cnnfi_value_unknown(common.dtype);
        for (int32_t axis = 0; axis < common.rank; axis++) {
            if (in->dims[axis] != common.dims[axis]) common.dims[axis] = CNNFI_UNKNOWN;
        }
    }
    CNNFI_TRY(cnnfi_call_output(call, 0, common.dtype, common.rank, common.dims));
    return cnnfi_call_output(call, 1, CNNF_INT32, 0, NULL);
}

static cnnf_status infer_nothing(cnnfi_call *call)
{
    (void)call;
    return CNNF_OK;
}

/* What comes out of functions and loops is what they compute: the op table tells its dtype, a plan the rest. */
static cnnf_status infer_computed(cnnfi_call *call)
{
    (void)call;
    return CNNFI_INFER_DYNAMIC;
}

static const cnnfi_op_rule rules[] = {
    {"Case", infer_computed, 0},
    {"Const", infer_const, 0},
    {"Enter", infer_computed, 0},
    {"Exit", infer_computed, 0},
    {"HostConst", infer_const, 0},
    {"Identity", infer_same, CNNFI_RULE_VIEW},
    {"IdentityN", infer_each, 0},
    {"If", infer_computed, 0},
    {"LoopCond", infer_computed, 0},
    {"Merge", infer_merge, 0},
    {"NextIteration", infer_computed, 0},
    {"NoOp", infer_nothing, 0},
    {"PartitionedCall", infer_computed, 0},
    {"Placeholder", infer_declared, 0},
    {"PlaceholderV2", infer_declared, 0},
    {"PlaceholderWithDefault", infer_default, CNNFI_RULE_VIEW},
    {"PreventGradient", infer_same, CNNFI_RULE_VIEW},
    {"ReadVariableOp", infer_same, CNNFI_RULE_VIEW},
    {"RefEnter", infer_computed, 0},
    {"RefExit", infer_computed, 0},
    {"RefMerge", infer_merge, 0},
    {"RefNextIteration", infer_computed, 0},
    {"RefSwitch", infer_switch, 0},
    {"Snapshot", infer_same, CNNFI_RULE_VIEW},
    {"StatefulPartitionedCall", infer_computed, 0},
    {"StatelessCase", infer_computed, 0},
    {"StatelessIf", infer_computed, 0},
    {"StatelessWhile", infer_computed, 0},
    {"StopGradient", infer_same, CNNFI_RULE_VIEW},
    {"Switch", infer_switch, 0},
    {"VarHandleOp", infer_declared, 0},
    {"Variable", infer_declared, 0},
    {"VariableV2", infer_declared, 0},
    {"While", infer_computed, 0},
};

const cnnfi_rule_family cnnfi_rules_source = {"control flow", rules, sizeof rules / sizeof *rules};
