/* SPDX-License-Identifier: Apache-2.0 */
/* What convolutions and poolings share: data formats, padding, output lengths, the bias. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

bool cnnfi_keras_same_padding(cnnfi_layer_call *call)
{
    const char *padding = cnnfi_layer_string(call, "padding", "valid");
    if (strcmp(padding, "same") == 0) return true;
    if (strcmp(padding, "valid") != 0) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "padding '%s' is not known", padding);
    return false;
}

const char *cnnfi_keras_tf_format(int32_t n, bool channels_first)
{
    static const char *const names[2][2] = {{"NHWC", "NCHW"}, {"NDHWC", "NCDHW"}};
    return names[n == 3][channels_first];
}

int64_t cnnfi_keras_window_length(int64_t length, int64_t size, int64_t stride, int64_t dilation, bool same)
{
    if (length < 0) return -1;
    int64_t reach = same ? 1 : (size - 1) * dilation + 1;
    return length < reach ? 0 : (length - reach + stride) / stride;
}

cnnfi_keras_tensor cnnfi_keras_to_last(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK] = {0};
    for (int32_t i = 1; i < x.rank; i++)
        perm[i] = i + 1 < x.rank ? i + 1 : 1;
    return cnnfi_build_transpose(b, "transpose", x, perm);
}

cnnfi_keras_tensor cnnfi_keras_to_first(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK] = {0};
    for (int32_t i = 1; i < x.rank; i++)
        perm[i] = i == 1 ? x.rank - 1 : i - 1;
    return cnnfi_build_transpose(b, "transpose", x, perm);
}

cnnfi_keras_tensor cnnfi_build_keras_bias(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor bias,
                                          bool channels_first)
{
    if (x.rank != 3 && x.rank != 5 && !(x.rank == 4 && channels_first)) {
        return cnnfi_build_bias_add(b, "BiasAdd", x, bias, "NHWC");
    }
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x.rank; i++)
        dims[i] = i == (channels_first ? 1 : x.rank - 1) ? bias.dims[0] : 1;
    return cnnfi_build_binary(b, "AddV2", "add", x, cnnfi_build_reshape(b, "Reshape", bias, x.rank, dims));
}

cnnfi_keras_conv cnnfi_keras_conv_read(cnnfi_layer_call *call, int32_t n)
{
    cnnfi_keras_conv c = {.n = n, .first = cnnfi_layer_channels_first(call)};
    c.causal = n == 1 && strcmp(cnnfi_layer_string(call, "padding", "valid"), "causal") == 0;
    c.same = !c.causal && cnnfi_keras_same_padding(call);
    cnnfi_layer_ints(call, "kernel_size", (size_t)n, c.kernel, 1, 1);
    cnnfi_layer_ints(call, "strides", (size_t)n, c.strides, 1, 1);
    cnnfi_layer_ints(call, "dilation_rate", (size_t)n, c.dilation, 1, 1);
    for (int32_t i = 0; i < n; i++)
        c.dilated = c.dilated || c.dilation[i] != 1;
    return c;
}

int64_t cnnfi_keras_channels(cnnfi_layer_call *call, bool channels_first)
{
    int64_t channels = call->inputs[0].dims[channels_first ? 1 : call->inputs[0].rank - 1];
    if (channels <= 0) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "the number of its input's channels is not known");
    return channels;
}

cnnfi_keras_tensor cnnfi_keras_conv_op(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                       cnnfi_keras_tensor kernel, int32_t n, const int64_t *strides, bool same,
                                       bool first)
{
    static const int64_t ones[5] = {1, 1, 1, 1, 1};
    cnnfi_keras_tensor y, inputs[2] = {x, kernel};
    int32_t at = first ? 2 : 1;
    int64_t steps[5] = {1, 1, 1, 1, 1};
    for (int32_t i = 0; i < n; i++)
        steps[at + i] = strides[i];
    cnnf_node *node = cnnfi_build_node_t(b, &y, n == 3 ? "Conv3D" : "Conv2D", name, 2, inputs);
    cnnfi_node_set_string(b->graph, node, "data_format", cnnfi_keras_tf_format(n, first));
    cnnfi_node_set_string(b->graph, node, "padding", same ? "SAME" : "VALID");
    cnnfi_node_set_ints(b->graph, node, "strides", steps, (size_t)n + 2);
    cnnfi_node_set_ints(b->graph, node, "dilations", ones, (size_t)n + 2);
    if (n == 2) {
        cnnfi_node_set_ints(b->graph, node, "explicit_paddings", NULL, 0);
        cnnfi_node_set_bool(b->graph, node, "use_cudnn_on_gpu", true);
    }
    for (int32_t i = 0; i < n; i++) {
        y.dims[at + i] = cnnfi_keras_window_length(x.dims[at + i], kernel.dims[i], strides[i], 1, same);
    }
    y.dims[first ? 1 : n + 1] = kernel.dims[n + 1];
    return y;
}

cnnfi_keras_tensor cnnfi_keras_causal_pad(cnnfi_keras_builder *b, cnnfi_keras_tensor x, const cnnfi_keras_conv *c)
{
    int32_t paddings[3][2] = {{0, 0}, {0, 0}, {0, 0}};
    paddings[c->first ? 2 : 1][0] = (int32_t)(c->dilation[0] * (c->kernel[0] - 1));
    return c->causal ? cnnfi_build_pad(b, "Pad", x, (const int32_t(*)[2])paddings) : x;
}

cnnfi_keras_tensor cnnfi_keras_bias_multi(cnnfi_layer_call *call, cnnfi_keras_tensor y, size_t index,
                                          bool channels_first)
{
    if (!cnnfi_layer_bool(call, "use_bias", true)) return y;
    return cnnfi_build_keras_bias(call->b, y, cnnfi_layer_variable(call, index), channels_first);
}

cnnfi_keras_tensor cnnfi_keras_bias_tf(cnnfi_layer_call *call, cnnfi_keras_tensor y, size_t index, bool channels_first)
{
    if (!cnnfi_layer_bool(call, "use_bias", true)) return y;
    cnnfi_keras_tensor bias = cnnfi_layer_variable(call, index);
    /* one dimension, channels first: no bias_add for it */
    if (y.rank == 3 && channels_first) return cnnfi_build_keras_bias(call->b, y, bias, true);
    return cnnfi_build_bias_add(call->b, "BiasAdd", y, bias, channels_first ? "NCHW" : "NHWC");
}
