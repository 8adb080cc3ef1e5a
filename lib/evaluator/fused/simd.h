/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vector code behind fused steps. simd/ is compiled once per instruction set; a plan takes the best
 * table the processor has and keeps a pointer to it. All tensors are float, channels last.
 * Sums run over the taps and input channels in one fixed order whatever the blocking: the result of an
 * output does not depend on how the work was split.
 */
#ifndef CNNFI_EVALUATOR_FUSED_SIMD_H
#define CNNFI_EVALUATOR_FUSED_SIMD_H

#include <stdbool.h>
#include <stdint.h>

/* What follows a sum, in this order; pointers are padded to whole panels of zeros. */
typedef struct cnnfi_post {
    const float *bias; /* zeros when there is none */
    bool clamp_first;
    float low_first, high_first;
    const float *scale, *shift; /* both or none */
    const float *residual;      /* a tensor of the output's shape */
    bool clamp_last;
    float low_last, high_last;
} cnnfi_post;

/* A convolution as a matrix product: a row for each output pixel, made of `runs` pieces of contiguous input. */
typedef struct cnnfi_gemm {
    int64_t out_height, out_width, channels; /* of the output before pooling; channels = columns */
    int64_t image_stride, row_stride, step;  /* input floats from one image, output row, output pixel to the next */
    int64_t n_runs, run_length;
    const int64_t *runs; /* offsets of the pieces from the pixel's first float */
    const float *panels; /* packed filter: panel, sum index, lane */
    bool pool;           /* maxima of 2x2 pixels are stored */
    cnnfi_post post;
} cnnfi_gemm;

/* A 3x3 convolution of stride 1 by F(4x4, 3x3) in blocks of tiles. */
typedef struct cnnfi_winograd {
    int64_t batch, height, width, in_channels;
    int64_t out_height, out_width, out_channels, tiles_y, tiles_x;
    int64_t before_y, before_x;
    const float *panels;  /* [36] of packed matrices */
    int64_t panel_stride; /* floats of one of the 36 */
    const float *zeros;   /* in_channels of them */
    bool pool;
    cnnfi_post post;
} cnnfi_winograd;

/* Tiles done at once: their transforms stay in the second-level cache. */
#define CNNFI_WINOGRAD_BLOCK 24

typedef struct cnnfi_depthwise {
    int64_t height, width, channels, out_height, out_width;
    int64_t filter_y, filter_x, stride_y, stride_x, dilation_y, dilation_x, before_y, before_x;
    int64_t first_row;   /* x begins with this row of the (only) image; else 0 */
    const float *filter; /* [filter_y][filter_x][channels], padded at the end by one vector */
    cnnfi_post post;
} cnnfi_depthwise;

typedef struct cnnfi_pooling {
    int64_t height, width, channels, out_height, out_width;
    int64_t filter_y, filter_x, stride_y, stride_x, before_y, before_x;
    bool average;
} cnnfi_pooling;

/* Multiples of a step, a power of two; scale is 1 / step. */
typedef struct cnnfi_grid {
    float low, high; /* least and greatest multiple */
    float scale, step;
    bool up; /* negative halves go up, not away from zero */
} cnnfi_grid;

typedef struct cnnfi_simd {
    const char *name;
    int32_t lanes; /* floats of a vector; a panel has 2 of them, the last one perhaps 1 */
    /* Output pixels [begin, end) (after pooling, over all images) of panels [first, last); y is where pixel `begin`
     * goes. */
    void (*gemm)(const cnnfi_gemm *g, const float *x, float *y, int64_t begin, int64_t end, int64_t first,
                 int64_t last);
    /* Tiles [begin, end), at most CNNFI_WINOGRAD_BLOCK, over all images; scratch as cnnfi_winograd_scratch(). */
    void (*winograd)(const cnnfi_winograd *w, const float *x, float *y, int64_t begin, int64_t end, float *scratch);
    /* Output rows [begin, end) over all images; y is where row `begin` goes. */
    void (*depthwise)(const cnnfi_depthwise *d, const float *x, float *y, int64_t begin, int64_t end);
    /* Output rows [begin, end) over all images. */
    void (*pooling)(const cnnfi_pooling *p, const float *x, float *y, int64_t begin, int64_t end);
    /* sums[k]: squared errors of the grid whose scale is 2^k times g's, in units of its step squared; 5 of them. */
    void (*grid_errors)(const cnnfi_grid *g, const float *x, int64_t n, float *sums);
    void (*grid_range)(const float *x, int64_t n, float *least, float *most); /* n > 0 */
    /* y[i] = x[i] on the grid; how many the grid ends before. y may be x. */
    int64_t (*grid_round)(const cnnfi_grid *g, const float *x, float *y, int64_t n);
} cnnfi_simd;

/* The best table for this processor. */
const cnnfi_simd *cnnfi_simd_best(void);
/* The table of one instruction set, whether the processor has it or not; NULL: the best one. NULL when there is none.
 */
const cnnfi_simd *cnnfi_simd_find(const char *isa);

/* Panels of a matrix with `columns` columns, and its floats when packed for sums of `depth`. */
static inline int64_t cnnfi_panel_count(const cnnfi_simd *simd, int64_t columns)
{
    return (columns + 2 * simd->lanes - 1) / (2 * simd->lanes);
}

static inline int64_t cnnfi_padded_columns(const cnnfi_simd *simd, int64_t columns)
{
    return (columns + simd->lanes - 1) / simd->lanes * simd->lanes;
}

/* Floats of scratch for one block of tiles. */
static inline int64_t cnnfi_winograd_scratch(const cnnfi_simd *simd, int64_t in_channels, int64_t out_channels)
{
    return 36 * CNNFI_WINOGRAD_BLOCK *
           (cnnfi_padded_columns(simd, in_channels) + cnnfi_padded_columns(simd, out_channels));
}

#endif
