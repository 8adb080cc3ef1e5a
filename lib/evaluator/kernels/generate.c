/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors from a few numbers: Fill, Range, LinSpace, OneHot, ZerosLike ... */
#include <math.h>

#include "evaluator/kernels/portable.h"

/* ---- Fill, ZerosLike, OnesLike, Empty ---- */

static cnnf_status fill_infer(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK], rank = 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 1));
    CNNFI_TRY(cnnfi_call_ints(call, 0, dims, CNNFI_OP_MAX_RANK, &rank));
    if (call->inputs[1].count != 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the value must be a scalar");
    return cnnfi_output_one(call, call->inputs[1].dtype, (int32_t)rank, dims);
}

static cnnf_status fill_run(cnnfi_call *call)
{
    const cnnfi_value *out = call->outputs;
    cnnfi_fill(out->data, call->inputs[1].data, cnnf_dtype_size(out->dtype), out->count);
    return CNNF_OK;
}

static cnnf_status like_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status zeros_run(cnnfi_call *call)
{
    const cnnfi_value *out = call->outputs;
    memset(out->data, 0, (size_t)out->count * cnnf_dtype_size(out->dtype));
    return CNNF_OK;
}

static cnnf_status ones_run(cnnfi_call *call)
{
    char one[16];
    const cnnfi_value *out = call->outputs;
    cnnfi_put_f64(cnnfi_type_of(out->dtype), 1, one);
    cnnfi_fill(out->data, one, cnnf_dtype_size(out->dtype), out->count);
    return CNNF_OK;
}

/* Empty: its elements are nobody's; zeros are as good as any, and the same every time. */
static cnnf_status empty_infer(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK], rank = 0;
    cnnf_dtype dtype = cnnf_node_attr_type(call->node, "dtype", CNNF_DTYPE_INVALID);
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_call_ints(call, 0, dims, CNNFI_OP_MAX_RANK, &rank));
    if (cnnf_dtype_size(dtype) == 0)
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "dtype %s", cnnf_dtype_name(dtype));
    return cnnfi_output_one(call, dtype, (int32_t)rank, dims);
}

/* ---- Range ---- */

/* Number of elements; false for a step of 0 or of the wrong sign. Counted in double for floats, exactly for integers.
 */
static bool range_count(const cnnfi_value *in, int64_t *count)
{
    if (cnnfi_type_is_float(cnnfi_type_of(in->dtype))) {
        double start = cnnfi_get_f64(in, 0), limit = cnnfi_get_f64(in + 1, 0), delta = cnnfi_get_f64(in + 2, 0);
        double n = ceil(fabs((limit - start) / delta));
        if (delta == 0 || (start > limit && delta > 0) || (start < limit && delta < 0) || !(n < 4e18)) return false;
        *count = (int64_t)n;
        return true;
    }
    int64_t start = cnnfi_get_i64(in, 0), limit = cnnfi_get_i64(in + 1, 0), delta = cnnfi_get_i64(in + 2, 0);
    if (delta == 0 || (start > limit && delta > 0) || (start < limit && delta < 0)) return false;
    uint64_t span = start > limit ? (uint64_t)start - (uint64_t)limit : (uint64_t)limit - (uint64_t)start;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    uint64_t n = span / step + (span % step != 0);
    *count = (int64_t)n;
    return n <= INT64_MAX;
}

static cnnf_status range_infer(cnnfi_call *call)
{
    int64_t count = 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    for (int32_t i = 0; i < 3; i++) {
        CNNFI_TRY(cnnfi_want_same_dtype(call, 0, i));
        if (call->inputs[i].count != 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d must be a scalar", i);
    }
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    for (int32_t i = 0; i < 3; i++)
        CNNFI_TRY(cnnfi_want_value(call, i));
    if (!range_count(call->inputs, &count))
        return cnnfi_call_fail(call, CNNF_E_INVALID, "the step never gets from start to limit");
    return cnnfi_output_one(call, call->inputs[0].dtype, 1, &count);
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

static cnnf_status linspace_infer(cnnfi_call *call)
{
    int64_t n;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    if (call->inputs[0].count != 1 || call->inputs[1].count != 1)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "start and stop must be scalars");
    CNNFI_TRY(cnnfi_call_int(call, 2, &n));
    if (n < 1) return cnnfi_call_fail(call, CNNF_E_INVALID, "num is %lld, must be >= 1", (long long)n);
    return cnnfi_output_one(call, call->inputs[0].dtype, 1, &n);
}

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

static cnnf_status one_hot_infer(cnnfi_call *call)
{
    int64_t depth, dims[CNNFI_OP_MAX_RANK + 1];
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 4, 4));
    const cnnfi_value *in = call->inputs;
    cnnfi_type type = cnnfi_type_of(in->dtype);
    if (type < CNNFI_T_I8 || type > CNNFI_T_U64) return cnnfi_fail_dtype(call, 0);
    CNNFI_TRY(cnnfi_want_same_dtype(call, 2, 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 2));
    if (in[2].count != 1 || in[3].count != 1)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "on_value and off_value must be scalars");
    CNNFI_TRY(cnnfi_call_int(call, 1, &depth));
    if (depth < 0) return cnnfi_call_fail(call, CNNF_E_INVALID, "depth is %lld", (long long)depth);
    CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_int(call->node, "axis", -1), in->rank + 1, "axis", &axis));
    for (int32_t i = 0; i <= in->rank; i++)
        dims[i] = i == axis ? depth : in->dims[i - (i > axis)];
    return cnnfi_output_one(call, in[2].dtype, in->rank + 1, dims);
}

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

static cnnf_status invert_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_int(call, 0));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 1));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

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

static cnnf_status unravel_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_int(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    if (call->inputs[0].rank > 1)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the indices must be a scalar or a vector");
    const int64_t shape[] = {call->inputs[1].count, call->inputs[0].count};
    return cnnfi_output_one(call, call->inputs[0].dtype, call->inputs[0].rank + 1, shape);
}

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

static cnnf_status read_formats(cnnfi_call *call, const char **from, const char **to)
{
    *from = cnnf_node_attr_string(NULL, call->node, "src_format");
    *to = cnnf_node_attr_string(NULL, call->node, "dst_format");
    if (!*from) *from = "NHWC";
    if (!*to) *to = "NCHW";
    bool good = (strlen(*from) == 4 || strlen(*from) == 5) && strlen(*from) == strlen(*to);
    for (const char *p = *from; good && *p; p++)
        good = strchr(*to, *p) && !strchr(p + 1, *p);
    return good ? CNNF_OK : cnnfi_call_fail(call, CNNF_E_INVALID, "formats %.8s and %.8s", *from, *to);
}

static cnnf_status format_infer(cnnfi_call *call)
{
    const char *from, *to;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_int(call, 0));
    CNNFI_TRY(read_formats(call, &from, &to));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status dim_map_run(cnnfi_call *call)
{
    const char *from, *to;
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(read_formats(call, &from, &to));
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
    CNNFI_TRY(read_formats(call, &from, &to));
    int64_t rank = (int64_t)strlen(from), rows = in->rank > 0 ? in->dims[0] : 0, row = 0;
    bool spatial = rows == rank - 2;
    if (in->rank < 1 || in->rank > 2 || (in->rank == 2 && in->dims[1] != 2) || (rows != rank && !spatial))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the input does not have a row per axis");
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
    {"DataFormatDimMap", format_infer, dim_map_run, 0},
    {"DataFormatVecPermute", format_infer, vec_permute_run, 0},
    {"Empty", empty_infer, zeros_run, 0},
    {"Fill", fill_infer, fill_run, 0},
    {"InvertPermutation", invert_infer, invert_run, 0},
    {"LinSpace", linspace_infer, linspace_run, 0},
    {"OneHot", one_hot_infer, one_hot_run, 0},
    {"OnesLike", like_infer, ones_run, CNNFI_OP_SHAPE},
    {"Range", range_infer, range_run, 0},
    {"UnravelIndex", unravel_infer, unravel_run, 0},
    {"ZerosLike", like_infer, zeros_run, CNNFI_OP_SHAPE},
};

const cnnfi_kernel_family cnnfi_kernels_generate = {"generate", kernels, sizeof(kernels) / sizeof(kernels[0])};
