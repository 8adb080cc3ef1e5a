/* SPDX-License-Identifier: Apache-2.0 */
/* NonMaxSuppression*: how many boxes stay. */
#include "ops/op_rules.h"
#include "ops/suppression.h"

/* CNNFI_UNKNOWN when the values it depends on are not known. */
static cnnf_status count_boxes(cnnfi_call *call, int64_t *count)
{
    cnnfi_suppression s;
    *count = CNNFI_UNKNOWN;
    if (cnnfi_suppression_pads(call->node)) {
        const cnnf_status status = cnnfi_call_int(call, 2, count);
        if (status != CNNF_OK) return status < 0 ? status : CNNF_OK;
        return *count >= 0 ? CNNF_OK
                           : cnnfi_call_fail(call, CNNF_E_INVALID, "max_output_size is %lld", (long long)*count);
    }
    const cnnf_status status = cnnfi_suppress(call, &s);
    if (status != CNNF_OK) return status < 0 ? status : CNNF_OK;
    *count = s.count;
    cnnfi_suppression_done(call, &s);
    return CNNF_OK;
}

/* boxes (, their scores in V5) (, how many they are since V4) */
static cnnf_status infer_suppression(cnnfi_call *call)
{
    const int32_t version = cnnfi_suppression_version(call->node);
    int64_t count;
    int32_t next = 1;
    CNNFI_TRY(cnnfi_suppression_check(call));
    CNNFI_TRY(count_boxes(call, &count));
    CNNFI_TRY(cnnfi_output_one(call, CNNF_INT32, 1, &count));
    if (version == 5) CNNFI_TRY(cnnfi_call_output(call, next++, call->inputs[1].dtype, 1, &count));
    return version >= 4 ? cnnfi_call_output(call, next, CNNF_INT32, 0, NULL) : CNNF_OK;
}

/* ---- CombinedNonMaxSuppression: boxes (batch, n, q, 4), scores (batch, n, classes), limits; without a kernel ---- */

/* max_total_size, or with pad_per_class no more than the classes give. */
static cnnf_status combined_count(cnnfi_call *call, int64_t classes, int64_t *count)
{
    int64_t each = CNNFI_UNKNOWN, all = CNNFI_UNKNOWN;
    cnnf_status status = cnnfi_call_int(call, 2, &each);
    if (status >= 0) status = cnnfi_call_int(call, 3, &all);
    if (status < 0) return status;
    if (all != CNNFI_UNKNOWN && all < 1)
        return cnnfi_call_fail(call, CNNF_E_INVALID, "max_total_size is %lld", (long long)all);
    *count = all;
    if (!cnnf_node_attr_bool(call->node, "pad_per_class", 0)) return CNNF_OK;
    const int64_t most = cnnfi_dim_mul(each, classes);
    *count = all == CNNFI_UNKNOWN || most == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : all < most ? all : most;
    return CNNF_OK;
}

static cnnf_status infer_combined(cnnfi_call *call)
{
    const cnnfi_value *boxes = &call->inputs[0], *scores = &call->inputs[1];
    int64_t count = CNNFI_UNKNOWN;
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 3));
    for (int32_t i = 2; i < 6; i++)
        CNNFI_TRY(cnnfi_want_rank(call, i, 0));
    const bool fits = cnnfi_dim_fits(boxes->dims[0], scores->dims[0]) &&
                      cnnfi_dim_fits(boxes->dims[1], scores->dims[1]) && cnnfi_dim_fits(boxes->dims[3], 4);
    const bool is_each = boxes->dims[2] == 1 || cnnfi_dim_fits(boxes->dims[2], scores->dims[2]);
    if (!fits || !is_each) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "boxes and scores do not fit");
    CNNFI_TRY(combined_count(call, scores->dims[2], &count));
    const int64_t dims[] = {cnnfi_dim_merge(boxes->dims[0], scores->dims[0]), count, 4};
    for (int32_t i = 0; i < 3; i++) /* boxes, scores, classes */
        CNNFI_TRY(cnnfi_call_output(call, i, CNNF_FLOAT, i == 0 ? 3 : 2, dims));
    return cnnfi_call_output(call, 3, CNNF_INT32, 1, dims);
}

static const cnnfi_op_rule rules[] = {
    {"CombinedNonMaxSuppression", infer_combined, 0},        {"NonMaxSuppression", infer_suppression, 0},
    {"NonMaxSuppressionV2", infer_suppression, 0},           {"NonMaxSuppressionV3", infer_suppression, 0},
    {"NonMaxSuppressionV4", infer_suppression, 0},           {"NonMaxSuppressionV5", infer_suppression, 0},
    {"NonMaxSuppressionWithOverlaps", infer_suppression, 0},
};

const cnnfi_rule_family cnnfi_rules_suppression = {"suppression", rules, sizeof rules / sizeof *rules};
