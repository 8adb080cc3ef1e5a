/* SPDX-License-Identifier: Apache-2.0 */
/* The context from inside: allocation that counts against max_memory, limits, log. */
#ifndef CNNFI_BASE_CONTEXT_H
#define CNNFI_BASE_CONTEXT_H

#include <stdbool.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>

/* Aligned like malloc's (16 bytes). NULL when memory or CNNF_LIMIT_MEMORY is out; size 0 is taken as 1. */
void *cnnfi_malloc(cnnf_context *context, size_t size);
void *cnnfi_calloc(cnnf_context *context, size_t count, size_t size); /* zeroed, product checked */
void *cnnfi_array(cnnf_context *context, size_t count, size_t size);  /* not zeroed, product checked */
void *cnnfi_realloc(cnnf_context *context, void *pointer, size_t size);
void cnnfi_free(cnnf_context *context, void *pointer); /* NULL is allowed */
char *cnnfi_strdup(cnnf_context *context, const char *text);
char *cnnfi_strndup(cnnf_context *context, const char *text, size_t length);

/* Memory that another library will take by itself, booked as if it were the context's until it is given back. false =
   CNNF_LIMIT_MEMORY is out. */
bool cnnfi_reserve(cnnf_context *context, size_t size);
void cnnfi_unreserve(cnnf_context *context, size_t size);

/* Room for one more in a growing array: doubles *capacity when count == *capacity. false = no memory. */
bool cnnfi_grow(cnnf_context *context, void **array, size_t *capacity, size_t count, size_t item_size);

/*
 * Two words that a file's author cannot know or choose: hashes of names are keyed with them. Made when the context is,
 * from where it and the stack lie and from the clock; nothing that is written or returned depends on them.
 */
const uint64_t *cnnfi_hash_key(const cnnf_context *context);

uint64_t cnnfi_limit(const cnnf_context *context, int32_t limit);
/* CNNF_OK when value <= the limit, else CNNF_E_LIMIT with `what` in the message. */
cnnf_status cnnfi_check_limit(const cnnf_context *context, int32_t limit, uint64_t value, const char *what,
                              cnnf_error *error);

void cnnfi_log(const cnnf_context *context, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells the context's owner of a temporary file that will be, or is no more. */
void cnnfi_tell_temporary(const cnnf_context *context, const char *path, bool exists);
/* Where nameless temporary files go. */
const char *cnnfi_temporary_folder(const cnnf_context *context);
/* CNNF_OK when `format` is one of CNNF_REPORT_TEXT .. `last`, else CNNF_E_INVALID with those that are. */
cnnf_status cnnfi_check_report_format(int32_t format, int32_t last, cnnf_error *error);

/* A cnnf_buffer of `size` bytes (plus a zero byte) to fill; NULL = no memory. */
cnnf_buffer *cnnfi_buffer_new(cnnf_context *context, size_t size);
void *cnnfi_buffer_mut(cnnf_buffer *buffer);

#endif
