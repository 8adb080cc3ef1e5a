/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/local.py: a convolution whose kernel is another one at each place (K.local_conv). */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/layers.h"

#define MAX_PLACES 65536

typedef struct local {
    int32_t n, at; /* dimensions, the first of them */
    bool first;    /* channels_first */
    int64_t kernel[2], strides[2], out[2], places, features, filters;
} local;

static bool read_local(cnnfi_layer_call *call, int32_t n, local *l)
{
    const cnnfi_keras_tensor *x = &call->inputs[0];
    *l = (local){.n = n, .first = cnnfi_layer_channels_first(call), .places = 1};
    l->at = l->first ? 2 : 1;
    l->filters = cnnfi_layer_positive(call, "filters");
    cnnfi_layer_ints(call, "kernel_size", (size_t)n, l->kernel, 1, 1);
    cnnfi_layer_ints(call, "strides", (size_t)n, l->strides, 1, 1);
    if (cnnfi_layer_int(call, "implementation", 1) != 1 || cnnfi_keras_same_padding(call))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only implementation 1 (valid padding) is supported");
    /* Keras 2.2.5 and tf.keras order what such a window holds differently */
    if (l->first) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "channels_first is not supported");
    l->features = cnnfi_keras_channels(call, l->first);
    for (int32_t i = 0; i < n && cnnfi_build_ok(call->b); i++) {
        l->out[i] = cnnfi_keras_window_length(x->dims[l->at + i], l->kernel[i], l->strides[i], 1, false);
        if (l->out[i] < 1 || __builtin_mul_overflow(l->places, l->out[i], &l->places) || l->places > MAX_PLACES ||
            __builtin_mul_overflow(l->features, l->kernel[i], &l->features))
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its places are none, too many or not known");
    }
    return cnnfi_build_ok(call->b);
}

static void local_build(cnnfi_layer_call *call)
{
    local l;
    if (!read_local(call, call->inputs[0].rank - 2, &l)) return;
    const int64_t kernel[3] = {l.places, l.features, l.filters};
    (void)cnnfi_layer_weight(call, "kernel", 3, kernel, CNNFI_KERAS_INIT_RANDOM, true);
    int64_t bias[3] = {l.out[0], l.n == 2 ? l.out[1] : l.filters, l.filters};
    if (cnnfi_layer_bool(call, "use_bias", true))
        (void)cnnfi_layer_weight(call, "bias", l.n + 1, bias, CNNFI_KERAS_INIT_ZEROS, true);
}

/* What one place sees, as a row: [1, batch, features] */
static cnnfi_keras_tensor seen(cnnfi_layer_call *call, const local *l, int64_t place)
{
    cnnfi_keras_index indices[4] = {{.kind = CNNFI_KERAS_INDEX_RANGE}};
    cnnfi_keras_tensor part;
    for (int32_t i = 0; i < l->n; i++) {
        const int64_t at = l->n == 1 ? place : i == 0 ? place / l->out[1] : place % l->out[1];
        indices[l->at + i] = (cnnfi_keras_index){
            .has_begin = true, .begin = at * l->strides[i], .has_end = true, .end = at * l->strides[i] + l->kernel[i]};
    }
    if (!cnnfi_build_index(call->b, &part, call->inputs[0], (size_t)(l->at + l->n), indices)) return call->inputs[0];
    return cnnfi_build_reshape(call->b, "Reshape", part, 3, (const int64_t[]){1, -1, l->features});
}

static cnnfi_keras_tensor with_bias(cnnfi_layer_call *call, const local *l, cnnfi_keras_tensor y)
{
    if (!cnnfi_layer_bool(call, "use_bias", true)) return y;
    int64_t dims[4] = {1, l->out[0], l->n == 2 ? l->out[1] : l->filters, l->filters};
    cnnfi_keras_tensor bias = cnnfi_build_reshape(call->b, "Reshape", cnnfi_layer_variable(call, 1), l->n + 2, dims);
    cnnfi_keras_tensor sum = cnnfi_build_binary(call->b, "AddV2", "add", y, bias);
    return cnnfi_keras_tensor_shaped(sum, y.rank, y.dims);
}

static void locally_connected(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    local l;
    if (!read_local(call, call->inputs[0].rank - 2, &l)) return;
    cnnfi_keras_tensor *parts = cnnfi_builder_array(b->graph, (size_t)l.places, sizeof *parts);
    for (int64_t i = 0; parts && i < l.places && cnnfi_build_ok(b); i++)
        parts[i] = seen(call, &l, i);
    if (!parts || !cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor y = l.places == 1 ? parts[0] : cnnfi_build_concat(b, "concat", (size_t)l.places, parts, 0);
    /* [places, batch, features] by [places, features, filters] */
    y = cnnfi_build_batch_matmul(b, y, cnnfi_build_read(b, cnnfi_layer_variable(call, 0)), false, false);
    y = cnnfi_build_transpose(b, "transpose", y, (const int32_t[]){1, 0, 2});
    const int64_t dims[4] = {-1, l.out[0], l.n == 2 ? l.out[1] : l.filters, l.filters};
    y = with_bias(call, &l, cnnfi_build_reshape(b, "Reshape", y, l.n + 2, dims));
    y.dims[0] = call->inputs[0].dims[0];
    if (cnnfi_build_ok(b)) cnnfi_layer_return(call, cnnfi_layer_activation(call, "activation", y));
}

#define FIELDS "filters kernel_size strides data_format implementation activation use_bias"

static const cnnfi_keras_row rows[] = {
    {"LocallyConnected1D", FIELDS, "kernel bias", "2.2.5 numbers, tf.keras 2.15 numbers", 3, 3, 1, 1, local_build,
     locally_connected, NULL},
    {"LocallyConnected2D", FIELDS, "kernel bias", "2.2.5 numbers, tf.keras 2.15 numbers", 4, 4, 1, 1, local_build,
     locally_connected, NULL},
};

const cnnfi_keras_family cnnfi_keras_locally_connected = {"Locally connected", rows, sizeof rows / sizeof rows[0]};
