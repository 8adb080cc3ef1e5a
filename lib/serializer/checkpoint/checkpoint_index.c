/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/checkpoint/checkpoint_index.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/wire.h"

#define BLOCK_BYTES      ((size_t)262144) /* table::Options::block_size */
#define RESTART_INTERVAL 16               /* table::Options::block_restart_interval; the index block has 1 */
#define FOOTER_BYTES     48
#define MAGIC            UINT64_C(0xdb4775248b80fb57)
#define BUNDLE_VERSION   1

static void block_reset(cnnfi_table_block *block)
{
    static const uint32_t first = 0;
    block->bytes.size = block->last_key.size = block->restarts.size = 0;
    block->since_restart = 0;
    cnnfi_strbuf_add(&block->restarts, &first, sizeof first);
}

static void block_init(cnnfi_table_block *block, cnnf_context *context, size_t interval)
{
    cnnfi_strbuf_init(&block->bytes, context);
    cnnfi_strbuf_init(&block->last_key, context);
    cnnfi_strbuf_init(&block->restarts, context);
    block->interval = interval;
    block_reset(block);
}

static void block_free(cnnfi_table_block *block)
{
    cnnfi_strbuf_free(&block->bytes);
    cnnfi_strbuf_free(&block->last_key);
    cnnfi_strbuf_free(&block->restarts);
}

static bool block_failed(const cnnfi_table_block *block)
{
    return block->bytes.failed || block->last_key.failed || block->restarts.failed;
}

static size_t shared_prefix(cnnfi_bytes a, cnnfi_bytes b)
{
    size_t n = 0;
    while (n < a.size && n < b.size && a.data[n] == b.data[n])
        n++;
    return n;
}

static cnnfi_bytes bytes_of(const cnnfi_strbuf *buf)
{
    return (cnnfi_bytes){(const uint8_t *)buf->data, buf->size};
}

static void block_add(cnnfi_table_block *block, cnnfi_bytes key, cnnfi_bytes value)
{
    size_t shared = 0;
    if (block->since_restart < block->interval) {
        shared = shared_prefix(bytes_of(&block->last_key), key);
    } else {
        const uint32_t at = (uint32_t)block->bytes.size;
        cnnfi_strbuf_add(&block->restarts, &at, sizeof at);
        block->since_restart = 0;
    }
    cnnfi_put_varint(&block->bytes, shared);
    cnnfi_put_varint(&block->bytes, key.size - shared);
    cnnfi_put_varint(&block->bytes, value.size);
    cnnfi_strbuf_add(&block->bytes, key.data + shared, key.size - shared);
    cnnfi_strbuf_add(&block->bytes, value.data, value.size);
    block->last_key.size = 0;
    cnnfi_strbuf_add(&block->last_key, key.data, key.size);
    block->since_restart++;
}

/* Writes the block with its trailer and leaves its handle in `handle`. */
static cnnf_status block_write(cnnfi_table_block *block, cnnfi_sink *sink, cnnfi_strbuf *handle, cnnf_error *error)
{
    const uint32_t count = (uint32_t)(block->restarts.size / sizeof(uint32_t));
    uint8_t trailer[5] = {0}; /* no compression */
    const uint64_t offset = cnnfi_sink_written(sink);
    cnnfi_strbuf_add(&block->bytes, block->restarts.data, block->restarts.size);
    cnnfi_strbuf_add(&block->bytes, &count, sizeof count);
    if (block_failed(block)) return cnnfi_fail_nomem(error);
    uint32_t crc = cnnfi_crc32c(0, block->bytes.data, block->bytes.size);
    crc = cnnfi_crc32c_mask(cnnfi_crc32c(crc, trailer, 1));
    memcpy(trailer + 1, &crc, 4);
    handle->size = 0;
    cnnfi_put_varint(handle, offset);
    cnnfi_put_varint(handle, block->bytes.size);
    CNNFI_TRY(cnnfi_sink_write(sink, block->bytes.data, block->bytes.size, error));
    CNNFI_TRY(cnnfi_sink_write(sink, trailer, sizeof trailer, error));
    block_reset(block);
    return CNNF_OK;
}

/* ---- keys of the index block ---- */

/* The shortest key >= `key` and < `next`, in place (leveldb::BytewiseComparator). */
static void shorten_before(cnnfi_strbuf *key, cnnfi_bytes next)
{
    const size_t n = shared_prefix(bytes_of(key), next);
    if (n >= key->size || n >= next.size) return;
    const uint8_t c = (uint8_t)key->data[n];
    if (c == 0xff || c + 1 >= next.data[n]) return;
    key->data[n] = (char)(c + 1);
    key->size = n + 1;
}

/* A short key >= `key`, in place. */
static void shorten_last(cnnfi_strbuf *key)
{
    for (size_t i = 0; i < key->size; i++) {
        if ((uint8_t)key->data[i] == 0xff) continue;
        key->data[i] = (char)((uint8_t)key->data[i] + 1);
        key->size = i + 1;
        return;
    }
}

/* ---- the table ---- */

void cnnfi_table_writer_init(cnnfi_table_writer *w, cnnf_context *context, cnnfi_sink *sink)
{
    *w = (cnnfi_table_writer){.sink = sink};
    block_init(&w->data, context, RESTART_INTERVAL);
    block_init(&w->index, context, 1);
    cnnfi_strbuf_init(&w->pending_key, context);
    cnnfi_strbuf_init(&w->handle, context);
}

void cnnfi_table_writer_free(cnnfi_table_writer *w)
{
    block_free(&w->data);
    block_free(&w->index);
    cnnfi_strbuf_free(&w->pending_key);
    cnnfi_strbuf_free(&w->handle);
}

static void add_pending(cnnfi_table_writer *w)
{
    block_add(&w->index, bytes_of(&w->pending_key), bytes_of(&w->handle));
    w->pending = false;
}

static cnnf_status flush(cnnfi_table_writer *w, cnnf_error *error)
{
    if (w->data.bytes.size == 0) return CNNF_OK;
    w->pending_key.size = 0;
    cnnfi_strbuf_add(&w->pending_key, w->data.last_key.data, w->data.last_key.size);
    w->pending = true;
    return block_write(&w->data, w->sink, &w->handle, error);
}

cnnf_status cnnfi_table_writer_add(cnnfi_table_writer *w, cnnfi_bytes key, cnnfi_bytes value, cnnf_error *error)
{
    if (w->pending) {
        shorten_before(&w->pending_key, key);
        add_pending(w);
    }
    block_add(&w->data, key, value);
    if (block_failed(&w->data) || w->pending_key.failed) return cnnfi_fail_nomem(error);
    const size_t estimate = w->data.bytes.size + w->data.restarts.size + sizeof(uint32_t);
    return estimate >= BLOCK_BYTES ? flush(w, error) : CNNF_OK;
}

static cnnf_status write_footer(cnnfi_table_writer *w, const cnnfi_strbuf *metaindex, cnnf_error *error)
{
    uint8_t footer[FOOTER_BYTES] = {0};
    const uint64_t magic = MAGIC;
    if (metaindex->failed || w->handle.failed) return cnnfi_fail_nomem(error);
    memcpy(footer, metaindex->data, metaindex->size);
    memcpy(footer + metaindex->size, w->handle.data, w->handle.size);
    memcpy(footer + FOOTER_BYTES - sizeof magic, &magic, sizeof magic);
    return cnnfi_sink_write(w->sink, footer, sizeof footer, error);
}

cnnf_status cnnfi_table_writer_finish(cnnfi_table_writer *w, cnnf_error *error)
{
    cnnfi_strbuf metaindex;
    CNNFI_TRY(flush(w, error));
    cnnfi_strbuf_init(&metaindex, w->handle.context);
    /* The metaindex is an empty block; data's is empty now. */
    cnnf_status status = block_write(&w->data, w->sink, &metaindex, error);
    if (status == CNNF_OK && w->pending) {
        shorten_last(&w->pending_key);
        add_pending(w);
        if (w->pending_key.failed || w->handle.failed) status = cnnfi_fail_nomem(error);
    }
    if (status == CNNF_OK) status = block_write(&w->index, w->sink, &w->handle, error);
    if (status == CNNF_OK) status = write_footer(w, &metaindex, error);
    cnnfi_strbuf_free(&metaindex);
    return status;
}

/* ---- the bundle's entries ---- */

cnnf_status cnnfi_bundle_add_header(cnnfi_table_writer *w, cnnf_error *error)
{
    /* num_shards 1, endianness LITTLE (0, not written), version {producer 1} */
    static const uint8_t header[] = {0x08, 1, 0x1a, 2, 0x08, BUNDLE_VERSION};
    return cnnfi_table_writer_add(w, (cnnfi_bytes){(const uint8_t *)"", 0}, (cnnfi_bytes){header, sizeof header},
                                  error);
}

static void put_shape(cnnfi_strbuf *out, const cnnfi_shape *shape, cnnf_context *context)
{
    cnnfi_strbuf message, dim;
    cnnfi_strbuf_init(&message, context);
    cnnfi_strbuf_init(&dim, context);
    for (int32_t i = 0; i < shape->rank; i++) {
        dim.size = 0;
        cnnfi_put_int_nonzero(&dim, 1, shape->dims[i]);
        cnnfi_put_bytes(&message, 2, dim.data, dim.size);
    }
    cnnfi_put_bytes(out, 2, message.data, message.size);
    out->failed |= message.failed || dim.failed;
    cnnfi_strbuf_free(&message);
    cnnfi_strbuf_free(&dim);
}

cnnf_status cnnfi_bundle_add_entry(cnnfi_table_writer *w, const char *name, const cnnfi_bundle_entry *entry,
                                   cnnf_error *error)
{
    cnnfi_strbuf value;
    cnnfi_strbuf_init(&value, w->handle.context);
    cnnfi_put_int(&value, 1, entry->dtype);
    put_shape(&value, &entry->shape, value.context);
    cnnfi_put_int_nonzero(&value, 4, (int64_t)entry->offset);
    cnnfi_put_int_nonzero(&value, 5, (int64_t)entry->size);
    if (entry->crc) cnnfi_put_fixed32(&value, 6, entry->crc);
    cnnf_status status = value.failed ? cnnfi_fail_nomem(error) : CNNF_OK;
    if (status == CNNF_OK)
        status = cnnfi_table_writer_add(w, (cnnfi_bytes){(const uint8_t *)name, strlen(name)}, bytes_of(&value), error);
    cnnfi_strbuf_free(&value);
    return status;
}
