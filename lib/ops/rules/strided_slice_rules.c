/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting boxes out: Slice and StridedSlice with all its masks, and the way back. */
#include "ops/rules/strided_slice_rules.h"

#include <string.h>

#include "ops/op_rules.h"

/* ---- Slice ---- */

/* As many numbers as there are axes: *rank becomes known when it was not. */
static cnnf_status read_numbers(cnnfi_call *call, int32_t input, int64_t *out, int32_t *rank)
{
    int64_t count = call->inputs[input].count;
    const cnnf_status status = cnnfi_call_ints(call, input, out, CNNFI_OP_MAX_RANK, &count);
    if (status < 0) return status;
    if (!cnnfi_dim_fits(*rank, count)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d has %lld elements, must have %d", (int)input,
                               (long long)count, (int)*rank);
    }
    *rank = (int32_t)cnnfi_dim_merge(*rank, count);
    return status;
}

/* One axis; begin or size CNNFI_UNKNOWN when their input is not known. A given size of -1 is the rest. */
static bool cut_axis(int64_t dim, bool has_begin, int64_t begin, bool has_size, int64_t *size)
{
    if (has_begin && (begin < 0 || (dim != CNNFI_UNKNOWN && begin > dim))) return false;
    if (has_size && *size < -1) return false;
    if (!has_size || *size == -1) {
        *size = has_size && has_begin && dim != CNNFI_UNKNOWN ? dim - begin : CNNFI_UNKNOWN;
        return true;
    }
    return dim == CNNFI_UNKNOWN || *size <= dim - (has_begin ? begin : 0);
}

cnnf_status cnnfi_slice_box(cnnfi_call *call, cnnfi_box *box)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    const cnnfi_value *in = &call->inputs[0];
    *box = (cnnfi_box){.rank = in->rank};
    const cnnf_status begin = read_numbers(call, 1, box->begin, &box->rank);
    if (begin < 0) return begin;
    const cnnf_status size = read_numbers(call, 2, box->size, &box->rank);
    if (size < 0) return size;
    for (int32_t i = 0; i < box->rank; i++) {
        const int64_t asked = box->size[i], dim = in->dims[i];
        box->step[i] = 1;
        if (!cut_axis(dim, begin == CNNF_OK, box->begin[i], size == CNNF_OK, &box->size[i])) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d: begin %lld, size %lld of %lld", i,
                                   (long long)box->begin[i], (long long)asked, (long long)dim);
        }
        box->out_dims[i] = box->size[i];
    }
    box->out_rank = box->rank;
    return begin == CNNF_OK ? size : begin;
}

static cnnf_status infer_slice(cnnfi_call *call)
{
    cnnfi_box box;
    const cnnf_status status = cnnfi_slice_box(call, &box);
    if (status < 0) return status;
    CNNFI_TRY(cnnfi_output_one(call, call->inputs[0].dtype, box.out_rank, box.out_dims));
    return status;
}

/* ---- StridedSlice ---- */

enum { BEGIN, END, STEP };

typedef struct strided_spec {
    int64_t n;     /* entries; CNNFI_UNKNOWN */
    bool known[3]; /* begin, end, step */
    int64_t bound[3][CNNFI_SLICE_ENTRIES];
    uint64_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_mask;
} strided_spec;

static uint64_t mask_attr(const cnnfi_call *call, const char *name)
{
    return (uint64_t)cnnf_node_attr_int(call->node, name, 0);
}

static cnnf_status read_spec(cnnfi_call *call, int32_t first, strided_spec *s)
{
    s->n = CNNFI_UNKNOWN;
    for (int32_t k = 0; k < 3; k++) {
        int64_t count = call->inputs[first + k].count;
        const cnnf_status status = cnnfi_call_ints(call, first + k, s->bound[k], CNNFI_SLICE_ENTRIES, &count);
        if (status < 0) return status;
        s->known[k] = status == CNNF_OK;
        if (!cnnfi_dim_fits(s->n, count)) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH,
                                   "begin, end and strides must have as many entries: %lld, %lld", (long long)s->n,
                                   (long long)count);
        }
        s->n = cnnfi_dim_merge(s->n, count);
    }
    s->begin_mask = mask_attr(call, "begin_mask");
    s->end_mask = mask_attr(call, "end_mask");
    s->ellipsis_mask = mask_attr(call, "ellipsis_mask");
    s->new_axis_mask = mask_attr(call, "new_axis_mask");
    s->shrink_mask = mask_attr(call, "shrink_axis_mask");
    if (s->ellipsis_mask & (s->ellipsis_mask - 1)) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "several ellipses");
    return CNNF_OK;
}

/* A bound as Python reads it: negative ones from the end, clamped to what the direction allows. */
static int64_t clamp_bound(int64_t bound, bool masked, bool is_begin, int64_t step, int64_t dim)
{
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;
    if (masked) return (step > 0) == is_begin ? low : high;
    if (bound < 0) bound += dim;
    return bound < low ? low : bound > high ? high : bound;
}

/* The one element of entry i. begin_mask does not count here. */
static cnnf_status take_one(cnnfi_call *call, const strided_spec *s, int64_t i, int32_t axis, int64_t dim,
                            cnnfi_box *box)
{
    box->begin[axis] = 0;
    box->step[axis] = box->size[axis] = 1;
    if (s->known[STEP] && s->bound[STEP][i] < 0) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "only stride 1 may take a single element");
    }
    if (!s->known[BEGIN] || dim == CNNFI_UNKNOWN) return CNNF_OK;
    const int64_t given = s->bound[BEGIN][i], at = given < 0 ? given + dim : given;
    if (at < 0 || at >= dim) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "index %lld of axis %d is out of bounds, it has %lld elements",
                               (long long)given, axis, (long long)dim);
    }
    box->begin[axis] = at;
    return CNNF_OK;
}

/* The elements of entry i, as far as they can be counted: a masked bound needs no value. */
static void take_range(const strided_spec *s, int64_t i, int32_t axis, int64_t dim, cnnfi_box *box)
{
    const bool open_begin = s->begin_mask >> i & 1, open_end = s->end_mask >> i & 1;
    box->begin[axis] = 0;
    box->step[axis] = 1;
    box->size[axis] = CNNFI_UNKNOWN;
    const bool is_known =
        dim != CNNFI_UNKNOWN && s->known[STEP] && (s->known[BEGIN] || open_begin) && (s->known[END] || open_end);
    if (is_known) {
        const int64_t step = s->bound[STEP][i];
        const int64_t begin = clamp_bound(open_begin ? 0 : s->bound[BEGIN][i], open_begin, true, step, dim);
        const int64_t end = clamp_bound(open_end ? 0 : s->bound[END][i], open_end, false, step, dim);
        const int64_t span = step > 0 ? end - begin : begin - end;
        /* a stride longer than the span selects one element; the magnitude of INT64_MIN does not exist */
        const uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
        box->begin[axis] = begin;
        box->size[axis] = span <= 0 ? 0 : (int64_t)(((uint64_t)span + stride - 1) / stride);
        if (box->size[axis] > 1) box->step[axis] = step;
    }
    box->out_dims[box->out_rank++] = box->size[axis];
}

static void take_whole(int32_t axis, int64_t dim, cnnfi_box *box)
{
    box->begin[axis] = 0;
    box->step[axis] = 1;
    box->size[axis] = box->out_dims[box->out_rank++] = dim;
}

/* The entries against a shape. An ellipsis takes what the entries after it leave. */
static cnnf_status resolve(cnnfi_call *call, const strided_spec *s, const cnnfi_value *whole, cnnfi_box *box)
{
    int32_t axis = 0;
    for (int64_t i = 0; i < s->n; i++) {
        const uint64_t bit = (uint64_t)1 << i;
        if (s->ellipsis_mask & bit) {
            int64_t later = 0;
            for (int64_t k = i + 1; k < s->n; k++)
                later += !(s->new_axis_mask >> k & 1);
            for (; axis < whole->rank - later; axis++)
                take_whole(axis, whole->dims[axis], box);
            continue;
        }
        if (s->new_axis_mask & bit) {
            box->out_dims[box->out_rank++] = 1;
            continue;
        }
        if (axis >= whole->rank) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "index %lld is too much for rank %d", (long long)i,
                                   (int)whole->rank);
        }
        if (s->known[STEP] && s->bound[STEP][i] == 0) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "strides[%lld] is 0", (long long)i);
        }
        if (s->shrink_mask & bit)
            CNNFI_TRY(take_one(call, s, i, axis, whole->dims[axis], box));
        else
            take_range(s, i, axis, whole->dims[axis], box);
        axis++;
    }
    for (; axis < whole->rank; axis++)
        take_whole(axis, whole->dims[axis], box);
    return CNNF_OK;
}

cnnf_status cnnfi_strided_box(cnnfi_call *call, int32_t first, const cnnfi_value *whole, cnnfi_box *box)
{
    strided_spec spec;
    CNNFI_TRY(read_spec(call, first, &spec));
    *box = (cnnfi_box){.rank = whole->rank, .out_rank = CNNFI_UNKNOWN};
    if (whole->rank == CNNFI_UNKNOWN || spec.n == CNNFI_UNKNOWN) return CNNFI_INFER_DYNAMIC;
    box->out_rank = 0;
    CNNFI_TRY(resolve(call, &spec, whole, box));
    return spec.known[BEGIN] && spec.known[END] && spec.known[STEP] ? CNNF_OK : CNNFI_INFER_DYNAMIC;
}

static cnnf_status infer_strided_slice(cnnfi_call *call)
{
    cnnfi_box box;
    CNNFI_TRY(cnnfi_want_inputs(call, 4, 4));
    const cnnf_status status = cnnfi_strided_box(call, 1, &call->inputs[0], &box);
    if (status < 0) return status;
    CNNFI_TRY(cnnfi_output_one(call, call->inputs[0].dtype, box.out_rank, box.out_dims));
    return status;
}

/* ---- the way back: what is put has the shape of the box ---- */

static cnnf_status want_box(cnnfi_call *call, int32_t input, const cnnfi_box *box)
{
    const cnnfi_value *in = &call->inputs[input];
    if (in->rank == CNNFI_UNKNOWN || box->out_rank == CNNFI_UNKNOWN) return CNNF_OK;
    bool fits = in->rank == box->out_rank;
    for (int32_t i = 0; fits && i < in->rank; i++)
        fits = cnnfi_dim_fits(in->dims[i], box->out_dims[i]);
    if (fits) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d does not have the shape of the slice", (int)input);
}

/* shape, begin, end, strides, dy */
static cnnf_status infer_strided_slice_grad(cnnfi_call *call)
{
    cnnfi_value whole;
    cnnfi_box box;
    CNNFI_TRY(cnnfi_want_inputs(call, 5, 5));
    const cnnf_status shape = cnnfi_call_shape(call, 0, &whole);
    if (shape < 0) return shape;
    const cnnf_status status = cnnfi_strided_box(call, 1, &whole, &box);
    if (status < 0) return status;
    CNNFI_TRY(want_box(call, 4, &box));
    CNNFI_TRY(cnnfi_output_one(call, call->inputs[4].dtype, whole.rank, whole.dims));
    return shape == CNNF_OK ? status : shape;
}

/* input, begin, end, strides, value */
static cnnf_status infer_strided_slice_update(cnnfi_call *call)
{
    cnnfi_box box;
    CNNFI_TRY(cnnfi_want_inputs(call, 5, 5));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 4));
    const cnnf_status status = cnnfi_strided_box(call, 1, &call->inputs[0], &box);
    if (status < 0) return status;
    CNNFI_TRY(want_box(call, 4, &box));
    CNNFI_TRY(cnnfi_output_like(call, 0, call->inputs[0].dtype));
    return status;
}

static const cnnfi_op_rule rules[] = {
    {"Slice", infer_slice, 0},
    {"StridedSlice", infer_strided_slice, 0},
    {"StridedSliceGrad", infer_strided_slice_grad, 0},
    {"TensorStridedSliceUpdate", infer_strided_slice_update, 0},
};

const cnnfi_rule_family cnnfi_rules_strided_slice = {"slice", rules, sizeof rules / sizeof *rules};
