/* SPDX-License-Identifier: Apache-2.0 */
/* The op table: every family is one line here. And what kernels share: failing and declaring outputs. */
#include <math.h>
#include <string.h>

#include <cnnfreeze/evaluator.h>

#include "base/budget.h"
#include "base/context.h"
#include "evaluator/kernels/kernel.h"
#include "ops/contract.h"

extern const cnnfi_kernel_family cnnfi_kernels_binary;
extern const cnnfi_kernel_family cnnfi_kernels_cast;
extern const cnnfi_kernel_family cnnfi_kernels_control;
extern const cnnfi_kernel_family cnnfi_kernels_conv;
extern const cnnfi_kernel_family cnnfi_kernels_diagonal;
extern const cnnfi_kernel_family cnnfi_kernels_einsum;
extern const cnnfi_kernel_family cnnfi_kernels_epilogue;
extern const cnnfi_kernel_family cnnfi_kernels_fix_neuron;
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
extern const cnnfi_kernel_family cnnfi_kernels_tensor_array;
extern const cnnfi_kernel_family cnnfi_kernels_tensor_list;
extern const cnnfi_kernel_family cnnfi_kernels_unary;

static const cnnfi_kernel_family *const families[] = {
    &cnnfi_kernels_binary,    &cnnfi_kernels_cast,         &cnnfi_kernels_control,     &cnnfi_kernels_conv,
    &cnnfi_kernels_diagonal,  &cnnfi_kernels_einsum,       &cnnfi_kernels_epilogue,    &cnnfi_kernels_fix_neuron,
    &cnnfi_kernels_gather,    &cnnfi_kernels_generate,     &cnnfi_kernels_join,        &cnnfi_kernels_layout,
    &cnnfi_kernels_loss,      &cnnfi_kernels_matmul,       &cnnfi_kernels_nn,          &cnnfi_kernels_order,
    &cnnfi_kernels_partition, &cnnfi_kernels_pooling,      &cnnfi_kernels_quantize,    &cnnfi_kernels_rectifier,
    &cnnfi_kernels_reduce,    &cnnfi_kernels_resize,       &cnnfi_kernels_scan,        &cnnfi_kernels_segment,
    &cnnfi_kernels_select,    &cnnfi_kernels_shape,        &cnnfi_kernels_slice,       &cnnfi_kernels_space,
    &cnnfi_kernels_suppress,  &cnnfi_kernels_tensor_array, &cnnfi_kernels_tensor_list, &cnnfi_kernels_unary,
};

#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

const cnnfi_kernel_family *cnnfi_kernel_family_at(size_t index)
{
    return index < N_FAMILIES ? families[index] : NULL;
}

const cnnfi_kernel *cnnfi_kernel_find(const char *op)
{
    for (size_t f = 0; f < N_FAMILIES; f++) {
        const cnnfi_kernel *kernels = families[f]->kernels;
        for (size_t i = 0; i < families[f]->count; i++) {
            if (*kernels[i].op == *op && strcmp(kernels[i].op, op) == 0) return &kernels[i];
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

/* Strings and resources have no bytes to compute with; ops that hand on, count or only look take them. */
static cnnf_status want_bytes(const cnnfi_kernel *kernel, cnnfi_call *call)
{
    if (cnnfi_kernel_flags(kernel) & (CNNFI_OP_VIEW | CNNFI_OP_SHAPE | CNNFI_OP_STATEFUL)) return CNNF_OK;
    for (int32_t i = 0; i < call->n_inputs; i++)
        if (!cnnf_dtype_size(call->inputs[i].dtype)) return cnnfi_fail_dtype(call, i);
    return CNNF_OK;
}

cnnf_status cnnfi_kernel_infer(const cnnfi_kernel *kernel, cnnfi_call *call)
{
    cnnf_status status = cnnfi_op_infer(call);
    if (status == CNNF_OK && !kernel->run) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "%s is computed by a plan alone", kernel->op);
    }
    const uint32_t flags = cnnfi_kernel_flags(kernel);
    if (status == CNNF_OK && !(flags & CNNFI_OP_OBJECTS)) status = want_bytes(kernel, call);
    for (int32_t i = 0; status == CNNF_OK && i < call->n_outputs && !(flags & (CNNFI_OP_VIEW | CNNFI_OP_OBJECTS));
         i++) {
        if (!cnnf_dtype_size(call->outputs[i].dtype))
            return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "output %d is %s", (int)i,
                                   cnnf_dtype_name(call->outputs[i].dtype));
    }
    return status == CNNF_OK && kernel->scratch ? kernel->scratch(call) : status;
}

static cnnf_status run_with_scratch(const cnnfi_kernel *kernel, cnnfi_call *call)
{
    if (call->scratch_size > SIZE_MAX - 64) return cnnfi_fail_nomem(call->error);
    void *block = call->scratch_size ? cnnfi_malloc(call->context, call->scratch_size + 64) : NULL;
    if (call->scratch_size && !block) return cnnfi_fail_nomem(call->error);
    call->scratch = (void *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
    const cnnf_status status = kernel->run(call);
    call->scratch = NULL;
    cnnfi_free(call->context, block);
    return status;
}

cnnf_status cnnfi_kernel_compute(const cnnfi_kernel *kernel, cnnfi_call *call, const cnnfi_once *once)
{
    uint64_t bytes = 0;
    const bool is_view = cnnfi_kernel_flags(kernel) & CNNFI_OP_VIEW && call->n_outputs == 1 &&
                         call->inputs[0].dtype == call->outputs[0].dtype;
    if (is_view) return once->place(call, 0, true, once->user);
    for (int32_t i = 0; i < call->n_outputs; i++) {
        const size_t size = cnnf_dtype_size(call->outputs[i].dtype);
        if (!size) return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "output %d has no bytes to compute", (int)i);
        /* each count is within the limits, their sum need not be a number */
        if (__builtin_add_overflow(bytes, (uint64_t)call->outputs[i].count * size, &bytes)) return CNNF_E_LIMIT;
    }
    if (bytes > once->most_bytes) return CNNF_E_LIMIT;
    for (int32_t i = 0; i < call->n_outputs; i++)
        CNNFI_TRY(once->place(call, i, false, once->user));
    if (once->load) CNNFI_TRY(once->load(call, once->user));
    return run_with_scratch(kernel, call);
}

/* Elements of a filter's window, or of a pooling's. */
static double window_of(const cnnfi_call *call, const cnnfi_value *filter)
{
    double window = 1;
    const cnnfi_attr *ksize = cnnfi_node_attr(call->node, "ksize");
    const bool pools = ksize && ksize->kind == CNNF_ATTR_LIST && ksize->u.list.item_kind == CNNF_ATTR_INT;
    for (size_t i = 0; pools && i < ksize->u.list.count; i++)
        window *= ksize->u.list.u.ints[i] > 1 ? (double)ksize->u.list.u.ints[i] : 1;
    for (int32_t i = 0; filter && i < filter->rank - 2; i++)
        window *= (double)filter->dims[i];
    return window;
}

/*
 * Of a product [m,k] x [k,n] = [m,n], mk * kn * mn is the square of its multiplications; so it is, about, of
 * convolutions, whose filter has a window beside. The two operands are the two largest inputs.
 */
static double multiplications(const cnnfi_kernel *kernel, const cnnfi_call *call, double read, double written)
{
    const bool product = cnnfi_kernel_flags(kernel) & CNNFI_OP_PRODUCT && call->n_inputs > 1;
    if (!product) return fmin(window_of(call, NULL), read) * written;
    const cnnfi_value *filter = call->n_inputs > 1 ? &call->inputs[1] : NULL;
    double largest = 0, next = 0;
    for (int32_t i = 0; i < call->n_inputs; i++) {
        const double count = (double)call->inputs[i].count;
        next = fmax(next, fmin(count, largest));
        largest = fmax(largest, count);
    }
    return sqrt(largest * next * written * (strstr(kernel->op, "Conv") ? window_of(call, filter) : 1));
}

uint64_t cnnfi_kernel_work(const cnnfi_kernel *kernel, const cnnfi_call *call)
{
    double read = 0, written = 0;
    for (int32_t i = 0; i < call->n_inputs; i++)
        read += call->inputs[i].count > 0 ? (double)call->inputs[i].count : 0;
    for (int32_t i = 0; i < call->n_outputs; i++)
        written += call->outputs[i].count > 0 ? (double)call->outputs[i].count : 0;
    if (cnnfi_kernel_flags(kernel) & CNNFI_OP_VIEW) return 1;
    const double steps = (read + written) / CNNFI_STEP_ELEMENTS +
                         multiplications(kernel, call, read, written) / CNNFI_STEP_MULTIPLICATIONS;
    return steps < 1e18 ? 1 + (uint64_t)steps : UINT64_MAX / 4;
}

uint32_t cnnfi_kernel_flags(const cnnfi_kernel *kernel)
{
    const cnnfi_op_rule *rule = cnnfi_op_rule_find(kernel->op);
    return kernel->flags | (rule ? rule->flags : 0);
}
