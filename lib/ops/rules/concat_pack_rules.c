/* SPDX-License-Identifier: Apache-2.0 */
/* Joining and cutting along an axis: Concat, Split, Pack, Unpack and kin. */
#include <string.h>

#include "base/checked.h"
#include "ops/op_rules.h"

#define MAX_PIECES 1024 /* of SplitV */

/* ---- Concat ---- */

/* All inputs from `first` on have one rank, and it is not 0. */
static cnnf_status common_rank(cnnfi_call *call, int32_t first, int32_t n, int32_t *rank)
{
    *rank = CNNFI_UNKNOWN;
    for (int32_t k = first; k < first + n; k++) {
        CNNFI_TRY(cnnfi_want_same_dtype(call, first, k));
        if (*rank != CNNFI_UNKNOWN) CNNFI_TRY(cnnfi_want_rank(call, k, *rank));
        if (*rank == CNNFI_UNKNOWN) *rank = call->inputs[k].rank;
    }
    return *rank ? CNNF_OK : cnnfi_call_fail(call, CNNF_E_MISMATCH, "scalars cannot be joined");
}

/* Joins inputs first .. first + n - 1 along an axis that is known. */
static cnnf_status join(cnnfi_call *call, int32_t first, int32_t n, int64_t axis_value)
{
    cnnfi_value sum = cnnfi_value_unknown(0);
    int32_t axis;
    CNNFI_TRY(common_rank(call, first, n, &sum.rank));
    const cnnf_dtype dtype = call->inputs[first].dtype;
    if (sum.rank == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, dtype, CNNFI_UNKNOWN);
    CNNFI_TRY(cnnfi_check_axis(call, axis_value, sum.rank, "axis", &axis));
    sum.dims[axis] = 0;
    for (int32_t k = first; k < first + n; k++) {
        const cnnfi_value *in = &call->inputs[k];
        for (int32_t i = 0; i < sum.rank; i++) {
            if (i == axis) {
                sum.dims[i] = cnnfi_dim_add(sum.dims[i], in->dims[i]);
            } else if (cnnfi_dim_fits(sum.dims[i], in->dims[i])) {
                sum.dims[i] = cnnfi_dim_merge(sum.dims[i], in->dims[i]);
            } else {
                return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the shape of input %d does not fit input %d", (int)k,
                                       (int)first);
            }
        }
    }
    return cnnfi_output_one(call, dtype, sum.rank, sum.dims);
}

/* The same, along the axis that an input holds. Not known, it leaves only the rank. */
static cnnf_status join_along(cnnfi_call *call, int32_t first, int32_t axis_input)
{
    int64_t axis;
    int32_t rank;
    const int32_t n = call->n_inputs - 1;
    const cnnf_status status = cnnfi_call_int(call, axis_input, &axis);
    if (status < 0) return status;
    if (status == CNNF_OK) return join(call, first, n, axis);
    CNNFI_TRY(common_rank(call, first, n, &rank));
    CNNFI_TRY(cnnfi_output_of_rank(call, call->inputs[first].dtype, rank));
    return status;
}

static cnnf_status infer_concat(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, -1));
    return join_along(call, 1, 0);
}

static cnnf_status infer_concat_v2(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, -1));
    return join_along(call, 0, call->n_inputs - 1);
}

/* Each input is one row of the result, whose shape the attribute says. */
static cnnf_status infer_parallel_concat(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    CNNFI_TRY(join(call, 0, call->n_inputs, 0));
    cnnfi_value out = call->outputs[0];
    const cnnfi_value said = cnnfi_value_of_attrs(call->node);
    if (cnnfi_value_merge(&out, &said)) return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the inputs do not make the shape that its attribute says");
}

/* Where each piece begins: axis, then shapes. */
static cnnf_status infer_offset(cnnfi_call *call)
{
    cnnfi_value shape;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, -1));
    CNNFI_TRY(cnnfi_want_dtype(call, 0, CNNF_INT32));
    if (!cnnfi_dim_fits(call->inputs[0].count, 1)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the axis must be a scalar");
    }
    for (int32_t k = 1; k < call->n_inputs; k++) {
        CNNFI_TRY(cnnfi_want_rank(call, k, 1));
        CNNFI_TRY(cnnfi_want_int(call, k));
    }
    CNNFI_TRY(cnnfi_call_merge(call, 1, call->n_inputs - 1, &shape));
    if (shape.rank == CNNFI_UNKNOWN) shape.rank = 1;
    for (int32_t k = 1; k < call->n_inputs; k++)
        CNNFI_TRY(cnnfi_call_output(call, k - 1, shape.dtype, 1, shape.dims));
    return CNNF_OK;
}

/* ---- Split ---- */

/* n pieces; sizes[k * step] along the axis. */
static cnnf_status cut(cnnfi_call *call, const cnnfi_value *in, int32_t axis, int64_t n, const int64_t *sizes,
                       int32_t step)
{
    cnnfi_value piece = *in;
    for (int32_t k = 0; k < n; k++) {
        piece.dims[axis] = sizes[k * step];
        CNNFI_TRY(cnnfi_call_output(call, k, in->dtype, in->rank, piece.dims));
    }
    return CNNF_OK;
}

/* n pieces of which only the rank is known. */
static cnnf_status cut_somewhere(cnnfi_call *call, const cnnfi_value *in, int64_t n)
{
    const cnnfi_value open = cnnfi_value_unknown(in->dtype);
    for (int32_t k = 0; k < n; k++)
        CNNFI_TRY(cnnfi_call_output(call, k, in->dtype, in->rank, open.dims));
    return CNNFI_INFER_DYNAMIC;
}

/* What all splits need: pieces, and an axis to cut along, CNNFI_INFER_DYNAMIC while it is not known. */
static cnnf_status split_axis(cnnfi_call *call, int32_t data, int32_t axis_input, int64_t n, int32_t *axis)
{
    int64_t value;
    CNNFI_TRY(cnnfi_want_least_rank(call, data, 1));
    if (n < 1 || n > call->max_outputs) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "num_split is %lld", (long long)n);
    }
    CNNFI_TRY(cnnfi_call_int(call, axis_input, &value));
    return cnnfi_check_axis(call, value, call->inputs[data].rank, "axis", axis);
}

/* axis, value: pieces of one size */
static cnnf_status infer_split(cnnfi_call *call)
{
    const int64_t n = cnnf_node_attr_int(call->node, "num_split", 0);
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    const cnnfi_value *in = &call->inputs[1];
    const cnnf_status status = split_axis(call, 1, 0, n, &axis);
    if (status) return status < 0 ? status : cut_somewhere(call, in, n);
    const int64_t whole = in->dims[axis], part = cnnfi_dim_div(whole, n);
    if (whole != CNNFI_UNKNOWN && whole % n != 0) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld elements do not split into %lld", (long long)whole,
                               (long long)n);
    }
    return cut(call, in, axis, n, &part, 0);
}

/* One size may be -1: the rest, CNNFI_UNKNOWN as long as the whole is. */
static cnnf_status resolve_sizes(cnnfi_call *call, int64_t whole, int64_t n, int64_t *sizes)
{
    int64_t sum = 0, rest = -1;
    for (int64_t k = 0; k < n; k++) {
        if (sizes[k] < -1 || (sizes[k] == -1 && rest >= 0) || (sizes[k] > 0 && !cnnfi_add_i64(&sum, sum, sizes[k]))) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "size_splits has %lld", (long long)sizes[k]);
        }
        if (sizes[k] == -1) rest = k;
    }
    if (whole == CNNFI_UNKNOWN) return CNNF_OK;
    if (rest >= 0 && sum <= whole) {
        sizes[rest] = whole - sum;
        sum = whole;
    }
    if (sum == whole) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "size_splits make %lld of %lld elements", (long long)sum,
                           (long long)whole);
}

/* value, size_splits, axis */
static cnnf_status infer_split_v(cnnfi_call *call)
{
    int64_t sizes[MAX_PIECES];
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    const cnnfi_value *in = &call->inputs[0];
    int64_t given = call->inputs[1].count;
    const int64_t n = cnnf_node_attr_int(call->node, "num_split", given);
    const cnnf_status values = cnnfi_call_ints(call, 1, sizes, MAX_PIECES, &given);
    if (values < 0) return values;
    if (n != CNNFI_UNKNOWN && !cnnfi_dim_fits(given, n)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "size_splits has %lld sizes, num_split is %lld", (long long)given,
                               (long long)n);
    }
    if (n == CNNFI_UNKNOWN) return CNNFI_INFER_DYNAMIC;
    const cnnf_status status = split_axis(call, 0, 2, n, &axis);
    if (status) return status < 0 ? status : cut_somewhere(call, in, n);
    if (values == CNNFI_INFER_DYNAMIC) {
        const int64_t open = CNNFI_UNKNOWN;
        CNNFI_TRY(cut(call, in, axis, n, &open, 0));
        return values;
    }
    CNNFI_TRY(resolve_sizes(call, in->dims[axis], n, sizes));
    return cut(call, in, axis, n, sizes, 1);
}

/* ---- Pack, Unpack ---- */

static cnnf_status infer_pack(cnnfi_call *call)
{
    cnnfi_value in;
    int64_t dims[CNNFI_OP_MAX_RANK + 1];
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    CNNFI_TRY(cnnfi_call_merge(call, 0, call->n_inputs, &in));
    if (in.rank == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, in.dtype, CNNFI_UNKNOWN);
    CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_int(call->node, "axis", 0), in.rank + 1, "axis", &axis));
    for (int32_t i = 0; i <= in.rank; i++)
        dims[i] = i == axis ? call->n_inputs : in.dims[i - (i > axis)];
    return cnnfi_output_one(call, in.dtype, in.rank + 1, dims);
}

static cnnf_status infer_unpack(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    const int64_t n = cnnf_node_attr_int(call->node, "num", -1);
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    const cnnfi_value *in = call->inputs;
    if (n < 0) return cnnfi_call_fail(call, CNNF_E_CORRUPT, "num is %lld", (long long)n);
    if (in->rank == CNNFI_UNKNOWN) return cut_somewhere(call, in, n);
    CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_int(call->node, "axis", 0), in->rank, "axis", &axis));
    if (!cnnfi_dim_fits(in->dims[axis], n)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d has %lld elements, num is %lld", axis,
                               (long long)in->dims[axis], (long long)n);
    }
    for (int32_t i = 0; i < in->rank - 1; i++)
        dims[i] = in->dims[i + (i >= axis)];
    for (int32_t k = 0; k < n; k++)
        CNNFI_TRY(cnnfi_call_output(call, k, in->dtype, in->rank - 1, dims));
    return CNNF_OK;
}

static const cnnfi_op_rule rules[] = {
    {"Concat", infer_concat, 0},
    {"ConcatOffset", infer_offset, 0},
    {"ConcatV2", infer_concat_v2, 0},
    {"Pack", infer_pack, 0},
    {"ParallelConcat", infer_parallel_concat, 0},
    {"Split", infer_split, 0},
    {"SplitV", infer_split_v, 0},
    {"Unpack", infer_unpack, 0},
};

const cnnfi_rule_family cnnfi_rules_concat_pack = {"join", rules, sizeof rules / sizeof *rules};
