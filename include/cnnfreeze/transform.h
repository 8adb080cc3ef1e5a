/* SPDX-License-Identifier: Apache-2.0 */
/**
 * transform.h - graph to graph.
 *
 * A pass takes a graph and gives a new one; a pipeline runs passes by name, in the grammar of
 * TensorFlow's Graph Transform Tool: `fold_batch_norms remove_nodes(op=Identity, op=CheckNumerics)`.
 * cnnf_freeze() is the pass that TensorFlow's freeze_graph is. docs/passes.md says of each pass
 * what it does, when it is exact and what it refuses.
 *
 * Thread-safety: a cnnf_pipeline may run on several threads at once once it is built.
 */
#ifndef CNNFREEZE_TRANSFORM_H
#define CNNFREEZE_TRANSFORM_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/graph.h>

typedef struct cnnf_pipeline cnnf_pipeline;
typedef struct cnnf_freeze_options cnnf_freeze_options;

CNNF_BEGIN_DECLS

/** Passes this library knows. @since 0.1 */
CNNF_API int32_t cnnf_pass_count(void);
CNNF_API const char *cnnf_pass_name(int32_t index);        /**< NULL outside the range. @since 0.1 */
CNNF_API const char *cnnf_pass_description(int32_t index); /**< one sentence; NULL outside the range. @since 0.1 */

/** A *new* empty pipeline. CNNF_OK, CNNF_E_NOMEM, CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_pipeline_new(cnnf_pipeline **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_pipeline_free(cnnf_pipeline *pipeline); /**< NULL is allowed. @since 0.1 */
/**
 * Appends passes: one name, or several, each with arguments in brackets. An unknown pass or
 * argument is CNNF_E_NOT_FOUND, bad grammar CNNF_E_INVALID, else CNNF_OK or CNNF_E_NOMEM; on failure
 * nothing is appended. @since 0.1
 */
CNNF_API cnnf_status cnnf_pipeline_add(cnnf_pipeline *pipeline, const char *passes, cnnf_error *error);
/**
 * Nodes that keep their name and meaning: the graph's inputs and outputs. `x:0` is taken as `x`. Without: the
 * declared ones. CNNF_OK, CNNF_E_NOMEM, CNNF_E_INVALID (NULL). @since 0.1
 */
CNNF_API cnnf_status cnnf_pipeline_add_input(cnnf_pipeline *pipeline, const char *name, cnnf_error *error);
CNNF_API cnnf_status cnnf_pipeline_add_output(cnnf_pipeline *pipeline, const char *name,
                                              cnnf_error *error); /**< @since 0.1 */
/**
 * Runs the passes in order. *out is a *new* graph, also when nothing changed.
 * CNNF_OK and every failure of a pass (CNNF_E_UNSUPPORTED where it would not be exact); on failure
 * *out is NULL and `graph` is as it was. @since 0.1
 */
CNNF_API cnnf_status cnnf_pipeline_run(cnnf_graph **out, const cnnf_pipeline *pipeline, const cnnf_graph *graph,
                                       cnnf_error *error);
/**
 * As cnnf_pipeline_run(), and a *new* JSON report in *report (nullable): per pass what changed, per
 * batch norm where it went or why it stayed. @since 0.1
 */
CNNF_API cnnf_status cnnf_pipeline_run_report(cnnf_graph **out, cnnf_buffer **report, const cnnf_pipeline *pipeline,
                                              const cnnf_graph *graph, cnnf_error *error);

/** *New* options of cnnf_freeze(). CNNF_OK, CNNF_E_NOMEM, CNNF_E_INVALID (NULL), as each setter gives. @since 0.1 */
CNNF_API cnnf_status cnnf_freeze_options_new(cnnf_freeze_options **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_freeze_options_free(cnnf_freeze_options *options); /**< NULL is allowed. @since 0.1 */
/** An output node (`x:0` is taken as `x`; a Keras layer's name finds its last node); repeatable. Without: the declared
 * outputs. @since 0.1 */
CNNF_API cnnf_status cnnf_freeze_options_add_output(cnnf_freeze_options *options, const char *name, cnnf_error *error);
/** Variables to freeze or not to freeze (globs allowed; a name that matches nothing is an error); repeatable. @since
 * 0.1 */
CNNF_API cnnf_status cnnf_freeze_options_allow(cnnf_freeze_options *options, const char *pattern, cnnf_error *error);
CNNF_API cnnf_status cnnf_freeze_options_deny(cnnf_freeze_options *options, const char *pattern,
                                              cnnf_error *error); /**< @since 0.1 */
/**
 * A node whose assignments run before freezing and overwrite what is bound (freeze_graph's
 * --initializer_nodes); the values must be constants. Repeatable. @since 0.1
 */
CNNF_API cnnf_status cnnf_freeze_options_add_initializer(cnnf_freeze_options *options, const char *node,
                                                         cnnf_error *error);
/** Whether `device` is cleared on the main graph's nodes; default 1. @since 0.1 */
CNNF_API cnnf_status cnnf_freeze_options_set_clear_devices(cnnf_freeze_options *options, int32_t clear,
                                                           cnnf_error *error);
/**
 * Whether nodes get the attributes they lack, at TensorFlow 2.15's defaults, as its freeze_graph does by
 * importing the graph; graphs written for 1.15 or older never do. Default 0. @since 0.1
 */
CNNF_API cnnf_status cnnf_freeze_options_set_default_attrs(cnnf_freeze_options *options, int32_t add,
                                                           cnnf_error *error);

/**
 * Freezes: keeps what the outputs need, turns every bound variable into a Const, byte for byte as
 * TensorFlow 2.15's freeze_graph does. *out is a *new* graph; *converted (nullable) the number of
 * variables turned. A needed variable without a value is CNNF_E_NOT_FOUND; an assignment in the
 * outputs' cone CNNF_E_UNSUPPORTED with the path from the output; a graph of more than 2 GiB
 * CNNF_E_LIMIT with its largest tensors; an initializer whose value is not constant CNNF_E_UNSUPPORTED; a name that
 * is not there CNNF_E_NOT_FOUND; no outputs given, declared or found CNNF_E_INVALID; a broken graph CNNF_E_CORRUPT;
 * CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_freeze(cnnf_graph **out, int64_t *converted, const cnnf_graph *graph,
                                 const cnnf_freeze_options *options, cnnf_error *error);

/**
 * The outputs of a graph that declares none: its ranked sinks, one name per line, save, init,
 * summary and training nodes never. *out is a *new* buffer, empty when there are none. CNNF_OK, CNNF_E_CORRUPT
 * (a cycle), CNNF_E_INVALID (NULL), CNNF_E_NOMEM. @since 0.1
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
