/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/fused_steps.h"

#include <string.h>

const cnnfi_attr_list *cnnfi_fused_steps(const cnnf_node *node)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, "fused_ops");
    const bool is_list = attr && attr->kind == CNNF_ATTR_LIST && attr->u.list.item_kind == CNNF_ATTR_STRING;
    return is_list && attr->u.list.count > 0 ? &attr->u.list : NULL;
}

bool cnnfi_fused_step_is(const cnnfi_bytes *name, const char *op)
{
    return name->size == strlen(op) && memcmp(name->data, op, name->size) == 0;
}

int32_t cnnfi_fused_step_inputs(const cnnfi_bytes *name)
{
    static const struct {
        const char *op;
        int32_t inputs;
    } steps[] = {{"BiasAdd", 1},   {"FusedBatchNorm", 4}, {"Relu", 0},    {"Relu6", 0},     {"Elu", 0},
                 {"LeakyRelu", 0}, {"Tanh", 0},           {"Sigmoid", 0}, {"GeluExact", 0}, {"GeluApproximate", 0}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (cnnfi_fused_step_is(name, steps[i].op)) return steps[i].inputs;
    }
    return -1;
}
