/* SPDX-License-Identifier: Apache-2.0 */
/* The rest of keras.ops that ops of the table compute: mathematics, reductions, sorting, rearranging. */
#include <math.h>
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/functions.h"

#define PI 3.14159265358979323846

/* ---- elementwise ---- */

static void unary(cnnfi_kc *kc, const char *op)
{
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return(kc, cnnfi_kb_unary(kc->b, op, op, x));
}

/* IsNan and kin: a bool of the same shape */
static cnnfi_kt test_of(cnnfi_kb *b, const char *op, cnnfi_kt x)
{
    cnnfi_kt y = cnnfi_kb_unary(b, op, op, x);
    y.dtype = CNNF_BOOL;
    return y;
}

static void test(cnnfi_kc *kc, const char *op)
{
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return(kc, test_of(kc->b, op, x));
}

/* Ops of bools, which have no attribute T. */
static cnnfi_kt logical(cnnfi_kb *b, const char *op, size_t n, const cnnfi_kt *inputs)
{
    cnnfi_kt y, shape = n > 1 ? cnnfi_kt_broadcast(inputs[0], inputs[1]) : inputs[0];
    (void)cnnfi_kb_node(b, &y, op, op, n, inputs);
    return cnnfi_kt_shaped(y, shape.rank, shape.dims);
}

static cnnfi_kt as_bool(cnnfi_kb *b, cnnfi_kt x)
{
    return x.dtype == CNNF_BOOL ? x : cnnfi_kb_cast(b, "Cast", x, CNNF_BOOL);
}

static bool read_two(cnnfi_kc *kc, cnnfi_kt *x, cnnfi_kt *y)
{
    const bool second = kc->n_inputs > 1 && kc->inputs[1].name;
    const cnnf_dtype like = kc->n_inputs > 0 && kc->inputs[0].name ? kc->inputs[0].dtype
                            : second                               ? kc->inputs[1].dtype
                                                                   : CNNF_FLOAT;
    *x = cnnfi_kfn_tensor(kc, 0, "x|x1|a", like);
    *y = cnnfi_kfn_tensor(kc, 1, "y|x2|b", like);
    return cnnfi_kb_ok(kc->b);
}

static void logical_one(cnnfi_kc *kc, const char *op)
{
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (!cnnfi_kb_ok(kc->b)) return;
    x = as_bool(kc->b, x);
    cnnfi_kc_return(kc, logical(kc->b, op, 1, &x));
}

static void logical_two(cnnfi_kc *kc, const char *op)
{
    cnnfi_kt x, y;
    if (!read_two(kc, &x, &y)) return;
    const cnnfi_kt inputs[2] = {as_bool(kc->b, x), as_bool(kc->b, y)};
    if (strcmp(op, "Xor") == 0)
        cnnfi_kc_return(kc, cnnfi_kb_binary(kc->b, "NotEqual", "NotEqual", inputs[0], inputs[1]));
    else
        cnnfi_kc_return(kc, logical(kc->b, op, 2, inputs));
}

static void binary(cnnfi_kc *kc, const char *op)
{
    cnnfi_kt x, y;
    if (read_two(kc, &x, &y)) cnnfi_kc_return(kc, cnnfi_kb_binary(kc->b, op, op, x, y));
}

/* x times a number that `op` says */
static void times(cnnfi_kc *kc, const char *op)
{
    cnnfi_kt x = cnnfi_kfn_first(kc);
    const double factor = strcmp(op, "deg2rad") == 0 ? PI / 180 : 180 / PI;
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return(kc, cnnfi_kb_binary_const(kc->b, "Mul", "mul", x, factor));
}

static void logarithm(cnnfi_kc *kc, const char *op)
{
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (!cnnfi_kb_ok(kc->b)) return;
    x = cnnfi_kb_unary(kc->b, "Log", "Log", x);
    cnnfi_kc_return(kc, cnnfi_kb_binary_const(kc->b, "RealDiv", "truediv", x, log(strcmp(op, "10") == 0 ? 10 : 2)));
}

static void exp2_of(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return(kc, cnnfi_kb_const_binary(kc->b, "Pow", "Pow", 2, x));
}

static void cube_root(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (!cnnfi_kb_ok(b)) return;
    cnnfi_kt root = cnnfi_kb_binary_const(b, "Pow", "Pow", cnnfi_kb_unary(b, "Abs", "Abs", x), 1.0 / 3);
    cnnfi_kc_return(kc, cnnfi_kb_binary(b, "Mul", "mul", cnnfi_kb_unary(b, "Sign", "Sign", x), root));
}

static cnnfi_kt number_like(cnnfi_kb *b, const char *name, cnnfi_kt x, double value)
{
    return cnnfi_kb_scalar(b, name, x.dtype, value);
}

static cnnfi_kt choose(cnnfi_kb *b, cnnfi_kt condition, cnnfi_kt x, cnnfi_kt y)
{
    cnnfi_kt shape = cnnfi_kt_broadcast(condition, cnnfi_kt_broadcast(x, y));
    return cnnfi_kt_shaped(cnnfi_kb_where(b, condition, x, y), shape.rank, shape.dims);
}

/* sin(pi x) / (pi x), 1 at 0 */
static void sinc(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (!cnnfi_kb_ok(b)) return;
    cnnfi_kt zero = cnnfi_kb_binary_const(b, "Equal", "Equal", x, 0);
    x = choose(b, zero, number_like(b, "Const", x, 1e-20), cnnfi_kb_binary_const(b, "Mul", "mul", x, PI));
    cnnfi_kc_return(kc, cnnfi_kb_binary(b, "RealDiv", "truediv", cnnfi_kb_unary(b, "Sin", "Sin", x), x));
}

/* towards zero */
static void truncate(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (!cnnfi_kb_ok(b)) return;
    cnnfi_kt negative = cnnfi_kb_binary_const(b, "Less", "Less", x, 0);
    cnnfi_kc_return(kc,
                    choose(b, negative, cnnfi_kb_unary(b, "Ceil", "Ceil", x), cnnfi_kb_unary(b, "Floor", "Floor", x)));
}

static void hypotenuse(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kb *b = kc->b;
    cnnfi_kt x, y;
    if (!read_two(kc, &x, &y)) return;
    x = cnnfi_kb_unary(b, "Square", "Square", x);
    y = cnnfi_kb_unary(b, "Square", "Square", y);
    cnnfi_kc_return(kc, cnnfi_kb_unary(b, "Sqrt", "Sqrt", cnnfi_kb_binary(b, "AddV2", "add", x, y)));
}

/* max + log1p(exp(-|x - y|)), in another base by `op` */
static void log_add_exp(cnnfi_kc *kc, const char *op)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x, y;
    if (!read_two(kc, &x, &y)) return;
    cnnfi_kt top = cnnfi_kb_binary(b, "Maximum", "Maximum", x, y);
    cnnfi_kt distance = cnnfi_kb_unary(b, "Abs", "Abs", cnnfi_kb_binary(b, "Sub", "sub", x, y));
    const double base = strcmp(op, "2") == 0 ? log(2) : 1;
    cnnfi_kt rest = cnnfi_kb_unary(b, "Exp", "Exp", cnnfi_kb_binary_const(b, "Mul", "mul", distance, -base));
    rest = cnnfi_kb_unary(b, "Log1p", "Log1p", rest);
    rest = cnnfi_kb_binary_const(b, "RealDiv", "truediv", rest, base);
    cnnfi_kc_return(kc, cnnfi_kb_binary(b, "AddV2", "add", top, rest));
}

static void identity(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kc_return(kc, cnnfi_kfn_first(kc));
}

/* Activations the layers know by name, with the parameters they have by default. */
static void activation(cnnfi_kc *kc, const char *name)
{
    static const struct {
        const char *argument;
        double value;
    } defaults[] = {{"alpha", 1}, {"threshold", 0.5}, {"b", 4}, {"axis", -1}, {"lower", -0.5}, {"upper", 0.5}};
    cnnfi_kt x = cnnfi_kfn_first(kc);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        const cnnfi_json *given = cnnfi_kfn_argument(kc, 1, defaults[i].argument);
        if (given && cnnfi_json_number(given, 0) != defaults[i].value)
            cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "'%s' is not at its default", defaults[i].argument);
    }
    if (!cnnfi_kb_ok(kc->b)) return;
    const char *text = cnnfi_builder_printf(kc->b->graph, "\"%s\"", name);
    const cnnfi_json *value = text ? cnnfi_json_from_text(kc->b->model->documents[0], text) : NULL;
    if (!value)
        cnnfi_builder_fail(kc->b->graph, CNNF_E_NOMEM, "out of memory");
    else
        cnnfi_kc_return(kc, cnnfi_kc_activate(kc, value, x));
}

static void where(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kt condition = cnnfi_kfn_first(kc);
    const cnnf_dtype like = kc->n_inputs > 1 && kc->inputs[1].name   ? kc->inputs[1].dtype
                            : kc->n_inputs > 2 && kc->inputs[2].name ? kc->inputs[2].dtype
                                                                     : CNNF_FLOAT;
    if (kc->n_inputs < 3 && !cnnfi_kfn_argument(kc, 2, "x2|y"))
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only with both values");
    if (!cnnfi_kb_ok(kc->b)) return;
    cnnfi_kt x = cnnfi_kfn_tensor(kc, 1, "x1|x", like), y = cnnfi_kfn_tensor(kc, 2, "x2|y", like);
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return(kc, choose(kc->b, as_bool(kc->b, condition), x, y));
}

/* A tensor of x's shape filled with a number. */
static void filled_like(cnnfi_kc *kc, const char *op)
{
    cnnfi_kt x = cnnfi_kfn_first(kc);
    const bool fill = strcmp(op, "Fill") == 0;
    const char *dtype = cnnfi_json_string(cnnfi_kfn_argument(kc, fill ? 2 : 1, "dtype"), NULL);
    const bool to_bool = !fill && dtype && strcmp(dtype, "bool") == 0;
    if (dtype && !to_bool) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "dtype '%.20s' is not supported", dtype);
    if (!cnnfi_kb_ok(kc->b)) return;
    if (to_bool) x = as_bool(kc->b, x);
    if (!fill) {
        cnnfi_kc_return(kc, cnnfi_kb_unary(kc->b, op, op, x));
        return;
    }
    cnnfi_kt value = cnnfi_kfn_tensor(kc, 1, "fill_value", x.dtype);
    cnnfi_kt y = cnnfi_kb_unary(kc->b, "ZerosLike", "ZerosLike", x);
    y = cnnfi_kb_binary(kc->b, "AddV2", "add", y, value);
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return(kc, cnnfi_kt_shaped(y, x.rank, x.dims));
}

/* ---- reductions ---- */

typedef struct reduction {
    cnnfi_kt x;
    int32_t n, axes[CNNFI_KERAS_MAX_RANK];
    bool keep;
} reduction;

static bool read_reduction(cnnfi_kc *kc, reduction *r)
{
    r->x = cnnfi_kfn_first(kc);
    if (!cnnfi_kb_ok(kc->b)) return false;
    r->n = cnnfi_kfn_axes(kc, 1, "axis|axes", r->x.rank, r->axes);
    r->keep = cnnfi_kfn_flag(kc, 2, "keepdims");
    return cnnfi_kb_ok(kc->b);
}

static cnnfi_kt reduced(cnnfi_kb *b, const reduction *r, const char *op, cnnfi_kt x, bool keep)
{
    return cnnfi_kb_reduce(b, op, op, x, (size_t)r->n, r->axes, keep);
}

static void reduce_bool(cnnfi_kc *kc, const char *op)
{
    reduction r;
    if (read_reduction(kc, &r)) cnnfi_kc_return(kc, reduced(kc->b, &r, op, as_bool(kc->b, r.x), r.keep));
}

static cnnfi_kt variance(cnnfi_kb *b, const reduction *r)
{
    cnnfi_kt mean = reduced(b, r, "Mean", r->x, true);
    return reduced(b, r, "Mean", cnnfi_kb_binary(b, "SquaredDifference", "SquaredDifference", r->x, mean), r->keep);
}

static void spread(cnnfi_kc *kc, const char *op)
{
    reduction r;
    if (!read_reduction(kc, &r)) return;
    cnnfi_kt y = variance(kc->b, &r);
    if (strcmp(op, "Sqrt") == 0) y = cnnfi_kb_unary(kc->b, "Sqrt", "Sqrt", y);
    cnnfi_kc_return(kc, y);
}

static void moments(cnnfi_kc *kc, const char *op)
{
    (void)op;
    reduction r;
    if (!read_reduction(kc, &r)) return;
    const cnnfi_kt results[2] = {reduced(kc->b, &r, "Mean", r.x, r.keep), variance(kc->b, &r)};
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return_n(kc, 2, results);
}

static void log_sum_exp(cnnfi_kc *kc, const char *op)
{
    (void)op;
    reduction r;
    cnnfi_kb *b = kc->b;
    if (!read_reduction(kc, &r)) return;
    cnnfi_kt top = reduced(b, &r, "Max", r.x, true);
    cnnfi_kt sum = cnnfi_kb_unary(b, "Exp", "Exp", cnnfi_kb_binary(b, "Sub", "sub", r.x, top));
    sum = cnnfi_kb_unary(b, "Log", "Log", reduced(b, &r, "Sum", sum, r.keep));
    if (!r.keep) top = reduced(b, &r, "Max", r.x, false);
    cnnfi_kc_return(kc, cnnfi_kb_binary(b, "AddV2", "add", sum, top));
}

static void peak_to_peak(cnnfi_kc *kc, const char *op)
{
    (void)op;
    reduction r;
    if (!read_reduction(kc, &r)) return;
    cnnfi_kt top = reduced(kc->b, &r, "Max", r.x, r.keep), bottom = reduced(kc->b, &r, "Min", r.x, r.keep);
    cnnfi_kc_return(kc, cnnfi_kb_binary(kc->b, "Sub", "sub", top, bottom));
}

static void count_nonzero(cnnfi_kc *kc, const char *op)
{
    (void)op;
    reduction r;
    if (!read_reduction(kc, &r)) return;
    r.keep = false;
    cnnfi_kt x = cnnfi_kb_binary_const(kc->b, "NotEqual", "NotEqual", r.x, 0);
    cnnfi_kc_return(kc, reduced(kc->b, &r, "Sum", cnnfi_kb_cast(kc->b, "Cast", x, CNNF_INT32), false));
}

static void arg_extreme(cnnfi_kc *kc, const char *op)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc), y;
    if (!cnnfi_kfn_argument(kc, 1, "axis")) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only along an axis");
    if (!cnnfi_kb_ok(b)) return;
    const int32_t axis = cnnfi_kfn_axis(kc, 1, "axis", -1, x.rank);
    const cnnfi_kt inputs[2] = {x, cnnfi_kb_int(b, "dimension", axis)};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, op, op, 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, "output_type", CNNF_INT32);
    y.dtype = CNNF_INT32;
    for (int32_t i = axis; i + 1 < y.rank; i++)
        y.dims[i] = y.dims[i + 1];
    y.rank--;
    if (cnnfi_kfn_flag(kc, 2, "keepdims")) y = cnnfi_kb_expand_dims(b, "ExpandDims", y, axis);
    if (cnnfi_kb_ok(b)) cnnfi_kc_return(kc, y);
}

/* Of vectors along one axis: orders 1, 2 and infinity. */
static void norm(cnnfi_kc *kc, const char *op)
{
    (void)op;
    reduction r;
    cnnfi_kb *b = kc->b;
    const cnnfi_json *order = cnnfi_kfn_argument(kc, 1, "ord"), *axis = cnnfi_kfn_argument(kc, 2, "axis");
    r.x = cnnfi_kfn_first(kc);
    const double p = cnnfi_json_number(order, 2);
    if (!cnnfi_json_is_int(axis) || (p != 1 && p != 2)) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only of order 1 or 2 along one axis");
        return;
    }
    if (!cnnfi_kb_ok(b)) return;
    r.n = 1;
    r.axes[0] = cnnfi_kc_axis(kc, cnnfi_json_int(axis, 0), r.x.rank);
    r.keep = cnnfi_kfn_flag(kc, 3, "keepdims");
    cnnfi_kt x = cnnfi_kb_unary(b, p == 1 ? "Abs" : "Square", p == 1 ? "Abs" : "Square", r.x);
    x = reduced(b, &r, "Sum", x, r.keep);
    if (cnnfi_kb_ok(b)) cnnfi_kc_return(kc, p == 1 ? x : cnnfi_kb_unary(b, "Sqrt", "Sqrt", x));
}

static void normalize(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (cnnfi_json_number(cnnfi_kfn_argument(kc, 2, "order"), 2) != 2)
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only of order 2");
    if (!cnnfi_kb_ok(kc->b)) return;
    const double epsilon = cnnfi_json_number(cnnfi_kfn_argument(kc, 3, "epsilon"), 1e-7);
    const int32_t axis = cnnfi_kfn_axis(kc, 1, "axis", -1, x.rank);
    cnnfi_kc_return(kc, cnnfi_kb_l2_normalize(kc->b, x, axis, epsilon * epsilon));
}

/* ---- sorting and sums along an axis ---- */

static void cumulate(cnnfi_kc *kc, const char *op)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc), y;
    if (!cnnfi_kfn_argument(kc, 1, "axis") || cnnfi_kfn_argument(kc, 2, "dtype"))
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only along an axis");
    if (!cnnfi_kb_ok(b)) return;
    const cnnfi_kt inputs[2] = {x, cnnfi_kb_int(b, "axis", cnnfi_kfn_axis(kc, 1, "axis", 0, x.rank))};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, op, op, 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_bool(b->graph, node, "exclusive", false);
    cnnfi_node_set_bool(b->graph, node, "reverse", false);
    if (cnnfi_kb_ok(b)) cnnfi_kc_return(kc, y);
}

/* TopKV2 along the last axis: port 0 values, port 1 indices. */
static cnnfi_kt top(cnnfi_kb *b, cnnfi_kt x, int64_t k)
{
    cnnfi_kt y;
    const cnnfi_kt inputs[2] = {x, cnnfi_kb_int(b, "k", (int32_t)k)};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, "TopKV2", "TopKV2", 2, inputs);
    cnnfi_node_set_bool(b->graph, node, "sorted", true);
    y.dims[y.rank - 1] = k;
    return y;
}

static void top_k(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    const int64_t k = cnnfi_json_int(cnnfi_kfn_argument(kc, 1, "k"), 0);
    if (k < 1 || k > INT32_MAX || x.rank < 1) cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "'k' is wrong");
    if (!cnnfi_kb_ok(kc->b)) return;
    cnnfi_kt values = top(kc->b, x, k), indices = cnnfi_kb_port(kc->b, &values, 1);
    indices.dtype = CNNF_INT32;
    const cnnfi_kt results[2] = {values, indices};
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return_n(kc, 2, results);
}

static cnnfi_kt swapped(cnnfi_kb *b, cnnfi_kt x, int32_t one, int32_t two)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x.rank; i++)
        perm[i] = i == one ? two : i == two ? one : i;
    return one == two ? x : cnnfi_kb_transpose(b, "transpose", x, perm);
}

/* Ascending: the largest of -x first. "sort" or "argsort" by `op`. */
static void sort(cnnfi_kc *kc, const char *op)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (!cnnfi_kb_ok(b)) return;
    const int32_t axis = cnnfi_kfn_axis(kc, 1, "axis", -1, x.rank), last = x.rank - 1;
    if (x.dims[axis] < 1) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "the size of the axis is not known");
    if (!cnnfi_kb_ok(b)) return;
    cnnfi_kt y = top(b, cnnfi_kb_unary(b, "Neg", "Neg", swapped(b, x, axis, last)), x.dims[axis]);
    if (strcmp(op, "sort") == 0) {
        y = cnnfi_kb_unary(b, "Neg", "Neg", y);
    } else {
        y = cnnfi_kb_port(b, &y, 1);
        y.dtype = CNNF_INT32;
    }
    y = swapped(b, y, axis, last);
    if (cnnfi_kb_ok(b)) cnnfi_kc_return(kc, y);
}

/* ---- rearranging ---- */

static void swap_axes(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    if (!cnnfi_kb_ok(kc->b)) return;
    const int32_t one = cnnfi_kfn_axis(kc, 1, "axis1", 0, x.rank), two = cnnfi_kfn_axis(kc, 2, "axis2", 1, x.rank);
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return(kc, swapped(kc->b, x, one, two));
}

static void move_axis(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    int32_t perm[CNNFI_KERAS_MAX_RANK], n = 0;
    const cnnfi_json *source = cnnfi_kfn_argument(kc, 1, "source"), *target = cnnfi_kfn_argument(kc, 2, "destination");
    if (!cnnfi_json_is_int(source) || !cnnfi_json_is_int(target))
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only one axis is moved");
    if (!cnnfi_kb_ok(kc->b)) return;
    const int32_t from = cnnfi_kc_axis(kc, cnnfi_json_int(source, 0), x.rank);
    const int32_t to = cnnfi_kc_axis(kc, cnnfi_json_int(target, 0), x.rank);
    for (int32_t i = 0, next = 0; i < x.rank; i++) {
        if (next == from) next++;
        perm[n++] = i == to ? from : next++;
    }
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return(kc, cnnfi_kb_transpose(kc->b, "transpose", x, perm));
}

/* GatherV2 along an axis by constant places */
static cnnfi_kt gather(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt places, int32_t axis)
{
    cnnfi_kt y = x, out;
    const cnnfi_kt inputs[3] = {x, places, cnnfi_kb_int(b, "axis", axis)};
    cnnf_node *node = cnnfi_kb_node(b, &out, "GatherV2", "GatherV2", 3, inputs);
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
    return cnnfi_kt_shaped(out, y.rank, y.dims);
}

static void take(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kt x = cnnfi_kfn_first(kc), places;
    if (!cnnfi_kfn_argument(kc, 2, "axis")) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only along an axis");
    if (!cnnfi_kb_ok(kc->b)) return;
    const int32_t axis = cnnfi_kfn_axis(kc, 2, "axis", 0, x.rank);
    places = cnnfi_kfn_tensor(kc, 1, "indices", CNNF_INT32);
    if (places.dtype != CNNF_INT32 && places.dtype != CNNF_INT64)
        places = cnnfi_kb_cast(kc->b, "Cast", places, CNNF_INT32);
    if (x.rank + places.rank - 1 > CNNFI_KERAS_MAX_RANK) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "too many dimensions");
    if (cnnfi_kb_ok(kc->b)) cnnfi_kc_return(kc, gather(kc->b, x, places, axis));
}

static void repeat(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc);
    const int64_t n = cnnfi_json_int(cnnfi_kfn_argument(kc, 1, "repeats"), 0);
    if (!cnnfi_kfn_argument(kc, 2, "axis") || n < 1 || n > 65536)
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only one number of repeats along an axis");
    if (!cnnfi_kb_ok(b)) return;
    const int32_t axis = cnnfi_kfn_axis(kc, 2, "axis", 0, x.rank);
    const int64_t all = x.dims[axis] < 0 ? -1 : x.dims[axis] * n;
    if (all < 0 || all > 1048576) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "the axis is too long or not known");
    int32_t *places = cnnfi_kb_ok(b) ? cnnfi_builder_array(b->graph, (size_t)all + 1, sizeof *places) : NULL;
    for (int64_t i = 0; places && i < all; i++)
        places[i] = (int32_t)(i / n);
    if (places) cnnfi_kc_return(kc, gather(b, x, cnnfi_kb_ints(b, "indices", (size_t)all, places), axis));
}

static void roll(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc), y;
    const cnnfi_json *shift = cnnfi_kfn_argument(kc, 1, "shift"), *axis = cnnfi_kfn_argument(kc, 2, "axis");
    if (!cnnfi_json_is_int(shift) || !cnnfi_json_is_int(axis))
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only by one number along one axis");
    if (!cnnfi_kb_ok(b)) return;
    const int64_t by = cnnfi_json_int(shift, 0);
    const cnnfi_kt inputs[3] = {x, cnnfi_kb_int(b, "shift", (int32_t)(by % INT32_MAX)),
                                cnnfi_kb_int(b, "axis", cnnfi_kc_axis(kc, cnnfi_json_int(axis, 0), x.rank))};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, "Roll", "Roll", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tshift", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, "Taxis", CNNF_INT32);
    if (cnnfi_kb_ok(b)) cnnfi_kc_return(kc, y);
}

static void flip_axis(cnnfi_kc *kc, const char *op)
{
    cnnfi_kb *b = kc->b;
    const int32_t axis = strcmp(op, "1") == 0;
    cnnfi_kt x = cnnfi_kfn_first(kc), y;
    if (x.rank <= axis) cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "too few dimensions");
    if (!cnnfi_kb_ok(b)) return;
    const cnnfi_kt inputs[2] = {x, cnnfi_kb_ints(b, "axis", 1, &axis)};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, "ReverseV2", "ReverseV2", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_kc_return(kc, y);
}

/* Append(a, b, axis), Hstack and Dstack of a list: ConcatV2. */
static void join(cnnfi_kc *kc, const char *op)
{
    cnnfi_kb *b = kc->b;
    for (size_t i = 0; i < kc->n_inputs; i++)
        if (!kc->inputs[i].name || kc->inputs[i].rank != kc->inputs[0].rank)
            cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "its inputs do not fit");
    const int32_t least = strcmp(op, "dstack") == 0 ? 3 : 2;
    if (kc->n_inputs < 1 || kc->inputs[0].rank < least ||
        (strcmp(op, "append") == 0 && !cnnfi_kfn_argument(kc, 2, "axis")))
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only along an axis that is there");
    if (!cnnfi_kb_ok(b)) return;
    int32_t axis = least - 1;
    if (strcmp(op, "append") == 0) axis = cnnfi_kfn_axis(kc, 2, "axis", 0, kc->inputs[0].rank);
    if (cnnfi_kb_ok(b)) cnnfi_kc_return(kc, cnnfi_kb_concat(b, "concat", kc->n_inputs, kc->inputs, axis));
}

static void triangle(cnnfi_kc *kc, const char *op)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc), y;
    const int64_t k = cnnfi_json_int(cnnfi_kfn_argument(kc, 1, "k"), 0);
    const bool lower = strcmp(op, "lower") == 0;
    /* a diagonal on the other side leaves a band that MatrixBandPart has not */
    if (x.rank < 2 || k > INT32_MAX || k < INT32_MIN + 1 || (lower ? k < 0 : k > 0))
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only with a diagonal that holds the main one");
    if (!cnnfi_kb_ok(b)) return;
    const cnnfi_kt inputs[3] = {x, cnnfi_kb_int(b, "num_lower", lower ? -1 : (int32_t)-k),
                                cnnfi_kb_int(b, "num_upper", lower ? (int32_t)k : -1)};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, "MatrixBandPart", "MatrixBandPart", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tindex", CNNF_INT32);
    cnnfi_kc_return(kc, y);
}

static void one_hot(cnnfi_kc *kc, const char *op)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = cnnfi_kfn_first(kc), y;
    const int64_t depth = cnnfi_json_int(cnnfi_kfn_argument(kc, 1, "num_classes"), 0);
    const bool many = strcmp(op, "multi_hot") == 0;
    if (depth < 1 || depth > INT32_MAX || x.rank >= CNNFI_KERAS_MAX_RANK || cnnfi_kfn_flag(kc, 4, "sparse") ||
        cnnfi_json_int(cnnfi_kfn_argument(kc, 2, "axis"), -1) != -1 || (many && x.rank < 2))
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only dense ones, along the last axis");
    if (!cnnfi_kb_ok(b)) return;
    if (x.dtype != CNNF_INT32 && x.dtype != CNNF_INT64) x = cnnfi_kb_cast(b, "Cast", x, CNNF_INT64);
    const cnnfi_kt inputs[4] = {x, cnnfi_kb_int(b, "depth", (int32_t)depth), cnnfi_kb_scalar(b, "on", CNNF_FLOAT, 1),
                                cnnfi_kb_scalar(b, "off", CNNF_FLOAT, 0)};
    cnnf_node *node = cnnfi_kb_node(b, &y, "OneHot", "OneHot", 4, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b->graph, node, "TI", x.dtype);
    cnnfi_node_set_int(b->graph, node, "axis", -1);
    y.dtype = CNNF_FLOAT;
    y.dims[y.rank++] = depth;
    if (many) y = cnnfi_kb_reduce_axis(b, "Max", "Max", y, 1, false);
    cnnfi_kc_return(kc, y);
}

/* x * rsqrt(mean(square(x)) + epsilon), without a scale */
static void rms_normalization(cnnfi_kc *kc, const char *op)
{
    (void)op;
    cnnfi_kb *b = kc->b;
    reduction r;
    if (!read_reduction(kc, &r)) return;
    if (kc->n_inputs > 1 || cnnfi_kfn_argument(kc, 1, "scale") || (kc->call && kc->call->n_named > 0)) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "only without a scale");
        return;
    }
    if (!cnnfi_kfn_argument(kc, 2, "axis")) r = (reduction){.x = r.x, .n = 1, .axes = {r.x.rank - 1}};
    cnnfi_kt mean = reduced(b, &r, "Mean", cnnfi_kb_unary(b, "Square", "Square", r.x), true);
    mean =
        cnnfi_kb_binary_const(b, "AddV2", "add", mean, cnnfi_json_number(cnnfi_kfn_argument(kc, 3, "epsilon"), 1e-7));
    cnnfi_kc_return(kc, cnnfi_kb_binary(b, "Mul", "mul", r.x, cnnfi_kb_unary(b, "Rsqrt", "Rsqrt", mean)));
}

const cnnfi_kfunction cnnfi_kfunctions[] = {
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

const size_t cnnfi_kfunction_count = sizeof cnnfi_kfunctions / sizeof cnnfi_kfunctions[0];
