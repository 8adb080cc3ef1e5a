/* SPDX-License-Identifier: Apache-2.0 */
/* What inlining has to know of a function, worked out once. */
#ifndef CNNFI_EDIT_INLINE_BODY_H
#define CNNFI_EDIT_INLINE_BODY_H

#include "graph/graph.h"

typedef struct cnnfi_body {
    const cnnfi_function *function;
    cnnfi_strmap names; /* of nodes: index; of arguments: n_nodes + index */
    bool *inert;        /* per node: waiting for it changes nothing */
    bool quiet;         /* all of them are: so is a call of it */
    bool ready;
} cnnfi_body;

/* A tensor of a body: the producer (argument: n_nodes + index) and the number of its output. */
typedef struct cnnfi_body_tensor {
    int64_t producer;
    int64_t port;
} cnnfi_body_tensor;

/* The bodies of all functions, by their index; freed one by one. CNNF_E_CORRUPT when functions call each other in a
 * circle. */
cnnf_status cnnfi_bodies_init(cnnfi_body *bodies, const cnnf_graph *graph, const cnnfi_strmap *functions,
                              cnnf_error *error);
void cnnfi_body_free(cnnfi_body *body, cnnf_context *context);
/* Reads "node:output:1", "argument", "^node" (port CNNFI_PORT_CONTROL). */
cnnf_status cnnfi_body_resolve(cnnfi_body_tensor *out, const cnnfi_body *body, const cnnf_graph *graph,
                               const char *text, cnnf_error *error);
/* The function a node calls, when the node can be replaced by the function's body; NULL. *reference: nullable. */
const cnnfi_function *cnnfi_inlinable_function(const cnnf_graph *graph, const cnnf_node *node,
                                               const cnnfi_func_ref **reference);

#endif
