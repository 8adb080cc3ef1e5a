/* SPDX-License-Identifier: Apache-2.0 */
/* Const nodes: found behind inputs, made, and changed without changing what others read. */
#ifndef CNNFI_EDIT_CONSTANTS_H
#define CNNFI_EDIT_CONSTANTS_H

#include "edit/edit.h"

/* The Const node behind an input, through Identity; NULL. Of any size: nothing is read. */
cnnf_node *cnnfi_const_node(const cnnfi_edit *edit, const cnnf_node *node, size_t input);
/* Gives input `input` of the node a constant of its own: in place where nobody else uses the old one, else a new Const
   called `<node>/<old name's last part>` or like it. */
void cnnfi_edit_own_const(cnnfi_edit *edit, cnnf_node *node, size_t input, const cnnf_tensor *value);
/* A tensor of `dtype` (float or double) from doubles. */
cnnf_tensor *cnnfi_tensor_of_doubles(cnnfi_edit *edit, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                                     const double *values);
/* All elements of a numeric tensor in the edit's arena. */
double *cnnfi_doubles_of_tensor(cnnfi_edit *edit, const cnnf_tensor *tensor);

#endif
