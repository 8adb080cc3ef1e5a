/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_filter.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <zlib.h>

#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"

#define MAX_EXPANSION 1040u /* deflate cannot do better than 1032:1 */
#define CHECKSUM      4u    /* bytes that fletcher32 adds */

cnnf_status cnnfi_h5_check_filters(cnnfi_h5_store *store, const cnnfi_h5_filters *filters, uint64_t element_size,
                                   const char *where)
{
    unsigned deflates = 0;
    for (unsigned i = 0; i < filters->count; i++) {
        const unsigned id = filters->id[i];
        if (id != CNNFI_H5_DEFLATE && id != CNNFI_H5_SHUFFLE && id != CNNFI_H5_FLETCHER32)
            return cnnfi_fail(store->error, CNNF_E_UNSUPPORTED,
                              "%s: filter %u is not supported (deflate, shuffle, fletcher32 are)", where, id);
        deflates += id == CNNFI_H5_DEFLATE;
        if (id == CNNFI_H5_SHUFFLE && filters->first_value[i] != element_size)
            return cnnfi_fail(store->error, CNNF_E_CORRUPT,
                              "%s: shuffled in elements of %" PRIu32 " bytes, its own have %" PRIu64, where,
                              filters->first_value[i], element_size);
    }
    if (deflates > 1) return cnnfi_fail(store->error, CNNF_E_UNSUPPORTED, "%s: deflated twice; not supported", where);
    return CNNF_OK;
}

static bool applied(const cnnfi_h5_filters *filters, const cnnfi_h5_chunk *chunk, unsigned i)
{
    return !(chunk->mask >> i & 1);
}

/* Bytes after the first `n` filters, as long as none of them is deflate. */
static uint64_t size_before(const cnnfi_h5_filters *filters, const cnnfi_h5_chunk *chunk, uint64_t bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (applied(filters, chunk, i) && filters->id[i] == CNNFI_H5_FLETCHER32) bytes += CHECKSUM;
    return bytes;
}

/* The filter that is deflate and was applied, or the count. */
static unsigned deflate_at(const cnnfi_h5_filters *filters, const cnnfi_h5_chunk *chunk)
{
    unsigned i = 0;
    while (i < filters->count && !(filters->id[i] == CNNFI_H5_DEFLATE && applied(filters, chunk, i)))
        i++;
    return i;
}

cnnf_status cnnfi_h5_check_chunk_size(cnnfi_h5_store *store, const cnnfi_h5_filters *filters,
                                      const cnnfi_h5_chunk *chunk, uint64_t bytes)
{
    const bool deflated = deflate_at(filters, chunk) < filters->count;
    const uint64_t plain = size_before(filters, chunk, bytes, filters->count);
    if (deflated ? bytes / MAX_EXPANSION <= chunk->size : plain == chunk->size) return CNNF_OK;
    return CNNFI_H5_CORRUPT(store, chunk->at, "a chunk of %" PRIu64 " bytes is stored in %" PRIu64, bytes, chunk->size);
}

/* ---- fletcher32 ---- */

/* Sums of big-endian 16-bit words modulo 65535, as H5_checksum_fletcher32() has them; 360 words cannot overflow. */
static uint32_t fletcher32(const uint8_t *p, size_t size)
{
    uint32_t sum1 = 0, sum2 = 0;
    for (size_t words = size / 2; words > 0;) {
        const size_t now = words < 360 ? words : 360;
        for (size_t i = 0; i < now; i++, p += 2) {
            sum1 += (uint32_t)p[0] << 8 | p[1];
            sum2 += sum1;
        }
        sum1 = (sum1 & 0xffff) + (sum1 >> 16);
        sum2 = (sum2 & 0xffff) + (sum2 >> 16);
        words -= now;
    }
    if (size % 2) {
        sum1 += (uint32_t)*p << 8;
        sum2 += sum1;
        sum1 = (sum1 & 0xffff) + (sum1 >> 16);
        sum2 = (sum2 & 0xffff) + (sum2 >> 16);
    }
    sum1 = (sum1 & 0xffff) + (sum1 >> 16);
    sum2 = (sum2 & 0xffff) + (sum2 >> 16);
    return sum2 << 16 | sum1;
}

/* HDF5 before 1.6.3 swapped the bytes of each half; both are good. */
static cnnf_status verify(cnnfi_h5_store *store, uint64_t at, const uint8_t *p, size_t *size)
{
    if (*size < CHECKSUM) return CNNFI_H5_CORRUPT(store, at, "a chunk of %zu bytes has no checksum", *size);
    *size -= CHECKSUM;
    const uint32_t stored = cnnfi_le32(p + *size), found = fletcher32(p, *size);
    if (stored == found || stored == ((found & 0x00ff00ffu) << 8 | (found >> 8 & 0x00ff00ffu))) return CNNF_OK;
    return CNNFI_H5_CORRUPT(store, at, "a chunk's fletcher32 is %08" PRIx32 ", the file says %08" PRIx32, found,
                            stored);
}

/* ---- shuffle ---- */

/* First bytes of all elements, second bytes, ...; what is no whole element stays at the end. */
static void unshuffle(const uint8_t *from, uint8_t *to, size_t size, size_t element)
{
    const size_t count = size / element;
    for (size_t byte = 0; byte < element; byte++)
        for (size_t i = 0; i < count; i++)
            to[i * element + byte] = from[byte * count + i];
    memcpy(to + count * element, from + count * element, size - count * element);
}

/* ---- deflate ---- */

static voidpf zlib_alloc(voidpf context, uInt count, uInt size)
{
    return cnnfi_array(context, count, size);
}

static void zlib_free(voidpf context, voidpf pointer)
{
    cnnfi_free(context, pointer);
}

/* All of `from` into [to, to + room); avail_in and avail_out are of 32 bits, so they are filled up in turns. */
static int run_inflate(z_stream *z, const uint8_t *from, size_t size, uint8_t *to, size_t room)
{
    int result = Z_OK;
    z->next_in = (z_const Bytef *)(uintptr_t)from;
    z->next_out = to;
    while (result == Z_OK) {
        const size_t in_left = size - (size_t)(z->next_in - from), out_left = room - (size_t)(z->next_out - to);
        z->avail_in = in_left < UINT_MAX ? (uInt)in_left : UINT_MAX;
        z->avail_out = out_left < UINT_MAX ? (uInt)out_left : UINT_MAX;
        result = inflate(z, Z_NO_FLUSH); /* Z_BUF_ERROR when nothing is left on either side */
    }
    return result;
}

/* `to` has one byte more than `want`, so that a stream that goes on is told from one that ends. */
static cnnf_status inflate_exactly(cnnfi_h5_store *store, uint64_t at, const uint8_t *from, size_t size, uint8_t *to,
                                   size_t want)
{
    z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = store->context};
    int result = inflateInit(&z);
    if (result == Z_OK) {
        result = run_inflate(&z, from, size, to, want + 1);
        inflateEnd(&z);
    }
    if (result == Z_MEM_ERROR) return cnnfi_fail_nomem(store->error);
    const size_t got = z.next_out ? (size_t)(z.next_out - to) : 0;
    if (got > want) return CNNFI_H5_CORRUPT(store, at, "a chunk inflates to more than its %zu bytes", want);
    if (result != Z_STREAM_END) return CNNFI_H5_CORRUPT(store, at, "a chunk's deflate stream is damaged");
    if (got != want) return CNNFI_H5_CORRUPT(store, at, "a chunk inflates to %zu of its %zu bytes", got, want);
    return CNNF_OK;
}

/* ---- the pipeline ---- */

/* The chunk on its way: what it is now, and a second block to decode into. */
typedef struct work {
    uint8_t *now, *next;
    size_t size;
} work;

static cnnf_status undo(cnnfi_h5_store *store, const cnnfi_h5_filters *filters, const cnnfi_h5_chunk *chunk,
                        size_t bytes, unsigned i, work *w)
{
    if (filters->id[i] == CNNFI_H5_FLETCHER32) return verify(store, chunk->at, w->now, &w->size);
    const size_t want = filters->id[i] == CNNFI_H5_DEFLATE ? (size_t)size_before(filters, chunk, bytes, i) : w->size;
    w->next = cnnfi_malloc(store->context, want + 1);
    if (!w->next) return cnnfi_fail_nomem(store->error);
    if (filters->id[i] == CNNFI_H5_SHUFFLE)
        unshuffle(w->now, w->next, w->size, filters->first_value[i]);
    else
        CNNFI_TRY(inflate_exactly(store, chunk->at, w->now, w->size, w->next, want));
    cnnfi_free(store->context, w->now);
    *w = (work){.now = w->next, .size = want};
    return CNNF_OK;
}

cnnf_status cnnfi_h5_decode_chunk(cnnfi_h5_store *store, const cnnfi_h5_filters *filters, const cnnfi_h5_chunk *chunk,
                                  size_t bytes, uint8_t **out)
{
    *out = NULL;
    CNNFI_TRY(cnnfi_h5_check_chunk_size(store, filters, chunk, bytes));
    CNNFI_TRY(cnnfi_budget_spend(store->budget, cnnfi_steps_of_bytes(chunk->size + bytes), store->error));
    work w = {.size = (size_t)chunk->size};
    w.now = cnnfi_malloc(store->context, w.size + 1);
    if (!w.now) return cnnfi_fail_nomem(store->error);
    cnnf_status status = cnnfi_source_read(store->source, store->base + chunk->at, w.now, w.size, store->error);
    for (unsigned i = filters->count; status == CNNF_OK && i-- > 0;)
        if (applied(filters, chunk, i)) status = undo(store, filters, chunk, bytes, i, &w);
    if (status == CNNF_OK && w.size != bytes)
        status = CNNFI_H5_CORRUPT(store, chunk->at, "a chunk of %zu bytes has %zu", bytes, w.size);
    cnnfi_free(store->context, w.next);
    if (status != CNNF_OK) {
        cnnfi_free(store->context, w.now);
        w.now = NULL;
    }
    *out = w.now;
    return status;
}
