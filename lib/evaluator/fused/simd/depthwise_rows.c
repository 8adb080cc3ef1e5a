/* SPDX-License-Identifier: Apache-2.0 */
/* One filter per channel: vectors along the channels, rows of outputs at a time. */
#include "evaluator/fused/simd/vec.h"

/* Any window at any place: taps outside the image are left out. */
static vec any_pixel(const cnnfi_depthwise *d, const float *image, int64_t row, int64_t column, int64_t c, int64_t n)
{
    vec sum = load(d->post.bias + c);
    for (int64_t i = 0; i < d->filter_y; i++) {
        int64_t y = row * d->stride_y - d->before_y + i * d->dilation_y;
        if (y < 0 || y >= d->height) continue;
        for (int64_t j = 0; j < d->filter_x; j++) {
            int64_t x = column * d->stride_x - d->before_x + j * d->dilation_x;
            if (x < 0 || x >= d->width) continue;
            sum += load_n(image + ((y - d->first_row) * d->width + x) * d->channels + c, n) *
                   load(d->filter + (i * d->filter_x + j) * d->channels + c);
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

ALWAYS void put(const cnnfi_depthwise *d, const cnnfi_post *post, const row_job *j, int64_t column, vec sum, int64_t c,
                int64_t n)
{
    const int64_t at = column * d->channels + c;
    store_n(j->y + at, finish(post, sum, c, j->residual ? j->residual + at : NULL, n), n);
}

/* `count` outputs side by side of a 3x3 window wholly inside: weights and inputs are loaded once for all of them.
   The order of each sum is any_pixel's. */
ALWAYS void block_3x3(const cnnfi_depthwise *d, const cnnfi_post *post, const row_job *j, const float *x,
                      int64_t column, const int count, const int stride, int64_t c, int64_t n)
{
    const int64_t line = d->width * d->channels, step = d->channels;
    const vec start = load(post->bias + c);
    vec sums[4];
    UNROLL(4)
    for (int o = 0; o < count; o++)
        sums[o] = start;
    UNROLL(3)
    for (int i = 0; i < 3; i++) {
        vec in[9], f[3];
        UNROLL(9)
        for (int k = 0; k < (count - 1) * stride + 3; k++)
            in[k] = load_n(x + i * line + k * step + c, n);
        UNROLL(3)
        for (int k = 0; k < 3; k++)
            f[k] = load(d->filter + (3 * i + k) * step + c);
        UNROLL(4)
        for (int o = 0; o < count; o++) {
            UNROLL(3)
            for (int k = 0; k < 3; k++)
                sums[o] += in[o * stride + k] * f[k];
        }
    }
    UNROLL(4)
    for (int o = 0; o < count; o++)
        put(d, post, j, column + o, sums[o], c, n);
}

ALWAYS void all_channels(const cnnfi_depthwise *d, const cnnfi_post *post, const row_job *j, int64_t column,
                         const int count, const int stride)
{
    const int64_t row = j->row * d->stride_y - d->before_y - d->first_row;
    const float *x = j->image + (row * d->width + column * d->stride_x - d->before_x) * d->channels;
    int64_t c = 0;
    for (; c + LANES <= d->channels; c += LANES)
        block_3x3(d, post, j, x, column, count, stride, c, LANES);
    if (c < d->channels) block_3x3(d, post, j, x, column, count, stride, c, d->channels - c);
}

/* Columns [first, last), four at a time. */
ALWAYS void inner_3x3(const cnnfi_depthwise *d, const cnnfi_post *post, const row_job *j, int64_t first, int64_t last,
                      const int stride)
{
    int64_t column = first;
    for (; column + 4 <= last; column += 4)
        all_channels(d, post, j, column, 4, stride);
    for (; column < last; column++)
        all_channels(d, post, j, column, 1, stride);
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

static void outer_columns(const cnnfi_depthwise *d, const cnnfi_post *post, const row_job *j, int64_t first,
                          int64_t last)
{
    for (int64_t k = first; k < last; k++) {
        for (int64_t c = 0; c < d->channels; c += LANES) {
            const int64_t n = d->channels - c;
            put(d, post, j, k, any_pixel(d, j->image, j->row, k, c, n), c, n);
        }
    }
}

static void do_row(const cnnfi_depthwise *d, const row_job *j)
{
    const cnnfi_post post = d->post;
    bool fast = d->filter_y == 3 && d->filter_x == 3 && d->dilation_y == 1 && d->dilation_x == 1 && d->stride_x <= 2 &&
                inner_row(d, j->row);
    int64_t first = 0, last = 0;
    if (fast) inner_columns(d, &first, &last);
    outer_columns(d, &post, j, 0, first);
    if (fast && d->stride_x == 1)
        inner_3x3(d, &post, j, first, last, 1);
    else if (fast)
        inner_3x3(d, &post, j, first, last, 2);
    outer_columns(d, &post, j, last, d->out_width);
}

void ISA(cnnfi_depthwise)(const cnnfi_depthwise *d, const float *x, float *y, int64_t begin, int64_t end);

void ISA(cnnfi_depthwise)(const cnnfi_depthwise *d, const float *x, float *y, int64_t begin, int64_t end)
{
    for (int64_t at = begin; at < end; at++) {
        int64_t image = at / d->out_height, offset = at * d->out_width * d->channels;
        row_job j = {x + image * d->height * d->width * d->channels, y + (at - begin) * d->out_width * d->channels,
                     d->post.residual ? d->post.residual + offset : NULL, at % d->out_height};
        do_row(d, &j);
    }
}
