/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/normalization.py: batch normalisation by its moving statistics. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static int32_t batch_axis(cnnfi_kc *kc)
{
    const cnnfi_json *axis = cnnfi_json_get(kc->config, "axis");
    /* tf.keras writes axis as [3] */
    if (cnnfi_json_is_array(axis)) axis = cnnfi_json_size(axis) == 1 ? cnnfi_json_at(axis, 0) : NULL;
    return cnnfi_kc_axis(kc, cnnfi_json_int(axis, -1), kc->inputs[0].rank);
}

static void batch_norm_build(cnnfi_kc *kc)
{
    int64_t channels = kc->inputs[0].dims[batch_axis(kc)];
    if (!cnnfi_kb_ok(kc->b)) return;
    if (cnnfi_kc_bool(kc, "scale", true)) (void)cnnfi_kc_weight(kc, "gamma", 1, &channels, CNNFI_KINIT_ONES, true);
    if (cnnfi_kc_bool(kc, "center", true)) (void)cnnfi_kc_weight(kc, "beta", 1, &channels, CNNFI_KINIT_ZEROS, true);
    (void)cnnfi_kc_weight(kc, "moving_mean", 1, &channels, CNNFI_KINIT_ZEROS, false);
    (void)cnnfi_kc_weight(kc, "moving_variance", 1, &channels, CNNFI_KINIT_ONES, false);
}

static cnnfi_knorm read_norm(cnnfi_kc *kc)
{
    size_t next = 0;
    cnnfi_knorm n = {.x = kc->inputs[0],
                     .axis = batch_axis(kc),
                     .scale = cnnfi_kc_bool(kc, "scale", true),
                     .center = cnnfi_kc_bool(kc, "center", true),
                     .epsilon = cnnfi_kc_float(kc, "epsilon", 1e-3)};
    if (n.scale) n.gamma = cnnfi_kc_variable(kc, next++);
    if (n.center) n.beta = cnnfi_kc_variable(kc, next++);
    n.mean = cnnfi_kc_variable(kc, next++);
    n.variance = cnnfi_kc_variable(kc, next);
    return n;
}

cnnfi_kt cnnfi_kb_batchnorm(cnnfi_kb *b, const cnnfi_knorm *n)
{
    const char *saved = cnnfi_kb_push(b, "batchnorm");
    cnnfi_kt inverse =
        cnnfi_kb_unary(b, "Rsqrt", "Rsqrt", cnnfi_kb_binary_const(b, "AddV2", "add", n->variance, n->epsilon));
    if (n->scale) inverse = cnnfi_kb_binary(b, "Mul", "mul", inverse, n->gamma);
    cnnfi_kt scaled = cnnfi_kb_binary(b, "Mul", "mul", n->x, inverse), shift;
    if (n->center) {
        cnnfi_kt moved = cnnfi_kb_binary(b, "Mul", "mul", n->mean, inverse);
        shift = cnnfi_kb_binary(b, "Sub", "sub", n->beta, moved);
    } else {
        cnnfi_kt minus = cnnfi_kb_unary(b, "Neg", "Neg", cnnfi_kb_read(b, n->mean));
        shift = cnnfi_kb_binary(b, "Mul", "mul", minus, inverse);
    }
    cnnfi_kt y = cnnfi_kb_binary(b, "AddV2", "add", scaled, shift);
    cnnfi_kb_pop(b, saved);
    return y;
}

static cnnfi_kt fused(cnnfi_kb *b, const cnnfi_knorm *n, const char *data_format)
{
    cnnfi_kt y, inputs[5] = {n->x, n->gamma, n->beta, n->mean, n->variance};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, "FusedBatchNormV3", "FusedBatchNormV3", 5, inputs);
    cnnfi_node_set_type(b->graph, node, "U", CNNF_FLOAT);
    cnnfi_node_set_float(b->graph, node, "epsilon", (float)n->epsilon);
    cnnfi_node_set_string(b->graph, node, "data_format", data_format);
    cnnfi_node_set_bool(b->graph, node, "is_training", false);
    return y;
}

static void broadcast(cnnfi_kb *b, const cnnfi_knorm *n, cnnfi_kt *parameter)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < n->x.rank; i++)
        dims[i] = i == n->axis ? n->x.dims[i] : 1;
    *parameter = cnnfi_kb_reshape(b, "Reshape", *parameter, n->x.rank, dims);
}

/* ---- multi-backend Keras ---- */

/* tf.ones_like(), tf.zeros_like(): a Const below 1000 elements only for zeros */
static cnnfi_kt filled(cnnfi_kb *b, const char *name, const char *shape_name, cnnfi_kt like, double value)
{
    const char *saved = cnnfi_kb_push(b, name);
    int32_t size = (int32_t)like.dims[0];
    cnnfi_kt shape = cnnfi_kb_ints(b, shape_name, 1, &size), out;
    cnnfi_kt inputs[2] = {shape, cnnfi_kb_scalar(b, "Const", CNNF_FLOAT, value)};
    cnnf_node *node = cnnfi_kb_node(b, &out, "Fill", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b->graph, node, "index_type", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    out.dtype = CNNF_FLOAT;
    return cnnfi_kt_shaped(out, 1, like.dims);
}

static cnnfi_kt zeros_like(cnnfi_kb *b, cnnfi_kt like)
{
    if (like.dims[0] < 1000) return cnnfi_kb_splat(b, "zeros_like", 1, like.dims, 0);
    return filled(b, "zeros_like", "shape_as_tensor", like, 0);
}

/* moving_average_update() with zero_debias: load_model() makes these whatever the learning phase. */
static void zero_debias(cnnfi_kc *kc, size_t index)
{
    static const char *const names[] = {"biased", "local_step"};
    cnnfi_kb *b = kc->b;
    if (index >= kc->state->n_variables) return;
    cnnfi_kt of = kc->state->variables[index];
    const char *handle = kc->state->handles[index], *saved = b->scope;
    int32_t ghost = b->ghost;
    for (size_t i = 0; i < 2 && cnnfi_kb_ok(b); i++) {
        b->scope = handle;
        const char *name = cnnfi_kb_unique(b, names[i]);
        const char *initial = cnnfi_builder_printf(b->graph, "%s/Initializer/zeros", name);
        b->ghost = 0;
        if (initial) {
            (void)cnnfi_kb_variable(b, name, initial, CNNF_FLOAT, i == 0 ? of.rank : 0, of.dims, 0, NULL, handle,
                                    false);
        }
        b->ghost = ghost;
    }
    b->scope = saved;
}

/* The training branch, which inference does not use, comes first: it takes names and makes variables. */
static void training_branch(cnnfi_kc *kc, const cnnfi_knorm *n)
{
    cnnfi_kb *b = kc->b;
    bool is_fused = n->x.rank == 4 && n->axis == 3;
    if (is_fused) {
        cnnfi_kb_reserve(b, "FusedBatchNormV3");
    } else {
        cnnfi_kb_reserve(b, "moments");
        for (int32_t i = 0; n->axis != n->x.rank - 1 && i < 2 + (int32_t)n->scale + (int32_t)n->center; i++) {
            cnnfi_kb_reserve(b, "Reshape");
        }
        cnnfi_kb_reserve(b, "batchnorm");
    }
    zero_debias(kc, kc->state->n_variables - 2);
    zero_debias(kc, kc->state->n_variables - 1);
}

static void batch_norm(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_knorm n = read_norm(kc);
    if (!cnnfi_kb_ok(b)) return;
    training_branch(kc, &n);
    if (n.x.rank == 4 && n.axis == 3) {
        if (!n.center) n.beta = zeros_like(b, n.mean);
        if (!n.scale) n.gamma = filled(b, "ones_like", b->tf1 ? "Shape" : "Shape/shape_as_tensor", n.mean, 1);
        cnnfi_kc_return_masked(kc, fused(b, &n, "NHWC"));
        return;
    }
    if (n.axis != n.x.rank - 1) {
        broadcast(b, &n, &n.mean);
        broadcast(b, &n, &n.variance);
        if (n.center) broadcast(b, &n, &n.beta);
        if (n.scale) broadcast(b, &n, &n.gamma);
    }
    cnnfi_kc_return_masked(kc, cnnfi_kb_batchnorm(b, &n));
}

/* ---- tf.keras ---- */

static cnnfi_kt fused_tf(cnnfi_kb *b, cnnfi_knorm *n, const char *data_format)
{
    n->beta = n->center ? n->beta : cnnfi_kb_splat(b, "Const", 1, n->mean.dims, 0);
    n->gamma = n->scale ? n->gamma : cnnfi_kb_splat(b, "Const", 1, n->mean.dims, 1);
    if (n->scale) n->gamma = cnnfi_kb_read(b, n->gamma);
    if (n->center) n->beta = cnnfi_kb_read(b, n->beta);
    return fused(b, n, data_format);
}

static void batch_norm_tf(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_knorm n = read_norm(kc);
    if (!cnnfi_kb_ok(b)) return;
    int32_t last = n.x.rank - 1;
    if ((n.x.rank == 4 || n.x.rank == 5) && (n.axis == last || n.axis == 1)) {
        static const char *const formats[2][2] = {{"NHWC", "NCHW"}, {"NDHWC", "NCDHW"}};
        cnnfi_kc_return_masked(kc, fused_tf(b, &n, formats[n.x.rank == 5][n.axis != last]));
        return;
    }
    if (n.axis != last) {
        if (n.scale) broadcast(b, &n, &n.gamma);
        if (n.center) broadcast(b, &n, &n.beta);
        broadcast(b, &n, &n.mean);
        broadcast(b, &n, &n.variance);
    }
    cnnfi_kc_return_masked(kc, cnnfi_kb_batchnorm(b, &n));
}

static const cnnfi_keras_row rows[] = {
    {"BatchNormalization", "axis epsilon center scale", "gamma beta moving_mean moving_variance", CNNFI_KERAS_VERIFIED,
     2, 8, 1, 1, batch_norm_build, batch_norm, batch_norm_tf},
};

const cnnfi_keras_family cnnfi_keras_normalization = {"Normalization", rows, sizeof rows / sizeof rows[0]};
