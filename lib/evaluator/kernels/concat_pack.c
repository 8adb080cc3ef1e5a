/* SPDX-License-Identifier: Apache-2.0 */
/* Joining and cutting along an axis: Concat, Split, Pack, Unpack and kin. All look at a tensor as outer x axis x inner.
 */
#include "evaluator/kernels/portable.h"

/* Copies `rows` pieces of `piece` bytes between two buffers with their own row lengths. */
static void copy_rows(char *to, size_t to_step, const char *from, size_t from_step, size_t piece, int64_t rows)
{
    if (piece == 0) return;
    for (int64_t r = 0; r < rows; r++)
        memcpy(to + (size_t)r * to_step, from + (size_t)r * from_step, piece);
}

/* ---- Concat ---- */

static void concat_copy(cnnfi_call *call, int32_t first, int32_t n, int64_t axis_value)
{
    const cnnfi_value *out = call->outputs;
    int32_t axis = (int32_t)(axis_value < 0 ? axis_value + out->rank : axis_value);
    size_t size = cnnf_dtype_size(out->dtype), at = 0;
    int64_t outer = cnnfi_span(out->dims, 0, axis);
    size_t step = (size_t)cnnfi_span(out->dims, axis, out->rank) * size;
    for (int32_t k = first; k < first + n; k++) {
        const cnnfi_value *in = &call->inputs[k];
        size_t piece = (size_t)cnnfi_span(in->dims, axis, in->rank) * size;
        copy_rows((char *)out->data + at, step, in->data, piece, piece, outer);
        at += piece;
    }
}

static cnnf_status concat_run(cnnfi_call *call)
{
    concat_copy(call, 1, call->n_inputs - 1, cnnfi_get_i64(&call->inputs[0], 0));
    return CNNF_OK;
}

static cnnf_status concat_v2_run(cnnfi_call *call)
{
    concat_copy(call, 0, call->n_inputs - 1, cnnfi_get_i64(&call->inputs[call->n_inputs - 1], 0));
    return CNNF_OK;
}

static cnnf_status parallel_concat_run(cnnfi_call *call)
{
    concat_copy(call, 0, call->n_inputs, 0);
    return CNNF_OK;
}

static cnnf_status offset_run(cnnfi_call *call)
{
    int64_t at = 0;
    int32_t axis;
    CNNFI_TRY(
        cnnfi_check_axis(call, cnnfi_get_i64(&call->inputs[0], 0), (int32_t)call->inputs[1].dims[0], "axis", &axis));
    for (int32_t k = 1; k < call->n_inputs; k++) {
        cnnfi_value *out = &call->outputs[k - 1];
        size_t size = cnnf_dtype_size(out->dtype);
        memset(out->data, 0, (size_t)out->count * size);
        memcpy((char *)out->data + (size_t)axis * size, &at, size);
        at = (int64_t)((uint64_t)at + (uint64_t)cnnfi_get_i64(&call->inputs[k], axis));
    }
    return CNNF_OK;
}

/* ---- Split ---- */

static void split_copy(cnnfi_call *call, const cnnfi_value *in, int32_t axis)
{
    size_t size = cnnf_dtype_size(in->dtype), at = 0;
    int64_t outer = cnnfi_span(in->dims, 0, axis);
    size_t step = (size_t)cnnfi_span(in->dims, axis, in->rank) * size;
    for (int32_t k = 0; k < call->n_outputs; k++) {
        const cnnfi_value *out = &call->outputs[k];
        size_t piece = (size_t)cnnfi_span(out->dims, axis, out->rank) * size;
        copy_rows(out->data, piece, (const char *)in->data + at, step, piece, outer);
        at += piece;
    }
}

static cnnf_status split_run(cnnfi_call *call)
{
    int64_t axis = cnnfi_get_i64(&call->inputs[0], 0);
    split_copy(call, &call->inputs[1], (int32_t)(axis < 0 ? axis + call->inputs[1].rank : axis));
    return CNNF_OK;
}

static cnnf_status split_v_run(cnnfi_call *call)
{
    int64_t axis = cnnfi_get_i64(&call->inputs[2], 0);
    split_copy(call, &call->inputs[0], (int32_t)(axis < 0 ? axis + call->inputs[0].rank : axis));
    return CNNF_OK;
}

/* ---- Pack, Unpack ---- */

static cnnf_status pack_run(cnnfi_call *call)
{
    const cnnfi_value *out = call->outputs, *in = call->inputs;
    int64_t axis = cnnf_node_attr_int(call->node, "axis", 0);
    if (axis < 0) axis += out->rank;
    size_t piece = (size_t)cnnfi_span(in->dims, (int32_t)axis, in->rank) * cnnf_dtype_size(in->dtype);
    int64_t outer = cnnfi_span(in->dims, 0, (int32_t)axis);
    for (int32_t k = 0; k < call->n_inputs; k++)
        copy_rows((char *)out->data + (size_t)k * piece, piece * (size_t)call->n_inputs, call->inputs[k].data, piece,
                  piece, outer);
    return CNNF_OK;
}

static cnnf_status unpack_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int64_t axis = cnnf_node_attr_int(call->node, "axis", 0);
    if (axis < 0) axis += in->rank;
    size_t piece = (size_t)cnnfi_span(in->dims, (int32_t)axis + 1, in->rank) * cnnf_dtype_size(in->dtype);
    int64_t outer = cnnfi_span(in->dims, 0, (int32_t)axis);
    for (int32_t k = 0; k < call->n_outputs; k++)
        copy_rows(call->outputs[k].data, piece, (const char *)in->data + (size_t)k * piece,
                  piece * (size_t)in->dims[axis], piece, outer);
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"Concat", concat_run, 0, NULL},
    {"ConcatOffset", offset_run, 0, NULL},
    {"ConcatV2", concat_v2_run, 0, NULL},
    {"Pack", pack_run, 0, NULL},
    {"ParallelConcat", parallel_concat_run, 0, NULL},
    {"Split", split_run, 0, NULL},
    {"SplitV", split_v_run, 0, NULL},
    {"Unpack", unpack_run, 0, NULL},
};

const cnnfi_kernel_family cnnfi_kernels_join = {"join", kernels, sizeof(kernels) / sizeof(kernels[0])};
