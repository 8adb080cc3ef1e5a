/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is constant, as doubles: Const nodes and the arithmetic over them that predicates and batch norms are made of
 * (variance + epsilon, its reciprocal root, times gamma ...), whatever its operand order. lib/ops/constant_value.h
 * computes; this table walks the graph, remembers, and looks again after an edit.
 */
#ifndef CNNFI_EDIT_VALUES_H
#define CNNFI_EDIT_VALUES_H

#include "edit/shapes.h"

typedef struct cnnfi_values {
    cnnfi_edit *edit;
    cnnfi_shapes shapes; /* to be asked, too */
    cnnfi_memo memo;
    bool through_switch;
} cnnfi_values;

/* `values` stays where it is. through_switch: for predicates, what a Switch hands on is known as well as what it is
   given; elsewhere a value that only exists where a branch is taken is none. */
void cnnfi_values_init(cnnfi_values *values, cnnfi_edit *edit, bool through_switch);
/* What is known of the tensor behind an input, whole or in part; NULL: nothing. */
const cnnfi_constant *cnnfi_value_known(cnnfi_values *values, const cnnf_node *node, size_t input);
/* The value behind an input, every element known; NULL. */
const cnnfi_constant *cnnfi_value_input(cnnfi_values *values, const cnnf_node *node, size_t input);
/* The one element behind an input (a predicate); false when it is not known. */
bool cnnfi_value_scalar(cnnfi_values *values, const cnnf_node *node, size_t input, double *value);
/* An integer vector or scalar behind an input: false when it is not constant or longer than `capacity`. */
bool cnnfi_value_ints(cnnfi_values *values, const cnnf_node *node, size_t input, int64_t *out, size_t capacity,
                      size_t *count);

#endif
