/* SPDX-License-Identifier: Apache-2.0 */
/* The rest of keras.ops that ops of the table compute: mathematics, reductions, sorting, rearranging. */
#include <math.h>
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/functions.h"

#define PI 3.14159265358979323846

/* ---- elementwise ---- */

static void unary(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, cnnfi_build_unary(call->b, op, op, x));
}

/* IsNan and kin: a bool of the same shape */
static cnnfi_keras_tensor test_of(cnnfi_keras_builder *b, const char *op, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor y = cnnfi_build_unary(b, op, op, x);
    y.dtype = CNNF_BOOL;
    return y;
}

static void test(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, test_of(call->b, op, x));
}

/* Ops of bools, which have no attribute T. */
static cnnfi_keras_tensor logical(cnnfi_keras_builder *b, const char *op, size_t n, const cnnfi_keras_tensor *inputs)
{
    cnnfi_keras_tensor y, shape = n > 1 ? cnnfi_keras_tensor_broadcast(inputs[0], inputs[1]) : inputs[0];
    (void)cnnfi_build_node(b, &y, op, op, n, inputs);
    return cnnfi_keras_tensor_shaped(y, shape.rank, shape.dims);
}

static cnnfi_keras_tensor as_bool(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return x.dtype == CNNF_BOOL ? x : cnnfi_build_cast(b, "Cast", x, CNNF_BOOL);
}

static bool read_two(cnnfi_layer_call *call, cnnfi_keras_tensor *x, cnnfi_keras_tensor *y)
{
    const bool second = call->n_inputs > 1 && call->inputs[1].name;
    const cnnf_dtype like = call->n_inputs > 0 && call->inputs[0].name ? call->inputs[0].dtype
                            : second                                   ? call->inputs[1].dtype
                                                                       : CNNF_FLOAT;
    *x = cnnfi_function_tensor(call, 0, "x|x1|a", like);
    *y = cnnfi_function_tensor(call, 1, "y|x2|b", like);
    return cnnfi_build_ok(call->b);
}

static void logical_one(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    x = as_bool(call->b, x);
    cnnfi_layer_return(call, logical(call->b, op, 1, &x));
}

static void logical_two(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x, y;
    if (!read_two(call, &x, &y)) return;
    const cnnfi_keras_tensor inputs[2] = {as_bool(call->b, x), as_bool(call->b, y)};
    if (strcmp(op, "Xor") == 0)
        cnnfi_layer_return(call, cnnfi_build_binary(call->b, "NotEqual", "NotEqual", inputs[0], inputs[1]));
    else
        cnnfi_layer_return(call, logical(call->b, op, 2, inputs));
}

static void binary(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x, y;
    if (read_two(call, &x, &y)) cnnfi_layer_return(call, cnnfi_build_binary(call->b, op, op, x, y));
}

/* x times a number that `op` says */
static void times(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    const double factor = strcmp(op, "deg2rad") == 0 ? PI / 180 : 180 / PI;
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, cnnfi_build_binary_const(call->b, "Mul", "mul", x, factor));
}

static void logarithm(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    x = cnnfi_build_unary(call->b, "Log", "Log", x);
    cnnfi_layer_return(call,
                       cnnfi_build_binary_const(call->b, "RealDiv", "truediv", x, log(strcmp(op, "10") == 0 ? 10 : 2)));
}

static void exp2_of(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, cnnfi_build_const_binary(call->b, "Pow", "Pow", 2, x));
}

static void cube_root(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor root = cnnfi_build_binary_const(b, "Pow", "Pow", cnnfi_build_unary(b, "Abs", "Abs", x), 1.0 / 3);
    cnnfi_layer_return(call, cnnfi_build_binary(b, "Mul", "mul", cnnfi_build_unary(b, "Sign", "Sign", x), root));
}

static cnnfi_keras_tensor number_like(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, double value)
{
    return cnnfi_build_scalar(b, name, x.dtype, value);
}

static cnnfi_keras_tensor choose(cnnfi_keras_builder *b, cnnfi_keras_tensor condition, cnnfi_keras_tensor x,
                                 cnnfi_keras_tensor y)
{
    cnnfi_keras_tensor shape = cnnfi_keras_tensor_broadcast(condition, cnnfi_keras_tensor_broadcast(x, y));
    return cnnfi_keras_tensor_shaped(cnnfi_build_where(b, condition, x, y), shape.rank, shape.dims);
}

/* sin(pi x) / (pi x), 1 at 0 */
static void sinc(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor zero = cnnfi_build_binary_const(b, "Equal", "Equal", x, 0);
    x = choose(b, zero, number_like(b, "Const", x, 1e-20), cnnfi_build_binary_const(b, "Mul", "mul", x, PI));
    cnnfi_layer_return(call, cnnfi_build_binary(b, "RealDiv", "truediv", cnnfi_build_unary(b, "Sin", "Sin", x), x));
}

/* towards zero */
static void truncate(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor negative = cnnfi_build_binary_const(b, "Less", "Less", x, 0);
    cnnfi_layer_return(
        call, choose(b, negative, cnnfi_build_unary(b, "Ceil", "Ceil", x), cnnfi_build_unary(b, "Floor", "Floor", x)));
}

static void hypotenuse(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x, y;
    if (!read_two(call, &x, &y)) return;
    x = cnnfi_build_unary(b, "Square", "Square", x);
    y = cnnfi_build_unary(b, "Square", "Square", y);
    cnnfi_layer_return(call, cnnfi_build_unary(b, "Sqrt", "Sqrt", cnnfi_build_binary(b, "AddV2", "add", x, y)));
}

/* max + log1p(exp(-|x - y|)), in another base by `op` */
static void log_add_exp(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x, y;
    if (!read_two(call, &x, &y)) return;
    cnnfi_keras_tensor top = cnnfi_build_binary(b, "Maximum", "Maximum", x, y);
    cnnfi_keras_tensor distance = cnnfi_build_unary(b, "Abs", "Abs", cnnfi_build_binary(b, "Sub", "sub", x, y));
    const double base = strcmp(op, "2") == 0 ? log(2) : 1;
    cnnfi_keras_tensor rest =
        cnnfi_build_unary(b, "Exp", "Exp", cnnfi_build_binary_const(b, "Mul", "mul", distance, -base));
    rest = cnnfi_build_unary(b, "Log1p", "Log1p", rest);
    rest = cnnfi_build_binary_const(b, "RealDiv", "truediv", rest, base);
    cnnfi_layer_return(call, cnnfi_build_binary(b, "AddV2", "add", top, rest));
}

static void identity(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_layer_return(call, cnnfi_function_first(call));
}

/* Activations the layers know by name, with the parameters they have by default. */
static void activation(cnnfi_layer_call *call, const char *name)
{
    static const struct {
        const char *argument;
        double value;
    } defaults[] = {{"alpha", 1}, {"threshold", 0.5}, {"b", 4}, {"axis", -1}, {"lower", -0.5}, {"upper", 0.5}};
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        const cnnfi_json *given = cnnfi_function_argument(call, 1, defaults[i].argument);
        if (given && cnnfi_json_number(given, 0) != defaults[i].value)
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "'%s' is not at its default", defaults[i].argument);
    }
    if (!cnnfi_build_ok(call->b)) return;
    const char *text = cnnfi_builder_printf(call->b->graph, "\"%s\"", name);
    const cnnfi_json *value = text ? cnnfi_json_from_text(call->b->model->documents[0], text) : NULL;
    if (!value)
        cnnfi_builder_fail(call->b->graph, CNNF_E_NOMEM, "out of memory");
    else
        cnnfi_layer_return(call, cnnfi_layer_activate(call, value, x));
}

static void where(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor condition = cnnfi_function_first(call);
    const cnnf_dtype like = call->n_inputs > 1 && call->inputs[1].name   ? call->inputs[1].dtype
                            : call->n_inputs > 2 && call->inputs[2].name ? call->inputs[2].dtype
                                                                         : CNNF_FLOAT;
    if (call->n_inputs < 3 && !cnnfi_function_argument(call, 2, "x2|y"))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only with both values");
    if (!cnnfi_build_ok(call->b)) return;
    cnnfi_keras_tensor x = cnnfi_function_tensor(call, 1, "x1|x", like),
                       y = cnnfi_function_tensor(call, 2, "x2|y", like);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, choose(call->b, as_bool(call->b, condition), x, y));
}

/* A tensor of x's shape filled with a number. */
static void filled_like(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    const bool fill = strcmp(op, "Fill") == 0;
    const char *dtype = cnnfi_json_string(cnnfi_function_argument(call, fill ? 2 : 1, "dtype"), NULL);
    const bool to_bool = !fill && dtype && strcmp(dtype, "bool") == 0;
    if (dtype && !to_bool) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "dtype '%.20s' is not supported", dtype);
    if (!cnnfi_build_ok(call->b)) return;
    if (to_bool) x = as_bool(call->b, x);
    if (!fill) {
        cnnfi_layer_return(call, cnnfi_build_unary(call->b, op, op, x));
        return;
    }
    cnnfi_keras_tensor value = cnnfi_function_tensor(call, 1, "fill_value", x.dtype);
    cnnfi_keras_tensor y = cnnfi_build_unary(call->b, "ZerosLike", "ZerosLike", x);
    y = cnnfi_build_binary(call->b, "AddV2", "add", y, value);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, cnnfi_keras_tensor_shaped(y, x.rank, x.dims));
}

/* ---- reductions ---- */

typedef struct reduction {
    cnnfi_keras_tensor x;
    int32_t n, axes[CNNFI_KERAS_MAX_RANK];
    bool keep;
} reduction;

static bool read_reduction(cnnfi_layer_call *call, reduction *r)
{
    r->x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return false;
    r->n = cnnfi_function_axes(call, 1, "axis|axes", r->x.rank, r->axes);
    r->keep = cnnfi_function_flag(call, 2, "keepdims");
    return cnnfi_build_ok(call->b);
}

static cnnfi_keras_tensor reduced(cnnfi_keras_builder *b, const reduction *r, const char *op, cnnfi_keras_tensor x,
                                  bool keep)
{
    return cnnfi_build_reduce(b, op, op, x, (size_t)r->n, r->axes, keep);
}

static void reduce_bool(cnnfi_layer_call *call, const char *op)
{
    reduction r;
    if (read_reduction(call, &r)) cnnfi_layer_return(call, reduced(call->b, &r, op, as_bool(call->b, r.x), r.keep));
}

static cnnfi_keras_tensor variance(cnnfi_keras_builder *b, const reduction *r)
{
    cnnfi_keras_tensor mean = reduced(b, r, "Mean", r->x, true);
    return reduced(b, r, "Mean", cnnfi_build_binary(b, "SquaredDifference", "SquaredDifference", r->x, mean), r->keep);
}

static void spread(cnnfi_layer_call *call, const char *op)
{
    reduction r;
    if (!read_reduction(call, &r)) return;
    cnnfi_keras_tensor y = variance(call->b, &r);
    if (strcmp(op, "Sqrt") == 0) y = cnnfi_build_unary(call->b, "Sqrt", "Sqrt", y);
    cnnfi_layer_return(call, y);
}

static void moments(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    reduction r;
    if (!read_reduction(call, &r)) return;
    const cnnfi_keras_tensor results[2] = {reduced(call->b, &r, "Mean", r.x, r.keep), variance(call->b, &r)};
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return_n(call, 2, results);
}

static void log_sum_exp(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    reduction r;
    cnnfi_keras_builder *b = call->b;
    if (!read_reduction(call, &r)) return;
    cnnfi_keras_tensor top = reduced(b, &r, "Max", r.x, true);
    cnnfi_keras_tensor sum = cnnfi_build_unary(b, "Exp", "Exp", cnnfi_build_binary(b, "Sub", "sub", r.x, top));
    sum = cnnfi_build_unary(b, "Log", "Log", reduced(b, &r, "Sum", sum, r.keep));
    if (!r.keep) top = reduced(b, &r, "Max", r.x, false);
    cnnfi_layer_return(call, cnnfi_build_binary(b, "AddV2", "add", sum, top));
}

static void peak_to_peak(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    reduction r;
    if (!read_reduction(call, &r)) return;
    cnnfi_keras_tensor top = reduced(call->b, &r, "Max", r.x, r.keep),
                       bottom = reduced(call->b, &r, "Min", r.x, r.keep);
    cnnfi_layer_return(call, cnnfi_build_binary(call->b, "Sub", "sub", top, bottom));
}

static void count_nonzero(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    reduction r;
    if (!read_reduction(call, &r)) return;
    r.keep = false;
    cnnfi_keras_tensor x = cnnfi_build_binary_const(call->b, "NotEqual", "NotEqual", r.x, 0);
    cnnfi_layer_return(call, reduced(call->b, &r, "Sum", cnnfi_build_cast(call->b, "Cast", x, CNNF_INT32), false));
}

static void arg_extreme(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    if (!cnnfi_function_argument(call, 1, "axis")) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only along an axis");
    if (!cnnfi_build_ok(b)) return;
    const int32_t axis = cnnfi_function_axis(call, 1, "axis", -1, x.rank);
    const cnnfi_keras_tensor inputs[2] = {x, cnnfi_build_int(b, "dimension", axis)};
    cnnf_node *node = cnnfi_build_node_t(b, &y, op, op, 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, "output_type", CNNF_INT32);
    y.dtype = CNNF_INT32;
    for (int32_t i = axis; i + 1 < y.rank; i++)
        y.dims[i] = y.dims[i + 1];
    y.rank--;
    if (cnnfi_function_flag(call, 2, "keepdims")) y = cnnfi_build_expand_dims(b, "ExpandDims", y, axis);
    if (cnnfi_build_ok(b)) cnnfi_layer_return(call, y);
}

/* Of vectors along one axis: orders 1, 2 and infinity. */
static void norm(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    reduction r;
    cnnfi_keras_builder *b = call->b;
    const cnnfi_json *order = cnnfi_function_argument(call, 1, "ord"), *axis = cnnfi_function_argument(call, 2, "axis");
    r.x = cnnfi_function_first(call);
    const double p = cnnfi_json_number(order, 2);
    if (!cnnfi_json_is_int(axis) || (p != 1 && p != 2)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only of order 1 or 2 along one axis");
        return;
    }
    if (!cnnfi_build_ok(b)) return;
    r.n = 1;
    r.axes[0] = cnnfi_layer_axis(call, cnnfi_json_int(axis, 0), r.x.rank);
    r.keep = cnnfi_function_flag(call, 3, "keepdims");
    cnnfi_keras_tensor x = cnnfi_build_unary(b, p == 1 ? "Abs" : "Square", p == 1 ? "Abs" : "Square", r.x);
    x = reduced(b, &r, "Sum", x, r.keep);
    if (cnnfi_build_ok(b)) cnnfi_layer_return(call, p == 1 ? x : cnnfi_build_unary(b, "Sqrt", "Sqrt", x));
}

static void normalize(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (cnnfi_json_number(cnnfi_function_argument(call, 2, "order"), 2) != 2)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only of order 2");
    if (!cnnfi_build_ok(call->b)) return;
    const double epsilon = cnnfi_json_number(cnnfi_function_argument(call, 3, "epsilon"), 1e-7);
    const int32_t axis = cnnfi_function_axis(call, 1, "axis", -1, x.rank);
    cnnfi_layer_return(call, cnnfi_build_l2_normalize(call->b, x, axis, epsilon * epsilon));
}

/* ---- sorting and sums along an axis ---- */

static void cumulate(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    if (!cnnfi_function_argument(call, 1, "axis") || cnnfi_function_argument(call, 2, "dtype"))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only along an axis");
    if (!cnnfi_build_ok(b)) return;
    const cnnfi_keras_tensor inputs[2] = {x,
                                          cnnfi_build_int(b, "axis", cnnfi_function_axis(call, 1, "axis", 0, x.rank))};
    cnnf_node *node = cnnfi_build_node_t(b, &y, op, op, 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_bool(b->graph, node, "exclusive", false);
    cnnfi_node_set_bool(b->graph, node, "reverse", false);
    if (cnnfi_build_ok(b)) cnnfi_layer_return(call, y);
}

/* TopKV2 along the last axis: port 0 values, port 1 indices. */
static cnnfi_keras_tensor top(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int64_t k)
{
    cnnfi_keras_tensor y;
    const cnnfi_keras_tensor inputs[2] = {x, cnnfi_build_int(b, "k", (int32_t)k)};
    cnnf_node *node = cnnfi_build_node_t(b, &y, "TopKV2", "TopKV2", 2, inputs);
    cnnfi_node_set_bool(b->graph, node, "sorted", true);
    y.dims[y.rank - 1] = k;
    return y;
}

static void top_k(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    const int64_t k = cnnfi_json_int(cnnfi_function_argument(call, 1, "k"), 0);
    if (k < 1 || k > INT32_MAX || x.rank < 1) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'k' is wrong");
    if (!cnnfi_build_ok(call->b)) return;
    cnnfi_keras_tensor values = top(call->b, x, k), indices = cnnfi_build_port(call->b, &values, 1);
    indices.dtype = CNNF_INT32;
    const cnnfi_keras_tensor results[2] = {values, indices};
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return_n(call, 2, results);
}

static cnnfi_keras_tensor swapped(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t one, int32_t two)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x.rank; i++)
        perm[i] = i == one ? two : i == two ? one : i;
    return one == two ? x : cnnfi_build_transpose(b, "transpose", x, perm);
}

/* Ascending: the largest of -x first. "sort" or "argsort" by `op`. */
static void sort(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(b)) return;
    const int32_t axis = cnnfi_function_axis(call, 1, "axis", -1, x.rank), last = x.rank - 1;
    if (x.dims[axis] < 1) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "the size of the axis is not known");
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor y = top(b, cnnfi_build_unary(b, "Neg", "Neg", swapped(b, x, axis, last)), x.dims[axis]);
    if (strcmp(op, "sort") == 0) {
        y = cnnfi_build_unary(b, "Neg", "Neg", y);
    } else {
        y = cnnfi_build_port(b, &y, 1);
        y.dtype = CNNF_INT32;
    }
    y = swapped(b, y, axis, last);
    if (cnnfi_build_ok(b)) cnnfi_layer_return(call, y);
}

/* ---- rearranging ---- */

static void swap_axes(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    const int32_t one = cnnfi_function_axis(call, 1, "axis1", 0, x.rank),
                  two = cnnfi_function_axis(call, 2, "axis2", 1, x.rank);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, swapped(call->b, x, one, two));
}

static void move_axis(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    int32_t perm[CNNFI_KERAS_MAX_RANK], n = 0;
    const cnnfi_json *source = cnnfi_function_argument(call, 1, "source"),
                     *target = cnnfi_function_argument(call, 2, "destination");
    if (!cnnfi_json_is_int(source) || !cnnfi_json_is_int(target))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only one axis is moved");
    if (!cnnfi_build_ok(call->b)) return;
    const int32_t from = cnnfi_layer_axis(call, cnnfi_json_int(source, 0), x.rank);
    const int32_t to = cnnfi_layer_axis(call, cnnfi_json_int(target, 0), x.rank);
    for (int32_t i = 0, next = 0; i < x.rank; i++) {
        if (next == from) next++;
        perm[n++] = i == to ? from : next++;
    }
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, cnnfi_build_transpose(call->b, "transpose", x, perm));
}

/* GatherV2 along an axis by constant places */
static cnnfi_keras_tensor gather(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor places, int32_t axis)
{
    cnnfi_keras_tensor y = x, out;
    const cnnfi_keras_tensor inputs[3] = {x, places, cnnfi_build_int(b, "axis", axis)};
    cnnf_node *node = cnnfi_build_node(b, &out, "GatherV2", "GatherV2", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tparams", x.dtype);
    cnnfi_node_set_type(b->graph, node, "Tindices", places.dtype);
    cnnfi_node_set_type(b->graph, node, "Taxis", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "batch_dims", 0);
    y.rank = 0;
    for (int32_t i = 0; i < axis; i++)
        y.dims[y.rank++] = x.dims[i];
    for (int32_t i = 0; i < places.rank; i++)
        y.dims[y.rank++] = places.dims[i];
    for (int32_t i = axis + 1; i < x.rank; i++)
        y.dims[y.rank++] = x.dims[i];
    return cnnfi_keras_tensor_shaped(out, y.rank, y.dims);
}

static void take(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call), places;
    if (!cnnfi_function_argument(call, 2, "axis")) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only along an axis");
    if (!cnnfi_build_ok(call->b)) return;
    const int32_t axis = cnnfi_function_axis(call, 2, "axis", 0, x.rank);
    places = cnnfi_function_tensor(call, 1, "indices", CNNF_INT32);
    if (places.dtype != CNNF_INT32 && places.dtype != CNNF_INT64)
        places = cnnfi_build_cast(call->b, "Cast", places, CNNF_INT32);
    if (x.rank + places.rank - 1 > CNNFI_KERAS_MAX_RANK)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "too many dimensions");
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, gather(call->b, x, places, axis));
}

static void repeat(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    const int64_t n = cnnfi_json_int(cnnfi_function_argument(call, 1, "repeats"), 0);
    if (!cnnfi_function_argument(call, 2, "axis") || n < 1 || n > 65536)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only one number of repeats along an axis");
    if (!cnnfi_build_ok(b)) return;
    const int32_t axis = cnnfi_function_axis(call, 2, "axis", 0, x.rank);
    const int64_t all = x.dims[axis] < 0 ? -1 : x.dims[axis] * n;
    if (all < 0 || all > 1048576) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "the axis is too long or not known");
    int32_t *places = cnnfi_build_ok(b) ? cnnfi_builder_array(b->graph, (size_t)all + 1, sizeof *places) : NULL;
    for (int64_t i = 0; places && i < all; i++)
        places[i] = (int32_t)(i / n);
    if (places) cnnfi_layer_return(call, gather(b, x, cnnfi_build_ints(b, "indices", (size_t)all, places), axis));
}

static void roll(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    const cnnfi_json *shift = cnnfi_function_argument(call, 1, "shift"),
                     *axis = cnnfi_function_argument(call, 2, "axis");
    if (!cnnfi_json_is_int(shift) || !cnnfi_json_is_int(axis))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only by one number along one axis");
    if (!cnnfi_build_ok(b)) return;
    const int64_t by = cnnfi_json_int(shift, 0);
    const cnnfi_keras_tensor inputs[3] = {
        x, cnnfi_build_int(b, "shift", (int32_t)(by % INT32_MAX)),
        cnnfi_build_int(b, "axis", cnnfi_layer_axis(call, cnnfi_json_int(axis, 0), x.rank))};
    cnnf_node *node = cnnfi_build_node_t(b, &y, "Roll", "Roll", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tshift", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, "Taxis", CNNF_INT32);
    if (cnnfi_build_ok(b)) cnnfi_layer_return(call, y);
}

static void flip_axis(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    const int32_t axis = strcmp(op, "1") == 0;
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    if (x.rank <= axis) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "too few dimensions");
    if (!cnnfi_build_ok(b)) return;
    const cnnfi_keras_tensor inputs[2] = {x, cnnfi_build_ints(b, "axis", 1, &axis)};
    cnnf_node *node = cnnfi_build_node_t(b, &y, "ReverseV2", "ReverseV2", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_layer_return(call, y);
}

/* Append(a, b, axis), Hstack and Dstack of a list: ConcatV2. */
static void join(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    for (size_t i = 0; i < call->n_inputs; i++)
        if (!call->inputs[i].name || call->inputs[i].rank != call->inputs[0].rank)
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its inputs do not fit");
    const int32_t least = strcmp(op, "dstack") == 0 ? 3 : 2;
    if (call->n_inputs < 1 || call->inputs[0].rank < least ||
        (strcmp(op, "append") == 0 && !cnnfi_function_argument(call, 2, "axis")))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only along an axis that is there");
    if (!cnnfi_build_ok(b)) return;
    int32_t axis = least - 1;
    if (strcmp(op, "append") == 0) axis = cnnfi_function_axis(call, 2, "axis", 0, call->inputs[0].rank);
    if (cnnfi_build_ok(b))
        cnnfi_layer_return(call, cnnfi_build_concat(b, "concat", call->n_inputs, call->inputs, axis));
}

static void triangle(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    const int64_t k = cnnfi_json_int(cnnfi_function_argument(call, 1, "k"), 0);
    const bool lower = strcmp(op, "lower") == 0;
    /* a diagonal on the other side leaves a band that MatrixBandPart has not */
    if (x.rank < 2 || k > INT32_MAX || k < INT32_MIN + 1 || (lower ? k < 0 : k > 0))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only with a diagonal that holds the main one");
    if (!cnnfi_build_ok(b)) return;
    const cnnfi_keras_tensor inputs[3] = {x, cnnfi_build_int(b, "num_lower", lower ? -1 : (int32_t)-k),
                                          cnnfi_build_int(b, "num_upper", lower ? (int32_t)k : -1)};
    cnnf_node *node = cnnfi_build_node_t(b, &y, "MatrixBandPart", "MatrixBandPart", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tindex", CNNF_INT32);
    cnnfi_layer_return(call, y);
}

static void one_hot(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    const int64_t depth = cnnfi_json_int(cnnfi_function_argument(call, 1, "num_classes"), 0);
    const bool many = strcmp(op, "multi_hot") == 0;
    if (depth < 1 || depth > INT32_MAX || x.rank >= CNNFI_KERAS_MAX_RANK || cnnfi_function_flag(call, 4, "sparse") ||
        cnnfi_json_int(cnnfi_function_argument(call, 2, "axis"), -1) != -1 || (many && x.rank < 2))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only dense ones, along the last axis");
    if (!cnnfi_build_ok(b)) return;
    if (x.dtype != CNNF_INT32 && x.dtype != CNNF_INT64) x = cnnfi_build_cast(b, "Cast", x, CNNF_INT64);
    const cnnfi_keras_tensor inputs[4] = {x, cnnfi_build_int(b, "depth", (int32_t)depth),
                                          cnnfi_build_scalar(b, "on", CNNF_FLOAT, 1),
                                          cnnfi_build_scalar(b, "off", CNNF_FLOAT, 0)};
    cnnf_node *node = cnnfi_build_node(b, &y, "OneHot", "OneHot", 4, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b->graph, node, "TI", x.dtype);
    cnnfi_node_set_int(b->graph, node, "axis", -1);
    y.dtype = CNNF_FLOAT;
    y.dims[y.rank++] = depth;
    if (many) y = cnnfi_build_reduce_axis(b, "Max", "Max", y, 1, false);
    cnnfi_layer_return(call, y);
}

/* x * rsqrt(mean(square(x)) + epsilon), without a scale */
static void rms_normalization(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_builder *b = call->b;
    reduction r;
    if (!read_reduction(call, &r)) return;
    if (call->n_inputs > 1 || cnnfi_function_argument(call, 1, "scale") ||
        (call->record && call->record->n_named > 0)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only without a scale");
        return;
    }
    if (!cnnfi_function_argument(call, 2, "axis")) r = (reduction){.x = r.x, .n = 1, .axes = {r.x.rank - 1}};
    cnnfi_keras_tensor mean = reduced(b, &r, "Mean", cnnfi_build_unary(b, "Square", "Square", r.x), true);
    mean = cnnfi_build_binary_const(b, "AddV2", "add", mean,
                                    cnnfi_json_number(cnnfi_function_argument(call, 3, "epsilon"), 1e-7));
    cnnfi_layer_return(call, cnnfi_build_binary(b, "Mul", "mul", r.x, cnnfi_build_unary(b, "Rsqrt", "Rsqrt", mean)));
}

const cnnfi_keras_function_row cnnfi_keras_function_rows[] = {
    {"All|math.reduce_all|reduce_all", reduce_bool, "All"},
    {"Any|math.reduce_any|reduce_any", reduce_bool, "Any"},
    {"Append", join, "append"},
    {"Arccos|math.acos", unary, "Acos"},
    {"Arccosh|math.acosh", unary, "Acosh"},
    {"Arcsin|math.asin", unary, "Asin"},
    {"Arcsinh|math.asinh", unary, "Asinh"},
    {"Arctan|math.atan", unary, "Atan"},
    {"Arctan2|math.atan2", binary, "Atan2"},
    {"Arctanh|math.atanh", unary, "Atanh"},
    {"Argmax", arg_extreme, "ArgMax"},
    {"Argmin", arg_extreme, "ArgMin"},
    {"Argsort", sort, "argsort"},
    {"BitwiseAnd", binary, "BitwiseAnd"},
    {"BitwiseInvert|BitwiseNot", unary, "Invert"},
    {"BitwiseLeftShift|LeftShift", binary, "LeftShift"},
    {"BitwiseOr", binary, "BitwiseOr"},
    {"BitwiseRightShift|RightShift", binary, "RightShift"},
    {"BitwiseXor", binary, "BitwiseXor"},
    {"Cbrt", cube_root, NULL},
    {"Celu", activation, "celu"},
    {"Conjugate|Conj|Copy|Real", identity, NULL},
    {"Cosh|math.cosh", unary, "Cosh"},
    {"CountNonzero", count_nonzero, NULL},
    {"Cumprod", cumulate, "Cumprod"},
    {"Cumsum", cumulate, "Cumsum"},
    {"Deg2rad", times, "deg2rad"},
    {"DivideNoNan", binary, "DivNoNan"},
    {"Dstack", join, "dstack"},
    {"Erfc|math.erfc", unary, "Erfc"},
    {"Erfinv|math.erfinv", unary, "Erfinv"},
    {"Exp2", exp2_of, NULL},
    {"Expm1|math.expm1", unary, "Expm1"},
    {"Fabs", unary, "Abs"},
    {"Fliplr", flip_axis, "1"},
    {"Flipud", flip_axis, "0"},
    {"Fmax", binary, "Maximum"},
    {"Fmin", binary, "Minimum"},
    {"FullLike", filled_like, "Fill"},
    {"Glu", activation, "glu"},
    {"HardShrink", activation, "hard_shrink"},
    {"HardTanh", activation, "hard_tanh"},
    {"Hstack", join, "hstack"},
    {"Hypot", hypotenuse, NULL},
    {"Isfinite|math.is_finite", test, "IsFinite"},
    {"Isinf|math.is_inf", test, "IsInf"},
    {"Isnan|math.is_nan", test, "IsNan"},
    {"Log10", logarithm, "10"},
    {"Log1p|math.log1p", unary, "Log1p"},
    {"Log2", logarithm, "2"},
    {"LogSigmoid", activation, "log_sigmoid"},
    {"Logaddexp", log_add_exp, "e"},
    {"Logaddexp2", log_add_exp, "2"},
    {"LogicalAnd|math.logical_and|logical_and", logical_two, "LogicalAnd"},
    {"LogicalNot|math.logical_not|logical_not", logical_one, "LogicalNot"},
    {"LogicalOr|math.logical_or|logical_or", logical_two, "LogicalOr"},
    {"LogicalXor|math.logical_xor", logical_two, "Xor"},
    {"Logsumexp", log_sum_exp, NULL},
    {"Mod|math.floormod|__operators__.mod", binary, "FloorMod"},
    {"Moments", moments, NULL},
    {"Moveaxis", move_axis, NULL},
    {"MultiHot", one_hot, "multi_hot"},
    {"Norm", norm, NULL},
    {"Normalize", normalize, NULL},
    {"OneHot", one_hot, "one_hot"},
    {"OnesLike|ones_like", filled_like, "OnesLike"},
    {"Ptp", peak_to_peak, NULL},
    {"RMSNorm", rms_normalization, NULL},
    {"Rad2deg", times, "rad2deg"},
    {"Reciprocal|math.reciprocal", unary, "Reciprocal"},
    {"Repeat", repeat, NULL},
    {"Roll", roll, NULL},
    {"Sinc", sinc, NULL},
    {"Sinh|math.sinh", unary, "Sinh"},
    {"SoftShrink", activation, "soft_shrink"},
    {"Sort", sort, "sort"},
    {"SparsePlus", activation, "sparse_plus"},
    {"SparseSigmoid", activation, "sparse_sigmoid"},
    {"Squareplus", activation, "squareplus"},
    {"Std", spread, "Sqrt"},
    {"Swapaxes", swap_axes, NULL},
    {"Take", take, NULL},
    {"Tan|math.tan", unary, "Tan"},
    {"TanhShrink", activation, "tanh_shrink"},
    {"TopK", top_k, NULL},
    {"Tril", triangle, "lower"},
    {"Triu", triangle, "upper"},
    {"Trunc", truncate, NULL},
    {"Var", spread, "Var"},
    {"Where|where", where, NULL},
    {"ZerosLike|zeros_like", filled_like, "ZerosLike"},
};

const size_t cnnfi_keras_function_row_count = sizeof cnnfi_keras_function_rows / sizeof cnnfi_keras_function_rows[0];
