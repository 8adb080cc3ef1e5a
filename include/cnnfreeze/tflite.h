/* SPDX-License-Identifier: Apache-2.0 */
/**
 * tflite.h - a frozen graph as a TFLite (LiteRT) model.
 *
 * The graph must be frozen (no variables, no function calls); static_shapes, fold_batch_norms and fold_constants before
 * it make the smaller model. Inputs are its Placeholders, outputs those asked for; tensors keep TensorFlow's names
 * ("node", "node:1"), the signature "serving_default" has Keras' ones (the input's and the output's layer). Builtin
 * operators only. An open batch is 1 in a tensor's shape and -1 in its signature, so that a runtime can resize it.
 *
 * What TFLite has no builtin operator for, or none for this dtype, is CNNF_E_UNSUPPORTED with the node; docs/ops.md
 * lists the ops.
 *
 * Thread-safety: the calls are safe; a cnnf_tflite_options is not.
 */
#ifndef CNNFREEZE_TFLITE_H
#define CNNFREEZE_TFLITE_H

#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/graph.h>
#include <cnnfreeze/serializer.h>

typedef struct cnnf_tflite_options cnnf_tflite_options;

/** How weights are kept. */
#define CNNF_TFLITE_FLOAT32 0 /**< as they are */

CNNF_BEGIN_DECLS

/** *New* options: the outputs that the graph declares, weights as they are. @since 0.1 */
CNNF_API cnnf_status cnnf_tflite_options_new(cnnf_tflite_options **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_tflite_options_free(cnnf_tflite_options *options); /**< NULL is allowed. @since 0.1 */
/** One more output: "node", "node:1" or a Keras layer's name (copied). @since 0.1 */
CNNF_API cnnf_status cnnf_tflite_options_add_output(cnnf_tflite_options *options, const char *name, cnnf_error *error);

/**
 * Writes the model, whole or not at all. options NULL: the defaults; write_options (nullable): progress and fsync.
 * CNNF_OK, CNNF_E_UNSUPPORTED (with the node), CNNF_E_NOT_FOUND (an output, or none is declared), CNNF_E_LIMIT (also:
 * larger than 2 GiB), CNNF_E_CORRUPT (cycles, a tensor's checksum), CNNF_E_IO, CNNF_E_CANCELLED, CNNF_E_INVALID,
 * CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_write_tflite_file(const cnnf_graph *graph, const char *path,
                                            const cnnf_tflite_options *options, const cnnf_write_options *write_options,
                                            cnnf_error *error);
/** The same into a *new* buffer. @since 0.1 */
CNNF_API cnnf_status cnnf_write_tflite_buffer(cnnf_buffer **out, const cnnf_graph *graph,
                                              const cnnf_tflite_options *options, cnnf_error *error);
/** 1: an op of TensorFlow's can be said in TFLite, perhaps not for every dtype and attribute; 0. @since 0.1 */
CNNF_API int32_t cnnf_tflite_has_op(const char *op);

CNNF_END_DECLS

#endif
