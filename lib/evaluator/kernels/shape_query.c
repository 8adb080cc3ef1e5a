/* SPDX-License-Identifier: Apache-2.0 */
/* Ops about shapes, and those that give their input another one: Shape, Reshape, Squeeze ... */
#include <math.h>

#include "evaluator/kernels/portable.h"
#include "ops/rules/shape_query_rules.h"

static cnnf_status copy_run(cnnfi_call *call)
{
    cnnfi_copy_bytes(&call->outputs[0], &call->inputs[0]);
    return CNNF_OK;
}

static cnnf_status check_numerics_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    bool nan = false, inf = false;
    for (int64_t i = 0; i < in->count; i++) {
        double x = cnnfi_get_f64(in, i);
        nan |= isnan(x) != 0;
        inf |= isinf(x) != 0;
    }
    const char *message = cnnf_node_attr_string(NULL, call->node, "message");
    if (nan || inf)
        return cnnfi_call_fail(call, CNNF_E_INVALID, "%s : Tensor had %s values", message ? message : "",
                               nan && inf ? "Inf and NaN"
                               : nan      ? "NaN"
                                          : "Inf");
    cnnfi_copy_bytes(&call->outputs[0], in);
    return CNNF_OK;
}

static cnnf_status assert_run(cnnfi_call *call)
{
    if (*(const uint8_t *)call->inputs[0].data) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "assertion failed");
}

/* ---- shapes as numbers ---- */

static void put_index(cnnfi_value *out, int64_t index, int64_t value)
{
    if (out->dtype == CNNF_INT64)
        ((int64_t *)out->data)[index] = value;
    else
        ((int32_t *)out->data)[index] = (int32_t)value;
}

static cnnf_status shape_run(cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++)
        for (int32_t d = 0; d < call->inputs[i].rank; d++)
            put_index(&call->outputs[i], d, call->inputs[i].dims[d]);
    return CNNF_OK;
}

static cnnf_status size_run(cnnfi_call *call)
{
    put_index(&call->outputs[0], 0, call->inputs[0].count);
    return CNNF_OK;
}

static cnnf_status rank_run(cnnfi_call *call)
{
    put_index(&call->outputs[0], 0, call->inputs[0].rank);
    return CNNF_OK;
}

/* ---- shapes that broadcast ---- */

static cnnf_status broadcast_args_run(cnnfi_call *call)
{
    cnnfi_shape_pair pair;
    CNNFI_TRY(cnnfi_shape_pair_read(call, &pair));
    for (int64_t i = 0; i < pair.rank; i++) {
        const int64_t x = cnnfi_shape_pair_dim(&pair, 0, i);
        put_index(&call->outputs[0], i, x == 1 ? cnnfi_shape_pair_dim(&pair, 1, i) : x);
    }
    return CNNF_OK;
}

static cnnf_status gradient_args_run(cnnfi_call *call)
{
    cnnfi_shape_pair pair;
    CNNFI_TRY(cnnfi_shape_pair_read(call, &pair));
    for (int k = 0; k < 2; k++) {
        int64_t at = 0;
        for (int64_t i = 0; i < pair.rank; i++)
            if (cnnfi_shape_pair_sums(&pair, k, i)) put_index(&call->outputs[k], at++, i);
    }
    return CNNF_OK;
}

#define ROW(op, run)                                                                                                   \
    {                                                                                                                  \
        op, run, 0, NULL                                                                                               \
    }
static const cnnfi_kernel kernels[] = {
    {"Assert", assert_run, CNNFI_OP_STATEFUL, NULL},
    ROW("Bitcast", copy_run),
    ROW("BroadcastArgs", broadcast_args_run),
    ROW("BroadcastGradientArgs", gradient_args_run),
    {"CheckNumerics", check_numerics_run, CNNFI_OP_STATEFUL, NULL},
    {"CheckNumericsV2", check_numerics_run, CNNFI_OP_STATEFUL, NULL},
    ROW("DeepCopy", copy_run),
    ROW("EnsureShape", copy_run),
    ROW("ExpandDims", copy_run),
    ROW("GuaranteeConst", copy_run),
    ROW("Rank", rank_run),
    ROW("Reshape", copy_run),
    ROW("Shape", shape_run),
    ROW("ShapeN", shape_run),
    ROW("Size", size_run),
    ROW("Squeeze", copy_run),
    ROW("VariableShape", shape_run),
};

const cnnfi_kernel_family cnnfi_kernels_shape = {"shape", kernels, sizeof(kernels) / sizeof(kernels[0])};
