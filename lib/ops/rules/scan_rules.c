/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums and products along an axis: the input's shape. */
#include "ops/op_rules.h"

static cnnf_status infer_scan(cnnfi_call *call)
{
    int64_t axis;
    int32_t at;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 0));
    cnnf_status status = cnnfi_call_int(call, 1, &axis);
    if (!status) status = cnnfi_check_axis(call, axis, call->inputs[0].rank, "axis", &at);
    return status < 0 ? status : cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static const cnnfi_op_rule rules[] = {
    {"CumulativeLogsumexp", infer_scan, 0},
    {"Cumprod", infer_scan, 0},
    {"Cumsum", infer_scan, 0},
};

const cnnfi_rule_family cnnfi_rules_scan = {"scan", rules, sizeof rules / sizeof *rules};
