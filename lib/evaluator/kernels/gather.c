/* SPDX-License-Identifier: Apache-2.0 */
/* Taking and putting rows by index. An index outside its axis is an error, as on TensorFlow's processors. */
#include "evaluator/kernels/portable.h"
#include "ops/rules/gather_rules.h"

static cnnf_status fail_index(cnnfi_call *call, int64_t index, int64_t limit)
{
    return cnnfi_call_fail(call, CNNF_E_INVALID, "index %lld is not in [0, %lld)", (long long)index, (long long)limit);
}

/* ---- Gather, GatherV2 ---- */

static cnnf_status gather_run(cnnfi_call *call)
{
    cnnfi_gather g;
    CNNFI_TRY(cnnfi_gather_axes(call, &g));
    const cnnfi_value *params = &call->inputs[0], *indices = &call->inputs[1];
    int64_t batches = cnnfi_span(params->dims, 0, g.batch), outer = cnnfi_span(params->dims, g.batch, g.axis);
    int64_t limit = params->dims[g.axis], n = cnnfi_span(indices->dims, g.batch, indices->rank);
    size_t row = (size_t)cnnfi_span(params->dims, g.axis + 1, params->rank) * cnnf_dtype_size(params->dtype);
    char *to = call->outputs[0].data;
    if (call->outputs[0].count == 0) return CNNF_OK;
    for (int64_t b = 0; b < batches * outer; b++) {
        const char *from = (const char *)params->data + (size_t)(b * limit) * row;
        int64_t first = b / outer * n;
        for (int64_t i = 0; i < n; i++, to += row) {
            int64_t index = cnnfi_get_i64(indices, first + i);
            if (index < 0 || index >= limit) return fail_index(call, index, limit);
            memcpy(to, from + (size_t)index * row, row);
        }
    }
    return CNNF_OK;
}

/* ---- N-dimensional indices ---- */

/* Number of the row that index vector `i` names; -1 when it is outside. */
static int64_t nd_row(const cnnfi_value *indices, int64_t i, int32_t depth, const int64_t *dims)
{
    int64_t row = 0;
    for (int32_t k = 0; k < depth; k++) {
        int64_t index = cnnfi_get_i64(indices, i * depth + k);
        if (index < 0 || index >= dims[k]) return -1;
        row = row * dims[k] + index;
    }
    return row;
}

static cnnf_status fail_row(cnnfi_call *call, int64_t i)
{
    return cnnfi_call_fail(call, CNNF_E_INVALID, "indices[%lld] is outside the tensor", (long long)i);
}

static cnnf_status gather_nd_run(cnnfi_call *call)
{
    const cnnfi_value *params = &call->inputs[0], *indices = &call->inputs[1];
    int32_t depth = (int32_t)indices->dims[indices->rank - 1];
    int64_t n = cnnfi_span(indices->dims, 0, indices->rank - 1);
    size_t row = (size_t)cnnfi_span(params->dims, depth, params->rank) * cnnf_dtype_size(params->dtype);
    if (call->outputs[0].count == 0) return CNNF_OK;
    for (int64_t i = 0; i < n; i++) {
        int64_t from = nd_row(indices, i, depth, params->dims);
        if (from < 0) return fail_row(call, i);
        memcpy((char *)call->outputs[0].data + (size_t)i * row, (const char *)params->data + (size_t)from * row, row);
    }
    return CNNF_OK;
}

/* ---- scattering ---- */

typedef enum combine { SET, ADD, SUBTRACT, LOWER, HIGHER } combine;

#define COMBINE(T, to, x)                                                                                              \
    switch (how) {                                                                                                     \
    case SET:                                                                                                          \
        to = x;                                                                                                        \
        break;                                                                                                         \
    case ADD:                                                                                                          \
        to = (T)(to + x);                                                                                              \
        break;                                                                                                         \
    case SUBTRACT:                                                                                                     \
        to = (T)(to - x);                                                                                              \
        break;                                                                                                         \
    case LOWER:                                                                                                        \
        to = x < to ? x : to;                                                                                          \
        break;                                                                                                         \
    case HIGHER:                                                                                                       \
        to = x > to ? x : to;                                                                                          \
        break;                                                                                                         \
    }

/* Integers are added as unsigned ones so that they wrap; smaller and larger need the sign. */
#define ROWS(suffix, T, U)                                                                                             \
    static void combine_##suffix(combine how, void *out, const void *in, int64_t n)                                    \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            if (how == LOWER || how == HIGHER) {                                                                       \
                T *to = (T *)out + i;                                                                                  \
                const T x = ((const T *)in)[i];                                                                        \
                COMBINE(T, *to, x)                                                                                     \
            } else {                                                                                                   \
                U *to = (U *)out + i;                                                                                  \
                const U x = ((const U *)in)[i];                                                                        \
                COMBINE(U, *to, x)                                                                                     \
            }                                                                                                          \
        }                                                                                                              \
    }
ROWS(f32, float, float)
ROWS(f64, double, double)
ROWS(i8, int8_t, uint8_t)
ROWS(i16, int16_t, uint16_t)
ROWS(i32, int32_t, uint32_t)
ROWS(i64, int64_t, uint64_t)
ROWS(u8, uint8_t, uint8_t)
ROWS(u16, uint16_t, uint16_t)
ROWS(u32, uint32_t, uint32_t)
ROWS(u64, uint64_t, uint64_t)

static void combine_bool(combine how, void *out, const void *in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint8_t x = ((const uint8_t *)in)[i] != 0, *to = (uint8_t *)out + i;
        *to = how == SET ? x : how == LOWER ? *to && x : *to || x;
    }
}

typedef void (*combine_fn)(combine how, void *out, const void *in, int64_t n);
static const combine_fn combine_fns[CNNFI_T_COUNT] = {CNNFI_FLOATS(combine) CNNFI_INTEGERS(combine)
                                                          CNNFI_BOOL(combine)};

static void combine_row(combine how, cnnfi_type type, void *out, const void *in, int64_t n, size_t size)
{
    if (how == SET) {
        memcpy(out, in, (size_t)n * size);
    } else if (cnnfi_type_is_small_float(type)) {
        for (int64_t i = 0; i < n; i++) {
            float to, x;
            cnnfi_small_load(type, (const uint16_t *)out + i, 1, &to);
            cnnfi_small_load(type, (const uint16_t *)in + i, 1, &x);
            combine_f32(how, &to, &x, 1);
            cnnfi_small_store(type, &to, 1, (uint16_t *)out + i);
        }
    } else if (type == CNNFI_T_C64) {
        combine_f32(how, out, in, 2 * n);
    } else if (type == CNNFI_T_C128) {
        combine_f64(how, out, in, 2 * n);
    } else {
        combine_fns[type](how, out, in, n);
    }
}

static cnnf_status scatter_into(cnnfi_call *call, combine how, const cnnfi_value *indices, const cnnfi_value *updates)
{
    cnnfi_value *out = &call->outputs[0];
    int32_t depth = (int32_t)indices->dims[indices->rank - 1];
    int64_t n = cnnfi_span(indices->dims, 0, indices->rank - 1), row = cnnfi_span(out->dims, depth, out->rank);
    size_t size = cnnf_dtype_size(out->dtype);
    for (int64_t i = 0; i < n && updates->count > 0; i++) {
        int64_t to = nd_row(indices, i, depth, out->dims);
        if (to < 0) return fail_row(call, i);
        combine_row(how, cnnfi_type_of(out->dtype), (char *)out->data + (size_t)(to * row) * size,
                    (const char *)updates->data + (size_t)(i * row) * size, row, size);
    }
    return CNNF_OK;
}

/* What can be added up. */
static cnnf_status take_sums(cnnfi_call *call)
{
    return cnnfi_type_of(call->outputs[0].dtype) < CNNFI_T_NONE ? CNNF_OK : cnnfi_fail_dtype(call, 1);
}

static cnnf_status scatter_run(cnnfi_call *call)
{
    cnnfi_value *out = &call->outputs[0];
    memset(out->data, 0, (size_t)out->count * cnnf_dtype_size(out->dtype));
    return scatter_into(call, ADD, &call->inputs[0], &call->inputs[1]);
}

static cnnf_status tensor_scatter_run(cnnfi_call *call, combine how)
{
    cnnfi_copy_bytes(&call->outputs[0], &call->inputs[0]);
    return scatter_into(call, how, &call->inputs[1], &call->inputs[2]);
}

#define SCATTER_OPS(X)                                                                                                 \
    X(TensorScatterAdd, ADD)                                                                                           \
    X(TensorScatterMax, HIGHER)                                                                                        \
    X(TensorScatterMin, LOWER)                                                                                         \
    X(TensorScatterSub, SUBTRACT)                                                                                      \
    X(TensorScatterUpdate, SET)                                                                                        \
    X(ScatterNdNonAliasingAdd, ADD)
#define DEFINE(op, how)                                                                                                \
    static cnnf_status op##_run(cnnfi_call *call)                                                                      \
    {                                                                                                                  \
        return tensor_scatter_run(call, how);                                                                          \
    }
SCATTER_OPS(DEFINE)

#define ROW(op, how) {#op, op##_run, 0, how == SET ? NULL : take_sums},
static const cnnfi_kernel kernels[] = {{"Gather", gather_run, 0, NULL},
                                       {"GatherNd", gather_nd_run, 0, NULL},
                                       {"GatherV2", gather_run, 0, NULL},
                                       {"ResourceGather", gather_run, 0, NULL},
                                       {"ResourceGatherNd", gather_nd_run, 0, NULL},
                                       {"ScatterNd", scatter_run, 0, take_sums},
                                       SCATTER_OPS(ROW)};

const cnnfi_kernel_family cnnfi_kernels_gather = {"gather", kernels, sizeof(kernels) / sizeof(kernels[0])};
