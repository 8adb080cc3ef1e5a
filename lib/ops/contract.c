/* SPDX-License-Identifier: Apache-2.0 */
/* A node against its row of the op table: see contract.h. */
#include "ops/contract.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

cnnf_status cnnfi_fail_at(const cnnf_node *node, cnnf_error *error, const char *format, ...)
{
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cnnfi_fail_at_node(error, CNNF_E_CORRUPT, node->name, "node '%s' (%d): %s", node->name, (int)node->index,
                              text);
}

static int32_t scalar_kind(const char *type)
{
    static const struct {
        const char *type;
        int32_t kind;
    } kinds[] = {{"string", CNNF_ATTR_STRING}, {"int", CNNF_ATTR_INT},   {"float", CNNF_ATTR_FLOAT},
                 {"bool", CNNF_ATTR_BOOL},     {"type", CNNF_ATTR_TYPE}, {"shape", CNNF_ATTR_SHAPE},
                 {"tensor", CNNF_ATTR_TENSOR}, {"func", CNNF_ATTR_FUNC}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strncmp(type, kinds[i].type, strlen(kinds[i].type)) == 0) return kinds[i].kind;
    }
    return CNNF_ATTR_NONE;
}

static bool has_type(const cnnfi_attr *attr, const char *type)
{
    if (strncmp(type, "list(", 5)) return attr->kind == scalar_kind(type);
    if (attr->kind != CNNF_ATTR_LIST) return false;
    return !attr->u.list.count || attr->u.list.item_kind == scalar_kind(type + 5);
}

static bool is_above_minimum(const cnnfi_op_attr *rule, const cnnfi_attr *attr)
{
    if (rule->minimum == INT64_MIN) return true;
    if (attr->kind == CNNF_ATTR_INT) return attr->u.i >= rule->minimum;
    return attr->kind != CNNF_ATTR_LIST || (int64_t)attr->u.list.count >= rule->minimum;
}

cnnf_status cnnfi_contract_attrs(const cnnfi_op *op, const cnnf_node *node, bool complete, cnnf_error *error)
{
    for (size_t i = 0; i < op->n_attrs; i++) {
        const cnnfi_op_attr *rule = cnnfi_op_attr_at(op, i);
        const cnnfi_attr *attr = cnnfi_node_attr(node, rule->name);
        if (!attr || attr->kind == CNNF_ATTR_PLACEHOLDER) {
            if (attr || rule->default_value.data || !complete) continue;
            return cnnfi_fail_at(node, error, "%s needs an attribute '%s'", node->op, rule->name);
        }
        if (!has_type(attr, rule->type))
            return cnnfi_fail_at(node, error, "attribute '%s' is no %s", rule->name, rule->type);
        if (!is_above_minimum(rule, attr)) {
            return cnnfi_fail_at(node, error, "attribute '%s' is below its minimum %" PRId64, rule->name,
                                 rule->minimum);
        }
        if (!cnnfi_wire_allows(rule->allowed, attr)) {
            return cnnfi_fail_at(node, error, "attribute '%s' has a value that %s does not take", rule->name, node->op);
        }
    }
    return CNNF_OK;
}

cnnf_status cnnfi_contract_arity(const cnnfi_op *op, const cnnf_node *node, int64_t inputs, cnnf_error *error)
{
    const int64_t want = cnnfi_op_node_inputs(op, node);
    if (want < 0 || want == inputs) return CNNF_OK;
    return cnnfi_fail_at(node, error, "%s takes %" PRId64 " inputs, not %" PRId64, node->op, want, inputs);
}

cnnf_status cnnfi_contract_call(const cnnfi_op *op, const cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_contract_attrs(op, call->node, false, call->error));
    CNNFI_TRY(cnnfi_contract_arity(op, call->node, call->n_inputs, call->error));
    for (int32_t i = 0; i < call->n_inputs; i++) {
        const cnnf_dtype want = cnnfi_op_input_type(op, call->node, i, NULL), have = call->inputs[i].dtype;
        /* A resource stands for the variable it names: its value is handed on where the handle would be. */
        if (!want || !have || want == have || want == CNNF_RESOURCE) continue;
        return cnnfi_fail_at(call->node, call->error, "input %d is %s, %s takes %s", (int)i, cnnf_dtype_name(have),
                             call->node->op, cnnf_dtype_name(want));
    }
    return CNNF_OK;
}
