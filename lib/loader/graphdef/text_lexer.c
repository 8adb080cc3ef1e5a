/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/graphdef/text_lexer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"

#define WINDOW_BYTES ((size_t)64 * 1024)
#define END_OF_FILE  (-1)
/* A step, in bytes. */
#define STEP_BYTES 64
/* Strings are handed on in pieces of about this size. */
#define GATHERED_BYTES ((size_t)8192)

static cnnf_status fail_at(const cnnfi_lexer *lexer, cnnf_status code, uint64_t line, uint64_t column,
                           cnnf_error *error, const char *format, va_list arguments)
    __attribute__((format(printf, 6, 0)));
static cnnf_status fail_at(const cnnfi_lexer *lexer, cnnf_status code, uint64_t line, uint64_t column,
                           cnnf_error *error, const char *format, va_list arguments)
{
    char what[512];
    const char *name = cnnfi_source_name(lexer->source);
    vsnprintf(what, sizeof what, format, arguments);
    return cnnfi_fail_in_file(error, code, name, (int64_t)cnnfi_lexer_offset(lexer), "%s:%" PRIu64 ":%" PRIu64 ": %s",
                              name, line, column, what);
}

cnnf_status cnnfi_lexer_fail(const cnnfi_lexer *lexer, cnnf_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail_at(lexer, CNNF_E_CORRUPT, lexer->token.line, lexer->token.column, error, format, arguments);
    va_end(arguments);
    return CNNF_E_CORRUPT;
}

cnnf_status cnnfi_lexer_fail_with(const cnnfi_lexer *lexer, cnnf_status code, cnnf_error *error, const char *format,
                                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail_at(lexer, code, lexer->token.line, lexer->token.column, error, format, arguments);
    va_end(arguments);
    return code;
}

uint64_t cnnfi_lexer_offset(const cnnfi_lexer *lexer)
{
    return lexer->window_at + lexer->at;
}

/* At the character that comes next. */
static cnnf_status fail_here(cnnfi_lexer *lexer, cnnf_error *error, const char *what)
{
    lexer->token.line = lexer->line;
    lexer->token.column = cnnfi_lexer_offset(lexer) - lexer->line_start + 1;
    return cnnfi_lexer_fail(lexer, error, "%s", what);
}

static cnnf_status fill(cnnfi_lexer *lexer, cnnf_error *error)
{
    uint64_t at = cnnfi_lexer_offset(lexer), left = cnnfi_source_size(lexer->source) - at;
    if (lexer->at < lexer->window_size || left == 0) return CNNF_OK;
    size_t size = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
    lexer->window_size = lexer->at = 0;
    lexer->window_at = at;
    CNNFI_TRY(cnnfi_source_read(lexer->source, at, lexer->owned, size, error));
    lexer->window_size = size;
    return CNNF_OK;
}

/* The next character, not taken. */
static cnnf_status peek(cnnfi_lexer *lexer, int *c, cnnf_error *error)
{
    if (lexer->at == lexer->window_size) CNNFI_TRY(fill(lexer, error));
    *c = lexer->at < lexer->window_size ? lexer->window[lexer->at] : END_OF_FILE;
    return CNNF_OK;
}

static void take(cnnfi_lexer *lexer, int c)
{
    lexer->at++;
    if (c != '\n') return;
    lexer->line++;
    lexer->line_start = cnnfi_lexer_offset(lexer);
}

cnnf_status cnnfi_lexer_init(cnnfi_lexer *lexer, cnnfi_source *source, cnnfi_budget *budget, cnnf_error *error)
{
    cnnf_context *context = cnnfi_source_context(source);
    *lexer = (cnnfi_lexer){.source = source, .budget = budget, .line = 1, .window = cnnfi_source_memory(source)};
    if (lexer->window != NULL) {
        lexer->window_size = (size_t)cnnfi_source_size(source);
    } else {
        lexer->owned = (uint8_t *)cnnfi_malloc(context, WINDOW_BYTES);
        if (lexer->owned == NULL) return cnnfi_fail_nomem(error);
        lexer->window = lexer->owned;
    }
    CNNFI_TRY(fill(lexer, error));
    if (lexer->window_size >= 3 && memcmp(lexer->window, "\xef\xbb\xbf", 3) == 0) lexer->at = 3;
    return cnnfi_lexer_next(lexer, error);
}

void cnnfi_lexer_free(cnnfi_lexer *lexer)
{
    cnnfi_free(cnnfi_source_context(lexer->source), lexer->owned);
    lexer->owned = NULL;
}

/* ---- tokens ---- */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static cnnf_status skip_blank(cnnfi_lexer *lexer, int *c, cnnf_error *error)
{
    bool comment = false;
    for (;;) {
        CNNFI_TRY(peek(lexer, c, error));
        if (*c == END_OF_FILE) return CNNF_OK;
        if (*c == '#') comment = true;
        if (*c == '\n') comment = false;
        bool blank = *c == ' ' || (*c >= '\t' && *c <= '\r');
        if (!comment && !blank) return CNNF_OK;
        take(lexer, *c);
    }
}

static cnnf_status take_text(cnnfi_lexer *lexer, bool (*more)(int c, int before), cnnf_error *error)
{
    cnnfi_token *token = &lexer->token;
    int c, before = 0;
    for (;;) {
        CNNFI_TRY(peek(lexer, &c, error));
        if (c == END_OF_FILE || !more(c, before)) break;
        if (token->length + 1 == sizeof token->text)
            return cnnfi_lexer_fail(lexer, error, "a name or number of more than %zu bytes", sizeof token->text - 1);
        token->text[token->length++] = (char)c;
        take(lexer, c);
        before = c;
    }
    token->text[token->length] = '\0';
    return CNNF_OK;
}

static bool more_name(int c, int before)
{
    return is_name(c);
}

/* 1, 0x1f, 1.5e-3, 2f: a sign belongs to it after an exponent's letter. */
static bool more_number(int c, int before)
{
    return is_name(c) || c == '.' || ((c == '-' || c == '+') && (before == 'e' || before == 'E'));
}

/* For what was read since the last time. */
static cnnf_status pay(cnnfi_lexer *lexer, cnnf_error *error)
{
    const uint64_t steps = (cnnfi_lexer_offset(lexer) - lexer->paid) / STEP_BYTES;
    lexer->paid += steps * STEP_BYTES;
    return steps ? cnnfi_budget_spend(lexer->budget, steps, error) : CNNF_OK;
}

cnnf_status cnnfi_lexer_next(cnnfi_lexer *lexer, cnnf_error *error)
{
    cnnfi_token *token = &lexer->token;
    int c;
    CNNFI_TRY(skip_blank(lexer, &c, error));
    CNNFI_TRY(pay(lexer, error));
    token->line = lexer->line;
    token->column = cnnfi_lexer_offset(lexer) - lexer->line_start + 1;
    token->length = 0;
    token->symbol = c == END_OF_FILE ? '\0' : (char)c;
    token->kind = c == END_OF_FILE ? CNNFI_TOKEN_END : CNNFI_TOKEN_SYMBOL;
    if (is_digit(c) || c == '.') {
        token->kind = CNNFI_TOKEN_NUMBER;
        return take_text(lexer, more_number, error);
    }
    if (is_name(c)) {
        token->kind = CNNFI_TOKEN_NAME;
        return take_text(lexer, more_name, error);
    }
    if (c == '"' || c == '\'') token->kind = CNNFI_TOKEN_STRING;
    if (c == 0) return cnnfi_lexer_fail(lexer, error, "zero byte");
    if (c != END_OF_FILE) take(lexer, c);
    return CNNF_OK;
}

bool cnnfi_lexer_is(const cnnfi_lexer *lexer, char symbol)
{
    return lexer->token.kind == CNNFI_TOKEN_SYMBOL && lexer->token.symbol == symbol;
}

/* ---- strings ---- */

static int digit_value(int c)
{
    if (is_digit(c)) return c - '0';
    int low = c | 0x20;
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : 16;
}

/* Up to `most` digits of a base, at least `least`. */
static cnnf_status take_digits(cnnfi_lexer *lexer, int base, size_t least, size_t most, uint32_t *out,
                               cnnf_error *error)
{
    size_t n = 0;
    *out = 0;
    for (; n < most; n++) {
        int c;
        CNNFI_TRY(peek(lexer, &c, error));
        if (c == END_OF_FILE || digit_value(c) >= base) break;
        *out = *out * (uint32_t)base + (uint32_t)digit_value(c);
        take(lexer, c);
    }
    return n >= least ? CNNF_OK : fail_here(lexer, error, "bad escape in string");
}

static size_t put_utf8(uint8_t out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i > 1; i--, c >>= 6)
        out[i - 1] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)((0xf00u >> n) | c);
    return n;
}

static cnnf_status take_unicode(cnnfi_lexer *lexer, size_t digits, uint8_t out[4], size_t *size, cnnf_error *error)
{
    uint32_t c;
    CNNFI_TRY(take_digits(lexer, 16, digits, digits, &c, error));
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return fail_here(lexer, error, "no such character");
    *size = put_utf8(out, c);
    return CNNF_OK;
}

/* Three octal digits in the window: nearly all that tensor contents consist of. */
static bool take_octal(cnnfi_lexer *lexer, uint8_t *out)
{
    const uint8_t *c = lexer->window + lexer->at;
    if (lexer->window_size - lexer->at < 3 || (c[0] & ~3) != '0' || (c[1] & ~7) != '0' || (c[2] & ~7) != '0')
        return false;
    *out = (uint8_t)((c[0] & 3) << 6 | (c[1] & 7) << 3 | (c[2] & 7));
    lexer->at += 3;
    return true;
}

/* What follows a backslash. */
static cnnf_status take_escape(cnnfi_lexer *lexer, uint8_t out[4], size_t *size, cnnf_error *error)
{
    static const char named[] = "n\nr\rt\ta\ab\bf\fv\v\\\\''\"\"??";
    int c;
    uint32_t value;
    *size = 1;
    if (take_octal(lexer, out)) return CNNF_OK;
    CNNFI_TRY(peek(lexer, &c, error));
    if (c >= '0' && c <= '7') {
        CNNFI_TRY(take_digits(lexer, 8, 1, 3, &value, error));
        out[0] = (uint8_t)value;
        return value <= 0xff ? CNNF_OK : fail_here(lexer, error, "bad escape in string");
    }
    if (c != END_OF_FILE && c != '\n') take(lexer, c);
    if (c == 'x' || c == 'X') {
        CNNFI_TRY(take_digits(lexer, 16, 1, 2, &value, error));
        out[0] = (uint8_t)value;
        return CNNF_OK;
    }
    if (c == 'u') return take_unicode(lexer, 4, out, size, error);
    if (c == 'U') return take_unicode(lexer, 8, out, size, error);
    for (size_t i = 0; i + 1 < sizeof named; i += 2)
        if (c == named[i]) {
            out[0] = (uint8_t)named[i + 1];
            return CNNF_OK;
        }
    return fail_here(lexer, error, "bad escape in string");
}

typedef cnnf_status (*piece_fn)(const void *data, size_t size, void *user, cnnf_error *error);

/* Plain characters up to the next that means something, at most `most`. */
static size_t plain_run(const cnnfi_lexer *lexer, char quote, size_t most)
{
    const uint8_t *from = lexer->window + lexer->at;
    size_t left = lexer->window_size - lexer->at, n = 0;
    if (left > most) left = most;
    while (n < left && from[n] != (uint8_t)quote && from[n] != '\\' && from[n] != '\n' && from[n] != 0)
        n++;
    return n;
}

static cnnf_status one_string(cnnfi_lexer *lexer, piece_fn piece, void *user, cnnf_error *error)
{
    uint8_t gathered[GATHERED_BYTES + 4];
    size_t n = 0, size;
    char quote = lexer->token.symbol;
    for (;;) {
        int c;
        CNNFI_TRY(peek(lexer, &c, error));
        if (c == END_OF_FILE || c == '\n') return cnnfi_lexer_fail(lexer, error, "unterminated string");
        if (c == 0) return fail_here(lexer, error, "zero byte in string");
        if (c == quote) break;
        if (c == '\\') {
            take(lexer, c);
            CNNFI_TRY(take_escape(lexer, gathered + n, &size, error));
        } else {
            size = plain_run(lexer, quote, GATHERED_BYTES - n);
            memcpy(gathered + n, lexer->window + lexer->at, size);
            lexer->at += size;
        }
        n += size;
        if (n < GATHERED_BYTES) continue;
        CNNFI_TRY(piece(gathered, n, user, error));
        n = 0;
    }
    take(lexer, quote);
    CNNFI_TRY(piece(gathered, n, user, error));
    return cnnfi_lexer_next(lexer, error);
}

cnnf_status cnnfi_lexer_string(cnnfi_lexer *lexer, piece_fn piece, void *user, cnnf_error *error)
{
    while (lexer->token.kind == CNNFI_TOKEN_STRING)
        CNNFI_TRY(one_string(lexer, piece, user, error));
    return CNNF_OK;
}
