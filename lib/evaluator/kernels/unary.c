/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise ops of one input. An op is one line in UNARY_OPS; what it computes stands above, by type. */
#include <complex.h>
#include <math.h>

#include "evaluator/kernels/portable.h"
#include "evaluator/kernels/math_special.h"

typedef void (*unary_fn)(const void *in, void *out, int64_t n);

typedef enum unary_out { SAME, BOOL, REAL, U8 } unary_out;

typedef struct unary_spec {
    unary_out out;
    unary_fn fn[CNNFI_T_COUNT];
} unary_spec;

#define LOOP(name, T, R, expression)                                                                                   \
    static void name(const void *in, void *out, int64_t n)                                                             \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T x = ((const T *)in)[i];                                                                            \
            ((R *)out)[i] = (R)(expression);                                                                           \
        }                                                                                                              \
    }

/* One expression for the float types, each with its own function (expf, exp). */
#define FLOAT_OP(name, f, d) LOOP(name##_f32, float, float, f) LOOP(name##_f64, double, double, d)
#define LIBM(name, fn)       FLOAT_OP(name, fn##f(x), fn(x))
/* Special functions are computed in double. */
#define IN_DOUBLE(name, fn) FLOAT_OP(name, fn((double)x), fn(x))
#define SIGNED_OP(name, e)                                                                                             \
    LOOP(name##_i8, int8_t, int8_t, e)                                                                                 \
    LOOP(name##_i16, int16_t, int16_t, e) LOOP(name##_i32, int32_t, int32_t, e) LOOP(name##_i64, int64_t, int64_t, e)
#define UNSIGNED_OP(name, e)                                                                                           \
    LOOP(name##_u8, uint8_t, uint8_t, e)                                                                               \
    LOOP(name##_u16, uint16_t, uint16_t, e)                                                                            \
    LOOP(name##_u32, uint32_t, uint32_t, e) LOOP(name##_u64, uint64_t, uint64_t, e)
#define COMPLEX_OP(name, f, d)                                                                                         \
    LOOP(name##_c64, float _Complex, float _Complex, f) LOOP(name##_c128, double _Complex, double _Complex, d)
#define COMPLEX_LIBM(name, fn) COMPLEX_OP(name, c##fn##f(x), c##fn(x))

/* Integers wrap: computed unsigned, as two's complement hardware does. */
FLOAT_OP(Abs, fabsf(x), fabs(x))
SIGNED_OP(Abs, x < 0 ? 0 - (uint64_t)x : (uint64_t)x)
UNSIGNED_OP(Abs, x)
FLOAT_OP(Neg, -x, -x)
SIGNED_OP(Neg, 0 - (uint64_t)x)
UNSIGNED_OP(Neg, 0 - (uint64_t)x)
COMPLEX_OP(Neg, -x, -x)
FLOAT_OP(Square, x *x, x *x)
SIGNED_OP(Square, (uint64_t)x *(uint64_t)x)
UNSIGNED_OP(Square, (uint64_t)x *(uint64_t)x)
COMPLEX_OP(Square, x *x, x *x)
FLOAT_OP(Sign, isnan(x) ? x : (float)((x > 0) - (x < 0)), isnan(x) ? x : (double)((x > 0) - (x < 0)))
SIGNED_OP(Sign, (x > 0) - (x < 0))
UNSIGNED_OP(Sign, x > 0)
COMPLEX_OP(Sign, x == 0 ? x : x / cabsf(x), x == 0 ? x : x / cabs(x))
FLOAT_OP(Reciprocal, 1.0f / x, 1.0 / x)
COMPLEX_OP(Reciprocal, 1.0f / x, 1.0 / x)
FLOAT_OP(Rsqrt, 1.0f / sqrtf(x), 1.0 / sqrt(x))
COMPLEX_OP(Rsqrt, 1.0f / csqrtf(x), 1.0 / csqrt(x))
LIBM(Sqrt, sqrt)
COMPLEX_LIBM(Sqrt, sqrt)
LIBM(Exp, exp)
COMPLEX_LIBM(Exp, exp)
LIBM(Expm1, expm1)
COMPLEX_OP(Expm1, cexpf(x) - 1.0f, cexp(x) - 1.0)
LIBM(Log, log)
COMPLEX_LIBM(Log, log)
LIBM(Log1p, log1p)
COMPLEX_OP(Log1p, clogf(1.0f + x), clog(1.0 + x))
LIBM(Sin, sin)
COMPLEX_LIBM(Sin, sin)
LIBM(Cos, cos)
COMPLEX_LIBM(Cos, cos)
LIBM(Tan, tan)
COMPLEX_LIBM(Tan, tan)
LIBM(Asin, asin)
COMPLEX_LIBM(Asin, asin)
LIBM(Acos, acos)
COMPLEX_LIBM(Acos, acos)
LIBM(Atan, atan)
COMPLEX_LIBM(Atan, atan)
LIBM(Sinh, sinh)
COMPLEX_LIBM(Sinh, sinh)
LIBM(Cosh, cosh)
COMPLEX_LIBM(Cosh, cosh)
LIBM(Asinh, asinh)
COMPLEX_LIBM(Asinh, asinh)
LIBM(Acosh, acosh)
COMPLEX_LIBM(Acosh, acosh)
LIBM(Atanh, atanh)
COMPLEX_LIBM(Atanh, atanh)
LIBM(Tanh, tanh)
COMPLEX_LIBM(Tanh, tanh)
FLOAT_OP(Sigmoid, 1.0f / (1.0f + expf(-x)), 1.0 / (1.0 + exp(-x)))
COMPLEX_OP(Sigmoid, 1.0f / (1.0f + cexpf(-x)), 1.0 / (1.0 + cexp(-x)))
LIBM(Erf, erf)
LIBM(Erfc, erfc)
LIBM(Ceil, ceil)
LIBM(Floor, floor)
LIBM(Rint, rint)  /* to nearest, halves to even: the default rounding mode */
LIBM(Round, rint) /* tf.round too rounds halves to even */
SIGNED_OP(Round, x)
UNSIGNED_OP(Round, x)
IN_DOUBLE(Lgamma, cnnfi_lgamma)
IN_DOUBLE(Digamma, cnnfi_digamma)
IN_DOUBLE(Erfinv, cnnfi_erfinv)
IN_DOUBLE(Ndtri, cnnfi_ndtri)
IN_DOUBLE(BesselI0, cnnfi_bessel_i0)
IN_DOUBLE(BesselI0e, cnnfi_bessel_i0e)
IN_DOUBLE(BesselI1, cnnfi_bessel_i1)
IN_DOUBLE(BesselI1e, cnnfi_bessel_i1e)
IN_DOUBLE(BesselJ0, j0)
IN_DOUBLE(BesselJ1, j1)
IN_DOUBLE(BesselY0, y0)
IN_DOUBLE(BesselY1, y1)
IN_DOUBLE(BesselK0, cnnfi_bessel_k0)
IN_DOUBLE(BesselK0e, cnnfi_bessel_k0e)
IN_DOUBLE(BesselK1, cnnfi_bessel_k1)
IN_DOUBLE(BesselK1e, cnnfi_bessel_k1e)
IN_DOUBLE(Dawsn, cnnfi_dawson)
IN_DOUBLE(Expint, cnnfi_expint)
IN_DOUBLE(FresnelCos, cnnfi_fresnel_cos)
IN_DOUBLE(FresnelSin, cnnfi_fresnel_sin)
IN_DOUBLE(Spence, cnnfi_spence)

SIGNED_OP(Invert, ~x)
UNSIGNED_OP(Invert, ~x)
#define POPCOUNT(suffix, T, U) LOOP(PopulationCount_##suffix, T, uint8_t, __builtin_popcountll((U)x))
POPCOUNT(i8, int8_t, uint8_t)
POPCOUNT(i16, int16_t, uint16_t)
POPCOUNT(i32, int32_t, uint32_t)
POPCOUNT(i64, int64_t, uint64_t)
POPCOUNT(u8, uint8_t, uint8_t)
POPCOUNT(u16, uint16_t, uint16_t)
POPCOUNT(u32, uint32_t, uint32_t)
POPCOUNT(u64, uint64_t, uint64_t)
LOOP(LogicalNot_bool, uint8_t, uint8_t, x == 0)
LOOP(IsNan_f32, float, uint8_t, isnan(x))
LOOP(IsNan_f64, double, uint8_t, isnan(x))
LOOP(IsInf_f32, float, uint8_t, isinf(x) != 0)
LOOP(IsInf_f64, double, uint8_t, isinf(x) != 0)
LOOP(IsFinite_f32, float, uint8_t, isfinite(x))
LOOP(IsFinite_f64, double, uint8_t, isfinite(x))

COMPLEX_OP(Conj, conjf(x), conj(x))
#define COMPLEX_REAL(name, f, d)                                                                                       \
    LOOP(name##_c64, float _Complex, float, f) LOOP(name##_c128, double _Complex, double, d)
COMPLEX_REAL(Real, crealf(x), creal(x))
COMPLEX_REAL(Imag, cimagf(x), cimag(x))
COMPLEX_REAL(Angle, cargf(x), carg(x))
COMPLEX_REAL(ComplexAbs, cabsf(x), cabs(x))
FLOAT_OP(Angle, signbit(x) && x != 0 ? 3.14159265358979323846f : 0.0f,
         signbit(x) && x != 0 ? 3.14159265358979323846 : 0.0)
FLOAT_OP(Real, x, x)
FLOAT_OP(Imag, 0 * x, 0 * x)
FLOAT_OP(Conj, x, x)

FLOAT_OP(Softsign, x / (1.0f + fabsf(x)), x / (1.0 + fabs(x)))
/* Beyond the threshold exp(x) or its log1p is x or exp(x) to the last bit (softplus_op.h). */
#define SOFTPLUS(x, threshold, exp, log1p) ((x) > -(threshold) ? (x) : (x) < (threshold) ? exp(x) : log1p(exp(x)))
FLOAT_OP(Softplus, SOFTPLUS(x, -13.942385f, expf, log1pf), SOFTPLUS(x, -34.04365338911965, exp, log1p))

#define UNARY_OPS(X)                                                                                                   \
    X(Abs, SAME, CNNFI_FLOATS(Abs) CNNFI_INTEGERS(Abs))                                                                \
    X(Acos, SAME, CNNFI_FLOATS(Acos) CNNFI_COMPLEX(Acos))                                                              \
    X(Acosh, SAME, CNNFI_FLOATS(Acosh) CNNFI_COMPLEX(Acosh))                                                           \
    X(Angle, REAL, CNNFI_FLOATS(Angle) CNNFI_COMPLEX(Angle))                                                           \
    X(Asin, SAME, CNNFI_FLOATS(Asin) CNNFI_COMPLEX(Asin))                                                              \
    X(Asinh, SAME, CNNFI_FLOATS(Asinh) CNNFI_COMPLEX(Asinh))                                                           \
    X(Atan, SAME, CNNFI_FLOATS(Atan) CNNFI_COMPLEX(Atan))                                                              \
    X(Atanh, SAME, CNNFI_FLOATS(Atanh) CNNFI_COMPLEX(Atanh))                                                           \
    X(BesselI0, SAME, CNNFI_FLOATS(BesselI0))                                                                          \
    X(BesselI0e, SAME, CNNFI_FLOATS(BesselI0e))                                                                        \
    X(BesselI1, SAME, CNNFI_FLOATS(BesselI1))                                                                          \
    X(BesselI1e, SAME, CNNFI_FLOATS(BesselI1e))                                                                        \
    X(BesselJ0, SAME, CNNFI_FLOATS(BesselJ0))                                                                          \
    X(BesselJ1, SAME, CNNFI_FLOATS(BesselJ1))                                                                          \
    X(BesselK0, SAME, CNNFI_FLOATS(BesselK0))                                                                          \
    X(BesselK0e, SAME, CNNFI_FLOATS(BesselK0e))                                                                        \
    X(BesselK1, SAME, CNNFI_FLOATS(BesselK1))                                                                          \
    X(BesselK1e, SAME, CNNFI_FLOATS(BesselK1e))                                                                        \
    X(BesselY0, SAME, CNNFI_FLOATS(BesselY0))                                                                          \
    X(BesselY1, SAME, CNNFI_FLOATS(BesselY1))                                                                          \
    X(Ceil, SAME, CNNFI_FLOATS(Ceil))                                                                                  \
    X(ComplexAbs, REAL, CNNFI_COMPLEX(ComplexAbs))                                                                     \
    X(Conj, SAME, CNNFI_FLOATS(Conj) CNNFI_COMPLEX(Conj))                                                              \
    X(Cos, SAME, CNNFI_FLOATS(Cos) CNNFI_COMPLEX(Cos))                                                                 \
    X(Cosh, SAME, CNNFI_FLOATS(Cosh) CNNFI_COMPLEX(Cosh))                                                              \
    X(Dawsn, SAME, CNNFI_FLOATS(Dawsn))                                                                                \
    X(Digamma, SAME, CNNFI_FLOATS(Digamma))                                                                            \
    X(Erf, SAME, CNNFI_FLOATS(Erf))                                                                                    \
    X(Erfc, SAME, CNNFI_FLOATS(Erfc))                                                                                  \
    X(Erfinv, SAME, CNNFI_FLOATS(Erfinv))                                                                              \
    X(Exp, SAME, CNNFI_FLOATS(Exp) CNNFI_COMPLEX(Exp))                                                                 \
    X(Expint, SAME, CNNFI_FLOATS(Expint))                                                                              \
    X(Expm1, SAME, CNNFI_FLOATS(Expm1) CNNFI_COMPLEX(Expm1))                                                           \
    X(Floor, SAME, CNNFI_FLOATS(Floor))                                                                                \
    X(FresnelCos, SAME, CNNFI_FLOATS(FresnelCos))                                                                      \
    X(FresnelSin, SAME, CNNFI_FLOATS(FresnelSin))                                                                      \
    X(Imag, REAL, CNNFI_FLOATS(Imag) CNNFI_COMPLEX(Imag))                                                              \
    X(Inv, SAME, CNNFI_FLOATS(Reciprocal) CNNFI_COMPLEX(Reciprocal))                                                   \
    X(Invert, SAME, CNNFI_INTEGERS(Invert))                                                                            \
    X(IsFinite, BOOL, CNNFI_FLOATS(IsFinite))                                                                          \
    X(IsInf, BOOL, CNNFI_FLOATS(IsInf))                                                                                \
    X(IsNan, BOOL, CNNFI_FLOATS(IsNan))                                                                                \
    X(Lgamma, SAME, CNNFI_FLOATS(Lgamma))                                                                              \
    X(Log, SAME, CNNFI_FLOATS(Log) CNNFI_COMPLEX(Log))                                                                 \
    X(Log1p, SAME, CNNFI_FLOATS(Log1p) CNNFI_COMPLEX(Log1p))                                                           \
    X(LogicalNot, SAME, CNNFI_BOOL(LogicalNot))                                                                        \
    X(Ndtri, SAME, CNNFI_FLOATS(Ndtri))                                                                                \
    X(Neg, SAME, CNNFI_FLOATS(Neg) CNNFI_INTEGERS(Neg) CNNFI_COMPLEX(Neg))                                             \
    X(PopulationCount, U8, CNNFI_INTEGERS(PopulationCount))                                                            \
    X(Real, REAL, CNNFI_FLOATS(Real) CNNFI_COMPLEX(Real))                                                              \
    X(Reciprocal, SAME, CNNFI_FLOATS(Reciprocal) CNNFI_COMPLEX(Reciprocal))                                            \
    X(Rint, SAME, CNNFI_FLOATS(Rint))                                                                                  \
    X(Round, SAME, CNNFI_FLOATS(Round) CNNFI_INTEGERS(Round))                                                          \
    X(Rsqrt, SAME, CNNFI_FLOATS(Rsqrt) CNNFI_COMPLEX(Rsqrt))                                                           \
    X(Sigmoid, SAME, CNNFI_FLOATS(Sigmoid) CNNFI_COMPLEX(Sigmoid))                                                     \
    X(Sign, SAME, CNNFI_FLOATS(Sign) CNNFI_INTEGERS(Sign) CNNFI_COMPLEX(Sign))                                         \
    X(Sin, SAME, CNNFI_FLOATS(Sin) CNNFI_COMPLEX(Sin))                                                                 \
    X(Sinh, SAME, CNNFI_FLOATS(Sinh) CNNFI_COMPLEX(Sinh))                                                              \
    X(Softplus, SAME, CNNFI_FLOATS(Softplus))                                                                          \
    X(Softsign, SAME, CNNFI_FLOATS(Softsign))                                                                          \
    X(Spence, SAME, CNNFI_FLOATS(Spence))                                                                              \
    X(Sqrt, SAME, CNNFI_FLOATS(Sqrt) CNNFI_COMPLEX(Sqrt))                                                              \
    X(Square, SAME, CNNFI_FLOATS(Square) CNNFI_INTEGERS(Square) CNNFI_COMPLEX(Square))                                 \
    X(Tan, SAME, CNNFI_FLOATS(Tan) CNNFI_COMPLEX(Tan))                                                                 \
    X(Tanh, SAME, CNNFI_FLOATS(Tanh) CNNFI_COMPLEX(Tanh))

/* The function for a type; small floats go through float. */
static unary_fn find_fn(const unary_spec *spec, cnnfi_type type)
{
    if (type == CNNFI_T_NONE) return NULL;
    return spec->fn[cnnfi_type_is_small_float(type) ? CNNFI_T_F32 : type];
}

/* Types that the op has and the kernels don't. */
static cnnf_status check_type(cnnfi_call *call, const unary_spec *spec)
{
    return find_fn(spec, cnnfi_type_of(call->inputs[0].dtype)) ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

typedef struct unary_job {
    unary_fn fn;
    cnnfi_type type;
    unary_out out;
    const char *in;
    char *to;
    size_t in_size, out_size;
} unary_job;

static void small_body(const unary_job *job, int64_t begin, int64_t end)
{
    float block[CNNFI_FLOAT_BLOCK];
    for (int64_t i = begin; i < end; i += CNNFI_FLOAT_BLOCK) {
        int64_t n = end - i < CNNFI_FLOAT_BLOCK ? end - i : CNNFI_FLOAT_BLOCK;
        char *to = job->to + (size_t)i * job->out_size;
        cnnfi_small_load(job->type, job->in + (size_t)i * job->in_size, n, block);
        job->fn(block, job->out == BOOL ? (void *)to : block, n);
        if (job->out != BOOL) cnnfi_small_store(job->type, block, n, to);
    }
}

static void unary_body(int64_t begin, int64_t end, void *user)
{
    const unary_job *job = user;
    if (cnnfi_type_is_small_float(job->type))
        small_body(job, begin, end);
    else
        job->fn(job->in + (size_t)begin * job->in_size, job->to + (size_t)begin * job->out_size, end - begin);
}

static cnnf_status unary_run(cnnfi_call *call, const unary_spec *spec)
{
    const cnnfi_value *in = call->inputs;
    cnnfi_type type = cnnfi_type_of(in->dtype);
    unary_job job = {.fn = find_fn(spec, type),
                     .type = type,
                     .out = spec->out,
                     .in = in->data,
                     .to = call->outputs[0].data,
                     .in_size = cnnf_dtype_size(in->dtype),
                     .out_size = cnnf_dtype_size(call->outputs[0].dtype)};
    cnnfi_parallel_for(call->pool, in->count, 16384, unary_body, &job);
    return CNNF_OK;
}

#define DEFINE(op, out, ...)                                                                                           \
    static const unary_spec op##_spec = {out, {__VA_ARGS__}};                                                          \
    static cnnf_status op##_check(cnnfi_call *call)                                                                    \
    {                                                                                                                  \
        return check_type(call, &op##_spec);                                                                           \
    }                                                                                                                  \
    static cnnf_status op##_run(cnnfi_call *call)                                                                      \
    {                                                                                                                  \
        return unary_run(call, &op##_spec);                                                                            \
    }
UNARY_OPS(DEFINE)

#define ROW(op, out, ...) {#op, op##_run, out == SAME ? CNNFI_OP_INPLACE : 0, op##_check},
static const cnnfi_kernel kernels[] = {UNARY_OPS(ROW)};

const cnnfi_kernel_family cnnfi_kernels_unary = {"unary", kernels, sizeof(kernels) / sizeof(kernels[0])};
