/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum and average over windows. */
#include <float.h>
#include <string.h>

#include "evaluator/kernels/nn.h"
#include "evaluator/fused/simd.h"

#define BLOCK 64

typedef struct pool {
    cnnfi_window w;
    const void *x;
    void *y;
} pool;

/* The part of the window of output pixel `at` that lies inside the input: [lo, hi) along each axis. */
static void clip(const cnnfi_window *w, const int64_t *at, int64_t *lo, int64_t *hi)
{
    for (int32_t i = 0; i < 3; i++) {
        int64_t first = at[i] * w->stride[i] - w->before[i];
        lo[i] = cnnfi_max_i64(first, 0);
        hi[i] = cnnfi_max_i64(lo[i], cnnfi_min_i64(first + w->filter[i], w->in[i]));
    }
}

/* Splits a running number over batch and output pixels; returns the batch. */
static int64_t locate(const cnnfi_window *w, int64_t index, int64_t *at)
{
    for (int32_t i = 2; i >= 0; i--) {
        at[i] = index % w->out[i];
        index /= w->out[i];
    }
    return index;
}

/* `start`: what an empty window gives; `fold` adds v to acc[k]; `finish` makes the result from acc[k] and count. */
#define DEFINE_POOL(name, T, start, fold, finish)                                                                      \
    static void name##_block(const pool *p, const T *x, T *y, const int64_t *lo, const int64_t *hi, int64_t block)     \
    {                                                                                                                  \
        const int64_t *s = p->w.in_strides;                                                                            \
        T acc[BLOCK];                                                                                                  \
        for (int64_t k = 0; k < block; k++)                                                                            \
            acc[k] = (start);                                                                                          \
        for (int64_t d = lo[0]; d < hi[0]; d++) {                                                                      \
            for (int64_t i = lo[1]; i < hi[1]; i++) {                                                                  \
                for (int64_t j = lo[2]; j < hi[2]; j++) {                                                              \
                    const T *in = x + d * s[1] + i * s[2] + j * s[3];                                                  \
                    for (int64_t k = 0; k < block; k++) {                                                              \
                        const T v = in[k * s[4]];                                                                      \
                        acc[k] = (fold);                                                                               \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        const T count = (T)((hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]));                                      \
        (void)count;                                                                                                   \
        for (int64_t k = 0; k < block; k++)                                                                            \
            y[k * p->w.out_strides[4]] = (finish);                                                                     \
    }                                                                                                                  \
    static void name(int64_t begin, int64_t end, void *user)                                                           \
    {                                                                                                                  \
        const pool *p = user;                                                                                          \
        const int64_t *si = p->w.in_strides, *so = p->w.out_strides;                                                   \
        for (int64_t i = begin; i < end; i++) {                                                                        \
            int64_t at[3], lo[3], hi[3], n = locate(&p->w, i, at);                                                     \
            T *y = (T *)p->y + n * so[0] + at[0] * so[1] + at[1] * so[2] + at[2] * so[3];                              \
            clip(&p->w, at, lo, hi);                                                                                   \
            for (int64_t c = 0; c < p->w.in_channels; c += BLOCK) {                                                    \
                name##_block(p, (const T *)p->x + n * si[0] + c * si[4], y + c * so[4], lo, hi,                        \
                             cnnfi_min_i64(BLOCK, p->w.in_channels - c));                                              \
            }                                                                                                          \
        }                                                                                                              \
    }

#define DEFINE_MAX(T, lowest) DEFINE_POOL(max_##T, T, lowest, v > acc[k] ? v : acc[k], acc[k])
#define DEFINE_AVERAGE(T)     DEFINE_POOL(average_##T, T, 0, acc[k] + v, acc[k] / count)

DEFINE_MAX(float, -FLT_MAX)
DEFINE_MAX(double, -DBL_MAX)
DEFINE_MAX(int8_t, INT8_MIN)
DEFINE_MAX(int16_t, INT16_MIN)
DEFINE_MAX(int32_t, INT32_MIN)
DEFINE_MAX(int64_t, INT64_MIN)
DEFINE_MAX(uint8_t, 0)
DEFINE_MAX(uint16_t, 0)
DEFINE_AVERAGE(float)
DEFINE_AVERAGE(double)

typedef void (*body_fn)(int64_t begin, int64_t end, void *user);

typedef struct body_row {
    cnnf_dtype dtype;
    body_fn max, average;
} body_row;

static const body_row bodies[] = {
    {CNNF_FLOAT, max_float, average_float}, {CNNF_DOUBLE, max_double, average_double}, {CNNF_INT8, max_int8_t, NULL},
    {CNNF_INT16, max_int16_t, NULL},        {CNNF_INT32, max_int32_t, NULL},           {CNNF_INT64, max_int64_t, NULL},
    {CNNF_UINT8, max_uint8_t, NULL},        {CNNF_UINT16, max_uint16_t, NULL},
};

typedef struct image_job {
    const cnnfi_simd *simd;
    cnnfi_pooling pooling;
    const float *x;
    float *y;
} image_job;

static void image_rows(int64_t begin, int64_t end, void *user)
{
    const image_job *j = user;
    j->simd->pooling(&j->pooling, j->x, j->y, begin, end);
}

/* Float images with their channels last go through the vector code. */
static void run_images(cnnfi_call *call, const cnnfi_window *w, bool average)
{
    image_job j = {.simd = cnnfi_simd_best(), .x = call->inputs[0].data, .y = call->outputs[0].data};
    j.pooling = (cnnfi_pooling){.height = w->in[1],
                                .width = w->in[2],
                                .channels = w->in_channels,
                                .out_height = w->out[1],
                                .out_width = w->out[2],
                                .filter_y = w->filter[1],
                                .filter_x = w->filter[2],
                                .stride_y = w->stride[1],
                                .stride_x = w->stride[2],
                                .before_y = w->before[1],
                                .before_x = w->before[2],
                                .average = average};
    cnnfi_parallel_for(call->pool, w->batch * w->out[1], 1 + 16384 / (w->out[2] * w->in_channels), image_rows, &j);
}

static cnnf_status run_pool(cnnfi_call *call, bool average)
{
    pool p;
    CNNFI_TRY(cnnfi_window_pool(call, &p.w, call->inputs[0].rank - 2));
    cnnfi_window_layout(&p.w);
    p.x = call->inputs[0].data;
    p.y = call->outputs[0].data;
    if (call->outputs[0].count == 0) return CNNF_OK;
    if (call->inputs[0].dtype == CNNF_FLOAT && p.w.spatial == 2 && !p.w.channels_first) {
        run_images(call, &p.w, average);
        return CNNF_OK;
    }
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (bodies[i].dtype != call->inputs[0].dtype) continue;
        cnnfi_parallel_for(call->pool, p.w.batch * p.w.out[0] * p.w.out[1] * p.w.out[2], 64,
                           average ? bodies[i].average : bodies[i].max, &p);
    }
    return CNNF_OK;
}

static cnnf_status max_pool(cnnfi_call *call)
{
    return run_pool(call, false);
}

static cnnf_status average_pool(cnnfi_call *call)
{
    return run_pool(call, true);
}

static cnnf_status run_max(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, max_pool);
}

static cnnf_status run_average(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, average_pool);
}

/* ---- maxima and where they are ---- */

/* The first of equal maxima; a window without anything above the lowest number tells its first pixel. */
#define DEFINE_ARGMAX(T)                                                                                               \
    static int64_t argmax_##T(const cnnfi_window *w, const void *data, int64_t n, int64_t c, const int64_t *lo,        \
                              const int64_t *hi)                                                                       \
    {                                                                                                                  \
        const T *x = (const T *)data + n * w->in_strides[0] + c * w->in_strides[4];                                    \
        int64_t best = lo[1] * w->in_strides[2] + lo[2] * w->in_strides[3];                                            \
        for (int64_t i = lo[1]; i < hi[1]; i++) {                                                                      \
            for (int64_t j = lo[2]; j < hi[2]; j++) {                                                                  \
                int64_t at = i * w->in_strides[2] + j * w->in_strides[3];                                              \
                if (x[at] > x[best]) best = at;                                                                        \
            }                                                                                                          \
        }                                                                                                              \
        return best;                                                                                                   \
    }

DEFINE_ARGMAX(float)
DEFINE_ARGMAX(double)
DEFINE_ARGMAX(int32_t)
DEFINE_ARGMAX(int64_t)
DEFINE_ARGMAX(int8_t)
DEFINE_ARGMAX(int16_t)
DEFINE_ARGMAX(uint8_t)
DEFINE_ARGMAX(uint16_t)

typedef struct argmax_row {
    cnnf_dtype dtype;
    int64_t (*find)(const cnnfi_window *w, const void *data, int64_t n, int64_t c, const int64_t *lo,
                    const int64_t *hi);
} argmax_row;

static const argmax_row argmaxima[] = {
    {CNNF_FLOAT, argmax_float},   {CNNF_DOUBLE, argmax_double},   {CNNF_INT32, argmax_int32_t},
    {CNNF_INT64, argmax_int64_t}, {CNNF_INT8, argmax_int8_t},     {CNNF_INT16, argmax_int16_t},
    {CNNF_UINT8, argmax_uint8_t}, {CNNF_UINT16, argmax_uint16_t},
};

static void put_index(cnnfi_value *out, int64_t at, int64_t index)
{
    if (out->dtype == CNNF_INT32)
        ((int32_t *)out->data)[at] = (int32_t)index;
    else
        ((int64_t *)out->data)[at] = index;
}

static cnnf_status max_pool_argmax(cnnfi_call *call)
{
    cnnfi_window w;
    CNNFI_TRY(run_pool(call, false));
    CNNFI_TRY(cnnfi_window_pool(call, &w, 2));
    cnnfi_window_layout(&w);
    bool with_batch = cnnf_node_attr_bool(call->node, "include_batch_in_index", 0) != 0;
    const argmax_row *row = argmaxima;
    while (row->dtype != call->inputs[0].dtype)
        row++; /* max_scratch() took no other */
    for (int64_t i = 0; i < call->outputs[1].count; i++) {
        int64_t at[3], lo[3], hi[3], n = locate(&w, i / w.in_channels, at), c = i % w.in_channels;
        clip(&w, at, lo, hi);
        int64_t index = row->find(&w, call->inputs[0].data, n, c, lo, hi) + c;
        put_index(&call->outputs[1], i, with_batch ? index + n * w.in_strides[0] : index);
    }
    return CNNF_OK;
}

static cnnf_status run_argmax(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, max_pool_argmax);
}

/* Windows over channels (maxout) are not computed. */
static cnnf_status max_scratch(cnnfi_call *call)
{
    const cnnfi_value *x = &call->inputs[0], *y = &call->outputs[0];
    const int32_t channel = cnnfi_channel_axis(call, x->rank);
    if (x->dims[channel] != y->dims[channel]) return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "ksize over channels");
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        call->scratch_size = 0;
        if (bodies[i].dtype == y->dtype) return CNNF_OK;
    }
    return cnnfi_nn_scratch(call);
}

static const cnnfi_kernel kernels[] = {
    {"AvgPool", run_average, 0, cnnfi_nn_scratch}, {"AvgPool3D", run_average, 0, cnnfi_nn_scratch},
    {"MaxPool", run_max, 0, max_scratch},          {"MaxPool3D", run_max, 0, max_scratch},
    {"MaxPoolV2", run_max, 0, max_scratch},        {"MaxPoolWithArgmax", run_argmax, 0, max_scratch},
};

const cnnfi_kernel_family cnnfi_kernels_pooling = {"pooling", kernels, sizeof(kernels) / sizeof(kernels[0])};
