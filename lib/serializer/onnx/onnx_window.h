/* SPDX-License-Identifier: Apache-2.0 */
/* Strides, paddings and sizes of convolutions and pools, as lib/ops/ has them, said as ONNX attributes. */
#ifndef CNNFI_SERIALIZER_ONNX_ONNX_WINDOW_H
#define CNNFI_SERIALIZER_ONNX_ONNX_WINDOW_H

#include "ops/window.h"
#include "serializer/onnx/onnx_call.h"

/* The last w->spatial entries of an array of a window. */
void cnnfi_onnx_spatial_ints(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, const char *name,
                             const cnnfi_window *w, const int64_t values[3]);
/* kernel_shape, strides, dilations (unless all are 1). */
void cnnfi_onnx_set_window(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, const cnnfi_window *w);
/* pads, or auto_pad where they follow from a size that is open. */
void cnnfi_onnx_set_pads(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, const cnnfi_window *w);

#endif
