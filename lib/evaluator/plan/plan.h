/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: what must be done to get from these feeds (names, dtypes, shapes) to these fetches. compile.h makes it in
 * steps (fuse.h, image_segment.h, memory_plan.h); then it is immutable: any number of threads run it, each with a
 * workspace (run/run.h).
 */
#ifndef CNNFI_EVALUATOR_PLAN_PLAN_H
#define CNNFI_EVALUATOR_PLAN_PLAN_H

#include <stdatomic.h>

#include "base/arena.h"
#include "evaluator/kernels/kernel.h"

typedef struct cnnfi_plan cnnfi_plan;

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
    CNNFI_STEP_PASS, /* each output is the input of its number */
    CNNFI_STEP_CONTROL,
    CNNFI_STEP_FUSED
} cnnfi_step_kind;

typedef struct cnnfi_fused cnnfi_fused;

typedef enum cnnfi_control_kind {
    CNNFI_CONTROL_CALL,   /* branches[0] */
    CNNFI_CONTROL_BRANCH, /* the one that input 0 says */
    CNNFI_CONTROL_LOOP    /* while branches[CONDITION] says so, branches[BODY]; then perhaps branches[AFTER] */
} cnnfi_control_kind;

enum { CNNFI_LOOP_CONDITION, CNNFI_LOOP_BODY, CNNFI_LOOP_AFTER, CNNFI_LOOP_PLANS };

/*
 * A step that other plans do. A plan's feeds are, of a call or a branch: the step's inputs (a branch: without the
 * first); of a loop: the n_state values that change, of a loop of TensorFlow 1 then which round it is for each of them
 * (0 the first, 1 a later one), then the step's other inputs, which do not change.
 */
typedef struct cnnfi_control {
    cnnfi_control_kind kind;
    int32_t n_branches;
    cnnfi_plan **branches; /* references; NULL: cannot be computed, `reasons` say why, or (of a loop) not there */
    const char **reasons;
    cnnf_status *codes;
    int32_t n_state;
    bool has_rounds;
    bool by_truth; /* input 0 is a truth: true takes the first branch; else a number */
} cnnfi_control;

typedef struct cnnfi_step {
    cnnfi_step_kind kind;
    const cnnfi_control *control;
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
    const char *isa;       /* its instruction set, the same; NULL: none of its own */
    cnnf_status (*run)(const cnnfi_fused *self, cnnfi_call *call);
    void (*free)(cnnf_context *context, cnnfi_fused *self);
    int32_t n_nodes; /* how many nodes of the graph it stands for */
    /* For segments (image_segment.h); run_one NULL: not for them. One image on the calling thread, one_scratch bytes of
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
    uint64_t work; /* steps of work that are known before it runs */
    int32_t n_blocks, n_fused, n_controls;
    size_t control_capacity;
    const cnnfi_control **controls; /* whose plans it owns; in `memory` */
    size_t block_capacity, fused_capacity;
    void **blocks; /* folded values */
    cnnfi_fused **fused;
};

cnnfi_plan *cnnfi_plan_ref(cnnfi_plan *plan);
void cnnfi_plan_unref(cnnfi_plan *plan); /* NULL is allowed */

/* Closes the gaps that struck-out steps (node NULL) left. */
void cnnfi_plan_compact(cnnfi_plan *plan);
/* Takes a fused object into the plan; on failure it is freed. */
cnnf_status cnnfi_plan_own(cnnfi_plan *plan, cnnfi_fused *fused, cnnf_error *error);
/* A block that lives as long as the plan, aligned to 64; NULL = no memory. */
void *cnnfi_plan_block(cnnfi_plan *plan, size_t size);

#endif
