/* SPDX-License-Identifier: Apache-2.0 */
/* The rectifiers: element-wise, NaN stays NaN. */
#include <math.h>
#include <string.h>

#include "evaluator/kernels/nn.h"

typedef struct job {
    const void *x;
    void *y;
    double alpha; /* LeakyRelu */
} job;

typedef void (*body_fn)(int64_t begin, int64_t end, void *user);

#define LOOP(name, T, expression)                                                                                      \
    static void name(int64_t begin, int64_t end, void *user)                                                           \
    {                                                                                                                  \
        const job *j = user;                                                                                           \
        const T a = (T)j->alpha;                                                                                       \
        (void)a;                                                                                                       \
        for (int64_t i = begin; i < end; i++) {                                                                        \
            const T x = ((const T *)j->x)[i];                                                                          \
            ((T *)j->y)[i] = (T)(expression);                                                                          \
        }                                                                                                              \
    }
#define FLOATS(name, f, d) LOOP(name##_f32, float, f) LOOP(name##_f64, double, d)
#define SIGNED(name, e)                                                                                                \
    LOOP(name##_i8, int8_t, e) LOOP(name##_i16, int16_t, e) LOOP(name##_i32, int32_t, e) LOOP(name##_i64, int64_t, e)
#define UNSIGNED(name, e) LOOP(name##_u8, uint8_t, e) LOOP(name##_u16, uint16_t, e)

/* Selu's constants are those of Klambauer et al., as TensorFlow has them. */
#define SELU_SCALE 1.0507009873554804934193349852946
#define SELU_ALPHA 1.7580993408473768599402175208123

FLOATS(relu, x < 0 ? 0 : x, x < 0 ? 0 : x)
SIGNED(relu, x < 0 ? 0 : x)
UNSIGNED(relu, x)
FLOATS(relu6, x<0 ? 0 : x> 6 ? 6 : x, x<0 ? 0 : x> 6 ? 6 : x)
SIGNED(relu6, x<0 ? 0 : x> 6 ? 6 : x)
UNSIGNED(relu6, x > 6 ? 6 : x)
FLOATS(leaky, x > 0 ? x : x * a, x > 0 ? x : x * a)
FLOATS(elu, x < 0 ? expm1f(x) : x, x < 0 ? expm1(x) : x)
FLOATS(selu, x < 0 ? (float)SELU_ALPHA * expm1f(x) : (float)SELU_SCALE * x,
       x < 0 ? SELU_ALPHA * expm1(x) : SELU_SCALE * x)

typedef struct row {
    const char *op;
    body_fn f32, f64, i8, i16, i32, i64, u8, u16;
} row;

#define INTEGERS(name) name##_i8, name##_i16, name##_i32, name##_i64, name##_u8, name##_u16

static const row rows[] = {
    {"Elu", elu_f32, elu_f64, NULL, NULL, NULL, NULL, NULL, NULL},
    {"LeakyRelu", leaky_f32, leaky_f64, NULL, NULL, NULL, NULL, NULL, NULL},
    {"Relu", relu_f32, relu_f64, INTEGERS(relu)},
    {"Relu6", relu6_f32, relu6_f64, INTEGERS(relu6)},
    {"Selu", selu_f32, selu_f64, NULL, NULL, NULL, NULL, NULL, NULL},
};

static const row *row_of(const cnnf_node *node)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].op, node->op) == 0) return &rows[i];
    }
    return NULL;
}

static body_fn body_of(const row *r, cnnf_dtype dtype)
{
    switch (dtype) {
    case CNNF_FLOAT:
    case CNNF_HALF:
    case CNNF_BFLOAT16:
        return r->f32;
    case CNNF_DOUBLE:
        return r->f64;
    case CNNF_INT8:
        return r->i8;
    case CNNF_INT16:
        return r->i16;
    case CNNF_INT32:
        return r->i32;
    case CNNF_INT64:
        return r->i64;
    case CNNF_UINT8:
        return r->u8;
    case CNNF_UINT16:
        return r->u16;
    default:
        return NULL;
    }
}

static cnnf_status scratch(cnnfi_call *call)
{
    const cnnf_dtype dtype = call->outputs[0].dtype;
    if (!body_of(row_of(call->node), dtype))
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "not for %s", cnnf_dtype_name(dtype));
    call->scratch_size = 0;
    cnnfi_nn_widen(call);
    return CNNF_OK;
}

static cnnf_status rectify(cnnfi_call *call)
{
    const cnnfi_value *x = &call->inputs[0];
    job j = {x->data, call->outputs[0].data, cnnf_node_attr_float(call->node, "alpha", 0.2)};
    cnnfi_parallel_for(call->pool, x->count, 16384, body_of(row_of(call->node), x->dtype), &j);
    return CNNF_OK;
}

static cnnf_status run(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, rectify);
}

#define ROW(op)                                                                                                        \
    {                                                                                                                  \
        op, run, CNNFI_OP_INPLACE, scratch                                                                             \
    }
static const cnnfi_kernel kernels[] = {ROW("Elu"), ROW("LeakyRelu"), ROW("Relu"), ROW("Relu6"), ROW("Selu")};

const cnnfi_kernel_family cnnfi_kernels_rectifier = {"rectifiers", kernels, sizeof(kernels) / sizeof(kernels[0])};
