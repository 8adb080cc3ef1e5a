/* SPDX-License-Identifier: Apache-2.0 */
/* What convolutions demand of data and filter, and the window that follows: for their rules and their kernels. */
#ifndef CNNFI_OPS_CONVOLUTION_H
#define CNNFI_OPS_CONVOLUTION_H

#include "ops/window.h"

/* `data` and `filter` ([spatial axes], channels of a group, output channels); strides, dilations and padding as
   attributes. Everything is checked, groups too; every field but the element strides is set. */
cnnf_status cnnfi_convolution(cnnfi_call *call, cnnfi_window *w, int32_t spatial, const cnnfi_value *data,
                              const cnnfi_value *filter);
/* The same with a filter of (rows, columns, channels, outputs per channel). */
cnnf_status cnnfi_convolution_depthwise(cnnfi_call *call, cnnfi_window *w, const cnnfi_value *data,
                                        const cnnfi_value *filter);
/* Conv2DBackpropInput and its kin, inputs (input_sizes, filter, data): the window of the convolution that they turn
   round. `in` and in_channels are what comes out of the op, out and out_channels what the data has. When input_sizes
   are not known: CNNFI_INFER_DYNAMIC, with `w` set as far as the other inputs tell. */
cnnf_status cnnfi_convolution_back(cnnfi_call *call, cnnfi_window *w, int32_t spatial);

#endif
