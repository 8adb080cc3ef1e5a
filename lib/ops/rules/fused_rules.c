/* SPDX-License-Identifier: Apache-2.0 */
/* Products with what TensorFlow's optimiser has put behind them. */
#include <string.h>

#include "ops/convolution.h"
#include "ops/fused_steps.h"
#include "ops/op_rules.h"

/* Inputs 2 .. belong to the steps, in their order; after a step that is not known nothing can be said of them. */
static cnnf_status check_steps(cnnfi_call *call, int64_t channels)
{
    const cnnfi_attr_list *steps = cnnfi_fused_steps(call->node);
    int32_t at = 2;
    for (size_t i = 0; steps && i < steps->count; i++) {
        const int32_t inputs = cnnfi_fused_step_inputs(&steps->u.strings[i]);
        if (inputs < 0) return CNNF_OK;
        for (int32_t k = 0; k < inputs; k++, at++) {
            if (at >= call->n_inputs)
                return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has too few inputs for its fused_ops");
            CNNFI_TRY(cnnfi_want_same_dtype(call, 0, at));
            CNNFI_TRY(cnnfi_want_rank(call, at, 1));
            if (cnnfi_dim_fits(call->inputs[at].dims[0], channels)) continue;
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d must have %lld elements", (int)at,
                                   (long long)channels);
        }
    }
    if (at == call->n_inputs) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has more inputs than its fused_ops take");
}

static cnnf_status output_convolution(cnnfi_call *call, const cnnfi_window *w)
{
    int64_t dims[5];
    const int32_t rank = cnnfi_window_dims(w, w->out, w->out_channels, dims);
    CNNFI_TRY(check_steps(call, w->out_channels));
    return cnnfi_output_one(call, call->inputs[0].dtype, rank, dims);
}

/* Filters in the order of accelerators (OIHW ...) are not read. */
static bool is_for_accelerators(const cnnfi_call *call)
{
    const char *filter = cnnf_node_attr_string(NULL, call->node, "filter_format");
    return (filter && strcmp(filter, "HWIO") != 0) || cnnfi_format_is_vectorized(call);
}

static cnnf_status infer_conv(cnnfi_call *call)
{
    cnnfi_window w;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, -1));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    if (is_for_accelerators(call)) return cnnfi_output_of_rank(call, call->inputs[0].dtype, CNNFI_UNKNOWN);
    CNNFI_TRY(cnnfi_convolution(call, &w, 2, &call->inputs[0], &call->inputs[1]));
    return output_convolution(call, &w);
}

static cnnf_status infer_depthwise(cnnfi_call *call)
{
    cnnfi_window w;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, -1));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    if (is_for_accelerators(call)) return cnnfi_output_of_rank(call, call->inputs[0].dtype, CNNFI_UNKNOWN);
    CNNFI_TRY(cnnfi_convolution_depthwise(call, &w, &call->inputs[0], &call->inputs[1]));
    return output_convolution(call, &w);
}

static cnnf_status infer_matmul(cnnfi_call *call)
{
    const cnnfi_value *a = &call->inputs[0], *b = &call->inputs[1];
    const int turn_a = cnnf_node_attr_bool(call->node, "transpose_a", 0) != 0,
              turn_b = cnnf_node_attr_bool(call->node, "transpose_b", 0) != 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, -1));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 2));
    if (!cnnfi_dim_fits(a->dims[!turn_a], b->dims[turn_b])) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "inner sizes %lld and %lld differ", (long long)a->dims[!turn_a],
                               (long long)b->dims[turn_b]);
    }
    const int64_t dims[] = {a->dims[turn_a], b->dims[!turn_b]};
    CNNFI_TRY(check_steps(call, dims[1]));
    return cnnfi_output_one(call, a->dtype, 2, dims);
}

static const cnnfi_op_rule rules[] = {
    {"_FusedConv2D", infer_conv, 0},
    {"_FusedDepthwiseConv2dNative", infer_depthwise, 0},
    {"_FusedMatMul", infer_matmul, 0},
};

const cnnfi_rule_family cnnfi_rules_fused = {"fused", rules, sizeof rules / sizeof *rules};
