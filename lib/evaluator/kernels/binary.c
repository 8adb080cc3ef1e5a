/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise ops of two inputs that broadcast. An op is one line in BINARY_OPS; what it computes stands above, by
 * type. */
#include <complex.h>
#include <math.h>

#include "evaluator/kernels/portable.h"
#include "evaluator/kernels/math_special.h"

/* Strides are 0 or 1. */
typedef void (*binary_fn)(const void *a, int64_t sa, const void *b, int64_t sb, void *out, int64_t n);

#define SAME      0u /* output of the inputs' type */
#define PREDICATE 1u /* bool output */
#define DIVIDES   2u /* an integer zero in the second input is an error */
#define POWERS    4u /* a negative integer in the second input is an error */

typedef struct binary_spec {
    uint32_t flags;
    binary_fn fn[CNNFI_T_COUNT];
} binary_spec;

/* Separate loops for scalar operands let the compiler vectorise what most graphs use. */
#define LOOP(name, T, R, expression)                                                                                   \
    static void name(const void *ap, int64_t sa, const void *bp, int64_t sb, void *out, int64_t n)                     \
    {                                                                                                                  \
        const T *a = ap, *b = bp;                                                                                      \
        R *to = out;                                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T x = a[i * sa], y = b[i * sb];                                                                      \
            to[i] = (R)(expression);                                                                                   \
        }                                                                                                              \
    }
#define FAST_LOOP(name, T, R, expression)                                                                              \
    static void name(const void *ap, int64_t sa, const void *bp, int64_t sb, void *out, int64_t n)                     \
    {                                                                                                                  \
        const T *a = ap, *b = bp;                                                                                      \
        R *to = out;                                                                                                   \
        if (sa == 1 && sb == 1)                                                                                        \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const T x = a[i], y = b[i];                                                                            \
                to[i] = (R)(expression);                                                                               \
            }                                                                                                          \
        else if (sa == 1) {                                                                                            \
            const T y = b[0];                                                                                          \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const T x = a[i];                                                                                      \
                to[i] = (R)(expression);                                                                               \
            }                                                                                                          \
        } else {                                                                                                       \
            const T x = a[0];                                                                                          \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const T y = b[i * sb];                                                                                 \
                to[i] = (R)(expression);                                                                               \
            }                                                                                                          \
        }                                                                                                              \
    }

#define FLOAT_OP(name, f, d) FAST_LOOP(name##_f32, float, float, f) LOOP(name##_f64, double, double, d)
#define FLOAT_SAME(name, e)  FLOAT_OP(name, e, e)
#define SIGNED_OP(name, e)                                                                                             \
    LOOP(name##_i8, int8_t, int8_t, e)                                                                                 \
    LOOP(name##_i16, int16_t, int16_t, e) LOOP(name##_i32, int32_t, int32_t, e) LOOP(name##_i64, int64_t, int64_t, e)
#define UNSIGNED_OP(name, e)                                                                                           \
    LOOP(name##_u8, uint8_t, uint8_t, e)                                                                               \
    LOOP(name##_u16, uint16_t, uint16_t, e)                                                                            \
    LOOP(name##_u32, uint32_t, uint32_t, e) LOOP(name##_u64, uint64_t, uint64_t, e)
#define INTEGER_OP(name, e) SIGNED_OP(name, e) UNSIGNED_OP(name, e)
#define COMPLEX_OP(name, f, d)                                                                                         \
    LOOP(name##_c64, float _Complex, float _Complex, f) LOOP(name##_c128, double _Complex, double _Complex, d)
#define COMPLEX_SAME(name, e) COMPLEX_OP(name, e, e)
/* Computed in double for both. */
#define IN_DOUBLE(name, e) LOOP(name##_f32, float, float, e) LOOP(name##_f64, double, double, e)

static float floor_mod_f32(float x, float y)
{
    float r = fmodf(x, y);
    return r != 0 && (y < 0) != (r < 0) ? r + y : r;
}

static double floor_mod_f64(double x, double y)
{
    double r = fmod(x, y);
    return r != 0 && (y < 0) != (r < 0) ? r + y : r;
}

static int64_t floor_div(int64_t x, int64_t y)
{
    if (y == -1) return (int64_t)(0 - (uint64_t)x);
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}

static int64_t floor_mod(int64_t x, int64_t y)
{
    if (y == -1) return 0;
    int64_t r = x % y;
    return r != 0 && (y < 0) != (r < 0) ? r + y : r;
}

static uint64_t integer_pow(uint64_t x, uint64_t y)
{
    uint64_t result = 1;
    for (; y; y >>= 1, x *= x)
        if (y & 1) result *= x;
    return result;
}

static double _Complex complex_pow_f64(double _Complex x, double _Complex y)
{
    if (x == 0) return y == 0 ? 1 : 0;
    return cpow(x, y);
}

static float _Complex complex_pow_f32(float _Complex x, float _Complex y)
{
    return (float _Complex)complex_pow_f64((double _Complex)x, (double _Complex)y);
}

#define COMPARE_OP(name, e)                                                                                            \
    FAST_LOOP(name##_f32, float, uint8_t, e)                                                                           \
    LOOP(name##_f64, double, uint8_t, e)                                                                               \
    LOOP(name##_i8, int8_t, uint8_t, e)                                                                                \
    LOOP(name##_i16, int16_t, uint8_t, e)                                                                              \
    LOOP(name##_i32, int32_t, uint8_t, e)                                                                              \
    LOOP(name##_i64, int64_t, uint8_t, e)                                                                              \
    LOOP(name##_u8, uint8_t, uint8_t, e)                                                                               \
    LOOP(name##_u16, uint16_t, uint8_t, e)                                                                             \
    LOOP(name##_u32, uint32_t, uint8_t, e) LOOP(name##_u64, uint64_t, uint8_t, e)
#define EQUAL_OP(name, e)                                                                                              \
    COMPARE_OP(name, e)                                                                                                \
    LOOP(name##_c64, float _Complex, uint8_t, e) LOOP(name##_c128, double _Complex, uint8_t, e)

/* Integers wrap: computed as uint64_t and cut. */
#define WRAP(x, op, y) ((uint64_t)(x)op(uint64_t)(y))
FLOAT_SAME(Add, x + y)
INTEGER_OP(Add, WRAP(x, +, y))
COMPLEX_SAME(Add, x + y)
FLOAT_SAME(Sub, x - y)
INTEGER_OP(Sub, WRAP(x, -, y))
COMPLEX_SAME(Sub, x - y)
FLOAT_SAME(Mul, x *y)
INTEGER_OP(Mul, WRAP(x, *, y))
COMPLEX_SAME(Mul, x *y)
FLOAT_SAME(Div, x / y)
COMPLEX_SAME(Div, x / y)
FLOAT_SAME(MulNoNan, y == 0 ? 0 : x * y)
COMPLEX_SAME(MulNoNan, y == 0 ? 0 : x * y)
FLOAT_SAME(DivNoNan, y == 0 ? 0 : x / y)
COMPLEX_SAME(DivNoNan, y == 0 ? 0 : x / y)
FLOAT_OP(FloorDiv, floorf(x / y), floor(x / y))
/* The sign of the divisor, as Python's %. */
FLOAT_OP(FloorMod, floor_mod_f32(x, y), floor_mod_f64(x, y))
FLOAT_OP(Mod, fmodf(x, y), fmod(x, y))
FLOAT_SAME(SquaredDifference, (x - y) * (x - y))
INTEGER_OP(SquaredDifference, WRAP(x, -, y) * WRAP(x, -, y))
COMPLEX_OP(SquaredDifference, (x - y) * conjf(x - y), (x - y) * conj(x - y))
/* A comparison with NaN is false: either way the NaN comes out. */
FLOAT_SAME(Maximum, x > y || isnan(x) ? x : y)
INTEGER_OP(Maximum, x > y ? x : y)
FLOAT_SAME(Minimum, x < y || isnan(x) ? x : y)
INTEGER_OP(Minimum, x < y ? x : y)
FLOAT_OP(Pow, powf(x, y), pow(x, y))
COMPLEX_OP(Pow, complex_pow_f32(x, y), complex_pow_f64(x, y))
FLOAT_OP(Atan2, atan2f(x, y), atan2(x, y))
FLOAT_SAME(Xdivy, x == 0 ? 0 : x / y)
COMPLEX_SAME(Xdivy, x == 0 ? 0 : x / y)
FLOAT_OP(Xlogy, x == 0 ? 0 : x * logf(y), x == 0 ? 0 : x * log(y))
COMPLEX_OP(Xlogy, x == 0 ? 0 : x * clogf(y), x == 0 ? 0 : x * clog(y))
FLOAT_OP(Xlog1py, x == 0 ? 0 : x * log1pf(y), x == 0 ? 0 : x * log1p(y))
COMPLEX_OP(Xlog1py, x == 0 ? 0 : x * clogf(1.0f + y), x == 0 ? 0 : x * clog(1.0 + y))
FLOAT_OP(NextAfter, nextafterf(x, y), nextafter(x, y))
IN_DOUBLE(Igamma, cnnfi_igamma((double)x, (double)y))
IN_DOUBLE(Igammac, cnnfi_igammac((double)x, (double)y))
IN_DOUBLE(Zeta, cnnfi_zeta((double)x, (double)y))
IN_DOUBLE(Polygamma, cnnfi_polygamma((double)x, (double)y))

/* Divisors are not 0: binary_run has looked. The quotient of the smallest number and -1 wraps. */
SIGNED_OP(TruncateDiv, y == -1 ? (int64_t)(0 - (uint64_t)x) : (int64_t)x / y)
UNSIGNED_OP(TruncateDiv, x / y)
SIGNED_OP(TruncateMod, y == -1 ? 0 : (int64_t)x % y)
UNSIGNED_OP(TruncateMod, x % y)
SIGNED_OP(FloorDiv, floor_div(x, y))
UNSIGNED_OP(FloorDiv, x / y)
SIGNED_OP(FloorMod, floor_mod(x, y))
UNSIGNED_OP(FloorMod, x % y)
SIGNED_OP(Pow, integer_pow((uint64_t)x, (uint64_t)y))
UNSIGNED_OP(Pow, integer_pow(x, y))

INTEGER_OP(BitwiseAnd, x &y)
INTEGER_OP(BitwiseOr, x | y)
INTEGER_OP(BitwiseXor, x ^ y)
/* Amounts are clamped to 0 .. bits - 1 (bitwise_ops.h). */
static inline uint64_t shift_amount(int64_t y, size_t size)
{
    int64_t most = 8 * (int64_t)size - 1;
    return (uint64_t)(y < 0 ? 0 : y > most ? most : y);
}

#define SHIFT_OP(suffix, T)                                                                                            \
    LOOP(LeftShift_##suffix, T, T, (uint64_t)x << shift_amount((int64_t)y, sizeof(T)))                                 \
    LOOP(RightShift_##suffix, T, T, x >> shift_amount((int64_t)y, sizeof(T)))
CNNFI_SIGNED_TYPES(SHIFT_OP)
SHIFT_OP(u8, uint8_t)
SHIFT_OP(u16, uint16_t)
SHIFT_OP(u32, uint32_t)
LOOP(LeftShift_u64, uint64_t, uint64_t, x << (y > 63 ? 63 : y))
LOOP(RightShift_u64, uint64_t, uint64_t, x >> (y > 63 ? 63 : y))

EQUAL_OP(Equal, x == y)
LOOP(Equal_bool, uint8_t, uint8_t, (x != 0) == (y != 0))
EQUAL_OP(NotEqual, x != y)
LOOP(NotEqual_bool, uint8_t, uint8_t, (x != 0) != (y != 0))
COMPARE_OP(Less, x < y)
COMPARE_OP(LessEqual, x <= y)
COMPARE_OP(Greater, x > y)
COMPARE_OP(GreaterEqual, x >= y)
LOOP(LogicalAnd_bool, uint8_t, uint8_t, x &&y)
LOOP(LogicalOr_bool, uint8_t, uint8_t, x || y)

/* Gradients of activations: also plain arithmetic of two tensors of one shape. */
FLOAT_SAME(ReluGrad, y > 0 ? x : 0)
FLOAT_SAME(Relu6Grad, y > 0 && y < 6 ? x : 0)
FLOAT_SAME(SigmoidGrad, y *x *(1 - x))
FLOAT_SAME(TanhGrad, y *(1 - x * x))
FLOAT_SAME(SqrtGrad, y / 2 / x)
FLOAT_SAME(RsqrtGrad, y *x *x *x / -2)
FLOAT_SAME(ReciprocalGrad, -y *x *x)
FLOAT_OP(EluGrad, y < 0 ? x * (y + 1) : x, y < 0 ? x * (y + 1) : x)
FLOAT_OP(SoftplusGrad, x / (expf(-y) + 1), x / (exp(-y) + 1))
FLOAT_OP(SoftsignGrad, x / ((1 + fabsf(y)) * (1 + fabsf(y))), x / ((1 + fabs(y)) * (1 + fabs(y))))

#define ARITHMETIC(name) CNNFI_FLOATS(name) CNNFI_INTEGERS(name) CNNFI_COMPLEX(name)
#define BINARY_OPS(X)                                                                                                  \
    X(Add, SAME, ARITHMETIC(Add))                                                                                      \
    X(AddV2, SAME, ARITHMETIC(Add))                                                                                    \
    X(Atan2, SAME, CNNFI_FLOATS(Atan2))                                                                                \
    X(BitwiseAnd, SAME, CNNFI_INTEGERS(BitwiseAnd))                                                                    \
    X(BitwiseOr, SAME, CNNFI_INTEGERS(BitwiseOr))                                                                      \
    X(BitwiseXor, SAME, CNNFI_INTEGERS(BitwiseXor))                                                                    \
    X(Div, DIVIDES, CNNFI_FLOATS(Div) CNNFI_INTEGERS(TruncateDiv) CNNFI_COMPLEX(Div))                                  \
    X(DivNoNan, SAME, CNNFI_FLOATS(DivNoNan) CNNFI_COMPLEX(DivNoNan))                                                  \
    X(EluGrad, SAME, CNNFI_FLOATS(EluGrad))                                                                            \
    X(Equal, PREDICATE, ARITHMETIC(Equal) CNNFI_BOOL(Equal))                                                           \
    X(FloorDiv, DIVIDES, CNNFI_FLOATS(FloorDiv) CNNFI_INTEGERS(FloorDiv))                                              \
    X(FloorMod, DIVIDES, CNNFI_FLOATS(FloorMod) CNNFI_INTEGERS(FloorMod))                                              \
    X(Greater, PREDICATE, CNNFI_FLOATS(Greater) CNNFI_INTEGERS(Greater))                                               \
    X(GreaterEqual, PREDICATE, CNNFI_FLOATS(GreaterEqual) CNNFI_INTEGERS(GreaterEqual))                                \
    X(Igamma, SAME, CNNFI_FLOATS(Igamma))                                                                              \
    X(Igammac, SAME, CNNFI_FLOATS(Igammac))                                                                            \
    X(InvGrad, SAME, CNNFI_FLOATS(ReciprocalGrad))                                                                     \
    X(LeftShift, SAME, CNNFI_INTEGERS(LeftShift))                                                                      \
    X(Less, PREDICATE, CNNFI_FLOATS(Less) CNNFI_INTEGERS(Less))                                                        \
    X(LessEqual, PREDICATE, CNNFI_FLOATS(LessEqual) CNNFI_INTEGERS(LessEqual))                                         \
    X(LogicalAnd, PREDICATE, CNNFI_BOOL(LogicalAnd))                                                                   \
    X(LogicalOr, PREDICATE, CNNFI_BOOL(LogicalOr))                                                                     \
    X(Maximum, SAME, CNNFI_FLOATS(Maximum) CNNFI_INTEGERS(Maximum))                                                    \
    X(Minimum, SAME, CNNFI_FLOATS(Minimum) CNNFI_INTEGERS(Minimum))                                                    \
    X(Mod, DIVIDES, CNNFI_FLOATS(Mod) CNNFI_INTEGERS(TruncateMod))                                                     \
    X(Mul, SAME, ARITHMETIC(Mul))                                                                                      \
    X(MulNoNan, SAME, CNNFI_FLOATS(MulNoNan) CNNFI_COMPLEX(MulNoNan))                                                  \
    X(NextAfter, SAME, CNNFI_FLOATS(NextAfter))                                                                        \
    X(NotEqual, PREDICATE, ARITHMETIC(NotEqual) CNNFI_BOOL(NotEqual))                                                  \
    X(Polygamma, SAME, CNNFI_FLOATS(Polygamma))                                                                        \
    X(Pow, POWERS, CNNFI_FLOATS(Pow) CNNFI_INTEGERS(Pow) CNNFI_COMPLEX(Pow))                                           \
    X(RealDiv, DIVIDES, CNNFI_FLOATS(Div) CNNFI_INTEGERS(TruncateDiv) CNNFI_COMPLEX(Div))                              \
    X(ReciprocalGrad, SAME, CNNFI_FLOATS(ReciprocalGrad))                                                              \
    X(Relu6Grad, SAME, CNNFI_FLOATS(Relu6Grad))                                                                        \
    X(ReluGrad, SAME, CNNFI_FLOATS(ReluGrad))                                                                          \
    X(RightShift, SAME, CNNFI_INTEGERS(RightShift))                                                                    \
    X(RsqrtGrad, SAME, CNNFI_FLOATS(RsqrtGrad))                                                                        \
    X(SigmoidGrad, SAME, CNNFI_FLOATS(SigmoidGrad))                                                                    \
    X(SoftplusGrad, SAME, CNNFI_FLOATS(SoftplusGrad))                                                                  \
    X(SoftsignGrad, SAME, CNNFI_FLOATS(SoftsignGrad))                                                                  \
    X(SqrtGrad, SAME, CNNFI_FLOATS(SqrtGrad))                                                                          \
    X(SquaredDifference, SAME, ARITHMETIC(SquaredDifference))                                                          \
    X(Sub, SAME, ARITHMETIC(Sub))                                                                                      \
    X(TanhGrad, SAME, CNNFI_FLOATS(TanhGrad))                                                                          \
    X(TruncateDiv, DIVIDES, CNNFI_INTEGERS(TruncateDiv))                                                               \
    X(TruncateMod, DIVIDES, CNNFI_FLOATS(Mod) CNNFI_INTEGERS(TruncateMod))                                             \
    X(Xdivy, SAME, CNNFI_FLOATS(Xdivy) CNNFI_COMPLEX(Xdivy))                                                           \
    X(Xlog1py, SAME, CNNFI_FLOATS(Xlog1py) CNNFI_COMPLEX(Xlog1py))                                                     \
    X(Xlogy, SAME, CNNFI_FLOATS(Xlogy) CNNFI_COMPLEX(Xlogy))                                                           \
    X(Zeta, SAME, CNNFI_FLOATS(Zeta))

static binary_fn find_fn(const binary_spec *spec, cnnfi_type type)
{
    if (type == CNNFI_T_NONE) return NULL;
    return spec->fn[cnnfi_type_is_small_float(type) ? CNNFI_T_F32 : type];
}

/* Types that the op has and the kernels don't. */
static cnnf_status check_type(cnnfi_call *call, const binary_spec *spec)
{
    return find_fn(spec, cnnfi_type_of(call->inputs[0].dtype)) ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

typedef struct binary_job {
    const cnnfi_broadcast *b;
    binary_fn fn;
    cnnfi_type type;
    bool predicate;
    const char *in[2];
    char *out;
    size_t size, out_size;
} binary_job;

static void small_row(const binary_job *job, const int64_t *at, const int64_t *strides, int64_t out, int64_t n)
{
    float x[CNNFI_FLOAT_BLOCK], y[CNNFI_FLOAT_BLOCK];
    for (int64_t i = 0; i < n; i += CNNFI_FLOAT_BLOCK) {
        int64_t m = n - i < CNNFI_FLOAT_BLOCK ? n - i : CNNFI_FLOAT_BLOCK;
        char *to = job->out + (size_t)(out + i) * job->out_size;
        cnnfi_small_load(job->type, job->in[0] + (at[0] + i * strides[0]) * 2, strides[0] ? m : 1, x);
        cnnfi_small_load(job->type, job->in[1] + (at[1] + i * strides[1]) * 2, strides[1] ? m : 1, y);
        if (job->predicate) {
            job->fn(x, strides[0], y, strides[1], to, m);
            continue;
        }
        float z[CNNFI_FLOAT_BLOCK];
        job->fn(x, strides[0], y, strides[1], z, m);
        cnnfi_small_store(job->type, z, m, to);
    }
}

static void binary_row(const int64_t *offsets, int64_t out, int64_t n, void *user)
{
    const binary_job *job = user;
    const int32_t last = job->b->rank - 1;
    const int64_t strides[2] = {job->b->strides[0][last], job->b->strides[1][last]};
    if (cnnfi_type_is_small_float(job->type)) {
        small_row(job, offsets, strides, out, n);
        return;
    }
    job->fn(job->in[0] + (size_t)offsets[0] * job->size, strides[0], job->in[1] + (size_t)offsets[1] * job->size,
            strides[1], job->out + (size_t)out * job->out_size, n);
}

static void rows_body(int64_t begin, int64_t end, void *user)
{
    binary_job *job = user;
    cnnfi_broadcast_rows(job->b, begin, end, binary_row, job);
}

/* One long row: split along it. */
static void flat_body(int64_t begin, int64_t end, void *user)
{
    const binary_job *job = user;
    const int64_t offsets[2] = {begin * job->b->strides[0][0], begin * job->b->strides[1][0]};
    binary_row(offsets, begin, end - begin, user);
}

/* What integer division and powers cannot do. */
static cnnf_status check_second(cnnfi_call *call, const binary_spec *spec)
{
    const cnnfi_value *b = &call->inputs[1];
    cnnfi_type type = cnnfi_type_of(b->dtype);
    if (!(spec->flags & (DIVIDES | POWERS)) || type < CNNFI_T_I8 || type > CNNFI_T_U64) return CNNF_OK;
    if (call->outputs[0].count == 0) return CNNF_OK;
    for (int64_t i = 0; i < b->count; i++) {
        int64_t y = cnnfi_get_i64(b, i);
        if ((spec->flags & DIVIDES) && y == 0) return cnnfi_call_fail(call, CNNF_E_INVALID, "integer division by zero");
        if ((spec->flags & POWERS) && y < 0 && type <= CNNFI_T_I64)
            return cnnfi_call_fail(call, CNNF_E_INVALID, "integers to negative integer powers are not allowed");
    }
    return CNNF_OK;
}

static cnnf_status binary_run(cnnfi_call *call, const binary_spec *spec)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t rank;
    cnnfi_broadcast b;
    CNNFI_TRY(check_second(call, spec));
    if (in[0].count == out->count && in[1].count == out->count) {
        cnnfi_broadcast_init_flat(&b, 2, out->count);
    } else if (cnnfi_broadcast_dims(in, 2, &rank, dims)) {
        cnnfi_broadcast_init(&b, in, 2, out);
    } else { /* Equal, NotEqual with incompatible_shape_error=false */
        *(uint8_t *)out->data = strcmp(call->node->op, "NotEqual") == 0;
        return CNNF_OK;
    }
    cnnfi_type type = cnnfi_type_of(in->dtype);
    binary_job job = {.b = &b,
                      .fn = find_fn(spec, type),
                      .type = type,
                      .predicate = (spec->flags & PREDICATE) != 0,
                      .in = {in[0].data, in[1].data},
                      .out = out->data,
                      .size = cnnf_dtype_size(in->dtype),
                      .out_size = cnnf_dtype_size(out->dtype)};
    if (b.rank == 1)
        cnnfi_parallel_for(call->pool, b.dims[0], 32768, flat_body, &job);
    else
        cnnfi_parallel_for(call->pool, cnnfi_broadcast_row_count(&b), 32768 / (b.dims[b.rank - 1] + 1) + 1, rows_body,
                           &job);
    return CNNF_OK;
}

#define DEFINE(op, flags, ...)                                                                                         \
    static const binary_spec op##_spec = {flags, {__VA_ARGS__}};                                                       \
    static cnnf_status op##_check(cnnfi_call *call)                                                                    \
    {                                                                                                                  \
        return check_type(call, &op##_spec);                                                                           \
    }                                                                                                                  \
    static cnnf_status op##_run(cnnfi_call *call)                                                                      \
    {                                                                                                                  \
        return binary_run(call, &op##_spec);                                                                           \
    }
BINARY_OPS(DEFINE)

#define ROW(op, flags, ...) {#op, op##_run, (flags)&PREDICATE ? 0 : CNNFI_OP_INPLACE, op##_check},
static const cnnfi_kernel kernels[] = {BINARY_OPS(ROW)};

const cnnfi_kernel_family cnnfi_kernels_binary = {"binary", kernels, sizeof(kernels) / sizeof(kernels[0])};
