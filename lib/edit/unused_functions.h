/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_EDIT_UNUSED_FUNCTIONS_H
#define CNNFI_EDIT_UNUSED_FUNCTIONS_H

#include "edit/edit.h"

/*
 * Drops functions that no remaining node calls, directly or through others; how many. A library with gradients
 * (FunctionDefLibrary.gradient names functions, too) stays whole. Functions move: pointers stay, indices do not.
 */
int64_t cnnfi_drop_unused_functions(cnnfi_builder *b);

#endif
