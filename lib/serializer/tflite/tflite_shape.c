/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes and axes: what moves no element, or all of them. */
#include "serializer/tflite/tflite_ops.h"

/* ---- what a shape is ---- */

static void give_shape(const cnnfi_tfl_call *call, int32_t i)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, i), *out = cnnfi_tfl_out(call, i);
    if (out == NULL) return;
    cnnfi_tfl_set_byte(cnnfi_tfl_add(call->m, TFL_SHAPE, 1, &x, 1, &out), OUTPUT_TYPE, cnnfi_tfl_type(out->dtype));
    cnnfi_tfl_give(call, i, out);
}

static void convert_shape(cnnfi_tfl_call *call)
{
    for (int32_t i = 0; i < call->n_inputs && i < call->m->x.n_read[call->node->index]; i++)
        give_shape(call, i);
}

/* The product of the sizes. */
static void convert_size(cnnfi_tfl_call *call)
{
    const cnnf_dtype dtype = cnnfi_tfl_out_shape(call, 0).dtype;
    const int64_t rank = cnnfi_tfl_in_shape(call, 0).rank, axis = 0;
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0), *shape = cnnfi_tfl_part_of(call, dtype, 1, &rank);
    cnnfi_tfl_set_byte(cnnfi_tfl_add(call->m, TFL_SHAPE, 1, &x, 1, &shape), OUTPUT_TYPE, cnnfi_tfl_type(dtype));
    cnnfi_tfl_tensor *inputs[] = {shape, cnnfi_tfl_ints(call->m, 1, &axis)};
    cnnfi_tfl_give_one(call, TFL_REDUCE_PROD, 2, inputs);
}

static void convert_rank(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_give_one(call, TFL_RANK, 1, &x);
}

/* ---- other shapes of the same elements ---- */

/* The result's dims, at most one of them open: then a constant says it. */
static bool said_by_constant(const cnnfi_value *out)
{
    int32_t open = 0;
    bool empty = false;
    for (int32_t i = 0; i < out->rank; i++) {
        open += out->dims[i] < 0;
        empty |= out->dims[i] == 0;
    }
    return out->rank >= 0 && (open == 0 || (open == 1 && !empty));
}

/* By constants where they say it, else by input 1 where that is a shape. */
static void give_reshaped(const cnnfi_tfl_call *call, bool has_shape)
{
    const cnnfi_value out = cnnfi_tfl_out_shape(call, 0);
    if (said_by_constant(&out)) {
        cnnfi_tfl_give(call, 0, cnnfi_tfl_reshape(call->m, cnnfi_tfl_in(call, 0), cnnfi_tfl_out(call, 0)));
    } else if (has_shape) {
        cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1)};
        cnnfi_tfl_give_one(call, TFL_RESHAPE, 2, inputs);
    } else {
        cnnfi_tfl_refuse(call, "more than one size is not known");
    }
}

static void convert_reshape(cnnfi_tfl_call *call)
{
    give_reshaped(call, true);
}

static void convert_expand_dims(cnnfi_tfl_call *call)
{
    const cnnfi_value out = cnnfi_tfl_out_shape(call, 0);
    if (said_by_constant(&out)) {
        give_reshaped(call, false);
        return;
    }
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1)};
    cnnfi_tfl_give_one(call, TFL_EXPAND_DIMS, 2, inputs);
}

static void convert_squeeze(cnnfi_tfl_call *call)
{
    const cnnfi_attr *attr = cnnfi_node_attr(call->node, "squeeze_dims");
    const cnnfi_value out = cnnfi_tfl_out_shape(call, 0);
    if (said_by_constant(&out)) {
        give_reshaped(call, false);
        return;
    }
    const bool listed = attr != NULL && attr->kind == CNNF_ATTR_LIST && attr->u.list.item_kind == CNNF_ATTR_INT;
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_SQUEEZE, 1, &x);
    if (listed) cnnfi_tfl_set_ints(call->m, node, SQUEEZE_DIMS, attr->u.list.count, attr->u.list.u.ints);
}

/* ---- axes in another order ---- */

/* Whether only axes of size 1 move, so that the elements keep their order. */
static bool moves_nothing(const cnnfi_value *in, size_t count, const int64_t *perm)
{
    int64_t last = -1;
    for (size_t i = 0; i < count; i++) {
        if (perm[i] < 0 || perm[i] >= in->rank) return false;
        if (in->dims[perm[i]] == 1) continue;
        if (perm[i] < last) return false;
        last = perm[i];
    }
    return true;
}

static void convert_transpose(cnnfi_tfl_call *call)
{
    const cnnfi_value in = cnnfi_tfl_in_shape(call, 0), out = cnnfi_tfl_out_shape(call, 0);
    int64_t perm[CNNFI_OP_MAX_RANK];
    size_t count;
    const bool known = cnnfi_export_ints_of(&call->asked, 1, perm, CNNFI_OP_MAX_RANK, &count);
    if (known && in.rank == (int32_t)count && moves_nothing(&in, count, perm) && said_by_constant(&out)) {
        give_reshaped(call, false);
        return;
    }
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1)};
    cnnfi_tfl_give_one(call, TFL_TRANSPOSE, 2, inputs);
}

/* ---- more of the same ---- */

/* The second input is a shape, counts or a size: whatever the kernel reads at run time. */
static void convert_by_ints(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1)};
    cnnfi_tfl_give_one(call, call->row->as, 2, inputs);
}

static void convert_fill(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in_int32(call, 0), cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_give_one(call, TFL_FILL, 2, inputs);
}

static void convert_range(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1), cnnfi_tfl_in(call, 2)};
    cnnfi_tfl_give_one(call, TFL_RANGE, 3, inputs);
}

/* ---- space, batch and depth ---- */

static void convert_space_batch(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1), cnnfi_tfl_in_int32(call, 2)};
    const cnnfi_value block = cnnfi_tfl_in_shape(call, 1), in = cnnfi_tfl_in_shape(call, 0);
    if (block.count != in.rank - 2 || in.rank > 4 || in.rank < 3)
        cnnfi_tfl_refuse(call, "other than one or two places");
    cnnfi_tfl_give_one(call, call->row->as, 3, inputs);
}

static void convert_depth(cnnfi_tfl_call *call)
{
    if (!cnnfi_export_channels_last(&call->asked)) cnnfi_tfl_refuse(call, "the channels come first");
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, call->row->as, 1, &x);
    cnnfi_tfl_set_int(node, BLOCK_SIZE, cnnf_node_attr_int(call->node, "block_size", 2));
}

#define FLOAT   CNNFI_TFL_OF_FLOAT
#define NUMBERS CNNFI_TFL_OF_NUMBERS
#define MOVED   CNNFI_TFL_OF_MOVED

/* clang-format off */
const cnnfi_tfl_row cnnfi_tfl_shape_rows[] = {
    {"Shape", convert_shape, TFL_SHAPE},
    {"ShapeN", convert_shape, TFL_SHAPE},
    {"Size", convert_size, TFL_REDUCE_PROD},
    {"Rank", convert_rank, TFL_RANK},
    {"Reshape", convert_reshape, TFL_RESHAPE},
    {"ExpandDims", convert_expand_dims, TFL_EXPAND_DIMS},
    {"Squeeze", convert_squeeze, TFL_SQUEEZE},
    {"Transpose", convert_transpose, TFL_TRANSPOSE, MOVED, .axes = 6},
    {"Tile", convert_by_ints, TFL_TILE, NUMBERS | CNNFI_TFL_OF_BOOL | CNNFI_TFL_OF_BYTE},
    {"BroadcastTo", convert_by_ints, TFL_BROADCAST_TO, MOVED},
    {"Fill", convert_fill, TFL_FILL, MOVED, .data = 1},
    {"Range", convert_range, TFL_RANGE, NUMBERS},
    {"SpaceToBatchND", convert_space_batch, TFL_SPACE_TO_BATCH_ND, NUMBERS | CNNFI_TFL_OF_BYTE},
    {"BatchToSpaceND", convert_space_batch, TFL_BATCH_TO_SPACE_ND, NUMBERS | CNNFI_TFL_OF_BYTE},
    {"SpaceToDepth", convert_depth, TFL_SPACE_TO_DEPTH, NUMBERS | CNNFI_TFL_OF_BYTE},
    {"DepthToSpace", convert_depth, TFL_DEPTH_TO_SPACE, NUMBERS | CNNFI_TFL_OF_BYTE},
    {NULL, NULL},
};
/* clang-format on */
