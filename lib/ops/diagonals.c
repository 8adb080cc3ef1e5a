/* SPDX-License-Identifier: Apache-2.0 */
/* Diagonals: see diagonals.h. The checks are matrix_diag_op.cc's. */
#include "ops/diagonals.h"

#include <string.h>

/* ---- which diagonals ---- */

/* align is an attribute of version 3 alone; the others align left. */
static void read_align(const cnnf_node *node, cnnfi_diagonals *d)
{
    const char *align = cnnf_node_attr_string(NULL, node, "align");
    if (!align) align = strstr(node->op, "V3") ? "RIGHT_LEFT" : "LEFT_LEFT";
    const char *second = strchr(align, '_');
    d->left_above = strncmp(align, "LEFT_", 5) == 0;
    d->left_below = second && strcmp(second, "_LEFT") == 0;
}

/* k: one diagonal, or the lowest and the highest. */
static cnnf_status read_band(cnnfi_call *call, int32_t k_input, cnnfi_diagonals *d)
{
    int64_t k[2] = {0, 0}, n = 1;
    read_align(call->node, d);
    if (k_input >= 0) {
        if (call->inputs[k_input].rank > 1 || call->inputs[k_input].count == 0) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "k must be one or two numbers");
        }
        CNNFI_TRY(cnnfi_call_ints(call, k_input, k, 2, &n));
    }
    d->low = k[0];
    d->high = n == 2 ? k[1] : k[0];
    if (d->low <= d->high) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "k is %lld, %lld", (long long)d->low, (long long)d->high);
}

/* ---- in a matrix ---- */

int64_t cnnfi_diagonal_length(int64_t rows, int64_t columns, int64_t d)
{
    const int64_t down = rows + (d < 0 ? d : 0), across = columns - (d > 0 ? d : 0);
    return down < across ? down : across;
}

/* The longest of them: the main diagonal, or the one next to it. */
static int64_t longest(const cnnfi_diagonals *d)
{
    if (d->rows == CNNFI_UNKNOWN || d->columns == CNNFI_UNKNOWN) return CNNFI_UNKNOWN;
    if (d->low <= 0 && d->high >= 0) return cnnfi_diagonal_length(d->rows, d->columns, 0);
    const int64_t length = cnnfi_diagonal_length(d->rows, d->columns, d->low > 0 ? d->low : d->high);
    return length > 0 ? length : 0;
}

static bool is_inside(const cnnfi_diagonals *d, int64_t diagonal)
{
    const bool below = d->rows == CNNFI_UNKNOWN || diagonal > -d->rows,
               above = d->columns == CNNFI_UNKNOWN || diagonal < d->columns;
    return (below && above) || diagonal == 0;
}

cnnf_status cnnfi_diagonals_of_matrix(cnnfi_call *call, int32_t k_input, cnnfi_diagonals *d)
{
    const cnnfi_value *in = &call->inputs[0];
    const bool known = in->rank != CNNFI_UNKNOWN;
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 2));
    *d = (cnnfi_diagonals){.rows = known ? in->dims[in->rank - 2] : CNNFI_UNKNOWN,
                           .columns = known ? in->dims[in->rank - 1] : CNNFI_UNKNOWN,
                           .length = CNNFI_UNKNOWN,
                           .outer = known ? in->rank - 2 : CNNFI_UNKNOWN};
    CNNFI_TRY(read_band(call, k_input, d));
    d->length = longest(d);
    if (is_inside(d, d->low) && is_inside(d, d->high)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "diagonals %lld .. %lld of a %lld x %lld matrix", (long long)d->low,
                           (long long)d->high, (long long)d->rows, (long long)d->columns);
}

cnnf_status cnnfi_diagonals_to_set(cnnfi_call *call, int32_t k_input, cnnfi_diagonals *d)
{
    const cnnfi_value *in = &call->inputs[0], *given = &call->inputs[1];
    CNNFI_TRY(cnnfi_diagonals_of_matrix(call, k_input, d));
    if (given->rank == CNNFI_UNKNOWN || in->rank == CNNFI_UNKNOWN) return CNNF_OK;
    const int32_t packed = d->high > d->low ? 2 : 1;
    bool fits = given->rank == d->outer + packed && cnnfi_dim_fits(given->dims[given->rank - 1], d->length) &&
                (packed == 1 || cnnfi_dim_fits(given->dims[given->rank - 2], d->high - d->low + 1));
    for (int32_t i = 0; fits && i < d->outer; i++)
        fits = cnnfi_dim_fits(given->dims[i], in->dims[i]);
    return fits ? CNNF_OK : cnnfi_call_fail(call, CNNF_E_MISMATCH, "the diagonals do not fit the matrix");
}

/* ---- of diagonals ---- */

#define NOT_GIVEN (-2) /* a side: as small as may be */

static cnnf_status read_side(cnnfi_call *call, int32_t input, int64_t *side)
{
    CNNFI_TRY(cnnfi_want_rank(call, input, 0));
    const cnnf_status status = cnnfi_call_int(call, input, side);
    if (status == CNNFI_INFER_DYNAMIC) *side = CNNFI_UNKNOWN;
    if (status) return status < 0 ? status : CNNF_OK;
    if (*side < -1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a matrix side of %lld", (long long)*side);
    if (*side == -1) *side = NOT_GIVEN;
    return CNNF_OK;
}

/* Sides that are not given are the smallest that hold the diagonals; the longest must end at one of the sides. */
static cnnf_status fit_sides(cnnfi_call *call, cnnfi_diagonals *d)
{
    int64_t rows = NOT_GIVEN, columns = NOT_GIVEN;
    if (call->n_inputs == 5) {
        CNNFI_TRY(read_side(call, 2, &rows));
        CNNFI_TRY(read_side(call, 3, &columns));
    }
    d->rows = rows < 0 ? CNNFI_UNKNOWN : rows;
    d->columns = columns < 0 ? CNNFI_UNKNOWN : columns;
    if (d->length == CNNFI_UNKNOWN || rows == CNNFI_UNKNOWN || columns == CNNFI_UNKNOWN) return CNNF_OK;
    const int64_t least_rows = d->length - (d->high < 0 ? d->high : 0),
                  least_columns = d->length + (d->low > 0 ? d->low : 0);
    const int64_t square = least_rows > least_columns ? least_rows : least_columns;
    if (rows == NOT_GIVEN) d->rows = columns == NOT_GIVEN ? square : least_rows;
    if (columns == NOT_GIVEN) d->columns = rows == NOT_GIVEN ? square : least_columns;
    const bool fits =
        d->rows >= least_rows && d->columns >= least_columns && (d->rows == least_rows || d->columns == least_columns);
    if (fits) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the diagonals do not fit a %lld x %lld matrix", (long long)d->rows,
                           (long long)d->columns);
}

cnnf_status cnnfi_matrix_of_diagonals(cnnfi_call *call, cnnfi_diagonals *d)
{
    const cnnfi_value *in = &call->inputs[0];
    const int32_t k_input = call->n_inputs == 5 ? 1 : -1;
    *d = (cnnfi_diagonals){.rows = CNNFI_UNKNOWN,
                           .columns = CNNFI_UNKNOWN,
                           .length = in->rank > 0 ? in->dims[in->rank - 1] : CNNFI_UNKNOWN,
                           .outer = CNNFI_UNKNOWN};
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    const cnnf_status status = read_band(call, k_input, d);
    if (status < 0) return status;
    if (status == CNNFI_INFER_DYNAMIC) {
        /* One diagonal at least makes a matrix of each row; two may be the same. */
        if (call->inputs[k_input].count == 1 && in->rank != CNNFI_UNKNOWN) d->outer = in->rank - 1;
        d->length = CNNFI_UNKNOWN;
        CNNFI_TRY(fit_sides(call, d));
        return CNNFI_INFER_DYNAMIC;
    }
    const int32_t packed = d->high > d->low ? 2 : 1;
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, packed));
    const int64_t n = d->high - d->low + 1;
    if (packed == 2 && in->rank != CNNFI_UNKNOWN && !cnnfi_dim_fits(in->dims[in->rank - 2], n)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld diagonals do not fit the input", (long long)n);
    }
    if (in->rank != CNNFI_UNKNOWN) d->outer = in->rank - packed;
    return fit_sides(call, d);
}

/* ---- MatrixBandPart ---- */

cnnf_status cnnfi_band_part(cnnfi_call *call, int64_t *lower, int64_t *upper)
{
    const cnnfi_value *in = &call->inputs[0];
    int64_t *const bounds[] = {lower, upper};
    cnnf_status all = CNNF_OK;
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 2));
    for (int32_t i = 0; i < 2; i++) {
        CNNFI_TRY(cnnfi_want_rank(call, i + 1, 0));
        const cnnf_status status = cnnfi_call_int(call, i + 1, bounds[i]);
        const int64_t side = in->rank == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : in->dims[in->rank - 2 + i];
        if (status < 0) return status;
        if (status == CNNF_OK && side != CNNFI_UNKNOWN && *bounds[i] > side) {
            return cnnfi_call_fail(call, CNNF_E_INVALID, "num_%s is %lld of %lld", i ? "upper" : "lower",
                                   (long long)*bounds[i], (long long)side);
        }
        if (status) all = status;
    }
    return all;
}
