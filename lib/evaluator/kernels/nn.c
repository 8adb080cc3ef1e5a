/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluator/kernels/nn.h"

#include <string.h>

#include "base/num.h"

#define MOST_INPUTS 8

cnnf_status cnnfi_nn_inputs(cnnfi_call *call, int32_t count)
{
    if (call->n_inputs == count) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has %d inputs, needs %d", (int)call->n_inputs, (int)count);
}

cnnf_status cnnfi_nn_rank(cnnfi_call *call, int32_t index, int32_t rank)
{
    if (call->inputs[index].rank == rank) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d has rank %d, needs %d", (int)index,
                           (int)call->inputs[index].rank, (int)rank);
}

static bool is_small(cnnf_dtype dtype)
{
    return dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
}

cnnf_status cnnfi_nn_floats(cnnfi_call *call, int32_t count)
{
    cnnf_dtype dtype = call->inputs[0].dtype;
    if (dtype != CNNF_FLOAT && dtype != CNNF_DOUBLE && !is_small(dtype)) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "not for %s", cnnf_dtype_name(dtype));
    }
    for (int32_t i = 1; i < count; i++) {
        if (call->inputs[i].dtype == dtype) continue;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is %s, input 0 is %s", (int)i,
                               cnnf_dtype_name(call->inputs[i].dtype), cnnf_dtype_name(dtype));
    }
    return CNNF_OK;
}

/* ---- half precision ---- */

static size_t widened_size(const cnnfi_value *value)
{
    return is_small(value->dtype) ? (((size_t)value->count * sizeof(float)) + 63) & ~(size_t)63 : 0;
}

void cnnfi_nn_widen(cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++)
        call->scratch_size += widened_size(&call->inputs[i]);
    for (int32_t i = 0; i < call->n_outputs; i++)
        call->scratch_size += widened_size(&call->outputs[i]);
}

cnnf_status cnnfi_nn_scratch(cnnfi_call *call)
{
    const cnnf_dtype dtype = call->outputs[0].dtype;
    if (dtype != CNNF_FLOAT && dtype != CNNF_DOUBLE && !is_small(dtype)) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "not for %s", cnnf_dtype_name(dtype));
    }
    call->scratch_size = 0;
    cnnfi_nn_widen(call);
    return CNNF_OK;
}

static void to_float(const cnnfi_value *from, float *to)
{
    const uint16_t *bits = from->data;
    bool half = from->dtype == CNNF_HALF;
    for (int64_t i = 0; i < from->count; i++)
        to[i] = half ? cnnfi_half_to_float(bits[i]) : cnnfi_bfloat16_to_float(bits[i]);
}

static void from_float(const float *from, cnnfi_value *to)
{
    uint16_t *bits = to->data;
    bool half = to->dtype == CNNF_HALF;
    for (int64_t i = 0; i < to->count; i++)
        bits[i] = half ? cnnfi_float_to_half(from[i]) : cnnfi_float_to_bfloat16(from[i]);
}

/* A float value in place of a small one, its bytes at *scratch. */
static cnnfi_value widen(const cnnfi_value *value, uint8_t **scratch)
{
    cnnfi_value wide = *value;
    if (!is_small(value->dtype)) return wide;
    wide.dtype = CNNF_FLOAT;
    wide.data = *scratch;
    *scratch += widened_size(value);
    return wide;
}

cnnf_status cnnfi_nn_widened(cnnfi_call *call, cnnf_status (*run)(cnnfi_call *call))
{
    cnnfi_value inputs[MOST_INPUTS], outputs[MOST_INPUTS];
    uint8_t *scratch = call->scratch;
    if (!is_small(call->outputs[0].dtype)) return run(call);
    for (int32_t i = 0; i < call->n_inputs; i++) {
        inputs[i] = widen(&call->inputs[i], &scratch);
        if (is_small(call->inputs[i].dtype)) to_float(&call->inputs[i], inputs[i].data);
    }
    for (int32_t i = 0; i < call->n_outputs; i++)
        outputs[i] = widen(&call->outputs[i], &scratch);
    cnnfi_call wide = *call;
    wide.inputs = inputs;
    wide.outputs = outputs;
    wide.scratch = scratch;
    CNNFI_TRY(run(&wide));
    for (int32_t i = 0; i < call->n_outputs; i++) {
        if (is_small(call->outputs[i].dtype)) from_float(outputs[i].data, &call->outputs[i]);
    }
    return CNNF_OK;
}
