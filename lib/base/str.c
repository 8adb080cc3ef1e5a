/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"

bool cnnfi_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool cnnfi_ends_with(const char *text, const char *suffix)
{
    const size_t n = strlen(text), m = strlen(suffix);
    return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

bool cnnfi_text_in(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (*text == *list[i] && strcmp(text, list[i]) == 0) return true;
    }
    return false;
}

/* Greedy with one remembered star: no recursion, O(pattern x text) at worst. */
bool cnnfi_glob_match(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

#define EDIT_MAX 256

size_t cnnfi_edit_distance(const char *a, const char *b, size_t cap)
{
    const size_t n = strlen(a), m = strlen(b);
    if (m >= EDIT_MAX || (n > m ? n - m : m - n) >= cap) return cap;
    size_t row[EDIT_MAX]; /* row[j]: distance of a[0..i) to b[0..j) */
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
            const size_t insert = row[j - 1] + 1, delete = row[j] + 1;
            diagonal = row[j];
            row[j] = substitute < insert ? substitute : insert;
            if (delete < row[j]) row[j] = delete;
        }
    }
    return row[m] < cap ? row[m] : cap;
}

void cnnfi_strbuf_init(cnnfi_strbuf *buf, cnnf_context *context)
{
    *buf = (cnnfi_strbuf){.context = context};
}

void cnnfi_strbuf_free(cnnfi_strbuf *buf)
{
    cnnfi_free(buf->context, buf->data);
    cnnfi_strbuf_init(buf, buf->context);
}

/* Room for `more` bytes and the zero byte. */
static bool reserve(cnnfi_strbuf *buf, size_t more)
{
    size_t wanted;
    if (buf->failed) return false;
    if (!cnnfi_add_size(&wanted, buf->size, more) || !cnnfi_add_size(&wanted, wanted, 1)) {
        buf->failed = true;
        return false;
    }
    if (wanted <= buf->capacity) return true;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity < wanted) {
        if (!cnnfi_mul_size(&capacity, capacity, 2)) capacity = wanted;
    }
    char *data = cnnfi_realloc(buf->context, buf->data, capacity);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void cnnfi_strbuf_add(cnnfi_strbuf *buf, const void *bytes, size_t size)
{
    if (!reserve(buf, size)) return;
    if (size) memcpy(buf->data + buf->size, bytes, size);
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void cnnfi_strbuf_puts(cnnfi_strbuf *buf, const char *text)
{
    cnnfi_strbuf_add(buf, text, strlen(text));
}

void cnnfi_strbuf_putc(cnnfi_strbuf *buf, char c)
{
    cnnfi_strbuf_add(buf, &c, 1);
}

void cnnfi_strbuf_printf(cnnfi_strbuf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(buf, (size_t)length)) {
        buf->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(buf->data + buf->size, (size_t)length + 1, format, args);
    va_end(args);
    buf->size += (size_t)length;
}

void cnnfi_strbuf_json_string(cnnfi_strbuf *buf, const char *text)
{
    cnnfi_strbuf_putc(buf, '"');
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            cnnfi_strbuf_putc(buf, '\\');
            cnnfi_strbuf_putc(buf, *text);
        } else if (c < 0x20) {
            cnnfi_strbuf_printf(buf, "\\u%04x", c);
        } else {
            cnnfi_strbuf_putc(buf, *text);
        }
    }
    cnnfi_strbuf_putc(buf, '"');
}

cnnf_status cnnfi_strbuf_finish(cnnfi_strbuf *buf, cnnf_buffer **out, cnnf_error *error)
{
    cnnf_buffer *buffer = buf->failed ? NULL : cnnfi_buffer_new(buf->context, buf->size);
    if (buffer && buf->size) memcpy(cnnfi_buffer_mut(buffer), buf->data, buf->size);
    cnnfi_strbuf_free(buf);
    *out = buffer;
    return buffer ? CNNF_OK : cnnfi_fail_nomem(error);
}
