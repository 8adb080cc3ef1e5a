/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fit_opencv: the forms that OpenCV's TensorFlow importer knows (lib/inspect/check_opencv.c says which), each computing
 * what was there. An output whose layer the importer would merge into another gets a product with 1 behind it, so that
 * its name is there to be asked for.
 */
#include <math.h>
#include <string.h>

#include "graph/tensor.h"
#include "transform/rewrite/forms.h"

static const cnnfi_edge none = {-1, 0};

/* ---- element by element ---- */

static void fit_neg(cnnfi_forms *f, cnnf_node *node)
{
    const cnnf_node *minus = cnnfi_forms_fill(f, node, "minus", 0, -1);
    cnnfi_forms_become(f, node, "Mul", cnnfi_edit_input(node, 0), cnnfi_end(minus, 0));
}

static void fit_rsqrt(cnnfi_forms *f, cnnf_node *node)
{
    const cnnf_node *from = cnnfi_forms_producer(f, node, 0);
    if (cnnfi_forms_is(from, "Maximum") && cnnfi_forms_is(cnnfi_forms_producer(f, from, 0), "Sum")) return;
    const cnnf_node *root = cnnfi_forms_add(f, node, "sqrt", "Sqrt", cnnfi_edit_input(node, 0), none);
    cnnfi_forms_become(f, node, "Reciprocal", cnnfi_end(root, 0), none);
}

static void fit_squared_difference(cnnfi_forms *f, cnnf_node *node)
{
    const cnnf_node *sub = cnnfi_forms_add(f, node, "sub", "Sub", cnnfi_edit_input(node, 0), cnnfi_edit_input(node, 1));
    cnnfi_forms_become(f, node, "Square", cnnfi_end(sub, 0), none);
}

static void fit_pow(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_form_operand o;
    if (!cnnfi_forms_operand(f, node, &o) || o.at != 1 || o.n != 1 || o.v[0] != 2) return;
    cnnfi_forms_become(f, node, "Square", cnnfi_edit_input(node, 0), none);
}

/* The scalar factor and the Elu of alpha * elu(x); a plain Elu has factor 1. */
static const cnnf_node *scaled_elu(cnnfi_forms *f, const cnnf_node *node, double *alpha)
{
    cnnfi_form_operand o;
    *alpha = 1;
    if (cnnfi_forms_is(node, "Elu")) return node;
    if (!cnnfi_forms_is(node, "Mul") || !cnnfi_forms_operand(f, node, &o) || o.n != 1) return NULL;
    *alpha = o.v[0];
    const cnnf_node *elu = cnnfi_forms_producer(f, node, o.data);
    return cnnfi_forms_is(elu, "Elu") ? elu : NULL;
}

/* select(x > 0, elu(x), alpha * elu(x)) = relu(x) + alpha * (elu(x) - relu(x)). */
static void fit_select(cnnfi_forms *f, cnnf_node *node)
{
    double bound = 1, alpha, one;
    const cnnf_node *greater = cnnfi_forms_producer(f, node, 0), *above = cnnfi_forms_producer(f, node, 1);
    const cnnf_node *elu = scaled_elu(f, cnnfi_forms_producer(f, node, 2), &alpha);
    if (!elu || !above || scaled_elu(f, above, &one) != elu || one != 1 || !cnnfi_forms_is(greater, "Greater")) return;
    if (!cnnfi_value_scalar(&f->values, greater, 1, &bound) || bound != 0) return;
    const cnnfi_edge x = cnnfi_edit_input(elu, 0), compared = cnnfi_edit_input(greater, 0);
    if (x.node != compared.node || x.port != compared.port) return;
    const cnnf_node *relu = cnnfi_forms_add(f, node, "relu", "Relu", x, none);
    const cnnf_node *factor = cnnfi_forms_fill(f, node, "alpha", 0, alpha);
    const cnnf_node *below =
        relu ? cnnfi_forms_add(f, node, "below", "Sub", cnnfi_end(elu, 0), cnnfi_end(relu, 0)) : NULL;
    const cnnf_node *scaled =
        below ? cnnfi_forms_add(f, node, "scaled", "Mul", cnnfi_end(below, 0), cnnfi_end(factor, 0)) : NULL;
    if (scaled) cnnfi_forms_become(f, node, "Add", cnnfi_end(relu, 0), cnnfi_end(scaled, 0));
}

/* ---- bounds ---- */

static void become_clip(cnnfi_forms *f, cnnf_node *node, cnnfi_edge x, double low, double high)
{
    if (low == 0 && isinf(high)) {
        cnnfi_forms_become(f, node, "Relu", x, none);
        return;
    }
    const cnnf_node *bottom = cnnfi_forms_fill(f, node, "low", 0, low);
    const cnnf_node *top = cnnfi_forms_fill(f, node, "high", 0, high);
    cnnfi_forms_become(f, node, "ClipByValue", x, cnnfi_end(bottom, 0));
    cnnfi_edit_add_input(&f->edit, node, cnnfi_end(top, 0));
}

/* The bound of an L2 normalisation, which has a layer of its own. */
static bool is_norm_bound(const cnnfi_forms *f, const cnnf_node *node)
{
    const cnnf_node *sum = cnnfi_forms_producer(f, node, 0);
    return cnnfi_forms_is(node, "Maximum") && cnnfi_forms_is(cnnfi_forms_reader(f, node), "Rsqrt") &&
           cnnfi_forms_is(sum, "Sum") && cnnfi_forms_is(cnnfi_forms_producer(f, sum, 0), "Square");
}

/* Maximum and Minimum with scalars, one of each in either order. */
static void fit_bound(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_form_operand o, inner;
    if (is_norm_bound(f, node) || cnnfi_forms_leaky(f, node)) return;
    if (!cnnfi_forms_operand(f, node, &o) || o.n != 1) return;
    const bool maximum = cnnfi_forms_is(node, "Maximum");
    double low = maximum ? o.v[0] : (double)-INFINITY, high = maximum ? (double)INFINITY : o.v[0];
    cnnfi_edge x = cnnfi_edit_input(node, o.data);
    const cnnf_node *from = cnnfi_forms_producer(f, node, o.data);
    const cnnf_node *reader = cnnfi_forms_reader(f, node);
    /* The outer one of two takes the inner one. */
    if (reader && cnnfi_forms_is(reader, maximum ? "Minimum" : "Maximum") && cnnfi_forms_operand(f, reader, &inner) &&
        inner.n == 1)
        return;
    if (from && x.port == 0 && cnnfi_forms_is(from, maximum ? "Minimum" : "Maximum") &&
        cnnfi_forms_operand(f, from, &inner) && inner.n == 1) {
        const double other = inner.v[0];
        if (maximum ? other < low : other > high) return;
        *(maximum ? &high : &low) = other;
        x = cnnfi_edit_input(from, inner.data);
    } else if (!maximum && cnnfi_forms_is(from, "Relu") && high >= 0) {
        low = 0;
        x = cnnfi_edit_input(from, 0);
    }
    become_clip(f, node, x, low, high);
}

/* ---- sums ---- */

/* One value a channel: x * 1 + shift, which becomes a Scale layer. */
static void become_scale(cnnfi_forms *f, cnnf_node *node, cnnfi_edge x, double scale, const cnnf_node *shift, size_t n)
{
    const cnnf_node *ones = cnnfi_forms_fill(f, node, "scale", n, scale);
    const cnnf_node *mul = ones ? cnnfi_forms_add(f, node, "scaled", "Mul", x, cnnfi_end(ones, 0)) : NULL;
    if (mul) cnnfi_forms_become(f, node, "Add", cnnfi_end(mul, 0), cnnfi_end(shift, 0));
}

static cnnf_node *shift_of(cnnfi_forms *f, const cnnf_node *node, const cnnfi_form_operand *o, double sign)
{
    double *values = cnnfi_edit_array(&f->edit, o->n, sizeof *values);
    for (size_t i = 0; values && i < o->n; i++)
        values[i] = sign * o->v[i];
    return values ? cnnfi_forms_const(f, node, "shift", o->n == 1 ? 0 : o->n, values) : NULL;
}

/* A product with one value a channel that nobody else reads: it takes the shift. */
static bool takes_shift(cnnfi_forms *f, const cnnf_node *mul)
{
    cnnfi_form_operand o;
    return cnnfi_forms_is(mul, "Mul") && cnnfi_forms_reader(f, mul) && cnnfi_forms_operand(f, mul, &o) && o.n > 1;
}

/* An Add that reads it is taken for its bias, whatever the other operand is. */
static bool looks_like_bias(cnnfi_forms *f, const cnnf_node *node)
{
    cnnfi_form_operand o;
    if (cnnfi_forms_is(node, "MatMul")) return true;
    return cnnfi_forms_is(node, "Mul") && cnnfi_forms_operand(f, node, &o) && o.n > 1;
}

static void fit_sum(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_form_operand o;
    const bool sub = cnnfi_forms_is(node, "Sub"), bias = cnnfi_forms_is(node, "BiasAdd");
    if (bias && cnnfi_node_string_is(node, "data_format", "NCHW")) return;
    if (!cnnfi_forms_operand(f, node, &o)) {
        const cnnf_node *a = cnnfi_forms_producer(f, node, 0), *b = cnnfi_forms_producer(f, node, 1);
        if (sub || bias || (!looks_like_bias(f, a) && !looks_like_bias(f, b))) return;
        cnnfi_edit_set_op(&f->edit, node, "AddN"); /* an Add would be taken for a bias */
        cnnfi_node_set_int(f->edit.b, node, "N", 2);
        f->edit.changes++;
        return;
    }
    const cnnfi_edge x = cnnfi_edit_input(node, o.data);
    const cnnf_node *from = cnnfi_edit_node(&f->edit, x.node);
    if (o.n == 1 && !bias) {
        if (!sub || o.at == 1) return;
        const cnnf_node *minus = cnnfi_forms_fill(f, node, "minus", 0, -1);
        const cnnf_node *shift = shift_of(f, node, &o, 1);
        const cnnf_node *mul = minus ? cnnfi_forms_add(f, node, "negative", "Mul", x, cnnfi_end(minus, 0)) : NULL;
        if (mul) cnnfi_forms_become(f, node, "Add", cnnfi_end(mul, 0), cnnfi_end(shift, 0));
        return;
    }
    const bool first = sub && o.at == 0;
    if (!first && cnnfi_forms_takes_bias(from) && cnnfi_forms_reader(f, from)) {
        if (!bias) cnnfi_forms_become_bias(f, node, x, shift_of(f, node, &o, sub ? -1 : 1));
        return;
    }
    if (o.x.rank != 2 && o.x.rank != 4) return;
    if (!first && takes_shift(f, from)) {
        if (cnnfi_forms_is(node, "Add")) return;
        const cnnf_node *shift = shift_of(f, node, &o, sub ? -1 : 1);
        cnnfi_forms_become(f, node, "Add", x, cnnfi_end(shift, 0));
        return;
    }
    become_scale(f, node, x, first ? -1 : 1, shift_of(f, node, &o, sub && !first ? -1 : 1), (size_t)o.channels);
}

/* Factors are a vector, and second. */
static void fit_product(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_form_operand o;
    const cnnf_tensor *value;
    if (!cnnfi_forms_operand(f, node, &o) || o.n == 1) return;
    const cnnf_node *constant = cnnfi_const_node(&f->edit, node, o.at);
    value = constant ? cnnf_node_attr_tensor(constant, "value") : NULL;
    if (!value || cnnf_tensor_rank(value) == 1) return;
    const cnnf_node *vector = cnnfi_forms_const(f, node, "factors", o.n, o.v);
    if (vector) cnnfi_edit_set_input(&f->edit, node, o.at, cnnfi_end(vector, 0));
    f->edit.changes++;
}

/* ---- shapes and products ---- */

/* A shape of which at most one size is open, as a Reshape. */
static void fit_axes(cnnfi_forms *f, cnnf_node *node)
{
    const cnnfi_value out = cnnfi_shape_of_output(&f->values.shapes, node, 0);
    int32_t dims[CNNFI_OP_MAX_RANK], open = 0;
    if (cnnfi_forms_is(node, "Squeeze") && cnnf_node_attr_list_count(node, "squeeze_dims") > 0) return;
    if (out.rank < 1 || out.rank > CNNFI_OP_MAX_RANK || cnnfi_node_type(node, "T") != CNNF_FLOAT) return;
    for (int32_t i = 0; i < out.rank; i++) {
        if (out.dims[i] == 0 || out.dims[i] > INT32_MAX) return;
        dims[i] = (int32_t)out.dims[i];
        open += out.dims[i] < 0;
    }
    if (open > 1) return;
    const int64_t count[1] = {out.rank};
    cnnf_tensor *target = NULL;
    if (!f->edit.b->status)
        f->edit.b->status =
            cnnfi_tensor_copy(&target, f->edit.b->graph->context, CNNF_INT32, 1, count, dims, f->edit.b->error);
    const cnnf_node *shape = cnnfi_edit_const(&f->edit, target, "%s/shape", node->name);
    cnnf_tensor_unref(target);
    if (!shape) return;
    cnnfi_forms_become(f, node, "Reshape", cnnfi_edit_input(node, 0), cnnfi_end(shape, 0));
    cnnfi_node_set_type(f->edit.b, node, "Tshape", CNNF_INT32);
}

/* Weights of a product as they are multiplied. */
static void fit_matmul(cnnfi_forms *f, cnnf_node *node)
{
    const cnnfi_constant *w = cnnfi_value_input(&f->values, node, 1);
    if (!cnnf_node_attr_bool(node, "transpose_b", 0) || !w || w->shape.rank != 2 || w->shape.dtype != CNNF_FLOAT)
        return;
    const int64_t dims[2] = {w->shape.dims[1], w->shape.dims[0]};
    double *values = cnnfi_edit_array(&f->edit, (size_t)w->shape.count + 1, sizeof *values);
    for (int64_t i = 0; values && i < w->shape.count; i++)
        values[i] = w->v[i % dims[1] * dims[0] + i / dims[1]];
    cnnf_tensor *tensor = values ? cnnfi_tensor_of_doubles(&f->edit, CNNF_FLOAT, 2, dims, values) : NULL;
    if (!tensor) return;
    cnnfi_edit_own_const(&f->edit, node, 1, tensor);
    cnnf_tensor_unref(tensor);
    cnnfi_node_set_bool(f->edit.b, node, "transpose_b", false);
    f->edit.changes++;
}

/* The importer reads height and width of the shape alone, but wants a Const: for one image, as all inputs are then. */
static void fit_transposed(cnnfi_forms *f, cnnf_node *node)
{
    const cnnfi_value out = cnnfi_shape_of_output(&f->values.shapes, node, 0);
    int32_t dims[4] = {1, 0, 0, 0};
    if (cnnfi_value_input(&f->values, node, 0) || out.rank != 4 || out.dims[0] >= 0) return;
    for (int32_t i = 1; i < 4; i++) {
        if (out.dims[i] <= 0 || out.dims[i] > INT32_MAX) return;
        dims[i] = (int32_t)out.dims[i];
    }
    const cnnf_node *shape = cnnfi_forms_ints(f, node, "static_shape", 1, 4, dims);
    if (shape) cnnfi_edit_set_input(&f->edit, node, 0, cnnfi_end(shape, 0));
    f->edit.changes++;
    f->one_image = true;
}

static void close_batches(cnnfi_forms *f)
{
    for (size_t i = 0; i < f->edit.originals && !f->edit.b->status; i++) {
        cnnf_node *node = f->edit.b->graph->nodes[i];
        int64_t dims[CNNFI_OP_MAX_RANK];
        const int32_t rank = cnnf_node_attr_shape_rank(node, "shape");
        if (strcmp(node->op, "Placeholder") != 0 || rank < 1 || rank > CNNFI_OP_MAX_RANK) continue;
        for (int32_t d = 0; d < rank; d++)
            dims[d] = cnnf_node_attr_shape_dim(node, "shape", d);
        if (dims[0] >= 0) continue;
        dims[0] = 1;
        cnnfi_node_set_shape(f->edit.b, node, "shape", rank, dims);
        cnnfi_edit_touch(&f->edit, node);
        cnnfi_run_note(f->run, node->name, "batch size 1: a transposed convolution needs one");
    }
}

/* ---- outputs ---- */

static bool loses_its_name(cnnfi_forms *f, const cnnf_node *node)
{
    const cnnf_node *from = cnnfi_forms_producer(f, node, 0);
    if (cnnfi_forms_is(node, "Identity") || cnnfi_forms_is(node, "BatchToSpaceND")) return true;
    if (cnnfi_forms_is(node, "BiasAdd")) return cnnfi_forms_takes_bias(from);
    if (!cnnfi_forms_is(node, "Add") && !cnnfi_forms_is(node, "AddV2")) return false;
    return cnnfi_forms_is(from, "MatMul") || takes_shift(f, from);
}

static void keep_name(cnnfi_forms *f, cnnf_node *node)
{
    /* An output that others read is none to OpenCV 5. */
    if (!cnnfi_edit_is_protected(&f->edit, node)) return;
    if (!loses_its_name(f, node) && cnnfi_edit_user_count(&f->edit, node, 0) == 0) return;
    if (cnnfi_node_type(node, "T") != CNNF_FLOAT) return;
    cnnf_node *inner = cnnfi_forms_move(f, node, "merged");
    const cnnf_node *one = cnnfi_forms_fill(f, node, "one", 0, 1);
    if (inner) cnnfi_forms_become(f, node, "Mul", cnnfi_end(inner, 0), cnnfi_end(one, 0));
}

/* ---- the table ---- */

static const struct {
    const char *op;
    void (*fit)(cnnfi_forms *f, cnnf_node *node);
} forms[] = {
    {"Add", fit_sum},
    {"AddV2", fit_sum},
    {"BiasAdd", fit_sum},
    {"Cast", cnnfi_forms_step},
    {"Conv2DBackpropInput", fit_transposed},
    {"Tile", cnnfi_forms_tile},
    {"ExpandDims", fit_axes},
    {"MatMul", fit_matmul},
    {"Maximum", fit_bound},
    {"Minimum", fit_bound},
    {"Mul", fit_product},
    {"Neg", fit_neg},
    {"Pow", fit_pow},
    {"RealDiv", fit_product},
    {"Rsqrt", fit_rsqrt},
    {"Select", fit_select},
    {"SelectV2", fit_select},
    {"SquaredDifference", fit_squared_difference},
    {"Squeeze", fit_axes},
    {"Sub", fit_sum},
};

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_forms f = {.run = run};
    CNNFI_TRY(cnnfi_pass_begin_edit(&f.edit, run, in));
    cnnfi_values_init(&f.values, &f.edit, false);
    /* New nodes come last, and are fitted in their turn. */
    for (size_t i = 0; i < f.edit.count && !f.edit.b->status; i++) {
        for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
            cnnf_node *node = f.edit.b->graph->nodes[i];
            if (node->removed || strcmp(node->op, forms[k].op) != 0) continue;
            forms[k].fit(&f, node);
            break;
        }
    }
    if (f.one_image) close_batches(&f);
    cnnfi_edit_sweep(&f.edit);
    for (size_t i = 0; i < f.edit.originals && !f.edit.b->status; i++) {
        if (!f.edit.b->graph->nodes[i]->removed) keep_name(&f, f.edit.b->graph->nodes[i]);
    }
    cnnfi_edit_sweep(&f.edit);
    cnnfi_run_count(run, "changed", (int64_t)f.edit.changes);
    return cnnfi_pass_end_edit(&f.edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_fit_opencv = {
    .name = "fit_opencv",
    .description = "Writes what OpenCV's importer lacks in forms it has, exactly.",
    .may_reshape = true, /* a batch size may be closed */
    .run = run_pass,
};
