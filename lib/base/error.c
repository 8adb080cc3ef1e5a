/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

cnnf_error *cnnf_error_new(void)
{
    cnnf_error *error = calloc(1, sizeof *error);
    if (error) error->offset = -1;
    return error;
}

void cnnf_error_free(cnnf_error *error)
{
    free(error);
}

void cnnf_error_clear(cnnf_error *error)
{
    if (!error) return;
    error->code = CNNF_OK;
    error->offset = -1;
    error->message[0] = error->where[0] = error->node[0] = '\0';
}

cnnf_status cnnf_error_code(const cnnf_error *error)
{
    return error ? error->code : CNNF_OK;
}

const char *cnnf_error_message(const cnnf_error *error)
{
    return error ? error->message : "";
}

const char *cnnf_error_where(const cnnf_error *error)
{
    return error ? error->where : "";
}

const char *cnnf_error_node(const cnnf_error *error)
{
    return error ? error->node : "";
}

int64_t cnnf_error_offset(const cnnf_error *error)
{
    return error ? error->offset : -1;
}

/* ---- one line of text ---- */

/*
 * Control characters (C0, DEL, C1), line and paragraph separators, and the marks that turn the direction of what
 * follows: a name in a message could otherwise write lines of its own, or read differently than it is.
 */
static bool is_printable(const uint8_t *p, size_t length)
{
    if (length == 1) return p[0] >= 0x20 && p[0] != 0x7f;
    if (length == 2) return p[0] != 0xc2 || p[1] >= 0xa0;
    if (length != 3 || p[0] != 0xe2) return true;
    if (p[1] == 0x80) return p[2] < 0xa8 || p[2] > 0xae; /* U+2028 .. U+202E */
    return p[1] != 0x81 || p[2] < 0xa6 || p[2] > 0xa9;   /* U+2066 .. U+2069 */
}

/* One character, or a byte that is none, as it stands in a message; *taken bytes of text are used. */
static size_t print_piece(char out[16], const uint8_t *text, size_t left, size_t *taken)
{
    static const char hex[] = "0123456789abcdef";
    const size_t length = cnnfi_utf8_sequence(text, left);
    *taken = length ? length : 1;
    if (length && is_printable(text, length)) {
        memcpy(out, text, length);
        return length;
    }
    for (size_t i = 0; i < *taken; i++) {
        const char escape[4] = {'\\', 'x', hex[text[i] >> 4], hex[text[i] & 15]};
        memcpy(out + 4 * i, escape, 4);
    }
    return 4 * *taken;
}

static void copy_line(char *out, size_t size, const char *text)
{
    static const char more[] = "...";
    const uint8_t *p = (const uint8_t *)text;
    size_t at = 0, cut = 0; /* cut: the last place that leaves room for `more` */
    for (size_t left = strlen(text), taken; left; p += taken, left -= taken) {
        char piece[16];
        const size_t n = print_piece(piece, p, left, &taken);
        if (at + n >= size) {
            memcpy(out + cut, more, sizeof more);
            return;
        }
        memcpy(out + at, piece, n);
        at += n;
        if (at + sizeof more <= size) cut = at;
    }
    out[at] = '\0';
}

void cnnfi_print_line(char *out, size_t size, const char *format, va_list args)
{
    char text[2 * CNNFI_LINE_BYTES]; /* what does not fit here is cut from the line, which is shorter, in any case */
    if (vsnprintf(text, sizeof text, format, args) < 0) text[0] = '\0';
    copy_line(out, size, text);
}

/* ---- recording ---- */

/* Every record begins empty, so that nothing of an older failure stays; printed first, for args may quote that one. */
static void record(cnnf_error *error, cnnf_status code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static void record(cnnf_error *error, cnnf_status code, const char *format, va_list args)
{
    char message[sizeof error->message];
    cnnfi_print_line(message, sizeof message, format, args);
    cnnf_error_clear(error);
    error->code = code;
    memcpy(error->message, message, sizeof message);
}

cnnf_status(cnnfi_fail)(cnnf_error *error, cnnf_status code, const char *format, ...)
{
    if (!error) return code;
    va_list args;
    va_start(args, format);
    record(error, code, format, args);
    va_end(args);
    return code;
}

cnnf_status(cnnfi_fail_at_node)(cnnf_error *error, cnnf_status code, const char *node, const char *format, ...)
{
    if (!error) return code;
    va_list args;
    va_start(args, format);
    record(error, code, format, args);
    va_end(args);
    return cnnfi_error_at_node(error, code, node);
}

cnnf_status(cnnfi_fail_in_file)(cnnf_error *error, cnnf_status code, const char *file, int64_t offset,
                                const char *format, ...)
{
    if (!error) return code;
    va_list args;
    va_start(args, format);
    record(error, code, format, args);
    va_end(args);
    error->offset = offset;
    return cnnfi_error_in_file(error, code, file);
}

cnnf_status cnnfi_fail_null(cnnf_error *error, const char *function)
{
    return cnnfi_fail(error, CNNF_E_INVALID, "%s: an argument is NULL", function);
}

cnnf_status(cnnfi_fail_nomem)(cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_NOMEM, "out of memory");
}

cnnf_status cnnfi_check_formats(int32_t format, uint32_t allowed, cnnf_error *error)
{
    static const char *const names[] = {
        [CNNF_REPORT_TEXT] = "_TEXT", [CNNF_REPORT_JSON] = "_JSON", [CNNF_REPORT_DOT] = "_DOT",
        [CNNF_REPORT_HTML] = "_HTML", [CNNF_REPORT_SVG] = "_SVG",   [CNNF_REPORT_GTT] = "_GTT"};
    const int32_t known = (int32_t)(sizeof names / sizeof *names);
    char list[64] = "";
    if (format >= 0 && format < known && allowed & CNNFI_FORMAT(format)) return CNNF_OK;
    for (int32_t i = 0; i < known; i++) {
        const size_t used = strlen(list);
        if (allowed & CNNFI_FORMAT(i)) snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", names[i]);
    }
    return cnnfi_fail(error, CNNF_E_INVALID, "report format %d: CNNF_REPORT%s are possible", (int)format, list);
}

cnnf_status cnnfi_fail_limit(cnnf_error *error, const char *what, int32_t limit, uint64_t value, uint64_t allowed)
{
    return cnnfi_fail(error, CNNF_E_LIMIT, "%s: %" PRIu64 " exceeds %s %" PRIu64, what, value, cnnf_limit_name(limit),
                      allowed);
}

/* ---- adding to what is recorded ---- */

cnnf_status cnnfi_error_prefix(cnnf_error *error, cnnf_status code, const char *format, ...)
{
    if (!error) return code;
    char prefix[CNNFI_LINE_BYTES / 2], whole[CNNFI_LINE_BYTES * 2]; /* a long path leaves the message its half */
    va_list args;
    va_start(args, format);
    cnnfi_print_line(prefix, sizeof prefix, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "%s: %s", prefix, error->message);
    copy_line(error->message, sizeof error->message, whole);
    error->code = code;
    return code;
}

cnnf_status cnnfi_error_in_file(cnnf_error *error, cnnf_status code, const char *file)
{
    if (error && error->code) copy_line(error->where, sizeof error->where, file);
    return code;
}

cnnf_status cnnfi_error_at_node(cnnf_error *error, cnnf_status code, const char *node)
{
    if (error && error->code) copy_line(error->node, sizeof error->node, node);
    return code;
}

void cnnfi_error_copy(cnnf_error *to, const cnnf_error *from)
{
    if (to && from) *to = *from;
}
