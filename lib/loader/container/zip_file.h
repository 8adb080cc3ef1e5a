/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up a few entries of a zip by exact name. Nothing is extracted, other entries are never touched, and an
 * entry is given out only when directory and local header agree, it overlaps no other, and its crc32 is right.
 */
#ifndef CNNFI_LOADER_CONTAINER_ZIP_FILE_H
#define CNNFI_LOADER_CONTAINER_ZIP_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/source.h"

typedef struct cnnfi_zip {
    cnnfi_source *source; /* borrowed */
    cnnfi_budget *budget; /* pays for entries and bytes; borrowed, nullable */
    uint64_t directory, directory_size, entries;
} cnnfi_zip;

/* An entry's bytes: [offset, offset + size) of a source it holds a reference to. */
typedef struct cnnfi_zip_data {
    cnnfi_source *source;
    uint64_t offset, size;
} cnnfi_zip_data;

cnnf_status cnnfi_zip_open(cnnfi_zip *out, cnnfi_source *source, cnnfi_budget *budget, cnnf_error *error);
/*
 * Stored entries stay where they are; deflated ones are decoded into memory or, when large, a temporary file.
 * The size that the directory declares is held against `limit` (CNNF_LIMIT_*) before a byte is decoded.
 * out->source is NULL when there is no such entry. Released by cnnfi_source_unref(out->source).
 */
cnnf_status cnnfi_zip_find(cnnfi_zip_data *out, const cnnfi_zip *zip, const char *name, int32_t limit,
                           cnnf_error *error);

#endif
