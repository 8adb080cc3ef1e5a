/* SPDX-License-Identifier: Apache-2.0 */
/* Ops newer than a release, written with older ones. */
#ifndef CNNFI_TRANSFORM_REWRITE_TARGET_TF_H
#define CNNFI_TRANSFORM_REWRITE_TARGET_TF_H

#include "transform/framework/passes.h"
#include "graph/builder.h"

/* One node of the copy, to be rewritten; `from` is the same node of the graph read. */
typedef struct cnnfi_lowering {
    cnnfi_pass_run *run;
    const cnnf_graph *in; /* NULL: a node of a function */
    const cnnf_node *from;
    cnnfi_builder *b;
    cnnf_node *node;
    int32_t release;
} cnnfi_lowering;

/*
 * Rewrites the node once towards the release, where that is exact: CNNF_OK and *done. Otherwise CNNF_E_UNSUPPORTED
 * with the reason; CNNF_OK without *done when the node needs nothing.
 */
cnnf_status cnnfi_lower_op(const cnnfi_lowering *lowering, bool *done);

#endif
