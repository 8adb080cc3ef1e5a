/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler of plans: prunes the graph to what the fetches need, orders it, infers every shape, folds whatever does
 * not depend on a feed's values, fuses, and gives each buffer a place in one arena. What cannot be known before the
 * values are there (a shape computed from data) stays *dynamic*: inferred and allocated while running.
 */
#ifndef CNNFI_EVALUATOR_PLAN_COMPILE_H
#define CNNFI_EVALUATOR_PLAN_COMPILE_H

#include "evaluator/plan/plan_request.h"

cnnf_status cnnfi_plan_compile(cnnfi_plan **out, cnnf_context *context, const cnnfi_plan_request *request,
                               cnnf_error *error);

#endif
