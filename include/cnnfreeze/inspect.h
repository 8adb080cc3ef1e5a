/* SPDX-License-Identifier: Apache-2.0 */
/**
 * inspect.h - what is in a graph, whether the next tool takes it, how two graphs differ.
 *
 * Nothing here changes or runs a graph; comparison.h compares what two graphs compute.
 *
 * Thread-safety: safe.
 */
#ifndef CNNFREEZE_INSPECT_H
#define CNNFREEZE_INSPECT_H

#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/graph.h>

CNNF_BEGIN_DECLS

/**
 * What is in a graph: possible inputs and outputs, variables, parameters, sizes, ops. *out is a *new*
 * buffer; format: CNNF_REPORT_TEXT (a table of layers as Keras' summary(): ops, output shapes, parameters,
 * multiplications), _GTT (the lines of TensorFlow's summarize_graph), _JSON, _SVG (layers as boxes, joined where there
 * are more than 120), or _DOT (the same for Graphviz, never joined). CNNF_OK, CNNF_E_CORRUPT (a cycle, in the table),
 * CNNF_E_INVALID, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_graph_summary(cnnf_buffer **out, const cnnf_graph *graph, int32_t format, cnnf_error *error);

/**
 * The outputs of a graph that declares none, one name per line in file order; save, init, summary and training nodes
 * never. *out is a *new* buffer, empty when there are none. Where the graph leaves more than one answer (two networks,
 * one built twice, results of a search) none is given: CNNF_E_INVALID, and the message names the candidates. CNNF_OK,
 * CNNF_E_CORRUPT (a cycle), CNNF_E_INVALID (that, or NULL), CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_graph_guess_outputs(cnnf_buffer **out, const cnnf_graph *graph, cnnf_error *error);

/** Tools that cnnf_check_graph() knows: "vitis-ai", "opencv", "tflite", "openvino". @since 0.1 */
CNNF_API int32_t cnnf_check_target_count(void);
CNNF_API const char *cnnf_check_target_name(int32_t index); /**< NULL outside the range. @since 0.1 */
/** The passes that make a frozen graph fit for a tool, as cnnf_pipeline_add() takes them; NULL when it is not known.
 * @since 0.1 */
CNNF_API const char *cnnf_check_target_passes(const char *target);
/**
 * Checks what a tool demands of a frozen graph, one by one. *out is a *new* report, also when demands
 * are not met; format: CNNF_REPORT_TEXT or _JSON. A text report of a graph that meets all of them ends
 * with the tool's ready command line. *unmet (nullable) is the number of required demands that are not met.
 * CNNF_OK, CNNF_E_NOT_FOUND (no such target), CNNF_E_INVALID, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_check_graph(cnnf_buffer **out, int64_t *unmet, const cnnf_graph *graph, const char *target,
                                      int32_t format, cnnf_error *error);
/** The same with the path under which the command line names the graph's file; NULL: "frozen_graph.pb". @since 0.1 */
CNNF_API cnnf_status cnnf_check_graph_file(cnnf_buffer **out, int64_t *unmet, const cnnf_graph *graph, const char *file,
                                           const char *target, int32_t format, cnnf_error *error);
/**
 * How two graphs differ: nodes that only one has, ops, inputs, attributes, values. *out is a *new*
 * report (CNNF_REPORT_TEXT, one line per difference, or _JSON), empty when they are the same;
 * *differences (nullable) their number. Neither order nor `:0` counts. CNNF_OK, CNNF_E_IO, CNNF_E_INVALID,
 * CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_compare_graphs(cnnf_buffer **out, int64_t *differences, const cnnf_graph *a,
                                         const cnnf_graph *b, int32_t format, cnnf_error *error);

CNNF_END_DECLS

#endif
