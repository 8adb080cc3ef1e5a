/* SPDX-License-Identifier: Apache-2.0 */
/* Maxima and averages over windows of an image. */
#include <float.h>

#include "evaluator/fused/simd/vec.h"

/* The window of one output, clipped to the image. */
typedef struct span {
    int64_t first, last;
} span;

static span clip(int64_t at, int64_t stride, int64_t before, int64_t size, int64_t limit)
{
    int64_t first = at * stride - before, last = first + size;
    span s = {first < 0 ? 0 : first, last > limit ? limit : last};
    if (s.last < s.first) s.last = s.first;
    return s;
}

ALWAYS vec window(const cnnfi_pooling *p, const float *image, span rows, span columns, int64_t c, int64_t n,
                  const bool average)
{
    vec best = average ? splat(0.0f) : splat(-FLT_MAX);
    for (int64_t i = rows.first; i < rows.last; i++) {
        const float *line = image + i * p->width * p->channels + c;
        for (int64_t j = columns.first; j < columns.last; j++) {
            const vec v = load_n(line + j * p->channels, n);
            best = average ? best + v : larger(v, best);
        }
    }
    return average ? best / splat((float)((rows.last - rows.first) * (columns.last - columns.first))) : best;
}

ALWAYS void pool_row(const cnnfi_pooling *p, const float *image, float *y, int64_t row, const bool average)
{
    const span rows = clip(row, p->stride_y, p->before_y, p->filter_y, p->height);
    for (int64_t column = 0; column < p->out_width; column++, y += p->channels) {
        const span columns = clip(column, p->stride_x, p->before_x, p->filter_x, p->width);
        int64_t c = 0;
        for (; c + LANES <= p->channels; c += LANES)
            store(y + c, window(p, image, rows, columns, c, LANES, average));
        if (c < p->channels)
            store_part(y + c, window(p, image, rows, columns, c, p->channels - c, average), p->channels - c);
    }
}

void ISA(cnnfi_pooling)(const cnnfi_pooling *p, const float *x, float *y, int64_t begin, int64_t end);

void ISA(cnnfi_pooling)(const cnnfi_pooling *p, const float *x, float *y, int64_t begin, int64_t end)
{
    for (int64_t at = begin; at < end; at++) {
        const float *image = x + at / p->out_height * p->height * p->width * p->channels;
        float *out = y + at * p->out_width * p->channels;
        if (p->average)
            pool_row(p, image, out, at % p->out_height, true);
        else
            pool_row(p, image, out, at % p->out_height, false);
    }
}
