/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: what must be done to get from these feeds (names, dtypes, shapes) to these fetches.
 *
 * Compiling prunes the graph to what the fetches need, orders it, infers every shape, folds whatever
 * does not depend on a feed's values, fuses, and gives each buffer a place in one arena. What cannot
 * be known before the values are there (a shape computed from data) stays *dynamic*: inferred and
 * allocated while running. A plan is immutable: any number of threads run it, each with a workspace.
 */
#ifndef CNNFI_EVALUATOR_PLAN_PLAN_H
#define CNNFI_EVALUATOR_PLAN_PLAN_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/str.h"
#include "evaluator/kernels/kernel.h"

typedef struct cnnfi_plan cnnfi_plan;
typedef struct cnnfi_workspace cnnfi_workspace;
typedef struct cnnfi_constants cnnfi_constants;

/* Where a slot's bytes are. */
typedef enum cnnfi_place {
    CNNFI_PLACE_CONST, /* in the plan */
    CNNFI_PLACE_FEED,  /* the caller's tensor */
    CNNFI_PLACE_ARENA, /* at offset in the workspace */
    CNNFI_PLACE_VIEW,  /* another slot's bytes, taken over while running */
    CNNFI_PLACE_HEAP,  /* allocated while running: its size is not known before */
    CNNFI_PLACE_NONE   /* nobody reads it */
} cnnfi_place;

/* Whether a value is there at all: what a Switch sends the other way is dead. */
typedef enum cnnfi_life { CNNFI_LIVE, CNNFI_MAYBE_DEAD, CNNFI_DEAD } cnnfi_life;

/* One output of a node. */
typedef struct cnnfi_slot {
    cnnfi_value value; /* dtype and shape when known; data when constant */
    cnnfi_place place;
    cnnfi_life life;
    bool known;       /* dtype and shape */
    int32_t root;     /* VIEW: the slot that owns the bytes; else itself */
    int32_t producer; /* step, -1: constant or feed */
    int32_t uses;     /* by steps and fetches */
    size_t offset;    /* ARENA */
} cnnfi_slot;

typedef enum cnnfi_step_kind {
    CNNFI_STEP_KERNEL,
    CNNFI_STEP_SWITCH,
    CNNFI_STEP_MERGE,
    CNNFI_STEP_MARK, /* a constant that may be dead: nothing to compute */
    CNNFI_STEP_FUSED
} cnnfi_step_kind;

typedef struct cnnfi_fused cnnfi_fused;

typedef struct cnnfi_step {
    cnnfi_step_kind kind;
    const cnnf_node *node;
    const cnnfi_kernel *kernel;
    uint32_t flags; /* cnnfi_kernel_flags() */
    const cnnfi_fused *fused;
    int32_t n_inputs, n_outputs, max_outputs;
    int32_t *inputs; /* slots */
    int32_t output;  /* first slot; the outputs lie side by side */
    int32_t n_controls;
    int32_t *controls; /* liveness flags of nodes that may be dead */
    int32_t live_flag; /* its own, -1 when it cannot be dead */
    bool dynamic;
    size_t scratch_size, scratch_offset;
} cnnfi_step;

/* Several nodes done at once, or one by a special algorithm. */
struct cnnfi_fused {
    const char *backend;   /* "portable", "onednn" */
    const char *algorithm; /* "winograd 4x4", for cnnf_evaluator_describe() */
    cnnf_status (*run)(const cnnfi_fused *self, cnnfi_call *call);
    void (*free)(cnnf_context *context, cnnfi_fused *self);
    int32_t n_nodes; /* how many nodes of the graph it stands for */
    /* For segments (segment.c); run_one NULL: not for them. One image on the calling thread, one_scratch bytes of
     * scratch. */
    void (*run_one)(const cnnfi_fused *self, const float *x, const float *residual, float *y, void *scratch);
    int64_t batch;
    size_t one_scratch, weight_bytes;
    int32_t n_parts; /* a segment's steps */
    const cnnfi_step *parts;
};

struct cnnfi_plan {
    _Atomic int64_t refs;
    cnnf_context *context;
    cnnfi_arena memory; /* everything the plan holds but constants and fused state */
    int32_t n_slots, n_steps, n_feeds, n_fetches, n_flags;
    size_t slot_capacity, step_capacity;
    cnnfi_slot *slots;
    cnnfi_step *steps;
    int32_t *feeds;   /* slot of each feed, -1: not needed */
    int32_t *fetches; /* slot of each fetch */
    size_t arena_size;
    int32_t n_blocks, n_fused;
    size_t block_capacity, fused_capacity;
    void **blocks; /* folded values */
    cnnfi_fused **fused;
};

/* What a plan is made for. */
typedef struct cnnfi_plan_request {
    const cnnf_graph *graph;
    const char *const *feed_names;
    const cnnf_tensor *const *feeds;
    size_t n_feeds;
    const char *const *fetch_names;
    size_t n_fetches;
    cnnfi_constants *constants;
    const char *backend;
    int32_t threads;
    bool strict; /* bits must not depend on the number of threads, whatever the backend */
} cnnfi_plan_request;

cnnf_status cnnfi_plan_compile(cnnfi_plan **out, cnnf_context *context, const cnnfi_plan_request *request,
                               cnnf_error *error);
cnnfi_plan *cnnfi_plan_ref(cnnfi_plan *plan);
void cnnfi_plan_unref(cnnfi_plan *plan); /* NULL is allowed */

/* Gives every ARENA slot and scratch its offset (memory_plan.c). */
cnnf_status cnnfi_plan_memory(cnnfi_plan *plan, cnnf_error *error);
/* Replaces steps by fused ones (fuse.c). */
cnnf_status cnnfi_plan_fuse(cnnfi_plan *plan, const cnnfi_plan_request *request, cnnf_error *error);
/* Joins fused steps that are better done image by image (segment.c). */
cnnf_status cnnfi_plan_segment(cnnfi_plan *plan, int32_t threads, cnnf_error *error);
/* Closes the gaps that struck-out steps (node NULL) left. */
void cnnfi_plan_compact(cnnfi_plan *plan);
/* Takes a fused object into the plan; on failure it is freed. */
cnnf_status cnnfi_plan_own(cnnfi_plan *plan, cnnfi_fused *fused, cnnf_error *error);
/* A block that lives as long as the plan, aligned to 64; NULL = no memory. */
void *cnnfi_plan_block(cnnfi_plan *plan, size_t size);

/* The steps as JSON (describe.c). */
void cnnfi_plan_describe(const cnnfi_plan *plan, cnnfi_strbuf *out);

/* Memory for one run at a time. */
cnnf_status cnnfi_workspace_new(cnnfi_workspace **out, cnnfi_plan *plan, cnnf_error *error);
void cnnfi_workspace_free(cnnfi_workspace *workspace); /* NULL is allowed */
cnnfi_plan *cnnfi_workspace_plan(const cnnfi_workspace *workspace);

/* `cancelled` is asked between steps; feeds hold their bytes in memory. outputs: new references. */
typedef struct cnnfi_run_request {
    const cnnf_tensor *const *feeds;
    cnnf_tensor **outputs;
    cnnfi_pool *pool;
    bool (*cancelled)(const void *user);
    const void *user;
} cnnfi_run_request;

cnnf_status cnnfi_plan_run(cnnfi_workspace *workspace, const cnnfi_run_request *request, cnnf_error *error);

/* The graph's constants in memory: read from their file once, shared by all plans. */
cnnf_status cnnfi_constants_new(cnnfi_constants **out, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_constants_free(cnnfi_constants *constants); /* NULL is allowed */
/* *out is borrowed from the table. */
cnnf_status cnnfi_constants_get(cnnfi_constants *constants, const cnnf_node *node, const cnnf_tensor *tensor,
                                const cnnf_tensor **out, cnnf_error *error);

#endif
