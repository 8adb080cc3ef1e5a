/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sorted table that a checkpoint's index (and a whole V1 checkpoint) is: LevelDB's format with
 * TensorFlow's options (tensorflow/core/lib/io/format.cc). Every block's crc32c is verified.
 */
#ifndef CNNFI_LOADER_CHECKPOINT_TABLE_READ_H
#define CNNFI_LOADER_CHECKPOINT_TABLE_READ_H

#include <stdbool.h>

#include "base/budget.h"
#include "base/source.h"
#include "base/str.h"

#define CNNFI_TABLE_FOOTER 48
#define CNNFI_TABLE_MAGIC  UINT64_C(0xdb4775248b80fb57)

/* One entry; key and value are valid during the call. */
typedef cnnf_status (*cnnfi_table_entry_fn)(cnnfi_bytes key, cnnfi_bytes value, void *user, cnnf_error *error);

/* Whether the source ends in a table's magic. */
bool cnnfi_table_detect(const cnnfi_source *source);
/* All entries in key order; one block is in memory at a time. `budget` (nullable) pays for every block and entry. */
cnnf_status cnnfi_table_visit(const cnnfi_source *source, cnnfi_table_entry_fn entry, void *user, cnnfi_budget *budget,
                              cnnf_error *error);
/* A key as messages print it: bytes outside ASCII as \xNN, cut to fit. Returns out. */
char *cnnfi_table_print_key(char *out, size_t size, cnnfi_bytes key);

#endif
