/* SPDX-License-Identifier: Apache-2.0 */
/* Ops about shapes, and those that give their input another one: Shape, Reshape, Squeeze ... */
#include "ops/rules/shape_query_rules.h"

#include <string.h>

#include "base/checked.h"
#include "ops/op_rules.h"

/* ---- what hands its input on ---- */

static cnnf_status infer_same(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status infer_check_numerics(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

/* A condition, then what TensorFlow would print. No outputs; run for its control edges. */
static cnnf_status infer_assert(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    CNNFI_TRY(cnnfi_want_dtype(call, 0, CNNF_BOOL));
    if (cnnfi_dim_fits(call->inputs[0].count, 1)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the condition must be a scalar");
}

/* What the input and the shape attribute know together. */
static cnnf_status infer_ensure_shape(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    cnnfi_value out = call->inputs[0];
    const cnnfi_value said = cnnfi_value_of_attrs(call->node);
    if (cnnfi_value_merge(&out, &said)) return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the input's shape does not fit the attribute's");
}

/* ---- the same elements in another shape ---- */

/* A wider type takes the last axis with it. */
static cnnf_status infer_bitcast(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const cnnfi_value *in = call->inputs;
    const cnnf_dtype type = cnnf_node_attr_type(call->node, "type", CNNF_DTYPE_INVALID);
    const int64_t from = (int64_t)cnnf_dtype_size(in->dtype), to = (int64_t)cnnf_dtype_size(type);
    int64_t dims[CNNFI_OP_MAX_RANK + 1];
    int32_t rank = in->rank;
    if (to == 0) return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "type is %s", cnnf_dtype_name(type));
    if (from == 0 || rank == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, type, CNNFI_UNKNOWN);
    memcpy(dims, in->dims, sizeof in->dims);
    if (to < from) dims[rank++] = from / to;
    if (to > from && (rank == 0 || !cnnfi_dim_fits(dims[--rank], to / from))) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the last axis must be %lld", (long long)(to / from));
    }
    return cnnfi_output_one(call, type, rank, dims);
}

/* The one size of `dims` that is not said follows when the input's elements are counted. What of the input is not known
   must still divide: [?,4] does not go into [3,3]. */
static cnnf_status fill_free_axis(cnnfi_call *call, int32_t rank, int64_t *dims, int32_t free_axis)
{
    const cnnfi_value *in = &call->inputs[0];
    int64_t asked = 1, there = 1;
    for (int32_t i = 0; i < rank; i++) {
        if (i != free_axis && !cnnfi_mul_i64(&asked, asked, dims[i])) {
            return cnnfi_call_fail(call, CNNF_E_LIMIT, "the new shape is too big");
        }
    }
    for (int32_t i = 0; i < in->rank; i++)
        there = cnnfi_dim_mul(there, in->dims[i] == CNNFI_UNKNOWN ? 1 : in->dims[i]);
    const bool is_counted = cnnfi_value_is_shaped(in);
    if (free_axis >= 0) {
        if (is_counted && asked == 0 && in->count != 0) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the size of -1 cannot be told");
        }
        if (!is_counted && there == 0 && asked != 0) dims[free_axis] = 0; /* nothing, whatever the rest is */
        if (!is_counted) return CNNF_OK;
        dims[free_axis] = asked == 0 ? 0 : in->count / asked;
        asked *= dims[free_axis];
    }
    if (is_counted ? asked == in->count : there == 0 || asked % there == 0) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld elements do not go into a shape of %lld", (long long)there,
                           (long long)asked);
}

static cnnf_status infer_reshape(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK], n;
    int32_t free_axis = -1;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    const cnnf_dtype dtype = call->inputs[0].dtype;
    if (call->inputs[1].rank > 1) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the new shape has rank %d, must be a vector",
                               (int)call->inputs[1].rank);
    }
    n = call->inputs[1].count;
    const cnnf_status status = cnnfi_call_ints(call, 1, dims, CNNFI_OP_MAX_RANK, &n);
    if (status < 0) return status;
    if (status == CNNFI_INFER_DYNAMIC) {
        CNNFI_TRY(n == 1 ? cnnfi_output_one(call, dtype, 1, &call->inputs[0].count)
                         : cnnfi_output_of_rank(call, dtype, (int32_t)n));
        return status;
    }
    for (int32_t i = 0; i < n; i++) {
        if (dims[i] < -1 || (dims[i] == -1 && free_axis >= 0)) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the new shape has size %lld at %d", (long long)dims[i], i);
        }
        if (dims[i] == -1) free_axis = i;
    }
    CNNFI_TRY(fill_free_axis(call, (int32_t)n, dims, free_axis));
    return cnnfi_output_one(call, dtype, (int32_t)n, dims);
}

/* `squeeze_dims`, in the newest graphs `axis`; without either every axis of size 1 goes. */
static cnnf_status infer_squeeze(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    const cnnfi_value *in = call->inputs;
    const char *name = cnnf_node_attr_list_count(call->node, "squeeze_dims") > 0 ? "squeeze_dims" : "axis";
    const int64_t n = cnnf_node_attr_list_count(call->node, name);
    int64_t dims[CNNFI_OP_MAX_RANK];
    bool gone[CNNFI_OP_MAX_RANK] = {false};
    int32_t rank = 0, axis;
    if (in->rank == CNNFI_UNKNOWN || (n <= 0 && !cnnfi_value_is_shaped(in))) {
        return cnnfi_output_of_rank(call, in->dtype, CNNFI_UNKNOWN);
    }
    for (int64_t i = 0; i < n; i++) {
        CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_list_int(call->node, name, i, 0), in->rank, "axis", &axis));
        if (!cnnfi_dim_fits(in->dims[axis], 1)) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d has %lld elements, cannot be squeezed", axis,
                                   (long long)in->dims[axis]);
        }
        gone[axis] = true;
    }
    for (int32_t i = 0; i < in->rank; i++) {
        if (n > 0 ? !gone[i] : in->dims[i] != 1) dims[rank++] = in->dims[i];
    }
    return cnnfi_output_one(call, in->dtype, rank, dims);
}

static cnnf_status infer_expand_dims(cnnfi_call *call)
{
    int64_t value, dims[CNNFI_OP_MAX_RANK + 1];
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    const cnnfi_value *in = call->inputs;
    const int32_t rank = in->rank == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : in->rank + 1;
    CNNFI_TRY(cnnfi_output_of_rank(call, in->dtype, rank));
    CNNFI_TRY(cnnfi_call_int(call, 1, &value));
    CNNFI_TRY(cnnfi_check_axis(call, value, rank, "axis", &axis));
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i == axis ? 1 : in->dims[i - (i > axis)];
    return cnnfi_output_one(call, in->dtype, rank, dims);
}

/* ---- shapes as numbers ---- */

static cnnf_dtype index_dtype(const cnnfi_call *call)
{
    return cnnf_node_attr_type(call->node, "out_type", CNNF_INT32) == CNNF_INT64 ? CNNF_INT64 : CNNF_INT32;
}

static cnnf_status infer_shape(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    for (int32_t i = 0; i < call->n_inputs; i++) {
        const int64_t rank = call->inputs[i].rank; /* CNNFI_UNKNOWN is both no rank and no size */
        CNNFI_TRY(cnnfi_call_output(call, i, index_dtype(call), 1, &rank));
    }
    return CNNF_OK;
}

static cnnf_status infer_size(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_one(call, index_dtype(call), 0, NULL);
}

static cnnf_status infer_rank(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_one(call, CNNF_INT32, 0, NULL);
}

/* ---- shapes that broadcast ---- */

cnnf_status cnnfi_shape_pair_read(cnnfi_call *call, cnnfi_shape_pair *pair)
{
    bool is_open = false;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    for (int32_t k = 0; k < 2; k++) {
        CNNFI_TRY(cnnfi_want_rank(call, k, 1));
        pair->n[k] = call->inputs[k].count;
        const cnnf_status status = cnnfi_call_ints(call, k, pair->dims[k], CNNFI_OP_MAX_RANK, &pair->n[k]);
        if (status < 0) return status;
        is_open |= status == CNNFI_INFER_DYNAMIC;
    }
    const bool is_counted = pair->n[0] != CNNFI_UNKNOWN && pair->n[1] != CNNFI_UNKNOWN;
    pair->rank = !is_counted ? CNNFI_UNKNOWN : pair->n[0] > pair->n[1] ? pair->n[0] : pair->n[1];
    if (is_open) return CNNFI_INFER_DYNAMIC;
    for (int64_t i = 0; i < pair->rank; i++) {
        const int64_t x = cnnfi_shape_pair_dim(pair, 0, i), y = cnnfi_shape_pair_dim(pair, 1, i);
        if (x == y || x == 1 || y == 1) continue;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "shapes do not broadcast: %lld and %lld", (long long)x,
                               (long long)y);
    }
    return CNNF_OK;
}

static cnnf_status infer_broadcast_args(cnnfi_call *call)
{
    cnnfi_shape_pair pair;
    const cnnf_status status = cnnfi_shape_pair_read(call, &pair);
    if (status < 0) return status;
    CNNFI_TRY(cnnfi_output_one(call, call->inputs[0].dtype, 1, &pair.rank));
    return status;
}

/* Axes where both are 1 are summed too, as bcast.cc has it; but equal shapes have nothing to sum. */
bool cnnfi_shape_pair_sums(const cnnfi_shape_pair *pair, int k, int64_t i)
{
    const int64_t own = cnnfi_shape_pair_dim(pair, k, i), other = cnnfi_shape_pair_dim(pair, 1 - k, i);
    const bool are_equal = pair->n[0] == pair->n[1] &&
                           memcmp(pair->dims[0], pair->dims[1], (size_t)pair->n[0] * sizeof *pair->dims[0]) == 0;
    return !are_equal && own == 1 && (other != 1 || own == other);
}

static cnnf_status infer_gradient_args(cnnfi_call *call)
{
    cnnfi_shape_pair pair;
    const cnnf_status status = cnnfi_shape_pair_read(call, &pair);
    if (status < 0) return status;
    for (int k = 0; k < 2; k++) {
        int64_t count = status == CNNF_OK ? 0 : CNNFI_UNKNOWN;
        for (int64_t i = 0; status == CNNF_OK && i < pair.rank; i++)
            count += cnnfi_shape_pair_sums(&pair, k, i);
        CNNFI_TRY(cnnfi_call_output(call, k, call->inputs[0].dtype, 1, &count));
    }
    return status;
}

static const cnnfi_op_rule rules[] = {
    {"Assert", infer_assert, 0},
    {"Bitcast", infer_bitcast, CNNFI_RULE_VIEW},
    {"BroadcastArgs", infer_broadcast_args, 0},
    {"BroadcastGradientArgs", infer_gradient_args, 0},
    {"CheckNumerics", infer_check_numerics, 0},
    {"CheckNumericsV2", infer_check_numerics, 0},
    {"DeepCopy", infer_same, CNNFI_RULE_VIEW},
    {"EnsureShape", infer_ensure_shape, CNNFI_RULE_VIEW},
    {"ExpandDims", infer_expand_dims, CNNFI_RULE_VIEW},
    {"GuaranteeConst", infer_same, CNNFI_RULE_VIEW},
    {"Rank", infer_rank, CNNFI_RULE_SHAPE},
    {"Reshape", infer_reshape, CNNFI_RULE_VIEW},
    {"Shape", infer_shape, CNNFI_RULE_SHAPE},
    {"ShapeN", infer_shape, CNNFI_RULE_SHAPE},
    {"Size", infer_size, CNNFI_RULE_SHAPE},
    {"Squeeze", infer_squeeze, CNNFI_RULE_VIEW},
    {"VariableShape", infer_shape, CNNFI_RULE_SHAPE},
};

const cnnfi_rule_family cnnfi_rules_shape_query = {"shape", rules, sizeof rules / sizeof *rules};
