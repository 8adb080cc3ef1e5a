/* SPDX-License-Identifier: Apache-2.0 */
/* FixNeuron, which no registry of TensorFlow's has, and its form in a graph under calibration. */
#include "ops/fixed_grid.h"
#include "ops/op_rules.h"

static cnnf_status check(cnnfi_call *call)
{
    cnnfi_fix_neuron fix;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_dtype(call, 0, CNNF_FLOAT));
    return cnnfi_fix_neuron_read(call, &fix);
}

static cnnf_status infer_fix(cnnfi_call *call)
{
    CNNFI_TRY(check(call));
    return cnnfi_output_like(call, 0, CNNF_FLOAT);
}

static cnnf_status infer_calibrate(cnnfi_call *call)
{
    CNNFI_TRY(check(call));
    const cnnf_status status = cnnfi_output_like(call, 0, CNNF_FLOAT);
    if (status < 0) return status;
    CNNFI_TRY(cnnfi_call_output(call, 1, CNNF_DOUBLE, 1, (const int64_t[]){CNNFI_FIX_FACTS}));
    return status;
}

static const cnnfi_op_rule rules[] = {
    {"FixNeuron", infer_fix, CNNFI_RULE_OWN},
    {"_CalibrateFixNeuron", infer_calibrate, CNNFI_RULE_OWN},
};

const cnnfi_rule_family cnnfi_rules_fix_neuron = {"fix_neuron", rules, sizeof rules / sizeof *rules};
