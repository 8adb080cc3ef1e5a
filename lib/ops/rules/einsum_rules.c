/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum: the sizes of the labels that its equation keeps. */
#include "ops/equation.h"
#include "ops/op_rules.h"

static cnnf_status infer_einsum(cnnfi_call *call)
{
    cnnfi_equation e;
    int64_t dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const int32_t last = call->n_inputs - 1;
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, last));
    CNNFI_TRY(cnnfi_equation_read(call, &e));
    const cnnf_dtype dtype = call->inputs[call->inputs[0].dtype ? 0 : last].dtype;
    for (int32_t i = 0; i < e.out_rank; i++)
        dims[i] = e.dims[e.out_label[i]];
    return cnnfi_output_one(call, dtype, e.out_rank, dims);
}

static const cnnfi_op_rule rules[] = {
    {"Einsum", infer_einsum, 0},
};

const cnnfi_rule_family cnnfi_rules_einsum = {"einsum", rules, sizeof rules / sizeof *rules};
