/* SPDX-License-Identifier: Apache-2.0 */
/* Two graphs run side by side: outputs first, then common nodes in the order of execution, a few at a time. */
#include <cnnfreeze/comparison.h>

#include <math.h>
#include <string.h>

#include <cnnfreeze/evaluator.h>

#include "base/context.h"
#include "base/error.h"
#include "base/num.h"
#include "base/str.h"
#include "evaluator/kernels/portable.h"
#include "graph/tensor.h"
#include "graph/order.h"

/* Inner tensors fetched by one run: more would keep more of them in memory at once. */
#define CHUNK 32

typedef struct named_pair {
    char *a, *b;
    cnnf_tensor *value; /* of a feed */
} named_pair;

typedef struct pair_list {
    named_pair *items;
    size_t count, capacity;
} pair_list;

struct cnnf_comparison_options {
    cnnf_context *context;
    pair_list feeds, outputs;
    int32_t runs;
    uint64_t seed;
    int64_t batch;
    double tolerance;
    bool inside;
};

typedef struct result {
    char *a, *b;
    bool is_output;
    double max_abs, max_rel;
} result;

struct cnnf_comparison {
    cnnf_context *context;
    result *results; /* outputs first, then inner tensors in the order of execution */
    size_t count, capacity, n_outputs;
    double tolerance;
};

/* ---- lists ---- */

static void list_free(pair_list *list, cnnf_context *context)
{
    for (size_t i = 0; i < list->count; i++) {
        cnnfi_free(context, list->items[i].a);
        cnnfi_free(context, list->items[i].b);
        cnnf_tensor_unref(list->items[i].value);
    }
    cnnfi_free(context, list->items);
    memset(list, 0, sizeof(*list));
}

static cnnf_status list_add(pair_list *list, cnnf_context *context, const char *a, const char *b,
                            const cnnf_tensor *value, cnnf_error *error)
{
    named_pair pair = {.a = cnnfi_strdup(context, a), .b = cnnfi_strdup(context, b ? b : a)};
    if (!pair.a || !pair.b || !cnnfi_grow(context, (void **)&list->items, &list->capacity, list->count, sizeof(pair))) {
        cnnfi_free(context, pair.a);
        cnnfi_free(context, pair.b);
        return cnnfi_fail_nomem(error);
    }
    pair.value = cnnf_tensor_ref(value);
    list->items[list->count++] = pair;
    return CNNF_OK;
}

/* ---- options ---- */

cnnf_status cnnf_comparison_options_new(cnnf_comparison_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "comparison: out is NULL");
    *out = NULL;
    if (!context) return cnnfi_fail(error, CNNF_E_INVALID, "comparison: context is NULL");
    cnnf_comparison_options *o = cnnfi_calloc(context, 1, sizeof(*o));
    if (!o) return cnnfi_fail_nomem(error);
    *o = (cnnf_comparison_options){
        .context = cnnf_context_ref(context), .runs = 1, .seed = 1, .batch = 2, .tolerance = 1e-5, .inside = true};
    *out = o;
    return CNNF_OK;
}

void cnnf_comparison_options_free(cnnf_comparison_options *options)
{
    if (!options) return;
    cnnf_context *context = options->context;
    list_free(&options->feeds, context);
    list_free(&options->outputs, context);
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

cnnf_status cnnf_comparison_options_add_feed(cnnf_comparison_options *options, const char *name,
                                             const cnnf_tensor *value, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !name || !value) return cnnfi_fail_null(error, __func__);
    return list_add(&options->feeds, options->context, name, NULL, value, error);
}

cnnf_status cnnf_comparison_options_add_output(cnnf_comparison_options *options, const char *a, const char *b,
                                               cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !a) return cnnfi_fail_null(error, __func__);
    return list_add(&options->outputs, options->context, a, b, NULL, error);
}

cnnf_status cnnf_comparison_options_set_random(cnnf_comparison_options *options, int32_t runs, uint64_t seed,
                                               cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (runs < 1) return cnnfi_fail(error, CNNF_E_INVALID, "comparison: %d runs; at least 1", (int)runs);
    options->runs = runs;
    options->seed = seed;
    return CNNF_OK;
}

cnnf_status cnnf_comparison_options_set_batch(cnnf_comparison_options *options, int64_t batch, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (batch < 1)
        return cnnfi_fail(error, CNNF_E_INVALID, "comparison: a batch of %lld; at least 1", (long long)batch);
    options->batch = batch;
    return CNNF_OK;
}

cnnf_status cnnf_comparison_options_set_tolerance(cnnf_comparison_options *options, double tolerance, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (!(tolerance >= 0)) return cnnfi_fail(error, CNNF_E_INVALID, "comparison: the tolerance must be 0 or more");
    options->tolerance = tolerance;
    return CNNF_OK;
}

cnnf_status cnnf_comparison_options_set_inside(cnnf_comparison_options *options, int32_t inside, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->inside = inside != 0;
    return CNNF_OK;
}

/* ---- inputs ---- */

/* splitmix64: the same numbers everywhere. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static cnnf_status random_tensor(cnnf_tensor **out, cnnf_context *context, const cnnf_node *node, int64_t batch,
                                 uint64_t *state, cnnf_error *error)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    char element[16];
    int32_t rank = cnnf_node_attr_shape_rank(node, "shape");
    cnnf_dtype dtype = cnnf_node_attr_type(node, "dtype", CNNF_FLOAT);
    cnnfi_type type = cnnfi_type_of(dtype);
    if (rank < 0 || rank > CNNFI_OP_MAX_RANK || type == CNNFI_T_NONE)
        return cnnfi_fail(error, CNNF_E_INVALID, "input '%s': its shape or dtype is not known; give its value",
                          node->name);
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = cnnf_node_attr_shape_dim(node, "shape", i);
        if (dims[i] < 0 && i == 0) dims[i] = batch;
        if (dims[i] < 0)
            return cnnfi_fail(error, CNNF_E_INVALID, "input '%s': axis %d is not known; give its value", node->name, i);
    }
    CNNFI_TRY(cnnf_tensor_new(out, context, dtype, rank, dims, error));
    char *to = cnnf_tensor_data_mut(*out);
    size_t size = cnnf_dtype_size(dtype);
    bool real = type < CNNFI_T_I8 || type >= CNNFI_T_C64;
    for (int64_t i = 0; i < cnnf_tensor_element_count(*out); i++, to += size) {
        double unit = (double)(next_random(state) >> 11) / 9007199254740992.0; /* 53 bits */
        cnnfi_put_f64(type, real ? unit : floor(unit * 2), element);
        memcpy(to, element, size);
    }
    return CNNF_OK;
}

typedef struct runner {
    cnnf_context *context;
    const struct cnnf_comparison_options *options;
    const cnnf_graph *graphs[2];
    cnnf_evaluator *evaluators[2];
    pair_list feeds; /* names in both graphs, values of the run */
    cnnf_comparison *comparison;
} runner;

static const cnnf_tensor *given_value(const runner *r, const char *name)
{
    for (size_t i = 0; i < r->options->feeds.count; i++)
        if (strcmp(r->options->feeds.items[i].a, name) == 0) return r->options->feeds.items[i].value;
    return NULL;
}

static cnnf_status make_feeds(runner *r, uint64_t *state, cnnf_error *error)
{
    const cnnf_graph *a = r->graphs[0], *b = r->graphs[1];
    list_free(&r->feeds, r->context);
    for (int64_t i = 0; i < cnnf_graph_input_count(a); i++) {
        const char *name = cnnf_graph_input_name(a, i), *other = name;
        const cnnf_node *node = cnnf_graph_find(a, name);
        if (!node) return cnnfi_fail(error, CNNF_E_NOT_FOUND, "the input '%s' is not in the first graph", name);
        if (!cnnf_graph_find(b, name)) other = cnnf_graph_input_name(b, i); /* another name, the same place */
        if (!other) return cnnfi_fail(error, CNNF_E_NOT_FOUND, "the second graph has no input for '%s'", name);
        const cnnf_tensor *given = given_value(r, name);
        cnnf_tensor *value = cnnf_tensor_ref(given);
        if (!given) CNNFI_TRY(random_tensor(&value, r->context, node, r->options->batch, state, error));
        const cnnf_status status = list_add(&r->feeds, r->context, name, other, value, error);
        cnnf_tensor_unref(value);
        CNNFI_TRY(status);
    }
    return CNNF_OK;
}

/* ---- one pair of tensors ---- */

static cnnfi_value view(const cnnf_tensor *tensor)
{
    return (cnnfi_value){.dtype = cnnf_tensor_dtype(tensor),
                         .count = cnnf_tensor_element_count(tensor),
                         .data = (void *)(uintptr_t)cnnf_tensor_data(tensor)};
}

static bool same_shape(const cnnf_tensor *a, const cnnf_tensor *b)
{
    bool same = cnnf_tensor_rank(a) == cnnf_tensor_rank(b);
    for (int32_t i = 0; same && i < cnnf_tensor_rank(a); i++)
        same = cnnf_tensor_dim(a, i) == cnnf_tensor_dim(b, i);
    return same;
}

/* Worst errors so far grow; equal infinities and NaN on both sides are equal. */
static void measure(result *to, const cnnf_tensor *a, const cnnf_tensor *b)
{
    cnnfi_value x = view(a), y = view(b);
    double worst = 0, largest = 0;
    if (!same_shape(a, b) || cnnfi_type_of(x.dtype) == CNNFI_T_NONE || cnnfi_type_of(y.dtype) == CNNFI_T_NONE) {
        to->max_abs = to->max_rel = (double)INFINITY;
        return;
    }
    for (int64_t i = 0; i < x.count; i++) {
        double p = cnnfi_get_f64(&x, i), q = cnnfi_get_f64(&y, i), d = fabs(p - q);
        if (p == q || (isnan(p) && isnan(q))) d = 0;
        if (isnan(d)) d = (double)INFINITY;
        if (d > worst) worst = d;
        if (isfinite(p) && fabs(p) > largest) largest = fabs(p);
    }
    double relative = worst == 0 ? 0 : largest > 0 ? worst / largest : worst;
    to->max_abs = worst > to->max_abs ? worst : to->max_abs;
    to->max_rel = relative > to->max_rel ? relative : to->max_rel;
}

/* ---- running ---- */

static cnnf_status run_one(runner *r, int which, const named_pair *names, size_t n, cnnf_tensor **outputs,
                           cnnf_error *error)
{
    const char *fetches[CHUNK];
    const size_t n_feeds = r->feeds.count;
    const char **feed_names = cnnfi_array(r->context, n_feeds + 1, sizeof(*feed_names));
    const cnnf_tensor **values = cnnfi_array(r->context, n_feeds + 1, sizeof(*values));
    cnnf_status status = feed_names && values ? CNNF_OK : cnnfi_fail_nomem(error);
    for (size_t i = 0; i < n_feeds && status == CNNF_OK; i++) {
        feed_names[i] = which ? r->feeds.items[i].b : r->feeds.items[i].a;
        values[i] = r->feeds.items[i].value;
    }
    for (size_t i = 0; i < n; i++)
        fetches[i] = which ? names[i].b : names[i].a;
    if (status == CNNF_OK)
        status = cnnf_evaluator_run(outputs, r->evaluators[which], feed_names, values, n_feeds, fetches, n, error);
    cnnfi_free(r->context, feed_names);
    cnnfi_free(r->context, values);
    return status;
}

static result *find_result(cnnf_comparison *c, const char *a)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->results[i].a, a) == 0) return &c->results[i];
    return NULL;
}

static cnnf_status record(runner *r, const named_pair *names, bool is_output, const cnnf_tensor *a,
                          const cnnf_tensor *b, cnnf_error *error)
{
    cnnf_comparison *c = r->comparison;
    result *to = find_result(c, names->a);
    if (!to) {
        result new = {
            .a = cnnfi_strdup(c->context, names->a), .b = cnnfi_strdup(c->context, names->b), .is_output = is_output};
        if (!new.a || !new.b || !cnnfi_grow(c->context, (void **)&c->results, &c->capacity, c->count, sizeof(new))) {
            cnnfi_free(c->context, new.a);
            cnnfi_free(c->context, new.b);
            return cnnfi_fail_nomem(error);
        }
        to = &c->results[c->count++];
        *to = new;
        c->n_outputs += is_output;
    }
    measure(to, a, b);
    return CNNF_OK;
}

/* Up to CHUNK tensors of both graphs. */
static cnnf_status compare_chunk(runner *r, const named_pair *names, size_t n, bool is_output, cnnf_error *error)
{
    cnnf_tensor *outputs[2][CHUNK] = {{NULL}};
    cnnf_status status = CNNF_OK;
    for (int which = 0; which < 2 && status == CNNF_OK; which++)
        status = run_one(r, which, names, n, outputs[which], error);
    for (size_t i = 0; i < n && status == CNNF_OK; i++)
        status = record(r, &names[i], is_output, outputs[0][i], outputs[1][i], error);
    for (size_t i = 0; i < 2 * CHUNK; i++)
        cnnf_tensor_unref(outputs[i / CHUNK][i % CHUNK]);
    return status;
}

static cnnf_status compare_outputs(runner *r, const pair_list *outputs, cnnf_error *error)
{
    for (size_t i = 0; i < outputs->count; i += CHUNK) {
        size_t n = outputs->count - i < CHUNK ? outputs->count - i : CHUNK;
        CNNFI_TRY(compare_chunk(r, outputs->items + i, n, true, error));
    }
    return CNNF_OK;
}

/* A tensor that cannot be had in both (a dead branch, a string) says nothing about the numbers: it is left out. */
static cnnf_status compare_inner(runner *r, const pair_list *inner, cnnf_error *error)
{
    for (size_t i = 0; i < inner->count; i += CHUNK) {
        size_t n = inner->count - i < CHUNK ? inner->count - i : CHUNK;
        cnnf_status status = compare_chunk(r, inner->items + i, n, false, NULL);
        for (size_t k = 0; k < n && status != CNNF_OK && status != CNNF_E_NOMEM; k++)
            if (compare_chunk(r, inner->items + i + k, 1, false, NULL) == CNNF_E_NOMEM) status = CNNF_E_NOMEM;
        if (status == CNNF_E_NOMEM) return cnnfi_fail_nomem(error);
        if (status == CNNF_E_CANCELLED) return cnnfi_fail(error, status, "stopped");
    }
    return CNNF_OK;
}

/* ---- what is compared ---- */

static cnnf_status choose_outputs(runner *r, pair_list *outputs, cnnf_error *error)
{
    const pair_list *asked = &r->options->outputs;
    const cnnf_graph *a = r->graphs[0];
    for (size_t i = 0; i < asked->count; i++)
        CNNFI_TRY(list_add(outputs, r->context, asked->items[i].a, asked->items[i].b, NULL, error));
    for (int64_t i = 0; asked->count == 0 && i < cnnf_graph_output_count(a); i++)
        CNNFI_TRY(list_add(outputs, r->context, cnnf_graph_output_name(a, i), NULL, NULL, error));
    if (outputs->count > 0) return CNNF_OK;
    cnnfi_consumers consumers;
    CNNFI_TRY(cnnfi_consumers_init(&consumers, a, error));
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; i < a->n_nodes && status == CNNF_OK; i++) {
        const char *name = a->nodes[i]->name;
        bool last = consumers.start[i] == consumers.start[i + 1] && cnnfi_node_data_inputs(a->nodes[i]) > 0;
        if (last && cnnf_graph_find(r->graphs[1], name))
            status = list_add(outputs, r->context, name, NULL, NULL, error);
    }
    cnnfi_consumers_free(&consumers);
    CNNFI_TRY(status);
    return outputs->count ? CNNF_OK
                          : cnnfi_fail(error, CNNF_E_NOT_FOUND, "the graphs have no output in common; name them");
}

/* Nodes with inputs that both graphs have and that an output needs, in the first graph's order of execution. */
static cnnf_status choose_inner(runner *r, const pair_list *outputs, pair_list *inner, cnnf_error *error)
{
    const cnnf_graph *a = r->graphs[0];
    int32_t *order = NULL;
    bool *keep = cnnfi_calloc(r->context, a->n_nodes + 1, sizeof(*keep));
    int32_t *roots = cnnfi_array(r->context, outputs->count + 1, sizeof(*roots));
    size_t n_roots = 0;
    cnnf_status status = keep && roots ? cnnfi_toposort(&order, a, error) : cnnfi_fail_nomem(error);
    for (size_t i = 0; i < outputs->count && status == CNNF_OK; i++) {
        char name[512];
        const cnnf_node *node = cnnf_graph_find(a, cnnfi_input_node(outputs->items[i].a, name, sizeof(name)));
        if (node) roots[n_roots++] = node->index;
    }
    if (status == CNNF_OK) status = cnnfi_reach(keep, a, roots, n_roots, false, error);
    for (size_t i = 0; i < a->n_nodes && status == CNNF_OK; i++) {
        const cnnf_node *node = a->nodes[order[i]];
        if (!keep[order[i]] || cnnfi_node_data_inputs(node) == 0 || !cnnf_graph_find(r->graphs[1], node->name))
            continue;
        status = list_add(inner, r->context, node->name, NULL, NULL, error);
    }
    cnnfi_free(r->context, order);
    cnnfi_free(r->context, keep);
    cnnfi_free(r->context, roots);
    return status;
}

static cnnf_status run_all(runner *r, cnnf_error *error)
{
    pair_list outputs = {0}, inner = {0};
    uint64_t state = r->options->seed;
    cnnf_status status = choose_outputs(r, &outputs, error);
    if (status == CNNF_OK && r->options->inside) status = choose_inner(r, &outputs, &inner, error);
    for (int32_t run = 0; run < r->options->runs && status == CNNF_OK; run++) {
        status = make_feeds(r, &state, error);
        if (status == CNNF_OK) status = compare_outputs(r, &outputs, error);
        if (status == CNNF_OK) status = compare_inner(r, &inner, error);
    }
    list_free(&outputs, r->context);
    list_free(&inner, r->context);
    return status;
}

cnnf_status cnnf_compare_numbers(cnnf_comparison **out, const cnnf_graph *a, const cnnf_graph *b,
                                 const cnnf_comparison_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    const struct cnnf_comparison_options defaults = {
        .runs = 1, .seed = 1, .batch = 2, .tolerance = 1e-5, .inside = true};
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "comparison: out is NULL");
    *out = NULL;
    if (!a || !b) return cnnfi_fail(error, CNNF_E_INVALID, "comparison: a graph is NULL");
    runner r = {.context = a->context, .options = options ? options : &defaults, .graphs = {a, b}};
    r.comparison = cnnfi_calloc(r.context, 1, sizeof(*r.comparison));
    if (!r.comparison) return cnnfi_fail_nomem(error);
    r.comparison->context = cnnf_context_ref(r.context);
    r.comparison->tolerance = r.options->tolerance;
    cnnf_status status = cnnf_evaluator_new(&r.evaluators[0], a, NULL, error);
    if (status == CNNF_OK) status = cnnf_evaluator_new(&r.evaluators[1], b, NULL, error);
    if (status == CNNF_OK) status = run_all(&r, error);
    cnnf_evaluator_free(r.evaluators[0]);
    cnnf_evaluator_free(r.evaluators[1]);
    list_free(&r.feeds, r.context);
    if (status == CNNF_OK)
        *out = r.comparison;
    else
        cnnf_comparison_free(r.comparison);
    return status;
}

/* ---- reading ---- */

void cnnf_comparison_free(cnnf_comparison *comparison)
{
    if (!comparison) return;
    cnnf_context *context = comparison->context;
    for (size_t i = 0; i < comparison->count; i++) {
        cnnfi_free(context, comparison->results[i].a);
        cnnfi_free(context, comparison->results[i].b);
    }
    cnnfi_free(context, comparison->results);
    cnnfi_free(context, comparison);
    cnnf_context_unref(context);
}

double cnnf_comparison_max_abs(const cnnf_comparison *comparison)
{
    double worst = 0;
    for (size_t i = 0; comparison && i < comparison->n_outputs; i++)
        worst = fmax(worst, comparison->results[i].max_abs);
    return worst;
}

double cnnf_comparison_max_rel(const cnnf_comparison *comparison)
{
    double worst = 0;
    for (size_t i = 0; comparison && i < comparison->n_outputs; i++)
        worst = fmax(worst, comparison->results[i].max_rel);
    return worst;
}

int32_t cnnf_comparison_within(const cnnf_comparison *comparison)
{
    return comparison && cnnf_comparison_max_rel(comparison) <= comparison->tolerance;
}

/* Inner tensors come in the order of execution; an output counts when nothing before it differs. */
static const result *first_result(const cnnf_comparison *c)
{
    for (size_t i = c->n_outputs; i < c->count; i++)
        if (c->results[i].max_rel > c->tolerance) return &c->results[i];
    for (size_t i = 0; i < c->n_outputs; i++)
        if (c->results[i].max_rel > c->tolerance) return &c->results[i];
    return NULL;
}

const char *cnnf_comparison_first(const cnnf_comparison *comparison)
{
    const result *first = comparison ? first_result(comparison) : NULL;
    return first ? first->a : NULL;
}

int64_t cnnf_comparison_count(const cnnf_comparison *comparison)
{
    return comparison ? (int64_t)comparison->count : 0;
}

static void put_number(cnnfi_strbuf *text, double value, bool json)
{
    char number[32];
    if (!isfinite(value)) {
        cnnfi_strbuf_puts(text, json ? "null" : "inf");
        return;
    }
    cnnfi_format_double(number, value);
    cnnfi_strbuf_puts(text, number);
}

static void report_json(cnnfi_strbuf *text, const cnnf_comparison *c)
{
    const char *first = cnnf_comparison_first(c);
    cnnfi_strbuf_printf(text, "{\"within\": %s, \"tolerance\": ", cnnf_comparison_within(c) ? "true" : "false");
    put_number(text, c->tolerance, true);
    cnnfi_strbuf_puts(text, ", \"max_abs\": ");
    put_number(text, cnnf_comparison_max_abs(c), true);
    cnnfi_strbuf_puts(text, ", \"max_rel\": ");
    put_number(text, cnnf_comparison_max_rel(c), true);
    cnnfi_strbuf_puts(text, ", \"first\": ");
    if (first)
        cnnfi_strbuf_json_string(text, first);
    else
        cnnfi_strbuf_puts(text, "null");
    cnnfi_strbuf_puts(text, ", \"tensors\": [");
    for (size_t i = 0; i < c->count; i++) {
        cnnfi_strbuf_puts(text, i ? ", {\"a\": " : "{\"a\": ");
        cnnfi_strbuf_json_string(text, c->results[i].a);
        cnnfi_strbuf_puts(text, ", \"b\": ");
        cnnfi_strbuf_json_string(text, c->results[i].b);
        cnnfi_strbuf_printf(text, ", \"output\": %s, \"max_abs\": ", c->results[i].is_output ? "true" : "false");
        put_number(text, c->results[i].max_abs, true);
        cnnfi_strbuf_puts(text, ", \"max_rel\": ");
        put_number(text, c->results[i].max_rel, true);
        cnnfi_strbuf_putc(text, '}');
    }
    cnnfi_strbuf_puts(text, "]}\n");
}

static void report_text(cnnfi_strbuf *text, const cnnf_comparison *c)
{
    const char *first = cnnf_comparison_first(c);
    for (size_t i = 0; i < c->n_outputs; i++) {
        const result *r = &c->results[i];
        bool renamed = strcmp(r->a, r->b) != 0;
        cnnfi_strbuf_printf(text, "%s%s%s: max abs error ", r->a, renamed ? " | " : "", renamed ? r->b : "");
        put_number(text, r->max_abs, false);
        cnnfi_strbuf_puts(text, ", relative ");
        put_number(text, r->max_rel, false);
        cnnfi_strbuf_putc(text, '\n');
    }
    cnnfi_strbuf_printf(text, "%zu tensors compared; ", c->count);
    if (first)
        cnnfi_strbuf_printf(text, "the first that differs: %s\n", first);
    else
        cnnfi_strbuf_puts(text, "all within the tolerance\n");
}

cnnf_status cnnf_comparison_report(cnnf_buffer **out, const cnnf_comparison *comparison, int32_t format,
                                   cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnfi_strbuf text;
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "comparison: out is NULL");
    *out = NULL;
    if (!comparison) return cnnfi_fail(error, CNNF_E_INVALID, "comparison is NULL");
    CNNFI_TRY(cnnfi_check_report_format(format, CNNF_REPORT_JSON, error));
    cnnfi_strbuf_init(&text, comparison->context);
    if (format == CNNF_REPORT_JSON)
        report_json(&text, comparison);
    else
        report_text(&text, comparison);
    cnnf_status status = cnnfi_strbuf_finish(&text, out, error);
    cnnfi_strbuf_free(&text);
    return status;
}
