/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norms that compute the statistics of the batch, made to use the moving ones. */
#ifndef CNNFI_TRANSFORM_INFERENCE_MOVING_STATISTICS_H
#define CNNFI_TRANSFORM_INFERENCE_MOVING_STATISTICS_H

#include "transform/framework/pass_edit.h"

/* Every needed batch norm in training mode, fused or built of moments; what has no moving statistics stays and is
 * noted. */
void cnnfi_use_moving_statistics(cnnfi_edit *edit, cnnfi_pass_run *run);

#endif
