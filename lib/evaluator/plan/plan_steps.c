/* SPDX-License-Identifier: Apache-2.0 */
/* See plan_steps.h. */
#include "evaluator/plan/plan_steps.h"

void *cnnfi_plan_array(cnnfi_plan *plan, int32_t count, size_t size)
{
    return cnnfi_arena_array(&plan->memory, (size_t)count + 1, size);
}

/* ---- slots and steps ---- */

/* `count` new slots side by side; -1 = no memory. */
int32_t cnnfi_compiler_slots(cnnfi_compiler *c, int32_t count)
{
    cnnfi_plan *plan = c->plan;
    int32_t first = plan->n_slots;
    for (int32_t i = 0; i < count; i++) {
        if (!cnnfi_grow(c->context, (void **)&plan->slots, &plan->slot_capacity, (size_t)plan->n_slots,
                        sizeof(cnnfi_slot)))
            return -1;
        plan->slots[plan->n_slots] = (cnnfi_slot){.place = CNNFI_PLACE_NONE, .root = plan->n_slots, .producer = -1};
        plan->n_slots++;
    }
    return first;
}

cnnf_status cnnfi_compiler_reserve(cnnfi_compiler *c, int32_t node, int32_t count)
{
    c->first_slot[node] = cnnfi_compiler_slots(c, count);
    c->n_outputs[node] = count;
    return c->first_slot[node] < 0 ? cnnfi_fail_nomem(c->error) : CNNF_OK;
}

static cnnf_status add_step(cnnfi_compiler *c, const cnnfi_step *step)
{
    cnnfi_plan *plan = c->plan;
    if (!cnnfi_grow(c->context, (void **)&plan->steps, &plan->step_capacity, (size_t)plan->n_steps,
                    sizeof(cnnfi_step))) {
        return cnnfi_fail_nomem(c->error);
    }
    for (int32_t i = 0; i < step->n_inputs; i++)
        plan->slots[step->inputs[i]].uses++;
    for (int32_t i = 0; i < step->n_outputs; i++)
        plan->slots[step->output + i].producer = plan->n_steps;
    plan->steps[plan->n_steps++] = *step;
    return CNNF_OK;
}

/* ---- a node's surroundings ---- */

cnnf_status cnnfi_compiler_input(cnnfi_compiler *c, const cnnf_node *node, cnnfi_edge edge, int32_t *out)
{
    int32_t fed = cnnfi_compiler_fed(c, edge.node, edge.port);
    if (fed >= 0) {
        *out = c->plan->feeds[fed];
        return CNNF_OK;
    }
    if (edge.port >= c->n_outputs[edge.node]) {
        return cnnfi_fail(c->error, CNNF_E_CORRUPT, "node '%s': '%s' has no output %d", node->name,
                          c->graph->nodes[edge.node]->name, (int)edge.port);
    }
    *out = c->first_slot[edge.node] + edge.port;
    return CNNF_OK;
}

static void worsen(uint8_t *life, uint8_t by)
{
    if (by > *life) *life = by;
}

/* Inputs, controls and liveness of a step for `node`; outputs are the caller's to fill. */
cnnf_status cnnfi_compiler_begin(cnnfi_compiler *c, const cnnf_node *node, cnnfi_step *step)
{
    int32_t n_data = (int32_t)cnnfi_node_data_inputs(node);
    *step = (cnnfi_step){.kind = CNNFI_STEP_KERNEL, .node = node, .n_inputs = n_data, .live_flag = -1};
    step->inputs = cnnfi_plan_array(c->plan, n_data, sizeof(int32_t));
    step->controls = cnnfi_plan_array(c->plan, (int32_t)node->n_inputs - n_data, sizeof(int32_t));
    if (!step->inputs || !step->controls) return cnnfi_fail_nomem(c->error);
    uint8_t life = CNNFI_LIVE;
    for (int32_t i = 0; i < n_data; i++) {
        CNNFI_TRY(cnnfi_compiler_input(c, node, node->edges[i], &step->inputs[i]));
        worsen(&life, (uint8_t)c->plan->slots[step->inputs[i]].life);
    }
    for (size_t i = (size_t)n_data; i < node->n_inputs; i++) {
        int32_t by = node->edges[i].node;
        worsen(&life, c->life[by]);
        if (c->flag[by] >= 0) step->controls[step->n_controls++] = c->flag[by];
    }
    c->life[node->index] = life;
    return CNNF_OK;
}

/* A node that may be dead says so while running, to the nodes it controls. */
static void give_flag(cnnfi_compiler *c, cnnfi_step *step)
{
    if (c->life[step->node->index] != CNNFI_MAYBE_DEAD) return;
    step->live_flag = c->plan->n_flags++;
    c->flag[step->node->index] = step->live_flag;
}

cnnf_status cnnfi_compiler_finish(cnnfi_compiler *c, cnnfi_step *step)
{
    int32_t node = step->node->index;
    step->output = c->first_slot[node];
    step->n_outputs = c->n_outputs[node];
    for (int32_t i = 0; i < step->n_outputs; i++) {
        cnnfi_slot *slot = &c->plan->slots[step->output + i];
        if (c->life[node] > slot->life) slot->life = (cnnfi_life)c->life[node];
    }
    if (c->life[node] == CNNFI_DEAD) return CNNF_OK;
    give_flag(c, step);
    return add_step(c, step);
}

/* Constants that may be dead keep a step, which only tells whether they are. */
cnnf_status cnnfi_compiler_finish_constant(cnnfi_compiler *c, cnnfi_step *step)
{
    if (c->life[step->node->index] == CNNFI_LIVE) return CNNF_OK;
    step->kind = CNNFI_STEP_MARK;
    step->kernel = NULL;
    return cnnfi_compiler_finish(c, step);
}
