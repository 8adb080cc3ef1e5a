/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each batch norm, for people (notes) and programs (items of the pass's JSON). */
#ifndef CNNFI_TRANSFORM_BATCH_NORM_FOLD_REPORT_H
#define CNNFI_TRANSFORM_BATCH_NORM_FOLD_REPORT_H

#include "transform/batch_norm/affine.h"
#include "transform/batch_norm/linear_ops.h"
#include "transform/framework/passes.h"

typedef enum cnnfi_fold_outcome {
    CNNFI_FOLD_BACKWARD, /* in the weights before it */
    CNNFI_FOLD_FORWARD,  /* in the weights after it */
    CNNFI_FOLD_BOTH,     /* its size before, its signs after */
    CNNFI_FOLD_LOWERED,  /* Mul and Add */
    CNNFI_FOLD_KEPT      /* as it was */
} cnnfi_fold_outcome;

typedef struct cnnfi_fold_entry {
    const char *name; /* the last node of the batch norm */
    cnnfi_fold_outcome outcome;
    const cnnfi_affine *affine; /* n 0: not known */
    bool bounds;                /* a ReLU took the shift as its bounds */
    const cnnfi_weight_change *changes;
    const char *reason, *reason_node; /* nullable: why not further */
} cnnfi_fold_entry;

void cnnfi_fold_report(cnnfi_pass_run *run, const cnnfi_fold_entry *entry);

#endif
