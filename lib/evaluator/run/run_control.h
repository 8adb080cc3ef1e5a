/* SPDX-License-Identifier: Apache-2.0 */
/* Calls, branches and loops: steps that other plans do. */
#ifndef CNNFI_EVALUATOR_RUN_RUN_CONTROL_H
#define CNNFI_EVALUATOR_RUN_RUN_CONTROL_H

#include "evaluator/run/workspace_parts.h"

cnnf_status cnnfi_run_control(cnnfi_workspace *w, int32_t step, const cnnfi_run_request *request, cnnf_error *error);

#endif
