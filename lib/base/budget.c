/* SPDX-License-Identifier: Apache-2.0 */
#include "base/budget.h"

#include "base/error.h"

/* Steps between two questions: some milliseconds. */
#define ASK_EVERY 16384

void cnnfi_budget_init(cnnfi_budget *budget, const cnnf_context *context)
{
    *budget = (cnnfi_budget){.context = context};
}

void cnnfi_budget_init_file(cnnfi_budget *budget, const cnnf_context *context)
{
    *budget = (cnnfi_budget){.context = context, .least = CNNFI_STEPS_OF_A_FILE};
}

cnnf_status cnnfi_budget_spend(cnnfi_budget *budget, uint64_t steps, cnnf_error *error)
{
    if (!budget) return CNNF_OK;
    const uint64_t limit = cnnfi_limit(budget->context, CNNF_LIMIT_STEPS);
    const uint64_t allowed = limit > budget->least ? limit : budget->least;
    if (__builtin_add_overflow(budget->used, steps, &budget->used)) budget->used = UINT64_MAX;
    if (budget->used > allowed)
        return cnnfi_fail_limit(error, "steps of work", CNNF_LIMIT_STEPS, budget->used, allowed);
    if (!budget->stop || budget->used - budget->asked < ASK_EVERY) return CNNF_OK;
    budget->asked = budget->used;
    return budget->stop(budget->user) ? cnnfi_fail(error, CNNF_E_CANCELLED, "cancelled") : CNNF_OK;
}
