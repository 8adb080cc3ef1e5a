/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint's index: a sorted table as TensorFlow's table builder writes it (tensorflow/core/lib/io/
 * table_builder.cc, block_builder.cc), entries as BundleWriter does. Byte-identical for the same entries.
 */
#ifndef CNNFI_SERIALIZER_CHECKPOINT_CHECKPOINT_INDEX_H
#define CNNFI_SERIALIZER_CHECKPOINT_CHECKPOINT_INDEX_H

#include <stdbool.h>

#include "base/sink.h"
#include "base/str.h"
#include "graph/shape.h"

/* BundleEntryProto of a whole tensor in shard 0. */
typedef struct cnnfi_bundle_entry {
    cnnf_dtype dtype;
    cnnfi_shape shape;
    uint64_t offset, size;
    uint32_t crc; /* masked */
} cnnfi_bundle_entry;

typedef struct cnnfi_table_block {
    cnnfi_strbuf bytes, last_key;
    cnnfi_strbuf restarts; /* little-endian uint32s */
    size_t interval, since_restart;
} cnnfi_table_block;

typedef struct cnnfi_table_writer {
    cnnfi_sink *sink; /* borrowed */
    cnnfi_table_block data, index;
    cnnfi_strbuf pending_key, handle; /* of a data block whose index entry waits for the next key */
    bool pending;
} cnnfi_table_writer;

void cnnfi_table_writer_init(cnnfi_table_writer *w, cnnf_context *context, cnnfi_sink *sink);
void cnnfi_table_writer_free(cnnfi_table_writer *w);
/* Keys in ascending byte order. */
cnnf_status cnnfi_table_writer_add(cnnfi_table_writer *w, cnnfi_bytes key, cnnfi_bytes value, cnnf_error *error);
cnnf_status cnnfi_table_writer_finish(cnnfi_table_writer *w, cnnf_error *error);

/* The header entry (one shard, little-endian), then entries in byte order of their names. */
cnnf_status cnnfi_bundle_add_header(cnnfi_table_writer *w, cnnf_error *error);
cnnf_status cnnfi_bundle_add_entry(cnnfi_table_writer *w, const char *name, const cnnfi_bundle_entry *entry,
                                   cnnf_error *error);

#endif
