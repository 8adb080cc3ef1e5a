/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantized*: a tensor of small integers, then the least and the greatest number they stand for. No kernel computes
 * them; graphs that other tools have quantized hold them.
 */
#include <string.h>

#include "ops/convolution.h"
#include "ops/op_rules.h"

/* dtypes are those of the op table: the rule says none. */
#define OF_TABLE CNNF_DTYPE_INVALID

/* Outputs 1 and 2, the range of output 0: a number each. */
static cnnf_status output_range(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_call_output(call, 1, CNNF_FLOAT, 0, NULL));
    return cnnfi_call_output(call, 2, CNNF_FLOAT, 0, NULL);
}

/* Inputs first .. last are numbers. */
static cnnf_status want_scalars(cnnfi_call *call, int32_t first, int32_t last)
{
    for (int32_t i = first; i <= last; i++)
        CNNFI_TRY(cnnfi_want_rank(call, i, 0));
    return CNNF_OK;
}

/* ---- convolutions: data, filter, then what differs ---- */

static cnnf_status output_convolution(cnnfi_call *call, bool depthwise)
{
    cnnfi_window w;
    int64_t dims[5];
    const cnnfi_value *data = &call->inputs[0], *filter = &call->inputs[1];
    if (depthwise)
        CNNFI_TRY(cnnfi_convolution_depthwise(call, &w, data, filter));
    else
        CNNFI_TRY(cnnfi_convolution(call, &w, 2, data, filter));
    const int32_t rank = cnnfi_window_dims(&w, w.out, w.out_channels, dims);
    return cnnfi_output_one(call, OF_TABLE, rank, dims);
}

static cnnf_status infer_conv(cnnfi_call *call)
{
    CNNFI_TRY(output_convolution(call, false));
    CNNFI_TRY(want_scalars(call, 2, 5));
    return output_range(call);
}

/* With a bias, an addition, a new range, filters with a range for each channel. */
static cnnf_status infer_conv_more(cnnfi_call *call)
{
    CNNFI_TRY(output_convolution(call, strncmp(call->node->op, "QuantizedDepthwise", 18) == 0));
    return output_range(call);
}

/* Inputs 4 and 5 are the filter's ranges (channels), as the result's are. */
static cnnf_status infer_conv_channels(cnnfi_call *call)
{
    const cnnfi_value *least = &call->inputs[4], *most = &call->inputs[5];
    CNNFI_TRY(output_convolution(call, false));
    CNNFI_TRY(want_scalars(call, 2, 3));
    CNNFI_TRY(cnnfi_want_rank(call, 4, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 5, 1));
    CNNFI_TRY(cnnfi_want_same_shape(call, 4, 5));
    const int64_t channels = cnnfi_dim_merge(least->dims[0], most->dims[0]);
    CNNFI_TRY(cnnfi_call_output(call, 1, CNNF_FLOAT, 1, &channels));
    return cnnfi_call_output(call, 2, CNNF_FLOAT, 1, &channels);
}

/* ---- products: a, b, then what differs ---- */

static cnnf_status output_product(cnnfi_call *call)
{
    const cnnfi_value *a = &call->inputs[0], *b = &call->inputs[1];
    const int turn_a = cnnf_node_attr_bool(call->node, "transpose_a", 0) != 0,
              turn_b = cnnf_node_attr_bool(call->node, "transpose_b", 0) != 0;
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 2));
    if (!cnnfi_dim_fits(a->dims[!turn_a], b->dims[turn_b])) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "inner sizes %lld and %lld differ", (long long)a->dims[!turn_a],
                               (long long)b->dims[turn_b]);
    }
    return cnnfi_output_one(call, OF_TABLE, 2, (const int64_t[]){a->dims[turn_a], b->dims[!turn_b]});
}

static cnnf_status infer_product(cnnfi_call *call)
{
    CNNFI_TRY(output_product(call));
    return output_range(call);
}

/* ---- pools, bias, normalization ---- */

static cnnf_status infer_pool(cnnfi_call *call)
{
    cnnfi_window w;
    int64_t dims[5];
    CNNFI_TRY(cnnfi_window_pool(call, &w, 2));
    const int32_t rank = cnnfi_window_dims(&w, w.out, w.out_channels, dims);
    CNNFI_TRY(cnnfi_output_one(call, OF_TABLE, rank, dims));
    CNNFI_TRY(want_scalars(call, 1, 2));
    return output_range(call);
}

/* input, bias (channels), ranges of both */
static cnnf_status infer_bias(cnnfi_call *call)
{
    cnnfi_value x = call->inputs[0];
    const int64_t biases = call->inputs[1].dims[0];
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    CNNFI_TRY(want_scalars(call, 2, 5));
    if (x.rank != CNNFI_UNKNOWN) {
        int64_t *channels = &x.dims[x.rank - 1];
        if (!cnnfi_dim_fits(*channels, biases)) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld channels and %lld biases", (long long)*channels,
                                   (long long)biases);
        }
        *channels = cnnfi_dim_merge(*channels, biases);
    }
    CNNFI_TRY(cnnfi_output_one(call, OF_TABLE, x.rank, x.dims));
    return output_range(call);
}

/* t and its range; mean, variance, beta, gamma, each (channels) with its range */
static cnnf_status infer_global(cnnfi_call *call)
{
    cnnfi_value x = call->inputs[0];
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    CNNFI_TRY(want_scalars(call, 1, 2));
    for (int32_t i = 3; i < 15; i += 3) {
        const int64_t numbers = call->inputs[i].dims[0];
        CNNFI_TRY(cnnfi_want_rank(call, i, 1));
        CNNFI_TRY(want_scalars(call, i + 1, i + 2));
        if (!cnnfi_dim_fits(x.dims[3], numbers))
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d must have one number per channel", (int)i);
        x.dims[3] = cnnfi_dim_merge(x.dims[3], numbers);
    }
    CNNFI_TRY(cnnfi_output_one(call, OF_TABLE, 4, x.dims));
    return output_range(call);
}

/* ---- element by element ---- */

static cnnf_status infer_same(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_output_like(call, 0, OF_TABLE));
    return output_range(call);
}

/* x and its range: a number each */
static cnnf_status infer_same_ranged(cnnfi_call *call)
{
    CNNFI_TRY(want_scalars(call, 1, call->n_inputs - 1));
    return infer_same(call);
}

static cnnf_status infer_picture(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    if (call->inputs[0].rank != CNNFI_UNKNOWN) return infer_same_ranged(call);
    CNNFI_TRY(cnnfi_output_of_rank(call, OF_TABLE, 4));
    return output_range(call);
}

static cnnf_status infer_broadcast(cnnfi_call *call)
{
    CNNFI_TRY(want_scalars(call, 2, 5));
    CNNFI_TRY(cnnfi_broadcast_output(call, 2, OF_TABLE));
    return output_range(call);
}

/* The range alone. */
static cnnf_status infer_range(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_output_one(call, CNNF_FLOAT, 0, NULL));
    return cnnfi_call_output(call, 1, CNNF_FLOAT, 0, NULL);
}

/* images, size, range */
static cnnf_status infer_resize(cnnfi_call *call)
{
    const cnnfi_value *in = &call->inputs[0];
    int64_t size[2] = {CNNFI_UNKNOWN, CNNFI_UNKNOWN};
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    CNNFI_TRY(want_scalars(call, 2, 3));
    const cnnf_status status = cnnfi_call_ints_exact(call, 1, size, 2);
    if (status < 0) return status;
    if (size[0] < CNNFI_UNKNOWN || size[1] < CNNFI_UNKNOWN || (status == CNNF_OK && (size[0] < 1 || size[1] < 1)))
        return cnnfi_call_fail(call, CNNF_E_INVALID, "a size of %lld x %lld", (long long)size[0], (long long)size[1]);
    CNNFI_TRY(cnnfi_output_one(call, OF_TABLE, 4, (const int64_t[]){in->dims[0], size[0], size[1], in->dims[3]}));
    return output_range(call);
}

static const cnnfi_op_rule rules[] = {
    {"QuantizeDownAndShrinkRange", infer_same_ranged, 0},
    {"QuantizedAdd", infer_broadcast, 0},
    {"QuantizedAvgPool", infer_pool, 0},
    {"QuantizedBatchNormWithGlobalNormalization", infer_global, 0},
    {"QuantizedBiasAdd", infer_bias, 0},
    {"QuantizedConv2D", infer_conv, 0},
    {"QuantizedConv2DAndRelu", infer_conv_more, 0},
    {"QuantizedConv2DAndReluAndRequantize", infer_conv_more, 0},
    {"QuantizedConv2DAndRequantize", infer_conv_more, 0},
    {"QuantizedConv2DPerChannel", infer_conv_channels, 0},
    {"QuantizedConv2DWithBias", infer_conv_more, 0},
    {"QuantizedConv2DWithBiasAndRelu", infer_conv_more, 0},
    {"QuantizedConv2DWithBiasAndReluAndRequantize", infer_conv_more, 0},
    {"QuantizedConv2DWithBiasAndRequantize", infer_conv_more, 0},
    {"QuantizedConv2DWithBiasSignedSumAndReluAndRequantize", infer_conv_more, 0},
    {"QuantizedConv2DWithBiasSumAndRelu", infer_conv_more, 0},
    {"QuantizedConv2DWithBiasSumAndReluAndRequantize", infer_conv_more, 0},
    {"QuantizedDepthwiseConv2D", infer_conv_more, 0},
    {"QuantizedDepthwiseConv2DWithBias", infer_conv_more, 0},
    {"QuantizedDepthwiseConv2DWithBiasAndRelu", infer_conv_more, 0},
    {"QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize", infer_conv_more, 0},
    {"QuantizedInstanceNorm", infer_picture, 0},
    {"QuantizedMatMul", infer_product, 0},
    {"QuantizedMatMulWithBias", infer_product, 0},
    {"QuantizedMatMulWithBiasAndDequantize", output_product, 0},
    {"QuantizedMatMulWithBiasAndRelu", infer_product, 0},
    {"QuantizedMatMulWithBiasAndReluAndRequantize", infer_product, 0},
    {"QuantizedMatMulWithBiasAndRequantize", infer_product, 0},
    {"QuantizedMaxPool", infer_pool, 0},
    {"QuantizedMul", infer_broadcast, 0},
    {"QuantizedRelu", infer_same_ranged, 0},
    {"QuantizedRelu6", infer_same_ranged, 0},
    {"QuantizedReluX", infer_same_ranged, 0},
    {"QuantizedResizeBilinear", infer_resize, 0},
    {"RequantizationRange", infer_range, 0},
    {"RequantizationRangePerChannel", infer_range, 0},
    {"Requantize", infer_same_ranged, 0},
    {"RequantizePerChannel", infer_same, 0},
};

const cnnfi_rule_family cnnfi_rules_quantized = {"quantized", rules, sizeof rules / sizeof *rules};
