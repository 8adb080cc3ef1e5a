/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking nodes out of a graph: what they were given goes to those who read them. Data inputs are rewired port by
 * port, a control edge from a spliced node becomes control edges from what it waited for, and what a spliced
 * node waited for is waited for by its readers.
 */
#ifndef CNNFI_EDIT_SPLICE_H
#define CNNFI_EDIT_SPLICE_H

#include "transform/framework/passes.h"
#include "graph/order.h"

typedef enum cnnfi_splice_action {
    CNNFI_SPLICE_KEEP,
    CNNFI_SPLICE_THROUGH, /* output k is input k (k = 0, but for IdentityN) */
    CNNFI_SPLICE_DROP     /* nobody reads data from it: its control edges go, too */
} cnnfi_splice_action;

typedef struct cnnfi_splice_plan {
    const cnnf_graph *graph;
    uint8_t *actions; /* cnnfi_splice_action, one per node */
    bool *protection;
    cnnfi_consumers consumers;
} cnnfi_splice_plan;

cnnf_status cnnfi_splice_plan_init(cnnfi_splice_plan *plan, cnnfi_pass_run *run, const cnnf_graph *in);
void cnnfi_splice_plan_free(cnnfi_splice_plan *plan);
/*
 * Plans the action for a node, unless it is protected or it would change what the graph means; then the reason
 * is noted in the report. Whether it was planned.
 */
bool cnnfi_splice_plan_node(cnnfi_splice_plan *plan, cnnfi_pass_run *run, const cnnf_node *node,
                            cnnfi_splice_action action);
cnnf_status cnnfi_splice_run(cnnfi_splice_plan *plan, cnnfi_pass_run *run, cnnf_graph **out);

#endif
