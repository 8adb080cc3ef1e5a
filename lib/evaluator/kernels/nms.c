/* SPDX-License-Identifier: Apache-2.0 */
/* NonMaxSuppression*: the boxes that ops/suppression.c chooses. */
#include "evaluator/kernels/kernel.h"
#include "ops/suppression.h"

static cnnf_status suppress_run(cnnfi_call *call)
{
    cnnfi_suppression s;
    CNNFI_TRY(cnnfi_suppress(call, &s));
    cnnfi_value *out = call->outputs; /* boxes (, their scores in V5) (, how many they are since V4) */
    for (int64_t i = 0; i < out[0].count; i++) {
        ((int32_t *)out[0].data)[i] = i < s.count ? (int32_t)s.chosen[i].box : 0;
        if (s.version == 5) ((float *)out[1].data)[i] = i < s.count ? s.chosen[i].score : 0;
    }
    if (s.version >= 4) *(int32_t *)out[s.version - 3].data = (int32_t)s.count;
    cnnfi_suppression_done(call, &s);
    return CNNF_OK;
}

/* Half precision boxes are not compared: where their number does not tell (padded outputs) this does. */
static cnnf_status scratch(cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++) {
        if (i != 2) CNNFI_TRY(cnnfi_want_dtype(call, i, CNNF_FLOAT));
    }
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"NonMaxSuppression", suppress_run, 0, scratch},   {"NonMaxSuppressionV2", suppress_run, 0, scratch},
    {"NonMaxSuppressionV3", suppress_run, 0, scratch}, {"NonMaxSuppressionV4", suppress_run, 0, scratch},
    {"NonMaxSuppressionV5", suppress_run, 0, scratch}, {"NonMaxSuppressionWithOverlaps", suppress_run, 0, scratch},
};

const cnnfi_kernel_family cnnfi_kernels_suppress = {"suppression", kernels, sizeof(kernels) / sizeof(kernels[0])};
