/* SPDX-License-Identifier: Apache-2.0 */
/* A pipeline's steps, and the grammar they are written in. */
#ifndef CNNFI_TRANSFORM_FRAMEWORK_PIPELINE_H
#define CNNFI_TRANSFORM_FRAMEWORK_PIPELINE_H

#include "transform/framework/passes.h"

typedef struct cnnfi_step {
    const cnnfi_pass *pass;
    cnnfi_pass_arg *args; /* in the pipeline's arena; without ignore_errors */
    size_t n_args;
    bool ignore_errors;
} cnnfi_step;

typedef struct cnnfi_step_list {
    cnnf_context *context;
    cnnfi_arena *arena;
    cnnfi_step *steps; /* the context's */
    size_t count, capacity;
} cnnfi_step_list;

/*
 * Appends what `text` names, in the grammar of the Graph Transform Tool (transform_graph.cc,
 * ParseTransformParameters) and with its messages. On failure the list is as it was.
 */
cnnf_status cnnfi_parse_steps(cnnfi_step_list *list, const char *text, cnnf_error *error);

#endif
