/* SPDX-License-Identifier: Apache-2.0 */
/**
 * comparison.h - whether two graphs compute the same numbers, and where they part.
 *
 * Both graphs run on the given inputs, or on random ones from a seed: those that the compared outputs
 * need. What an input's shape leaves open is taken from the other graph, then from the first layer behind it; heights
 * and widths that nobody knows are tried until a run succeeds, and logged. Functions are put in place of their calls.
 * The outputs are held against each other; then, node by node in the order of execution, the tensors that both have
 * by name.
 *
 * Thread-safety: options are unsafe; a cnnf_comparison is safe.
 */
#ifndef CNNFREEZE_COMPARISON_H
#define CNNFREEZE_COMPARISON_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/graph.h>
#include <cnnfreeze/tensor.h>

typedef struct cnnf_comparison cnnf_comparison;
typedef struct cnnf_comparison_options cnnf_comparison_options;

CNNF_BEGIN_DECLS

/** *New* options holding the defaults: one run, seed 1, batch 2, tolerance 1e-5, one thread per processor. @since 0.1
 */
CNNF_API cnnf_status cnnf_comparison_options_new(cnnf_comparison_options **out, cnnf_context *context,
                                                 cnnf_error *error);
CNNF_API void cnnf_comparison_options_free(cnnf_comparison_options *options); /**< NULL is allowed. @since 0.1 */
/** A value for the input `name` (one more reference); inputs without one are random. CNNF_OK, CNNF_E_INVALID,
 * CNNF_E_NOMEM. @since 0.1 */
CNNF_API cnnf_status cnnf_comparison_options_add_feed(cnnf_comparison_options *options, const char *name,
                                                      const cnnf_tensor *value, cnnf_error *error);
/**
 * An output to compare: `a` in the first graph, `b` in the second (NULL: the same name). None: the
 * declared outputs of the first graph (the second's of the same place, where it has not the name), else what
 * cnnf_graph_guess_outputs() finds, else its nodes that no other node reads. @since 0.1
 */
CNNF_API cnnf_status cnnf_comparison_options_add_output(cnnf_comparison_options *options, const char *a, const char *b,
                                                        cnnf_error *error);
/** Random inputs: how often (>= 1) and from which seed; floats are uniform in [0, 1). @since 0.1 */
CNNF_API cnnf_status cnnf_comparison_options_set_random(cnnf_comparison_options *options, int32_t runs, uint64_t seed,
                                                        cnnf_error *error);
/** What stands for an unknown first axis of an input (>= 1). @since 0.1 */
CNNF_API cnnf_status cnnf_comparison_options_set_batch(cnnf_comparison_options *options, int64_t batch,
                                                       cnnf_error *error);
/** Largest error allowed, relative to the largest number of the first graph's tensor. @since 0.1 */
CNNF_API cnnf_status cnnf_comparison_options_set_tolerance(cnnf_comparison_options *options, double tolerance,
                                                           cnnf_error *error);
/** Whether common nodes inside are compared too; default 1. @since 0.1 */
CNNF_API cnnf_status cnnf_comparison_options_set_inside(cnnf_comparison_options *options, int32_t inside,
                                                        cnnf_error *error);

/**
 * Compares; *out is *new*, also when the numbers differ. `options` NULL = the defaults. CNNF_OK;
 * CNNF_E_NOT_FOUND (an input or output), CNNF_E_INVALID (an input that is no number: give its
 * value), and what cnnf_evaluator_run() returns. @since 0.1
 */
CNNF_API cnnf_status cnnf_compare_numbers(cnnf_comparison **out, const cnnf_graph *a, const cnnf_graph *b,
                                          const cnnf_comparison_options *options, cnnf_error *error);
CNNF_API void cnnf_comparison_free(cnnf_comparison *comparison); /**< NULL is allowed. @since 0.1 */
/** Whether every output is within the tolerance. @since 0.1 */
CNNF_API int32_t cnnf_comparison_within(const cnnf_comparison *comparison);
/** Largest |a - b| over the outputs; infinite when shapes differ or one has a NaN where the other has none. @since 0.1
 */
CNNF_API double cnnf_comparison_max_abs(const cnnf_comparison *comparison);
/** The same relative to the largest number of each tensor. @since 0.1 */
CNNF_API double cnnf_comparison_max_rel(const cnnf_comparison *comparison);
/** First common tensor, in the order of execution, beyond the tolerance; *borrowed*, NULL when there is none. @since
 * 0.1 */
CNNF_API const char *cnnf_comparison_first(const cnnf_comparison *comparison);
/** Tensors compared. @since 0.1 */
CNNF_API int64_t cnnf_comparison_count(const cnnf_comparison *comparison);
/** A *new* report: CNNF_REPORT_TEXT or _JSON. CNNF_OK, CNNF_E_INVALID, CNNF_E_NOMEM. @since 0.1 */
CNNF_API cnnf_status cnnf_comparison_report(cnnf_buffer **out, const cnnf_comparison *comparison, int32_t format,
                                            cnnf_error *error);

CNNF_END_DECLS

#endif
