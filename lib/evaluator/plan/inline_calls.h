/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_EVALUATOR_PLAN_INLINE_CALLS_H
#define CNNFI_EVALUATOR_PLAN_INLINE_CALLS_H

#include "graph/graph.h"

/*
 * The graph with the bodies of the functions it calls (a SavedModel's PartitionedCall) in place of the calls, which
 * keep their names: what an evaluator runs. Another reference to `graph` where it calls none, or where a body cannot
 * be put in: a run that needs the call says so. CNNF_OK, CNNF_E_NOMEM.
 */
cnnf_status cnnfi_inline_calls(cnnf_graph **out, const cnnf_graph *graph, cnnf_error *error);

#endif
