/* SPDX-License-Identifier: Apache-2.0 */
/* Activation functions by name: keras/activations.py of each Keras. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

typedef cnnfi_kt (*activation_fn)(cnnfi_kb *b, cnnfi_kt x);

/* One name: what multi-backend Keras, tf.keras and Keras 3 make of it; NULL where the one before is meant. */
typedef struct activation {
    const char *name;
    activation_fn multi, tf, keras3;
} activation;

#define UNARY(function, op)                                                                                            \
    static cnnfi_kt function(cnnfi_kb *b, cnnfi_kt x)                                                                  \
    {                                                                                                                  \
        return cnnfi_kb_unary(b, op, op, x);                                                                           \
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

static cnnfi_kt linear(cnnfi_kb *b, cnnfi_kt x)
{
    (void)b;
    return x;
}

/* keras 2.2 has no op for selu: scale * where(x > 0, elu, alpha * elu) */
static cnnfi_kt selu_multi(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt e = cnnfi_kb_unary(b, "Elu", "Elu", x);
    cnnfi_kt positive = cnnfi_kb_binary_const(b, "Greater", "Greater", x, 0);
    cnnfi_kt scaled = cnnfi_kb_const_binary(b, "Mul", "mul", 1.6732632423543772848170429916717, e);
    cnnfi_kt y = cnnfi_kb_where(b, positive, e, scaled);
    return cnnfi_kb_const_binary(b, "Mul", "mul", 1.0507009873554804934193349852946, y);
}

static cnnfi_kt softmax_multi(cnnfi_kb *b, cnnfi_kt x)
{
    if (x.rank <= 2) return cnnfi_kb_unary(b, "Softmax", "Softmax", x);
    return cnnfi_kb_softmax_by_hand(b, x, -1);
}

static cnnfi_kt softmax_tf(cnnfi_kb *b, cnnfi_kt x)
{
    return cnnfi_kb_unary(b, "Softmax", "Softmax", x);
}

cnnfi_kt cnnfi_kb_softmax_by_hand(cnnfi_kb *b, cnnfi_kt x, int32_t axis)
{
    cnnfi_kt top = cnnfi_kb_reduce_axis(b, "Max", "Max", x, axis, true);
    cnnfi_kt e = cnnfi_kb_unary(b, "Exp", "Exp", cnnfi_kb_binary(b, "Sub", "sub", x, top));
    cnnfi_kt sum = cnnfi_kb_reduce_axis(b, "Sum", "Sum", e, axis, true);
    return cnnfi_kb_binary(b, "RealDiv", "truediv", e, sum);
}

static cnnfi_kt hard_sigmoid_multi(cnnfi_kb *b, cnnfi_kt x)
{
    x = cnnfi_kb_binary_const(b, "AddV2", "add", cnnfi_kb_const_binary(b, "Mul", "mul", 0.2, x), 0.5);
    cnnfi_kt zero = cnnfi_kb_scalar(b, "Const", x.dtype, 0), one = cnnfi_kb_scalar(b, "Const", x.dtype, 1);
    return cnnfi_kb_clip_tensors(b, x, zero, one);
}

static cnnfi_kt hard_sigmoid_tf(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt fifth = cnnfi_kb_scalar(b, "Const", x.dtype, 0.2), half = cnnfi_kb_scalar(b, "Const", x.dtype, 0.5);
    x = cnnfi_kb_binary(b, "AddV2", "Add", cnnfi_kb_binary(b, "Mul", "Mul", x, fifth), half);
    return cnnfi_kb_clip(b, x, 0, 1);
}

/* Keras 3: relu6(x + 3) / 6 */
static cnnfi_kt hard_sigmoid_keras3(cnnfi_kb *b, cnnfi_kt x)
{
    x = cnnfi_kb_unary(b, "Relu6", "Relu6", cnnfi_kb_binary_const(b, "AddV2", "add", x, 3));
    return cnnfi_kb_binary_const(b, "RealDiv", "truediv", x, 6);
}

static cnnfi_kt hard_swish(cnnfi_kb *b, cnnfi_kt x)
{
    return cnnfi_kb_binary(b, "Mul", "mul", x, hard_sigmoid_keras3(b, x));
}

/* x * sigmoid(x) */
static cnnfi_kt swish(cnnfi_kb *b, cnnfi_kt x)
{
    return cnnfi_kb_binary(b, "Mul", "mul", x, sigmoid(b, x));
}

/* tf.nn.silu() has its own gradient, which leaves an IdentityN over result and arguments; its number
   (_gradient_op_type) counts what the process did before and means nothing in a file. */
static cnnfi_kt swish_tf(cnnfi_kb *b, cnnfi_kt x)
{
    const int32_t types[3] = {x.dtype, x.dtype, x.dtype};
    cnnfi_kt beta = cnnfi_kb_scalar(b, "beta", x.dtype, 1), y;
    cnnfi_kt gate = sigmoid(b, cnnfi_kt_shaped(cnnfi_kb_binary(b, "Mul", "mul", beta, x), x.rank, x.dims));
    cnnfi_kt inputs[3] = {cnnfi_kb_binary(b, "Mul", "mul", x, gate), x, beta};
    cnnf_node *node = cnnfi_kb_node(b, &y, "IdentityN", "IdentityN", 3, inputs);
    cnnfi_node_set_types(b->graph, node, "T", types, 3);
    return y;
}

/* 0.5 x (1 + erf(x / sqrt(2))) */
static cnnfi_kt gelu(cnnfi_kb *b, cnnfi_kt x)
{
    const char *saved = cnnfi_kb_push(b, "Gelu");
    cnnfi_kt half = cnnfi_kb_const_binary(b, "Mul", "mul", 0.5, x);
    cnnfi_kt root = cnnfi_kb_scalar(b, "Cast/x", x.dtype, 1.4142135623730951);
    cnnfi_kt erf = cnnfi_kb_unary(b, "Erf", "Erf", cnnfi_kb_binary(b, "RealDiv", "truediv", x, root));
    cnnfi_kt y = cnnfi_kb_binary(b, "Mul", "mul", half, cnnfi_kb_const_binary(b, "AddV2", "add", 1, erf));
    cnnfi_kb_pop(b, saved);
    return y;
}

/* ---- Keras 3's own ---- */

static cnnfi_kt log_sigmoid(cnnfi_kb *b, cnnfi_kt x)
{
    return cnnfi_kb_unary(b, "Neg", "Neg", softplus(b, cnnfi_kb_unary(b, "Neg", "Neg", x)));
}

static cnnfi_kt hard_tanh(cnnfi_kb *b, cnnfi_kt x)
{
    return cnnfi_kb_clip(b, x, -1, 1);
}

static cnnfi_kt tanh_shrink(cnnfi_kb *b, cnnfi_kt x)
{
    return cnnfi_kb_binary(b, "Sub", "sub", x, tanh_(b, x));
}

/* x - clip(x, -0.5, 0.5) */
static cnnfi_kt soft_shrink(cnnfi_kb *b, cnnfi_kt x)
{
    return cnnfi_kb_binary(b, "Sub", "sub", x, cnnfi_kb_clip(b, x, -0.5, 0.5));
}

/* x where |x| > 0.5, else 0 */
static cnnfi_kt hard_shrink(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt far = cnnfi_kb_binary_const(b, "Greater", "Greater", cnnfi_kb_unary(b, "Abs", "Abs", x), 0.5);
    return cnnfi_kb_binary(b, "Mul", "mul", x, cnnfi_kb_cast(b, "Cast", far, x.dtype));
}

/* (x + sqrt(x^2 + 4)) / 2 */
static cnnfi_kt squareplus(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt y = cnnfi_kb_binary_const(b, "AddV2", "add", cnnfi_kb_unary(b, "Square", "Square", x), 4);
    y = cnnfi_kb_binary(b, "AddV2", "add", x, cnnfi_kb_unary(b, "Sqrt", "Sqrt", y));
    return cnnfi_kb_binary_const(b, "Mul", "mul", y, 0.5);
}

/* 0 below -1, x above 1, (x + 1)^2 / 4 between: with c = clip(x, -1, 1), that and x - c above 1 */
static cnnfi_kt sparse_plus(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt c = cnnfi_kb_binary_const(b, "AddV2", "add", cnnfi_kb_clip(b, x, -1, 1), 1);
    c = cnnfi_kb_binary_const(b, "Mul", "mul", cnnfi_kb_unary(b, "Square", "Square", c), 0.25);
    return cnnfi_kb_binary(b, "AddV2", "add", c, relu(b, cnnfi_kb_binary_const(b, "Sub", "sub", x, 1)));
}

static cnnfi_kt sparse_sigmoid(cnnfi_kb *b, cnnfi_kt x)
{
    x = cnnfi_kb_binary_const(b, "Mul", "mul", cnnfi_kb_binary_const(b, "AddV2", "add", x, 1), 0.5);
    return cnnfi_kb_clip(b, x, 0, 1);
}

static cnnfi_kt leaky_relu(cnnfi_kb *b, cnnfi_kt x)
{
    return cnnfi_kb_leaky_relu(b, x, 0.2);
}

cnnfi_kt cnnfi_kb_leaky_relu(cnnfi_kb *b, cnnfi_kt x, double alpha)
{
    cnnfi_kt y;
    cnnf_node *node = cnnfi_kb_node_t(b, &y, "LeakyRelu", "LeakyRelu", 1, &x);
    cnnfi_node_set_float(b->graph, node, "alpha", (float)alpha);
    return y;
}

/* x * tanh(softplus(x)) */
static cnnfi_kt mish(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt t = cnnfi_kb_unary(b, "Tanh", "Tanh", cnnfi_kb_unary(b, "Softplus", "Softplus", x));
    return cnnfi_kb_binary(b, "Mul", "mul", x, t);
}

/* a * sigmoid(b) of the two halves of the last dimension */
static cnnfi_kt glu(cnnfi_kb *b, cnnfi_kt x)
{
    const char *saved = cnnfi_kb_push(b, "split");
    cnnfi_kt half, inputs[2] = {cnnfi_kb_int(b, "split_dim", -1), x};
    cnnf_node *node = cnnfi_kb_node(b, &half, "Split", "", 2, inputs);
    cnnfi_kb_pop(b, saved);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    cnnfi_node_set_int(b->graph, node, "num_split", 2);
    half.dtype = x.dtype;
    half = cnnfi_kt_shaped(half, x.rank, x.dims);
    if (x.dims[x.rank - 1] > 0) half.dims[x.rank - 1] /= 2;
    return cnnfi_kb_binary(b, "Mul", "mul", half, sigmoid(b, cnnfi_kb_port(b, &half, 1)));
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

static activation_fn function_of(const cnnfi_kb *b, const activation *a)
{
    if (b->keras3 && a->keras3) return a->keras3;
    return b->tf && a->tf ? a->tf : a->multi;
}

/* Conv2D(activation=LeakyReLU(0.2)): Keras calls the layer where it would call the function, within its own scope. */
static cnnfi_kt activate_by_layer(cnnfi_kc *kc, cnnfi_keras_layer *layer, cnnfi_kt x)
{
    size_t n_outputs = 0;
    cnnfi_kt *outputs = NULL;
    const char *saved = cnnfi_kb_push(kc->b, layer->name);
    cnnfi_kb_run(kc->b, layer, NULL, 1, &x, NULL, &n_outputs, &outputs);
    cnnfi_kb_pop(kc->b, saved);
    return cnnfi_kb_ok(kc->b) && n_outputs == 1 ? outputs[0] : x;
}

cnnfi_kt cnnfi_kc_activate(cnnfi_kc *kc, const cnnfi_json *value, cnnfi_kt x)
{
    const char *name = NULL;
    if (!value || cnnfi_json_is_null(value)) return x;
    (void)cnnfi_kc_serialized(value, &name);
    cnnfi_keras_layer *layer = cnnfi_kb_activation_layer(kc, value);
    if (layer) return activate_by_layer(kc, layer, x);
    for (size_t i = 0; name && i < sizeof activations / sizeof activations[0]; i++) {
        if (strcmp(activations[i].name, name) == 0) return function_of(kc->b, &activations[i])(kc->b, x);
    }
    cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "activation '%s' is not known", name ? name : "?");
    return x;
}

cnnfi_kt cnnfi_kc_activation(cnnfi_kc *kc, const char *key, cnnfi_kt x)
{
    return cnnfi_kc_activate(kc, cnnfi_json_get(kc->config, key), x);
}
