/* SPDX-License-Identifier: Apache-2.0 */
/* What a run needs: memory, and what it is asked. */
#ifndef CNNFI_EVALUATOR_RUN_WORKSPACE_H
#define CNNFI_EVALUATOR_RUN_WORKSPACE_H

#include "base/budget.h"
#include "evaluator/plan/plan.h"

/* Memory for one run at a time. */
typedef struct cnnfi_workspace cnnfi_workspace;

cnnf_status cnnfi_workspace_new(cnnfi_workspace **out, cnnfi_plan *plan, cnnf_error *error);
void cnnfi_workspace_free(cnnfi_workspace *workspace); /* NULL is allowed */
cnnfi_plan *cnnfi_workspace_plan(const cnnfi_workspace *workspace);

/* `cancelled` is asked between steps; feeds hold their bytes in memory. outputs: new references. */
typedef struct cnnfi_run_request {
    const cnnf_tensor *const *feeds;
    cnnf_tensor **outputs;
    cnnfi_pool *pool;
    cnnfi_budget *budget;
    bool (*cancelled)(const void *user);
    const void *user;
} cnnfi_run_request;

#endif
