/* SPDX-License-Identifier: Apache-2.0 */
/* Finding dropout by evaluating what a random number flows into: see dropout.h. */
#include "transform/inference/dropout.h"

#include <math.h>
#include <string.h>

#include "graph/tensor.h"

#define MAX_EXPRESSION 48
#define MAX_CANDIDATES 24
#define MAX_DEPTH      24
/* Uniform numbers tried; a probability to keep is known to 1 / SAMPLES. */
#define SAMPLES 1024

/* ---- expressions: ops in an order in which operands come first ---- */

typedef double (*op_fn)(const double *v);

static double op_keep(const double *v)
{
    return v[0];
}

static double op_add(const double *v)
{
    return v[0] + v[1];
}

static double op_sub(const double *v)
{
    return v[0] - v[1];
}

static double op_mul(const double *v)
{
    return v[0] * v[1];
}

static double op_div(const double *v)
{
    return v[0] / v[1];
}

static double op_floor(const double *v)
{
    return floor(v[0]);
}

static double op_neg(const double *v)
{
    return -v[0];
}

static double op_reciprocal(const double *v)
{
    return 1.0 / v[0];
}

static double op_sqrt(const double *v)
{
    return sqrt(v[0]);
}

static double op_ge(const double *v)
{
    return v[0] >= v[1];
}

static double op_gt(const double *v)
{
    return v[0] > v[1];
}

static double op_le(const double *v)
{
    return v[0] <= v[1];
}

static double op_lt(const double *v)
{
    return v[0] < v[1];
}

static double op_not(const double *v)
{
    return v[0] == 0.0;
}

static double op_select(const double *v)
{
    return v[0] != 0.0 ? v[1] : v[2];
}

static double op_zero(const double *v)
{
    (void)v;
    return 0.0;
}

static double op_one(const double *v)
{
    (void)v;
    return 1.0;
}

static double op_second(const double *v)
{
    return v[1];
}

static const struct operation {
    const char *op;
    op_fn apply;
    uint8_t operands;
} operations[] = {
    {"Add", op_add, 2},
    {"AddV2", op_add, 2},
    {"BroadcastTo", op_keep, 1},
    {"Cast", op_keep, 1},
    {"Div", op_div, 2},
    {"DivNoNan", op_div, 2},
    {"Fill", op_second, 2},
    {"Floor", op_floor, 1},
    {"Greater", op_gt, 2},
    {"GreaterEqual", op_ge, 2},
    {"Inv", op_reciprocal, 1},
    {"Less", op_lt, 2},
    {"LessEqual", op_le, 2},
    {"LogicalNot", op_not, 1},
    {"Mul", op_mul, 2},
    {"Neg", op_neg, 1},
    {"OnesLike", op_one, 0},
    {"RealDiv", op_div, 2},
    {"Reciprocal", op_reciprocal, 1},
    {"Select", op_select, 3},
    {"SelectV2", op_select, 3},
    {"Sqrt", op_sqrt, 1},
    {"Sub", op_sub, 2},
    {"ZerosLike", op_zero, 0},
};

typedef enum term_kind { TERM_OP, TERM_CONST, TERM_UNIFORM, TERM_PARAMETER, TERM_DATA } term_kind;

typedef struct term {
    term_kind kind;
    const cnnf_node *node;
    op_fn apply;
    uint8_t operands, at[3];
    double value;
} term;

typedef struct expression {
    cnnfi_dropouts *dropouts;
    const cnnfi_edit *edit;
    term terms[MAX_EXPRESSION]; /* the last one is the result */
    size_t n;
    cnnf_node *data;
    int32_t port;
    cnnf_node *parameters[CNNFI_DROPOUT_PARAMETERS];
    size_t n_parameters;
    int scalings; /* how many more multiplications of x by a scalar belong to the expression */
    bool random, alpha;
} expression;

static const struct operation *operation_of(const char *op)
{
    static const struct operation identity = {"Identity", op_keep, 1};
    if (cnnfi_op_is_identity(op)) return &identity;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (strcmp(operations[i].op, op) == 0) return &operations[i];
    }
    return NULL;
}

/* The shape that Fill is given. */
static bool is_dims(const struct operation *op, size_t input)
{
    return op->apply == op_second && input == 0;
}

static bool is_uniform(const char *op)
{
    static const char *const ops[] = {"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"};
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}

/* A constant whose elements are all the same counts as one number. */
static bool single_value(const cnnf_node *node, double *value)
{
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(node, "value");
    const int64_t count = tensor ? cnnf_tensor_element_count(tensor) : 0;
    if (count < 1 || count > 4096 || !cnnfi_tensor_get_f64(tensor, 0, value)) return false;
    for (int64_t i = 1; i < count; i++) {
        double other;
        if (!cnnfi_tensor_get_f64(tensor, i, &other) || other != *value) return false;
    }
    return true;
}

/* keep_prob and the like: a scalar that is fed; one of unknown rank only by its name. */
static bool is_parameter(const cnnfi_edit *edit, const cnnf_node *node)
{
    double value;
    if (strcmp(node->op, "PlaceholderWithDefault") == 0) {
        const cnnf_node *fallback = cnnfi_edit_producer(edit, node, 0, NULL);
        return fallback && strcmp(fallback->op, "Const") == 0 && single_value(fallback, &value);
    }
    if (strcmp(node->op, "Placeholder") != 0) return false;
    const int32_t rank = cnnf_node_attr_shape_rank(node, "shape");
    return rank == 0 ||
           (rank < 0 && (strstr(node->name, "keep") || strstr(node->name, "drop") || strstr(node->name, "rate")));
}

static int find_term(const expression *e, const cnnf_node *node)
{
    for (size_t i = 0; i < e->n; i++) {
        if (e->terms[i].node == node) return (int)i;
    }
    return -1;
}

static int push(expression *e, term t)
{
    if (e->n == MAX_EXPRESSION) return -1;
    e->terms[e->n] = t;
    return (int)e->n++;
}

static int add_term(expression *e, cnnf_node *node, int32_t port, int depth);

static int add_operation(expression *e, cnnf_node *node, const struct operation *op, int depth)
{
    term t = {.kind = TERM_OP, .node = node, .apply = op->apply, .operands = op->operands};
    for (uint8_t i = 0; i < op->operands; i++) {
        int32_t port;
        cnnf_node *from = cnnfi_edit_producer(e->edit, node, i, &port);
        const bool dims = is_dims(op, i);
        const int at = dims                ? push(e, (term){.kind = TERM_CONST})
                       : from && port >= 0 ? add_term(e, from, port, depth + 1)
                                           : -1;
        if (at < 0) return -1;
        t.at[i] = (uint8_t)at;
    }
    return push(e, t);
}

static int add_data(expression *e, cnnf_node *node, int32_t port)
{
    if (e->data) return -1; /* two tensors: no dropout */
    e->data = node;
    e->port = port;
    return push(e, (term){.kind = TERM_DATA, .node = node});
}

static int add_parameter(expression *e, cnnf_node *node)
{
    if (e->n_parameters == CNNFI_DROPOUT_PARAMETERS) return -1;
    e->parameters[e->n_parameters++] = node;
    return push(e, (term){.kind = TERM_PARAMETER, .node = node});
}

/* ---- what lies behind a node, all the way back through arithmetic ---- */

#define FAR (MAX_DEPTH + 2) /* as good as not there */

typedef struct leaves {
    int random;  /* steps back to the nearest random number; FAR: none */
    int scalars; /* steps back to the farthest leaf where all are scalars; FAR: some are not */
} leaves;

static bool needs_leaves(void *self, const cnnf_node *node, size_t input)
{
    (void)self;
    const struct operation *op = operation_of(node->op);
    return op && input < op->operands && !is_dims(op, input);
}

static int farther(int steps)
{
    return steps < FAR ? steps + 1 : FAR;
}

static leaves leaves_of_operands(const cnnfi_dropouts *d, const cnnf_node *node, const struct operation *op)
{
    leaves all = {.random = FAR, .scalars = 0};
    for (uint8_t i = 0; i < op->operands; i++) {
        if (is_dims(op, i)) continue;
        const cnnf_node *from = cnnfi_edit_producer(d->edit, node, i, NULL);
        const leaves *behind = from ? cnnfi_memo_peek(&d->memo, from) : NULL;
        const int random = behind ? farther(behind->random) : FAR, scalars = behind ? farther(behind->scalars) : FAR;
        if (random < all.random) all.random = random;
        if (scalars > all.scalars) all.scalars = scalars;
    }
    return all;
}

static const void *find_leaves(void *self, const cnnf_node *node)
{
    const cnnfi_dropouts *d = self;
    double value;
    const struct operation *op = operation_of(node->op);
    leaves *out = cnnfi_edit_array(d->edit, 1, sizeof *out);
    if (!out) return NULL;
    *out = op ? leaves_of_operands(d, node, op) : (leaves){FAR, FAR};
    if (is_uniform(node->op)) out->random = 0;
    if ((strcmp(node->op, "Const") == 0 && single_value(node, &value)) || is_parameter(d->edit, node)) out->scalars = 0;
    return out;
}

static bool same_leaves(const void *a, const void *b)
{
    const leaves *x = a, *y = b;
    return x->random == y->random && x->scalars == y->scalars;
}

void cnnfi_dropouts_init(cnnfi_dropouts *d, cnnfi_edit *edit)
{
    static const cnnfi_analysis analysis = {needs_leaves, find_leaves, same_leaves};
    d->edit = edit;
    cnnfi_memo_init(&d->memo, edit, &analysis, d);
}

static bool is_scalar(cnnfi_dropouts *d, const cnnf_node *node)
{
    const leaves *behind = cnnfi_memo_get(&d->memo, node);
    return behind && behind->scalars < FAR;
}

static bool is_random_or_scalar(cnnfi_dropouts *d, const cnnf_node *node)
{
    const leaves *behind = cnnfi_memo_get(&d->memo, node);
    return behind && (behind->random < FAR || behind->scalars < FAR);
}

static bool scales_by_scalar(cnnfi_dropouts *d, const cnnf_node *node)
{
    static const char *const ops[] = {"Div", "Mul", "RealDiv"};
    for (size_t i = 0; cnnfi_text_in(node->op, ops, 3) && i < 2; i++) {
        const cnnf_node *from = cnnfi_edit_producer(d->edit, node, i, NULL);
        if (from && is_scalar(d, from)) return true;
    }
    return false;
}

/* alpha' = -scale * alpha of SELU: what alpha dropout puts in the place of what it drops. */
static bool is_alpha_prime(double value)
{
    return fabs(fabs(value) - 1.7580993408473766) < 1e-5;
}

static int add_constant(expression *e, const cnnf_node *node, double value)
{
    e->alpha |= is_alpha_prime(value);
    return push(e, (term){.kind = TERM_CONST, .node = node, .value = value});
}

static int add_uniform(expression *e, const cnnf_node *node)
{
    e->random = true;
    return push(e, (term){.kind = TERM_UNIFORM, .node = node});
}

/* Position of the node's term, added after those it needs; -1 when it does not fit. */
static int add_term(expression *e, cnnf_node *node, int32_t port, int depth)
{
    double value;
    const int known = find_term(e, node);
    if (known >= 0) return port == (e->terms[known].kind == TERM_DATA ? e->port : 0) ? known : -1;
    if (strcmp(node->op, "Const") == 0 && single_value(node, &value)) return add_constant(e, node, value);
    if (is_uniform(node->op)) return add_uniform(e, node);
    if (is_parameter(e->edit, node)) return add_parameter(e, node);
    const struct operation *op = port == 0 && depth < MAX_DEPTH ? operation_of(node->op) : NULL;
    if (!op) return add_data(e, node, port);
    if (is_random_or_scalar(e->dropouts, node)) return add_operation(e, node, op, depth);
    if (e->scalings == 0 || !scales_by_scalar(e->dropouts, node)) return add_data(e, node, port);
    e->scalings--;
    return add_operation(e, node, op, depth);
}

/* ---- what it computes ---- */

static double evaluate(const expression *e, double x, double uniform, double parameter)
{
    double results[MAX_EXPRESSION] = {0};
    for (size_t i = 0; i < e->n; i++) {
        const term *t = &e->terms[i];
        const double operands[3] = {results[t->at[0]], results[t->at[1]], results[t->at[2]]};
        switch (t->kind) {
        case TERM_OP:
            results[i] = t->apply(operands);
            break;
        case TERM_CONST:
            results[i] = t->value;
            break;
        case TERM_UNIFORM:
            results[i] = uniform;
            break;
        case TERM_PARAMETER:
            results[i] = parameter;
            break;
        case TERM_DATA:
            results[i] = x;
            break;
        }
    }
    return e->n ? results[e->n - 1] : 0.0;
}

typedef struct distribution {
    double mean, first, second; /* the values it takes */
    size_t n_first, n_values;   /* how often the first; how many values, 3 for more */
} distribution;

static distribution sample(const expression *e, double x, double parameter)
{
    distribution d = {.n_values = 0};
    for (size_t i = 0; i < SAMPLES; i++) {
        const double y = evaluate(e, x, ((double)i + 0.5) / SAMPLES, parameter);
        d.mean += y / SAMPLES;
        if (d.n_values == 0)
            d.first = y, d.n_values = 1;
        else if (d.n_values == 1 && y != d.first)
            d.second = y, d.n_values = 2;
        else if (d.n_values == 2 && y != d.first && y != d.second)
            d.n_values = 3;
        d.n_first += y == d.first;
    }
    return d;
}

/* How often something is kept: the value that is not 0. */
static double kept(const distribution *d)
{
    const double share = (double)d->n_first / SAMPLES;
    return d->n_values < 2 ? 1.0 : d->first != 0.0 ? share : 1.0 - share;
}

/* The probability to keep, exactly: where the one step of the mask lies. */
static double exact_keep(const expression *e, double about)
{
    double low = 0.0, high = 1.0 - 1e-12;
    const double at_low = evaluate(e, 1.0, low, 0.5), at_high = evaluate(e, 1.0, high, 0.5);
    if (at_low == at_high) return about;
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        if (evaluate(e, 1.0, middle, 0.5) == at_low)
            low = middle;
        else
            high = middle;
    }
    return at_low != 0.0 ? high : 1.0 - high;
}

static bool near(double a, double b, double keep)
{
    return fabs(a - b) <= 2.0 * fabs(b) / (SAMPLES * fmax(keep, 1.0 / SAMPLES));
}

/* x -> x on average (inverted), x -> keep * x with x itself where it is kept (classic). */
static bool is_dropout(const expression *e, double parameter, bool inverted)
{
    static const double probes[] = {1.0, -2.5};
    for (size_t i = 0; i < 2; i++) {
        const double x = probes[i];
        const distribution d = sample(e, x, parameter);
        const bool has_zero = d.first == 0.0 || (d.n_values == 2 && d.second == 0.0);
        const double other = d.first != 0.0 ? d.first : d.second;
        if (d.n_values > 2 || d.n_values == 0 || (d.n_values == 2 && !has_zero)) return false;
        if (d.n_values == 1 && d.first == 0.0) return false;
        if (inverted ? !near(d.mean, x, kept(&d)) : fabs(other - x) > 1e-6 * fabs(x)) return false;
    }
    return true;
}

/* Alpha dropout is known by its constant and by having two values, one of them for what is dropped. */
static bool is_alpha_dropout(const expression *e)
{
    const distribution a = sample(e, 1.0, 0.5), b = sample(e, -2.5, 0.5);
    const bool meets = a.first == b.first || a.first == b.second || a.second == b.first || a.second == b.second;
    return e->alpha && a.n_values == 2 && b.n_values == 2 && meets;
}

static bool classify(const expression *e, cnnfi_dropout_kind *kind)
{
    *kind = CNNFI_DROPOUT_INVERTED;
    if (is_dropout(e, 0.4, true) && is_dropout(e, 0.7, true)) return true;
    *kind = CNNFI_DROPOUT_ALPHA;
    if (is_alpha_dropout(e)) return true;
    *kind = CNNFI_DROPOUT_CLASSIC;
    return is_dropout(e, 0.4, false) && is_dropout(e, 0.7, false);
}

/* ---- from a random number to the end of its dropout ---- */

typedef struct candidates {
    cnnf_node *nodes[MAX_CANDIDATES];
    size_t n;
} candidates;

static void add_candidate(candidates *c, cnnf_node *node)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->nodes[i] == node) return;
    }
    if (c->n < MAX_CANDIDATES) c->nodes[c->n++] = node;
}

/* Everything arithmetic makes of the random number, nearest first. */
static void flow(const cnnfi_edit *edit, cnnf_node *source, candidates *out)
{
    out->n = 0;
    add_candidate(out, source);
    for (size_t i = 0; i < out->n; i++) {
        for (const cnnfi_use *use = cnnfi_edit_uses(edit, out->nodes[i]); use && out->n < MAX_CANDIDATES;
             use = use->next) {
            if (use->port == 0 && operation_of(use->user->op)) add_candidate(out, use->user);
        }
    }
}

static bool try_candidate(cnnfi_dropouts *d, cnnf_node *node, int scalings, cnnfi_dropout *out)
{
    expression e = {.dropouts = d, .edit = d->edit, .scalings = scalings};
    cnnfi_dropout_kind kind;
    if (add_term(&e, node, 0, 0) < 0 || !e.data || !e.random || e.data == node || !classify(&e, &kind)) return false;
    const distribution values = sample(&e, 1.0, 0.4);
    *out = (cnnfi_dropout){.kind = kind,
                           .node = node,
                           .data = e.data,
                           .port = e.port,
                           .keep = exact_keep(&e, kept(&values)),
                           .n_parameters = e.n_parameters};
    if (e.n_parameters) out->keep = -1;
    memcpy(out->parameters, e.parameters, sizeof e.parameters);
    return true;
}

bool cnnfi_find_dropout(cnnfi_dropouts *d, cnnf_node *source, cnnfi_dropout *out)
{
    candidates c;
    cnnfi_dropout found;
    bool any = false;
    if (!is_uniform(source->op)) return false;
    flow(d->edit, source, &c);
    /* The farthest that is x on average; what is not scaled counts only where nothing else fits: it may be a part. */
    for (size_t i = 0; i < c.n; i++) {
        for (int scalings = 0; scalings < 4; scalings++) {
            if (!try_candidate(d, c.nodes[i], scalings, &found)) continue;
            if (any && found.kind == CNNFI_DROPOUT_CLASSIC) continue;
            *out = found;
            any = true;
            if (found.kind != CNNFI_DROPOUT_CLASSIC) break;
        }
    }
    return any;
}

/* ---- removing ---- */

void cnnfi_remove_dropout(cnnfi_edit *edit, const cnnfi_dropout *dropout)
{
    cnnfi_edit_bypass(edit, dropout->node, cnnfi_end(dropout->data, dropout->port));
    cnnfi_edit_sweep(edit);
    for (size_t i = 0; i < dropout->n_parameters; i++) {
        cnnf_node *parameter = dropout->parameters[i];
        if (!parameter->removed && cnnfi_edit_user_count(edit, parameter, CNNFI_PORT_ANY) == 0)
            cnnfi_edit_remove(edit, parameter);
    }
    edit->changes++;
}
