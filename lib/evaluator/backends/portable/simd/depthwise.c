/* SPDX-License-Identifier: Apache-2.0 */
/* One filter per channel: vectors along the channels, rows of outputs at a time. */
#include "evaluator/backends/portable/simd/vec.h"

/* Any window at any place: taps outside the image are left out. */
static vec any_pixel(const cnnfi_depthwise *d, const float *image, int64_t row, int64_t column, int64_t c, int64_t n)
{
    vec sum = {0};
    for (int64_t i = 0; i < d->filter_y; i++) {
        int64_t y = row * d->stride_y - d->before_y + i * d->dilation_y;
        if (y < 0 || y >= d->height) continue;
        for (int64_t j = 0; j < d->filter_x; j++) {
            int64_t x = column * d->stride_x - d->before_x + j * d->dilation_x;
            if (x < 0 || x >= d->width) continue;
            sum += load_n(image + (y * d->width + x) * d->channels + c, n) * load(d->filter + (i * d->filter_x + j) * d->channels + c);
        }
    }
    return sum;
}

typedef struct row_job {
    const float *image;
    float *y;              /* of the row's first pixel */
    const float *residual; /* likewise, NULL */
    int64_t row;
} row_job;

ALWAYS void put(const cnnfi_depthwise *d, const row_job *j, int64_t column, vec sum, int64_t c, int64_t n)
{
    const int64_t at = column * d->channels + c;
    store_n(j->y + at, finish(&d->post, sum, c, j->residual ? j->residual + at : NULL, n), n);
}

/* Columns [first, last) of a 3x3 window wholly inside, the nine weights in registers. The order of the sum is any_pixel's. */
ALWAYS void inner_3x3(const cnnfi_depthwise *d, const row_job *j, int64_t first, int64_t last, int64_t c, int64_t n)
{
    const int64_t line = d->width * d->channels;
    const float *x = j->image + ((j->row * d->stride_y - d->before_y) * d->width - d->before_x) * d->channels + c;
    vec f[9];
#pragma GCC unroll 9
    for (int t = 0; t < 9; t++) f[t] = load(d->filter + t * d->channels + c);
    for (int64_t column = first; column < last; column++) {
        const float *p = x + column * d->stride_x * d->channels;
        vec sum = {0};
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++) {
#pragma GCC unroll 3
            for (int k = 0; k < 3; k++) sum += load_n(p + i * line + k * d->channels, n) * f[3 * i + k];
        }
        put(d, j, column, sum, c, n);
    }
}

/* Columns whose window needs no padding: [*first, *last). */
static void inner_columns(const cnnfi_depthwise *d, int64_t *first, int64_t *last)
{
    int64_t reach = (d->filter_x - 1) * d->dilation_x + 1;
    *first = (d->before_x + d->stride_x - 1) / d->stride_x;
    *last = d->width + d->before_x < reach ? 0 : (d->width + d->before_x - reach) / d->stride_x + 1;
    if (*last > d->out_width) *last = d->out_width;
    if (*first > *last) *first = *last;
}

static bool inner_row(const cnnfi_depthwise *d, int64_t row)
{
    int64_t y = row * d->stride_y - d->before_y;
    return y >= 0 && y + (d->filter_y - 1) * d->dilation_y < d->height;
}

static void do_row(const cnnfi_depthwise *d, const row_job *j)
{
    bool fast = d->filter_y == 3 && d->filter_x == 3 && d->dilation_y == 1 && d->dilation_x == 1 && inner_row(d, j->row);
    int64_t first = 0, last = 0;
    if (fast) inner_columns(d, &first, &last);
    for (int64_t c = 0; c < d->channels; c += LANES) {
        const int64_t n = d->channels - c;
        for (int64_t k = 0; k < first; k++) put(d, j, k, any_pixel(d, j->image, j->row, k, c, n), c, n);
        if (n >= LANES) inner_3x3(d, j, first, last, c, LANES);
        else inner_3x3(d, j, first, last, c, n);
        for (int64_t k = last; k < d->out_width; k++) put(d, j, k, any_pixel(d, j->image, j->row, k, c, n), c, n);
    }
}

void ISA(cnnfi_depthwise)(const cnnfi_depthwise *d, const float *x, float *y, int64_t begin, int64_t end);

void ISA(cnnfi_depthwise)(const cnnfi_depthwise *d, const float *x, float *y, int64_t begin, int64_t end)
{
    for (int64_t at = begin; at < end; at++) {
        int64_t image = at / d->out_height, offset = at * d->out_width * d->channels;
        row_job j = {x + image * d->height * d->width * d->channels, y + offset,
                     d->post.residual ? d->post.residual + offset : NULL, at % d->out_height};
        do_row(d, &j);
    }
}
