/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler of plans: prunes the graph to what the fetches need, orders it, infers every shape, folds whatever does
 * not depend on a feed's values, fuses, and gives each buffer a place in one arena. What cannot be known before the
 * values are there (a shape computed from data) stays *dynamic*: inferred and allocated while running.
 */
#ifndef CNNFI_EVALUATOR_PLAN_COMPILE_H
#define CNNFI_EVALUATOR_PLAN_COMPILE_H

#include "evaluator/plan/loaded_constants.h"
#include "evaluator/plan/plan.h"

/* What a plan is made for. */
typedef struct cnnfi_plan_request {
    const cnnf_graph *graph;
    const char *const *feed_names;
    const cnnf_tensor *const *feeds;
    size_t n_feeds;
    const char *const *fetch_names;
    size_t n_fetches;
    cnnfi_loaded_constants *constants;
    const char *backend;
    int32_t threads;
    bool strict; /* bits must not depend on the number of threads, whatever the backend */
} cnnfi_plan_request;

cnnf_status cnnfi_plan_compile(cnnfi_plan **out, cnnf_context *context, const cnnfi_plan_request *request,
                               cnnf_error *error);

#endif
