/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum: a walk over the labels of the output and, for each of its elements, over the labels that are summed. */
#include <string.h>

#include "evaluator/kernels/portable.h"
#include "ops/equation.h"

typedef struct einsum {
    cnnfi_equation equation;
    int64_t strides[2][CNNFI_EQUATION_LABELS];  /* of each operand along each label; 0 where it does not have it */
    int64_t out_strides[CNNFI_EQUATION_LABELS]; /* of the output's labels */
} einsum;

/* A label that an operand, or the output, has twice walks its diagonal. */
static void add_strides(const cnnfi_value *value, const uint8_t *label, int64_t *strides)
{
    int64_t own[CNNFI_OP_MAX_RANK];
    cnnfi_strides(value->rank, value->dims, own);
    for (int32_t i = 0; i < value->rank; i++)
        strides[label[i]] += value->dims[i] == 1 ? 0 : own[i];
}

static cnnf_status read_einsum(cnnfi_call *call, einsum *e)
{
    memset(e, 0, sizeof *e);
    CNNFI_TRY(cnnfi_equation_read(call, &e->equation));
    for (int32_t k = 0; k < call->n_inputs; k++)
        add_strides(&call->inputs[k], e->equation.label[k], e->strides[k]);
    add_strides(&call->outputs[0], e->equation.out_label, e->out_strides);
    return CNNF_OK;
}

static cnnf_status einsum_check(cnnfi_call *call)
{
    const cnnfi_type type = cnnfi_type_of(call->inputs[0].dtype);
    return type == CNNFI_T_NONE || type == CNNFI_T_BOOL ? cnnfi_fail_dtype(call, 0) : CNNF_OK;
}

/* The next place over labels [first, last): offsets of both operands; false after the last. */
static bool advance(const einsum *e, int32_t first, int32_t last, int64_t *index, int64_t *at)
{
    const int64_t *dims = e->equation.dims;
    for (int32_t i = last - 1; i >= first; i--) {
        bool wrap = ++index[i] == dims[i];
        for (int k = 0; k < 2; k++)
            at[k] += wrap ? -(dims[i] - 1) * e->strides[k][i] : e->strides[k][i];
        if (!wrap) return true;
        index[i] = 0;
    }
    return false;
}

typedef struct number {
    double re, im;
    uint64_t bits;
} number;

/* a[at] * b[at] added to *sum; one operand counts as times one. */
static void multiply_add(const cnnfi_value *in, int32_t n, const int64_t *at, number *sum)
{
    cnnfi_type type = cnnfi_type_of(in->dtype);
    if (type == CNNFI_T_C64 || type == CNNFI_T_C128) {
        cnnfi_value parts[2] = {in[0], in[n - 1]};
        double re[2] = {1, 1}, im[2] = {0, 0};
        for (int32_t k = 0; k < n; k++) {
            parts[k].dtype = type == CNNFI_T_C64 ? CNNF_FLOAT : CNNF_DOUBLE;
            re[k] = cnnfi_get_f64(&parts[k], 2 * at[k]);
            im[k] = cnnfi_get_f64(&parts[k], 2 * at[k] + 1);
        }
        sum->re += re[0] * re[1] - im[0] * im[1];
        sum->im += re[0] * im[1] + im[0] * re[1];
    } else if (cnnfi_type_is_float(type)) {
        sum->re += cnnfi_get_f64(&in[0], at[0]) * (n == 2 ? cnnfi_get_f64(&in[1], at[1]) : 1);
    } else {
        sum->bits += (uint64_t)cnnfi_get_i64(&in[0], at[0]) * (n == 2 ? (uint64_t)cnnfi_get_i64(&in[1], at[1]) : 1);
    }
}

static void put_sum(cnnfi_value *out, int64_t at, const number *sum)
{
    cnnfi_type type = cnnfi_type_of(out->dtype);
    size_t size = cnnf_dtype_size(out->dtype);
    char *to = (char *)out->data + (size_t)at * size, element[16];
    if (type == CNNFI_T_C64 || type == CNNFI_T_C128) {
        for (int k = 0; k < 2; k++) {
            cnnfi_put_f64(type == CNNFI_T_C64 ? CNNFI_T_F32 : CNNFI_T_F64, k ? sum->im : sum->re, element);
            memcpy(to + (size_t)k * size / 2, element, size / 2);
        }
        return;
    }
    if (cnnfi_type_is_float(type))
        cnnfi_put_f64(type, sum->re, element);
    else
        memcpy(element, &sum->bits, sizeof(sum->bits));
    memcpy(to, element, size);
}

/* The usual case, floats, without conversions. */
static double sum_floats(const einsum *e, const cnnfi_value *in, int32_t n, int64_t *index, int64_t *at)
{
    const float *a = in[0].data, *b = n == 2 ? in[1].data : NULL;
    double sum = 0;
    do
        sum += (double)a[at[0]] * (b ? (double)b[at[1]] : 1);
    while (advance(e, e->equation.n_out, e->equation.n_labels, index, at));
    return sum;
}

/* Where the output's element at these labels lies. */
static int64_t place_of(const einsum *e, const int64_t *index)
{
    int64_t place = 0;
    for (int32_t i = 0; i < e->equation.n_out; i++)
        place += index[i] * e->out_strides[i];
    return place;
}

static cnnf_status einsum_run(cnnfi_call *call)
{
    einsum e;
    int64_t index[CNNFI_EQUATION_LABELS] = {0}, at[2] = {0, 0};
    CNNFI_TRY(read_einsum(call, &e));
    cnnfi_value *out = &call->outputs[0];
    const int32_t n_out = e.equation.n_out, n_labels = e.equation.n_labels;
    const bool single = out->dtype == CNNF_FLOAT;
    bool empty = false;
    if (!out->count) return CNNF_OK;
    for (int32_t i = n_out; i < n_labels; i++)
        empty |= e.equation.dims[i] == 0;
    if (n_out < out->rank) memset(out->data, 0, (size_t)out->count * cnnf_dtype_size(out->dtype));
    do {
        number sum = {0, 0, 0};
        if (single && !empty)
            sum.re = sum_floats(&e, call->inputs, call->n_inputs, index, at);
        else if (!empty)
            do
                multiply_add(call->inputs, call->n_inputs, at, &sum);
            while (advance(&e, n_out, n_labels, index, at));
        put_sum(out, place_of(&e, index), &sum);
    } while (advance(&e, 0, n_out, index, at));
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {{"Einsum", einsum_run, CNNFI_OP_PRODUCT, einsum_check}};

const cnnfi_kernel_family cnnfi_kernels_einsum = {"einsum", kernels, sizeof(kernels) / sizeof(kernels[0])};
