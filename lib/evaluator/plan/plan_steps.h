/* SPDX-License-Identifier: Apache-2.0 */
/* Slots and steps of the plan under compilation. */
#ifndef CNNFI_EVALUATOR_PLAN_PLAN_STEPS_H
#define CNNFI_EVALUATOR_PLAN_PLAN_STEPS_H

#include "evaluator/plan/plan_prune.h"

/* Room that lives as long as the plan, zeroed; NULL = no memory. */
void *cnnfi_plan_array(cnnfi_plan *plan, int32_t count, size_t size);
/* `count` new slots side by side; -1 = no memory. */
int32_t cnnfi_compiler_slots(cnnfi_compiler *c, int32_t count);
/* Slots for a node's outputs, side by side. */
cnnf_status cnnfi_compiler_reserve(cnnfi_compiler *c, int32_t node, int32_t count);
/* The slot that an input of `node` reads. */
cnnf_status cnnfi_compiler_input(cnnfi_compiler *c, const cnnf_node *node, cnnfi_edge edge, int32_t *out);
/* Inputs, controls and liveness of a step for `node`; outputs are the caller's to fill. */
cnnf_status cnnfi_compiler_begin(cnnfi_compiler *c, const cnnf_node *node, cnnfi_step *step);
/* Adds the step, whose outputs are the node's slots; a dead one is left out. */
cnnf_status cnnfi_compiler_finish(cnnfi_compiler *c, cnnfi_step *step);
/* Constants that may be dead keep a step, which only tells whether they are. */
cnnf_status cnnfi_compiler_finish_constant(cnnfi_compiler *c, cnnfi_step *step);

#endif
