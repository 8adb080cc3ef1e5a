/* SPDX-License-Identifier: Apache-2.0 */
/**
 * serializer.h - graph to bytes.
 *
 * Output is deterministic: the same graph gives the same bytes. Files are written beside their
 * final name (mode 0600 until then) and renamed when complete, so that a failure or the death of the
 * process leaves the old file or the new one, never half; a checkpoint's files are replaced as one.
 * A link is followed and its target replaced. A device, a pipe or "/dev/stdout" is written through.
 * What dead processes left in the folder is removed.
 *
 * Thread-safety: the calls are safe; a cnnf_write_options is not.
 */
#ifndef CNNFREEZE_SERIALIZER_H
#define CNNFREEZE_SERIALIZER_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/graph.h>

typedef struct cnnf_write_options cnnf_write_options;

/** Takes `size` bytes of output; non-zero stops the writer with CNNF_E_IO. */
typedef int32_t (*cnnf_write_fn)(const void *data, size_t size, void *user);

CNNF_BEGIN_DECLS

/** *New* options holding the defaults: binary, no fsync. @since 0.1 */
CNNF_API cnnf_status cnnf_write_options_new(cnnf_write_options **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_write_options_free(cnnf_write_options *options); /**< NULL is allowed. @since 0.1 */
/** Text format (.pbtxt) instead of binary. @since 0.1 */
CNNF_API cnnf_status cnnf_write_options_set_text(cnnf_write_options *options, int32_t text, cnnf_error *error);
/** Survive a power loss: fsync the file and its folder before returning. Default 0. @since 0.1 */
CNNF_API cnnf_status cnnf_write_options_set_fsync(cnnf_write_options *options, int32_t fsync, cnnf_error *error);
/** Progress in bytes written. @since 0.1 */
CNNF_API cnnf_status cnnf_write_options_set_progress(cnnf_write_options *options, cnnf_progress_fn progress, void *user,
                                                     cnnf_error *error);

/** Bytes the binary GraphDef will have, before any work. @since 0.1 */
CNNF_API cnnf_status cnnf_graphdef_size(uint64_t *out, const cnnf_graph *graph, cnnf_error *error);
/**
 * Writes a GraphDef. CNNF_OK, CNNF_E_IO (no space, no such folder, an input that changed while in
 * use), CNNF_E_CORRUPT (a tensor's checksum), CNNF_E_LIMIT (2 GiB), CNNF_E_CANCELLED, CNNF_E_INVALID,
 * CNNF_E_NOMEM; on failure no file is new or changed. @since 0.1
 */
CNNF_API cnnf_status cnnf_write_graphdef_file(const cnnf_graph *graph, const char *path,
                                              const cnnf_write_options *options, cnnf_error *error);
/** The same into a *new* buffer. @since 0.1 */
CNNF_API cnnf_status cnnf_write_graphdef_buffer(cnnf_buffer **out, const cnnf_graph *graph,
                                                const cnnf_write_options *options, cnnf_error *error);
/** The same into a callback, piece by piece. @since 0.1 */
CNNF_API cnnf_status cnnf_write_graphdef_stream(const cnnf_graph *graph, cnnf_write_fn write, void *user,
                                                const cnnf_write_options *options, cnnf_error *error);
/**
 * A *new* graph with what a TensorFlow Saver adds: save/Const, save/SaveV2, save/RestoreV2,
 * save/restore_all. Unchanged when it is there or there are no variables. @since 0.1
 */
CNNF_API cnnf_status cnnf_graph_with_saver(cnnf_graph **out, const cnnf_graph *graph, cnnf_error *error);
/**
 * Writes the bound variables as PREFIX.data-00000-of-00001, PREFIX.index, PREFIX.meta (with what
 * cnnf_graph_with_saver() adds) and the `checkpoint` file beside them: all of them or none, at each
 * moment, for any reader (on file systems without links: one after the other). For the same
 * variables the bytes of data, index and checkpoint are TensorFlow's. Status as
 * cnnf_write_graphdef_file(); CNNF_E_NOT_FOUND when there is no bound variable. @since 0.1
 */
CNNF_API cnnf_status cnnf_write_checkpoint(const cnnf_graph *graph, const char *prefix,
                                           const cnnf_write_options *options, cnnf_error *error);

/**
 * Writes `size` bytes to a file as the writers above do: whole or not at all; a link is followed, a device or pipe is
 * written through. For reports beside a graph. CNNF_OK, CNNF_E_IO, CNNF_E_INVALID, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_write_file(cnnf_context *context, const char *path, const void *data, size_t size,
                                     const cnnf_write_options *options, cnnf_error *error);

CNNF_END_DECLS

#endif
