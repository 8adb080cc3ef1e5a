/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded pictures: 8 bits, RGB, rows without gaps; and how they come to the size that a network wants. */
#ifndef CNNFI_EVALUATION_DATASET_IMAGE_H
#define CNNFI_EVALUATION_DATASET_IMAGE_H

#include <stdbool.h>

#include <cnnfreeze/context.h>

typedef struct cnnfi_image {
    cnnf_context *context; /* borrowed */
    int32_t width, height;
    bool gray;       /* the file had one channel */
    uint8_t *pixels; /* [height][width][3] */
} cnnfi_image;

/* Whose resizing; the names are cnnfi_resize_names'. */
typedef enum cnnfi_resize {
    CNNFI_RESIZE_AREA,    /* cv2.resize(INTER_AREA), then cvtColor(BGR2GRAY) */
    CNNFI_RESIZE_NEAREST, /* from here on Pillow's, as Keras' load_img: grey first */
    CNNFI_RESIZE_BOX,
    CNNFI_RESIZE_BILINEAR,
    CNNFI_RESIZE_HAMMING,
    CNNFI_RESIZE_BICUBIC,
    CNNFI_RESIZE_LANCZOS,
    CNNFI_RESIZE_TF_NEAREST, /* from here on tf.image.resize's, as Keras' image_dataset_from_directory */
    CNNFI_RESIZE_TF_BILINEAR,
    CNNFI_RESIZE_COUNT
} cnnfi_resize;

typedef enum cnnfi_crop {
    CNNFI_CROP_NONE,   /* the sides are stretched */
    CNNFI_CROP_ASPECT, /* the largest middle part of the wanted aspect: load_img(keep_aspect_ratio), smart_resize */
    CNNFI_CROP_CENTER, /* the shorter side to 8/7 of what is wanted (256 for 224), then the middle */
    CNNFI_CROP_COUNT
} cnnfi_crop;

extern const char *const cnnfi_resize_names[CNNFI_RESIZE_COUNT];
extern const char *const cnnfi_crop_names[CNNFI_CROP_COUNT];

/* PNG or JPEG by content, as the library decodes it whose resizing follows; pixels checked against CNNF_LIMIT_PIXELS
 * before anything is decoded. */
cnnf_status cnnfi_image_load(cnnfi_image *out, cnnf_context *context, const char *path, cnnfi_resize resize,
                             cnnf_error *error);
void cnnfi_image_free(cnnfi_image *image); /* may be called twice */
/* To out [height][width][channels], 1 or 3 channels, pixels 0 .. 255. CNNF_E_NOMEM. */
cnnf_status cnnfi_image_fit(const cnnfi_image *image, cnnfi_resize resize, cnnfi_crop crop, int32_t width,
                            int32_t height, int32_t channels, float *out, cnnf_error *error);

/* ---- what image_fit.c chooses from; all NOMEM alone ---- */

/* A part of a picture. */
typedef struct cnnfi_box {
    int32_t x, y, width, height;
} cnnfi_box;

/* To height x width x channels (1 or 3) bytes, as cv2.resize(..., INTER_AREA) and then cvtColor(BGR2GRAY) make them. */
cnnf_status cnnfi_image_resize(const cnnfi_image *image, int32_t width, int32_t height, int32_t channels, uint8_t *out,
                               cnnf_error *error);
/* One of Pillow's filters over a box: in [in_height][in_width][channels] to out [height][width][channels]. */
cnnf_status cnnfi_image_filter(cnnf_context *context, cnnfi_resize filter, const uint8_t *in, int32_t in_width,
                               int32_t in_height, int32_t channels, cnnfi_box box, int32_t width, int32_t height,
                               uint8_t *out, cnnf_error *error);

#endif
