/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices and their diagonals, packed in rows: what the inputs of MatrixDiag and kin say, for rules and kernels. */
#ifndef CNNFI_OPS_DIAGONALS_H
#define CNNFI_OPS_DIAGONALS_H

#include "ops/call.h"

/* Diagonals low .. high of matrices. Packed, from the highest down, each has a row as long as the longest. */
typedef struct cnnfi_diagonals {
    int64_t low, high;
    bool left_above, left_below;   /* superdiagonals (and 0) / subdiagonals lie at the left end of their row */
    int64_t rows, columns, length; /* of a matrix, of a packed row; CNNFI_UNKNOWN */
    int32_t outer;                 /* axes before the matrix; CNNFI_UNKNOWN */
} cnnfi_diagonals;

/* Length of diagonal d. */
int64_t cnnfi_diagonal_length(int64_t rows, int64_t columns, int64_t d);

/* CNNF_OK: the diagonals are known; CNNFI_INFER_DYNAMIC: they are not, the rest of *d is what follows without them.
   k_input -1: the main diagonal. */

/* Of a matrix, input 0. */
cnnf_status cnnfi_diagonals_of_matrix(cnnfi_call *call, int32_t k_input, cnnfi_diagonals *d);
/* The same with packed diagonals, input 1, that go there (MatrixSetDiag). */
cnnf_status cnnfi_diagonals_to_set(cnnfi_call *call, int32_t k_input, cnnfi_diagonals *d);
/* Of packed diagonals, input 0, the matrix they make. Of five inputs 2 and 3 are its sides, or -1. */
cnnf_status cnnfi_matrix_of_diagonals(cnnfi_call *call, cnnfi_diagonals *d);

/* MatrixBandPart: how many diagonals stay below and above the main one; negative: all. CNNFI_INFER_DYNAMIC. */
cnnf_status cnnfi_band_part(cnnfi_call *call, int64_t *lower, int64_t *upper);

#endif
