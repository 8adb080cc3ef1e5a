/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and their kin: cross entropies, L2Loss, gradients that have an attribute, Dilation2D, the CTC decoders. */
#include <string.h>

#include "ops/op_rules.h"
#include "ops/window.h"

/* ---- cross entropies: features, labels -> loss, backprop ---- */

static cnnf_status output_entropy(cnnfi_call *call, const int64_t dims[2])
{
    const cnnf_dtype dtype = call->inputs[0].dtype;
    CNNFI_TRY(cnnfi_output_one(call, dtype, 1, dims));
    return cnnfi_call_output(call, 1, dtype, 2, dims);
}

/* Both broadcast to one matrix, even a scalar beside one. What has an unknown rank is a matrix here: if it has fewer
   axes, its sizes are 1 there and say no more. */
static cnnf_status infer_entropy(cnnfi_call *call)
{
    cnnfi_value both[2] = {call->inputs[0], call->inputs[1]};
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t rank;
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    for (int32_t i = 0; i < 2; i++) {
        if (both[i].rank == CNNFI_UNKNOWN) both[i].rank = 2;
    }
    if (!cnnfi_broadcast_dims(both, 2, &rank, dims) || rank != 2)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "logits and labels must be matrices of one shape");
    return output_entropy(call, dims);
}

/* labels: one class per row */
static cnnf_status infer_sparse_entropy(cnnfi_call *call)
{
    const cnnfi_value *features = &call->inputs[0], *labels = &call->inputs[1];
    CNNFI_TRY(cnnfi_want_int(call, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    if (!cnnfi_dim_fits(features->dims[0], labels->dims[0]))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one label per row is needed");
    if (features->dims[1] == 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "there is no class");
    const int64_t dims[] = {cnnfi_dim_merge(features->dims[0], labels->dims[0]), features->dims[1]};
    return output_entropy(call, dims);
}

/* ---- sums ---- */

static cnnf_status infer_scalar(cnnfi_call *call)
{
    return cnnfi_output_one(call, call->inputs[0].dtype, 0, NULL);
}

static cnnf_status infer_bias_grad(cnnfi_call *call)
{
    const cnnfi_value *in = &call->inputs[0];
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, format && strncmp(format, "NC", 2) == 0 ? 3 : 2));
    const int32_t axis = cnnfi_channel_axis(call, in->rank);
    return cnnfi_output_one(call, in->dtype, 1, (const int64_t[]){axis == CNNFI_UNKNOWN ? axis : in->dims[axis]});
}

/* ---- gradients, features (Selu: outputs) of one shape ---- */

static cnnf_status infer_grad(cnnfi_call *call)
{
    cnnfi_value common = call->inputs[0];
    const cnnfi_value *other = &call->inputs[1];
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_same_shape(call, 0, 1));
    if (common.rank == CNNFI_UNKNOWN) return cnnfi_output_like(call, 1, common.dtype);
    for (int32_t i = 0; i < common.rank && other->rank != CNNFI_UNKNOWN; i++)
        common.dims[i] = cnnfi_dim_merge(common.dims[i], other->dims[i]);
    return cnnfi_output_one(call, common.dtype, common.rank, common.dims);
}

static cnnf_status infer_dilation(cnnfi_call *call)
{
    cnnfi_window w;
    int64_t dims[5];
    CNNFI_TRY(cnnfi_window_dilation(call, &w));
    const int32_t rank = cnnfi_window_dims(&w, w.out, w.out_channels, dims);
    return cnnfi_output_one(call, call->inputs[0].dtype, rank, dims);
}

/* ---- CTC decoders: (time, batch, classes), lengths -> `paths` sparse tensors, log probabilities ---- */

static cnnf_status infer_decoder(cnnfi_call *call, int64_t paths)
{
    const cnnfi_value *in = &call->inputs[0], *lengths = &call->inputs[1];
    int32_t at = 0;
    CNNFI_TRY(cnnfi_want_rank(call, 0, 3));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    if (!cnnfi_dim_fits(in->dims[1], lengths->dims[0]))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one sequence_length per sequence is needed");
    if (paths < 1 || paths > CNNFI_CALL_OUTPUTS)
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "top_paths is %lld", (long long)paths);
    for (int32_t part = 0; part < 3; part++) { /* indices, values, shapes; the number of symbols is in the values */
        for (int64_t i = 0; i < paths; i++, at++) {
            const int64_t indices[] = {CNNFI_UNKNOWN, 2}, values[] = {CNNFI_UNKNOWN}, shape[] = {2};
            CNNFI_TRY(cnnfi_call_output(call, at, CNNF_INT64, part == 0 ? 2 : 1,
                                        part == 0   ? indices
                                        : part == 1 ? values
                                                    : shape));
        }
    }
    const int64_t dims[] = {cnnfi_dim_merge(in->dims[1], lengths->dims[0]), paths};
    return cnnfi_call_output(call, at, in->dtype, 2, dims);
}

static cnnf_status infer_greedy(cnnfi_call *call)
{
    return infer_decoder(call, 1);
}

static cnnf_status infer_beam(cnnfi_call *call)
{
    return infer_decoder(call, cnnf_node_attr_int(call->node, "top_paths", 0));
}

static const cnnfi_op_rule rules[] = {
    {"BiasAddGrad", infer_bias_grad, 0},
    {"CTCBeamSearchDecoder", infer_beam, 0},
    {"CTCGreedyDecoder", infer_greedy, 0},
    {"Dilation2D", infer_dilation, 0},
    {"L2Loss", infer_scalar, 0},
    {"LeakyReluGrad", infer_grad, 0},
    {"SeluGrad", infer_grad, 0},
    {"SoftmaxCrossEntropyWithLogits", infer_entropy, 0},
    {"SparseSoftmaxCrossEntropyWithLogits", infer_sparse_entropy, 0},
};

const cnnfi_rule_family cnnfi_rules_loss = {"loss", rules, sizeof rules / sizeof *rules};
