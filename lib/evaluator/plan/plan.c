/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan holds: see plan.h. */
#include "evaluator/plan/plan.h"

#include "base/context.h"

void *cnnfi_plan_block(cnnfi_plan *plan, size_t size)
{
    if (size > SIZE_MAX - 128) return NULL;
    if (!cnnfi_grow(plan->context, (void **)&plan->blocks, &plan->block_capacity, (size_t)plan->n_blocks,
                    sizeof(void *))) {
        return NULL;
    }
    uint8_t *block = cnnfi_malloc(plan->context, size + 64);
    if (!block) return NULL;
    plan->blocks[plan->n_blocks++] = block;
    return block + (64 - (uintptr_t)block % 64) % 64;
}

cnnfi_plan *cnnfi_plan_ref(cnnfi_plan *plan)
{
    atomic_fetch_add(&plan->refs, 1);
    return plan;
}

void cnnfi_plan_unref(cnnfi_plan *plan)
{
    if (!plan || atomic_fetch_sub(&plan->refs, 1) != 1) return;
    cnnf_context *context = plan->context;
    for (int32_t i = 0; i < plan->n_fused; i++)
        plan->fused[i]->free(context, plan->fused[i]);
    for (int32_t i = 0; i < plan->n_blocks; i++)
        cnnfi_free(context, plan->blocks[i]);
    for (int32_t i = 0; i < plan->n_controls; i++) {
        for (int32_t k = 0; k < plan->controls[i]->n_branches; k++)
            cnnfi_plan_unref(plan->controls[i]->branches[k]);
    }
    cnnfi_free(context, plan->controls);
    cnnfi_free(context, plan->fused);
    cnnfi_free(context, plan->blocks);
    cnnfi_free(context, plan->slots);
    cnnfi_free(context, plan->steps);
    cnnfi_arena_free(&plan->memory);
    cnnfi_free(context, plan);
}

cnnf_status cnnfi_plan_own(cnnfi_plan *plan, cnnfi_fused *fused, cnnf_error *error)
{
    if (!cnnfi_grow(plan->context, (void **)&plan->fused, &plan->fused_capacity, (size_t)plan->n_fused,
                    sizeof(cnnfi_fused *))) {
        fused->free(plan->context, fused);
        return cnnfi_fail_nomem(error);
    }
    plan->fused[plan->n_fused++] = fused;
    return CNNF_OK;
}

void cnnfi_plan_compact(cnnfi_plan *plan)
{
    int32_t n = 0;
    for (int32_t i = 0; i < plan->n_steps; i++) {
        if (!plan->steps[i].node) continue;
        plan->steps[n] = plan->steps[i];
        for (int32_t k = 0; k < plan->steps[n].n_outputs; k++)
            plan->slots[plan->steps[n].output + k].producer = n;
        n++;
    }
    plan->n_steps = n;
}
