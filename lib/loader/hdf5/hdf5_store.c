/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_store.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"

void cnnfi_h5_store_init(cnnfi_h5_store *store, cnnf_context *context, cnnfi_source *source, uint64_t base,
                         uint64_t size, const char *name, cnnf_error *error)
{
    *store = (cnnfi_h5_store){
        .context = context, .source = source, .base = base, .size = size, .name = name, .path = "/", .error = error};
    cnnfi_arena_init(&store->arena, context);
    cnnfi_arena_init(&store->scratch, context);
    cnnfi_strmap_init(&store->collections, context);
}

void cnnfi_h5_store_free(cnnfi_h5_store *store)
{
    cnnfi_free(store->context, store->shown);
    cnnfi_free(store->context, store->heaps);
    cnnfi_strmap_free(&store->collections);
    cnnfi_arena_free(&store->scratch);
    cnnfi_arena_free(&store->arena);
}

void cnnfi_h5_scratch_reset(cnnfi_h5_store *store)
{
    cnnfi_arena_free(&store->scratch);
    cnnfi_arena_init(&store->scratch, store->context);
}

cnnf_status cnnfi_h5_fail(cnnfi_h5_store *store, cnnf_status code, uint64_t at, const char *format, ...)
{
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return cnnfi_fail_in_file(store->error, code, store->name, (int64_t)(store->base + at),
                              "%s: HDF5: '%s': at %" PRIu64 ": %s", store->name, store->path, store->base + at, what);
}

/* libhdf5 may see these bytes. */
static cnnf_status show(cnnfi_h5_store *store, uint64_t at, uint64_t size)
{
    void *grown = store->shown;
    if (!cnnfi_grow(store->context, &grown, &store->shown_capacity, store->n_shown, sizeof *store->shown))
        return cnnfi_fail_nomem(store->error);
    store->shown = grown;
    store->shown[store->n_shown++] = (cnnfi_h5_span){store->base + at, size};
    return CNNF_OK;
}

cnnf_status cnnfi_h5_fetch(cnnfi_h5_store *store, cnnfi_arena *arena, uint64_t at, uint64_t size, const uint8_t **out,
                           const char *what)
{
    if (!cnnfi_range_fits(at, size, store->size))
        return CNNFI_H5_CORRUPT(store, at, "%s of %" PRIu64 " bytes lies outside the file", what, size);
    /* A structure is read once or twice; one that is met again and again is a loop, or shared to multiply work. */
    store->fetched += size + 16;
    if (store->fetched > 4 * store->size + 65536) return CNNFI_H5_CORRUPT(store, at, "its structures overlap");
    CNNFI_TRY(cnnfi_budget_spend(store->budget, cnnfi_steps_of_bytes(size), store->error));
    uint8_t *bytes = cnnfi_arena_alloc(arena, (size_t)size + 1);
    if (!bytes) return cnnfi_fail_nomem(store->error);
    *out = bytes;
    CNNFI_TRY(cnnfi_source_read(store->source, store->base + at, bytes, (size_t)size, store->error));
    return store->showing ? show(store, at, size) : CNNF_OK;
}

cnnf_status cnnfi_h5_fetch_checked(cnnfi_h5_store *store, cnnfi_arena *arena, uint64_t at, uint64_t size,
                                   const char *signature, const uint8_t **out, const char *what)
{
    CNNFI_TRY(cnnfi_h5_fetch(store, arena, at, size, out, what));
    if (size < 8 || memcmp(*out, signature, 4) != 0) return CNNFI_H5_CORRUPT(store, at, "not %s", what);
    uint32_t stored = cnnfi_le32(*out + size - 4), found = cnnfi_h5_lookup3(*out, (size_t)size - 4);
    if (stored != found)
        return CNNFI_H5_CORRUPT(store, at, "the checksum of %s is %08" PRIx32 ", the file says %08" PRIx32, what, found,
                                stored);
    return CNNF_OK;
}

void *cnnfi_h5_append(cnnfi_arena *arena, void **array, size_t *capacity, size_t *count, size_t item_size)
{
    if (*count == *capacity) {
        size_t larger = *capacity ? 2 * *capacity : 8;
        void *grown = cnnfi_arena_array(arena, larger, item_size);
        if (!grown) return NULL;
        if (*count > 0) memcpy(grown, *array, *count * item_size);
        *array = grown;
        *capacity = larger;
    }
    return (char *)*array + (*count)++ * item_size;
}

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

/* lookup3.c, Bob Jenkins, May 2006, public domain: mix() and final(). */
static void mix(uint32_t s[3])
{
    static const uint8_t by[6] = {4, 6, 8, 16, 19, 4};
    for (unsigned i = 0; i < 6; i++) {
        uint32_t *x = &s[i % 3], *y = &s[(i + 1) % 3], *z = &s[(i + 2) % 3];
        *x -= *z;
        *x ^= rotate(*z, by[i]);
        *z += *y;
    }
}

static uint32_t final(uint32_t s[3])
{
    static const uint8_t by[7] = {14, 11, 25, 16, 4, 14, 24};
    for (unsigned i = 0; i < 7; i++) {
        uint32_t *x = &s[(i + 2) % 3], y = s[(i + 1) % 3];
        *x ^= y;
        *x -= rotate(y, by[i]);
    }
    return s[2];
}

uint32_t cnnfi_h5_lookup3(const void *data, size_t size)
{
    const uint8_t *p = data;
    const uint32_t start = 0xdeadbeefu + (uint32_t)size;
    uint32_t s[3] = {start, start, start};
    uint8_t tail[12] = {0};
    for (; size > 12; size -= 12, p += 12) {
        for (unsigned i = 0; i < 3; i++)
            s[i] += cnnfi_le32(p + 4 * i);
        mix(s);
    }
    if (size == 0) return s[2];
    memcpy(tail, p, size);
    for (unsigned i = 0; i < 3; i++)
        s[i] += cnnfi_le32(tail + 4 * i);
    return final(s);
}

uint64_t cnnfi_h5_uint(const uint8_t *p, size_t width)
{
    uint64_t value = 0;
    memcpy(&value, p, width < sizeof value ? width : sizeof value); /* hosts are little-endian (meson.build) */
    return value;
}

unsigned cnnfi_h5_log2(uint64_t value)
{
    return 63u - (unsigned)__builtin_clzll(value | 1);
}

unsigned cnnfi_h5_width(uint64_t limit)
{
    return cnnfi_h5_log2(limit) / 8 + 1;
}
