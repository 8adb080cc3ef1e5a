/* SPDX-License-Identifier: Apache-2.0 */
/* Attention, AdditiveAttention, MultiHeadAttention, GroupedQueryAttention and the product they are made of,
 * EinsumDense. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* ---- tf.einsum() ---- */

#define MAX_TERM 16

/* One equation "abc,cd->abd": terms of letters, the dots of the broadcast dimensions written out as capitals. */
typedef struct einsum {
    const char *equation;
    char terms[3][MAX_TERM]; /* two inputs, the output */
} einsum;

/* Letters of the term at `text` up to `end`; "..." stands for `dots` dimensions. false: it is no term. */
static bool read_term(char *out, const char *text, const char *end, int32_t dots)
{
    size_t n = 0;
    for (; text < end; text++) {
        if (*text == ' ') continue;
        if (*text == '.') {
            if (end - text < 3 || text[1] != '.' || text[2] != '.' || dots < 0) return false;
            for (int32_t i = 0; i < dots && n + 1 < MAX_TERM; i++)
                out[n++] = (char)('0' + i);
            text += 2;
        } else {
            if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z')) || n + 1 >= MAX_TERM) return false;
            out[n++] = *text;
        }
    }
    out[n] = '\0';
    return true;
}

/* Of a product of x with a kernel; rank of x tells what "..." is. */
static bool parse_equation(einsum *e, const char *equation, int32_t rank)
{
    const char *comma = strchr(equation, ','), *arrow = strstr(equation, "->");
    *e = (einsum){.equation = equation};
    if (!comma || !arrow || comma > arrow || strchr(comma + 1, ',')) return false;
    const char *dots = strstr(equation, "...");
    int32_t open = dots ? rank - (int32_t)(comma - equation) + 3 : -1;
    if (open > CNNFI_KERAS_MAX_RANK) return false;
    return read_term(e->terms[0], equation, comma, open) && read_term(e->terms[1], comma + 1, arrow, -1) &&
           read_term(e->terms[2], arrow + 2, equation + strlen(equation), open) &&
           (int32_t)strlen(e->terms[0]) == rank && strlen(e->terms[2]) <= CNNFI_KERAS_MAX_RANK;
}

static int64_t dim_of(char letter, const char *term, const cnnfi_keras_tensor *t)
{
    const char *at = strchr(term, letter);
    return at && at - term < t->rank ? t->dims[at - term] : -1;
}

/* "einsum/Einsum" in the current scope */
static cnnfi_keras_tensor product(cnnfi_keras_builder *b, const einsum *e, cnnfi_keras_tensor x, cnnfi_keras_tensor y)
{
    const char *saved = cnnfi_build_push(b, "einsum");
    cnnfi_keras_tensor out, inputs[2] = {x, y};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Einsum", "Einsum", 2, inputs);
    cnnfi_node_set_string(b->graph, node, "equation", e->equation);
    cnnfi_node_set_int(b->graph, node, "N", 2);
    cnnfi_build_pop(b, saved);
    out.rank = (int32_t)strlen(e->terms[2]);
    for (int32_t i = 0; i < out.rank; i++) {
        const int64_t left = dim_of(e->terms[2][i], e->terms[0], &x);
        out.dims[i] = left >= 0 ? left : dim_of(e->terms[2][i], e->terms[1], &y);
    }
    return out;
}

/* ---- EinsumDense ---- */

/* Kernel and bias as a layer of its own has them: their sizes, and the variables once they are there. */
typedef struct projection {
    const char *name; /* scope inside the layer; NULL: the layer itself */
    einsum e;
    const char *bias_axes;   /* "" without a bias */
    int64_t sizes[MAX_TERM]; /* of the output's letters */
    size_t first;            /* variable: kernel, then bias */
} projection;

static int64_t size_of(const projection *p, const cnnfi_keras_tensor *x, char letter)
{
    const char *out = strchr(p->e.terms[2], letter);
    const int64_t size = out ? p->sizes[out - p->e.terms[2]] : -1;
    return size > 0 ? size : dim_of(letter, p->e.terms[0], x);
}

/* A layer inside: its scope is taken when it is called, its variables are named before that. */
static const char *inside(cnnfi_keras_builder *b, const char *name)
{
    const char *saved = b->scope;
    if (name) b->scope = cnnfi_builder_printf(b->graph, "%s/%s", saved, name);
    if (!b->scope) b->scope = saved;
    return saved;
}

static void projection_build(cnnfi_layer_call *call, projection *p, const cnnfi_keras_tensor *x)
{
    int64_t dims[MAX_TERM];
    const char *kernel = p->e.terms[1];
    int32_t rank = (int32_t)strlen(kernel), biased = 0;
    const char *saved = inside(call->b, p->name);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = size_of(p, x, kernel[i]);
    if (rank > CNNFI_KERAS_MAX_RANK)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its kernel has too many dimensions");
    else
        (void)cnnfi_layer_weight(call, "kernel", rank, dims, CNNFI_KERAS_INIT_RANDOM, true);
    /* The bias broadcasts: its dimensions in the output's order, from its first axis on. */
    for (const char *at = p->e.terms[2]; *p->bias_axes && *at; at++) {
        const bool own = strchr(p->bias_axes, *at) != NULL;
        if (own || biased > 0) dims[biased++] = own ? size_of(p, x, *at) : 1;
    }
    if (biased > 0) (void)cnnfi_layer_weight(call, "bias", biased, dims, CNNFI_KERAS_INIT_ZEROS, true);
    call->b->scope = saved;
}

static cnnfi_keras_tensor project(cnnfi_layer_call *call, const projection *p, cnnfi_keras_tensor x)
{
    cnnfi_keras_builder *b = call->b;
    const char *saved = b->scope;
    if (p->name) (void)cnnfi_build_push(b, p->name);
    cnnfi_keras_tensor y = product(b, &p->e, x, cnnfi_layer_variable(call, p->first));
    if (*p->bias_axes) {
        cnnfi_keras_tensor bias = cnnfi_layer_variable(call, p->first + 1), sum, inputs[2] = {y, bias};
        (void)cnnfi_build_node_t(b, &sum, "AddV2", "add", 2, inputs);
        y = cnnfi_keras_tensor_shaped(sum, y.rank, y.dims);
    }
    if (p->name) cnnfi_build_pop(b, saved);
    return y;
}

static bool einsum_dense_read(cnnfi_layer_call *call, projection *p)
{
    const cnnfi_json *shape = cnnfi_json_get(call->config, "output_shape");
    *p = (projection){.bias_axes = cnnfi_layer_string(call, "bias_axes", "")};
    if (!parse_equation(&p->e, cnnfi_layer_string(call, "equation", ""), call->inputs[0].rank)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "equation '%.40s' is not supported for an input of %d dimensions",
                         cnnfi_layer_string(call, "equation", ""), call->inputs[0].rank);
        return false;
    }
    const size_t n = strlen(p->e.terms[2]), given = cnnfi_json_is_array(shape) ? cnnfi_json_size(shape) : 1;
    /* output_shape has no batch; with "..." it has the last letters only */
    for (size_t i = 0; i < given && i < n; i++) {
        const cnnfi_json *size = cnnfi_json_is_array(shape) ? cnnfi_json_at(shape, given - 1 - i) : shape;
        p->sizes[n - 1 - i] = cnnfi_json_int(size, -1);
    }
    return true;
}

static void einsum_dense_build(cnnfi_layer_call *call)
{
    projection p;
    if (einsum_dense_read(call, &p)) projection_build(call, &p, &call->inputs[0]);
}

static void einsum_dense(cnnfi_layer_call *call)
{
    projection p;
    if (!einsum_dense_read(call, &p)) return;
    cnnfi_layer_return(call, cnnfi_layer_activation(call, "activation", project(call, &p, call->inputs[0])));
}

/* ---- masks ---- */

static cnnfi_keras_tensor as_bool(cnnfi_keras_builder *b, cnnfi_keras_tensor mask)
{
    return mask.dtype == CNNF_BOOL ? mask : cnnfi_build_cast(b, "Cast", mask, CNNF_BOOL);
}

/* The mask of a tensor [batch, steps, ...], as a tensor. */
static cnnfi_keras_tensor mask_of(const cnnfi_keras_tensor *x)
{
    return x->mask ? *x->mask : (cnnfi_keras_tensor){.name = NULL};
}

/* `mask` may be no tensor yet: name NULL */
static cnnfi_keras_tensor both(cnnfi_keras_builder *b, cnnfi_keras_tensor mask, cnnfi_keras_tensor other)
{
    if (!mask.name) return other;
    cnnfi_keras_tensor out, inputs[2] = {mask, other}, shape = cnnfi_keras_tensor_broadcast(mask, other);
    (void)cnnfi_build_node(b, &out, "LogicalAnd", "and", 2, inputs);
    return cnnfi_keras_tensor_shaped(out, shape.rank, shape.dims);
}

/* The tensor given as argument `name`: the `n`th one where it is a list. */
static bool nth_named(const cnnfi_layer_call *call, const char *name, size_t n, cnnfi_keras_tensor *out)
{
    for (size_t i = 0; call->record && i < call->record->n_named; i++) {
        if (strcmp(call->record->names[i], name) != 0 || n-- > 0) continue;
        *out = call->named[i];
        return true;
    }
    return false;
}

static bool named(const cnnfi_layer_call *call, const char *name, cnnfi_keras_tensor *out)
{
    return nth_named(call, name, 0, out);
}

static bool asked(const cnnfi_layer_call *call, const char *name)
{
    return call->record && cnnfi_json_bool(cnnfi_json_get(call->record->kwargs, name), false);
}

/* A mask given as argument `name`, or the one that came with the tensor. */
static cnnfi_keras_tensor mask_from(const cnnfi_layer_call *call, const char *name, const cnnfi_keras_tensor *x)
{
    cnnfi_keras_tensor mask;
    if (named(call, name, &mask)) return mask;
    return x ? mask_of(x) : (cnnfi_keras_tensor){.name = NULL};
}

static cnnfi_keras_tensor steps_of(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_slice(b, "strided_slice", cnnfi_build_shape_of(b, "Shape", x), 1, 2, false, false, true);
}

/* [1, steps of q, steps of v]: true up to the diagonal, or in a band of `window` around it. */
static cnnfi_keras_tensor band(cnnfi_keras_builder *b, cnnfi_keras_tensor q, cnnfi_keras_tensor v, int32_t below,
                               int32_t above)
{
    const cnnfi_keras_dim items[3] = {cnnfi_keras_dim_of(1), cnnfi_keras_dim_tensor(steps_of(b, q)),
                                      cnnfi_keras_dim_tensor(steps_of(b, v))};
    const char *saved = cnnfi_build_push(b, "ones");
    cnnfi_keras_tensor yes = cnnfi_build_scalar(b, "Const", CNNF_BOOL, 1), ones,
                       inputs[3] = {cnnfi_build_autopack(b, "packed", 3, items), yes};
    cnnf_node *node = cnnfi_build_node(b, &ones, "Fill", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_BOOL);
    cnnfi_node_set_type(b->graph, node, "index_type", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    ones.dtype = CNNF_BOOL;
    ones = cnnfi_keras_tensor_shaped(ones, 3, (const int64_t[]){1, q.dims[1], v.dims[1]});
    saved = cnnfi_build_push(b, "MatrixBandPart");
    inputs[0] = ones;
    inputs[1] = cnnfi_build_int(b, "num_lower", below);
    inputs[2] = cnnfi_build_int(b, "num_upper", above);
    node = cnnfi_build_node_t(b, &ones, "MatrixBandPart", "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tindex", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    return ones;
}

/* ---- MultiHeadAttention ---- */

typedef struct heads {
    int32_t rank; /* of the query */
    int32_t n_axes, axes[CNNFI_KERAS_MAX_RANK];
    int64_t count, shared, key_dim, value_dim; /* shared: heads of key and value */
    bool bias, gate;
    projection query, key, gated, value, output;
    einsum scores, combine;
    cnnfi_keras_tensor q, k, v; /* inputs */
    bool has_key;
} heads;

/* _build_proj_equation(): `free` dimensions stay, `bound` are summed, `made` are new. */
static void projection_equation(cnnfi_layer_call *call, projection *p, int32_t free_dims, int32_t bound, int32_t made)
{
    char *text = cnnfi_builder_array(call->b->graph, 64, 1), x[24] = "", kernel[24] = "", out[24] = "";
    int32_t n = 0, i = 0, m = 0, k = 0;
    for (; i < free_dims; i++)
        x[i] = out[m++] = (char)('a' + i);
    for (int32_t j = 0; j < bound; j++, i++)
        x[i] = kernel[k++] = (char)('a' + i);
    for (n = 0; n < made; n++)
        kernel[k++] = out[m++] = (char)('a' + i + n);
    if (!text) return;
    (void)snprintf(text, 64, "%s,%s->%s", x, kernel, out);
    if (!parse_equation(&p->e, text, free_dims + bound))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "too many dimensions");
}

/* _build_attention_equation() */
static void attention_equations(cnnfi_layer_call *call, heads *h)
{
    char *dot = cnnfi_builder_array(call->b->graph, 64, 1), *combine = cnnfi_builder_array(call->b->graph, 64, 1);
    char target[16] = "", source[16] = "", result[24] = "";
    int32_t rank = h->rank + 1, n = 0, next = rank;
    bool attended[16] = {false};
    for (int32_t i = 0; i < h->n_axes; i++)
        attended[h->axes[i]] = true;
    for (int32_t i = 0; i < rank; i++) {
        target[i] = (char)('a' + i);
        source[i] = attended[i] ? (char)('a' + next++) : target[i];
        if (!attended[i] && i != rank - 1) result[n++] = target[i];
    }
    for (int32_t i = 0; i < h->n_axes; i++)
        result[n++] = target[h->axes[i]];
    for (int32_t i = 0; i < h->n_axes; i++)
        result[n++] = source[h->axes[i]];
    if (!dot || !combine) return;
    (void)snprintf(dot, 64, "%s,%s->%s", source, target, result);
    (void)snprintf(combine, 64, "%s,%s->%s", result, source, target);
    if (n > CNNFI_KERAS_MAX_RANK || !parse_equation(&h->scores, dot, rank) || !parse_equation(&h->combine, combine, n))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "too many dimensions");
}

/* query, value and key: by position, tf.keras' value and key by name. */
static bool read_inputs(cnnfi_layer_call *call, heads *h)
{
    h->q = call->inputs[0];
    const bool has_value = call->n_inputs > 1 && call->inputs[1].name;
    if (has_value) h->v = call->inputs[1];
    if (!has_value && !named(call, "value", &h->v)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "it is called without a value");
        return false;
    }
    h->has_key = call->n_inputs > 2 && call->inputs[2].name;
    if (h->has_key)
        h->k = call->inputs[2];
    else if (!(h->has_key = named(call, "key", &h->k)))
        h->k = h->v;
    if (!h->q.name || h->k.rank != h->q.rank || h->v.rank != h->q.rank || h->q.rank > 6) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its inputs have different ranks");
        return false;
    }
    h->rank = h->q.rank;
    return true;
}

static void read_axes(cnnfi_layer_call *call, heads *h)
{
    const cnnfi_json *axes = cnnfi_json_get(call->config, "attention_axes");
    int64_t given[2 * CNNFI_KERAS_MAX_RANK];
    int32_t n = axes && !cnnfi_json_is_null(axes) ? cnnfi_json_integers(axes, given, CNNFI_KERAS_MAX_RANK) : 0;
    if (n < 0) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "attention_axes are no numbers");
    for (int32_t i = 0; i < n; i++)
        h->axes[h->n_axes++] = cnnfi_layer_axis(call, given[i], h->rank);
    for (int32_t i = 1; n == 0 && i < h->rank - 1; i++)
        h->axes[h->n_axes++] = i;
}

/* sizes of the new dimensions, counted from the last */
static void projection_sizes(projection *p, int64_t before_last, int64_t last)
{
    const size_t n = strlen(p->e.terms[2]);
    if (n > 0) p->sizes[n - 1] = last;
    if (n > 1 && before_last > 0) p->sizes[n - 2] = before_last;
}

/* The output's own shape: `output_shape`, or the query's last dimension. */
static void output_projection(cnnfi_layer_call *call, heads *h)
{
    int64_t shape[2 * CNNFI_KERAS_MAX_RANK];
    const cnnfi_json *given = cnnfi_json_get(call->config, "output_shape");
    int32_t n = given && !cnnfi_json_is_null(given) ? cnnfi_json_integers(given, shape, CNNFI_KERAS_MAX_RANK) : 0;
    if (n < 0) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "output_shape is no list of numbers");
    if (n <= 0) {
        n = 1;
        shape[0] = h->q.dims[h->rank - 1];
    }
    projection_equation(call, &h->output, h->rank - 1, 2, n);
    const size_t all = strlen(h->output.e.terms[2]);
    for (int32_t i = 0; i < n && (size_t)n <= all; i++)
        h->output.sizes[all - (size_t)n + (size_t)i] = shape[i];
    if (h->bias && (size_t)n <= all) h->output.bias_axes = h->output.e.terms[2] + all - (size_t)n;
}

static bool multi_head_read(cnnfi_layer_call *call, heads *h)
{
    *h = (heads){.count = cnnfi_layer_positive(call, "num_heads"), .key_dim = cnnfi_layer_positive(call, "key_dim")};
    h->shared = h->count;
    h->value_dim = cnnfi_layer_int(call, "value_dim", h->key_dim);
    h->bias = cnnfi_layer_bool(call, "use_bias", true);
    h->gate = cnnfi_layer_bool(call, "use_gate", false);
    if (!cnnfi_build_ok(call->b) || !read_inputs(call, h)) return false;
    read_axes(call, h);
    attention_equations(call, h);
    output_projection(call, h);
    return cnnfi_build_ok(call->b);
}

/* The variables of all projections, in Keras' order; `make`: builds them, else only says which they are. */
static void projections(cnnfi_layer_call *call, heads *h, bool make)
{
    size_t next = 0;
    const struct {
        projection *p;
        const char *name;
        const cnnfi_keras_tensor *x;
        int64_t count, size;
        bool there;
    } all[] = {{&h->query, "query", &h->q, h->count, h->key_dim, true},
               {&h->key, "key", &h->k, h->shared, h->key_dim, true},
               {&h->gated, "gate", &h->q, h->count, h->value_dim, h->gate},
               {&h->value, "value", &h->v, h->shared, h->value_dim, true},
               {&h->output, "attention_output", NULL, h->count, h->value_dim, true}};
    for (size_t i = 0; i < sizeof all / sizeof *all && cnnfi_build_ok(call->b); i++) {
        projection *p = all[i].p;
        if (!all[i].there) continue;
        p->name = all[i].name;
        if (!p->bias_axes) p->bias_axes = "";
        if (all[i].x) {
            projection_equation(call, p, h->rank - 1, 1, 2);
            projection_sizes(p, all[i].count, all[i].size);
            const size_t n = strlen(p->e.terms[2]);
            if (h->bias && n >= 2) p->bias_axes = p->e.terms[2] + n - 2;
        }
        p->first = next;
        next += *p->bias_axes ? 2 : 1;
        cnnfi_keras_tensor summed = h->q; /* of the output: heads and values are summed */
        summed.rank = h->rank + 1;
        summed.dims[h->rank - 1] = h->count;
        summed.dims[h->rank] = h->value_dim;
        if (make && cnnfi_build_ok(call->b)) projection_build(call, p, all[i].x ? all[i].x : &summed);
    }
}

static void multi_head_build(cnnfi_layer_call *call)
{
    heads h;
    if (multi_head_read(call, &h)) projections(call, &h, true);
}

/* _compute_attention_mask(): name NULL when nothing is masked */
static cnnfi_keras_tensor attention_mask(cnnfi_layer_call *call, const heads *h, bool key_too)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor mask = {.name = NULL}, given;
    cnnfi_keras_tensor q = mask_from(call, "query_mask", &h->q), v = mask_from(call, "value_mask", &h->v),
                       k = mask_from(call, "key_mask", key_too && h->has_key ? &h->k : NULL);
    const int64_t window = cnnfi_layer_int(call, "sliding_window", 0);
    if (q.name) mask = both(b, mask, cnnfi_build_expand_dims(b, "ExpandDims", as_bool(b, q), -1));
    if (v.name) mask = both(b, mask, cnnfi_build_expand_dims(b, "ExpandDims", as_bool(b, v), -2));
    if (k.name) mask = both(b, mask, cnnfi_build_expand_dims(b, "ExpandDims", as_bool(b, k), -2));
    if (asked(call, "use_causal_mask")) mask = both(b, mask, band(b, h->q, h->v, -1, 0));
    if (window > 0 && window <= INT32_MAX)
        mask = both(b, mask, band(b, h->q, h->v, (int32_t)window - 1, (int32_t)window - 1));
    if (named(call, "attention_mask", &given)) mask = mask.name ? both(b, as_bool(b, given), mask) : given;
    return mask;
}

/* x + (1 - mask) * -1e9 */
static cnnfi_keras_tensor masked_scores(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor mask)
{
    cnnfi_keras_tensor keep = cnnfi_build_cast(b, "Cast", mask, x.dtype);
    cnnfi_keras_tensor away =
        cnnfi_build_binary_const(b, "Mul", "mul", cnnfi_build_const_binary(b, "Sub", "sub", 1, keep), -1e9);
    return cnnfi_keras_tensor_shaped(cnnfi_build_binary(b, "AddV2", "add", x, away), x.rank, x.dims);
}

/* tf.exp(x - tf.reduce_logsumexp(x)) over the last n axes */
static cnnfi_keras_tensor softmax_over(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t n)
{
    int32_t axes[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < n; i++)
        axes[i] = x.rank - n + i;
    const char *saved = cnnfi_build_push(b, "ReduceLogSumExp");
    cnnfi_keras_tensor top = cnnfi_build_reduce(b, "Max", "Max", x, (size_t)n, axes, true), finite = top, zeros, chosen;
    (void)cnnfi_build_node_t(b, &finite, "IsFinite", "IsFinite", 1, &top);
    finite.dtype = CNNF_BOOL;
    zeros = cnnfi_build_unary(b, "ZerosLike", "ZerosLike", top);
    cnnfi_keras_tensor inputs[3] = {finite, top, zeros};
    cnnf_node *node = cnnfi_build_node(b, &chosen, "Select", "Select", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    chosen.dtype = x.dtype;
    top = cnnfi_build_unary(b, "StopGradient", "StopGradient", chosen);
    cnnfi_keras_tensor sum = cnnfi_build_unary(b, "Exp", "Exp", cnnfi_build_binary(b, "Sub", "Sub", x, top));
    sum = cnnfi_build_unary(b, "Log", "Log", cnnfi_build_reduce(b, "Sum", "Sum", sum, (size_t)n, axes, true));
    cnnfi_keras_tensor all = cnnfi_build_binary(b, "AddV2", "", sum, top);
    cnnfi_build_pop(b, saved);
    return cnnfi_build_unary(b, "Exp", "Exp", cnnfi_build_binary(b, "Sub", "sub", x, all));
}

static cnnfi_keras_tensor attend(cnnfi_layer_call *call, const heads *h, cnnfi_keras_tensor scores,
                                 cnnfi_keras_tensor mask)
{
    cnnfi_keras_builder *b = call->b;
    const int32_t at = -2 * h->n_axes - 1;
    while (mask.name && mask.rank < scores.rank && cnnfi_build_ok(b))
        mask = cnnfi_build_expand_dims(b, "ExpandDims", mask, mask.rank + 1 + at < 0 ? 0 : at);
    const char *saved = cnnfi_build_push(b, "softmax");
    if (mask.name) scores = masked_scores(b, scores, mask);
    scores = h->n_axes == 1 ? cnnfi_build_unary(b, "Softmax", "Softmax", scores) : softmax_over(b, scores, h->n_axes);
    cnnfi_build_pop(b, saved);
    saved = cnnfi_build_push(b, "dropout");
    scores = cnnfi_build_unary(b, "Identity", "Identity", scores);
    cnnfi_build_pop(b, saved);
    return scores;
}

/* The heads of key and value, each for several of the query: repeat(x, n, axis=2). */
static cnnfi_keras_tensor repeat_heads(cnnfi_keras_builder *b, const heads *h, cnnfi_keras_tensor x)
{
    const int32_t times = (int32_t)(h->count / h->shared), n = (int32_t)h->shared;
    if (times == 1) return x;
    int32_t *order = cnnfi_builder_array(b->graph, (size_t)h->count, sizeof *order);
    for (int32_t i = 0; order && i < n * times; i++)
        order[i] = i / times;
    if (!order) return x;
    cnnfi_keras_tensor y, inputs[3] = {x, cnnfi_build_ints(b, "repeat/indices", (size_t)h->count, order),
                                       cnnfi_build_int(b, "repeat/axis", 2)};
    cnnf_node *node = cnnfi_build_node(b, &y, "GatherV2", "repeat", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tparams", x.dtype);
    cnnfi_node_set_type(b->graph, node, "Tindices", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, "Taxis", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "batch_dims", 0);
    y.dims[2] = h->count;
    return y;
}

static void attend_and_return(cnnfi_layer_call *call, const heads *h, cnnfi_keras_tensor mask)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor q = project(call, &h->query, h->q), k = project(call, &h->key, h->k),
                       v = project(call, &h->value, h->v), gate;
    if (h->gate) gate = cnnfi_build_unary(b, "Sigmoid", "Sigmoid", project(call, &h->gated, h->q));
    k = repeat_heads(b, h, k);
    v = repeat_heads(b, h, v);
    q = cnnfi_build_binary_const(b, "Mul", "Mul", q, 1 / sqrt((double)h->key_dim));
    cnnfi_keras_tensor scores = attend(call, h, product(b, &h->scores, k, q), mask);
    cnnfi_keras_tensor y = product(b, &h->combine, scores, v);
    if (h->gate) y = cnnfi_build_binary(b, "Mul", "mul", y, gate);
    y = project(call, &h->output, y);
    y.mask = h->q.mask;
    const cnnfi_keras_tensor results[2] = {y, scores};
    if (cnnfi_build_ok(b)) cnnfi_layer_return_n(call, 1 + (size_t)asked(call, "return_attention_scores"), results);
}

static void multi_head(cnnfi_layer_call *call)
{
    heads h;
    if (!multi_head_read(call, &h)) return;
    projections(call, &h, false);
    if (cnnfi_build_ok(call->b)) attend_and_return(call, &h, attention_mask(call, &h, true));
}

static bool grouped_read(cnnfi_layer_call *call, heads *h)
{
    *h = (heads){.count = cnnfi_layer_positive(call, "num_query_heads"),
                 .shared = cnnfi_layer_positive(call, "num_key_value_heads"),
                 .key_dim = cnnfi_layer_positive(call, "head_dim")};
    h->value_dim = h->key_dim;
    h->bias = cnnfi_layer_bool(call, "use_bias", true);
    h->gate = cnnfi_layer_bool(call, "use_gate", false);
    if (!cnnfi_build_ok(call->b) || !read_inputs(call, h)) return false;
    if (h->rank != 3 || h->count % h->shared != 0 || h->count > INT32_MAX) {
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "%lld heads do not share %lld keys", (long long)h->count,
                         (long long)h->shared);
        return false;
    }
    h->axes[h->n_axes++] = 1;
    attention_equations(call, h);
    output_projection(call, h);
    return cnnfi_build_ok(call->b);
}

static void grouped_build(cnnfi_layer_call *call)
{
    heads h;
    if (grouped_read(call, &h)) projections(call, &h, true);
}

static void grouped(cnnfi_layer_call *call)
{
    heads h;
    if (!grouped_read(call, &h)) return;
    projections(call, &h, false);
    if (cnnfi_build_ok(call->b)) attend_and_return(call, &h, attention_mask(call, &h, true));
}

/* ---- Attention, AdditiveAttention ---- */

static bool is_additive(const cnnfi_layer_call *call)
{
    return strcmp(call->layer->class_name, "AdditiveAttention") == 0;
}

static bool concatenates(const cnnfi_layer_call *call)
{
    return strcmp(cnnfi_layer_string(call, "score_mode", "dot"), "concat") == 0;
}

static void dense_attention_build(cnnfi_layer_call *call)
{
    const bool additive = is_additive(call), scale = cnnfi_layer_bool(call, "use_scale", additive);
    const cnnfi_keras_tensor *of =
        &call->inputs[call->b->keras3 ? 0 : 1]; /* tf.keras takes the value's depth, Keras 3 the query's */
    const int64_t depth = of->dims[of->rank - 1];
    if (scale) (void)cnnfi_layer_weight(call, "scale", additive, &depth, CNNFI_KERAS_INIT_ONES, true);
    if (!additive && concatenates(call))
        (void)cnnfi_layer_weight(call, "concat_score_weight", 0, NULL, CNNFI_KERAS_INIT_ONES, true);
}

/* tanh(q + k), summed over the features; scaled before tanh or after it */
static cnnfi_keras_tensor additive_scores(cnnfi_layer_call *call, cnnfi_keras_tensor q, cnnfi_keras_tensor k)
{
    cnnfi_keras_builder *b = call->b;
    const bool additive = is_additive(call), scale = cnnfi_layer_bool(call, "use_scale", additive);
    q = cnnfi_build_expand_dims(b, "ExpandDims", q, -2);
    k = cnnfi_build_expand_dims(b, "ExpandDims", k, -3);
    cnnfi_keras_tensor x = cnnfi_build_binary(b, "AddV2", "add", q, k);
    if (scale && !additive) x = cnnfi_build_binary(b, "Mul", "mul", cnnfi_layer_variable(call, 0), x);
    x = cnnfi_build_unary(b, "Tanh", "Tanh", x);
    if (scale && additive) x = cnnfi_build_binary(b, "Mul", "mul", cnnfi_layer_variable(call, 0), x);
    if (!scale && additive && !b->keras3) x = cnnfi_build_const_binary(b, "Mul", "mul", 1, x);
    x = cnnfi_build_reduce_axis(b, "Sum", "Sum", x, -1, false);
    return additive ? x : cnnfi_build_binary(b, "Mul", "mul", cnnfi_layer_variable(call, scale), x);
}

static cnnfi_keras_tensor dot_scores(cnnfi_layer_call *call, cnnfi_keras_tensor q, cnnfi_keras_tensor k)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = cnnfi_build_batch_matmul(b, q, k, false, true), y;
    if (!cnnfi_layer_bool(call, "use_scale", false)) return x;
    const cnnfi_keras_tensor inputs[2] = {x, cnnfi_layer_variable(call, 0)};
    (void)cnnfi_build_node_t(b, &y, "Mul", "mul", 2, inputs);
    return y;
}

/* tf.cumsum(ones, -2) >= tf.cumsum(ones, -1), as a band: the numbers are the same */
static cnnfi_keras_tensor causal(cnnfi_keras_builder *b, cnnfi_keras_tensor scores)
{
    cnnfi_keras_tensor q = scores, v = cnnfi_build_transpose(b, "transpose", scores, (const int32_t[]){0, 2, 1});
    return band(b, q, v, -1, 0);
}

static cnnfi_keras_tensor apply_score_mask(cnnfi_keras_builder *b, cnnfi_keras_tensor scores, cnnfi_keras_tensor mask)
{
    cnnfi_keras_tensor hidden;
    (void)cnnfi_build_node(b, &hidden, "LogicalNot", "LogicalNot", 1, &mask);
    hidden = cnnfi_build_cast(b, "Cast", hidden, scores.dtype);
    hidden = cnnfi_build_const_binary(b, "Mul", "mul", 1e9, hidden);
    return cnnfi_keras_tensor_shaped(cnnfi_build_binary(b, "Sub", "sub", scores, hidden), scores.rank, scores.dims);
}

static void dense_attention(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor q = call->inputs[0], v = call->inputs[1], k = call->n_inputs > 2 ? call->inputs[2] : v;
    if (v.rank != 3 || k.rank != 3)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its inputs have other than three dimensions");
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor q_mask, v_mask, mask = {.name = NULL};
    if (!nth_named(call, "mask", 0, &q_mask)) q_mask = mask_of(&q);
    if (!nth_named(call, "mask", 1, &v_mask)) v_mask = mask_of(&v);
    if (named(call, "mask", &mask) && !nth_named(call, "mask", 1, &mask))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only masks of both the query and the value are supported");
    mask.name = NULL;
    cnnfi_keras_tensor scores =
        is_additive(call) || concatenates(call) ? additive_scores(call, q, k) : dot_scores(call, q, k);
    if (v_mask.name) mask = cnnfi_build_expand_dims(b, "ExpandDims", as_bool(b, v_mask), -2);
    if (asked(call, "use_causal_mask") || cnnfi_layer_bool(call, "causal", false))
        mask = both(b, mask, causal(b, scores));
    if (mask.name) scores = apply_score_mask(b, scores, mask);
    scores = cnnfi_build_unary(b, "Softmax", "Softmax", scores);
    cnnfi_keras_tensor y = cnnfi_build_batch_matmul(b, scores, v, false, false);
    if (q_mask.name) {
        cnnfi_keras_tensor keep = cnnfi_build_expand_dims(b, "ExpandDims", q_mask, -1);
        y = cnnfi_keras_tensor_shaped(
            cnnfi_build_binary(b, "Mul", "mul", y, cnnfi_build_cast(b, "Cast", keep, y.dtype)), y.rank, y.dims);
        y.mask = q.mask;
    }
    const cnnfi_keras_tensor results[2] = {y, scores};
    if (cnnfi_build_ok(b)) cnnfi_layer_return_n(call, 1 + (size_t)asked(call, "return_attention_scores"), results);
}

#define VERIFIED "tf.keras 2.15, 3"

static const cnnfi_keras_row rows[] = {
    {"AdditiveAttention", "use_scale", "scale", VERIFIED, 3, 3, 2, 3, dense_attention_build, dense_attention, NULL},
    {"Attention", "use_scale score_mode", "scale concat_score_weight", VERIFIED, 3, 3, 2, 3, dense_attention_build,
     dense_attention, NULL},
    {"EinsumDense", "equation output_shape bias_axes activation", "kernel bias", VERIFIED, 2, 8, 1, 1,
     einsum_dense_build, einsum_dense, NULL},
    {"GroupedQueryAttention", "head_dim num_query_heads num_key_value_heads use_bias use_gate sliding_window",
     "query key gate value output", "3", 3, 3, 1, 3, grouped_build, grouped, NULL},
    {"MultiHeadAttention", "num_heads key_dim value_dim use_bias use_gate output_shape attention_axes sliding_window",
     "query key gate value output", VERIFIED, 3, 6, 1, 3, multi_head_build, multi_head, NULL},
};

const cnnfi_keras_family cnnfi_keras_attention = {"Attention", rows, sizeof rows / sizeof rows[0]};
