/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout as arithmetic, found by what it computes: an expression of one tensor x and uniform random
 * numbers that over those numbers is x on average and takes two values. All forms that TensorFlow wrote
 * have that in common (x / keep * floor(keep + u); x * (1 / (1 - rate)) * cast(u >= rate); select; with
 * constants, placeholders or noise shapes), and nothing depends on names or on the order of operands.
 */
#ifndef CNNFI_TRANSFORM_INFERENCE_DROPOUT_H
#define CNNFI_TRANSFORM_INFERENCE_DROPOUT_H

#include "edit/memo.h"

#define CNNFI_DROPOUT_PARAMETERS 4

typedef enum cnnfi_dropout_kind {
    CNNFI_DROPOUT_INVERTED, /* scaled by 1 / keep while training: x at inference */
    CNNFI_DROPOUT_CLASSIC,  /* not scaled: the weights behind it expect keep * x */
    CNNFI_DROPOUT_ALPHA     /* of SELU networks: x at inference */
} cnnfi_dropout_kind;

typedef struct cnnfi_dropout {
    cnnfi_dropout_kind kind;
    cnnf_node *node; /* the last op of the expression */
    cnnf_node *data; /* x */
    int32_t port;
    double keep;                                     /* the probability to keep; -1 when a placeholder decides */
    cnnf_node *parameters[CNNFI_DROPOUT_PARAMETERS]; /* keep_prob placeholders */
    size_t n_parameters;
} cnnfi_dropout;

/* A search through one edit; it stays where it is. */
typedef struct cnnfi_dropouts {
    cnnfi_edit *edit;
    cnnfi_memo memo; /* what lies behind each node */
} cnnfi_dropouts;

void cnnfi_dropouts_init(cnnfi_dropouts *dropouts, cnnfi_edit *edit);
/* The dropout that the random number `source` belongs to; false when it is none. */
bool cnnfi_find_dropout(cnnfi_dropouts *dropouts, cnnf_node *source, cnnfi_dropout *out);
/* Puts x in its place, drops placeholders that only it read. */
void cnnfi_remove_dropout(cnnfi_edit *edit, const cnnfi_dropout *dropout);

#endif
