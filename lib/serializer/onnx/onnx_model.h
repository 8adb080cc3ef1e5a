/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ONNX graph under construction: nodes, initializers, inputs and outputs, in the order they were added. Tensors are
 * their names, strings of the model's arena; NULL is the tensor of a call that failed or an optional input left out.
 *
 * Sticky, as the export is (serializer/export/export.h).
 */
#ifndef CNNFI_SERIALIZER_ONNX_ONNX_MODEL_H
#define CNNFI_SERIALIZER_ONNX_ONNX_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strmap.h"
#include "graph/tensor.h"
#include "serializer/export/export.h"

/* Kernels of both sides go up to 8 axes. */
#define CNNFI_ONNX_MAX_RANK 8

/* AttributeProto.AttributeType */
typedef enum cnnfi_onnx_kind {
    CNNFI_ONNX_FLOAT = 1,
    CNNFI_ONNX_INT = 2,
    CNNFI_ONNX_STRING = 3,
    CNNFI_ONNX_FLOATS = 6,
    CNNFI_ONNX_INTS = 7
} cnnfi_onnx_kind;

typedef struct cnnfi_onnx_attr {
    const char *name;
    cnnfi_onnx_kind kind;
    float f;
    int64_t i;
    const char *s;
    size_t count;
    const int64_t *ints; /* [count] */
    const float *floats; /* [count] */
    struct cnnfi_onnx_attr *next;
} cnnfi_onnx_attr;

typedef struct cnnfi_onnx_node {
    const char *op, *name;
    size_t n_inputs, n_outputs;
    const char **inputs, **outputs; /* NULL: left out */
    cnnfi_onnx_attr *attrs;
    struct cnnfi_onnx_node *next;
} cnnfi_onnx_node;

/*
 * A constant: elements of a TensorFlow tensor, their axes in another order when `permuted` (dims[k] is the tensor's
 * axis perm[k], then read as `dims`), or small ones in memory.
 */
typedef struct cnnfi_onnx_initializer {
    const char *name;
    cnnf_dtype dtype;
    int32_t rank;
    int64_t dims[CNNFI_ONNX_MAX_RANK];
    const cnnf_tensor *tensor; /* borrowed; NULL: `data` */
    bool permuted;
    int32_t perm[CNNFI_ONNX_MAX_RANK]; /* [the tensor's rank] */
    const void *data;
    size_t size; /* bytes */
    struct cnnfi_onnx_initializer *next;
} cnnfi_onnx_initializer;

/* A graph input or output: ValueInfoProto. */
typedef struct cnnfi_onnx_port {
    const char *name;
    cnnf_dtype dtype;
    int32_t rank; /* -1: not said */
    int64_t dims[CNNFI_ONNX_MAX_RANK];
    struct cnnfi_onnx_port *next;
} cnnfi_onnx_port;

typedef struct cnnfi_onnx_model {
    cnnfi_export x;     /* first: what the walk hands back is the model */
    cnnfi_strmap small; /* small constants by what they hold, to their place in `shared` */
    const char **shared;
    size_t n_shared, shared_capacity;
    int32_t opset;
    cnnfi_onnx_node *nodes, **last_node;
    cnnfi_onnx_initializer *initializers, **last_initializer;
    cnnfi_onnx_port *inputs, **last_input, *outputs, **last_output;
} cnnfi_onnx_model;

void cnnfi_onnx_model_init(cnnfi_onnx_model *model, cnnf_context *context, int32_t opset);
void cnnfi_onnx_model_free(cnnfi_onnx_model *model);

/* ---- names ---- */

/* A name for a part of the node at hand: "<scope>/<part>". */
const char *cnnfi_onnx_part(cnnfi_onnx_model *model, const char *part);

/* ---- nodes ---- */

/* One output called `out` (NULL: a part of the node at hand); the tensor. *node (nullable): for its attributes. */
const char *cnnfi_onnx_add(cnnfi_onnx_model *model, cnnfi_onnx_node **node, const char *op, const char *out,
                           size_t n_inputs, const char *const *inputs);
const char *cnnfi_onnx_unary(cnnfi_onnx_model *model, const char *op, const char *out, const char *x);
const char *cnnfi_onnx_binary(cnnfi_onnx_model *model, const char *op, const char *out, const char *x, const char *y);
/* Several outputs, [n_outputs] names. */
cnnfi_onnx_node *cnnfi_onnx_add_many(cnnfi_onnx_model *model, const char *op, size_t n_outputs,
                                     const char *const *outputs, size_t n_inputs, const char *const *inputs);
/* Each in the other's place: for one whose result nobody between them reads. */
void cnnfi_onnx_exchange(cnnfi_onnx_node *a, cnnfi_onnx_node *b);
/* One more input at the end. */
void cnnfi_onnx_add_input(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *input);
/* node NULL: nothing. */
void cnnfi_onnx_set_int(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *name, int64_t value);
void cnnfi_onnx_set_float(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *name, float value);
void cnnfi_onnx_set_text(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *name, const char *value);
void cnnfi_onnx_set_ints(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *name, size_t count,
                         const int64_t *values);

/* ---- constants; equal small ones are one initializer ---- */

const char *cnnfi_onnx_ints(cnnfi_onnx_model *model, size_t count, const int64_t *values); /* int64 [count] */
const char *cnnfi_onnx_int(cnnfi_onnx_model *model, int64_t value);                        /* int64 [1] */
const char *cnnfi_onnx_floats(cnnfi_onnx_model *model, size_t count, const float *values); /* float [count] */
/* A scalar of any numeric dtype. */
const char *cnnfi_onnx_scalar(cnnfi_onnx_model *model, cnnf_dtype dtype, double value);
/* An initializer called `name` of numbers in any numeric dtype. */
void cnnfi_onnx_numbers(cnnfi_onnx_model *model, const char *name, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                        const double *values);
/* An initializer called `name` of these bytes, which stay the caller's arena's. */
void cnnfi_onnx_bytes(cnnfi_onnx_model *model, const char *name, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                      const void *data, size_t size);
/* An initializer called `name`; `perm` NULL: as it is. dims [rank] as read after permuting. */
const char *cnnfi_onnx_constant(cnnfi_onnx_model *model, const char *name, const cnnf_tensor *tensor,
                                const int32_t *perm, int32_t rank, const int64_t *dims);

/* ---- ports ---- */

void cnnfi_onnx_add_graph_input(cnnfi_onnx_model *model, const char *name, cnnf_dtype dtype, int32_t rank,
                                const int64_t *dims);
void cnnfi_onnx_add_graph_output(cnnfi_onnx_model *model, const char *name, cnnf_dtype dtype, int32_t rank,
                                 const int64_t *dims);

/* Drops nodes and initializers that no output needs. */
void cnnfi_onnx_sweep(cnnfi_onnx_model *model);

/* TensorProto.DataType of a dtype; 0: there is none. */
int32_t cnnfi_onnx_type(cnnf_dtype dtype);

#endif
