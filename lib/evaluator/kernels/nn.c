/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluator/kernels/nn.h"

#include <string.h>

#include "base/num.h"

#define MOST_INPUTS 8

cnnf_status cnnfi_nn_inputs(cnnfi_call *call, int32_t count)
{
    if (call->n_inputs == count) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has %d inputs, needs %d", (int)call->n_inputs, (int)count);
}

cnnf_status cnnfi_nn_rank(cnnfi_call *call, int32_t index, int32_t rank)
{
    if (call->inputs[index].rank == rank) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d has rank %d, needs %d", (int)index,
                           (int)call->inputs[index].rank, (int)rank);
}

static bool is_small(cnnf_dtype dtype)
{
    return dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
}

cnnf_status cnnfi_nn_floats(cnnfi_call *call, int32_t count)
{
    cnnf_dtype dtype = call->inputs[0].dtype;
    if (dtype != CNNF_FLOAT && dtype != CNNF_DOUBLE && !is_small(dtype)) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "not for %s", cnnf_dtype_name(dtype));
    }
    for (int32_t i = 1; i < count; i++) {
        if (call->inputs[i].dtype == dtype) continue;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is %s, input 0 is %s", (int)i,
                               cnnf_dtype_name(call->inputs[i].dtype), cnnf_dtype_name(dtype));
    }
    return CNNF_OK;
}

/* ---- half precision ---- */

static size_t widened_size(const cnnfi_value *value)
{
    return is_small(value->dtype) ? (((size_t)value->count * sizeof(float)) + 63) & ~(size_t)63 : 0;
}

void cnnfi_nn_widen(cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++)
        call->scratch_size += widened_size(&call->inputs[i]);
    for (int32_t i = 0; i < call->n_outputs; i++)
        call->scratch_size += widened_size(&call->outputs[i]);
}

static void to_float(const cnnfi_value *from, float *to)
{
    const uint16_t *bits = from->data;
    bool half = from->dtype == CNNF_HALF;
    for (int64_t i = 0; i < from->count; i++)
        to[i] = half ? cnnfi_half_to_float(bits[i]) : cnnfi_bfloat16_to_float(bits[i]);
}

static void from_float(const float *from, cnnfi_value *to)
{
    uint16_t *bits = to->data;
    bool half = to->dtype == CNNF_HALF;
    for (int64_t i = 0; i < to->count; i++)
        bits[i] = half ? cnnfi_float_to_half(from[i]) : cnnfi_float_to_bfloat16(from[i]);
}

/* A float value in place of a small one, its bytes at *scratch. */
static cnnfi_value widen(const cnnfi_value *value, uint8_t **scratch)
{
    cnnfi_value wide = *value;
    if (!is_small(value->dtype)) return wide;
    wide.dtype = CNNF_FLOAT;
    wide.data = *scratch;
    *scratch += widened_size(value);
    return wide;
}

cnnf_status cnnfi_nn_widened(cnnfi_call *call, cnnf_status (*run)(cnnfi_call *call))
{
    cnnfi_value inputs[MOST_INPUTS], outputs[MOST_INPUTS];
    uint8_t *scratch = call->scratch;
    if (!is_small(call->outputs[0].dtype)) return run(call);
    for (int32_t i = 0; i < call->n_inputs; i++) {
        inputs[i] = widen(&call->inputs[i], &scratch);
        if (is_small(call->inputs[i].dtype)) to_float(&call->inputs[i], inputs[i].data);
    }
    for (int32_t i = 0; i < call->n_outputs; i++)
        outputs[i] = widen(&call->outputs[i], &scratch);
    cnnfi_call wide = *call;
    wide.inputs = inputs;
    wide.outputs = outputs;
    wide.scratch = scratch;
    CNNFI_TRY(run(&wide));
    for (int32_t i = 0; i < call->n_outputs; i++) {
        if (is_small(call->outputs[i].dtype)) from_float(outputs[i].data, &call->outputs[i]);
    }
    return CNNF_OK;
}

/* ---- windows ---- */

cnnf_status cnnfi_data_format(cnnfi_call *call, int32_t spatial, bool *channels_first)
{
    static const char *const last[] = {"NWC", "NHWC", "NDHWC"}, *const first[] = {"NCW", "NCHW", "NCDHW"};
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    *channels_first = format && strcmp(format, first[spatial - 1]) == 0;
    /* An empty string is TensorFlow's default too. */
    if (!format || !*format || *channels_first || strcmp(format, last[spatial - 1]) == 0) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "data_format %s", format);
}

/* Position of spatial axis `axis` (0 .. spatial-1) in a data tensor. */
static int32_t axis_at(const cnnfi_window *w, int32_t axis)
{
    return axis + (w->channels_first ? 2 : 1);
}

static int32_t channel_at(const cnnfi_window *w)
{
    return w->channels_first ? 1 : w->spatial + 1;
}

cnnf_status cnnfi_window_data(cnnfi_call *call, cnnfi_window *w, int32_t spatial, int32_t rank, const int64_t *dims)
{
    *w = (cnnfi_window){.spatial = spatial};
    CNNFI_TRY(cnnfi_data_format(call, spatial, &w->channels_first));
    if (rank != spatial + 2) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "data has rank %d, needs %d", (int)rank, (int)spatial + 2);
    }
    w->batch = dims[0];
    w->in_channels = dims[channel_at(w)];
    for (int32_t i = 0; i < 3; i++) {
        int32_t axis = i - (3 - spatial);
        w->in[i] = axis < 0 ? 1 : dims[axis_at(w, axis)];
        w->filter[i] = w->stride[i] = w->dilation[i] = 1;
    }
    return CNNF_OK;
}

/* A list attribute with one number per axis of the data tensor; those of batch and channels must be 1. */
static cnnf_status read_list(cnnfi_call *call, const cnnfi_window *w, const char *key, int64_t *out)
{
    int64_t count = cnnf_node_attr_list_count(call->node, key);
    for (int32_t i = 0; i < 3; i++)
        out[i] = 1;
    if (count <= 0) return CNNF_OK;
    if (count != w->spatial + 2) {
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "%s has %lld numbers, needs %d", key, (long long)count,
                               (int)w->spatial + 2);
    }
    for (int32_t k = 0; k < count; k++) {
        int64_t value = cnnf_node_attr_list_int(call->node, key, k, 0);
        int32_t axis = k - axis_at(w, 0);
        bool is_spatial = axis >= 0 && axis < w->spatial;
        if (value < 1 || value > INT32_MAX) {
            return cnnfi_call_fail(call, CNNF_E_CORRUPT, "%s[%d] is %lld, must be >= 1", key, (int)k, (long long)value);
        }
        if (!is_spatial && value != 1) {
            return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "%s[%d] is %lld: only 1 over batch and channels", key,
                                   (int)k, (long long)value);
        }
        if (is_spatial) out[axis + 3 - w->spatial] = value;
    }
    return CNNF_OK;
}

cnnf_status cnnfi_window_strides(cnnfi_call *call, cnnfi_window *w, bool dilations)
{
    CNNFI_TRY(read_list(call, w, "strides", w->stride));
    return dilations ? read_list(call, w, "dilations", w->dilation) : CNNF_OK;
}

static cnnf_status explicit_padding(cnnfi_call *call, cnnfi_window *w)
{
    int64_t count = cnnf_node_attr_list_count(call->node, "explicit_paddings");
    if (count != 2 * (w->spatial + 2)) {
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "explicit_paddings has %lld numbers, needs %d", (long long)count,
                               2 * ((int)w->spatial + 2));
    }
    for (int32_t k = 0; k < count; k++) {
        int64_t value = cnnf_node_attr_list_int(call->node, "explicit_paddings", k, -1);
        int32_t axis = k / 2 - axis_at(w, 0);
        bool is_spatial = axis >= 0 && axis < w->spatial;
        if (value < 0 || value > INT32_MAX || (!is_spatial && value != 0)) {
            return cnnfi_call_fail(call, CNNF_E_CORRUPT, "explicit_paddings[%d] is %lld", (int)k, (long long)value);
        }
        if (is_spatial) (k % 2 == 0 ? w->before : w->after)[axis + 3 - w->spatial] = value;
    }
    return CNNF_OK;
}

static void same_padding(cnnfi_window *w, int32_t i, int64_t reach)
{
    w->out[i] = (w->in[i] + w->stride[i] - 1) / w->stride[i];
    int64_t total = cnnfi_max_i64((w->out[i] - 1) * w->stride[i] + reach - w->in[i], 0);
    w->before[i] = total / 2;
    w->after[i] = total - total / 2;
}

cnnf_status cnnfi_window_padding(cnnfi_call *call, cnnfi_window *w)
{
    const char *padding = cnnf_node_attr_string(NULL, call->node, "padding");
    bool same = padding && strcmp(padding, "SAME") == 0, explicit = padding && strcmp(padding, "EXPLICIT") == 0;
    if (!same && !explicit && (!padding || strcmp(padding, "VALID") != 0)) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "padding %s", padding ? padding : "is missing");
    }
    if (explicit) CNNFI_TRY(explicit_padding(call, w));
    for (int32_t i = 0; i < 3; i++) {
        int64_t reach = (w->filter[i] - 1) * w->dilation[i] + 1; /* both below 2^31 */
        if (same) {
            same_padding(w, i, reach);
            continue;
        }
        int64_t room = w->in[i] + w->before[i] + w->after[i] - reach + w->stride[i];
        if (room < 0) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a window of %lld does not fit into %lld", (long long)reach,
                                   (long long)(w->in[i] + w->before[i] + w->after[i]));
        }
        w->out[i] = room / w->stride[i];
    }
    return CNNF_OK;
}

static void set_strides(int64_t *strides, bool channels_first, const int64_t *size, int64_t channels)
{
    int64_t pixel = channels_first ? 1 : channels;
    strides[3] = pixel;
    strides[2] = size[2] * pixel;
    strides[1] = size[1] * strides[2];
    strides[0] = size[0] * size[1] * size[2] * channels;
    strides[4] = channels_first ? size[0] * size[1] * size[2] : 1;
}

void cnnfi_window_layout(cnnfi_window *w)
{
    set_strides(w->in_strides, w->channels_first, w->in, w->in_channels);
    set_strides(w->out_strides, w->channels_first, w->out, w->out_channels);
}

int32_t cnnfi_window_dims(const cnnfi_window *w, const int64_t size[3], int64_t channels, int64_t *dims)
{
    dims[0] = w->batch;
    dims[channel_at(w)] = channels;
    for (int32_t i = 0; i < w->spatial; i++)
        dims[axis_at(w, i)] = size[i + 3 - w->spatial];
    return w->spatial + 2;
}
