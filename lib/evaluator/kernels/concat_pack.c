/* SPDX-License-Identifier: Apache-2.0 */
/* Joining and cutting along an axis: Concat, Split, Pack, Unpack and kin. All look at a tensor as outer x axis x inner.
 */
#include "evaluator/kernels/portable.h"

#define MAX_PIECES 1024 /* of SplitV */

/* Copies `rows` pieces of `piece` bytes between two buffers with their own row lengths. */
static void copy_rows(char *to, size_t to_step, const char *from, size_t from_step, size_t piece, int64_t rows)
{
    if (piece == 0) return;
    for (int64_t r = 0; r < rows; r++)
        memcpy(to + (size_t)r * to_step, from + (size_t)r * from_step, piece);
}

/* ---- Concat ---- */

/* Joins inputs first .. first + n - 1. */
static cnnf_status concat_shape(cnnfi_call *call, int32_t first, int32_t n, int64_t axis_value)
{
    const cnnfi_value *head = &call->inputs[first];
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t axis;
    if (head->rank == 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "scalars cannot be joined");
    CNNFI_TRY(cnnfi_check_axis(call, axis_value, head->rank, "axis", &axis));
    memcpy(dims, head->dims, sizeof(dims));
    for (int32_t k = first + 1; k < first + n; k++) {
        const cnnfi_value *in = &call->inputs[k];
        CNNFI_TRY(cnnfi_want_same_dtype(call, first, k));
        bool fits = in->rank == head->rank;
        for (int32_t i = 0; fits && i < in->rank; i++)
            fits = i == axis || in->dims[i] == head->dims[i];
        if (!fits || !cnnfi_add_i64(&dims[axis], dims[axis], in->dims[axis]))
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the shape of input %d does not fit input %d", k, first);
    }
    CNNFI_TRY(cnnfi_want_bytes(call, first));
    return cnnfi_output_one(call, head->dtype, head->rank, dims);
}

static void concat_copy(cnnfi_call *call, int32_t first, int32_t n, int64_t axis_value)
{
    const cnnfi_value *out = call->outputs;
    int32_t axis = (int32_t)(axis_value < 0 ? axis_value + out->rank : axis_value);
    size_t size = cnnf_dtype_size(out->dtype), at = 0;
    int64_t outer = cnnfi_span(out->dims, 0, axis);
    size_t step = (size_t)cnnfi_span(out->dims, axis, out->rank) * size;
    for (int32_t k = first; k < first + n; k++) {
        const cnnfi_value *in = &call->inputs[k];
        size_t piece = (size_t)cnnfi_span(in->dims, axis, in->rank) * size;
        copy_rows((char *)out->data + at, step, in->data, piece, piece, outer);
        at += piece;
    }
}

static cnnf_status concat_infer(cnnfi_call *call)
{
    int64_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, -1));
    CNNFI_TRY(cnnfi_call_int(call, 0, &axis));
    return concat_shape(call, 1, call->n_inputs - 1, axis);
}

static cnnf_status concat_run(cnnfi_call *call)
{
    concat_copy(call, 1, call->n_inputs - 1, cnnfi_get_i64(&call->inputs[0], 0));
    return CNNF_OK;
}

static cnnf_status concat_v2_infer(cnnfi_call *call)
{
    int64_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, -1));
    CNNFI_TRY(cnnfi_call_int(call, call->n_inputs - 1, &axis));
    return concat_shape(call, 0, call->n_inputs - 1, axis);
}

static cnnf_status concat_v2_run(cnnfi_call *call)
{
    concat_copy(call, 0, call->n_inputs - 1, cnnfi_get_i64(&call->inputs[call->n_inputs - 1], 0));
    return CNNF_OK;
}

/* Each input is one row of the result. */
static cnnf_status parallel_concat_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    return concat_shape(call, 0, call->n_inputs, 0);
}

static cnnf_status parallel_concat_run(cnnfi_call *call)
{
    concat_copy(call, 0, call->n_inputs, 0);
    return CNNF_OK;
}

/* ConcatOffset: where each piece begins. */
static cnnf_status offset_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, -1));
    call->n_outputs = call->n_inputs - 1;
    for (int32_t k = 1; k < call->n_inputs; k++) {
        CNNFI_TRY(cnnfi_want_rank(call, k, 1));
        CNNFI_TRY(cnnfi_want_int(call, k));
        CNNFI_TRY(cnnfi_want_same_dtype(call, 1, k));
        CNNFI_TRY(cnnfi_want_same_shape(call, 1, k));
        CNNFI_TRY(cnnfi_call_output(call, k - 1, call->inputs[k].dtype, 1, call->inputs[k].dims));
    }
    return cnnfi_want_dtype(call, 0, CNNF_INT32);
}

static cnnf_status offset_run(cnnfi_call *call)
{
    int64_t at = 0;
    int32_t axis;
    CNNFI_TRY(
        cnnfi_check_axis(call, cnnfi_get_i64(&call->inputs[0], 0), (int32_t)call->inputs[1].dims[0], "axis", &axis));
    for (int32_t k = 1; k < call->n_inputs; k++) {
        cnnfi_value *out = &call->outputs[k - 1];
        size_t size = cnnf_dtype_size(out->dtype);
        memset(out->data, 0, (size_t)out->count * size);
        memcpy((char *)out->data + (size_t)axis * size, &at, size);
        at = (int64_t)((uint64_t)at + (uint64_t)cnnfi_get_i64(&call->inputs[k], axis));
    }
    return CNNF_OK;
}

/* ---- Split ---- */

/* Sizes sizes[k * step] along the axis. */
static cnnf_status split_outputs(cnnfi_call *call, const cnnfi_value *in, int32_t axis, int32_t n, const int64_t *sizes,
                                 int32_t step)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_bytes(call, (int32_t)(in - call->inputs)));
    memcpy(dims, in->dims, sizeof(dims));
    call->n_outputs = n;
    for (int32_t k = 0; k < n; k++) {
        dims[axis] = sizes[k * step];
        CNNFI_TRY(cnnfi_call_output(call, k, in->dtype, in->rank, dims));
    }
    return CNNF_OK;
}

static void split_copy(cnnfi_call *call, const cnnfi_value *in, int32_t axis)
{
    size_t size = cnnf_dtype_size(in->dtype), at = 0;
    int64_t outer = cnnfi_span(in->dims, 0, axis);
    size_t step = (size_t)cnnfi_span(in->dims, axis, in->rank) * size;
    for (int32_t k = 0; k < call->n_outputs; k++) {
        const cnnfi_value *out = &call->outputs[k];
        size_t piece = (size_t)cnnfi_span(out->dims, axis, out->rank) * size;
        copy_rows(out->data, piece, (const char *)in->data + at, step, piece, outer);
        at += piece;
    }
}

/* num_split pieces of one size; the attribute is the number of outputs. */
static cnnf_status split_infer(cnnfi_call *call)
{
    int64_t value, n = cnnf_node_attr_int(call->node, "num_split", 0), same;
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_call_int(call, 0, &value));
    const cnnfi_value *in = &call->inputs[1];
    CNNFI_TRY(cnnfi_check_axis(call, value, in->rank, "axis", &axis));
    if (n < 1 || n > call->max_outputs)
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "num_split is %lld", (long long)n);
    if (in->dims[axis] % n != 0)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld elements do not split into %lld", (long long)in->dims[axis],
                               (long long)n);
    same = in->dims[axis] / n;
    return split_outputs(call, in, axis, (int32_t)n, &same, 0);
}

static cnnf_status split_run(cnnfi_call *call)
{
    int64_t axis = cnnfi_get_i64(&call->inputs[0], 0);
    split_copy(call, &call->inputs[1], (int32_t)(axis < 0 ? axis + call->inputs[1].rank : axis));
    return CNNF_OK;
}

/* One size may be -1: the rest. */
static cnnf_status resolve_sizes(cnnfi_call *call, int64_t whole, int64_t n, int64_t *sizes)
{
    int64_t sum = 0, rest = -1;
    for (int64_t k = 0; k < n; k++) {
        if (sizes[k] < -1 || (sizes[k] == -1 && rest >= 0) || (sizes[k] > 0 && !cnnfi_add_i64(&sum, sum, sizes[k])))
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "size_splits has %lld", (long long)sizes[k]);
        if (sizes[k] == -1) rest = k;
    }
    if (rest >= 0 && sum <= whole) {
        sizes[rest] = whole - sum;
        sum = whole;
    }
    if (sum == whole) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "size_splits make %lld of %lld elements", (long long)sum,
                           (long long)whole);
}

static cnnf_status split_v_infer(cnnfi_call *call)
{
    int64_t value, n = 0, sizes[MAX_PIECES];
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_call_ints(call, 1, sizes, MAX_PIECES, &n));
    CNNFI_TRY(cnnfi_call_int(call, 2, &value));
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_check_axis(call, value, in->rank, "axis", &axis));
    CNNFI_TRY(resolve_sizes(call, in->dims[axis], n, sizes));
    return split_outputs(call, in, axis, (int32_t)n, sizes, 1);
}

static cnnf_status split_v_run(cnnfi_call *call)
{
    int64_t axis = cnnfi_get_i64(&call->inputs[2], 0);
    split_copy(call, &call->inputs[0], (int32_t)(axis < 0 ? axis + call->inputs[0].rank : axis));
    return CNNF_OK;
}

/* ---- Pack, Unpack ---- */

static cnnf_status pack_infer(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK + 1];
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    const cnnfi_value *in = call->inputs;
    for (int32_t k = 1; k < call->n_inputs; k++) {
        CNNFI_TRY(cnnfi_want_same_dtype(call, 0, k));
        CNNFI_TRY(cnnfi_want_same_shape(call, 0, k));
    }
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_int(call->node, "axis", 0), in->rank + 1, "axis", &axis));
    for (int32_t i = 0; i <= in->rank; i++)
        dims[i] = i == axis ? call->n_inputs : in->dims[i - (i > axis)];
    return cnnfi_output_one(call, in->dtype, in->rank + 1, dims);
}

static cnnf_status pack_run(cnnfi_call *call)
{
    const cnnfi_value *out = call->outputs, *in = call->inputs;
    int64_t axis = cnnf_node_attr_int(call->node, "axis", 0);
    if (axis < 0) axis += out->rank;
    size_t piece = (size_t)cnnfi_span(in->dims, (int32_t)axis, in->rank) * cnnf_dtype_size(in->dtype);
    int64_t outer = cnnfi_span(in->dims, 0, (int32_t)axis);
    for (int32_t k = 0; k < call->n_inputs; k++)
        copy_rows((char *)out->data + (size_t)k * piece, piece * (size_t)call->n_inputs, call->inputs[k].data, piece,
                  piece, outer);
    return CNNF_OK;
}

static cnnf_status unpack_infer(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK], n = cnnf_node_attr_int(call->node, "num", -1);
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_int(call->node, "axis", 0), in->rank, "axis", &axis));
    if (in->dims[axis] != n)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d has %lld elements, num is %lld", axis,
                               (long long)in->dims[axis], (long long)n);
    for (int32_t i = 0; i < in->rank - 1; i++)
        dims[i] = in->dims[i + (i >= axis)];
    call->n_outputs = (int32_t)n;
    for (int32_t k = 0; k < n; k++)
        CNNFI_TRY(cnnfi_call_output(call, k, in->dtype, in->rank - 1, dims));
    return CNNF_OK;
}

static cnnf_status unpack_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int64_t axis = cnnf_node_attr_int(call->node, "axis", 0);
    if (axis < 0) axis += in->rank;
    size_t piece = (size_t)cnnfi_span(in->dims, (int32_t)axis + 1, in->rank) * cnnf_dtype_size(in->dtype);
    int64_t outer = cnnfi_span(in->dims, 0, (int32_t)axis);
    for (int32_t k = 0; k < call->n_outputs; k++)
        copy_rows(call->outputs[k].data, piece, (const char *)in->data + (size_t)k * piece,
                  piece * (size_t)in->dims[axis], piece, outer);
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"Concat", concat_infer, concat_run, 0},
    {"ConcatOffset", offset_infer, offset_run, 0},
    {"ConcatV2", concat_v2_infer, concat_v2_run, 0},
    {"Pack", pack_infer, pack_run, 0},
    {"ParallelConcat", parallel_concat_infer, parallel_concat_run, 0},
    {"Split", split_infer, split_run, 0},
    {"SplitV", split_v_infer, split_v_run, 0},
    {"Unpack", unpack_infer, unpack_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_join = {"join", kernels, sizeof(kernels) / sizeof(kernels[0])};
