/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes and axes: what moves no element, or all of them. */
#include "serializer/onnx/onnx_ops.h"

/* The input in TensorFlow's order of elements, whichever layout has it. */
static const char *in_order(const cnnfi_onnx_call *call)
{
    const cnnfi_value shape = cnnfi_export_in_shape(&call->asked, 0);
    const bool as_it_is = cnnfi_onnx_layout_of(call, 0) == CNNFI_FIRST && cnnfi_onnx_moves_nothing(&shape);
    return cnnfi_onnx_in(call, 0, as_it_is ? CNNFI_FIRST : CNNFI_PLAIN);
}

/* ---- what a shape is ---- */

/* An int64 result given in the dtype that TensorFlow has. */
static void give_ints(const cnnfi_onnx_call *call, int32_t port, const char *x)
{
    const cnnf_dtype dtype = cnnfi_export_out_shape(&call->asked, port).dtype;
    if (dtype != CNNF_INT64) x = cnnfi_onnx_cast(call->m, x, dtype, cnnfi_onnx_out_name(call, port, CNNFI_PLAIN));
    cnnfi_onnx_give(call, port, CNNFI_PLAIN, x);
}

static const char *shape_of(const cnnfi_onnx_call *call, int32_t input)
{
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, input);
    const int32_t rank = cnnfi_export_in_shape(&call->asked, input).rank;
    const char *shape = cnnfi_onnx_unary(call->m, "Shape", NULL, cnnfi_onnx_in(call, input, layout));
    if (layout == CNNFI_PLAIN || rank < 3) return shape;
    int64_t places[CNNFI_OP_MAX_RANK];
    for (int32_t axis = 0; axis < rank; axis++)
        places[axis] = cnnfi_onnx_axis(layout, axis, rank);
    return cnnfi_onnx_binary(call->m, "Gather", NULL, shape, cnnfi_onnx_ints(call->m, (size_t)rank, places));
}

static void convert_shape(cnnfi_onnx_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++)
        if (i < call->m->x.n_read[call->node->index]) give_ints(call, i, shape_of(call, i));
}

static void convert_size(cnnfi_onnx_call *call)
{
    give_ints(call, 0, cnnfi_onnx_unary(call->m, "Size", NULL, cnnfi_onnx_in(call, 0, cnnfi_onnx_layout_of(call, 0))));
}

/* ---- other shapes of the same elements ---- */

/* The result's dims, at most one of them open: then a constant says it. */
static bool said_by_constant(const cnnfi_value *out, int64_t *dims)
{
    int32_t open = 0;
    bool empty = false;
    for (int32_t i = 0; i < out->rank; i++) {
        dims[i] = out->dims[i];
        open += dims[i] < 0;
        empty |= dims[i] == 0;
    }
    return out->rank >= 0 && open <= 1 && !empty;
}

static void convert_reshape(cnnfi_onnx_call *call)
{
    const cnnfi_value out = cnnfi_export_out_shape(&call->asked, 0);
    int64_t dims[CNNFI_OP_MAX_RANK];
    const char *name = cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), *x = in_order(call), *y;
    if (said_by_constant(&out, dims)) {
        y = cnnfi_onnx_reshape(call->m, x, (size_t)out.rank, dims, name);
    } else {
        y = cnnfi_onnx_binary(call->m, "Reshape", name, x, cnnfi_onnx_in_int64(call, 1));
    }
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

/* A place's axis comes or goes in both layouts; else the axes are TensorFlow's. */
static void change_axes(cnnfi_onnx_call *call, const char *op, size_t count, const int32_t *axes, int32_t rank)
{
    int64_t mapped[CNNFI_OP_MAX_RANK];
    cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    for (size_t i = 0; i < count; i++)
        if (axes[i] == 0 || axes[i] >= rank - 1) layout = CNNFI_PLAIN;
    if (rank < 4) layout = CNNFI_PLAIN;
    for (size_t i = 0; i < count; i++)
        mapped[i] = cnnfi_onnx_axis(layout, axes[i], rank);
    const char *y = cnnfi_onnx_binary(call->m, op, cnnfi_onnx_out_name(call, 0, layout), cnnfi_onnx_in(call, 0, layout),
                                      cnnfi_onnx_ints(call->m, count, mapped));
    cnnfi_onnx_give(call, 0, layout, y);
}

static void convert_expand_dims(cnnfi_onnx_call *call)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank + 1;
    int32_t axis;
    if (!cnnfi_export_want_axis(&call->asked, 1, rank > 0 && rank <= CNNFI_OP_MAX_RANK ? rank : -1, &axis)) return;
    change_axes(call, "Unsqueeze", 1, &axis, rank);
}

/* [N, 1, 1, C] to [N, C]: the channels-first tensor has the same elements in the same order. */
static bool squeeze_as_reshape(cnnfi_onnx_call *call)
{
    const cnnfi_value out = cnnfi_export_out_shape(&call->asked, 0), in = cnnfi_export_in_shape(&call->asked, 0);
    int64_t dims[CNNFI_OP_MAX_RANK];
    if (cnnfi_onnx_layout_of(call, 0) != CNNFI_FIRST || out.rank != 2 || !cnnfi_onnx_moves_nothing(&in)) return false;
    if (!said_by_constant(&out, dims)) return false;
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN,
                    cnnfi_onnx_reshape(call->m, in_order(call), 2, dims, cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN)));
    return true;
}

static void convert_squeeze(cnnfi_onnx_call *call)
{
    const cnnfi_attr *attr = cnnfi_node_attr(call->node, "squeeze_dims");
    const cnnfi_value in = cnnfi_export_in_shape(&call->asked, 0);
    int32_t axes[CNNFI_OP_MAX_RANK];
    size_t count = 0;
    if (in.rank < 0) {
        cnnfi_export_refuse(&call->asked, "the number of axes of its input is not known");
        return;
    }
    const bool listed = attr != NULL && attr->kind == CNNF_ATTR_LIST && attr->u.list.count > 0;
    for (size_t i = 0; listed && i < attr->u.list.count && i < CNNFI_OP_MAX_RANK; i++) {
        const int64_t axis = attr->u.list.u.ints[i];
        axes[count++] = (int32_t)(axis < 0 ? axis + in.rank : axis);
    }
    for (int32_t axis = 0; !listed && axis < in.rank; axis++)
        if (in.dims[axis] == 1) axes[count++] = axis;
    if (count == 0)
        cnnfi_onnx_give_input(call, 0, 0);
    else if (!squeeze_as_reshape(call))
        change_axes(call, "Squeeze", count, axes, in.rank);
}

/* ---- axes in another order ---- */

/* Whether a perm moves the channels from the end to the front (to FIRST) or back. */
static bool is_layout_change(cnnfi_layout to, int32_t rank, const int64_t *perm)
{
    bool same = rank >= 3;
    for (int32_t axis = 0; same && axis < rank; axis++) {
        const int32_t first = cnnfi_onnx_axis(CNNFI_FIRST, axis, rank);
        same = to == CNNFI_FIRST ? perm[first] == axis : perm[axis] == first;
    }
    return same;
}

static void convert_transpose(cnnfi_onnx_call *call)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    int64_t perm[CNNFI_OP_MAX_RANK];
    size_t count;
    if (!cnnfi_export_want_ints(&call->asked, 1, "the permutation", perm, CNNFI_OP_MAX_RANK, &count)) return;
    if (rank >= 0 && (size_t)rank != count) {
        cnnfi_export_refuse(&call->asked, "the permutation does not fit its input");
        return;
    }
    if (is_layout_change(CNNFI_FIRST, (int32_t)count, perm) && cnnfi_onnx_layout_of(call, 0) == CNNFI_FIRST) {
        cnnfi_onnx_give(call, 0, CNNFI_PLAIN, cnnfi_onnx_in(call, 0, CNNFI_FIRST));
        return;
    }
    if (is_layout_change(CNNFI_PLAIN, (int32_t)count, perm)) {
        cnnfi_onnx_give(call, 0, CNNFI_FIRST, cnnfi_onnx_in(call, 0, CNNFI_PLAIN));
        return;
    }
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    for (size_t i = 0; i < count; i++)
        perm[i] = cnnfi_onnx_axis(layout, (int32_t)perm[i], (int32_t)count);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN,
                    cnnfi_onnx_transpose(call->m, cnnfi_onnx_in(call, 0, layout), (int32_t)count, perm,
                                         cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN)));
}

/* ---- larger shapes ---- */

/* `as`(input 0, input 1 as int64). */
static void convert_by_ints(cnnfi_onnx_call *call)
{
    const char *y = cnnfi_onnx_binary(call->m, call->row->as, cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN),
                                      cnnfi_onnx_in(call, 0, CNNFI_PLAIN), cnnfi_onnx_in_int64(call, 1));
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

static void convert_fill(cnnfi_onnx_call *call)
{
    const char *y = cnnfi_onnx_binary(call->m, "Expand", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN),
                                      cnnfi_onnx_in(call, 1, CNNFI_PLAIN), cnnfi_onnx_in_int64(call, 0));
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

static void convert_range(cnnfi_onnx_call *call)
{
    const char *inputs[] = {cnnfi_onnx_in(call, 0, CNNFI_PLAIN), cnnfi_onnx_in(call, 1, CNNFI_PLAIN),
                            cnnfi_onnx_in(call, 2, CNNFI_PLAIN)};
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN,
                    cnnfi_onnx_add(call->m, NULL, "Range", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), 3, inputs));
}

static void convert_rank(cnnfi_onnx_call *call)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    if (rank < 0)
        cnnfi_export_refuse(&call->asked, "the number of axes of its input is not known");
    else
        cnnfi_onnx_give(call, 0, CNNFI_PLAIN, cnnfi_onnx_scalar(call->m, CNNF_INT32, rank));
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_shape_rows[] = {
    {"Shape", convert_shape},
    {"ShapeN", convert_shape},
    {"Size", convert_size},
    {"Rank", convert_rank},
    {"Reshape", convert_reshape},
    {"ExpandDims", convert_expand_dims},
    {"Squeeze", convert_squeeze},
    {"Transpose", convert_transpose},
    {"Tile", convert_by_ints, "Tile"},
    {"BroadcastTo", convert_by_ints, "Expand"},
    {"Fill", convert_fill},
    {"Range", convert_range},
    {NULL, NULL},
};
/* clang-format on */
