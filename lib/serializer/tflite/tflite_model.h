/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TFLite model under construction: one subgraph's tensors and operators in the order they were added. Everything
 * lives in the export's arena. NULL is the tensor of a call that failed, or an optional input left out.
 *
 * Sticky, as the export is (serializer/export/export.h).
 */
#ifndef CNNFI_SERIALIZER_TFLITE_TFLITE_MODEL_H
#define CNNFI_SERIALIZER_TFLITE_TFLITE_MODEL_H

#include "base/strmap.h"
#include "graph/tensor.h"
#include "serializer/export/export.h"
#include "serializer/tflite/tflite_schema.h"

/* How weights are kept (cnnfreeze/tflite.h). */
typedef enum cnnfi_tfl_storage { CNNFI_TFL_FLOAT32, CNNFI_TFL_FLOAT16, CNNFI_TFL_INT8 } cnnfi_tfl_storage;

/* q = round(x / scale), symmetric; one scale for the tensor or for each place along `axis`. */
typedef struct cnnfi_tfl_quantization {
    size_t n_scales;
    float *scales; /* [n_scales] */
    int32_t axis;
} cnnfi_tfl_quantization;

/* A constant has `source` (elements of a TensorFlow tensor, axis k being its axis perm[k] when `permuted`) or `data`.
 */
typedef struct cnnfi_tfl_tensor {
    const char *name;
    cnnf_dtype dtype; /* as it is written */
    int32_t rank;     /* -1: not known */
    int64_t dims[CNNFI_OP_MAX_RANK];
    bool is_constant, permuted;
    const cnnf_tensor *source; /* borrowed */
    int32_t perm[CNNFI_OP_MAX_RANK];
    const void *data;
    size_t size; /* bytes of a constant, as written */
    cnnfi_tfl_quantization *quantization;
    struct cnnfi_tfl_node *giver; /* that computes it, when a bias or an activation may still go into it; NULL */
    int32_t index;                /* in the file; -1: nobody reads it */
    uint32_t buffer;
    struct cnnfi_tfl_tensor *next;
} cnnfi_tfl_tensor;

typedef enum cnnfi_tfl_kind {
    CNNFI_TFL_BYTE,
    CNNFI_TFL_INT,
    CNNFI_TFL_REAL,
    CNNFI_TFL_INTS,
    CNNFI_TFL_REALS
} cnnfi_tfl_kind;

typedef struct cnnfi_tfl_option {
    uint32_t field; /* of the options' table */
    cnnfi_tfl_kind kind;
    int32_t i;
    float f;
    size_t count;
    const int32_t *ints; /* [count] */
    const float *reals;  /* [count] */
} cnnfi_tfl_option;

#define CNNFI_TFL_MAX_OPTIONS 8

typedef struct cnnfi_tfl_node {
    cnnfi_tfl_code code;
    size_t n_inputs, n_outputs;
    cnnfi_tfl_tensor **inputs, **outputs;
    size_t n_options;
    cnnfi_tfl_option options[CNNFI_TFL_MAX_OPTIONS];
    uint32_t opcode; /* in the file */
    struct cnnfi_tfl_node *next;
} cnnfi_tfl_node;

/* An input or output of the graph, and what the signature calls it. */
typedef struct cnnfi_tfl_port {
    cnnfi_tfl_tensor *tensor;
    const char *key;
    struct cnnfi_tfl_port *next;
} cnnfi_tfl_port;

typedef struct cnnfi_tfl_model {
    cnnfi_export x;
    cnnfi_strmap small; /* small constants by what they hold, to their place in `shared` */
    cnnfi_tfl_tensor **shared;
    size_t n_shared, shared_capacity;
    cnnfi_tfl_storage weights;
    cnnfi_tfl_tensor *tensors, **last_tensor;
    cnnfi_tfl_node *nodes, **last_node;
    cnnfi_tfl_port *inputs, **last_input, *outputs, **last_output;
} cnnfi_tfl_model;

/* `model` stays where it is. */
void cnnfi_tfl_model_init(cnnfi_tfl_model *model, cnnf_context *context);
void cnnfi_tfl_model_free(cnnfi_tfl_model *model);

/* ---- tensors ---- */

/* A computed tensor; name NULL: a part of the node at hand. */
cnnfi_tfl_tensor *cnnfi_tfl_tensor_add(cnnfi_tfl_model *model, const char *name, const cnnfi_value *shape);
/* A constant over a TensorFlow tensor; perm NULL: in its order. dims [rank] as read after permuting. */
cnnfi_tfl_tensor *cnnfi_tfl_constant(cnnfi_tfl_model *model, const char *name, const cnnf_tensor *source,
                                     const int32_t *perm, int32_t rank, const int64_t *dims);
/* A constant of its own bytes (of the arena, or living as long), of any size. */
cnnfi_tfl_tensor *cnnfi_tfl_constant_data(cnnfi_tfl_model *model, const char *name, cnnf_dtype dtype, int32_t rank,
                                          const int64_t *dims, const void *data, size_t size);

/* Small constants; equal ones are one. */
cnnfi_tfl_tensor *cnnfi_tfl_ints(cnnfi_tfl_model *model, size_t count, const int64_t *values); /* int32 [count] */
cnnfi_tfl_tensor *cnnfi_tfl_int(cnnfi_tfl_model *model, int64_t value);                        /* int32 [] */
cnnfi_tfl_tensor *cnnfi_tfl_scalar(cnnfi_tfl_model *model, cnnf_dtype dtype, double value);    /* any numeric dtype */
/* Numbers in any numeric dtype, of any count. */
cnnfi_tfl_tensor *cnnfi_tfl_numbers(cnnfi_tfl_model *model, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                                    const double *values);

/* ---- operators ---- */

cnnfi_tfl_node *cnnfi_tfl_add(cnnfi_tfl_model *model, cnnfi_tfl_code code, size_t n_inputs,
                              cnnfi_tfl_tensor *const *inputs, size_t n_outputs, cnnfi_tfl_tensor *const *outputs);
/* One and two inputs, one output, which is returned. */
cnnfi_tfl_tensor *cnnfi_tfl_unary(cnnfi_tfl_model *model, cnnfi_tfl_code code, cnnfi_tfl_tensor *x,
                                  cnnfi_tfl_tensor *out);
cnnfi_tfl_tensor *cnnfi_tfl_binary(cnnfi_tfl_model *model, cnnfi_tfl_code code, cnnfi_tfl_tensor *x,
                                   cnnfi_tfl_tensor *y, cnnfi_tfl_tensor *out);
/* node NULL: nothing. */
void cnnfi_tfl_set_byte(cnnfi_tfl_node *node, uint32_t field, int32_t value);
void cnnfi_tfl_set_int(cnnfi_tfl_node *node, uint32_t field, int64_t value);
void cnnfi_tfl_set_real(cnnfi_tfl_node *node, uint32_t field, double value);
void cnnfi_tfl_set_ints(cnnfi_tfl_model *model, cnnfi_tfl_node *node, uint32_t field, size_t count,
                        const int64_t *values);
void cnnfi_tfl_set_reals(cnnfi_tfl_node *node, uint32_t field, size_t count, const float *values); /* borrowed */
/* An option's number; 0 when it is not set. */
int32_t cnnfi_tfl_option_of(const cnnfi_tfl_node *node, uint32_t field);

/* ---- the graph's ends ---- */

void cnnfi_tfl_add_input(cnnfi_tfl_model *model, cnnfi_tfl_tensor *tensor, const char *key);
void cnnfi_tfl_add_output(cnnfi_tfl_model *model, cnnfi_tfl_tensor *tensor, const char *key);
/* Drops what no output needs and numbers the rest: inputs first, then in the order of the operators. Returns how many
   tensors there are; file_order[i] is the one numbered i. */
size_t cnnfi_tfl_number_tensors(cnnfi_tfl_model *model, cnnfi_tfl_tensor ***file_order);

/* TensorType of a dtype; -1: there is none. */
int32_t cnnfi_tfl_type(cnnf_dtype dtype);

#endif
