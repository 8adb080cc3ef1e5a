/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/container/zip_file.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"

/* Decoded entries up to here are kept in memory. */
#define DECODED_IN_MEMORY ((uint64_t)16 * 1024 * 1024)
/* deflate cannot do better than 1032:1. */
#define MAX_EXPANSION 1100u

enum { END_SIZE = 22, END64_SIZE = 56, LOCATOR_SIZE = 20, CENTRAL_SIZE = 46, LOCAL_SIZE = 30 };
#define END_MAGIC     0x06054b50u
#define END64_MAGIC   0x06064b50u
#define LOCATOR_MAGIC 0x07064b50u
#define CENTRAL_MAGIC 0x02014b50u
#define LOCAL_MAGIC   0x04034b50u

/* ---- the end of the archive ---- */

/* Offset of the last end-of-central-directory record whose comment reaches the end of the file. */
static cnnf_status find_end(uint64_t *out, const cnnfi_source *source, uint8_t end[END_SIZE], cnnf_error *error)
{
    uint64_t size = cnnfi_source_size(source);
    size_t window = size < END_SIZE + 65535u ? (size_t)size : END_SIZE + 65535u;
    cnnf_context *context = cnnfi_source_context(source);
    uint8_t *tail = cnnfi_malloc(context, window);
    if (!tail) return cnnfi_fail_nomem(error);
    cnnf_status status = cnnfi_source_read(source, size - window, tail, window, error);
    bool found = false;
    for (size_t at = window < END_SIZE ? 0 : window - END_SIZE + 1; status == CNNF_OK && !found && at-- > 0;) {
        if (cnnfi_le32(tail + at) != END_MAGIC || at + END_SIZE + cnnfi_le16(tail + at + 20) != window) continue;
        memcpy(end, tail + at, END_SIZE);
        *out = size - window + at;
        found = true;
    }
    cnnfi_free(context, tail);
    if (status != CNNF_OK || found) return status;
    return cnnfi_fail(error, CNNF_E_FORMAT, "%s: not a zip archive (no end-of-central-directory record)",
                      cnnfi_source_name(source));
}

/* Archives over 4 GiB keep the numbers in a second record before the first. */
static cnnf_status read_end64(cnnfi_zip *zip, uint64_t end, cnnf_error *error)
{
    uint8_t locator[LOCATOR_SIZE], end64[END64_SIZE];
    const char *name = cnnfi_source_name(zip->source);
    if (end < LOCATOR_SIZE) return CNNF_OK;
    CNNFI_TRY(cnnfi_source_read(zip->source, end - LOCATOR_SIZE, locator, sizeof locator, error));
    if (cnnfi_le32(locator) != LOCATOR_MAGIC) return CNNF_OK;
    if (!cnnfi_range_fits(cnnfi_le64(locator + 8), END64_SIZE, end))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: zip: zip64 record lies outside the file", name);
    CNNFI_TRY(cnnfi_source_read(zip->source, cnnfi_le64(locator + 8), end64, sizeof end64, error));
    if (cnnfi_le32(end64) != END64_MAGIC)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: zip: zip64 record is damaged", name);
    zip->entries = cnnfi_le64(end64 + 32);
    zip->directory_size = cnnfi_le64(end64 + 40);
    zip->directory = cnnfi_le64(end64 + 48);
    return CNNF_OK;
}

cnnf_status cnnfi_zip_open(cnnfi_zip *out, cnnfi_source *source, cnnfi_budget *budget, cnnf_error *error)
{
    uint8_t end[END_SIZE] = {0};
    uint64_t at = 0;
    const char *name = cnnfi_source_name(source);
    CNNFI_TRY(find_end(&at, source, end, error));
    *out = (cnnfi_zip){.source = source,
                       .budget = budget,
                       .entries = cnnfi_le16(end + 10),
                       .directory_size = cnnfi_le32(end + 12),
                       .directory = cnnfi_le32(end + 16)};
    if (cnnfi_le16(end + 4) != 0 || cnnfi_le16(end + 6) != 0)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: zip: archives of several parts are not supported", name);
    CNNFI_TRY(read_end64(out, at, error));
    if (!cnnfi_range_fits(out->directory, out->directory_size, at) || out->entries > out->directory_size / CENTRAL_SIZE)
        return cnnfi_fail(error, CNNF_E_CORRUPT,
                          "%s: zip: directory of %" PRIu64 " entries at %" PRIu64 " does not fit the file", name,
                          out->entries, out->directory);
    CNNFI_TRY(cnnfi_check_limit(cnnfi_source_context(source), CNNF_LIMIT_ENTRIES, out->entries, name, error));
    return cnnfi_check_limit(cnnfi_source_context(source), CNNF_LIMIT_ATTR_BYTES, out->directory_size, name, error);
}

/* ---- the directory ---- */

typedef struct entry {
    const char *name; /* asked for, for messages */
    uint16_t flags, method;
    uint32_t crc;
    uint64_t packed, size, local; /* bytes stored, bytes decoded, offset of the local header */
} entry;

static cnnf_status fail_entry(const cnnfi_zip *zip, const char *name, const char *what, cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: zip: entry '%s': %s", cnnfi_source_name(zip->source), name, what);
}

/* zip64 field: 64-bit values, in order, for those that are all ones in the record. */
static bool read_extra64(entry *e, const uint8_t *extra, size_t size)
{
    uint64_t *const wide[] = {&e->size, &e->packed, &e->local};
    for (size_t at = 0; size - at >= 4;) {
        size_t length = cnnfi_le16(extra + at + 2), used = 4;
        if (length > size - at - 4) return false;
        for (size_t i = 0; cnnfi_le16(extra + at) == 1 && i < 3; i++) {
            if (*wide[i] != UINT32_MAX) continue;
            if (used + 8 > length + 4) return false;
            *wide[i] = cnnfi_le64(extra + at + used);
            used += 8;
        }
        at += 4 + length;
    }
    return true;
}

/* One record at the cursor; its name in *name. */
static bool next_record(cnnfi_cursor *c, entry *e, cnnfi_bytes *name)
{
    cnnfi_bytes head, extra, comment;
    if (!cnnfi_read_bytes(c, CENTRAL_SIZE, &head) || cnnfi_le32(head.data) != CENTRAL_MAGIC) return false;
    const uint8_t *p = head.data;
    *e = (entry){.flags = cnnfi_le16(p + 8),
                 .method = cnnfi_le16(p + 10),
                 .crc = cnnfi_le32(p + 16),
                 .packed = cnnfi_le32(p + 20),
                 .size = cnnfi_le32(p + 24),
                 .local = cnnfi_le32(p + 42)};
    return cnnfi_read_bytes(c, cnnfi_le16(p + 28), name) && cnnfi_read_bytes(c, cnnfi_le16(p + 30), &extra) &&
           cnnfi_read_bytes(c, cnnfi_le16(p + 32), &comment) && read_extra64(e, extra.data, extra.size);
}

static bool same_name(const cnnfi_bytes *name, const char *wanted)
{
    return name->size == strlen(wanted) && memcmp(name->data, wanted, name->size) == 0;
}

/* Finds the one entry of that name; count 0: none. `next`: the nearest local header behind its own. */
static cnnf_status scan_directory(const cnnfi_zip *zip, const uint8_t *bytes, const char *wanted, entry *out,
                                  size_t *count, cnnf_error *error)
{
    cnnfi_cursor c = cnnfi_cursor_of(bytes, (size_t)zip->directory_size);
    cnnfi_bytes name;
    entry e;
    *count = 0;
    CNNFI_TRY(cnnfi_budget_spend(zip->budget, zip->entries + cnnfi_steps_of_bytes(zip->directory_size), error));
    for (uint64_t i = 0; i < zip->entries; i++) {
        if (!next_record(&c, &e, &name))
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: zip: directory record %" PRIu64 " is damaged",
                              cnnfi_source_name(zip->source), i);
        if (!same_name(&name, wanted)) continue;
        *out = e;
        out->name = wanted;
        ++*count;
    }
    if (*count < 2) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: zip: entry '%s' occurs %zu times", cnnfi_source_name(zip->source),
                      wanted, *count);
}

/* Whether another entry begins within [from, to). */
static bool overlapped(const cnnfi_zip *zip, const uint8_t *bytes, uint64_t from, uint64_t to)
{
    cnnfi_cursor c = cnnfi_cursor_of(bytes, (size_t)zip->directory_size);
    cnnfi_bytes name;
    entry e;
    while (next_record(&c, &e, &name))
        if (e.local > from && e.local < to) return true;
    return false;
}

/* ---- one entry ---- */

static cnnf_status check_entry(const cnnfi_zip *zip, const entry *e, int32_t limit, cnnf_error *error)
{
    const char *path = cnnfi_source_name(zip->source);
    const uint64_t allowed = cnnfi_limit(cnnfi_source_context(zip->source), limit);
    if (e->flags & 1) return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: zip: entry '%s': is encrypted", path, e->name);
    if (e->method != 0 && e->method != 8)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED,
                          "%s: zip: entry '%s': compression method %d not supported (0 stored, 8 deflate)", path,
                          e->name, e->method);
    if (e->size > allowed)
        return cnnfi_fail(error, CNNF_E_LIMIT,
                          "%s: zip: entry '%s' expands %" PRIu64 "x to %" PRIu64 " bytes (limit %s %" PRIu64 ")", path,
                          e->name, e->packed ? e->size / e->packed : 0, e->size, cnnf_limit_name(limit), allowed);
    if (e->method == 0 ? e->packed != e->size : e->size / MAX_EXPANSION > e->packed)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: zip: entry '%s': %" PRIu64 " bytes cannot hold %" PRIu64, path,
                          e->name, e->packed, e->size);
    return CNNF_OK;
}

/* The local header repeats the record; readers that trust one and readers that trust the other must see one file. */
static cnnf_status check_local(const cnnfi_zip *zip, const uint8_t *directory, const entry *e, uint64_t *data,
                               cnnf_error *error)
{
    uint8_t head[LOCAL_SIZE], name[256];
    size_t length = strlen(e->name);
    if (!cnnfi_range_fits(e->local, LOCAL_SIZE + length, zip->directory))
        return fail_entry(zip, e->name, "lies outside the file", error);
    CNNFI_TRY(cnnfi_source_read(zip->source, e->local, head, sizeof head, error));
    if (cnnfi_le32(head) != LOCAL_MAGIC || cnnfi_le16(head + 26) != length || length > sizeof name)
        return fail_entry(zip, e->name, "local header disagrees with directory (name)", error);
    CNNFI_TRY(cnnfi_source_read(zip->source, e->local + LOCAL_SIZE, name, length, error));
    if (memcmp(name, e->name, length) != 0)
        return fail_entry(zip, e->name, "local header disagrees with directory (name)", error);
    if (cnnfi_le16(head + 8) != e->method || ((cnnfi_le16(head + 6) ^ e->flags) & 1))
        return fail_entry(zip, e->name, "local header disagrees with directory (method)", error);
    bool follows = (cnnfi_le16(head + 6) & 8) != 0; /* sizes come behind the data */
    uint32_t size = cnnfi_le32(head + 22), packed = cnnfi_le32(head + 18);
    if (!follows && ((size != UINT32_MAX && size != e->size) || (packed != UINT32_MAX && packed != e->packed)))
        return cnnfi_fail(error, CNNF_E_CORRUPT,
                          "%s: zip: entry '%s': local header disagrees with directory (size %u / %" PRIu64 ")",
                          cnnfi_source_name(zip->source), e->name, size, e->size);
    *data = e->local + LOCAL_SIZE + length + cnnfi_le16(head + 28);
    if (!cnnfi_range_fits(*data, e->packed, zip->directory))
        return fail_entry(zip, e->name, "lies outside the file", error);
    if (overlapped(zip, directory, e->local, *data + e->packed))
        return fail_entry(zip, e->name, "overlaps another entry", error);
    return CNNF_OK;
}

static cnnf_status check_crc(const cnnfi_zip *zip, const entry *e, uint32_t crc, cnnf_error *error)
{
    if (crc == e->crc) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: zip: entry '%s': crc32 is %08x, directory says %08x",
                      cnnfi_source_name(zip->source), e->name, crc, e->crc);
}

static cnnf_status verify_stored(const cnnfi_zip *zip, const entry *e, uint64_t data, uint8_t *piece, cnnf_error *error)
{
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t at = 0; at < e->size;) {
        size_t now = e->size - at < CNNFI_PIECE_BYTES ? (size_t)(e->size - at) : CNNFI_PIECE_BYTES;
        CNNFI_TRY(cnnfi_source_read(zip->source, data + at, piece, now, error));
        crc = crc32(crc, piece, (uInt)now);
        at += now;
    }
    return check_crc(zip, e, (uint32_t)crc, error);
}

/* ---- deflate ---- */

typedef struct decoder {
    const cnnfi_zip *zip;
    const entry *e;
    uint64_t data, read, written;
    uint8_t *in, *out;  /* a piece each */
    cnnfi_source *file; /* where decoded pieces go, or */
    uint8_t *memory;    /* [e->size] */
    z_stream z;
    uLong crc;
} decoder;

static void *zlib_alloc(void *context, uInt items, uInt size)
{
    return cnnfi_array(context, items, size);
}

static void zlib_free(void *context, void *pointer)
{
    cnnfi_free(context, pointer);
}

static cnnf_status put_piece(decoder *d, size_t size, cnnf_error *error)
{
    if (size > d->e->size - d->written)
        return fail_entry(d->zip, d->e->name, "is longer than the directory says", error);
    d->crc = crc32(d->crc, d->out, (uInt)size);
    CNNFI_TRY(cnnfi_budget_spend(d->zip->budget, cnnfi_steps_of_bytes(size), error));
    if (d->memory)
        memcpy(d->memory + d->written, d->out, size);
    else
        CNNFI_TRY(cnnfi_source_append(d->file, d->out, size, error));
    d->written += size;
    return CNNF_OK;
}

static cnnf_status refill(decoder *d, cnnf_error *error)
{
    uint64_t left = d->e->packed - d->read;
    size_t now = left < CNNFI_PIECE_BYTES ? (size_t)left : CNNFI_PIECE_BYTES;
    CNNFI_TRY(cnnfi_source_read(d->zip->source, d->data + d->read, d->in, now, error));
    d->read += now;
    d->z.next_in = d->in;
    d->z.avail_in = (uInt)now;
    return CNNF_OK;
}

static cnnf_status inflate_all(decoder *d, cnnf_error *error)
{
    for (int code = Z_OK; code != Z_STREAM_END;) {
        if (d->z.avail_in == 0) CNNFI_TRY(refill(d, error));
        d->z.next_out = d->out;
        d->z.avail_out = (uInt)CNNFI_PIECE_BYTES;
        code = inflate(&d->z, Z_NO_FLUSH);
        if (code == Z_MEM_ERROR) return cnnfi_fail_nomem(error);
        if (code != Z_OK && code != Z_STREAM_END)
            return fail_entry(d->zip, d->e->name, "deflate data are damaged", error);
        CNNFI_TRY(put_piece(d, CNNFI_PIECE_BYTES - d->z.avail_out, error));
    }
    if (d->written != d->e->size) return fail_entry(d->zip, d->e->name, "is shorter than the directory says", error);
    return check_crc(d->zip, d->e, (uint32_t)d->crc, error);
}

static cnnf_status run_decoder(decoder *d, cnnf_error *error)
{
    d->z.zalloc = zlib_alloc;
    d->z.zfree = zlib_free;
    d->z.opaque = cnnfi_source_context(d->zip->source);
    d->crc = crc32(0, NULL, 0);
    if (inflateInit2(&d->z, -MAX_WBITS) != Z_OK) return cnnfi_fail_nomem(error);
    cnnf_status status = inflate_all(d, error);
    inflateEnd(&d->z);
    return status;
}

/* Memory that a source releases. */
typedef struct owned {
    cnnf_context *context;
    uint8_t *bytes;
} owned;

static void release_owned(void *user)
{
    owned *o = user;
    cnnf_context *context = o->context;
    cnnfi_free(context, o->bytes);
    cnnfi_free(context, o);
}

static cnnf_status wrap_memory(decoder *d, cnnf_error *error)
{
    cnnf_context *context = cnnfi_source_context(d->zip->source);
    owned *o = cnnfi_malloc(context, sizeof *o);
    if (!o) return cnnfi_fail_nomem(error);
    *o = (owned){.context = context, .bytes = d->memory};
    cnnf_status status = cnnfi_source_wrap(&d->file, context, d->memory, (size_t)d->e->size,
                                           cnnfi_source_name(d->zip->source), release_owned, o, error);
    if (status == CNNF_OK)
        d->memory = NULL;
    else
        cnnfi_free(context, o);
    return status;
}

static cnnf_status decode(decoder *d, cnnf_error *error)
{
    cnnf_context *context = cnnfi_source_context(d->zip->source);
    bool small = d->e->size <= DECODED_IN_MEMORY;
    if (small) d->memory = cnnfi_malloc(context, (size_t)d->e->size);
    if (small && !d->memory) return cnnfi_fail_nomem(error);
    if (!small) CNNFI_TRY(cnnfi_source_temp(&d->file, context, cnnfi_source_name(d->zip->source), error));
    CNNFI_TRY(run_decoder(d, error));
    return small ? wrap_memory(d, error) : CNNF_OK;
}

static cnnf_status inflate_entry(cnnfi_zip_data *out, const cnnfi_zip *zip, const entry *e, uint64_t data,
                                 uint8_t *pieces, cnnf_error *error)
{
    decoder d = {.zip = zip, .e = e, .data = data, .in = pieces, .out = pieces + CNNFI_PIECE_BYTES};
    cnnf_status status = decode(&d, error);
    cnnfi_free(cnnfi_source_context(zip->source), d.memory);
    if (status == CNNF_OK)
        *out = (cnnfi_zip_data){.source = d.file, .size = e->size};
    else
        cnnfi_source_unref(d.file);
    return status;
}

static cnnf_status give_entry(cnnfi_zip_data *out, const cnnfi_zip *zip, const uint8_t *directory, const entry *e,
                              int32_t limit, cnnf_error *error)
{
    uint64_t data = 0;
    cnnf_context *context = cnnfi_source_context(zip->source);
    CNNFI_TRY(check_entry(zip, e, limit, error));
    CNNFI_TRY(check_local(zip, directory, e, &data, error));
    uint8_t *pieces = cnnfi_array(context, 2, CNNFI_PIECE_BYTES);
    if (!pieces) return cnnfi_fail_nomem(error);
    cnnf_status status =
        e->method == 0 ? verify_stored(zip, e, data, pieces, error) : inflate_entry(out, zip, e, data, pieces, error);
    cnnfi_free(context, pieces);
    if (status == CNNF_OK && e->method == 0)
        *out = (cnnfi_zip_data){.source = cnnfi_source_ref(zip->source), .offset = data, .size = e->size};
    return status;
}

cnnf_status cnnfi_zip_find(cnnfi_zip_data *out, const cnnfi_zip *zip, const char *name, int32_t limit,
                           cnnf_error *error)
{
    *out = (cnnfi_zip_data){.source = NULL};
    cnnf_context *context = cnnfi_source_context(zip->source);
    uint8_t *directory = cnnfi_malloc(context, (size_t)zip->directory_size);
    if (!directory) return cnnfi_fail_nomem(error);
    entry e = {.name = name};
    size_t count = 0;
    cnnf_status status = cnnfi_source_read(zip->source, zip->directory, directory, (size_t)zip->directory_size, error);
    if (status == CNNF_OK) status = scan_directory(zip, directory, name, &e, &count, error);
    if (status == CNNF_OK && count == 1) status = give_entry(out, zip, directory, &e, limit, error);
    cnnfi_free(context, directory);
    return status;
}
