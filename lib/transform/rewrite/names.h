/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_TRANSFORM_REWRITE_NAMES_H
#define CNNFI_TRANSFORM_REWRITE_NAMES_H

#include "transform/framework/passes.h"
#include "graph/builder.h"

/*
 * Renames nodes: names[i] for node i, the node's own pointer where it keeps its name. Inputs, colocations, declared
 * inputs and outputs and the run's protected names follow. How many were renamed.
 */
int64_t cnnfi_rename_nodes(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, const char *const *names);

#endif
