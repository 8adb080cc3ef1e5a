/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of space to batch or depth and back, and patches. */
#include <string.h>

#include "ops/op_rules.h"
#include "ops/space_blocks.h"
#include "ops/window.h"

/* ---- depth ---- */

static cnnf_status infer_to_depth(cnnfi_call *call)
{
    cnnfi_depth_blocks s;
    if (cnnfi_format_is_vectorized(call)) return cnnfi_output_of_rank(call, call->inputs[0].dtype, 5);
    CNNFI_TRY(cnnfi_depth_blocks_read(call, true, &s));
    const int64_t h = cnnfi_dim_div(s.height, s.block), w = cnnfi_dim_div(s.width, s.block),
                  c = cnnfi_dim_mul(s.channels, s.block * s.block);
    const int64_t last[] = {s.batch, h, w, c}, first[] = {s.batch, c, h, w};
    return cnnfi_output_one(call, call->inputs[0].dtype, 4, s.channels_first ? first : last);
}

static cnnf_status infer_from_depth(cnnfi_call *call)
{
    cnnfi_depth_blocks s;
    if (cnnfi_format_is_vectorized(call)) return cnnfi_output_of_rank(call, call->inputs[0].dtype, 5);
    CNNFI_TRY(cnnfi_depth_blocks_read(call, false, &s));
    const int64_t last[] = {s.batch, s.height, s.width, s.channels}, first[] = {s.batch, s.channels, s.height, s.width};
    return cnnfi_output_one(call, call->inputs[0].dtype, 4, s.channels_first ? first : last);
}

/* ---- batch ---- */

/* Axis i (of 0 .. axes-1) of the padded data, in blocks. */
static cnnf_status count_blocks(cnnfi_call *call, const cnnfi_batch_blocks *s, int32_t i, int64_t *size)
{
    int64_t padded = cnnfi_dim_add(cnnfi_dim_add(*size, s->before[i]), s->after[i]);
    *size = cnnfi_dim_div(padded, s->block[i]);
    if (*size == CNNFI_UNKNOWN || padded % s->block[i] == 0) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the block %lld does not divide %lld", (long long)s->block[i],
                           (long long)padded);
}

/* The older ops take pictures alone. */
static cnnf_status output_of_unknown(cnnfi_call *call)
{
    const bool nd = strstr(call->node->op, "ND") != NULL;
    return cnnfi_output_of_rank(call, call->inputs[0].dtype, nd ? CNNFI_UNKNOWN : 4);
}

static cnnf_status infer_to_batch(cnnfi_call *call)
{
    cnnfi_batch_blocks s;
    cnnfi_value out = call->inputs[0];
    CNNFI_TRY(cnnfi_batch_blocks_read(call, &s));
    if (out.rank == CNNFI_UNKNOWN) return output_of_unknown(call);
    out.dims[0] = cnnfi_dim_mul(out.dims[0], s.product);
    for (int32_t i = 0; i < s.axes; i++)
        CNNFI_TRY(count_blocks(call, &s, i, &out.dims[1 + i]));
    for (int32_t i = 1; i < out.rank && s.axes == CNNFI_UNKNOWN; i++)
        out.dims[i] = CNNFI_UNKNOWN;
    return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
}

/* Axis i of the blocks put together and cropped. */
static cnnf_status crop_blocks(cnnfi_call *call, const cnnfi_batch_blocks *s, int32_t i, int64_t *size)
{
    const int64_t whole = cnnfi_dim_mul(*size, s->block[i]), crop = cnnfi_dim_add(s->before[i], s->after[i]);
    *size = whole == CNNFI_UNKNOWN || crop == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : whole - crop;
    if (whole == CNNFI_UNKNOWN || crop <= whole) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the crops of axis %d are too big", (int)i);
}

static cnnf_status infer_from_batch(cnnfi_call *call)
{
    cnnfi_batch_blocks s;
    cnnfi_value out = call->inputs[0];
    CNNFI_TRY(cnnfi_batch_blocks_read(call, &s));
    if (out.rank == CNNFI_UNKNOWN) return output_of_unknown(call);
    if (out.dims[0] != CNNFI_UNKNOWN && s.product != CNNFI_UNKNOWN && out.dims[0] % s.product != 0) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld blocks do not divide a batch of %lld", (long long)s.product,
                               (long long)out.dims[0]);
    }
    out.dims[0] = cnnfi_dim_div(out.dims[0], s.product);
    for (int32_t i = 0; i < s.axes; i++)
        CNNFI_TRY(crop_blocks(call, &s, i, &out.dims[1 + i]));
    for (int32_t i = 1; i < out.rank && s.axes == CNNFI_UNKNOWN; i++)
        out.dims[i] = CNNFI_UNKNOWN;
    return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
}

/* ---- patches: what a window sees, in the channels of its place ---- */

static cnnf_status infer_patches(cnnfi_call *call)
{
    cnnfi_window w;
    int64_t dims[5];
    CNNFI_TRY(cnnfi_window_patches(call, &w, strcmp(call->node->op, "ExtractVolumePatches") == 0 ? 3 : 2));
    const int32_t rank = cnnfi_window_dims(&w, w.out, w.out_channels, dims);
    return cnnfi_output_one(call, call->inputs[0].dtype, rank, dims);
}

static const cnnfi_op_rule rules[] = {
    {"BatchToSpace", infer_from_batch, 0},      {"BatchToSpaceND", infer_from_batch, 0},
    {"DepthToSpace", infer_from_depth, 0},      {"ExtractImagePatches", infer_patches, 0},
    {"ExtractVolumePatches", infer_patches, 0}, {"SpaceToBatch", infer_to_batch, 0},
    {"SpaceToBatchND", infer_to_batch, 0},      {"SpaceToDepth", infer_to_depth, 0},
};

const cnnfi_rule_family cnnfi_rules_space = {"space", rules, sizeof rules / sizeof *rules};
