/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting boxes out: Slice and StridedSlice with all its masks. */
#include "evaluator/kernels/portable.h"
#include "ops/rules/strided_slice_rules.h"

/* Copies the box to `out` (C order). */
static void copy_box(const cnnfi_value *in, const cnnfi_box *box, void *out)
{
    int64_t strides[CNNFI_OP_MAX_RANK], at = 0;
    size_t element = cnnf_dtype_size(in->dtype);
    cnnfi_strides(in->rank, in->dims, strides);
    for (int32_t i = 0; i < in->rank; i++) {
        if (box->size[i] == 0) return;
        at += box->begin[i] * strides[i];
        strides[i] *= box->step[i];
    }
    cnnfi_copy_strided(out, (const char *)in->data + at * (int64_t)element, element, in->rank, box->size, strides);
}

static cnnf_status slice_run(cnnfi_call *call)
{
    cnnfi_box box;
    CNNFI_TRY(cnnfi_slice_box(call, &box));
    copy_box(call->inputs, &box, call->outputs[0].data);
    return CNNF_OK;
}

static cnnf_status strided_run(cnnfi_call *call)
{
    cnnfi_box box;
    CNNFI_TRY(cnnfi_strided_box(call, 1, &call->inputs[0], &box));
    copy_box(call->inputs, &box, call->outputs[0].data);
    return CNNF_OK;
}

/* ---- the way back: StridedSliceGrad, TensorStridedSliceUpdate ---- */

/* Writes `in` (C order) to the box of `out`. */
static void fill_box(const cnnfi_box *box, const void *in, cnnfi_value *out)
{
    int64_t strides[CNNFI_OP_MAX_RANK], index[CNNFI_OP_MAX_RANK] = {0}, n = 1;
    size_t size = cnnf_dtype_size(out->dtype);
    cnnfi_strides(out->rank, out->dims, strides);
    for (int32_t i = 0; i < out->rank; i++)
        n *= box->size[i];
    for (int64_t k = 0; k < n; k++) {
        int64_t at = 0;
        for (int32_t i = 0; i < out->rank; i++)
            at += (box->begin[i] + index[i] * box->step[i]) * strides[i];
        memcpy((char *)out->data + (size_t)at * size, (const char *)in + (size_t)k * size, size);
        for (int32_t i = out->rank - 1; i >= 0 && ++index[i] == box->size[i]; i--)
            index[i] = 0;
    }
}

/* shape, begin, end, strides, dy */
static cnnf_status grad_run(cnnfi_call *call)
{
    cnnfi_box box;
    cnnfi_value *out = &call->outputs[0];
    CNNFI_TRY(cnnfi_strided_box(call, 1, out, &box));
    memset(out->data, 0, (size_t)out->count * cnnf_dtype_size(out->dtype));
    fill_box(&box, call->inputs[4].data, out);
    return CNNF_OK;
}

/* input, begin, end, strides, value */
static cnnf_status update_run(cnnfi_call *call)
{
    cnnfi_box box;
    CNNFI_TRY(cnnfi_strided_box(call, 1, &call->inputs[0], &box));
    cnnfi_copy_bytes(&call->outputs[0], &call->inputs[0]);
    fill_box(&box, call->inputs[4].data, &call->outputs[0]);
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"Slice", slice_run, 0, NULL},
    {"StridedSlice", strided_run, 0, NULL},
    {"StridedSliceGrad", grad_run, 0, NULL},
    {"TensorStridedSliceUpdate", update_run, 0, NULL},
};

const cnnfi_kernel_family cnnfi_kernels_slice = {"slice", kernels, sizeof(kernels) / sizeof(kernels[0])};
