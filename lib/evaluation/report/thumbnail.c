/* SPDX-License-Identifier: Apache-2.0 */
/* From the floats of a batch to 8 bits, and from those to a PNG in a data: URI. */
#include "evaluation/report/thumbnail.h"

#include <math.h>
#include <string.h>

#include "base/context.h"

#if CNNFI_HAVE_IMAGES
#include <setjmp.h>

#include <png.h>
#endif

/* ---- the picture in a row of floats ---- */

typedef struct picture {
    const float *data;
    int64_t width, height, channels, at_x, at_y, at_c; /* strides in floats */
    int64_t shown;                                     /* channels drawn: 1 or 3 */
} picture;

static bool is_colour(int64_t channels)
{
    return channels == 1 || channels == 3 || channels == 4;
}

/* The side of a square of so many values; 0: it is none, or too large to be a flat picture. */
static int64_t square_side(int64_t count)
{
    int64_t side = 1;
    while (side < 1024 && side * side < count)
        side++;
    return side > 1 && side * side == count ? side : 0;
}

/* (H, W, C), (C, H, W), (H, W) or a flat square. */
static bool find_picture(picture *p, const cnnf_tensor *images, const cnnfi_pixels *pixels)
{
    int64_t d[4] = {0};
    const int32_t rank = cnnf_tensor_rank(images);
    for (int32_t i = 0; i < rank && i < 4; i++)
        d[i] = cnnf_tensor_dim(images, i);
    if (rank == 2) {
        const int64_t side = square_side(d[1]);
        *p = (picture){.width = side, .height = side, .channels = 1, .at_x = 1, .at_y = side};
    } else if (rank == 3) {
        *p = (picture){.width = d[2], .height = d[1], .channels = 1, .at_x = 1, .at_y = d[2]};
    } else if (rank == 4 && (pixels->known ? pixels->channels_first : !is_colour(d[3]) && is_colour(d[1]))) {
        *p = (picture){.width = d[3], .height = d[2], .channels = d[1], .at_x = 1, .at_y = d[3], .at_c = d[2] * d[3]};
    } else if (rank == 4) {
        *p = (picture){.width = d[2], .height = d[1], .channels = d[3], .at_x = d[3], .at_y = d[2] * d[3], .at_c = 1};
    } else {
        return false;
    }
    p->shown = p->channels >= 3 ? 3 : 1;
    return is_colour(p->channels) && p->width > 0 && p->height > 0 && p->width <= 1 << 16 && p->height <= 1 << 16;
}

/* ---- values to bytes ---- */

/* shown = value * by[c] + plus[c] */
typedef struct tone {
    double by[3], plus[3];
} tone;

/* Back to the values of the file. */
static tone file_tone(const cnnfi_pixels *pixels)
{
    tone t = {{1, 1, 1}, {0, 0, 0}};
    for (int c = 0; pixels->known && c < 3; c++) {
        t.by[c] = pixels->std[c] * pixels->scale;
        t.plus[c] = pixels->mean[c] * pixels->scale;
    }
    return t;
}

static void find_range(const picture *p, const tone *t, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t y = 0; y < p->height; y++) {
        for (int64_t i = 0; i < p->width * p->shown; i++) {
            const int64_t c = i % p->shown;
            const double v =
                (double)p->data[y * p->at_y + i / p->shown * p->at_x + c * p->at_c] * t->by[c] + t->plus[c];
            if (!isfinite(v)) continue;
            *low = v < *low ? v : *low;
            *high = v > *high ? v : *high;
        }
    }
}

/* low .. high of the file's values to 0 .. 255 */
static void stretch(tone *t, double low, double high)
{
    const double by = high > low ? 255 / (high - low) : 0;
    for (int c = 0; c < 3; c++) {
        t->by[c] *= by;
        t->plus[c] = (t->plus[c] - low) * by;
    }
}

/* The file's bytes where they are known, else the narrowest of the usual ranges that holds its values. */
static tone find_tone(const picture *p, const cnnfi_pixels *pixels)
{
    static const double usual[][2] = {{0, 1}, {-1, 1}, {0, 255}};
    const double rounding = 1e-3; /* of what was scaled and normalised in float32 */
    double low = 0, high = 0;
    tone t = file_tone(pixels);
    if (pixels->known && pixels->bytes) return t;
    find_range(p, &t, &low, &high);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (low < usual[i][0] - rounding || high > usual[i][1] + rounding) continue;
        stretch(&t, usual[i][0], usual[i][1]);
        return t;
    }
    stretch(&t, low, high);
    return t;
}

static uint8_t to_byte(double value)
{
    return value >= 255 ? 255 : value > 0 ? (uint8_t)lround(value) : 0; /* NaN is black */
}

/* The mean of the values that fall on a dot: [from, to) of each axis, never empty. */
static double average(const picture *p, int64_t x0, int64_t x1, int64_t y0, int64_t y1, int64_t c)
{
    double sum = 0;
    for (int64_t y = y0; y < y1; y++) {
        for (int64_t x = x0; x < x1; x++)
            sum += (double)p->data[y * p->at_y + x * p->at_x + c * p->at_c];
    }
    return sum / (double)((x1 - x0) * (y1 - y0));
}

static int32_t dots(int64_t side, int64_t longest)
{
    if (longest <= CNNFI_THUMBNAIL_SIDE) return (int32_t)side;
    const int64_t scaled = (side * CNNFI_THUMBNAIL_SIDE + longest / 2) / longest;
    return scaled < 1 ? 1 : (int32_t)scaled;
}

static void draw(cnnfi_thumbnail *out, const picture *p, const tone *t)
{
    uint8_t *to = out->pixels;
    for (int64_t y = 0; y < out->height; y++) {
        const int64_t y0 = y * p->height / out->height, y1 = (y + 1) * p->height / out->height;
        for (int64_t x = 0; x < out->width; x++) {
            const int64_t x0 = x * p->width / out->width, x1 = (x + 1) * p->width / out->width;
            for (int64_t c = 0; c < out->channels; c++)
                *to++ = to_byte(average(p, x0, x1 > x0 ? x1 : x0 + 1, y0, y1 > y0 ? y1 : y0 + 1, c) * t->by[c] +
                                t->plus[c]);
        }
    }
}

bool cnnfi_thumbnail_make(cnnfi_thumbnail *out, cnnf_context *context, const cnnf_tensor *images, int64_t row,
                          const cnnfi_pixels *pixels)
{
    picture p = {0};
    *out = (cnnfi_thumbnail){0};
    if (!images || !find_picture(&p, images, pixels)) return true;
    p.data = (const float *)cnnf_tensor_data(images) +
             row * (cnnf_tensor_element_count(images) / cnnf_tensor_dim(images, 0));
    if (pixels->bgr && p.channels == 3) { /* from the last channel to the first */
        p.data += 2 * p.at_c;
        p.at_c = -p.at_c;
    }
    const int64_t longest = p.width > p.height ? p.width : p.height;
    out->width = dots(p.width, longest);
    out->height = dots(p.height, longest);
    out->channels = (int32_t)p.shown;
    out->pixels = cnnfi_array(context, (size_t)out->width * (size_t)out->height, (size_t)out->channels);
    if (!out->pixels) return false;
    const tone t = find_tone(&p, pixels);
    draw(out, &p, &t);
    return true;
}

/* ---- PNG ---- */

#if CNNFI_HAVE_IMAGES
/* Lives outside the frame that setjmp returns to. */
typedef struct encoder {
    cnnfi_strbuf bytes;
    jmp_buf jump;
    png_structp png;
    png_infop info;
} encoder;

static void png_failed(png_structp png, png_const_charp message)
{
    encoder *e = png_get_error_ptr(png);
    (void)message;
    e->bytes.failed = true;
    longjmp(e->jump, 1);
}

static void png_warned(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static png_voidp png_alloc(png_structp png, png_alloc_size_t size)
{
    return cnnfi_malloc(((encoder *)png_get_mem_ptr(png))->bytes.context, size);
}

static void png_release(png_structp png, png_voidp pointer)
{
    cnnfi_free(((encoder *)png_get_mem_ptr(png))->bytes.context, pointer);
}

static void png_give(png_structp png, png_bytep bytes, size_t size)
{
    cnnfi_strbuf_add(&((encoder *)png_get_io_ptr(png))->bytes, bytes, size);
}

static void png_flush_nothing(png_structp png)
{
    (void)png;
}

static void encode(encoder *e, const cnnfi_thumbnail *t)
{
    e->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, e, png_failed, png_warned, e, png_alloc, png_release);
    e->info = e->png ? png_create_info_struct(e->png) : NULL;
    if (!e->info) {
        e->bytes.failed = true;
        return;
    }
    png_set_write_fn(e->png, e, png_give, png_flush_nothing);
    png_set_IHDR(e->png, e->info, (png_uint_32)t->width, (png_uint_32)t->height, 8,
                 t->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(e->png, e->info);
    for (int32_t y = 0; y < t->height; y++)
        png_write_row(e->png, t->pixels + (size_t)y * (size_t)t->width * (size_t)t->channels);
    png_write_end(e->png, NULL);
}

/* The frame that libpng's errors jump back to. */
static void encode_guarded(encoder *e, const cnnfi_thumbnail *t)
{
    if (!setjmp(e->jump)) encode(e, t);
}

static void put_base64(cnnfi_strbuf *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const uint32_t left = (uint32_t)(size - i);
        const uint32_t three =
            (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        const char four[4] = {digits[three >> 18], digits[three >> 12 & 63], left > 1 ? digits[three >> 6 & 63] : '=',
                              left > 2 ? digits[three & 63] : '='};
        cnnfi_strbuf_add(out, four, sizeof four);
    }
}

bool cnnfi_thumbnail_put(cnnfi_strbuf *out, const cnnfi_thumbnail *thumbnail)
{
    encoder e;
    if (!thumbnail->pixels) return false;
    memset(&e, 0, sizeof e);
    cnnfi_strbuf_init(&e.bytes, out->context);
    encode_guarded(&e, thumbnail);
    png_destroy_write_struct(&e.png, &e.info);
    if (e.bytes.failed) {
        out->failed = true;
    } else {
        cnnfi_strbuf_puts(out, "data:image/png;base64,");
        put_base64(out, (const uint8_t *)e.bytes.data, e.bytes.size);
    }
    cnnfi_strbuf_free(&e.bytes);
    return true;
}
#else
bool cnnfi_thumbnail_put(cnnfi_strbuf *out, const cnnfi_thumbnail *thumbnail)
{
    (void)out;
    (void)thumbnail;
    return false;
}
#endif
