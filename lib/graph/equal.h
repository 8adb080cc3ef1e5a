/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two attributes, nodes, graphs say the same. Tensors are compared by storage first, then by bytes. */
#ifndef CNNFI_GRAPH_EQUAL_H
#define CNNFI_GRAPH_EQUAL_H

#include "graph/graph.h"

/* Same kind and value; the key and unknown fields count too. */
cnnf_status cnnfi_attr_equal(bool *out, const cnnfi_attr *a, const cnnfi_attr *b, cnnf_error *error);
/* Same attributes, one by one. */
cnnf_status cnnfi_attrs_equal(bool *out, const cnnfi_attr *a, size_t n_a, const cnnfi_attr *b, size_t n_b,
                              cnnf_error *error);
/* Same name, op, device, inputs as written, attributes and bound value. */
cnnf_status cnnfi_node_equal(bool *out, const cnnf_node *a, const cnnf_node *b, cnnf_error *error);
/* Same nodes in the same order, same functions, versions, declared inputs and outputs. */
cnnf_status cnnfi_graph_equal(bool *out, const cnnf_graph *a, const cnnf_graph *b, cnnf_error *error);

#endif
