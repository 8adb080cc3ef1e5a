/* SPDX-License-Identifier: Apache-2.0 */
/**
 * evaluator.h - graph and tensors to tensors.
 *
 * An evaluator compiles a plan once per set of input shapes and fetches, keeps it, and runs it on
 * its own threads. They start at the first run and end with the evaluator. After fork() the
 * child's copy answers CNNF_E_INVALID; make a new one.
 *
 * Results are bit-equal run to run, and for any number of threads over batches.
 *
 * Thread-safety: safe; many threads may run one evaluator at once.
 */
#ifndef CNNFREEZE_EVALUATOR_H
#define CNNFREEZE_EVALUATOR_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/graph.h>
#include <cnnfreeze/tensor.h>

typedef struct cnnf_evaluator cnnf_evaluator;
typedef struct cnnf_evaluator_options cnnf_evaluator_options;

CNNF_BEGIN_DECLS

/** *New* options holding the defaults: backend "auto", as many threads as processors, not strict. @since 0.1 */
CNNF_API cnnf_status cnnf_evaluator_options_new(cnnf_evaluator_options **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_evaluator_options_free(cnnf_evaluator_options *options); /**< NULL is allowed. @since 0.1 */
/** Threads, the caller's included; 0 = as many as processors. CNNF_OK, CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_evaluator_options_set_threads(cnnf_evaluator_options *options, int32_t threads,
                                                        cnnf_error *error);
/**
 * "auto", "portable" or "onednn"; CNNF_E_NOT_FOUND when it is not built in. "auto" is the portable
 * vector code, which fuses more and is ahead of oneDNN 2.6. "onednn" leaves what it declines to it. @since 0.1
 */
CNNF_API cnnf_status cnnf_evaluator_options_set_backend(cnnf_evaluator_options *options, const char *backend,
                                                        cnnf_error *error);
/**
 * The instruction set of the portable backend's fused steps: "auto" (the default: the best that the processor has),
 * "sse2", "avx2", "avx512", on 64-bit ARM "neon", elsewhere "baseline". Each gives the same bits in every run; two of
 * them differ by rounding, as sums are fused or not and Winograd's transform pays or not. CNNF_OK, CNNF_E_NOT_FOUND
 * (not in this build), CNNF_E_UNSUPPORTED (not in this processor), CNNF_E_INVALID (NULL). @since 0.1
 */
CNNF_API cnnf_status cnnf_evaluator_options_set_isa(cnnf_evaluator_options *options, const char *isa,
                                                    cnnf_error *error);
/**
 * Strict: the last bits never depend on the thread count. The portable backend keeps that promise
 * always; onednn then takes one image at a time. Default 0. @since 0.1
 */
CNNF_API cnnf_status cnnf_evaluator_options_set_deterministic(cnnf_evaluator_options *options, int32_t strict,
                                                              cnnf_error *error);

/**
 * A *new* evaluator of a graph: bound variables are taken at their value, functions that are called stand in
 * place of their calls, which keep their names. An op outside
 * the table (docs/ops.md) is refused at the first run that needs it, by name, before anything runs.
 * CNNF_OK, CNNF_E_INVALID, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_evaluator_new(cnnf_evaluator **out, const cnnf_graph *graph,
                                        const cnnf_evaluator_options *options, cnnf_error *error);
CNNF_API void
cnnf_evaluator_free(cnnf_evaluator *evaluator); /**< NULL is allowed; no run may be under way. @since 0.1 */
/**
 * Computes `fetch_count` tensors ("node" or "node:1") from `feed_count` fed ones. outputs: as many
 * *new* references. CNNF_OK; CNNF_E_NOT_FOUND (a name), CNNF_E_MISMATCH (a shape or dtype, with the
 * node), CNNF_E_UNSUPPORTED (an op), CNNF_E_LIMIT, CNNF_E_CANCELLED, CNNF_E_INVALID, CNNF_E_IO,
 * CNNF_E_NOMEM; on failure every output is NULL. @since 0.1
 */
CNNF_API cnnf_status cnnf_evaluator_run(cnnf_tensor **outputs, cnnf_evaluator *evaluator, const char *const *feed_names,
                                        const cnnf_tensor *const *feeds, size_t feed_count,
                                        const char *const *fetch_names, size_t fetch_count, cnnf_error *error);
/** Ends the runs under way with CNNF_E_CANCELLED; from any thread, also a signal handler. @since 0.1 */
CNNF_API void cnnf_evaluator_cancel(cnnf_evaluator *evaluator);
/**
 * How a run with these feeds (their dtypes and shapes matter, not their values) and fetches is done:
 * *out is a *new* buffer with JSON text: "arena_bytes", and for every step its node, op, how many
 * nodes it does at once, backend, algorithm ("winograd F(4x4, 3x3)", "direct", "general" ...), instruction set and
 * output shape. The text is for people and logs; its wording may change. Status as
 * cnnf_evaluator_run(); on failure *out is NULL. @since 0.1
 */
CNNF_API cnnf_status cnnf_evaluator_describe(cnnf_buffer **out, cnnf_evaluator *evaluator,
                                             const char *const *feed_names, const cnnf_tensor *const *feeds,
                                             size_t feed_count, const char *const *fetch_names, size_t fetch_count,
                                             cnnf_error *error);
/** The backend in use: "portable" or "onednn". @since 0.1 */
CNNF_API const char *cnnf_evaluator_backend(const cnnf_evaluator *evaluator);

/** Ops the evaluator knows, sorted. @since 0.1 */
CNNF_API int32_t cnnf_op_count(void);
CNNF_API const char *cnnf_op_name(int32_t index); /**< NULL outside the range. @since 0.1 */

CNNF_END_DECLS

#endif
