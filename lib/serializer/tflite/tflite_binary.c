/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that broadcast. */
#include "serializer/tflite/tflite_builtin.h"
#include "serializer/tflite/tflite_ops.h"

/* Input 1 as the kernels want it beside input 0; several operators that take an activation afterwards. */
static void convert_pair(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, call->row->as, 2, inputs);
    if (node != NULL && cnnfi_tfl_activation_field(node->code) >= 0) cnnfi_tfl_offer(call, node);
}

/* ---- biases ---- */

/* Which input of an operator its bias is; 0: it takes none. */
static size_t bias_place(cnnfi_tfl_code code)
{
    switch (code) {
    case TFL_CONV_2D:
    case TFL_DEPTHWISE_CONV_2D:
    case TFL_FULLY_CONNECTED:
    case TFL_CONV_3D:
        return 2;
    case TFL_TRANSPOSE_CONV:
    case TFL_CONV_3D_TRANSPOSE:
        return 3;
    default:
        return 0;
    }
}

/* x + b where x is a product's or a convolution's own result and b a constant per channel: its bias. */
static bool absorb_bias(const cnnfi_tfl_call *call, int32_t x, int32_t b)
{
    cnnfi_tfl_node *node = cnnfi_tfl_taker(call, x);
    const size_t place = node != NULL ? bias_place(node->code) : 0;
    const cnnf_tensor *bias = place > 0 ? cnnfi_export_const_of(&call->asked, b) : NULL;
    const cnnfi_value shape = cnnfi_tfl_in_shape(call, x);
    if (bias == NULL || place >= node->n_inputs || node->inputs[place] != NULL || shape.rank < 2) return false;
    const int64_t channels = shape.dims[shape.rank - 1];
    const int32_t rank = cnnf_tensor_rank(bias);
    if (channels < 1 || rank < 1 || rank > shape.rank) return false;
    /* All its axes but the last are 1, so that it is a vector. */
    if (cnnf_tensor_element_count(bias) != channels || cnnf_tensor_dim(bias, rank - 1) != channels) return false;
    node->inputs[place] = rank == 1 ? cnnfi_tfl_in(call, b) : cnnfi_tfl_weights(call, b, NULL, 1, &channels);
    node->outputs[0] = cnnfi_tfl_out(call, 0);
    if (node->outputs[0] == NULL) return true;
    cnnfi_tfl_give(call, 0, node->outputs[0]);
    cnnfi_tfl_offer(call, node);
    return true;
}

static void convert_add(cnnfi_tfl_call *call)
{
    if (!absorb_bias(call, 0, 1) && !absorb_bias(call, 1, 0)) convert_pair(call);
}

/* The bias goes along the channels, wherever the data format has them. */
static void convert_bias_add(cnnfi_tfl_call *call)
{
    const int32_t rank = cnnfi_tfl_in_shape(call, 0).rank;
    if (cnnfi_export_channels_last(&call->asked) || rank < 3) {
        convert_add(call);
        return;
    }
    const int64_t channels = cnnfi_tfl_in_shape(call, 1).dims[0];
    int64_t dims[CNNFI_OP_MAX_RANK] = {channels, 1, 1, 1, 1, 1, 1, 1};
    const cnnf_dtype dtype = cnnfi_tfl_in_shape(call, 1).dtype;
    cnnfi_tfl_tensor *bias =
        cnnfi_tfl_reshape(call->m, cnnfi_tfl_in(call, 1), cnnfi_tfl_part_of(call, dtype, rank - 1, dims));
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), bias};
    cnnfi_tfl_offer(call, cnnfi_tfl_give_one(call, TFL_ADD, 2, inputs));
}

/* ---- comparisons ---- */

/* With incompatible_shape_error false, shapes that do not fit are an answer, too. */
static void convert_equal(cnnfi_tfl_call *call)
{
    const cnnfi_attr *demands = cnnfi_node_attr(call->node, "incompatible_shape_error");
    if (demands != NULL && demands->kind == CNNF_ATTR_BOOL && !demands->u.b)
        cnnfi_tfl_refuse(call, "incompatible_shape_error is false");
    convert_pair(call);
}

static void convert_approximate_equal(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *d = cnnfi_tfl_binary(call->m, TFL_SUB, cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1),
                                           cnnfi_tfl_part_like(call, 0, CNNF_FLOAT));
    cnnfi_tfl_tensor *size = cnnfi_tfl_unary(call->m, TFL_ABS, d, cnnfi_tfl_part_like(call, 0, CNNF_FLOAT));
    cnnfi_tfl_tensor *inputs[] = {
        size, cnnfi_tfl_scalar(call->m, CNNF_FLOAT, cnnf_node_attr_float(call->node, "tolerance", 1e-5))};
    cnnfi_tfl_give_one(call, TFL_LESS, 2, inputs);
}

/* ---- quotients ---- */

/* A part as the condition of a result like this call's. */
static cnnfi_tfl_tensor *is_zero(const cnnfi_tfl_call *call, int32_t input)
{
    const cnnf_dtype dtype = cnnfi_tfl_in_shape(call, 0).dtype;
    return cnnfi_tfl_binary(call->m, TFL_EQUAL, cnnfi_tfl_in(call, input), cnnfi_tfl_scalar(call->m, dtype, 0),
                            cnnfi_tfl_part_like(call, input, CNNF_BOOL));
}

static void give_unless(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *zero, cnnfi_tfl_tensor *value)
{
    const cnnf_dtype dtype = cnnfi_tfl_in_shape(call, 0).dtype;
    cnnfi_tfl_tensor *inputs[] = {zero, cnnfi_tfl_scalar(call->m, dtype, 0), value};
    cnnfi_tfl_give_one(call, TFL_SELECT_V2, 3, inputs);
}

/* `as` of x and y, but 0 where operand `number` is 0 (also where the other one is not finite). */
static void convert_zero_safe(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *zero = is_zero(call, call->row->number);
    give_unless(
        call, zero,
        cnnfi_tfl_binary(call->m, call->row->as, cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1), cnnfi_tfl_part(call)));
}

/* x log(y), x log(1 + y) with `number`; 0 where x is. */
static void convert_xlogy(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *zero = is_zero(call, 0), *y = cnnfi_tfl_in(call, 1);
    if (call->row->number > 0)
        y = cnnfi_tfl_binary(call->m, TFL_ADD, y, cnnfi_tfl_scalar(call->m, CNNF_FLOAT, 1),
                             cnnfi_tfl_part_like(call, 1, CNNF_FLOAT));
    cnnfi_tfl_tensor *log = cnnfi_tfl_unary(call->m, TFL_LOG, y, cnnfi_tfl_part_like(call, 1, CNNF_FLOAT));
    give_unless(call, zero, cnnfi_tfl_binary(call->m, TFL_MUL, cnnfi_tfl_in(call, 0), log, cnnfi_tfl_part(call)));
}

/* The kernel refuses to divide floats by 0: where that may be, it is a quotient rounded down. */
static void convert_floor_div(cnnfi_tfl_call *call)
{
    if (cnnfi_tfl_in_shape(call, 0).dtype != CNNF_FLOAT || cnnfi_export_const_of(&call->asked, 1) != NULL) {
        convert_pair(call);
        return;
    }
    cnnfi_tfl_tensor *quotient =
        cnnfi_tfl_binary(call->m, TFL_DIV, cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1), cnnfi_tfl_part(call));
    cnnfi_tfl_give_one(call, TFL_FLOOR, 1, &quotient);
}

/* C's remainder: x - trunc(x / y) * y. */
static void convert_truncate_mod(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0), *y = cnnfi_tfl_in(call, 1);
    cnnfi_tfl_tensor *quotient = cnnfi_tfl_binary(call->m, TFL_DIV, x, y, cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *inputs[] = {x, cnnfi_tfl_binary(call->m, TFL_MUL, quotient, y, cnnfi_tfl_part(call))};
    cnnfi_tfl_give_one(call, TFL_SUB, 2, inputs);
}

/* ---- more than two ---- */

/* Any number of tensors of one shape. */
static void convert_sum(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor **inputs = cnnfi_export_array(&call->m->x, (size_t)call->n_inputs, sizeof(cnnfi_tfl_tensor *));
    for (int32_t i = 0; inputs != NULL && i < call->n_inputs; i++)
        inputs[i] = cnnfi_tfl_in(call, i);
    if (call->n_inputs == 1)
        cnnfi_tfl_give_input(call, 0, 0);
    else if (inputs != NULL)
        cnnfi_tfl_give_one(call, call->n_inputs == 2 ? TFL_ADD : TFL_ADD_N, (size_t)call->n_inputs, inputs);
}

/* Select: a vector of conditions chooses rows, as SELECT has it. */
static void convert_select(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1), cnnfi_tfl_in(call, 2)};
    cnnfi_tfl_give_one(call, call->row->as, 3, inputs);
}

#define FLOAT   CNNFI_TFL_OF_FLOAT
#define INT32   CNNFI_TFL_OF_INT32
#define NUMBERS CNNFI_TFL_OF_NUMBERS
#define MOVED   CNNFI_TFL_OF_MOVED

/* clang-format off */
const cnnfi_tfl_row cnnfi_tfl_binary_rows[] = {
    {"Add", convert_add, TFL_ADD, NUMBERS, .axes = 6},
    {"AddV2", convert_add, TFL_ADD, NUMBERS, .axes = 6},
    {"BiasAdd", convert_bias_add, TFL_ADD, NUMBERS},
    {"BiasAddV1", convert_bias_add, TFL_ADD, NUMBERS},
    {"Sub", convert_pair, TFL_SUB, NUMBERS, .axes = 5},
    {"Mul", convert_pair, TFL_MUL, NUMBERS, .axes = 6},
    {"Div", convert_pair, TFL_DIV, FLOAT, .axes = 5},
    {"RealDiv", convert_pair, TFL_DIV, FLOAT, .axes = 5},
    {"TruncateDiv", convert_pair, TFL_DIV, INT32, .axes = 5},
    {"Maximum", convert_pair, TFL_MAXIMUM, NUMBERS},
    {"Minimum", convert_pair, TFL_MINIMUM, NUMBERS},
    {"Pow", convert_pair, TFL_POW, FLOAT | INT32, .axes = 4},
    {"Greater", convert_pair, TFL_GREATER, NUMBERS, .axes = 4},
    {"GreaterEqual", convert_pair, TFL_GREATER_EQUAL, NUMBERS, .axes = 4},
    {"Less", convert_pair, TFL_LESS, NUMBERS, .axes = 4},
    {"LessEqual", convert_pair, TFL_LESS_EQUAL, NUMBERS, .axes = 4},
    {"Equal", convert_equal, TFL_EQUAL, NUMBERS | CNNFI_TFL_OF_BOOL, .axes = 4},
    {"NotEqual", convert_equal, TFL_NOT_EQUAL, NUMBERS | CNNFI_TFL_OF_BOOL, .axes = 4},
    {"LogicalAnd", convert_pair, TFL_LOGICAL_AND, CNNFI_TFL_OF_BOOL, .axes = 4},
    {"LogicalOr", convert_pair, TFL_LOGICAL_OR, CNNFI_TFL_OF_BOOL, .axes = 4},
    {"SquaredDifference", convert_pair, TFL_SQUARED_DIFFERENCE, FLOAT | INT32, .axes = 4},
    {"FloorDiv", convert_floor_div, TFL_FLOOR_DIV, FLOAT | INT32, .axes = 4},
    {"FloorMod", convert_pair, TFL_FLOOR_MOD, NUMBERS, .axes = 4},
    {"Mod", convert_truncate_mod, TFL_SUB, INT32, .axes = 4},
    {"TruncateMod", convert_truncate_mod, TFL_SUB, INT32, .axes = 4},
    {"Atan2", convert_pair, TFL_ATAN2, FLOAT},
    {"BitwiseXor", convert_pair, TFL_BITWISE_XOR, INT32 | CNNFI_TFL_OF_BYTE | CNNFI_TFL_OF_SHORT},
    {"RightShift", convert_pair, TFL_RIGHT_SHIFT, INT32 | CNNFI_TFL_OF_BYTE | CNNFI_TFL_OF_SHORT},
    {"DivNoNan", convert_zero_safe, TFL_DIV, FLOAT, 1, .axes = 4},
    {"MulNoNan", convert_zero_safe, TFL_MUL, FLOAT, 1, .axes = 4},
    {"Xdivy", convert_zero_safe, TFL_DIV, FLOAT, 0, .axes = 4},
    {"Xlogy", convert_xlogy, TFL_LOG, FLOAT, 0, .axes = 4},
    {"Xlog1py", convert_xlogy, TFL_LOG, FLOAT, 1, .axes = 4},
    {"ApproximateEqual", convert_approximate_equal, TFL_LESS, FLOAT},
    {"AddN", convert_sum, TFL_ADD_N, FLOAT | INT32},
    {"AccumulateNV2", convert_sum, TFL_ADD_N, FLOAT | INT32},
    {"Select", convert_select, TFL_SELECT, MOVED, .data = 1},
    {"SelectV2", convert_select, TFL_SELECT_V2, MOVED, .data = 1},
    {NULL, NULL},
};
/* clang-format on */
