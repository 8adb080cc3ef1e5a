/* SPDX-License-Identifier: Apache-2.0 */
/* Finding batch norms as chains of affine steps: see find_batch_norms.h. */
#include "transform/batch_norm/find_batch_norms.h"

#include <math.h>
#include <string.h>

#include "transform/batch_norm/absorb.h"

#define MAX_STEPS 16
/* Identity nodes passed in a row; more are a cycle. */
#define MAX_IDENTITIES 32

/* One op that is an affine of one of its inputs. */
typedef struct step {
    cnnf_node *node;
    size_t data;         /* which input is x */
    cnnfi_affine affine; /* n 0: refused, or a step that is not one */
    bool root;           /* a square root took part */
    const char *refusal;
} step;

typedef struct finder {
    cnnfi_edit *edit;
    cnnfi_values *values;
    bool *taken; /* by node index */
} finder;

typedef bool (*step_fn)(finder *f, cnnf_node *node, step *out);

/* ---- elementwise ops with one constant operand ---- */

typedef double (*scale_of)(double c, bool constant_first);

static double keep(double c, bool constant_first)
{
    (void)c, (void)constant_first;
    return 1.0;
}

static double keep_or_flip(double c, bool constant_first)
{
    (void)c;
    return constant_first ? -1.0 : 1.0;
}

static double times(double c, bool constant_first)
{
    (void)constant_first;
    return c;
}

static double over(double c, bool constant_first)
{
    (void)constant_first;
    return 1.0 / c;
}

static double none(double c, bool constant_first)
{
    (void)c, (void)constant_first;
    return 0.0;
}

static double minus(double c, bool constant_first)
{
    return constant_first ? c : -c;
}

/* x op c and c op x as scale * x + shift. */
static const struct arithmetic {
    const char *op;
    scale_of scale, shift;
    bool commutes; /* as an affine: c / x is none */
} arithmetics[] = {
    {"Add", keep, times, true}, {"AddV2", keep, times, true},   {"Div", over, none, false},
    {"Mul", times, none, true}, {"RealDiv", over, none, false}, {"Sub", keep_or_flip, minus, true},
};

static const struct arithmetic *arithmetic_of(const char *op)
{
    for (size_t i = 0; i < sizeof arithmetics / sizeof *arithmetics; i++) {
        if (strcmp(arithmetics[i].op, op) == 0) return &arithmetics[i];
    }
    return NULL;
}

/* Whether the op spreads x over more channels or axes than it has: then it is no map of x to its own shape. */
static bool spreads(finder *f, const cnnf_node *node, size_t data, const cnnfi_constant *c, size_t n, int32_t axis)
{
    const cnnfi_value x = cnnfi_shape_of_input(&f->values->shapes, node, data);
    return (x.rank >= 0 && c->shape.rank > x.rank) || (n > 1 && cnnfi_shape_from_end(&x, axis) == 1);
}

static bool arithmetic_step(finder *f, cnnf_node *node, step *out)
{
    const struct arithmetic *op = arithmetic_of(node->op);
    if (!op || cnnfi_node_data_inputs(node) != 2 || !cnnfi_affine_dtype(node)) return false;
    const cnnfi_constant *first = cnnfi_value_input(f->values, node, 0),
                         *second = cnnfi_value_input(f->values, node, 1);
    const cnnfi_constant *c = first ? first : second;
    size_t n;
    int32_t axis;
    double *scale, *shift;
    if (!first == !second || (first && !op->commutes) || !cnnfi_channel_values(c, &n, &axis)) return false;
    if (spreads(f, node, first ? 1 : 0, c, n, axis)) return false;
    *out = (step){.node = node,
                  .data = first ? 1 : 0,
                  .root = c->root,
                  .affine = cnnfi_affine_new(f->edit, n, axis, &scale, &shift)};
    for (size_t i = 0; i < out->affine.n; i++) {
        scale[i] = op->scale(c->v[i], first != NULL);
        shift[i] = op->shift(c->v[i], first != NULL);
    }
    return out->affine.n > 0;
}

/* ---- fused ops ---- */

typedef struct parameters {
    const cnnfi_constant *gamma, *beta, *mean, *variance; /* gamma, beta: NULL for 1 and 0 */
    double epsilon;
} parameters;

static bool fused_affine(finder *f, const parameters *p, int32_t axis, step *out)
{
    double *scale, *shift;
    const int64_t n = p->variance->shape.count;
    const bool agree =
        p->mean->shape.count == n && (!p->gamma || p->gamma->shape.count == n) && p->beta->shape.count == n;
    out->refusal = "its parameters have different lengths, or none (no moving statistics)";
    if (!agree || n == 0) return true;
    out->refusal = NULL;
    out->affine = cnnfi_affine_new(f->edit, (size_t)n, axis, &scale, &shift);
    for (size_t i = 0; i < out->affine.n; i++) {
        scale[i] = (p->gamma ? p->gamma->v[i] : 1.0) / sqrt(p->variance->v[i] + p->epsilon);
        shift[i] = p->beta->v[i] - p->mean->v[i] * scale[i];
    }
    return true;
}

bool cnnfi_op_is_fused_batch_norm(const char *op)
{
    static const char *const ops[] = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"};
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}

static bool other_outputs_used(finder *f, const cnnf_node *node)
{
    return cnnfi_edit_user_count(f->edit, node, CNNFI_PORT_DATA) > cnnfi_edit_user_count(f->edit, node, 0);
}

static bool fused_step(finder *f, cnnf_node *node, step *out)
{
    if (!cnnfi_op_is_fused_batch_norm(node->op)) return false;
    const parameters p = {.gamma = cnnfi_value_input(f->values, node, 1),
                          .beta = cnnfi_value_input(f->values, node, 2),
                          .mean = cnnfi_value_input(f->values, node, 3),
                          .variance = cnnfi_value_input(f->values, node, 4),
                          .epsilon = (double)(float)cnnf_node_attr_float(node, "epsilon", 0.0001)};
    const bool first = cnnfi_node_string_is(node, "data_format", "NCHW");
    const bool first_3d = cnnfi_node_string_is(node, "data_format", "NCDHW");
    *out = (step){.node = node, .root = true};
    /* is_training is true by default, in the op as in the attribute. */
    if (cnnf_node_attr_bool(node, "is_training", 1))
        out->refusal = "it is in training mode (remove_training comes first)";
    else if (other_outputs_used(f, node))
        out->refusal = "its other outputs are used";
    else if (!p.gamma || !p.beta || !p.mean || !p.variance)
        out->refusal = "its parameters are not constant";
    else if (!cnnfi_affine_dtype(node))
        out->refusal = "less than 32 bits: the weights could not be scaled exactly";
    return out->refusal || fused_affine(f, &p, first ? 2 : first_3d ? 3 : 0, out);
}

/* BatchNormWithGlobalNormalization(t, m, v, beta, gamma): gamma counts only with scale_after_normalization. */
static bool global_step(finder *f, cnnf_node *node, step *out)
{
    if (strcmp(node->op, "BatchNormWithGlobalNormalization") != 0) return false;
    const bool scaled = cnnf_node_attr_bool(node, "scale_after_normalization", 0);
    const cnnfi_constant *gamma = cnnfi_value_input(f->values, node, 4);
    const parameters p = {.gamma = scaled ? gamma : NULL,
                          .mean = cnnfi_value_input(f->values, node, 1),
                          .variance = cnnfi_value_input(f->values, node, 2),
                          .beta = cnnfi_value_input(f->values, node, 3),
                          .epsilon = (double)(float)cnnf_node_attr_float(node, "variance_epsilon", 0.0)};
    *out = (step){.node = node, .root = true};
    if (!p.beta || !p.mean || !p.variance || (scaled && !gamma))
        out->refusal = "its parameters are not constant";
    else if (!cnnfi_affine_dtype(node))
        out->refusal = "less than 32 bits: the weights could not be scaled exactly";
    return out->refusal || fused_affine(f, &p, 0, out);
}

static bool as_step(finder *f, cnnf_node *node, step *out)
{
    static const step_fn forms[] = {fused_step, global_step, arithmetic_step};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i](f, node, out)) return true;
    }
    return false;
}

/* ---- chains ---- */

/* The one reader of the node's values, past Identity nodes that it alone reads; NULL. */
static cnnf_node *only_reader(finder *f, const cnnf_node *node, size_t *input)
{
    for (int passed = 0; passed < MAX_IDENTITIES && !cnnfi_edit_is_protected(f->edit, node); passed++) {
        const cnnfi_use *use = cnnfi_edit_only_reader(f->edit, node);
        if (!use) return NULL;
        *input = use->input;
        if (!cnnfi_op_is_identity(use->user->op)) return use->user;
        node = use->user;
    }
    return NULL;
}

/*
 * Two batch norms in a row that normalise different axes are two chains: `rest` is the step that speaks of
 * other channels than those before it, its node NULL when there is none.
 */
static size_t collect(finder *f, const step *first, step *steps, step *rest)
{
    size_t n = 1, widest = 0;
    steps[0] = *first;
    rest->node = NULL;
    while (n < MAX_STEPS && !steps[n - 1].refusal) {
        size_t input;
        cnnf_node *next = only_reader(f, steps[n - 1].node, &input);
        if (!next || f->taken[next->index] || !as_step(f, next, &steps[n])) break;
        if (steps[n].data != input || steps[n].refusal) break;
        if (!cnnfi_affine_composes(&steps[n].affine, &steps[widest].affine)) {
            *rest = steps[n];
            break;
        }
        if (steps[n].affine.n > steps[widest].affine.n) widest = n;
        n++;
    }
    return n;
}

/* Scalars behind the last step per channel are the beginning of something else (hard sigmoid). */
static size_t trim(const step *steps, size_t n)
{
    while (n && steps[n - 1].affine.n == 1 && !steps[n - 1].root)
        n--;
    return n;
}

/* c - x alone flips the sign: worth moving into a convolution, not worth a Mul and an Add. */
static bool classify(const step *steps, size_t n, cnnfi_norm_kind *kind)
{
    bool root = false, scales = false, flips = true, shifts = false;
    for (size_t i = 0; i < n; i++) {
        const bool scaled = steps[i].affine.n > 1 && cnnfi_affine_has_scale(&steps[i].affine);
        root |= steps[i].root || steps[i].refusal;
        scales |= scaled;
        flips &= !scaled || strcmp(steps[i].node->op, "Sub") == 0;
        shifts |= steps[i].affine.n > 1 && cnnfi_affine_has_shift(&steps[i].affine);
    }
    *kind = root || (scales && shifts && !flips) ? CNNFI_NORM_BATCH : CNNFI_NORM_SCALE;
    return root || scales;
}

static cnnfi_affine compose(finder *f, const step *steps, size_t n)
{
    cnnfi_affine whole = steps[0].affine;
    for (size_t i = 1; i < n && whole.n; i++)
        whole = cnnfi_affine_compose(f->edit, &steps[i].affine, &whole);
    return whole;
}

static void set_affine(finder *f, cnnfi_norm *norm, const step *steps)
{
    norm->affine = (cnnfi_affine){0};
    norm->refusal = steps[0].refusal;
    if (!norm->refusal) norm->affine = compose(f, steps, norm->n_nodes);
    if (!norm->refusal && !norm->affine.n) norm->refusal = "its steps have different shapes";
    if (!norm->refusal && !cnnfi_affine_is_finite(&norm->affine)) norm->refusal = "its scale or shift is not finite";
}

static cnnfi_norm *chain_from(finder *f, const step *first, step *rest)
{
    step steps[MAX_STEPS];
    cnnfi_norm_kind kind;
    const size_t n = trim(steps, collect(f, first, steps, rest));
    if (!n || !classify(steps, n, &kind)) return NULL;
    cnnfi_norm *norm = cnnfi_edit_array(f->edit, 1, sizeof *norm);
    cnnf_node **nodes = cnnfi_edit_array(f->edit, n, sizeof *nodes);
    if (!norm || !nodes) return NULL;
    for (size_t i = 0; i < n; i++) {
        nodes[i] = steps[i].node;
        f->taken[nodes[i]->index] = true;
    }
    *norm = (cnnfi_norm){.kind = kind, .nodes = nodes, .n_nodes = n, .data_input = steps[0].data};
    set_affine(f, norm, steps);
    return norm;
}

bool cnnfi_norm_refresh(cnnfi_edit *edit, cnnfi_values *values, cnnfi_norm *norm)
{
    finder f = {.edit = edit, .values = values};
    step steps[MAX_STEPS];
    for (size_t i = 0; i < norm->n_nodes; i++) {
        if (norm->nodes[i]->removed || !as_step(&f, norm->nodes[i], &steps[i])) return false;
    }
    set_affine(&f, norm, steps);
    return true;
}

/* A chain begins at a step whose data does not come from another step that it alone reads. */
static bool begins_chain(finder *f, const step *s)
{
    cnnf_node *from = cnnfi_edit_producer(f->edit, s->node, s->data, NULL);
    for (int passed = 0; from && passed < MAX_IDENTITIES && cnnfi_op_is_identity(from->op); passed++) {
        from = cnnfi_edit_producer(f->edit, from, 0, NULL);
    }
    step before;
    size_t input;
    if (!from || !as_step(f, from, &before) || before.refusal) return true;
    return only_reader(f, from, &input) != s->node;
}

cnnfi_norm *cnnfi_find_batch_norms(cnnfi_edit *edit, cnnfi_values *values)
{
    finder f = {.edit = edit, .values = values, .taken = cnnfi_edit_array(edit, edit->count, sizeof(bool))};
    cnnfi_norm *first = NULL, **last = &first;
    const size_t count = edit->count;
    for (size_t i = 0; f.taken && i < count; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        step s;
        if (node->removed || f.taken[i] || !as_step(&f, node, &s) || !begins_chain(&f, &s)) continue;
        for (size_t passed = 0; s.node && passed < count; passed++) {
            step rest;
            cnnfi_norm *norm = chain_from(&f, &s, &rest);
            if (norm) {
                *last = norm;
                last = &norm->next;
            }
            s = rest;
        }
    }
    return first;
}
