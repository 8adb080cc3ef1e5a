/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler's state, and what finds the nodes that are needed and their order; compile.c turns them into steps.
 */
#ifndef CNNFI_EVALUATOR_PLAN_PLAN_PRUNE_H
#define CNNFI_EVALUATOR_PLAN_PLAN_PRUNE_H

#include "evaluator/plan/plan_request.h"

typedef struct cnnfi_compiler {
    cnnf_context *context;
    const cnnf_graph *graph;
    const cnnfi_plan_request *request;
    cnnfi_plan *plan;
    cnnf_error *error;
    cnnfi_arena memory; /* of the compilation alone */
    cnnfi_endpoint *feeds, *fetches;
    int32_t *feed_of;   /* by node: one of its feeds, -1 */
    int32_t *next_feed; /* by feed: another one of the same node, -1 */
    int32_t *order;     /* nodes needed, producers first */
    int32_t n_order;
    int32_t *max_port;   /* by node: the highest output anybody reads; -1 not needed */
    int32_t *first_slot; /* by node, -1 none yet */
    int32_t *n_outputs;  /* by node: slots it has */
    uint8_t *life;       /* by node: cnnfi_life */
    int32_t *flag;       /* by node: its run-time liveness flag, -1 */
    /* Compiles plans inside this one. */
    cnnf_status (*compile)(cnnfi_plan **out, cnnf_context *context, const cnnfi_plan_request *request,
                           cnnf_error *error);
    cnnfi_frames *own_frames;
    const cnnfi_frames *frames; /* NULL: no loops of TensorFlow 1 */
    const bool *keep;           /* with frames: nodes that the outermost fetches need */
} cnnfi_compiler;

/* Resolves the names of feeds and fetches and fills order and max_port. */
cnnf_status cnnfi_compiler_prune(cnnfi_compiler *c);
/* Fails with the name of an op that is outside the table. */
cnnf_status cnnfi_compiler_refuse(cnnfi_compiler *c, const cnnf_node *node);
/* The slot of a feed that stands for this output; -1 when it is not fed. */
int32_t cnnfi_compiler_fed(const cnnfi_compiler *c, int32_t node, int32_t port);

#endif
