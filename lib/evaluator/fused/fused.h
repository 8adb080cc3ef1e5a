/* SPDX-License-Identifier: Apache-2.0 */
/* A fused convolution of the vector code, seen by fused.c, which makes them, and bands.c, which joins two. */
#ifndef CNNFI_EVALUATOR_FUSED_FUSED_H
#define CNNFI_EVALUATOR_FUSED_FUSED_H

#include "evaluator/fused/simd.h"
#include "evaluator/plan/fuse.h"

typedef enum cnnfi_method { CNNFI_METHOD_GEMM, CNNFI_METHOD_WINOGRAD, CNNFI_METHOD_DEPTHWISE } cnnfi_method;

typedef struct cnnfi_fused_conv {
    cnnfi_fused base;
    cnnfi_method method;
    const cnnfi_simd *simd;
    cnnfi_window w;
    float *panels, *extra; /* packed filter; bias, scale, shift, zeros */
    int64_t *runs;
    cnnfi_gemm gemm;
    cnnfi_winograd winograd;
    cnnfi_depthwise depthwise;
    bool copy;                                                 /* the input is copied into a frame of zeros first */
    int64_t frame[2];                                          /* height and width of the padded image */
    int64_t rows, panel_count, panels_per_unit, rows_per_unit; /* matrix product */
    int64_t tiles, tiles_per_unit;                             /* winograd */
    int32_t slots;
    size_t slot_floats;
} cnnfi_fused_conv;

void cnnfi_fused_conv_free(cnnf_context *context, cnnfi_fused *base);

#endif
