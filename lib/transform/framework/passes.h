/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pass is, and what it finds while it runs. One pass = one file that defines
 * `const cnnfi_pass cnnfi_pass_<name>` + one line in CNNFI_PASSES below.
 *
 * A pass reads `in` and gives *out, a new reference: `in` itself when there is nothing to do, else a graph
 * published with cnnfi_pass_publish(). It is idempotent: run on its own result it changes nothing.
 * Protected nodes (the pipeline's inputs and outputs) keep name and meaning.
 */
#ifndef CNNFI_TRANSFORM_FRAMEWORK_PASSES_H
#define CNNFI_TRANSFORM_FRAMEWORK_PASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/transform.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/error.h"
#include "base/str.h"
#include "graph/builder.h"

/* Kinds of arguments, as the public header numbers them; a value that is not of its kind is refused when the pipeline
   is built. */
typedef enum cnnfi_arg_kind {
    CNNFI_ARG_STRING = CNNF_ARGUMENT_STRING,
    CNNFI_ARG_INT = CNNF_ARGUMENT_INT,
    CNNFI_ARG_FLOAT = CNNF_ARGUMENT_FLOAT,
    CNNFI_ARG_BOOL = CNNF_ARGUMENT_BOOL,
    CNNFI_ARG_DTYPE = CNNF_ARGUMENT_DTYPE,
    CNNFI_ARG_SHAPE = CNNF_ARGUMENT_SHAPE /* empty: a scalar */
} cnnfi_arg_kind;

typedef struct cnnfi_pass_param {
    const char *name;
    cnnfi_arg_kind kind;
    bool required, repeated;
    const char *description;
} cnnfi_pass_param;

/* An argument as written, in the order written. */
typedef struct cnnfi_pass_arg {
    const char *name, *value;
} cnnfi_pass_arg;

typedef struct cnnfi_pass cnnfi_pass;
typedef struct cnnfi_report cnnfi_report;

/* Node names; the strings live as long as the pipeline's run. */
typedef struct cnnfi_name_list {
    const char **names;
    size_t count;
} cnnfi_name_list;

/* One run of one pass. */
typedef struct cnnfi_pass_run {
    cnnf_context *context;
    const cnnfi_pass *pass;
    cnnfi_name_list inputs,
        outputs; /* protected: node names without port; the declared ones where the caller gave none */
    const cnnfi_pass_arg *args;
    size_t n_args;
    cnnfi_arena *arena;   /* lives as long as the pipeline's run */
    cnnfi_report *report; /* NULL: nobody asked */
    cnnfi_budget *budget; /* of the pipeline; NULL: nobody counts */
    cnnf_error *error;    /* nullable */
} cnnfi_pass_run;

struct cnnfi_pass {
    const char *name, *description; /* description: one sentence */
    const cnnfi_pass_param *params;
    size_t n_params;
    bool may_break;   /* does what it is told, and that may be an invalid graph */
    bool may_reshape; /* the same, and outputs may have another dtype or rank */
    cnnf_status (*run)(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out);
};

/* Every pass, by name. */
#define CNNFI_PASSES(X)                                                                                                \
    X(add_default_attributes)                                                                                          \
    X(backport_concatv2)                                                                                               \
    X(convert_to_float16)                                                                                              \
    X(fit_opencv)                                                                                                      \
    X(fit_tflite)                                                                                                      \
    X(fit_vitis_ai)                                                                                                    \
    X(flatten_atrous_conv)                                                                                             \
    X(fold_batch_norms)                                                                                                \
    X(fold_constants)                                                                                                  \
    X(fold_old_batch_norms)                                                                                            \
    X(freeze_variables)                                                                                                \
    X(fuse_pad_and_conv)                                                                                               \
    X(fuse_relu6)                                                                                                      \
    X(fuse_softmax)                                                                                                    \
    X(inline_functions)                                                                                                \
    X(inline_partitionedcall)                                                                                          \
    X(insert_logging)                                                                                                  \
    X(merge_duplicate_nodes)                                                                                           \
    X(obfuscate_names)                                                                                                 \
    X(prune)                                                                                                           \
    X(quantize_weights)                                                                                                \
    X(remove_attribute)                                                                                                \
    X(remove_control_dependencies)                                                                                     \
    X(remove_device)                                                                                                   \
    X(remove_dropout)                                                                                                  \
    X(remove_identity)                                                                                                 \
    X(remove_nodes)                                                                                                    \
    X(rename_attribute)                                                                                                \
    X(rename_node)                                                                                                     \
    X(rename_op)                                                                                                       \
    X(round_weights)                                                                                                   \
    X(scale_dropout_weights)                                                                                           \
    X(set_device)                                                                                                      \
    X(set_input_shape)                                                                                                 \
    X(set_learning_phase)                                                                                              \
    X(set_versions)                                                                                                    \
    X(sort_by_execution_order)                                                                                         \
    X(static_shapes)                                                                                                   \
    X(strip_unused_nodes)                                                                                              \
    X(target_tf)

#define CNNFI_DECLARE_PASS(name) extern const cnnfi_pass cnnfi_pass_##name;
CNNFI_PASSES(CNNFI_DECLARE_PASS)
#undef CNNFI_DECLARE_PASS

size_t cnnfi_pass_table_size(void);
const cnnfi_pass *cnnfi_pass_at(size_t index); /* NULL outside the table */
const cnnfi_pass *cnnfi_pass_find(const char *name);

/* ---- arguments ---- */

/* Argument number `index` of that name; NULL when there are not so many. */
const char *cnnfi_run_arg(const cnnfi_pass_run *run, const char *name, size_t index);
size_t cnnfi_run_arg_count(const cnnfi_pass_run *run, const char *name);
const char *cnnfi_run_string(const cnnfi_pass_run *run, const char *name, const char *fallback);
int64_t cnnfi_run_int(const cnnfi_pass_run *run, const char *name, int64_t fallback);
double cnnfi_run_float(const cnnfi_pass_run *run, const char *name, double fallback);
bool cnnfi_run_bool(const cnnfi_pass_run *run, const char *name, bool fallback);
/* Whether any argument `name` equals `value` (globs allowed). */
bool cnnfi_run_matches(const cnnfi_pass_run *run, const char *name, const char *value);
/* Readers of single values; false when the text is none. dims has room for CNNFI_MAX_RANK. */
bool cnnfi_parse_dtype(const char *text, cnnf_dtype *out);
bool cnnfi_parse_shape(const char *text, int32_t *rank, int64_t *dims);
bool cnnfi_parse_bool(const char *text, bool *out);

/* ---- protected nodes ---- */

bool cnnfi_run_is_input(const cnnfi_pass_run *run, const char *node);
bool cnnfi_run_is_output(const cnnfi_pass_run *run, const char *node);
static inline bool cnnfi_run_is_protected(const cnnfi_pass_run *run, const char *node)
{
    return cnnfi_run_is_input(run, node) || cnnfi_run_is_output(run, node);
}
/*
 * One flag per node of `in`: inputs, outputs and, when no output is known, every node that nobody reads.
 * A new block of the context's; NULL = no memory.
 */
bool *cnnfi_run_protection(const cnnfi_pass_run *run, const cnnf_graph *in);

/* A protected node has another name from now on. false = no memory. */
bool cnnfi_run_renamed(cnnfi_pass_run *run, const char *from, const char *to);

/* ---- results ---- */

/*
 * Publishes the builder (taken, also on failure) after dropping what names a node that is gone: declared inputs,
 * outputs and variables, the saver, colocations (`_class` loc:@x).
 */
cnnf_status cnnfi_pass_publish(cnnfi_pass_run *run, cnnf_graph **out, cnnfi_builder *b);
/* *out = in, one more reference: nothing to do. */
cnnf_status cnnfi_pass_unchanged(const cnnf_graph *in, cnnf_graph **out);
/* ---- report: no-ops when nobody asked ---- */

/* "removed": 12 in the pass's entry; adds up. `what` is a constant. */
void cnnfi_run_count(cnnfi_pass_run *run, const char *what, int64_t count);
/* {"node": ..., "text": ...} in the pass's notes; node nullable. */
void cnnfi_run_note(cnnfi_pass_run *run, const char *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The text of the pass's "items" array, a separator already added: append exactly one JSON value. NULL: nobody asked.
 */
cnnfi_strbuf *cnnfi_run_item(cnnfi_pass_run *run);

#endif
