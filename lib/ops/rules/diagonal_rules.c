/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices by their diagonals: MatrixDiag, MatrixDiagPart, MatrixSetDiag in all versions, MatrixBandPart, Diag,
   DiagPart. */
#include <string.h>

#include "ops/diagonals.h"
#include "ops/op_rules.h"

/* Matrix to packed diagonals: one of them drops the axis that tells them apart. */
static cnnf_status infer_part(cnnfi_call *call)
{
    cnnfi_diagonals d;
    int64_t dims[CNNFI_OP_MAX_RANK];
    const bool v1 = call->n_inputs == 1;
    const cnnfi_value *in = &call->inputs[0];
    CNNFI_TRY(cnnfi_want_inputs(call, v1 ? 1 : 3, v1 ? 1 : 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    if (!v1) CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 2));
    if (!v1) CNNFI_TRY(cnnfi_want_rank(call, 2, 0));
    const cnnf_status status = cnnfi_diagonals_of_matrix(call, v1 ? -1 : 1, &d);
    if (status < 0) return status;
    const bool one = v1 || call->inputs[1].count == 1;
    if (d.outer == CNNFI_UNKNOWN || (status && !one)) return cnnfi_output_of_rank(call, in->dtype, CNNFI_UNKNOWN);
    int32_t rank = d.outer;
    memcpy(dims, in->dims, sizeof dims);
    if (!status && d.high > d.low) dims[rank++] = d.high - d.low + 1;
    dims[rank++] = d.length;
    return cnnfi_output_one(call, in->dtype, rank, dims);
}

static cnnf_status infer_diag(cnnfi_call *call)
{
    cnnfi_diagonals d;
    int64_t dims[CNNFI_OP_MAX_RANK + 1];
    const bool v1 = call->n_inputs == 1;
    const cnnfi_value *in = &call->inputs[0];
    CNNFI_TRY(cnnfi_want_inputs(call, v1 ? 1 : 5, v1 ? 1 : 5));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    if (!v1) CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 4));
    if (!v1) CNNFI_TRY(cnnfi_want_rank(call, 4, 0));
    const cnnf_status status = cnnfi_matrix_of_diagonals(call, &d);
    if (status < 0) return status;
    if (d.outer == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, in->dtype, CNNFI_UNKNOWN);
    memcpy(dims, in->dims, sizeof in->dims);
    dims[d.outer] = d.rows;
    dims[d.outer + 1] = d.columns;
    return cnnfi_output_one(call, in->dtype, d.outer + 2, dims);
}

/* The matrix's shape; its outer axes are the packed diagonals' too. */
static cnnf_status infer_set(cnnfi_call *call)
{
    cnnfi_diagonals d;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_least_rank(call, 1, 1));
    const cnnf_status status = cnnfi_diagonals_to_set(call, call->n_inputs == 3 ? 2 : -1, &d);
    if (status < 0) return status;
    const cnnfi_value *given = &call->inputs[1];
    cnnfi_value out = call->inputs[0];
    if (status == CNNF_OK && given->rank != CNNFI_UNKNOWN) {
        const int32_t outer = given->rank - (d.high > d.low ? 2 : 1);
        if (out.rank == CNNFI_UNKNOWN) out.rank = outer + 2;
        for (int32_t i = 0; i < outer; i++)
            out.dims[i] = cnnfi_dim_merge(out.dims[i], given->dims[i]);
    }
    return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
}

static cnnf_status infer_band_part(cnnfi_call *call)
{
    int64_t lower, upper;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const cnnf_status status = cnnfi_band_part(call, &lower, &upper);
    return status < 0 ? status : cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

/* ---- Diag, DiagPart: tensors of twice the rank ---- */

static cnnf_status infer_tensor_diag(cnnfi_call *call)
{
    int64_t dims[2 * CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    const cnnfi_value *in = &call->inputs[0];
    if (in->rank == CNNFI_UNKNOWN) return cnnfi_output_like(call, 0, in->dtype);
    for (int32_t i = 0; i < in->rank; i++)
        dims[i] = dims[in->rank + i] = in->dims[i];
    return cnnfi_output_one(call, in->dtype, 2 * in->rank, dims);
}

static cnnf_status infer_tensor_part(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const cnnfi_value *in = &call->inputs[0];
    if (in->rank == CNNFI_UNKNOWN) return cnnfi_output_like(call, 0, in->dtype);
    const int32_t half = in->rank / 2;
    bool fits = in->rank > 0 && in->rank % 2 == 0;
    for (int32_t i = 0; fits && i < half; i++) {
        fits = cnnfi_dim_fits(in->dims[i], in->dims[half + i]);
        dims[i] = cnnfi_dim_merge(in->dims[i], in->dims[half + i]);
    }
    if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the shape is not that of a diagonal tensor");
    return cnnfi_output_one(call, in->dtype, half, dims);
}

static const cnnfi_op_rule rules[] = {
    {"Diag", infer_tensor_diag, 0},      {"DiagPart", infer_tensor_part, 0}, {"MatrixBandPart", infer_band_part, 0},
    {"MatrixDiag", infer_diag, 0},       {"MatrixDiagPart", infer_part, 0},  {"MatrixDiagPartV2", infer_part, 0},
    {"MatrixDiagPartV3", infer_part, 0}, {"MatrixDiagV2", infer_diag, 0},    {"MatrixDiagV3", infer_diag, 0},
    {"MatrixSetDiag", infer_set, 0},     {"MatrixSetDiagV2", infer_set, 0},  {"MatrixSetDiagV3", infer_set, 0},
};

const cnnfi_rule_family cnnfi_rules_diagonal = {"diagonal", rules, sizeof rules / sizeof *rules};
