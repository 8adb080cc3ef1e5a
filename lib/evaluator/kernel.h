/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an op is to the evaluator: a rule that gives dtype and shape of its outputs, and a function that
 * computes them. One row per op in a family's table; kernels.c joins the tables.
 *
 * `infer` runs when a plan is compiled, with all input shapes known and the values of those inputs that
 * are constant (shape arithmetic is folded there). When it needs a value that is not known yet it
 * returns CNNFI_INFER_DYNAMIC: the node, and what depends on its shape, is then inferred at run time,
 * with every value at hand.
 * `infer` checks everything a file can get wrong (ranks, sizes, strides, axes, attribute values): `run`
 * may rely on it and does no checking, except of the values of its inputs (indices, divisors).
 */
#ifndef CNNFI_EVALUATOR_KERNEL_H
#define CNNFI_EVALUATOR_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/graph.h"

#define CNNFI_EVAL_MAX_RANK 8

/* A tensor while a plan runs. data NULL at compile time = value not known. Never NULL at run time
   (an empty tensor points to some valid address). Elements in C order. */
typedef struct cnnfi_value {
    cnnf_dtype dtype;
    int32_t rank;
    int64_t dims[CNNFI_EVAL_MAX_RANK];
    int64_t count; /* product of dims */
    void *data;
} cnnfi_value;

typedef struct cnnfi_pool cnnfi_pool; /* the threads that may help inside one op; NULL = none */

/* One call of infer or run. */
typedef struct cnnfi_call {
    cnnf_context *context;
    const cnnf_node *node; /* attributes, name for messages */
    int32_t n_inputs;      /* data inputs */
    const cnnfi_value *inputs;
    int32_t n_outputs;   /* set by infer (cnnfi_call_output() counts), at most max_outputs */
    int32_t max_outputs; /* room in outputs: CNNFI_EVAL_MAX_OUTPUTS, more when attribute num_split or num asks for it */
    cnnfi_value *outputs;                /* infer fills dtype, rank, dims; run finds data allocated */
    size_t scratch_size;                 /* infer may ask for scratch memory ... */
    void *scratch;                       /* ... run finds it here, aligned to 64 */
    cnnfi_pool *pool;                    /* run only */
    bool (*cancelled)(const void *user); /* run only, nullable: for what takes long */
    const void *cancelled_user;
    cnnf_error *error;
} cnnfi_call;

#define CNNFI_EVAL_MAX_OUTPUTS 64
/* From infer, beside cnnf_status: not an error. */
#define CNNFI_INFER_DYNAMIC 1

/* Flags of a row. */
#define CNNFI_OP_VIEW                                                                                                  \
    1u /* output 0 has input 0's bytes unchanged (Identity, Reshape ...): the plan may share the buffer */
#define CNNFI_OP_INPLACE  2u /* output 0 may share the buffer of an input of the same size (element-wise) */
#define CNNFI_OP_STATEFUL 4u /* never folded or merged (Assert) */
#define CNNFI_OP_SHAPE                                                                                                 \
    8u /* run reads the inputs' shapes only (Shape, Rank, ZerosLike): folded as soon as they are known */

typedef struct cnnfi_kernel {
    const char *op;
    cnnf_status (*infer)(cnnfi_call *call);
    cnnf_status (*run)(cnnfi_call *call);
    uint32_t flags;
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

/* Failing with the node's name: "node 'conv': strides[1] is 0, must be >= 1". */
cnnf_status cnnfi_call_fail(cnnfi_call *call, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets an output's dtype and shape, checked against rank and element limits. */
cnnf_status cnnfi_call_output(cnnfi_call *call, int32_t index, cnnf_dtype dtype, int32_t rank, const int64_t *dims);
/* An integer input (int32 or int64) as int64 values: CNNFI_INFER_DYNAMIC when its value is not known. At most `max`. */
cnnf_status cnnfi_call_ints(cnnfi_call *call, int32_t input, int64_t *out, int64_t max, int64_t *count);

#endif
