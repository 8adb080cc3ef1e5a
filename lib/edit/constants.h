/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is constant, as doubles: Const nodes and the small arithmetic over them that batch norms are
 * made of (variance + epsilon, its reciprocal root, times gamma ...), whatever its operand order.
 */
#ifndef CNNFI_EDIT_CONSTANTS_H
#define CNNFI_EDIT_CONSTANTS_H

#include "edit/edit.h"

#define CNNFI_CONST_RANK 8

typedef struct cnnfi_const {
    int32_t rank;
    int64_t dims[CNNFI_CONST_RANK];
    size_t count;
    const double *v; /* [dims], in the edit's arena */
    bool root;       /* a square root took part: the mark of a batch norm */
} cnnfi_const;

typedef struct cnnfi_constants {
    cnnfi_edit *edit;
    cnnfi_const **known; /* by node index; NULL not asked yet; parameters are small, so all stay */
    size_t size;
} cnnfi_constants;

void cnnfi_constants_init(cnnfi_constants *constants, cnnfi_edit *edit);
/* To be called when Const nodes were changed. */
void cnnfi_constants_forget(cnnfi_constants *constants);
/* The value behind an input; NULL when it is not constant (or larger than a parameter of a batch norm can be). */
const cnnfi_const *cnnfi_constant_input(cnnfi_constants *constants, const cnnf_node *node, size_t input);
/* The Const node behind an input, through Identity; NULL. Of any size: nothing is read. */
cnnf_node *cnnfi_const_node(const cnnfi_edit *edit, const cnnf_node *node, size_t input);
/* A small integer vector or scalar behind an input: false when it is not constant or longer than `capacity`. */
bool cnnfi_constant_ints(cnnfi_constants *constants, const cnnf_node *node, size_t input, int64_t *values,
                         size_t capacity, size_t *count);
/* Gives input `input` of the node a constant of its own: in place where nobody else uses the old one, else a new Const
   called `<node>/<old name's last part>` or like it. */
void cnnfi_edit_own_const(cnnfi_edit *edit, cnnf_node *node, size_t input, const cnnf_tensor *value);
/* A tensor of `dtype` (float or double) from doubles. */
cnnf_tensor *cnnfi_tensor_of_doubles(cnnfi_edit *edit, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                                     const double *values);
/* All elements of a numeric tensor in the edit's arena. */
double *cnnfi_doubles_of_tensor(cnnfi_edit *edit, const cnnf_tensor *tensor);

#endif
