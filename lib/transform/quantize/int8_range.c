/* SPDX-License-Identifier: Apache-2.0 */
/* A range from a histogram. */
#include <math.h>

#include "ops/fake_quant.h"
#include "ops/histogram.h"
#include "transform/quantize/int8.h"

#define HALF   (CNNFI_HISTOGRAM_BINS / 2)
#define STEPS  64 /* ends that are tried: from all of it to a quarter */
#define ROUNDS 2

static cnnfi_affine_range range_of(double low, double high)
{
    low = fmin(low, 0);
    high = fmax(high, 0);
    if (!(low < high)) high = 1; /* nothing but 0 was seen */
    return (cnnfi_affine_range){(float)low, (float)high};
}

/* Where `share` of the numbers lie beyond, from one end. */
static double cut_at(const double *h, double share, bool upper)
{
    const double allowed = share * h[CNNFI_HISTOGRAM_COUNT], width = cnnfi_histogram_width(h);
    double seen = 0;
    for (int i = 0; i < CNNFI_HISTOGRAM_BINS; i++) {
        const int at = upper ? CNNFI_HISTOGRAM_BINS - 1 - i : i;
        seen += h[CNNFI_HISTOGRAM_FIRST + at];
        if (seen > allowed) return (at - HALF + upper) * width;
    }
    return 0;
}

static cnnfi_affine_range percentile(const double *h, double kept)
{
    const double beyond = (1 - kept) / 2;
    return range_of(fmax(h[CNNFI_HISTOGRAM_LEAST], cut_at(h, beyond, false)),
                    fmin(h[CNNFI_HISTOGRAM_MOST], cut_at(h, beyond, true)));
}

/* ---- least squared error ---- */

static double squared_error(const double *h, double low, double high)
{
    const cnnfi_affine_range range = range_of(low, high);
    const cnnfi_fake_grid grid = cnnfi_fake_quant_grid(range.low, range.high, 8, false);
    const double width = cnnfi_histogram_width(h), step = (double)grid.scale;
    double sum = 0;
    for (int i = 0; i < CNNFI_HISTOGRAM_BINS; i++) {
        const double count = h[CNNFI_HISTOGRAM_FIRST + i], x = (i - HALF + 0.5) * width;
        if (count <= 0) continue;
        const double cut = fmin(fmax(x, (double)grid.low), (double)grid.high), y = rint(cut / step) * step;
        sum += count * (x - y) * (x - y);
    }
    return sum;
}

static cnnfi_affine_range least_squares(const double *h)
{
    double ends[2] = {fmin(h[CNNFI_HISTOGRAM_LEAST], 0), fmax(h[CNNFI_HISTOGRAM_MOST], 0)};
    double best = squared_error(h, ends[0], ends[1]);
    for (int round = 0; round < ROUNDS; round++) {
        for (int end = 0; end < 2; end++) {
            const double all = end ? fmax(h[CNNFI_HISTOGRAM_MOST], 0) : fmin(h[CNNFI_HISTOGRAM_LEAST], 0);
            for (int i = 1; i < STEPS && all != 0; i++) {
                const double tried = all * (1 - 0.75 * i / STEPS);
                const double error = squared_error(h, end ? ends[0] : tried, end ? tried : ends[1]);
                if (error >= best) continue;
                best = error;
                ends[end] = tried;
            }
        }
    }
    return range_of(ends[0], ends[1]);
}

/* ---- entropy ---- */

/* Of p [n], whose last bin holds what lies beyond, from itself in `levels` steps. */
static double divergence(const double *p, int n, double beyond, int levels)
{
    double total = beyond, kept = 0, sum = 0;
    for (int i = 0; i < n; i++) {
        total += p[i];
        kept += p[i];
    }
    if (kept <= 0) return INFINITY;
    for (int level = 0; level < levels; level++) {
        const int first = (int)((int64_t)n * level / levels), last = (int)((int64_t)n * (level + 1) / levels);
        double count = 0;
        int filled = 0;
        for (int i = first; i < last; i++) {
            count += p[i];
            filled += p[i] > 0;
        }
        for (int i = first; i < last; i++) {
            const double mine = p[i] + (i == n - 1 ? beyond : 0);
            if (mine <= 0) continue;
            /* What the steps do not have at all counts as a little. */
            const double theirs = filled && p[i] > 0 ? count / filled / kept : 1e-9;
            sum += mine / total * log(mine / total / theirs);
        }
    }
    return sum;
}

static cnnfi_affine_range entropy(const double *h)
{
    double p[HALF];
    const bool is_signed = h[CNNFI_HISTOGRAM_LEAST] < 0 && h[CNNFI_HISTOGRAM_MOST] > 0;
    const int levels = is_signed ? 128 : 256;
    double total = 0, inside = 0, best = INFINITY, bound = 0;
    for (int i = 0; i < HALF; i++) {
        p[i] = h[CNNFI_HISTOGRAM_FIRST + HALF + i] + h[CNNFI_HISTOGRAM_FIRST + HALF - 1 - i];
        if (i == 0) p[i] = 0; /* what a rectifier cut off tells nothing of where the rest lies */
        total += p[i];
    }
    for (int n = 1; n <= HALF; n++) {
        inside += p[n - 1];
        if (n < levels || n % 16) continue;
        const double error = divergence(p, n, total - inside, levels);
        if (error >= best) continue;
        best = error;
        bound = n * cnnfi_histogram_width(h);
    }
    if (bound <= 0) return range_of(h[CNNFI_HISTOGRAM_LEAST], h[CNNFI_HISTOGRAM_MOST]);
    return range_of(fmax(h[CNNFI_HISTOGRAM_LEAST], -bound), fmin(h[CNNFI_HISTOGRAM_MOST], bound));
}

cnnfi_affine_range cnnfi_affine_choose(const double *h, cnnfi_affine_method method, double kept)
{
    if (h[CNNFI_HISTOGRAM_COUNT] <= 0) return range_of(0, 0);
    switch (method) {
    case CNNFI_AFFINE_PERCENTILE:
        return percentile(h, kept);
    case CNNFI_AFFINE_MSE:
        return least_squares(h);
    case CNNFI_AFFINE_ENTROPY:
        return entropy(h);
    default:
        return range_of(h[CNNFI_HISTOGRAM_LEAST], h[CNNFI_HISTOGRAM_MOST]);
    }
}
