/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions of any format, stride, dilation, padding and grouping: the general form, one output
 * pixel at a time with the output channels side by side. Whatever is hot is taken over by fused steps.
 */
#include <string.h>

#include "evaluator/kernels/nn.h"
#include "ops/convolution.h"

/* Output channels summed at once. */
#define BLOCK 64

typedef struct conv {
    cnnfi_window w;
    int64_t filter_in, multiplier; /* channels of one group; depthwise: outputs per channel */
    const void *x, *f;
    void *y;
} conv;

/* Where an output pixel, a running number over batch and space, lies. */
typedef struct pixel {
    int64_t n, at[3];
} pixel;

static pixel pixel_of(int64_t index, const int64_t *size)
{
    pixel p;
    p.at[2] = index % size[2];
    index /= size[2];
    p.at[1] = index % size[1];
    index /= size[1];
    p.at[0] = index % size[0];
    p.n = index / size[0];
    return p;
}

/* The input offset a tap of the window reads for pixel p; false in the padding. */
static bool tap_offset(const cnnfi_window *w, const pixel *p, const int64_t *tap, int64_t *offset)
{
    *offset = p->n * w->in_strides[0];
    for (int32_t i = 0; i < 3; i++) {
        int64_t at = p->at[i] * w->stride[i] - w->before[i] + tap[i] * w->dilation[i];
        if (at < 0 || at >= w->in[i]) return false;
        *offset += at * w->in_strides[i + 1];
    }
    return true;
}

/* The output pixel from which a tap of a transposed convolution comes; false when there is none. */
static bool back_offset(const cnnfi_window *w, const pixel *p, const int64_t *tap, int64_t *offset)
{
    *offset = p->n * w->out_strides[0];
    for (int32_t i = 0; i < 3; i++) {
        int64_t at = p->at[i] + w->before[i] - tap[i] * w->dilation[i];
        if (at < 0 || at % w->stride[i] != 0 || at / w->stride[i] >= w->out[i]) return false;
        *offset += at / w->stride[i] * w->out_strides[i + 1];
    }
    return true;
}

static int64_t pixel_offset(const pixel *p, const int64_t *strides)
{
    return p->n * strides[0] + p->at[0] * strides[1] + p->at[1] * strides[2] + p->at[2] * strides[3];
}

/* Walks the taps of a window. */
static bool next_tap(const cnnfi_window *w, int64_t *tap)
{
    for (int32_t i = 2; i >= 0; i--) {
        if (++tap[i] < w->filter[i]) return true;
        tap[i] = 0;
    }
    return false;
}

#define DEFINE_CONV(T)                                                                                                 \
    /* y[block of channels] += x[channels of the group] . f[channels of the group][block] */                           \
    static void tap_##T(T *acc, const T *x, int64_t x_stride, const T *f, int64_t n_in, int64_t n_out, int64_t block)  \
    {                                                                                                                  \
        for (int64_t c = 0; c < n_in; c++, f += n_out) {                                                               \
            const T v = x[c * x_stride];                                                                               \
            for (int64_t k = 0; k < block; k++)                                                                        \
                acc[k] += v * f[k];                                                                                    \
        }                                                                                                              \
    }                                                                                                                  \
    static void block_##T(const conv *c, const pixel *p, int64_t first, int64_t block, int64_t group)                  \
    {                                                                                                                  \
        const cnnfi_window *w = &c->w;                                                                                 \
        const T *f = (const T *)c->f + first, *x = (const T *)c->x + group * c->filter_in * w->in_strides[4];          \
        T acc[BLOCK] = {0}, *y = (T *)c->y + pixel_offset(p, w->out_strides);                                          \
        int64_t tap[3] = {0}, offset;                                                                                  \
        do {                                                                                                           \
            if (tap_offset(w, p, tap, &offset)) {                                                                      \
                tap_##T(acc, x + offset, w->in_strides[4], f, c->filter_in, w->out_channels, block);                   \
            }                                                                                                          \
            f += c->filter_in * w->out_channels;                                                                       \
        } while (next_tap(w, tap));                                                                                    \
        for (int64_t k = 0; k < block; k++)                                                                            \
            y[(first + k) * w->out_strides[4]] = acc[k];                                                               \
    }                                                                                                                  \
    static void conv_##T(int64_t begin, int64_t end, void *user)                                                       \
    {                                                                                                                  \
        const conv *c = user;                                                                                          \
        int64_t groups = c->filter_in > 0 ? c->w.in_channels / c->filter_in : 1, size = c->w.out_channels / groups;    \
        for (int64_t i = begin; i < end; i++) {                                                                        \
            pixel p = pixel_of(i, c->w.out);                                                                           \
            for (int64_t g = 0; g < groups; g++) {                                                                     \
                for (int64_t k = 0; k < size; k += BLOCK) {                                                            \
                    block_##T(c, &p, g *size + k, cnnfi_min_i64(BLOCK, size - k), g);                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void depth_block_##T(const conv *c, const pixel *p, int64_t first, int64_t block)                           \
    {                                                                                                                  \
        const cnnfi_window *w = &c->w;                                                                                 \
        const T *f = (const T *)c->f + first;                                                                          \
        T acc[BLOCK] = {0}, *y = (T *)c->y + pixel_offset(p, w->out_strides);                                          \
        int64_t tap[3] = {0}, offset;                                                                                  \
        do {                                                                                                           \
            if (tap_offset(w, p, tap, &offset)) {                                                                      \
                const T *x = (const T *)c->x + offset;                                                                 \
                for (int64_t k = 0; k < block; k++)                                                                    \
                    acc[k] += x[(first + k) / c->multiplier * w->in_strides[4]] * f[k];                                \
            }                                                                                                          \
            f += w->out_channels;                                                                                      \
        } while (next_tap(w, tap));                                                                                    \
        for (int64_t k = 0; k < block; k++)                                                                            \
            y[(first + k) * w->out_strides[4]] = acc[k];                                                               \
    }                                                                                                                  \
    static void depthwise_##T(int64_t begin, int64_t end, void *user)                                                  \
    {                                                                                                                  \
        const conv *c = user;                                                                                          \
        for (int64_t i = begin; i < end; i++) {                                                                        \
            pixel p = pixel_of(i, c->w.out);                                                                           \
            for (int64_t k = 0; k < c->w.out_channels; k += BLOCK) {                                                   \
                depth_block_##T(c, &p, k, cnnfi_min_i64(BLOCK, c->w.out_channels - k));                                \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    /* One pixel of the gradient: what every window that covered it sends back. */                                     \
    static void back_block_##T(const conv *c, const pixel *p, int64_t first, int64_t block, int64_t group)             \
    {                                                                                                                  \
        const cnnfi_window *w = &c->w;                                                                                 \
        int64_t groups = w->in_channels / c->filter_in, size = w->out_channels / groups, tap[3] = {0}, offset;         \
        const T *f = (const T *)c->f + first * w->out_channels + group * size;                                         \
        const T *dy = (const T *)c->x + group * size * w->out_strides[4];                                              \
        T acc[BLOCK] = {0}, *y = (T *)c->y + pixel_offset(p, w->in_strides);                                           \
        do {                                                                                                           \
            for (int64_t o = 0; o < size && back_offset(w, p, tap, &offset); o++) {                                    \
                const T v = dy[offset + o * w->out_strides[4]];                                                        \
                for (int64_t k = 0; k < block; k++)                                                                    \
                    acc[k] += v * f[k * w->out_channels + o];                                                          \
            }                                                                                                          \
            f += c->filter_in * w->out_channels;                                                                       \
        } while (next_tap(w, tap));                                                                                    \
        for (int64_t k = 0; k < block; k++)                                                                            \
            y[(group * c->filter_in + first + k) * w->in_strides[4]] = acc[k];                                         \
    }                                                                                                                  \
    static void back_##T(int64_t begin, int64_t end, void *user)                                                       \
    {                                                                                                                  \
        const conv *c = user;                                                                                          \
        int64_t groups = c->filter_in > 0 ? c->w.in_channels / c->filter_in : 0;                                       \
        for (int64_t i = begin; i < end; i++) {                                                                        \
            pixel p = pixel_of(i, c->w.in);                                                                            \
            for (int64_t g = 0; g < groups; g++) {                                                                     \
                for (int64_t k = 0; k < c->filter_in; k += BLOCK) {                                                    \
                    back_block_##T(c, &p, k, cnnfi_min_i64(BLOCK, c->filter_in - k), g);                               \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#define DEFINE_DEPTHWISE_BACK(T)                                                                                       \
    static void depthwise_back_##T(int64_t begin, int64_t end, void *user)                                             \
    {                                                                                                                  \
        const conv *c = user;                                                                                          \
        const cnnfi_window *w = &c->w;                                                                                 \
        for (int64_t i = begin; i < end; i++) {                                                                        \
            pixel p = pixel_of(i, w->in);                                                                              \
            int64_t tap[3] = {0}, offset;                                                                              \
            T *y = (T *)c->y + pixel_offset(&p, w->in_strides);                                                        \
            const T *f = c->f;                                                                                         \
            for (int64_t k = 0; k < w->in_channels; k++)                                                               \
                y[k * w->in_strides[4]] = 0;                                                                           \
            do {                                                                                                       \
                if (back_offset(w, &p, tap, &offset)) {                                                                \
                    const T *dy = (const T *)c->x + offset;                                                            \
                    for (int64_t k = 0; k < w->out_channels; k++) {                                                    \
                        y[k / c->multiplier * w->in_strides[4]] += dy[k * w->out_strides[4]] * f[k];                   \
                    }                                                                                                  \
                }                                                                                                      \
                f += w->out_channels;                                                                                  \
            } while (next_tap(w, tap));                                                                                \
        }                                                                                                              \
    }

DEFINE_CONV(float)
DEFINE_CONV(double)
DEFINE_DEPTHWISE_BACK(float)
DEFINE_DEPTHWISE_BACK(double)

typedef void (*body_fn)(int64_t begin, int64_t end, void *user);

static cnnf_status run_body(cnnfi_call *call, conv *c, int64_t pixels, body_fn single, body_fn twice)
{
    if (call->outputs[0].count == 0) return CNNF_OK;
    cnnfi_window_layout(&c->w);
    c->x = call->inputs[call->n_inputs == 3 ? 2 : 0].data;
    c->f = call->inputs[1].data;
    c->y = call->outputs[0].data;
    cnnfi_parallel_for(call->pool, pixels, 16, call->outputs[0].dtype == CNNF_DOUBLE ? twice : single, c);
    return CNNF_OK;
}

static cnnf_status forward(cnnfi_call *call, int32_t spatial)
{
    conv c = {0};
    CNNFI_TRY(cnnfi_convolution(call, &c.w, spatial, &call->inputs[0], &call->inputs[1]));
    c.filter_in = call->inputs[1].dims[spatial];
    return run_body(call, &c, c.w.batch * c.w.out[0] * c.w.out[1] * c.w.out[2], conv_float, conv_double);
}

static cnnf_status forward2(cnnfi_call *call)
{
    return forward(call, 2);
}

static cnnf_status forward3(cnnfi_call *call)
{
    return forward(call, 3);
}

static cnnf_status forward_depthwise(cnnfi_call *call)
{
    conv c = {0};
    CNNFI_TRY(cnnfi_convolution_depthwise(call, &c.w, &call->inputs[0], &call->inputs[1]));
    c.multiplier = call->inputs[1].dims[3];
    return run_body(call, &c, c.w.batch * c.w.out[1] * c.w.out[2], depthwise_float, depthwise_double);
}

static cnnf_status run_conv2d(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, forward2);
}

static cnnf_status run_conv3d(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, forward3);
}

static cnnf_status run_depthwise(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, forward_depthwise);
}

/* ---- transposed: inputs are the output's sizes, the filter, the data ---- */

static cnnf_status back(cnnfi_call *call, int32_t spatial)
{
    conv c = {0};
    CNNFI_TRY(cnnfi_convolution_back(call, &c.w, spatial));
    c.filter_in = call->inputs[1].dims[spatial];
    return run_body(call, &c, c.w.batch * c.w.in[0] * c.w.in[1] * c.w.in[2], back_float, back_double);
}

static cnnf_status depthwise_back(cnnfi_call *call)
{
    conv c = {0};
    CNNFI_TRY(cnnfi_convolution_back(call, &c.w, 2));
    c.multiplier = call->inputs[1].dims[3];
    return run_body(call, &c, c.w.batch * c.w.in[1] * c.w.in[2], depthwise_back_float, depthwise_back_double);
}

static cnnf_status run_depthwise_back(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, depthwise_back);
}

static cnnf_status back2(cnnfi_call *call)
{
    return back(call, 2);
}

static cnnf_status back3(cnnfi_call *call)
{
    return back(call, 3);
}

static cnnf_status run_back2(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, back2);
}

static cnnf_status run_back3(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, back3);
}

static const cnnfi_kernel kernels[] = {
    {"Conv2D", run_conv2d, CNNFI_OP_PRODUCT, cnnfi_nn_scratch},
    {"Conv2DBackpropInput", run_back2, CNNFI_OP_PRODUCT, cnnfi_nn_scratch},
    {"Conv3D", run_conv3d, CNNFI_OP_PRODUCT, cnnfi_nn_scratch},
    {"Conv3DBackpropInputV2", run_back3, CNNFI_OP_PRODUCT, cnnfi_nn_scratch},
    {"DepthwiseConv2dNative", run_depthwise, CNNFI_OP_PRODUCT, cnnfi_nn_scratch},
    {"DepthwiseConv2dNativeBackpropInput", run_depthwise_back, CNNFI_OP_PRODUCT, cnnfi_nn_scratch},
};

const cnnfi_kernel_family cnnfi_kernels_conv = {"convolution", kernels, sizeof(kernels) / sizeof(kernels[0])};
