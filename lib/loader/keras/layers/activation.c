/* SPDX-License-Identifier: Apache-2.0 */
/* Activation functions by name: keras/activations.py of each Keras. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

typedef cnnfi_keras_tensor (*activation_fn)(cnnfi_keras_builder *b, cnnfi_keras_tensor x);

/* One name: what multi-backend Keras, tf.keras and Keras 3 make of it; NULL where the one before is meant. */
typedef struct activation {
    const char *name;
    activation_fn multi, tf, keras3;
} activation;

#define UNARY(function, op)                                                                                            \
    static cnnfi_keras_tensor function(cnnfi_keras_builder *b, cnnfi_keras_tensor x)                                   \
    {                                                                                                                  \
        return cnnfi_build_unary(b, op, op, x);                                                                        \
    }
UNARY(relu, "Relu")
UNARY(relu6, "Relu6")
UNARY(tanh_, "Tanh")
UNARY(sigmoid, "Sigmoid")
UNARY(elu, "Elu")
UNARY(selu_tf, "Selu")
UNARY(softplus, "Softplus")
UNARY(softsign, "Softsign")
UNARY(exponential, "Exp")
UNARY(log_softmax, "LogSoftmax")

static cnnfi_keras_tensor linear(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    (void)b;
    return x;
}

/* keras 2.2 has no op for selu: scale * where(x > 0, elu, alpha * elu) */
static cnnfi_keras_tensor selu_multi(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor e = cnnfi_build_unary(b, "Elu", "Elu", x);
    cnnfi_keras_tensor positive = cnnfi_build_binary_const(b, "Greater", "Greater", x, 0);
    cnnfi_keras_tensor scaled = cnnfi_build_const_binary(b, "Mul", "mul", 1.6732632423543772848170429916717, e);
    cnnfi_keras_tensor y = cnnfi_build_where(b, positive, e, scaled);
    return cnnfi_build_const_binary(b, "Mul", "mul", 1.0507009873554804934193349852946, y);
}

static cnnfi_keras_tensor softmax_multi(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    if (x.rank <= 2) return cnnfi_build_unary(b, "Softmax", "Softmax", x);
    return cnnfi_build_softmax_by_hand(b, x, -1);
}

static cnnfi_keras_tensor softmax_tf(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_unary(b, "Softmax", "Softmax", x);
}

cnnfi_keras_tensor cnnfi_build_softmax_by_hand(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t axis)
{
    cnnfi_keras_tensor top = cnnfi_build_reduce_axis(b, "Max", "Max", x, axis, true);
    cnnfi_keras_tensor e = cnnfi_build_unary(b, "Exp", "Exp", cnnfi_build_binary(b, "Sub", "sub", x, top));
    cnnfi_keras_tensor sum = cnnfi_build_reduce_axis(b, "Sum", "Sum", e, axis, true);
    return cnnfi_build_binary(b, "RealDiv", "truediv", e, sum);
}

static cnnfi_keras_tensor hard_sigmoid_multi(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    x = cnnfi_build_binary_const(b, "AddV2", "add", cnnfi_build_const_binary(b, "Mul", "mul", 0.2, x), 0.5);
    cnnfi_keras_tensor zero = cnnfi_build_scalar(b, "Const", x.dtype, 0),
                       one = cnnfi_build_scalar(b, "Const", x.dtype, 1);
    return cnnfi_build_clip_tensors(b, x, zero, one);
}

static cnnfi_keras_tensor hard_sigmoid_tf(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor fifth = cnnfi_build_scalar(b, "Const", x.dtype, 0.2),
                       half = cnnfi_build_scalar(b, "Const", x.dtype, 0.5);
    x = cnnfi_build_binary(b, "AddV2", "Add", cnnfi_build_binary(b, "Mul", "Mul", x, fifth), half);
    return cnnfi_build_clip(b, x, 0, 1);
}

/* Keras 3: relu6(x + 3) / 6 */
static cnnfi_keras_tensor hard_sigmoid_keras3(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    x = cnnfi_build_unary(b, "Relu6", "Relu6", cnnfi_build_binary_const(b, "AddV2", "add", x, 3));
    return cnnfi_build_binary_const(b, "RealDiv", "truediv", x, 6);
}

static cnnfi_keras_tensor hard_swish(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_binary(b, "Mul", "mul", x, hard_sigmoid_keras3(b, x));
}

/* x * sigmoid(x) */
static cnnfi_keras_tensor swish(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_binary(b, "Mul", "mul", x, sigmoid(b, x));
}

/* tf.nn.silu() has its own gradient, which leaves an IdentityN over result and arguments; its number
   (_gradient_op_type) counts what the process did before and means nothing in a file. */
static cnnfi_keras_tensor swish_tf(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    const int32_t types[3] = {x.dtype, x.dtype, x.dtype};
    cnnfi_keras_tensor beta = cnnfi_build_scalar(b, "beta", x.dtype, 1), y;
    cnnfi_keras_tensor gate =
        sigmoid(b, cnnfi_keras_tensor_shaped(cnnfi_build_binary(b, "Mul", "mul", beta, x), x.rank, x.dims));
    cnnfi_keras_tensor inputs[3] = {cnnfi_build_binary(b, "Mul", "mul", x, gate), x, beta};
    cnnf_node *node = cnnfi_build_node(b, &y, "IdentityN", "IdentityN", 3, inputs);
    cnnfi_node_set_types(b->graph, node, "T", types, 3);
    return y;
}

/* 0.5 x (1 + erf(x / sqrt(2))) */
static cnnfi_keras_tensor gelu(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    const char *saved = cnnfi_build_push(b, "Gelu");
    cnnfi_keras_tensor half = cnnfi_build_const_binary(b, "Mul", "mul", 0.5, x);
    cnnfi_keras_tensor root = cnnfi_build_scalar(b, "Cast/x", x.dtype, 1.4142135623730951);
    cnnfi_keras_tensor erf = cnnfi_build_unary(b, "Erf", "Erf", cnnfi_build_binary(b, "RealDiv", "truediv", x, root));
    cnnfi_keras_tensor y =
        cnnfi_build_binary(b, "Mul", "mul", half, cnnfi_build_const_binary(b, "AddV2", "add", 1, erf));
    cnnfi_build_pop(b, saved);
    return y;
}

/* ---- Keras 3's own ---- */

static cnnfi_keras_tensor log_sigmoid(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_unary(b, "Neg", "Neg", softplus(b, cnnfi_build_unary(b, "Neg", "Neg", x)));
}

static cnnfi_keras_tensor hard_tanh(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_clip(b, x, -1, 1);
}

static cnnfi_keras_tensor tanh_shrink(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_binary(b, "Sub", "sub", x, tanh_(b, x));
}

/* x - clip(x, -0.5, 0.5) */
static cnnfi_keras_tensor soft_shrink(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_binary(b, "Sub", "sub", x, cnnfi_build_clip(b, x, -0.5, 0.5));
}

/* x where |x| > 0.5, else 0 */
static cnnfi_keras_tensor hard_shrink(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor far =
        cnnfi_build_binary_const(b, "Greater", "Greater", cnnfi_build_unary(b, "Abs", "Abs", x), 0.5);
    return cnnfi_build_binary(b, "Mul", "mul", x, cnnfi_build_cast(b, "Cast", far, x.dtype));
}

/* (x + sqrt(x^2 + 4)) / 2 */
static cnnfi_keras_tensor squareplus(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor y = cnnfi_build_binary_const(b, "AddV2", "add", cnnfi_build_unary(b, "Square", "Square", x), 4);
    y = cnnfi_build_binary(b, "AddV2", "add", x, cnnfi_build_unary(b, "Sqrt", "Sqrt", y));
    return cnnfi_build_binary_const(b, "Mul", "mul", y, 0.5);
}

/* 0 below -1, x above 1, (x + 1)^2 / 4 between: with c = clip(x, -1, 1), that and x - c above 1 */
static cnnfi_keras_tensor sparse_plus(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor c = cnnfi_build_binary_const(b, "AddV2", "add", cnnfi_build_clip(b, x, -1, 1), 1);
    c = cnnfi_build_binary_const(b, "Mul", "mul", cnnfi_build_unary(b, "Square", "Square", c), 0.25);
    return cnnfi_build_binary(b, "AddV2", "add", c, relu(b, cnnfi_build_binary_const(b, "Sub", "sub", x, 1)));
}

static cnnfi_keras_tensor sparse_sigmoid(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    x = cnnfi_build_binary_const(b, "Mul", "mul", cnnfi_build_binary_const(b, "AddV2", "add", x, 1), 0.5);
    return cnnfi_build_clip(b, x, 0, 1);
}

static cnnfi_keras_tensor leaky_relu(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_leaky_relu(b, x, 0.2);
}

cnnfi_keras_tensor cnnfi_build_leaky_relu(cnnfi_keras_builder *b, cnnfi_keras_tensor x, double alpha)
{
    cnnfi_keras_tensor y;
    cnnf_node *node = cnnfi_build_node_t(b, &y, "LeakyRelu", "LeakyRelu", 1, &x);
    cnnfi_node_set_float(b->graph, node, "alpha", (float)alpha);
    return y;
}

/* x * tanh(softplus(x)) */
static cnnfi_keras_tensor mish(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor t = cnnfi_build_unary(b, "Tanh", "Tanh", cnnfi_build_unary(b, "Softplus", "Softplus", x));
    return cnnfi_build_binary(b, "Mul", "mul", x, t);
}

/* a * sigmoid(b) of the two halves of the last dimension */
static cnnfi_keras_tensor glu(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    const char *saved = cnnfi_build_push(b, "split");
    cnnfi_keras_tensor half, inputs[2] = {cnnfi_build_int(b, "split_dim", -1), x};
    cnnf_node *node = cnnfi_build_node(b, &half, "Split", "", 2, inputs);
    cnnfi_build_pop(b, saved);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    cnnfi_node_set_int(b->graph, node, "num_split", 2);
    half.dtype = x.dtype;
    half = cnnfi_keras_tensor_shaped(half, x.rank, x.dims);
    if (x.dims[x.rank - 1] > 0) half.dims[x.rank - 1] /= 2;
    return cnnfi_build_binary(b, "Mul", "mul", half, sigmoid(b, cnnfi_build_port(b, &half, 1)));
}

static const activation activations[] = {
    {"celu", elu, NULL, NULL}, /* the same for alpha 1 */
    {"elu", elu, NULL, NULL},
    {"exponential", exponential, NULL, NULL},
    {"gelu", gelu, NULL, NULL},
    {"glu", glu, NULL, NULL},
    {"hard_shrink", hard_shrink, NULL, NULL},
    {"hard_sigmoid", hard_sigmoid_multi, hard_sigmoid_tf, hard_sigmoid_keras3},
    {"hard_silu", hard_swish, NULL, NULL},
    {"hard_swish", hard_swish, NULL, NULL},
    {"hard_tanh", hard_tanh, NULL, NULL},
    {"leaky_relu", leaky_relu, NULL, NULL},
    {"linear", linear, NULL, NULL},
    {"log_sigmoid", log_sigmoid, NULL, NULL},
    {"log_softmax", log_softmax, NULL, NULL},
    {"log_softmax_v2", log_softmax, NULL, NULL}, /* as tf.keras writes it */
    {"mish", mish, NULL, NULL},
    {"relu", relu, NULL, NULL},
    {"relu6", relu6, NULL, NULL},
    {"selu", selu_multi, selu_tf, NULL},
    {"sigmoid", sigmoid, NULL, NULL},
    {"silu", swish, swish_tf, swish},
    {"soft_shrink", soft_shrink, NULL, NULL},
    {"softmax", softmax_multi, softmax_tf, NULL},
    {"softmax_v2", softmax_multi, softmax_tf, NULL},
    {"softplus", softplus, NULL, NULL},
    {"softsign", softsign, NULL, NULL},
    {"sparse_plus", sparse_plus, NULL, NULL},
    {"sparse_sigmoid", sparse_sigmoid, NULL, NULL},
    {"squareplus", squareplus, NULL, NULL},
    {"swish", swish, swish_tf, swish},
    {"tanh", tanh_, NULL, NULL},
    {"tanh_shrink", tanh_shrink, NULL, NULL},
};

const char *cnnfi_keras_activation_name(size_t index)
{
    return index < sizeof activations / sizeof activations[0] ? activations[index].name : NULL;
}

static activation_fn function_of(const cnnfi_keras_builder *b, const activation *a)
{
    if (b->keras3 && a->keras3) return a->keras3;
    return b->tf && a->tf ? a->tf : a->multi;
}

/* Conv2D(activation=LeakyReLU(0.2)): Keras calls the layer where it would call the function, within its own scope. */
static cnnfi_keras_tensor activate_by_layer(cnnfi_layer_call *call, cnnfi_keras_layer *layer, cnnfi_keras_tensor x)
{
    size_t n_outputs = 0;
    cnnfi_keras_tensor *outputs = NULL;
    const char *saved = cnnfi_build_push(call->b, layer->name);
    cnnfi_build_run(call->b, layer, NULL, 1, &x, NULL, &n_outputs, &outputs);
    cnnfi_build_pop(call->b, saved);
    return cnnfi_build_ok(call->b) && n_outputs == 1 ? outputs[0] : x;
}

cnnfi_keras_tensor cnnfi_layer_activate(cnnfi_layer_call *call, const cnnfi_json *value, cnnfi_keras_tensor x)
{
    const char *name = NULL;
    if (!value || cnnfi_json_is_null(value)) return x;
    (void)cnnfi_layer_serialized(value, &name);
    cnnfi_keras_layer *layer = cnnfi_build_activation_layer(call, value);
    if (layer) return activate_by_layer(call, layer, x);
    for (size_t i = 0; name && i < sizeof activations / sizeof activations[0]; i++) {
        if (strcmp(activations[i].name, name) == 0) return function_of(call->b, &activations[i])(call->b, x);
    }
    cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "activation '%s' is not known", name ? name : "?");
    return x;
}

cnnfi_keras_tensor cnnfi_layer_activation(cnnfi_layer_call *call, const char *key, cnnfi_keras_tensor x)
{
    return cnnfi_layer_activate(call, cnnfi_json_get(call->config, key), x);
}
