/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations by what the input itself holds: LayerNormalization, GroupNormalization, UnitNormalization. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* The dimensions a layer normalises over, sorted. */
typedef struct axes {
    int32_t count, at[CNNFI_KERAS_MAX_RANK];
} axes;

static axes read_axes(cnnfi_layer_call *call)
{
    const cnnfi_json *stored = cnnfi_json_get(call->config, "axis");
    bool list = cnnfi_json_is_array(stored), used[CNNFI_KERAS_MAX_RANK] = {false};
    int32_t rank = call->inputs[0].rank;
    size_t n = list ? cnnfi_json_size(stored) : 1;
    for (size_t i = 0; i < n; i++) {
        used[cnnfi_layer_axis(call, cnnfi_json_int(list ? cnnfi_json_at(stored, i) : stored, -1), rank)] = true;
    }
    axes a = {0};
    for (int32_t i = 0; i < rank; i++) {
        if (used[i]) a.at[a.count++] = i;
    }
    if (a.count == 0) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'axis' is empty");
    return a;
}

/* ---- LayerNormalization ---- */

static void layer_norm_build(cnnfi_layer_call *call)
{
    axes a = read_axes(call);
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < a.count; i++)
        dims[i] = call->inputs[0].dims[a.at[i]];
    if (!cnnfi_build_ok(call->b)) return;
    if (cnnfi_layer_bool(call, "scale", true))
        (void)cnnfi_layer_weight(call, "gamma", a.count, dims, CNNFI_KERAS_INIT_ONES, true);
    if (cnnfi_layer_bool(call, "center", true))
        (void)cnnfi_layer_weight(call, "beta", a.count, dims, CNNFI_KERAS_INIT_ZEROS, true);
}

/* gamma and beta by their place among the variables */
static cnnfi_keras_norm read_parameters(cnnfi_layer_call *call)
{
    cnnfi_keras_norm n = {.x = call->inputs[0],
                          .scale = cnnfi_layer_bool(call, "scale", true),
                          .center = cnnfi_layer_bool(call, "center", true),
                          .epsilon = cnnfi_layer_float(call, "epsilon", 1e-3)};
    if (n.scale) n.gamma = cnnfi_layer_variable(call, 0);
    if (n.center) n.beta = cnnfi_layer_variable(call, n.scale ? 1 : 0);
    return n;
}

static cnnfi_keras_tensor broadcast(cnnfi_keras_builder *b, cnnfi_keras_tensor parameter, const cnnfi_keras_tensor *x,
                                    const axes *a)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    if (a->count == 1 && a->at[0] == x->rank - 1) return parameter;
    for (int32_t i = 0; i < a->count; i++)
        dims[a->at[i]] = x->dims[a->at[i]];
    return cnnfi_build_reshape(b, "Reshape", parameter, x->rank, dims);
}

/* tf.nn.moments(keepdims) */
static void moments(cnnfi_keras_builder *b, cnnfi_keras_norm *n, const axes *a)
{
    const char *saved = cnnfi_build_push(b, "moments");
    n->mean = cnnfi_build_reduce(b, "Mean", "mean", n->x, (size_t)a->count, a->at, true);
    cnnfi_keras_tensor stopped = cnnfi_build_unary(b, "StopGradient", "StopGradient", n->mean);
    cnnfi_keras_tensor squares = cnnfi_build_binary(b, "SquaredDifference", "SquaredDifference", n->x, stopped);
    n->variance = cnnfi_build_reduce(b, "Mean", "variance", squares, (size_t)a->count, a->at, true);
    cnnfi_build_pop(b, saved);
}

static cnnfi_keras_tensor vector_of(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor size, double value)
{
    const char *saved = cnnfi_build_push(b, name);
    cnnfi_keras_tensor packed = cnnfi_build_pack(b, "packed", 1, &size), y;
    cnnfi_keras_tensor inputs[2] = {packed, cnnfi_build_scalar(b, "Const", CNNF_FLOAT, value)};
    cnnf_node *node = cnnfi_build_node(b, &y, "Fill", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b->graph, node, "index_type", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    y.dtype = CNNF_FLOAT;
    return cnnfi_keras_tensor_shaped(y, 1, (const int64_t[]){-1});
}

/* FusedBatchNorm in training mode over [1, before, inside, 1]: how Keras normalises trailing dimensions. */
static cnnfi_keras_tensor fused_layer_norm(cnnfi_keras_builder *b, const cnnfi_keras_norm *n, const axes *a)
{
    cnnfi_keras_tensor shape = cnnfi_build_shape_of(b, "Shape", n->x);
    cnnfi_keras_tensor before =
        cnnfi_build_product(b, cnnfi_build_slice(b, "strided_slice", shape, 0, a->at[0], true, false, false));
    cnnfi_keras_tensor inside =
        cnnfi_build_product(b, cnnfi_build_slice(b, "strided_slice", shape, a->at[0], 0, false, true, false));
    const cnnfi_keras_dim items[4] = {cnnfi_keras_dim_of(1), cnnfi_keras_dim_tensor(before),
                                      cnnfi_keras_dim_tensor(inside), cnnfi_keras_dim_of(1)};
    cnnfi_keras_tensor x = cnnfi_build_reshape_to(b, "Reshape", n->x, 4, items, (const int64_t[]){1, -1, -1, 1}), y;
    cnnfi_keras_tensor ones = vector_of(b, "ones", before, 1), zeros = vector_of(b, "zeros", before, 0);
    cnnfi_keras_tensor inputs[5] = {x, ones, zeros, cnnfi_build_floats(b, "Const", 0, NULL),
                                    cnnfi_build_floats(b, "Const", 0, NULL)};
    cnnf_node *node = cnnfi_build_node_t(b, &y, "FusedBatchNormV3", "FusedBatchNormV3", 5, inputs);
    cnnfi_node_set_type(b->graph, node, "U", CNNF_FLOAT);
    cnnfi_node_set_float(b->graph, node, "epsilon", (float)n->epsilon);
    cnnfi_node_set_string(b->graph, node, "data_format", "NCHW");
    cnnfi_node_set_bool(b->graph, node, "is_training", true);
    y = cnnfi_build_reshape_by(b, "Reshape", y, shape, n->x.rank, n->x.dims);
    cnnfi_keras_tensor gamma = n->scale ? broadcast(b, n->gamma, &n->x, a) : n->gamma;
    cnnfi_keras_tensor beta = n->center ? broadcast(b, n->beta, &n->x, a) : n->beta;
    if (n->scale) y = cnnfi_build_binary(b, "Mul", "mul", y, gamma);
    if (n->center) y = cnnfi_build_binary(b, "AddV2", "add", y, beta);
    return cnnfi_keras_tensor_shaped(y, n->x.rank, n->x.dims);
}

static bool can_fuse(const cnnfi_keras_norm *n, const axes *a)
{
    int32_t last = a->at[a->count - 1];
    return last == n->x.rank - 1 && last - a->at[0] == a->count - 1 && n->epsilon >= 1.001e-5 &&
           n->x.dtype == CNNF_FLOAT;
}

static void layer_norm(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    axes a = read_axes(call);
    cnnfi_keras_norm n = read_parameters(call);
    if (cnnfi_layer_bool(call, "rms_scaling", false))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "rms_scaling is not supported");
    if (!cnnfi_build_ok(b)) return;
    if (can_fuse(&n, &a)) {
        cnnfi_layer_return_masked(call, fused_layer_norm(b, &n, &a));
        return;
    }
    moments(b, &n, &a);
    if (n.scale) n.gamma = broadcast(b, n.gamma, &n.x, &a);
    if (n.center) n.beta = broadcast(b, n.beta, &n.x, &a);
    cnnfi_layer_return_masked(call, cnnfi_keras_tensor_shaped(cnnfi_build_batchnorm(b, &n), n.x.rank, n.x.dims));
}

/* ---- GroupNormalization ---- */

/* axis as the program writes it: -1 stays -1, which shows in the slices */
typedef struct grouping {
    int32_t written, axis, groups;
    int64_t channels;
} grouping;

static grouping read_grouping(cnnfi_layer_call *call)
{
    int64_t axis = cnnfi_layer_int(call, "axis", -1), groups = cnnfi_layer_int(call, "groups", 32);
    grouping g = {.written = (int32_t)axis, .axis = cnnfi_layer_axis(call, axis, call->inputs[0].rank)};
    g.channels = call->inputs[0].dims[g.axis];
    if (groups == -1) groups = g.channels;
    if (g.axis == 0 || g.channels <= 0 || groups <= 0 || groups > g.channels || g.channels % groups != 0) {
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "groups %lld do not divide %lld channels", (long long)groups,
                         (long long)g.channels);
        groups = 1;
    }
    if (call->inputs[0].rank >= CNNFI_KERAS_MAX_RANK) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "too many dimensions");
    g.groups = (int32_t)groups;
    return g;
}

static void group_norm_build(cnnfi_layer_call *call)
{
    grouping g = read_grouping(call);
    if (!cnnfi_build_ok(call->b)) return;
    if (cnnfi_layer_bool(call, "scale", true))
        (void)cnnfi_layer_weight(call, "gamma", 1, &g.channels, CNNFI_KERAS_INIT_ONES, true);
    if (cnnfi_layer_bool(call, "center", true))
        (void)cnnfi_layer_weight(call, "beta", 1, &g.channels, CNNFI_KERAS_INIT_ZEROS, true);
}

/* shape[axis] // groups */
static cnnfi_keras_tensor channels_of_group(cnnfi_keras_builder *b, cnnfi_keras_tensor shape, const grouping *g)
{
    bool last = g->written == -1;
    cnnfi_keras_tensor at =
        cnnfi_build_slice(b, "strided_slice", shape, g->written, last ? 0 : g->written + 1, false, false, true);
    return cnnfi_build_binary_const(b, "FloorDiv", "floordiv", at, g->groups);
}

/* [..., channels, ...] to [..., groups, channels / groups, ...] */
static cnnfi_keras_tensor into_groups(cnnfi_keras_builder *b, cnnfi_keras_tensor x, const grouping *g)
{
    cnnfi_keras_tensor shape = cnnfi_build_shape_of(b, "Shape", x);
    cnnfi_keras_dim items[CNNFI_KERAS_MAX_RANK];
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    int32_t k = 0;
    for (int32_t i = 0; i < x.rank; i++, k++) {
        cnnfi_keras_tensor part = cnnfi_build_slice(b, "strided_slice", shape, i, i + 1, false, false, true);
        if (i == g->axis) {
            dims[k] = g->groups;
            items[k++] = cnnfi_keras_dim_of(g->groups);
        }
        dims[k] = i == g->axis ? g->channels / g->groups : x.dims[i];
        items[k] = cnnfi_keras_dim_tensor(part);
    }
    items[g->axis + 1] = cnnfi_keras_dim_tensor(channels_of_group(b, shape, g));
    cnnfi_keras_tensor packed = cnnfi_build_autopack(b, "stack", (size_t)k, items);
    return cnnfi_build_reshape_by(b, "Reshape", x, packed, k, dims);
}

/* tf.nn.weighted_moments(keepdims) with weights of one */
static void weighted_moments(cnnfi_keras_builder *b, cnnfi_keras_norm *n, cnnfi_keras_tensor weights, const axes *a)
{
    size_t count = (size_t)a->count;
    const char *saved = cnnfi_build_push(b, "weighted_moments");
    cnnfi_keras_tensor product = cnnfi_build_binary(b, "Mul", "mul", weights, n->x);
    cnnfi_keras_tensor sum = cnnfi_build_reduce(b, "Sum", "weighted_input_sum", product, count, a->at, true);
    cnnfi_keras_tensor zeros = cnnfi_build_unary(b, "ZerosLike", "zeros_like", n->x);
    cnnfi_keras_tensor all = cnnfi_build_binary(b, "AddV2", "add", weights, zeros);
    cnnfi_keras_tensor total = cnnfi_build_reduce(b, "Sum", "sum_of_weights", all, count, a->at, true);
    n->mean = cnnfi_build_binary(b, "DivNoNan", "div_no_nan", sum, total);
    cnnfi_keras_tensor squares = cnnfi_build_binary(b, "SquaredDifference", "SquaredDifference", n->x, n->mean);
    squares = cnnfi_build_binary(b, "Mul", "mul", weights, squares);
    squares = cnnfi_build_reduce(b, "Sum", "weighted_distsq", squares, count, a->at, true);
    n->variance = cnnfi_build_binary(b, "DivNoNan", "div_no_nan", squares, total);
    cnnfi_build_pop(b, saved);
}

static void group_norm(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0];
    grouping g = read_grouping(call);
    cnnfi_keras_norm n = read_parameters(call);
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor shape = cnnfi_build_shape_of(b, "Shape", x),
                       weights = cnnfi_build_unary(b, "OnesLike", "ones_like", x);
    n.x = into_groups(b, x, &g);
    weights = into_groups(b, weights, &g);
    axes a = {0};
    for (int32_t i = 1; i < n.x.rank; i++) {
        if (i != g.axis) a.at[a.count++] = i;
    }
    weighted_moments(b, &n, weights, &a);
    cnnfi_keras_dim items[CNNFI_KERAS_MAX_RANK];
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < n.x.rank; i++) {
        dims[i] = i == g.axis ? g.groups : i == g.axis + 1 ? g.channels / g.groups : 1;
        items[i] = cnnfi_keras_dim_of(dims[i]);
    }
    items[g.axis + 1] = cnnfi_keras_dim_tensor(channels_of_group(b, shape, &g));
    if (n.scale) n.gamma = cnnfi_build_reshape_to(b, "Reshape", n.gamma, (size_t)n.x.rank, items, dims);
    if (n.center) n.beta = cnnfi_build_reshape_to(b, "Reshape", n.beta, (size_t)n.x.rank, items, dims);
    cnnfi_layer_return_masked3(
        call, cnnfi_build_reshape_by(b, "Reshape", cnnfi_build_batchnorm(b, &n), shape, x.rank, x.dims));
}

/* ---- UnitNormalization ---- */

/* tf.linalg.l2_normalize() */
static void unit_norm(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0];
    axes a = read_axes(call);
    if (!cnnfi_build_ok(b)) return;
    const char *saved = cnnfi_build_push(b, "l2_normalize");
    cnnfi_keras_tensor sum = cnnfi_build_unary(b, "Square", "Square", x);
    sum = cnnfi_build_reduce(b, "Sum", "Sum", sum, (size_t)a.count, a.at, true);
    sum = cnnfi_build_binary_const(b, "Maximum", "Maximum", sum, 1e-12);
    cnnfi_keras_tensor y = cnnfi_build_binary(b, "Mul", "", x, cnnfi_build_unary(b, "Rsqrt", "Rsqrt", sum));
    cnnfi_build_pop(b, saved);
    cnnfi_layer_return_masked(call, cnnfi_keras_tensor_shaped(y, x.rank, x.dims));
}

/* ---- RMSNormalization ---- */

static void rms_norm_build(cnnfi_layer_call *call)
{
    axes a = read_axes(call);
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < a.count; i++)
        dims[i] = call->inputs[0].dims[a.at[i]];
    if (cnnfi_build_ok(call->b)) (void)cnnfi_layer_weight(call, "scale", a.count, dims, CNNFI_KERAS_INIT_ONES, true);
}

/* x * rsqrt(mean(square(x)) + epsilon) * scale; the scale is broadcast from the last dimension, as Keras does */
static void rms_norm(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], scale = cnnfi_layer_variable(call, 0);
    axes a = read_axes(call);
    for (int32_t i = 1; i <= scale.rank && cnnfi_build_ok(b); i++) {
        if (scale.dims[scale.rank - i] != x.dims[x.rank - i])
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its scale does not fit the last dimensions");
    }
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor mean = cnnfi_build_unary(b, "Square", "Square", x);
    mean = cnnfi_build_reduce(b, "Mean", "Mean", mean, (size_t)a.count, a.at, true);
    mean = cnnfi_build_binary_const(b, "AddV2", "add", mean, cnnfi_layer_float(call, "epsilon", 1e-6));
    cnnfi_keras_tensor y = cnnfi_build_binary(b, "Mul", "mul", x, cnnfi_build_unary(b, "Rsqrt", "Rsqrt", mean));
    y = cnnfi_build_binary(b, "Mul", "mul", y, cnnfi_build_read(b, scale));
    cnnfi_layer_return_masked(call, cnnfi_keras_tensor_shaped(y, x.rank, x.dims));
}

#define VERIFIED "tf.keras 2.15, 3"

static const cnnfi_keras_row rows[] = {
    {"GroupNormalization", "groups axis epsilon center scale", "gamma beta", VERIFIED, 2, 7, 1, 1, group_norm_build,
     group_norm, NULL},
    {"LayerNormalization", "axis epsilon center scale", "gamma beta", VERIFIED, 2, 8, 1, 1, layer_norm_build,
     layer_norm, NULL},
    {"RMSNormalization", "axis epsilon", "scale", "3", 2, 8, 1, 1, rms_norm_build, rms_norm, NULL},
    {"UnitNormalization", "axis", "", VERIFIED, 1, 8, 1, 1, NULL, unit_norm, NULL},
};

const cnnfi_keras_family cnnfi_keras_layer_normalization = {"Layer, group and unit normalization", rows,
                                                            sizeof rows / sizeof rows[0]};
