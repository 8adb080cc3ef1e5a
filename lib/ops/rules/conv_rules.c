/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, forwards and backwards, and those that the Graph Transform Tool has put a Pad or a resize into. */
#include "ops/convolution.h"
#include "ops/op_rules.h"

/* The only output: a data tensor of the window's format. */
static cnnf_status output_data(cnnfi_call *call, cnnf_dtype dtype, const cnnfi_window *w, const int64_t size[3],
                               int64_t channels)
{
    int64_t dims[5];
    const int32_t rank = cnnfi_window_dims(w, size, channels, dims);
    return cnnfi_output_one(call, dtype, rank, dims);
}

/* ---- forwards: data, filter ---- */

static cnnf_status infer_forward(cnnfi_call *call, int32_t spatial)
{
    cnnfi_window w;
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_convolution(call, &w, spatial, &call->inputs[0], &call->inputs[1]));
    return output_data(call, call->inputs[0].dtype, &w, w.out, w.out_channels);
}

static cnnf_status infer_conv2d(cnnfi_call *call)
{
    return infer_forward(call, 2);
}

static cnnf_status infer_conv3d(cnnfi_call *call)
{
    return infer_forward(call, 3);
}

static cnnf_status infer_depthwise(cnnfi_call *call)
{
    cnnfi_window w;
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_convolution_depthwise(call, &w, &call->inputs[0], &call->inputs[1]));
    return output_data(call, call->inputs[0].dtype, &w, w.out, w.out_channels);
}

/* ---- backwards: input_sizes, filter, data ---- */

static cnnf_status infer_back(cnnfi_call *call, int32_t spatial)
{
    cnnfi_window w;
    const cnnf_status status = cnnfi_convolution_back(call, &w, spatial);
    if (status < 0) return status;
    return output_data(call, call->inputs[2].dtype, &w, w.in, w.in_channels);
}

static cnnf_status infer_back2d(cnnfi_call *call)
{
    return infer_back(call, 2);
}

static cnnf_status infer_back3d(cnnfi_call *call)
{
    return infer_back(call, 3);
}

/* The first input is no size but a tensor in the shape of the result. */
static cnnf_status infer_back_like(cnnfi_call *call, int32_t rank)
{
    for (int32_t i = 0; i < 3; i++)
        CNNFI_TRY(cnnfi_want_rank(call, i, rank));
    if (call->inputs[0].rank == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, call->inputs[2].dtype, rank);
    return cnnfi_output_like(call, 0, call->inputs[2].dtype);
}

static cnnf_status infer_back2d_like(cnnfi_call *call)
{
    return infer_back_like(call, 4);
}

static cnnf_status infer_back3d_like(cnnfi_call *call)
{
    return infer_back_like(call, 5);
}

/* ---- with a Pad in front: data (NHWC) (, size), paddings, filter ---- */

/* data in the size of input `size`. */
static cnnf_status resize_data(cnnfi_call *call, int32_t size, cnnfi_value *data)
{
    int64_t sizes[2];
    const cnnf_status status = cnnfi_call_ints_exact(call, size, sizes, 2);
    if (status < 0) return status;
    for (int32_t i = 0; i < 2; i++) {
        data->dims[1 + i] = status == CNNF_OK ? sizes[i] : CNNFI_UNKNOWN;
        if (data->dims[1 + i] >= CNNFI_UNKNOWN && data->dims[1 + i] != 0) continue;
        return cnnfi_call_fail(call, CNNF_E_INVALID, "size[%d] is %lld", (int)i, (long long)sizes[i]);
    }
    return CNNF_OK;
}

/* data with what input `paddings`, [4][before, after], puts around it. */
static cnnf_status pad_data(cnnfi_call *call, int32_t paddings, cnnfi_value *data)
{
    int64_t pairs[8] = {0};
    CNNFI_TRY(cnnfi_want_rank(call, paddings, 2));
    const cnnf_status status = cnnfi_call_ints_exact(call, paddings, pairs, 8);
    if (status < 0) return status;
    for (int32_t i = 0; i < 4; i++) {
        const int64_t around = cnnfi_dim_add(pairs[2 * i], pairs[2 * i + 1]);
        if (pairs[2 * i] < 0 || pairs[2 * i + 1] < 0) {
            return cnnfi_call_fail(call, CNNF_E_INVALID, "paddings of axis %d are %lld and %lld", (int)i,
                                   (long long)pairs[2 * i], (long long)pairs[2 * i + 1]);
        }
        data->dims[i] = status == CNNF_OK ? cnnfi_dim_add(data->dims[i], around) : CNNFI_UNKNOWN;
    }
    return CNNF_OK;
}

static cnnf_status infer_padded(cnnfi_call *call, int32_t paddings)
{
    cnnfi_window w;
    cnnfi_value data = call->inputs[0];
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    data.rank = 4; /* an unknown rank's dims are all there, and unknown */
    if (paddings == 2) CNNFI_TRY(resize_data(call, 1, &data));
    CNNFI_TRY(pad_data(call, paddings, &data));
    CNNFI_TRY(cnnfi_convolution(call, &w, 2, &data, &call->inputs[paddings + 1]));
    return output_data(call, data.dtype, &w, w.out, w.out_channels);
}

static cnnf_status infer_pad_conv(cnnfi_call *call)
{
    return infer_padded(call, 1);
}

static cnnf_status infer_resize_pad_conv(cnnfi_call *call)
{
    return infer_padded(call, 2);
}

static const cnnfi_op_rule rules[] = {
    {"Conv2D", infer_conv2d, 0},
    {"Conv2DBackpropInput", infer_back2d, 0},
    {"Conv2DBackpropInputV2", infer_back2d_like, 0},
    {"Conv3D", infer_conv3d, 0},
    {"Conv3DBackpropInput", infer_back3d_like, 0},
    {"Conv3DBackpropInputV2", infer_back3d, 0},
    {"DepthwiseConv2dNative", infer_depthwise, 0},
    {"DepthwiseConv2dNativeBackpropInput", infer_back2d, 0},
    {"FusedPadConv2D", infer_pad_conv, 0},
    {"FusedResizeAndPadConv2D", infer_resize_pad_conv, 0},
};

const cnnfi_rule_family cnnfi_rules_conv = {"convolution", rules, sizeof rules / sizeof *rules};
