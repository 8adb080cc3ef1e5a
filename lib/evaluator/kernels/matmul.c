/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products, batched and broadcast: the general form. */
#include <string.h>

#include "evaluator/kernels/nn.h"

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

static cnnf_status check_types(cnnfi_call *call)
{
    cnnf_dtype dtype = call->inputs[0].dtype;
    CNNFI_TRY(cnnfi_nn_inputs(call, 2));
    if (dtype == call->inputs[1].dtype && (dtype == CNNF_INT32 || dtype == CNNF_INT64)) return CNNF_OK;
    return cnnfi_nn_floats(call, 2);
}

/* m, n, k and the strides inside one matrix. */
static cnnf_status set_matrix(cnnfi_call *call, product *p, bool transpose_a, bool transpose_b)
{
    const cnnfi_value *a = &call->inputs[0], *b = &call->inputs[1];
    if (a->rank < 2 || b->rank < 2) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "needs matrices");
    const int64_t *da = a->dims + a->rank - 2, *db = b->dims + b->rank - 2;
    p->m = da[transpose_a];
    p->k = da[!transpose_a];
    p->n = db[!transpose_b];
    p->a_row = transpose_a ? 1 : da[1];
    p->a_col = transpose_a ? da[1] : 1;
    p->b_row = transpose_b ? 1 : db[1];
    p->b_col = transpose_b ? db[1] : 1;
    if (db[transpose_b] == p->k) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "inner sizes %lld and %lld differ", (long long)p->k,
                           (long long)db[transpose_b]);
}

/* Strides of one operand over the batch axes of the output, aligned at their ends. */
static bool set_batch(const cnnfi_value *value, product *p, int64_t *strides)
{
    int64_t stride = value->dims[value->rank - 1] * value->dims[value->rank - 2];
    for (int32_t i = p->batch_rank - 1, k = value->rank - 3; i >= 0; i--, k--) {
        int64_t size = k < 0 ? 1 : value->dims[k];
        if (size != 1 && p->batch_dims[i] != 1 && size != p->batch_dims[i]) return false;
        if (p->batch_dims[i] == 1) p->batch_dims[i] = size;
        strides[i] = size == 1 ? 0 : stride;
        stride *= size;
    }
    return true;
}

static cnnf_status set_product(cnnfi_call *call, product *p)
{
    const cnnf_node *node = call->node;
    bool single = strcmp(node->op, "MatMul") == 0;
    const cnnfi_value *a = &call->inputs[0], *b = &call->inputs[1];
    *p = (product){0};
    if (single && (a->rank != 2 || b->rank != 2)) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "needs two matrices");
    CNNFI_TRY(set_matrix(call, p, cnnf_node_attr_bool(node, single ? "transpose_a" : "adj_x", 0),
                         cnnf_node_attr_bool(node, single ? "transpose_b" : "adj_y", 0)));
    p->batch_rank = (int32_t)cnnfi_max_i64(a->rank, b->rank) - 2;
    for (int32_t i = 0; i < p->batch_rank; i++)
        p->batch_dims[i] = 1;
    if (!set_batch(a, p, p->a_batch) || !set_batch(b, p, p->b_batch)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the batch sizes do not fit");
    }
    return CNNF_OK;
}

static cnnf_status infer_matmul(cnnfi_call *call)
{
    product p;
    int64_t dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(check_types(call));
    CNNFI_TRY(set_product(call, &p));
    memcpy(dims, p.batch_dims, sizeof(dims));
    dims[p.batch_rank] = p.m;
    dims[p.batch_rank + 1] = p.n;
    CNNFI_TRY(cnnfi_call_output(call, 0, call->inputs[0].dtype, p.batch_rank + 2, dims));
    cnnfi_nn_widen(call);
    return CNNF_OK;
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
    product p;
    cnnfi_value *out = &call->outputs[0];
    CNNFI_TRY(set_product(call, &p));
    p.a = call->inputs[0].data;
    p.b = call->inputs[1].data;
    p.c = out->data;
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
    {"BatchMatMul", infer_matmul, run_matmul, 0},
    {"BatchMatMulV2", infer_matmul, run_matmul, 0},
    {"BatchMatMulV3", infer_matmul, run_matmul, 0},
    {"MatMul", infer_matmul, run_matmul, 0},
};

const cnnfi_kernel_family cnnfi_kernels_matmul = {"matrix product", kernels, sizeof(kernels) / sizeof(kernels[0])};
