/* SPDX-License-Identifier: Apache-2.0 */
/*
 * _FusedConv2D, _FusedMatMul: a product and, named by attribute fused_ops, what TensorFlow's optimiser has put behind
 * it (grappler's remapper.cc). The op table has no such ops: what they take is told here.
 */
#ifndef CNNFI_OPS_FUSED_STEPS_H
#define CNNFI_OPS_FUSED_STEPS_H

#include "ops/call.h"

/* Attribute fused_ops; NULL when there are none. */
const cnnfi_attr_list *cnnfi_fused_steps(const cnnf_node *node);
/* How many inputs a step takes, each with one number per channel (BiasAdd 1, FusedBatchNorm 4: scale, offset, mean,
   variance); -1 for one that is not known. */
int32_t cnnfi_fused_step_inputs(const cnnfi_bytes *name);
bool cnnfi_fused_step_is(const cnnfi_bytes *name, const char *op);

#endif
