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

/** What an argument's value must be. */
#define CNNF_ARGUMENT_STRING 0
#define CNNF_ARGUMENT_INT    1
#define CNNF_ARGUMENT_FLOAT  2
#define CNNF_ARGUMENT_BOOL   3 /**< true, false, 1 or 0 */
#define CNNF_ARGUMENT_DTYPE  4 /**< float, DT_FLOAT or 1 ... */
#define CNNF_ARGUMENT_SHAPE  5 /**< 1,28,28,1 in quotes; -1 or ? is unknown */

/** Arguments of pass number `pass`; every pass takes `ignore_errors` (a bool) beside them. 0 outside the range. @since
 * 0.1
 */
CNNF_API int32_t cnnf_pass_argument_count(int32_t pass);
CNNF_API const char *cnnf_pass_argument_name(int32_t pass, int32_t index); /**< NULL outside the range. @since 0.1 */
/** One sentence with the default; NULL outside the range. @since 0.1 */
CNNF_API const char *cnnf_pass_argument_description(int32_t pass, int32_t index);
CNNF_API int32_t cnnf_pass_argument_kind(int32_t pass,
                                         int32_t index); /**< CNNF_ARGUMENT_*; -1 outside the range. @since 0.1 */
CNNF_API int32_t cnnf_pass_argument_is_required(int32_t pass, int32_t index);   /**< 1 or 0. @since 0.1 */
CNNF_API int32_t cnnf_pass_argument_is_repeatable(int32_t pass, int32_t index); /**< 1 or 0. @since 0.1 */

/** A *new* empty pipeline. CNNF_OK, CNNF_E_NOMEM, CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_pipeline_new(cnnf_pipeline **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_pipeline_free(cnnf_pipeline *pipeline); /**< NULL is allowed. @since 0.1 */
/**
 * Appends passes: one name, or several, each with arguments in brackets. An unknown pass or
 * argument is CNNF_E_NOT_FOUND and the nearest one is offered, bad grammar CNNF_E_INVALID, else CNNF_OK or
 * CNNF_E_NOMEM; on failure nothing is appended. @since 0.1
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
 * Progress in passes: before the first, after each one, and from time to time inside one that takes long. Called on the
 * thread that runs the pipeline, from several when several do. NULL: none. CNNF_OK, CNNF_E_INVALID (NULL). @since 0.1
 */
CNNF_API cnnf_status cnnf_pipeline_set_progress(cnnf_pipeline *pipeline, cnnf_progress_fn progress, void *user,
                                                cnnf_error *error);
/**
 * Runs the passes in order. *out is a *new* graph, also when nothing changed.
 * CNNF_OK; CNNF_E_CANCELLED (progress said so) and every failure of a pass (CNNF_E_UNSUPPORTED where it would not be
 * exact); on failure *out is NULL and `graph` is as it was. @since 0.1
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
 * Whose freeze_graph writes: "2.15" (default), "1.15", or "auto", the 1.15 one for a graph that TensorFlow 1.15 or
 * older made (`versions.producer`). The 1.15 one adds no attributes and writes no `versions`. CNNF_E_INVALID for
 * another version.
 * @since 0.1
 */
CNNF_API cnnf_status cnnf_freeze_options_set_as_tf(cnnf_freeze_options *options, const char *version,
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

CNNF_END_DECLS

#endif
