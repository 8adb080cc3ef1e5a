/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_OPS_VALIDATE_H
#define CNNFI_OPS_VALIDATE_H

#include "graph/graph.h"

/*
 * Whether TensorFlow would import the graph: names, inputs and their order, ports, arity and types against the op
 * table, attributes, cycles only through NextIteration. Ops that are not known pass. CNNF_OK, CNNF_E_CORRUPT with
 * the node's name and index, CNNF_E_NOMEM.
 */
cnnf_status cnnfi_graph_validate(const cnnf_graph *graph, cnnf_error *error);

#endif
