/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resizing as OpenCV's INTER_AREA, pixel for pixel: a weighted mean of the pixels under each new one when both sides
 * shrink, else its linear variant in 11-bit fixed point (opencv/modules/imgproc/src/resize.cpp).
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "evaluation/dataset/image.h"

/* New pixel i takes old pixels first .. first + n - 1 with weights[start ..]. */
typedef struct span {
    int32_t first, n, start;
} span;

typedef struct axis_table {
    cnnf_context *context;
    span *spans;    /* [new size] */
    float *weights; /* at most old size + 2 * new size */
} axis_table;

static uint8_t round_byte(float x)
{
    long value = lrintf(x); /* halves to even */
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void table_free(axis_table *t)
{
    cnnfi_free(t->context, t->spans);
    cnnfi_free(t->context, t->weights);
}

static bool table_new(axis_table *t, cnnf_context *context, int32_t from, int32_t to)
{
    t->context = context;
    t->spans = cnnfi_array(context, (size_t)to, sizeof(*t->spans));
    t->weights = cnnfi_array(context, (size_t)from + 2 * (size_t)to, sizeof(*t->weights));
    return t->spans && t->weights;
}

/* The pixels that a cell of `scale` old pixels covers; slivers below 1/1000 are left out. */
static void fill_area(axis_table *t, int32_t from, int32_t to)
{
    double scale = (double)from / to;
    int32_t at = 0;
    for (int32_t i = 0; i < to; i++) {
        double begin = i * scale, end = begin + scale, cell = fmin(scale, from - begin);
        int32_t first = (int32_t)ceil(begin), last = (int32_t)floor(end);
        if (last > from - 1) last = from - 1;
        if (first > last) first = last;
        bool sliver = first - begin > 1e-3;
        t->spans[i] = (span){.first = sliver ? first - 1 : first, .start = at};
        if (sliver) t->weights[at++] = (float)((first - begin) / cell);
        for (int32_t k = first; k < last; k++)
            t->weights[at++] = (float)(1.0 / cell);
        if (end - last > 1e-3) t->weights[at++] = (float)(fmin(fmin(end - last, 1.0), cell) / cell);
        t->spans[i].n = at - t->spans[i].start;
    }
}

static void shrink_row(const axis_table *x, const uint8_t *row, int32_t width, float weight, float *sum)
{
    for (int32_t i = 0; i < width; i++) {
        const span *s = &x->spans[i];
        float rgb[3] = {0, 0, 0};
        for (int32_t k = 0; k < s->n; k++)
            for (int c = 0; c < 3; c++)
                rgb[c] += (float)row[(s->first + k) * 3 + c] * x->weights[s->start + k];
        for (int c = 0; c < 3; c++)
            sum[i * 3 + c] += rgb[c] * weight;
    }
}

/* out [height][width][3] */
static cnnf_status shrink(const cnnfi_image *image, int32_t width, int32_t height, uint8_t *out)
{
    axis_table x = {0}, y = {0};
    size_t row = (size_t)width * 3;
    float *sum = cnnfi_array(image->context, row, sizeof(*sum));
    bool good = sum && table_new(&x, image->context, image->width, width) &&
                table_new(&y, image->context, image->height, height);
    if (good) {
        fill_area(&x, image->width, width);
        fill_area(&y, image->height, height);
    }
    for (int32_t j = 0; good && j < height; j++) {
        const span *s = &y.spans[j];
        memset(sum, 0, row * sizeof(*sum));
        for (int32_t k = 0; k < s->n; k++)
            shrink_row(&x, image->pixels + (size_t)(s->first + k) * (size_t)image->width * 3, width,
                       y.weights[s->start + k], sum);
        for (size_t i = 0; i < row; i++)
            out[(size_t)j * row + i] = round_byte(sum[i]);
    }
    table_free(&x);
    table_free(&y);
    cnnfi_free(image->context, sum);
    return good ? CNNF_OK : CNNF_E_NOMEM;
}

/* Whole factors: exact sums, one multiplication. */
static void shrink_whole(const cnnfi_image *image, int32_t width, int32_t height, uint8_t *out)
{
    int32_t fx = image->width / width, fy = image->height / height;
    float scale = 1.0f / (float)(fx * fy);
    for (int32_t j = 0; j < height; j++)
        for (int32_t i = 0; i < width; i++)
            for (int c = 0; c < 3; c++) {
                int64_t sum = 0;
                for (int32_t y = 0; y < fy; y++)
                    for (int32_t x = 0; x < fx; x++)
                        sum += image->pixels[((size_t)(j * fy + y) * (size_t)image->width + (size_t)(i * fx + x)) * 3 +
                                             (size_t)c];
                /* two by two rounds halves up, in integers */
                out[((size_t)j * (size_t)width + (size_t)i) * 3 + (size_t)c] =
                    fx == 2 && fy == 2 ? (uint8_t)((sum + 2) >> 2) : round_byte((float)sum * scale);
            }
}

typedef struct tap {
    int32_t at, next;
    int32_t a, b; /* of 2048 */
} tap;

static tap linear_tap(int32_t i, int32_t from, int32_t to)
{
    double scale = (double)from / to, inverse = (double)to / from;
    int32_t at = (int32_t)floor(i * scale);
    float f = (float)((i + 1) - (at + 1) * inverse);
    f = f <= 0 ? 0.0f : f - floorf(f);
    if (at >= from - 1) at = from - 1, f = 0;
    int32_t next = at + 1 < from ? at + 1 : at;
    return (tap){.at = at, .next = next, .a = (int32_t)lrintf((1.0f - f) * 2048), .b = (int32_t)lrintf(f * 2048)};
}

static void grow(const cnnfi_image *image, int32_t width, int32_t height, uint8_t *out)
{
    for (int32_t j = 0; j < height; j++) {
        tap y = linear_tap(j, image->height, height);
        const uint8_t *top = image->pixels + (size_t)y.at * (size_t)image->width * 3;
        const uint8_t *low = image->pixels + (size_t)y.next * (size_t)image->width * 3;
        for (int32_t i = 0; i < width; i++) {
            tap x = linear_tap(i, image->width, width);
            for (int c = 0; c < 3; c++) {
                int32_t s0 = top[x.at * 3 + c] * x.a + top[x.next * 3 + c] * x.b;
                int32_t s1 = low[x.at * 3 + c] * x.a + low[x.next * 3 + c] * x.b;
                int32_t value = (((y.a * (s0 >> 4)) >> 16) + ((y.b * (s1 >> 4)) >> 16) + 2) >> 2;
                *out++ = (uint8_t)(value > 255 ? 255 : value);
            }
        }
    }
}

/* ITU-R 601 weights in 15-bit fixed point, as cvtColor has them. */
static void to_gray(const uint8_t *rgb, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++, rgb += 3)
        out[i] = (uint8_t)((rgb[0] * 9798 + rgb[1] * 19235 + rgb[2] * 3735 + (1 << 14)) >> 15);
}

cnnf_status cnnfi_image_resize(const cnnfi_image *image, int32_t width, int32_t height, int32_t channels, uint8_t *out,
                               cnnf_error *error)
{
    size_t n = (size_t)width * (size_t)height;
    uint8_t *rgb = channels == 3 ? out : cnnfi_array(image->context, n, 3);
    cnnf_status status = CNNF_OK;
    if (!rgb) return cnnfi_fail_nomem(error);
    if (image->width == width && image->height == height)
        memcpy(rgb, image->pixels, n * 3);
    else if (image->width < width || image->height < height)
        grow(image, width, height, rgb);
    else if (image->width % width == 0 && image->height % height == 0)
        shrink_whole(image, width, height, rgb);
    else
        status = shrink(image, width, height, rgb);
    if (channels == 1) {
        if (status == CNNF_OK) to_gray(rgb, n, out);
        cnnfi_free(image->context, rgb);
    }
    return status == CNNF_OK ? CNNF_OK : cnnfi_fail_nomem(error);
}
