/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    memset(error, 0, sizeof *error);
    error->offset = -1;
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

/* One line of printable text: what a file smuggles into a message comes out as \xNN. UTF-8 stays. */
static void copy_printable(char *out, size_t size, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (; *text && at + 1 < size; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f) {
            out[at++] = *text;
        } else {
            if (at + 5 > size) break;
            out[at++] = '\\';
            out[at++] = 'x';
            out[at++] = hex[c >> 4];
            out[at++] = hex[c & 15];
        }
    }
    out[at] = '\0';
}

static void format_message(cnnf_error *error, const char *format, va_list args)
{
    char text[sizeof error->message];
    vsnprintf(text, sizeof text, format, args);
    copy_printable(error->message, sizeof error->message, text);
}

cnnf_status(cnnfi_fail)(cnnf_error *error, cnnf_status code, const char *format, ...)
{
    if (!error) return code;
    cnnf_error_clear(error);
    error->code = code;
    va_list args;
    va_start(args, format);
    format_message(error, format, args);
    va_end(args);
    return code;
}

cnnf_status(cnnfi_fail_nomem)(cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_NOMEM, "out of memory");
}

cnnf_status cnnfi_fail_limit(cnnf_error *error, const char *what, int32_t limit, uint64_t value, uint64_t allowed)
{
    return cnnfi_fail(error, CNNF_E_LIMIT, "%s: %" PRIu64 " exceeds %s %" PRIu64, what, value, cnnf_limit_name(limit),
                      allowed);
}

cnnf_status cnnfi_error_prefix(cnnf_error *error, cnnf_status code, const char *format, ...)
{
    if (!error) return code;
    char prefix[512], whole[sizeof error->message + 516];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "%s: %s", prefix, error->message);
    copy_printable(error->message, sizeof error->message, whole);
    error->code = code;
    return code;
}

void cnnfi_error_set_where(cnnf_error *error, const char *path)
{
    if (error) copy_printable(error->where, sizeof error->where, path ? path : "");
}

void cnnfi_error_set_node(cnnf_error *error, const char *node)
{
    if (error) copy_printable(error->node, sizeof error->node, node ? node : "");
}

void cnnfi_error_set_offset(cnnf_error *error, int64_t offset)
{
    if (error) error->offset = offset;
}

void cnnfi_error_copy(cnnf_error *to, const cnnf_error *from)
{
    if (to && from) memcpy(to, from, sizeof *to);
}
