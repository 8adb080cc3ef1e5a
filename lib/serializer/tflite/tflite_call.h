/* SPDX-License-Identifier: Apache-2.0 */
/* One TensorFlow op on its way to TFLite: what its function (tflite_ops.h) is handed, and what it asks. It asks for its
   inputs, adds operators, gives its outputs. What is asked of lib/ops/ is in serializer/export/export.h. */
#ifndef CNNFI_SERIALIZER_TFLITE_TFLITE_CALL_H
#define CNNFI_SERIALIZER_TFLITE_TFLITE_CALL_H

#include "serializer/tflite/tflite_model.h"

typedef struct cnnfi_tfl_convert {
    cnnfi_tfl_model model;
    cnnfi_tfl_tensor ***outputs; /* [n_nodes] [n_read] what TensorFlow's tensors are; NULL: not there (yet) */
} cnnfi_tfl_convert;

typedef struct cnnfi_tfl_call {
    cnnfi_export_call asked;
    cnnfi_tfl_convert *c;
    cnnfi_tfl_model *m; /* c's */
    const cnnf_node *node;
    const struct cnnfi_tfl_row *row;
    int32_t n_inputs; /* data inputs */
} cnnfi_tfl_call;

/* dtypes of input 0 (or the one that carries the data) which the kernels compute: bits. */
enum {
    CNNFI_TFL_OF_FLOAT = 1,
    CNNFI_TFL_OF_INT32 = 2,
    CNNFI_TFL_OF_INT64 = 4,
    CNNFI_TFL_OF_BOOL = 8,
    CNNFI_TFL_OF_BYTE = 16, /* int8, uint8 */
    CNNFI_TFL_OF_SHORT = 32,
    CNNFI_TFL_OF_UINT32 = 64,
    CNNFI_TFL_OF_ANY = 0,
    CNNFI_TFL_OF_INTS = CNNFI_TFL_OF_INT32 | CNNFI_TFL_OF_INT64,
    CNNFI_TFL_OF_NUMBERS = CNNFI_TFL_OF_FLOAT | CNNFI_TFL_OF_INTS,
    CNNFI_TFL_OF_MOVED = CNNFI_TFL_OF_NUMBERS | CNNFI_TFL_OF_BOOL | CNNFI_TFL_OF_BYTE | CNNFI_TFL_OF_SHORT
};

/* One TensorFlow op. */
typedef struct cnnfi_tfl_row {
    const char *op;
    void (*convert)(cnnfi_tfl_call *call);
    cnnfi_tfl_code as; /* the TFLite operator, where the function serves several */
    uint32_t dtypes;   /* of the data that the kernels take */
    int32_t number;    /* the function's own */
    int32_t axes;      /* most axes that the kernels take; 0: as many as there are */
    int32_t data;      /* the input that dtypes and axes speak of */
} cnnfi_tfl_row;

/* ---- short forms of serializer/export/export.h ---- */

cnnfi_value cnnfi_tfl_in_shape(const cnnfi_tfl_call *call, int32_t input);
cnnfi_value cnnfi_tfl_out_shape(const cnnfi_tfl_call *call, int32_t port);
#define cnnfi_tfl_refuse(call, ...) cnnfi_export_refuse(&(call)->asked, __VA_ARGS__)

/* ---- tensors ---- */

/* The tensor of an input: a Const is made where it is read first. */
cnnfi_tfl_tensor *cnnfi_tfl_in(const cnnfi_tfl_call *call, int32_t input);
/* The same as int32, which is what kernels take for shapes, sizes and axes. */
cnnfi_tfl_tensor *cnnfi_tfl_in_int32(const cnnfi_tfl_call *call, int32_t input);
/* A new tensor for output `port`, called as TensorFlow's. */
cnnfi_tfl_tensor *cnnfi_tfl_out(const cnnfi_tfl_call *call, int32_t port);
/* A part of the node at hand, in the shape and dtype of output 0, of input `input`, or as said. */
cnnfi_tfl_tensor *cnnfi_tfl_part(const cnnfi_tfl_call *call);
cnnfi_tfl_tensor *cnnfi_tfl_part_like(const cnnfi_tfl_call *call, int32_t input, cnnf_dtype dtype);
cnnfi_tfl_tensor *cnnfi_tfl_part_of(const cnnfi_tfl_call *call, cnnf_dtype dtype, int32_t rank, const int64_t *dims);
void cnnfi_tfl_give(const cnnfi_tfl_call *call, int32_t port, cnnfi_tfl_tensor *tensor);
/* Output `port` is the input itself. */
void cnnfi_tfl_give_input(const cnnfi_tfl_call *call, int32_t port, int32_t input);
/* The weights of a Const in another order, shared by the nodes that want the same. NULL records a failure. */
cnnfi_tfl_tensor *cnnfi_tfl_weights(const cnnfi_tfl_call *call, int32_t input, const int32_t *perm, int32_t rank,
                                    const int64_t *dims);

/* ---- operators that others go into ---- */

/* Output 0 is what `node` computes: a bias or an activation that comes next may go into it. */
void cnnfi_tfl_offer(const cnnfi_tfl_call *call, cnnfi_tfl_node *node);
/* The operator that computes the input, when nobody else reads it; NULL. */
cnnfi_tfl_node *cnnfi_tfl_taker(const cnnfi_tfl_call *call, int32_t input);

cnnfi_tfl_tensor *cnnfi_tfl_cast(cnnfi_tfl_model *m, cnnfi_tfl_tensor *x, cnnfi_tfl_tensor *out);
/* x as a tensor of dims [rank], at most one of them -1, whose open sizes the part has open. */
cnnfi_tfl_tensor *cnnfi_tfl_reshape(cnnfi_tfl_model *m, cnnfi_tfl_tensor *x, cnnfi_tfl_tensor *out);
cnnfi_tfl_tensor *cnnfi_tfl_transpose(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *x, const int64_t *perm,
                                      cnnfi_tfl_tensor *out);

#endif
