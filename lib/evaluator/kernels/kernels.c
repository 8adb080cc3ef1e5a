/* SPDX-License-Identifier: Apache-2.0 */
/* The op table: every family is one line here. And what kernels share: failing and declaring outputs. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cnnfreeze/evaluator.h>

#include "base/checked.h"
#include "evaluator/kernels/kernel.h"
#include "graph/shape.h"

extern const cnnfi_kernel_family cnnfi_kernels_binary;
extern const cnnfi_kernel_family cnnfi_kernels_cast;
extern const cnnfi_kernel_family cnnfi_kernels_control;
extern const cnnfi_kernel_family cnnfi_kernels_conv;
extern const cnnfi_kernel_family cnnfi_kernels_diagonal;
extern const cnnfi_kernel_family cnnfi_kernels_einsum;
extern const cnnfi_kernel_family cnnfi_kernels_epilogue;
extern const cnnfi_kernel_family cnnfi_kernels_gather;
extern const cnnfi_kernel_family cnnfi_kernels_generate;
extern const cnnfi_kernel_family cnnfi_kernels_join;
extern const cnnfi_kernel_family cnnfi_kernels_layout;
extern const cnnfi_kernel_family cnnfi_kernels_loss;
extern const cnnfi_kernel_family cnnfi_kernels_matmul;
extern const cnnfi_kernel_family cnnfi_kernels_nn;
extern const cnnfi_kernel_family cnnfi_kernels_order;
extern const cnnfi_kernel_family cnnfi_kernels_partition;
extern const cnnfi_kernel_family cnnfi_kernels_pooling;
extern const cnnfi_kernel_family cnnfi_kernels_quantize;
extern const cnnfi_kernel_family cnnfi_kernels_rectifier;
extern const cnnfi_kernel_family cnnfi_kernels_reduce;
extern const cnnfi_kernel_family cnnfi_kernels_resize;
extern const cnnfi_kernel_family cnnfi_kernels_scan;
extern const cnnfi_kernel_family cnnfi_kernels_segment;
extern const cnnfi_kernel_family cnnfi_kernels_select;
extern const cnnfi_kernel_family cnnfi_kernels_shape;
extern const cnnfi_kernel_family cnnfi_kernels_slice;
extern const cnnfi_kernel_family cnnfi_kernels_space;
extern const cnnfi_kernel_family cnnfi_kernels_suppress;
extern const cnnfi_kernel_family cnnfi_kernels_unary;

static const cnnfi_kernel_family *const families[] = {
    &cnnfi_kernels_binary,   &cnnfi_kernels_cast,     &cnnfi_kernels_control,   &cnnfi_kernels_conv,
    &cnnfi_kernels_diagonal, &cnnfi_kernels_einsum,   &cnnfi_kernels_epilogue,  &cnnfi_kernels_gather,
    &cnnfi_kernels_generate, &cnnfi_kernels_join,     &cnnfi_kernels_layout,    &cnnfi_kernels_loss,
    &cnnfi_kernels_matmul,   &cnnfi_kernels_nn,       &cnnfi_kernels_order,     &cnnfi_kernels_partition,
    &cnnfi_kernels_pooling,  &cnnfi_kernels_quantize, &cnnfi_kernels_rectifier, &cnnfi_kernels_reduce,
    &cnnfi_kernels_resize,   &cnnfi_kernels_scan,     &cnnfi_kernels_segment,   &cnnfi_kernels_select,
    &cnnfi_kernels_shape,    &cnnfi_kernels_slice,    &cnnfi_kernels_space,     &cnnfi_kernels_suppress,
    &cnnfi_kernels_unary,
};

#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

const cnnfi_kernel_family *cnnfi_kernel_family_at(size_t index)
{
    return index < N_FAMILIES ? families[index] : NULL;
}

const cnnfi_kernel *cnnfi_kernel_find(const char *op)
{
    for (size_t f = 0; f < N_FAMILIES; f++) {
        for (size_t i = 0; i < families[f]->count; i++) {
            if (strcmp(families[f]->kernels[i].op, op) == 0) return &families[f]->kernels[i];
        }
    }
    return NULL;
}

int32_t cnnf_op_count(void)
{
    size_t count = 0;
    for (size_t f = 0; f < N_FAMILIES; f++)
        count += families[f]->count;
    return (int32_t)count;
}

/* The smallest name greater than `after` (NULL: the smallest of all). */
static const char *next_name(const char *after)
{
    const char *best = NULL;
    for (size_t f = 0; f < N_FAMILIES; f++) {
        for (size_t i = 0; i < families[f]->count; i++) {
            const char *op = families[f]->kernels[i].op;
            if (after && strcmp(op, after) <= 0) continue;
            if (!best || strcmp(op, best) < 0) best = op;
        }
    }
    return best;
}

const char *cnnf_op_name(int32_t index)
{
    if (index < 0 || index >= cnnf_op_count()) return NULL;
    const char *name = next_name(NULL);
    while (index-- > 0)
        name = next_name(name);
    return name;
}

cnnf_status cnnfi_call_fail(cnnfi_call *call, cnnf_status code, const char *format, ...)
{
    char text[768];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    cnnfi_fail(call->error, code, "node '%s' (%s): %s", call->node->name, call->node->op, text);
    cnnfi_error_set_node(call->error, call->node->name);
    return code;
}

cnnf_status cnnfi_call_output(cnnfi_call *call, int32_t index, cnnf_dtype dtype, int32_t rank, const int64_t *dims)
{
    if (index >= call->max_outputs) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "more than %d outputs", (int)call->max_outputs);
    }
    if (rank > CNNFI_EVAL_MAX_RANK) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "output %d has rank %d, the evaluator goes to %d", (int)index,
                               (int)rank, CNNFI_EVAL_MAX_RANK);
    }
    cnnfi_value *out = &call->outputs[index];
    memset(out, 0, sizeof(*out));
    size_t bytes = 0;
    CNNFI_TRY(cnnfi_shape_bytes(&bytes, call->context, dtype, rank, dims, call->node->name, call->error));
    out->dtype = dtype;
    out->rank = rank;
    out->count = 1;
    for (int32_t i = 0; i < rank; i++) {
        out->dims[i] = dims[i];
        out->count *= dims[i];
    }
    if (call->n_outputs <= index) call->n_outputs = index + 1;
    return CNNF_OK;
}

cnnf_status cnnfi_call_ints(cnnfi_call *call, int32_t input, int64_t *out, int64_t max, int64_t *count)
{
    const cnnfi_value *value = &call->inputs[input];
    if (value->dtype != CNNF_INT32 && value->dtype != CNNF_INT64) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is %s, must be int32 or int64", (int)input,
                               cnnf_dtype_name(value->dtype));
    }
    if (value->count > max) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "input %d has %lld elements, at most %lld are supported",
                               (int)input, (long long)value->count, (long long)max);
    }
    if (!value->data) return CNNFI_INFER_DYNAMIC;
    for (int64_t i = 0; i < value->count; i++) {
        out[i] = value->dtype == CNNF_INT32 ? ((const int32_t *)value->data)[i] : ((const int64_t *)value->data)[i];
    }
    *count = value->count;
    return CNNF_OK;
}
