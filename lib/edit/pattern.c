/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/pattern.h"

#include <string.h>

#include "graph/tensor.h"

cnnf_node *cnnfi_pattern_input(const cnnfi_edit *edit, const cnnf_node *node, size_t input, const char *op)
{
    int32_t port;
    cnnf_node *from = cnnfi_edit_producer(edit, node, input, &port);
    return from && port == 0 && (!op || strcmp(from->op, op) == 0) ? from : NULL;
}

bool cnnfi_pattern_is_private(const cnnfi_edit *edit, const cnnf_node *node)
{
    const bool waits = node->n_inputs && node->edges[node->n_inputs - 1].port == CNNFI_PORT_CONTROL;
    return !waits && cnnfi_edit_user_count(edit, node, CNNFI_PORT_ANY) == 1 && !cnnfi_edit_is_protected(edit, node);
}

const cnnf_tensor *cnnfi_pattern_const(const cnnfi_edit *edit, const cnnf_node *node, size_t input)
{
    const cnnf_node *from = cnnfi_pattern_input(edit, node, input, NULL);
    for (int32_t i = 0; i < 4 && from && strcmp(from->op, "Identity") == 0; i++)
        from = cnnfi_pattern_input(edit, from, 0, NULL);
    return from && strcmp(from->op, "Const") == 0 ? cnnf_node_attr_tensor(from, "value") : NULL;
}

bool cnnfi_pattern_ints(const cnnfi_edit *edit, const cnnf_node *node, size_t input, int64_t *values, size_t count)
{
    const cnnf_tensor *tensor = cnnfi_pattern_const(edit, node, input);
    if (!tensor || cnnf_tensor_element_count(tensor) != (int64_t)count) return false;
    for (size_t i = 0; i < count; i++) {
        if (!cnnfi_tensor_get_i64(tensor, (int64_t)i, &values[i])) return false;
    }
    return true;
}
