/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/merge.py, and legacy/layers.py's Merge. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* ---- inputs ---- */

/* Inputs of lower rank get dimensions of 1 behind the batch (_Merge.call). */
static const cnnfi_kt *aligned(cnnfi_kc *kc)
{
    int32_t rank = 0;
    for (size_t i = 0; i < kc->n_inputs; i++)
        rank = kc->inputs[i].rank > rank ? kc->inputs[i].rank : rank;
    cnnfi_kt *inputs = cnnfi_builder_array(kc->b->graph, kc->n_inputs, sizeof *inputs);
    for (size_t i = 0; inputs && i < kc->n_inputs; i++) {
        inputs[i] = kc->inputs[i];
        while (inputs[i].rank < rank && cnnfi_kb_ok(kc->b))
            inputs[i] = cnnfi_kb_expand_dims(kc->b, "ExpandDims", inputs[i], 1);
    }
    return inputs;
}

static bool fits(const cnnfi_kt *x, const cnnfi_kt *y, int32_t except)
{
    int32_t rank = x->rank < y->rank ? x->rank : y->rank;
    for (int32_t i = 1; i <= rank; i++) {
        int64_t p = x->dims[x->rank - i], q = y->dims[y->rank - i];
        if (x->rank - i != except && p >= 0 && q >= 0 && p != q && ((p != 1 && q != 1) || except >= 0)) return false;
    }
    return true;
}

/* Every input is a tensor and of a shape that goes with the first one's, in all dimensions but `except`. */
static bool check(cnnfi_kc *kc, int32_t except)
{
    for (size_t i = 0; i < kc->n_inputs && cnnfi_kb_ok(kc->b); i++) {
        const cnnfi_kt *first = &kc->inputs[0], *x = &kc->inputs[i];
        char a[128], c[128];
        if (!x->name) {
            cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "input %zu is a constant", i);
        } else if (!fits(first, x, except) || (except >= 0 && x->rank != first->rank)) {
            cnnfi_kc_fail(kc, CNNF_E_MISMATCH, "its inputs are %s and %s",
                          cnnfi_shape_print(a, sizeof a, first->rank, first->dims),
                          cnnfi_shape_print(c, sizeof c, x->rank, x->dims));
        }
    }
    return cnnfi_kb_ok(kc->b);
}

/* ---- masks ---- */

/* K.all(K.concatenate(masks, axis), axis=over); tf.concat() of one tensor is tf.identity() */
static cnnfi_kt all_of(cnnfi_kb *b, size_t n, const cnnfi_kt *masks, int32_t axis, int32_t over)
{
    cnnfi_kt joined;
    if (n > 1) {
        joined = cnnfi_kb_concat(b, "concat", n, masks, axis);
    } else {
        const char *saved = cnnfi_kb_push(b, "concat");
        cnnfi_kb_reserve(b, "concat_dim");
        joined = cnnfi_kb_unary(b, "Identity", "", masks[0]);
        cnnfi_kb_pop(b, saved);
    }
    return cnnfi_kb_reduce_axis(b, "All", "All", joined, over, false);
}

/* LogicalOr and kin have no attribute T. */
static cnnfi_kt logical(cnnfi_kb *b, const char *op, size_t n, const cnnfi_kt *inputs)
{
    cnnfi_kt out, shape = n > 1 ? cnnfi_kt_broadcast(inputs[0], inputs[1]) : inputs[0];
    (void)cnnfi_kb_node(b, &out, op, op, n, inputs);
    return cnnfi_kt_shaped(out, shape.rank, shape.dims);
}

/* _Merge.compute_mask() of Keras 2: steps that every mask there is lets through. */
static cnnfi_kt common(cnnfi_kc *kc, cnnfi_kt y)
{
    cnnfi_kt *masks = cnnfi_builder_array(kc->b->graph, kc->n_inputs, sizeof *masks);
    size_t n = 0;
    for (size_t i = 0; masks && i < kc->n_inputs; i++)
        if (kc->inputs[i].mask) masks[n++] = cnnfi_kb_expand_dims(kc->b, "ExpandDims", *kc->inputs[i].mask, 0);
    return n ? cnnfi_kb_masked(kc->b, y, all_of(kc->b, n, masks, 0, 0)) : y;
}

/* Keras 3: steps that any mask lets through, where all inputs have one. */
static cnnfi_kt any_of_all(cnnfi_kc *kc, cnnfi_kt y)
{
    const cnnfi_kt *first = kc->inputs[0].mask;
    for (size_t i = 0; i < kc->n_inputs; i++)
        if (!kc->inputs[i].mask) return y;
    cnnfi_kt mask = *first;
    for (size_t i = 1; i < kc->n_inputs; i++)
        mask = logical(kc->b, "LogicalOr", 2, (const cnnfi_kt[]){mask, *kc->inputs[i].mask});
    return cnnfi_kb_masked(kc->b, y, mask);
}

static bool any_masked(const cnnfi_kc *kc)
{
    for (size_t i = 0; i < kc->n_inputs; i++)
        if (kc->inputs[i].mask) return true;
    return false;
}

static void give(cnnfi_kc *kc, cnnfi_kt y)
{
    y.mask = NULL;
    if (any_masked(kc) && cnnfi_kb_ok(kc->b)) y = kc->b->keras3 ? any_of_all(kc, y) : common(kc, y);
    cnnfi_kc_return(kc, y);
}

/* A bool tensor of x's shape (ones_like(x, "bool")) */
static cnnfi_kt all_true(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt y, shape[2];
    const char *saved = cnnfi_kb_push(b, "ones_like");
    shape[0] = cnnfi_kb_shape_of(b, "Shape", x);
    shape[1] = cnnfi_kb_scalar(b, "Const", CNNF_BOOL, 1);
    cnnf_node *node = cnnfi_kb_node(b, &y, "Fill", "", 2, shape);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_BOOL);
    cnnfi_node_set_type(b->graph, node, "index_type", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    y.dtype = CNNF_BOOL;
    return cnnfi_kt_shaped(y, x.rank, x.dims);
}

/* Keras 3 spreads a mask over the features. */
static cnnfi_kt spread(cnnfi_kb *b, cnnfi_kt mask, cnnfi_kt x)
{
    cnnfi_kt every = all_true(b, x), none = logical(b, "LogicalNot", 1, &every);
    return logical(b, "LogicalOr", 2, (const cnnfi_kt[]){mask, none});
}

/* Concatenate.compute_mask() */
static cnnfi_kt joined_mask(cnnfi_kc *kc, cnnfi_kt y, int32_t axis)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt *masks = cnnfi_builder_array(b->graph, kc->n_inputs, sizeof *masks);
    for (size_t i = 0; masks && i < kc->n_inputs; i++) {
        cnnfi_kt x = kc->inputs[i];
        masks[i] = x.mask ? *x.mask : all_true(b, x);
        if (masks[i].rank >= x.rank) continue;
        masks[i] = cnnfi_kb_expand_dims(b, "ExpandDims", masks[i], -1);
        if (b->keras3) masks[i] = spread(b, masks[i], x);
    }
    if (!masks || !cnnfi_kb_ok(b)) return y;
    for (size_t i = 1; i < kc->n_inputs; i++) {
        if (fits(&masks[0], &masks[i], axis) && masks[0].rank == masks[i].rank) continue;
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "the masks of its inputs cannot be joined, in Keras either");
        return y;
    }
    if (!b->keras3) return cnnfi_kb_masked(b, y, all_of(b, kc->n_inputs, masks, axis, -1));
    cnnfi_kt joined = cnnfi_kb_concat(b, "concat", kc->n_inputs, masks, axis);
    return cnnfi_kb_masked(b, y, cnnfi_kb_reduce_axis(b, "Any", "Any", joined, -1, false));
}

/* ---- elementwise ---- */

static cnnfi_kt fold(cnnfi_kc *kc, const char *op, const char *name)
{
    const cnnfi_kt *inputs = check(kc, -1) ? aligned(kc) : NULL;
    cnnfi_kt y = kc->inputs[0];
    for (size_t i = 0; inputs && i < kc->n_inputs; i++)
        y = i ? cnnfi_kb_binary(kc->b, op, name, y, inputs[i]) : inputs[0];
    return y;
}

static void add(cnnfi_kc *kc)
{
    give(kc, fold(kc, "AddV2", "add"));
}

static void subtract(cnnfi_kc *kc)
{
    give(kc, fold(kc, "Sub", "sub"));
}

/* ---- Keras 3's merges that look at masks themselves ---- */

static cnnfi_kt where_mask(cnnfi_kb *b, cnnfi_kt mask, cnnfi_kt x, cnnfi_kt y)
{
    cnnfi_kt out = cnnfi_kb_where(b, cnnfi_kb_expand_dims(b, "ExpandDims", mask, -1), x, y);
    return cnnfi_kt_shaped(out, x.rank, x.dims);
}

static cnnfi_kt either(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt y)
{
    return logical(b, "LogicalOr", 2, (const cnnfi_kt[]){x, y});
}

/* Masked steps count as ones, and where all are masked the product is zero. */
static void multiply_masked(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    const cnnfi_kt *inputs = check(kc, -1) ? aligned(kc) : NULL;
    cnnfi_kt y = kc->inputs[0], mask = y;
    size_t masked = 0;
    for (size_t i = 0; inputs && i < kc->n_inputs; i++) {
        cnnfi_kt x = inputs[i];
        if (x.mask) {
            mask = masked++ ? either(b, mask, *x.mask) : *x.mask;
            x = where_mask(b, *x.mask, x, cnnfi_kb_scalar(b, "Const", x.dtype, 1));
        }
        y = i ? cnnfi_kb_binary(b, "Mul", "mul", y, x) : x;
    }
    if (inputs && masked == kc->n_inputs)
        y = cnnfi_kb_masked(b, where_mask(b, mask, y, cnnfi_kb_scalar(b, "Const", y.dtype, 0)), mask);
    cnnfi_kc_return(kc, y);
}

/* A masked step takes the other input's value. */
static void extreme_masked(cnnfi_kc *kc, const char *op)
{
    cnnfi_kb *b = kc->b;
    const cnnfi_kt *inputs = check(kc, -1) ? aligned(kc) : NULL;
    cnnfi_kt y = kc->inputs[0];
    const cnnfi_kt *mask = y.mask;
    for (size_t i = 0; inputs && i < kc->n_inputs; i++) {
        cnnfi_kt x = inputs[i];
        if (i == 0) {
            y = x;
            continue;
        }
        cnnfi_kt left = y, right = x.mask ? where_mask(b, *x.mask, x, y) : x;
        if (mask) left = where_mask(b, *mask, y, right);
        y = cnnfi_kb_binary(b, op, op, left, right);
        if (mask && x.mask)
            mask = cnnfi_kb_masked(b, y, either(b, *mask, *x.mask)).mask;
        else
            mask = NULL;
    }
    y.mask = mask;
    cnnfi_kc_return(kc, y);
}

static void multiply(cnnfi_kc *kc)
{
    if (kc->b->keras3 && any_masked(kc))
        multiply_masked(kc);
    else
        give(kc, fold(kc, "Mul", "mul"));
}

static void extreme(cnnfi_kc *kc, const char *op)
{
    if (kc->b->keras3 && any_masked(kc))
        extreme_masked(kc, op);
    else
        give(kc, fold(kc, op, op));
}

static void maximum(cnnfi_kc *kc)
{
    extreme(kc, "Maximum");
}

static void minimum(cnnfi_kc *kc)
{
    extreme(kc, "Minimum");
}

static void average(cnnfi_kc *kc)
{
    cnnfi_kt sum = fold(kc, "AddV2", "add");
    give(kc, cnnfi_kb_binary_const(kc->b, "RealDiv", "truediv", sum, (double)kc->n_inputs));
}

/* ---- Concatenate ---- */

static void concat_along(cnnfi_kc *kc, int64_t written)
{
    int32_t axis = cnnfi_kc_axis(kc, written, kc->inputs[0].rank);
    if (!check(kc, axis)) return;
    cnnfi_kt y = cnnfi_kb_concat(kc->b, "concat", kc->n_inputs, kc->inputs, axis);
    cnnfi_kc_return(kc, any_masked(kc) ? joined_mask(kc, y, axis) : y);
}

static void concatenate(cnnfi_kc *kc)
{
    concat_along(kc, cnnfi_kc_int(kc, "axis", -1));
}

/* tf.concat() of one tensor is tf.identity() */
static void concatenate_tf(cnnfi_kc *kc)
{
    if (kc->n_inputs > 1) {
        concatenate(kc);
        return;
    }
    const char *saved = cnnfi_kb_push(kc->b, "concat");
    cnnfi_kb_reserve(kc->b, "concat_dim");
    cnnfi_kc_return(kc, cnnfi_kb_unary(kc->b, "Identity", "", kc->inputs[0]));
    cnnfi_kb_pop(kc->b, saved);
}

/* ---- Dot ---- */

cnnfi_kt cnnfi_kb_l2_normalize(cnnfi_kb *b, cnnfi_kt x, int32_t axis, double epsilon)
{
    const char *saved = cnnfi_kb_push(b, "l2_normalize");
    cnnfi_kt sum = cnnfi_kb_reduce_axis(b, "Sum", "Sum", cnnfi_kb_unary(b, "Square", "Square", x), axis, true);
    cnnfi_kt top = cnnfi_kb_binary_const(b, "Maximum", "Maximum", sum, epsilon);
    cnnfi_kt y = cnnfi_kb_binary(b, "Mul", "", x, cnnfi_kb_unary(b, "Rsqrt", "Rsqrt", top));
    cnnfi_kb_pop(b, saved);
    return y;
}

cnnfi_kt cnnfi_kb_batch_matmul(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt y, bool adj_x, bool adj_y)
{
    cnnfi_kt out, inputs[2] = {x, y};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "BatchMatMulV2", "MatMul", 2, inputs);
    cnnfi_node_set_bool(b->graph, node, "adj_x", adj_x);
    cnnfi_node_set_bool(b->graph, node, "adj_y", adj_y);
    out.dims[x.rank - 2] = x.dims[x.rank - 1 - !adj_x];
    out.dims[x.rank - 1] = y.dims[y.rank - 1 - adj_y];
    return out;
}

/* [batch, n] or [batch, m, n] with the summed dimension last, as [batch, m, n] */
static cnnfi_kt dot_left(cnnfi_kb *b, cnnfi_kt x, int32_t axis)
{
    if (x.rank == 2) return cnnfi_kb_expand_dims(b, "ExpandDims", x, 1);
    return axis == 2 ? x : cnnfi_kb_transpose(b, "transpose", x, (const int32_t[]){0, 2, 1});
}

static cnnfi_kt dot_right(cnnfi_kb *b, cnnfi_kt y, int32_t axis)
{
    if (y.rank == 2) return cnnfi_kb_expand_dims(b, "ExpandDims", y, 2);
    return axis == 1 ? y : cnnfi_kb_transpose(b, "transpose", y, (const int32_t[]){0, 2, 1});
}

/* K.batch_dot() */
static void batch_dot(cnnfi_kc *kc, const int32_t axes[2], bool normalize)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = kc->inputs[0], y = kc->inputs[1];
    int32_t rank_x = x.rank, rank_y = y.rank;
    if (!x.name || !y.name || rank_y < 2 || rank_y > 3 || axes[0] == 0 || axes[1] == 0 ||
        (x.dims[axes[0]] != y.dims[axes[1]] && x.dims[axes[0]] >= 0 && y.dims[axes[1]] >= 0)) {
        cnnfi_kc_fail(kc, CNNF_E_MISMATCH, "its inputs cannot be multiplied along axes %d and %d", axes[0], axes[1]);
        return;
    }
    if (normalize) x = cnnfi_kb_l2_normalize(b, x, axes[0], 1e-12);
    if (normalize) y = cnnfi_kb_l2_normalize(b, y, axes[1], 1e-12);
    /* both are made three-dimensional before either is turned */
    if (rank_x == 2) x = dot_left(b, x, 1);
    if (rank_y == 2) y = dot_right(b, y, 1);
    if (rank_x == 3) x = dot_left(b, x, axes[0]);
    if (rank_y == 3) y = dot_right(b, y, axes[1]);
    cnnfi_kt out = cnnfi_kb_batch_matmul(b, x, y, false, false);
    cnnfi_kb_reserve(b, "Shape");
    if (rank_x == 2)
        out = cnnfi_kb_squeeze(b, "Squeeze", out, 1);
    else if (rank_y == 2)
        out = cnnfi_kb_squeeze(b, "Squeeze", out, -1);
    cnnfi_kc_return(kc, out);
}

static void dot_axes(cnnfi_kc *kc, const char *key, int32_t axes[2])
{
    const cnnfi_json *value = cnnfi_json_get(kc->config, key);
    for (size_t i = 0; i < 2; i++) {
        const cnnfi_json *axis = cnnfi_json_is_array(value) ? cnnfi_json_at(value, i) : value;
        axes[i] = cnnfi_kc_axis(kc, cnnfi_json_int(axis, -1), kc->inputs[i].rank);
    }
}

static void dot(cnnfi_kc *kc)
{
    int32_t axes[2];
    dot_axes(kc, "axes", axes);
    if (cnnfi_kb_ok(kc->b)) batch_dot(kc, axes, cnnfi_kc_bool(kc, "normalize", false));
}

/* ---- Keras 1's Merge ---- */

static void merge_ave(cnnfi_kc *kc)
{
    cnnfi_kt sum = fold(kc, "AddV2", "add");
    cnnfi_kc_return(kc, cnnfi_kb_binary_const(kc->b, "Mul", "mul", sum, 1.0 / (double)kc->n_inputs));
}

static void merge_concat(cnnfi_kc *kc)
{
    concat_along(kc, cnnfi_kc_int(kc, "concat_axis", -1));
}

static void merge_dot(cnnfi_kc *kc, bool normalize)
{
    int32_t axes[2];
    if (kc->n_inputs != 2 || kc->inputs[0].rank > 3) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "modes 'dot' and 'cos' take two inputs of 2 or 3 dimensions");
        return;
    }
    dot_axes(kc, "dot_axes", axes);
    if (cnnfi_kb_ok(kc->b)) batch_dot(kc, axes, normalize);
}

static void merge_dot_plain(cnnfi_kc *kc)
{
    merge_dot(kc, false);
}

static void merge_cos(cnnfi_kc *kc)
{
    merge_dot(kc, true);
}

static void merge(cnnfi_kc *kc)
{
    static const struct {
        const char *mode;
        void (*call)(cnnfi_kc *kc);
    } modes[] = {{"sum", add},      {"mul", multiply},        {"ave", merge_ave},
                 {"max", maximum},  {"concat", merge_concat}, {"dot", merge_dot_plain},
                 {"cos", merge_cos}};
    const char *mode = cnnfi_kc_string(kc, "mode", "sum");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].mode, mode) == 0) {
            modes[i].call(kc);
            return;
        }
    }
    cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "mode '%s' is Python code or unknown", mode);
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
