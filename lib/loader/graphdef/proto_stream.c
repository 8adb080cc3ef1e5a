/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/graphdef/proto_stream.h"

#include "base/context.h"
#include "base/error.h"
#include "loader/graphdef/proto_guard.h"

/* The messages that are taken apart, and how. */
static const struct part_rule {
    const cnnfi_message_type *type;
    uint32_t number;
    cnnfi_proto_part part;
} part_rules[] = {
    {&cnnfi__graph_def__descriptor, 1, CNNFI_PROTO_ITEM},            /* node */
    {&cnnfi__graph_def__descriptor, 2, CNNFI_PROTO_ENTER},           /* library */
    {&cnnfi__function_def_library__descriptor, 1, CNNFI_PROTO_ITEM}, /* function */
    {&cnnfi__meta_graph_def__descriptor, 2, CNNFI_PROTO_ENTER},      /* graph_def */
    {&cnnfi__saved_model__descriptor, 2, CNNFI_PROTO_ENTER},         /* meta_graphs */
};

/* SavedModel, MetaGraphDef, GraphDef, FunctionDefLibrary: no more levels are taken apart. */
#define MAX_LEVELS 4

cnnfi_proto_part cnnfi_proto_part_of(const cnnfi_message_type *type, uint32_t number)
{
    for (size_t i = 0; i < sizeof part_rules / sizeof part_rules[0]; i++)
        if (part_rules[i].type == type && part_rules[i].number == number) return part_rules[i].part;
    return CNNFI_PROTO_REST;
}

cnnf_status cnnfi_proto_deliver(const cnnfi_proto_sink *sink, cnnfi_source *source, cnnfi_source *payloads,
                                const cnnfi_message_type *type, const cnnfi_strbuf *bytes, cnnf_error *error)
{
    ProtobufCMessage *message = NULL;
    cnnf_context *context = cnnfi_source_context(source);
    if (bytes->failed) return cnnfi_fail_nomem(error);
    cnnf_status status = cnnfi_message_unpack(&message, context, type, bytes->data, bytes->size, error);
    if (status == CNNF_OK) status = sink->item(sink->user, message, payloads, error);
    cnnfi_message_free(context, message);
    if (status == CNNF_OK || status == CNNF_E_NOMEM || status == CNNF_E_CANCELLED) return status;
    const char *name = cnnfi_source_name(source);
    return cnnfi_error_in_file(error, cnnfi_error_prefix(error, status, "%s", name), name);
}

typedef struct binary_level {
    const cnnfi_message_type *type;
    uint64_t end;
    cnnfi_strbuf rest;
} binary_level;

typedef struct binary_stream {
    cnnfi_guard guard;
    const cnnfi_proto_sink *sink;
    const cnnf_load_options *options;
    binary_level levels[MAX_LEVELS];
    uint32_t count;
    cnnfi_strbuf item;
} binary_stream;

static cnnf_status enter(binary_stream *s, const cnnfi_message_type *type, uint64_t end, cnnf_error *error)
{
    if (s->count == MAX_LEVELS) return cnnfi_fail(error, CNNF_E_INTERNAL, "protobuf: too many levels of parts");
    binary_level *level = &s->levels[s->count++];
    *level = (binary_level){.type = type, .end = end};
    cnnfi_strbuf_init(&level->rest, s->guard.context);
    return s->sink->begin != NULL ? s->sink->begin(s->sink->user, type, error) : CNNF_OK;
}

static cnnf_status leave(binary_stream *s, cnnf_error *error)
{
    binary_level *level = &s->levels[--s->count];
    cnnf_status status =
        cnnfi_proto_deliver(s->sink, s->guard.source, s->guard.source, level->type, &level->rest, error);
    cnnfi_strbuf_free(&level->rest);
    return status;
}

static cnnf_status take_item(binary_stream *s, const cnnfi_message_type *type, const cnnfi_guard_field *field,
                             cnnf_error *error)
{
    s->item.size = 0;
    CNNFI_TRY(cnnfi_guard_copy(&s->guard, type, field->payload, field->end, s->count, &s->item, error));
    CNNFI_TRY(cnnfi_proto_deliver(s->sink, s->guard.source, s->guard.source, type, &s->item, error));
    return cnnfi_load_progress(s->options, field->end, cnnfi_source_size(s->guard.source), error);
}

static cnnf_status take_field(binary_stream *s, const cnnfi_guard_field *field, cnnf_error *error)
{
    binary_level *level = &s->levels[s->count - 1];
    CNNFI_TRY(cnnfi_budget_spend(cnnfi_load_budget(s->options), cnnfi_steps_of_bytes(field->end - field->at), error));
    cnnfi_proto_part part = field->wire == 2 ? cnnfi_proto_part_of(level->type, field->number) : CNNFI_PROTO_REST;
    if (part == CNNFI_PROTO_REST)
        return cnnfi_guard_copy(&s->guard, level->type, field->at, field->end, s->count - 1, &level->rest, error);
    const cnnfi_message_type *type =
        (const cnnfi_message_type *)cnnfi_message_field_at(level->type, field->number)->descriptor;
    return part == CNNFI_PROTO_ENTER ? enter(s, type, field->end, error) : take_item(s, type, field, error);
}

static cnnf_status walk(binary_stream *s, uint64_t at, cnnf_error *error)
{
    while (s->count > 0) {
        uint64_t end = s->levels[s->count - 1].end;
        if (at == end) {
            CNNFI_TRY(leave(s, error));
            continue;
        }
        cnnfi_guard_field field;
        uint32_t before = s->count;
        CNNFI_TRY(cnnfi_guard_next(&s->guard, at, end, &field, error));
        CNNFI_TRY(take_field(s, &field, error));
        at = s->count > before ? field.payload : field.end;
    }
    return CNNF_OK;
}

cnnf_status cnnfi_proto_stream_binary(cnnfi_source *source, uint64_t at, uint64_t end, const cnnfi_message_type *type,
                                      const cnnfi_proto_sink *sink, const cnnf_load_options *options, cnnf_error *error)
{
    binary_stream stream = {.sink = sink, .options = options};
    cnnf_status status = cnnfi_guard_init(&stream.guard, source, error);
    cnnfi_strbuf_init(&stream.item, stream.guard.context);
    if (status == CNNF_OK) status = enter(&stream, type, end, error);
    if (status == CNNF_OK) status = walk(&stream, at, error);
    while (stream.count > 0)
        cnnfi_strbuf_free(&stream.levels[--stream.count].rest);
    cnnfi_strbuf_free(&stream.item);
    cnnfi_guard_free(&stream.guard);
    return status;
}
