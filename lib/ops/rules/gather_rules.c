/* SPDX-License-Identifier: Apache-2.0 */
/* Taking and putting rows by index. The indices themselves are checked while running. */
#include "ops/rules/gather_rules.h"

#include "ops/op_rules.h"

/* ---- Gather, GatherV2 ---- */

static cnnf_status batch_axes(cnnfi_call *call, int32_t *out)
{
    const cnnfi_value *params = &call->inputs[0], *indices = &call->inputs[1];
    int64_t batch = cnnf_node_attr_int(call->node, "batch_dims", 0);
    *out = 0;
    if (indices->rank == CNNFI_UNKNOWN) return CNNFI_INFER_DYNAMIC;
    if (batch < 0) batch += indices->rank;
    if (batch < 0 || batch > indices->rank || (params->rank != CNNFI_UNKNOWN && batch >= params->rank)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "batch_dims is %lld, ranks are %d and %d", (long long)batch,
                               (int)params->rank, (int)indices->rank);
    }
    for (int32_t i = 0; i < batch; i++) {
        if (!cnnfi_dim_fits(params->dims[i], indices->dims[i])) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "batch axis %d differs", i);
        }
    }
    *out = (int32_t)batch;
    return CNNF_OK;
}

cnnf_status cnnfi_gather_axes(cnnfi_call *call, cnnfi_gather *out)
{
    int64_t axis = 0;
    out->axis = 0;
    const cnnf_status batch = batch_axes(call, &out->batch);
    if (batch < 0) return batch;
    if (call->n_inputs > 2) CNNFI_TRY(cnnfi_call_int(call, 2, &axis));
    CNNFI_TRY(cnnfi_check_axis(call, axis, call->inputs[0].rank, "axis", &out->axis));
    if (out->batch > out->axis) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "batch_dims is %d, axis %d", (int)out->batch, (int)out->axis);
    }
    return batch;
}

static cnnf_status infer_gather(cnnfi_call *call)
{
    cnnfi_gather g;
    int64_t dims[2 * CNNFI_OP_MAX_RANK];
    int32_t rank = 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 3));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    const cnnf_status status = cnnfi_gather_axes(call, &g);
    if (status < 0) return status;
    const cnnfi_value *params = &call->inputs[0], *indices = &call->inputs[1];
    if (status == CNNFI_INFER_DYNAMIC) {
        const bool is_ranked = params->rank != CNNFI_UNKNOWN && indices->rank != CNNFI_UNKNOWN;
        CNNFI_TRY(cnnfi_output_of_rank(call, params->dtype,
                                       is_ranked ? params->rank + indices->rank - 1 - g.batch : CNNFI_UNKNOWN));
        return status;
    }
    for (int32_t i = 0; i < g.axis; i++)
        dims[rank++] = params->dims[i];
    for (int32_t i = g.batch; i < indices->rank; i++)
        dims[rank++] = indices->dims[i];
    for (int32_t i = g.axis + 1; i < params->rank; i++)
        dims[rank++] = params->dims[i];
    return cnnfi_output_one(call, params->dtype, rank, dims);
}

/* ---- N-dimensional indices: their last axis addresses the first *depth axes of a tensor ---- */

/* *depth CNNFI_UNKNOWN when it is not known. */
static cnnf_status index_depth(cnnfi_call *call, int32_t input, int32_t rank, int32_t *depth)
{
    const cnnfi_value *indices = &call->inputs[input];
    *depth = CNNFI_UNKNOWN;
    CNNFI_TRY(cnnfi_want_least_rank(call, input, 1));
    if (indices->rank == CNNFI_UNKNOWN) return CNNF_OK;
    const int64_t last = indices->dims[indices->rank - 1];
    if (last > (rank == CNNFI_UNKNOWN ? CNNFI_OP_MAX_RANK : rank)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "indices of %lld numbers address too many of %d axes",
                               (long long)last, (int)rank);
    }
    *depth = (int32_t)last;
    return CNNF_OK;
}

static cnnf_status infer_gather_nd(cnnfi_call *call)
{
    int64_t dims[2 * CNNFI_OP_MAX_RANK];
    int32_t rank = 0, depth;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    const cnnfi_value *params = &call->inputs[0], *indices = &call->inputs[1];
    CNNFI_TRY(index_depth(call, 1, params->rank, &depth));
    if (depth == CNNFI_UNKNOWN || params->rank == CNNFI_UNKNOWN) {
        return cnnfi_output_of_rank(call, params->dtype, CNNFI_UNKNOWN);
    }
    for (int32_t i = 0; i < indices->rank - 1; i++)
        dims[rank++] = indices->dims[i];
    for (int32_t i = depth; i < params->rank; i++)
        dims[rank++] = params->dims[i];
    return cnnfi_output_one(call, params->dtype, rank, dims);
}

/* Updates have the outer axes of the indices, then what an index leaves of `whole`. */
static cnnf_status check_updates(cnnfi_call *call, int32_t indices_input, int32_t updates_input,
                                 const cnnfi_value *whole)
{
    const cnnfi_value *indices = &call->inputs[indices_input], *updates = &call->inputs[updates_input];
    int32_t depth;
    CNNFI_TRY(index_depth(call, indices_input, whole->rank, &depth));
    if (depth == CNNFI_UNKNOWN || whole->rank == CNNFI_UNKNOWN || updates->rank == CNNFI_UNKNOWN) return CNNF_OK;
    const int32_t outer = indices->rank - 1;
    bool fits = updates->rank == outer + whole->rank - depth;
    for (int32_t i = 0; fits && i < updates->rank; i++)
        fits = cnnfi_dim_fits(updates->dims[i], i < outer ? indices->dims[i] : whole->dims[i - outer + depth]);
    if (fits) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the updates' shape does not fit indices and tensor");
}

/* indices, updates, shape; duplicates add up */
static cnnf_status infer_scatter(cnnfi_call *call)
{
    cnnfi_value whole;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    const cnnf_status status = cnnfi_call_shape(call, 2, &whole);
    if (status < 0) return status;
    CNNFI_TRY(check_updates(call, 0, 1, &whole));
    CNNFI_TRY(cnnfi_output_one(call, call->inputs[1].dtype, whole.rank, whole.dims));
    return status;
}

/* tensor, indices, updates */
static cnnf_status infer_update(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 2));
    CNNFI_TRY(check_updates(call, 1, 2, &call->inputs[0]));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static const cnnfi_op_rule rules[] = {
    {"Gather", infer_gather, 0},
    {"GatherNd", infer_gather_nd, 0},
    {"GatherV2", infer_gather, 0},
    {"ResourceGather", infer_gather, 0},
    {"ResourceGatherNd", infer_gather_nd, 0},
    {"ScatterNd", infer_scatter, 0},
    {"ScatterNdNonAliasingAdd", infer_update, 0},
    {"TensorScatterAdd", infer_update, 0},
    {"TensorScatterMax", infer_update, 0},
    {"TensorScatterMin", infer_update, 0},
    {"TensorScatterSub", infer_update, 0},
    {"TensorScatterUpdate", infer_update, 0},
};

const cnnfi_rule_family cnnfi_rules_gather = {"gather", rules, sizeof rules / sizeof *rules};
