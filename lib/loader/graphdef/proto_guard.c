/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/graphdef/proto_guard.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/utf8.h"
#include "base/error.h"
#include "base/wire.h"

#define WINDOW_BYTES ((size_t)64 * 1024)
#define VARINT_BYTES 10
/* The length of a message is written when its end is known, in a varint of fixed width. */
#define LENGTH_BYTES     5
#define MAX_FIELD_NUMBER 0x1fffffffu
/* What protobuf-c takes for one field beside its value: the scanned member, a list's slot or an unknown field's record,
   malloc's own. Measured 60 to 76 bytes for the smallest fields. */
#define FIELD_OVERHEAD 80

/* A message being copied. */
typedef struct guard_frame {
    const cnnfi_message_type *type;
    uint64_t end;
    size_t length_at; /* of its length in the copy */
} guard_frame;

typedef struct guard_copy {
    cnnfi_guard *guard;
    cnnfi_strbuf *out;
    guard_frame *frames;
    size_t count, capacity;
    uint32_t depth; /* messages around the first frame */
    uint64_t projected;
} guard_copy;

cnnf_status cnnfi_guard_init(cnnfi_guard *guard, cnnfi_source *source, cnnf_error *error)
{
    *guard = (cnnfi_guard){.context = cnnfi_source_context(source), .source = source};
    guard->window = cnnfi_source_memory(source);
    if (guard->window != NULL) {
        guard->window_size = (size_t)cnnfi_source_size(source);
        return CNNF_OK;
    }
    guard->owned = (uint8_t *)cnnfi_malloc(guard->context, WINDOW_BYTES);
    guard->window = guard->owned;
    return guard->owned != NULL ? CNNF_OK : cnnfi_fail_nomem(error);
}

void cnnfi_guard_free(cnnfi_guard *guard)
{
    cnnfi_free(guard->context, guard->owned);
    guard->owned = NULL;
}

static cnnf_status fail_at(const cnnfi_guard *guard, cnnf_status code, uint64_t offset, cnnf_error *error,
                           const char *what)
{
    const char *name = cnnfi_source_name(guard->source);
    return cnnfi_fail_in_file(error, code, name, (int64_t)offset, "%s: protobuf: offset %" PRIu64 ": %s", name, offset,
                              what);
}

cnnf_status cnnfi_guard_fail(const cnnfi_guard *guard, uint64_t offset, cnnf_error *error, const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return fail_at(guard, CNNF_E_CORRUPT, offset, error, what);
}

/* Up to `wanted` bytes at `at`, fewer at `end`; wanted <= WINDOW_BYTES. */
static cnnf_status guard_view(cnnfi_guard *guard, uint64_t at, uint64_t end, size_t wanted, cnnfi_bytes *out,
                              cnnf_error *error)
{
    size_t size = end - at < wanted ? (size_t)(end - at) : wanted;
    bool inside = at >= guard->window_at && cnnfi_range_fits(at - guard->window_at, size, guard->window_size);
    if (!inside) {
        uint64_t left = cnnfi_source_size(guard->source) - at;
        size_t piece = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        guard->window_size = 0;
        CNNFI_TRY(cnnfi_source_read(guard->source, at, guard->owned, piece, error));
        guard->window_at = at;
        guard->window_size = piece;
    }
    *out = (cnnfi_bytes){guard->window + (at - guard->window_at), size};
    return CNNF_OK;
}

static cnnf_status guard_varint(cnnfi_guard *guard, uint64_t *at, uint64_t end, uint64_t *out, cnnf_error *error)
{
    cnnfi_bytes view = {NULL, 0};
    CNNFI_TRY(guard_view(guard, *at, end, VARINT_BYTES, &view, error));
    cnnfi_cursor cursor = cnnfi_cursor_of(view.data, view.size);
    if (!cnnfi_read_varint(&cursor, out))
        return cnnfi_guard_fail(guard, *at, error,
                                view.size < VARINT_BYTES ? "ends inside a number" : "a number of more than 10 bytes");
    *at += cursor.at;
    return CNNF_OK;
}

static cnnf_status guard_fixed(cnnfi_guard *guard, uint64_t *at, uint64_t end, size_t size, uint64_t *out,
                               cnnf_error *error)
{
    cnnfi_bytes view = {NULL, 0};
    CNNFI_TRY(guard_view(guard, *at, end, size, &view, error));
    if (view.size < size) return cnnfi_guard_fail(guard, *at, error, "ends inside a number");
    *out = 0;
    memcpy(out, view.data, size);
    *at += size;
    return CNNF_OK;
}

static cnnf_status guard_value(cnnfi_guard *guard, uint64_t *at, uint64_t end, cnnfi_guard_field *field,
                               cnnf_error *error)
{
    uint64_t start = *at;
    switch (field->wire) {
    case CNNFI_WIRE_VARINT:
        return guard_varint(guard, at, end, &field->size, error);
    case CNNFI_WIRE_FIXED64:
        return guard_fixed(guard, at, end, 8, &field->size, error);
    case CNNFI_WIRE_FIXED32:
        return guard_fixed(guard, at, end, 4, &field->size, error);
    case CNNFI_WIRE_BYTES:
        CNNFI_TRY(guard_varint(guard, at, end, &field->size, error));
        field->payload = *at;
        if (field->size > end - *at)
            return cnnfi_guard_fail(guard, start, error, "length %" PRIu64 " but %" PRIu64 " bytes left", field->size,
                                    end - *at);
        *at += field->size;
        return CNNF_OK;
    default:
        return cnnfi_guard_fail(guard, field->at, error, "field %u has wire type %u (a group or unknown)",
                                field->number, field->wire);
    }
}

cnnf_status cnnfi_guard_next(cnnfi_guard *guard, uint64_t at, uint64_t end, cnnfi_guard_field *field, cnnf_error *error)
{
    uint64_t tag = 0;
    *field = (cnnfi_guard_field){.at = at};
    CNNFI_TRY(guard_varint(guard, &at, end, &tag, error));
    if (tag >> 3 == 0 || tag >> 3 > MAX_FIELD_NUMBER)
        return cnnfi_guard_fail(guard, field->at, error, "field number %" PRIu64 " is not allowed", tag >> 3);
    field->number = (uint32_t)(tag >> 3);
    field->wire = (uint32_t)(tag & 7);
    CNNFI_TRY(guard_value(guard, &at, end, field, error));
    field->end = at;
    return CNNF_OK;
}

/* ---- copying ---- */

static cnnf_status project(guard_copy *copy, uint64_t bytes, cnnf_error *error)
{
    copy->projected += bytes;
    cnnf_status status = cnnfi_check_limit(copy->guard->context, CNNF_LIMIT_MEMORY, copy->projected,
                                           "memory for the decoded message", error);
    return status ? cnnfi_error_prefix(error, status, "%s: protobuf", cnnfi_source_name(copy->guard->source)) : CNNF_OK;
}

static cnnf_status push(guard_copy *copy, const cnnfi_message_type *type, uint64_t at, uint64_t end, cnnf_error *error)
{
    cnnfi_guard *guard = copy->guard;
    uint64_t allowed = cnnfi_limit(guard->context, CNNF_LIMIT_DEPTH);
    if (copy->depth + copy->count + 1 > allowed) {
        char what[96];
        snprintf(what, sizeof what, "nesting deeper than %" PRIu64 " (limit %s)", allowed,
                 cnnf_limit_name(CNNF_LIMIT_DEPTH));
        return fail_at(guard, CNNF_E_LIMIT, at, error, what);
    }
    if (!cnnfi_grow(guard->context, (void **)&copy->frames, &copy->capacity, copy->count, sizeof *copy->frames))
        return cnnfi_fail_nomem(error);
    copy->frames[copy->count++] = (guard_frame){.type = type, .end = end, .length_at = copy->out->size};
    if (copy->count > 1) cnnfi_strbuf_add(copy->out, "\x80\x80\x80\x80", LENGTH_BYTES);
    return project(copy, type->sizeof_message, error);
}

static cnnf_status pop(guard_copy *copy, cnnf_error *error)
{
    const guard_frame *frame = &copy->frames[--copy->count];
    if (copy->count == 0 || copy->out->failed) return CNNF_OK;
    size_t size = copy->out->size - frame->length_at - LENGTH_BYTES;
    if (size > INT32_MAX) return cnnfi_fail_limit(error, frame->type->short_name, CNNF_LIMIT_MEMORY, size, INT32_MAX);
    uint8_t *length = (uint8_t *)copy->out->data + frame->length_at;
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        length[i] = (uint8_t)((size >> (7 * i) & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
    return CNNF_OK;
}

static cnnf_status copy_payload(guard_copy *copy, const cnnfi_guard_field *field, cnnf_error *error)
{
    uint64_t end = field->payload + field->size;
    for (uint64_t at = field->payload; at < end;) {
        cnnfi_bytes view = {NULL, 0};
        CNNFI_TRY(guard_view(copy->guard, at, end, WINDOW_BYTES, &view, error));
        cnnfi_strbuf_add(copy->out, view.data, view.size);
        if (copy->out->failed) return cnnfi_fail_nomem(error);
        at += view.size;
    }
    return CNNF_OK;
}

static cnnf_status copy_content(guard_copy *copy, const cnnfi_guard_field *field, cnnf_error *error)
{
    if (field->size < CNNFI_CONTENT_LARGE) {
        cnnfi_put_varint(copy->out, field->size + 1);
        cnnfi_strbuf_putc(copy->out, CNNFI_CONTENT_INLINE);
        return copy_payload(copy, field, error);
    }
    cnnfi_put_varint(copy->out, CNNFI_CONTENT_LOCATOR_BYTES);
    cnnfi_strbuf_putc(copy->out, CNNFI_CONTENT_ELSEWHERE);
    cnnfi_strbuf_add(copy->out, &field->payload, sizeof field->payload);
    cnnfi_strbuf_add(copy->out, &field->size, sizeof field->size);
    return CNNF_OK;
}

static cnnf_status copy_string(guard_copy *copy, const cnnfi_guard_field *field, const cnnfi_message_field *known,
                               cnnf_error *error)
{
    cnnfi_put_varint(copy->out, field->size);
    CNNFI_TRY(copy_payload(copy, field, error));
    if (known == NULL || known->type != PROTOBUF_C_TYPE_STRING || field->size == 0) return CNNF_OK;
    const char *text = copy->out->data + copy->out->size - field->size;
    if (memchr(text, '\0', (size_t)field->size) != NULL)
        return cnnfi_guard_fail(copy->guard, field->payload, error, "zero byte in text field '%s'", known->name);
    if (!cnnfi_utf8_valid(text, (size_t)field->size))
        return cnnfi_guard_fail(copy->guard, field->payload, error, "text field '%s' is not UTF-8", known->name);
    return CNNF_OK;
}

static cnnf_status check_wire(guard_copy *copy, const cnnfi_guard_field *field, const cnnfi_message_field *known,
                              cnnf_error *error)
{
    bool packed = field->wire == CNNFI_WIRE_BYTES && cnnfi_message_packable(known);
    if (packed || field->wire == cnnfi_message_wire_type(known)) return CNNF_OK;
    return cnnfi_guard_fail(copy->guard, field->at, error, "field '%s' has wire type %u, want %u", known->name,
                            field->wire, cnnfi_message_wire_type(known));
}

/* A list's record must hold whole numbers: protobuf-c counts them from the length. */
static cnnf_status check_packed(guard_copy *copy, const cnnfi_guard_field *field, const cnnfi_message_field *known,
                                cnnf_error *error)
{
    uint32_t wire = cnnfi_message_wire_type(known);
    size_t width = wire == CNNFI_WIRE_FIXED64 ? 8 : wire == CNNFI_WIRE_FIXED32 ? 4 : 0;
    if (width > 0 && field->size % width != 0)
        return cnnfi_guard_fail(copy->guard, field->payload, error, "%" PRIu64 " bytes are no list of '%s'",
                                field->size, known->name);
    if (width == 0 && field->size > 0 && (uint8_t)copy->out->data[copy->out->size - 1] >= 0x80)
        return cnnfi_guard_fail(copy->guard, field->payload, error, "list '%s' ends inside a number", known->name);
    /* One byte may be a number of eight. */
    return project(copy, field->size * 8, error);
}

static cnnf_status copy_numeric(guard_copy *copy, const cnnfi_guard_field *field)
{
    if (field->wire == CNNFI_WIRE_VARINT)
        cnnfi_put_varint(copy->out, field->size);
    else
        cnnfi_strbuf_add(copy->out, &field->size, field->wire == CNNFI_WIRE_FIXED64 ? 8 : 4);
    return CNNF_OK;
}

static cnnf_status copy_field(guard_copy *copy, const cnnfi_guard_field *field, cnnf_error *error)
{
    const cnnfi_message_type *type = copy->frames[copy->count - 1].type;
    const cnnfi_message_field *known = cnnfi_message_field_at(type, field->number);
    if (known != NULL) CNNFI_TRY(check_wire(copy, field, known, error));
    bool message = known != NULL && known->type == PROTOBUF_C_TYPE_MESSAGE;
    CNNFI_TRY(project(copy, FIELD_OVERHEAD, error));
    cnnfi_put_tag(copy->out, field->number, field->wire);
    if (message) return push(copy, (const cnnfi_message_type *)known->descriptor, field->payload, field->end, error);
    if (field->wire != CNNFI_WIRE_BYTES) return copy_numeric(copy, field);
    if (cnnfi_message_is_content(type, field->number)) return copy_content(copy, field, error);
    CNNFI_TRY(project(copy, field->size, error));
    CNNFI_TRY(copy_string(copy, field, known, error));
    return known != NULL && cnnfi_message_packable(known) ? check_packed(copy, field, known, error) : CNNF_OK;
}

static cnnf_status copy_frames(guard_copy *copy, uint64_t at, cnnf_error *error)
{
    while (copy->count > 0) {
        uint64_t end = copy->frames[copy->count - 1].end;
        if (at == end) {
            CNNFI_TRY(pop(copy, error));
            continue;
        }
        cnnfi_guard_field field;
        size_t before = copy->count;
        CNNFI_TRY(cnnfi_guard_next(copy->guard, at, end, &field, error));
        CNNFI_TRY(copy_field(copy, &field, error));
        at = copy->count > before ? field.payload : field.end;
    }
    return CNNF_OK;
}

cnnf_status cnnfi_guard_copy(cnnfi_guard *guard, const cnnfi_message_type *type, uint64_t at, uint64_t end,
                             uint32_t depth, cnnfi_strbuf *out, cnnf_error *error)
{
    guard_copy copy = {.guard = guard, .out = out, .depth = depth};
    cnnf_status status = push(&copy, type, at, end, error);
    if (status == CNNF_OK) status = copy_frames(&copy, at, error);
    cnnfi_free(guard->context, copy.frames);
    return status == CNNF_OK && out->failed ? cnnfi_fail_nomem(error) : status;
}
