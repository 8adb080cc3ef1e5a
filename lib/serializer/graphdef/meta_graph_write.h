/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_SERIALIZER_GRAPHDEF_META_GRAPH_WRITE_H
#define CNNFI_SERIALIZER_GRAPHDEF_META_GRAPH_WRITE_H

#include "base/sink.h"
#include "graph/graph.h"

/* Writes the MetaGraphDef of a graph that has a saver: GraphDef, SaverDef, variable collections. */
cnnf_status cnnfi_meta_graph_write(const cnnf_graph *graph, cnnfi_sink *sink, cnnf_error *error);

#endif
