/* SPDX-License-Identifier: Apache-2.0 */
/* What the network ops share: sliding windows (convolutions, pools), data formats, half precision by way of floats. */
#ifndef CNNFI_EVALUATOR_KERNELS_NN_H
#define CNNFI_EVALUATOR_KERNELS_NN_H

#include "base/checked.h"
#include "evaluator/kernels/kernel.h"
#include "ops/window.h"

cnnf_status cnnfi_nn_inputs(cnnfi_call *call, int32_t count);
/* Input `index` and its rank. */
cnnf_status cnnfi_nn_rank(cnnfi_call *call, int32_t index, int32_t rank);
/* float, double, half, bfloat16; the same for inputs 0 .. count-1. */
cnnf_status cnnfi_nn_floats(cnnfi_call *call, int32_t count);

/* A row's `scratch`: refuses what is no float, double, half or bfloat16, then the room for cnnfi_nn_widened(). */
cnnf_status cnnfi_nn_scratch(cnnfi_call *call);
/* Adds the room that cnnfi_nn_widened() needs (after the outputs are declared). */
void cnnfi_nn_widen(cnnfi_call *call);
/* Runs `run` with half and bfloat16 inputs and outputs as floats, rounded once at the end. */
cnnf_status cnnfi_nn_widened(cnnfi_call *call, cnnf_status (*run)(cnnfi_call *call));

#endif
