/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows that slide over a picture: where convolutions, pools and patches begin, how far they reach, how many there
 * are (TensorFlow's common_shape_fns.cc, GetWindowedOutputSize). Read by the ops' rules, where sizes may be
 * CNNFI_UNKNOWN, and by their kernels, where they are not.
 */
#ifndef CNNFI_OPS_WINDOW_H
#define CNNFI_OPS_WINDOW_H

#include "ops/call.h"

/* A window over up to three spatial axes; missing ones stand in front with size 1. Sizes in elements. */
typedef struct cnnfi_window {
    int32_t spatial;     /* 1, 2, 3: as the op has them */
    bool channels_first; /* NCHW, NCDHW */
    int64_t batch, in_channels, out_channels;
    int64_t depth; /* channels that a pool makes one; else 1 */
    int64_t in[3], out[3], filter[3], stride[3], dilation[3], before[3], after[3];
    int64_t in_strides[5], out_strides[5]; /* batch, three axes, channel */
} cnnfi_window;

/* ---- data formats ---- */

/* Attribute data_format: channels last when it is missing or empty; refused when it is neither. */
cnnf_status cnnfi_data_format(cnnfi_call *call, int32_t spatial, bool *channels_first);
/* NCHW_VECT_C: four channels lie innermost, an axis of their own. No kernel takes it, some rules say its rank. */
bool cnnfi_format_is_vectorized(const cnnfi_call *call);
/* The channel axis of ops that take any rank (BiasAdd): 1 with NC..., else the last; CNNFI_UNKNOWN with the rank. */
int32_t cnnfi_channel_axis(const cnnfi_call *call, int32_t rank);

/* ---- a window, step by step ---- */

/* Data format and the shape of a data tensor: fills spatial, channels_first, batch, in_channels and in; the window is
   one element. */
cnnf_status cnnfi_window_data(cnnfi_call *call, cnnfi_window *w, int32_t spatial, int32_t rank, const int64_t *dims);
/* A list attribute of one number >= 1 for each axis of the data; batch and channels must have 1. */
cnnf_status cnnfi_window_list(cnnfi_call *call, const cnnfi_window *w, const char *key, int64_t out[3]);
/* Attributes strides, and dilations when asked: fills stride, dilation. */
cnnf_status cnnfi_window_strides(cnnfi_call *call, cnnfi_window *w, bool dilations);
/* Attribute padding (SAME, VALID, EXPLICIT) with in, filter, stride, dilation set: fills out, before, after. */
cnnf_status cnnfi_window_padding(cnnfi_call *call, cnnfi_window *w);
/* Element strides of both tensors, from the format; every size is known. */
void cnnfi_window_layout(cnnfi_window *w);
/* Dims of a data tensor in the window's format; returns its rank. */
int32_t cnnfi_window_dims(const cnnfi_window *w, const int64_t size[3], int64_t channels, int64_t dims[5]);

/* ---- whole ops ---- */

/* MaxPool*, AvgPool*: ksize and strides are attributes, or inputs 1 and 2 of MaxPoolV2: CNNFI_INFER_DYNAMIC when they
   are not known, with no more than the data's shape filled in. */
cnnf_status cnnfi_window_pool(cnnfi_call *call, cnnfi_window *w, int32_t spatial);
/* ExtractImagePatches, ExtractVolumePatches: the axes in front of the channels. */
cnnf_status cnnfi_window_patches(cnnfi_call *call, cnnfi_window *w, int32_t spatial);
/* Dilation2D. */
cnnf_status cnnfi_window_dilation(cnnfi_call *call, cnnfi_window *w);

#endif
