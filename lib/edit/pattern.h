/* SPDX-License-Identifier: Apache-2.0 */
/* What small pattern passes ask of a published graph. */
#ifndef CNNFI_EDIT_PATTERN_H
#define CNNFI_EDIT_PATTERN_H

#include "transform/framework/passes.h"
#include "graph/order.h"

typedef struct cnnfi_pattern {
    const cnnf_graph *graph;
    bool *protection;
    cnnfi_consumers consumers;
} cnnfi_pattern;

cnnf_status cnnfi_pattern_init(cnnfi_pattern *pattern, const cnnfi_pass_run *run, const cnnf_graph *in);
void cnnfi_pattern_free(cnnfi_pattern *pattern);
/* The node behind data input `input` at its output 0, when its op is `op` (NULL: any); else NULL. */
const cnnf_node *cnnfi_pattern_input(const cnnfi_pattern *pattern, const cnnf_node *node, size_t input, const char *op);
/* Whether one edge alone reads the node, and nobody asked for it by name. */
bool cnnfi_pattern_is_private(const cnnfi_pattern *pattern, const cnnf_node *node);
/* The tensor behind an input when it is a Const, or a plain Identity of one; NULL. */
const cnnf_tensor *cnnfi_pattern_const(const cnnfi_pattern *pattern, const cnnf_node *node, size_t input);
/* Its elements, when there are exactly `count`. */
bool cnnfi_pattern_ints(const cnnfi_pattern *pattern, const cnnf_node *node, size_t input, int64_t *values,
                        size_t count);

#endif
