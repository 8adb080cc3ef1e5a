/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/advanced_activations.py */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static cnnfi_kt relu(cnnfi_kb *b, cnnfi_kt x)
{
    return cnnfi_kb_unary(b, "Relu", "Relu", x);
}

static bool has(const cnnfi_kc *kc, const char *key)
{
    const cnnfi_json *value = cnnfi_json_get(kc->config, key);
    return value && !cnnfi_json_is_null(value);
}

static void leaky_relu(cnnfi_kc *kc)
{
    double alpha = cnnfi_kc_float(kc, has(kc, "negative_slope") ? "negative_slope" : "alpha", 0.3);
    cnnfi_kt x = kc->inputs[0];
    cnnfi_kc_return_masked(kc, alpha != 0 ? cnnfi_kb_leaky_relu(kc->b, x, alpha) : relu(kc->b, x));
}

static void prelu_build(cnnfi_kc *kc)
{
    const cnnfi_json *shared = cnnfi_json_get(kc->config, "shared_axes");
    int32_t rank = kc->inputs[0].rank;
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 1; i < rank; i++)
        dims[i - 1] = kc->inputs[0].dims[i];
    for (size_t i = 0; i < cnnfi_json_size(shared); i++) {
        int32_t axis = cnnfi_kc_axis(kc, cnnfi_json_int(cnnfi_json_at(shared, i), 0), rank);
        if (axis > 0) dims[axis - 1] = 1;
    }
    (void)cnnfi_kc_weight(kc, "alpha", rank - 1, dims, CNNFI_KINIT_ZEROS, true);
}

/* relu(x) - alpha * relu(-x) */
static void prelu(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = kc->inputs[0], positive = relu(b, x);
    cnnfi_kt minus = cnnfi_kb_unary(b, "Neg", "Neg", cnnfi_kb_read(b, cnnfi_kc_variable(kc, 0)));
    cnnfi_kt negative = relu(b, cnnfi_kb_unary(b, "Neg", "Neg", x));
    cnnfi_kt y = cnnfi_kb_binary(b, "AddV2", "add", positive, cnnfi_kb_binary(b, "Mul", "mul", minus, negative));
    cnnfi_kc_return_masked(kc, cnnfi_kt_shaped(y, x.rank, x.dims));
}

static void elu(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    double alpha = cnnfi_kc_float(kc, "alpha", 1);
    cnnfi_kt x = kc->inputs[0], y = cnnfi_kb_unary(b, "Elu", "Elu", x);
    if (alpha != 1) {
        cnnfi_kt positive = cnnfi_kb_binary_const(b, "Greater", "Greater", x, 0);
        y = cnnfi_kb_where(b, positive, y, cnnfi_kb_const_binary(b, "Mul", "mul", alpha, y));
    }
    cnnfi_kc_return_masked(kc, y);
}

/* x where x > theta, else 0 */
static cnnfi_kt above(cnnfi_kb *b, cnnfi_kt x, double theta)
{
    cnnfi_kt keep = cnnfi_kb_cast(b, "Cast", cnnfi_kb_binary_const(b, "Greater", "Greater", x, theta), x.dtype);
    return cnnfi_kb_binary(b, "Mul", "mul", x, keep);
}

static void thresholded_relu(cnnfi_kc *kc)
{
    cnnfi_kc_return_masked(kc, above(kc->b, kc->inputs[0], cnnfi_kc_float(kc, "theta", 1)));
}

/* K.relu() with all its options */
static void relu_layer(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    double slope = cnnfi_kc_float(kc, "negative_slope", 0), threshold = cnnfi_kc_float(kc, "threshold", 0);
    double top = cnnfi_kc_float(kc, "max_value", 0);
    bool clip = has(kc, "max_value");
    cnnfi_kt x = kc->inputs[0], negative = x, y;
    if (slope != 0 && !clip && threshold == 0) {
        cnnfi_kc_return_masked(kc, cnnfi_kb_leaky_relu(b, x, slope));
        return;
    }
    if (slope != 0) {
        negative = cnnfi_kb_unary(b, "Neg", "Neg", x);
        if (threshold != 0) negative = cnnfi_kb_binary_const(b, "AddV2", "add", negative, threshold);
        negative = relu(b, negative);
    }
    bool six = threshold == 0 && clip && top == 6;
    y = threshold != 0 ? above(b, x, threshold) : six ? cnnfi_kb_unary(b, "Relu6", "Relu6", x) : relu(b, x);
    if (clip && !six) {
        cnnfi_kt high = cnnfi_kb_scalar(b, "Const", y.dtype, top), low = cnnfi_kb_scalar(b, "Const", y.dtype, 0);
        y = cnnfi_kb_clip_tensors(b, y, low, high);
    }
    if (slope != 0) {
        cnnfi_kt alpha = cnnfi_kb_scalar(b, "Const", y.dtype, slope);
        y = cnnfi_kb_binary(b, "Sub", "sub", y, cnnfi_kb_binary(b, "Mul", "mul", alpha, negative));
    }
    cnnfi_kc_return_masked(kc, y);
}

/* ---- Softmax ---- */

static void softmax(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = kc->inputs[0];
    int64_t axis = cnnfi_kc_int(kc, "axis", -1);
    (void)cnnfi_kc_axis(kc, axis, x.rank);
    if (!cnnfi_kb_ok(b)) return;
    if (x.rank == 2)
        cnnfi_kc_return_masked(kc, cnnfi_kb_unary(b, "Softmax", "Softmax", x));
    else
        cnnfi_kc_return_masked(kc, cnnfi_kb_softmax_by_hand(b, x, (int32_t)axis));
}

static cnnfi_kt range(cnnfi_kb *b, cnnfi_kt start, cnnfi_kt limit, int32_t count)
{
    cnnfi_kt y, inputs[3] = {start, limit, cnnfi_kb_int(b, "delta", 1)};
    cnnf_node *node = cnnfi_kb_node(b, &y, "Range", "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    return cnnfi_kt_shaped(y, 1, (const int64_t[]){count});
}

/* transpose(x, concat([range(axis), [last], range(axis + 1, last), [axis]])), as nn_ops._softmax does it */
static cnnfi_kt swap_axis(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt rank, int32_t axis)
{
    cnnfi_kt last = cnnfi_kb_binary_const(b, "Sub", "Sub", rank, 1), y, perm;
    const char *saved = cnnfi_kb_push(b, "range");
    cnnfi_kt start = cnnfi_kb_int(b, "start", 0), before = range(b, start, cnnfi_kb_int(b, "limit", axis), axis);
    cnnfi_kb_pop(b, saved);
    (void)cnnfi_kb_push(b, "range");
    cnnfi_kt after = range(b, cnnfi_kb_int(b, "start", axis + 1), last, x.rank - axis - 2);
    cnnfi_kb_pop(b, saved);
    (void)cnnfi_kb_push(b, "concat");
    cnnfi_kt packed = cnnfi_kb_pack(b, "values_1", 1, &last);
    cnnfi_kt self = cnnfi_kb_ints(b, "values_3", 1, &axis);
    cnnfi_kt parts[5] = {before, packed, after, self, cnnfi_kb_int(b, "axis", 0)};
    cnnf_node *node = cnnfi_kb_node_t(b, &perm, "ConcatV2", "", 5, parts);
    cnnfi_node_set_int(b->graph, node, "N", 4);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    cnnfi_kt inputs[2] = {x, cnnfi_kt_shaped(perm, 1, (const int64_t[]){x.rank})};
    node = cnnfi_kb_node_t(b, &y, "Transpose", "transpose", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tperm", CNNF_INT32);
    y.dims[axis] = x.dims[x.rank - 1];
    y.dims[x.rank - 1] = x.dims[axis];
    return y;
}

/* tf.keras: axis may be a list of one */
static int32_t softmax_axis(cnnfi_kc *kc)
{
    const cnnfi_json *axis = cnnfi_json_get(kc->config, "axis");
    if (cnnfi_json_is_array(axis)) {
        if (cnnfi_json_size(axis) != 1) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "softmax over several axes");
        axis = cnnfi_json_at(axis, 0);
    }
    return cnnfi_kc_axis(kc, cnnfi_json_int(axis, -1), kc->inputs[0].rank);
}

/* What is masked is made very negative: added to in tf.keras, replaced in Keras 3. */
static cnnfi_kt without_masked(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt mask)
{
    if (b->keras3) {
        cnnfi_kt low = cnnfi_kb_scalar(b, "Const", x.dtype, x.dtype == CNNF_HALF ? -3e4 : -1e9);
        return cnnfi_kt_shaped(cnnfi_kb_where(b, mask, x, low), x.rank, x.dims);
    }
    cnnfi_kt hidden = cnnfi_kb_const_binary(b, "Sub", "sub", 1, cnnfi_kb_cast(b, "Cast", mask, x.dtype));
    cnnfi_kt adder = cnnfi_kb_binary_const(b, "Mul", "mul", hidden, x.dtype == CNNF_HALF ? -65504. / 2 : -1e9);
    return cnnfi_kb_binary(b, "AddV2", "add", x, adder);
}

static void softmax_tf(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = kc->inputs[0];
    int32_t axis = softmax_axis(kc);
    if (!cnnfi_kb_ok(b)) return;
    if (x.mask) x = without_masked(b, x, *x.mask);
    if (axis == x.rank - 1) {
        cnnfi_kc_return_masked(kc, cnnfi_kb_unary(b, "Softmax", "Softmax", x));
        return;
    }
    cnnfi_kb_reserve(b, "Rank");
    cnnfi_kt rank = cnnfi_kb_int(b, "Rank", x.rank);
    cnnfi_kt y = cnnfi_kb_unary(b, "Softmax", "Softmax", swap_axis(b, x, rank, axis));
    cnnfi_kc_return_masked(kc, swap_axis(b, y, rank, axis));
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
