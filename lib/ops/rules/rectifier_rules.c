/* SPDX-License-Identifier: Apache-2.0 */
/* The rectifiers: element by element. */
#include "ops/op_rules.h"

static cnnf_status infer_same(cnnfi_call *call)
{
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static const cnnfi_op_rule rules[] = {
    {"Elu", infer_same, 0},   {"LeakyRelu", infer_same, 0}, {"Relu", infer_same, 0},
    {"Relu6", infer_same, 0}, {"Selu", infer_same, 0},
};

const cnnfi_rule_family cnnfi_rules_rectifier = {"rectifiers", rules, sizeof rules / sizeof *rules};
