/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of space to batch or depth and back, and patches: all are one copy, element by element or row by row. */
#include "evaluator/kernels/portable.h"

/* ---- SpaceToDepth, DepthToSpace ---- */

/* data_format: the four axes of the picture in both orders. NCHW_VECT_C is for processors that we are not. */
typedef struct depth_space {
    bool channels_first;
    int64_t batch, height, width, channels, block; /* of the side that is space */
} depth_space;

static cnnf_status read_depth_space(cnnfi_call *call, bool to_depth, depth_space *s)
{
    const cnnfi_value *in = call->inputs;
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    s->block = cnnf_node_attr_int(call->node, "block_size", 0);
    if (s->block < 2 || s->block > 32768)
        return cnnfi_call_fail(call, CNNF_E_INVALID, "block_size is %lld", (long long)s->block);
    if (format && strcmp(format, "NHWC") != 0 && strcmp(format, "NCHW") != 0)
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "data_format %s", format);
    s->channels_first = format && strcmp(format, "NCHW") == 0;
    s->batch = in->dims[0];
    s->height = in->dims[s->channels_first ? 2 : 1];
    s->width = in->dims[s->channels_first ? 3 : 2];
    s->channels = in->dims[s->channels_first ? 1 : 3];
    int64_t square = s->block * s->block;
    if (to_depth ? s->height % s->block || s->width % s->block : s->channels % square)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "block_size %lld does not divide the input", (long long)s->block);
    if (to_depth) return CNNF_OK;
    s->channels /= square;
    bool fits = cnnfi_mul_i64(&s->height, s->height, s->block) && cnnfi_mul_i64(&s->width, s->width, s->block);
    return fits ? CNNF_OK : cnnfi_call_fail(call, CNNF_E_LIMIT, "the result is too big");
}

static cnnf_status depth_space_output(cnnfi_call *call, const depth_space *s, bool to_depth)
{
    int64_t b = to_depth ? s->block : 1, h = s->height / b, w = s->width / b, c = s->channels * b * b;
    const int64_t last[] = {s->batch, h, w, c}, first[] = {s->batch, c, h, w};
    return cnnfi_output_one(call, call->inputs[0].dtype, 4, s->channels_first ? first : last);
}

/* Places of the element (y, x, c) of the space side in both tensors. */
static void depth_space_copy(cnnfi_call *call, const depth_space *s, bool to_depth)
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

static cnnf_status depth_infer(cnnfi_call *call, bool to_depth)
{
    depth_space s = {0};
    CNNFI_TRY(read_depth_space(call, to_depth, &s));
    return depth_space_output(call, &s, to_depth);
}

static cnnf_status depth_run(cnnfi_call *call, bool to_depth)
{
    depth_space s = {0};
    CNNFI_TRY(read_depth_space(call, to_depth, &s));
    depth_space_copy(call, &s, to_depth);
    return CNNF_OK;
}

/* ---- SpaceToBatch(ND), BatchToSpace(ND) ---- */

typedef struct batch_space {
    int32_t axes; /* spatial ones: 1 .. axes */
    int64_t block[CNNFI_OP_MAX_RANK], before[CNNFI_OP_MAX_RANK], after[CNNFI_OP_MAX_RANK];
    int64_t product; /* of the blocks */
} batch_space;

/* ND: input, block_shape, paddings or crops; the older ops have block_size and two axes. */
static cnnf_status read_batch_space(cnnfi_call *call, batch_space *s)
{
    bool nd = cnnfi_type_of(call->inputs[0].dtype) != CNNFI_T_NONE && strstr(call->node->op, "ND") != NULL;
    int64_t n = 2, pairs[2 * CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_inputs(call, nd ? 3 : 2, nd ? 3 : 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    if (nd) CNNFI_TRY(cnnfi_call_ints(call, 1, s->block, CNNFI_OP_MAX_RANK - 1, &n));
    if (!nd) s->block[0] = s->block[1] = cnnf_node_attr_int(call->node, "block_size", 0);
    s->axes = (int32_t)n;
    if (call->inputs[0].rank < s->axes + 1 || (!nd && call->inputs[0].rank != 4))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "rank %d has no %d spatial axes", call->inputs[0].rank, s->axes);
    const cnnfi_value *given = &call->inputs[nd ? 2 : 1];
    if (given->rank != 2 || given->dims[0] != n || given->dims[1] != 2)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "paddings or crops must have the shape [%lld,2]", (long long)n);
    CNNFI_TRY(cnnfi_call_ints_exact(call, nd ? 2 : 1, pairs, 2 * n));
    s->product = 1;
    for (int32_t i = 0; i < s->axes; i++) {
        s->before[i] = pairs[2 * i];
        s->after[i] = pairs[2 * i + 1];
        if (s->block[i] < 1 || s->before[i] < 0 || s->after[i] < 0 ||
            !cnnfi_mul_i64(&s->product, s->product, s->block[i]))
            return cnnfi_call_fail(call, CNNF_E_INVALID, "block %lld, paddings or crops %lld, %lld",
                                   (long long)s->block[i], (long long)s->before[i], (long long)s->after[i]);
    }
    return CNNF_OK;
}

static cnnf_status to_batch_infer(cnnfi_call *call)
{
    batch_space s = {0};
    int64_t dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(read_batch_space(call, &s));
    const cnnfi_value *in = call->inputs;
    memcpy(dims, in->dims, sizeof(dims));
    bool fits = cnnfi_mul_i64(&dims[0], dims[0], s.product);
    for (int32_t i = 0; i < s.axes && fits; i++) {
        int64_t padded;
        fits = cnnfi_add_i64(&padded, in->dims[1 + i], s.before[i]) && cnnfi_add_i64(&padded, padded, s.after[i]);
        if (fits && padded % s.block[i] != 0)
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the block %lld does not divide %lld", (long long)s.block[i],
                                   (long long)padded);
        dims[1 + i] = fits ? padded / s.block[i] : 0;
    }
    if (!fits) return cnnfi_call_fail(call, CNNF_E_LIMIT, "the result is too big");
    return cnnfi_output_one(call, in->dtype, in->rank, dims);
}

static cnnf_status to_space_infer(cnnfi_call *call)
{
    batch_space s = {0};
    int64_t dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(read_batch_space(call, &s));
    const cnnfi_value *in = call->inputs;
    memcpy(dims, in->dims, sizeof(dims));
    if (dims[0] % s.product != 0)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld blocks do not divide a batch of %lld", (long long)s.product,
                               (long long)dims[0]);
    dims[0] /= s.product;
    for (int32_t i = 0; i < s.axes; i++) {
        int64_t whole;
        bool fits = cnnfi_mul_i64(&whole, in->dims[1 + i], s.block[i]) && s.before[i] <= whole &&
                    s.after[i] <= whole - s.before[i];
        if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the crops of axis %d are too big", i);
        dims[1 + i] = whole - s.before[i] - s.after[i];
    }
    return cnnfi_output_one(call, in->dtype, in->rank, dims);
}

/* Walks the rows (what lies behind the spatial axes) of the batch side, and finds each one's place in space. */
static cnnf_status batch_space_run(cnnfi_call *call, bool to_batch)
{
    batch_space s = {0};
    CNNFI_TRY(read_batch_space(call, &s));
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

typedef struct patches {
    int32_t axes;
    int64_t size[3], stride[3], rate[3], before[3], out[3];
} patches;

static cnnf_status patch_axis(cnnfi_call *call, patches *p, int32_t i, bool same)
{
    int64_t n = call->inputs[0].dims[1 + i], span;
    p->size[i] = cnnf_node_attr_list_int(call->node, "ksizes", 1 + i, 0);
    p->stride[i] = cnnf_node_attr_list_int(call->node, "strides", 1 + i, 0);
    p->rate[i] = p->axes == 2 ? cnnf_node_attr_list_int(call->node, "rates", 1 + i, 1) : 1;
    if (p->size[i] < 1 || p->stride[i] < 1 || p->rate[i] < 1 || !cnnfi_mul_i64(&span, p->size[i] - 1, p->rate[i]) ||
        span > INT32_MAX)
        return cnnfi_call_fail(call, CNNF_E_INVALID, "ksizes, strides or rates of axis %d", i);
    span++;
    p->out[i] = same ? n / p->stride[i] + (n % p->stride[i] != 0) : (n - span + p->stride[i]) / p->stride[i];
    if (p->out[i] < 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the patch is larger than axis %d", i);
    int64_t need = same && p->out[i] > 0 ? (p->out[i] - 1) * p->stride[i] + span - n : 0;
    p->before[i] = need > 0 ? need / 2 : 0;
    return CNNF_OK;
}

static cnnf_status read_patches(cnnfi_call *call, patches *p)
{
    const char *padding = cnnf_node_attr_string(NULL, call->node, "padding");
    p->axes = strcmp(call->node->op, "ExtractVolumePatches") == 0 ? 3 : 2;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_rank(call, 0, p->axes + 2));
    if (!padding || (strcmp(padding, "SAME") != 0 && strcmp(padding, "VALID") != 0))
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "padding %s", padding ? padding : "");
    for (int32_t i = 0; i < p->axes; i++)
        CNNFI_TRY(patch_axis(call, p, i, strcmp(padding, "SAME") == 0));
    return CNNF_OK;
}

static cnnf_status patches_infer(cnnfi_call *call)
{
    patches p = {0};
    int64_t dims[5];
    CNNFI_TRY(read_patches(call, &p));
    const cnnfi_value *in = call->inputs;
    dims[0] = in->dims[0];
    dims[p.axes + 1] = in->dims[p.axes + 1];
    for (int32_t i = 0; i < p.axes; i++) {
        dims[1 + i] = p.out[i];
        if (!cnnfi_mul_i64(&dims[p.axes + 1], dims[p.axes + 1], p.size[i]))
            return cnnfi_call_fail(call, CNNF_E_LIMIT, "the result is too big");
    }
    return cnnfi_output_one(call, in->dtype, in->rank, dims);
}

/* Row k of the output: place (batch, y, x), then offset in the patch; a row is one pixel's channels. */
static cnnf_status patches_run(cnnfi_call *call)
{
    patches p = {0};
    CNNFI_TRY(read_patches(call, &p));
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    size_t row = (size_t)in->dims[p.axes + 1] * cnnf_dtype_size(in->dtype);
    int64_t rows = row ? (int64_t)((size_t)out->count * cnnf_dtype_size(in->dtype) / row) : 0;
    for (int64_t r = 0; r < rows; r++) {
        int64_t left = r, offset[3], place[3], at;
        for (int32_t i = p.axes - 1; i >= 0; i--)
            offset[i] = left % p.size[i], left /= p.size[i];
        for (int32_t i = p.axes - 1; i >= 0; i--)
            place[i] = left % p.out[i], left /= p.out[i];
        bool inside = true;
        at = left;
        for (int32_t i = 0; i < p.axes; i++) {
            int64_t x = place[i] * p.stride[i] - p.before[i] + offset[i] * p.rate[i];
            inside = inside && x >= 0 && x < in->dims[1 + i];
            at = at * in->dims[1 + i] + x;
        }
        char *to = (char *)out->data + (size_t)r * row;
        if (inside)
            memcpy(to, (const char *)in->data + (size_t)at * row, row);
        else
            memset(to, 0, row);
    }
    return CNNF_OK;
}

#define DEFINE(op, kind, value)                                                                                        \
    static cnnf_status op##_infer(cnnfi_call *call)                                                                    \
    {                                                                                                                  \
        return kind##_infer(call, value);                                                                              \
    }                                                                                                                  \
    static cnnf_status op##_run(cnnfi_call *call)                                                                      \
    {                                                                                                                  \
        return kind##_run(call, value);                                                                                \
    }
DEFINE(SpaceToDepth, depth, true)
DEFINE(DepthToSpace, depth, false)

static const cnnfi_kernel kernels[] = {
    {"BatchToSpace", to_space_infer, to_space_run, 0},
    {"BatchToSpaceND", to_space_infer, to_space_run, 0},
    {"DepthToSpace", DepthToSpace_infer, DepthToSpace_run, 0},
    {"ExtractImagePatches", patches_infer, patches_run, 0},
    {"ExtractVolumePatches", patches_infer, patches_run, 0},
    {"SpaceToBatch", to_batch_infer, to_batch_run, 0},
    {"SpaceToBatchND", to_batch_infer, to_batch_run, 0},
    {"SpaceToDepth", SpaceToDepth_infer, SpaceToDepth_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_space = {"space", kernels, sizeof(kernels) / sizeof(kernels[0])};
