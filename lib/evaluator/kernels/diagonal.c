/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices by their diagonals: MatrixDiag, MatrixDiagPart, MatrixSetDiag in all versions, MatrixBandPart, Diag,
 * DiagPart. */
#include "evaluator/kernels/portable.h"

/* A band: diagonals low .. high; where a diagonal shorter than the longest begins in its row of the packed form. */
typedef struct band {
    int64_t low, high;
    bool left_above, left_below; /* superdiagonals (and 0) / subdiagonals are aligned left */
} band;

/* align is an attribute of V3 alone; V2 and V1 align left. */
static cnnf_status read_align(cnnfi_call *call, band *b)
{
    const char *align = cnnf_node_attr_string(NULL, call->node, "align");
    bool v3 = strstr(call->node->op, "V3") != NULL;
    if (!align) align = v3 ? "RIGHT_LEFT" : "LEFT_LEFT";
    b->left_above = strncmp(align, "LEFT_", 5) == 0;
    const char *second = strchr(align, '_');
    b->left_below = second && strcmp(second, "_LEFT") == 0;
    return CNNF_OK;
}

/* k: one diagonal, or the lowest and the highest. */
static cnnf_status read_band(cnnfi_call *call, int32_t input, band *b)
{
    int64_t k[2] = {0, 0}, n = 1;
    CNNFI_TRY(read_align(call, b));
    if (input >= 0) CNNFI_TRY(cnnfi_call_ints(call, input, k, 2, &n));
    if (n < 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "k is empty");
    b->low = k[0];
    b->high = n == 2 ? k[1] : k[0];
    return b->low <= b->high
               ? CNNF_OK
               : cnnfi_call_fail(call, CNNF_E_INVALID, "k is %lld, %lld", (long long)b->low, (long long)b->high);
}

static int64_t diagonal_length(int64_t rows, int64_t columns, int64_t d)
{
    int64_t down = rows + (d < 0 ? d : 0), across = columns - (d > 0 ? d : 0);
    return down < across ? down : across;
}

/* Longest diagonal of the band: what a row of the packed form has room for. */
static int64_t band_length(const band *b, int64_t rows, int64_t columns)
{
    int64_t best = 0;
    int64_t from = b->low, to = b->high;
    if (from <= 0 && to >= 0) from = to = 0; /* the main diagonal is the longest */
    for (int64_t d = from; d <= to; d += to > from ? to - from : 1) {
        int64_t n = diagonal_length(rows, columns, d);
        best = n > best ? n : best;
    }
    return best;
}

static cnnf_status check_band(cnnfi_call *call, const band *b, int64_t rows, int64_t columns)
{
    bool low = (b->low > -rows && b->low < columns) || b->low == 0,
         high = (b->high > -rows && b->high < columns) || b->high == 0;
    if (low && high) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "diagonals %lld .. %lld of a %lld x %lld matrix", (long long)b->low,
                           (long long)b->high, (long long)rows, (long long)columns);
}

/* Place of matrix element (i, j) in the packed form (diagonals from the highest down), or -1 when it is outside the
 * band. */
static int64_t packed_place(const band *b, int64_t rows, int64_t columns, int64_t length, int64_t i, int64_t j)
{
    int64_t d = j - i;
    if (d < b->low || d > b->high) return -1;
    bool left = d >= 0 ? b->left_above : b->left_below;
    int64_t along = d >= 0 ? i : j, shift = left ? 0 : length - diagonal_length(rows, columns, d);
    return (b->high - d) * length + along + shift;
}

/* ---- MatrixDiagPart: matrix -> packed ---- */

static cnnf_status part_shape(cnnfi_call *call, band *b, int64_t *length)
{
    const cnnfi_value *in = call->inputs;
    bool v1 = call->n_inputs == 1;
    CNNFI_TRY(cnnfi_want_inputs(call, v1 ? 1 : 3, v1 ? 1 : 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    if (in->rank < 2) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "rank %d is no matrix", in->rank);
    CNNFI_TRY(read_band(call, v1 ? -1 : 1, b));
    CNNFI_TRY(check_band(call, b, in->dims[in->rank - 2], in->dims[in->rank - 1]));
    if (!v1) CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 2));
    *length = band_length(b, in->dims[in->rank - 2], in->dims[in->rank - 1]);
    return CNNF_OK;
}

static cnnf_status part_infer(cnnfi_call *call)
{
    band b = {0};
    int64_t length = 0, dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(part_shape(call, &b, &length));
    const cnnfi_value *in = call->inputs;
    int32_t rank = in->rank - 2;
    memcpy(dims, in->dims, sizeof(dims));
    if (b.high > b.low) dims[rank++] = b.high - b.low + 1;
    dims[rank++] = length;
    return cnnfi_output_one(call, in->dtype, rank, dims);
}

static cnnf_status part_run(cnnfi_call *call)
{
    static const char zeros[16];
    band b = {0};
    int64_t length = 0;
    CNNFI_TRY(part_shape(call, &b, &length));
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    size_t size = cnnf_dtype_size(in->dtype);
    int64_t rows = in->dims[in->rank - 2], columns = in->dims[in->rank - 1], packed = (b.high - b.low + 1) * length;
    cnnfi_fill(out->data, call->n_inputs == 3 ? call->inputs[2].data : zeros, size, out->count);
    for (int64_t k = 0; k < in->count; k++) {
        int64_t at = packed_place(&b, rows, columns, length, k / columns % rows, k % columns);
        if (at < 0) continue;
        at += k / (rows * columns) * packed;
        memcpy((char *)out->data + (size_t)at * size, (const char *)in->data + (size_t)k * size, size);
    }
    return CNNF_OK;
}

/* ---- MatrixDiag: packed -> matrix. V2: diagonal, k, num_rows, num_cols, padding_value ---- */

typedef struct diag {
    band b;
    int64_t rows, columns, length;
    int32_t outer; /* axes before the matrix */
} diag;

/* Sides that are not given are the smallest that hold the band. */
static cnnf_status diag_sides(cnnfi_call *call, diag *d)
{
    int64_t rows = -1, columns = -1;
    if (call->n_inputs == 5) {
        CNNFI_TRY(cnnfi_call_int(call, 2, &rows));
        CNNFI_TRY(cnnfi_call_int(call, 3, &columns));
    }
    int64_t least_rows = d->length - (d->b.high < 0 ? d->b.high : 0),
            least_columns = d->length + (d->b.low > 0 ? d->b.low : 0);
    if (rows == -1 && columns == -1) rows = columns = least_rows > least_columns ? least_rows : least_columns;
    if (rows == -1) rows = least_rows;
    if (columns == -1) columns = least_columns;
    /* the band's longest diagonal must end at one of the sides */
    if (rows < least_rows || columns < least_columns || (rows != least_rows && columns != least_columns))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the diagonals do not fit a %lld x %lld matrix", (long long)rows,
                               (long long)columns);
    d->rows = rows;
    d->columns = columns;
    return CNNF_OK;
}

static cnnf_status diag_shape(cnnfi_call *call, diag *d)
{
    const cnnfi_value *in = call->inputs;
    bool v1 = call->n_inputs == 1;
    CNNFI_TRY(cnnfi_want_inputs(call, v1 ? 1 : 5, v1 ? 1 : 5));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(read_band(call, v1 ? -1 : 1, &d->b));
    int32_t packed = d->b.high > d->b.low ? 2 : 1;
    if (in->rank < packed || (packed == 2 && in->dims[in->rank - 2] != d->b.high - d->b.low + 1))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld diagonals do not fit the input",
                               (long long)(d->b.high - d->b.low + 1));
    if (!v1) CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 4));
    d->outer = in->rank - packed;
    d->length = in->dims[in->rank - 1];
    return diag_sides(call, d);
}

static cnnf_status diag_infer(cnnfi_call *call)
{
    diag d = {0};
    int64_t dims[CNNFI_OP_MAX_RANK + 1];
    CNNFI_TRY(diag_shape(call, &d));
    memcpy(dims, call->inputs[0].dims, sizeof(call->inputs[0].dims));
    dims[d.outer] = d.rows;
    dims[d.outer + 1] = d.columns;
    return cnnfi_output_one(call, call->inputs[0].dtype, d.outer + 2, dims);
}

/* Puts the packed diagonals over what `out` holds. */
static void spread(const diag *d, const cnnfi_value *packed, cnnfi_value *out)
{
    size_t size = cnnf_dtype_size(out->dtype);
    int64_t each = (d->b.high - d->b.low + 1) * d->length;
    for (int64_t k = 0; k < out->count; k++) {
        int64_t at = packed_place(&d->b, d->rows, d->columns, d->length, k / d->columns % d->rows, k % d->columns);
        if (at < 0) continue;
        at += k / (d->rows * d->columns) * each;
        memcpy((char *)out->data + (size_t)k * size, (const char *)packed->data + (size_t)at * size, size);
    }
}

static cnnf_status diag_run(cnnfi_call *call)
{
    static const char zeros[16];
    diag d = {0};
    cnnfi_value *out = &call->outputs[0];
    CNNFI_TRY(diag_shape(call, &d));
    cnnfi_fill(out->data, call->n_inputs == 5 ? call->inputs[4].data : zeros, cnnf_dtype_size(out->dtype), out->count);
    spread(&d, call->inputs, out);
    return CNNF_OK;
}

/* ---- MatrixSetDiag: input, diagonal, k ---- */

static cnnf_status set_shape(cnnfi_call *call, diag *d)
{
    const cnnfi_value *in = call->inputs, *given = &call->inputs[1];
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    if (in->rank < 2) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "rank %d is no matrix", in->rank);
    CNNFI_TRY(read_band(call, call->n_inputs == 3 ? 2 : -1, &d->b));
    d->rows = in->dims[in->rank - 2];
    d->columns = in->dims[in->rank - 1];
    d->outer = in->rank - 2;
    CNNFI_TRY(check_band(call, &d->b, d->rows, d->columns));
    d->length = band_length(&d->b, d->rows, d->columns);
    int32_t packed = d->b.high > d->b.low ? 2 : 1;
    bool fits = given->rank == d->outer + packed && given->dims[given->rank - 1] == d->length &&
                (packed == 1 || given->dims[given->rank - 2] == d->b.high - d->b.low + 1);
    for (int32_t i = 0; fits && i < d->outer; i++)
        fits = given->dims[i] == in->dims[i];
    return fits ? CNNF_OK : cnnfi_call_fail(call, CNNF_E_MISMATCH, "the diagonals do not fit the matrix");
}

static cnnf_status set_infer(cnnfi_call *call)
{
    diag d = {0};
    CNNFI_TRY(set_shape(call, &d));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status set_run(cnnfi_call *call)
{
    diag d = {0};
    CNNFI_TRY(set_shape(call, &d));
    cnnfi_copy_bytes(&call->outputs[0], &call->inputs[0]);
    spread(&d, &call->inputs[1], &call->outputs[0]);
    return CNNF_OK;
}

/* ---- MatrixBandPart: input, num_lower, num_upper; negative keeps a whole triangle ---- */

static cnnf_status band_part_infer(cnnfi_call *call)
{
    int64_t lower, upper;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const cnnfi_value *in = call->inputs;
    if (in->rank < 2) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "rank %d is no matrix", in->rank);
    CNNFI_TRY(cnnfi_call_int(call, 1, &lower));
    CNNFI_TRY(cnnfi_call_int(call, 2, &upper));
    if (lower > in->dims[in->rank - 2] || upper > in->dims[in->rank - 1])
        return cnnfi_call_fail(call, CNNF_E_INVALID, "num_lower %lld, num_upper %lld", (long long)lower,
                               (long long)upper);
    return cnnfi_output_like(call, 0, in->dtype);
}

static cnnf_status band_part_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    size_t size = cnnf_dtype_size(in->dtype);
    int64_t lower = cnnfi_get_i64(&call->inputs[1], 0), upper = cnnfi_get_i64(&call->inputs[2], 0);
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

static cnnf_status tensor_diag_infer(cnnfi_call *call)
{
    int64_t dims[2 * CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const cnnfi_value *in = call->inputs;
    for (int32_t i = 0; i < in->rank; i++)
        dims[i] = dims[in->rank + i] = in->dims[i];
    return cnnfi_output_one(call, in->dtype, 2 * in->rank, dims);
}

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

static cnnf_status tensor_part_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const cnnfi_value *in = call->inputs;
    int32_t half = in->rank / 2;
    bool fits = in->rank > 0 && in->rank % 2 == 0;
    for (int32_t i = 0; fits && i < half; i++)
        fits = in->dims[i] == in->dims[half + i];
    if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the shape is not that of a diagonal tensor");
    return cnnfi_output_one(call, in->dtype, half, in->dims);
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
    {"Diag", tensor_diag_infer, tensor_diag_run, 0},
    {"DiagPart", tensor_part_infer, tensor_part_run, 0},
    {"MatrixBandPart", band_part_infer, band_part_run, 0},
    {"MatrixDiag", diag_infer, diag_run, 0},
    {"MatrixDiagPart", part_infer, part_run, 0},
    {"MatrixDiagPartV2", part_infer, part_run, 0},
    {"MatrixDiagPartV3", part_infer, part_run, 0},
    {"MatrixDiagV2", diag_infer, diag_run, 0},
    {"MatrixDiagV3", diag_infer, diag_run, 0},
    {"MatrixSetDiag", set_infer, set_run, 0},
    {"MatrixSetDiagV2", set_infer, set_run, 0},
    {"MatrixSetDiagV3", set_infer, set_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_diagonal = {"diagonal", kernels, sizeof(kernels) / sizeof(kernels[0])};
