/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pixels as files have them to pixels as networks want them, in Keras' order: transposed, scaled, channels turned,
 * normalised, and last brought to the front. All in float32, one rounding a step, as NumPy does it.
 */
#include <string.h>

#include "base/context.h"
#include "evaluation/dataset/dataset.h"

/* One example: in [columns][rows][channels], out [rows][columns][channels] */
static void transpose(const float *in, int64_t rows, int64_t columns, int64_t channels, float *out)
{
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++, out += channels)
            memcpy(out, in + (x * rows + y) * channels, (size_t)channels * sizeof(*out));
}

static void transpose_example(const cnnf_dataset *d, const float *in, float *out)
{
    transpose(in, d->dims[0], d->dims[1], d->width / (d->dims[0] * d->dims[1]), out);
}

/* One example from (..., C) to (C, ...). */
static void channels_to_front(const cnnf_dataset *d, const float *in, float *out)
{
    const int64_t channels = d->dims[d->rank - 1], pixels = d->width / channels;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < channels; c++)
            out[c * pixels + p] = in[p * channels + c];
}

/* Each of n examples through a copy. */
static cnnf_status rearrange(const cnnf_dataset *d, float *pixels, int64_t n,
                             void (*one)(const cnnf_dataset *d, const float *in, float *out), cnnf_error *error)
{
    float *copy = cnnfi_array(d->context, (size_t)d->width, sizeof(*copy)); /* [width] */
    if (!copy) return cnnfi_fail_nomem(error);
    for (int64_t i = 0; i < n; i++, pixels += d->width) {
        memcpy(copy, pixels, (size_t)d->width * sizeof(*copy));
        one(d, copy, pixels);
    }
    cnnfi_free(d->context, copy);
    return CNNF_OK;
}

static void scale(const cnnf_dataset *d, float *pixels, int64_t n)
{
    const double wanted = d->options.scale;
    const float by = (float)(wanted < 0 || wanted > 0 ? wanted : d->default_scale);
    if (by < 1 || by > 1)
        for (int64_t i = 0; i < n; i++)
            pixels[i] /= by;
}

/* [n][3]: RGB to BGR */
static void turn_order(float *pixels, int64_t n)
{
    for (float *end = pixels + n * 3; pixels < end; pixels += 3) {
        const float red = pixels[0];
        pixels[0] = pixels[2];
        pixels[2] = red;
    }
}

/* Every channels-th pixel. */
static void normalize(float *pixels, int64_t n, int32_t channels, double mean, double std)
{
    const float minus = (float)mean, by = (float)std;
    if (minus < 0 || minus > 0)
        for (int64_t i = 0; i < n; i += channels)
            pixels[i] -= minus;
    if (by < 1 || by > 1)
        for (int64_t i = 0; i < n; i += channels)
            pixels[i] /= by;
}

cnnf_status cnnfi_dataset_prepare(const cnnf_dataset *d, float *pixels, int64_t n, cnnf_error *error)
{
    const struct cnnf_dataset_options *o = &d->options;
    const int64_t all = n * d->width;
    if (o->transpose && d->rank > 1) CNNFI_TRY(rearrange(d, pixels, n, transpose_example, error));
    scale(d, pixels, all);
    if (o->bgr) turn_order(pixels, all / 3);
    for (int32_t c = 0; c < o->n_normal; c++)
        normalize(pixels + c, all - c, o->n_normal, o->mean[c], o->std[c]);
    const bool deep = d->rank > 1 && d->dims[d->rank - 1] > 1 && d->dims[d->rank - 1] < d->width;
    return o->channels_first && deep ? rearrange(d, pixels, n, channels_to_front, error) : CNNF_OK;
}
