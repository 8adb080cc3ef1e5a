/* SPDX-License-Identifier: Apache-2.0 */
/* Ops newer than a release, written with older ones. */
#ifndef CNNFI_TRANSFORM_REWRITE_TARGET_TF_H
#define CNNFI_TRANSFORM_REWRITE_TARGET_TF_H

#include "edit/edit.h"

/* One node to be rewritten. A refusal is the builder's failure, as any other. */
typedef struct cnnfi_lowering {
    cnnfi_edit *edit;
    cnnf_node *node;
    const char *op;   /* the node's, before it is rewritten: what messages speak of */
    bool in_function; /* a function's node has no edges: it is renamed, not split */
    int32_t release;
} cnnfi_lowering;

/*
 * Rewrites the node once towards the release, where that is exact; whether anything was done. Otherwise the builder
 * fails with CNNF_E_UNSUPPORTED and the reason.
 */
bool cnnfi_lower_op(const cnnfi_lowering *lowering);

#endif
