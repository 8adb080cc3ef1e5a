/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a tensor's shape by looking back a few nodes: enough to know ranks and channel counts. */
#ifndef CNNFI_EDIT_SHAPE_HINT_H
#define CNNFI_EDIT_SHAPE_HINT_H

#include "edit/constants.h"

typedef struct cnnfi_hint {
    int32_t rank;                   /* -1 unknown */
    int64_t dims[CNNFI_CONST_RANK]; /* -1 unknown */
} cnnfi_hint;

cnnfi_hint cnnfi_hint_output(cnnfi_constants *constants, const cnnf_node *node, int32_t port);
cnnfi_hint cnnfi_hint_input(cnnfi_constants *constants, const cnnf_node *node, size_t input);
/* Size along an axis counted from the last; -1 unknown. */
int64_t cnnfi_hint_from_end(const cnnfi_hint *hint, int32_t axis);

#endif
