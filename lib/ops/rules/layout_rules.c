/* SPDX-License-Identifier: Apache-2.0 */
/* The same elements elsewhere: Transpose, Reverse, Roll, Tile, Pad, BroadcastTo. */
#include "ops/rules/layout_rules.h"

#include <string.h>

#include "base/checked.h"
#include "ops/op_rules.h"

/* ---- Transpose ---- */

cnnf_status cnnfi_read_permutation(cnnfi_call *call, int64_t perm[CNNFI_OP_MAX_RANK], int32_t *rank)
{
    bool seen[CNNFI_OP_MAX_RANK] = {false};
    int64_t count = call->inputs[1].count;
    *rank = call->inputs[0].rank;
    const cnnf_status status = cnnfi_call_ints(call, 1, perm, CNNFI_OP_MAX_RANK, &count);
    if (status < 0) return status;
    if (!cnnfi_dim_fits(*rank, count)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input 1 has %lld elements, must have %d", (long long)count,
                               (int)*rank);
    }
    *rank = (int32_t)cnnfi_dim_merge(*rank, count);
    for (int32_t i = 0; status == CNNF_OK && i < *rank; i++) {
        if (perm[i] < 0) perm[i] += *rank;
        if (perm[i] < 0 || perm[i] >= *rank || seen[perm[i]]) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "perm is no permutation of %d axes", (int)*rank);
        }
        seen[perm[i]] = true;
    }
    return status;
}

/* A permutation of one number may be of a scalar's axes too (TransposeShapeFn): an unknown rank stays it then. */
static cnnf_status infer_transpose(cnnfi_call *call)
{
    int64_t perm[CNNFI_OP_MAX_RANK], dims[CNNFI_OP_MAX_RANK];
    int32_t rank;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    const cnnfi_value *in = &call->inputs[0];
    const cnnf_status status = cnnfi_read_permutation(call, perm, &rank);
    if (status < 0) return status;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = status == CNNF_OK ? in->dims[perm[i]] : CNNFI_UNKNOWN;
    CNNFI_TRY(cnnfi_output_one(call, in->dtype, rank, dims));
    return status;
}

/* ---- Reverse ---- */

static cnnf_status read_flags(cnnfi_call *call, bool *reversed)
{
    const cnnfi_value *flags = &call->inputs[1];
    if (!cnnfi_dim_fits(flags->count, call->inputs[0].rank)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one flag per axis is needed");
    }
    CNNFI_TRY(cnnfi_want_value(call, 1));
    for (int64_t i = 0; i < flags->count && i < CNNFI_OP_MAX_RANK; i++)
        reversed[i] = ((const uint8_t *)flags->data)[i] != 0;
    return CNNF_OK;
}

cnnf_status cnnfi_read_reversed(cnnfi_call *call, bool reversed[CNNFI_OP_MAX_RANK])
{
    int64_t axes[CNNFI_OP_MAX_RANK], n = 0;
    int32_t axis;
    memset(reversed, 0, CNNFI_OP_MAX_RANK * sizeof *reversed);
    if (!call->inputs[1].dtype) return CNNFI_INFER_DYNAMIC;
    if (call->inputs[1].dtype == CNNF_BOOL) return read_flags(call, reversed);
    CNNFI_TRY(cnnfi_call_ints(call, 1, axes, CNNFI_OP_MAX_RANK, &n));
    for (int64_t i = 0; i < n; i++) {
        CNNFI_TRY(cnnfi_check_axis(call, axes[i], call->inputs[0].rank, "axis", &axis));
        if (reversed[axis]) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d is there twice", axis);
        reversed[axis] = true;
    }
    return CNNF_OK;
}

static cnnf_status infer_reverse(cnnfi_call *call)
{
    bool reversed[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    const cnnfi_value *in = &call->inputs[0], *axes = &call->inputs[1];
    if (in->rank == CNNFI_UNKNOWN && axes->dtype == CNNF_BOOL && axes->count <= CNNFI_OP_MAX_RANK) {
        return cnnfi_output_of_rank(call, in->dtype, (int32_t)axes->count); /* a flag for each axis */
    }
    CNNFI_TRY(cnnfi_output_like(call, 0, in->dtype));
    return cnnfi_read_reversed(call, reversed);
}

cnnf_status cnnfi_read_sequence(cnnfi_call *call, int32_t *seq, int32_t *batch)
{
    const int32_t rank = call->inputs[0].rank;
    CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_int(call->node, "seq_dim", 0), rank, "seq_dim", seq));
    CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_int(call->node, "batch_dim", 0), rank, "batch_dim", batch));
    if (*seq == *batch) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "seq_dim and batch_dim are the same");
    return CNNF_OK;
}

/* Per batch entry, the first seq_lengths[b] elements along seq_dim. */
static cnnf_status infer_sequence(cnnfi_call *call)
{
    int32_t seq, batch;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    CNNFI_TRY(cnnfi_output_of_rank(call, call->inputs[0].dtype, CNNFI_UNKNOWN));
    CNNFI_TRY(cnnfi_read_sequence(call, &seq, &batch));
    cnnfi_value out = call->inputs[0];
    if (!cnnfi_dim_fits(call->inputs[1].count, out.dims[batch])) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one length per batch entry is needed");
    }
    out.dims[batch] = cnnfi_dim_merge(out.dims[batch], call->inputs[1].count);
    return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
}

/* ---- Roll: input, shift, axis ---- */

static cnnf_status infer_roll(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    if (call->inputs[0].rank == 0 || !cnnfi_dim_fits(call->inputs[1].count, call->inputs[2].count)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one shift per axis is needed");
    }
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

/* ---- Tile, BroadcastTo ---- */

static cnnf_status infer_tile(cnnfi_call *call)
{
    cnnfi_value times;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    const cnnf_status status = cnnfi_call_shape(call, 1, &times);
    if (status < 0) return status;
    cnnfi_value out = call->inputs[0];
    if (!cnnfi_dim_fits(out.rank, times.rank)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "there are %d multiples for %d axes", (int)times.rank,
                               (int)out.rank);
    }
    out.rank = (int32_t)cnnfi_dim_merge(out.rank, times.rank);
    for (int32_t i = 0; i < out.rank; i++)
        out.dims[i] = cnnfi_dim_mul(out.dims[i], times.dims[i]);
    CNNFI_TRY(cnnfi_output_one(call, out.dtype, out.rank, out.dims));
    return status;
}

static cnnf_status infer_broadcast_to(cnnfi_call *call)
{
    cnnfi_value out;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    const cnnf_status status = cnnfi_call_shape(call, 1, &out);
    if (status < 0) return status;
    const cnnfi_value *in = call->inputs;
    const int32_t added = out.rank - in->rank;
    bool fits = out.rank == CNNFI_UNKNOWN || added >= 0;
    for (int32_t i = 0; fits && out.rank != CNNFI_UNKNOWN && i < in->rank; i++) {
        if (in->dims[i] == 1 || in->dims[i] == CNNFI_UNKNOWN) continue;
        fits = cnnfi_dim_fits(in->dims[i], out.dims[added + i]);
        out.dims[added + i] = in->dims[i];
    }
    if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the input does not broadcast to the shape");
    CNNFI_TRY(cnnfi_output_one(call, in->dtype, out.rank, out.dims));
    return status;
}

/* ---- Pad, PadV2, MirrorPad ---- */

int64_t cnnfi_mirror_edge(const cnnfi_call *call)
{
    const char *mode = cnnf_node_attr_string(NULL, call->node, "mode");
    return mode && strcmp(mode, "SYMMETRIC") == 0 ? 0 : 1;
}

/* The paddings' shape [rank,2], and *rank from it. */
static cnnf_status padding_rank(cnnfi_call *call, int32_t *rank)
{
    const cnnfi_value *in = &call->inputs[0], *pairs = &call->inputs[1];
    *rank = in->rank;
    if (pairs->rank == CNNFI_UNKNOWN) return CNNF_OK;
    if (pairs->rank != 2 || !cnnfi_dim_fits(pairs->dims[1], 2) || !cnnfi_dim_fits(pairs->dims[0], in->rank)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "paddings must have the shape [%d,2]", (int)in->rank);
    }
    if (pairs->dims[0] > CNNFI_OP_MAX_RANK) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "paddings of %lld axes", (long long)pairs->dims[0]);
    }
    *rank = (int32_t)cnnfi_dim_merge(in->rank, pairs->dims[0]);
    return CNNF_OK;
}

/* Whether an axis of `dim` elements may be padded so; a mirror has no more to show than there is. */
static bool can_pad(int64_t dim, int64_t before, int64_t after, int64_t edge)
{
    if (before < 0 || after < 0) return false;
    if (edge < 0 || dim == CNNFI_UNKNOWN || (before == 0 && after == 0)) return true;
    return before <= dim - edge && after <= dim - edge;
}

cnnf_status cnnfi_read_padding(cnnfi_call *call, int64_t edge, cnnfi_padding *padding)
{
    int64_t pairs[2 * CNNFI_OP_MAX_RANK], n;
    *padding = (cnnfi_padding){.rank = CNNFI_UNKNOWN};
    CNNFI_TRY(padding_rank(call, &padding->rank));
    for (int32_t i = 0; i < CNNFI_OP_MAX_RANK; i++)
        padding->dims[i] = CNNFI_UNKNOWN;
    CNNFI_TRY(cnnfi_call_ints(call, 1, pairs, 2 * CNNFI_OP_MAX_RANK, &n));
    for (int32_t i = 0; i < padding->rank; i++) {
        const int64_t dim = call->inputs[0].dims[i], before = pairs[2 * i], after = pairs[2 * i + 1];
        if (!can_pad(dim, before, after, edge)) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "paddings of axis %d: %lld, %lld", i, (long long)before,
                                   (long long)after);
        }
        padding->before[i] = before;
        padding->after[i] = after;
        padding->dims[i] = cnnfi_dim_add(cnnfi_dim_add(dim, before), after);
    }
    return CNNF_OK;
}

static cnnf_status infer_padded(cnnfi_call *call, int64_t edge)
{
    cnnfi_padding padding;
    const cnnf_status status = cnnfi_read_padding(call, edge, &padding);
    if (status < 0) return status;
    CNNFI_TRY(cnnfi_output_one(call, call->inputs[0].dtype, padding.rank, padding.dims));
    return status;
}

static cnnf_status infer_pad(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 3));
    if (call->n_inputs == 3) CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 2));
    if (call->n_inputs == 3 && !cnnfi_dim_fits(call->inputs[2].count, 1)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the value must be a scalar");
    }
    return infer_padded(call, -1);
}

static cnnf_status infer_mirror_pad(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    return infer_padded(call, cnnfi_mirror_edge(call));
}

static const cnnfi_op_rule rules[] = {
    {"BroadcastTo", infer_broadcast_to, 0},
    {"ConjugateTranspose", infer_transpose, 0},
    {"MirrorPad", infer_mirror_pad, 0},
    {"Pad", infer_pad, 0},
    {"PadV2", infer_pad, 0},
    {"Reverse", infer_reverse, 0},
    {"ReverseSequence", infer_sequence, 0},
    {"ReverseV2", infer_reverse, 0},
    {"Roll", infer_roll, 0},
    {"Tile", infer_tile, 0},
    {"Transpose", infer_transpose, 0},
};

const cnnfi_rule_family cnnfi_rules_layout = {"layout", rules, sizeof rules / sizeof *rules};
