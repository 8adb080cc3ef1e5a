/* SPDX-License-Identifier: Apache-2.0 */
/**
 * quantize.h - a frozen graph to what Vitis AI's quantizer makes of it for the DPU.
 *
 * A quantizer rewrites the graph as vai_q_tensorflow 3.5 does (batch norms folded, pools as the DPU
 * computes them), puts FixNeuron nodes where the DPU wants 8-bit numbers, and finds their positions
 * from batches of examples:
 *
 *     cnnf_quantizer_new(&q, graph, NULL, error);
 *     while (more) cnnf_quantizer_feed(q, names, tensors, 1, error);
 *     cnnf_quantizer_finish(&quantized, q, error);     // quantize_eval_model.pb
 *     cnnf_quantizer_deploy(&deployed, q, error);      // deploy_model.pb
 *
 * Each batch is rounded with positions of its own, so that later nodes see rounded values; a node's
 * position is the most frequent one over the batches. Only what a batch needs is in memory.
 *
 * The result is the tool's, node for node and position for position, but where the tool is wrong
 * without a word: docs/quantization.md lists these, cnnf_quantizer_report() says what was done, and
 * the option "as_vai_q" asks for the tool's own result.
 *
 * Thread-safety: a quantizer and its options are unsafe; one thread at a time. A quantizer may run
 * its evaluator on several.
 */
#ifndef CNNFREEZE_QUANTIZE_H
#define CNNFREEZE_QUANTIZE_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/dataset.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/graph.h>
#include <cnnfreeze/tensor.h>

typedef struct cnnf_quantizer cnnf_quantizer;
typedef struct cnnf_quantizer_options cnnf_quantizer_options;

CNNF_BEGIN_DECLS

/** *New* options holding the tool's defaults. CNNF_OK, CNNF_E_NOMEM, CNNF_E_INVALID (NULL). @since 0.1 */
CNNF_API cnnf_status cnnf_quantizer_options_new(cnnf_quantizer_options **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_quantizer_options_free(cnnf_quantizer_options *options); /**< NULL is allowed. @since 0.1 */

/** The integer options by the names of the tool's flags; how many there are. @since 0.1 */
CNNF_API int32_t cnnf_quantizer_option_count(void);
CNNF_API const char *cnnf_quantizer_option_name(int32_t index);        /**< NULL outside the range. @since 0.1 */
CNNF_API const char *cnnf_quantizer_option_description(int32_t index); /**< NULL outside the range. @since 0.1 */
CNNF_API int64_t cnnf_quantizer_option_default(int32_t index);         /**< 0 outside the range. @since 0.1 */
/**
 * Sets one of them: "method" (0 no overflow, 1 least squared error, 2 the same with relative errors for depthwise
 * weights), "weight_bit", "activation_bit", "align_concat", "align_pool" (0 all, 1 outputs, 2 none), "simulate_dpu",
 * "adjust_shift_bias", "adjust_shift_cut", "do_cle", "replace_softmax", "as_vai_q", "threads" (0: all processors);
 * "scheme" 1 is affine int8 as FakeQuant nodes (for cnnf_write_onnx_file()), with "ranges" (0 least and greatest, 1 all
 * but a share, 2 least squares, 3 entropy), "kept" (of ranges 1, in a million) and "per_channel" (0, 1).
 * CNNF_OK, CNNF_E_NOT_FOUND (the name), CNNF_E_INVALID (NULL, a value out of range). @since 0.1
 */
CNNF_API cnnf_status cnnf_quantizer_options_set(cnnf_quantizer_options *options, const char *name, int64_t value,
                                                cnnf_error *error);
/** A node to feed, one to fetch (`x:0` is taken as `x`); repeatable. Without: the declared ones, else every
 * Placeholder, and every node that nobody reads. CNNF_OK, CNNF_E_NOMEM, CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_quantizer_options_add_input(cnnf_quantizer_options *options, const char *name,
                                                      cnnf_error *error);
CNNF_API cnnf_status cnnf_quantizer_options_add_output(cnnf_quantizer_options *options, const char *name,
                                                       cnnf_error *error); /**< @since 0.1 */

/**
 * A *new* quantizer of a frozen graph; `options` NULL = the defaults, copied. CNNF_OK; CNNF_E_NOT_FOUND (a name),
 * CNNF_E_UNSUPPORTED (a variable, a loop; with as_vai_q what the tool fails at), CNNF_E_CORRUPT, CNNF_E_LIMIT,
 * CNNF_E_IO, CNNF_E_INVALID, CNNF_E_NOMEM; on failure *out is NULL. @since 0.1
 */
CNNF_API cnnf_status cnnf_quantizer_new(cnnf_quantizer **out, const cnnf_graph *graph,
                                        const cnnf_quantizer_options *options, cnnf_error *error);
CNNF_API void cnnf_quantizer_free(cnnf_quantizer *quantizer); /**< NULL is allowed. @since 0.1 */

/** Inputs in the order they are fed; a name is *borrowed* from the quantizer, NULL outside the range. @since 0.1 */
CNNF_API int32_t cnnf_quantizer_input_count(const cnnf_quantizer *quantizer);
CNNF_API const char *cnnf_quantizer_input_name(const cnnf_quantizer *quantizer, int32_t index); /**< @since 0.1 */
/** For each output asked for the node of the quantized graph that gives it ("activation_6/Softmax/aquant"). @since 0.1
 */
CNNF_API int32_t cnnf_quantizer_output_count(const cnnf_quantizer *quantizer);
CNNF_API const char *cnnf_quantizer_output_name(const cnnf_quantizer *quantizer, int32_t index); /**< @since 0.1 */

/**
 * Calibrates with one batch: a float tensor for each input. CNNF_OK, CNNF_E_INVALID (NULL, no rows), and what
 * cnnf_evaluator_run() returns; after a failure the quantizer is as it was before. @since 0.1
 */
CNNF_API cnnf_status cnnf_quantizer_feed(cnnf_quantizer *quantizer, const char *const *names,
                                         const cnnf_tensor *const *tensors, size_t count, cnnf_error *error);
/**
 * Calibrates with the next batches of a data set, for a graph with one input: `batches` of `batch` examples, all there
 * are when 0 (the last one may be smaller). Labels are not looked at. Progress in examples; nullable. CNNF_OK, what
 * cnnf_dataset_next() and cnnf_quantizer_feed() return, CNNF_E_CANCELLED. @since 0.1
 */
CNNF_API cnnf_status cnnf_quantizer_feed_dataset(cnnf_quantizer *quantizer, cnnf_dataset *dataset, int64_t batch,
                                                 int64_t batches, cnnf_progress_fn progress, void *user,
                                                 cnnf_error *error);

/**
 * The graph with FixNeuron nodes at their positions: *out is *new*. More batches may follow, and then another call.
 * CNNF_OK, CNNF_E_INVALID (nothing was fed), CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_quantizer_finish(cnnf_graph **out, cnnf_quantizer *quantizer, cnnf_error *error);
/**
 * What the tool's older converter makes of that graph: weights on their grid and positions as attributes of the
 * products. *out is *new*. As cnnf_quantizer_finish(), and CNNF_E_UNSUPPORTED (a node that it does not take). @since
 * 0.1
 */
CNNF_API cnnf_status cnnf_quantizer_deploy(cnnf_graph **out, cnnf_quantizer *quantizer, cnnf_error *error);
/**
 * Positions before and after adjustment, ranges, the share of values that a position cuts off, signal-to-noise ratio
 * against the float graph in dB (on the first examples that were fed), and what was done differently from the tool:
 * text, or JSON when `json` is non-zero. *out is a *new* buffer. As cnnf_quantizer_finish(), and what
 * cnnf_evaluator_run() returns. @since 0.1
 */
CNNF_API cnnf_status cnnf_quantizer_report(cnnf_buffer **out, cnnf_quantizer *quantizer, int32_t json,
                                           cnnf_error *error);

CNNF_END_DECLS

#endif
