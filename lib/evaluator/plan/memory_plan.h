/* SPDX-License-Identifier: Apache-2.0 */
/* Which buffers may share memory. */
#ifndef CNNFI_EVALUATOR_PLAN_MEMORY_PLAN_H
#define CNNFI_EVALUATOR_PLAN_MEMORY_PLAN_H

#include "evaluator/plan/plan.h"

/* Gives every ARENA slot and scratch its offset. */
cnnf_status cnnfi_plan_memory(cnnfi_plan *plan, cnnf_error *error);

#endif
