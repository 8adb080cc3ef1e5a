/* SPDX-License-Identifier: Apache-2.0 */
/* Rows dealt out and put together again: DynamicPartition, DynamicStitch. */
#include "evaluator/kernels/portable.h"

/* ---- DynamicPartition: data, partitions ---- */

static cnnf_status partition_infer(cnnfi_call *call)
{
    int64_t n = cnnf_node_attr_int(call->node, "num_partitions", 0), counts[CNNFI_CALL_OUTPUTS] = {0};
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_dtype(call, 1, CNNF_INT32));
    const cnnfi_value *data = &call->inputs[0], *which = &call->inputs[1];
    if (n < 1 || n > CNNFI_CALL_OUTPUTS)
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "num_partitions is %lld", (long long)n);
    bool fits = which->rank <= data->rank;
    for (int32_t i = 0; fits && i < which->rank; i++)
        fits = which->dims[i] == data->dims[i];
    if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "partitions' shape is not the beginning of data's");
    CNNFI_TRY(cnnfi_want_value(call, 1));
    for (int64_t i = 0; i < which->count; i++) {
        int32_t to = ((const int32_t *)which->data)[i];
        if (to < 0 || to >= n)
            return cnnfi_call_fail(call, CNNF_E_INVALID, "partitions[%lld] is %d", (long long)i, (int)to);
        counts[to]++;
    }
    int64_t dims[CNNFI_OP_MAX_RANK + 1] = {0};
    memcpy(dims + 1, data->dims + which->rank, (size_t)(data->rank - which->rank) * sizeof(int64_t));
    for (int32_t i = 0; i < n; i++) {
        dims[0] = counts[i];
        CNNFI_TRY(cnnfi_call_output(call, i, data->dtype, 1 + data->rank - which->rank, dims));
    }
    return CNNF_OK;
}

static cnnf_status partition_run(cnnfi_call *call)
{
    const cnnfi_value *data = &call->inputs[0], *which = &call->inputs[1];
    size_t row = (size_t)cnnfi_span(data->dims, which->rank, data->rank) * cnnf_dtype_size(data->dtype);
    int64_t filled[CNNFI_CALL_OUTPUTS] = {0};
    for (int64_t i = 0; i < which->count; i++) {
        int32_t to = ((const int32_t *)which->data)[i]; /* infer has checked the values: they gave the shapes */
        memcpy((char *)call->outputs[to].data + (size_t)filled[to]++ * row, (const char *)data->data + (size_t)i * row,
               row);
    }
    return CNNF_OK;
}

/* ---- DynamicStitch: N indices, then N pieces of data ---- */

static cnnf_status stitch_piece(cnnfi_call *call, int32_t n, int32_t k, int64_t *most)
{
    const cnnfi_value *first = &call->inputs[n], *at = &call->inputs[k], *data = &call->inputs[n + k];
    CNNFI_TRY(cnnfi_want_dtype(call, k, CNNF_INT32));
    CNNFI_TRY(cnnfi_want_same_dtype(call, n, n + k));
    bool fits = at->rank <= data->rank && data->rank - at->rank == first->rank - call->inputs[0].rank;
    for (int32_t i = 0; fits && i < at->rank; i++)
        fits = at->dims[i] == data->dims[i];
    for (int32_t i = 0; fits && i < data->rank - at->rank; i++)
        fits = data->dims[at->rank + i] == first->dims[call->inputs[0].rank + i];
    if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "data %d does not fit its indices", (int)k);
    CNNFI_TRY(cnnfi_want_value(call, k));
    for (int64_t i = 0; i < at->count; i++) {
        int32_t to = ((const int32_t *)at->data)[i];
        if (to < 0) return cnnfi_call_fail(call, CNNF_E_INVALID, "index %d is negative", (int)to);
        if (to >= *most) *most = (int64_t)to + 1;
    }
    return CNNF_OK;
}

static cnnf_status stitch_infer(cnnfi_call *call)
{
    int32_t n = call->n_inputs / 2;
    int64_t most = 0, dims[CNNFI_OP_MAX_RANK + 1] = {0};
    if (n < 1 || call->n_inputs % 2) return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has %d inputs", (int)call->n_inputs);
    CNNFI_TRY(cnnfi_want_bytes(call, n));
    for (int32_t k = 0; k < n; k++)
        CNNFI_TRY(stitch_piece(call, n, k, &most));
    int32_t rank = call->inputs[n].rank - call->inputs[0].rank;
    memcpy(dims + 1, call->inputs[n].dims + call->inputs[0].rank, (size_t)rank * sizeof(int64_t));
    dims[0] = most;
    return cnnfi_output_one(call, call->inputs[n].dtype, rank + 1, dims);
}

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
    {"DynamicPartition", partition_infer, partition_run, 0},
    {"DynamicStitch", stitch_infer, stitch_run, 0},
    {"ParallelDynamicStitch", stitch_infer, stitch_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_partition = {"partition", kernels, sizeof(kernels) / sizeof(kernels[0])};
