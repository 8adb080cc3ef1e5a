/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an op is to the evaluator: a function that computes it. One row per op in a family's table; kernels.c joins the
 * tables. What the op demands and what its outputs look like is told by lib/ops/ (op_rules.h), asked when a plan is
 * compiled, and again while running where a shape depends on values (CNNFI_INFER_DYNAMIC).
 *
 * `run` is entered only after cnnfi_kernel_infer() said CNNF_OK: arity, dtypes, ranks, sizes and attributes are right
 * and every shape is known. It checks nothing but the values of its inputs (indices, divisors).
 */
#ifndef CNNFI_EVALUATOR_KERNELS_KERNEL_H
#define CNNFI_EVALUATOR_KERNELS_KERNEL_H

#include "ops/op_rules.h"

/* Flags of a row, beside those of the rule. */
#define CNNFI_OP_VIEW     CNNFI_RULE_VIEW
#define CNNFI_OP_INPLACE  2u /* output 0 may share the buffer of an input of the same size (element-wise) */
#define CNNFI_OP_STATEFUL 4u /* never folded or merged (Assert) */
#define CNNFI_OP_SHAPE    CNNFI_RULE_SHAPE
#define CNNFI_OP_PRODUCT  32u /* multiplies each element of an input with many of another: work is more than memory */
#define CNNFI_OP_OBJECTS  64u /* `run` makes its outputs itself (object.h): lists and arrays of tensors */

typedef struct cnnfi_kernel {
    const char *op;
    cnnf_status (*run)(cnnfi_call *call);
    uint32_t flags;
    /* Called when the outputs are declared: sets scratch_size, refuses dtypes and formats that `run` lacks. NULL: it
       needs no memory and takes all that the rule does. */
    cnnf_status (*scratch)(cnnfi_call *call);
} cnnfi_kernel;

/* A family: one file, one table. */
typedef struct cnnfi_kernel_family {
    const char *name;
    const cnnfi_kernel *kernels;
    size_t count;
} cnnfi_kernel_family;

const cnnfi_kernel *cnnfi_kernel_find(const char *op); /* NULL when outside the table */
/* Families in the order of kernels.c, NULL past the end (tests, documentation). */
const cnnfi_kernel_family *cnnfi_kernel_family_at(size_t index);

/* Splits [0, n) over the pool's threads in pieces of at least `grain`; returns when all are done. */
void cnnfi_parallel_for(cnnfi_pool *pool, int64_t n, int64_t grain,
                        void (*body)(int64_t begin, int64_t end, void *user), void *user);
int32_t cnnfi_pool_threads(const cnnfi_pool *pool); /* 1 for NULL */

/* Asks the op's rule and sizes the scratch memory: CNNF_OK, CNNFI_INFER_DYNAMIC or a failure with the node's name. */
cnnf_status cnnfi_kernel_infer(const cnnfi_kernel *kernel, cnnfi_call *call);
/* Where a node that is computed once, from constants, has its bytes. */
typedef struct cnnfi_once {
    uint64_t most_bytes; /* of all outputs; more is CNNF_E_LIMIT, without a message */
    /* Inputs' data that are not at hand yet; NULL: all are. */
    cnnf_status (*load)(cnnfi_call *call, void *user);
    /* Gives outputs[index].data its bytes. `shared`: those of input 0, which need not be at hand. */
    cnnf_status (*place)(cnnfi_call *call, int32_t index, bool shared, void *user);
    void *user;
} cnnfi_once;

/* Computes what cnnfi_kernel_infer() said CNNF_OK to: places the outputs, loads the inputs, finds scratch memory, runs
   the kernel. */
cnnf_status cnnfi_kernel_compute(const cnnfi_kernel *kernel, cnnfi_call *call, const cnnfi_once *once);
/* The steps of work (base/budget.h) that `run` is about to take. */
uint64_t cnnfi_kernel_work(const cnnfi_kernel *kernel, const cnnfi_call *call);
/* The row's flags and the rule's. */
uint32_t cnnfi_kernel_flags(const cnnfi_kernel *kernel);

#endif
