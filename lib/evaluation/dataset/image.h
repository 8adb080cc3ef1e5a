/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded pictures: 8 bits, RGB, rows without gaps. */
#ifndef CNNFI_EVALUATION_DATASET_IMAGE_H
#define CNNFI_EVALUATION_DATASET_IMAGE_H

#include <cnnfreeze/context.h>

typedef struct cnnfi_image {
    cnnf_context *context; /* borrowed */
    int32_t width, height;
    bool gray;       /* the file had one channel */
    uint8_t *pixels; /* [height][width][3] */
} cnnfi_image;

/* PNG or JPEG by content; pixels checked against CNNF_LIMIT_PIXELS before anything is decoded. */
cnnf_status cnnfi_image_load(cnnfi_image *out, cnnf_context *context, const char *path, cnnf_error *error);
void cnnfi_image_free(cnnfi_image *image); /* may be called twice */
/* To height x width x channels (1 or 3) bytes, as cv2.resize(..., INTER_AREA) and then cvtColor(BGR2GRAY) make them. */
cnnf_status cnnfi_image_resize(const cnnfi_image *image, int32_t width, int32_t height, int32_t channels, uint8_t *out,
                               cnnf_error *error);

#endif
