/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_TRANSFORM_REWRITE_PRUNE_H
#define CNNFI_TRANSFORM_REWRITE_PRUNE_H

#include "transform/framework/passes.h"

/* CNNF_E_INVALID when no output is known. */
cnnf_status cnnfi_need_outputs(const cnnfi_pass_run *run);

#endif
