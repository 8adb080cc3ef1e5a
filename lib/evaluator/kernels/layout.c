/* SPDX-License-Identifier: Apache-2.0 */
/* The same elements elsewhere: Transpose, Reverse, Roll, Tile, Pad, BroadcastTo. Most are one strided copy. */
#include "evaluator/kernels/portable.h"
#include "ops/rules/layout_rules.h"

/* ---- Transpose ---- */

static cnnf_status transpose_run(cnnfi_call *call)
{
    int64_t perm[CNNFI_OP_MAX_RANK], strides[CNNFI_OP_MAX_RANK], turned[CNNFI_OP_MAX_RANK];
    int32_t rank;
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    CNNFI_TRY(cnnfi_read_permutation(call, perm, &rank));
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

static cnnf_status reverse_run(cnnfi_call *call)
{
    bool reversed[CNNFI_OP_MAX_RANK];
    int64_t strides[CNNFI_OP_MAX_RANK], at = 0;
    const cnnfi_value *in = call->inputs;
    size_t size = cnnf_dtype_size(in->dtype);
    CNNFI_TRY(cnnfi_read_reversed(call, reversed));
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

static cnnf_status sequence_run(cnnfi_call *call)
{
    int32_t seq, batch;
    int64_t strides[CNNFI_OP_MAX_RANK];
    const cnnfi_value *in = call->inputs;
    size_t size = cnnf_dtype_size(in->dtype);
    CNNFI_TRY(cnnfi_read_sequence(call, &seq, &batch));
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

static cnnf_status broadcast_to_run(cnnfi_call *call)
{
    cnnfi_broadcast b;
    cnnfi_broadcast_init(&b, call->inputs, 1, call->outputs);
    cnnfi_copy_strided(call->outputs[0].data, call->inputs[0].data, cnnf_dtype_size(call->inputs[0].dtype), b.rank,
                       b.dims, b.strides[0]);
    return CNNF_OK;
}

/* ---- Pad, PadV2, MirrorPad ---- */

static cnnf_status pad_run(cnnfi_call *call)
{
    static const char zeros[16];
    cnnfi_padding p;
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    int64_t strides[CNNFI_OP_MAX_RANK], index[CNNFI_OP_MAX_RANK] = {0};
    size_t size = cnnf_dtype_size(in->dtype);
    CNNFI_TRY(cnnfi_read_padding(call, -1, &p));
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

static cnnf_status mirror_run(cnnfi_call *call)
{
    cnnfi_padding p;
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    int64_t edge = cnnfi_mirror_edge(call), in_strides[CNNFI_OP_MAX_RANK], out_strides[CNNFI_OP_MAX_RANK];
    size_t size = cnnf_dtype_size(in->dtype);
    CNNFI_TRY(cnnfi_read_padding(call, edge, &p));
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
    {"BroadcastTo", broadcast_to_run, 0, NULL},
    {"ConjugateTranspose", conjugate_run, 0, NULL},
    {"MirrorPad", mirror_run, 0, NULL},
    {"Pad", pad_run, 0, NULL},
    {"PadV2", pad_run, 0, NULL},
    {"Reverse", reverse_run, 0, NULL},
    {"ReverseSequence", sequence_run, 0, NULL},
    {"ReverseV2", reverse_run, 0, NULL},
    {"Roll", roll_run, 0, NULL},
    {"Tile", tile_run, 0, NULL},
    {"Transpose", transpose_run, 0, NULL},
};

const cnnfi_kernel_family cnnfi_kernels_layout = {"layout", kernels, sizeof(kernels) / sizeof(kernels[0])};
