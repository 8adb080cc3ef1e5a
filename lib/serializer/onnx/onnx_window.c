/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/onnx/onnx_window.h"

void cnnfi_onnx_spatial_ints(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, const char *name,
                             const cnnfi_window *w, const int64_t values[3])
{
    cnnfi_onnx_set_ints(call->m, node, name, (size_t)w->spatial, values + 3 - w->spatial);
}

void cnnfi_onnx_set_window(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, const cnnfi_window *w)
{
    cnnfi_onnx_spatial_ints(call, node, "kernel_shape", w, w->filter);
    cnnfi_onnx_spatial_ints(call, node, "strides", w, w->stride);
    if (w->dilation[0] * w->dilation[1] * w->dilation[2] != 1)
        cnnfi_onnx_spatial_ints(call, node, "dilations", w, w->dilation);
}

/* What SAME padding adds at a stride of 1, whatever the size. */
static bool padding_of_stride_1(const cnnfi_window *w, int32_t axis, int64_t *before, int64_t *after)
{
    const int64_t total = (w->filter[axis] - 1) * w->dilation[axis];
    *before = total / 2;
    *after = total - total / 2;
    return w->stride[axis] == 1;
}

void cnnfi_onnx_set_pads(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, const cnnfi_window *w)
{
    int64_t pads[6];
    for (int32_t i = 0; i < w->spatial; i++) {
        const int32_t axis = 3 - w->spatial + i;
        pads[i] = w->before[axis];
        pads[w->spatial + i] = w->after[axis];
        if (pads[i] >= 0 && pads[w->spatial + i] >= 0) continue;
        if (padding_of_stride_1(w, axis, &pads[i], &pads[w->spatial + i])) continue;
        cnnfi_onnx_set_text(call->m, node, "auto_pad", "SAME_UPPER"); /* TensorFlow's SAME */
        return;
    }
    cnnfi_onnx_set_ints(call->m, node, "pads", 2 * (size_t)w->spatial, pads);
}
