/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every node after those it reads, the lowest index first, while the graph is changed. Nodes that are added on the way
 * come when their turn is; edges from NextIteration, which close a loop, count for nothing. What lies on another cycle
 * never comes.
 *
 * The node at hand may be taken out, and what reads it may read other nodes instead, old and new ones. Inputs from
 * nodes that have not come yet stay where they are.
 */
#ifndef CNNFI_EDIT_WALK_H
#define CNNFI_EDIT_WALK_H

#include "edit/edit.h"

typedef struct cnnfi_walk {
    cnnfi_edit *edit;
    int32_t *missing; /* [size] by node: edges from nodes that have not come, as last counted; -1: it has come */
    int32_t *ready;   /* [size] a heap */
    size_t size, n_ready, known; /* known: nodes that were counted */
} cnnfi_walk;

void cnnfi_walk_init(cnnfi_walk *walk, cnnfi_edit *edit);
cnnf_node *cnnfi_walk_next(cnnfi_walk *walk); /* NULL: no more (or the builder failed) */

#endif
