/* SPDX-License-Identifier: Apache-2.0 */
/* Conditionals whose predicate is known: the side that is taken stays, the other one goes. */
#ifndef CNNFI_TRANSFORM_INFERENCE_CONDITIONALS_H
#define CNNFI_TRANSFORM_INFERENCE_CONDITIONALS_H

#include "transform/framework/passes.h"
#include "edit/edit.h"

/*
 * Folds Switch and Merge (also RefSwitch, RefMerge) by propagating which side is dead, puts the taken branch of
 * If, StatelessIf, Case, StatelessCase in place, and calls inside it; until nothing changes. Returns how many. A
 * protected node that is dead is a failure (CNNF_E_UNSUPPORTED) when it is an output asked for.
 */
size_t cnnfi_fold_conditionals(cnnfi_edit *edit, const cnnfi_pass_run *run);
/* A scalar integer or bool behind an input, through Identity, LogicalNot, comparisons ...; false when it is not
 * constant. */
bool cnnfi_known_scalar(const cnnfi_edit *edit, const cnnf_node *node, size_t input, double *value);

#endif
