/* SPDX-License-Identifier: Apache-2.0 */
/* Cast: another dtype, the same shape. */
#include "ops/op_rules.h"

static cnnf_status infer_cast(cnnfi_call *call)
{
    const cnnf_dtype to = cnnf_node_attr_type(call->node, "DstT", CNNF_DTYPE_INVALID);
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    if (!to) return cnnfi_call_fail(call, CNNF_E_CORRUPT, "attribute 'DstT' is missing");
    return cnnfi_output_like(call, 0, to);
}

static const cnnfi_op_rule rules[] = {
    {"Cast", infer_cast, 0},
};

const cnnfi_rule_family cnnfi_rules_cast = {"cast", rules, sizeof rules / sizeof *rules};
