/* SPDX-License-Identifier: Apache-2.0 */
/* Function bodies put in place of their calls. */
#ifndef CNNFI_EDIT_INLINE_CALL_H
#define CNNFI_EDIT_INLINE_CALL_H

#include "edit/edit.h"

/*
 * Puts the body in place of the call: body nodes are called `<call>/<node>`, argument i is data input
 * `first_input + i` of the call, users of output i use what the function returns there. A protected call
 * stays, as Identity or IdentityN. A failure is the builder's (CNNF_E_UNSUPPORTED with the node).
 */
void cnnfi_inline_call(cnnfi_edit *edit, cnnf_node *call, const cnnfi_function *function, size_t first_input);
/* The function a PartitionedCall or StatefulPartitionedCall calls, or a node whose op is a function; NULL. */
const cnnfi_function *cnnfi_called_function(const cnnfi_edit *edit, const cnnf_node *node);
/* The function of a function attribute; NULL. */
const cnnfi_function *cnnfi_function_attr(const cnnfi_edit *edit, const cnnf_node *node, const char *attr);

#endif
