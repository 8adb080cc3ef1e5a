/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ops that multiply by constant weights, and where in the weights the channels lie: what scales
 * an output or an input channel of a convolution scales a slice of its filter.
 */
#ifndef CNNFI_TRANSFORM_BATCH_NORM_LINEAR_OPS_H
#define CNNFI_TRANSFORM_BATCH_NORM_LINEAR_OPS_H

#include "transform/batch_norm/affine.h"
#include "edit/constants.h"
#include "edit/values.h"

typedef enum cnnfi_linear_kind {
    CNNFI_CONVOLUTION, /* filter [spatial..., in, out] */
    CNNFI_DEPTHWISE,   /* filter [h, w, in, multiplier]; output channel in * multiplier + m */
    CNNFI_TRANSPOSED,  /* filter [spatial..., out, in] */
    CNNFI_PRODUCT      /* weights [..., in, out], or [..., out, in] when transposed */
} cnnfi_linear_kind;

typedef struct cnnfi_linear_op {
    const char *op;
    cnnfi_linear_kind kind;
    int8_t data, weights;   /* which inputs */
    int8_t rank;            /* of data and output; 0 any */
    const char *transposed; /* attribute that says the weights are transposed, or NULL */
} cnnfi_linear_op;

/* The op's line, or NULL when it is none. */
const cnnfi_linear_op *cnnfi_linear_op_find(const char *op);
/* The node's line when weights are a Const of a float dtype that can be changed exactly; else NULL and why in *reason.
 */
const cnnfi_linear_op *cnnfi_linear_of(const cnnfi_edit *edit, const cnnf_node *node, const char **reason);
const cnnf_tensor *cnnfi_linear_weights(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op);
/* Weights that reach their op through ExpandDims, Reshape or Squeeze (one-dimensional convolutions) become a Const of
   that shape, which shares the bytes. */
void cnnfi_linear_settle_weights(cnnfi_edit *edit, cnnf_node *node, const cnnfi_value *shape);
/* Counted from the last axis of the data: 0, or rank - 2 for NCHW. */
int32_t cnnfi_linear_axis(const cnnf_node *node, const cnnfi_linear_op *op);
int64_t cnnfi_linear_outputs(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op);
/* Input channels; for a grouped convolution those of one group. */
int64_t cnnfi_linear_inputs(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op);
/* Whether the op pads its data with zeros anywhere. */
bool cnnfi_linear_pads(const cnnf_node *node, const cnnfi_linear_op *op, const cnnf_tensor *weights);

/* Whether `a` fits the op's output (input) channels. */
bool cnnfi_linear_fits_output(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op,
                              const cnnfi_affine *a);
bool cnnfi_linear_fits_input(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op,
                             const cnnfi_affine *a);
/* Smallest and largest weight, before and after. */
typedef struct cnnfi_weight_change {
    const char *node;
    double before[2], after[2];
    struct cnnfi_weight_change *next;
} cnnfi_weight_change;

/* Scales the output channels. Weights that others use too are copied first. */
void cnnfi_linear_scale_output(cnnfi_edit *edit, cnnf_node *node, const cnnfi_linear_op *op, const cnnfi_affine *a,
                               cnnfi_weight_change *change);
/* Scales the input channels; *shift becomes what a->shift adds to each output channel (in the edit's arena). */
void cnnfi_linear_scale_input(cnnfi_edit *edit, cnnf_node *node, const cnnfi_linear_op *op, const cnnfi_affine *a,
                              cnnfi_affine *shift, cnnfi_weight_change *change);

#endif
