/* SPDX-License-Identifier: Apache-2.0 */
/* This instruction set's functions, under its name. */
#include "evaluator/fused/simd/vec.h"

void ISA(cnnfi_gemm)(const cnnfi_gemm *g, const float *x, float *y, int64_t begin, int64_t end, int64_t first,
                     int64_t last);
void ISA(cnnfi_winograd)(const cnnfi_winograd *w, const float *x, float *y, int64_t begin, int64_t end, float *scratch);
void ISA(cnnfi_depthwise)(const cnnfi_depthwise *d, const float *x, float *y, int64_t begin, int64_t end);
void ISA(cnnfi_pooling)(const cnnfi_pooling *p, const float *x, float *y, int64_t begin, int64_t end);
void ISA(cnnfi_grid_errors)(const cnnfi_grid *g, const float *x, int64_t n, float *sums);
void ISA(cnnfi_grid_range)(const float *x, int64_t n, float *least, float *most);
int64_t ISA(cnnfi_grid_round)(const cnnfi_grid *g, const float *x, float *y, int64_t n);
extern const cnnfi_simd ISA(cnnfi_simd);

#define TEXT2(x) #x
#define TEXT(x)  TEXT2(x)

const cnnfi_simd ISA(cnnfi_simd) = {TEXT(CNNFI_ISA),        LANES,
                                    ISA(cnnfi_gemm),        ISA(cnnfi_winograd),
                                    ISA(cnnfi_depthwise),   ISA(cnnfi_pooling),
                                    ISA(cnnfi_grid_errors), ISA(cnnfi_grid_range),
                                    ISA(cnnfi_grid_round)};
