/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbouring fused steps that a thread does image by image. */
#ifndef CNNFI_EVALUATOR_PLAN_IMAGE_SEGMENT_H
#define CNNFI_EVALUATOR_PLAN_IMAGE_SEGMENT_H

#include "evaluator/plan/plan.h"

/* Joins fused steps that are better done so. */
cnnf_status cnnfi_plan_segment(cnnfi_plan *plan, int32_t threads, cnnf_error *error);

#endif
