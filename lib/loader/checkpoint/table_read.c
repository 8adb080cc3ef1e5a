/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/checkpoint/table_read.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if CNNFI_HAVE_SNAPPY
#include <snappy-c.h>
#endif

#include "base/wire.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/crc32c.h"
#include "base/error.h"

#define TRAILER          ((size_t)5) /* compression byte, masked crc32c */
#define SNAPPY_MAX_RATIO 64          /* a copy element makes at most 64 bytes out of 3 */

typedef struct block_handle {
    uint64_t offset, size;
} block_handle;

/* A block's bytes without trailer, decompressed. */
typedef struct block {
    uint64_t at; /* its place in the file, for messages */
    uint8_t *data;
    size_t size;
} block;

typedef struct reader {
    const cnnfi_source *source;
    cnnf_context *context;
    cnnf_error *error;
    cnnfi_table_entry_fn entry;
    void *user;
    cnnfi_budget *budget;
    cnnfi_strbuf last_key; /* of the whole table */
    bool any_key;
} reader;

/* Records "<file>: table: ..." . */
__attribute__((format(printf, 3, 4))) static cnnf_status fail_at(const reader *r, cnnf_status code, const char *format,
                                                                 ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *file = cnnfi_source_name(r->source);
    return cnnfi_fail_in_file(r->error, code, file, -1, "%s: table: %s", file, text);
}

char *cnnfi_table_print_key(char *out, size_t size, cnnfi_bytes key)
{
    size_t n = 0;
    for (size_t i = 0; i < key.size && n + 5 < size; i++) {
        const uint8_t c = key.data[i];
        n += (size_t)snprintf(out + n, size - n, c >= 0x20 && c < 0x7f ? "%c" : "\\x%02x", c);
    }
    out[n] = '\0';
    return out;
}

static int compare_keys(cnnfi_bytes a, cnnfi_bytes b)
{
    const size_t n = a.size < b.size ? a.size : b.size;
    const int order = n ? memcmp(a.data, b.data, n) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static cnnf_status decompress(const reader *r, block *b, uint8_t type)
{
    if (type == 0) return CNNF_OK;
#if CNNFI_HAVE_SNAPPY
    if (type == 1) {
        size_t size = 0;
        if (snappy_uncompressed_length((const char *)b->data, b->size, &size) != SNAPPY_OK ||
            size / SNAPPY_MAX_RATIO > b->size)
            return fail_at(r, CNNF_E_CORRUPT, "block at %" PRIu64 ": bad snappy length", b->at);
        CNNFI_TRY(cnnfi_check_limit(r->context, CNNF_LIMIT_TENSOR_BYTES, size, "table block", r->error));
        CNNFI_TRY(cnnfi_budget_spend(r->budget, cnnfi_steps_of_bytes(size), r->error));
        uint8_t *plain = cnnfi_malloc(r->context, size);
        if (!plain) return cnnfi_fail_nomem(r->error);
        if (snappy_uncompress((const char *)b->data, b->size, (char *)plain, &size) != SNAPPY_OK) {
            cnnfi_free(r->context, plain);
            return fail_at(r, CNNF_E_CORRUPT, "block at %" PRIu64 ": bad snappy data", b->at);
        }
        cnnfi_free(r->context, b->data);
        b->data = plain;
        b->size = size;
        return CNNF_OK;
    }
#endif
    return fail_at(r, CNNF_E_UNSUPPORTED, "block at %" PRIu64 ": compression type %u not supported", b->at, type);
}

static cnnf_status check_block(const reader *r, block *b)
{
    uint32_t stored;
    memcpy(&stored, b->data + b->size + 1, 4);
    const uint32_t computed = cnnfi_crc32c_mask(cnnfi_crc32c(0, b->data, b->size + 1));
    if (stored != computed)
        return fail_at(r, CNNF_E_CORRUPT,
                       "block at %" PRIu64 ": crc32c 0x%08" PRIx32 " stored, 0x%08" PRIx32 " computed", b->at, stored,
                       computed);
    return decompress(r, b, b->data[b->size]);
}

/* Frees nothing on failure: the caller always frees b->data. */
static cnnf_status read_block(const reader *r, block *b, block_handle handle, const char *what)
{
    const uint64_t file = cnnfi_source_size(r->source);
    *b = (block){.at = handle.offset};
    if (handle.offset > file || handle.size > file - handle.offset || file - handle.offset - handle.size < TRAILER)
        return fail_at(r, CNNF_E_CORRUPT, "%s block [%" PRIu64 ",+%" PRIu64 ") lies outside file of %" PRIu64 " bytes",
                       what, handle.offset, handle.size, file);
    CNNFI_TRY(cnnfi_budget_spend(r->budget, cnnfi_steps_of_bytes(handle.size), r->error));
    b->size = (size_t)handle.size;
    b->data = cnnfi_malloc(r->context, b->size + TRAILER);
    if (!b->data) return cnnfi_fail_nomem(r->error);
    CNNFI_TRY(cnnfi_source_read(r->source, handle.offset, b->data, b->size + TRAILER, r->error));
    return check_block(r, b);
}

/* Where a block's entries end and its restart points begin. */
static cnnf_status entries_end(const reader *r, const block *b, size_t *end)
{
    uint32_t restarts;
    if (b->size < 4) return fail_at(r, CNNF_E_CORRUPT, "block at %" PRIu64 ": %zu bytes", b->at, b->size);
    memcpy(&restarts, b->data + b->size - 4, 4);
    if (restarts > (b->size - 4) / 4)
        return fail_at(r, CNNF_E_CORRUPT, "block at %" PRIu64 ": %" PRIu32 " restarts do not fit in %zu bytes", b->at,
                       restarts, b->size);
    *end = b->size - 4 - (size_t)restarts * 4;
    return CNNF_OK;
}

typedef struct entry_head {
    uint64_t shared, tail, value;
} entry_head;

static cnnf_status read_head(const reader *r, const block *b, cnnfi_cursor *c, size_t key_size, entry_head *head)
{
    const size_t at = c->at;
    if (!cnnfi_read_varint(c, &head->shared) || !cnnfi_read_varint(c, &head->tail) ||
        !cnnfi_read_varint(c, &head->value))
        return fail_at(r, CNNF_E_CORRUPT, "block at %" PRIu64 ": entry at %zu: cut", b->at, at);
    if (head->shared > key_size)
        return fail_at(r, CNNF_E_CORRUPT, "block at %" PRIu64 ": entry at %zu: shared %" PRIu64 " > previous key %zu",
                       b->at, at, head->shared, key_size);
    const size_t left = cnnfi_cursor_left(c);
    if (head->tail > left || head->value > left - head->tail)
        return fail_at(r, CNNF_E_CORRUPT,
                       "block at %" PRIu64 ": entry at %zu: key %" PRIu64 " and value %" PRIu64 " but %zu bytes left",
                       b->at, at, head->tail, head->value, left);
    return CNNF_OK;
}

/* What is done with a block's entries: the index block's lead to data blocks, the data blocks' to the caller. */
typedef cnnf_status (*entry_fn)(reader *r, cnnfi_bytes key, cnnfi_bytes value);

static cnnf_status walk_entries(reader *r, const block *b, cnnfi_strbuf *key, entry_fn entry)
{
    size_t end = 0;
    CNNFI_TRY(entries_end(r, b, &end));
    cnnfi_cursor c = cnnfi_cursor_of(b->data, end);
    while (cnnfi_cursor_left(&c) > 0) {
        entry_head head = {0, 0, 0};
        cnnfi_bytes tail = {0}, value = {0};
        CNNFI_TRY(read_head(r, b, &c, key->size, &head));
        CNNFI_TRY(cnnfi_budget_spend(r->budget, cnnfi_steps_of_bytes(head.value + head.shared + head.tail), r->error));
        cnnfi_read_bytes(&c, (size_t)head.tail, &tail);
        cnnfi_read_bytes(&c, (size_t)head.value, &value);
        key->size = (size_t)head.shared;
        cnnfi_strbuf_add(key, tail.data, tail.size);
        if (key->failed) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(entry(r, (cnnfi_bytes){(const uint8_t *)key->data, key->size}, value));
    }
    return CNNF_OK;
}

static cnnf_status walk_block(reader *r, block_handle handle, const char *what, entry_fn entry)
{
    block b;
    cnnfi_strbuf key;
    cnnfi_strbuf_init(&key, r->context);
    cnnf_status status = read_block(r, &b, handle, what);
    if (status == CNNF_OK) status = walk_entries(r, &b, &key, entry);
    cnnfi_strbuf_free(&key);
    cnnfi_free(r->context, b.data);
    return status;
}

/* Keys ascend over the whole table, so that a lookup may bisect. */
static cnnf_status check_order(reader *r, cnnfi_bytes key)
{
    const cnnfi_bytes last = {(const uint8_t *)r->last_key.data, r->last_key.size};
    if (r->any_key && compare_keys(key, last) <= 0) {
        char a[128], b[128];
        return fail_at(r, CNNF_E_CORRUPT, "key '%s' after '%s'", cnnfi_table_print_key(a, sizeof a, key),
                       cnnfi_table_print_key(b, sizeof b, last));
    }
    r->any_key = true;
    r->last_key.size = 0;
    cnnfi_strbuf_add(&r->last_key, key.data, key.size);
    return r->last_key.failed ? cnnfi_fail_nomem(r->error) : CNNF_OK;
}

static cnnf_status data_entry(reader *r, cnnfi_bytes key, cnnfi_bytes value)
{
    CNNFI_TRY(check_order(r, key));
    return r->entry(key, value, r->user, r->error);
}

static cnnf_status index_entry(reader *r, cnnfi_bytes key, cnnfi_bytes value)
{
    block_handle handle;
    cnnfi_cursor c = cnnfi_cursor_of(value.data, value.size);
    (void)key; /* a separator, not a name */
    if (!cnnfi_read_varint(&c, &handle.offset) || !cnnfi_read_varint(&c, &handle.size) || cnnfi_cursor_left(&c) > 0)
        return fail_at(r, CNNF_E_CORRUPT, "index block: bad block handle");
    return walk_block(r, handle, "data", data_entry);
}

static cnnf_status ignored_entry(reader *r, cnnfi_bytes key, cnnfi_bytes value)
{
    (void)r, (void)key, (void)value;
    return CNNF_OK;
}

/* Footer: two varint handles, zero padding up to 40 bytes, the magic. */
static cnnf_status read_footer(const reader *r, block_handle *meta, block_handle *index)
{
    uint8_t footer[CNNFI_TABLE_FOOTER];
    const uint64_t file = cnnfi_source_size(r->source);
    if (file < sizeof footer)
        return fail_at(r, CNNF_E_CORRUPT, "%" PRIu64 " bytes, footer needs %d", file, CNNFI_TABLE_FOOTER);
    CNNFI_TRY(cnnfi_source_read(r->source, file - sizeof footer, footer, sizeof footer, r->error));
    uint64_t magic;
    memcpy(&magic, footer + 40, 8);
    if (magic != CNNFI_TABLE_MAGIC)
        return fail_at(r, CNNF_E_CORRUPT, "bad magic 0x%016" PRIx64 " at offset %" PRIu64 " (want 0x%016" PRIx64 ")",
                       magic, file - 8, CNNFI_TABLE_MAGIC);
    cnnfi_cursor c = cnnfi_cursor_of(footer, 40);
    bool ok = cnnfi_read_varint(&c, &meta->offset) && cnnfi_read_varint(&c, &meta->size) &&
              cnnfi_read_varint(&c, &index->offset) && cnnfi_read_varint(&c, &index->size);
    /* No checksum covers the footer: it is what a writer writes, or it is damaged. */
    ok = ok && c.at == cnnfi_varint_size(meta->offset) + cnnfi_varint_size(meta->size) +
                           cnnfi_varint_size(index->offset) + cnnfi_varint_size(index->size);
    for (; ok && c.at < 40; c.at++)
        ok = footer[c.at] == 0;
    return ok ? CNNF_OK : fail_at(r, CNNF_E_CORRUPT, "bad footer at offset %" PRIu64, file - sizeof footer);
}

bool cnnfi_table_detect(const cnnfi_source *source)
{
    uint64_t magic = 0;
    const uint64_t file = cnnfi_source_size(source);
    return file >= CNNFI_TABLE_FOOTER && cnnfi_source_read(source, file - 8, &magic, 8, NULL) == CNNF_OK &&
           magic == CNNFI_TABLE_MAGIC;
}

cnnf_status cnnfi_table_visit(const cnnfi_source *source, cnnfi_table_entry_fn entry, void *user, cnnfi_budget *budget,
                              cnnf_error *error)
{
    reader r = {.source = source,
                .context = cnnfi_source_context(source),
                .error = error,
                .entry = entry,
                .user = user,
                .budget = budget};
    block_handle meta, index;
    cnnfi_strbuf_init(&r.last_key, r.context);
    cnnf_status status = read_footer(&r, &meta, &index);
    if (status == CNNF_OK) status = walk_block(&r, meta, "metaindex", ignored_entry);
    if (status == CNNF_OK) status = walk_block(&r, index, "index", index_entry);
    cnnfi_strbuf_free(&r.last_key);
    return status;
}
