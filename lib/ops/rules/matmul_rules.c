/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: of two matrices, and of batches that are equal (BatchMatMul) or broadcast (its later versions). */
#include "ops/rules/matmul_rules.h"

#include <string.h>

#include "ops/op_rules.h"

void cnnfi_matmul_transposed(const cnnf_node *node, bool *a, bool *b)
{
    const bool single = strcmp(node->op, "MatMul") == 0;
    *a = cnnf_node_attr_bool(node, single ? "transpose_a" : "adj_x", 0);
    *b = cnnf_node_attr_bool(node, single ? "transpose_b" : "adj_y", 0);
}

/* Rows (0) or columns (1) of a matrix. */
static int64_t side(const cnnfi_value *value, int32_t which)
{
    return value->rank == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : value->dims[value->rank - 2 + which];
}

/* The last two axes of the result; inner sizes must be equal. */
static cnnf_status read_sides(cnnfi_call *call, int64_t *rows, int64_t *columns)
{
    bool transpose_a, transpose_b;
    const cnnfi_value *a = &call->inputs[0], *b = &call->inputs[1];
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_least_rank(call, 1, 2));
    cnnfi_matmul_transposed(call->node, &transpose_a, &transpose_b);
    const int64_t inner_a = side(a, !transpose_a), inner_b = side(b, transpose_b);
    *rows = side(a, transpose_a);
    *columns = side(b, !transpose_b);
    if (cnnfi_dim_fits(inner_a, inner_b)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "inner sizes %lld and %lld differ", (long long)inner_a,
                           (long long)inner_b);
}

static cnnf_dtype common_dtype(const cnnfi_call *call)
{
    return call->inputs[0].dtype ? call->inputs[0].dtype : call->inputs[1].dtype;
}

static cnnf_status infer_matmul(cnnfi_call *call)
{
    int64_t dims[2];
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 2));
    CNNFI_TRY(read_sides(call, &dims[0], &dims[1]));
    return cnnfi_output_one(call, common_dtype(call), 2, dims);
}

/* BatchMatMul: the batches are the same, so that one tells both. */
static cnnf_status infer_equal_batches(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK], rows, columns;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(read_sides(call, &rows, &columns));
    const cnnfi_value *a = &call->inputs[0], *b = &call->inputs[1];
    const int32_t rank = a->rank == CNNFI_UNKNOWN ? b->rank : a->rank;
    bool fits = a->rank == CNNFI_UNKNOWN || b->rank == CNNFI_UNKNOWN || a->rank == b->rank;
    for (int32_t i = 0; fits && i < rank - 2; i++) {
        fits = cnnfi_dim_fits(a->dims[i], b->dims[i]);
        dims[i] = cnnfi_dim_merge(a->dims[i], b->dims[i]);
    }
    if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the batch sizes differ");
    if (rank == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, common_dtype(call), rank);
    dims[rank - 2] = rows;
    dims[rank - 1] = columns;
    return cnnfi_output_one(call, common_dtype(call), rank, dims);
}

static cnnf_status output_broadcast_batches(cnnfi_call *call, cnnf_dtype dtype)
{
    int64_t dims[CNNFI_OP_MAX_RANK + 2], rows, columns;
    int32_t rank = CNNFI_UNKNOWN;
    CNNFI_TRY(read_sides(call, &rows, &columns));
    cnnfi_value batches[2] = {call->inputs[0], call->inputs[1]};
    for (int i = 0; i < 2; i++)
        batches[i].rank -= batches[i].rank == CNNFI_UNKNOWN ? 0 : 2;
    if (!cnnfi_broadcast_dims(batches, 2, &rank, dims)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the batch sizes do not fit");
    }
    if (rank == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, dtype, rank);
    dims[rank] = rows;
    dims[rank + 1] = columns;
    return cnnfi_output_one(call, dtype, rank + 2, dims);
}

static cnnf_status infer_broadcast_batches(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    return output_broadcast_batches(call, common_dtype(call));
}

/* Version 3: the dtypes of operands and result are attributes of their own. */
static cnnf_status infer_mixed_batches(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    return output_broadcast_batches(call, cnnfi_node_type(call->node, "Tout"));
}

static const cnnfi_op_rule rules[] = {
    {"BatchMatMul", infer_equal_batches, 0},
    {"BatchMatMulV2", infer_broadcast_batches, 0},
    {"BatchMatMulV3", infer_mixed_batches, 0},
    {"MatMul", infer_matmul, 0},
};

const cnnfi_rule_family cnnfi_rules_matmul = {"matrix product", rules, sizeof rules / sizeof *rules};
