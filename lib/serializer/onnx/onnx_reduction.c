/* SPDX-License-Identifier: Apache-2.0 */
/* Ops along axes: reductions, places of extremes, running sums. */
#include <string.h>

#include "serializer/onnx/onnx_ops.h"

/* Which axes go, how, and what is left. */
typedef struct reduction {
    cnnfi_layout layout, out_layout;
    bool keep;
    size_t count;
    int64_t axes[CNNFI_OP_MAX_RANK]; /* in the layout */
} reduction;

/*
 * The result of a channels-first tensor, when axes go for good: TensorFlow's own order is there when the channels went
 * or no place is left, channels-first when the batch is; else the axes are put back first.
 */
static cnnfi_layout layout_left(int32_t rank, const bool *gone)
{
    int32_t places = 0;
    for (int32_t axis = 1; axis < rank - 1; axis++)
        places += !gone[axis];
    return gone[rank - 1] || places == 0 ? CNNFI_PLAIN : CNNFI_FIRST;
}

static bool read_axes(const cnnfi_onnx_call *call, int32_t rank, bool *gone)
{
    int64_t axes[CNNFI_OP_MAX_RANK];
    size_t count;
    if (!cnnfi_export_want_ints(&call->asked, 1, "the list of axes", axes, CNNFI_OP_MAX_RANK, &count)) return false;
    for (size_t i = 0; i < count; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank) {
            cnnfi_export_refuse(&call->asked, "the axes are not constant for a known number of axes");
            return false;
        }
        gone[axis] = true;
    }
    return true;
}

static bool reduction_begin(const cnnfi_onnx_call *call, reduction *r)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    bool gone[CNNFI_OP_MAX_RANK] = {false};
    *r = (reduction){.layout = cnnfi_onnx_layout_of(call, 0), .keep = cnnf_node_attr_bool(call->node, "keep_dims", 0)};
    if (!read_axes(call, rank, gone)) return false;
    r->out_layout = r->layout;
    if (r->layout == CNNFI_FIRST && !r->keep) r->out_layout = layout_left(rank, gone);
    if (r->out_layout == CNNFI_FIRST && !r->keep && gone[0]) r->layout = r->out_layout = CNNFI_PLAIN;
    for (int32_t axis = 0; axis < rank; axis++)
        if (gone[axis]) r->axes[r->count++] = cnnfi_onnx_axis(r->layout, axis, rank);
    return true;
}

const char *cnnfi_onnx_reduce(cnnfi_onnx_model *m, const char *op, const char *x, size_t count, const int64_t *axes,
                              bool keep, const char *out)
{
    const bool as_input = m->opset >= (strcmp(op, "ReduceSum") == 0 ? 13 : 18);
    const char *inputs[] = {x, as_input ? cnnfi_onnx_ints(m, count, axes) : NULL};
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(m, &node, op, out, as_input ? 2 : 1, inputs);
    if (!as_input) cnnfi_onnx_set_ints(m, node, "axes", count, axes);
    cnnfi_onnx_set_int(m, node, "keepdims", keep);
    return y;
}

/* The whole of what is left of the places is averaged, as pools of Keras do. */
static bool is_global_pool(const reduction *r, int32_t rank)
{
    if (r->layout != CNNFI_FIRST || !r->keep || (int32_t)r->count != rank - 2) return false;
    for (size_t i = 0; i < r->count; i++)
        if (r->axes[i] < 2) return false;
    return true;
}

static void convert_reduction(cnnfi_onnx_call *call)
{
    reduction r;
    if (!reduction_begin(call, &r)) return;
    const char *x = cnnfi_onnx_in(call, 0, r.layout);
    const char *out = cnnfi_onnx_out_name(call, 0, r.out_layout);
    if (r.count == 0) { /* the norm of one number is its size */
        const bool norm = strcmp(call->row->op, "EuclideanNorm") == 0;
        cnnfi_onnx_give(call, 0, r.layout, cnnfi_onnx_unary(call->m, norm ? "Abs" : "Identity", out, x));
        return;
    }
    const char *y = cnnfi_onnx_reduce(call->m, call->row->as, x, r.count, r.axes, r.keep, out);
    cnnfi_onnx_give(call, 0, r.out_layout, y);
}

/* GlobalAveragePool where it is one: what runtimes know best. */
static void convert_mean(cnnfi_onnx_call *call)
{
    reduction r;
    if (!reduction_begin(call, &r)) return;
    if (!is_global_pool(&r, cnnfi_export_in_shape(&call->asked, 0).rank)) {
        convert_reduction(call);
        return;
    }
    const char *out = cnnfi_onnx_out_name(call, 0, CNNFI_FIRST);
    cnnfi_onnx_give(call, 0, CNNFI_FIRST,
                    cnnfi_onnx_unary(call->m, "GlobalAveragePool", out, cnnfi_onnx_in(call, 0, CNNFI_FIRST)));
}

/* All and Any: the least or largest of zeros and ones. */
static void convert_logical(cnnfi_onnx_call *call)
{
    reduction r;
    if (!reduction_begin(call, &r)) return;
    const char *x = cnnfi_onnx_cast(call->m, cnnfi_onnx_in(call, 0, r.layout), CNNF_INT32, NULL);
    const char *y = r.count > 0 ? cnnfi_onnx_reduce(call->m, call->row->as, x, r.count, r.axes, r.keep, NULL) : x;
    const char *out = cnnfi_onnx_out_name(call, 0, r.out_layout);
    cnnfi_onnx_give(call, 0, r.out_layout, cnnfi_onnx_cast(call->m, y, CNNF_BOOL, out));
}

/* The axis that input 1 holds, as the layout has it; -1: refused. */
static int32_t one_axis(const cnnfi_onnx_call *call, cnnfi_layout layout)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    int32_t axis;
    return cnnfi_export_want_axis(&call->asked, 1, rank, &axis) ? cnnfi_onnx_axis(layout, axis, rank) : -1;
}

static void convert_arg(cnnfi_onnx_call *call)
{
    /* One axis goes: from channels-first the order is TensorFlow's again only for the channels. */
    const cnnfi_layout there = cnnfi_onnx_layout_of(call, 0);
    const cnnfi_layout layout = there == CNNFI_FIRST && one_axis(call, there) == 1 ? CNNFI_FIRST : CNNFI_PLAIN;
    const int32_t axis = one_axis(call, layout);
    const char *x = cnnfi_onnx_in(call, 0, layout);
    const cnnf_dtype dtype = cnnfi_export_out_shape(&call->asked, 0).dtype;
    const char *out = cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN);
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, call->row->as, dtype == CNNF_INT64 ? out : NULL, 1, &x);
    cnnfi_onnx_set_int(call->m, node, "axis", axis);
    cnnfi_onnx_set_int(call->m, node, "keepdims", 0);
    if (dtype != CNNF_INT64) y = cnnfi_onnx_cast(call->m, y, dtype, out);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

static void convert_cumsum(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    const int32_t axis = one_axis(call, layout);
    const char *inputs[] = {cnnfi_onnx_in(call, 0, layout), cnnfi_onnx_scalar(call->m, CNNF_INT64, axis)};
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, "CumSum", cnnfi_onnx_out_name(call, 0, layout), 2, inputs);
    cnnfi_onnx_set_int(call->m, node, "exclusive", cnnf_node_attr_bool(call->node, "exclusive", 0));
    cnnfi_onnx_set_int(call->m, node, "reverse", cnnf_node_attr_bool(call->node, "reverse", 0));
    cnnfi_onnx_give(call, 0, layout, y);
}

/* Along the last axis; indices are int64 in ONNX. */
static void convert_top_k(cnnfi_onnx_call *call)
{
    int64_t k;
    size_t count;
    const cnnf_dtype index = call->n_inputs > 1 ? cnnfi_export_out_shape(&call->asked, 1).dtype : CNNF_INT32;
    if (call->n_inputs > 1 && !cnnfi_export_want_ints(&call->asked, 1, "k", &k, 1, &count)) return;
    if (call->n_inputs < 2) k = cnnf_node_attr_int(call->node, "k", 1);
    const char *outputs[] = {cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), cnnfi_onnx_part(call->m, "indices")};
    const char *inputs[] = {cnnfi_onnx_in(call, 0, CNNFI_PLAIN), cnnfi_onnx_int(call->m, k)};
    cnnfi_onnx_add_many(call->m, "TopK", 2, outputs, 2, inputs);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, outputs[0]);
    if (call->m->x.n_read[call->node->index] > 1) {
        const char *out = cnnfi_onnx_out_name(call, 1, CNNFI_PLAIN);
        cnnfi_onnx_give(call, 1, CNNFI_PLAIN, cnnfi_onnx_cast(call->m, outputs[1], index ? index : CNNF_INT32, out));
    }
}

static void convert_l2_loss(cnnfi_onnx_call *call)
{
    const cnnf_dtype dtype = cnnfi_export_in_shape(&call->asked, 0).dtype;
    const char *x = cnnfi_onnx_in(call, 0, cnnfi_onnx_layout_of(call, 0));
    cnnfi_onnx_node *node;
    const char *sum = cnnfi_onnx_add(call->m, &node, "ReduceSumSquare", NULL, 1, &x);
    cnnfi_onnx_set_int(call->m, node, "keepdims", 0);
    const char *half = cnnfi_onnx_binary(call->m, "Mul", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), sum,
                                         cnnfi_onnx_scalar(call->m, dtype, 0.5));
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, half);
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_reduction_rows[] = {
    {"Mean", convert_mean, "ReduceMean", .dtypes = CNNFI_ONNX_WIDE},
    {"Sum", convert_reduction, "ReduceSum", .dtypes = CNNFI_ONNX_WIDE},
    {"Prod", convert_reduction, "ReduceProd", .dtypes = CNNFI_ONNX_WIDE},
    {"Max", convert_reduction, "ReduceMax", .dtypes = CNNFI_ONNX_NUMBERS},
    {"Min", convert_reduction, "ReduceMin", .dtypes = CNNFI_ONNX_NUMBERS},
    {"EuclideanNorm", convert_reduction, "ReduceL2", .dtypes = CNNFI_ONNX_WIDE},
    {"All", convert_logical, "ReduceMin"},
    {"Any", convert_logical, "ReduceMax"},
    {"ArgMax", convert_arg, "ArgMax", .dtypes = CNNFI_ONNX_NUMBERS},
    {"ArgMin", convert_arg, "ArgMin", .dtypes = CNNFI_ONNX_NUMBERS},
    {"Cumsum", convert_cumsum, .dtypes = CNNFI_ONNX_WIDE},
    {"TopK", convert_top_k},
    {"TopKV2", convert_top_k},
    {"L2Loss", convert_l2_loss, .dtypes = CNNFI_ONNX_WIDE},
    {NULL, NULL},
};
/* clang-format on */
