/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/merge.py, and legacy/layers.py's Merge. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* ---- inputs ---- */

/* Inputs of lower rank get dimensions of 1 behind the batch (_Merge.call). */
static const cnnfi_keras_tensor *aligned(cnnfi_layer_call *call)
{
    int32_t rank = 0;
    for (size_t i = 0; i < call->n_inputs; i++)
        rank = call->inputs[i].rank > rank ? call->inputs[i].rank : rank;
    cnnfi_keras_tensor *inputs = cnnfi_builder_array(call->b->graph, call->n_inputs, sizeof *inputs);
    for (size_t i = 0; inputs && i < call->n_inputs; i++) {
        inputs[i] = call->inputs[i];
        while (inputs[i].rank < rank && cnnfi_build_ok(call->b))
            inputs[i] = cnnfi_build_expand_dims(call->b, "ExpandDims", inputs[i], 1);
    }
    return inputs;
}

static bool fits(const cnnfi_keras_tensor *x, const cnnfi_keras_tensor *y, int32_t except)
{
    int32_t rank = x->rank < y->rank ? x->rank : y->rank;
    for (int32_t i = 1; i <= rank; i++) {
        int64_t p = x->dims[x->rank - i], q = y->dims[y->rank - i];
        if (x->rank - i != except && p >= 0 && q >= 0 && p != q && ((p != 1 && q != 1) || except >= 0)) return false;
    }
    return true;
}

/* Every input is a tensor and of a shape that goes with the first one's, in all dimensions but `except`. */
static bool check(cnnfi_layer_call *call, int32_t except)
{
    for (size_t i = 0; i < call->n_inputs && cnnfi_build_ok(call->b); i++) {
        const cnnfi_keras_tensor *first = &call->inputs[0], *x = &call->inputs[i];
        char a[128], c[128];
        if (!x->name) {
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "input %zu is a constant", i);
        } else if (!fits(first, x, except) || (except >= 0 && x->rank != first->rank)) {
            cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its inputs are %s and %s",
                             cnnfi_shape_print(a, sizeof a, first->rank, first->dims),
                             cnnfi_shape_print(c, sizeof c, x->rank, x->dims));
        }
    }
    return cnnfi_build_ok(call->b);
}

/* ---- masks ---- */

/* K.all(K.concatenate(masks, axis), axis=over); tf.concat() of one tensor is tf.identity() */
static cnnfi_keras_tensor all_of(cnnfi_keras_builder *b, size_t n, const cnnfi_keras_tensor *masks, int32_t axis,
                                 int32_t over)
{
    cnnfi_keras_tensor joined;
    if (n > 1) {
        joined = cnnfi_build_concat(b, "concat", n, masks, axis);
    } else {
        const char *saved = cnnfi_build_push(b, "concat");
        cnnfi_build_reserve(b, "concat_dim");
        joined = cnnfi_build_unary(b, "Identity", "", masks[0]);
        cnnfi_build_pop(b, saved);
    }
    return cnnfi_build_reduce_axis(b, "All", "All", joined, over, false);
}

/* LogicalOr and kin have no attribute T. */
static cnnfi_keras_tensor logical(cnnfi_keras_builder *b, const char *op, size_t n, const cnnfi_keras_tensor *inputs)
{
    cnnfi_keras_tensor out, shape = n > 1 ? cnnfi_keras_tensor_broadcast(inputs[0], inputs[1]) : inputs[0];
    (void)cnnfi_build_node(b, &out, op, op, n, inputs);
    return cnnfi_keras_tensor_shaped(out, shape.rank, shape.dims);
}

/* _Merge.compute_mask() of Keras 2: steps that every mask there is lets through. */
static cnnfi_keras_tensor common(cnnfi_layer_call *call, cnnfi_keras_tensor y)
{
    cnnfi_keras_tensor *masks = cnnfi_builder_array(call->b->graph, call->n_inputs, sizeof *masks);
    size_t n = 0;
    for (size_t i = 0; masks && i < call->n_inputs; i++)
        if (call->inputs[i].mask) masks[n++] = cnnfi_build_expand_dims(call->b, "ExpandDims", *call->inputs[i].mask, 0);
    return n ? cnnfi_build_masked(call->b, y, all_of(call->b, n, masks, 0, 0)) : y;
}

/* Keras 3: steps that any mask lets through, where all inputs have one. */
static cnnfi_keras_tensor any_of_all(cnnfi_layer_call *call, cnnfi_keras_tensor y)
{
    const cnnfi_keras_tensor *first = call->inputs[0].mask;
    for (size_t i = 0; i < call->n_inputs; i++)
        if (!call->inputs[i].mask) return y;
    cnnfi_keras_tensor mask = *first;
    for (size_t i = 1; i < call->n_inputs; i++)
        mask = logical(call->b, "LogicalOr", 2, (const cnnfi_keras_tensor[]){mask, *call->inputs[i].mask});
    return cnnfi_build_masked(call->b, y, mask);
}

static bool any_masked(const cnnfi_layer_call *call)
{
    for (size_t i = 0; i < call->n_inputs; i++)
        if (call->inputs[i].mask) return true;
    return false;
}

static void give(cnnfi_layer_call *call, cnnfi_keras_tensor y)
{
    y.mask = NULL;
    if (any_masked(call) && cnnfi_build_ok(call->b)) y = call->b->keras3 ? any_of_all(call, y) : common(call, y);
    cnnfi_layer_return(call, y);
}

/* A bool tensor of x's shape (ones_like(x, "bool")) */
static cnnfi_keras_tensor all_true(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor y, shape[2];
    const char *saved = cnnfi_build_push(b, "ones_like");
    shape[0] = cnnfi_build_shape_of(b, "Shape", x);
    shape[1] = cnnfi_build_scalar(b, "Const", CNNF_BOOL, 1);
    cnnf_node *node = cnnfi_build_node(b, &y, "Fill", "", 2, shape);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_BOOL);
    cnnfi_node_set_type(b->graph, node, "index_type", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    y.dtype = CNNF_BOOL;
    return cnnfi_keras_tensor_shaped(y, x.rank, x.dims);
}

/* Keras 3 spreads a mask over the features. */
static cnnfi_keras_tensor spread(cnnfi_keras_builder *b, cnnfi_keras_tensor mask, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor every = all_true(b, x), none = logical(b, "LogicalNot", 1, &every);
    return logical(b, "LogicalOr", 2, (const cnnfi_keras_tensor[]){mask, none});
}

/* Concatenate.compute_mask() */
static cnnfi_keras_tensor joined_mask(cnnfi_layer_call *call, cnnfi_keras_tensor y, int32_t axis)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor *masks = cnnfi_builder_array(b->graph, call->n_inputs, sizeof *masks);
    for (size_t i = 0; masks && i < call->n_inputs; i++) {
        cnnfi_keras_tensor x = call->inputs[i];
        masks[i] = x.mask ? *x.mask : all_true(b, x);
        if (masks[i].rank >= x.rank) continue;
        masks[i] = cnnfi_build_expand_dims(b, "ExpandDims", masks[i], -1);
        if (b->keras3) masks[i] = spread(b, masks[i], x);
    }
    if (!masks || !cnnfi_build_ok(b)) return y;
    for (size_t i = 1; i < call->n_inputs; i++) {
        if (fits(&masks[0], &masks[i], axis) && masks[0].rank == masks[i].rank) continue;
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "the masks of its inputs cannot be joined, in Keras either");
        return y;
    }
    if (!b->keras3) return cnnfi_build_masked(b, y, all_of(b, call->n_inputs, masks, axis, -1));
    cnnfi_keras_tensor joined = cnnfi_build_concat(b, "concat", call->n_inputs, masks, axis);
    return cnnfi_build_masked(b, y, cnnfi_build_reduce_axis(b, "Any", "Any", joined, -1, false));
}

/* ---- elementwise ---- */

static cnnfi_keras_tensor fold(cnnfi_layer_call *call, const char *op, const char *name)
{
    const cnnfi_keras_tensor *inputs = check(call, -1) ? aligned(call) : NULL;
    cnnfi_keras_tensor y = call->inputs[0];
    for (size_t i = 0; inputs && i < call->n_inputs; i++)
        y = i ? cnnfi_build_binary(call->b, op, name, y, inputs[i]) : inputs[0];
    return y;
}

static void add(cnnfi_layer_call *call)
{
    give(call, fold(call, "AddV2", "add"));
}

static void subtract(cnnfi_layer_call *call)
{
    give(call, fold(call, "Sub", "sub"));
}

/* ---- Keras 3's merges that look at masks themselves ---- */

static cnnfi_keras_tensor where_mask(cnnfi_keras_builder *b, cnnfi_keras_tensor mask, cnnfi_keras_tensor x,
                                     cnnfi_keras_tensor y)
{
    cnnfi_keras_tensor out = cnnfi_build_where(b, cnnfi_build_expand_dims(b, "ExpandDims", mask, -1), x, y);
    return cnnfi_keras_tensor_shaped(out, x.rank, x.dims);
}

static cnnfi_keras_tensor either(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor y)
{
    return logical(b, "LogicalOr", 2, (const cnnfi_keras_tensor[]){x, y});
}

/* Masked steps count as ones, and where all are masked the product is zero. */
static void multiply_masked(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    const cnnfi_keras_tensor *inputs = check(call, -1) ? aligned(call) : NULL;
    cnnfi_keras_tensor y = call->inputs[0], mask = y;
    size_t masked = 0;
    for (size_t i = 0; inputs && i < call->n_inputs; i++) {
        cnnfi_keras_tensor x = inputs[i];
        if (x.mask) {
            mask = masked++ ? either(b, mask, *x.mask) : *x.mask;
            x = where_mask(b, *x.mask, x, cnnfi_build_scalar(b, "Const", x.dtype, 1));
        }
        y = i ? cnnfi_build_binary(b, "Mul", "mul", y, x) : x;
    }
    if (inputs && masked == call->n_inputs)
        y = cnnfi_build_masked(b, where_mask(b, mask, y, cnnfi_build_scalar(b, "Const", y.dtype, 0)), mask);
    cnnfi_layer_return(call, y);
}

/* A masked step takes the other input's value. */
static void extreme_masked(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    const cnnfi_keras_tensor *inputs = check(call, -1) ? aligned(call) : NULL;
    cnnfi_keras_tensor y = call->inputs[0];
    const cnnfi_keras_tensor *mask = y.mask;
    for (size_t i = 0; inputs && i < call->n_inputs; i++) {
        cnnfi_keras_tensor x = inputs[i];
        if (i == 0) {
            y = x;
            continue;
        }
        cnnfi_keras_tensor left = y, right = x.mask ? where_mask(b, *x.mask, x, y) : x;
        if (mask) left = where_mask(b, *mask, y, right);
        y = cnnfi_build_binary(b, op, op, left, right);
        if (mask && x.mask)
            mask = cnnfi_build_masked(b, y, either(b, *mask, *x.mask)).mask;
        else
            mask = NULL;
    }
    y.mask = mask;
    cnnfi_layer_return(call, y);
}

static void multiply(cnnfi_layer_call *call)
{
    if (call->b->keras3 && any_masked(call))
        multiply_masked(call);
    else
        give(call, fold(call, "Mul", "mul"));
}

static void extreme(cnnfi_layer_call *call, const char *op)
{
    if (call->b->keras3 && any_masked(call))
        extreme_masked(call, op);
    else
        give(call, fold(call, op, op));
}

static void maximum(cnnfi_layer_call *call)
{
    extreme(call, "Maximum");
}

static void minimum(cnnfi_layer_call *call)
{
    extreme(call, "Minimum");
}

static void average(cnnfi_layer_call *call)
{
    cnnfi_keras_tensor sum = fold(call, "AddV2", "add");
    give(call, cnnfi_build_binary_const(call->b, "RealDiv", "truediv", sum, (double)call->n_inputs));
}

/* ---- Concatenate ---- */

static void concat_along(cnnfi_layer_call *call, int64_t written)
{
    int32_t axis = cnnfi_layer_axis(call, written, call->inputs[0].rank);
    if (!check(call, axis)) return;
    cnnfi_keras_tensor y = cnnfi_build_concat(call->b, "concat", call->n_inputs, call->inputs, axis);
    cnnfi_layer_return(call, any_masked(call) ? joined_mask(call, y, axis) : y);
}

static void concatenate(cnnfi_layer_call *call)
{
    concat_along(call, cnnfi_layer_int(call, "axis", -1));
}

/* tf.concat() of one tensor is tf.identity() */
static void concatenate_tf(cnnfi_layer_call *call)
{
    if (call->n_inputs > 1) {
        concatenate(call);
        return;
    }
    const char *saved = cnnfi_build_push(call->b, "concat");
    cnnfi_build_reserve(call->b, "concat_dim");
    cnnfi_layer_return(call, cnnfi_build_unary(call->b, "Identity", "", call->inputs[0]));
    cnnfi_build_pop(call->b, saved);
}

/* ---- Dot ---- */

cnnfi_keras_tensor cnnfi_build_l2_normalize(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t axis, double epsilon)
{
    const char *saved = cnnfi_build_push(b, "l2_normalize");
    cnnfi_keras_tensor sum =
        cnnfi_build_reduce_axis(b, "Sum", "Sum", cnnfi_build_unary(b, "Square", "Square", x), axis, true);
    cnnfi_keras_tensor top = cnnfi_build_binary_const(b, "Maximum", "Maximum", sum, epsilon);
    cnnfi_keras_tensor y = cnnfi_build_binary(b, "Mul", "", x, cnnfi_build_unary(b, "Rsqrt", "Rsqrt", top));
    cnnfi_build_pop(b, saved);
    return y;
}

cnnfi_keras_tensor cnnfi_build_batch_matmul(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor y,
                                            bool adj_x, bool adj_y)
{
    cnnfi_keras_tensor out, inputs[2] = {x, y};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "BatchMatMulV2", "MatMul", 2, inputs);
    cnnfi_node_set_bool(b->graph, node, "adj_x", adj_x);
    cnnfi_node_set_bool(b->graph, node, "adj_y", adj_y);
    out.dims[x.rank - 2] = x.dims[x.rank - 1 - !adj_x];
    out.dims[x.rank - 1] = y.dims[y.rank - 1 - adj_y];
    return out;
}

/* [batch, n] or [batch, m, n] with the summed dimension last, as [batch, m, n] */
static cnnfi_keras_tensor dot_left(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t axis)
{
    if (x.rank == 2) return cnnfi_build_expand_dims(b, "ExpandDims", x, 1);
    return axis == 2 ? x : cnnfi_build_transpose(b, "transpose", x, (const int32_t[]){0, 2, 1});
}

static cnnfi_keras_tensor dot_right(cnnfi_keras_builder *b, cnnfi_keras_tensor y, int32_t axis)
{
    if (y.rank == 2) return cnnfi_build_expand_dims(b, "ExpandDims", y, 2);
    return axis == 1 ? y : cnnfi_build_transpose(b, "transpose", y, (const int32_t[]){0, 2, 1});
}

/* K.batch_dot() */
static void batch_dot(cnnfi_layer_call *call, const int32_t axes[2], bool normalize)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], y = call->inputs[1];
    int32_t rank_x = x.rank, rank_y = y.rank;
    if (!x.name || !y.name || rank_y < 2 || rank_y > 3 || axes[0] == 0 || axes[1] == 0 ||
        (x.dims[axes[0]] != y.dims[axes[1]] && x.dims[axes[0]] >= 0 && y.dims[axes[1]] >= 0)) {
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its inputs cannot be multiplied along axes %d and %d", axes[0],
                         axes[1]);
        return;
    }
    if (normalize) x = cnnfi_build_l2_normalize(b, x, axes[0], 1e-12);
    if (normalize) y = cnnfi_build_l2_normalize(b, y, axes[1], 1e-12);
    /* both are made three-dimensional before either is turned */
    if (rank_x == 2) x = dot_left(b, x, 1);
    if (rank_y == 2) y = dot_right(b, y, 1);
    if (rank_x == 3) x = dot_left(b, x, axes[0]);
    if (rank_y == 3) y = dot_right(b, y, axes[1]);
    cnnfi_keras_tensor out = cnnfi_build_batch_matmul(b, x, y, false, false);
    cnnfi_build_reserve(b, "Shape");
    if (rank_x == 2)
        out = cnnfi_build_squeeze(b, "Squeeze", out, 1);
    else if (rank_y == 2)
        out = cnnfi_build_squeeze(b, "Squeeze", out, -1);
    cnnfi_layer_return(call, out);
}

static void dot_axes(cnnfi_layer_call *call, const char *key, int32_t axes[2])
{
    const cnnfi_json *value = cnnfi_json_get(call->config, key);
    for (size_t i = 0; i < 2; i++) {
        const cnnfi_json *axis = cnnfi_json_is_array(value) ? cnnfi_json_at(value, i) : value;
        axes[i] = cnnfi_layer_axis(call, cnnfi_json_int(axis, -1), call->inputs[i].rank);
    }
}

static void dot(cnnfi_layer_call *call)
{
    int32_t axes[2];
    dot_axes(call, "axes", axes);
    if (cnnfi_build_ok(call->b)) batch_dot(call, axes, cnnfi_layer_bool(call, "normalize", false));
}

/* ---- Keras 1's Merge ---- */

static void merge_ave(cnnfi_layer_call *call)
{
    cnnfi_keras_tensor sum = fold(call, "AddV2", "add");
    cnnfi_layer_return(call, cnnfi_build_binary_const(call->b, "Mul", "mul", sum, 1.0 / (double)call->n_inputs));
}

static void merge_concat(cnnfi_layer_call *call)
{
    concat_along(call, cnnfi_layer_int(call, "concat_axis", -1));
}

static void merge_dot(cnnfi_layer_call *call, bool normalize)
{
    int32_t axes[2];
    if (call->n_inputs != 2 || call->inputs[0].rank > 3) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "modes 'dot' and 'cos' take two inputs of 2 or 3 dimensions");
        return;
    }
    dot_axes(call, "dot_axes", axes);
    if (cnnfi_build_ok(call->b)) batch_dot(call, axes, normalize);
}

static void merge_dot_plain(cnnfi_layer_call *call)
{
    merge_dot(call, false);
}

static void merge_cos(cnnfi_layer_call *call)
{
    merge_dot(call, true);
}

static void merge(cnnfi_layer_call *call)
{
    static const struct {
        const char *mode;
        void (*call)(cnnfi_layer_call *call);
    } modes[] = {{"sum", add},      {"mul", multiply},        {"ave", merge_ave},
                 {"max", maximum},  {"concat", merge_concat}, {"dot", merge_dot_plain},
                 {"cos", merge_cos}};
    const char *mode = cnnfi_layer_string(call, "mode", "sum");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].mode, mode) == 0) {
            modes[i].call(call);
            return;
        }
    }
    cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "mode '%s' is Python code or unknown", mode);
}

#define MERGE(class, call)                                                                                             \
    {                                                                                                                  \
        class, "", "", CNNFI_KERAS_VERIFIED, 1, 8, 1, 65536, NULL, call, NULL                                          \
    }

static const cnnfi_keras_row rows[] = {
    MERGE("Add", add),
    MERGE("Average", average),
    {"Concatenate", "axis", "", CNNFI_KERAS_VERIFIED, 1, 8, 1, 65536, NULL, concatenate, concatenate_tf},
    {"Dot", "axes normalize", "", CNNFI_KERAS_VERIFIED, 2, 3, 2, 2, NULL, dot, NULL},
    MERGE("Maximum", maximum),
    {"Merge", "mode concat_axis dot_axes", "", "", 1, 8, 2, 65536, NULL, merge, NULL},
    MERGE("Minimum", minimum),
    MERGE("Multiply", multiply),
    {"Subtract", "", "", CNNFI_KERAS_VERIFIED, 1, 8, 2, 2, NULL, subtract, NULL},
};

const cnnfi_keras_family cnnfi_keras_merging = {"Merging", rows, sizeof rows / sizeof rows[0]};
