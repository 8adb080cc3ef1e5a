/* SPDX-License-Identifier: Apache-2.0 */
/* tf.nn.atrous_conv2d_transpose(): a dilated transposed convolution, its padding computed in the graph. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static cnnfi_keras_tensor dim_at(cnnfi_keras_builder *b, cnnfi_keras_tensor shape, int32_t at)
{
    return cnnfi_build_slice(b, "strided_slice", shape, at, at + 1, false, false, true);
}

/* What "same" adds before and after an upsampled kernel. */
static int64_t same_pad(const cnnfi_keras_conv *c, int32_t i, int32_t side)
{
    int64_t all = c->same ? (c->kernel[i] - 1) * c->dilation[i] : 0;
    return side == 0 ? all / 2 : all - all / 2;
}

/* (rate - in % rate) % rate */
static cnnfi_keras_tensor rest(cnnfi_keras_builder *b, cnnfi_keras_tensor in, double rate)
{
    cnnfi_keras_tensor mod = cnnfi_build_binary_const(b, "FloorMod", "mod", in, rate);
    return cnnfi_build_binary_const(b, "FloorMod", "mod", cnnfi_build_const_binary(b, "Sub", "sub", rate, mod), rate);
}

/* [[starts[0], ends[0]], [starts[1], ends[1]]] as TensorFlow packs it */
static cnnfi_keras_tensor pairs(cnnfi_keras_builder *b, const char *name, const int64_t *starts,
                                const cnnfi_keras_tensor *ends)
{
    const char *saved = cnnfi_build_push(b, name);
    static const char *const index[] = {"0", "1"};
    cnnfi_keras_tensor rows[2];
    for (int32_t i = 0; i < 2; i++) {
        const cnnfi_keras_dim items[2] = {cnnfi_keras_dim_of(starts[i]), cnnfi_keras_dim_tensor(ends[i])};
        rows[i] = cnnfi_build_autopack(b, index[i], 2, items);
    }
    cnnfi_keras_tensor packed = cnnfi_build_pack(b, "", 2, rows);
    cnnfi_build_pop(b, saved);
    return packed;
}

static cnnfi_keras_tensor rearrange(cnnfi_keras_builder *b, const char *op, const char *pads, const char *pad_type,
                                    cnnfi_keras_tensor x, int64_t rate, const int64_t *starts,
                                    const cnnfi_keras_tensor *ends)
{
    const int64_t block[2] = {rate, rate};
    const char *saved = cnnfi_build_push(b, op);
    cnnfi_keras_tensor shape = cnnfi_build_longs(b, "block_shape", 2, block), y;
    cnnfi_keras_tensor inputs[3] = {x, shape, pairs(b, pads, starts, ends)};
    cnnf_node *node = cnnfi_build_node_t(b, &y, op, "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tblock_shape", CNNF_INT64);
    cnnfi_node_set_type(b->graph, node, pad_type, CNNF_INT32);
    cnnfi_build_pop(b, saved);
    return y;
}

static cnnfi_keras_tensor backprop(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor kernel, size_t n,
                                   const cnnfi_keras_dim *sizes)
{
    static const int64_t ones[4] = {1, 1, 1, 1};
    const char *saved = cnnfi_build_push(b, "Conv2DBackpropInput");
    cnnfi_keras_tensor y, inputs[3] = {cnnfi_build_autopack(b, "input_sizes", n, sizes), kernel, x};
    cnnf_node *node = cnnfi_build_node(b, &y, "Conv2DBackpropInput", "", 3, inputs);
    cnnfi_build_pop(b, saved);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    cnnfi_node_set_string(b->graph, node, "data_format", "NHWC");
    cnnfi_node_set_string(b->graph, node, "padding", "VALID");
    cnnfi_node_set_ints(b->graph, node, "strides", ones, 4);
    cnnfi_node_set_ints(b->graph, node, "dilations", ones, 4);
    cnnfi_node_set_ints(b->graph, node, "explicit_paddings", NULL, 0);
    cnnfi_node_set_bool(b->graph, node, "use_cudnn_on_gpu", true);
    y.dtype = x.dtype;
    return cnnfi_keras_tensor_shaped(y, x.rank, x.dims);
}

static cnnfi_keras_tensor atrous(cnnfi_keras_builder *b, const cnnfi_keras_conv *c, cnnfi_keras_tensor x,
                                 cnnfi_keras_tensor kernel, cnnfi_keras_tensor shape)
{
    static const int64_t zeros[2] = {0, 0};
    int64_t rate = c->dilation[0], tops[2] = {same_pad(c, 0, 0), same_pad(c, 1, 0)};
    cnnfi_keras_tensor in[2], extra[2], ends[2];
    const char *saved = cnnfi_build_push(b, "atrous_conv2d_transpose");
    kernel = cnnfi_build_read(b, kernel);
    for (int32_t i = 0; i < 2; i++) {
        in[i] = cnnfi_build_binary_const(b, "AddV2", "add", dim_at(b, shape, 1 + i), (double)tops[i]);
        in[i] = cnnfi_build_binary_const(b, "AddV2", "add", in[i], (double)same_pad(c, i, 1));
    }
    for (int32_t i = 0; i < 2; i++)
        extra[i] = rest(b, in[i], (double)rate);
    cnnfi_keras_tensor y = rearrange(b, "SpaceToBatchND", "paddings", "Tpaddings",
                                     cnnfi_keras_tensor_shaped(x, 4, x.dims), rate, zeros, extra);
    cnnfi_keras_tensor batch = cnnfi_build_const_binary(b, "Mul", "mul", (double)(rate * rate), dim_at(b, shape, 0));
    cnnfi_keras_dim sizes[4] = {cnnfi_keras_dim_tensor(batch)};
    for (int32_t i = 0; i < 2; i++) {
        cnnfi_keras_tensor padded = cnnfi_build_binary(b, "AddV2", "add", in[i], extra[i]);
        sizes[1 + i] =
            cnnfi_keras_dim_tensor(cnnfi_build_binary_const(b, "FloorDiv", "floordiv", padded, (double)rate));
    }
    sizes[3] = cnnfi_keras_dim_tensor(dim_at(b, shape, 3));
    y = backprop(b, y, kernel, 4, sizes);
    for (int32_t i = 0; i < 2; i++) {
        ends[i] = cnnfi_build_const_binary(b, "AddV2", "add", (double)same_pad(c, i, 1), extra[i]);
    }
    y = rearrange(b, "BatchToSpaceND", "crops", "Tcrops", y, rate, tops, ends);
    cnnfi_build_pop(b, saved);
    return y;
}

cnnfi_keras_tensor cnnfi_keras_atrous_transpose(cnnfi_layer_call *call, const cnnfi_keras_conv *c,
                                                cnnfi_keras_tensor shape, cnnfi_keras_tensor y)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], kernel = cnnfi_layer_variable(call, 0);
    if (c->first) {
        static const int32_t order[4] = {0, 2, 3, 1};
        cnnfi_keras_dim items[4];
        x = cnnfi_keras_to_last(b, x);
        for (int32_t i = 0; i < 4; i++)
            items[i] = cnnfi_keras_dim_tensor(dim_at(b, shape, order[i]));
        shape = cnnfi_build_autopack(b, "stack", 4, items);
    }
    cnnfi_keras_tensor out = atrous(b, c, x, kernel, shape);
    if (c->first) out = cnnfi_keras_to_first(b, out);
    return cnnfi_keras_tensor_shaped(out, y.rank, y.dims);
}
