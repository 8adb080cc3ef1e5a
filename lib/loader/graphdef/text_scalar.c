/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/graphdef/text_scalar.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/num.h"
#include "base/wire.h"

/* The largest magnitudes by type; `below`: of negative numbers, 0 for unsigned types. */
static const struct integer_range {
    ProtobufCType type;
    const char *name;
    uint64_t above, below;
} integer_ranges[] = {
    {PROTOBUF_C_TYPE_INT32, "int32", INT32_MAX, (uint64_t)INT32_MAX + 1},
    {PROTOBUF_C_TYPE_SINT32, "sint32", INT32_MAX, (uint64_t)INT32_MAX + 1},
    {PROTOBUF_C_TYPE_SFIXED32, "sfixed32", INT32_MAX, (uint64_t)INT32_MAX + 1},
    {PROTOBUF_C_TYPE_ENUM, "enum", INT32_MAX, (uint64_t)INT32_MAX + 1},
    {PROTOBUF_C_TYPE_INT64, "int64", INT64_MAX, (uint64_t)INT64_MAX + 1},
    {PROTOBUF_C_TYPE_SINT64, "sint64", INT64_MAX, (uint64_t)INT64_MAX + 1},
    {PROTOBUF_C_TYPE_SFIXED64, "sfixed64", INT64_MAX, (uint64_t)INT64_MAX + 1},
    {PROTOBUF_C_TYPE_UINT32, "uint32", UINT32_MAX, 0},
    {PROTOBUF_C_TYPE_FIXED32, "fixed32", UINT32_MAX, 0},
    {PROTOBUF_C_TYPE_UINT64, "uint64", UINT64_MAX, 0},
    {PROTOBUF_C_TYPE_FIXED64, "fixed64", UINT64_MAX, 0},
    {PROTOBUF_C_TYPE_BOOL, "bool", 1, 0},
};

static const struct integer_range *range_of(ProtobufCType type)
{
    for (size_t i = 0; i < sizeof integer_ranges / sizeof integer_ranges[0]; i++)
        if (integer_ranges[i].type == type) return &integer_ranges[i];
    return NULL;
}

static cnnf_status fail_value(const cnnfi_lexer *lexer, const cnnfi_message_field *field, const char *wanted,
                              cnnf_error *error)
{
    const cnnfi_token *token = &lexer->token;
    if (token->kind == CNNFI_TOKEN_END)
        return cnnfi_lexer_fail(lexer, error, "end of file, want %s for '%s'", wanted, field->name);
    if (token->kind == CNNFI_TOKEN_NAME || token->kind == CNNFI_TOKEN_NUMBER)
        return cnnfi_lexer_fail(lexer, error, "'%.64s' is no %s for '%s'", token->text, wanted, field->name);
    return cnnfi_lexer_fail(lexer, error, "'%c' where '%s' wants %s", token->symbol, field->name, wanted);
}

/* Digits in base 8, 10 or 16 as their prefix says; false: not one, or more than 64 bits. */
static bool parse_magnitude(const char *text, uint64_t *out)
{
    uint64_t base = 10, value = 0;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    } else if (text[0] == '0' && text[1] != '\0') {
        base = 8;
        text++;
    }
    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        char low = (char)(*text | 0x20);
        uint64_t digit = *text >= '0' && *text <= '9' ? (uint64_t)(*text - '0')
                         : low >= 'a' && low <= 'f'   ? (uint64_t)(low - 'a' + 10)
                                                      : 16;
        if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

static cnnf_status take_integer(cnnfi_lexer *lexer, const cnnfi_message_field *field, bool negative, uint64_t *out,
                                cnnf_error *error)
{
    const struct integer_range *range = range_of(field->type);
    const char *text = lexer->token.text;
    uint64_t magnitude;
    if (range == NULL || lexer->token.kind != CNNFI_TOKEN_NUMBER) return fail_value(lexer, field, "a number", error);
    size_t digits = strspn(text, "0123456789");
    bool looks = text[digits] == '\0' || (text[0] == '0' && (text[1] | 0x20) == 'x');
    if (!looks) return fail_value(lexer, field, "integer", error);
    if (!parse_magnitude(text, &magnitude) || magnitude > (negative ? range->below : range->above))
        return cnnfi_lexer_fail(lexer, error, "'%s%.64s' does not fit '%s' (%s)", negative ? "-" : "", text,
                                field->name, range->name);
    *out = negative ? 0 - magnitude : magnitude;
    return cnnfi_lexer_next(lexer, error);
}

static bool same_word(const char *text, const char *word)
{
    size_t i = 0;
    while (text[i] != '\0' && (char)(text[i] | 0x20) == word[i])
        i++;
    return text[i] == '\0' && word[i] == '\0';
}

static bool named_float(const char *text, double *out)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"inf", INFINITY}, {"infinity", INFINITY}, {"nan", NAN}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (same_word(text, words[i].word)) {
            *out = words[i].value;
            return true;
        }
    return false;
}

static bool parse_real(const cnnfi_token *token, double *out)
{
    size_t used, length = token->length;
    if (token->kind == CNNFI_TOKEN_NAME) return named_float(token->text, out);
    if (token->kind != CNNFI_TOKEN_NUMBER) return false;
    *out = cnnfi_parse_double(token->text, length, &used);
    if (used > 0 && used + 1 == length && (token->text[used] | 0x20) == 'f') used++;
    return used > 0 && used == length;
}

static cnnf_status take_real(cnnfi_lexer *lexer, const cnnfi_message_field *field, bool negative, uint64_t *out,
                             cnnf_error *error)
{
    double value;
    if (!parse_real(&lexer->token, &value)) return fail_value(lexer, field, "number", error);
    if (negative) value = -value;
    *out = 0;
    if (field->type == PROTOBUF_C_TYPE_FLOAT) {
        float narrow = (float)value; /* by way of double, as TensorFlow's parsers go */
        memcpy(out, &narrow, sizeof narrow);
    } else {
        memcpy(out, &value, sizeof value);
    }
    return cnnfi_lexer_next(lexer, error);
}

static cnnf_status take_bool(cnnfi_lexer *lexer, const cnnfi_message_field *field, uint64_t *out, cnnf_error *error)
{
    static const char *const words[2][3] = {{"false", "False", "f"}, {"true", "True", "t"}};
    if (lexer->token.kind == CNNFI_TOKEN_NUMBER) return take_integer(lexer, field, false, out, error);
    for (size_t value = 0; lexer->token.kind == CNNFI_TOKEN_NAME && value < 2; value++)
        for (size_t i = 0; i < 3; i++)
            if (strcmp(lexer->token.text, words[value][i]) == 0) {
                *out = value;
                return cnnfi_lexer_next(lexer, error);
            }
    return fail_value(lexer, field, "bool", error);
}

static cnnf_status take_enum(cnnfi_lexer *lexer, const cnnfi_message_field *field, uint64_t *out, cnnf_error *error)
{
    if (lexer->token.kind != CNNFI_TOKEN_NAME) return fail_value(lexer, field, "name of a value", error);
    const ProtobufCEnumDescriptor *type = (const ProtobufCEnumDescriptor *)field->descriptor;
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(type, lexer->token.text);
    if (value == NULL) return fail_value(lexer, field, type->short_name, error);
    *out = (uint64_t)(int64_t)value->value;
    return cnnfi_lexer_next(lexer, error);
}

static cnnf_status take_value(cnnfi_lexer *lexer, const cnnfi_message_field *field, uint64_t *out, cnnf_error *error)
{
    bool negative = cnnfi_lexer_is(lexer, '-');
    if (negative) CNNFI_TRY(cnnfi_lexer_next(lexer, error));
    if (field->type == PROTOBUF_C_TYPE_FLOAT || field->type == PROTOBUF_C_TYPE_DOUBLE)
        return take_real(lexer, field, negative, out, error);
    if (field->type == PROTOBUF_C_TYPE_BOOL && !negative) return take_bool(lexer, field, out, error);
    if (field->type == PROTOBUF_C_TYPE_ENUM && !negative && lexer->token.kind != CNNFI_TOKEN_NUMBER)
        return take_enum(lexer, field, out, error);
    return take_integer(lexer, field, negative, out, error);
}

cnnf_status cnnfi_text_number(cnnfi_lexer *lexer, const cnnfi_message_field *field, cnnfi_strbuf *out,
                              cnnf_error *error)
{
    uint64_t value = 0;
    uint32_t wire = cnnfi_message_wire_type(field);
    CNNFI_TRY(take_value(lexer, field, &value, error));
    if (field->type == PROTOBUF_C_TYPE_SINT32 || field->type == PROTOBUF_C_TYPE_SINT64)
        value = value << 1 ^ (uint64_t)((int64_t)value >> 63);
    cnnfi_put_tag(out, field->id, wire);
    if (wire == CNNFI_WIRE_VARINT)
        cnnfi_put_varint(out, value);
    else
        cnnfi_strbuf_add(out, &value, wire == CNNFI_WIRE_FIXED64 ? 8 : 4);
    return CNNF_OK;
}
