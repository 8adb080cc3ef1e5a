/* SPDX-License-Identifier: Apache-2.0 */
/* Who reads whom, in which order, and what is reached, over a published graph. */
#ifndef CNNFI_GRAPH_ORDER_H
#define CNNFI_GRAPH_ORDER_H

#include "graph/graph.h"

typedef struct cnnfi_consumers {
    cnnf_context *context;
    size_t *start;  /* n_nodes + 1 */
    int32_t *node;  /* consumer */
    int32_t *input; /* which of its inputs */
} cnnfi_consumers;  /* consumers of node i: [start[i], start[i + 1]) */
cnnf_status cnnfi_consumers_init(cnnfi_consumers *out, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_consumers_free(cnnfi_consumers *consumers);
/* Topological order (indices), stable in file order; back edges out of NextIteration are ignored. A cycle is
   CNNF_E_CORRUPT "cycle: a -> b -> a". *order is a new block of the context's. */
cnnf_status cnnfi_toposort(int32_t **order, const cnnf_graph *graph, cnnf_error *error);
/* Marks what the roots need (data and control inputs); keep[] has n_nodes entries. with_class: follow `_class` loc:@
   too, as TensorFlow 2.x's extract_sub_graph does. */
cnnf_status cnnfi_reach(bool *keep, const cnnf_graph *graph, const int32_t *roots, size_t n_roots, bool with_class,
                        cnnf_error *error);

#endif
