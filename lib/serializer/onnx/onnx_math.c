/* SPDX-License-Identifier: Apache-2.0 */
/* Ops of one tensor, element by element: the layout is the input's. */
#include "serializer/onnx/onnx_ops.h"

/* The layout at hand, the input and the output in it. */
typedef struct element_call {
    cnnfi_onnx_model *m;
    cnnfi_layout layout;
    cnnf_dtype dtype; /* of the input */
    const char *x, *out;
} element_call;

static element_call element_begin(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    return (element_call){.m = call->m,
                          .layout = layout,
                          .dtype = cnnfi_export_in_shape(&call->asked, 0).dtype,
                          .x = cnnfi_onnx_in(call, 0, layout),
                          .out = cnnfi_onnx_out_name(call, 0, layout)};
}

/* One ONNX op of the same meaning. */
static void convert_plain(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_unary(e.m, call->row->as, e.out, e.x));
}

/* Whole numbers stay. */
static void convert_round(cnnfi_onnx_call *call)
{
    const cnnf_dtype dtype = cnnfi_export_in_shape(&call->asked, 0).dtype;
    if (dtype == CNNF_INT32 || dtype == CNNF_INT64)
        cnnfi_onnx_give_input(call, 0, 0);
    else if (dtype == CNNF_BFLOAT16)
        cnnfi_export_refuse(&call->asked, "dtype bfloat16");
    else
        convert_plain(call);
}

static void convert_identity(cnnfi_onnx_call *call)
{
    cnnfi_onnx_give_input(call, 0, 0);
}

static void convert_identity_n(cnnfi_onnx_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++)
        cnnfi_onnx_give_input(call, i, i);
}

static void convert_placeholder(cnnfi_onnx_call *call)
{
    const cnnfi_value shape = cnnfi_export_out_shape(&call->asked, 0);
    const bool first = call->c->inputs_as_nchw && shape.rank >= 3;
    const cnnfi_layout layout = first ? CNNFI_FIRST : CNNFI_PLAIN;
    int64_t dims[CNNFI_OP_MAX_RANK];
    if (cnnfi_onnx_type(shape.dtype) == 0) {
        cnnfi_export_refuse(&call->asked, "an input of dtype %s cannot be said", cnnf_dtype_name(shape.dtype));
        return;
    }
    for (int32_t axis = 0; axis < shape.rank; axis++)
        dims[cnnfi_onnx_axis(layout, axis, shape.rank)] = shape.dims[axis];
    const char *name = cnnfi_onnx_out_name(call, 0, layout);
    cnnfi_onnx_add_graph_input(call->m, name, shape.dtype, shape.rank, dims);
    cnnfi_onnx_give(call, 0, layout, name);
}

static void convert_clip6(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    const char *inputs[] = {e.x, cnnfi_onnx_scalar(e.m, e.dtype, 0), cnnfi_onnx_scalar(e.m, e.dtype, 6)};
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_add(e.m, NULL, "Clip", e.out, 3, inputs));
}

static void convert_alpha(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(e.m, &node, call->row->as, e.out, 1, &e.x);
    cnnfi_onnx_set_float(e.m, node, "alpha", (float)cnnf_node_attr_float(call->node, "alpha", call->row->number));
    cnnfi_onnx_give(call, 0, e.layout, y);
}

static void convert_square(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_binary(e.m, "Mul", e.out, e.x, e.x));
}

static void convert_rsqrt(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    const char *root = cnnfi_onnx_unary(e.m, "Sqrt", NULL, e.x);
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_unary(e.m, "Reciprocal", e.out, root));
}

static void convert_expm1(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    const char *power = cnnfi_onnx_unary(e.m, "Exp", NULL, e.x);
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_binary(e.m, "Sub", e.out, power, cnnfi_onnx_scalar(e.m, e.dtype, 1)));
}

static void convert_log1p(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    const char *sum = cnnfi_onnx_binary(e.m, "Add", NULL, e.x, cnnfi_onnx_scalar(e.m, e.dtype, 1));
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_unary(e.m, "Log", e.out, sum));
}

static void convert_erfc(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    const char *erf = cnnfi_onnx_unary(e.m, "Erf", NULL, e.x);
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_binary(e.m, "Sub", e.out, cnnfi_onnx_scalar(e.m, e.dtype, 1), erf));
}

/* ONNX' IsInf knows float and double. */
static const char *is_inf(const element_call *e, const char *out)
{
    const bool narrow = e->dtype != CNNF_FLOAT && e->dtype != CNNF_DOUBLE;
    return cnnfi_onnx_unary(e->m, "IsInf", out, narrow ? cnnfi_onnx_cast(e->m, e->x, CNNF_FLOAT, NULL) : e->x);
}

static void convert_is_inf(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    cnnfi_onnx_give(call, 0, e.layout, is_inf(&e, e.out));
}

static void convert_is_finite(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    const char *infinite = is_inf(&e, NULL);
    const char *nan = cnnfi_onnx_unary(e.m, "IsNaN", NULL, e.x);
    const char *either = cnnfi_onnx_binary(e.m, "Or", NULL, infinite, nan);
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_unary(e.m, "Not", e.out, either));
}

static void convert_cast(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    const cnnf_dtype to = cnnfi_node_type(call->node, "DstT");
    if (to == e.dtype)
        cnnfi_onnx_give_input(call, 0, 0);
    else
        cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_cast(e.m, e.x, to, e.out));
}

/* Zeros or ones like the input; `number` says which. */
static void convert_like(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    const char *shape = cnnfi_onnx_unary(e.m, "Shape", NULL, e.x);
    const char *value = cnnfi_onnx_scalar(e.m, e.dtype, call->row->number);
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_binary(e.m, "Expand", e.out, value, shape));
}

/* tf.clip_by_value: max(min(x, high), low), bounds of one element or of x's shape. */
static void convert_clip_by_value(cnnfi_onnx_call *call)
{
    const element_call e = element_begin(call);
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    const char *low = cnnfi_onnx_operand(call, 1, rank, e.layout);
    const char *high = cnnfi_onnx_operand(call, 2, rank, e.layout);
    const char *below = cnnfi_onnx_binary(e.m, "Min", NULL, e.x, high);
    cnnfi_onnx_give(call, 0, e.layout, cnnfi_onnx_binary(e.m, "Max", e.out, below, low));
}

/* How many of the boundaries are not above each element. */
static void convert_bucketize(cnnfi_onnx_call *call)
{
    const cnnfi_attr *list = cnnfi_node_attr(call->node, "boundaries");
    const bool given = list != NULL && list->kind == CNNF_ATTR_LIST && list->u.list.item_kind == CNNF_ATTR_FLOAT;
    if (!given || list->u.list.count == 0) {
        cnnfi_export_refuse(&call->asked, "no boundaries");
        return;
    }
    const cnnf_dtype dtype = cnnfi_export_in_shape(&call->asked, 0).dtype;
    const char *x = cnnfi_onnx_in(call, 0, CNNFI_PLAIN);
    if (dtype != CNNF_FLOAT) x = cnnfi_onnx_cast(call->m, x, CNNF_FLOAT, NULL);
    const char *bounds = cnnfi_onnx_floats(call->m, list->u.list.count, list->u.list.u.floats);
    const char *column = cnnfi_onnx_binary(call->m, "Unsqueeze", NULL, x, cnnfi_onnx_int(call->m, -1)); /* [..., 1] */
    const char *passed = cnnfi_onnx_binary(call->m, "GreaterOrEqual", NULL, column, bounds);
    const char *counted = cnnfi_onnx_cast(call->m, passed, CNNF_INT32, NULL);
    const int64_t axis = -1;
    const char *sum =
        cnnfi_onnx_reduce(call->m, "ReduceSum", counted, 1, &axis, false, cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN));
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, sum);
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_math_rows[] = {
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
    {"Abs", convert_plain, "Abs"},
    {"Acos", convert_plain, "Acos", .dtypes = CNNFI_ONNX_FLOATING},
    {"Acosh", convert_plain, "Acosh", .dtypes = CNNFI_ONNX_FLOATING},
    {"Asin", convert_plain, "Asin", .dtypes = CNNFI_ONNX_FLOATING},
    {"Asinh", convert_plain, "Asinh", .dtypes = CNNFI_ONNX_FLOATING},
    {"Atan", convert_plain, "Atan", .dtypes = CNNFI_ONNX_FLOATING},
    {"Atanh", convert_plain, "Atanh", .dtypes = CNNFI_ONNX_FLOATING},
    {"Ceil", convert_plain, "Ceil", .dtypes = CNNFI_ONNX_FLOATING},
    {"Cos", convert_plain, "Cos", .dtypes = CNNFI_ONNX_FLOATING},
    {"Cosh", convert_plain, "Cosh", .dtypes = CNNFI_ONNX_FLOATING},
    {"Erf", convert_plain, "Erf"},
    {"Exp", convert_plain, "Exp"},
    {"Floor", convert_plain, "Floor", .dtypes = CNNFI_ONNX_FLOATING},
    {"Inv", convert_plain, "Reciprocal"},
    {"Invert", convert_plain, "BitwiseNot", 0, 18},
    {"IsInf", convert_is_inf},
    {"IsNan", convert_plain, "IsNaN"},
    {"Log", convert_plain, "Log"},
    {"LogicalNot", convert_plain, "Not"},
    {"Neg", convert_plain, "Neg"},
    {"Reciprocal", convert_plain, "Reciprocal"},
    {"Relu", convert_plain, "Relu"},
    {"Rint", convert_round, "Round"},
    {"Round", convert_round, "Round"},
    {"Selu", convert_plain, "Selu", .dtypes = CNNFI_ONNX_FLOATING}, /* the same two numbers, rounded to float32 */
    {"Sigmoid", convert_plain, "Sigmoid"},
    {"Sign", convert_plain, "Sign"},
    {"Sin", convert_plain, "Sin", .dtypes = CNNFI_ONNX_FLOATING},
    {"Sinh", convert_plain, "Sinh", .dtypes = CNNFI_ONNX_FLOATING},
    {"Softplus", convert_plain, "Softplus", .dtypes = CNNFI_ONNX_FLOATING},
    {"Softsign", convert_plain, "Softsign", .dtypes = CNNFI_ONNX_FLOATING},
    {"Sqrt", convert_plain, "Sqrt"},
    {"Tan", convert_plain, "Tan", .dtypes = CNNFI_ONNX_FLOATING},
    {"Tanh", convert_plain, "Tanh"},
    {"Elu", convert_plain, "Elu", .dtypes = CNNFI_ONNX_FLOATING},
    {"LeakyRelu", convert_alpha, "LeakyRelu", 0.2, .dtypes = CNNFI_ONNX_FLOATING},
    {"Relu6", convert_clip6},
    {"Square", convert_square},
    {"Rsqrt", convert_rsqrt},
    {"Expm1", convert_expm1},
    {"Log1p", convert_log1p},
    {"Erfc", convert_erfc},
    {"IsFinite", convert_is_finite},
    {"Cast", convert_cast},
    {"ZerosLike", convert_like, NULL, 0},
    {"OnesLike", convert_like, NULL, 1},
    {"ClipByValue", convert_clip_by_value},
    {"Bucketize", convert_bucketize},
    {NULL, NULL},
};
/* clang-format on */
