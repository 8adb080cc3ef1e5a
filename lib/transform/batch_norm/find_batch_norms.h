/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch norms, in whatever form: a fused op, or a chain of Mul, Add, Sub, RealDiv with one constant
 * operand each. No pattern of names or operand order: every step is an affine, a chain is their
 * composition, and it is a batch norm when a square root took part in a constant or when it scales
 * and shifts channel by channel.
 */
#ifndef CNNFI_TRANSFORM_BATCH_NORM_FIND_BATCH_NORMS_H
#define CNNFI_TRANSFORM_BATCH_NORM_FIND_BATCH_NORMS_H

#include "transform/batch_norm/affine.h"
#include "edit/constants.h"
#include "edit/values.h"

typedef enum cnnfi_norm_kind {
    CNNFI_NORM_BATCH, /* a batch norm */
    CNNFI_NORM_SCALE  /* a multiplication per channel alone: only worth moving where a convolution takes it */
} cnnfi_norm_kind;

typedef struct cnnfi_norm {
    cnnfi_norm_kind kind;
    cnnf_node **nodes; /* [n_nodes] from the data on; all but the last are read by the next one only */
    size_t n_nodes;
    size_t data_input; /* of nodes[0] */
    cnnfi_affine affine;
    const char *refusal; /* why it cannot be treated as an affine; then affine is empty */
    struct cnnfi_norm *next;
} cnnfi_norm;

/* All of them in the graph's order; NULL when there are none (or no memory: the builder knows). */
cnnfi_norm *cnnfi_find_batch_norms(cnnfi_edit *edit, cnnfi_values *values);
/* Looks again at a chain whose constants other folds may have changed; false when it is no more. */
bool cnnfi_norm_refresh(cnnfi_edit *edit, cnnfi_values *values, cnnfi_norm *norm);
bool cnnfi_op_is_fused_batch_norm(const char *op);

#endif
