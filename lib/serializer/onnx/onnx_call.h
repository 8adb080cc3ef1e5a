/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TensorFlow op on its way to ONNX: what its function (onnx_ops.h) is handed, and what it asks. It asks for its
 * inputs, adds ONNX nodes, gives its outputs. What is asked of lib/ops/ is in serializer/export/export.h.
 *
 * Layout. TensorFlow's images are [N, spatial..., C], ONNX' are [N, C, spatial...]. A TensorFlow tensor has up to two
 * ONNX tensors: PLAIN, its axes as TensorFlow has them, and FIRST, channels first. What convolutions give is FIRST;
 * what follows computes in the layout that is there and only translates axes; the other layout is made when an op needs
 * it (a Flatten, the graph's end), once. So no transposes stand between convolutions.
 */
#ifndef CNNFI_SERIALIZER_ONNX_ONNX_CALL_H
#define CNNFI_SERIALIZER_ONNX_ONNX_CALL_H

#include "serializer/onnx/onnx_model.h"

typedef enum cnnfi_layout { CNNFI_PLAIN, CNNFI_FIRST } cnnfi_layout;

/* What a TensorFlow tensor is in ONNX. */
typedef struct cnnfi_onnx_tensor {
    const char *name[2];       /* by cnnfi_layout; NULL: not there (yet) */
    cnnfi_onnx_node *node;     /* that gives it, when it may still take a bias; NULL */
    const double *bias_scales; /* [n_bias_scales] of the bias' integers; NULL: it is floats */
    int64_t n_bias_scales;     /* 1, or the channels */
} cnnfi_onnx_tensor;

typedef struct cnnfi_onnx_convert {
    cnnfi_onnx_model model;
    cnnfi_onnx_tensor **outputs; /* [n_nodes] [n_read] */
    bool inputs_as_nchw;
} cnnfi_onnx_convert;

typedef struct cnnfi_onnx_call {
    cnnfi_export_call asked; /* what cnnfi_export_*() take */
    cnnfi_onnx_convert *c;
    cnnfi_onnx_model *m; /* c's */
    const cnnf_node *node;
    const struct cnnfi_onnx_row *row;
    int32_t n_inputs; /* data inputs */
} cnnfi_onnx_call;

/* What ONNX' ops take of what TensorFlow's do: their type constraints (Operators.md). */
typedef enum cnnfi_onnx_dtypes {
    CNNFI_ONNX_ANY,
    CNNFI_ONNX_FLOATING, /* float, double, half: most of mathematics */
    CNNFI_ONNX_WIDE,     /* those, bfloat16, and integers of 32 and 64 bits: sums */
    CNNFI_ONNX_NUMBERS   /* no bool */
} cnnfi_onnx_dtypes;

/* One TensorFlow op. */
typedef struct cnnfi_onnx_row {
    const char *op;
    void (*convert)(cnnfi_onnx_call *call);
    const char *as;           /* the ONNX op, where the function serves several */
    double number;            /* the function's own */
    int32_t opset;            /* from which it can be said; 0: any */
    cnnfi_onnx_dtypes dtypes; /* of input 0 */
} cnnfi_onnx_row;

/* ---- tensors ---- */

/* The ONNX tensor of an input in a layout, made when it is not there. */
const char *cnnfi_onnx_in(const cnnfi_onnx_call *call, int32_t input, cnnfi_layout layout);
/* FIRST when the input is a computed tensor that is there channels-first alone. */
cnnfi_layout cnnfi_onnx_layout_of(const cnnfi_onnx_call *call, int32_t input);
/* What to call output `port` in a layout: the node's own name when it is free. */
const char *cnnfi_onnx_out_name(const cnnfi_onnx_call *call, int32_t port, cnnfi_layout layout);
void cnnfi_onnx_give(const cnnfi_onnx_call *call, int32_t port, cnnfi_layout layout, const char *name);
/* Output `port` is the input itself. */
void cnnfi_onnx_give_input(const cnnfi_onnx_call *call, int32_t port, int32_t input);
/* The node that gives output 0 may take a bias, when the next op is one. */
void cnnfi_onnx_offer_bias(const cnnfi_onnx_call *call, cnnfi_onnx_node *node);
/* The same bias is int32 on this scale, or one a channel. */
void cnnfi_onnx_offer_bias_scales(const cnnfi_onnx_call *call, const double *scales, int64_t n);
/* The node that gives the input, when it may take one and nobody else reads it; NULL. */
cnnfi_onnx_node *cnnfi_onnx_bias_taker(const cnnfi_onnx_call *call, int32_t input);
/* The scales that were offered for it; NULL. */
const double *cnnfi_onnx_bias_scales(const cnnfi_onnx_call *call, int32_t input, int64_t *n);

/* Where TensorFlow's axis (>= 0) is in a layout. */
int32_t cnnfi_onnx_axis(cnnfi_layout layout, int32_t axis, int32_t rank);
/* Whether another layout has the elements in the same order: one channel, or one place. */
bool cnnfi_onnx_moves_nothing(const cnnfi_value *shape);
/* A tensor from one layout to another; shape: as TensorFlow has it. */
const char *cnnfi_onnx_relayout(cnnfi_onnx_model *m, const char *x, const cnnfi_value *shape, cnnfi_layout to,
                                const char *out);
/* Transposed by perm [rank]. */
const char *cnnfi_onnx_transpose(cnnfi_onnx_model *m, const char *x, int32_t rank, const int64_t *perm,
                                 const char *out);
/* An integer input as int64, which is what ONNX takes. */
const char *cnnfi_onnx_in_int64(const cnnfi_onnx_call *call, int32_t input);
/* A vector of channels beside channels-first data of `rank` axes: [C, 1, 1]. */
const char *cnnfi_onnx_per_channel(cnnfi_onnx_model *m, const char *vector, int32_t rank);
const char *cnnfi_onnx_cast(cnnfi_onnx_model *m, const char *x, cnnf_dtype dtype, const char *out);
/* A constant under another layout: perm [axes of the tensor] then read as dims [rank]; a part of the node at hand. */
const char *cnnfi_onnx_weights(const cnnfi_onnx_call *call, const cnnf_tensor *tensor, const char *part,
                               const int32_t *perm, int32_t rank, const int64_t *dims);
/* x as a tensor of the given shape: at most one dim is -1. */
const char *cnnfi_onnx_reshape(cnnfi_onnx_model *m, const char *x, size_t rank, const int64_t *dims, const char *out);

#endif
