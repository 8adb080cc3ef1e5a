/* SPDX-License-Identifier: Apache-2.0 */
/* The same elements elsewhere: Transpose, Reverse, Roll, Tile, Pad, BroadcastTo. Most are one strided copy. */
#include "evaluator/kernels/portable.h"

/* ---- Transpose ---- */

static cnnf_status read_permutation(cnnfi_call *call, int64_t *perm)
{
    int32_t rank = call->inputs[0].rank;
    bool seen[CNNFI_OP_MAX_RANK] = {false};
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_call_ints_exact(call, 1, perm, rank));
    for (int32_t i = 0; i < rank; i++) {
        if (perm[i] < 0) perm[i] += rank;
        if (perm[i] < 0 || perm[i] >= rank || seen[perm[i]])
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "perm is no permutation of %d axes", rank);
        seen[perm[i]] = true;
    }
    return CNNF_OK;
}

static cnnf_status transpose_infer(cnnfi_call *call)
{
    int64_t perm[CNNFI_OP_MAX_RANK], dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(read_permutation(call, perm));
    for (int32_t i = 0; i < call->inputs[0].rank; i++)
        dims[i] = call->inputs[0].dims[perm[i]];
    return cnnfi_output_one(call, call->inputs[0].dtype, call->inputs[0].rank, dims);
}

static cnnf_status transpose_run(cnnfi_call *call)
{
    int64_t perm[CNNFI_OP_MAX_RANK], strides[CNNFI_OP_MAX_RANK], turned[CNNFI_OP_MAX_RANK];
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    CNNFI_TRY(read_permutation(call, perm));
    cnnfi_strides(in->rank, in->dims, strides);
    for (int32_t i = 0; i < in->rank; i++)
        turned[i] = strides[perm[i]];
    cnnfi_copy_strided(out->data, in->data, cnnf_dtype_size(in->dtype), out->rank, out->dims, turned);
    return CNNF_OK;
}

static cnnf_status conjugate_run(cnnfi_call *call)
{
    cnnfi_value *out = &call->outputs[0];
    CNNFI_TRY(transpose_run(call));
    if (out->dtype == CNNF_COMPLEX64)
        for (int64_t i = 0; i < out->count; i++)
            ((float *)out->data)[2 * i + 1] *= -1;
    if (out->dtype == CNNF_COMPLEX128)
        for (int64_t i = 0; i < out->count; i++)
            ((double *)out->data)[2 * i + 1] *= -1;
    return CNNF_OK;
}

/* ---- Reverse ---- */

/* Reverse takes a bool per axis, ReverseV2 a list of axes. */
static cnnf_status read_reversed(cnnfi_call *call, bool *reversed)
{
    const cnnfi_value *in = call->inputs, *which = &call->inputs[1];
    int64_t axes[CNNFI_OP_MAX_RANK], n = 0;
    int32_t axis;
    memset(reversed, 0, CNNFI_OP_MAX_RANK * sizeof(*reversed));
    if (which->dtype == CNNF_BOOL) {
        if (which->count != in->rank) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one flag per axis is needed");
        CNNFI_TRY(cnnfi_want_value(call, 1));
        for (int32_t i = 0; i < in->rank; i++)
            reversed[i] = ((const uint8_t *)which->data)[i] != 0;
        return CNNF_OK;
    }
    CNNFI_TRY(cnnfi_call_ints(call, 1, axes, CNNFI_OP_MAX_RANK, &n));
    for (int64_t i = 0; i < n; i++) {
        CNNFI_TRY(cnnfi_check_axis(call, axes[i], in->rank, "axis", &axis));
        if (reversed[axis]) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d is there twice", axis);
        reversed[axis] = true;
    }
    return CNNF_OK;
}

static cnnf_status reverse_infer(cnnfi_call *call)
{
    bool reversed[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(read_reversed(call, reversed));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status reverse_run(cnnfi_call *call)
{
    bool reversed[CNNFI_OP_MAX_RANK];
    int64_t strides[CNNFI_OP_MAX_RANK], at = 0;
    const cnnfi_value *in = call->inputs;
    size_t size = cnnf_dtype_size(in->dtype);
    CNNFI_TRY(read_reversed(call, reversed));
    if (in->count == 0) return CNNF_OK;
    cnnfi_strides(in->rank, in->dims, strides);
    for (int32_t i = 0; i < in->rank; i++) {
        if (!reversed[i]) continue;
        at += (in->dims[i] - 1) * strides[i];
        strides[i] = -strides[i];
    }
    cnnfi_copy_strided(call->outputs[0].data, (const char *)in->data + (size_t)at * size, size, in->rank, in->dims,
                       strides);
    return CNNF_OK;
}

/* ReverseSequence: per batch entry, the first seq_lengths[b] elements along seq_dim. */
static cnnf_status sequence_axes(cnnfi_call *call, int32_t *seq, int32_t *batch)
{
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_int(call->node, "seq_dim", 0), in->rank, "seq_dim", seq));
    CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_int(call->node, "batch_dim", 0), in->rank, "batch_dim", batch));
    if (*seq == *batch) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "seq_dim and batch_dim are the same");
    if (call->inputs[1].rank != 1 || call->inputs[1].dims[0] != in->dims[*batch])
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one length per batch entry is needed");
    return CNNF_OK;
}

static cnnf_status sequence_infer(cnnfi_call *call)
{
    int32_t seq, batch;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_int(call, 1));
    CNNFI_TRY(sequence_axes(call, &seq, &batch));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status sequence_run(cnnfi_call *call)
{
    int32_t seq, batch;
    int64_t strides[CNNFI_OP_MAX_RANK];
    const cnnfi_value *in = call->inputs;
    size_t size = cnnf_dtype_size(in->dtype);
    CNNFI_TRY(sequence_axes(call, &seq, &batch));
    cnnfi_strides(in->rank, in->dims, strides);
    for (int64_t b = 0; b < in->dims[batch]; b++) {
        int64_t n = cnnfi_get_i64(&call->inputs[1], b);
        if (n < 0 || n > in->dims[seq])
            return cnnfi_call_fail(call, CNNF_E_INVALID, "seq_lengths[%lld] is %lld of %lld", (long long)b,
                                   (long long)n, (long long)in->dims[seq]);
    }
    for (int64_t i = 0; i < in->count; i++) {
        int64_t b = i / strides[batch] % in->dims[batch], s = i / strides[seq] % in->dims[seq];
        int64_t n = cnnfi_get_i64(&call->inputs[1], b), from = s < n ? i + (n - 1 - 2 * s) * strides[seq] : i;
        memcpy((char *)call->outputs[0].data + (size_t)i * size, (const char *)in->data + (size_t)from * size, size);
    }
    return CNNF_OK;
}

/* ---- Roll: input, shift, axis ---- */

static cnnf_status roll_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_int(call, 1));
    CNNFI_TRY(cnnfi_want_int(call, 2));
    if (call->inputs[0].rank < 1 || call->inputs[1].count != call->inputs[2].count)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one shift per axis is needed");
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status roll_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int64_t shift[CNNFI_OP_MAX_RANK] = {0}, strides[CNNFI_OP_MAX_RANK];
    size_t size = cnnf_dtype_size(in->dtype);
    int32_t axis;
    for (int64_t i = 0; i < call->inputs[1].count; i++) {
        CNNFI_TRY(cnnfi_check_axis(call, cnnfi_get_i64(&call->inputs[2], i), in->rank, "axis", &axis));
        int64_t dim = in->dims[axis] ? in->dims[axis] : 1;
        shift[axis] = ((shift[axis] + cnnfi_get_i64(&call->inputs[1], i) % dim) % dim + dim) % dim;
    }
    cnnfi_strides(in->rank, in->dims, strides);
    for (int64_t i = 0; i < in->count; i++) {
        int64_t from = 0;
        for (int32_t a = 0; a < in->rank; a++) {
            int64_t index = i / strides[a] % in->dims[a];
            from += (index - shift[a] + in->dims[a]) % in->dims[a] * strides[a];
        }
        memcpy((char *)call->outputs[0].data + (size_t)i * size, (const char *)in->data + (size_t)from * size, size);
    }
    return CNNF_OK;
}

/* ---- Tile: twice as many axes, the repeats with stride 0 ---- */

static cnnf_status tile_infer(cnnfi_call *call)
{
    int64_t times[CNNFI_OP_MAX_RANK], dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_call_ints_exact(call, 1, times, in->rank));
    for (int32_t i = 0; i < in->rank; i++)
        if (times[i] < 0 || !cnnfi_mul_i64(&dims[i], in->dims[i], times[i]))
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "multiples[%d] is %lld", i, (long long)times[i]);
    return cnnfi_output_one(call, in->dtype, in->rank, dims);
}

static cnnf_status tile_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    int64_t strides[CNNFI_OP_MAX_RANK], dims[2 * CNNFI_OP_MAX_RANK], steps[2 * CNNFI_OP_MAX_RANK];
    if (out->count == 0) return CNNF_OK;
    cnnfi_strides(in->rank, in->dims, strides);
    for (int32_t i = 0; i < in->rank; i++) {
        dims[2 * i] = out->dims[i] / in->dims[i];
        steps[2 * i] = 0;
        dims[2 * i + 1] = in->dims[i];
        steps[2 * i + 1] = strides[i];
    }
    cnnfi_copy_strided(out->data, in->data, cnnf_dtype_size(in->dtype), 2 * in->rank, dims, steps);
    return CNNF_OK;
}

static cnnf_status broadcast_to_infer(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK], n = 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_call_ints(call, 1, dims, CNNFI_OP_MAX_RANK, &n));
    const cnnfi_value *in = call->inputs;
    bool fits = in->rank <= n;
    for (int32_t i = 0; fits && i < in->rank; i++)
        fits = in->dims[i] == 1 || in->dims[i] == dims[n - in->rank + i];
    if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the input does not broadcast to the shape");
    return cnnfi_output_one(call, in->dtype, (int32_t)n, dims);
}

static cnnf_status broadcast_to_run(cnnfi_call *call)
{
    cnnfi_broadcast b;
    cnnfi_broadcast_init(&b, call->inputs, 1, call->outputs);
    cnnfi_copy_strided(call->outputs[0].data, call->inputs[0].data, cnnf_dtype_size(call->inputs[0].dtype), b.rank,
                       b.dims, b.strides[0]);
    return CNNF_OK;
}

/* ---- Pad, PadV2, MirrorPad ---- */

typedef struct padding {
    int64_t before[CNNFI_OP_MAX_RANK], after[CNNFI_OP_MAX_RANK], dims[CNNFI_OP_MAX_RANK];
} padding;

/* edge: how many elements of an axis a mirror may not use (1 for REFLECT, 0 SYMMETRIC); -1: no mirror. */
static cnnf_status read_padding(cnnfi_call *call, int64_t edge, padding *p)
{
    int64_t pairs[2 * CNNFI_OP_MAX_RANK];
    const cnnfi_value *in = call->inputs, *given = &call->inputs[1];
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    if (given->rank != 2 || given->dims[1] != 2 || given->dims[0] != in->rank)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "paddings must have the shape [%d,2]", in->rank);
    CNNFI_TRY(cnnfi_call_ints_exact(call, 1, pairs, 2 * in->rank));
    for (int32_t i = 0; i < in->rank; i++) {
        p->before[i] = pairs[2 * i];
        p->after[i] = pairs[2 * i + 1];
        bool good = p->before[i] >= 0 && p->after[i] >= 0 && cnnfi_add_i64(&p->dims[i], in->dims[i], p->before[i]) &&
                    cnnfi_add_i64(&p->dims[i], p->dims[i], p->after[i]);
        if (good && edge >= 0) good = p->before[i] <= in->dims[i] - edge && p->after[i] <= in->dims[i] - edge;
        if (!good && !(edge == 1 && in->dims[i] == 0 && p->before[i] == 0 && p->after[i] == 0))
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "paddings of axis %d: %lld, %lld", i, (long long)pairs[2 * i],
                                   (long long)pairs[2 * i + 1]);
    }
    return CNNF_OK;
}

static cnnf_status pad_infer(cnnfi_call *call)
{
    padding p;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 3));
    CNNFI_TRY(read_padding(call, -1, &p));
    if (call->n_inputs == 3) CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 2));
    if (call->n_inputs == 3 && call->inputs[2].count != 1)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the value must be a scalar");
    return cnnfi_output_one(call, call->inputs[0].dtype, call->inputs[0].rank, p.dims);
}

static cnnf_status pad_run(cnnfi_call *call)
{
    static const char zeros[16];
    padding p;
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    int64_t strides[CNNFI_OP_MAX_RANK], index[CNNFI_OP_MAX_RANK] = {0};
    size_t size = cnnf_dtype_size(in->dtype);
    CNNFI_TRY(read_padding(call, -1, &p));
    cnnfi_fill(out->data, call->n_inputs == 3 ? call->inputs[2].data : zeros, size, out->count);
    if (in->count == 0) return CNNF_OK;
    cnnfi_strides(out->rank, out->dims, strides);
    int64_t n = in->rank ? in->dims[in->rank - 1] : 1;
    for (int64_t row = 0; row < in->count / n; row++) {
        int64_t at = in->rank ? p.before[in->rank - 1] : 0;
        for (int32_t i = 0; i < in->rank - 1; i++)
            at += (index[i] + p.before[i]) * strides[i];
        memcpy((char *)out->data + (size_t)at * size, (const char *)in->data + (size_t)(row * n) * size,
               (size_t)n * size);
        for (int32_t i = in->rank - 2; i >= 0 && ++index[i] == in->dims[i]; i--)
            index[i] = 0;
    }
    return CNNF_OK;
}

static int64_t mirror_edge(const cnnfi_call *call)
{
    const char *mode = cnnf_node_attr_string(NULL, call->node, "mode");
    return mode && strcmp(mode, "SYMMETRIC") == 0 ? 0 : 1;
}

static cnnf_status mirror_infer(cnnfi_call *call)
{
    padding p;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(read_padding(call, mirror_edge(call), &p));
    return cnnfi_output_one(call, call->inputs[0].dtype, call->inputs[0].rank, p.dims);
}

static cnnf_status mirror_run(cnnfi_call *call)
{
    padding p;
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    int64_t edge = mirror_edge(call), in_strides[CNNFI_OP_MAX_RANK], out_strides[CNNFI_OP_MAX_RANK];
    size_t size = cnnf_dtype_size(in->dtype);
    CNNFI_TRY(read_padding(call, edge, &p));
    cnnfi_strides(in->rank, in->dims, in_strides);
    cnnfi_strides(out->rank, out->dims, out_strides);
    for (int64_t k = 0; k < out->count; k++) {
        int64_t from = 0;
        for (int32_t i = 0; i < in->rank; i++) {
            int64_t at = k / out_strides[i] % out->dims[i] - p.before[i], n = in->dims[i];
            if (at < 0) at = -at - 1 + edge;
            if (at >= n) at = 2 * n - at - 1 - edge;
            from += at * in_strides[i];
        }
        memcpy((char *)out->data + (size_t)k * size, (const char *)in->data + (size_t)from * size, size);
    }
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"BroadcastTo", broadcast_to_infer, broadcast_to_run, 0},
    {"ConjugateTranspose", transpose_infer, conjugate_run, 0},
    {"MirrorPad", mirror_infer, mirror_run, 0},
    {"Pad", pad_infer, pad_run, 0},
    {"PadV2", pad_infer, pad_run, 0},
    {"Reverse", reverse_infer, reverse_run, 0},
    {"ReverseSequence", sequence_infer, sequence_run, 0},
    {"ReverseV2", reverse_infer, reverse_run, 0},
    {"Roll", roll_infer, roll_run, 0},
    {"Tile", tile_infer, tile_run, 0},
    {"Transpose", transpose_infer, transpose_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_layout = {"layout", kernels, sizeof(kernels) / sizeof(kernels[0])};
