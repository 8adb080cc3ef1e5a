/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products, batched and broadcast: the general form. */
#include <string.h>

#include "evaluator/kernels/nn.h"
#include "ops/rules/matmul_rules.h"

#define BLOCK 64

typedef struct product {
    int64_t m, n, k;
    int64_t a_row, a_col, b_row, b_col; /* strides in elements, transposition included */
    int32_t batch_rank;
    int64_t batch_dims[CNNFI_OP_MAX_RANK];
    int64_t a_batch[CNNFI_OP_MAX_RANK], b_batch[CNNFI_OP_MAX_RANK]; /* strides, 0 where broadcast */
    const void *a, *b;
    void *c;
} product;

/* The types there are kernels for; half precision is computed in float. */
static cnnf_status matmul_scratch(cnnfi_call *call)
{
    const cnnf_dtype a = call->inputs[0].dtype, b = call->inputs[1].dtype, c = call->outputs[0].dtype;
    const bool integers = a == CNNF_INT32 || a == CNNF_INT64;
    if (!integers) CNNFI_TRY(cnnfi_nn_floats(call, 2));
    if (a != b || a != c) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "not for %s and %s to %s", cnnf_dtype_name(a),
                               cnnf_dtype_name(b), cnnf_dtype_name(c));
    }
    cnnfi_nn_widen(call);
    return CNNF_OK;
}

/* Strides of one operand over the batch axes of the output, aligned at their ends. */
static void set_batch(const cnnfi_value *value, const product *p, int64_t *strides)
{
    int64_t stride = value->dims[value->rank - 1] * value->dims[value->rank - 2];
    for (int32_t i = p->batch_rank - 1, k = value->rank - 3; i >= 0; i--, k--) {
        const int64_t size = k < 0 ? 1 : value->dims[k];
        strides[i] = size == 1 ? 0 : stride;
        stride *= size;
    }
}

static product make_product(const cnnfi_call *call)
{
    bool transpose_a, transpose_b;
    const cnnfi_value *a = &call->inputs[0], *b = &call->inputs[1], *c = &call->outputs[0];
    const int64_t *da = a->dims + a->rank - 2, *db = b->dims + b->rank - 2, *dc = c->dims + c->rank - 2;
    cnnfi_matmul_transposed(call->node, &transpose_a, &transpose_b);
    product p = {.m = dc[0],
                 .n = dc[1],
                 .k = da[!transpose_a],
                 .a_row = transpose_a ? 1 : da[1],
                 .a_col = transpose_a ? da[1] : 1,
                 .b_row = transpose_b ? 1 : db[1],
                 .b_col = transpose_b ? db[1] : 1,
                 .batch_rank = c->rank - 2,
                 .a = a->data,
                 .b = b->data,
                 .c = c->data};
    memcpy(p.batch_dims, c->dims, sizeof p.batch_dims);
    set_batch(a, &p, p.a_batch);
    set_batch(b, &p, p.b_batch);
    return p;
}

static void batch_offsets(const product *p, int64_t batch, int64_t *a, int64_t *b)
{
    *a = *b = 0;
    for (int32_t i = p->batch_rank - 1; i >= 0; i--) {
        int64_t at = batch % p->batch_dims[i];
        batch /= p->batch_dims[i];
        *a += at * p->a_batch[i];
        *b += at * p->b_batch[i];
    }
}

/* Integers are computed unsigned, so that they wrap. */
#define DEFINE_PRODUCT(T)                                                                                              \
    static void row_##T(const product *p, const T *a, const T *b, T *c)                                                \
    {                                                                                                                  \
        for (int64_t first = 0; first < p->n; first += BLOCK) {                                                        \
            int64_t block = cnnfi_min_i64(BLOCK, p->n - first);                                                        \
            T acc[BLOCK] = {0};                                                                                        \
            for (int64_t k = 0; k < p->k; k++) {                                                                       \
                const T v = a[k * p->a_col], *row = b + k * p->b_row + first * p->b_col;                               \
                for (int64_t j = 0; j < block; j++)                                                                    \
                    acc[j] += v * row[j * p->b_col];                                                                   \
            }                                                                                                          \
            memcpy(c + first, acc, (size_t)block * sizeof(T));                                                         \
        }                                                                                                              \
    }                                                                                                                  \
    static void rows_##T(int64_t begin, int64_t end, void *user)                                                       \
    {                                                                                                                  \
        const product *p = user;                                                                                       \
        for (int64_t i = begin; i < end; i++) {                                                                        \
            int64_t a, b;                                                                                              \
            batch_offsets(p, i / p->m, &a, &b);                                                                        \
            row_##T(p, (const T *)p->a + a + i % p->m * p->a_row, (const T *)p->b + b, (T *)p->c + i * p->n);          \
        }                                                                                                              \
    }

DEFINE_PRODUCT(float)
DEFINE_PRODUCT(double)
DEFINE_PRODUCT(uint32_t)
DEFINE_PRODUCT(uint64_t)

static cnnf_status run_product(cnnfi_call *call)
{
    product p = make_product(call);
    const cnnfi_value *out = &call->outputs[0];
    if (out->count == 0) return CNNF_OK;
    void (*body)(int64_t, int64_t, void *) = out->dtype == CNNF_DOUBLE  ? rows_double
                                             : out->dtype == CNNF_INT32 ? rows_uint32_t
                                             : out->dtype == CNNF_INT64 ? rows_uint64_t
                                                                        : rows_float;
    cnnfi_parallel_for(call->pool, out->count / p.n, 1, body, &p);
    return CNNF_OK;
}

static cnnf_status run_matmul(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, run_product);
}

static const cnnfi_kernel kernels[] = {
    {"BatchMatMul", run_matmul, CNNFI_OP_PRODUCT, matmul_scratch},
    {"BatchMatMulV2", run_matmul, CNNFI_OP_PRODUCT, matmul_scratch},
    {"BatchMatMulV3", run_matmul, CNNFI_OP_PRODUCT, matmul_scratch},
    {"MatMul", run_matmul, CNNFI_OP_PRODUCT, matmul_scratch},
};

const cnnfi_kernel_family cnnfi_kernels_matmul = {"matrix product", kernels, sizeof(kernels) / sizeof(kernels[0])};
