/* SPDX-License-Identifier: Apache-2.0 */
/* A whole GraphDef, for the writers of files and for those who put it into another message. */
#ifndef CNNFI_SERIALIZER_GRAPHDEF_GRAPHDEF_PB_H
#define CNNFI_SERIALIZER_GRAPHDEF_GRAPHDEF_PB_H

#include "base/sink.h"
#include "graph/graph.h"
#include "serializer/graphdef/skeleton.h"

/* Hands the parts of a GraphDef to `part`, one field at a time, in order: each node, the library, the rest. `text`:
   made for cnnfi_text_print(). `budget` pays for nodes, their inputs and attributes. */
cnnf_status cnnfi_graphdef_parts(const cnnf_graph *graph, bool text,
                                 cnnf_status (*part)(const cnnfi_skeleton *skeleton, void *user, cnnf_error *error),
                                 void *user, cnnfi_budget *budget, cnnf_error *error);
/* Bytes it will have. CNNF_E_LIMIT above 2 GiB, naming the largest tensors. */
cnnf_status cnnfi_graphdef_measure(uint64_t *out, const cnnf_graph *graph, cnnf_error *error);
cnnf_status cnnfi_graphdef_write(const cnnf_graph *graph, cnnfi_sink *sink, cnnf_error *error);
/* In text format (graphdef_text.c). */
cnnf_status cnnfi_graphdef_write_text(const cnnf_graph *graph, cnnfi_sink *sink, cnnf_error *error);

#endif
