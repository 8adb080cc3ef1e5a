/* SPDX-License-Identifier: Apache-2.0 */
/* What a pass that looks for a few nodes in a row asks of them. */
#ifndef CNNFI_EDIT_PATTERN_H
#define CNNFI_EDIT_PATTERN_H

#include "edit/edit.h"

/* The node behind data input `input` at its output 0, when its op is `op` (NULL: any); else NULL. */
cnnf_node *cnnfi_pattern_input(const cnnfi_edit *edit, const cnnf_node *node, size_t input, const char *op);
/* Whether one edge alone reads the node, it waits for nothing, and nobody asked for it by name. */
bool cnnfi_pattern_is_private(const cnnfi_edit *edit, const cnnf_node *node);
/* The tensor behind an input when it is a Const, or a plain Identity of one; NULL. */
const cnnf_tensor *cnnfi_pattern_const(const cnnfi_edit *edit, const cnnf_node *node, size_t input);
/* Its elements, when there are exactly `count`. */
bool cnnfi_pattern_ints(const cnnfi_edit *edit, const cnnf_node *node, size_t input, int64_t *values, size_t count);

#endif
