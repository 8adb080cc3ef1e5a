/* SPDX-License-Identifier: Apache-2.0 */
/* Rows dealt out and put together again: DynamicPartition, DynamicStitch. Their shapes depend on values. */
#include "ops/op_rules.h"

/* What is left of `whole` when its first axes are those of `part`; its rank is CNNFI_UNKNOWN when a rank is not known.
   false: they are not. */
static bool rows_of(const cnnfi_value *whole, const cnnfi_value *part, cnnfi_value *rest)
{
    *rest = cnnfi_value_unknown(whole->dtype);
    if (whole->rank == CNNFI_UNKNOWN || part->rank == CNNFI_UNKNOWN) return true;
    if (part->rank > whole->rank) return false;
    for (int32_t i = 0; i < part->rank; i++)
        if (!cnnfi_dim_fits(whole->dims[i], part->dims[i])) return false;
    *rest = cnnfi_value_make(whole->dtype, whole->rank - part->rank, whole->dims + part->rank);
    return true;
}

/* `count` of these rows. */
static cnnf_status declare_rows(cnnfi_call *call, int32_t output, int64_t count, const cnnfi_value *row)
{
    int64_t dims[CNNFI_OP_MAX_RANK + 1] = {count};
    for (int32_t i = 0; i < row->rank; i++)
        dims[1 + i] = row->dims[i];
    return cnnfi_call_output(call, output, row->dtype, row->rank == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : row->rank + 1,
                             dims);
}

/* How many rows go to each output. */
static cnnf_status count_rows(cnnfi_call *call, int64_t n, int64_t *counts)
{
    const cnnfi_value *which = &call->inputs[1];
    for (int64_t i = 0; i < n; i++)
        counts[i] = which->data ? 0 : CNNFI_UNKNOWN;
    for (int64_t i = 0; which->data && i < which->count; i++) {
        const int32_t to = ((const int32_t *)which->data)[i];
        if (to < 0 || to >= n) {
            return cnnfi_call_fail(call, CNNF_E_INVALID, "partitions[%lld] is %d", (long long)i, (int)to);
        }
        counts[to]++;
    }
    return CNNF_OK;
}

/* data, partitions */
static cnnf_status infer_partition(cnnfi_call *call)
{
    const int64_t n = cnnf_node_attr_int(call->node, "num_partitions", 0);
    int64_t counts[CNNFI_CALL_OUTPUTS];
    cnnfi_value row;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_dtype(call, 1, CNNF_INT32));
    if (n < 1 || n > CNNFI_CALL_OUTPUTS) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "num_partitions is %lld", (long long)n);
    }
    if (!rows_of(&call->inputs[0], &call->inputs[1], &row)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "partitions' shape is not the beginning of data's");
    }
    CNNFI_TRY(count_rows(call, n, counts));
    for (int32_t i = 0; i < n; i++)
        CNNFI_TRY(declare_rows(call, i, counts[i], &row));
    return CNNF_OK;
}

/* ---- DynamicStitch: N indices, then N pieces of data ---- */

/* Piece k: its rows must be like those before, *rows grows to the highest index, CNNFI_UNKNOWN when that is not known.
 */
static cnnf_status add_piece(cnnfi_call *call, int32_t n, int32_t k, cnnfi_value *row, int64_t *rows)
{
    const cnnfi_value *at = &call->inputs[k], *data = &call->inputs[n + k];
    cnnfi_value rest;
    CNNFI_TRY(cnnfi_want_dtype(call, k, CNNF_INT32));
    CNNFI_TRY(cnnfi_want_same_dtype(call, n, n + k));
    bool fits = rows_of(data, at, &rest);
    if (fits && rest.rank != CNNFI_UNKNOWN) {
        if (row->rank == CNNFI_UNKNOWN) row->rank = rest.rank;
        fits = row->rank == rest.rank;
        for (int32_t i = 0; fits && i < rest.rank; i++) {
            fits = cnnfi_dim_fits(row->dims[i], rest.dims[i]);
            row->dims[i] = cnnfi_dim_merge(row->dims[i], rest.dims[i]);
        }
    }
    if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "data %d does not fit its indices", (int)k);
    if (!at->data) *rows = CNNFI_UNKNOWN;
    for (int64_t i = 0; at->data && i < at->count; i++) {
        const int32_t to = ((const int32_t *)at->data)[i];
        if (to < 0) return cnnfi_call_fail(call, CNNF_E_INVALID, "index %d is negative", (int)to);
        if (*rows != CNNFI_UNKNOWN && to >= *rows) *rows = (int64_t)to + 1;
    }
    return CNNF_OK;
}

static cnnf_status infer_stitch(cnnfi_call *call)
{
    const int32_t n = call->n_inputs / 2;
    int64_t rows = 0;
    if (n < 1 || call->n_inputs % 2) return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has %d inputs", (int)call->n_inputs);
    cnnfi_value row = cnnfi_value_unknown(call->inputs[n].dtype);
    for (int32_t k = 0; k < n; k++)
        CNNFI_TRY(add_piece(call, n, k, &row, &rows));
    return declare_rows(call, 0, rows, &row);
}

static const cnnfi_op_rule rules[] = {
    {"DynamicPartition", infer_partition, 0},
    {"DynamicStitch", infer_stitch, 0},
    {"ParallelDynamicStitch", infer_stitch, 0},
};

const cnnfi_rule_family cnnfi_rules_dynamic_partition = {"partition", rules, sizeof rules / sizeof *rules};
