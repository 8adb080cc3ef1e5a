/* SPDX-License-Identifier: Apache-2.0 */
/* tf.nn.atrous_conv2d_transpose(): a dilated transposed convolution, its padding computed in the graph. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static cnnfi_kt dim_at(cnnfi_kb *b, cnnfi_kt shape, int32_t at)
{
    return cnnfi_kb_slice(b, "strided_slice", shape, at, at + 1, false, false, true);
}

/* What "same" adds before and after an upsampled kernel. */
static int64_t same_pad(const cnnfi_kconv *c, int32_t i, int32_t side)
{
    int64_t all = c->same ? (c->kernel[i] - 1) * c->dilation[i] : 0;
    return side == 0 ? all / 2 : all - all / 2;
}

/* (rate - in % rate) % rate */
static cnnfi_kt rest(cnnfi_kb *b, cnnfi_kt in, double rate)
{
    cnnfi_kt mod = cnnfi_kb_binary_const(b, "FloorMod", "mod", in, rate);
    return cnnfi_kb_binary_const(b, "FloorMod", "mod", cnnfi_kb_const_binary(b, "Sub", "sub", rate, mod), rate);
}

/* [[starts[0], ends[0]], [starts[1], ends[1]]] as TensorFlow packs it */
static cnnfi_kt pairs(cnnfi_kb *b, const char *name, const int64_t *starts, const cnnfi_kt *ends)
{
    const char *saved = cnnfi_kb_push(b, name);
    static const char *const index[] = {"0", "1"};
    cnnfi_kt rows[2];
    for (int32_t i = 0; i < 2; i++) {
        const cnnfi_kdim items[2] = {cnnfi_kdim_of(starts[i]), cnnfi_kdim_tensor(ends[i])};
        rows[i] = cnnfi_kb_autopack(b, index[i], 2, items);
    }
    cnnfi_kt packed = cnnfi_kb_pack(b, "", 2, rows);
    cnnfi_kb_pop(b, saved);
    return packed;
}

static cnnfi_kt rearrange(cnnfi_kb *b, const char *op, const char *pads, const char *pad_type, cnnfi_kt x, int64_t rate,
                          const int64_t *starts, const cnnfi_kt *ends)
{
    const int64_t block[2] = {rate, rate};
    const char *saved = cnnfi_kb_push(b, op);
    cnnfi_kt shape = cnnfi_kb_longs(b, "block_shape", 2, block), y;
    cnnfi_kt inputs[3] = {x, shape, pairs(b, pads, starts, ends)};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, op, "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tblock_shape", CNNF_INT64);
    cnnfi_node_set_type(b->graph, node, pad_type, CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    return y;
}

static cnnfi_kt backprop(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt kernel, size_t n, const cnnfi_kdim *sizes)
{
    static const int64_t ones[4] = {1, 1, 1, 1};
    const char *saved = cnnfi_kb_push(b, "Conv2DBackpropInput");
    cnnfi_kt y, inputs[3] = {cnnfi_kb_autopack(b, "input_sizes", n, sizes), kernel, x};
    cnnf_node *node = cnnfi_kb_node(b, &y, "Conv2DBackpropInput", "", 3, inputs);
    cnnfi_kb_pop(b, saved);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    cnnfi_node_set_string(b->graph, node, "data_format", "NHWC");
    cnnfi_node_set_string(b->graph, node, "padding", "VALID");
    cnnfi_node_set_ints(b->graph, node, "strides", ones, 4);
    cnnfi_node_set_ints(b->graph, node, "dilations", ones, 4);
    cnnfi_node_set_ints(b->graph, node, "explicit_paddings", NULL, 0);
    cnnfi_node_set_bool(b->graph, node, "use_cudnn_on_gpu", true);
    y.dtype = x.dtype;
    return cnnfi_kt_shaped(y, x.rank, x.dims);
}

static cnnfi_kt atrous(cnnfi_kb *b, const cnnfi_kconv *c, cnnfi_kt x, cnnfi_kt kernel, cnnfi_kt shape)
{
    static const int64_t zeros[2] = {0, 0};
    int64_t rate = c->dilation[0], tops[2] = {same_pad(c, 0, 0), same_pad(c, 1, 0)};
    cnnfi_kt in[2], extra[2], ends[2];
    const char *saved = cnnfi_kb_push(b, "atrous_conv2d_transpose");
    kernel = cnnfi_kb_read(b, kernel);
    for (int32_t i = 0; i < 2; i++) {
        in[i] = cnnfi_kb_binary_const(b, "AddV2", "add", dim_at(b, shape, 1 + i), (double)tops[i]);
        in[i] = cnnfi_kb_binary_const(b, "AddV2", "add", in[i], (double)same_pad(c, i, 1));
    }
    for (int32_t i = 0; i < 2; i++)
        extra[i] = rest(b, in[i], (double)rate);
    cnnfi_kt y =
        rearrange(b, "SpaceToBatchND", "paddings", "Tpaddings", cnnfi_kt_shaped(x, 4, x.dims), rate, zeros, extra);
    cnnfi_kt batch = cnnfi_kb_const_binary(b, "Mul", "mul", (double)(rate * rate), dim_at(b, shape, 0));
    cnnfi_kdim sizes[4] = {cnnfi_kdim_tensor(batch)};
    for (int32_t i = 0; i < 2; i++) {
        cnnfi_kt padded = cnnfi_kb_binary(b, "AddV2", "add", in[i], extra[i]);
        sizes[1 + i] = cnnfi_kdim_tensor(cnnfi_kb_binary_const(b, "FloorDiv", "floordiv", padded, (double)rate));
    }
    sizes[3] = cnnfi_kdim_tensor(dim_at(b, shape, 3));
    y = backprop(b, y, kernel, 4, sizes);
    for (int32_t i = 0; i < 2; i++) {
        ends[i] = cnnfi_kb_const_binary(b, "AddV2", "add", (double)same_pad(c, i, 1), extra[i]);
    }
    y = rearrange(b, "BatchToSpaceND", "crops", "Tcrops", y, rate, tops, ends);
    cnnfi_kb_pop(b, saved);
    return y;
}

cnnfi_kt cnnfi_keras_atrous_transpose(cnnfi_kc *kc, const cnnfi_kconv *c, cnnfi_kt shape, cnnfi_kt y)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = kc->inputs[0], kernel = cnnfi_kc_variable(kc, 0);
    if (c->first) {
        static const int32_t order[4] = {0, 2, 3, 1};
        cnnfi_kdim items[4];
        x = cnnfi_keras_to_last(b, x);
        for (int32_t i = 0; i < 4; i++)
            items[i] = cnnfi_kdim_tensor(dim_at(b, shape, order[i]));
        shape = cnnfi_kb_autopack(b, "stack", 4, items);
    }
    cnnfi_kt out = atrous(b, c, x, kernel, shape);
    if (c->first) out = cnnfi_keras_to_first(b, out);
    return cnnfi_kt_shaped(out, y.rank, y.dims);
}
