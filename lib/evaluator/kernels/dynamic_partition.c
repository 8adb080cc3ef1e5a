/* SPDX-License-Identifier: Apache-2.0 */
/* Rows dealt out and put together again: DynamicPartition, DynamicStitch. */
#include "evaluator/kernels/portable.h"

/* ---- DynamicPartition: data, partitions ---- */

static cnnf_status partition_run(cnnfi_call *call)
{
    const cnnfi_value *data = &call->inputs[0], *which = &call->inputs[1];
    size_t row = (size_t)cnnfi_span(data->dims, which->rank, data->rank) * cnnf_dtype_size(data->dtype);
    int64_t filled[CNNFI_CALL_OUTPUTS] = {0};
    for (int64_t i = 0; i < which->count; i++) {
        int32_t to = ((const int32_t *)which->data)[i]; /* the rule has checked the values: they gave the shapes */
        memcpy((char *)call->outputs[to].data + (size_t)filled[to]++ * row, (const char *)data->data + (size_t)i * row,
               row);
    }
    return CNNF_OK;
}

/* ---- DynamicStitch: N indices, then N pieces of data ---- */

static cnnf_status stitch_run(cnnfi_call *call)
{
    int32_t n = call->n_inputs / 2;
    cnnfi_value *out = &call->outputs[0];
    size_t row = (size_t)cnnfi_span(out->dims, 1, out->rank) * cnnf_dtype_size(out->dtype);
    memset(out->data, 0, (size_t)out->dims[0] * row); /* rows that no index names */
    for (int32_t k = 0; k < n; k++) {
        for (int64_t i = 0; i < call->inputs[k].count; i++)
            memcpy((char *)out->data + (size_t)((const int32_t *)call->inputs[k].data)[i] * row,
                   (const char *)call->inputs[n + k].data + (size_t)i * row, row);
    }
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"DynamicPartition", partition_run, 0, NULL},
    {"DynamicStitch", stitch_run, 0, NULL},
    {"ParallelDynamicStitch", stitch_run, 0, NULL},
};

const cnnfi_kernel_family cnnfi_kernels_partition = {"partition", kernels, sizeof(kernels) / sizeof(kernels[0])};
