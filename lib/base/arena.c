/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"

/* Pages grow with the arena: an eighth of what it has, within these bounds. */
#define LEAST_PAGE_BYTES ((size_t)16 * 1024)
#define MOST_PAGE_BYTES  ((size_t)8 * 1024 * 1024)
#define ALIGNMENT        16

struct cnnfi_arena_page {
    struct cnnfi_arena_page *next;
    size_t size, used; /* of data */
    _Alignas(ALIGNMENT) unsigned char data[];
};

void cnnfi_arena_init(cnnfi_arena *arena, cnnf_context *context)
{
    *arena = (cnnfi_arena){.context = context};
}

void cnnfi_arena_free(cnnfi_arena *arena)
{
    while (arena->pages) {
        struct cnnfi_arena_page *next = arena->pages->next;
        cnnfi_free(arena->context, arena->pages);
        arena->pages = next;
    }
    arena->bytes = 0;
}

static size_t page_bytes(const cnnfi_arena *arena)
{
    const size_t wanted = arena->bytes / 8;
    if (wanted < LEAST_PAGE_BYTES) return LEAST_PAGE_BYTES;
    return wanted < MOST_PAGE_BYTES ? wanted : MOST_PAGE_BYTES;
}

/* A page with room for `size`; a big block gets a page of its own behind the current one. */
static struct cnnfi_arena_page *page_for(cnnfi_arena *arena, size_t size)
{
    struct cnnfi_arena_page *first = arena->pages;
    if (first && first->size - first->used >= size) return first;
    const bool own = size > LEAST_PAGE_BYTES / 4;
    const size_t page_size = own ? size : page_bytes(arena);
    size_t total;
    if (!cnnfi_add_size(&total, page_size, sizeof *first)) return NULL;
    struct cnnfi_arena_page *page = cnnfi_malloc(arena->context, total);
    if (!page) return NULL;
    page->size = page_size;
    page->used = 0;
    arena->bytes += page_size;
    if (first && own) {
        page->next = first->next;
        first->next = page;
    } else {
        page->next = first;
        arena->pages = page;
    }
    return page;
}

void *cnnfi_arena_alloc(cnnfi_arena *arena, size_t size)
{
    size_t rounded;
    if (!cnnfi_add_size(&rounded, size ? size : 1, ALIGNMENT - 1)) return NULL;
    rounded &= ~(size_t)(ALIGNMENT - 1);
    struct cnnfi_arena_page *page = page_for(arena, rounded);
    if (!page) return NULL;
    void *block = page->data + page->used;
    page->used += rounded;
    memset(block, 0, rounded);
    return block;
}

void *cnnfi_arena_array(cnnfi_arena *arena, size_t count, size_t size)
{
    size_t total;
    return cnnfi_mul_size(&total, count, size) ? cnnfi_arena_alloc(arena, total) : NULL;
}

char *cnnfi_arena_strndup(cnnfi_arena *arena, const void *bytes, size_t length)
{
    size_t size;
    char *copy = cnnfi_add_size(&size, length, 1) ? cnnfi_arena_alloc(arena, size) : NULL;
    if (copy && length) memcpy(copy, bytes, length);
    return copy;
}

char *cnnfi_arena_strdup(cnnfi_arena *arena, const char *text)
{
    return cnnfi_arena_strndup(arena, text, strlen(text));
}

char *cnnfi_arena_printf(cnnfi_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length >= 0 ? cnnfi_arena_alloc(arena, (size_t)length + 1) : NULL;
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}
