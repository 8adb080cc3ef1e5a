/* SPDX-License-Identifier: Apache-2.0 */
/* Running a plan. */
#ifndef CNNFI_EVALUATOR_RUN_RUN_H
#define CNNFI_EVALUATOR_RUN_RUN_H

#include "evaluator/run/workspace.h"

cnnf_status cnnfi_plan_run(cnnfi_workspace *workspace, const cnnfi_run_request *request, cnnf_error *error);

#endif
