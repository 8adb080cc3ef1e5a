/* SPDX-License-Identifier: Apache-2.0 */
/* A picture to the size, the part and the channels that a network wants: whose resizing, and what is cut away. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "evaluation/dataset/image.h"

const char *const cnnfi_resize_names[CNNFI_RESIZE_COUNT] = {"area",    "nearest", "box",        "bilinear",   "hamming",
                                                            "bicubic", "lanczos", "tf_nearest", "tf_bilinear"};
const char *const cnnfi_crop_names[CNNFI_CROP_COUNT] = {"none", "aspect", "center"};

/* Pixels before they are resized: [height][width][channels]. */
typedef struct raster {
    const uint8_t *pixels;
    int32_t width, height, channels;
} raster;

/* ---- grey ---- */

/* Pillow's convert("L"): ITU-R 601 in 16 bits. */
static uint8_t *to_gray(const cnnfi_image *image)
{
    const size_t n = (size_t)image->width * (size_t)image->height;
    uint8_t *gray = cnnfi_malloc(image->context, n);
    const uint8_t *rgb = image->pixels;
    for (size_t i = 0; gray && i < n; i++, rgb += 3)
        gray[i] = (uint8_t)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
    return gray;
}

/* ---- boxes ---- */

/* As load_img() reckons it, in whole numbers. */
static cnnfi_box aspect_box(int32_t width, int32_t height, int32_t to_width, int32_t to_height)
{
    const int64_t tall = (int64_t)width * to_height / to_width, wide = (int64_t)height * to_width / to_height;
    cnnfi_box box = {.width = width, .height = height};
    if (tall < height) box.height = tall > 0 ? (int32_t)tall : 1;
    if (wide < width) box.width = wide > 0 ? (int32_t)wide : 1;
    box.x = (width - box.width) / 2;
    box.y = (height - box.height) / 2;
    return box;
}

/* The size whose middle is cut out: the side that fits tighter becomes 8/7 of what is wanted. */
static cnnf_status center_size(const cnnfi_image *image, int32_t width, int32_t height, cnnfi_box *out,
                               cnnf_error *error)
{
    int64_t to_width = lround(width * 8.0 / 7.0), to_height = lround(height * 8.0 / 7.0);
    if ((int64_t)image->width * height <= (int64_t)image->height * width)
        to_height = to_width * image->height / image->width;
    else
        to_width = to_height * image->width / image->height;
    to_width = to_width < width ? width : to_width;
    to_height = to_height < height ? height : to_height;
    CNNFI_TRY(cnnfi_check_limit(image->context, CNNF_LIMIT_PIXELS, (uint64_t)(to_width * to_height),
                                "an image before its middle is cut out", error));
    *out = (cnnfi_box){.width = (int32_t)to_width, .height = (int32_t)to_height};
    return CNNF_OK;
}

/* ---- TensorFlow's, in floats ---- */

typedef struct tap {
    int32_t low, high;
    float share; /* of high */
} tap;

/* Half pixel centers (tensorflow/core/kernels/image/resize_bilinear_op.cc). */
static tap tf_tap(int32_t i, int32_t from, int32_t to)
{
    const float at = ((float)i + 0.5f) * ((float)from / (float)to) - 0.5f, floor_at = floorf(at);
    const int32_t low = (int32_t)floor_at, high = (int32_t)ceilf(at);
    return (tap){low < 0 ? 0 : low, high > from - 1 ? from - 1 : high, at - floor_at};
}

static int32_t tf_nearest(int32_t i, int32_t from, int32_t to)
{
    const int32_t at = (int32_t)floorf(((float)i + 0.5f) * ((float)from / (float)to));
    return at > from - 1 ? from - 1 : at;
}

static float mix(const uint8_t *row, tap x, int32_t channels, int32_t c)
{
    const float low = row[x.low * channels + c], high = row[x.high * channels + c];
    return low + (high - low) * x.share;
}

/* The box of `in` to out [height][width][channels]. */
static void tf_resize(const raster *in, bool linear, cnnfi_box box, int32_t width, int32_t height, float *out)
{
    const size_t row = (size_t)in->width * (size_t)in->channels;
    const uint8_t *corner = in->pixels + (size_t)box.y * row + (size_t)box.x * (size_t)in->channels;
    for (int32_t j = 0; j < height; j++) {
        const int32_t near_y = tf_nearest(j, box.height, height);
        const tap y = linear ? tf_tap(j, box.height, height) : (tap){near_y, near_y, 0};
        const uint8_t *low = corner + (size_t)y.low * row, *high = corner + (size_t)y.high * row;
        for (int32_t i = 0; i < width; i++) {
            const int32_t near_x = tf_nearest(i, box.width, width);
            const tap x = linear ? tf_tap(i, box.width, width) : (tap){near_x, near_x, 0};
            for (int32_t c = 0; c < in->channels; c++) {
                const float top = mix(low, x, in->channels, c), bottom = mix(high, x, in->channels, c);
                *out++ = top + (bottom - top) * y.share;
            }
        }
    }
}

/* ---- one size ---- */

/* OpenCV's, of a part: the part is copied out, and turns grey afterwards. */
static cnnf_status area_resize(const cnnfi_image *image, cnnfi_box box, int32_t width, int32_t height, int32_t channels,
                               uint8_t *out, cnnf_error *error)
{
    const size_t from = (size_t)image->width * 3, to = (size_t)box.width * 3;
    cnnfi_image part = *image;
    if (box.width == image->width && box.height == image->height)
        return cnnfi_image_resize(image, width, height, channels, out, error);
    part.width = box.width;
    part.height = box.height;
    part.pixels = cnnfi_array(image->context, (size_t)box.height, to);
    if (!part.pixels) return cnnfi_fail_nomem(error);
    for (int32_t y = 0; y < box.height; y++)
        memcpy(part.pixels + (size_t)y * to, image->pixels + (size_t)(box.y + y) * from + (size_t)box.x * 3, to);
    const cnnf_status status = cnnfi_image_resize(&part, width, height, channels, out, error);
    cnnfi_free(image->context, part.pixels);
    return status;
}

/* The box to out [height][width][channels], by whichever library's way. */
static cnnf_status resize_box(const cnnfi_image *image, const raster *in, cnnfi_resize resize, cnnfi_box box,
                              int32_t width, int32_t height, int32_t channels, float *out, cnnf_error *error)
{
    const size_t n = (size_t)width * (size_t)height * (size_t)channels;
    if (resize >= CNNFI_RESIZE_TF_NEAREST) {
        tf_resize(in, resize == CNNFI_RESIZE_TF_BILINEAR, box, width, height, out);
        return CNNF_OK;
    }
    uint8_t *bytes = cnnfi_malloc(image->context, n);
    if (!bytes) return cnnfi_fail_nomem(error);
    const cnnf_status status = resize == CNNFI_RESIZE_AREA
                                   ? area_resize(image, box, width, height, channels, bytes, error)
                                   : cnnfi_image_filter(image->context, resize, in->pixels, in->width, in->height,
                                                        channels, box, width, height, bytes, error);
    for (size_t i = 0; status == CNNF_OK && i < n; i++)
        out[i] = bytes[i];
    cnnfi_free(image->context, bytes);
    return status;
}

/* Larger than wanted, then the middle (halves to even, as Python rounds). */
static cnnf_status resize_center(const cnnfi_image *image, const raster *in, cnnfi_resize resize, int32_t width,
                                 int32_t height, int32_t channels, float *out, cnnf_error *error)
{
    const cnnfi_box whole = {.width = in->width, .height = in->height};
    cnnfi_box size;
    CNNFI_TRY(center_size(image, width, height, &size, error));
    const size_t line = (size_t)width * (size_t)channels, big_line = (size_t)size.width * (size_t)channels;
    float *big =
        cnnfi_array(image->context, (size_t)size.height, big_line * sizeof(*big)); /* [height][width][channels] */
    if (!big) return cnnfi_fail_nomem(error);
    const cnnf_status status = resize_box(image, in, resize, whole, size.width, size.height, channels, big, error);
    const size_t x = (size_t)lrint((size.width - width) / 2.0), y = (size_t)lrint((size.height - height) / 2.0);
    for (size_t j = 0; status == CNNF_OK && j < (size_t)height; j++)
        memcpy(out + j * line, big + (y + j) * big_line + x * (size_t)channels, line * sizeof(*out));
    cnnfi_free(image->context, big);
    return status;
}

cnnf_status cnnfi_image_fit(const cnnfi_image *image, cnnfi_resize resize, cnnfi_crop crop, int32_t width,
                            int32_t height, int32_t channels, float *out, cnnf_error *error)
{
    raster in = {image->pixels, image->width, image->height, channels};
    uint8_t *gray = NULL;
    if (channels == 1 && resize != CNNFI_RESIZE_AREA) {
        in.pixels = gray = to_gray(image);
        if (!gray) return cnnfi_fail_nomem(error);
    }
    const cnnfi_box whole = {.width = in.width, .height = in.height};
    const cnnfi_box box = crop == CNNFI_CROP_ASPECT ? aspect_box(in.width, in.height, width, height) : whole;
    const cnnf_status status = crop == CNNFI_CROP_CENTER
                                   ? resize_center(image, &in, resize, width, height, channels, out, error)
                                   : resize_box(image, &in, resize, box, width, height, channels, out, error);
    cnnfi_free(image->context, gray);
    return status;
}
