/* SPDX-License-Identifier: Apache-2.0 */
/* Deep copies between graphs; private to this room. */
#ifndef CNNFI_GRAPH_COPY_H
#define CNNFI_GRAPH_COPY_H

#include "graph/graph.h"

/* versions, library and graph extras, meta */
void cnnfi_copy_graph_fields(cnnfi_builder *b, const cnnf_graph *graph);

#endif
