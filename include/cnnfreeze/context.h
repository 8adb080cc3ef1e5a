/* SPDX-License-Identifier: Apache-2.0 */
/**
 * context.h - allocator, log and limits: what every other object is made in.
 *
 * A context is immutable once created and reference-counted; every object made in it keeps it
 * alive. Two contexts share nothing. The library has no global initialisation.
 *
 * Thread-safety: a cnnf_context is safe; a cnnf_context_options is not.
 */
#ifndef CNNFREEZE_CONTEXT_H
#define CNNFREEZE_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/error.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/status.h>

typedef struct cnnf_context cnnf_context;
typedef struct cnnf_context_options cnnf_context_options;

/**
 * The caller's allocator. `size` is never 0. May be called from any thread that calls the library
 * and from an evaluator's own threads. Memory need not be zeroed; alignment as malloc's.
 */
typedef void *(*cnnf_malloc_fn)(size_t size, void *user);
typedef void *(*cnnf_realloc_fn)(void *pointer, size_t size, void *user);
typedef void (*cnnf_free_fn)(void *pointer, void *user);

/** Log levels; a message is delivered when its level is at least the context's. */
#define CNNF_LOG_DEBUG   0
#define CNNF_LOG_INFO    1
#define CNNF_LOG_WARNING 2

/** A finished UTF-8 line without newline, *borrowed* for the call; called on the calling thread only. */
typedef void (*cnnf_log_fn)(int32_t level, const char *message, void *user);

/**
 * Progress of a long call: `done` of `total` units (bytes or images; total 0 = unknown). Called on
 * the calling thread, never after the call returns. Non-zero stops the call with CNNF_E_CANCELLED.
 */
typedef int32_t (*cnnf_progress_fn)(uint64_t done, uint64_t total, void *user);

/**
 * Told of each temporary file that an output is written to, before it is made (`exists` 1) and when it is gone (0), so
 * that a program that is ended by a signal can remove it. `path` is *borrowed* for the call; called on the calling
 * thread only. The library itself removes its temporary files in every case but the death of the process, and then the
 * next writer in the folder does.
 */
typedef void (*cnnf_temporary_fn)(const char *path, int32_t exists, void *user);

/*
 * Limits: checked against the numbers a file declares, before anything is allocated.
 * cnnf_context_options_set_limit(); the value 0 restores the default.
 */
#define CNNF_LIMIT_FILE_BYTES      0  /**< one input file; default 16 GiB */
#define CNNF_LIMIT_TENSOR_BYTES    1  /**< one tensor in memory; default 2 GiB */
#define CNNF_LIMIT_MEMORY          2  /**< all bytes the context holds at once; default 8 GiB */
#define CNNF_LIMIT_TENSOR_ELEMENTS 3  /**< elements of one tensor; default 2^31-1 */
#define CNNF_LIMIT_RANK            4  /**< dimensions of one tensor; default 32 */
#define CNNF_LIMIT_NODES           5  /**< nodes of one graph, functions included; default 1,000,000 */
#define CNNF_LIMIT_NODE_INPUTS     6  /**< inputs of one node; default 65,536 */
#define CNNF_LIMIT_DEPTH           7  /**< nesting of messages, JSON, text and groups; default 64 */
#define CNNF_LIMIT_ATTRS           8  /**< attributes of one node; default 1,024 */
#define CNNF_LIMIT_ATTR_BYTES      9  /**< one attribute that is no tensor, model_config too; default 64 MiB */
#define CNNF_LIMIT_NAME_BYTES      10 /**< one name; default 4,096 */
#define CNNF_LIMIT_SHARDS          11 /**< files of one checkpoint; default 4,096 */
#define CNNF_LIMIT_ENTRIES         12 /**< entries of a checkpoint or zip, links of an H5; default 1,000,000 */
#define CNNF_LIMIT_LINE_BYTES      13 /**< one line of a data set; default 64 MiB */
#define CNNF_LIMIT_PIXELS          14 /**< pixels of one image; default 67,108,864 */
#define CNNF_LIMIT_STEPS           15 /**< steps of work of one call; default 10^10 */
#define CNNF_LIMIT_COUNT           16

/*
 * A step is what visiting a node costs: one node looked at, compiled or computed (in every round of a loop), 1,024
 * elements read or written, 4,096 multiplications. Runs of an evaluator, pipelines, inlining, constant folding, loads
 * and writes count them, each call its own; one that takes more is CNNF_E_LIMIT. 10^9 of them are minutes, not seconds.
 * Loads and writes count nodes, inputs, attributes, values of JSON, structures and chunks of HDF5, entries of archives
 * and checkpoints, and bytes; 65,536 steps they may always take.
 */

CNNF_BEGIN_DECLS

/** *New* options holding the defaults: malloc, no log, the limits above. CNNF_OK, CNNF_E_NOMEM or CNNF_E_INVALID.
 * @since 0.1 */
CNNF_API cnnf_status cnnf_context_options_new(cnnf_context_options **out, cnnf_error *error);
/** Releases options; NULL is allowed. @since 0.1 */
CNNF_API void cnnf_context_options_free(cnnf_context_options *options);
/** All three functions or none (NULL, NULL, NULL restores malloc's). CNNF_OK or CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_context_options_set_allocator(cnnf_context_options *options, cnnf_malloc_fn malloc_fn,
                                                        cnnf_realloc_fn realloc_fn, cnnf_free_fn free_fn, void *user,
                                                        cnnf_error *error);
/** Where messages go; NULL (the default) is silence. CNNF_OK or CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_context_options_set_log(cnnf_context_options *options, cnnf_log_fn log_fn, int32_t min_level,
                                                  void *user, cnnf_error *error);
/** One of CNNF_LIMIT_*; 0 restores the default. CNNF_OK or CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_context_options_set_limit(cnnf_context_options *options, int32_t limit, uint64_t value,
                                                    cnnf_error *error);
/** Limits for files from strangers: 256 MiB files, 1 GiB memory, 100,000 nodes, depth 32, 3*10^7 steps. CNNF_OK or
 * CNNF_E_INVALID.
 * @since 0.1 */
CNNF_API cnnf_status cnnf_context_options_set_untrusted(cnnf_context_options *options, cnnf_error *error);
/** Who is told of temporary files; NULL (the default): nobody. CNNF_OK or CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_context_options_set_temporary_files(cnnf_context_options *options, cnnf_temporary_fn told,
                                                              void *user, cnnf_error *error);
/**
 * Where what does not fit into memory while loading goes, in files without a name; copied. Default (NULL): "/tmp".
 * CNNF_OK, CNNF_E_NOMEM or CNNF_E_INVALID. @since 0.1
 */
CNNF_API cnnf_status cnnf_context_options_set_temporary_folder(cnnf_context_options *options, const char *path,
                                                               cnnf_error *error);

/**
 * A *new* context, released with cnnf_context_unref(). `options` NULL = the defaults; it is copied.
 * CNNF_OK, CNNF_E_NOMEM or CNNF_E_INVALID; on failure *out is NULL. @since 0.1
 */
CNNF_API cnnf_status cnnf_context_new(cnnf_context **out, const cnnf_context_options *options, cnnf_error *error);
/** One more reference; returns its argument. NULL gives NULL. @since 0.1 */
CNNF_API cnnf_context *cnnf_context_ref(const cnnf_context *context);
/** Gives a reference back; NULL is allowed. @since 0.1 */
CNNF_API void cnnf_context_unref(cnnf_context *context);
/** The limit in force; 0 for an unknown one. @since 0.1 */
CNNF_API uint64_t cnnf_context_limit(const cnnf_context *context, int32_t limit);
/** The name used in messages ("max_nodes"); "unknown" for an unknown one. @since 0.1 */
CNNF_API const char *cnnf_limit_name(int32_t limit);
/** Bytes the context's objects hold now; the most they ever held when `peak` is non-zero. @since 0.1 */
CNNF_API uint64_t cnnf_context_memory(const cnnf_context *context, int32_t peak);

CNNF_END_DECLS

#endif
