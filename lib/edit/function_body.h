/* SPDX-License-Identifier: Apache-2.0 */
/* What inlining has to know of a function, worked out once. */
#ifndef CNNFI_EDIT_FUNCTION_BODY_H
#define CNNFI_EDIT_FUNCTION_BODY_H

#include "graph/graph.h"

typedef struct cnnfi_body {
    const cnnfi_function *function; /* NULL: not worked out */
    cnnfi_strmap names;             /* of nodes: index; of arguments: n_nodes + index */
    bool *inert;                    /* per node: waiting for it changes nothing */
    bool quiet;                     /* all of them are: so is a call of it */
    bool asked;                     /* on the way to be worked out, or done */
} cnnfi_body;

/* A tensor of a body: the producer (argument: n_nodes + index) and the number of its output. */
typedef struct cnnfi_body_tensor {
    int64_t producer;
    int64_t port; /* CNNFI_PORT_CONTROL */
} cnnfi_body_tensor;

/* Works out body `index` of the graph's functions and those it calls; `bodies` has one entry per function, zeroed. */
cnnf_status cnnfi_body_prepare(cnnfi_body *bodies, const cnnf_graph *graph, size_t index, cnnf_error *error);
void cnnfi_body_free(cnnfi_body *body, cnnf_context *context);
/* Reads "node:output:1", "argument", "^node". */
cnnf_status cnnfi_body_resolve(cnnfi_body_tensor *out, const cnnfi_body *body, const cnnf_graph *graph,
                               const char *text, cnnf_error *error);
/* What the function returns as its output `name`; NULL. */
const char *cnnfi_function_returns(const cnnfi_function *function, const char *name);
/* The function a node calls, when the node can be replaced by the function's body; NULL. *reference: nullable. */
const cnnfi_function *cnnfi_inlinable_function(const cnnf_graph *graph, const cnnf_node *node,
                                               const cnnfi_func_ref **reference);

#endif
