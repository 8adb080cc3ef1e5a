/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes will never have a value because a Switch with a known predicate sends it the other way: a node is dead
 * when one of its inputs is, a Merge when all are. Nodes are looked at in the order of walk.h, once each, so that what
 * a pass makes of one is there for those behind it.
 */
#ifndef CNNFI_EDIT_LIVENESS_H
#define CNNFI_EDIT_LIVENESS_H

#include "edit/values.h"

typedef struct cnnfi_liveness {
    cnnfi_edit *edit;
    cnnfi_values *values; /* through_switch */
    uint8_t *state;       /* [size] by node */
    size_t size;
} cnnfi_liveness;

void cnnfi_liveness_init(cnnfi_liveness *liveness, cnnfi_edit *edit, cnnfi_values *values);
/* The node whose turn it is. */
void cnnfi_liveness_visit(cnnfi_liveness *liveness, const cnnf_node *node);
bool cnnfi_liveness_is_dead(const cnnfi_liveness *liveness, const cnnf_node *node);
/* The output of a living Switch that never has a value; -1. */
int32_t cnnfi_liveness_dead_port(const cnnfi_liveness *liveness, const cnnf_node *node);
bool cnnfi_liveness_is_dead_input(const cnnfi_liveness *liveness, const cnnf_node *node, size_t input);

/* Merge, RefMerge. */
bool cnnfi_op_is_merge(const char *op);

#endif
