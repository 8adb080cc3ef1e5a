/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_TRANSFORM_REWRITE_PRUNE_H
#define CNNFI_TRANSFORM_REWRITE_PRUNE_H

#include "transform/framework/passes.h"
#include "graph/builder.h"

/* CNNF_E_INVALID when no output is known. */
cnnf_status cnnfi_need_outputs(const cnnfi_pass_run *run);
/* Drops functions that no remaining node calls, directly or through others; how many. */
int64_t cnnfi_prune_functions(cnnfi_builder *b);

#endif
