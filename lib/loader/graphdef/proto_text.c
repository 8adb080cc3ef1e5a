/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf's text format as a stream of messages: text becomes the wire bytes that the guard would have made of a
 * binary file, part by part, and goes the same way from there. Nesting is kept on a stack of our own.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/utf8.h"
#include "base/error.h"
#include "base/wire.h"
#include "loader/graphdef/proto_stream.h"
#include "loader/graphdef/text_scalar.h"

/* SavedModel, MetaGraphDef, GraphDef, FunctionDefLibrary: no more levels are taken apart. */
#define MAX_LEVELS   4
#define LENGTH_BYTES 5
/* As in the guard: what protobuf-c takes for a field beside its value. */
#define FIELD_OVERHEAD 80
/* Contents up to this size stay in memory, and of all of them together no more than that; the rest goes to a temporary
   file. */
#define CONTENT_IN_MEMORY  ((size_t)1 << 20)
#define CONTENTS_IN_MEMORY ((size_t)16 << 20)

/* A message that is open: `out` gets its fields. */
typedef struct text_frame {
    const cnnfi_message_type *type;
    const cnnfi_message_field *field; /* that it is the value of */
    size_t length_at;                 /* of its length in `out` */
    char close;                       /* '}' or '>' */
    bool in_list;                     /* an element of "[{...}, {...}]" */
    uint64_t line;                    /* where it began */
} text_frame;

typedef struct text_level {
    const cnnfi_message_type *type;
    char close; /* '\0': the file's end */
    uint64_t line;
    cnnfi_strbuf rest;
} text_level;

typedef struct text_stream {
    cnnf_context *context;
    cnnfi_lexer lexer;
    const cnnfi_proto_sink *sink;
    const cnnf_load_options *options;
    text_level levels[MAX_LEVELS];
    size_t n_levels;
    text_frame *frames;
    size_t n_frames, frame_capacity;
    cnnfi_strbuf item;
    uint64_t projected;     /* memory of the message being made */
    cnnfi_source *payloads; /* temporary file for large contents; NULL: none so far */
    size_t contents;        /* bytes kept in memory */
} text_stream;

/* ---- strings ---- */

static void patch_length(cnnfi_strbuf *out, size_t at, size_t size)
{
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        out->data[at + i] = (char)((size >> (7 * i) & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}

/* Where the bytes of a string go. */
typedef struct string_target {
    text_stream *s;
    cnnfi_strbuf *out;
    size_t begin;           /* of the bytes in `out` */
    size_t most;            /* that may stay there */
    bool spilled;           /* into the payload file */
    uint64_t offset, total; /* there */
} string_target;

static cnnf_status payload_file(text_stream *s, cnnf_error *error)
{
    if (s->payloads != NULL) return CNNF_OK;
    return cnnfi_source_temp(&s->payloads, s->context, cnnfi_source_name(s->lexer.source), error);
}

static cnnf_status spill(string_target *t, cnnf_error *error)
{
    CNNFI_TRY(payload_file(t->s, error));
    t->spilled = true;
    t->offset = cnnfi_source_size(t->s->payloads);
    CNNFI_TRY(cnnfi_source_append(t->s->payloads, t->out->data + t->begin, t->out->size - t->begin, error));
    t->out->size = t->begin;
    return CNNF_OK;
}

static cnnf_status take_piece(const void *data, size_t size, void *user, cnnf_error *error)
{
    string_target *t = (string_target *)user;
    t->total += size;
    if (!t->spilled) {
        cnnfi_strbuf_add(t->out, data, size);
        if (t->out->failed) return cnnfi_fail_nomem(error);
        return t->total > t->most ? spill(t, error) : CNNF_OK;
    }
    return cnnfi_source_append(t->s->payloads, data, size, error);
}

static cnnf_status project(text_stream *s, uint64_t bytes, cnnf_error *error)
{
    uint64_t allowed = cnnfi_limit(s->context, CNNF_LIMIT_MEMORY);
    s->projected += bytes;
    if (s->projected <= allowed) return CNNF_OK;
    return cnnfi_lexer_fail_with(&s->lexer, CNNF_E_LIMIT, error,
                                 "memory for the decoded message: %" PRIu64 " exceeds %s %" PRIu64, s->projected,
                                 cnnf_limit_name(CNNF_LIMIT_MEMORY), allowed);
}

static cnnf_status check_text(text_stream *s, const cnnfi_message_field *field, const char *text, size_t size,
                              cnnf_error *error)
{
    if (field->type != PROTOBUF_C_TYPE_STRING || size == 0) return CNNF_OK;
    if (memchr(text, '\0', size) != NULL)
        return cnnfi_lexer_fail(&s->lexer, error, "zero byte in text field '%s'", field->name);
    if (!cnnfi_utf8_valid(text, size))
        return cnnfi_lexer_fail(&s->lexer, error, "text field '%s' is not UTF-8", field->name);
    return CNNF_OK;
}

static cnnf_status take_string(text_stream *s, const cnnfi_message_field *field, cnnfi_strbuf *out, cnnf_error *error)
{
    if (s->lexer.token.kind != CNNFI_TOKEN_STRING)
        return cnnfi_lexer_fail(&s->lexer, error, "'%s' wants a string", field->name);
    cnnfi_put_tag(out, field->id, CNNFI_WIRE_BYTES);
    string_target target = {.s = s, .out = out, .begin = out->size + LENGTH_BYTES, .most = INT32_MAX};
    cnnfi_strbuf_add(out, "\0\0\0\0", LENGTH_BYTES);
    CNNFI_TRY(cnnfi_lexer_string(&s->lexer, take_piece, &target, error));
    if (out->failed) return cnnfi_fail_nomem(error);
    if (target.spilled) return cnnfi_lexer_fail_with(&s->lexer, CNNF_E_LIMIT, error, "a string of more than 2 GiB");
    patch_length(out, target.begin - LENGTH_BYTES, (size_t)target.total);
    CNNFI_TRY(project(s, target.total, error));
    return check_text(s, field, out->data + target.begin, (size_t)target.total, error);
}

/* tensor_content in the form that the guard gives it. */
static cnnf_status take_content(text_stream *s, const cnnfi_message_field *field, cnnfi_strbuf *out, cnnf_error *error)
{
    if (s->lexer.token.kind != CNNFI_TOKEN_STRING)
        return cnnfi_lexer_fail(&s->lexer, error, "'%s' wants a string", field->name);
    size_t left = CONTENTS_IN_MEMORY - s->contents;
    string_target target = {.s = s, .out = out, .most = left < CONTENT_IN_MEMORY ? left : CONTENT_IN_MEMORY};
    cnnfi_put_tag(out, field->id, CNNFI_WIRE_BYTES);
    size_t length_at = out->size;
    cnnfi_strbuf_add(out, "\0\0\0\0\0", LENGTH_BYTES + 1); /* length, CNNFI_CONTENT_INLINE */
    target.begin = out->size;
    CNNFI_TRY(cnnfi_lexer_string(&s->lexer, take_piece, &target, error));
    if (target.spilled) {
        cnnfi_strbuf_add(out, &target.offset, sizeof target.offset);
        cnnfi_strbuf_add(out, &target.total, sizeof target.total);
    } else {
        s->contents += (size_t)target.total;
    }
    if (out->failed) return cnnfi_fail_nomem(error);
    if (target.spilled) out->data[target.begin - 1] = CNNFI_CONTENT_ELSEWHERE;
    patch_length(out, length_at, out->size - target.begin + 1);
    return CNNF_OK;
}

/* ---- fields ---- */

static cnnf_status skip(text_stream *s, char symbol, cnnf_error *error)
{
    return cnnfi_lexer_is(&s->lexer, symbol) ? cnnfi_lexer_next(&s->lexer, error) : CNNF_OK;
}

static cnnf_status skip_separator(text_stream *s, cnnf_error *error)
{
    if (cnnfi_lexer_is(&s->lexer, ';')) return cnnfi_lexer_next(&s->lexer, error);
    return skip(s, ',', error);
}

/* "[a.b.c]": an extension, or a type URL of an Any. */
static cnnf_status refuse_extension(text_stream *s, cnnf_error *error)
{
    cnnfi_token at = s->lexer.token;
    char name[CNNFI_TOKEN_BYTES];
    size_t n = 0;
    name[0] = '\0';
    CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
    while (!cnnfi_lexer_is(&s->lexer, ']') && s->lexer.token.kind != CNNFI_TOKEN_END && n + 1 < sizeof name) {
        const cnnfi_token *token = &s->lexer.token;
        if (token->kind == CNNFI_TOKEN_STRING) break;
        bool symbol = token->kind == CNNFI_TOKEN_SYMBOL;
        n += (size_t)snprintf(name + n, sizeof name - n, "%.*s", symbol ? 1 : (int)token->length,
                              symbol ? &token->symbol : token->text);
        CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
    }
    s->lexer.token = at;
    return cnnfi_lexer_fail_with(&s->lexer, CNNF_E_UNSUPPORTED, error, "extension '[%.200s]' is not supported", name);
}

static cnnf_status drop_piece(const void *data, size_t size, void *user, cnnf_error *error)
{
    return CNNF_OK;
}

/* An Any spelled out, "[type.googleapis.com/...] { ... }": what collections hold in it is nothing we read. */
static cnnf_status skip_any(text_stream *s, cnnf_error *error)
{
    uint64_t depth = 0, line = s->lexer.token.line;
    do {
        const cnnfi_token *token = &s->lexer.token;
        if (token->kind == CNNFI_TOKEN_END)
            return cnnfi_lexer_fail(&s->lexer, error, "end of file inside Any, which began at line %" PRIu64, line);
        if (token->kind == CNNFI_TOKEN_STRING) {
            CNNFI_TRY(cnnfi_lexer_string(&s->lexer, drop_piece, NULL, error));
            continue;
        }
        bool symbol = token->kind == CNNFI_TOKEN_SYMBOL;
        if (symbol && (token->symbol == '{' || token->symbol == '<')) depth++;
        bool closes = symbol && (token->symbol == '}' || token->symbol == '>');
        if (closes && depth == 0) return cnnfi_lexer_fail(&s->lexer, error, "'%c' inside Any", token->symbol);
        CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
        if (closes && --depth == 0) return skip_separator(s, error);
    } while (true);
}

/* The field that a name at the current token means; takes it and a colon behind it. */
static cnnf_status take_name(text_stream *s, const cnnfi_message_type *type, const cnnfi_message_field **out,
                             cnnf_error *error)
{
    const cnnfi_token *token = &s->lexer.token;
    if (cnnfi_lexer_is(&s->lexer, '[')) return refuse_extension(s, error);
    if (token->kind == CNNFI_TOKEN_END) return cnnfi_lexer_fail(&s->lexer, error, "end of file inside a message");
    if (token->kind != CNNFI_TOKEN_NAME)
        return cnnfi_lexer_fail(&s->lexer, error, "want a field of %s, found '%.64s'", type->short_name,
                                token->length > 0 ? token->text : (const char[2]){token->symbol, '\0'});
    const cnnfi_message_field *field = cnnfi_message_field_named(type, token->text, token->length);
    if (field == NULL)
        return cnnfi_lexer_fail(&s->lexer, error, "%s has no field '%.200s'", type->short_name, token->text);
    CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
    if (cnnfi_lexer_is(&s->lexer, ':')) {
        CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
    } else if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return cnnfi_lexer_fail(&s->lexer, error, "want ':' after '%s'", field->name);
    }
    *out = field;
    return CNNF_OK;
}

/* '{' or '<': the character that will close it. */
static cnnf_status take_open(text_stream *s, const char *name, char *close, cnnf_error *error)
{
    bool brace = cnnfi_lexer_is(&s->lexer, '{');
    if (!brace && !cnnfi_lexer_is(&s->lexer, '<'))
        return cnnfi_lexer_fail(&s->lexer, error, "want '{' after '%s'", name);
    *close = brace ? '}' : '>';
    return cnnfi_lexer_next(&s->lexer, error);
}

static cnnf_status check_depth(text_stream *s, cnnf_error *error)
{
    uint64_t allowed = cnnfi_limit(s->context, CNNF_LIMIT_DEPTH);
    if (s->n_levels + s->n_frames + 1 <= allowed) return CNNF_OK;
    return cnnfi_lexer_fail_with(&s->lexer, CNNF_E_LIMIT, error, "nesting deeper than %" PRIu64 " (limit %s)", allowed,
                                 cnnf_limit_name(CNNF_LIMIT_DEPTH));
}

static cnnf_status push(text_stream *s, const cnnfi_message_field *field, bool in_list, cnnfi_strbuf *out,
                        cnnf_error *error)
{
    text_frame frame = {.type = (const cnnfi_message_type *)field->descriptor, .field = field, .in_list = in_list};
    frame.line = s->lexer.token.line;
    CNNFI_TRY(check_depth(s, error));
    CNNFI_TRY(take_open(s, field->name, &frame.close, error));
    if (!cnnfi_grow(s->context, (void **)&s->frames, &s->frame_capacity, s->n_frames, sizeof *s->frames))
        return cnnfi_fail_nomem(error);
    cnnfi_put_tag(out, field->id, CNNFI_WIRE_BYTES);
    frame.length_at = out->size;
    cnnfi_strbuf_add(out, "\0\0\0\0", LENGTH_BYTES);
    s->frames[s->n_frames++] = frame;
    return project(s, frame.type->sizeof_message + FIELD_OVERHEAD, error);
}

static cnnf_status take_scalar(text_stream *s, const cnnfi_message_type *type, const cnnfi_message_field *field,
                               cnnfi_strbuf *out, cnnf_error *error)
{
    CNNFI_TRY(project(s, FIELD_OVERHEAD, error));
    if (cnnfi_message_wire_type(field) != CNNFI_WIRE_BYTES) return cnnfi_text_number(&s->lexer, field, out, error);
    if (cnnfi_message_is_content(type, field->id)) return take_content(s, field, out, error);
    return take_string(s, field, out, error);
}

static cnnf_status end_of_list(text_stream *s, bool *ended, cnnf_error *error)
{
    *ended = cnnfi_lexer_is(&s->lexer, ']');
    if (*ended || cnnfi_lexer_is(&s->lexer, ',')) return cnnfi_lexer_next(&s->lexer, error);
    return cnnfi_lexer_fail(&s->lexer, error, "want ',' or ']' in a list");
}

/* "[1, 2]"; the bracket is taken. */
static cnnf_status take_scalars(text_stream *s, const cnnfi_message_type *type, const cnnfi_message_field *field,
                                cnnfi_strbuf *out, cnnf_error *error)
{
    for (bool ended = false; !ended;) {
        CNNFI_TRY(take_scalar(s, type, field, out, error));
        CNNFI_TRY(end_of_list(s, &ended, error));
    }
    return CNNF_OK;
}

/* A value or a list of them; of messages only the beginning. */
static cnnf_status take_value(text_stream *s, const cnnfi_message_type *type, const cnnfi_message_field *field,
                              cnnfi_strbuf *out, cnnf_error *error)
{
    bool message = field->type == PROTOBUF_C_TYPE_MESSAGE;
    bool list = cnnfi_lexer_is(&s->lexer, '[');
    if (list && field->label != PROTOBUF_C_LABEL_REPEATED)
        return cnnfi_lexer_fail(&s->lexer, error, "a list for '%s', which is none", field->name);
    if (list) {
        CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
        if (cnnfi_lexer_is(&s->lexer, ']')) {
            CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
            return skip_separator(s, error);
        }
    }
    if (message) return push(s, field, list, out, error);
    CNNFI_TRY(list ? take_scalars(s, type, field, out, error) : take_scalar(s, type, field, out, error));
    return skip_separator(s, error);
}

/* ---- messages ---- */

static cnnf_status pop(text_stream *s, cnnfi_strbuf *out, cnnf_error *error)
{
    text_frame closed = s->frames[--s->n_frames];
    if (out->failed) return cnnfi_fail_nomem(error);
    patch_length(out, closed.length_at, out->size - closed.length_at - LENGTH_BYTES);
    if (!closed.in_list) return skip_separator(s, error);
    bool ended;
    CNNFI_TRY(end_of_list(s, &ended, error));
    if (ended) return skip_separator(s, error);
    return push(s, closed.field, true, out, error);
}

static cnnf_status fail_open(const text_stream *s, const cnnfi_message_type *type, uint64_t line, cnnf_error *error)
{
    return cnnfi_lexer_fail(&s->lexer, error, "end of file inside %s, which began at line %" PRIu64, type->short_name,
                            line);
}

/* Until the frames that were pushed are closed again. */
static cnnf_status take_frames(text_stream *s, cnnfi_strbuf *out, cnnf_error *error)
{
    while (s->n_frames > 0) {
        const text_frame *frame = &s->frames[s->n_frames - 1];
        const cnnfi_message_field *field = NULL;
        if (s->lexer.token.kind == CNNFI_TOKEN_END) return fail_open(s, frame->type, frame->line, error);
        if (cnnfi_lexer_is(&s->lexer, frame->close)) {
            CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
            CNNFI_TRY(pop(s, out, error));
            continue;
        }
        const cnnfi_message_type *type = frame->type;
        if (type == &cnnfi__any__descriptor && cnnfi_lexer_is(&s->lexer, '[')) {
            CNNFI_TRY(skip_any(s, error));
            continue;
        }
        CNNFI_TRY(take_name(s, type, &field, error));
        CNNFI_TRY(take_value(s, type, field, out, error));
    }
    return CNNF_OK;
}

/* ---- parts ---- */

static cnnf_status enter(text_stream *s, const cnnfi_message_type *type, char close, uint64_t line, cnnf_error *error)
{
    if (s->n_levels == MAX_LEVELS) return cnnfi_fail(error, CNNF_E_INTERNAL, "text format: too many levels of parts");
    CNNFI_TRY(check_depth(s, error));
    text_level *level = &s->levels[s->n_levels++];
    *level = (text_level){.type = type, .close = close, .line = line};
    cnnfi_strbuf_init(&level->rest, s->context);
    return s->sink->begin != NULL ? s->sink->begin(s->sink->user, type, error) : CNNF_OK;
}

static cnnf_status deliver(text_stream *s, const cnnfi_message_type *type, const cnnfi_strbuf *bytes, cnnf_error *error)
{
    s->projected = 0;
    return cnnfi_proto_deliver(s->sink, s->lexer.source, s->payloads, type, bytes, error);
}

static cnnf_status leave(text_stream *s, cnnf_error *error)
{
    text_level *level = &s->levels[--s->n_levels];
    cnnf_status status = deliver(s, level->type, &level->rest, error);
    cnnfi_strbuf_free(&level->rest);
    return status;
}

/* An item's message: its fields without tag and length, as it stands in no other. */
static cnnf_status take_item(text_stream *s, const cnnfi_message_field *field, cnnf_error *error)
{
    const cnnfi_message_type *type = (const cnnfi_message_type *)field->descriptor;
    text_frame frame = {.type = type, .line = s->lexer.token.line};
    s->item.size = 0;
    CNNFI_TRY(check_depth(s, error));
    CNNFI_TRY(take_open(s, field->name, &frame.close, error));
    while (!cnnfi_lexer_is(&s->lexer, frame.close)) {
        const cnnfi_message_field *inner = NULL;
        if (s->lexer.token.kind == CNNFI_TOKEN_END) return fail_open(s, type, frame.line, error);
        CNNFI_TRY(take_name(s, type, &inner, error));
        CNNFI_TRY(take_value(s, type, inner, &s->item, error));
        CNNFI_TRY(take_frames(s, &s->item, error));
    }
    CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
    CNNFI_TRY(deliver(s, type, &s->item, error));
    return cnnfi_load_progress(s->options, cnnfi_lexer_offset(&s->lexer), cnnfi_source_size(s->lexer.source), error);
}

static cnnf_status take_items(text_stream *s, const cnnfi_message_field *field, cnnf_error *error)
{
    if (!cnnfi_lexer_is(&s->lexer, '[')) {
        CNNFI_TRY(take_item(s, field, error));
        return skip_separator(s, error);
    }
    CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
    for (bool ended = cnnfi_lexer_is(&s->lexer, ']'); !ended;) {
        CNNFI_TRY(take_item(s, field, error));
        CNNFI_TRY(end_of_list(s, &ended, error));
    }
    return skip_separator(s, error);
}

static cnnf_status take_field(text_stream *s, cnnf_error *error)
{
    text_level *level = &s->levels[s->n_levels - 1];
    const cnnfi_message_field *field = NULL;
    char close = '}';
    uint64_t line = s->lexer.token.line;
    CNNFI_TRY(take_name(s, level->type, &field, error));
    switch (cnnfi_proto_part_of(level->type, field->id)) {
    case CNNFI_PROTO_ITEM:
        return take_items(s, field, error);
    case CNNFI_PROTO_ENTER:
        CNNFI_TRY(take_open(s, field->name, &close, error));
        return enter(s, (const cnnfi_message_type *)field->descriptor, close, line, error);
    default:
        CNNFI_TRY(take_value(s, level->type, field, &level->rest, error));
        return take_frames(s, &level->rest, error);
    }
}

static cnnf_status walk(text_stream *s, cnnf_error *error)
{
    while (s->n_levels > 0) {
        const text_level *level = &s->levels[s->n_levels - 1];
        bool end = s->lexer.token.kind == CNNFI_TOKEN_END;
        if (end && level->close != '\0') return fail_open(s, level->type, level->line, error);
        if (end || (level->close != '\0' && cnnfi_lexer_is(&s->lexer, level->close))) {
            if (!end) CNNFI_TRY(cnnfi_lexer_next(&s->lexer, error));
            CNNFI_TRY(leave(s, error));
            CNNFI_TRY(skip_separator(s, error));
            continue;
        }
        CNNFI_TRY(take_field(s, error));
    }
    return CNNF_OK;
}

cnnf_status cnnfi_proto_stream_text(cnnfi_source *source, const cnnfi_message_type *type, const cnnfi_proto_sink *sink,
                                    const cnnf_load_options *options, cnnf_error *error)
{
    text_stream stream = {.context = cnnfi_source_context(source), .sink = sink, .options = options};
    cnnfi_strbuf_init(&stream.item, stream.context);
    cnnf_status status = cnnfi_lexer_init(&stream.lexer, source, cnnfi_load_budget(options), error);
    if (status == CNNF_OK) status = enter(&stream, type, '\0', 1, error);
    if (status == CNNF_OK) status = walk(&stream, error);
    while (stream.n_levels > 0)
        cnnfi_strbuf_free(&stream.levels[--stream.n_levels].rest);
    cnnfi_strbuf_free(&stream.item);
    cnnfi_free(stream.context, stream.frames);
    cnnfi_source_unref(stream.payloads);
    cnnfi_lexer_free(&stream.lexer);
    return status;
}
