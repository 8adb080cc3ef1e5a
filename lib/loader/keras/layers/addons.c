/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of add-on packages that many models carry, by what those packages compute: keras_contrib's
 * InstanceNormalization, the L2Normalization of the SSD implementations. (Those of TensorFlow Addons are aliases:
 * keras_legacy.c.) */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/layers.h"

/* ---- keras_contrib.layers.InstanceNormalization: (x - mean) / (std + epsilon) ---- */

/* The channels' axis; -1: one gamma and beta for all. */
static int32_t instance_axis(cnnfi_layer_call *call)
{
    const cnnfi_json *axis = cnnfi_json_get(call->config, "axis");
    return axis && cnnfi_json_is_int(axis) ? cnnfi_layer_axis(call, cnnfi_json_int(axis, -1), call->inputs[0].rank)
                                           : -1;
}

static void instance_norm_build(cnnfi_layer_call *call)
{
    const int32_t axis = instance_axis(call);
    if (!cnnfi_build_ok(call->b)) return;
    const int64_t channels = axis < 0 ? 1 : call->inputs[0].dims[axis];
    if (axis == 0) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "axis 0 is the batch");
    if (cnnfi_layer_bool(call, "scale", true))
        (void)cnnfi_layer_weight(call, "gamma", 1, &channels, CNNFI_KERAS_INIT_ONES, true);
    if (cnnfi_layer_bool(call, "center", true))
        (void)cnnfi_layer_weight(call, "beta", 1, &channels, CNNFI_KERAS_INIT_ZEROS, true);
}

/* gamma or beta in the rank of x. */
static cnnfi_keras_tensor parameter(cnnfi_layer_call *call, size_t index, int32_t axis)
{
    const cnnfi_keras_tensor *x = &call->inputs[0];
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x->rank; i++)
        dims[i] = i == axis ? x->dims[i] : 1;
    return cnnfi_build_reshape(call->b, "Reshape", cnnfi_layer_variable(call, index), x->rank, dims);
}

static void instance_norm(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    const cnnfi_keras_tensor x = call->inputs[0];
    const int32_t axis = instance_axis(call);
    const bool scale = cnnfi_layer_bool(call, "scale", true), center = cnnfi_layer_bool(call, "center", true);
    int32_t axes[CNNFI_KERAS_MAX_RANK];
    size_t n = 0;
    for (int32_t i = 1; i < x.rank; i++) {
        if (i != axis) axes[n++] = i;
    }
    const cnnfi_keras_tensor mean = cnnfi_build_reduce(b, "Mean", "Mean", x, n, axes, true);
    const cnnfi_keras_tensor centred = cnnfi_build_binary(b, "Sub", "sub", x, mean);
    const cnnfi_keras_tensor squares = cnnfi_build_unary(b, "Square", "Square", centred);
    const cnnfi_keras_tensor variance = cnnfi_build_reduce(b, "Mean", "Mean", squares, n, axes, true);
    const cnnfi_keras_tensor deviation = cnnfi_build_binary_const(
        b, "AddV2", "add", cnnfi_build_unary(b, "Sqrt", "Sqrt", variance), cnnfi_layer_float(call, "epsilon", 1e-3));
    cnnfi_keras_tensor y = cnnfi_build_binary(b, "RealDiv", "truediv", centred, deviation);
    if (scale) y = cnnfi_build_binary(b, "Mul", "mul", y, parameter(call, 0, axis));
    if (center) y = cnnfi_build_binary(b, "AddV2", "add", y, parameter(call, scale ? 1 : 0, axis));
    cnnfi_layer_return_masked(call, cnnfi_keras_tensor_shaped(y, x.rank, x.dims));
}

/* ---- L2Normalization of ssd_keras: l2_normalize(x, channels) * gamma ---- */

static void l2_norm_build(cnnfi_layer_call *call)
{
    (void)cnnfi_layer_weight(call, "gamma", 1, &call->inputs[0].dims[3], CNNFI_KERAS_INIT_ONES, true);
}

static void l2_norm(cnnfi_layer_call *call)
{
    static const int32_t channels = 3;
    cnnfi_keras_builder *b = call->b;
    const cnnfi_keras_tensor x = call->inputs[0];
    const char *saved = cnnfi_build_push(b, "l2_normalize");
    cnnfi_keras_tensor sum =
        cnnfi_build_reduce(b, "Sum", "Sum", cnnfi_build_unary(b, "Square", "Square", x), 1, &channels, true);
    sum = cnnfi_build_binary_const(b, "Maximum", "Maximum", sum, 1e-12);
    const cnnfi_keras_tensor unit = cnnfi_build_binary(b, "Mul", "", x, cnnfi_build_unary(b, "Rsqrt", "Rsqrt", sum));
    cnnfi_build_pop(b, saved);
    const cnnfi_keras_tensor y = cnnfi_build_binary(b, "Mul", "mul", unit, cnnfi_layer_variable(call, 0));
    cnnfi_layer_return_masked(call, cnnfi_keras_tensor_shaped(y, x.rank, x.dims));
}

#define VERIFIED "tf.keras 2.15, with the package's own class"

static const cnnfi_keras_row rows[] = {
    {"InstanceNormalization", "axis epsilon center scale", "gamma beta", VERIFIED, 3, 8, 1, 1, instance_norm_build,
     instance_norm, NULL},
    {"L2Normalization", "", "gamma", VERIFIED, 4, 4, 1, 1, l2_norm_build, l2_norm, NULL},
};

const cnnfi_keras_family cnnfi_keras_addons = {"Add-on packages", rows, sizeof rows / sizeof rows[0]};
