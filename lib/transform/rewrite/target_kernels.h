/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that a release knows but whose kernel for the CPU it lacks, written with kernels it has. */
#ifndef CNNFI_TRANSFORM_REWRITE_TARGET_KERNELS_H
#define CNNFI_TRANSFORM_REWRITE_TARGET_KERNELS_H

#include "edit/shapes.h"
#include "transform/rewrite/target_tf.h"

/*
 * Rewrites the node where the release's CPU would refuse to run it: a convolution in groups becomes Split, one
 * convolution each and ConcatV2; FusedBatchNorm over
 * NCHW gets a Transpose on either side, over five dimensions a Reshape. Exact. Whether anything was
 * done.
 */
bool cnnfi_lower_kernel(const cnnfi_lowering *lowering, cnnfi_shapes *shapes);

#endif
