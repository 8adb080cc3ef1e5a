/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/onnx/onnx_window.h"

#include <string.h>

/* Values of an input as its dtype has them, in the arena; NULL: not constant, or not few integers. */
static void *small_ints(const cnnfi_onnx_call *call, int32_t input, const cnnfi_value *shape)
{
    int64_t values[32];
    size_t count;
    if ((shape->dtype != CNNF_INT32 && shape->dtype != CNNF_INT64) || shape->count < 0 || shape->count > 32)
        return NULL;
    if (!cnnfi_onnx_ints_of(call, input, values, 32, &count) || (int64_t)count != shape->count) return NULL;
    int64_t *data = cnnfi_onnx_array(call->m, count, sizeof *data);
    for (size_t i = 0; data != NULL && i < count; i++) {
        const int32_t narrow = (int32_t)values[i];
        if (shape->dtype == CNNF_INT64)
            data[i] = values[i];
        else
            memcpy((int32_t *)(void *)data + i, &narrow, sizeof narrow);
    }
    return data;
}

bool cnnfi_onnx_ask(const cnnfi_onnx_call *call, cnnfi_onnx_question *question)
{
    const int32_t max_outputs = cnnfi_call_max_outputs(call->node);
    cnnfi_value *inputs = cnnfi_onnx_array(call->m, (size_t)call->n_inputs, sizeof *inputs);
    cnnfi_value *outputs = cnnfi_onnx_array(call->m, (size_t)max_outputs, sizeof *outputs);
    if (inputs == NULL || outputs == NULL) return false;
    for (int32_t i = 0; i < call->n_inputs; i++) {
        inputs[i] = cnnfi_onnx_in_shape(call, i);
        inputs[i].data = small_ints(call, i, &inputs[i]);
    }
    *question = (cnnfi_onnx_question){.inputs = inputs,
                                      .call = {.context = call->m->context,
                                               .node = call->node,
                                               .n_inputs = call->n_inputs,
                                               .inputs = inputs,
                                               .max_outputs = max_outputs,
                                               .outputs = outputs}};
    question->call.error = &question->error;
    return call->m->status == CNNF_OK;
}

bool cnnfi_onnx_answered(const cnnfi_onnx_call *call, const cnnfi_onnx_question *question, cnnf_status status)
{
    if (status < 0) cnnfi_onnx_pass_on(call->m, status, &question->error);
    return status >= 0 && call->m->status == CNNF_OK;
}

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
