/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices by their diagonals: MatrixDiag, MatrixDiagPart, MatrixSetDiag in all versions, MatrixBandPart, Diag,
 * DiagPart. */
#include "evaluator/kernels/portable.h"
#include "ops/diagonals.h"

/* Place of matrix element (i, j) in the packed form, or -1 when it is on none of the diagonals. */
static int64_t packed_place(const cnnfi_diagonals *d, int64_t i, int64_t j)
{
    const int64_t diagonal = j - i;
    if (diagonal < d->low || diagonal > d->high) return -1;
    const bool left = diagonal >= 0 ? d->left_above : d->left_below;
    const int64_t along = diagonal >= 0 ? i : j,
                  shift = left ? 0 : d->length - cnnfi_diagonal_length(d->rows, d->columns, diagonal);
    return (d->high - diagonal) * d->length + along + shift;
}

/* ---- MatrixDiagPart: matrix -> packed ---- */

static cnnf_status part_run(cnnfi_call *call)
{
    static const char zeros[16];
    cnnfi_diagonals d;
    CNNFI_TRY(cnnfi_diagonals_of_matrix(call, call->n_inputs == 1 ? -1 : 1, &d));
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    size_t size = cnnf_dtype_size(in->dtype);
    const int64_t packed = (d.high - d.low + 1) * d.length;
    cnnfi_fill(out->data, call->n_inputs == 3 ? call->inputs[2].data : zeros, size, out->count);
    for (int64_t k = 0; k < in->count; k++) {
        int64_t at = packed_place(&d, k / d.columns % d.rows, k % d.columns);
        if (at < 0) continue;
        at += k / (d.rows * d.columns) * packed;
        memcpy((char *)out->data + (size_t)at * size, (const char *)in->data + (size_t)k * size, size);
    }
    return CNNF_OK;
}

/* ---- MatrixDiag: packed -> matrix. V2: diagonal, k, num_rows, num_cols, padding_value ---- */

/* Puts the packed diagonals over what `out` holds. */
static void spread(const cnnfi_diagonals *d, const cnnfi_value *packed, cnnfi_value *out)
{
    size_t size = cnnf_dtype_size(out->dtype);
    int64_t each = (d->high - d->low + 1) * d->length;
    for (int64_t k = 0; k < out->count; k++) {
        int64_t at = packed_place(d, k / d->columns % d->rows, k % d->columns);
        if (at < 0) continue;
        at += k / (d->rows * d->columns) * each;
        memcpy((char *)out->data + (size_t)k * size, (const char *)packed->data + (size_t)at * size, size);
    }
}

static cnnf_status diag_run(cnnfi_call *call)
{
    static const char zeros[16];
    cnnfi_diagonals d;
    cnnfi_value *out = &call->outputs[0];
    CNNFI_TRY(cnnfi_matrix_of_diagonals(call, &d));
    cnnfi_fill(out->data, call->n_inputs == 5 ? call->inputs[4].data : zeros, cnnf_dtype_size(out->dtype), out->count);
    spread(&d, call->inputs, out);
    return CNNF_OK;
}

/* ---- MatrixSetDiag: input, diagonal, k ---- */

static cnnf_status set_run(cnnfi_call *call)
{
    cnnfi_diagonals d;
    CNNFI_TRY(cnnfi_diagonals_to_set(call, call->n_inputs == 3 ? 2 : -1, &d));
    cnnfi_copy_bytes(&call->outputs[0], &call->inputs[0]);
    spread(&d, &call->inputs[1], &call->outputs[0]);
    return CNNF_OK;
}

/* ---- MatrixBandPart: input, num_lower, num_upper; negative keeps a whole triangle ---- */

static cnnf_status band_part_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    size_t size = cnnf_dtype_size(in->dtype);
    int64_t lower, upper;
    CNNFI_TRY(cnnfi_band_part(call, &lower, &upper));
    int64_t rows = in->dims[in->rank - 2], columns = in->dims[in->rank - 1];
    cnnfi_copy_bytes(&call->outputs[0], in);
    for (int64_t k = 0; k < in->count; k++) {
        int64_t i = k / columns % rows, j = k % columns;
        bool keep = (lower < 0 || i - j <= lower) && (upper < 0 || j - i <= upper);
        if (!keep) memset((char *)call->outputs[0].data + (size_t)k * size, 0, size);
    }
    return CNNF_OK;
}

/* ---- Diag, DiagPart: tensors of twice the rank ---- */

static cnnf_status tensor_diag_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    size_t size = cnnf_dtype_size(in->dtype);
    memset(out->data, 0, (size_t)out->count * size);
    for (int64_t i = 0; i < in->count; i++)
        memcpy((char *)out->data + (size_t)(i * (in->count + 1)) * size, (const char *)in->data + (size_t)i * size,
               size);
    return CNNF_OK;
}

static cnnf_status tensor_part_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    size_t size = cnnf_dtype_size(in->dtype);
    for (int64_t i = 0; i < out->count; i++)
        memcpy((char *)out->data + (size_t)i * size, (const char *)in->data + (size_t)(i * (out->count + 1)) * size,
               size);
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"Diag", tensor_diag_run, 0, NULL},         {"DiagPart", tensor_part_run, 0, NULL},
    {"MatrixBandPart", band_part_run, 0, NULL}, {"MatrixDiag", diag_run, 0, NULL},
    {"MatrixDiagPart", part_run, 0, NULL},      {"MatrixDiagPartV2", part_run, 0, NULL},
    {"MatrixDiagPartV3", part_run, 0, NULL},    {"MatrixDiagV2", diag_run, 0, NULL},
    {"MatrixDiagV3", diag_run, 0, NULL},        {"MatrixSetDiag", set_run, 0, NULL},
    {"MatrixSetDiagV2", set_run, 0, NULL},      {"MatrixSetDiagV3", set_run, 0, NULL},
};

const cnnfi_kernel_family cnnfi_kernels_diagonal = {"diagonal", kernels, sizeof(kernels) / sizeof(kernels[0])};
