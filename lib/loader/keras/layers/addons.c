/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of add-on packages that many models carry, by what those packages compute: keras_contrib's
 * InstanceNormalization, the L2Normalization of the SSD implementations. (Those of TensorFlow Addons are aliases:
 * keras_legacy.c.) */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/layers.h"

/* ---- keras_contrib.layers.InstanceNormalization: (x - mean) / (std + epsilon) ---- */

/* The channels' axis; -1: one gamma and beta for all. */
static int32_t instance_axis(cnnfi_kc *kc)
{
    const cnnfi_json *axis = cnnfi_json_get(kc->config, "axis");
    return axis && cnnfi_json_is_int(axis) ? cnnfi_kc_axis(kc, cnnfi_json_int(axis, -1), kc->inputs[0].rank) : -1;
}

static void instance_norm_build(cnnfi_kc *kc)
{
    const int32_t axis = instance_axis(kc);
    if (!cnnfi_kb_ok(kc->b)) return;
    const int64_t channels = axis < 0 ? 1 : kc->inputs[0].dims[axis];
    if (axis == 0) cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "axis 0 is the batch");
    if (cnnfi_kc_bool(kc, "scale", true)) (void)cnnfi_kc_weight(kc, "gamma", 1, &channels, CNNFI_KINIT_ONES, true);
    if (cnnfi_kc_bool(kc, "center", true)) (void)cnnfi_kc_weight(kc, "beta", 1, &channels, CNNFI_KINIT_ZEROS, true);
}

/* gamma or beta in the rank of x. */
static cnnfi_kt parameter(cnnfi_kc *kc, size_t index, int32_t axis)
{
    const cnnfi_kt *x = &kc->inputs[0];
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x->rank; i++)
        dims[i] = i == axis ? x->dims[i] : 1;
    return cnnfi_kb_reshape(kc->b, "Reshape", cnnfi_kc_variable(kc, index), x->rank, dims);
}

static void instance_norm(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    const cnnfi_kt x = kc->inputs[0];
    const int32_t axis = instance_axis(kc);
    const bool scale = cnnfi_kc_bool(kc, "scale", true), center = cnnfi_kc_bool(kc, "center", true);
    int32_t axes[CNNFI_KERAS_MAX_RANK];
    size_t n = 0;
    for (int32_t i = 1; i < x.rank; i++) {
        if (i != axis) axes[n++] = i;
    }
    const cnnfi_kt mean = cnnfi_kb_reduce(b, "Mean", "Mean", x, n, axes, true);
    const cnnfi_kt centred = cnnfi_kb_binary(b, "Sub", "sub", x, mean);
    const cnnfi_kt squares = cnnfi_kb_unary(b, "Square", "Square", centred);
    const cnnfi_kt variance = cnnfi_kb_reduce(b, "Mean", "Mean", squares, n, axes, true);
    const cnnfi_kt deviation = cnnfi_kb_binary_const(b, "AddV2", "add", cnnfi_kb_unary(b, "Sqrt", "Sqrt", variance),
                                                     cnnfi_kc_float(kc, "epsilon", 1e-3));
    cnnfi_kt y = cnnfi_kb_binary(b, "RealDiv", "truediv", centred, deviation);
    if (scale) y = cnnfi_kb_binary(b, "Mul", "mul", y, parameter(kc, 0, axis));
    if (center) y = cnnfi_kb_binary(b, "AddV2", "add", y, parameter(kc, scale ? 1 : 0, axis));
    cnnfi_kc_return_masked(kc, cnnfi_kt_shaped(y, x.rank, x.dims));
}

/* ---- L2Normalization of ssd_keras: l2_normalize(x, channels) * gamma ---- */

static void l2_norm_build(cnnfi_kc *kc)
{
    (void)cnnfi_kc_weight(kc, "gamma", 1, &kc->inputs[0].dims[3], CNNFI_KINIT_ONES, true);
}

static void l2_norm(cnnfi_kc *kc)
{
    static const int32_t channels = 3;
    cnnfi_kb *b = kc->b;
    const cnnfi_kt x = kc->inputs[0];
    const char *saved = cnnfi_kb_push(b, "l2_normalize");
    cnnfi_kt sum = cnnfi_kb_reduce(b, "Sum", "Sum", cnnfi_kb_unary(b, "Square", "Square", x), 1, &channels, true);
    sum = cnnfi_kb_binary_const(b, "Maximum", "Maximum", sum, 1e-12);
    const cnnfi_kt unit = cnnfi_kb_binary(b, "Mul", "", x, cnnfi_kb_unary(b, "Rsqrt", "Rsqrt", sum));
    cnnfi_kb_pop(b, saved);
    const cnnfi_kt y = cnnfi_kb_binary(b, "Mul", "mul", unit, cnnfi_kc_variable(kc, 0));
    cnnfi_kc_return_masked(kc, cnnfi_kt_shaped(y, x.rank, x.dims));
}

#define VERIFIED "tf.keras 2.15, with the package's own class"

static const cnnfi_keras_row rows[] = {
    {"InstanceNormalization", "axis epsilon center scale", "gamma beta", VERIFIED, 3, 8, 1, 1, instance_norm_build,
     instance_norm, NULL},
    {"L2Normalization", "", "gamma", VERIFIED, 4, 4, 1, 1, l2_norm_build, l2_norm, NULL},
};

const cnnfi_keras_family cnnfi_keras_addons = {"Add-on packages", rows, sizeof rows / sizeof rows[0]};
