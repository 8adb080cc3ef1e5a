/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: maxima and averages over windows. */
#include "ops/op_rules.h"
#include "ops/window.h"

/* The window's places, of input 0's dtype. Without ksize (MaxPoolV2) channels may be joined, too: the batch alone is
   sure. */
static cnnf_status infer_pool(cnnfi_call *call, int32_t spatial)
{
    cnnfi_window w;
    int64_t dims[5] = {CNNFI_UNKNOWN, CNNFI_UNKNOWN, CNNFI_UNKNOWN, CNNFI_UNKNOWN, CNNFI_UNKNOWN};
    const cnnf_dtype dtype = call->inputs[0].dtype;
    if (cnnfi_format_is_vectorized(call)) return cnnfi_output_of_rank(call, dtype, spatial + 3);
    const cnnf_status status = cnnfi_window_pool(call, &w, spatial);
    if (status < 0) return status;
    if (status == CNNF_OK)
        cnnfi_window_dims(&w, w.out, w.out_channels, dims);
    else
        dims[0] = w.batch;
    return cnnfi_output_one(call, dtype, spatial + 2, dims);
}

static cnnf_status infer_pool2d(cnnfi_call *call)
{
    return infer_pool(call, 2);
}

static cnnf_status infer_pool3d(cnnfi_call *call)
{
    return infer_pool(call, 3);
}

/* Maxima, and where they are. */
static cnnf_status infer_argmax(cnnfi_call *call)
{
    const cnnf_dtype index = cnnf_node_attr_type(call->node, "Targmax", CNNF_INT64);
    CNNFI_TRY(infer_pool(call, 2));
    if (index != CNNF_INT32 && index != CNNF_INT64)
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "Targmax %s", cnnf_dtype_name(index));
    const cnnfi_value maxima = call->outputs[0];
    return cnnfi_call_output(call, 1, index, maxima.rank, maxima.dims);
}

/* Windows of uneven sizes: the output, and the borders of its rows and of its columns (one more than there are,
   whatever TensorFlow's shape function says). */
static cnnf_status infer_fractional(cnnfi_call *call)
{
    const cnnfi_value *x = &call->inputs[0];
    const cnnfi_attr *ratios = cnnfi_node_attr(call->node, "pooling_ratio");
    int64_t dims[4];
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    if (!ratios || ratios->kind != CNNF_ATTR_LIST || ratios->u.list.item_kind != CNNF_ATTR_FLOAT ||
        ratios->u.list.count != 4)
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "pooling_ratio needs 4 numbers");
    for (int32_t i = 0; i < 4; i++) {
        const float ratio = ratios->u.list.u.floats[i];
        if (!(ratio >= 1) || (ratio != 1 && (i == 0 || i == 3))) {
            return cnnfi_call_fail(call, CNNF_E_CORRUPT, "pooling_ratio[%d] must be %s", (int)i,
                                   i == 0 || i == 3 ? "1" : "1 or more");
        }
        dims[i] = x->dims[i];
        /* Divided in float, as TensorFlow does. */
        if (ratio != 1 && x->dims[i] != CNNFI_UNKNOWN)
            dims[i] = x->dims[i] > INT32_MAX ? CNNFI_UNKNOWN : (int64_t)((float)x->dims[i] / ratio);
    }
    CNNFI_TRY(cnnfi_output_one(call, x->dtype, 4, dims));
    for (int32_t i = 1; i < 3; i++) {
        CNNFI_TRY(cnnfi_call_output(call, i, CNNF_INT64, 1, (const int64_t[]){cnnfi_dim_add(dims[i], 1)}));
    }
    return CNNF_OK;
}

static const cnnfi_op_rule rules[] = {
    {"AvgPool", infer_pool2d, 0},
    {"AvgPool3D", infer_pool3d, 0},
    {"FractionalAvgPool", infer_fractional, 0},
    {"FractionalMaxPool", infer_fractional, 0},
    {"MaxPool", infer_pool2d, 0},
    {"MaxPool3D", infer_pool3d, 0},
    {"MaxPoolV2", infer_pool2d, 0},
    {"MaxPoolWithArgmax", infer_argmax, 0},
};

const cnnfi_rule_family cnnfi_rules_pooling = {"pooling", rules, sizeof rules / sizeof *rules};
