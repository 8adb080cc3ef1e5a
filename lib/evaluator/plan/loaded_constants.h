/* SPDX-License-Identifier: Apache-2.0 */
/* The graph's constants in memory: read from their file once, shared by all plans. */
#ifndef CNNFI_EVALUATOR_PLAN_LOADED_CONSTANTS_H
#define CNNFI_EVALUATOR_PLAN_LOADED_CONSTANTS_H

#include "graph/graph.h"

typedef struct cnnfi_loaded_constants cnnfi_loaded_constants;

cnnf_status cnnfi_loaded_constants_new(cnnfi_loaded_constants **out, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_loaded_constants_free(cnnfi_loaded_constants *constants); /* NULL is allowed */
/* *out is borrowed from the table. */
cnnf_status cnnfi_loaded_constants_get(cnnfi_loaded_constants *constants, const cnnf_node *node,
                                       const cnnf_tensor *tensor, const cnnf_tensor **out, cnnf_error *error);

#endif
