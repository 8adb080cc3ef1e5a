/* SPDX-License-Identifier: Apache-2.0 */
/**
 * onnx.h - a frozen graph as an ONNX model.
 *
 * The graph must be frozen (no variables, no function calls); fold_batch_norms, fold_constants and remove_identity
 * before it make the smaller model. Inputs are its Placeholders, outputs those asked for. Tensors keep TensorFlow's
 * names ("node", "node:1"). Images are channels-last in TensorFlow and channels-first in ONNX: convolutions, what
 * stands between them and what follows compute channels-first, the graph's own inputs and outputs stay as TensorFlow
 * has them. An open batch is the dimension "batch".
 *
 * What ONNX cannot say, or not in the same numbers, is CNNF_E_UNSUPPORTED with the node; docs/ops.md lists the ops.
 *
 * Thread-safety: the calls are safe; a cnnf_onnx_options is not.
 */
#ifndef CNNFREEZE_ONNX_H
#define CNNFREEZE_ONNX_H

#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/graph.h>
#include <cnnfreeze/serializer.h>

typedef struct cnnf_onnx_options cnnf_onnx_options;

/** Operator set versions that can be written (ai.onnx). */
#define CNNF_ONNX_OPSET_MIN     13
#define CNNF_ONNX_OPSET_MAX     21
#define CNNF_ONNX_OPSET_DEFAULT 17

CNNF_BEGIN_DECLS

/** *New* options: opset 17, the outputs that the graph declares, weights inside the file. @since 0.1 */
CNNF_API cnnf_status cnnf_onnx_options_new(cnnf_onnx_options **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_onnx_options_free(cnnf_onnx_options *options); /**< NULL is allowed. @since 0.1 */
/** One more output: "node", "node:1" or a Keras layer's name (copied). @since 0.1 */
CNNF_API cnnf_status cnnf_onnx_options_add_output(cnnf_onnx_options *options, const char *name, cnnf_error *error);
/** CNNF_ONNX_OPSET_MIN .. CNNF_ONNX_OPSET_MAX; else CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_onnx_options_set_opset(cnnf_onnx_options *options, int32_t opset, cnnf_error *error);
/** Inputs of three axes and more are channels-first, too: no Transpose at the beginning. Default 0. @since 0.1 */
CNNF_API cnnf_status cnnf_onnx_options_set_inputs_as_nchw(cnnf_onnx_options *options, int32_t on, cnnf_error *error);
/**
 * Weights in a file of their own beside the model, called as it with ".data" at the end. Default 0: only when the model
 * would be larger than the 2 GiB that a protobuf can be. For files alone. @since 0.1
 */
CNNF_API cnnf_status cnnf_onnx_options_set_external_data(cnnf_onnx_options *options, int32_t on, cnnf_error *error);

/**
 * Writes the model, whole or not at all. options NULL: the defaults; write_options (nullable): progress and fsync.
 * CNNF_OK, CNNF_E_UNSUPPORTED (with the node), CNNF_E_NOT_FOUND (an output, or none is declared), CNNF_E_LIMIT,
 * CNNF_E_CORRUPT (cycles, a tensor's checksum), CNNF_E_IO, CNNF_E_CANCELLED, CNNF_E_INVALID, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_write_onnx_file(const cnnf_graph *graph, const char *path, const cnnf_onnx_options *options,
                                          const cnnf_write_options *write_options, cnnf_error *error);
/** The same into a *new* buffer; larger than 2 GiB: CNNF_E_LIMIT. @since 0.1 */
CNNF_API cnnf_status cnnf_write_onnx_buffer(cnnf_buffer **out, const cnnf_graph *graph,
                                            const cnnf_onnx_options *options, cnnf_error *error);
/** The lowest opset in which an op of TensorFlow's can be said: at least CNNF_ONNX_OPSET_MIN; 0: in none. @since 0.1 */
CNNF_API int32_t cnnf_onnx_opset_of(const char *op);

CNNF_END_DECLS

#endif
