/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/normalization.py: batch normalisation by its moving statistics. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static int32_t batch_axis(cnnfi_layer_call *call)
{
    const cnnfi_json *axis = cnnfi_json_get(call->config, "axis");
    /* tf.keras writes axis as [3] */
    if (cnnfi_json_is_array(axis)) axis = cnnfi_json_size(axis) == 1 ? cnnfi_json_at(axis, 0) : NULL;
    return cnnfi_layer_axis(call, cnnfi_json_int(axis, -1), call->inputs[0].rank);
}

static void batch_norm_build(cnnfi_layer_call *call)
{
    int64_t channels = call->inputs[0].dims[batch_axis(call)];
    if (!cnnfi_build_ok(call->b)) return;
    if (cnnfi_layer_bool(call, "scale", true))
        (void)cnnfi_layer_weight(call, "gamma", 1, &channels, CNNFI_KERAS_INIT_ONES, true);
    if (cnnfi_layer_bool(call, "center", true))
        (void)cnnfi_layer_weight(call, "beta", 1, &channels, CNNFI_KERAS_INIT_ZEROS, true);
    (void)cnnfi_layer_weight(call, "moving_mean", 1, &channels, CNNFI_KERAS_INIT_ZEROS, false);
    (void)cnnfi_layer_weight(call, "moving_variance", 1, &channels, CNNFI_KERAS_INIT_ONES, false);
}

static cnnfi_keras_norm read_norm(cnnfi_layer_call *call)
{
    size_t next = 0;
    cnnfi_keras_norm n = {.x = call->inputs[0],
                          .axis = batch_axis(call),
                          .scale = cnnfi_layer_bool(call, "scale", true),
                          .center = cnnfi_layer_bool(call, "center", true),
                          .epsilon = cnnfi_layer_float(call, "epsilon", 1e-3)};
    if (n.scale) n.gamma = cnnfi_layer_variable(call, next++);
    if (n.center) n.beta = cnnfi_layer_variable(call, next++);
    n.mean = cnnfi_layer_variable(call, next++);
    n.variance = cnnfi_layer_variable(call, next);
    return n;
}

cnnfi_keras_tensor cnnfi_build_batchnorm(cnnfi_keras_builder *b, const cnnfi_keras_norm *n)
{
    const char *saved = cnnfi_build_push(b, "batchnorm");
    cnnfi_keras_tensor inverse =
        cnnfi_build_unary(b, "Rsqrt", "Rsqrt", cnnfi_build_binary_const(b, "AddV2", "add", n->variance, n->epsilon));
    if (n->scale) inverse = cnnfi_build_binary(b, "Mul", "mul", inverse, n->gamma);
    cnnfi_keras_tensor scaled = cnnfi_build_binary(b, "Mul", "mul", n->x, inverse), shift;
    if (n->center) {
        cnnfi_keras_tensor moved = cnnfi_build_binary(b, "Mul", "mul", n->mean, inverse);
        shift = cnnfi_build_binary(b, "Sub", "sub", n->beta, moved);
    } else {
        cnnfi_keras_tensor minus = cnnfi_build_unary(b, "Neg", "Neg", cnnfi_build_read(b, n->mean));
        shift = cnnfi_build_binary(b, "Mul", "mul", minus, inverse);
    }
    cnnfi_keras_tensor y = cnnfi_build_binary(b, "AddV2", "add", scaled, shift);
    cnnfi_build_pop(b, saved);
    return y;
}

static cnnfi_keras_tensor fused(cnnfi_keras_builder *b, const cnnfi_keras_norm *n, const char *data_format)
{
    cnnfi_keras_tensor y, inputs[5] = {n->x, n->gamma, n->beta, n->mean, n->variance};
    cnnf_node *node = cnnfi_build_node_t(b, &y, "FusedBatchNormV3", "FusedBatchNormV3", 5, inputs);
    cnnfi_node_set_type(b->graph, node, "U", CNNF_FLOAT);
    cnnfi_node_set_float(b->graph, node, "epsilon", (float)n->epsilon);
    cnnfi_node_set_string(b->graph, node, "data_format", data_format);
    cnnfi_node_set_bool(b->graph, node, "is_training", false);
    return y;
}

static void broadcast(cnnfi_keras_builder *b, const cnnfi_keras_norm *n, cnnfi_keras_tensor *parameter)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < n->x.rank; i++)
        dims[i] = i == n->axis ? n->x.dims[i] : 1;
    *parameter = cnnfi_build_reshape(b, "Reshape", *parameter, n->x.rank, dims);
}

/* ---- multi-backend Keras ---- */

/* tf.ones_like(), tf.zeros_like(): a Const below 1000 elements only for zeros */
static cnnfi_keras_tensor filled(cnnfi_keras_builder *b, const char *name, const char *shape_name,
                                 cnnfi_keras_tensor like, double value)
{
    const char *saved = cnnfi_build_push(b, name);
    int32_t size = (int32_t)like.dims[0];
    cnnfi_keras_tensor shape = cnnfi_build_ints(b, shape_name, 1, &size), out;
    cnnfi_keras_tensor inputs[2] = {shape, cnnfi_build_scalar(b, "Const", CNNF_FLOAT, value)};
    cnnf_node *node = cnnfi_build_node(b, &out, "Fill", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b->graph, node, "index_type", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    out.dtype = CNNF_FLOAT;
    return cnnfi_keras_tensor_shaped(out, 1, like.dims);
}

static cnnfi_keras_tensor zeros_like(cnnfi_keras_builder *b, cnnfi_keras_tensor like)
{
    if (like.dims[0] < 1000) return cnnfi_build_splat(b, "zeros_like", 1, like.dims, 0);
    return filled(b, "zeros_like", "shape_as_tensor", like, 0);
}

/* moving_average_update() with zero_debias: load_model() makes these whatever the learning phase. */
static void zero_debias(cnnfi_layer_call *call, size_t index)
{
    static const char *const names[] = {"biased", "local_step"};
    cnnfi_keras_builder *b = call->b;
    if (index >= call->state->n_variables) return;
    cnnfi_keras_tensor of = call->state->variables[index];
    const char *handle = call->state->handles[index], *saved = b->scope;
    int32_t ghost = b->ghost;
    for (size_t i = 0; i < 2 && cnnfi_build_ok(b); i++) {
        b->scope = handle;
        const char *name = cnnfi_build_unique(b, names[i]);
        const char *initial = cnnfi_builder_printf(b->graph, "%s/Initializer/zeros", name);
        b->ghost = 0;
        if (initial) {
            (void)cnnfi_build_variable(b, name, initial, CNNF_FLOAT, i == 0 ? of.rank : 0, of.dims, 0, NULL, handle,
                                       false);
        }
        b->ghost = ghost;
    }
    b->scope = saved;
}

/* The training branch, which inference does not use, comes first: it takes names and makes variables. */
static void training_branch(cnnfi_layer_call *call, const cnnfi_keras_norm *n)
{
    cnnfi_keras_builder *b = call->b;
    bool is_fused = n->x.rank == 4 && n->axis == 3;
    if (is_fused) {
        cnnfi_build_reserve(b, "FusedBatchNormV3");
    } else {
        cnnfi_build_reserve(b, "moments");
        for (int32_t i = 0; n->axis != n->x.rank - 1 && i < 2 + (int32_t)n->scale + (int32_t)n->center; i++) {
            cnnfi_build_reserve(b, "Reshape");
        }
        cnnfi_build_reserve(b, "batchnorm");
    }
    zero_debias(call, call->state->n_variables - 2);
    zero_debias(call, call->state->n_variables - 1);
}

static void batch_norm(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_norm n = read_norm(call);
    if (!cnnfi_build_ok(b)) return;
    training_branch(call, &n);
    if (n.x.rank == 4 && n.axis == 3) {
        if (!n.center) n.beta = zeros_like(b, n.mean);
        if (!n.scale) n.gamma = filled(b, "ones_like", b->tf1 ? "Shape" : "Shape/shape_as_tensor", n.mean, 1);
        cnnfi_layer_return_masked(call, fused(b, &n, "NHWC"));
        return;
    }
    if (n.axis != n.x.rank - 1) {
        broadcast(b, &n, &n.mean);
        broadcast(b, &n, &n.variance);
        if (n.center) broadcast(b, &n, &n.beta);
        if (n.scale) broadcast(b, &n, &n.gamma);
    }
    cnnfi_layer_return_masked(call, cnnfi_build_batchnorm(b, &n));
}

/* ---- tf.keras ---- */

static cnnfi_keras_tensor fused_tf(cnnfi_keras_builder *b, cnnfi_keras_norm *n, const char *data_format)
{
    n->beta = n->center ? n->beta : cnnfi_build_splat(b, "Const", 1, n->mean.dims, 0);
    n->gamma = n->scale ? n->gamma : cnnfi_build_splat(b, "Const", 1, n->mean.dims, 1);
    if (n->scale) n->gamma = cnnfi_build_read(b, n->gamma);
    if (n->center) n->beta = cnnfi_build_read(b, n->beta);
    return fused(b, n, data_format);
}

static void batch_norm_tf(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_norm n = read_norm(call);
    if (!cnnfi_build_ok(b)) return;
    int32_t last = n.x.rank - 1;
    if ((n.x.rank == 4 || n.x.rank == 5) && (n.axis == last || n.axis == 1)) {
        static const char *const formats[2][2] = {{"NHWC", "NCHW"}, {"NDHWC", "NCDHW"}};
        cnnfi_layer_return_masked(call, fused_tf(b, &n, formats[n.x.rank == 5][n.axis != last]));
        return;
    }
    if (n.axis != last) {
        if (n.scale) broadcast(b, &n, &n.gamma);
        if (n.center) broadcast(b, &n, &n.beta);
        broadcast(b, &n, &n.mean);
        broadcast(b, &n, &n.variance);
    }
    cnnfi_layer_return_masked(call, cnnfi_build_batchnorm(b, &n));
}

static const cnnfi_keras_row rows[] = {
    {"BatchNormalization", "axis epsilon center scale", "gamma beta moving_mean moving_variance", CNNFI_KERAS_VERIFIED,
     2, 8, 1, 1, batch_norm_build, batch_norm, batch_norm_tf},
};

const cnnfi_keras_family cnnfi_keras_normalization = {"Normalization", rows, sizeof rows / sizeof rows[0]};
