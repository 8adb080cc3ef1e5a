/* SPDX-License-Identifier: Apache-2.0 */
/* GraphDef's messages to a graph under construction. */
#ifndef CNNFI_LOADER_GRAPHDEF_GRAPHDEF_READ_H
#define CNNFI_LOADER_GRAPHDEF_GRAPHDEF_READ_H

#include "graph/graph.h"
#include "loader/graphdef/proto_stream.h"

/* Takes a NodeDef, a FunctionDef, the rest of a FunctionDefLibrary or of a GraphDef into the builder `user`; other
   messages are none of its business. The item function of a cnnfi_proto_sink. */
cnnf_status cnnfi_graphdef_item(void *user, ProtobufCMessage *message, cnnfi_source *payloads, cnnf_error *error);

/* The tensor of a TensorProto that came through the guard. */
cnnf_status cnnfi_graphdef_tensor(cnnf_tensor **out, cnnf_context *context, const Cnnfi__TensorProto *proto,
                                  cnnfi_source *payloads, cnnf_error *error);

#endif
