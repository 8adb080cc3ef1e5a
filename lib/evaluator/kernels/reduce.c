/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reductions over axes. The input is walked once in memory order; each output has a wide accumulator (double, 64-bit
 * integer, complex double) in scratch memory, so sums do not depend on how the axes lie.
 */
#include <complex.h>
#include <math.h>

#include "evaluator/kernels/portable.h"
#include "ops/rules/reduce_rules.h"

/* acc[i * stride] (stride 0 or 1) takes n inputs. */
typedef void (*reduce_fn)(void *acc, int64_t stride, const void *in, int64_t n);

typedef enum reduce_op { SUM, MEAN, PROD, MAX, MIN, NORM, ALL, ANY } reduce_op;

#define LOOP(name, T, A, expression)                                                                                   \
    static void name(void *accumulators, int64_t stride, const void *in, int64_t n)                                    \
    {                                                                                                                  \
        const T *from = in;                                                                                            \
        A *acc = accumulators;                                                                                         \
        if (stride) {                                                                                                  \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const A a = acc[i], x = (A)from[i];                                                                    \
                acc[i] = (expression);                                                                                 \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        A a = acc[0];                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const A x = (A)from[i];                                                                                    \
            a = (expression);                                                                                          \
        }                                                                                                              \
        acc[0] = a;                                                                                                    \
    }

#define FLOAT_OP(name, e) LOOP(name##_f32, float, double, e) LOOP(name##_f64, double, double, e)
/* Unsigned accumulators wrap; comparisons of signed types need int64_t. */
#define SIGNED_OP(name, A, e)                                                                                          \
    LOOP(name##_i8, int8_t, A, e)                                                                                      \
    LOOP(name##_i16, int16_t, A, e) LOOP(name##_i32, int32_t, A, e) LOOP(name##_i64, int64_t, A, e)
#define UNSIGNED_OP(name, e)                                                                                           \
    LOOP(name##_u8, uint8_t, uint64_t, e)                                                                              \
    LOOP(name##_u16, uint16_t, uint64_t, e)                                                                            \
    LOOP(name##_u32, uint32_t, uint64_t, e) LOOP(name##_u64, uint64_t, uint64_t, e)
#define COMPLEX_OP(name, e)                                                                                            \
    LOOP(name##_c64, float _Complex, double _Complex, e) LOOP(name##_c128, double _Complex, double _Complex, e)

FLOAT_OP(Sum, a + x)
SIGNED_OP(Sum, uint64_t, a + x)
UNSIGNED_OP(Sum, a + x)
COMPLEX_OP(Sum, a + x)
FLOAT_OP(Prod, a *x)
SIGNED_OP(Prod, uint64_t, a *x)
UNSIGNED_OP(Prod, a *x)
COMPLEX_OP(Prod, a *x)
FLOAT_OP(Max, x > a || isnan(x) ? x : a)
SIGNED_OP(Max, int64_t, x > a ? x : a)
UNSIGNED_OP(Max, x > a ? x : a)
FLOAT_OP(Min, x < a || isnan(x) ? x : a)
SIGNED_OP(Min, int64_t, x < a ? x : a)
UNSIGNED_OP(Min, x < a ? x : a)
FLOAT_OP(Norm, a + x * x)
SIGNED_OP(Norm, uint64_t, a + x * x)
UNSIGNED_OP(Norm, a + x * x)
COMPLEX_OP(Norm, a + x * conj(x))
LOOP(All_bool, uint8_t, uint64_t, a &&x)
LOOP(Any_bool, uint8_t, uint64_t, a || x)

#define EVERY(name) CNNFI_FLOATS(name) CNNFI_INTEGERS(name) CNNFI_COMPLEX(name)
static const reduce_fn functions[][CNNFI_T_COUNT] = {
    [SUM] = {EVERY(Sum)},
    [MEAN] = {EVERY(Sum)},
    [PROD] = {EVERY(Prod)},
    [MAX] = {CNNFI_FLOATS(Max) CNNFI_INTEGERS(Max)},
    [MIN] = {CNNFI_FLOATS(Min) CNNFI_INTEGERS(Min)},
    [NORM] = {EVERY(Norm)},
    [ALL] = {CNNFI_BOOL(All)},
    [ANY] = {CNNFI_BOOL(Any)},
};

static reduce_fn find_fn(reduce_op op, cnnfi_type type)
{
    if (type == CNNFI_T_NONE) return NULL;
    return functions[op][cnnfi_type_is_small_float(type) ? CNNFI_T_F32 : type];
}

static size_t accumulator_size(cnnfi_type type)
{
    return type == CNNFI_T_C64 || type == CNNFI_T_C128 ? 16 : 8;
}

/* One accumulator an output. */
static cnnf_status reduce_scratch(cnnfi_call *call, reduce_op op)
{
    const cnnfi_type type = cnnfi_type_of(call->inputs[0].dtype);
    if (!find_fn(op, type)) return cnnfi_fail_dtype(call, 0);
    if (!cnnfi_mul_size(&call->scratch_size, (size_t)call->outputs[0].count, accumulator_size(type)))
        return cnnfi_call_fail(call, CNNF_E_LIMIT, "the result is too big");
    return CNNF_OK;
}

typedef struct reduce_job {
    int32_t rank;                                                /* merged axes */
    int64_t dims[CNNFI_OP_MAX_RANK], strides[CNNFI_OP_MAX_RANK]; /* strides in accumulators; 0 = reduced */
    cnnfi_type type;
    reduce_fn fn;
    size_t size, acc_size;
} reduce_job;

static void plan_walk(reduce_job *job, const cnnfi_value *in, const bool *gone)
{
    bool kind[CNNFI_OP_MAX_RANK];
    job->rank = 0;
    for (int32_t i = 0; i < in->rank; i++) {
        if (in->dims[i] == 1) continue;
        bool join = job->rank > 0 && kind[job->rank - 1] == gone[i];
        if (join) {
            job->dims[job->rank - 1] *= in->dims[i];
            continue;
        }
        kind[job->rank] = gone[i];
        job->dims[job->rank++] = in->dims[i];
    }
    if (job->rank == 0) {
        kind[0] = true;
        job->dims[job->rank++] = 1;
    }
    int64_t step = 1;
    for (int32_t i = job->rank - 1; i >= 0; i--) {
        job->strides[i] = kind[i] ? 0 : step;
        if (!kind[i]) step *= job->dims[i];
    }
}

static void reduce_row(const reduce_job *job, char *acc, const char *in, int64_t n, int64_t stride)
{
    float block[CNNFI_FLOAT_BLOCK];
    if (!cnnfi_type_is_small_float(job->type)) {
        job->fn(acc, stride, in, n);
        return;
    }
    for (int64_t i = 0; i < n; i += CNNFI_FLOAT_BLOCK) {
        int64_t m = n - i < CNNFI_FLOAT_BLOCK ? n - i : CNNFI_FLOAT_BLOCK;
        cnnfi_small_load(job->type, in + (size_t)i * job->size, m, block);
        job->fn(acc + (size_t)(i * stride) * job->acc_size, stride, block, m);
    }
}

static void walk(const reduce_job *job, char *acc, const char *in)
{
    int64_t index[CNNFI_OP_MAX_RANK] = {0}, n = job->dims[job->rank - 1], at = 0;
    for (int32_t i = 0; i < job->rank; i++)
        if (job->dims[i] == 0) return;
    for (;;) {
        reduce_row(job, acc + (size_t)at * job->acc_size, in, n, job->strides[job->rank - 1]);
        in += (size_t)n * job->size;
        int32_t axis = job->rank - 2;
        for (; axis >= 0; axis--) {
            at += job->strides[axis];
            if (++index[axis] < job->dims[axis]) break;
            at -= index[axis] * job->strides[axis];
            index[axis] = 0;
        }
        if (axis < 0) return;
    }
}

/* The accumulator before the first element: what an empty reduction gives. */
static void start_value(reduce_op op, cnnfi_type type, void *to)
{
    static const uint64_t unsigned_max[] = {UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX};
    bool real = type < CNNFI_T_I8, is_signed = type >= CNNFI_T_I8 && type <= CNNFI_T_I64;
    double d = op == PROD ? 1 : op == MAX ? -(double)INFINITY : op == MIN ? (double)INFINITY : 0;
    int64_t i = op == PROD || op == ALL;
    if (is_signed && (op == MAX || op == MIN)) {
        int bits = 8 << (type - CNNFI_T_I8);
        i = op == MAX ? INT64_MIN >> (64 - bits) : INT64_MAX >> (64 - bits);
    }
    if (type >= CNNFI_T_U8 && type <= CNNFI_T_U64 && op == MIN) i = (int64_t)unsigned_max[type - CNNFI_T_U8];
    memset(to, 0, 16);
    if (real || accumulator_size(type) == 16)
        memcpy(to, &d, sizeof(d));
    else
        memcpy(to, &i, sizeof(i));
}

static int64_t narrow(int64_t value, cnnfi_type type)
{
    switch (type) {
    case CNNFI_T_I8:
        return (int8_t)value;
    case CNNFI_T_I16:
        return (int16_t)value;
    case CNNFI_T_I32:
        return (int32_t)value;
    case CNNFI_T_U8:
        return (uint8_t)value;
    case CNNFI_T_U16:
        return (uint16_t)value;
    case CNNFI_T_U32:
        return (uint32_t)value;
    default:
        return value;
    }
}

/* The root of a sum of squares that overflowed below zero is no number, which x86 makes the smallest int32 or int64
   (Eigen converts by way of one of them). */
static int64_t integer_root(cnnfi_type type, int64_t square)
{
    if (type == CNNFI_T_U64) return (int64_t)(uint64_t)sqrt((double)(uint64_t)square);
    if (square < 0) return type == CNNFI_T_I64 ? INT64_MIN : INT32_MIN;
    return (int64_t)sqrt((double)square);
}

static int64_t finish_int(reduce_op op, cnnfi_type type, int64_t value, int64_t count)
{
    value = narrow(value, type);
    if (op == NORM) return integer_root(type, value);
    if (op != MEAN) return value;
    if (count == 0) return 0; /* TensorFlow would divide by zero */
    return type == CNNFI_T_U64 ? (int64_t)((uint64_t)value / (uint64_t)count) : value / count;
}

static void finish(reduce_op op, cnnfi_value *out, const void *acc, int64_t count)
{
    cnnfi_type type = cnnfi_type_of(out->dtype);
    size_t size = cnnf_dtype_size(out->dtype);
    for (int64_t i = 0; i < out->count; i++) {
        char element[16], *to = (char *)out->data + (size_t)i * size;
        if (accumulator_size(type) == 16) {
            double _Complex z = ((const double _Complex *)acc)[i];
            z = op == MEAN ? z / (double)count : op == NORM ? csqrt(z) : z;
            float _Complex f = (float _Complex)z;
            memcpy(to, size == 8 ? (void *)&f : (void *)&z, size);
        } else if (type < CNNFI_T_I8) {
            double x = ((const double *)acc)[i];
            cnnfi_put_f64(type, op == MEAN ? x / (double)count : op == NORM ? sqrt(x) : x, element);
            memcpy(to, element, size);
        } else {
            int64_t x = finish_int(op, type, ((const int64_t *)acc)[i], count);
            memcpy(to, &x, size);
        }
    }
}

static cnnf_status reduce_run(cnnfi_call *call, reduce_op op)
{
    const cnnfi_value *in = call->inputs;
    cnnfi_value *out = &call->outputs[0];
    bool gone[CNNFI_OP_MAX_RANK];
    char start[16];
    CNNFI_TRY(cnnfi_reduce_axes(call, gone));
    cnnfi_type type = cnnfi_type_of(in->dtype);
    reduce_job job = {
        .type = type, .fn = find_fn(op, type), .size = cnnf_dtype_size(in->dtype), .acc_size = accumulator_size(type)};
    plan_walk(&job, in, gone);
    start_value(op, type, start);
    cnnfi_fill(call->scratch, start, job.acc_size, out->count);
    walk(&job, call->scratch, in->data);
    int64_t count = 1;
    for (int32_t i = 0; i < in->rank; i++)
        count *= gone[i] ? in->dims[i] : 1;
    finish(op, out, call->scratch, count);
    return CNNF_OK;
}

#define REDUCE_OPS(X)                                                                                                  \
    X(Sum, SUM) X(Mean, MEAN) X(Prod, PROD) X(Max, MAX) X(Min, MIN) X(EuclideanNorm, NORM) X(All, ALL) X(Any, ANY)

#define DEFINE(op, kind)                                                                                               \
    static cnnf_status op##_scratch(cnnfi_call *call)                                                                  \
    {                                                                                                                  \
        return reduce_scratch(call, kind);                                                                             \
    }                                                                                                                  \
    static cnnf_status op##_run(cnnfi_call *call)                                                                      \
    {                                                                                                                  \
        return reduce_run(call, kind);                                                                                 \
    }
REDUCE_OPS(DEFINE)

#define ROW(op, kind) {#op, op##_run, 0, op##_scratch},
static const cnnfi_kernel kernels[] = {REDUCE_OPS(ROW)};

const cnnfi_kernel_family cnnfi_kernels_reduce = {"reduce", kernels, sizeof(kernels) / sizeof(kernels[0])};
