/* SPDX-License-Identifier: Apache-2.0 */
/* Conditionals whose predicate is known: the side that is taken stays, the other one goes. */
#ifndef CNNFI_TRANSFORM_INFERENCE_CONDITIONALS_H
#define CNNFI_TRANSFORM_INFERENCE_CONDITIONALS_H

#include "edit/edit.h"
#include "transform/framework/passes.h"

/*
 * Folds Switch and Merge (also RefSwitch, RefMerge) by propagating which side is dead, puts the taken branch of
 * If, StatelessIf, Case, StatelessCase in place, and calls inside it. Returns how many. A protected node that is dead
 * is a failure (CNNF_E_UNSUPPORTED) when it is an output asked for.
 */
size_t cnnfi_fold_conditionals(cnnfi_edit *edit, const cnnfi_pass_run *run);

#endif
