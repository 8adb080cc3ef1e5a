/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/graphdef/text_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/num.h"

#define ESCAPE_PIECE ((size_t)4096)

/* A message being printed; `end` counts the bytes of cuts. */
typedef struct print_frame {
    const cnnfi_message_type *type;
    uint64_t end;
} print_frame;

typedef struct printer {
    const cnnfi_skeleton *skeleton;
    cnnfi_sink *sink;
    cnnfi_cursor cursor; /* over the skeleton */
    uint64_t cut_bytes;  /* of the cuts passed */
    size_t next_cut;
    print_frame *frames;
    size_t count, capacity;
    cnnf_error *error;
} printer;

static cnnf_status put(printer *p, const char *text, size_t size)
{
    return cnnfi_sink_write(p->sink, text, size, p->error);
}

static cnnf_status put_text(printer *p, const char *text)
{
    return put(p, text, strlen(text));
}

static cnnf_status put_indent(printer *p, size_t levels)
{
    static const char blanks[] = "                                ";
    for (size_t left = 2 * levels; left > 0;) {
        size_t size = left < sizeof blanks - 1 ? left : sizeof blanks - 1;
        CNNFI_TRY(put(p, blanks, size));
        left -= size;
    }
    return CNNF_OK;
}

/* ---- strings ---- */

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\'' && c != '\\';
}

/* A byte that is not plain, as text_encoding.CEscape has it; returns its length. */
static size_t escape(char out[4], uint8_t c)
{
    const char *name = c == '\n' ? "n" : c == '\r' ? "r" : c == '\t' ? "t" : NULL;
    out[0] = '\\';
    if (name != NULL || c == '"' || c == '\'' || c == '\\') {
        out[1] = name != NULL ? name[0] : (char)c;
        return 2;
    }
    out[1] = (char)('0' + (c >> 6));
    out[2] = (char)('0' + (c >> 3 & 7));
    out[3] = (char)('0' + (c & 7));
    return 4;
}

static cnnf_status put_escaped(const void *data, size_t size, void *user, cnnf_error *error)
{
    printer *p = (printer *)user;
    char text[ESCAPE_PIECE + 4];
    const uint8_t *bytes = (const uint8_t *)data;
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (is_plain(bytes[i]))
            text[n++] = (char)bytes[i];
        else
            n += escape(text + n, bytes[i]);
        if (n < ESCAPE_PIECE) continue;
        CNNFI_TRY(cnnfi_sink_write(p->sink, text, n, error));
        n = 0;
    }
    return cnnfi_sink_write(p->sink, text, n, error);
}

static cnnf_status put_cut(printer *p, const cnnfi_cut *cut)
{
    p->next_cut++;
    p->cut_bytes += cut->size;
    return cnnfi_tensor_stream(cut->tensor, put_escaped, p, p->error);
}

static cnnf_status put_bytes(printer *p, uint64_t size)
{
    const cnnfi_skeleton *s = p->skeleton;
    CNNFI_TRY(put_text(p, "\""));
    bool cut = size > 0 && p->next_cut < s->n_cuts && s->cuts[p->next_cut].at == p->cursor.at;
    if (cut) {
        CNNFI_TRY(put_cut(p, &s->cuts[p->next_cut]));
    } else {
        cnnfi_bytes bytes = {NULL, 0};
        if (!cnnfi_read_bytes(&p->cursor, (size_t)size, &bytes))
            return cnnfi_fail(p->error, CNNF_E_INTERNAL, "text format: bytes end early");
        CNNFI_TRY(put_escaped(bytes.data, bytes.size, p, p->error));
    }
    return put_text(p, "\"");
}

/* ---- numbers ---- */

static cnnf_status put_enum(printer *p, const ProtobufCEnumDescriptor *type, uint64_t value)
{
    char text[24];
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, (int)(int32_t)value);
    if (known != NULL) return put_text(p, known->name);
    snprintf(text, sizeof text, "%" PRId32, (int32_t)value);
    return put_text(p, text);
}

static double float_of(uint64_t bits)
{
    float value;
    uint32_t low = (uint32_t)bits;
    memcpy(&value, &low, sizeof value);
    return (double)value;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static cnnf_status put_number(printer *p, const cnnfi_message_field *field, uint64_t bits)
{
    char text[32];
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return put_text(p, bits != 0 ? "true" : "false");
    case PROTOBUF_C_TYPE_ENUM:
        return put_enum(p, (const ProtobufCEnumDescriptor *)field->descriptor, bits);
    case PROTOBUF_C_TYPE_FLOAT:
        cnnfi_format_double(text, float_of(bits));
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        cnnfi_format_double(text, double_of(bits));
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FIXED64:
        snprintf(text, sizeof text, "%" PRIu64, bits);
        break;
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SINT64:
        snprintf(text, sizeof text, "%" PRId64, unzigzag(bits));
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        snprintf(text, sizeof text, "%" PRId32, (int32_t)bits);
        break;
    default:
        snprintf(text, sizeof text, "%" PRId64, (int64_t)bits);
        break;
    }
    return put_text(p, text);
}

static bool read_number(cnnfi_cursor *c, uint32_t wire, uint64_t *out)
{
    uint32_t small;
    if (wire == CNNFI_WIRE_VARINT) return cnnfi_read_varint(c, out);
    if (wire == CNNFI_WIRE_FIXED64) return cnnfi_read_u64(c, out);
    if (!cnnfi_read_u32(c, &small)) return false;
    *out = small;
    return true;
}

/* ---- fields ---- */

static uint64_t position(const printer *p)
{
    return p->cursor.at + p->cut_bytes;
}

static cnnf_status damaged(printer *p)
{
    return cnnfi_fail(p->error, CNNF_E_INTERNAL, "text format: the message to print is malformed");
}

static cnnf_status open_message(printer *p, const cnnfi_message_type *type, uint64_t size)
{
    if (!cnnfi_grow(p->skeleton->context, (void **)&p->frames, &p->capacity, p->count, sizeof *p->frames))
        return cnnfi_fail_nomem(p->error);
    p->frames[p->count++] = (print_frame){type, position(p) + size};
    return CNNF_OK;
}

static cnnf_status close_message(printer *p)
{
    if (--p->count == 0) return CNNF_OK;
    CNNFI_TRY(put_indent(p, p->count - 1));
    return put_text(p, "}\n");
}

static cnnf_status print_number(printer *p, const cnnfi_message_field *field, uint64_t bits)
{
    CNNFI_TRY(put_indent(p, p->count - 1));
    CNNFI_TRY(put_text(p, field->name));
    CNNFI_TRY(put_text(p, ": "));
    CNNFI_TRY(put_number(p, field, bits));
    return put_text(p, "\n");
}

static cnnf_status print_packed(printer *p, const cnnfi_message_field *field, uint64_t size)
{
    uint64_t end = position(p) + size, bits;
    while (position(p) < end) {
        if (!read_number(&p->cursor, cnnfi_message_wire_type(field), &bits)) return damaged(p);
        CNNFI_TRY(print_number(p, field, bits));
    }
    return CNNF_OK;
}

static cnnf_status print_sized(printer *p, const cnnfi_message_field *field, uint64_t size)
{
    if (cnnfi_message_packable(field)) return print_packed(p, field, size);
    CNNFI_TRY(put_indent(p, p->count - 1));
    CNNFI_TRY(put_text(p, field->name));
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        CNNFI_TRY(put_text(p, " {\n"));
        return open_message(p, (const cnnfi_message_type *)field->descriptor, size);
    }
    CNNFI_TRY(put_text(p, ": "));
    CNNFI_TRY(put_bytes(p, size));
    return put_text(p, "\n");
}

/* A map's entry has its zeros on the wire, but not in text. */
static bool is_silent(const printer *p, const cnnfi_message_field *field, uint64_t value)
{
    return value == 0 && field->type != PROTOBUF_C_TYPE_MESSAGE && cnnfi_message_is_entry(p->frames[p->count - 1].type);
}

static cnnf_status print_field(printer *p)
{
    uint64_t tag, value;
    if (!cnnfi_read_varint(&p->cursor, &tag)) return damaged(p);
    uint32_t wire = (uint32_t)(tag & 7);
    const cnnfi_message_field *field = cnnfi_message_field_at(p->frames[p->count - 1].type, (uint32_t)(tag >> 3));
    bool read =
        wire == CNNFI_WIRE_BYTES ? cnnfi_read_varint(&p->cursor, &value) : read_number(&p->cursor, wire, &value);
    if (!read) return damaged(p);
    if (field == NULL) { /* unknown: over it */
        cnnfi_bytes skipped;
        return wire != CNNFI_WIRE_BYTES || cnnfi_read_bytes(&p->cursor, (size_t)value, &skipped) ? CNNF_OK : damaged(p);
    }
    if (is_silent(p, field, value)) return CNNF_OK;
    return wire == CNNFI_WIRE_BYTES ? print_sized(p, field, value) : print_number(p, field, value);
}

cnnf_status cnnfi_text_print(const cnnfi_skeleton *s, const cnnfi_message_type *type, cnnfi_sink *sink,
                             cnnf_error *error)
{
    printer p = {.skeleton = s, .sink = sink, .error = error};
    p.cursor = cnnfi_cursor_of(s->bytes.data, s->bytes.size);
    cnnf_status status = open_message(&p, type, cnnfi_skeleton_size(s));
    while (status == CNNF_OK && p.count > 0)
        status = position(&p) == p.frames[p.count - 1].end ? close_message(&p) : print_field(&p);
    cnnfi_free(s->context, p.frames);
    return status;
}
