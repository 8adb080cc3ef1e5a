/* SPDX-License-Identifier: Apache-2.0 */
/* Bias, batch and local response normalization, softmax. */
#include <string.h>

#include "ops/op_rules.h"
#include "ops/window.h"

/* `dims` of `x` with the size of its channel axis, which inputs first .. last, vectors, must all have; *channels is
   that size, the known one of them. */
static cnnf_status merge_channels(cnnfi_call *call, int32_t axis, int32_t first, int32_t last, int64_t *channels)
{
    const cnnfi_value *x = &call->inputs[0];
    *channels = axis == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : x->dims[axis];
    for (int32_t i = first; i <= last; i++) {
        CNNFI_TRY(cnnfi_want_rank(call, i, 1));
        if (!cnnfi_dim_fits(call->inputs[i].dims[0], *channels)) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d has %lld elements for %lld channels", (int)i,
                                   (long long)call->inputs[i].dims[0], (long long)*channels);
        }
        *channels = cnnfi_dim_merge(*channels, call->inputs[i].dims[0]);
    }
    return CNNF_OK;
}

/* Output 0: input 0 of `rank` axes (CNNFI_UNKNOWN: any) with that many channels. */
static cnnf_status output_channels(cnnfi_call *call, int32_t rank, int32_t axis, int64_t channels)
{
    cnnfi_value x = call->inputs[0];
    if (x.rank == CNNFI_UNKNOWN) x.rank = rank;
    if (axis != CNNFI_UNKNOWN) x.dims[axis] = channels;
    return cnnfi_output_one(call, x.dtype, x.rank, x.dims);
}

/* ---- bias ---- */

static cnnf_status infer_bias(cnnfi_call *call)
{
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    const int32_t axis = cnnfi_channel_axis(call, call->inputs[0].rank);
    int64_t channels;
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, format && strncmp(format, "NC", 2) == 0 ? 3 : 2));
    CNNFI_TRY(merge_channels(call, axis, 1, 1, &channels));
    return output_channels(call, CNNFI_UNKNOWN, axis, channels);
}

/* ---- batch normalization ---- */

/* Pictures (NHWC, NCHW) or volumes (NDHWC, NCDHW). */
static cnnf_status batch_norm_axis(cnnfi_call *call, int32_t *rank, int32_t *axis)
{
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    const int32_t spatial = format && strlen(format) == 5 ? 3 : 2;
    bool first;
    CNNFI_TRY(cnnfi_data_format(call, spatial, &first));
    *rank = spatial + 2;
    *axis = first ? 1 : spatial + 1;
    return cnnfi_want_rank(call, 0, *rank);
}

/* x, scale, offset, mean, variance -> y, four vectors. A training step of its own (exponential_avg_factor 1) does not
   read mean and variance, which may then be of any length. */
static cnnf_status infer_batch_norm(cnnfi_call *call)
{
    const bool unread = cnnf_node_attr_bool(call->node, "is_training", 1) != 0 &&
                        cnnf_node_attr_float(call->node, "exponential_avg_factor", 1) == 1;
    int64_t channels;
    int32_t rank, axis;
    CNNFI_TRY(batch_norm_axis(call, &rank, &axis));
    CNNFI_TRY(merge_channels(call, axis, 1, unread ? 2 : 4, &channels));
    for (int32_t i = 2; i < 5; i++) {
        CNNFI_TRY(cnnfi_want_rank(call, i, 1));
        CNNFI_TRY(cnnfi_want_same_dtype(call, 1, i));
    }
    CNNFI_TRY(output_channels(call, rank, axis, channels));
    for (int32_t i = 1; i < 5; i++)
        CNNFI_TRY(cnnfi_call_output(call, i, call->inputs[1].dtype, 1, &channels));
    return CNNF_OK;
}

/* A sixth output is for the gradient, and a scalar on processors that are no accelerators. */
static cnnf_status infer_batch_norm_v3(cnnfi_call *call)
{
    CNNFI_TRY(infer_batch_norm(call));
    return cnnfi_call_output(call, 5, call->inputs[1].dtype, 0, NULL);
}

/* What TensorFlow's optimiser makes of it and a Relu, and perhaps an addition before: the op table has none. */
static cnnf_status infer_batch_norm_ex(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 5, 6));
    return infer_batch_norm_v3(call);
}

/* Of graphs from before FusedBatchNorm: t, mean, variance, beta, gamma. */
static cnnf_status infer_global(cnnfi_call *call)
{
    int64_t channels;
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    for (int32_t i = 1; i < 5; i++)
        CNNFI_TRY(cnnfi_want_same_dtype(call, 0, i));
    CNNFI_TRY(merge_channels(call, 3, 1, 4, &channels));
    return output_channels(call, 4, 3, channels);
}

/* ---- others ---- */

static cnnf_status infer_lrn(cnnfi_call *call)
{
    const int64_t radius = cnnf_node_attr_int(call->node, "depth_radius", 5);
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    if (radius < 0 || radius > INT32_MAX)
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "depth_radius is %lld", (long long)radius);
    return output_channels(call, 4, CNNFI_UNKNOWN, CNNFI_UNKNOWN);
}

static cnnf_status infer_softmax(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static const cnnfi_op_rule rules[] = {
    {"BatchNormWithGlobalNormalization", infer_global, 0},
    {"BiasAdd", infer_bias, 0},
    {"BiasAddV1", infer_bias, 0},
    {"FusedBatchNorm", infer_batch_norm, 0},
    {"FusedBatchNormV2", infer_batch_norm, 0},
    {"FusedBatchNormV3", infer_batch_norm_v3, 0},
    {"LRN", infer_lrn, 0},
    {"LogSoftmax", infer_softmax, 0},
    {"Softmax", infer_softmax, 0},
    {"_FusedBatchNormEx", infer_batch_norm_ex, 0},
};

const cnnfi_rule_family cnnfi_rules_normalization = {"normalization", rules, sizeof rules / sizeof *rules};
