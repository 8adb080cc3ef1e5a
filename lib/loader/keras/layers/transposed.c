/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/convolutional.py: transposed convolutions. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

typedef struct transposed {
    cnnfi_keras_conv c;
    bool padded; /* output_padding is given */
    int64_t output_padding[3];
} transposed;

static int32_t rank_of(const cnnfi_layer_call *call)
{
    return call->inputs[0].rank - 2;
}

static transposed read_transposed(cnnfi_layer_call *call)
{
    transposed t = {.c = cnnfi_keras_conv_read(call, rank_of(call))};
    const cnnfi_json *padding = cnnfi_json_get(call->config, "output_padding");
    t.padded = padding && !cnnfi_json_is_null(padding);
    cnnfi_layer_ints(call, "output_padding", (size_t)t.c.n, t.output_padding, 0, 0);
    if (t.c.dilated && (t.c.n != 2 || t.c.dilation[0] != t.c.dilation[1])) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED,
                         "a transposed convolution is dilated equally in two dimensions, or not");
    }
    return t;
}

static void transposed_build(cnnfi_layer_call *call)
{
    transposed t = read_transposed(call);
    int32_t n = t.c.n;
    int64_t filters = cnnfi_layer_positive(call, "filters"), dims[5];
    for (int32_t i = 0; i < n; i++)
        dims[i] = t.c.kernel[i];
    dims[n] = filters;
    dims[n + 1] = cnnfi_keras_channels(call, t.c.first);
    if (!cnnfi_build_ok(call->b)) return;
    (void)cnnfi_layer_weight(call, "kernel", n + 2, dims, CNNFI_KERAS_INIT_RANDOM, true);
    if (cnnfi_layer_bool(call, "use_bias", true))
        (void)cnnfi_layer_weight(call, "bias", 1, &filters, CNNFI_KERAS_INIT_ZEROS, true);
}

/* ---- the shape of the output: conv_utils.deconv_length() ---- */

static int64_t reach(const transposed *t, int32_t i)
{
    return (t->c.kernel[i] - 1) * t->c.dilation[i] + 1;
}

static int64_t static_length(const transposed *t, int32_t i, int64_t length)
{
    int64_t kernel = reach(t, i), stride = t->c.strides[i];
    if (length < 0) return -1;
    if (t->padded) return (length - 1) * stride + kernel - 2 * (t->c.same ? kernel / 2 : 0) + t->output_padding[i];
    return length * stride + (t->c.same || kernel < stride ? 0 : kernel - stride);
}

/* The same as nodes, one for each operator in the program. */
static cnnfi_keras_tensor dynamic_length(cnnfi_keras_builder *b, const transposed *t, int32_t i,
                                         cnnfi_keras_tensor length)
{
    int64_t kernel = reach(t, i), stride = t->c.strides[i];
    if (t->padded) {
        length = cnnfi_build_binary_const(b, "Sub", "sub", length, 1);
        length = cnnfi_build_binary_const(b, "Mul", "mul", length, (double)stride);
        length = cnnfi_build_binary_const(b, "AddV2", "add", length, (double)kernel);
        length = cnnfi_build_binary_const(b, "Sub", "sub", length, (double)(2 * (t->c.same ? kernel / 2 : 0)));
        return cnnfi_build_binary_const(b, "AddV2", "add", length, (double)t->output_padding[i]);
    }
    length = cnnfi_build_binary_const(b, "Mul", "mul", length, (double)stride);
    if (t->c.same) return length;
    return cnnfi_build_binary_const(b, "AddV2", "add", length, (double)(kernel < stride ? 0 : kernel - stride));
}

static cnnfi_keras_tensor dim_at(cnnfi_keras_builder *b, cnnfi_keras_tensor shape, int32_t at)
{
    return cnnfi_build_slice(b, "strided_slice", shape, at, at + 1, false, false, true);
}

/* tf.stack([batch, out..., filters]); *y: the static shape. Known sizes stay numbers where `fold` allows it. */
static cnnfi_keras_tensor output_shape(cnnfi_layer_call *call, const transposed *t, bool fold, cnnfi_keras_tensor *y)
{
    cnnfi_keras_builder *b = call->b;
    int32_t n = t->c.n, at = t->c.first ? 2 : 1, channels = t->c.first ? 1 : n + 1;
    cnnfi_keras_tensor x = call->inputs[0], shape = cnnfi_build_shape_of(b, "Shape", x), lengths[3];
    cnnfi_keras_dim items[5] = {cnnfi_keras_dim_tensor(dim_at(b, shape, 0))};
    *y = x;
    for (int32_t i = 0; i < n; i++) {
        if (!fold || x.dims[at + i] < 0) lengths[i] = dim_at(b, shape, at + i);
    }
    for (int32_t i = 0; i < n; i++) {
        y->dims[at + i] = static_length(t, i, x.dims[at + i]);
        bool known = fold && x.dims[at + i] >= 0;
        items[at + i] =
            known ? cnnfi_keras_dim_of(y->dims[at + i]) : cnnfi_keras_dim_tensor(dynamic_length(b, t, i, lengths[i]));
    }
    y->dims[channels] = cnnfi_layer_int(call, "filters", 1);
    items[channels] = cnnfi_keras_dim_of(y->dims[channels]);
    return cnnfi_build_autopack(b, "stack", (size_t)n + 2, items);
}

/* ---- the ops ---- */

static cnnfi_keras_tensor backprop_op(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor shape,
                                      cnnfi_keras_tensor kernel, cnnfi_keras_tensor x, int32_t n,
                                      const int64_t *strides, bool same, bool first)
{
    static const int64_t ones[5] = {1, 1, 1, 1, 1};
    cnnfi_keras_tensor y, inputs[3] = {shape, kernel, x};
    int64_t steps[5] = {1, 1, 1, 1, 1};
    for (int32_t i = 0; i < n; i++)
        steps[(first ? 2 : 1) + i] = strides[i];
    cnnf_node *node =
        cnnfi_build_node(b, &y, n == 3 ? "Conv3DBackpropInputV2" : "Conv2DBackpropInput", name, 3, inputs);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    cnnfi_node_set_string(b->graph, node, "data_format", cnnfi_keras_tf_format(n, first));
    cnnfi_node_set_string(b->graph, node, "padding", same ? "SAME" : "VALID");
    cnnfi_node_set_ints(b->graph, node, "strides", steps, (size_t)n + 2);
    cnnfi_node_set_ints(b->graph, node, "dilations", ones, (size_t)n + 2);
    if (n == 3) {
        cnnfi_node_set_type(b->graph, node, "Tshape", CNNF_INT32);
    } else {
        cnnfi_node_set_ints(b->graph, node, "explicit_paddings", NULL, 0);
        cnnfi_node_set_bool(b->graph, node, "use_cudnn_on_gpu", true);
    }
    y.dtype = x.dtype;
    return cnnfi_keras_tensor_shaped(y, x.rank, x.dims);
}

/* [batch, channels, space...] of a shape tensor to [batch, space..., channels] */
static cnnfi_keras_tensor shape_to_last(cnnfi_keras_builder *b, cnnfi_keras_tensor shape, int32_t n,
                                        cnnfi_keras_dim *items)
{
    items[0] = cnnfi_keras_dim_tensor(dim_at(b, shape, 0));
    for (int32_t i = 0; i < n; i++)
        items[1 + i] = cnnfi_keras_dim_tensor(dim_at(b, shape, 2 + i));
    items[n + 1] = cnnfi_keras_dim_tensor(dim_at(b, shape, 1));
    return shape;
}

/* K.conv2d_transpose(), K.conv3d_transpose(); y: the static shape of the result */
static cnnfi_keras_tensor conv_transpose(cnnfi_layer_call *call, const transposed *t, cnnfi_keras_tensor shape,
                                         cnnfi_keras_tensor y)
{
    static const char *const names[] = {"", "conv2d_transpose", "conv3d_transpose"};
    cnnfi_keras_builder *b = call->b;
    int32_t n = t->c.n;
    bool turn = t->c.first && !(b->tf && n == 3);
    cnnfi_keras_dim items[5];
    cnnfi_keras_tensor x = turn ? cnnfi_keras_to_last(b, call->inputs[0]) : call->inputs[0],
                       kernel = cnnfi_layer_variable(call, 0);
    if (turn) {
        (void)shape_to_last(b, shape, n, items);
        if (b->tf) shape = cnnfi_build_autopack(b, "stack", (size_t)n + 2, items);
    }
    const char *saved = cnnfi_build_push(b, names[n - 1]);
    if (turn && !b->tf) shape = cnnfi_build_autopack(b, "input_sizes", (size_t)n + 2, items);
    cnnfi_keras_tensor out = backprop_op(b, "", shape, kernel, x, n, t->c.strides, t->c.same, t->c.first && !turn);
    cnnfi_build_pop(b, saved);
    if (turn) out = cnnfi_keras_to_first(b, out);
    return cnnfi_keras_tensor_shaped(out, y.rank, y.dims);
}

/* tf.nn.conv1d_transpose() */
static cnnfi_keras_tensor conv_1d_transpose(cnnfi_layer_call *call, const transposed *t, cnnfi_keras_tensor shape,
                                            cnnfi_keras_tensor y)
{
    cnnfi_keras_builder *b = call->b;
    int32_t at = t->c.first ? 2 : 1;
    const int64_t strides[2] = {1, t->c.strides[0]};
    const char *saved = cnnfi_build_push(b, "conv1d_transpose");
    cnnfi_keras_tensor x = cnnfi_build_expand_dims(b, "ExpandDims", call->inputs[0], at);
    cnnfi_keras_tensor kernel = cnnfi_build_expand_dims(b, "ExpandDims", cnnfi_layer_variable(call, 0), 0);
    cnnfi_keras_tensor head = cnnfi_build_slice(b, "strided_slice", shape, 0, at, true, false, false);
    cnnfi_keras_tensor tail = cnnfi_build_slice(b, "strided_slice", shape, at, 0, false, true, false);
    const char *inner = cnnfi_build_push(b, "concat");
    cnnfi_keras_tensor one = cnnfi_build_ints(b, "values_1", 1, (const int32_t[]){1}), sizes;
    cnnfi_keras_tensor parts[4] = {head, one, tail, cnnfi_build_int(b, "axis", 0)};
    cnnf_node *node = cnnfi_build_node_t(b, &sizes, "ConcatV2", "", 4, parts);
    cnnfi_node_set_int(b->graph, node, "N", 3);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_build_pop(b, inner);
    cnnfi_keras_tensor out = backprop_op(b, "", sizes, kernel, x, 2, strides, t->c.same, t->c.first);
    out = cnnfi_build_squeeze(b, "Squeeze", out, at);
    cnnfi_build_pop(b, saved);
    return cnnfi_keras_tensor_shaped(out, y.rank, y.dims);
}

static void transposed_call(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    transposed t = read_transposed(call);
    cnnfi_keras_tensor y, shape = output_shape(call, &t, b->tf && t.c.n == 2, &y);
    if (!cnnfi_build_ok(b)) return;
    if (t.c.n == 1)
        y = conv_1d_transpose(call, &t, shape, y);
    else if (t.c.dilated)
        y = cnnfi_keras_atrous_transpose(call, &t.c, shape, y);
    else
        y = conv_transpose(call, &t, shape, y);
    y.open_size = b->tf1;
    y = b->tf ? cnnfi_keras_bias_tf(call, y, 1, t.c.first) : cnnfi_keras_bias_multi(call, y, 1, t.c.first);
    cnnfi_layer_return(call, cnnfi_layer_activation(call, "activation", y));
}

#define TRANSPOSED(class, rank, verified)                                                                              \
    {                                                                                                                  \
        class, "filters kernel_size strides padding output_padding data_format dilation_rate activation use_bias",     \
            "kernel bias", verified, rank, rank, 1, 1, transposed_build, transposed_call, NULL                         \
    }

static const cnnfi_keras_row rows[] = {
    TRANSPOSED("Conv1DTranspose", 3, "tf.keras 2.15, 3"),
    TRANSPOSED("Conv2DTranspose", 4, CNNFI_KERAS_VERIFIED),
    TRANSPOSED("Conv3DTranspose", 5, CNNFI_KERAS_VERIFIED),
};

const cnnfi_keras_family cnnfi_keras_transposed = {"Transposed convolutions", rows, sizeof rows / sizeof rows[0]};
