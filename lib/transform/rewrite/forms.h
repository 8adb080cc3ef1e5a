/* SPDX-License-Identifier: Apache-2.0 */
/* What passes share that write a graph in the forms a tool knows. Each form computes the same. */
#ifndef CNNFI_TRANSFORM_REWRITE_FORMS_H
#define CNNFI_TRANSFORM_REWRITE_FORMS_H

#include "edit/constants.h"
#include "edit/values.h"
#include "transform/framework/pass_edit.h"

typedef struct cnnfi_forms {
    cnnfi_pass_run *run;
    cnnfi_edit edit;
    cnnfi_values values;
    bool one_image; /* a form holds for batch size 1 only */
} cnnfi_forms;

static inline cnnf_node *cnnfi_forms_producer(const cnnfi_forms *f, const cnnf_node *node, size_t input)
{
    return cnnfi_edit_producer(&f->edit, node, input, NULL);
}

bool cnnfi_forms_is(const cnnf_node *node, const char *op); /* false for NULL */
/* The only reader of a node that is no output; NULL. */
cnnf_node *cnnfi_forms_reader(const cnnfi_forms *f, const cnnf_node *node);
/* Takes a bias: Conv2D, DepthwiseConv2dNative, Conv3D, Conv2DBackpropInput, MatMul. */
bool cnnfi_forms_takes_bias(const cnnf_node *node);

/* A float operand that is constant: one value, or one a channel (the last axis). */
typedef struct cnnfi_form_operand {
    const double *v;
    size_t n;        /* 1, or the channels */
    size_t at, data; /* inputs */
    cnnfi_value x;   /* the shape of the data */
    int64_t channels;
} cnnfi_form_operand;

/* Of a node with two inputs; false: there is none, or it is neither. */
bool cnnfi_forms_operand(cnnfi_forms *f, const cnnf_node *node, cnnfi_form_operand *out);
/* A Const of these values in one axis of n, or a scalar (n 0), named "<node>/<what>". */
cnnf_node *cnnfi_forms_const(cnnfi_forms *f, const cnnf_node *node, const char *what, size_t n, const double *values);
/* The same filled with one value. */
cnnf_node *cnnfi_forms_fill(cnnfi_forms *f, const cnnf_node *node, const char *what, size_t n, double value);
/* A new node "<like>/<what>" of op with one or two inputs (b.node -1: one), T float. */
cnnf_node *cnnfi_forms_add(cnnfi_forms *f, const cnnf_node *like, const char *what, const char *op, cnnfi_edge a,
                           cnnfi_edge b);
/* Makes the node op(a, b). */
void cnnfi_forms_become(cnnfi_forms *f, cnnf_node *node, const char *op, cnnfi_edge a, cnnfi_edge b);
/* Makes the node a BiasAdd of NHWC. */
void cnnfi_forms_become_bias(cnnfi_forms *f, cnnf_node *node, cnnfi_edge data, const cnnf_node *bias);
/* An output's work goes to a node of another name, which is given back; the output is left for the caller to fill. */
cnnf_node *cnnfi_forms_move(cnnfi_forms *f, cnnf_node *node, const char *what);
/* Maximum(alpha * x, x), 0 < alpha <= 1, becomes LeakyRelu. */
bool cnnfi_forms_leaky(cnnfi_forms *f, cnnf_node *node);
/* Cast(x > c) becomes relu(sign(x - c)). */
void cnnfi_forms_step(cnnfi_forms *f, cnnf_node *node);
/* Copies along one axis become a concatenation. */
void cnnfi_forms_tile(cnnfi_forms *f, cnnf_node *node);
/* A Const of int32, a scalar (rank 0) or a vector of n, named "<node>/<what>". */
cnnf_node *cnnfi_forms_ints(cnnfi_forms *f, const cnnf_node *node, const char *what, int32_t rank, int64_t n,
                            const int32_t *values);

#endif
