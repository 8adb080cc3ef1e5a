/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be compiled: see compile.h. */
#ifndef CNNFI_EVALUATOR_PLAN_PLAN_REQUEST_H
#define CNNFI_EVALUATOR_PLAN_PLAN_REQUEST_H

#include "base/budget.h"
#include "evaluator/plan/callees.h"
#include "evaluator/plan/frames.h"
#include "evaluator/plan/plan.h"

/* What a plan is made for. */
typedef struct cnnfi_plan_request cnnfi_plan_request;

struct cnnfi_plan_request {
    const cnnf_graph *graph;
    const char *const *feed_names;
    const cnnf_tensor *const *feeds;
    size_t n_feeds;
    const char *const *fetch_names;
    size_t n_fetches;
    cnnfi_loaded_constants *constants;
    const char *backend;
    int32_t threads;
    bool strict;     /* bits must not depend on the number of threads, whatever the backend */
    const char *isa; /* cnnfi_fusion.isa */
    cnnfi_callees *callees;
    cnnfi_budget *budget;
    /* Of plans inside plans, instead of names and tensors: where feeds and fetches are, and what is known of the feeds
       (a slot with data is a constant). */
    int32_t depth;
    const cnnfi_endpoint *feed_points, *fetch_points;
    const cnnfi_slot *feed_slots;
    const cnnfi_frames *frames; /* of the graph, where it was looked at already; NULL */
    const bool *keep;           /* with frames: by node, what the outermost fetches need */
};

#endif
