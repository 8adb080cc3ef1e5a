/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise ops of one input: its shape, and its dtype or one that follows from it. */
#include "ops/op_rules.h"

static cnnf_status infer_same(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status infer_predicate(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_like(call, 0, CNNF_BOOL);
}

/* Parts of complex numbers; real numbers pass as they are. */
static cnnf_status infer_real(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    const cnnf_dtype in = call->inputs[0].dtype;
    return cnnfi_output_like(call, 0, in == CNNF_COMPLEX64 ? CNNF_FLOAT : in == CNNF_COMPLEX128 ? CNNF_DOUBLE : in);
}

/* PopulationCount: at most 64. */
static cnnf_status infer_count(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_like(call, 0, CNNF_UINT8);
}

/* ToBool: one bool of any tensor. */
static cnnf_status infer_truth(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_one(call, CNNF_BOOL, 0, NULL);
}

static const cnnfi_op_rule rules[] = {
    {"Abs", infer_same, 0},
    {"Acos", infer_same, 0},
    {"Acosh", infer_same, 0},
    {"Angle", infer_real, 0},
    {"Asin", infer_same, 0},
    {"Asinh", infer_same, 0},
    {"Atan", infer_same, 0},
    {"Atanh", infer_same, 0},
    {"BesselI0", infer_same, 0},
    {"BesselI0e", infer_same, 0},
    {"BesselI1", infer_same, 0},
    {"BesselI1e", infer_same, 0},
    {"BesselJ0", infer_same, 0},
    {"BesselJ1", infer_same, 0},
    {"BesselK0", infer_same, 0},
    {"BesselK0e", infer_same, 0},
    {"BesselK1", infer_same, 0},
    {"BesselK1e", infer_same, 0},
    {"BesselY0", infer_same, 0},
    {"BesselY1", infer_same, 0},
    {"Ceil", infer_same, 0},
    {"ComplexAbs", infer_real, 0},
    {"Conj", infer_same, 0},
    {"Cos", infer_same, 0},
    {"Cosh", infer_same, 0},
    {"Dawsn", infer_same, 0},
    {"Digamma", infer_same, 0},
    {"Erf", infer_same, 0},
    {"Erfc", infer_same, 0},
    {"Erfinv", infer_same, 0},
    {"Exp", infer_same, 0},
    {"Expint", infer_same, 0},
    {"Expm1", infer_same, 0},
    {"Floor", infer_same, 0},
    {"FresnelCos", infer_same, 0},
    {"FresnelSin", infer_same, 0},
    {"Imag", infer_real, 0},
    {"Inv", infer_same, 0},
    {"Invert", infer_same, 0},
    {"IsFinite", infer_predicate, 0},
    {"IsInf", infer_predicate, 0},
    {"IsNan", infer_predicate, 0},
    {"Lgamma", infer_same, 0},
    {"Log", infer_same, 0},
    {"Log1p", infer_same, 0},
    {"LogicalNot", infer_same, 0},
    {"Ndtri", infer_same, 0},
    {"Neg", infer_same, 0},
    {"PopulationCount", infer_count, 0},
    {"Real", infer_real, 0},
    {"Reciprocal", infer_same, 0},
    {"Rint", infer_same, 0},
    {"Round", infer_same, 0},
    {"Rsqrt", infer_same, 0},
    {"Sigmoid", infer_same, 0},
    {"Sign", infer_same, 0},
    {"Sin", infer_same, 0},
    {"Sinh", infer_same, 0},
    {"Softplus", infer_same, 0},
    {"Softsign", infer_same, 0},
    {"Spence", infer_same, 0},
    {"Sqrt", infer_same, 0},
    {"Square", infer_same, 0},
    {"Tan", infer_same, 0},
    {"Tanh", infer_same, 0},
    {"ToBool", infer_truth, 0},
};

const cnnfi_rule_family cnnfi_rules_unary = {"unary", rules, sizeof rules / sizeof *rules};
