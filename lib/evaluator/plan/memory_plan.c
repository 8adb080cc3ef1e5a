/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One arena for all buffers of a plan. Steps are walked in their order; a buffer is taken at the step
 * that writes it (best fit among the holes) and given back after the last step that reads it or a
 * view of it. Element-wise ops write over an input that dies with them.
 */
#include <string.h>

#include "base/checked.h"
#include "evaluator/plan/memory_plan.h"

#define ALIGNMENT ((size_t)64)
#define FOREVER   INT32_MAX

typedef struct hole {
    size_t offset, size;
} hole;

typedef struct planner {
    cnnfi_plan *plan;
    int32_t *last_use; /* by slot, of roots: step */
    size_t *sizes;     /* by slot: bytes of the block it owns; 0 none */
    int32_t *next;     /* by slot: chains of the blocks that die at one step */
    int32_t *dying;    /* by step: first of the chain, -1 */
    hole *holes;       /* sorted by offset */
    size_t n_holes, hole_capacity, top;
} planner;

static bool release(planner *p, size_t offset, size_t size)
{
    if (size == 0) return true;
    if (!cnnfi_grow(p->plan->context, (void **)&p->holes, &p->hole_capacity, p->n_holes, sizeof(hole))) return false;
    size_t at = 0;
    while (at < p->n_holes && p->holes[at].offset < offset)
        at++;
    memmove(p->holes + at + 1, p->holes + at, (p->n_holes - at) * sizeof(hole));
    p->holes[at] = (hole){offset, size};
    p->n_holes++;
    if (at + 1 < p->n_holes && offset + size == p->holes[at + 1].offset) {
        p->holes[at].size += p->holes[at + 1].size;
        memmove(p->holes + at + 1, p->holes + at + 2, (p->n_holes - at - 2) * sizeof(hole));
        p->n_holes--;
    }
    if (at > 0 && p->holes[at - 1].offset + p->holes[at - 1].size == offset) {
        p->holes[at - 1].size += p->holes[at].size;
        memmove(p->holes + at, p->holes + at + 1, (p->n_holes - at - 1) * sizeof(hole));
        p->n_holes--;
    }
    return true;
}

/* The tightest hole, or fresh ground; a hole at the very end is grown. */
static size_t take(planner *p, size_t size)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < p->n_holes; i++) {
        if (p->holes[i].size >= size && (best == SIZE_MAX || p->holes[i].size < p->holes[best].size)) best = i;
    }
    if (best != SIZE_MAX) {
        size_t offset = p->holes[best].offset;
        p->holes[best].offset += size;
        p->holes[best].size -= size;
        if (p->holes[best].size == 0) {
            memmove(p->holes + best, p->holes + best + 1, (p->n_holes - best - 1) * sizeof(hole));
            p->n_holes--;
        }
        return offset;
    }
    size_t offset = p->top;
    if (p->n_holes > 0 && p->holes[p->n_holes - 1].offset + p->holes[p->n_holes - 1].size == p->top) {
        offset = p->holes[--p->n_holes].offset;
    }
    p->top = offset + size; /* the sum of all sizes was checked against the limits */
    return offset;
}

static size_t value_bytes(const cnnfi_value *value)
{
    size_t size = (size_t)value->count * cnnf_dtype_size(value->dtype);
    return (size + ALIGNMENT) & ~(ALIGNMENT - 1); /* at least one line, so that an empty tensor has an address */
}

static void find_last_uses(planner *p)
{
    const cnnfi_plan *plan = p->plan;
    for (int32_t s = 0; s < plan->n_slots; s++)
        p->last_use[s] = plan->slots[s].producer;
    for (int32_t i = 0; i < plan->n_steps; i++) {
        const cnnfi_step *step = &plan->steps[i];
        for (int32_t k = 0; k < step->n_inputs; k++)
            p->last_use[plan->slots[step->inputs[k]].root] = i;
    }
    for (int32_t f = 0; f < plan->n_fetches; f++)
        p->last_use[plan->slots[plan->fetches[f]].root] = FOREVER;
}

/* An input whose block the first output of an element-wise step may take over; -1: none. */
static int32_t inplace_input(const planner *p, int32_t index)
{
    const cnnfi_plan *plan = p->plan;
    const cnnfi_step *step = &plan->steps[index];
    if (step->kind != CNNFI_STEP_KERNEL || !(step->flags & CNNFI_OP_INPLACE) || step->n_outputs != 1) return -1;
    const cnnfi_slot *out = &plan->slots[step->output];
    for (int32_t k = 0; k < step->n_inputs; k++) {
        int32_t root = plan->slots[step->inputs[k]].root;
        const cnnfi_slot *in = &plan->slots[root];
        if (in->place != CNNFI_PLACE_ARENA || p->last_use[root] != index || p->sizes[root] == 0) continue;
        const cnnfi_value *value = &plan->slots[step->inputs[k]].value;
        if (value->count != out->value.count || cnnf_dtype_size(value->dtype) != cnnf_dtype_size(out->value.dtype))
            continue;
        return root;
    }
    return -1;
}

static bool place_output(planner *p, int32_t index, int32_t slot)
{
    cnnfi_slot *out = &p->plan->slots[slot];
    if (out->place != CNNFI_PLACE_ARENA) return true;
    int32_t from = inplace_input(p, index);
    if (from >= 0) {
        out->offset = p->plan->slots[from].offset;
        p->sizes[slot] = p->sizes[from];
        p->sizes[from] = 0;
    } else {
        p->sizes[slot] = value_bytes(&out->value);
        out->offset = take(p, p->sizes[slot]);
    }
    int32_t last = p->last_use[slot];
    if (last == FOREVER) return true;
    p->next[slot] = p->dying[last];
    p->dying[last] = slot;
    return true;
}

static bool place_step(planner *p, int32_t index)
{
    cnnfi_step *step = &p->plan->steps[index];
    for (int32_t k = 0; k < step->n_outputs; k++) {
        if (!place_output(p, index, step->output + k)) return false;
    }
    if (step->scratch_size > 0) {
        size_t size = (step->scratch_size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
        step->scratch_offset = take(p, size);
        if (!release(p, step->scratch_offset, size)) return false;
    }
    for (int32_t s = p->dying[index]; s >= 0; s = p->next[s]) {
        if (!release(p, p->plan->slots[s].offset, p->sizes[s])) return false;
    }
    return true;
}

/* All sizes together stay far from overflow, so that the walk needs no checks. */
static cnnf_status check_total(const cnnfi_plan *plan, cnnf_error *error)
{
    size_t total = 0;
    bool fits = true;
    for (int32_t s = 0; s < plan->n_slots; s++) {
        if (plan->slots[s].place == CNNFI_PLACE_ARENA)
            fits = fits && cnnfi_add_size(&total, total, value_bytes(&plan->slots[s].value));
    }
    for (int32_t i = 0; i < plan->n_steps; i++) {
        fits = fits && plan->steps[i].scratch_size < SIZE_MAX / 2 &&
               cnnfi_add_size(&total, total, plan->steps[i].scratch_size + ALIGNMENT);
    }
    return fits ? CNNF_OK
                : cnnfi_fail_limit(error, "the plan's buffers", CNNF_LIMIT_MEMORY, UINT64_MAX,
                                   cnnfi_limit(plan->context, CNNF_LIMIT_MEMORY));
}

cnnf_status cnnfi_plan_memory(cnnfi_plan *plan, cnnf_error *error)
{
    CNNFI_TRY(check_total(plan, error));
    cnnf_context *context = plan->context;
    size_t n_slots = (size_t)plan->n_slots + 1, n_steps = (size_t)plan->n_steps + 1;
    planner p = {.plan = plan,
                 .last_use = cnnfi_array(context, n_slots, sizeof(int32_t)),
                 .sizes = cnnfi_calloc(context, n_slots, sizeof(size_t)),
                 .next = cnnfi_array(context, n_slots, sizeof(int32_t)),
                 .dying = cnnfi_array(context, n_steps, sizeof(int32_t))};
    cnnf_status status = CNNF_OK;
    if (!p.last_use || !p.sizes || !p.next || !p.dying) {
        status = cnnfi_fail_nomem(error);
        goto done;
    }
    memset(p.dying, -1, n_steps * sizeof(int32_t));
    find_last_uses(&p);
    for (int32_t i = 0; i < plan->n_steps; i++) {
        if (place_step(&p, i)) continue;
        status = cnnfi_fail_nomem(error);
        goto done;
    }
    plan->arena_size = p.top;
done:
    cnnfi_free(context, p.last_use);
    cnnfi_free(context, p.sizes);
    cnnfi_free(context, p.next);
    cnnfi_free(context, p.dying);
    cnnfi_free(context, p.holes);
    return status;
}
