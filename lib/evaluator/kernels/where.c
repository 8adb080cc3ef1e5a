/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing element by element, and the element-wise ops of three and more inputs: Select, Where, AddN, ClipByValue ...
 */
#include <math.h>

#include "evaluator/kernels/portable.h"
#include "evaluator/kernels/math_special.h"
#include "ops/rules/where_rules.h"

/* ---- Select, SelectV2 ---- */

typedef struct select_job {
    const cnnfi_broadcast *b;
    const uint8_t *which;
    const char *yes, *no;
    char *out;
    size_t size;
} select_job;

#define PICK(T)                                                                                                        \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        ((T *)to)[i] = ((const T *)(c[i * sc] ? yes : no))[i * (c[i * sc] ? sy : sn)];

static void select_row(const int64_t *at, int64_t out, int64_t n, void *user)
{
    const select_job *job = user;
    int32_t last = job->b->rank - 1;
    int64_t sc = job->b->strides[0][last], sy = job->b->strides[1][last], sn = job->b->strides[2][last];
    const uint8_t *c = job->which + at[0];
    const void *yes = job->yes + (size_t)at[1] * job->size, *no = job->no + (size_t)at[2] * job->size;
    char *to = job->out + (size_t)out * job->size;
    if (job->size == 4) {
        PICK(uint32_t)
        return;
    }
    for (int64_t i = 0; i < n; i++)
        memcpy(to + (size_t)i * job->size,
               c[i * sc] ? (const char *)yes + (size_t)(i * sy) * job->size
                         : (const char *)no + (size_t)(i * sn) * job->size,
               job->size);
}

static void select_all(cnnfi_call *call, const cnnfi_value *inputs)
{
    cnnfi_broadcast b;
    const cnnfi_value *out = call->outputs;
    cnnfi_broadcast_init(&b, inputs, 3, out);
    select_job job = {.b = &b,
                      .which = inputs[0].data,
                      .yes = inputs[1].data,
                      .no = inputs[2].data,
                      .out = out->data,
                      .size = cnnf_dtype_size(out->dtype)};
    cnnfi_broadcast_rows(&b, 0, cnnfi_broadcast_row_count(&b), select_row, &job);
}

static cnnf_status select_v2_run(cnnfi_call *call)
{
    select_all(call, call->inputs);
    return CNNF_OK;
}

static cnnf_status select_run(cnnfi_call *call)
{
    cnnfi_value inputs[3] = {call->inputs[0], call->inputs[1], call->inputs[2]};
    for (int32_t i = inputs[0].rank; inputs[0].rank == 1 && i < inputs[1].rank; i++)
        inputs[0].dims[i] = 1;
    if (inputs[0].rank == 1) inputs[0].rank = inputs[1].rank;
    select_all(call, inputs);
    return CNNF_OK;
}

/* ---- Where: the places that are not zero ---- */

static cnnf_status where_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int64_t *to = call->outputs[0].data, strides[CNNFI_OP_MAX_RANK];
    cnnfi_strides(in->rank, in->dims, strides);
    for (int64_t i = 0; i < in->count; i++) {
        if (!cnnfi_element_is_set(in, i)) continue;
        for (int32_t a = 0; a < in->rank; a++)
            *to++ = i / strides[a] % in->dims[a];
    }
    return CNNF_OK;
}

/* Types with an order and a difference: no bool. */
static cnnf_status take_real(cnnfi_call *call)
{
    return cnnfi_type_of(call->inputs[0].dtype) < CNNFI_T_BOOL ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

/* ---- sums of many ---- */

/* Integers add up as unsigned ones: they wrap. */
#define SUM(T)                                                                                                         \
    for (int64_t i = 0; i < out->count * parts; i++) {                                                                 \
        T sum = ((const T *)call->inputs[0].data)[i];                                                                  \
        for (int32_t k = 1; k < call->n_inputs; k++)                                                                   \
            sum = (T)(sum + ((const T *)call->inputs[k].data)[i]);                                                     \
        ((T *)out->data)[i] = sum;                                                                                     \
    }                                                                                                                  \
    return CNNF_OK;

static cnnf_status add_n_check(cnnfi_call *call)
{
    return call->inputs[0].dtype == CNNF_BOOL ? cnnfi_fail_dtype(call, 0) : cnnfi_take_numbers(call);
}

static cnnf_status add_n_run(cnnfi_call *call)
{
    cnnfi_value *out = &call->outputs[0];
    cnnfi_type type = cnnfi_type_of(out->dtype);
    int64_t parts = type == CNNFI_T_C64 || type == CNNFI_T_C128 ? 2 : 1;
    if (type == CNNFI_T_F32 || type == CNNFI_T_C64) {
        SUM(float)
    }
    if (type == CNNFI_T_F64 || type == CNNFI_T_C128) {
        SUM(double)
    }
    switch (cnnfi_type_is_small_float(type) ? 0 : cnnf_dtype_size(out->dtype)) {
    case 1:
        SUM(uint8_t)
    case 2:
        SUM(uint16_t)
    case 4:
        SUM(uint32_t)
    case 8:
        SUM(uint64_t)
    default:
        break;
    }
    for (int64_t i = 0; i < out->count; i++) {
        float sum = 0;
        for (int32_t k = 0; k < call->n_inputs; k++)
            sum += (float)cnnfi_get_f64(&call->inputs[k], i);
        cnnfi_small_store(type, &sum, 1, (uint16_t *)out->data + i);
    }
    return CNNF_OK;
}

/* ---- ClipByValue ---- */

static cnnf_status clip_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    bool real = cnnfi_type_is_float(cnnfi_type_of(in->dtype)), is_u64 = in->dtype == CNNF_UINT64;
    size_t size = cnnf_dtype_size(in->dtype);
    for (int64_t i = 0; i < in->count; i++) {
        int64_t l = in[1].rank ? i : 0, h = in[2].rank ? i : 0, pick;
        if (real) {
            double x = cnnfi_get_f64(in, i), low = cnnfi_get_f64(in + 1, l), high = cnnfi_get_f64(in + 2, h);
            double cut = x > high ? high : x;
            pick = cut < low ? 1 : x > high ? 2 : 0;
        } else {
            /* flipping the sign bit orders uint64 as int64 */
            uint64_t flip = is_u64 ? (uint64_t)1 << 63 : 0;
            int64_t x = (int64_t)((uint64_t)cnnfi_get_i64(in, i) ^ flip),
                    low = (int64_t)((uint64_t)cnnfi_get_i64(in + 1, l) ^ flip);
            int64_t high = (int64_t)((uint64_t)cnnfi_get_i64(in + 2, h) ^ flip), cut = x > high ? high : x;
            pick = cut < low ? 1 : x > high ? 2 : 0;
        }
        const char *from = (const char *)in[pick].data + (size_t)(pick == 1 ? l : pick == 2 ? h : i) * size;
        memmove((char *)out->data + (size_t)i * size, from, size);
    }
    return CNNF_OK;
}

/* ---- ApproximateEqual ---- */

static cnnf_status approximate_run(cnnfi_call *call)
{
    const cnnfi_value *x = &call->inputs[0], *y = &call->inputs[1];
    double tolerance = cnnf_node_attr_float(call->node, "tolerance", (double)1e-5f);
    for (int64_t i = 0; i < x->count; i++) {
        double d = cnnfi_get_f64(x, i) - cnnfi_get_f64(y, i);
        if (x->dtype == CNNF_FLOAT) d = (double)((float)cnnfi_get_f64(x, i) - (float)cnnfi_get_f64(y, i));
        ((uint8_t *)call->outputs[0].data)[i] = fabs(d) < tolerance;
    }
    return CNNF_OK;
}

/* ---- Betainc ---- */

static void betainc_row(const int64_t *at, int64_t out, int64_t n, void *user)
{
    const cnnfi_call *call = *(cnnfi_call **)user;
    const cnnfi_broadcast *b = ((const cnnfi_broadcast **)user)[1];
    size_t size = cnnf_dtype_size(call->outputs[0].dtype);
    for (int64_t i = 0; i < n; i++) {
        char element[16];
        double x[3];
        for (int k = 0; k < 3; k++)
            x[k] = cnnfi_get_f64(&call->inputs[k], at[k] + i * b->strides[k][b->rank - 1]);
        cnnfi_put_f64(cnnfi_type_of(call->outputs[0].dtype), cnnfi_betainc(x[0], x[1], x[2]), element);
        memcpy((char *)call->outputs[0].data + (size_t)(out + i) * size, element, size);
    }
}

static cnnf_status betainc_run(cnnfi_call *call)
{
    cnnfi_broadcast b;
    void *user[] = {call, &b};
    cnnfi_broadcast_init(&b, call->inputs, 3, call->outputs);
    cnnfi_broadcast_rows(&b, 0, cnnfi_broadcast_row_count(&b), betainc_row, user);
    return CNNF_OK;
}

/* ---- Bucketize: how many boundaries are not above x ---- */

static cnnf_status bucketize_run(cnnfi_call *call)
{
    const cnnfi_attr *attr = cnnfi_node_attr(call->node, "boundaries");
    const float *boundaries = attr && attr->kind == CNNF_ATTR_LIST && attr->u.list.item_kind == CNNF_ATTR_FLOAT
                                  ? attr->u.list.u.floats
                                  : NULL;
    size_t n = boundaries ? attr->u.list.count : 0;
    for (int64_t i = 0; i < call->inputs[0].count; i++) {
        double x = cnnfi_get_f64(call->inputs, i);
        int32_t at = 0;
        while ((size_t)at < n && !(x < (double)boundaries[at]))
            at++;
        ((int32_t *)call->outputs[0].data)[i] = at;
    }
    return CNNF_OK;
}

/* ---- Complex, Cross ---- */

static void complex_row(const int64_t *at, int64_t out, int64_t n, void *user)
{
    const cnnfi_call *call = *(cnnfi_call **)user;
    const cnnfi_broadcast *b = ((const cnnfi_broadcast **)user)[1];
    size_t size = cnnf_dtype_size(call->inputs[0].dtype);
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            memcpy((char *)call->outputs[0].data + (size_t)(2 * (out + i) + k) * size,
                   (const char *)call->inputs[k].data + (size_t)(at[k] + i * b->strides[k][b->rank - 1]) * size, size);
}

static cnnf_status complex_run(cnnfi_call *call)
{
    cnnfi_broadcast b;
    void *user[] = {call, &b};
    cnnfi_broadcast_init(&b, call->inputs, 2, call->outputs);
    cnnfi_broadcast_rows(&b, 0, cnnfi_broadcast_row_count(&b), complex_row, user);
    return CNNF_OK;
}

static cnnf_status cross_run(cnnfi_call *call)
{
    const cnnfi_value *a = &call->inputs[0], *b = &call->inputs[1];
    cnnfi_type type = cnnfi_type_of(a->dtype);
    size_t size = cnnf_dtype_size(a->dtype);
    for (int64_t i = 0; i < a->count; i++) {
        int64_t row = i / 3 * 3, j = row + (i + 1) % 3, k = row + (i + 2) % 3; /* row is a multiple of 3 */
        char element[16];
        if (cnnfi_type_is_float(type)) {
            double x = cnnfi_get_f64(a, j) * cnnfi_get_f64(b, k), y = cnnfi_get_f64(a, k) * cnnfi_get_f64(b, j);
            bool single = type == CNNFI_T_F32;
            cnnfi_put_f64(type, single ? (double)((float)x - (float)y) : x - y, element);
        } else {
            uint64_t x = (uint64_t)cnnfi_get_i64(a, j) * (uint64_t)cnnfi_get_i64(b, k);
            uint64_t y = (uint64_t)cnnfi_get_i64(a, k) * (uint64_t)cnnfi_get_i64(b, j), z = x - y;
            memcpy(element, &z, sizeof(z));
        }
        memcpy((char *)call->outputs[0].data + (size_t)i * size, element, size);
    }
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"AccumulateNV2", add_n_run, 0, add_n_check},
    {"AddN", add_n_run, 0, add_n_check},
    {"ApproximateEqual", approximate_run, 0, cnnfi_take_numbers},
    {"Betainc", betainc_run, 0, NULL},
    {"Bucketize", bucketize_run, 0, cnnfi_take_ordered},
    {"ClipByValue", clip_run, 0, take_real},
    {"Complex", complex_run, 0, NULL},
    {"Cross", cross_run, 0, take_real},
    {"Select", select_run, 0, NULL},
    {"SelectV2", select_v2_run, 0, NULL},
    {"Where", where_run, 0, cnnfi_take_numbers},
};

const cnnfi_kernel_family cnnfi_kernels_select = {"select", kernels, sizeof(kernels) / sizeof(kernels[0])};
