/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocator: many small things that die together (one graph, one load, one plan). */
#ifndef CNNFI_BASE_ARENA_H
#define CNNFI_BASE_ARENA_H

#include <stddef.h>

#include <cnnfreeze/context.h>

typedef struct cnnfi_arena {
    cnnf_context *context; /* borrowed */
    struct cnnfi_arena_page *pages;
    size_t bytes; /* of all pages */
} cnnfi_arena;

void cnnfi_arena_init(cnnfi_arena *arena, cnnf_context *context);
void cnnfi_arena_free(cnnfi_arena *arena);                              /* everything at once; may be called twice */
void *cnnfi_arena_alloc(cnnfi_arena *arena, size_t size);               /* zeroed, aligned to 16; NULL = no memory */
void *cnnfi_arena_array(cnnfi_arena *arena, size_t count, size_t size); /* product checked, zeroed */
char *cnnfi_arena_strdup(cnnfi_arena *arena, const char *text);
char *cnnfi_arena_strndup(cnnfi_arena *arena, const void *bytes, size_t length); /* zero byte added */
char *cnnfi_arena_printf(cnnfi_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
