/* SPDX-License-Identifier: Apache-2.0 */
/* Small constant expressions, one row an op: see constant_value.h. */
#include "ops/constant_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "graph/element.h"
#include "ops/op_rules.h"
#include "ops/rules/reduce_rules.h"

/* Longer inputs are data: no rule reads a shape out of them. */
#define MAX_RULE_VALUES 64
#define UNKNOWN_ELEMENT ((double)NAN) /* of an integer or bool */

typedef struct evaluator evaluator;

/* One evaluation: what the caller asked and the call of the rule, whose inputs have their small values. */
typedef struct work {
    cnnfi_constant_call *asked;
    cnnfi_call call;
    const evaluator *row;
} work;

/* Flags of a row. */
#define BASIC 1u /* what IEEE 754 rounds once: a double's result, rounded to float, is the float's result */
#define ROOT  2u /* a square root takes part */
#define JUMPS 4u /* the last bit of an operand decides: never of rounded ones */

struct evaluator {
    const char *op;
    cnnf_status (*eval)(const work *w);
    double (*one)(double); /* element-wise, of one or two operands */
    double (*two)(double, double);
    double (*integers)(double, double); /* of two whole numbers, instead of `two` */
    double start;                       /* of a reduction: what none give */
    uint32_t flags;
};

/* ---- dtypes ---- */

/* The exact integers of a dtype that doubles hold; false: no integer type. */
static bool integer_range(cnnf_dtype dtype, double *low, double *high)
{
    const double most = 9007199254740991.0; /* 2^53 - 1 */
    static const struct {
        cnnf_dtype dtype;
        double low, high;
    } ranges[] = {
        {CNNF_BOOL, 0, 1},
        {CNNF_INT8, -128, 127},
        {CNNF_INT16, -32768, 32767},
        {CNNF_UINT8, 0, 255},
        {CNNF_UINT16, 0, 65535},
        {CNNF_INT32, -2147483648.0, 2147483647.0},
        {CNNF_UINT32, 0, 4294967295.0},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (ranges[i].dtype != dtype) continue;
        *low = ranges[i].low;
        *high = ranges[i].high;
        return true;
    }
    *low = dtype == CNNF_INT64 ? -most : 0;
    *high = most;
    return dtype == CNNF_INT64 || dtype == CNNF_UINT64;
}

static bool is_integer(cnnf_dtype dtype)
{
    double low, high;
    return integer_range(dtype, &low, &high);
}

static bool is_float(cnnf_dtype dtype)
{
    return dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
}

/* Whether a float type has this number. */
static bool is_representable(cnnf_dtype dtype, double x)
{
    float f = (float)x;
    if (dtype == CNNF_DOUBLE || isnan(x)) return true;
    if (dtype == CNNF_HALF) f = cnnfi_half_to_float(cnnfi_float_to_half(f));
    if (dtype == CNNF_BFLOAT16) f = cnnfi_bfloat16_to_float(cnnfi_float_to_bfloat16(f));
    return (double)f == x;
}

/* ---- operands and results ---- */

/* Input `index`, perhaps one that is uniform; NULL when no element of it is known. */
static const cnnfi_constant *open_operand(const work *w, int32_t index)
{
    const cnnfi_constant *in = index < w->asked->n_inputs ? w->asked->inputs[index] : NULL;
    return in && in->v ? in : NULL;
}

/* The same of a known shape. */
static const cnnfi_constant *operand(const work *w, int32_t index)
{
    const cnnfi_constant *in = open_operand(w, index);
    return in && !in->uniform ? in : NULL;
}

static const cnnfi_constant *whole_operand(const work *w, int32_t index)
{
    const cnnfi_constant *in = operand(w, index);
    return cnnfi_constant_is_whole(in) ? in : NULL;
}

/* Room for an output's values; *values NULL without an error: it is too large, no number, or its shape is not known. */
static cnnf_status new_values(const work *w, int32_t output, double **values)
{
    const cnnfi_value *shape = &w->asked->outputs[output].shape;
    *values = NULL;
    if (!cnnfi_value_is_shaped(shape) || shape->count > CNNFI_CONSTANT_MAX_COUNT) return CNNF_OK;
    if (!is_integer(shape->dtype) && !is_float(shape->dtype)) return CNNF_OK;
    *values = cnnfi_arena_array(w->asked->arena, shape->count ? (size_t)shape->count : 1, sizeof **values);
    return *values ? CNNF_OK : cnnfi_fail_nomem(w->asked->error);
}

/* Provenance of the inputs that have values. */
static void inherit(const work *w, cnnfi_constant *out)
{
    for (int32_t i = 0; i < w->asked->n_inputs; i++) {
        const cnnfi_constant *in = open_operand(w, i);
        out->root |= in && in->root;
        out->rounded |= in && in->rounded && is_float(out->shape.dtype);
    }
}

/* Integers that their dtype or a double does not hold are not known. */
static cnnf_status keep_integers(cnnfi_constant *out, double *values)
{
    double low, high;
    int64_t unknown = 0;
    integer_range(out->shape.dtype, &low, &high);
    for (int64_t i = 0; i < out->shape.count; i++) {
        if (!(values[i] >= low && values[i] <= high)) values[i] = UNKNOWN_ELEMENT;
        unknown += isnan(values[i]) != 0;
    }
    out->partial = unknown > 0;
    out->v = unknown && unknown == out->shape.count ? NULL : values;
    return CNNF_OK;
}

/* The computed values of an output. `basic`: each is one IEEE operation's result. */
static cnnf_status keep(const work *w, int32_t output, double *values, bool basic)
{
    cnnfi_constant *out = &w->asked->outputs[output];
    inherit(w, out);
    if (is_integer(out->shape.dtype)) return keep_integers(out, values);
    out->v = values;
    out->root |= (w->row->flags & ROOT) != 0;
    for (int64_t i = 0; !out->rounded && i < out->shape.count; i++)
        out->rounded = !basic || !is_representable(out->shape.dtype, values[i]);
    return CNNF_OK;
}

/* Values that are moved and not computed. */
static cnnf_status keep_moved(const work *w, int32_t output, double *values)
{
    return keep(w, output, values, true);
}

/* ---- tensors ---- */

static bool read_elements(double *v, const cnnf_tensor *tensor)
{
    const cnnf_dtype dtype = cnnf_tensor_dtype(tensor);
    const int64_t count = cnnf_tensor_element_count(tensor);
    const void *data = cnnf_tensor_data(tensor);
    bool readable = data || !count;
    for (int64_t i = 0; readable && i < count; i++)
        readable = cnnfi_element_f64(&v[i], dtype, data, i);
    return readable;
}

cnnf_status cnnfi_constant_of_tensor(cnnfi_constant *out, const cnnf_tensor *tensor, cnnfi_arena *arena,
                                     cnnf_error *error)
{
    cnnf_tensor *loaded = NULL;
    const cnnf_dtype dtype = cnnf_tensor_dtype(tensor);
    *out = (cnnfi_constant){.shape = cnnfi_value_unknown(dtype)};
    if (!cnnfi_value_of_tensor(&out->shape, tensor) || out->shape.count > CNNFI_CONSTANT_MAX_COUNT) return CNNF_OK;
    if (!is_integer(dtype) && !is_float(dtype)) return CNNF_OK;
    double *v = cnnfi_arena_array(arena, (size_t)out->shape.count + 1, sizeof *v);
    if (!v) return cnnfi_fail_nomem(error);
    CNNFI_TRY(cnnf_tensor_load(&loaded, tensor, error));
    const bool readable = read_elements(v, loaded);
    cnnf_tensor_unref(loaded);
    if (!readable) return CNNF_OK;
    if (is_integer(dtype)) return keep_integers(out, v);
    out->v = v;
    return CNNF_OK;
}

static cnnf_status eval_const(const work *w)
{
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(w->asked->node, "value");
    return tensor ? cnnfi_constant_of_tensor(&w->asked->outputs[0], tensor, w->asked->arena, w->asked->error) : CNNF_OK;
}

/* ---- element-wise ---- */

/* Element of `in` for element `at` of a broadcast shape. */
static double element(const cnnfi_constant *in, const cnnfi_value *shape, int64_t at)
{
    int64_t index = 0, stride = 1;
    if (!in) return UNKNOWN_ELEMENT;
    if (in->uniform || in->shape.count == 1) return in->v[0];
    if (in->shape.count == shape->count) return in->v[at];
    for (int32_t i = shape->rank - 1, k = in->shape.rank - 1; i >= 0 && k >= 0; i--, k--) {
        if (in->shape.dims[k] != 1) index += at % shape->dims[i] * stride;
        at /= shape->dims[i];
        stride *= in->shape.dims[k];
    }
    return in->v[index];
}

static bool jumps_on_rounded(const work *w)
{
    bool rounded = false;
    for (int32_t i = 0; i < w->asked->n_inputs; i++) {
        const cnnfi_constant *in = open_operand(w, i);
        rounded |= in && in->rounded;
    }
    return rounded && w->row->flags & JUMPS;
}

/* The one value of an output whose shape is open: an integer's. */
static cnnf_status keep_uniform(const work *w, double value)
{
    cnnfi_constant *out = &w->asked->outputs[0];
    double *v = cnnfi_arena_alloc(w->asked->arena, sizeof *v);
    if (!v) return cnnfi_fail_nomem(w->asked->error);
    *v = value;
    out->v = v;
    out->uniform = true;
    inherit(w, out);
    return CNNF_OK;
}

/* f of each element; `exact` ones that are not known stay so. */
static cnnf_status map(const work *w, double (*f)(const work *w, double x), bool basic)
{
    double *v;
    const cnnfi_constant *x = open_operand(w, 0);
    const cnnfi_value *shape = &w->asked->outputs[0].shape;
    if (!x || jumps_on_rounded(w)) return CNNF_OK;
    if (x->uniform && is_integer(shape->dtype)) return keep_uniform(w, f(w, x->v[0]));
    CNNFI_TRY(new_values(w, 0, &v));
    if (!v || x->uniform || shape->count != x->shape.count) return CNNF_OK;
    const bool exact = is_integer(x->shape.dtype);
    for (int64_t i = 0; i < x->shape.count; i++)
        v[i] = exact && isnan(x->v[i]) ? UNKNOWN_ELEMENT : f(w, x->v[i]);
    return keep(w, 0, v, basic);
}

static double by_row(const work *w, double x)
{
    return w->row->one(x);
}

static cnnf_status eval_one(const work *w)
{
    return map(w, by_row, w->row->flags & BASIC);
}

/* Integers are truncated; what they do not hold is not known, for the machine decides it. */
static double cast(const work *w, double x)
{
    const cnnf_dtype to = w->asked->outputs[0].shape.dtype;
    if (to == CNNF_BOOL) return x != 0;
    return is_float(to) ? x : trunc(x);
}

static cnnf_status eval_cast(const work *w)
{
    const cnnfi_constant *x = open_operand(w, 0);
    const bool to_float = is_float(w->asked->outputs[0].shape.dtype);
    if (!x || (x->rounded && !to_float) || (x->partial && to_float)) return CNNF_OK;
    return map(w, cast, true);
}

/* As an int64_t; the value of an integer that was computed out of its range may be none. */
static bool is_whole(double x)
{
    return x == trunc(x) && fabs(x) < 0x1p62;
}

static double two_integers(const evaluator *row, double a, double b)
{
    if (isnan(a) || isnan(b)) return UNKNOWN_ELEMENT;
    if (row->integers && (!is_whole(a) || !is_whole(b))) return UNKNOWN_ELEMENT;
    return row->integers ? row->integers(a, b) : row->two(a, b);
}

static cnnf_status eval_two(const work *w)
{
    double *v;
    const cnnfi_constant *a = operand(w, 0), *b = operand(w, 1);
    if (!a || !b || jumps_on_rounded(w)) return CNNF_OK;
    CNNFI_TRY(new_values(w, 0, &v));
    const cnnfi_value *shape = &w->asked->outputs[0].shape;
    const bool exact = is_integer(a->shape.dtype);
    /* Equal of shapes that do not fit is one bool. */
    if (!v || (!exact && !w->row->two) || shape->rank < a->shape.rank || shape->rank < b->shape.rank) return CNNF_OK;
    for (int64_t i = 0; i < shape->count; i++) {
        const double x = element(a, shape, i), y = element(b, shape, i);
        v[i] = exact ? two_integers(w->row, x, y) : w->row->two(x, y);
    }
    return keep(w, 0, v, w->row->flags & BASIC);
}

/* Over the last axis; channels that come first lie on another. */
static cnnf_status eval_bias_add(const work *w)
{
    const char *format = cnnf_node_attr_string(NULL, w->asked->node, "data_format");
    const bool first = format && strncmp(format, "NC", 2) == 0 && w->asked->outputs[0].shape.rank > 2;
    return first ? CNNF_OK : eval_two(w);
}

static double logical(double x, double y, double decides)
{
    if (x == decides || y == decides) return decides;
    return isnan(x) || isnan(y) ? UNKNOWN_ELEMENT : 1 - decides;
}

/* One operand may decide alone: false an and, true an or; whatever the shape of the other. */
static cnnf_status eval_logical(const work *w)
{
    double *v, a = UNKNOWN_ELEMENT, b = UNKNOWN_ELEMENT;
    const double decides = w->row->two(0, 1); /* 0 for and, 1 for or */
    const cnnfi_constant *x = open_operand(w, 0), *y = open_operand(w, 1);
    const cnnfi_value *shape = &w->asked->outputs[0].shape;
    if (!x && !y) return CNNF_OK;
    CNNFI_TRY(new_values(w, 0, &v));
    if (!v) {
        const bool has_x = cnnfi_constant_scalar(x, &a), has_y = cnnfi_constant_scalar(y, &b), is_one = has_x || has_y;
        const double value = logical(a, b, decides);
        return is_one && !isnan(value) ? keep_uniform(w, value) : CNNF_OK;
    }
    for (int64_t i = 0; i < shape->count; i++)
        v[i] = logical(element(x, shape, i), element(y, shape, i), decides);
    return keep(w, 0, v, true);
}

/* ToBool: a scalar that is not 0, another tensor that is not empty. */
static cnnf_status eval_to_bool(const work *w)
{
    double *v;
    const cnnfi_constant *x = w->asked->inputs[0];
    if (!x || !cnnfi_value_is_shaped(&x->shape)) return CNNF_OK;
    if (x->shape.rank == 0 && (!cnnfi_constant_is_whole(x) || x->rounded)) return CNNF_OK;
    CNNFI_TRY(new_values(w, 0, &v));
    if (!v) return CNNF_OK;
    v[0] = x->shape.rank == 0 ? x->v[0] != 0 : x->shape.count > 0;
    return keep(w, 0, v, true);
}

/* Both branches may be known or only the one that is taken. */
static cnnf_status eval_select(const work *w)
{
    double *v;
    const cnnfi_constant *c = operand(w, 0), *in[2] = {operand(w, 2), operand(w, 1)};
    const cnnfi_value *shape = &w->asked->outputs[0].shape;
    if (!c || (!in[0] && !in[1])) return CNNF_OK;
    CNNFI_TRY(new_values(w, 0, &v));
    /* Select of version 1 takes rows by a vector. */
    const bool rows = strcmp(w->asked->node->op, "Select") == 0 && c->shape.rank == 1 && shape->rank > 1;
    if (!v || rows) return CNNF_OK;
    for (int64_t i = 0; i < shape->count; i++) {
        const double taken = element(c, shape, i);
        const cnnfi_constant *from = isnan(taken) ? NULL : in[taken != 0];
        if (!from && !is_integer(shape->dtype)) return CNNF_OK;
        v[i] = element(from, shape, i);
    }
    return keep_moved(w, 0, v);
}

/* ---- from shapes ---- */

static cnnf_status eval_shape(const work *w)
{
    for (int32_t k = 0; k < w->asked->n_outputs; k++) {
        double *v;
        const cnnfi_constant *x = k < w->asked->n_inputs ? w->asked->inputs[k] : NULL;
        if (!x || x->shape.rank == CNNFI_UNKNOWN) continue;
        CNNFI_TRY(new_values(w, k, &v));
        if (!v || w->asked->outputs[k].shape.count != x->shape.rank) continue;
        for (int32_t i = 0; i < x->shape.rank; i++)
            v[i] = x->shape.dims[i] == CNNFI_UNKNOWN ? UNKNOWN_ELEMENT : (double)x->shape.dims[i];
        CNNFI_TRY(keep_integers(&w->asked->outputs[k], v));
    }
    return CNNF_OK;
}

/* Rank and Size. */
static cnnf_status eval_extent(const work *w)
{
    double *v;
    const cnnfi_constant *x = w->asked->inputs[0];
    const bool is_rank = strcmp(w->asked->node->op, "Rank") == 0;
    const int64_t extent = !x ? CNNFI_UNKNOWN : is_rank ? x->shape.rank : x->shape.count;
    if (extent == CNNFI_UNKNOWN) return CNNF_OK;
    CNNFI_TRY(new_values(w, 0, &v));
    if (!v) return CNNF_OK;
    v[0] = (double)extent;
    return keep_integers(&w->asked->outputs[0], v);
}

static cnnf_status splat(const work *w, double value)
{
    double *v;
    CNNFI_TRY(new_values(w, 0, &v));
    cnnfi_constant *out = &w->asked->outputs[0];
    if (!v) return CNNF_OK;
    for (int64_t i = 0; i < out->shape.count; i++)
        v[i] = value;
    out->v = v;
    return CNNF_OK;
}

static cnnf_status eval_zeros_like(const work *w)
{
    return splat(w, 0);
}

static cnnf_status eval_ones_like(const work *w)
{
    return splat(w, 1);
}

static cnnf_status eval_fill(const work *w)
{
    const cnnfi_constant *value = whole_operand(w, 1);
    if (!value || value->shape.count != 1) return CNNF_OK;
    CNNFI_TRY(splat(w, value->v[0]));
    w->asked->outputs[0].rounded = value->rounded;
    return CNNF_OK;
}

/* Each element is the one before plus the step, in the tensor's type. */
static cnnf_status eval_range(const work *w)
{
    double *v;
    const cnnfi_constant *start = whole_operand(w, 0), *limit = whole_operand(w, 1), *delta = whole_operand(w, 2);
    if (!start || !limit || !delta || jumps_on_rounded(w)) return CNNF_OK;
    CNNFI_TRY(new_values(w, 0, &v));
    if (!v) return CNNF_OK;
    const bool single = start->shape.dtype == CNNF_FLOAT;
    for (int64_t i = 0; i < w->asked->outputs[0].shape.count; i++) {
        v[i] = i ? v[i - 1] + delta->v[0] : start->v[0];
        if (single) v[i] = (double)(float)v[i];
    }
    return keep(w, 0, v, true);
}

/* ---- moving ---- */

/* Identity and, whichever output is alive, Switch. */
static cnnf_status eval_identity(const work *w)
{
    const cnnfi_constant *x = open_operand(w, 0);
    for (int32_t i = 0; x && i < w->asked->n_outputs; i++)
        w->asked->outputs[i] = *x;
    return CNNF_OK;
}

/* The same values in another shape. */
static cnnf_status eval_reshape(const work *w)
{
    const cnnfi_constant *x = open_operand(w, 0);
    cnnfi_constant *out = &w->asked->outputs[0];
    if (!x || (!x->uniform && out->shape.count != x->shape.count)) return CNNF_OK;
    const cnnfi_value shape = out->shape;
    *out = *x;
    out->shape = shape;
    return CNNF_OK;
}

/* A box of `in`, walked in the output's order: its axis i steps by strides[i] elements. */
static cnnf_status take_box(const work *w, int32_t output, const cnnfi_constant *in, int64_t first,
                            const int64_t *strides)
{
    double *v;
    const cnnfi_value *shape = &w->asked->outputs[output].shape;
    CNNFI_TRY(new_values(w, output, &v));
    if (!v) return CNNF_OK;
    for (int64_t i = 0; i < shape->count; i++) {
        int64_t at = first, left = i;
        for (int32_t axis = shape->rank - 1; axis >= 0; axis--) {
            at += left % shape->dims[axis] * strides[axis];
            left /= shape->dims[axis];
        }
        if (at < 0 || at >= in->shape.count) return CNNF_OK;
        v[i] = in->v[at];
    }
    return keep_moved(w, output, v);
}

static int64_t stride_of(const cnnfi_value *shape, int64_t axis)
{
    return cnnfi_dims_product(shape->dims, (int32_t)axis + 1, shape->rank);
}

static cnnf_status eval_transpose(const work *w)
{
    const cnnfi_constant *x = operand(w, 0), *perm = whole_operand(w, 1);
    int64_t strides[CNNFI_OP_MAX_RANK] = {0};
    if (!x || !perm || perm->shape.count != x->shape.rank) return CNNF_OK;
    for (int32_t i = 0; i < x->shape.rank; i++) {
        const double axis = perm->v[i] < 0 ? perm->v[i] + x->shape.rank : perm->v[i];
        if (!(axis >= 0 && axis < x->shape.rank)) return CNNF_OK;
        strides[i] = stride_of(&x->shape, (int64_t)axis);
    }
    return take_box(w, 0, x, 0, strides);
}

static cnnf_status eval_slice(const work *w)
{
    const cnnfi_constant *x = operand(w, 0), *begin = whole_operand(w, 1);
    int64_t strides[CNNFI_OP_MAX_RANK] = {0}, first = 0;
    if (!x || !begin || begin->shape.count != x->shape.rank) return CNNF_OK;
    for (int32_t i = 0; i < x->shape.rank; i++) {
        if (!(begin->v[i] >= 0 && begin->v[i] <= (double)x->shape.dims[i])) return CNNF_OK;
        strides[i] = stride_of(&x->shape, i);
        first += (int64_t)begin->v[i] * strides[i];
    }
    return take_box(w, 0, x, first, strides);
}

/* What shape arithmetic takes: a part or an element of a vector, by one entry of begin and strides. */
static cnnf_status eval_strided_slice(const work *w)
{
    const cnnf_node *node = w->asked->node;
    const cnnfi_constant *x = operand(w, 0), *begin = whole_operand(w, 1), *step = whole_operand(w, 3);
    if (!x || !begin || !step || x->shape.rank != 1 || begin->shape.count != 1 || step->shape.count != 1) {
        return CNNF_OK;
    }
    const bool other =
        (cnnf_node_attr_int(node, "ellipsis_mask", 0) | cnnf_node_attr_int(node, "new_axis_mask", 0)) & 1;
    const bool shrinks = cnnf_node_attr_int(node, "shrink_axis_mask", 0) & 1;
    const bool open = !shrinks && cnnf_node_attr_int(node, "begin_mask", 0) & 1;
    if (other) return CNNF_OK;
    const double size = (double)x->shape.count, by = shrinks ? 1 : step->v[0], last = by > 0 ? size : size - 1;
    double first = begin->v[0] < 0 ? begin->v[0] + size : begin->v[0];
    if (open) first = by > 0 ? 0 : size - 1;
    if (first > last) first = last; /* nothing is taken, or from the end backwards */
    if (first < 0) first = 0;
    const int64_t stride = fabs(by) < size ? (int64_t)by : 0; /* a longer one takes one element */
    return take_box(w, 0, x, (int64_t)first, &stride);
}

/* An axis of `shape` that an input or attribute names. */
static bool find_axis(double axis, int32_t rank, int32_t *out)
{
    if (axis < 0) axis += rank;
    *out = axis >= 0 && axis < rank ? (int32_t)axis : 0;
    return axis >= 0 && axis < rank;
}

/* Gather along an axis: params, indices and, of version 2, the axis. */
static cnnf_status eval_gather(const work *w)
{
    double *v;
    int32_t axis = 0;
    const cnnfi_constant *x = operand(w, 0), *at = whole_operand(w, 1), *along = whole_operand(w, 2);
    if (!x || !at || cnnf_node_attr_int(w->asked->node, "batch_dims", 0) != 0) return CNNF_OK;
    if (w->asked->n_inputs > 2 && (!along || along->shape.count != 1)) return CNNF_OK;
    if (!find_axis(along ? along->v[0] : 0, x->shape.rank, &axis)) return CNNF_OK;
    CNNFI_TRY(new_values(w, 0, &v));
    const int64_t inner = stride_of(&x->shape, axis), size = x->shape.dims[axis], n = at->shape.count;
    if (!v || w->asked->outputs[0].shape.count != cnnfi_dims_product(x->shape.dims, 0, axis) * n * inner) {
        return CNNF_OK;
    }
    for (int64_t i = 0; i < w->asked->outputs[0].shape.count; i++) {
        const double taken = at->v[i / inner % n];
        if (!(taken >= 0 && taken < (double)size)) return CNNF_OK;
        v[i] = x->v[(i / inner / n * size + (int64_t)taken) * inner + i % inner];
    }
    return keep_moved(w, 0, v);
}

/* The axis taken apart, an output each. */
static cnnf_status eval_unpack(const work *w)
{
    int32_t axis;
    const cnnfi_constant *x = operand(w, 0);
    int64_t strides[CNNFI_OP_MAX_RANK] = {0};
    if (!x || !find_axis((double)cnnf_node_attr_int(w->asked->node, "axis", 0), x->shape.rank, &axis)) return CNNF_OK;
    if (x->shape.dims[axis] != w->asked->n_outputs) return CNNF_OK;
    for (int32_t i = 0; i + 1 < x->shape.rank; i++)
        strides[i] = stride_of(&x->shape, i < axis ? i : i + 1);
    for (int32_t i = 0; i < w->asked->n_outputs; i++)
        CNNFI_TRY(take_box(w, i, x, i * stride_of(&x->shape, axis), strides));
    return CNNF_OK;
}

/* `in` (NULL: not known), `size` wide along an axis of the output, into its place there. */
static void place(double *v, const cnnfi_value *out, int32_t axis, int64_t at, const cnnfi_constant *in, int64_t size)
{
    const int64_t inner = stride_of(out, axis), each = size * inner, whole = out->dims[axis] * inner;
    for (int64_t outer = 0; outer * whole < out->count; outer++) {
        for (int64_t i = 0; i < each; i++)
            v[outer * whole + at * inner + i] = in ? in->v[outer * each + i] : UNKNOWN_ELEMENT;
    }
}

/* Inputs first .. end - 1 side by side, `each` wide (0: as their axis is); one that is not known leaves a gap among
   integers. */
static cnnf_status join(const work *w, int32_t first, int32_t end, int32_t axis, int64_t each)
{
    double *v;
    int64_t at = 0;
    const cnnfi_value *out = &w->asked->outputs[0].shape;
    CNNFI_TRY(new_values(w, 0, &v));
    if (!v || !out->count) return v ? keep_moved(w, 0, v) : CNNF_OK;
    for (int32_t i = first; i < end; i++) {
        const cnnfi_constant *in = w->asked->inputs[i];
        const int64_t size = each ? each : in && in->shape.rank == out->rank ? in->shape.dims[axis] : CNNFI_UNKNOWN;
        if (!operand(w, i) && !is_integer(out->dtype)) return CNNF_OK;
        if (size == CNNFI_UNKNOWN || size > out->dims[axis] - at) return CNNF_OK;
        place(v, out, axis, at, operand(w, i), size);
        at += size;
    }
    return at == out->dims[axis] ? keep_moved(w, 0, v) : CNNF_OK;
}

static cnnf_status eval_pack(const work *w)
{
    int32_t axis;
    const int32_t rank = w->asked->outputs[0].shape.rank;
    if (!find_axis((double)cnnf_node_attr_int(w->asked->node, "axis", 0), rank, &axis)) return CNNF_OK;
    return join(w, 0, w->asked->n_inputs, axis, 1);
}

static cnnf_status eval_concat(const work *w)
{
    int32_t axis;
    const bool first = strcmp(w->asked->node->op, "Concat") == 0;
    const int32_t n = w->asked->n_inputs - 1;
    const cnnfi_constant *along = n > 0 ? whole_operand(w, first ? 0 : n) : NULL;
    if (!along || along->shape.count != 1) return CNNF_OK;
    if (!find_axis(along->v[0], w->asked->outputs[0].shape.rank, &axis)) return CNNF_OK;
    return join(w, first, first + n, axis, 0);
}

/* ---- reductions ---- */

/* Axes that stay keep their order, so that an element's place in the output follows from its own. */
static cnnf_status eval_reduce(const work *w)
{
    bool gone[CNNFI_OP_MAX_RANK];
    double *v;
    cnnfi_call call = w->call;
    const cnnfi_constant *x = operand(w, 0);
    const cnnfi_value *out = &w->asked->outputs[0].shape;
    int64_t strides[CNNFI_OP_MAX_RANK], stride = 1;
    if (!x || !w->call.inputs[1].data || !x->shape.count || cnnfi_reduce_axes(&call, gone)) return CNNF_OK;
    CNNFI_TRY(new_values(w, 0, &v));
    if (!v) return CNNF_OK;
    for (int32_t i = x->shape.rank - 1; i >= 0; i--) {
        strides[i] = gone[i] ? 0 : stride;
        stride *= gone[i] ? 1 : x->shape.dims[i];
    }
    for (int64_t i = 0; i < out->count; i++)
        v[i] = w->row->start;
    for (int64_t i = 0; i < x->shape.count; i++) {
        int64_t at = 0, left = i;
        for (int32_t axis = x->shape.rank - 1; axis >= 0; axis--) {
            at += left % x->shape.dims[axis] * strides[axis];
            left /= x->shape.dims[axis];
        }
        v[at] = is_integer(out->dtype) ? two_integers(w->row, v[at], x->v[i]) : w->row->two(v[at], x->v[i]);
    }
    return keep(w, 0, v, w->row->flags & BASIC);
}

/* Of integers the quotient is truncated. */
static cnnf_status eval_mean(const work *w)
{
    cnnfi_constant *out = &w->asked->outputs[0];
    CNNFI_TRY(eval_reduce(w));
    if (!out->v || !out->shape.count) return CNNF_OK;
    const double n = (double)(operand(w, 0)->shape.count / out->shape.count);
    double *v = cnnfi_arena_array(w->asked->arena, (size_t)out->shape.count, sizeof *v);
    if (!v) return cnnfi_fail_nomem(w->asked->error);
    for (int64_t i = 0; i < out->shape.count; i++)
        v[i] = is_integer(out->shape.dtype) ? trunc(out->v[i] / n) : out->v[i] / n;
    out->v = v;
    return CNNF_OK;
}

/* ---- what is computed ---- */

#define ONE(name, expression)                                                                                          \
    static double name(double x)                                                                                       \
    {                                                                                                                  \
        return expression;                                                                                             \
    }
#define TWO(name, expression)                                                                                          \
    static double name(double x, double y)                                                                             \
    {                                                                                                                  \
        return expression;                                                                                             \
    }

ONE(negate, -x)
ONE(reciprocal, 1 / x)
ONE(rsqrt, 1 / sqrt(x))
ONE(square, x *x)
ONE(sign, isnan(x) ? x : (x > 0) - (x < 0))
ONE(not, x == 0)

TWO(add, x + y)
TWO(subtract, x - y)
TWO(multiply, x *y)
TWO(divide, x / y)
TWO(divide_no_nan, y == 0 ? 0 : x / y)
TWO(squared_difference, (x - y) * (x - y))
TWO(maximum, isnan(x) || x > y ? x : y)
TWO(minimum, isnan(x) || x < y ? x : y)
TWO(equal, x == y)
TWO(not_equal, x != y)
TWO(less, x < y)
TWO(less_equal, x <= y)
TWO(greater, x > y)
TWO(greater_equal, x >= y)
TWO(and, x != 0 && y != 0)
TWO(or, x != 0 || y != 0)

static double floor_mod(double x, double y)
{
    const double r = fmod(x, y);
    return r != 0 && (y < 0) != (r < 0) ? r + y : r;
}

/* Of whole numbers below 2^53; a divisor of 0 fails when it is run. */
TWO(truncate_integers, y == 0 ? UNKNOWN_ELEMENT : (double)((int64_t)x / (int64_t)y))
TWO(truncate_mod_integers, y == 0 ? UNKNOWN_ELEMENT : (double)((int64_t)x % (int64_t)y))
TWO(floor_mod_integers, y == 0 ? UNKNOWN_ELEMENT : floor_mod(x, y))
TWO(floor_integers, y == 0 ? UNKNOWN_ELEMENT : (double)(((int64_t)x - (int64_t)floor_mod(x, y)) / (int64_t)y))

/* Exact below 2^53, and not below it when it is not exact. */
static double integer_power(double x, double y)
{
    double result = 1;
    if (y < 0) return UNKNOWN_ELEMENT;
    for (int64_t n = (int64_t)y; n; n >>= 1, x *= x)
        if (n & 1) result *= x;
    return result;
}

#define UNARY(op, f, flags)                                                                                            \
    {                                                                                                                  \
        op, eval_one, .one = f, 0, 0, 0, flags                                                                         \
    }
#define BINARY(op, f, flags)                                                                                           \
    {                                                                                                                  \
        op, eval_two, 0, f, 0, 0, flags                                                                                \
    }
#define DIVISION(op, f, exact, flags)                                                                                  \
    {                                                                                                                  \
        op, eval_two, 0, f, exact, 0, flags                                                                            \
    }
#define REDUCE(op, f, start, flags)                                                                                    \
    {                                                                                                                  \
        op, eval_reduce, 0, f, 0, start, flags                                                                         \
    }
#define OTHER(op, eval, flags)                                                                                         \
    {                                                                                                                  \
        op, eval, 0, 0, 0, 0, flags                                                                                    \
    }

static const evaluator evaluators[] = {
    UNARY("Abs", fabs, BASIC),
    BINARY("Add", add, BASIC),
    BINARY("AddV2", add, BASIC),
    REDUCE("All", and, 1, 0),
    REDUCE("Any", or, 0, 0),
    {"BiasAdd", eval_bias_add, 0, add, 0, 0, BASIC},
    OTHER("Cast", eval_cast, 0),
    UNARY("Ceil", ceil, BASIC | JUMPS),
    OTHER("CheckNumerics", eval_identity, 0),
    OTHER("Concat", eval_concat, 0),
    OTHER("ConcatV2", eval_concat, 0),
    OTHER("Const", eval_const, 0),
    DIVISION("Div", divide, truncate_integers, BASIC),
    BINARY("DivNoNan", divide_no_nan, BASIC | JUMPS),
    BINARY("Equal", equal, JUMPS),
    UNARY("Exp", exp, 0),
    OTHER("ExpandDims", eval_reshape, 0),
    OTHER("Fill", eval_fill, 0),
    UNARY("Floor", floor, BASIC | JUMPS),
    DIVISION("FloorDiv", NULL, floor_integers, JUMPS), /* of floats the quotient is rounded before it is floored */
    DIVISION("FloorMod", floor_mod, floor_mod_integers, JUMPS),
    OTHER("Gather", eval_gather, 0),
    OTHER("GatherV2", eval_gather, 0),
    BINARY("Greater", greater, JUMPS),
    BINARY("GreaterEqual", greater_equal, JUMPS),
    OTHER("HostConst", eval_const, 0),
    OTHER("Identity", eval_identity, 0),
    UNARY("Inv", reciprocal, BASIC),
    BINARY("Less", less, JUMPS),
    BINARY("LessEqual", less_equal, JUMPS),
    UNARY("Log", log, 0),
    {"LogicalAnd", eval_logical, 0, and, 0, 0, 0},
    UNARY("LogicalNot", not, 0),
    {"LogicalOr", eval_logical, 0, or, 0, 0, 0},
    REDUCE("Max", maximum, -(double)INFINITY, BASIC),
    BINARY("Maximum", maximum, BASIC),
    {"Mean", eval_mean, 0, add, 0, 0, 0},
    REDUCE("Min", minimum, (double)INFINITY, BASIC),
    BINARY("Minimum", minimum, BASIC),
    DIVISION("Mod", fmod, truncate_mod_integers, JUMPS),
    BINARY("Mul", multiply, BASIC),
    UNARY("Neg", negate, BASIC),
    BINARY("NotEqual", not_equal, JUMPS),
    OTHER("OnesLike", eval_ones_like, 0),
    OTHER("Pack", eval_pack, 0),
    DIVISION("Pow", pow, integer_power, ROOT), /* pow(variance, 0.5) */
    OTHER("PreventGradient", eval_identity, 0),
    REDUCE("Prod", multiply, 1, 0),
    OTHER("Range", eval_range, JUMPS),
    OTHER("Rank", eval_extent, 0),
    DIVISION("RealDiv", divide, truncate_integers, BASIC),
    UNARY("Reciprocal", reciprocal, BASIC),
    OTHER("RefSwitch", eval_identity, 0),
    OTHER("Reshape", eval_reshape, 0),
    UNARY("Rint", rint, BASIC | JUMPS), /* halves to even: the default rounding mode */
    UNARY("Round", rint, BASIC | JUMPS),
    UNARY("Rsqrt", rsqrt, ROOT),
    OTHER("Select", eval_select, 0),
    OTHER("SelectV2", eval_select, 0),
    OTHER("Shape", eval_shape, 0),
    OTHER("ShapeN", eval_shape, 0),
    UNARY("Sign", sign, BASIC | JUMPS),
    OTHER("Size", eval_extent, 0),
    OTHER("Slice", eval_slice, 0),
    OTHER("Snapshot", eval_identity, 0),
    UNARY("Sqrt", sqrt, BASIC | ROOT),
    UNARY("Square", square, BASIC),
    BINARY("SquaredDifference", squared_difference, 0),
    OTHER("Squeeze", eval_reshape, 0),
    OTHER("StopGradient", eval_identity, 0),
    OTHER("StridedSlice", eval_strided_slice, 0),
    BINARY("Sub", subtract, BASIC),
    REDUCE("Sum", add, 0, 0),
    OTHER("Switch", eval_identity, 0),
    OTHER("ToBool", eval_to_bool, 0),
    OTHER("Transpose", eval_transpose, 0),
    DIVISION("TruncateDiv", NULL, truncate_integers, JUMPS),
    DIVISION("TruncateMod", fmod, truncate_mod_integers, JUMPS),
    OTHER("Unpack", eval_unpack, 0),
    OTHER("ZerosLike", eval_zeros_like, 0),
};

static const evaluator *find_row(const char *op)
{
    for (size_t i = 0; i < sizeof evaluators / sizeof *evaluators; i++) {
        if (strcmp(evaluators[i].op, op) == 0) return &evaluators[i];
    }
    return NULL;
}

bool cnnfi_constant_is_computed(const char *op)
{
    return find_row(op) != NULL;
}

/* ---- asking ---- */

/* Bytes of one element that a rule may read; 0: rules do not read this dtype. */
static size_t rule_bytes(const cnnfi_constant *in)
{
    if (!cnnfi_constant_is_whole(in) || in->shape.count > MAX_RULE_VALUES) return 0;
    const cnnf_dtype dtype = in->shape.dtype;
    const bool read = dtype == CNNF_INT32 || dtype == CNNF_INT64 || dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE;
    return read && !in->rounded ? cnnf_dtype_size(dtype) : 0;
}

static void put_elements(const cnnfi_constant *in, void *to)
{
    for (int64_t i = 0; i < in->shape.count; i++) {
        const double x = in->v[i];
        if (in->shape.dtype == CNNF_INT32) ((int32_t *)to)[i] = (int32_t)x;
        if (in->shape.dtype == CNNF_INT64) ((int64_t *)to)[i] = (int64_t)x;
        if (in->shape.dtype == CNNF_FLOAT) ((float *)to)[i] = (float)x;
        if (in->shape.dtype == CNNF_DOUBLE) ((double *)to)[i] = x;
    }
}

/* What the rule sees: shapes, and small values in their dtype. `elements`: MAX_RULE_VALUES of 8 bytes an input that has
   any. */
static void set_inputs(cnnfi_constant_call *asked, cnnfi_value *inputs, int64_t *elements)
{
    for (int32_t i = 0; i < asked->n_inputs; i++) {
        const cnnfi_constant *in = asked->inputs[i];
        inputs[i] = in ? in->shape : cnnfi_value_unknown(CNNF_DTYPE_INVALID);
        inputs[i].data = NULL;
        if (!rule_bytes(in)) continue;
        put_elements(in, elements);
        inputs[i].data = elements;
        elements += MAX_RULE_VALUES;
    }
}

/* Ops whose output has the shape that an input holds. */
static const struct {
    const char *op;
    int32_t input;
} shaped_by[] = {
    {"BroadcastTo", 1}, {"Conv2DBackpropInput", 0}, {"Conv3DBackpropInputV2", 0}, {"Fill", 0}, {"Reshape", 1},
};

/* Sizes that shape arithmetic knows beside ones that it does not: [batch, 7, 7, 64]. */
static void refine_shape(cnnfi_constant_call *asked)
{
    int32_t input = -1;
    for (size_t i = 0; i < sizeof shaped_by / sizeof *shaped_by; i++) {
        if (strcmp(shaped_by[i].op, asked->node->op) == 0) input = shaped_by[i].input;
    }
    const cnnfi_constant *shape = input >= 0 && input < asked->n_inputs ? asked->inputs[input] : NULL;
    if (asked->n_outputs < 1 || !shape || !shape->v || !shape->partial || shape->uniform) return;
    if (shape->shape.rank != 1 || shape->shape.count > CNNFI_OP_MAX_RANK) return;
    cnnfi_value *out = &asked->outputs[0].shape;
    if (cnnfi_value_is_shaped(out)) return;
    int64_t dims[CNNFI_OP_MAX_RANK];
    for (int64_t i = 0; i < shape->shape.count; i++) {
        const bool known = shape->v[i] >= 0; /* neither NaN nor -1 */
        dims[i] = known ? (int64_t)shape->v[i] : out->rank > i ? out->dims[i] : CNNFI_UNKNOWN;
    }
    *out = cnnfi_value_make(out->dtype, (int32_t)shape->shape.count, dims);
}

static cnnf_status evaluate(work *w)
{
    cnnfi_constant_call *asked = w->asked;
    const cnnf_status status = cnnfi_op_infer(&w->call);
    if (status < 0) return status;
    for (int32_t i = 0; i < w->call.n_outputs; i++)
        asked->outputs[i] = (cnnfi_constant){.shape = w->call.outputs[i]};
    asked->n_outputs = w->call.n_outputs;
    refine_shape(asked);
    w->row = find_row(asked->node->op);
    return w->row && asked->n_outputs ? w->row->eval(w) : CNNF_OK;
}

cnnf_status cnnfi_constant_evaluate(cnnfi_constant_call *asked)
{
    cnnf_context *context = asked->arena->context;
    size_t with_values = 0, n = (size_t)asked->n_inputs, outputs = (size_t)asked->max_outputs;
    asked->n_outputs = 0;
    for (size_t i = 0; i < n; i++)
        with_values += rule_bytes(asked->inputs[i]) > 0;
    cnnfi_value *values = cnnfi_array(context, n + outputs + 1, sizeof *values);
    int64_t *elements = cnnfi_array(context, with_values * MAX_RULE_VALUES + 1, sizeof *elements);
    cnnf_status status = values && elements ? CNNF_OK : cnnfi_fail_nomem(asked->error);
    if (!status) {
        work w = {.asked = asked,
                  .call = {.context = context,
                           .node = asked->node,
                           .n_inputs = asked->n_inputs,
                           .inputs = values,
                           .outputs = values + n,
                           .max_outputs = asked->max_outputs,
                           .error = asked->error}};
        set_inputs(asked, values, elements);
        status = evaluate(&w);
    }
    cnnfi_free(context, elements);
    cnnfi_free(context, values);
    return status;
}
