/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that broadcast. The operands are lined up in one layout: channels first when one of them is there so alone. */
#include "serializer/onnx/onnx_ops.h"
#include "serializer/onnx/onnx_quantize.h"

cnnfi_layout cnnfi_onnx_common_layout(const cnnfi_onnx_call *call, int32_t n)
{
    const int32_t rank = cnnfi_export_out_shape(&call->asked, 0).rank;
    for (int32_t i = 0; i < n && i < call->n_inputs; i++) {
        const bool whole = cnnfi_export_in_shape(&call->asked, i).rank == rank;
        if (whole && cnnfi_onnx_layout_of(call, i) == CNNFI_FIRST) return CNNFI_FIRST;
    }
    return CNNFI_PLAIN;
}

/* [C] beside [N, C, H, W] is [C, 1, 1]; anything else gets its leading axes before it is transposed. */
static const char *widen(const cnnfi_onnx_call *call, int32_t input, int32_t have, int32_t rank)
{
    int64_t axes[CNNFI_OP_MAX_RANK], perm[CNNFI_OP_MAX_RANK];
    const char *x = cnnfi_onnx_in(call, input, CNNFI_PLAIN);
    if (have == 1) return cnnfi_onnx_per_channel(call->m, x, rank);
    for (int32_t i = 0; i < rank - have; i++)
        axes[i] = i;
    x = cnnfi_onnx_binary(call->m, "Unsqueeze", NULL, x, cnnfi_onnx_ints(call->m, (size_t)(rank - have), axes));
    for (int32_t axis = 0; axis < rank; axis++)
        perm[cnnfi_onnx_axis(CNNFI_FIRST, axis, rank)] = axis;
    return cnnfi_onnx_transpose(call->m, x, rank, perm, NULL);
}

/* The same of a constant, at no cost: its elements in another order under other dims. */
static const char *widen_constant(const cnnfi_onnx_call *call, const cnnf_tensor *tensor, int32_t have, int32_t rank)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t perm[CNNFI_OP_MAX_RANK] = {0}, n = 0;
    for (int32_t k = 0; k < rank; k++) {
        /* ONNX' axis k is TensorFlow's: batch, channels, then the places. */
        const int32_t axis = k == 0 ? 0 : k == 1 ? rank - 1 : k - 1;
        const int32_t own = axis - (rank - have);
        dims[k] = own >= 0 ? cnnfi_tensor_dims(tensor)[own] : 1;
        if (own >= 0) perm[n++] = own;
    }
    return cnnfi_onnx_weights(call, tensor, "operand", perm, rank, dims);
}

const char *cnnfi_onnx_operand(const cnnfi_onnx_call *call, int32_t input, int32_t rank, cnnfi_layout layout)
{
    const cnnfi_value shape = cnnfi_export_in_shape(&call->asked, input);
    if (layout == CNNFI_PLAIN || shape.rank == rank || shape.rank == 0) return cnnfi_onnx_in(call, input, layout);
    if (shape.rank < 0) {
        cnnfi_export_refuse(&call->asked, "the number of axes of input %d is not known", input);
        return NULL;
    }
    const cnnf_tensor *constant = cnnfi_export_const_of(&call->asked, input);
    return constant != NULL ? widen_constant(call, constant, shape.rank, rank) : widen(call, input, shape.rank, rank);
}

/* Operands 0 and 1 of the call and what its result is called. */
typedef struct pair_call {
    cnnfi_onnx_model *m;
    cnnfi_layout layout;
    cnnf_dtype dtype; /* of the operands */
    bool integer;
    const char *x, *y, *out;
} pair_call;

static pair_call pair_begin(const cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_common_layout(call, 2);
    const int32_t rank = cnnfi_export_out_shape(&call->asked, 0).rank;
    const cnnf_dtype dtype = cnnfi_export_in_shape(&call->asked, 0).dtype;
    return (pair_call){.m = call->m,
                       .layout = layout,
                       .dtype = dtype,
                       .integer =
                           dtype != CNNF_FLOAT && dtype != CNNF_DOUBLE && dtype != CNNF_HALF && dtype != CNNF_BFLOAT16,
                       .x = cnnfi_onnx_operand(call, 0, rank, layout),
                       .y = cnnfi_onnx_operand(call, 1, rank, layout),
                       .out = cnnfi_onnx_out_name(call, 0, layout)};
}

static void convert_pair(cnnfi_onnx_call *call)
{
    const pair_call p = pair_begin(call);
    cnnfi_onnx_give(call, 0, p.layout, cnnfi_onnx_binary(p.m, call->row->as, p.out, p.x, p.y));
}

/* x + b where x is a product's or a convolution's own result and b [C] a constant: its third input. */
static bool absorb_bias(const cnnfi_onnx_call *call, int32_t x, int32_t b)
{
    cnnfi_onnx_node *node = cnnfi_onnx_bias_taker(call, x);
    const cnnf_tensor *bias = node != NULL ? cnnfi_export_const_of(&call->asked, b) : NULL;
    const cnnfi_value shape = cnnfi_export_in_shape(&call->asked, x);
    if (bias == NULL || cnnf_tensor_rank(bias) != 1 || shape.rank < 2 || shape.dims[shape.rank - 1] < 0) return false;
    if (cnnfi_tensor_dims(bias)[0] != shape.dims[shape.rank - 1]) return false;
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, x);
    int64_t n_scales;
    const double *scales = cnnfi_onnx_bias_scales(call, x, &n_scales);
    const char *integers = scales != NULL ? cnnfi_onnx_quantized_bias(call, bias, scales, n_scales, &node) : NULL;
    cnnfi_onnx_add_input(call->m, node, integers != NULL ? integers : cnnfi_onnx_in(call, b, CNNFI_PLAIN));
    node->outputs[0] = node->name = cnnfi_onnx_out_name(call, 0, layout);
    cnnfi_onnx_give(call, 0, layout, node->outputs[0]);
    return true;
}

static void convert_add(cnnfi_onnx_call *call)
{
    if (!absorb_bias(call, 0, 1) && !absorb_bias(call, 1, 0)) convert_pair(call);
}

/* The bias goes along the channels, wherever the data format has them. */
static void convert_bias_add(cnnfi_onnx_call *call)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    if (cnnfi_export_channels_last(&call->asked) || rank < 3) {
        convert_add(call);
        return;
    }
    const char *bias = cnnfi_onnx_per_channel(call->m, cnnfi_onnx_in(call, 1, CNNFI_PLAIN), rank);
    const char *sum = cnnfi_onnx_binary(call->m, "Add", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN),
                                        cnnfi_onnx_in(call, 0, CNNFI_PLAIN), bias);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, sum);
}

/* With incompatible_shape_error false, shapes that do not fit are an answer, too. */
static void want_shapes_that_fit(const cnnfi_onnx_call *call)
{
    const cnnfi_attr *demands = cnnfi_node_attr(call->node, "incompatible_shape_error");
    if (demands != NULL && demands->kind == CNNF_ATTR_BOOL && !demands->u.b)
        cnnfi_export_refuse(&call->asked, "incompatible_shape_error is false");
}

static void convert_equal(cnnfi_onnx_call *call)
{
    want_shapes_that_fit(call);
    convert_pair(call);
}

static void convert_not_equal(cnnfi_onnx_call *call)
{
    want_shapes_that_fit(call);
    const pair_call p = pair_begin(call);
    const char *equal = cnnfi_onnx_binary(p.m, "Equal", NULL, p.x, p.y);
    cnnfi_onnx_give(call, 0, p.layout, cnnfi_onnx_unary(p.m, "Not", p.out, equal));
}

static void convert_squared_difference(cnnfi_onnx_call *call)
{
    const pair_call p = pair_begin(call);
    const char *d = cnnfi_onnx_binary(p.m, "Sub", NULL, p.x, p.y);
    cnnfi_onnx_give(call, 0, p.layout, cnnfi_onnx_binary(p.m, "Mul", p.out, d, d));
}

/* Python's remainder, which has the divisor's sign: ONNX' Mod of integers is that; of floats x - floor(x / y) * y. */
static const char *floor_mod(const pair_call *p, const char *out)
{
    if (p->integer) return cnnfi_onnx_binary(p->m, "Mod", out, p->x, p->y);
    const char *quotient = cnnfi_onnx_unary(p->m, "Floor", NULL, cnnfi_onnx_binary(p->m, "Div", NULL, p->x, p->y));
    const char *whole = cnnfi_onnx_binary(p->m, "Mul", NULL, quotient, p->y);
    return cnnfi_onnx_binary(p->m, "Sub", out, p->x, whole);
}

static void convert_floor_mod(cnnfi_onnx_call *call)
{
    const pair_call p = pair_begin(call);
    cnnfi_onnx_give(call, 0, p.layout, floor_mod(&p, p.out));
}

/* ONNX' Div of integers rounds towards zero; (x - x mod y) / y has no rest. */
static void convert_floor_div(cnnfi_onnx_call *call)
{
    const pair_call p = pair_begin(call);
    const char *y;
    if (p.integer)
        y = cnnfi_onnx_binary(p.m, "Div", p.out, cnnfi_onnx_binary(p.m, "Sub", NULL, p.x, floor_mod(&p, NULL)), p.y);
    else
        y = cnnfi_onnx_unary(p.m, "Floor", p.out, cnnfi_onnx_binary(p.m, "Div", NULL, p.x, p.y));
    cnnfi_onnx_give(call, 0, p.layout, y);
}

/* C's remainder. */
static void convert_truncate_mod(cnnfi_onnx_call *call)
{
    const pair_call p = pair_begin(call);
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(p.m, &node, "Mod", p.out, 2, (const char *[]){p.x, p.y});
    cnnfi_onnx_set_int(p.m, node, "fmod", 1);
    cnnfi_onnx_give(call, 0, p.layout, y);
}

/* `as` of x and y, but 0 where operand `number` is 0 (also where the other one is not finite). */
static void convert_zero_safe(cnnfi_onnx_call *call)
{
    const pair_call p = pair_begin(call);
    const char *zero = cnnfi_onnx_scalar(p.m, p.dtype, 0);
    const char *is_zero = cnnfi_onnx_binary(p.m, "Equal", NULL, call->row->number > 0 ? p.y : p.x, zero);
    const char *value = cnnfi_onnx_binary(p.m, call->row->as, NULL, p.x, p.y);
    cnnfi_onnx_give(call, 0, p.layout,
                    cnnfi_onnx_add(p.m, NULL, "Where", p.out, 3, (const char *[]){is_zero, zero, value}));
}

static void convert_xlogy(cnnfi_onnx_call *call)
{
    const pair_call p = pair_begin(call);
    const char *zero = cnnfi_onnx_scalar(p.m, p.dtype, 0);
    const char *is_zero = cnnfi_onnx_binary(p.m, "Equal", NULL, p.x, zero);
    const char *inner = p.y;
    if (call->row->number > 0) inner = cnnfi_onnx_binary(p.m, "Add", NULL, p.y, cnnfi_onnx_scalar(p.m, p.dtype, 1));
    const char *value = cnnfi_onnx_binary(p.m, "Mul", NULL, p.x, cnnfi_onnx_unary(p.m, "Log", NULL, inner));
    cnnfi_onnx_give(call, 0, p.layout,
                    cnnfi_onnx_add(p.m, NULL, "Where", p.out, 3, (const char *[]){is_zero, zero, value}));
}

static void convert_approximate_equal(cnnfi_onnx_call *call)
{
    const pair_call p = pair_begin(call);
    const char *d = cnnfi_onnx_unary(p.m, "Abs", NULL, cnnfi_onnx_binary(p.m, "Sub", NULL, p.x, p.y));
    const char *tolerance = cnnfi_onnx_scalar(p.m, p.dtype, cnnf_node_attr_float(call->node, "tolerance", 1e-5));
    cnnfi_onnx_give(call, 0, p.layout, cnnfi_onnx_binary(p.m, "Less", p.out, d, tolerance));
}

/* Any number of tensors of one shape. */
static void convert_sum(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_common_layout(call, call->n_inputs);
    const int32_t rank = cnnfi_export_out_shape(&call->asked, 0).rank;
    const char *sum = call->n_inputs > 0 ? cnnfi_onnx_operand(call, 0, rank, layout) : NULL;
    if (call->n_inputs == 1) cnnfi_onnx_give_input(call, 0, 0);
    for (int32_t i = 1; i < call->n_inputs; i++) {
        const char *name = i + 1 == call->n_inputs ? cnnfi_onnx_out_name(call, 0, layout) : NULL;
        sum = cnnfi_onnx_binary(call->m, "Add", name, sum, cnnfi_onnx_operand(call, i, rank, layout));
        if (name != NULL) cnnfi_onnx_give(call, 0, layout, sum);
    }
}

/* Select: a vector of conditions chooses rows. */
static const char *condition(const cnnfi_onnx_call *call, int32_t rank, cnnfi_layout layout)
{
    const cnnfi_value shape = cnnfi_export_in_shape(&call->asked, 0);
    const bool rows = call->row->number > 0 && shape.rank == 1 && rank > 1;
    if (!rows) return cnnfi_onnx_operand(call, 0, rank, layout);
    int64_t axes[CNNFI_OP_MAX_RANK];
    for (int32_t i = 1; i < rank; i++)
        axes[i - 1] = i;
    return cnnfi_onnx_binary(call->m, "Unsqueeze", NULL, cnnfi_onnx_in(call, 0, CNNFI_PLAIN),
                             cnnfi_onnx_ints(call->m, (size_t)(rank - 1), axes));
}

static void convert_select(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_common_layout(call, 3);
    const int32_t rank = cnnfi_export_out_shape(&call->asked, 0).rank;
    const char *inputs[] = {condition(call, rank, layout), cnnfi_onnx_operand(call, 1, rank, layout),
                            cnnfi_onnx_operand(call, 2, rank, layout)};
    cnnfi_onnx_give(call, 0, layout,
                    cnnfi_onnx_add(call->m, NULL, "Where", cnnfi_onnx_out_name(call, 0, layout), 3, inputs));
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_binary_rows[] = {
    {"Add", convert_add, "Add"},
    {"AddV2", convert_add, "Add"},
    {"BiasAdd", convert_bias_add, "Add"},
    {"BiasAddV1", convert_bias_add, "Add"},
    {"Sub", convert_pair, "Sub"},
    {"Mul", convert_pair, "Mul"},
    {"Div", convert_pair, "Div"},
    {"RealDiv", convert_pair, "Div"},
    {"TruncateDiv", convert_pair, "Div"},
    {"Maximum", convert_pair, "Max"},
    {"Minimum", convert_pair, "Min"},
    {"Pow", convert_pair, "Pow"},
    {"Greater", convert_pair, "Greater"},
    {"GreaterEqual", convert_pair, "GreaterOrEqual"},
    {"Less", convert_pair, "Less"},
    {"LessEqual", convert_pair, "LessOrEqual"},
    {"Equal", convert_equal, "Equal"},
    {"LogicalAnd", convert_pair, "And"},
    {"LogicalOr", convert_pair, "Or"},
    {"BitwiseAnd", convert_pair, "BitwiseAnd", 0, 18},
    {"BitwiseOr", convert_pair, "BitwiseOr", 0, 18},
    {"BitwiseXor", convert_pair, "BitwiseXor", 0, 18},
    {"NotEqual", convert_not_equal},
    {"SquaredDifference", convert_squared_difference},
    {"FloorMod", convert_floor_mod},
    {"FloorDiv", convert_floor_div},
    {"Mod", convert_truncate_mod},
    {"TruncateMod", convert_truncate_mod},
    {"DivNoNan", convert_zero_safe, "Div", 1},
    {"MulNoNan", convert_zero_safe, "Mul", 1},
    {"Xdivy", convert_zero_safe, "Div", 0},
    {"Xlogy", convert_xlogy, NULL, 0},
    {"Xlog1py", convert_xlogy, NULL, 1},
    {"ApproximateEqual", convert_approximate_equal},
    {"AddN", convert_sum},
    {"AccumulateNV2", convert_sum},
    {"Select", convert_select, NULL, 1},
    {"SelectV2", convert_select},
    {NULL, NULL},
};
/* clang-format on */
