/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multiplications and additions of constants behind a product become part of its weights, in float32 as the tool does
 * it. The tool knows BiasAdd(Mul(product [+ bias], s), o) and Mul(bias(product), s); we fold every row of them.
 */
#include <string.h>

#include "transform/quantize/vitis.h"

#define PRODUCTS CNNFI_VITIS_CONVFC "|Conv2DBackpropInput"

/* A product with its bias, read by nobody but the node that is to be folded. */
typedef struct tail {
    cnnf_node *product, *bias; /* bias NULL: none */
} tail;

static cnnf_node *end_of(const tail *t)
{
    return t->bias ? t->bias : t->product;
}

static bool find_product(const cnnfi_vitis *v, cnnf_node *node, tail *t)
{
    const char *format = node ? cnnf_node_attr_string(NULL, node, "data_format") : NULL;
    if (format && strncmp(format, "NC", 2) == 0) return false;
    if (!cnnfi_vitis_is(node, PRODUCTS) || !cnnfi_vitis_const(v, node, 1) || !cnnfi_vitis_is_private(v, node))
        return false;
    t->product = node;
    return true;
}

static bool find_tail(const cnnfi_vitis *v, const cnnf_node *reader, tail *t)
{
    cnnf_node *node = cnnfi_vitis_input(v, reader, 0);
    *t = (tail){0};
    if (find_product(v, node, t)) return true;
    if (!cnnfi_vitis_is(node, CNNFI_VITIS_BIAS) || !cnnfi_vitis_const(v, node, 1) || !cnnfi_vitis_is_private(v, node))
        return false;
    t->bias = node;
    return find_product(v, cnnfi_vitis_input(v, node, 0), t);
}

/* One number for each channel of the product, or one for all. */
static bool fits(const cnnfi_vitis *v, const tail *t, const cnnfi_vitis_floats *numbers)
{
    const cnnf_tensor *weights = cnnf_node_attr_tensor(cnnfi_vitis_const(v, t->product, 1), "value");
    int64_t dims[8];
    const int32_t rank = cnnf_tensor_rank(weights);
    for (int32_t i = 0; i < rank && i < 8; i++)
        dims[i] = cnnf_tensor_dim(weights, i);
    const int64_t channels = rank <= 8 ? cnnfi_vitis_output_channels(t->product, rank, dims).count : 0;
    if (!channels || !numbers->data) return false;
    return numbers->count == 1 || (numbers->count == channels && numbers->dims[numbers->rank - 1] == channels);
}

/* ---- numbers ---- */

static void scale_weights(cnnfi_vitis *v, const tail *t, const cnnfi_vitis_floats *s, bool lost)
{
    cnnfi_vitis_floats w = cnnfi_vitis_load(v, t->product, 1);
    if (!w.data) return;
    const cnnfi_vitis_channels at = cnnfi_vitis_output_channels(t->product, w.rank, w.dims);
    for (int64_t i = 0; i < w.count; i++)
        w.data[i] = lost ? 0.0f : w.data[i] * s->data[s->count == 1 ? 0 : i / at.divisor % at.count];
    cnnfi_vitis_store(v, t->product, 1, &w);
}

static void change_bias(cnnfi_vitis *v, const tail *t, const cnnfi_vitis_floats *by, bool add)
{
    cnnfi_vitis_floats b = cnnfi_vitis_load(v, t->bias, 1);
    if (!b.data) return;
    if (b.count == 1 && by->count > 1) { /* one bias for all channels becomes one for each */
        const float one = b.data[0];
        cnnfi_vitis_drop(&b);
        b = (cnnfi_vitis_floats){.count = by->count};
        if (!v->edit->b->status)
            v->edit->b->status =
                cnnf_tensor_new(&b.tensor, v->edit->b->graph->context, CNNF_FLOAT, 1, &by->count, v->edit->b->error);
        b.data = b.tensor ? cnnf_tensor_data_mut(b.tensor) : NULL;
        for (int64_t i = 0; b.data && i < b.count; i++)
            b.data[i] = one;
        if (!b.data) return;
    }
    for (int64_t i = 0; i < b.count; i++) {
        const float k = by->data[by->count == 1 ? 0 : i % by->count];
        b.data[i] = add ? b.data[i] + k : b.data[i] * k;
    }
    cnnfi_vitis_store(v, t->bias, 1, &b);
}

/* ---- nodes ---- */

/* `node` is gone, what it read takes its readers; a name that was asked for stays, on the node that is left. */
static void leave_out(cnnfi_vitis *v, cnnf_node *node, cnnf_node *left)
{
    cnnfi_edit *edit = v->edit;
    if (!cnnfi_edit_is_protected(edit, node)) {
        cnnfi_edit_bypass(edit, node, cnnfi_end(left, 0));
        return;
    }
    cnnfi_edit_reset(edit, node, left->op);
    for (size_t i = 0; i < cnnfi_node_data_inputs(left); i++)
        cnnfi_edit_add_input(edit, node, cnnfi_edit_input(left, i));
    for (size_t i = 0; i < left->n_attrs; i++)
        cnnfi_node_copy_attr(edit->b, node, left->attrs[i].key, &left->attrs[i]);
    cnnfi_edit_remove(edit, left);
}

static bool gone_output(cnnfi_vitis *v, const cnnf_node *node)
{
    if (!v->options->as_vai_q || !cnnfi_edit_is_protected(v->edit, node)) return false;
    cnnfi_builder_fail_at(v->edit->b, CNNF_E_UNSUPPORTED, node->name,
                          "the tool folds output '%s' away and fails; an Identity behind it as output cures it",
                          node->name);
    return true;
}

static bool fold_scale(cnnfi_vitis *v, const tail *t, cnnf_node *mul, bool of_norm)
{
    /* The tool writes zeros where a dense layer with a bias is multiplied. */
    const bool lost = v->options->as_vai_q && !of_norm && strcmp(t->product->op, "MatMul") == 0;
    cnnfi_vitis_floats s = cnnfi_vitis_load(v, mul, 1);
    const bool good = fits(v, t, &s) && (of_norm || !gone_output(v, mul));
    if (good) {
        scale_weights(v, t, &s, lost);
        if (t->bias) change_bias(v, t, &s, false);
        leave_out(v, mul, end_of(t));
    }
    cnnfi_vitis_drop(&s);
    return good;
}

static bool fold_shift(cnnfi_vitis *v, const tail *t, cnnf_node *add)
{
    cnnfi_vitis_floats o = cnnfi_vitis_load(v, add, 1);
    const bool good = fits(v, t, &o) && !gone_output(v, add);
    if (good) {
        change_bias(v, t, &o, true);
        leave_out(v, add, t->bias);
    }
    cnnfi_vitis_drop(&o);
    return good;
}

/* BiasAdd(Mul(product [+ bias], s), o) */
static void fold_norm(cnnfi_vitis *v, cnnf_node *add)
{
    tail t;
    cnnf_node *mul = cnnfi_vitis_input(v, add, 0);
    if (!cnnfi_vitis_is(add, "BiasAdd") || !cnnfi_vitis_const(v, add, 1)) return;
    if (!cnnfi_vitis_is(mul, "Mul") || !cnnfi_vitis_const(v, mul, 1) || !cnnfi_vitis_is_private(v, mul)) return;
    if (!find_tail(v, mul, &t) || (t.bias && gone_output(v, add))) return;
    if (fold_scale(v, &t, mul, true) && t.bias) fold_shift(v, &t, add);
}

/* Mul(bias(product), s) */
static void fold_product(cnnfi_vitis *v, cnnf_node *mul)
{
    tail t;
    if (!cnnfi_vitis_is(mul, "Mul") || !cnnfi_vitis_const(v, mul, 1) || !find_tail(v, mul, &t) || !t.bias) return;
    fold_scale(v, &t, mul, false);
}

/* ---- what the tool does not fold, or folds wrongly ---- */

/* The constant at input 1, as everywhere. */
static void turn(cnnfi_vitis *v, cnnf_node *node)
{
    if (!cnnfi_vitis_is(node, "Mul|Add|AddV2") || cnnfi_vitis_const(v, node, 1) || !cnnfi_vitis_const(v, node, 0))
        return;
    const cnnfi_edge constant = cnnfi_edit_input(node, 0), data = cnnfi_edit_input(node, 1);
    tail t;
    cnnfi_edit_set_input(v->edit, node, 0, data);
    cnnfi_edit_set_input(v->edit, node, 1, constant);
    if (find_tail(v, node, &t)) return;
    cnnfi_edit_set_input(v->edit, node, 0, constant);
    cnnfi_edit_set_input(v->edit, node, 1, data);
}

/* product + constant: a bias, by its name too. */
static bool make_bias(cnnfi_vitis *v, const tail *t, cnnf_node *add)
{
    cnnfi_vitis_floats o = cnnfi_vitis_load(v, add, 1);
    const cnnf_tensor *weights = cnnf_node_attr_tensor(cnnfi_vitis_const(v, t->product, 1), "value");
    const bool good = fits(v, t, &o) && o.rank == 1 && o.count > 1 && weights && !cnnfi_vitis_is(add, "BiasAdd");
    if (good) {
        const cnnfi_edge x = cnnfi_edit_input(add, 0), c = cnnfi_edit_input(add, 1);
        cnnfi_edit_reset(v->edit, add, "BiasAdd");
        cnnfi_edit_add_input(v->edit, add, x);
        cnnfi_edit_add_input(v->edit, add, c);
        cnnfi_node_set_type(v->edit->b, add, "T", CNNF_FLOAT);
        cnnfi_node_set_string(v->edit->b, add, "data_format", "NHWC");
    }
    cnnfi_vitis_drop(&o);
    return good;
}

static void fold_row(cnnfi_vitis *v, cnnf_node *node)
{
    tail t;
    turn(v, node);
    if (!cnnfi_vitis_is(node, "Mul|" CNNFI_VITIS_BIAS) || !cnnfi_vitis_const(v, node, 1) || !find_tail(v, node, &t))
        return;
    const bool mul = strcmp(node->op, "Mul") == 0;
    bool done = mul ? fold_scale(v, &t, node, false) : t.bias ? fold_shift(v, &t, node) : make_bias(v, &t, node);
    if (done)
        cnnfi_quantize_say(v->notes, node->name, "%s of a constant folded into '%s'", mul ? "Mul" : "Add",
                           t.product->name);
}

static void each_node(cnnfi_vitis *v, void (*fold)(cnnfi_vitis *v, cnnf_node *node))
{
    for (int32_t i = 0; (size_t)i < v->edit->count && !v->edit->b->status; i++) {
        cnnf_node *node = cnnfi_edit_node(v->edit, i);
        if (node) fold(v, node);
    }
}

void cnnfi_vitis_fold_norms(cnnfi_vitis *v)
{
    each_node(v, fold_norm);
    if (v->options->as_vai_q)
        each_node(v, fold_product);
    else
        each_node(v, fold_row);
}
