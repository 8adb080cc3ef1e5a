/* SPDX-License-Identifier: Apache-2.0 */
/**
 * cnnfreeze.h - trained Keras CNN to frozen TensorFlow graph, and the proof that nothing was lost.
 *
 * A whole program: freeze a Keras model.
 *
 *     #include <cnnfreeze/cnnfreeze.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         cnnf_context *context = NULL;
 *         cnnf_graph *model = NULL, *frozen = NULL;
 *         cnnf_error *error = cnnf_error_new();
 *         cnnf_status status = cnnf_context_new(&context, NULL, error);
 *         if (!status) status = cnnf_load_file(&model, context, "model.h5", NULL, error);
 *         if (!status) status = cnnf_freeze(&frozen, NULL, model, NULL, error);
 *         if (!status) status = cnnf_write_graphdef_file(frozen, "frozen_graph.pb", NULL, error);
 *         if (status) fprintf(stderr, "%s\n", cnnf_error_message(error));
 *         cnnf_graph_unref(frozen);
 *         cnnf_graph_unref(model);
 *         cnnf_context_unref(context);
 *         cnnf_error_free(error);
 *         return status ? 1 : 0;
 *     }
 *
 * General rules, stated once:
 * - Out-parameters come first, a nullable cnnf_error last. On failure every out-parameter is NULL
 *   (or 0) and nothing needs releasing. NULL options are the documented defaults.
 * - *new*: the caller releases it. *borrowed*: valid as long as the object it came from. *takes*:
 *   the callee owns it from then on.
 * - Destructors (`_free`, `_unref`) accept NULL. Strings and paths are UTF-8.
 * - A NULL or impossible argument is CNNF_E_INVALID, never a crash.
 * - The library never prints, exits, aborts, reads the environment or the locale, and opens no file
 *   but those it is given and their siblings of known name.
 */
#ifndef CNNFREEZE_CNNFREEZE_H
#define CNNFREEZE_CNNFREEZE_H

#include <cnnfreeze/version.h>
#include <cnnfreeze/status.h>
#include <cnnfreeze/error.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/buffer.h>
#include <cnnfreeze/tensor.h>
#include <cnnfreeze/graph.h>
#include <cnnfreeze/loader.h>
#include <cnnfreeze/checkpoint.h>
#include <cnnfreeze/transform.h>
#include <cnnfreeze/onnx.h>
#include <cnnfreeze/tflite.h>
#include <cnnfreeze/serializer.h>
#include <cnnfreeze/inspect.h>
#include <cnnfreeze/evaluator.h>
#include <cnnfreeze/metrics.h>
#include <cnnfreeze/dataset.h>
#include <cnnfreeze/npy.h>
#include <cnnfreeze/quantize.h>
#include <cnnfreeze/report.h>
#include <cnnfreeze/comparison.h>

#endif
