/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resizing as Pillow's Image.resize() does it for 8 bits, pixel for pixel: a separable filter, widened where a side
 * shrinks, its weights in 22-bit fixed point, each pass rounded to bytes (columns first). Pixels around the box that is
 * resized weigh in where a filter reaches beyond it.
 */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "evaluation/dataset/image.h"

#define PRECISION_BITS 22
#define PI             3.14159265358979323846

/* ---- filters ---- */

static double box_filter(double x)
{
    return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double bilinear_filter(double x)
{
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

static double sinc(double x)
{
    const double t = x * PI;
    return fabs(x) > 0 ? sin(t) / t : 1;
}

static double hamming_filter(double x)
{
    const double t = fabs(x);
    return t < 1 ? sinc(t) * (0.54 + 0.46 * cos(t * PI)) : 0;
}

static double bicubic_filter(double x)
{
    const double a = -0.5, t = fabs(x);
    if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

static double lanczos_filter(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static const struct filter {
    double (*weight)(double x);
    double support;
} filters[CNNFI_RESIZE_COUNT] = {
    [CNNFI_RESIZE_BOX] = {box_filter, 0.5},       [CNNFI_RESIZE_BILINEAR] = {bilinear_filter, 1},
    [CNNFI_RESIZE_HAMMING] = {hamming_filter, 1}, [CNNFI_RESIZE_BICUBIC] = {bicubic_filter, 2},
    [CNNFI_RESIZE_LANCZOS] = {lanczos_filter, 3},
};

/* ---- weights of an axis ---- */

typedef struct axis {
    cnnf_context *context;
    int32_t *first, *count; /* [size]: which old pixels a new one takes */
    int32_t *weights;       /* [size][room] */
    double *exact;          /* [room] */
    size_t room;
} axis;

static void axis_free(axis *a)
{
    cnnfi_free(a->context, a->first);
    cnnfi_free(a->context, a->count);
    cnnfi_free(a->context, a->weights);
    cnnfi_free(a->context, a->exact);
}

static void fill_pixel(axis *a, const struct filter *f, int32_t in_size, double center, double widened, int32_t at)
{
    const double support = f->support * widened;
    double sum = 0;
    int32_t first = (int32_t)(center - support + 0.5), end = (int32_t)(center + support + 0.5);
    first = first < 0 ? 0 : first;
    end = end > in_size ? in_size : end;
    for (int32_t i = first; i < end; i++)
        sum += a->exact[i - first] = f->weight((i - center + 0.5) / widened);
    for (int32_t i = 0; i < end - first; i++) {
        const double share = fabs(sum) > 0 ? a->exact[i] / sum : a->exact[i];
        a->weights[(size_t)at * a->room + (size_t)i] =
            (int32_t)(share * (1 << PRECISION_BITS) + (share < 0 ? -0.5 : 0.5));
    }
    a->first[at] = first;
    a->count[at] = end > first ? end - first : 0;
}

/* New pixels 0 .. size - 1 over old ones begin .. begin + length - 1 of in_size. */
static bool axis_fill(axis *a, cnnf_context *context, const struct filter *f, int32_t in_size, int32_t begin,
                      int32_t length, int32_t size)
{
    const double scale = (double)length / size, widened = scale > 1 ? scale : 1;
    *a = (axis){.context = context, .room = (size_t)ceil(f->support * widened) * 2 + 1};
    a->first = cnnfi_array(context, (size_t)size, sizeof(a->first[0]));
    a->count = cnnfi_array(context, (size_t)size, sizeof(a->count[0]));
    a->weights = cnnfi_array(context, (size_t)size, a->room * sizeof(a->weights[0]));
    a->exact = cnnfi_array(context, a->room, sizeof(a->exact[0]));
    if (!a->first || !a->count || !a->weights || !a->exact) return false;
    for (int32_t i = 0; i < size; i++)
        fill_pixel(a, f, in_size, begin + (i + 0.5) * scale, widened, i);
    return true;
}

/* ---- passes ---- */

/* One new pixel: `stride` bytes from one old one to the next. */
static void mix(const axis *a, int32_t at, const uint8_t *in, size_t stride, int32_t channels, uint8_t *out)
{
    const int32_t *weights = a->weights + (size_t)at * a->room;
    for (int32_t c = 0; c < channels; c++) {
        const uint8_t *from = in + (size_t)a->first[at] * stride + (size_t)c;
        int64_t sum = (int64_t)1 << (PRECISION_BITS - 1);
        for (int32_t i = 0; i < a->count[at]; i++, from += stride)
            sum += (int64_t)*from * weights[i];
        sum >>= PRECISION_BITS;
        out[c] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}

/* in [height][in_width][channels] to out [height][width][channels] */
static void columns_pass(const axis *a, const uint8_t *in, int32_t in_width, int32_t height, int32_t channels,
                         int32_t width, uint8_t *out)
{
    for (int32_t y = 0; y < height; y++, in += (size_t)in_width * (size_t)channels)
        for (int32_t x = 0; x < width; x++, out += channels)
            mix(a, x, in, (size_t)channels, channels, out);
}

/* in [in_height][width][channels] to out [height][width][channels] */
static void rows_pass(const axis *a, const uint8_t *in, int32_t width, int32_t channels, int32_t height, uint8_t *out)
{
    const size_t row = (size_t)width * (size_t)channels;
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++, out += channels)
            mix(a, y, in + (size_t)x * (size_t)channels, row, channels, out);
}

/* The nearest pixel: places are added up as Pillow adds them. */
static void nearest(const uint8_t *in, int32_t in_width, int32_t in_height, int32_t channels, cnnfi_box box,
                    int32_t width, int32_t height, uint8_t *out)
{
    const double step_x = (double)box.width / width, step_y = (double)box.height / height;
    double y = box.y + step_y * 0.5;
    for (int32_t j = 0; j < height; j++, y += step_y) {
        double x = box.x + step_x * 0.5;
        for (int32_t i = 0; i < width; i++, x += step_x, out += channels) {
            const size_t at_x = (size_t)fmin(x, in_width - 1), at_y = (size_t)fmin(y, in_height - 1);
            memcpy(out, in + (at_y * (size_t)in_width + at_x) * (size_t)channels, (size_t)channels);
        }
    }
}

cnnf_status cnnfi_image_filter(cnnf_context *context, cnnfi_resize filter, const uint8_t *in, int32_t in_width,
                               int32_t in_height, int32_t channels, cnnfi_box box, int32_t width, int32_t height,
                               uint8_t *out, cnnf_error *error)
{
    const bool columns = width != in_width || box.width != in_width;
    const bool rows = height != in_height || box.height != in_height;
    const size_t line = (size_t)width * (size_t)channels;
    axis x = {.context = context}, y = {.context = context};
    uint8_t *between = NULL;
    bool good = true;
    if (filter == CNNFI_RESIZE_NEAREST) {
        nearest(in, in_width, in_height, channels, box, width, height, out);
        return CNNF_OK;
    }
    if (columns) good = axis_fill(&x, context, &filters[filter], in_width, box.x, box.width, width);
    if (good && rows) good = axis_fill(&y, context, &filters[filter], in_height, box.y, box.height, height);
    if (good && columns && rows) good = (between = cnnfi_array(context, (size_t)in_height, line)) != NULL;
    if (good && columns) columns_pass(&x, in, in_width, in_height, channels, width, rows ? between : out);
    if (good && rows) rows_pass(&y, columns ? between : in, width, channels, height, out);
    if (!columns && !rows) memcpy(out, in, (size_t)height * line);
    axis_free(&x);
    axis_free(&y);
    cnnfi_free(context, between);
    return good ? CNNF_OK : cnnfi_fail_nomem(error);
}
