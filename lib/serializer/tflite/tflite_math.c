/* SPDX-License-Identifier: Apache-2.0 */
/* Ops of one tensor, element by element. */
#include <math.h>

#include "serializer/tflite/tflite_builtin.h"
#include "serializer/tflite/tflite_ops.h"

cnnfi_tfl_node *cnnfi_tfl_give_one(const cnnfi_tfl_call *call, cnnfi_tfl_code code, size_t n_inputs,
                                   cnnfi_tfl_tensor *const *inputs)
{
    cnnfi_tfl_tensor *out = cnnfi_tfl_out(call, 0);
    cnnfi_tfl_node *node = cnnfi_tfl_add(call->m, code, n_inputs, inputs, 1, &out);
    cnnfi_tfl_give(call, 0, out);
    return node;
}

/* One operator of the same meaning. */
static void convert_plain(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_give_one(call, call->row->as, 1, &x);
}

/* Whole numbers stay. */
static void convert_round(cnnfi_tfl_call *call)
{
    if (cnnfi_tfl_in_shape(call, 0).dtype == CNNF_FLOAT)
        convert_plain(call);
    else
        cnnfi_tfl_give_input(call, 0, 0);
}

static void convert_identity(cnnfi_tfl_call *call)
{
    cnnfi_tfl_give_input(call, 0, 0);
}

static void convert_identity_n(cnnfi_tfl_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++)
        cnnfi_tfl_give_input(call, i, i);
}

static void convert_placeholder(cnnfi_tfl_call *call)
{
    const cnnfi_value shape = cnnfi_tfl_out_shape(call, 0);
    if (cnnfi_tfl_type(shape.dtype) < 0 || shape.dtype == CNNF_STRING)
        cnnfi_tfl_refuse(call, "an input of dtype %s cannot be said", cnnf_dtype_name(shape.dtype));
    else if (shape.rank < 0)
        cnnfi_tfl_refuse(call, "the number of axes of this input is not known");
    cnnfi_tfl_tensor *tensor = cnnfi_tfl_out(call, 0);
    cnnfi_tfl_add_input(call->m, tensor, call->node->name);
    cnnfi_tfl_give(call, 0, tensor);
}

/* ---- activations: into the operator before where its kernels apply them ---- */

/* `number`: ActivationFunctionType. */
static bool fuse_activation(const cnnfi_tfl_call *call)
{
    cnnfi_tfl_node *node = cnnfi_tfl_taker(call, 0);
    const int32_t field = node != NULL ? cnnfi_tfl_activation_field(node->code) : -1;
    if (field < 0 || call->row->number == ACTIVATION_NONE || cnnfi_tfl_in_shape(call, 0).dtype != CNNF_FLOAT)
        return false;
    cnnfi_tfl_set_byte(node, (uint32_t)field, call->row->number);
    node->outputs[0] = cnnfi_tfl_out(call, 0);
    cnnfi_tfl_give(call, 0, node->outputs[0]);
    return true;
}

static void convert_activation(cnnfi_tfl_call *call)
{
    if (!fuse_activation(call)) convert_plain(call);
}

static void convert_leaky(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_LEAKY_RELU, 1, &x);
    cnnfi_tfl_set_real(node, LEAKY_RELU_ALPHA, cnnf_node_attr_float(call->node, "alpha", 0.2));
}

/* scale * (x where it is above 0, else alpha * (exp(x) - 1)): ELU has the second but for the factor, which a leaky
   ReLU puts on what is below 0. */
static void convert_selu(cnnfi_tfl_call *call)
{
    static const double alpha = 1.6732632423543772, scale = 1.0507009873554805;
    cnnfi_tfl_tensor *elu = cnnfi_tfl_unary(call->m, TFL_ELU, cnnfi_tfl_in(call, 0), cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *leaky = cnnfi_tfl_part(call);
    cnnfi_tfl_set_real(cnnfi_tfl_add(call->m, TFL_LEAKY_RELU, 1, &elu, 1, &leaky), LEAKY_RELU_ALPHA, alpha);
    cnnfi_tfl_tensor *inputs[] = {leaky, cnnfi_tfl_scalar(call->m, CNNF_FLOAT, scale)};
    cnnfi_tfl_give_one(call, TFL_MUL, 2, inputs);
}

/* max(x, 0) + log(1 + exp(-|x|)): no size of x is too large for it. */
static void convert_softplus(cnnfi_tfl_call *call)
{
    cnnfi_tfl_model *m = call->m;
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0), *one = cnnfi_tfl_scalar(m, CNNF_FLOAT, 1);
    cnnfi_tfl_tensor *size = cnnfi_tfl_unary(m, TFL_ABS, x, cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *below = cnnfi_tfl_unary(m, TFL_NEG, size, cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *power = cnnfi_tfl_unary(m, TFL_EXP, below, cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *sum = cnnfi_tfl_binary(m, TFL_ADD, power, one, cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *rest = cnnfi_tfl_unary(m, TFL_LOG, sum, cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_unary(m, TFL_RELU, x, cnnfi_tfl_part(call)), rest};
    cnnfi_tfl_give_one(call, TFL_ADD, 2, inputs);
}

/* ---- compositions ---- */

/* 1 / x */
static void convert_reciprocal(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_scalar(call->m, CNNF_FLOAT, 1), cnnfi_tfl_in(call, 0)};
    cnnfi_tfl_give_one(call, TFL_DIV, 2, inputs);
}

static void convert_expm1(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_unary(call->m, TFL_EXP, cnnfi_tfl_in(call, 0), cnnfi_tfl_part(call)),
                                  cnnfi_tfl_scalar(call->m, CNNF_FLOAT, 1)};
    cnnfi_tfl_give_one(call, TFL_SUB, 2, inputs);
}

static void convert_log1p(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *sum = cnnfi_tfl_binary(call->m, TFL_ADD, cnnfi_tfl_in(call, 0),
                                             cnnfi_tfl_scalar(call->m, CNNF_FLOAT, 1), cnnfi_tfl_part(call));
    cnnfi_tfl_give_one(call, TFL_LOG, 1, &sum);
}

static void convert_square(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    if (cnnfi_tfl_in_shape(call, 0).dtype == CNNF_FLOAT)
        cnnfi_tfl_give_one(call, TFL_SQUARE, 1, &x);
    else
        cnnfi_tfl_give_one(call, TFL_MUL, 2, (cnnfi_tfl_tensor *[]){x, x});
}

static void convert_is_nan(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0), *inputs[] = {x, x};
    cnnfi_tfl_give_one(call, TFL_NOT_EQUAL, 2, inputs);
}

static void convert_is_inf(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *size =
        cnnfi_tfl_unary(call->m, TFL_ABS, cnnfi_tfl_in(call, 0), cnnfi_tfl_part_like(call, 0, CNNF_FLOAT));
    cnnfi_tfl_tensor *inputs[] = {size, cnnfi_tfl_scalar(call->m, CNNF_FLOAT, (double)INFINITY)};
    cnnfi_tfl_give_one(call, TFL_EQUAL, 2, inputs);
}

/* x - x is 0 unless x is infinite or no number. */
static void convert_is_finite(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_tensor *rest = cnnfi_tfl_binary(call->m, TFL_SUB, x, x, cnnfi_tfl_part_like(call, 0, CNNF_FLOAT));
    cnnfi_tfl_tensor *inputs[] = {rest, cnnfi_tfl_scalar(call->m, CNNF_FLOAT, 0)};
    cnnfi_tfl_give_one(call, TFL_EQUAL, 2, inputs);
}

/* What CAST knows. */
static bool is_castable(cnnf_dtype dtype)
{
    return cnnfi_tfl_type(dtype) >= 0 && dtype != CNNF_UINT64 && dtype != CNNF_UINT16 && dtype != CNNF_COMPLEX64 &&
           dtype != CNNF_COMPLEX128 && dtype != CNNF_STRING;
}

static void convert_cast(cnnfi_tfl_call *call)
{
    const cnnf_dtype from = cnnfi_tfl_in_shape(call, 0).dtype, to = cnnfi_tfl_out_shape(call, 0).dtype;
    if (!is_castable(from) || !is_castable(to))
        cnnfi_tfl_refuse(call, "from %s to %s", cnnf_dtype_name(from), cnnf_dtype_name(to));
    if (from == to)
        cnnfi_tfl_give_input(call, 0, 0);
    else
        cnnfi_tfl_give(call, 0, cnnfi_tfl_cast(call->m, cnnfi_tfl_in(call, 0), cnnfi_tfl_out(call, 0)));
}

static void convert_ones_like(cnnfi_tfl_call *call)
{
    const cnnfi_value in = cnnfi_tfl_in_shape(call, 0);
    const int64_t rank = in.rank;
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0), *shape = cnnfi_tfl_part_of(call, CNNF_INT32, 1, &rank);
    cnnfi_tfl_set_byte(cnnfi_tfl_add(call->m, TFL_SHAPE, 1, &x, 1, &shape), OUTPUT_TYPE, cnnfi_tfl_type(CNNF_INT32));
    cnnfi_tfl_tensor *inputs[] = {shape, cnnfi_tfl_scalar(call->m, in.dtype, 1)};
    cnnfi_tfl_give_one(call, TFL_FILL, 2, inputs);
}

/* tf.clip_by_value: max(min(x, high), low). */
static void convert_clip_by_value(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *below =
        cnnfi_tfl_binary(call->m, TFL_MINIMUM, cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 2), cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *inputs[] = {below, cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_give_one(call, TFL_MAXIMUM, 2, inputs);
}

/* How many of the boundaries are not above each element. */
static void convert_bucketize(cnnfi_tfl_call *call)
{
    const cnnfi_attr *list = cnnfi_node_attr(call->node, "boundaries");
    const bool given = list != NULL && list->kind == CNNF_ATTR_LIST && list->u.list.item_kind == CNNF_ATTR_FLOAT;
    if (!given || list->u.list.count == 0) {
        cnnfi_tfl_refuse(call, "no boundaries");
        return;
    }
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_BUCKETIZE, 1, &x);
    cnnfi_tfl_set_reals(node, BUCKETIZE_BOUNDARIES, list->u.list.count, list->u.list.u.floats);
}

#define FLOAT   CNNFI_TFL_OF_FLOAT
#define NUMBERS CNNFI_TFL_OF_NUMBERS

/* clang-format off */
const cnnfi_tfl_row cnnfi_tfl_math_rows[] = {
    {"Placeholder", convert_placeholder},
    {"PlaceholderV2", convert_placeholder},
    {"PlaceholderWithDefault", convert_identity},
    {"Identity", convert_identity},
    {"IdentityN", convert_identity_n},
    {"StopGradient", convert_identity},
    {"PreventGradient", convert_identity},
    {"CheckNumerics", convert_identity},
    {"CheckNumericsV2", convert_identity},
    {"Snapshot", convert_identity},
    {"DeepCopy", convert_identity},
    {"EnsureShape", convert_identity},
    {"GuaranteeConst", convert_identity},
    {"Abs", convert_plain, TFL_ABS, FLOAT | CNNFI_TFL_OF_INT32},
    {"Ceil", convert_plain, TFL_CEIL, FLOAT},
    {"Cos", convert_plain, TFL_COS, FLOAT},
    {"Exp", convert_plain, TFL_EXP, FLOAT},
    {"Floor", convert_plain, TFL_FLOOR, FLOAT},
    {"Log", convert_plain, TFL_LOG, FLOAT},
    {"LogicalNot", convert_plain, TFL_LOGICAL_NOT, CNNFI_TFL_OF_BOOL},
    {"Neg", convert_plain, TFL_NEG, NUMBERS},
    {"Relu", convert_activation, TFL_RELU, FLOAT, ACTIVATION_RELU},
    {"Relu6", convert_activation, TFL_RELU6, FLOAT, ACTIVATION_RELU6},
    {"Rint", convert_round, TFL_ROUND, FLOAT},
    {"Round", convert_round, TFL_ROUND, NUMBERS},
    {"Rsqrt", convert_plain, TFL_RSQRT, FLOAT},
    {"Sigmoid", convert_plain, TFL_LOGISTIC, FLOAT},
    {"Sign", convert_plain, TFL_SIGN, FLOAT | CNNFI_TFL_OF_INT32},
    {"Sin", convert_plain, TFL_SIN, FLOAT},
    {"Sqrt", convert_plain, TFL_SQRT, FLOAT},
    {"Tanh", convert_plain, TFL_TANH, FLOAT},
    {"Elu", convert_plain, TFL_ELU, FLOAT},
    {"LeakyRelu", convert_leaky, TFL_LEAKY_RELU, FLOAT},
    {"Selu", convert_selu, TFL_ELU, FLOAT},
    {"Softplus", convert_softplus, TFL_LOG, FLOAT},
    {"Square", convert_square, TFL_SQUARE, NUMBERS},
    {"Inv", convert_reciprocal, TFL_DIV, FLOAT},
    {"Reciprocal", convert_reciprocal, TFL_DIV, FLOAT},
    {"Expm1", convert_expm1, TFL_EXP, FLOAT},
    {"Log1p", convert_log1p, TFL_LOG, FLOAT},
    {"IsNan", convert_is_nan, TFL_NOT_EQUAL, FLOAT},
    {"IsInf", convert_is_inf, TFL_EQUAL, FLOAT},
    {"IsFinite", convert_is_finite, TFL_EQUAL, FLOAT},
    {"Cast", convert_cast, TFL_CAST},
    {"ZerosLike", convert_plain, TFL_ZEROS_LIKE, NUMBERS},
    {"OnesLike", convert_ones_like, TFL_FILL, NUMBERS | CNNFI_TFL_OF_BOOL},
    {"ClipByValue", convert_clip_by_value, TFL_MAXIMUM, NUMBERS},
    {"Bucketize", convert_bucketize, TFL_BUCKETIZE, NUMBERS},
    {NULL, NULL},
};
/* clang-format on */
