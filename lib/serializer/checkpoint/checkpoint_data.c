/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/checkpoint/checkpoint_data.h"

#include "base/context.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/wire.h"

/* A running crc beside a sink. */
typedef struct shard_writer {
    cnnfi_sink *sink;
    uint32_t crc;
} shard_writer;

static cnnf_status write_piece(const void *data, size_t size, void *user, cnnf_error *error)
{
    shard_writer *w = user;
    w->crc = cnnfi_crc32c(w->crc, data, size);
    return cnnfi_sink_write(w->sink, data, size, error);
}

/*
 * tensor_bundle.cc, WriteStringTensor: varint lengths, the masked crc of the lengths as uint32s (uint64
 * above 4 GiB), the bytes; the entry's crc runs over the lengths as numbers, that checksum, the bytes.
 */
static cnnf_status write_lengths(shard_writer *w, const cnnf_tensor *tensor, cnnf_error *error)
{
    cnnfi_strbuf lengths;
    cnnfi_strbuf_init(&lengths, cnnfi_tensor_context(tensor));
    for (int64_t i = 0; i < cnnf_tensor_element_count(tensor); i++) {
        const char *bytes;
        size_t size = 0;
        cnnf_tensor_string(&bytes, &size, tensor, i, NULL);
        const uint32_t small = (uint32_t)size;
        w->crc = size <= UINT32_MAX ? cnnfi_crc32c(w->crc, &small, 4) : cnnfi_crc32c(w->crc, &size, 8);
        cnnfi_put_varint(&lengths, size);
    }
    const uint32_t checksum = cnnfi_crc32c_mask(w->crc);
    cnnfi_strbuf_add(&lengths, &checksum, 4);
    w->crc = cnnfi_crc32c(w->crc, &checksum, 4);
    const cnnf_status status =
        lengths.failed ? cnnfi_fail_nomem(error) : cnnfi_sink_write(w->sink, lengths.data, lengths.size, error);
    cnnfi_strbuf_free(&lengths);
    return status;
}

static cnnf_status write_strings(shard_writer *w, const cnnf_tensor *tensor, cnnf_error *error)
{
    CNNFI_TRY(write_lengths(w, tensor, error));
    for (int64_t i = 0; i < cnnf_tensor_element_count(tensor); i++) {
        const char *bytes;
        size_t size;
        CNNFI_TRY(cnnf_tensor_string(&bytes, &size, tensor, i, error));
        CNNFI_TRY(write_piece(bytes, size, w, error));
    }
    return CNNF_OK;
}

cnnf_status cnnfi_checkpoint_write_tensor(cnnfi_bundle_entry *entry, cnnfi_sink *sink, const cnnf_tensor *tensor,
                                          cnnf_error *error)
{
    shard_writer w = {.sink = sink};
    *entry = (cnnfi_bundle_entry){.dtype = cnnf_tensor_dtype(tensor),
                                  .shape = {cnnf_tensor_rank(tensor), cnnfi_tensor_dims(tensor)},
                                  .offset = cnnfi_sink_written(sink)};
    if (entry->dtype == CNNF_STRING)
        CNNFI_TRY(write_strings(&w, tensor, error));
    else
        CNNFI_TRY(cnnfi_tensor_stream(tensor, write_piece, &w, error));
    entry->size = cnnfi_sink_written(sink) - entry->offset;
    entry->crc = cnnfi_crc32c_mask(w.crc);
    return CNNF_OK;
}

uint64_t cnnfi_checkpoint_tensor_bytes(const cnnf_tensor *tensor)
{
    uint64_t total = cnnf_tensor_byte_size(tensor);
    if (cnnf_tensor_dtype(tensor) != CNNF_STRING) return total;
    for (int64_t i = 0; i < cnnf_tensor_element_count(tensor); i++) {
        const char *bytes;
        size_t size = 0;
        cnnf_tensor_string(&bytes, &size, tensor, i, NULL);
        total += cnnfi_varint_size(size) + size;
    }
    return total + 4;
}
