/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/message.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/wire.h"

const cnnfi_message_field *cnnfi_message_field_at(const cnnfi_message_type *type, uint32_t number)
{
    return protobuf_c_message_descriptor_get_field(type, number);
}

const cnnfi_message_field *cnnfi_message_field_named(const cnnfi_message_type *type, const char *name, size_t length)
{
    size_t low = 0, high = type->n_fields;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const cnnfi_message_field *field = &type->fields[type->fields_sorted_by_name[middle]];
        int order = strncmp(field->name, name, length);
        if (order == 0 && field->name[length] == '\0') return field;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

uint32_t cnnfi_message_wire_type(const cnnfi_message_field *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return CNNFI_WIRE_FIXED32;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return CNNFI_WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return CNNFI_WIRE_BYTES;
    default:
        return CNNFI_WIRE_VARINT;
    }
}

bool cnnfi_message_packable(const cnnfi_message_field *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED && cnnfi_message_wire_type(field) != CNNFI_WIRE_BYTES;
}

bool cnnfi_message_is_entry(const cnnfi_message_type *type)
{
    size_t length = strlen(type->short_name);
    return length > 5 && strcmp(type->short_name + length - 5, "Entry") == 0 && type->n_fields == 2 &&
           strcmp(type->fields[0].name, "key") == 0;
}

bool cnnfi_message_is_content(const cnnfi_message_type *type, uint32_t number)
{
    return type == &cnnfi__tensor_proto__descriptor && number == 4;
}

/* protobuf-c answers NULL for everything; this remembers whether memory was the reason. */
typedef struct unpack_state {
    cnnf_context *context;
    bool no_memory;
} unpack_state;

static void *unpack_alloc(void *user, size_t size)
{
    unpack_state *state = (unpack_state *)user;
    void *block = cnnfi_malloc(state->context, size);
    state->no_memory |= block == NULL;
    return block;
}

static void unpack_free(void *user, void *block)
{
    cnnfi_free(((unpack_state *)user)->context, block);
}

cnnf_status cnnfi_message_unpack(ProtobufCMessage **out, cnnf_context *context, const cnnfi_message_type *type,
                                 const void *data, size_t size, cnnf_error *error)
{
    unpack_state state = {.context = context};
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &state};
    *out = protobuf_c_message_unpack(type, &allocator, size, (const uint8_t *)data);
    if (*out != NULL) return CNNF_OK;
    if (state.no_memory) return cnnfi_fail_nomem(error);
    return cnnfi_fail(error, CNNF_E_CORRUPT, "protobuf: %s cannot be decoded", type->short_name);
}

void cnnfi_message_free(cnnf_context *context, ProtobufCMessage *message)
{
    unpack_state state = {.context = context};
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &state};
    if (message != NULL) protobuf_c_message_free_unpacked(message, &allocator);
}

/* Not pack_to_buffer: its inner buffers come from malloc, and it does not look whether they came. */
bool cnnfi_message_pack(cnnf_context *context, const ProtobufCMessage *message, cnnfi_bytes *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *data = (uint8_t *)cnnfi_malloc(context, size);
    if (data == NULL) return false;
    *out = (cnnfi_bytes){data, protobuf_c_message_pack(message, data)};
    return true;
}
