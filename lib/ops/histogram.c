/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/histogram.h"

#include <math.h>
#include <string.h>

#define HALF (CNNFI_HISTOGRAM_BINS / 2)

static void clear(double *h)
{
    memset(h, 0, CNNFI_HISTOGRAM_SIZE * sizeof *h);
}

double cnnfi_histogram_width(const double *h)
{
    return ldexp(1.0, (int)h[CNNFI_HISTOGRAM_EXPONENT] + 1) / CNNFI_HISTOGRAM_BINS;
}

static void find_range(double *h, const float *x, int64_t n)
{
    float least = INFINITY, most = -INFINITY;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        const bool finite = fabsf(x[i]) < INFINITY; /* not NaN either */
        count += finite;
        if (finite && x[i] < least) least = x[i];
        if (finite && x[i] > most) most = x[i];
    }
    h[CNNFI_HISTOGRAM_COUNT] = (double)count;
    if (!count) return;
    h[CNNFI_HISTOGRAM_LEAST] = (double)least;
    h[CNNFI_HISTOGRAM_MOST] = (double)most;
    int exponent = 0;
    const double far = fmax(fabs((double)least), fabs((double)most));
    if (far > 0) (void)frexp(far, &exponent); /* far <= 2^exponent */
    h[CNNFI_HISTOGRAM_EXPONENT] = far > 0 ? exponent : -126;
}

void cnnfi_histogram_of(double *h, const float *x, int64_t n)
{
    clear(h);
    find_range(h, x, n);
    if (h[CNNFI_HISTOGRAM_COUNT] <= 0) return;
    double *bins = h + CNNFI_HISTOGRAM_FIRST;
    const double scale = 1 / cnnfi_histogram_width(h);
    for (int64_t i = 0; i < n; i++) {
        if (!(fabsf(x[i]) < INFINITY)) continue;
        const int64_t at = (int64_t)floor((double)x[i] * scale) + HALF;
        bins[at < 0 ? 0 : at < CNNFI_HISTOGRAM_BINS ? at : CNNFI_HISTOGRAM_BINS - 1]++;
    }
}

/* Bins 2^steps as wide: what is left of 0 stays there. */
static void widen(double *h, int steps)
{
    double *bins = h + CNNFI_HISTOGRAM_FIRST;
    const int shift = steps < 30 ? steps : 30;
    h[CNNFI_HISTOGRAM_EXPONENT] += steps;
    for (int64_t i = 0; i < HALF; i++) { /* from 0 outwards: a bin moves inwards, onto one that has moved */
        const int64_t to = i >> shift;
        const double up = bins[HALF + i], down = bins[HALF - 1 - i];
        bins[HALF + i] = bins[HALF - 1 - i] = 0;
        bins[HALF + to] += up;
        bins[HALF - 1 - to] += down;
    }
}

void cnnfi_histogram_add(double *sum, const double *other)
{
    if (other[CNNFI_HISTOGRAM_COUNT] <= 0) return;
    if (sum[CNNFI_HISTOGRAM_COUNT] <= 0) {
        memcpy(sum, other, CNNFI_HISTOGRAM_SIZE * sizeof *sum);
        return;
    }
    const int steps = (int)(other[CNNFI_HISTOGRAM_EXPONENT] - sum[CNNFI_HISTOGRAM_EXPONENT]);
    const int shift = steps < 0 ? (steps > -30 ? -steps : 30) : 0;
    if (steps > 0) widen(sum, steps);
    for (int64_t i = 0; i < HALF; i++) {
        const int64_t to = i >> shift;
        sum[CNNFI_HISTOGRAM_FIRST + HALF + to] += other[CNNFI_HISTOGRAM_FIRST + HALF + i];
        sum[CNNFI_HISTOGRAM_FIRST + HALF - 1 - to] += other[CNNFI_HISTOGRAM_FIRST + HALF - 1 - i];
    }
    sum[CNNFI_HISTOGRAM_LEAST] = fmin(sum[CNNFI_HISTOGRAM_LEAST], other[CNNFI_HISTOGRAM_LEAST]);
    sum[CNNFI_HISTOGRAM_MOST] = fmax(sum[CNNFI_HISTOGRAM_MOST], other[CNNFI_HISTOGRAM_MOST]);
    sum[CNNFI_HISTOGRAM_COUNT] += other[CNNFI_HISTOGRAM_COUNT];
}
