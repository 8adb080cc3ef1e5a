/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures (NHWC) in other sizes, boxes cut from them, and what else is done to pictures in front of a net. */
#include <string.h>

#include "ops/op_rules.h"

/* Input `input`: height, width, both positive; CNNFI_UNKNOWN when its value is not known. */
static cnnf_status read_size(cnnfi_call *call, int32_t input, int64_t size[2])
{
    size[0] = size[1] = CNNFI_UNKNOWN;
    CNNFI_TRY(cnnfi_want_rank(call, input, 1));
    const cnnf_status status = cnnfi_call_ints_exact(call, input, size, 2);
    if (status != CNNF_OK) return status < 0 ? status : CNNF_OK;
    for (int32_t i = 0; i < 2; i++) {
        if (size[i] >= 1 && size[i] <= INT32_MAX) continue;
        return cnnfi_call_fail(call, CNNF_E_INVALID, "a size of %lld x %lld", (long long)size[0], (long long)size[1]);
    }
    return CNNF_OK;
}

/* Input 0 is a picture with at least one pixel and one channel. */
static cnnf_status want_picture(cnnfi_call *call)
{
    const int64_t *dims = call->inputs[0].dims;
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    if (call->inputs[0].rank == CNNFI_UNKNOWN || (dims[1] && dims[2] && dims[3])) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a picture of %lld x %lld pixels with %lld channels",
                           (long long)dims[1], (long long)dims[2], (long long)dims[3]);
}

/* ---- resizing: images, size ---- */

static cnnf_status infer_resized(cnnfi_call *call, cnnf_dtype dtype)
{
    const cnnfi_value *in = &call->inputs[0];
    int64_t size[2];
    CNNFI_TRY(want_picture(call));
    CNNFI_TRY(read_size(call, 1, size));
    if (cnnf_node_attr_bool(call->node, "align_corners", 0) && cnnf_node_attr_bool(call->node, "half_pixel_centers", 0))
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "align_corners and half_pixel_centers exclude each other");
    return cnnfi_output_one(call, dtype, 4, (const int64_t[]){in->dims[0], size[0], size[1], in->dims[3]});
}

static cnnf_status infer_to_float(cnnfi_call *call)
{
    return infer_resized(call, CNNF_FLOAT);
}

static cnnf_status infer_to_same(cnnfi_call *call)
{
    return infer_resized(call, call->inputs[0].dtype);
}

/* ---- CropAndResize: image, boxes (n, 4), box_ind (n), crop_size ---- */

static cnnf_status infer_crop(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int64_t size[2];
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 2, 1));
    CNNFI_TRY(read_size(call, 3, size));
    if (!cnnfi_dim_fits(in[1].dims[1], 4) || !cnnfi_dim_fits(in[1].dims[0], in[2].dims[0]) || in[0].dims[1] == 0 ||
        in[0].dims[2] == 0)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "boxes, box_ind and image do not fit");
    const int64_t boxes = cnnfi_dim_merge(in[1].dims[0], in[2].dims[0]);
    return cnnfi_output_one(call, CNNF_FLOAT, 4, (const int64_t[]){boxes, size[0], size[1], in[0].dims[3]});
}

/* ---- without a kernel ---- */

/* image, its mean, stddev ...: of any size, boxes drawn or colours moved; the picture keeps its shape. */
static cnnf_status infer_picture(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 3));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

/* Three channels, the last axis. */
static cnnf_status infer_colours(cnnfi_call *call)
{
    cnnfi_value x = call->inputs[0];
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    if (x.rank == CNNFI_UNKNOWN) return cnnfi_output_like(call, 0, x.dtype);
    if (!cnnfi_dim_fits(x.dims[x.rank - 1], 3))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld channels, not 3", (long long)x.dims[x.rank - 1]);
    x.dims[x.rank - 1] = 3;
    return cnnfi_output_one(call, x.dtype, x.rank, x.dims);
}

/* images, transforms, output_shape: moved, turned, scaled. */
static cnnf_status infer_transformed(cnnfi_call *call)
{
    const cnnfi_value *in = &call->inputs[0];
    int64_t size[2];
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    CNNFI_TRY(read_size(call, 2, size));
    return cnnfi_output_one(call, in->dtype, 4, (const int64_t[]){in->dims[0], size[0], size[1], in->dims[3]});
}

/* images, size, scale, translation. */
static cnnf_status infer_scaled(cnnfi_call *call)
{
    return infer_resized(call, CNNF_FLOAT);
}

/* A file's picture: attribute channels, 0 when that is the file's. */
static cnnf_status infer_decoded(cnnfi_call *call)
{
    const int64_t channels = cnnf_node_attr_int(call->node, "channels", 0);
    const cnnf_dtype dtype = cnnf_node_attr_type(call->node, "dtype", CNNF_UINT8);
    CNNFI_TRY(cnnfi_want_rank(call, 0, 0));
    if (channels < 0) return cnnfi_call_fail(call, CNNF_E_CORRUPT, "channels is %lld", (long long)channels);
    return cnnfi_output_one(call, dtype, 3,
                            (const int64_t[]){CNNFI_UNKNOWN, CNNFI_UNKNOWN, channels ? channels : CNNFI_UNKNOWN});
}

static const cnnfi_op_rule rules[] = {
    {"AdjustContrastv2", infer_picture, 0},
    {"AdjustHue", infer_picture, 0},
    {"AdjustSaturation", infer_picture, 0},
    {"CropAndResize", infer_crop, 0},
    {"DecodeBmp", infer_decoded, 0},
    {"DecodeJpeg", infer_decoded, 0},
    {"DecodePng", infer_decoded, 0},
    {"DrawBoundingBoxes", infer_picture, 0},
    {"HSVToRGB", infer_colours, 0},
    {"ImageProjectiveTransformV2", infer_transformed, 0},
    {"ImageProjectiveTransformV3", infer_transformed, 0},
    {"RGBToHSV", infer_colours, 0},
    {"ResizeArea", infer_to_float, 0},
    {"ResizeBicubic", infer_to_float, 0},
    {"ResizeBilinear", infer_to_float, 0},
    {"ResizeNearestNeighbor", infer_to_same, 0},
    {"ScaleAndTranslate", infer_scaled, 0},
};

const cnnfi_rule_family cnnfi_rules_resize = {"resize", rules, sizeof rules / sizeof *rules};
