/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dtype and shape of every output of a published graph, as far as they follow from placeholders, constants, shape
 * arithmetic and the rules of the ops: one walk in topological order. What a rule refuses is unknown here
 * (cnnfi_graph_validate() and the evaluator say why); so is what only a loop's back edge knows.
 */
#ifndef CNNFI_OPS_GRAPH_SHAPES_H
#define CNNFI_OPS_GRAPH_SHAPES_H

#include "ops/constant_value.h"

typedef struct cnnfi_graph_shapes {
    cnnf_context *context;
    const cnnf_graph *graph;
    cnnfi_arena arena;     /* of values */
    size_t *first;         /* [n_nodes] where a node's outputs begin in facts */
    int32_t *counts;       /* [n_nodes] how many are known of */
    cnnfi_constant *facts; /* [n_facts] */
    size_t n_facts, capacity;
} cnnfi_graph_shapes;

/* CNNF_OK, CNNF_E_CORRUPT (a cycle), CNNF_E_NOMEM. Nothing needs freeing after a failure. */
cnnf_status cnnfi_graph_shapes_init(cnnfi_graph_shapes *shapes, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_graph_shapes_free(cnnfi_graph_shapes *shapes);
/* An output that the node does not have, or of which nothing is known, is an unknown value. data is NULL. */
cnnfi_value cnnfi_graph_shape(const cnnfi_graph_shapes *shapes, cnnfi_edge output);
/* The same with the elements, where they are few and known; NULL when nothing is known. */
const cnnfi_constant *cnnfi_graph_constant(const cnnfi_graph_shapes *shapes, cnnfi_edge output);

#endif
