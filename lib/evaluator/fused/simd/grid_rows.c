/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers on grids of powers of two (ops/fixed_grid.h): ranges, rounding, and the errors of five grids at once. */
#include "evaluator/fused/simd/vec.h"

/* The five candidates side by side; three lanes are idle. */
typedef float five __attribute__((vector_size(32)));
typedef int32_t five_mask __attribute__((vector_size(32)));
typedef double five_double __attribute__((vector_size(64)));

ALWAYS five five_splat(float f)
{
    return (five){0} + f;
}

ALWAYS five five_clamp(five v, five low, five high)
{
#if defined(__AVX2__)
    return (five)_mm256_min_ps((__m256)high, (__m256)_mm256_max_ps((__m256)low, (__m256)v));
#else
    const five_mask below = (five_mask)(v < low), above = (five_mask)(v > high);
    return (five)(((five_mask)low & below) | ((five_mask)high & above) | ((five_mask)v & ~below & ~above));
#endif
}

/* acc + e * e, rounded to float32 once: the tool's accumulator is a float, its addends are doubles. Without fused steps
   the sum is rounded to double on the way, which changes the float one time in 2^29. */
ALWAYS five add_square(five acc, five e)
{
#if defined(__FMA__)
    return (five)_mm256_fmadd_ps((__m256)e, (__m256)e, (__m256)acc);
#else
    const five_double d = __builtin_convertvector(e, five_double);
    return __builtin_convertvector(__builtin_convertvector(acc, five_double) + d * d, five);
#endif
}

ALWAYS void errors(const cnnfi_grid *g, const float *x, int64_t n, float *sums, const bool up)
{
    const float s = g->scale;
    const five scales = {s, 2 * s, 4 * s, 8 * s, 16 * s, 0, 0, 0}, low = five_splat(g->low), high = five_splat(g->high),
               half = five_splat(0.5f), minus_half = five_splat(-0.5f);
    five acc = {0};
    for (int64_t i = 0; i < n; i++) {
        const five v = five_splat(x[i]) * scales, c = five_clamp(v, low, high);
        const five whole = __builtin_convertvector(__builtin_convertvector(c, five_mask), five), rest = c - whole;
        const five_mask more = rest >= half, less = up ? rest < minus_half : rest <= minus_half;
        acc = add_square(acc, whole - __builtin_convertvector(more, five) + __builtin_convertvector(less, five) - v);
    }
    for (int k = 0; k < 5; k++)
        sums[k] = acc[k];
}

void ISA(cnnfi_grid_errors)(const cnnfi_grid *g, const float *x, int64_t n, float *sums);
void ISA(cnnfi_grid_range)(const float *x, int64_t n, float *least, float *most);
int64_t ISA(cnnfi_grid_round)(const cnnfi_grid *g, const float *x, float *y, int64_t n);

void ISA(cnnfi_grid_errors)(const cnnfi_grid *g, const float *x, int64_t n, float *sums)
{
    if (g->up)
        errors(g, x, n, sums, true);
    else
        errors(g, x, n, sums, false);
}

void ISA(cnnfi_grid_range)(const float *x, int64_t n, float *least, float *most)
{
    vec low = splat(x[0]), high = low;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vec v = load(x + i);
        low = smaller(v, low);
        high = larger(v, high);
    }
    *least = *most = x[0];
    for (int k = 0; k < LANES; k++) {
        *least = low[k] < *least ? low[k] : *least;
        *most = high[k] > *most ? high[k] : *most;
    }
    for (; i < n; i++) {
        *least = x[i] < *least ? x[i] : *least;
        *most = x[i] > *most ? x[i] : *most;
    }
}

/* The sign stays, also of what becomes zero. *outside: lanes with -1 where the grid ends before the number. */
ALWAYS vec round_vec(const cnnfi_grid *g, vec x, mask *outside, const bool up)
{
    const vec v = x * splat(g->scale), c = clamp(v, g->low, g->high), half = splat(0.5f);
    const vec whole = __builtin_convertvector(__builtin_convertvector(c, mask), vec), rest = c - whole;
    const mask more = rest >= half, less = up ? rest < -half : rest <= -half, sign = (mask){0} + INT32_MIN;
    const vec r = whole - __builtin_convertvector(more, vec) + __builtin_convertvector(less, vec);
    const vec near = (vec)(((mask)r & ~sign) | ((mask)v & sign)) * splat(g->step);
    const mask number = v == v; /* not NaN */ /* NOLINT(misc-redundant-expression) */
    *outside = (mask)(v >= splat(g->high + 0.5f)) | (mask)(v < splat(g->low - 0.5f));
    return (vec)(((mask)near & number) | ((mask)v & ~number));
}

ALWAYS int64_t round_row(const cnnfi_grid *g, const float *x, float *y, int64_t n, const bool up)
{
    int64_t i = 0, outside = 0;
    while (i + LANES <= n) {
        mask count = {0};
        /* Counts of lanes stay far below 2^31. */
        for (int64_t end = i + ((int64_t)1 << 20); i + LANES <= n && i < end; i += LANES) {
            mask out;
            store(y + i, round_vec(g, load(x + i), &out, up));
            count -= out;
        }
        for (int k = 0; k < LANES; k++)
            outside += count[k];
    }
    if (i < n) {
        mask out;
        store_part(y + i, round_vec(g, load_part(x + i, n - i), &out, up), n - i);
        for (int64_t k = 0; k < n - i; k++)
            outside -= out[k];
    }
    return outside;
}

int64_t ISA(cnnfi_grid_round)(const cnnfi_grid *g, const float *x, float *y, int64_t n)
{
    return g->up ? round_row(g, x, y, n, true) : round_row(g, x, y, n, false);
}
