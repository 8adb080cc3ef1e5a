/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where bytes come from: an open file (never mapped: a file truncated under a mapping is a SIGBUS),
 * memory, or an unlinked temporary file. Reference-counted and immutable; tensors hold references,
 * so the path may disappear. A short read, or a size or time that changed, is CNNF_E_IO.
 */
#ifndef CNNFI_BASE_SOURCE_H
#define CNNFI_BASE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/context.h>

typedef struct cnnfi_source cnnfi_source;

/* Pieces in which files are copied. */
#define CNNFI_PIECE_BYTES ((size_t)256 * 1024)

/* Opens a regular file read-only (O_CLOEXEC, no FIFO, no device), checked against CNNF_LIMIT_FILE_BYTES. */
cnnf_status cnnfi_source_open(cnnfi_source **out, cnnf_context *context, const char *path, cnnf_error *error);
/* Memory, copied; `name` stands for the path in messages. */
cnnf_status cnnfi_source_copy(cnnfi_source **out, cnnf_context *context, const void *data, size_t size,
                              const char *name, cnnf_error *error);
/* Memory of the caller's that stays until the last reference goes: then release(user), nullable. */
cnnf_status cnnfi_source_wrap(cnnfi_source **out, cnnf_context *context, const void *data, size_t size,
                              const char *name, void (*release)(void *user), void *user, cnnf_error *error);
/* An unlinked temporary file to append to, then to read: for what is decoded and too big for memory. */
cnnf_status cnnfi_source_temp(cnnfi_source **out, cnnf_context *context, const char *name, cnnf_error *error);
cnnf_status cnnfi_source_append(cnnfi_source *source, const void *data, size_t size, cnnf_error *error);

/* A file that should be there and is not: any size, every read is CNNF_E_IO "cannot open: No such file or directory".
 */
cnnf_status cnnfi_source_absent(cnnfi_source **out, cnnf_context *context, const char *name, cnnf_error *error);

cnnfi_source *cnnfi_source_ref(cnnfi_source *source);
void cnnfi_source_unref(cnnfi_source *source); /* NULL is allowed */

uint64_t cnnfi_source_size(const cnnfi_source *source);
const char *cnnfi_source_name(const cnnfi_source *source); /* the path, for messages */
cnnf_context *cnnfi_source_context(const cnnfi_source *source);
/* The bytes when they are in memory, else NULL. */
const uint8_t *cnnfi_source_memory(const cnnfi_source *source);
/* The descriptor, or -1 for memory. Never closed or moved by the caller; use pread only. */
int cnnfi_source_fd(const cnnfi_source *source);
/* Reads exactly `size` bytes at `offset`. CNNF_E_IO: outside the file, failed, or "changed while in use". */
cnnf_status cnnfi_source_read(const cnnfi_source *source, uint64_t offset, void *data, size_t size, cnnf_error *error);
/* All bytes into a new block of the context's, released with cnnfi_free(). */
cnnf_status cnnfi_source_read_all(const cnnfi_source *source, uint8_t **out, size_t *size, cnnf_error *error);

#endif
