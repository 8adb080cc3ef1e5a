/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking nodes out of a graph: what they were given goes to those who read them. Data inputs are rewired port by
 * port, a control edge from a spliced node becomes control edges from what it waited for, and what a spliced
 * node waited for is waited for by its readers.
 */
#ifndef CNNFI_EDIT_SPLICE_H
#define CNNFI_EDIT_SPLICE_H

#include "edit/edit.h"

typedef enum cnnfi_splice_action {
    CNNFI_SPLICE_KEEP,
    CNNFI_SPLICE_THROUGH, /* output k is input k (k = 0, but for IdentityN) */
    CNNFI_SPLICE_DROP     /* nobody reads data from it: its control edges go, too */
} cnnfi_splice_action;

typedef struct cnnfi_splice {
    cnnfi_edit *edit;
    uint8_t *actions; /* [count of nodes] cnnfi_splice_action, in the edit's arena */
} cnnfi_splice;

void cnnfi_splice_init(cnnfi_splice *splice, cnnfi_edit *edit);
/* Plans the action for a node; when it is protected or the graph would mean something else, gives the reason instead.
   NULL: planned. */
const char *cnnfi_splice_plan(cnnfi_splice *splice, const cnnf_node *node, cnnfi_splice_action action);
/* Does what was planned; how many nodes went. */
int64_t cnnfi_splice_run(cnnfi_splice *splice);

#endif
