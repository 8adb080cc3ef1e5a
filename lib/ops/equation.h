/* SPDX-License-Identifier: Apache-2.0 */
/* An einsum's equation against the shapes of its operands, read by its rule and its kernel. */
#ifndef CNNFI_OPS_EQUATION_H
#define CNNFI_OPS_EQUATION_H

#include "ops/call.h"

#define CNNFI_EQUATION_LABELS 64

/* Labels are letters, and the axes that "..." stands for. Those of the output come first, each once. */
typedef struct cnnfi_equation {
    int32_t n_labels, n_out;
    int64_t dims[CNNFI_EQUATION_LABELS];  /* [n_labels] */
    int32_t out_rank;                     /* CNNFI_UNKNOWN: how many axes "..." has is not known */
    uint8_t out_label[CNNFI_OP_MAX_RANK]; /* [out_rank]: the label of each axis; one that occurs twice is a diagonal */
    uint8_t label[2][CNNFI_OP_MAX_RANK];  /* [operand][its rank] */
} cnnfi_equation;

/* Attribute 'equation' and the one or two inputs. */
cnnf_status cnnfi_equation_read(cnnfi_call *call, cnnfi_equation *equation);

#endif
