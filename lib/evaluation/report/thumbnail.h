/* SPDX-License-Identifier: Apache-2.0 */
/* Small pictures of the examples that a network was fed. */
#ifndef CNNFI_EVALUATION_REPORT_THUMBNAIL_H
#define CNNFI_EVALUATION_REPORT_THUMBNAIL_H

#include <stdbool.h>
#include <stdint.h>

#include <cnnfreeze/tensor.h>

#include "base/str.h"

#define CNNFI_THUMBNAIL_SIDE 96 /* larger ones are averaged down */

/* 8 bits, grey or RGB. */
typedef struct cnnfi_thumbnail {
    int32_t width, height, channels; /* 1 or 3 */
    uint8_t *pixels;                 /* [height][width][channels]; NULL: no picture */
} cnnfi_thumbnail;

/* What was done to the values of a file, to be taken back: fed = (value / scale - mean[c]) / std[c]. */
typedef struct cnnfi_pixels {
    bool known;
    bool bytes; /* the file's values are 0 .. 255 */
    bool channels_first, bgr;
    double scale, mean[3], std[3]; /* of red, green, blue */
} cnnfi_pixels;

/* Row `row` of a batch of images; without pixels where it is no picture. false = no memory. */
bool cnnfi_thumbnail_make(cnnfi_thumbnail *out, cnnf_context *context, const cnnf_tensor *images, int64_t row,
                          const cnnfi_pixels *pixels);
/* "data:image/png;base64,…"; false, and nothing added, where there is no picture or no PNG in this build. */
bool cnnfi_thumbnail_put(cnnfi_strbuf *out, const cnnfi_thumbnail *thumbnail);

#endif
