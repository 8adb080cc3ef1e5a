/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resizing pictures (NHWC) as TensorFlow's image kernels do: coordinates of both generations (align_corners,
 * half_pixel_centers), all arithmetic in float (core/kernels/image/resize_*_op.cc, image_resizer_state.h).
 */
#include <math.h>

#include "evaluator/kernels/portable.h"

typedef struct resize {
    int64_t batch, height, width, channels, out_height, out_width;
    float y_scale, x_scale;
    bool align, half;
} resize;

static float resize_scale(int64_t in, int64_t out, bool align)
{
    return align && out > 1 ? (float)(in - 1) / (float)(out - 1) : (float)in / (float)out;
}

/* in: (batch, height, width, channels), out: the same with another height and width. */
static resize read_resize(const cnnfi_call *call)
{
    const cnnfi_value *in = &call->inputs[0], *out = &call->outputs[0];
    resize r = {.batch = in->dims[0],
                .height = in->dims[1],
                .width = in->dims[2],
                .channels = in->dims[3],
                .out_height = out->dims[1],
                .out_width = out->dims[2],
                .align = cnnf_node_attr_bool(call->node, "align_corners", 0) != 0,
                .half = cnnf_node_attr_bool(call->node, "half_pixel_centers", 0) != 0};
    r.y_scale = resize_scale(r.height, r.out_height, r.align);
    r.x_scale = resize_scale(r.width, r.out_width, r.align);
    return r;
}

/* Where output i looks in the input. */
static float resize_place(const resize *r, int64_t i, float scale)
{
    return r->half ? ((float)i + 0.5f) * scale - 0.5f : (float)i * scale;
}

static float pixel(const cnnfi_value *in, const resize *r, int64_t b, int64_t y, int64_t x, int64_t c)
{
    int64_t at = ((b * r->height + y) * r->width + x) * r->channels + c;
    return in->dtype == CNNF_FLOAT ? ((const float *)in->data)[at] : (float)cnnfi_get_f64(in, at);
}

/* ---- bilinear ---- */

typedef struct tap {
    int64_t low, high;
    float lerp;
} tap;

static tap bilinear_tap(const resize *r, int64_t i, float scale, int64_t n)
{
    float at = resize_place(r, i, scale), below = floorf(at), above = ceilf(at);
    int64_t low = (int64_t)below, high = (int64_t)above;
    return (tap){.low = low > 0 ? low : 0, .high = high < n - 1 ? high : n - 1, .lerp = at - below};
}

typedef struct resize_job {
    const cnnfi_call *call;
    const resize *r;
} resize_job;

static void bilinear_rows(int64_t begin, int64_t end, void *user)
{
    const resize_job *job = user;
    const resize *r = job->r;
    const cnnfi_value *in = job->call->inputs;
    for (int64_t row = begin; row < end; row++) {
        int64_t b = row / r->out_height;
        tap y = bilinear_tap(r, row % r->out_height, r->y_scale, r->height);
        float *to = (float *)job->call->outputs[0].data + row * r->out_width * r->channels;
        for (int64_t i = 0; i < r->out_width; i++) {
            tap x = bilinear_tap(r, i, r->x_scale, r->width);
            for (int64_t c = 0; c < r->channels; c++) {
                float tl = pixel(in, r, b, y.low, x.low, c), tr = pixel(in, r, b, y.low, x.high, c);
                float bl = pixel(in, r, b, y.high, x.low, c), br = pixel(in, r, b, y.high, x.high, c);
                float top = tl + (tr - tl) * x.lerp, bottom = bl + (br - bl) * x.lerp;
                *to++ = top + (bottom - top) * y.lerp;
            }
        }
    }
}

static cnnf_status bilinear_run(cnnfi_call *call)
{
    const resize r = read_resize(call);
    resize_job job = {.call = call, .r = &r};
    cnnfi_parallel_for(call->pool, r.batch * r.out_height, 4096 / (r.out_width * r.channels) + 1, bilinear_rows, &job);
    return CNNF_OK;
}

/* ---- nearest ---- */

static int64_t nearest_index(const resize *r, int64_t i, float scale, int64_t n)
{
    float at = r->half ? ((float)i + 0.5f) * scale : (float)i * scale;
    int64_t index = (int64_t)(r->align ? roundf(at) : floorf(at));
    if (index > n - 1) index = n - 1;
    return index > 0 ? index : 0;
}

static cnnf_status nearest_run(cnnfi_call *call)
{
    const resize r = read_resize(call);
    size_t size = (size_t)r.channels * cnnf_dtype_size(call->inputs[0].dtype);
    char *to = call->outputs[0].data;
    for (int64_t row = 0; row < r.batch * r.out_height; row++) {
        int64_t y = nearest_index(&r, row % r.out_height, r.y_scale, r.height),
                first = (row / r.out_height * r.height + y) * r.width;
        for (int64_t i = 0; i < r.out_width; i++, to += size)
            memcpy(to,
                   (const char *)call->inputs[0].data +
                       (size_t)(first + nearest_index(&r, i, r.x_scale, r.width)) * size,
                   size);
    }
    return CNNF_OK;
}

/* ---- bicubic ---- */

#define STEPS 1024 /* TensorFlow looks its coefficients up in a table this fine */

/* The kernel at distance x in [0, 1) and at 1 + x, for x = step / STEPS. */
static float cubic_near(double a, int64_t step)
{
    float x = (float)step / STEPS;
    return (float)((((a + 2) * (double)x - (a + 3)) * (double)x) * (double)x + 1);
}

static float cubic_far(double a, int64_t step)
{
    float x = (float)step / STEPS + 1;
    return (float)(((a * (double)x - 5 * a) * (double)x + 8 * a) * (double)x - 4 * a);
}

typedef struct cubic_tap {
    int64_t index[4];
    float weight[4];
} cubic_tap;

static int64_t bound(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i > n - 1 ? n - 1 : i;
}

/* With half_pixel_centers the kernel is Keys' (a = -0.5), pixels outside count nothing and the rest is renormalised. */
static cubic_tap make_cubic(const resize *r, int64_t i, float scale, int64_t n)
{
    float at = resize_place(r, i, scale), below = floorf(at);
    int64_t first = (int64_t)below, step = lrintf((at - below) * STEPS);
    double a = r->half ? -0.5 : -0.75;
    cubic_tap t = {
        .weight = {cubic_far(a, step), cubic_near(a, step), cubic_near(a, STEPS - step), cubic_far(a, STEPS - step)}};
    float sum = 0;
    for (int k = 0; k < 4; k++) {
        t.index[k] = bound(first - 1 + k, n);
        if (r->half && t.index[k] != first - 1 + k) t.weight[k] = 0;
        sum += t.weight[k];
    }
    for (int k = 0; r->half && k < 4 && fabsf(sum) >= 1000 * 1.17549435e-38f; k++)
        t.weight[k] *= 1.0f / sum;
    return t;
}

static float cubic_sum(const float *values, const cubic_tap *t)
{
    return values[0] * t->weight[0] + values[1] * t->weight[1] + values[2] * t->weight[2] + values[3] * t->weight[3];
}

static cnnf_status bicubic_run(cnnfi_call *call)
{
    const resize r = read_resize(call);
    float *to = call->outputs[0].data;
    for (int64_t row = 0; row < r.batch * r.out_height; row++) {
        cubic_tap y = make_cubic(&r, row % r.out_height, r.y_scale, r.height);
        for (int64_t i = 0; i < r.out_width; i++) {
            cubic_tap x = make_cubic(&r, i, r.x_scale, r.width);
            for (int64_t c = 0; c < r.channels; c++) {
                float columns[4], values[4];
                for (int k = 0; k < 4; k++) {
                    for (int j = 0; j < 4; j++)
                        values[j] = pixel(call->inputs, &r, row / r.out_height, y.index[j], x.index[k], c);
                    columns[k] = cubic_sum(values, &y);
                }
                *to++ = cubic_sum(columns, &x);
            }
        }
    }
    return CNNF_OK;
}

/* ---- area ---- */

/* How much of input pixel i lies in [begin, end). */
static float area_part(int64_t i, float begin, float end, float scale)
{
    bool cut_below = (float)i<begin, cut_above = (float)(i + 1)> end;
    if (cut_below) return cut_above ? scale : (float)(i + 1) - begin;
    return cut_above ? end - (float)i : 1.0f;
}

static cnnf_status area_run(cnnfi_call *call)
{
    const resize r = read_resize(call);
    float *to = call->outputs[0].data, scale = 1.0f / (r.y_scale * r.x_scale);
    for (int64_t row = 0; row < r.batch * r.out_height; row++) {
        float y0 = (float)(row % r.out_height) * r.y_scale, y1 = (float)(row % r.out_height + 1) * r.y_scale;
        for (int64_t i = 0; i < r.out_width; i++) {
            float x0 = (float)i * r.x_scale, x1 = (float)(i + 1) * r.x_scale;
            for (int64_t c = 0; c < r.channels; c++) {
                float sum = 0;
                for (int64_t y = (int64_t)floorf(y0); y < (int64_t)ceilf(y1); y++) {
                    float line = 0;
                    for (int64_t x = (int64_t)floorf(x0); x < (int64_t)ceilf(x1); x++)
                        line += pixel(call->inputs, &r, row / r.out_height, bound(y, r.height), bound(x, r.width), c) *
                                area_part(x, x0, x1, r.x_scale);
                    sum += line * area_part(y, y0, y1, r.y_scale);
                }
                *to++ = sum * scale;
            }
        }
    }
    return CNNF_OK;
}

/* ---- CropAndResize: image, boxes, box_ind, crop_size ---- */

/* Place of output i of n along a side that the box cuts from `low` to `high` (0 .. 1 of `size` pixels). */
static float crop_place(float low, float high, int64_t i, int64_t n, int64_t size)
{
    float last = (float)(size - 1);
    if (n == 1) return 0.5f * (low + high) * last;
    return low * last + (float)i * ((high - low) * last / (float)(n - 1));
}

static void crop_pixel(cnnfi_call *call, const resize *r, int64_t b, float y, float x, bool nearest, float *to)
{
    float outside = (float)cnnf_node_attr_float(call->node, "extrapolation_value", 0);
    bool inside = y >= 0 && y <= (float)(r->height - 1) && x >= 0 && x <= (float)(r->width - 1);
    for (int64_t c = 0; c < r->channels; c++) {
        if (!inside) {
            to[c] = outside;
        } else if (nearest) {
            to[c] = pixel(call->inputs, r, b, (int64_t)roundf(y), (int64_t)roundf(x), c);
        } else {
            int64_t top = (int64_t)floorf(y), low = (int64_t)ceilf(y), left = (int64_t)floorf(x),
                    right = (int64_t)ceilf(x);
            float fy = y - (float)top, fx = x - (float)left;
            float tl = pixel(call->inputs, r, b, top, left, c), tr = pixel(call->inputs, r, b, top, right, c);
            float bl = pixel(call->inputs, r, b, low, left, c), br = pixel(call->inputs, r, b, low, right, c);
            float above = tl + (tr - tl) * fx, below = bl + (br - bl) * fx;
            to[c] = above + (below - above) * fy;
        }
    }
}

static cnnf_status crop_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    const char *method = cnnf_node_attr_string(NULL, call->node, "method");
    bool nearest = method && strcmp(method, "nearest") == 0;
    resize r = {.height = in->dims[1], .width = in->dims[2], .channels = in->dims[3]};
    float *to = out->data;
    for (int64_t k = 0; k < out->dims[0]; k++) {
        const float *box = (const float *)in[1].data + 4 * k; /* y1 x1 y2 x2 */
        int32_t b = ((const int32_t *)in[2].data)[k];
        if (b < 0 || b >= in->dims[0])
            return cnnfi_call_fail(call, CNNF_E_INVALID, "box_ind[%lld] is %d of %lld", (long long)k, b,
                                   (long long)in->dims[0]);
        for (int64_t i = 0; i < out->dims[1]; i++)
            for (int64_t j = 0; j < out->dims[2]; j++, to += r.channels)
                crop_pixel(call, &r, b, crop_place(box[0], box[2], i, out->dims[1], r.height),
                           crop_place(box[1], box[3], j, out->dims[2], r.width), nearest, to);
    }
    return CNNF_OK;
}

static cnnf_status scratch(cnnfi_call *call)
{
    return cnnfi_type_of(call->inputs[0].dtype) < CNNFI_T_BOOL ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

static const cnnfi_kernel kernels[] = {
    {"CropAndResize", crop_run, 0, scratch},
    {"ResizeArea", area_run, 0, scratch},
    {"ResizeBicubic", bicubic_run, 0, scratch},
    {"ResizeBilinear", bilinear_run, 0, scratch},
    {"ResizeNearestNeighbor", nearest_run, 0, scratch},
};

const cnnfi_kernel_family cnnfi_kernels_resize = {"resize", kernels, sizeof(kernels) / sizeof(kernels[0])};
