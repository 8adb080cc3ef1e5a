/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting boxes out: Slice and StridedSlice with all its masks. */
#include "evaluator/kernels/portable.h"

/* ---- Slice ---- */

static cnnf_status read_box(cnnfi_call *call, int64_t *begin, int64_t *size)
{
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_call_ints_exact(call, 1, begin, in->rank));
    CNNFI_TRY(cnnfi_call_ints_exact(call, 2, size, in->rank));
    for (int32_t i = 0; i < in->rank; i++) {
        if (size[i] == -1) size[i] = in->dims[i] - begin[i];
        if (begin[i] < 0 || begin[i] > in->dims[i] || size[i] < 0 || size[i] > in->dims[i] - begin[i])
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d: begin %lld, size %lld of %lld", i,
                                   (long long)begin[i], (long long)size[i], (long long)in->dims[i]);
    }
    return CNNF_OK;
}

static cnnf_status slice_infer(cnnfi_call *call)
{
    int64_t begin[CNNFI_OP_MAX_RANK], size[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(read_box(call, begin, size));
    return cnnfi_output_one(call, call->inputs[0].dtype, call->inputs[0].rank, size);
}

/* Copies the box whose first element is at `begin` with steps `step`. */
static void copy_box(const cnnfi_value *in, const int64_t *begin, const int64_t *step, const int64_t *size, void *out)
{
    int64_t strides[CNNFI_OP_MAX_RANK], at = 0;
    size_t element = cnnf_dtype_size(in->dtype);
    cnnfi_strides(in->rank, in->dims, strides);
    for (int32_t i = 0; i < in->rank; i++) {
        if (size[i] == 0) return;
        at += begin[i] * strides[i];
        strides[i] *= step ? step[i] : 1;
    }
    cnnfi_copy_strided(out, (const char *)in->data + at * (int64_t)element, element, in->rank, size, strides);
}

static cnnf_status slice_run(cnnfi_call *call)
{
    int64_t begin[CNNFI_OP_MAX_RANK], size[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(read_box(call, begin, size));
    copy_box(call->inputs, begin, NULL, size, call->outputs[0].data);
    return CNNF_OK;
}

/* ---- StridedSlice ---- */

#define MAX_SPEC 32 /* entries of the sparse specification: ellipsis and new axes count */

typedef struct strided {
    int64_t begin[CNNFI_OP_MAX_RANK], step[CNNFI_OP_MAX_RANK], size[CNNFI_OP_MAX_RANK]; /* per input axis */
    int32_t rank;                                                                       /* of the result */
    int64_t dims[CNNFI_OP_MAX_RANK + MAX_SPEC];
} strided;

typedef struct strided_spec {
    int64_t n, begin[MAX_SPEC], end[MAX_SPEC], step[MAX_SPEC];
    uint64_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_mask;
} strided_spec;

static cnnf_status read_spec(cnnfi_call *call, int32_t first, strided_spec *s)
{
    int64_t n_end = 0, n_step = 0;
    CNNFI_TRY(cnnfi_call_ints(call, first, s->begin, MAX_SPEC, &s->n));
    CNNFI_TRY(cnnfi_call_ints(call, first + 1, s->end, MAX_SPEC, &n_end));
    CNNFI_TRY(cnnfi_call_ints(call, first + 2, s->step, MAX_SPEC, &n_step));
    if (n_end != s->n || n_step != s->n)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "begin, end and strides have %lld, %lld and %lld entries",
                               (long long)s->n, (long long)n_end, (long long)n_step);
    s->begin_mask = (uint64_t)cnnf_node_attr_int(call->node, "begin_mask", 0);
    s->end_mask = (uint64_t)cnnf_node_attr_int(call->node, "end_mask", 0);
    s->ellipsis_mask = (uint64_t)cnnf_node_attr_int(call->node, "ellipsis_mask", 0);
    s->new_axis_mask = (uint64_t)cnnf_node_attr_int(call->node, "new_axis_mask", 0);
    s->shrink_mask = (uint64_t)cnnf_node_attr_int(call->node, "shrink_axis_mask", 0);
    if (s->ellipsis_mask & (s->ellipsis_mask - 1)) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "several ellipses");
    return CNNF_OK;
}

/* A bound as Python reads it: negative ones from the end, clamped to what the direction allows. */
static int64_t clamp_bound(int64_t bound, bool masked, bool is_begin, int64_t step, int64_t dim)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;
    if (masked) return (step > 0) == is_begin ? low : high;
    if (bound < 0) bound += dim;
    return bound < low ? low : bound > high ? high : bound;
}

/* One entry that selects along input axis `axis`. */
static cnnf_status take_axis(cnnfi_call *call, const strided_spec *s, int64_t i, int32_t axis, int64_t dim,
                             strided *out)
{
    int64_t step = s->step[i];
    bool shrink = s->shrink_mask >> i & 1;
    if (step == 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "strides[%lld] is 0", (long long)i);
    if (shrink) {
        int64_t at = s->begin[i] < 0 ? s->begin[i] + dim : s->begin[i]; /* begin_mask does not count here */
        if (step < 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "only stride 1 may take a single element");
        if (at < 0 || at >= dim)
            return cnnfi_call_fail(call, CNNF_E_MISMATCH,
                                   "index %lld of axis %d is out of bounds, it has %lld elements",
                                   (long long)s->begin[i], axis, (long long)dim);
        out->begin[axis] = at;
        out->step[axis] = out->size[axis] = 1;
        return CNNF_OK;
    }
    int64_t begin = clamp_bound(s->begin[i], s->begin_mask >> i & 1, true, step, dim);
    int64_t end = clamp_bound(s->end[i], s->end_mask >> i & 1, false, step, dim);
    int64_t span = step > 0 ? end - begin : begin - end;
    /* a stride longer than the span selects one element; the magnitude of INT64_MIN does not exist */
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    out->begin[axis] = begin;
    out->size[axis] = span <= 0 ? 0 : (int64_t)(((uint64_t)span + stride - 1) / stride);
    out->step[axis] = out->size[axis] > 1 ? step : 1;
    out->dims[out->rank++] = out->size[axis];
    return CNNF_OK;
}

static void take_whole(const cnnfi_value *in, int32_t axis, strided *out)
{
    out->begin[axis] = 0;
    out->step[axis] = 1;
    out->size[axis] = in->dims[axis];
    out->dims[out->rank++] = in->dims[axis];
}

/* The sparse specification against a shape. An ellipsis takes what the entries after it leave. */
static cnnf_status resolve(cnnfi_call *call, const strided_spec *s, const cnnfi_value *in, strided *out)
{
    int32_t axis = 0;
    out->rank = 0;
    for (int64_t i = 0; i < s->n; i++) {
        uint64_t bit = (uint64_t)1 << i;
        if (s->ellipsis_mask & bit) {
            int64_t later = 0;
            for (int64_t k = i + 1; k < s->n; k++)
                later += !(s->new_axis_mask >> k & 1);
            while (axis < in->rank - later)
                take_whole(in, axis++, out);
        } else if (s->new_axis_mask & bit) {
            out->dims[out->rank++] = 1;
        } else if (axis >= in->rank) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "index %lld is too much for rank %d", (long long)i, in->rank);
        } else {
            CNNFI_TRY(take_axis(call, s, i, axis, in->dims[axis], out));
            axis++;
        }
    }
    while (axis < in->rank)
        take_whole(in, axis++, out);
    return CNNF_OK;
}

static cnnf_status strided_infer(cnnfi_call *call)
{
    strided_spec spec;
    strided s;
    CNNFI_TRY(cnnfi_want_inputs(call, 4, 4));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(read_spec(call, 1, &spec));
    CNNFI_TRY(resolve(call, &spec, call->inputs, &s));
    return cnnfi_output_one(call, call->inputs[0].dtype, s.rank, s.dims);
}

static cnnf_status strided_run(cnnfi_call *call)
{
    strided_spec spec;
    strided s;
    CNNFI_TRY(read_spec(call, 1, &spec));
    CNNFI_TRY(resolve(call, &spec, call->inputs, &s));
    copy_box(call->inputs, s.begin, s.step, s.size, call->outputs[0].data);
    return CNNF_OK;
}

/* ---- the way back: StridedSliceGrad, TensorStridedSliceUpdate ---- */

/* Writes `in` (C order) to the box of `out`. */
static void fill_box(const strided *s, const void *in, cnnfi_value *out)
{
    int64_t strides[CNNFI_OP_MAX_RANK], index[CNNFI_OP_MAX_RANK] = {0}, n = 1;
    size_t size = cnnf_dtype_size(out->dtype);
    cnnfi_strides(out->rank, out->dims, strides);
    for (int32_t i = 0; i < out->rank; i++)
        n *= s->size[i];
    for (int64_t k = 0; k < n; k++) {
        int64_t at = 0;
        for (int32_t i = 0; i < out->rank; i++)
            at += (s->begin[i] + index[i] * s->step[i]) * strides[i];
        memcpy((char *)out->data + (size_t)at * size, (const char *)in + (size_t)k * size, size);
        for (int32_t i = out->rank - 1; i >= 0 && ++index[i] == s->size[i]; i--)
            index[i] = 0;
    }
}

static cnnf_status want_box(cnnfi_call *call, int32_t input, const strided *s)
{
    const cnnfi_value *v = &call->inputs[input];
    bool fits = v->rank == s->rank;
    for (int32_t i = 0; fits && i < v->rank; i++)
        fits = v->dims[i] == s->dims[i];
    return fits ? CNNF_OK
                : cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d does not have the shape of the slice", input);
}

/* shape, begin, end, strides, dy */
static cnnf_status grad_resolve(cnnfi_call *call, cnnfi_value *whole, strided *s)
{
    strided_spec spec;
    int64_t rank = 0;
    memset(whole, 0, sizeof(*whole));
    CNNFI_TRY(cnnfi_want_inputs(call, 5, 5));
    CNNFI_TRY(cnnfi_want_bytes(call, 4));
    CNNFI_TRY(cnnfi_call_ints(call, 0, whole->dims, CNNFI_OP_MAX_RANK, &rank));
    whole->rank = (int32_t)rank;
    CNNFI_TRY(read_spec(call, 1, &spec));
    CNNFI_TRY(resolve(call, &spec, whole, s));
    return want_box(call, 4, s);
}

static cnnf_status grad_infer(cnnfi_call *call)
{
    cnnfi_value whole;
    strided s;
    CNNFI_TRY(grad_resolve(call, &whole, &s));
    return cnnfi_output_one(call, call->inputs[4].dtype, whole.rank, whole.dims);
}

static cnnf_status grad_run(cnnfi_call *call)
{
    cnnfi_value whole, *out = &call->outputs[0];
    strided s;
    CNNFI_TRY(grad_resolve(call, &whole, &s));
    memset(out->data, 0, (size_t)out->count * cnnf_dtype_size(out->dtype));
    fill_box(&s, call->inputs[4].data, out);
    return CNNF_OK;
}

/* input, begin, end, strides, value */
static cnnf_status update_resolve(cnnfi_call *call, strided *s)
{
    strided_spec spec;
    CNNFI_TRY(cnnfi_want_inputs(call, 5, 5));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 4));
    CNNFI_TRY(read_spec(call, 1, &spec));
    CNNFI_TRY(resolve(call, &spec, call->inputs, s));
    return want_box(call, 4, s);
}

static cnnf_status update_infer(cnnfi_call *call)
{
    strided s;
    CNNFI_TRY(update_resolve(call, &s));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status update_run(cnnfi_call *call)
{
    strided s;
    CNNFI_TRY(update_resolve(call, &s));
    cnnfi_copy_bytes(&call->outputs[0], &call->inputs[0]);
    fill_box(&s, call->inputs[4].data, &call->outputs[0]);
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"Slice", slice_infer, slice_run, 0},
    {"StridedSlice", strided_infer, strided_run, 0},
    {"StridedSliceGrad", grad_infer, grad_run, 0},
    {"TensorStridedSliceUpdate", update_infer, update_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_slice = {"slice", kernels, sizeof(kernels) / sizeof(kernels[0])};
