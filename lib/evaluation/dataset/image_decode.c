/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures out of memory: libpng and libjpeg behind one function, with their jumps kept in here. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/source.h"
#include "evaluation/dataset/image.h"

#if CNNFI_HAVE_IMAGES
#include <setjmp.h>

#include <jpeglib.h>
#include <jerror.h>
#include <png.h>

#define MAX_SCANS 256 /* a progressive JPEG of thousands of scans is a bomb */

/* What both decoders need; lives outside the frame that setjmp returns to. */
typedef struct decoder {
    cnnf_context *context;
    cnnfi_image *out;
    const uint8_t *data;
    size_t size, at;
    const char *path;
    cnnf_error *error;
    cnnf_status status;
    bool fast;    /* JPEG: the quicker transform, which TensorFlow takes */
    bool starved; /* an allocation of theirs failed: their messages call that a bad file */
    jmp_buf jump;
    png_structp png;
    png_infop info;
    png_bytep *rows;
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr jpeg_errors;
    struct jpeg_progress_mgr jpeg_progress;
    size_t reserved; /* for what libjpeg allocates by itself */
} decoder;

/* Room for the picture, after the limit. */
static bool make_room(decoder *d, uint64_t width, uint64_t height)
{
    d->status = width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX
                    ? cnnfi_fail(d->error, CNNF_E_CORRUPT, "%s: image: %llu x %llu pixels", d->path,
                                 (unsigned long long)width, (unsigned long long)height)
                    : CNNF_OK;
    if (d->status != CNNF_OK) return false;
    uint64_t allowed = cnnfi_limit(d->context, CNNF_LIMIT_PIXELS);
    if (width > allowed / height) {
        d->status = cnnfi_fail(d->error, CNNF_E_LIMIT, "%s: %llu x %llu pixels exceeds %s %llu", d->path,
                               (unsigned long long)width, (unsigned long long)height,
                               cnnf_limit_name(CNNF_LIMIT_PIXELS), (unsigned long long)allowed);
        return false;
    }
    d->out->width = (int32_t)width;
    d->out->height = (int32_t)height;
    d->out->pixels = cnnfi_array(d->context, (size_t)(width * height), 3);
    if (!d->out->pixels) d->status = cnnfi_fail_nomem(d->error);
    return d->status == CNNF_OK;
}

static void fail_decoder(decoder *d, const char *format, const char *what)
{
    if (d->status != CNNF_OK) return;
    d->status = d->starved ? cnnfi_fail_nomem(d->error)
                           : cnnfi_fail(d->error, CNNF_E_CORRUPT, "%s: %s: %s", d->path, format, what);
}

/* ---- PNG ---- */

static void png_failed(png_structp png, png_const_charp message)
{
    decoder *d = png_get_error_ptr(png);
    fail_decoder(d, "PNG", message);
    longjmp(d->jump, 1);
}

static void png_warned(png_structp png, png_const_charp message)
{
}

static png_voidp png_alloc(png_structp png, png_alloc_size_t size)
{
    decoder *d = png_get_mem_ptr(png);
    void *block = cnnfi_malloc(d->context, size);
    d->starved = d->starved || !block;
    return block;
}

static void png_release(png_structp png, png_voidp pointer)
{
    const decoder *d = png_get_mem_ptr(png);
    cnnfi_free(d->context, pointer);
}

static void png_take(png_structp png, png_bytep to, size_t size)
{
    decoder *d = png_get_io_ptr(png);
    if (size > d->size - d->at) png_error(png, "the file ends early");
    memcpy(to, d->data + d->at, size);
    d->at += size;
}

/* Whatever the file has becomes 8-bit RGB; alpha is dropped, as cv2.imread drops it. */
static void png_configure(decoder *d)
{
    png_set_expand(d->png);
    png_set_strip_16(d->png);
    png_set_strip_alpha(d->png);
    png_set_gray_to_rgb(d->png);
    png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
    if (png_get_rowbytes(d->png, d->info) != (size_t)d->out->width * 3) png_error(d->png, "unexpected row size");
}

static void decode_png(decoder *d)
{
    d->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, d, png_failed, png_warned, d, png_alloc, png_release);
    d->info = d->png ? png_create_info_struct(d->png) : NULL;
    if (!d->info) {
        d->status = cnnfi_fail_nomem(d->error);
        return;
    }
    png_set_read_fn(d->png, d, png_take);
    png_set_chunk_malloc_max(d->png, 8000000);
    png_read_info(d->png, d->info);
    if (!make_room(d, png_get_image_width(d->png, d->info), png_get_image_height(d->png, d->info))) return;
    d->out->gray = !(png_get_color_type(d->png, d->info) & PNG_COLOR_MASK_COLOR);
    png_configure(d);
    d->rows = cnnfi_array(d->context, (size_t)d->out->height, sizeof(*d->rows));
    if (!d->rows) {
        d->status = cnnfi_fail_nomem(d->error);
        return;
    }
    for (int32_t y = 0; y < d->out->height; y++)
        d->rows[y] = d->out->pixels + (size_t)y * (size_t)d->out->width * 3;
    png_read_image(d->png, d->rows);
}

/* ---- JPEG ---- */

static void jpeg_failed(j_common_ptr common)
{
    char text[JMSG_LENGTH_MAX];
    decoder *d = common->client_data;
    common->err->format_message(common, text);
    const int code = common->err->msg_code;
    d->starved = d->starved || code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE;
    fail_decoder(d, "JPEG", text);
    longjmp(d->jump, 1);
}

/* libjpeg goes on after damage with grey areas; a data set should not. */
static void jpeg_warned(j_common_ptr common, int level)
{
    if (level < 0) jpeg_failed(common);
}

static void jpeg_advanced(j_common_ptr common)
{
    decoder *d = common->client_data;
    if (((j_decompress_ptr)common)->input_scan_number <= MAX_SCANS) return;
    fail_decoder(d, "JPEG", "too many scans");
    longjmp(d->jump, 1);
}

/* libjpeg has an allocator of its own. What it needs follows from the header: some rows of each component, and all
   coefficients when they come in several scans. It is booked, and libjpeg is held to it. */
static bool reserve_jpeg(decoder *d)
{
    uint64_t bytes = 1024 * 1024;
    for (int i = 0; i < d->jpeg.num_components; i++) {
        const jpeg_component_info *c = &d->jpeg.comp_info[i];
        const uint64_t across = (uint64_t)c->width_in_blocks + 8, down = (uint64_t)c->height_in_blocks + 8;
        bytes += across * DCTSIZE * DCTSIZE * 16;
        if (jpeg_has_multiple_scans(&d->jpeg)) bytes += across * down * DCTSIZE2 * sizeof(JCOEF);
    }
    bytes += (uint64_t)d->jpeg.image_width * 64 * 4;
    if (bytes > SIZE_MAX / 2 || !cnnfi_reserve(d->context, (size_t)bytes)) {
        d->status = cnnfi_fail_nomem(d->error);
        return false;
    }
    d->reserved = (size_t)bytes;
    d->jpeg.mem->max_memory_to_use = (long)bytes;
    return true;
}

static void decode_jpeg(decoder *d)
{
    d->jpeg.err = jpeg_std_error(&d->jpeg_errors);
    d->jpeg_errors.error_exit = jpeg_failed;
    d->jpeg_errors.emit_message = jpeg_warned;
    d->jpeg.client_data = d;
    jpeg_CreateDecompress(&d->jpeg, JPEG_LIB_VERSION, sizeof(d->jpeg));
    d->jpeg.client_data = d;
    d->jpeg_progress.progress_monitor = jpeg_advanced;
    d->jpeg.progress = &d->jpeg_progress;
    jpeg_mem_src(&d->jpeg, d->data, (unsigned long)d->size);
    jpeg_read_header(&d->jpeg, TRUE);
    if (!make_room(d, d->jpeg.image_width, d->jpeg.image_height)) return;
    if (!reserve_jpeg(d)) return;
    d->out->gray = d->jpeg.num_components == 1;
    d->jpeg.out_color_space = JCS_RGB;
    if (d->fast) d->jpeg.dct_method = JDCT_IFAST;
    jpeg_start_decompress(&d->jpeg);
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        JSAMPROW row = d->out->pixels + (size_t)d->jpeg.output_scanline * (size_t)d->out->width * 3;
        jpeg_read_scanlines(&d->jpeg, &row, 1);
    }
    jpeg_finish_decompress(&d->jpeg);
}

/* ---- both ---- */

static void decode(decoder *d)
{
    bool png = d->size >= 8 && png_sig_cmp(d->data, 0, 8) == 0;
    bool jpeg = d->size >= 3 && memcmp(d->data, "\xff\xd8\xff", 3) == 0;
    if (!png && !jpeg) {
        d->status = cnnfi_fail(d->error, CNNF_E_FORMAT, "%s: neither PNG nor JPEG", d->path);
        return;
    }
    if (setjmp(d->jump) == 0) {
        if (png)
            decode_png(d);
        else
            decode_jpeg(d);
    }
    if (d->png) png_destroy_read_struct(&d->png, &d->info, NULL);
    cnnfi_free(d->context, d->rows);
    if (jpeg) jpeg_destroy_decompress(&d->jpeg);
    cnnfi_unreserve(d->context, d->reserved);
}

static cnnf_status decode_bytes(cnnfi_image *out, cnnf_context *context, const char *path, const uint8_t *data,
                                size_t size, bool fast, cnnf_error *error)
{
    decoder *d = cnnfi_calloc(context, 1, sizeof(*d));
    if (!d) return cnnfi_fail_nomem(error);
    d->context = context;
    d->out = out;
    d->data = data;
    d->size = size;
    d->path = path;
    d->error = error;
    d->fast = fast;
    decode(d);
    cnnf_status status = d->status;
    cnnfi_free(context, d);
    return status;
}
#else
static cnnf_status decode_bytes(cnnfi_image *out, cnnf_context *context, const char *path, const uint8_t *data,
                                size_t size, bool fast, cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: this build reads no images", path);
}
#endif

cnnf_status cnnfi_image_load(cnnfi_image *out, cnnf_context *context, const char *path, cnnfi_resize resize,
                             cnnf_error *error)
{
    cnnfi_source *source = NULL;
    uint8_t *data = NULL;
    size_t size = 0;
    memset(out, 0, sizeof(*out));
    out->context = context;
    CNNFI_TRY(cnnfi_source_open(&source, context, path, error));
    cnnf_status status = cnnfi_source_read_all(source, &data, &size, error);
    cnnfi_source_unref(source);
    if (status == CNNF_OK)
        status = decode_bytes(out, context, path, data, size, resize >= CNNFI_RESIZE_TF_NEAREST, error);
    cnnfi_free(context, data);
    if (status != CNNF_OK) cnnfi_image_free(out);
    return status;
}

void cnnfi_image_free(cnnfi_image *image)
{
    if (image->context) cnnfi_free(image->context, image->pixels);
    image->pixels = NULL;
}
