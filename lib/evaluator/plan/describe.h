/* SPDX-License-Identifier: Apache-2.0 */
/* A plan for people. */
#ifndef CNNFI_EVALUATOR_PLAN_DESCRIBE_H
#define CNNFI_EVALUATOR_PLAN_DESCRIBE_H

#include "base/str.h"
#include "evaluator/plan/plan.h"

/* The steps as JSON. */
void cnnfi_plan_describe(const cnnfi_plan *plan, cnnfi_strbuf *out);

#endif
