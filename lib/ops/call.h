/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to an op: these inputs, what are the outputs? Asked by the loader (of what a configuration holds), by
 * passes (of a graph whose batch is not known) and by the evaluator (of the tensors at hand); answered by op_rules.h.
 *
 * What is not known is said so: dtype 0, rank -1, a dim -1, data NULL. A rule gives what follows from what is known.
 */
#ifndef CNNFI_OPS_CALL_H
#define CNNFI_OPS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/graph.h"

/* Tensors of more axes are not computed with; TensorFlow's own kernels stop at 8. */
#define CNNFI_OP_MAX_RANK 8

#define CNNFI_UNKNOWN (-1)

/* What is known of a tensor. Elements lie in C order. */
typedef struct cnnfi_value {
    cnnf_dtype dtype;                /* 0: not known */
    int32_t rank;                    /* CNNFI_UNKNOWN: not known; then every dim is CNNFI_UNKNOWN */
    int64_t dims[CNNFI_OP_MAX_RANK]; /* [rank]; CNNFI_UNKNOWN: not known */
    int64_t count;                   /* product of dims; CNNFI_UNKNOWN when one is not known */
    void *data;                      /* [count] elements; NULL: not known (an empty tensor points to a valid address) */
} cnnfi_value;

typedef struct cnnfi_pool cnnfi_pool;

/* One call: of a rule, which fills the outputs' dtypes and shapes, then perhaps of a kernel, which fills their data. */
typedef struct cnnfi_call {
    cnnf_context *context;
    const cnnf_node *node; /* attributes, name for messages; its edges are not looked at */
    int32_t n_inputs;      /* data inputs */
    const cnnfi_value *inputs;
    int32_t n_outputs;   /* cnnfi_call_output() counts, at most max_outputs */
    int32_t max_outputs; /* room in outputs: cnnfi_call_max_outputs() */
    cnnfi_value *outputs;
    cnnf_error *error;
    size_t scratch_size; /* the kernel's, which finds scratch aligned to 64 */
    void *scratch;
    cnnfi_pool *pool;                    /* the kernel's: threads that may help; NULL = none */
    bool (*cancelled)(const void *user); /* the kernel's, nullable: for what takes long */
    const void *cancelled_user;
    struct cnnfi_object_step *objects; /* the kernel's: what keeps the inputs and outputs of ops with lists; NULL */
} cnnfi_call;

/* From a rule, beside cnnf_status, no error: not every output's shape follows from what is known. */
#define CNNFI_INFER_DYNAMIC 1

/* ---- values ---- */

cnnfi_value cnnfi_value_unknown(cnnf_dtype dtype);
/* The shape is known in full. */
static inline bool cnnfi_value_is_shaped(const cnnfi_value *value)
{
    return value->count != CNNFI_UNKNOWN;
}
/* dtype, rank, dims, count of a tensor; false: more axes than CNNFI_OP_MAX_RANK. The data is left NULL. */
bool cnnfi_value_of_tensor(cnnfi_value *out, const cnnf_tensor *tensor);
/* What the node's attributes `dtype` and `shape` say; unknown when they are not there. */
cnnfi_value cnnfi_value_of_attrs(const cnnf_node *node);
/* dtype, rank and dims, count from them. dims NULL or rank CNNFI_UNKNOWN: unknown. */
cnnfi_value cnnfi_value_make(cnnf_dtype dtype, int32_t rank, const int64_t *dims);

/* ---- dims that may be unknown: what is unknown stays unknown, what is too large stays INT64_MAX (and is refused when
   it is declared) ---- */

int64_t cnnfi_dim_add(int64_t a, int64_t b);
int64_t cnnfi_dim_mul(int64_t a, int64_t b);
/* a / b rounded down; unknown when b is no positive number. */
int64_t cnnfi_dim_div(int64_t a, int64_t b);
/* Whether both may be the same size. */
static inline bool cnnfi_dim_fits(int64_t a, int64_t b)
{
    return a == CNNFI_UNKNOWN || b == CNNFI_UNKNOWN || a == b;
}
/* The known one of two that fit. */
static inline int64_t cnnfi_dim_merge(int64_t a, int64_t b)
{
    return a == CNNFI_UNKNOWN ? b : a;
}
/* Product of dims[begin .. end), unknown when one is. */
int64_t cnnfi_dims_product(const int64_t *dims, int32_t begin, int32_t end);

/* ---- failing, with the node's name: "node 'conv' (Conv2D): strides[1] is 0, must be >= 1" ---- */

cnnf_status cnnfi_call_fail(cnnfi_call *call, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
cnnf_status cnnfi_fail_dtype(cnnfi_call *call, int32_t input); /* "not for dtype ..." */

/* ---- what a rule demands; an unknown dtype, rank or dim meets every demand ---- */

cnnf_status cnnfi_want_inputs(cnnfi_call *call, int32_t least, int32_t most); /* most -1: any number */
cnnf_status cnnfi_want_rank(cnnfi_call *call, int32_t input, int32_t rank);
cnnf_status cnnfi_want_least_rank(cnnfi_call *call, int32_t input, int32_t least);
cnnf_status cnnfi_want_same_dtype(cnnfi_call *call, int32_t a, int32_t b);
cnnf_status cnnfi_want_same_shape(cnnfi_call *call, int32_t a, int32_t b);
cnnf_status cnnfi_want_dtype(cnnfi_call *call, int32_t input, cnnf_dtype dtype);
cnnf_status cnnfi_want_int(cnnfi_call *call, int32_t input);   /* int32 or int64 */
cnnf_status cnnfi_want_float(cnnfi_call *call, int32_t input); /* float, double, half, bfloat16 */
cnnf_status cnnfi_want_bytes(cnnfi_call *call, int32_t input); /* elements of a fixed size: no strings, no resources */
cnnf_status cnnfi_want_value(cnnfi_call *call, int32_t input); /* at hand: CNNF_OK or CNNFI_INFER_DYNAMIC */
/* An axis in -rank .. rank-1 made positive; `what` names it. An unknown rank is CNNFI_INFER_DYNAMIC. */
cnnf_status cnnfi_check_axis(cnnfi_call *call, int64_t axis, int32_t rank, const char *what, int32_t *out);

/* ---- integers that an input holds (int32, int64); CNNFI_INFER_DYNAMIC when its value is not known ---- */

/* Any number of them up to `max`. */
cnnf_status cnnfi_call_ints(cnnfi_call *call, int32_t input, int64_t *out, int64_t max, int64_t *count);
/* Exactly `count`; refused when the shape says otherwise. */
cnnf_status cnnfi_call_ints_exact(cnnfi_call *call, int32_t input, int64_t *out, int64_t count);
/* The one there is. */
cnnf_status cnnfi_call_int(cnnfi_call *call, int32_t input, int64_t *out);
/* A shape, none of whose sizes is negative. When its value is not known, the rank follows from how many there are:
   CNNFI_INFER_DYNAMIC, out->dims CNNFI_UNKNOWN. */
cnnf_status cnnfi_call_shape(cnnfi_call *call, int32_t input, cnnfi_value *out);

/* Adds to a shape what `in` says of the same one; false when they are not the same. */
bool cnnfi_value_merge(cnnfi_value *out, const cnnfi_value *in);
/* What inputs first .. first + n - 1, which must have one dtype and one shape, say of it together. */
cnnf_status cnnfi_call_merge(cnnfi_call *call, int32_t first, int32_t n, cnnfi_value *out);

/* ---- what a rule gives ---- */

/* An output's dtype and shape; known dims are held against rank, element and byte limits. */
cnnf_status cnnfi_call_output(cnnfi_call *call, int32_t index, cnnf_dtype dtype, int32_t rank, const int64_t *dims);
/* The only output. */
cnnf_status cnnfi_output_one(cnnfi_call *call, cnnf_dtype dtype, int32_t rank, const int64_t *dims);
cnnf_status cnnfi_output_like(cnnfi_call *call, int32_t like, cnnf_dtype dtype); /* in the shape of input `like` */
/* The only output, of `rank` axes (CNNFI_UNKNOWN: not even that is known) whose sizes are not known. */
cnnf_status cnnfi_output_of_rank(cnnfi_call *call, cnnf_dtype dtype, int32_t rank);
/* Room that every call has for outputs, and the room that a node's attributes ask for. */
#define CNNFI_CALL_OUTPUTS 64
int32_t cnnfi_call_max_outputs(const cnnf_node *node);

/* The common shape of the first n inputs; false when they do not fit. An unknown dim beside a size other than 1 is that
   size (the larger one wins or it is an error), beside 1 it is unknown. */
bool cnnfi_broadcast_dims(const cnnfi_value *inputs, int32_t n, int32_t *rank, int64_t *dims);
cnnf_status cnnfi_broadcast_output(cnnfi_call *call, int32_t n, cnnf_dtype dtype);

#endif
