/* SPDX-License-Identifier: Apache-2.0 */
/* The inner product: `rows` rows of A times a panel of 1 or 2 vectors, all sums in registers; they begin with `start`
 * or zero. */
#ifndef CNNFI_EVALUATOR_FUSED_SIMD_TILE_H
#define CNNFI_EVALUATOR_FUSED_SIMD_TILE_H

#include "evaluator/fused/simd/vec.h"

ALWAYS void tile_sums(const int rows, const int width, vec sums[MOST_ROWS][2], const float *const *a,
                      const int64_t *runs, int64_t n_runs, int64_t run_length, const float *b, const float *start)
{
    const vec first[2] = {start ? load(start) : (vec){0}, start && width > 1 ? load(start + LANES) : (vec){0}};
    UNROLL(16)
    for (int m = 0; m < rows; m++) {
        UNROLL(2)
        for (int v = 0; v < width; v++)
            sums[m][v] = first[v];
    }
    for (int64_t r = 0; r < n_runs; r++) {
        const float *p[MOST_ROWS];
        UNROLL(16)
        for (int m = 0; m < rows; m++)
            p[m] = a[m] + runs[r];
        for (int64_t k = 0; k < run_length; k++) {
            vec column[2];
            UNROLL(2)
            for (int v = 0; v < width; v++)
                column[v] = load(b + v * LANES);
            b += width * LANES;
            UNROLL(16)
            for (int m = 0; m < rows; m++) {
                const float value = p[m][k];
                UNROLL(2)
                for (int v = 0; v < width; v++)
                    sums[m][v] += value * column[v];
            }
        }
    }
}

#endif
