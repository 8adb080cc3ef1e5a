/* SPDX-License-Identifier: Apache-2.0 */
/* What the network ops share: sliding windows (convolutions, pools), data formats, half precision by way of floats. */
#ifndef CNNFI_EVALUATOR_KERNELS_NN_H
#define CNNFI_EVALUATOR_KERNELS_NN_H

#include "evaluator/kernels/kernel.h"

/* A window over up to three spatial axes; missing ones stand in front with size 1. Sizes in elements. */
typedef struct cnnfi_window {
    int32_t spatial;     /* 1, 2, 3: as the op has them */
    bool channels_first; /* NCHW, NCDHW */
    int64_t batch, in_channels, out_channels;
    int64_t in[3], out[3], filter[3], stride[3], dilation[3], before[3], after[3];
    int64_t in_strides[5], out_strides[5]; /* batch, three axes, channel */
} cnnfi_window;

/* Data format and the shape of a data tensor: fills spatial, channels_first, batch, in_channels and in. */
cnnf_status cnnfi_window_data(cnnfi_call *call, cnnfi_window *w, int32_t spatial, int32_t rank, const int64_t *dims);
/* Attributes strides, and dilations when asked: fills stride, dilation. Batch and channel must be 1. */
cnnf_status cnnfi_window_strides(cnnfi_call *call, cnnfi_window *w, bool dilations);
/* Attribute padding (SAME, VALID, EXPLICIT) with in, filter, stride, dilation known: fills out, before, after. */
cnnf_status cnnfi_window_padding(cnnfi_call *call, cnnfi_window *w);
/* Strides of both tensors, from the format. */
void cnnfi_window_layout(cnnfi_window *w);
/* Dims of a data tensor in the window's format; returns its rank. */
int32_t cnnfi_window_dims(const cnnfi_window *w, const int64_t size[3], int64_t channels, int64_t *dims);

/* Whether attribute data_format says channels first; checked. */
cnnf_status cnnfi_data_format(cnnfi_call *call, int32_t spatial, bool *channels_first);
cnnf_status cnnfi_nn_inputs(cnnfi_call *call, int32_t count);
/* Input `index` and its rank. */
cnnf_status cnnfi_nn_rank(cnnfi_call *call, int32_t index, int32_t rank);
/* float, double, half, bfloat16; the same for inputs 0 .. count-1. */
cnnf_status cnnfi_nn_floats(cnnfi_call *call, int32_t count);

/* Adds the room that cnnfi_nn_widened() needs (after the outputs are declared). */
void cnnfi_nn_widen(cnnfi_call *call);
/* Runs `run` with half and bfloat16 inputs and outputs as floats, rounded once at the end. */
cnnf_status cnnfi_nn_widened(cnnfi_call *call, cnnf_status (*run)(cnnfi_call *call));

/* Multiplies the filter or data dims of a count that is checked elsewhere. */
static inline int64_t cnnfi_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t cnnfi_max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
