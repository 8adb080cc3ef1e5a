/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that move nothing: those the plan does itself (no functions here), and identities. */
#include <string.h>

#include "evaluator/kernels/nn.h"

static cnnf_status infer_same(cnnfi_call *call)
{
    if (call->n_inputs < 1) return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has no input");
    return cnnfi_call_output(call, 0, call->inputs[0].dtype, call->inputs[0].rank, call->inputs[0].dims);
}

static cnnf_status run_same(cnnfi_call *call)
{
    const cnnfi_value *in = &call->inputs[0];
    memcpy(call->outputs[0].data, in->data, (size_t)in->count * cnnf_dtype_size(in->dtype));
    return CNNF_OK;
}

static cnnf_status infer_each(cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++) {
        const cnnfi_value *in = &call->inputs[i];
        CNNFI_TRY(cnnfi_call_output(call, i, in->dtype, in->rank, in->dims));
    }
    return CNNF_OK;
}

static cnnf_status run_each(cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++) {
        const cnnfi_value *in = &call->inputs[i];
        memcpy(call->outputs[i].data, in->data, (size_t)in->count * cnnf_dtype_size(in->dtype));
    }
    return CNNF_OK;
}

#define PLAN(op)                                                                                                       \
    {                                                                                                                  \
        op, NULL, NULL, 0                                                                                              \
    }
#define SAME(op)                                                                                                       \
    {                                                                                                                  \
        op, infer_same, run_same, CNNFI_OP_VIEW                                                                        \
    }

static const cnnfi_kernel kernels[] = {
    PLAN("Const"),
    PLAN("HostConst"),
    SAME("Identity"),
    {"IdentityN", infer_each, run_each, 0},
    PLAN("Merge"),
    PLAN("NoOp"),
    PLAN("Placeholder"),
    PLAN("PlaceholderV2"),
    SAME("PlaceholderWithDefault"),
    SAME("PreventGradient"),
    SAME("ReadVariableOp"),
    PLAN("RefMerge"),
    PLAN("RefSwitch"),
    SAME("Snapshot"),
    SAME("StopGradient"),
    PLAN("Switch"),
    PLAN("VarHandleOp"),
    PLAN("Variable"),
    PLAN("VariableV2"),
};

const cnnfi_kernel_family cnnfi_kernels_control = {"control flow", kernels, sizeof(kernels) / sizeof(kernels[0])};
