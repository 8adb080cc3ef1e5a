/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops of TensorFlow 1: Enter takes a value into a frame, Merge hands on what Enter or the last round's NextIteration
 * gave, LoopCond decides, Switch sends a value into the next round or, through Exit, out of the frame. Which nodes lie
 * in which frame, as build_control_flow.cc finds it; a node without inputs that only a loop reads is no part of it.
 */
#ifndef CNNFI_EVALUATOR_PLAN_FRAMES_H
#define CNNFI_EVALUATOR_PLAN_FRAMES_H

#include "base/arena.h"
#include "graph/graph.h"

typedef struct cnnfi_frame {
    int32_t parent, depth;
    int32_t condition; /* its LoopCond, -1 */
    int32_t n_enters, n_merges, n_exits;
    int32_t *enters, *merges, *exits; /* merges: those that a NextIteration feeds */
    int32_t same_name;                /* another frame of that name, -1 */
} cnnfi_frame;

typedef struct cnnfi_frames {
    int32_t count;
    size_t capacity;
    cnnfi_frame *frames; /* [0]: the graph itself */
    int32_t *of;         /* by node: the frame it lies in */
} cnnfi_frames;

/* Everything lies in the arena but `frames`, which cnnfi_frames_free() gives back. *out NULL: the graph has no loops.
 */
cnnf_status cnnfi_frames_find(cnnfi_frames **out, const cnnf_graph *graph, cnnfi_arena *arena, cnnf_error *error);
void cnnfi_frames_free(cnnfi_frames *frames, cnnf_context *context); /* NULL is allowed */

bool cnnfi_op_enters(const char *op);
bool cnnfi_op_exits(const char *op);
bool cnnfi_op_merges(const char *op);
bool cnnfi_op_goes_on(const char *op);

#endif
