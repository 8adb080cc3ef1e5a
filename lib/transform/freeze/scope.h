/* SPDX-License-Identifier: Apache-2.0 */
/* The main graph or one function's body, with who reads what: where a conversion spreads. */
#ifndef CNNFI_TRANSFORM_FREEZE_SCOPE_H
#define CNNFI_TRANSFORM_FREEZE_SCOPE_H

#include "graph/graph.h"

/* One reading of a producer's output. */
typedef struct cnnfi_reading {
    int32_t node, input; /* the reader and which of its inputs */
    int32_t port;
} cnnfi_reading;

/* Producers are the nodes, then the function's arguments. */
typedef struct cnnfi_scope {
    cnnf_context *context;
    const cnnfi_function *function; /* NULL: the main graph */
    size_t n_nodes, n_producers;
    struct cnnf_node *const *nodes;
    size_t *first; /* uses of producer p: [first[p], first[p + 1]) */
    cnnfi_reading *uses;
    size_t *input_base; /* of node i in numberings of all inputs; [n_nodes]: their count */
} cnnfi_scope;

cnnf_status cnnfi_scope_main(cnnfi_scope *out, const cnnf_graph *graph, cnnf_error *error);
cnnf_status cnnfi_scope_function(cnnfi_scope *out, const cnnf_graph *graph, const cnnfi_function *function,
                                 cnnf_error *error);
void cnnfi_scope_free(cnnfi_scope *scope);

#endif
