/* SPDX-License-Identifier: Apache-2.0 */
/* MetaGraphDef: a graph with its Saver, its collections of variables and its signatures. */
#ifndef CNNFI_LOADER_GRAPHDEF_META_GRAPH_READ_H
#define CNNFI_LOADER_GRAPHDEF_META_GRAPH_READ_H

#include "graph/builder.h"
#include "loader/graphdef/proto_stream.h"

/* The rest of a MetaGraphDef (all but its graph) into the graph under construction. */
cnnf_status cnnfi_meta_graph_take(cnnfi_builder *b, const Cnnfi__MetaGraphDef *meta, const cnnf_load_options *options,
                                  cnnf_error *error);

#endif
