/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where bytes go: a file that appears whole or not at all, a growing buffer, a callback; with an
 * optional running crc32c. One place loops over short writes.
 */
#ifndef CNNFI_BASE_SINK_H
#define CNNFI_BASE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>

#include "base/budget.h"

typedef struct cnnfi_sink cnnfi_sink;

/*
 * A temporary file (O_EXCL, 0600) in the folder of `path`; commit gives it its mode and its name, free without commit
 * removes it. A link is followed. A device, a pipe or a descriptor ("/dev/stdout") is written through instead.
 */
cnnf_status cnnfi_sink_file(cnnfi_sink **out, cnnf_context *context, const char *path, bool fsync, cnnf_error *error);
cnnf_status cnnfi_sink_buffer(cnnfi_sink **out, cnnf_context *context, cnnf_error *error);
cnnf_status cnnfi_sink_callback(cnnfi_sink **out, cnnf_context *context, int32_t (*write)(const void *, size_t, void *),
                                void *user, cnnf_error *error);
/* Progress in bytes; non-zero from the callback makes the next write CNNF_E_CANCELLED. */
void cnnfi_sink_set_progress(cnnfi_sink *sink, cnnf_progress_fn progress, void *user, uint64_t total);
/* What pays for the bytes, and may pay for the work that makes them; it asks for the progress's cancellation. */
cnnfi_budget *cnnfi_sink_budget(cnnfi_sink *sink);
/* A file of the same set as `first`: its budget pays. `first` must outlive the writing. */
void cnnfi_sink_join(cnnfi_sink *sink, cnnfi_sink *first);

cnnf_status cnnfi_sink_write(cnnfi_sink *sink, const void *data, size_t size, cnnf_error *error);
uint64_t cnnfi_sink_written(const cnnfi_sink *sink);
/* Flushes; file: fsync when asked. commit = flush and make it visible under its name. */
cnnf_status cnnfi_sink_flush(cnnfi_sink *sink, cnnf_error *error);
cnnf_status cnnfi_sink_commit(cnnfi_sink *sink, cnnf_error *error);
/* The same for the files of a set (one context): all get their names or none; devices among them: one by one. */
cnnf_status cnnfi_sink_commit_set(cnnfi_sink *const *sinks, size_t count, cnnf_error *error);
/* After commit of a buffer sink: the bytes, new. */
cnnf_status cnnfi_sink_take_buffer(cnnfi_sink *sink, cnnf_buffer **out, cnnf_error *error);
void cnnfi_sink_free(cnnfi_sink *sink); /* NULL is allowed; uncommitted output disappears */

#endif
