/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that move nothing: those the plan does itself (no functions here; loops, branches and calls are plans of their
   own, see plan/control_flow.h), and identities. */
#include <string.h>

#include "evaluator/kernels/nn.h"

static cnnf_status run_same(cnnfi_call *call)
{
    const cnnfi_value *in = &call->inputs[0];
    memcpy(call->outputs[0].data, in->data, (size_t)in->count * cnnf_dtype_size(in->dtype));
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
        op, NULL, 0, NULL                                                                                              \
    }
#define SAME(op)                                                                                                       \
    {                                                                                                                  \
        op, run_same, 0, NULL                                                                                          \
    }

static const cnnfi_kernel kernels[] = {
    PLAN("Case"),
    PLAN("Const"),
    PLAN("Enter"),
    PLAN("Exit"),
    PLAN("HostConst"),
    SAME("Identity"),
    {"IdentityN", run_each, 0, NULL},
    PLAN("If"),
    PLAN("LoopCond"),
    PLAN("Merge"),
    PLAN("NextIteration"),
    PLAN("NoOp"),
    PLAN("PartitionedCall"),
    PLAN("Placeholder"),
    PLAN("PlaceholderV2"),
    SAME("PlaceholderWithDefault"),
    SAME("PreventGradient"),
    SAME("ReadVariableOp"),
    PLAN("RefEnter"),
    PLAN("RefExit"),
    PLAN("RefMerge"),
    PLAN("RefNextIteration"),
    PLAN("RefSwitch"),
    SAME("Snapshot"),
    PLAN("StatefulPartitionedCall"),
    PLAN("StatelessCase"),
    PLAN("StatelessIf"),
    PLAN("StatelessWhile"),
    SAME("StopGradient"),
    PLAN("Switch"),
    PLAN("VarHandleOp"),
    PLAN("Variable"),
    PLAN("VariableV2"),
    PLAN("While"),
};

const cnnfi_kernel_family cnnfi_kernels_control = {"control flow", kernels, sizeof(kernels) / sizeof(kernels[0])};
