/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cast between all numeric types. Blocks of the source are widened to double, int64_t or uint64_t, which hold every
 * element exactly, and stored from there: n readers and n writers instead of n x n loops.
 */
#include "evaluator/kernels/portable.h"

#define BLOCK 256

typedef enum wide { WIDE_REAL, WIDE_SIGNED, WIDE_UNSIGNED } wide;

typedef struct block {
    wide kind;
    union {
        double real[BLOCK];
        int64_t sint[BLOCK];
        uint64_t uint[BLOCK];
    } u;
    double imag[BLOCK];
} block;

static wide kind_of(cnnfi_type type)
{
    if (type >= CNNFI_T_I8 && type <= CNNFI_T_I64) return WIDE_SIGNED;
    if ((type >= CNNFI_T_U8 && type <= CNNFI_T_U64) || type == CNNFI_T_BOOL) return WIDE_UNSIGNED;
    return WIDE_REAL;
}

#define LOAD(id, T, member, value)                                                                                     \
    case id:                                                                                                           \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T x = ((const T *)in)[i];                                                                            \
            b->u.member[i] = value;                                                                                    \
        }                                                                                                              \
        break;

static void load_block(block *b, cnnfi_type type, const void *in, int64_t n)
{
    b->kind = kind_of(type);
    memset(b->imag, 0, (size_t)n * sizeof(double));
    switch (type) {
        LOAD(CNNFI_T_F32, float, real, (double)x)
        LOAD(CNNFI_T_F64, double, real, x)
        LOAD(CNNFI_T_HALF, uint16_t, real, (double)cnnfi_half_to_float(x))
        LOAD(CNNFI_T_BF16, uint16_t, real, (double)cnnfi_bfloat16_to_float(x))
        LOAD(CNNFI_T_I8, int8_t, sint, x)
        LOAD(CNNFI_T_I16, int16_t, sint, x)
        LOAD(CNNFI_T_I32, int32_t, sint, x)
        LOAD(CNNFI_T_I64, int64_t, sint, x)
        LOAD(CNNFI_T_U8, uint8_t, uint, x)
        LOAD(CNNFI_T_U16, uint16_t, uint, x)
        LOAD(CNNFI_T_U32, uint32_t, uint, x)
        LOAD(CNNFI_T_U64, uint64_t, uint, x)
        LOAD(CNNFI_T_BOOL, uint8_t, uint, x != 0)
    case CNNFI_T_C64:
        for (int64_t i = 0; i < n; i++) {
            b->u.real[i] = (double)((const float *)in)[2 * i];
            b->imag[i] = (double)((const float *)in)[2 * i + 1];
        }
        break;
    case CNNFI_T_C128:
        for (int64_t i = 0; i < n; i++) {
            b->u.real[i] = ((const double *)in)[2 * i];
            b->imag[i] = ((const double *)in)[2 * i + 1];
        }
        break;
    default:
        break;
    }
}

/* What cvttsd2si gives: the smallest number for NaN and everything that does not fit. */
static int64_t real_to_i64(double x)
{
    return x > -9223372036854777856.0 && x < 9223372036854775808.0 ? (int64_t)x : INT64_MIN;
}

static int32_t real_to_i32(double x)
{
    return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN;
}

static uint64_t real_to_u64(double x)
{
    if (x >= 9223372036854775808.0) return (uint64_t)real_to_i64(x - 9223372036854775808.0) ^ 0x8000000000000000u;
    return (uint64_t)real_to_i64(x);
}

/* From each of the three wide kinds. */
#define STORE(id, T, from_real, from_int)                                                                              \
    case id:                                                                                                           \
        if (b->kind == WIDE_REAL)                                                                                      \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const double x = b->u.real[i];                                                                         \
                ((T *)out)[i] = (T)(from_real);                                                                        \
            }                                                                                                          \
        else if (b->kind == WIDE_SIGNED)                                                                               \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const int64_t x = b->u.sint[i];                                                                        \
                ((T *)out)[i] = (T)(from_int);                                                                         \
            }                                                                                                          \
        else                                                                                                           \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const uint64_t x = b->u.uint[i];                                                                       \
                ((T *)out)[i] = (T)(from_int);                                                                         \
            }                                                                                                          \
        break;

static double block_real(const block *b, int64_t i)
{
    return b->kind == WIDE_REAL ? b->u.real[i] : b->kind == WIDE_SIGNED ? (double)b->u.sint[i] : (double)b->u.uint[i];
}

static void store_block(const block *b, cnnfi_type type, void *out, int64_t n)
{
    switch (type) {
        STORE(CNNFI_T_F32, float, x, x)
        STORE(CNNFI_T_F64, double, x, x)
        STORE(CNNFI_T_HALF, uint16_t, cnnfi_float_to_half((float)x), cnnfi_float_to_half((float)x))
        STORE(CNNFI_T_BF16, uint16_t, cnnfi_float_to_bfloat16((float)x), cnnfi_float_to_bfloat16((float)x))
        STORE(CNNFI_T_I8, int8_t, real_to_i32(x), x)
        STORE(CNNFI_T_I16, int16_t, real_to_i32(x), x)
        STORE(CNNFI_T_I32, int32_t, real_to_i32(x), x)
        STORE(CNNFI_T_I64, int64_t, real_to_i64(x), x)
        STORE(CNNFI_T_U8, uint8_t, real_to_i32(x), x)
        STORE(CNNFI_T_U16, uint16_t, real_to_i32(x), x)
        STORE(CNNFI_T_U32, uint32_t, real_to_i64(x), x)
        STORE(CNNFI_T_U64, uint64_t, real_to_u64(x), x)
        STORE(CNNFI_T_BOOL, uint8_t, x != 0, x != 0)
    case CNNFI_T_C64:
        for (int64_t i = 0; i < n; i++) {
            ((float *)out)[2 * i] = (float)block_real(b, i);
            ((float *)out)[2 * i + 1] = (float)b->imag[i];
        }
        break;
    case CNNFI_T_C128:
        for (int64_t i = 0; i < n; i++) {
            ((double *)out)[2 * i] = block_real(b, i);
            ((double *)out)[2 * i + 1] = b->imag[i];
        }
        break;
    default:
        break;
    }
}

/* Mantissa bits kept by a float type, without the hidden one. */
static int mantissa_bits(cnnfi_type type)
{
    switch (type) {
    case CNNFI_T_F32:
    case CNNFI_T_C64:
        return 23;
    case CNNFI_T_HALF:
        return 10;
    case CNNFI_T_BF16:
        return 7;
    default:
        return 52;
    }
}

/* Truncate=true: the bits a narrower float has no room for are cleared before the conversion, so that it rounds to 0.
 */
static void truncate_block(block *b, cnnfi_type to, int64_t n)
{
    uint64_t mask = ~(uint64_t)0 << (52 - mantissa_bits(to));
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &b->u.real[i], sizeof(bits));
        bits &= mask;
        memcpy(&b->u.real[i], &bits, sizeof(bits));
    }
}

typedef struct cast_job {
    cnnfi_type from, to;
    bool truncate;
    const char *in;
    char *out;
    size_t in_size, out_size;
} cast_job;

static void cast_body(int64_t begin, int64_t end, void *user)
{
    const cast_job *job = user;
    block b;
    for (int64_t i = begin; i < end; i += BLOCK) {
        int64_t n = end - i < BLOCK ? end - i : BLOCK;
        load_block(&b, job->from, job->in + (size_t)i * job->in_size, n);
        if (job->truncate) truncate_block(&b, job->to, n);
        store_block(&b, job->to, job->out + (size_t)i * job->out_size, n);
    }
}

/* Strings and resources are no numbers. */
static cnnf_status cast_check(cnnfi_call *call)
{
    const cnnf_dtype to = call->outputs[0].dtype;
    if (cnnfi_type_of(call->inputs[0].dtype) == CNNFI_T_NONE) return cnnfi_fail_dtype(call, 0);
    if (cnnfi_type_of(to) != CNNFI_T_NONE) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "DstT is %s", cnnf_dtype_name(to));
}

static cnnf_status cast_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs, *out = call->outputs;
    cast_job job = {.from = cnnfi_type_of(in->dtype),
                    .to = cnnfi_type_of(out->dtype),
                    .in = in->data,
                    .out = out->data,
                    .in_size = cnnf_dtype_size(in->dtype),
                    .out_size = cnnf_dtype_size(out->dtype)};
    if (job.from == job.to) {
        cnnfi_copy_bytes(&call->outputs[0], in);
        return CNNF_OK;
    }
    job.truncate =
        cnnf_node_attr_bool(call->node, "Truncate", 0) && kind_of(job.from) == WIDE_REAL && cnnfi_type_is_float(job.to);
    cnnfi_parallel_for(call->pool, in->count, 16384, cast_body, &job);
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {{"Cast", cast_run, 0, cast_check}};

const cnnfi_kernel_family cnnfi_kernels_cast = {"cast", kernels, sizeof(kernels) / sizeof(kernels[0])};
