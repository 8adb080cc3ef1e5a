/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message of any size as a sequence of small ones: nodes and functions are handed over one by one, and what is left
 * of the messages around them (GraphDef without nodes, MetaGraphDef without its graph) when they end. A file is
 * therefore never in memory as a whole. Both encodings, binary and text, give the same sequence.
 */
#ifndef CNNFI_LOADER_GRAPHDEF_PROTO_STREAM_H
#define CNNFI_LOADER_GRAPHDEF_PROTO_STREAM_H

#include "loader/load_options.h"
#include "base/source.h"
#include "proto/message.h"

typedef struct cnnfi_proto_sink {
    void *user;
    /* A message begins whose parts will come one by one. NULL: not interested. */
    cnnf_status (*begin)(void *user, const cnnfi_message_type *type, cnnf_error *error);
    /* A part, or at its end the rest of a message that had begun. Borrowed for the call. Large tensor contents lie in
       `payloads`. */
    cnnf_status (*item)(void *user, ProtobufCMessage *message, cnnfi_source *payloads, cnnf_error *error);
} cnnfi_proto_sink;

/* The message of `type` in bytes [at, end) of the source. Failures name the source. */
cnnf_status cnnfi_proto_stream_binary(cnnfi_source *source, uint64_t at, uint64_t end, const cnnfi_message_type *type,
                                      const cnnfi_proto_sink *sink, const cnnf_load_options *options,
                                      cnnf_error *error);

/* The same from text format. */
cnnf_status cnnfi_proto_stream_text(cnnfi_source *source, const cnnfi_message_type *type, const cnnfi_proto_sink *sink,
                                    const cnnf_load_options *options, cnnf_error *error);

/* How a field is taken: as a part, as a message of parts, or as one of the rest. */
typedef enum cnnfi_proto_part { CNNFI_PROTO_REST, CNNFI_PROTO_ITEM, CNNFI_PROTO_ENTER } cnnfi_proto_part;
cnnfi_proto_part cnnfi_proto_part_of(const cnnfi_message_type *type, uint32_t number);
/* Decodes a part and hands it over. */
cnnf_status cnnfi_proto_deliver(const cnnfi_proto_sink *sink, cnnfi_source *source, cnnfi_source *payloads,
                                const cnnfi_message_type *type, const cnnfi_strbuf *bytes, cnnf_error *error);

#endif
