/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums and products along an axis. */
#include <complex.h>
#include <math.h>

#include "evaluator/kernels/portable.h"

typedef enum scan_op { SUM, PROD, LOGSUMEXP } scan_op;

/* log(exp(a) + exp(b)) without overflow. */
static double log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    if (isnan(a) || isnan(b)) return (double)NAN;
    if (isinf(high)) return high;
    return high + log1p(exp(low - high));
}

/* One line of n elements with this stride; `at` walks to the end or, reversed, from it. */
#define LINE(name, T, A, start, step)                                                                                  \
    static void name(const void *in, void *out, int64_t n, int64_t stride, bool exclusive)                             \
    {                                                                                                                  \
        A acc = (A)(start);                                                                                            \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const A x = (A)((const T *)in)[i * stride];                                                                \
            const A next = (step);                                                                                     \
            ((T *)out)[i * stride] = (T)(exclusive ? acc : next);                                                      \
            acc = next;                                                                                                \
        }                                                                                                              \
    }
#define LINES(suffix, T, A) LINE(sum_##suffix, T, A, 0, acc + x) LINE(prod_##suffix, T, A, 1, acc *x)
LINES(f32, float, double)
LINES(f64, double, double)
LINES(u8, uint8_t, uint64_t)
LINES(u16, uint16_t, uint64_t)
LINES(u32, uint32_t, uint64_t)
LINES(u64, uint64_t, uint64_t)
LINES(c64, float _Complex, double _Complex)
LINES(c128, double _Complex, double _Complex)
LINE(lse_f32, float, double, -(double)INFINITY, log_add(acc, x))
LINE(lse_f64, double, double, -(double)INFINITY, log_add(acc, x))

typedef void (*line_fn)(const void *in, void *out, int64_t n, int64_t stride, bool exclusive);

/* Two's complement sums and products are the same for signed and unsigned. */
#define INTEGER_LINES(name)                                                                                            \
    [CNNFI_T_I8] = name##_u8, [CNNFI_T_I16] = name##_u16, [CNNFI_T_I32] = name##_u32, [CNNFI_T_I64] = name##_u64,      \
    CNNFI_UNSIGNED(name)
static const line_fn lines[][CNNFI_T_COUNT] = {
    [SUM] = {CNNFI_FLOATS(sum) INTEGER_LINES(sum) CNNFI_COMPLEX(sum)},
    [PROD] = {CNNFI_FLOATS(prod) INTEGER_LINES(prod) CNNFI_COMPLEX(prod)},
    [LOGSUMEXP] = {CNNFI_FLOATS(lse)},
};

/* Small floats: one line in float at a time. */
static cnnf_status small_line(cnnfi_call *call, line_fn fn, cnnfi_type type, int64_t first, int64_t n, int64_t stride,
                              bool exclusive)
{
    float *line = cnnfi_array(call->context, (size_t)n, sizeof(*line));
    if (!line) return cnnfi_fail_nomem(call->error);
    const uint16_t *in = (const uint16_t *)call->inputs[0].data + first;
    uint16_t *out = (uint16_t *)call->outputs[0].data + first;
    for (int64_t i = 0; i < n; i++)
        cnnfi_small_load(type, in + i * stride, 1, line + i);
    fn(line, line, n, 1, exclusive);
    for (int64_t i = 0; i < n; i++)
        cnnfi_small_store(type, line + i, 1, out + i * stride);
    cnnfi_free(call->context, line);
    return CNNF_OK;
}

static line_fn find_line(scan_op op, cnnfi_type type)
{
    if (type == CNNFI_T_NONE) return NULL;
    return lines[op][cnnfi_type_is_small_float(type) ? CNNFI_T_F32 : type];
}

/* Types that the op has and the kernels don't. */
static cnnf_status check_type(cnnfi_call *call, scan_op op)
{
    return find_line(op, cnnfi_type_of(call->inputs[0].dtype)) ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

static cnnf_status scan_run(cnnfi_call *call, scan_op op)
{
    const cnnfi_value *in = call->inputs;
    cnnfi_type type = cnnfi_type_of(in->dtype);
    bool small = cnnfi_type_is_small_float(type), reverse = cnnf_node_attr_bool(call->node, "reverse", 0) != 0;
    bool exclusive = cnnf_node_attr_bool(call->node, "exclusive", 0) != 0;
    int32_t axis;
    CNNFI_TRY(cnnfi_check_axis(call, cnnfi_get_i64(&call->inputs[1], 0), in->rank, "axis", &axis));
    int64_t n = in->dims[axis], inner = cnnfi_span(in->dims, axis + 1, in->rank);
    size_t size = cnnf_dtype_size(in->dtype);
    line_fn fn = find_line(op, type);
    for (int64_t i = 0; n > 0 && i < in->count / n; i++) {
        int64_t first = i / inner * n * inner + i % inner, stride = reverse ? -inner : inner;
        if (reverse) first += (n - 1) * inner;
        if (small)
            CNNFI_TRY(small_line(call, fn, type, first, n, stride, exclusive));
        else
            fn((const char *)in->data + (size_t)first * size, (char *)call->outputs[0].data + (size_t)first * size, n,
               stride, exclusive);
    }
    return CNNF_OK;
}

#define SCAN_OPS(X) X(CumulativeLogsumexp, LOGSUMEXP) X(Cumprod, PROD) X(Cumsum, SUM)
#define DEFINE(op, kind)                                                                                               \
    static cnnf_status op##_check(cnnfi_call *call)                                                                    \
    {                                                                                                                  \
        return check_type(call, kind);                                                                                 \
    }                                                                                                                  \
    static cnnf_status op##_run(cnnfi_call *call)                                                                      \
    {                                                                                                                  \
        return scan_run(call, kind);                                                                                   \
    }
SCAN_OPS(DEFINE)

#define ROW(op, kind) {#op, op##_run, 0, op##_check},
static const cnnfi_kernel kernels[] = {SCAN_OPS(ROW)};

const cnnfi_kernel_family cnnfi_kernels_scan = {"scan", kernels, sizeof(kernels) / sizeof(kernels[0])};
