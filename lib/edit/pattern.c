/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/pattern.h"

#include <string.h>

#include "base/context.h"
#include "graph/tensor.h"
#include "graph/order.h"

cnnf_status cnnfi_pattern_init(cnnfi_pattern *pattern, const cnnfi_pass_run *run, const cnnf_graph *in)
{
    *pattern = (cnnfi_pattern){.graph = in, .protection = cnnfi_run_protection(run, in)};
    if (!pattern->protection) return cnnfi_fail_nomem(run->error);
    const cnnf_status status = cnnfi_consumers_init(&pattern->consumers, in, run->error);
    if (status) cnnfi_pattern_free(pattern);
    return status;
}

void cnnfi_pattern_free(cnnfi_pattern *pattern)
{
    cnnfi_free(pattern->graph->context, pattern->protection);
    if (pattern->consumers.context) cnnfi_consumers_free(&pattern->consumers);
    pattern->protection = NULL;
}

const cnnf_node *cnnfi_pattern_input(const cnnfi_pattern *pattern, const cnnf_node *node, size_t input, const char *op)
{
    if (input >= cnnfi_node_data_inputs(node) || node->edges[input].port != 0) return NULL;
    const cnnf_node *from = pattern->graph->nodes[node->edges[input].node];
    return !op || strcmp(from->op, op) == 0 ? from : NULL;
}

bool cnnfi_pattern_is_private(const cnnfi_pattern *pattern, const cnnf_node *node)
{
    const size_t *start = pattern->consumers.start + node->index;
    return start[1] - start[0] == 1 && !pattern->protection[node->index] &&
           cnnfi_node_data_inputs(node) == node->n_inputs;
}

const cnnf_tensor *cnnfi_pattern_const(const cnnfi_pattern *pattern, const cnnf_node *node, size_t input)
{
    const cnnf_node *from = cnnfi_pattern_input(pattern, node, input, NULL);
    for (int32_t i = 0; i < 4 && from && strcmp(from->op, "Identity") == 0; i++) {
        from = cnnfi_pattern_input(pattern, from, 0, NULL);
    }
    return from && strcmp(from->op, "Const") == 0 ? cnnf_node_attr_tensor(from, "value") : NULL;
}

bool cnnfi_pattern_ints(const cnnfi_pattern *pattern, const cnnf_node *node, size_t input, int64_t *values,
                        size_t count)
{
    const cnnf_tensor *tensor = cnnfi_pattern_const(pattern, node, input);
    if (!tensor || cnnf_tensor_element_count(tensor) != (int64_t)count) return false;
    for (size_t i = 0; i < count; i++) {
        if (!cnnfi_tensor_get_i64(tensor, (int64_t)i, &values[i])) return false;
    }
    return true;
}
