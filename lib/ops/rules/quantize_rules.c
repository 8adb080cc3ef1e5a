/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers rounded to a grid: and back (FakeQuant*, QuantizeAndDequantize*), or kept there (QuantizeV2, Dequantize). */
#include "ops/histogram.h"
#include "ops/op_rules.h"
#include "ops/requantize.h"

/* ---- FakeQuantWithMinMax* ---- */

static cnnf_status check_bits(cnnfi_call *call)
{
    const int64_t bits = cnnf_node_attr_int(call->node, "num_bits", 8);
    if (bits >= 2 && bits <= 16) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_CORRUPT, "num_bits is %lld", (long long)bits);
}

static cnnf_status infer_fake_args(cnnfi_call *call)
{
    CNNFI_TRY(check_bits(call));
    if (!(cnnf_node_attr_float(call->node, "min", -6) < cnnf_node_attr_float(call->node, "max", 6)))
        return cnnfi_call_fail(call, CNNF_E_INVALID, "min is not below max");
    return cnnfi_output_like(call, 0, CNNF_FLOAT);
}

/* inputs, min, max */
static cnnf_status infer_fake_vars(cnnfi_call *call)
{
    CNNFI_TRY(check_bits(call));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 0));
    CNNFI_TRY(cnnfi_want_rank(call, 2, 0));
    return cnnfi_output_like(call, 0, CNNF_FLOAT);
}

/* inputs (..., channels), min (channels), max (channels) */
static cnnf_status infer_fake_channels(cnnfi_call *call)
{
    cnnfi_value x = call->inputs[0];
    CNNFI_TRY(check_bits(call));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    int64_t channels = x.rank == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : x.dims[x.rank - 1];
    for (int32_t i = 1; i < 3; i++) {
        CNNFI_TRY(cnnfi_want_rank(call, i, 1));
        if (!cnnfi_dim_fits(call->inputs[i].dims[0], channels)) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "min and max must have %lld elements", (long long)channels);
        }
        channels = cnnfi_dim_merge(channels, call->inputs[i].dims[0]);
    }
    if (x.rank != CNNFI_UNKNOWN) x.dims[x.rank - 1] = channels;
    return cnnfi_output_one(call, CNNF_FLOAT, x.rank, x.dims);
}

/* The op of a graph under calibration: what it reads, and how often which number is in it (ops/histogram.h). */
static cnnf_status infer_observe(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_dtype(call, 0, CNNF_FLOAT));
    const cnnf_status status = cnnfi_output_like(call, 0, CNNF_FLOAT);
    if (status < 0) return status;
    CNNFI_TRY(cnnfi_call_output(call, 1, CNNF_DOUBLE, 1, (const int64_t[]){CNNFI_HISTOGRAM_SIZE}));
    return status;
}

/* ---- QuantizeAndDequantize* ---- */

static cnnf_status infer_same(cnnfi_call *call)
{
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status infer_requantize(cnnfi_call *call)
{
    cnnfi_requantize q;
    CNNFI_TRY(cnnfi_requantize_read(call, &q));
    return infer_same(call);
}

/* ---- QuantizeV2, Dequantize: input, min, max; without a kernel ---- */

/* The range has one number or, with an axis, as many as that is long. */
static cnnf_status check_range(cnnfi_call *call, int64_t *count)
{
    const cnnfi_value *x = &call->inputs[0];
    const int64_t axis = cnnf_node_attr_int(call->node, "axis", -1);
    if (axis < -1 || axis >= CNNFI_OP_MAX_RANK || (x->rank != CNNFI_UNKNOWN && axis >= x->rank))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %lld of rank %d", (long long)axis, (int)x->rank);
    *count = axis < 0 ? CNNFI_UNKNOWN : x->dims[axis];
    for (int32_t i = 1; i < 3; i++) {
        CNNFI_TRY(cnnfi_want_rank(call, i, axis < 0 ? 0 : 1));
        if (axis < 0) continue;
        if (!cnnfi_dim_fits(call->inputs[i].dims[0], *count)) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d must have %lld elements", (int)i,
                                   (long long)*count);
        }
        *count = cnnfi_dim_merge(*count, call->inputs[i].dims[0]);
    }
    return CNNF_OK;
}

static cnnf_status infer_quantize(cnnfi_call *call)
{
    int64_t count;
    const int32_t rank = cnnf_node_attr_int(call->node, "axis", -1) < 0 ? 0 : 1;
    CNNFI_TRY(check_range(call, &count));
    CNNFI_TRY(cnnfi_output_like(call, 0, cnnf_node_attr_type(call->node, "T", CNNF_DTYPE_INVALID)));
    CNNFI_TRY(cnnfi_call_output(call, 1, CNNF_FLOAT, rank, &count));
    return cnnfi_call_output(call, 2, CNNF_FLOAT, rank, &count);
}

static cnnf_status infer_dequantize(cnnfi_call *call)
{
    int64_t count;
    CNNFI_TRY(check_range(call, &count));
    return cnnfi_output_like(call, 0, cnnf_node_attr_type(call->node, "dtype", CNNF_FLOAT));
}

static const cnnfi_op_rule rules[] = {
    {"Dequantize", infer_dequantize, 0},
    {"_ObserveRange", infer_observe, CNNFI_RULE_OWN},
    {"FakeQuantWithMinMaxArgs", infer_fake_args, 0},
    {"FakeQuantWithMinMaxVars", infer_fake_vars, 0},
    {"FakeQuantWithMinMaxVarsPerChannel", infer_fake_channels, 0},
    {"QuantizeAndDequantize", infer_same, 0},
    {"QuantizeAndDequantizeV2", infer_requantize, 0},
    {"QuantizeAndDequantizeV3", infer_requantize, 0},
    {"QuantizeAndDequantizeV4", infer_requantize, 0},
    {"QuantizeV2", infer_quantize, 0},
};

const cnnfi_rule_family cnnfi_rules_quantize = {"quantize", rules, sizeof rules / sizeof *rules};
