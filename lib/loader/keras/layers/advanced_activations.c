/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/advanced_activations.py */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static cnnfi_keras_tensor relu(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_unary(b, "Relu", "Relu", x);
}

static bool has(const cnnfi_layer_call *call, const char *key)
{
    const cnnfi_json *value = cnnfi_json_get(call->config, key);
    return value && !cnnfi_json_is_null(value);
}

static void leaky_relu(cnnfi_layer_call *call)
{
    double alpha = cnnfi_layer_float(call, has(call, "negative_slope") ? "negative_slope" : "alpha", 0.3);
    cnnfi_keras_tensor x = call->inputs[0];
    cnnfi_layer_return_masked(call, alpha != 0 ? cnnfi_build_leaky_relu(call->b, x, alpha) : relu(call->b, x));
}

static void prelu_build(cnnfi_layer_call *call)
{
    const cnnfi_json *shared = cnnfi_json_get(call->config, "shared_axes");
    int32_t rank = call->inputs[0].rank;
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 1; i < rank; i++)
        dims[i - 1] = call->inputs[0].dims[i];
    for (size_t i = 0; i < cnnfi_json_size(shared); i++) {
        int32_t axis = cnnfi_layer_axis(call, cnnfi_json_int(cnnfi_json_at(shared, i), 0), rank);
        if (axis > 0) dims[axis - 1] = 1;
    }
    (void)cnnfi_layer_weight(call, "alpha", rank - 1, dims, CNNFI_KERAS_INIT_ZEROS, true);
}

/* relu(x) - alpha * relu(-x) */
static void prelu(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], positive = relu(b, x);
    cnnfi_keras_tensor minus = cnnfi_build_unary(b, "Neg", "Neg", cnnfi_build_read(b, cnnfi_layer_variable(call, 0)));
    cnnfi_keras_tensor negative = relu(b, cnnfi_build_unary(b, "Neg", "Neg", x));
    cnnfi_keras_tensor y =
        cnnfi_build_binary(b, "AddV2", "add", positive, cnnfi_build_binary(b, "Mul", "mul", minus, negative));
    cnnfi_layer_return_masked(call, cnnfi_keras_tensor_shaped(y, x.rank, x.dims));
}

static void elu(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    double alpha = cnnfi_layer_float(call, "alpha", 1);
    cnnfi_keras_tensor x = call->inputs[0], y = cnnfi_build_unary(b, "Elu", "Elu", x);
    if (alpha != 1) {
        cnnfi_keras_tensor positive = cnnfi_build_binary_const(b, "Greater", "Greater", x, 0);
        y = cnnfi_build_where(b, positive, y, cnnfi_build_const_binary(b, "Mul", "mul", alpha, y));
    }
    cnnfi_layer_return_masked(call, y);
}

/* x where x > theta, else 0 */
static cnnfi_keras_tensor above(cnnfi_keras_builder *b, cnnfi_keras_tensor x, double theta)
{
    cnnfi_keras_tensor keep =
        cnnfi_build_cast(b, "Cast", cnnfi_build_binary_const(b, "Greater", "Greater", x, theta), x.dtype);
    return cnnfi_build_binary(b, "Mul", "mul", x, keep);
}

static void thresholded_relu(cnnfi_layer_call *call)
{
    cnnfi_layer_return_masked(call, above(call->b, call->inputs[0], cnnfi_layer_float(call, "theta", 1)));
}

/* K.relu() with all its options */
static void relu_layer(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    double slope = cnnfi_layer_float(call, "negative_slope", 0), threshold = cnnfi_layer_float(call, "threshold", 0);
    double top = cnnfi_layer_float(call, "max_value", 0);
    bool clip = has(call, "max_value");
    cnnfi_keras_tensor x = call->inputs[0], negative = x, y;
    if (slope != 0 && !clip && threshold == 0) {
        cnnfi_layer_return_masked(call, cnnfi_build_leaky_relu(b, x, slope));
        return;
    }
    if (slope != 0) {
        negative = cnnfi_build_unary(b, "Neg", "Neg", x);
        if (threshold != 0) negative = cnnfi_build_binary_const(b, "AddV2", "add", negative, threshold);
        negative = relu(b, negative);
    }
    bool six = threshold == 0 && clip && top == 6;
    y = threshold != 0 ? above(b, x, threshold) : six ? cnnfi_build_unary(b, "Relu6", "Relu6", x) : relu(b, x);
    if (clip && !six) {
        cnnfi_keras_tensor high = cnnfi_build_scalar(b, "Const", y.dtype, top),
                           low = cnnfi_build_scalar(b, "Const", y.dtype, 0);
        y = cnnfi_build_clip_tensors(b, y, low, high);
    }
    if (slope != 0) {
        cnnfi_keras_tensor alpha = cnnfi_build_scalar(b, "Const", y.dtype, slope);
        y = cnnfi_build_binary(b, "Sub", "sub", y, cnnfi_build_binary(b, "Mul", "mul", alpha, negative));
    }
    cnnfi_layer_return_masked(call, y);
}

/* ---- Softmax ---- */

static void softmax(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0];
    int64_t axis = cnnfi_layer_int(call, "axis", -1);
    (void)cnnfi_layer_axis(call, axis, x.rank);
    if (!cnnfi_build_ok(b)) return;
    if (x.rank == 2)
        cnnfi_layer_return_masked(call, cnnfi_build_unary(b, "Softmax", "Softmax", x));
    else
        cnnfi_layer_return_masked(call, cnnfi_build_softmax_by_hand(b, x, (int32_t)axis));
}

static cnnfi_keras_tensor range(cnnfi_keras_builder *b, cnnfi_keras_tensor start, cnnfi_keras_tensor limit,
                                int32_t count)
{
    cnnfi_keras_tensor y, inputs[3] = {start, limit, cnnfi_build_int(b, "delta", 1)};
    cnnf_node *node = cnnfi_build_node(b, &y, "Range", "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    return cnnfi_keras_tensor_shaped(y, 1, (const int64_t[]){count});
}

/* transpose(x, concat([range(axis), [last], range(axis + 1, last), [axis]])), as nn_ops._softmax does it */
static cnnfi_keras_tensor swap_axis(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor rank, int32_t axis)
{
    cnnfi_keras_tensor last = cnnfi_build_binary_const(b, "Sub", "Sub", rank, 1), y, perm;
    const char *saved = cnnfi_build_push(b, "range");
    cnnfi_keras_tensor start = cnnfi_build_int(b, "start", 0),
                       before = range(b, start, cnnfi_build_int(b, "limit", axis), axis);
    cnnfi_build_pop(b, saved);
    (void)cnnfi_build_push(b, "range");
    cnnfi_keras_tensor after = range(b, cnnfi_build_int(b, "start", axis + 1), last, x.rank - axis - 2);
    cnnfi_build_pop(b, saved);
    (void)cnnfi_build_push(b, "concat");
    cnnfi_keras_tensor packed = cnnfi_build_pack(b, "values_1", 1, &last);
    cnnfi_keras_tensor self = cnnfi_build_ints(b, "values_3", 1, &axis);
    cnnfi_keras_tensor parts[5] = {before, packed, after, self, cnnfi_build_int(b, "axis", 0)};
    cnnf_node *node = cnnfi_build_node_t(b, &perm, "ConcatV2", "", 5, parts);
    cnnfi_node_set_int(b->graph, node, "N", 4);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    cnnfi_keras_tensor inputs[2] = {x, cnnfi_keras_tensor_shaped(perm, 1, (const int64_t[]){x.rank})};
    node = cnnfi_build_node_t(b, &y, "Transpose", "transpose", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tperm", CNNF_INT32);
    y.dims[axis] = x.dims[x.rank - 1];
    y.dims[x.rank - 1] = x.dims[axis];
    return y;
}

/* tf.keras: axis may be a list of one */
static int32_t softmax_axis(cnnfi_layer_call *call)
{
    const cnnfi_json *axis = cnnfi_json_get(call->config, "axis");
    if (cnnfi_json_is_array(axis)) {
        if (cnnfi_json_size(axis) != 1) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "softmax over several axes");
        axis = cnnfi_json_at(axis, 0);
    }
    return cnnfi_layer_axis(call, cnnfi_json_int(axis, -1), call->inputs[0].rank);
}

/* What is masked is made very negative: added to in tf.keras, replaced in Keras 3. */
static cnnfi_keras_tensor without_masked(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor mask)
{
    if (b->keras3) {
        cnnfi_keras_tensor low = cnnfi_build_scalar(b, "Const", x.dtype, x.dtype == CNNF_HALF ? -3e4 : -1e9);
        return cnnfi_keras_tensor_shaped(cnnfi_build_where(b, mask, x, low), x.rank, x.dims);
    }
    cnnfi_keras_tensor hidden =
        cnnfi_build_const_binary(b, "Sub", "sub", 1, cnnfi_build_cast(b, "Cast", mask, x.dtype));
    cnnfi_keras_tensor adder =
        cnnfi_build_binary_const(b, "Mul", "mul", hidden, x.dtype == CNNF_HALF ? -65504. / 2 : -1e9);
    return cnnfi_build_binary(b, "AddV2", "add", x, adder);
}

static void softmax_tf(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0];
    int32_t axis = softmax_axis(call);
    if (!cnnfi_build_ok(b)) return;
    if (x.mask) x = without_masked(b, x, *x.mask);
    if (axis == x.rank - 1) {
        cnnfi_layer_return_masked(call, cnnfi_build_unary(b, "Softmax", "Softmax", x));
        return;
    }
    cnnfi_build_reserve(b, "Rank");
    cnnfi_keras_tensor rank = cnnfi_build_int(b, "Rank", x.rank);
    cnnfi_keras_tensor y = cnnfi_build_unary(b, "Softmax", "Softmax", swap_axis(b, x, rank, axis));
    cnnfi_layer_return_masked(call, swap_axis(b, y, rank, axis));
}

#define PLAIN(class, fields, verified, call)                                                                           \
    {                                                                                                                  \
        class, fields, "", verified, 1, 8, 1, 1, NULL, call, NULL                                                      \
    }

static const cnnfi_keras_row rows[] = {
    PLAIN("ELU", "alpha", CNNFI_KERAS_VERIFIED, elu),
    PLAIN("LeakyReLU", "alpha negative_slope", CNNFI_KERAS_VERIFIED, leaky_relu),
    {"PReLU", "shared_axes", "alpha", CNNFI_KERAS_VERIFIED, 2, 8, 1, 1, prelu_build, prelu, NULL},
    PLAIN("ReLU", "max_value negative_slope threshold", CNNFI_KERAS_VERIFIED, relu_layer),
    {"Softmax", "axis", "", CNNFI_KERAS_VERIFIED, 2, 8, 1, 1, NULL, softmax, softmax_tf},
    PLAIN("ThresholdedReLU", "theta", "2.2.5, tf.keras 2.15", thresholded_relu),
};

const cnnfi_keras_family cnnfi_keras_advanced_activations = {"Advanced activations", rows,
                                                             sizeof rows / sizeof rows[0]};
