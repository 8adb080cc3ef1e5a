/* SPDX-License-Identifier: Apache-2.0 */
/* Ranks and channel counts, looked up backwards: see shape_hint.h. */
#include "edit/shape_hint.h"

#include <string.h>

#include "transform/batch_norm/linear_ops.h"

#define MAX_DEPTH 48

static const cnnfi_hint unknown = {.rank = -1};

typedef struct query {
    cnnfi_constants *constants;
    const cnnf_node *node;
    int depth;
} query;

static cnnfi_hint output_hint(const query *q);

static cnnfi_hint input_hint(const query *q, size_t input)
{
    int32_t port;
    const cnnf_node *from = cnnfi_edit_producer(q->constants->edit, q->node, input, &port);
    const query next = {.constants = q->constants, .node = from, .depth = q->depth + 1};
    return from && port == 0 && next.depth < MAX_DEPTH ? output_hint(&next) : unknown;
}

static cnnfi_hint open_shape(int32_t rank)
{
    cnnfi_hint hint = {.rank = rank};
    for (int32_t i = 0; i < CNNFI_CONST_RANK; i++)
        hint.dims[i] = -1;
    return rank < 0 || rank > CNNFI_CONST_RANK ? unknown : hint;
}

static cnnfi_hint hint_same(const query *q)
{
    return input_hint(q, 0);
}

/* Rank and channels of the input, other sizes open: pools, resizes, pads. */
static cnnfi_hint hint_channels(const query *q)
{
    const cnnfi_hint x = input_hint(q, 0);
    cnnfi_hint out = open_shape(x.rank);
    const bool first =
        cnnfi_node_string_is(q->node, "data_format", "NCHW") || cnnfi_node_string_is(q->node, "data_format", "NCDHW");
    const int32_t axis = first ? 1 : x.rank - 1;
    if (axis >= 0 && axis < out.rank) out.dims[axis] = x.dims[axis];
    return out;
}

static cnnfi_hint hint_rank_only(const query *q)
{
    return open_shape(input_hint(q, 0).rank);
}

static cnnfi_hint hint_linear(const query *q)
{
    const cnnfi_edit *edit = q->constants->edit;
    const cnnfi_linear_op *op = cnnfi_linear_op_find(q->node->op);
    const int32_t rank = op->rank ? op->rank : input_hint(q, 0).rank;
    cnnfi_hint out = open_shape(rank);
    const int32_t axis = out.rank - 1 - cnnfi_linear_axis(q->node, op);
    if (axis >= 0) out.dims[axis] = cnnfi_linear_outputs(edit, q->node, op);
    return out;
}

static cnnfi_hint hint_shape_attr(const query *q)
{
    const int32_t rank = cnnf_node_attr_shape_rank(q->node, "shape");
    cnnfi_hint out = open_shape(rank);
    for (int32_t i = 0; i < out.rank; i++)
        out.dims[i] = cnnf_node_attr_shape_dim(q->node, "shape", i);
    return out;
}

static cnnfi_hint hint_const(const query *q)
{
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(q->node, "value");
    cnnfi_hint out = open_shape(tensor ? cnnf_tensor_rank(tensor) : -1);
    for (int32_t i = 0; i < out.rank; i++)
        out.dims[i] = cnnf_tensor_dim(tensor, i);
    return out;
}

static cnnfi_hint hint_broadcast(const query *q)
{
    const cnnfi_hint a = input_hint(q, 0), b = input_hint(q, 1);
    if (a.rank < 0 || b.rank < 0) return unknown;
    cnnfi_hint out = open_shape(a.rank > b.rank ? a.rank : b.rank);
    for (int32_t axis = 0; axis < out.rank; axis++) {
        const int64_t da = axis < a.rank ? a.dims[a.rank - 1 - axis] : 1,
                      db = axis < b.rank ? b.dims[b.rank - 1 - axis] : 1;
        out.dims[out.rank - 1 - axis] = da == 1 ? db : db == 1 || da == db || db < 0 ? da : -1;
    }
    return out;
}

static cnnfi_hint hint_reshape(const query *q)
{
    int64_t dims[CNNFI_CONST_RANK];
    size_t count;
    if (cnnfi_constant_ints(q->constants, q->node, 1, dims, CNNFI_CONST_RANK, &count)) {
        cnnfi_hint out = open_shape((int32_t)count);
        for (size_t i = 0; i < count; i++)
            out.dims[i] = dims[i] > 0 ? dims[i] : -1;
        return out;
    }
    const cnnf_node *shape = cnnfi_edit_producer(q->constants->edit, q->node, 1, NULL);
    if (!shape || strcmp(shape->op, "Pack") != 0) return unknown;
    cnnfi_hint out = open_shape((int32_t)cnnfi_node_data_inputs(shape));
    for (int32_t i = 0; i < out.rank; i++) {
        const cnnfi_const *size = cnnfi_constant_input(q->constants, shape, (size_t)i);
        if (size && size->count == 1 && size->v[0] > 0) out.dims[i] = (int64_t)size->v[0];
    }
    return out;
}

static cnnfi_hint hint_expand_dims(const query *q)
{
    const cnnfi_hint x = input_hint(q, 0);
    int64_t axis;
    size_t count;
    cnnfi_hint out = open_shape(x.rank < 0 ? -1 : x.rank + 1);
    if (out.rank < 0 || !cnnfi_constant_ints(q->constants, q->node, 1, &axis, 1, &count) || count != 1) return out;
    if (axis < 0) axis += out.rank;
    for (int32_t i = 0; i < out.rank; i++)
        out.dims[i] = i == axis ? 1 : x.dims[i < axis ? i : i - 1];
    return out;
}

/* Drops the axes marked in `gone`. */
static cnnfi_hint without(const cnnfi_hint *x, const bool *gone)
{
    int32_t rank = 0;
    cnnfi_hint out = *x;
    for (int32_t i = 0; i < x->rank; i++) {
        if (!gone[i]) out.dims[rank++] = x->dims[i];
    }
    out.rank = rank;
    return out;
}

static cnnfi_hint hint_squeeze(const query *q)
{
    const cnnfi_hint x = input_hint(q, 0);
    bool gone[CNNFI_CONST_RANK] = {false};
    const int64_t named = cnnf_node_attr_list_count(q->node, "squeeze_dims");
    if (x.rank < 0 || named <= 0) return unknown;
    for (int64_t i = 0; i < named; i++) {
        const int64_t axis = cnnf_node_attr_list_int(q->node, "squeeze_dims", i, 0);
        const int64_t at = axis < 0 ? axis + x.rank : axis;
        if (at >= 0 && at < x.rank) gone[at] = true;
    }
    return without(&x, gone);
}

static cnnfi_hint hint_reduce(const query *q)
{
    const cnnfi_hint x = input_hint(q, 0);
    bool gone[CNNFI_CONST_RANK] = {false};
    int64_t axes[CNNFI_CONST_RANK];
    size_t count;
    if (x.rank < 0 || !cnnfi_constant_ints(q->constants, q->node, 1, axes, CNNFI_CONST_RANK, &count)) return unknown;
    for (size_t i = 0; i < count; i++) {
        const int64_t at = axes[i] < 0 ? axes[i] + x.rank : axes[i];
        if (at >= 0 && at < x.rank) gone[at] = true;
    }
    if (!cnnf_node_attr_bool(q->node, "keep_dims", 0)) return without(&x, gone);
    cnnfi_hint out = x;
    for (int32_t i = 0; i < x.rank; i++)
        out.dims[i] = gone[i] ? 1 : x.dims[i];
    return out;
}

static cnnfi_hint hint_transpose(const query *q)
{
    const cnnfi_hint x = input_hint(q, 0);
    int64_t perm[CNNFI_CONST_RANK];
    size_t count;
    if (!cnnfi_constant_ints(q->constants, q->node, 1, perm, CNNFI_CONST_RANK, &count)) return open_shape(x.rank);
    cnnfi_hint out = open_shape((int32_t)count);
    for (int32_t i = 0; x.rank == out.rank && i < out.rank; i++) {
        if (perm[i] >= 0 && perm[i] < x.rank) out.dims[i] = x.dims[perm[i]];
    }
    return out;
}

static cnnfi_hint hint_concat(const query *q)
{
    const size_t inputs = cnnfi_node_data_inputs(q->node),
                 axis_input = strcmp(q->node->op, "Concat") == 0 ? 0 : inputs - 1;
    int64_t axis, sum = 0;
    size_t count;
    if (inputs < 2 || !cnnfi_constant_ints(q->constants, q->node, axis_input, &axis, 1, &count) || count != 1)
        return unknown;
    cnnfi_hint out = unknown;
    for (size_t i = 0; i < inputs; i++) {
        if (i == axis_input) continue;
        const cnnfi_hint x = input_hint(q, i);
        if (x.rank < 0) return unknown;
        const int64_t at = axis < 0 ? axis + x.rank : axis;
        if (at < 0 || at >= x.rank || (out.rank >= 0 && out.rank != x.rank)) return unknown;
        sum = sum < 0 || x.dims[at] < 0 ? -1 : sum + x.dims[at];
        if (out.rank < 0) out = x;
        out.dims[at] = sum;
    }
    return out;
}

static const struct {
    const char *op;
    cnnfi_hint (*hint)(const query *q);
} hints[] = {
    {"Add", hint_broadcast},
    {"AddV2", hint_broadcast},
    {"AvgPool", hint_channels},
    {"AvgPool3D", hint_channels},
    {"BatchNormWithGlobalNormalization", hint_same},
    {"BatchToSpaceND", hint_channels},
    {"BiasAdd", hint_same},
    {"Concat", hint_concat},
    {"ConcatV2", hint_concat},
    {"Const", hint_const},
    {"Elu", hint_same},
    {"ExpandDims", hint_expand_dims},
    {"FusedBatchNorm", hint_same},
    {"FusedBatchNormV2", hint_same},
    {"FusedBatchNormV3", hint_same},
    {"LeakyRelu", hint_same},
    {"Max", hint_reduce},
    {"MaxPool", hint_channels},
    {"MaxPool3D", hint_channels},
    {"Maximum", hint_broadcast},
    {"Mean", hint_reduce},
    {"Minimum", hint_broadcast},
    {"MirrorPad", hint_rank_only},
    {"Mul", hint_broadcast},
    {"Pad", hint_rank_only},
    {"PadV2", hint_rank_only},
    {"Placeholder", hint_shape_attr},
    {"PlaceholderWithDefault", hint_shape_attr},
    {"RealDiv", hint_broadcast},
    {"Relu", hint_same},
    {"Relu6", hint_same},
    {"Reshape", hint_reshape},
    {"ResizeBilinear", hint_channels},
    {"ResizeNearestNeighbor", hint_channels},
    {"Selu", hint_same},
    {"Sigmoid", hint_same},
    {"Softmax", hint_same},
    {"SpaceToBatchND", hint_channels},
    {"Squeeze", hint_squeeze},
    {"Sub", hint_broadcast},
    {"Sum", hint_reduce},
    {"Tanh", hint_same},
    {"Transpose", hint_transpose},
};

static cnnfi_hint output_hint(const query *q)
{
    if (cnnfi_op_is_identity(q->node->op)) return input_hint(q, 0);
    if (cnnfi_linear_op_find(q->node->op)) return hint_linear(q);
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (strcmp(hints[i].op, q->node->op) == 0) return hints[i].hint(q);
    }
    return unknown;
}

cnnfi_hint cnnfi_hint_output(cnnfi_constants *constants, const cnnf_node *node, int32_t port)
{
    const query q = {.constants = constants, .node = node, .depth = 0};
    return port == 0 ? output_hint(&q) : unknown;
}

cnnfi_hint cnnfi_hint_input(cnnfi_constants *constants, const cnnf_node *node, size_t input)
{
    const query q = {.constants = constants, .node = node, .depth = 0};
    return input_hint(&q, input);
}

int64_t cnnfi_hint_from_end(const cnnfi_hint *hint, int32_t axis)
{
    return axis >= 0 && axis < hint->rank ? hint->dims[hint->rank - 1 - axis] : -1;
}
