/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf-c's messages and their descriptors: unpacking through the context's allocator, and the questions that the
 * guard and the text format ask of a descriptor.
 */
#ifndef CNNFI_PROTO_MESSAGE_H
#define CNNFI_PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "proto/tensorflow.pb-c.h"

typedef ProtobufCMessageDescriptor cnnfi_message_type;
typedef ProtobufCFieldDescriptor cnnfi_message_field;

/* The type of TensorProto.tensor_content in what the guard and the text parser hand to protobuf-c: its first byte says
   whether the content follows or lies elsewhere (two little-endian uint64: offset, size). */
#define CNNFI_CONTENT_INLINE        0
#define CNNFI_CONTENT_ELSEWHERE     1
#define CNNFI_CONTENT_LOCATOR_BYTES 17
/* Contents from this size on stay where they are. */
#define CNNFI_CONTENT_LARGE ((size_t)4096)

/* NULL when the message has no such field. */
const cnnfi_message_field *cnnfi_message_field_at(const cnnfi_message_type *type, uint32_t number);
const cnnfi_message_field *cnnfi_message_field_named(const cnnfi_message_type *type, const char *name, size_t length);
/* The wire type of one value. */
uint32_t cnnfi_message_wire_type(const cnnfi_message_field *field);
/* Whether several values may stand in one length-delimited record. */
bool cnnfi_message_packable(const cnnfi_message_field *field);
/* Whether a type is a map's entry. */
bool cnnfi_message_is_entry(const cnnfi_message_type *type);
bool cnnfi_message_is_content(const cnnfi_message_type *type, uint32_t number);

/* Only for bytes that a guard or a parser of ours has made: protobuf-c knows no limits. `what` for the message. */
cnnf_status cnnfi_message_unpack(ProtobufCMessage **out, cnnf_context *context, const cnnfi_message_type *type,
                                 const void *data, size_t size, cnnf_error *error);
void cnnfi_message_free(cnnf_context *context, ProtobufCMessage *message); /* NULL is allowed */
/* The message's wire form, a new block of the context's: fields in order of number, lists packed, unknown fields last.
   false = no memory. */
bool cnnfi_message_pack(cnnf_context *context, const ProtobufCMessage *message, cnnfi_bytes *out);

#endif
