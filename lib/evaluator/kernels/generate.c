/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors from a few numbers: Fill, Range, LinSpace, OneHot, ZerosLike ... */
#include <math.h>

#include "evaluator/kernels/portable.h"
#include "ops/rules/generate_rules.h"

/* ---- Fill, ZerosLike, OnesLike, Empty ---- */

static cnnf_status fill_run(cnnfi_call *call)
{
    const cnnfi_value *out = call->outputs;
    cnnfi_fill(out->data, call->inputs[1].data, cnnf_dtype_size(out->dtype), out->count);
    return CNNF_OK;
}

/* Empty too: its elements are nobody's; zeros are as good as any, and the same every time. */
static cnnf_status zeros_run(cnnfi_call *call)
{
    const cnnfi_value *out = call->outputs;
    memset(out->data, 0, (size_t)out->count * cnnf_dtype_size(out->dtype));
    return CNNF_OK;
}

static cnnf_status ones_check(cnnfi_call *call)
{
    return cnnfi_type_of(call->outputs[0].dtype) == CNNFI_T_NONE ? cnnfi_fail_dtype(call, 0) : CNNF_OK;
}

static cnnf_status ones_run(cnnfi_call *call)
{
    char one[16];
    const cnnfi_value *out = call->outputs;
    cnnfi_put_f64(cnnfi_type_of(out->dtype), 1, one);
    cnnfi_fill(out->data, one, cnnf_dtype_size(out->dtype), out->count);
    return CNNF_OK;
}

/* ---- Range ---- */

static cnnf_status range_check(cnnfi_call *call)
{
    return cnnfi_type_of(call->outputs[0].dtype) >= CNNFI_T_BOOL ? cnnfi_fail_dtype(call, 0) : CNNF_OK;
}

/* TensorFlow adds the step up in the tensor's own type. */
#define RANGE(T)                                                                                                       \
    {                                                                                                                  \
        T value = *(const T *)in[0].data, delta = *(const T *)in[2].data;                                              \
        for (int64_t i = 0; i < out->count; i++, value = (T)(value + delta))                                           \
            ((T *)out->data)[i] = value;                                                                               \
        return CNNF_OK;                                                                                                \
    }

static cnnf_status range_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    cnnfi_type type = cnnfi_type_of(out->dtype);
    size_t size = cnnf_dtype_size(out->dtype);
    char element[16];
    if (type == CNNFI_T_F32) RANGE(float)
    if (type == CNNFI_T_F64) RANGE(double)
    double start = cnnfi_get_f64(in, 0), delta = cnnfi_get_f64(in + 2, 0);
    uint64_t value = (uint64_t)cnnfi_get_i64(in, 0), step = (uint64_t)cnnfi_get_i64(in + 2, 0);
    for (int64_t i = 0; i < out->count; i++, value += step, start += delta) {
        if (cnnfi_type_is_small_float(type)) {
            cnnfi_put_f64(type, start, element);
            cnnfi_value back = {.dtype = out->dtype, .data = element};
            start = cnnfi_get_f64(&back, 0);
        } else {
            memcpy(element, &value, sizeof(value));
        }
        memcpy((char *)out->data + (size_t)i * size, element, size);
    }
    return CNNF_OK;
}

/* ---- LinSpace: start, stop, num ---- */

static cnnf_status linspace_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    size_t size = cnnf_dtype_size(out->dtype);
    double start = cnnfi_get_f64(in, 0), stop = cnnfi_get_f64(in + 1, 0);
    bool single = out->dtype == CNNF_FLOAT;
    /* in float the step is a float, and so is each product and sum */
    float step32 = out->count > 1 ? ((float)stop - (float)start) / (float)(out->count - 1) : 0;
    double step = out->count > 1 ? (stop - start) / (double)(out->count - 1) : 0;
    for (int64_t i = 0; i < out->count; i++) {
        char element[16];
        double value = single ? (double)((float)start + step32 * (float)i) : start + step * (double)i;
        bool last = i > 0 && i == out->count - 1;
        cnnfi_put_f64(cnnfi_type_of(out->dtype), last ? stop : value, element);
        memcpy((char *)out->data + (size_t)i * size, element, size);
    }
    return CNNF_OK;
}

/* ---- OneHot: indices, depth, on, off ---- */

static cnnf_status one_hot_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    size_t size = cnnf_dtype_size(out->dtype);
    int64_t axis = cnnf_node_attr_int(call->node, "axis", -1);
    if (axis < 0) axis += out->rank;
    int64_t inner = cnnfi_span(in->dims, (int32_t)axis, in->rank), depth = out->dims[axis];
    cnnfi_fill(out->data, in[3].data, size, out->count);
    for (int64_t i = 0; i < in->count && inner > 0; i++) {
        int64_t index = cnnfi_get_i64(in, i);
        if (index < 0 || index >= depth) continue;
        int64_t at = (i / inner * depth + index) * inner + i % inner;
        memcpy((char *)out->data + (size_t)at * size, in[2].data, size);
    }
    return CNNF_OK;
}

/* ---- InvertPermutation ---- */

static cnnf_status invert_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    size_t size = cnnf_dtype_size(in->dtype);
    memset(out->data, 0xff, (size_t)out->count * size);
    for (int64_t i = 0; i < in->count; i++) {
        int64_t to = cnnfi_get_i64(in, i);
        if (to < 0 || to >= in->count)
            return cnnfi_call_fail(call, CNNF_E_INVALID, "%lld is not between 0 and %lld", (long long)to,
                                   (long long)in->count);
        if (cnnfi_get_i64(out, to) != -1)
            return cnnfi_call_fail(call, CNNF_E_INVALID, "%lld is there twice", (long long)to);
        memcpy((char *)out->data + (size_t)to * size, &i, size);
    }
    return CNNF_OK;
}

/* ---- UnravelIndex: flat indices, dims -> one row per axis ---- */

static cnnf_status unravel_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *dims = &call->inputs[1];
    size_t size = cnnf_dtype_size(in->dtype);
    int64_t whole = 1;
    for (int64_t d = 0; d < dims->count; d++)
        if (cnnfi_get_i64(dims, d) < 1 || !cnnfi_mul_i64(&whole, whole, cnnfi_get_i64(dims, d)))
            return cnnfi_call_fail(call, CNNF_E_INVALID, "dims[%lld] is %lld", (long long)d,
                                   (long long)cnnfi_get_i64(dims, d));
    for (int64_t i = 0; i < in->count; i++) {
        int64_t left = cnnfi_get_i64(in, i);
        if (left < 0 || left >= whole)
            return cnnfi_call_fail(call, CNNF_E_INVALID, "index %lld is out of bounds", (long long)left);
        for (int64_t d = dims->count - 1; d >= 0; d--) {
            int64_t n = cnnfi_get_i64(dims, d), index = left % n;
            memcpy((char *)call->outputs[0].data + (size_t)(d * in->count + i) * size, &index, size);
            left /= n;
        }
    }
    return CNNF_OK;
}

/* ---- DataFormatDimMap, DataFormatVecPermute: NHWC positions and vectors to NCHW ones ---- */

static cnnf_status dim_map_run(cnnfi_call *call)
{
    const char *from, *to;
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_read_formats(call, &from, &to));
    int64_t rank = (int64_t)strlen(from);
    for (int64_t i = 0; i < in->count; i++) {
        int64_t axis = cnnfi_get_i64(in, i);
        if (axis < -rank || axis >= rank) return cnnfi_call_fail(call, CNNF_E_INVALID, "axis %lld", (long long)axis);
        axis = strchr(to, from[axis < 0 ? axis + rank : axis]) - to;
        memcpy((char *)call->outputs[0].data + (size_t)i * cnnf_dtype_size(in->dtype), &axis,
               cnnf_dtype_size(in->dtype));
    }
    return CNNF_OK;
}

/* A vector (or a matrix of pairs) with one row per axis; two rows fewer leave out N and C. */
static cnnf_status vec_permute_run(cnnfi_call *call)
{
    const char *from, *to;
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_read_formats(call, &from, &to));
    int64_t rank = (int64_t)strlen(from), rows = in->dims[0], row = 0;
    bool spatial = rows == rank - 2;
    size_t size = cnnf_dtype_size(in->dtype) * (size_t)(in->count / rows);
    for (const char *p = to; *p; p++) {
        if (spatial && (*p == 'N' || *p == 'C')) continue;
        int64_t at = 0;
        for (const char *q = from; *q != *p; q++)
            at += !(spatial && (*q == 'N' || *q == 'C'));
        memcpy((char *)call->outputs[0].data + (size_t)row++ * size, (const char *)in->data + (size_t)at * size, size);
    }
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"DataFormatDimMap", dim_map_run, 0, NULL},
    {"DataFormatVecPermute", vec_permute_run, 0, NULL},
    {"Empty", zeros_run, 0, NULL},
    {"Fill", fill_run, 0, NULL},
    {"InvertPermutation", invert_run, 0, NULL},
    {"LinSpace", linspace_run, 0, NULL},
    {"OneHot", one_hot_run, 0, NULL},
    {"OnesLike", ones_run, 0, ones_check},
    {"Range", range_run, 0, range_check},
    {"UnravelIndex", unravel_run, 0, NULL},
    {"ZerosLike", zeros_run, 0, NULL},
};

const cnnfi_kernel_family cnnfi_kernels_generate = {"generate", kernels, sizeof(kernels) / sizeof(kernels[0])};
