/* SPDX-License-Identifier: Apache-2.0 */
/* The families of rules, one line each, and the one way in: see op_rules.h. */
#include "ops/op_rules.h"

#include <string.h>

#include "ops/contract.h"

/* clang-format off: one family a line */
#define FAMILIES(X)                                                                                                    \
    X(binary)                                                                                                          \
    X(cast)                                                                                                            \
    X(concat_pack)                                                                                                     \
    X(conv)                                                                                                            \
    X(diagonal)                                                                                                        \
    X(dynamic_partition)                                                                                               \
    X(einsum)                                                                                                          \
    X(fix_neuron)                                                                                                      \
    X(fused)                                                                                                           \
    X(gather)                                                                                                          \
    X(generate)                                                                                                        \
    X(layout)                                                                                                          \
    X(list)                                                                                                            \
    X(loss)                                                                                                            \
    X(matmul)                                                                                                          \
    X(normalization)                                                                                                   \
    X(pooling)                                                                                                         \
    X(quantize)                                                                                                        \
    X(quantized)                                                                                                       \
    X(rectifier)                                                                                                       \
    X(reduce)                                                                                                          \
    X(resize)                                                                                                          \
    X(scan)                                                                                                            \
    X(segment)                                                                                                         \
    X(shape_query)                                                                                                     \
    X(sort_topk)                                                                                                       \
    X(source)                                                                                                          \
    X(space)                                                                                                           \
    X(strided_slice)                                                                                                   \
    X(suppression)                                                                                                     \
    X(unary)                                                                                                           \
    X(where)
/* clang-format on */

#define DECLARE(name) extern const cnnfi_rule_family cnnfi_rules_##name;
FAMILIES(DECLARE)
#define ROW(name) &cnnfi_rules_##name,
static const cnnfi_rule_family *const families[] = {FAMILIES(ROW)};

#define N_FAMILIES (sizeof families / sizeof *families)

const cnnfi_rule_family *cnnfi_rule_family_at(size_t index)
{
    return index < N_FAMILIES ? families[index] : NULL;
}

const cnnfi_op_rule *cnnfi_op_rule_find(const char *op)
{
    for (size_t f = 0; f < N_FAMILIES; f++) {
        const cnnfi_op_rule *rules = families[f]->rules;
        for (size_t i = 0; i < families[f]->count; i++) {
            if (*rules[i].op == *op && strcmp(rules[i].op, op) == 0) return &rules[i];
        }
    }
    return NULL;
}

/* ---- asking ---- */

static bool every_input_is_shaped(const cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++) {
        if (!cnnfi_value_is_shaped(&call->inputs[i])) return false;
    }
    return true;
}

/* The dtypes of the op table, for outputs that the rule said nothing of. */
static cnnf_status declare_the_rest(const cnnfi_op *op, cnnfi_call *call)
{
    const int64_t outputs = cnnfi_op_node_outputs(op, call->node);
    for (int32_t i = call->n_outputs; i < outputs; i++) {
        CNNFI_TRY(cnnfi_call_output(call, i, cnnfi_op_output_type(op, call->node, i, NULL), CNNFI_UNKNOWN, NULL));
    }
    return CNNF_OK;
}

/* A rule and the op table must say the same: a kernel's reader relies on it. A dtype that the rule did not know is the
   table's. */
static cnnf_status check_outputs(const cnnfi_op *op, cnnfi_call *call)
{
    const int64_t outputs = cnnfi_op_node_outputs(op, call->node);
    if (outputs >= 0 && outputs != call->n_outputs) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "its inputs make %d outputs, its attributes say %lld",
                               (int)call->n_outputs, (long long)outputs);
    }
    for (int32_t i = 0; i < call->n_outputs; i++) {
        const cnnf_dtype want = cnnfi_op_output_type(op, call->node, i, NULL), have = call->outputs[i].dtype;
        if (!have && want != CNNF_RESOURCE) call->outputs[i].dtype = want;
        if (!want || !have || want == have || want == CNNF_RESOURCE) continue;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "output %d is %s, its attributes say %s", (int)i,
                               cnnf_dtype_name(have), cnnf_dtype_name(want));
    }
    return CNNF_OK;
}

static bool every_output_is_shaped(const cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_outputs; i++) {
        if (!cnnfi_value_is_shaped(&call->outputs[i])) return false;
    }
    return true;
}

cnnf_status cnnfi_op_infer(cnnfi_call *call)
{
    const cnnfi_op *op = cnnfi_op_find(call->node->op);
    const cnnfi_op_rule *rule = cnnfi_op_rule_find(call->node->op);
    cnnf_status status = CNNFI_INFER_DYNAMIC;
    call->n_outputs = 0;
    if (op) CNNFI_TRY(cnnfi_contract_call(op, call));
    if (rule && !(rule->flags & CNNFI_RULE_WHOLE && !every_input_is_shaped(call))) status = rule->infer(call);
    if (status < 0) return status;
    if (status == CNNFI_INFER_DYNAMIC) CNNFI_TRY(declare_the_rest(op, call));
    if (op) CNNFI_TRY(check_outputs(op, call));
    return status == CNNF_OK && every_output_is_shaped(call) ? CNNF_OK : CNNFI_INFER_DYNAMIC;
}
