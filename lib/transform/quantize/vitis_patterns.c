/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DPU's patterns, each told by its last node, in the order in which the tool looks for them. A node belongs to the
 * first match; inputs and constants belong to nobody.
 */
#include <string.h>

#include "ops/fixed_grid.h"
#include "transform/quantize/vitis.h"

typedef struct finder {
    cnnfi_vitis *v;
    bool *owned; /* by node */
} finder;

typedef cnnfi_vitis_match match;

/* A pattern's parts beside its product. Flags. */
enum { BIAS = 1, IDENTITY = 2, RELU = 4, LEAKY = 8 };

typedef struct pattern {
    bool (*find)(const finder *f, match *m, cnnf_node *last, int parts);
    int parts;
} pattern;

static bool own(match *m, cnnf_node *node)
{
    if (!node || m->n_nodes == CNNFI_VITIS_MAX_NODES) return false;
    m->nodes[m->n_nodes++] = node;
    return true;
}

static void round_constant(match *m, cnnf_node *node, size_t input, cnnfi_fix_mode mode)
{
    m->constants[m->n_constants++] = (cnnfi_vitis_constant){.node = node, .input = input, .mode = (int32_t)mode};
}

/* Takes `ops` into the match and steps to its input 0. */
static bool step(const finder *f, match *m, cnnf_node **at, const char *ops)
{
    if (!cnnfi_vitis_is(*at, ops) || !own(m, *at)) return false;
    *at = cnnfi_vitis_input(f->v, *at, 0);
    return true;
}

static void read_data(match *m, cnnf_node *reader, size_t first, size_t count)
{
    m->reader = reader;
    m->first_data = first;
    m->n_data = count;
}

/* ---- inputs ---- */

static bool find_placeholder(const finder *f, match *m, cnnf_node *last, int parts)
{
    m->kind = CNNFI_VITIS_INPUT;
    return cnnfi_vitis_is(last, "Placeholder") && own(m, last);
}

/* ---- leaky rectifiers ---- */

static bool reads_same(const cnnf_node *a, size_t input_a, const cnnf_node *b, size_t input_b)
{
    const cnnfi_edge x = cnnfi_edit_input(a, input_a), y = cnnfi_edit_input(b, input_b);
    return x.node >= 0 && x.node == y.node && x.port == y.port;
}

/* Maximum(Mul(alpha, x), x); either order of the product where we are free. */
static bool leaky_maximum(const finder *f, match *m, cnnf_node **at)
{
    cnnf_node *most = *at, *mul = cnnfi_vitis_input(f->v, most, 0);
    if (!cnnfi_vitis_is(most, "Maximum") || !cnnfi_vitis_is(mul, "Mul")) return false;
    const size_t alpha = cnnfi_vitis_const(f->v, mul, 0) ? 0 : 1;
    if (!cnnfi_vitis_const(f->v, mul, alpha) || !reads_same(mul, 1 - alpha, most, 1)) return false;
    round_constant(m, mul, alpha, CNNFI_FIX_WEIGHT);
    read_data(m, most, 1, 1);
    *at = cnnfi_vitis_input(f->v, most, 1);
    return own(m, most) && own(m, mul);
}

/* Sub(Relu(x), Mul(alpha, Relu(Neg(x)))) */
static bool leaky_difference(const finder *f, match *m, cnnf_node **at)
{
    cnnf_node *sub = *at, *relu = cnnfi_vitis_input(f->v, sub, 0), *mul = cnnfi_vitis_input(f->v, sub, 1);
    if (!cnnfi_vitis_is(sub, "Sub") || !cnnfi_vitis_is(relu, "Relu") || !cnnfi_vitis_is(mul, "Mul")) return false;
    const size_t alpha = cnnfi_vitis_const(f->v, mul, 0) ? 0 : 1;
    cnnf_node *below = cnnfi_vitis_input(f->v, mul, 1 - alpha), *neg = cnnfi_vitis_input(f->v, below, 0);
    if (!cnnfi_vitis_const(f->v, mul, alpha) || !cnnfi_vitis_is(below, "Relu") || !cnnfi_vitis_is(neg, "Neg") ||
        !reads_same(relu, 0, neg, 0))
        return false;
    round_constant(m, mul, alpha, CNNFI_FIX_WEIGHT);
    read_data(m, relu, 0, 1);
    *at = cnnfi_vitis_input(f->v, relu, 0);
    return own(m, sub) && own(m, relu) && own(m, mul) && own(m, below) && own(m, neg);
}

static bool leaky(const finder *f, match *m, cnnf_node **at)
{
    if (!cnnfi_vitis_is(*at, "LeakyRelu")) return leaky_maximum(f, m, at) || leaky_difference(f, m, at);
    read_data(m, *at, 0, 1);
    return step(f, m, at, "LeakyRelu");
}

static bool find_leaky(const finder *f, match *m, cnnf_node *last, int parts)
{
    m->kind = CNNFI_VITIS_OTHER;
    return leaky(f, m, &last);
}

/* ---- products ---- */

static bool has_bias_name(const cnnf_node *constant)
{
    return strstr(constant->name, "bias") || strstr(constant->name, "Bias");
}

/* A sum with a constant is a bias by its op, by its name, or where a rectifier follows. */
static bool take_bias(const finder *f, match *m, cnnf_node **at, bool any_name)
{
    cnnf_node *add = *at;
    const cnnf_node *constant = cnnfi_vitis_is(add, CNNFI_VITIS_BIAS) ? cnnfi_vitis_const(f->v, add, 1) : NULL;
    if (!constant || (!any_name && strcmp(add->op, "BiasAdd") && !has_bias_name(constant))) return false;
    if (!step(f, m, at, CNNFI_VITIS_BIAS)) return false;
    m->bias = add;
    return true;
}

/* What may stand behind a product, from the last node back. */
static bool take_tail(const finder *f, match *m, cnnf_node **at, int parts, const char *relus)
{
    if (parts & RELU && !step(f, m, at, relus)) return false;
    if (parts & LEAKY && !leaky(f, m, at)) return false;
    if (parts & IDENTITY && !step(f, m, at, "Identity")) return false;
    return !(parts & BIAS) || take_bias(f, m, at, (parts & (RELU | LEAKY)) != 0);
}

static bool is_dilated(const cnnf_node *node)
{
    return cnnf_node_attr_list_int(node, "dilations", 1, 1) > 1 || cnnf_node_attr_list_int(node, "dilations", 2, 1) > 1;
}

static void take_product(match *m, cnnf_node *product, bool depthwise_grid)
{
    const bool depthwise = cnnfi_vitis_is(product, "DepthwiseConv2d|DepthwiseConv2dNative");
    m->kind = CNNFI_VITIS_PRODUCT;
    m->product = product;
    round_constant(m, product, 1,
                   depthwise && depthwise_grid && !is_dilated(product) ? CNNFI_FIX_DEPTHWISE_WEIGHT : CNNFI_FIX_WEIGHT);
    if (m->bias) round_constant(m, m->bias, 1, CNNFI_FIX_WEIGHT);
}

static bool find_convfc(const finder *f, match *m, cnnf_node *last, int parts)
{
    cnnf_node *at = last;
    if (!take_tail(f, m, &at, parts, "Relu|Relu6")) return false;
    if (!cnnfi_vitis_is(at, CNNFI_VITIS_CONVFC) || !cnnfi_vitis_const(f->v, at, 1) || !own(m, at)) return false;
    take_product(m, at, !(parts & LEAKY));
    read_data(m, at, 0, 1);
    return true;
}

static bool find_dilated(const finder *f, match *m, cnnf_node *last, int parts)
{
    cnnf_node *at = last;
    if (!take_tail(f, m, &at, parts, "Relu|Relu6") || !step(f, m, &at, "BatchToSpaceND")) return false;
    cnnf_node *product = at;
    if (!cnnfi_vitis_const(f->v, at, 1) || !step(f, m, &at, CNNFI_VITIS_CONVFC)) return false;
    cnnf_node *reader = at;
    if (!step(f, m, &at, "SpaceToBatchND")) return false;
    take_product(m, product, false);
    read_data(m, reader, 0, 1);
    return true;
}

static bool is_const_op(const cnnf_node *node)
{
    return cnnfi_vitis_is(node, "Const");
}

/* strided_slice, maybe times a constant, maybe plus one */
static bool is_size(const cnnfi_vitis *v, const cnnf_node *node)
{
    static const char *const around[] = {"Add|AddV2", "Mul"};
    for (size_t i = 0; i < 2; i++) {
        if (cnnfi_vitis_is(node, around[i]) && is_const_op(cnnfi_vitis_input(v, node, 1)))
            node = cnnfi_vitis_input(v, node, 0);
        else if (i == 1)
            return false;
    }
    return cnnfi_vitis_is(node, "StridedSlice");
}

/* Shapes that the tool knows a transposed convolution by; tf.keras' Pack of constants is none of them. */
static bool is_known_shape(const cnnfi_vitis *v, const cnnf_node *shape)
{
    if (is_const_op(shape) || !v->options->as_vai_q) return true;
    return cnnfi_vitis_is(shape, "Pack") && cnnfi_node_data_inputs(shape) == 4 &&
           cnnfi_vitis_is(cnnfi_vitis_input(v, shape, 0), "StridedSlice") &&
           is_size(v, cnnfi_vitis_input(v, shape, 1)) && is_size(v, cnnfi_vitis_input(v, shape, 2)) &&
           is_const_op(cnnfi_vitis_input(v, shape, 3));
}

static bool find_transposed(const finder *f, match *m, cnnf_node *last, int parts)
{
    cnnf_node *at = last;
    if (!take_tail(f, m, &at, parts, "Relu|Relu6") || !cnnfi_vitis_is(at, "Conv2DBackpropInput")) return false;
    if (!cnnfi_vitis_const(f->v, at, 1) || !is_known_shape(f->v, cnnfi_vitis_input(f->v, at, 0)) || !own(m, at))
        return false;
    take_product(m, at, false);
    read_data(m, at, 2, 1);
    return true;
}

/* ---- the rest: rounded when what they read is ---- */

static bool find_resized(const finder *f, match *m, cnnf_node *last, int parts)
{
    m->kind = CNNFI_VITIS_OTHER;
    read_data(m, last, 0, 1);
    return cnnfi_vitis_is(last, "DepthToSpace|ResizeBilinear|ResizeNearestNeighbor") && own(m, last);
}

/* Mul(Relu6(x + 3), 1/6), times another constant where the DPU is simulated; at: x */
static bool hard_sigmoid(const finder *f, match *m, cnnf_node **at)
{
    for (int k = 0; k < 2; k++) {
        if (!cnnfi_vitis_is(*at, "Mul") || !cnnfi_vitis_const(f->v, *at, 1)) break;
        step(f, m, at, "Mul");
    }
    if (!m->n_nodes || !step(f, m, at, "Relu6")) return false;
    cnnf_node *add = *at;
    if (!cnnfi_vitis_is(add, "Add|AddV2") || !cnnfi_vitis_const(f->v, add, 1)) return false;
    read_data(m, add, 0, 1);
    return step(f, m, at, "Add|AddV2");
}

static bool find_hard_sigmoid(const finder *f, match *m, cnnf_node *last, int parts)
{
    m->kind = CNNFI_VITIS_OTHER;
    return hard_sigmoid(f, m, &last);
}

/* x * gate(x) */
static bool find_gated(const finder *f, match *m, cnnf_node *last,
                       bool (*gate)(const finder *f, match *m, cnnf_node **at))
{
    if (!cnnfi_vitis_is(last, "Mul")) return false;
    for (size_t x = 0; x < 2; x++) {
        *m = (match){.kind = CNNFI_VITIS_OTHER};
        match inner = {.kind = CNNFI_VITIS_OTHER};
        cnnf_node *at = cnnfi_vitis_input(f->v, last, 1 - x);
        if (!at || !gate(f, &inner, &at) || at != cnnfi_vitis_input(f->v, last, x)) continue;
        read_data(m, last, x, 1);
        bool room = own(m, last);
        for (size_t i = 0; i < inner.n_nodes; i++)
            room = room && own(m, inner.nodes[i]);
        return room;
    }
    return false;
}

static bool sigmoid(const finder *f, match *m, cnnf_node **at)
{
    return step(f, m, at, "Sigmoid");
}

static bool find_hard_swish(const finder *f, match *m, cnnf_node *last, int parts)
{
    return find_gated(f, m, last, hard_sigmoid);
}

static bool find_swish(const finder *f, match *m, cnnf_node *last, int parts)
{
    return find_gated(f, m, last, sigmoid);
}

/* Reshape(Mul(Reshape(x, .), ones), .): an image made larger */
static bool find_upsampling(const finder *f, match *m, cnnf_node *last, int parts)
{
    cnnf_node *at = last;
    m->kind = CNNFI_VITIS_OTHER;
    if (!step(f, m, &at, "Reshape") || !cnnfi_vitis_is(at, "Mul") || !is_const_op(cnnfi_vitis_input(f->v, at, 1)))
        return false;
    if (!step(f, m, &at, "Mul")) return false;
    read_data(m, at, 0, 1);
    return step(f, m, &at, "Reshape");
}

/* BiasAdd(Mul(x, s), o): a batch norm that stayed */
static bool find_norm(const finder *f, match *m, cnnf_node *last, int parts)
{
    cnnf_node *at = last;
    m->kind = CNNFI_VITIS_OTHER;
    if (parts & RELU && !step(f, m, &at, "Relu|Relu6")) return false;
    cnnf_node *add = at;
    if (!cnnfi_vitis_is(add, "BiasAdd") || !cnnfi_vitis_const(f->v, add, 1) || !step(f, m, &at, "BiasAdd"))
        return false;
    cnnf_node *mul = at;
    if (!cnnfi_vitis_is(mul, "Mul") || !cnnfi_vitis_const(f->v, mul, 1) || !own(m, mul)) return false;
    round_constant(m, mul, 1, CNNFI_FIX_WEIGHT);
    round_constant(m, add, 1, CNNFI_FIX_WEIGHT);
    read_data(m, mul, 0, 1);
    return true;
}

static bool find_pool(const finder *f, match *m, cnnf_node *last, int parts)
{
    cnnf_node *at = last;
    m->kind = CNNFI_VITIS_OTHER;
    if (!cnnfi_vitis_is(at, "Mul") || !cnnfi_vitis_const(f->v, at, 1) || !step(f, m, &at, "Mul")) return false;
    read_data(m, at, 0, 1);
    return step(f, m, &at, "AvgPool");
}

/* Sums and products of two, of which one may be a constant. */
static bool find_pairwise(const finder *f, match *m, cnnf_node *last, int parts)
{
    cnnf_node *at = last;
    m->kind = CNNFI_VITIS_OTHER;
    if (parts & RELU && !step(f, m, &at, "Relu")) return false;
    if (!cnnfi_vitis_is(at, "Mul|Add|AddV2") || !own(m, at)) return false;
    read_data(m, at, 0, 2);
    for (size_t i = 0; i < 2; i++) {
        if (cnnfi_vitis_const(f->v, at, i)) round_constant(m, at, i, CNNFI_FIX_ACTIVATION);
    }
    return true;
}

static bool find_clip(const finder *f, match *m, cnnf_node *last, int parts)
{
    cnnf_node *at = last;
    m->kind = CNNFI_VITIS_OTHER;
    if (!step(f, m, &at, "Maximum")) return false;
    read_data(m, at, 0, 1);
    return step(f, m, &at, "Minimum");
}

static bool find_slice(const finder *f, match *m, cnnf_node *last, int parts)
{
    m->kind = CNNFI_VITIS_OTHER;
    read_data(m, last, 0, 1);
    for (size_t i = 1; i < 4; i++) {
        if (!is_const_op(cnnfi_vitis_input(f->v, last, i))) return false;
    }
    return cnnfi_vitis_is(last, "StridedSlice") && own(m, last);
}

#define OTHERS                                                                                                         \
    "Maximum|Max|AvgPool|MaxPool|Mean|Pad|MirrorPad|Transpose|Concat|ConcatV2|Squeeze|Reshape|ExpandDims|Relu|Relu6|"  \
    "AddN|Sum|Softmax"

/* The tool does not look at the last input: the axis, the shape ... and, of one, the only one. */
static bool find_other(const finder *f, match *m, cnnf_node *last, int parts)
{
    cnnf_node *at = last;
    m->kind = CNNFI_VITIS_OTHER;
    if (parts & RELU && !step(f, m, &at, "Relu")) return false;
    if (!cnnfi_vitis_is(at, OTHERS) || !own(m, at)) return false;
    const size_t inputs = cnnfi_node_data_inputs(at);
    read_data(m, at, 0, inputs ? inputs - 1 : 0);
    return true;
}

/* ---- all of them ---- */

static const pattern patterns[] = {
    {find_placeholder, 0},
    {find_dilated, BIAS | RELU},
    {find_dilated, BIAS},
    {find_dilated, RELU},
    {find_dilated, 0},
    {find_convfc, BIAS | LEAKY},
    {find_convfc, LEAKY},
    {find_leaky, 0},
    {find_convfc, BIAS | IDENTITY | RELU},
    {find_convfc, BIAS | RELU},
    {find_convfc, BIAS | IDENTITY},
    {find_convfc, BIAS},
    {find_convfc, IDENTITY | RELU},
    {find_convfc, RELU},
    {find_convfc, IDENTITY},
    {find_convfc, 0},
    {find_transposed, BIAS | RELU},
    {find_transposed, BIAS},
    {find_transposed, RELU},
    {find_transposed, 0},
    {find_resized, 0},
    {find_hard_swish, 0},
    {find_hard_sigmoid, 0},
    {find_swish, 0},
    {find_upsampling, 0},
    {find_norm, RELU},
    {find_norm, 0},
    {find_pool, 0},
    {find_pairwise, RELU},
    {find_pairwise, 0},
    {find_clip, 0},
    {find_slice, 0},
    {find_other, RELU},
    {find_other, 0},
};

static bool is_free(const finder *f, const match *m)
{
    for (size_t i = 0; i < m->n_nodes; i++) {
        if (f->owned[m->nodes[i]->index]) return false;
    }
    return m->n_nodes > 0;
}

static match *keep(const finder *f, const match *m)
{
    match *kept = cnnfi_edit_array(f->v->edit, 1, sizeof *kept);
    if (!kept) return NULL;
    *kept = *m;
    for (size_t i = 0; i < m->n_nodes; i++)
        f->owned[m->nodes[i]->index] = true;
    return kept;
}

cnnfi_vitis_match *cnnfi_vitis_find(cnnfi_vitis *v)
{
    match *first = NULL, **end = &first;
    const finder f = {v, cnnfi_edit_array(v->edit, v->edit->count, sizeof(bool))};
    if (!f.owned) return NULL;
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        for (int32_t i = 0; (size_t)i < v->edit->count; i++) {
            cnnf_node *node = cnnfi_edit_node(v->edit, i);
            match m = {0};
            if (!node || f.owned[i] || !patterns[p].find(&f, &m, node, patterns[p].parts) || !is_free(&f, &m)) continue;
            match *kept = keep(&f, &m);
            if (!kept) return first;
            *end = kept;
            end = &kept->next;
        }
    }
    return first;
}
