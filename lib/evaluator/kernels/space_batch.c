/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of space to batch or depth and back, and patches: all are one copy, element by element or row by row. */
#include "evaluator/kernels/portable.h"
#include "ops/space_blocks.h"
#include "ops/window.h"

/* ---- SpaceToDepth, DepthToSpace ---- */

/* Places of the element (y, x, c) of the space side in both tensors. */
static void depth_space_copy(cnnfi_call *call, const cnnfi_depth_blocks *s, bool to_depth)
{
    const int64_t b = s->block, h = s->height / b, w = s->width / b, deep = s->channels * b * b;
    size_t size = cnnf_dtype_size(call->inputs[0].dtype);
    const char *in = call->inputs[0].data;
    char *out = call->outputs[0].data;
    for (int64_t i = 0; i < call->inputs[0].count; i++) {
        int64_t left = i, c, y, x;
        if (s->channels_first) {
            x = left % s->width, left /= s->width;
            y = left % s->height, left /= s->height;
            c = left % s->channels, left /= s->channels;
        } else {
            c = left % s->channels, left /= s->channels;
            x = left % s->width, left /= s->width;
            y = left % s->height, left /= s->height;
        }
        int64_t d = (y % b * b + x % b) * s->channels + c;
        int64_t at = s->channels_first ? ((left * deep + d) * h + y / b) * w + x / b
                                       : ((left * h + y / b) * w + x / b) * deep + d;
        memcpy(out + (size_t)(to_depth ? at : i) * size, in + (size_t)(to_depth ? i : at) * size, size);
    }
}

static cnnf_status depth_run(cnnfi_call *call, bool to_depth)
{
    cnnfi_depth_blocks s;
    CNNFI_TRY(cnnfi_depth_blocks_read(call, to_depth, &s));
    depth_space_copy(call, &s, to_depth);
    return CNNF_OK;
}

static cnnf_status to_depth_run(cnnfi_call *call)
{
    return depth_run(call, true);
}

static cnnf_status from_depth_run(cnnfi_call *call)
{
    return depth_run(call, false);
}

/* ---- SpaceToBatch(ND), BatchToSpace(ND) ---- */

/* Walks the rows (what lies behind the spatial axes) of the batch side, and finds each one's place in space. */
static cnnf_status batch_space_run(cnnfi_call *call, bool to_batch)
{
    cnnfi_batch_blocks s;
    CNNFI_TRY(cnnfi_batch_blocks_read(call, &s));
    const cnnfi_value *batch = to_batch ? call->outputs : call->inputs,
                      *space = to_batch ? call->inputs : call->outputs;
    size_t row = (size_t)cnnfi_span(batch->dims, s.axes + 1, batch->rank) * cnnf_dtype_size(batch->dtype);
    int64_t rows = cnnfi_span(batch->dims, 0, s.axes + 1);
    for (int64_t r = 0; r < rows && row > 0; r++) {
        int64_t left = r, index[CNNFI_OP_MAX_RANK] = {0}, at = 0;
        for (int32_t i = s.axes; i >= 0; i--) {
            index[i] = left % batch->dims[i];
            left /= batch->dims[i];
        }
        int64_t cell = index[0] / space->dims[0];
        bool inside = true;
        int64_t offset[CNNFI_OP_MAX_RANK];
        for (int32_t i = s.axes - 1; i >= 0; i--) {
            offset[i] = cell % s.block[i];
            cell /= s.block[i];
        }
        at = index[0] % space->dims[0];
        for (int32_t i = 0; i < s.axes; i++) {
            int64_t place = index[1 + i] * s.block[i] + offset[i] - s.before[i];
            inside = inside && place >= 0 && place < space->dims[1 + i];
            at = at * space->dims[1 + i] + place;
        }
        char *there = (char *)batch->data + (size_t)r * row;
        if (to_batch && inside) memcpy(there, (const char *)space->data + (size_t)at * row, row);
        if (to_batch && !inside) memset(there, 0, row);
        if (!to_batch && inside) memcpy((char *)space->data + (size_t)at * row, there, row);
    }
    return CNNF_OK;
}

/* An empty space side has no rows to find a place for. */
static cnnf_status to_batch_run(cnnfi_call *call)
{
    if (call->inputs[0].dims[0] == 0) return CNNF_OK;
    return batch_space_run(call, true);
}

static cnnf_status to_space_run(cnnfi_call *call)
{
    if (call->outputs[0].count == 0) return CNNF_OK;
    return batch_space_run(call, false);
}

/* ---- ExtractImagePatches (NHWC), ExtractVolumePatches (NDHWC) ---- */

/* Row k of the output: place (batch, y, x), then offset in the patch; a row is one pixel's channels. */
static cnnf_status patches_run(cnnfi_call *call)
{
    cnnfi_window w;
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    CNNFI_TRY(cnnfi_window_patches(call, &w, in->rank - 2));
    const size_t row = (size_t)w.in_channels * cnnf_dtype_size(in->dtype);
    const int64_t rows = row ? (int64_t)((size_t)out->count * cnnf_dtype_size(in->dtype) / row) : 0;
    for (int64_t r = 0; r < rows; r++) {
        int64_t left = r, offset[3], place[3];
        for (int32_t i = 2; i >= 0; i--)
            offset[i] = left % w.filter[i], left /= w.filter[i];
        for (int32_t i = 2; i >= 0; i--)
            place[i] = left % w.out[i], left /= w.out[i];
        bool inside = true;
        int64_t at = left;
        for (int32_t i = 0; i < 3; i++) {
            const int64_t x = place[i] * w.stride[i] - w.before[i] + offset[i] * w.dilation[i];
            inside = inside && x >= 0 && x < w.in[i];
            at = at * w.in[i] + x;
        }
        char *to = (char *)out->data + (size_t)r * row;
        if (inside)
            memcpy(to, (const char *)in->data + (size_t)at * row, row);
        else
            memset(to, 0, row);
    }
    return CNNF_OK;
}

static cnnf_status scratch(cnnfi_call *call)
{
    return cnnfi_want_bytes(call, 0);
}

static const cnnfi_kernel kernels[] = {
    {"BatchToSpace", to_space_run, 0, scratch},        {"BatchToSpaceND", to_space_run, 0, scratch},
    {"DepthToSpace", from_depth_run, 0, scratch},      {"ExtractImagePatches", patches_run, 0, scratch},
    {"ExtractVolumePatches", patches_run, 0, scratch}, {"SpaceToBatch", to_batch_run, 0, scratch},
    {"SpaceToBatchND", to_batch_run, 0, scratch},      {"SpaceToDepth", to_depth_run, 0, scratch},
};

const cnnfi_kernel_family cnnfi_kernels_space = {"space", kernels, sizeof(kernels) / sizeof(kernels[0])};
