/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a user gives. */
#ifndef CNNFI_GRAPH_RESOLVE_H
#define CNNFI_GRAPH_RESOLVE_H

#include "graph/graph.h"

/* Finds a node by what a user writes: "x", "x:0", a Keras layer's name (its last node). CNNF_E_NOT_FOUND offers the
 * nearest. */
cnnf_status cnnfi_resolve_node(const cnnf_node **out, const cnnf_graph *graph, const char *text, cnnf_error *error);

#endif
