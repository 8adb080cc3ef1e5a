/* SPDX-License-Identifier: Apache-2.0 */
/* Small string helpers without locale, and a growing text buffer. */
#ifndef CNNFI_BASE_STR_H
#define CNNFI_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>

/* A piece of memory that somebody else owns. */
typedef struct cnnfi_bytes {
    const uint8_t *data;
    size_t size;
} cnnfi_bytes;

bool cnnfi_starts_with(const char *text, const char *prefix);
bool cnnfi_ends_with(const char *text, const char *suffix);
/* Whether the text is one of the list. */
bool cnnfi_text_in(const char *text, const char *const *list, size_t count);
/* '*' and '?' ('*' crosses '/'); linear time. */
bool cnnfi_glob_match(const char *pattern, const char *text);
/* Edit distance, capped at `cap` (then `cap` is returned). */
size_t cnnfi_edit_distance(const char *a, const char *b, size_t cap);

/* Text or bytes under construction; remembers a failed allocation until asked. */
typedef struct cnnfi_strbuf {
    cnnf_context *context; /* borrowed */
    char *data;            /* always zero-terminated when not NULL */
    size_t size, capacity;
    bool failed;
} cnnfi_strbuf;

void cnnfi_strbuf_init(cnnfi_strbuf *buf, cnnf_context *context);
void cnnfi_strbuf_free(cnnfi_strbuf *buf);
void cnnfi_strbuf_add(cnnfi_strbuf *buf, const void *bytes, size_t size);
void cnnfi_strbuf_puts(cnnfi_strbuf *buf, const char *text);
void cnnfi_strbuf_putc(cnnfi_strbuf *buf, char c);
void cnnfi_strbuf_printf(cnnfi_strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cnnfi_strbuf_json_string(cnnfi_strbuf *buf, const char *text); /* quoted and escaped */
/* Moves the content into a new cnnf_buffer; CNNF_E_NOMEM when anything failed. Empties buf. */
cnnf_status cnnfi_strbuf_finish(cnnfi_strbuf *buf, cnnf_buffer **out, cnnf_error *error);

#endif
