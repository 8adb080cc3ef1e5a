/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of the instruction set this file is compiled for. */
#ifndef CNNFI_EVALUATOR_FUSED_SIMD_VEC_H
#define CNNFI_EVALUATOR_FUSED_SIMD_VEC_H

#include <stdint.h>
#include <string.h>

#include "evaluator/fused/simd.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES     16
#define MOST_ROWS 12 /* 24 sums, 2 columns, 1 broadcast: of 32 registers */
#elif defined(__AVX2__)
#define LANES     8
#define MOST_ROWS 4 /* 8 sums of 16 registers; a multiple of 4 for pooling */
#elif defined(__aarch64__)
#define LANES     4
#define MOST_ROWS 8 /* 16 sums, 2 columns, 8 values that are loaded ahead: of 32 registers */
#else
#define LANES     4
#define MOST_ROWS 4
#endif
#if CNNFI_SMALL_TILES
#undef MOST_ROWS
#define MOST_ROWS 4 /* the big ones take minutes to instrument */
#endif

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t mask __attribute__((vector_size(LANES * 4)));
typedef float vec_at __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define ALWAYS static inline __attribute__((always_inline))

/* The loop that follows, of at most n rounds, as so many copies: its arrays then are registers. Each compiler has a
 * word. */
#define PRAGMA(words) _Pragma(#words)
#if defined(__clang__)
#define UNROLL(n) PRAGMA(clang loop unroll(full))
#else
#define UNROLL(n) PRAGMA(GCC unroll n)
#endif

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)
/* A name of its own in each instruction set's copy. */
#define ISA(name) JOIN(name, CNNFI_ISA)

ALWAYS vec load(const float *p)
{
    return *(const vec_at *)p;
}

ALWAYS void store(float *p, vec v)
{
    *(vec_at *)p = v;
}

/* The first n lanes, the rest zero. */
ALWAYS vec load_part(const float *p, int64_t n)
{
#if defined(__AVX512F__)
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
    vec v = {0};
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
#endif
}

ALWAYS void store_part(float *p, vec v, int64_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
    memcpy(p, &v, (size_t)n * sizeof(float));
#endif
}

ALWAYS vec load_n(const float *p, int64_t n)
{
    return n >= LANES ? load(p) : load_part(p, n);
}

ALWAYS void store_n(float *p, vec v, int64_t n)
{
    if (n >= LANES)
        store(p, v);
    else
        store_part(p, v, n);
}

ALWAYS vec splat(float f)
{
    return (vec){0} + f;
}

/* The larger or smaller of a and b; b when either is NaN. */
ALWAYS vec larger(vec a, vec b)
{
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    const mask take = (mask)(a > b);
    return (vec)(((mask)a & take) | ((mask)b & ~take));
#endif
}

ALWAYS vec smaller(vec a, vec b)
{
#if defined(__AVX512F__)
    return (vec)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vec)_mm256_min_ps((__m256)a, (__m256)b);
#else
    const mask take = (mask)(a < b);
    return (vec)(((mask)a & take) | ((mask)b & ~take));
#endif
}

/* NaN in v stays. */
ALWAYS vec clamp(vec v, float low, float high)
{
    return smaller(splat(high), larger(splat(low), v));
}

/* What follows the sums (begun with the bias) of channels [c, c + LANES), of which n exist; residual points to their
   place. Callers hold the post in a local copy: through a pointer every store would make the compiler read it again. */
ALWAYS vec finish(const cnnfi_post *post, vec v, int64_t c, const float *residual, int64_t n)
{
    if (post->clamp_first) v = clamp(v, post->low_first, post->high_first);
    if (post->scale) v = v * load(post->scale + c) + load(post->shift + c);
    if (residual) v += load_n(residual, n);
    if (post->clamp_last) v = clamp(v, post->low_last, post->high_last);
    return v;
}

#endif
