/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes, attributes, tensors and functions as wire bytes, exactly as TensorFlow's deterministic serializer has them:
   fields by number, map entries by key, defaults omitted (but never in a map's entry). */
#ifndef CNNFI_SERIALIZER_GRAPHDEF_GRAPH_WIRE_H
#define CNNFI_SERIALIZER_GRAPHDEF_GRAPH_WIRE_H

#include "graph/graph.h"
#include "serializer/graphdef/skeleton.h"

void cnnfi_wire_shape(cnnfi_skeleton *s, uint32_t field, const cnnfi_shape *shape);
void cnnfi_wire_tensor(cnnfi_skeleton *s, uint32_t field, const cnnf_tensor *tensor);
void cnnfi_wire_node(cnnfi_skeleton *s, uint32_t field, const cnnf_node *node);
void cnnfi_wire_function(cnnfi_skeleton *s, uint32_t field, const cnnfi_function *function);

#endif
