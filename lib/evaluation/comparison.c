/* SPDX-License-Identifier: Apache-2.0 */
/* Two graphs run side by side: outputs first, then common nodes in the order of execution, a few at a time. */
#include <cnnfreeze/comparison.h>

#include <math.h>
#include <string.h>

#include <cnnfreeze/evaluator.h>
#include <cnnfreeze/inspect.h>

#include "base/context.h"
#include "base/error.h"
#include "base/num.h"
#include "base/str.h"
#include "evaluation/comparison_inputs.h"
#include "evaluator/kernels/portable.h"
#include "evaluator/plan/inline_calls.h"
#include "graph/order.h"
#include "graph/resolve.h"
#include "graph/tensor.h"

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

/* Tried in order for what no graph says of an image's height and width. */
static const int64_t sizes[] = {32,  64,  128, 224, 28,  48,  96,  112, 150, 160,
                                192, 227, 256, 299, 300, 320, 331, 416, 480, 512};

#define N_SIZES (sizeof sizes / sizeof *sizes)

typedef struct runner {
    cnnf_context *context;
    const struct cnnf_comparison_options *options;
    cnnf_graph *graphs[2]; /* functions in place of their calls */
    cnnf_evaluator *evaluators[2];
    cnnfi_comparison_inputs inputs;
    pair_list feeds;   /* names in both graphs, "" where it does not need it; values of the run */
    size_t size_index; /* of `sizes` */
    bool has_open;     /* an input of the run has such a size */
    cnnf_comparison *comparison;
} runner;

/* Of an input of which nothing is known: an image of three channels. */
#define IMAGE_RANK     4
#define IMAGE_CHANNELS 3

static cnnf_status input_dims(runner *r, const cnnfi_comparison_input *input, int32_t *rank, int64_t *dims,
                              cnnf_error *error)
{
    const bool anything = input->rank == CNNFI_UNKNOWN;
    if (cnnfi_type_of(input->dtype) == CNNFI_T_NONE)
        return cnnfi_fail(error, CNNF_E_INVALID, "input '%s' is no number; give its value", input->names[0]);
    *rank = anything ? IMAGE_RANK : input->rank;
    for (int32_t i = 0; i < *rank; i++) {
        dims[i] = anything && i == IMAGE_RANK - 1 ? IMAGE_CHANNELS : input->dims[i];
        if (dims[i] >= 0) continue;
        dims[i] = i == 0 ? r->options->batch : sizes[r->size_index];
        r->has_open |= i > 0;
    }
    return CNNF_OK;
}

static cnnf_status random_tensor(cnnf_tensor **out, runner *r, const cnnfi_comparison_input *input, uint64_t *state,
                                 cnnf_error *error)
{
    int64_t dims[CNNFI_OP_MAX_RANK] = {0};
    char element[16];
    const cnnfi_type type = cnnfi_type_of(input->dtype);
    int32_t rank = 0;
    CNNFI_TRY(input_dims(r, input, &rank, dims, error));
    CNNFI_TRY(cnnf_tensor_new(out, r->context, input->dtype, rank, dims, error));
    char *to = cnnf_tensor_data_mut(*out);
    const size_t size = cnnf_dtype_size(input->dtype);
    const bool real = type < CNNFI_T_I8 || type >= CNNFI_T_C64;
    for (int64_t i = 0; i < cnnf_tensor_element_count(*out); i++, to += size) {
        double unit = (double)(next_random(state) >> 11) / 9007199254740992.0; /* 53 bits */
        cnnfi_put_f64(type, real ? unit : floor(unit * 2), element);
        memcpy(to, element, size);
    }
    return CNNF_OK;
}

static const named_pair *given_value(const runner *r, const char *name)
{
    for (size_t i = 0; i < r->options->feeds.count; i++)
        if (strcmp(r->options->feeds.items[i].a, name) == 0) return &r->options->feeds.items[i];
    return NULL;
}

/* Feeds for nodes that are no inputs: they stand for what they name, in both graphs. */
static cnnf_status add_given(runner *r, cnnf_error *error)
{
    for (size_t i = 0; i < r->options->feeds.count; i++) {
        const named_pair *given = &r->options->feeds.items[i];
        bool known = false;
        for (size_t k = 0; k < r->feeds.count; k++)
            known |= strcmp(r->feeds.items[k].a, given->a) == 0;
        if (known || !cnnf_graph_find(r->graphs[0], given->a)) continue;
        const bool both = cnnf_graph_find(r->graphs[1], given->a) != NULL;
        CNNFI_TRY(list_add(&r->feeds, r->context, given->a, both ? NULL : "", given->value, error));
    }
    return CNNF_OK;
}

static cnnf_status make_feeds(runner *r, uint64_t *state, cnnf_error *error)
{
    list_free(&r->feeds, r->context);
    r->has_open = false;
    for (size_t i = 0; i < r->inputs.count; i++) {
        const cnnfi_comparison_input *input = &r->inputs.items[i];
        const named_pair *given = given_value(r, input->names[0]);
        cnnf_tensor *value = cnnf_tensor_ref(given ? given->value : NULL);
        if (!given) CNNFI_TRY(random_tensor(&value, r, input, state, error));
        const cnnf_status status =
            list_add(&r->feeds, r->context, input->names[0], input->names[1] ? input->names[1] : "", value, error);
        cnnf_tensor_unref(value);
        CNNFI_TRY(status);
    }
    return add_given(r, error);
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
    size_t n_feeds = 0;
    const char **feed_names = cnnfi_array(r->context, r->feeds.count + 1, sizeof(*feed_names));
    const cnnf_tensor **values = cnnfi_array(r->context, r->feeds.count + 1, sizeof(*values));
    cnnf_status status = feed_names && values ? CNNF_OK : cnnfi_fail_nomem(error);
    for (size_t i = 0; i < r->feeds.count && status == CNNF_OK; i++) {
        const char *name = which ? r->feeds.items[i].b : r->feeds.items[i].a;
        if (!*name) continue;
        feed_names[n_feeds] = name;
        values[n_feeds++] = r->feeds.items[i].value;
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

/* The second graph's tensor for an output of the first: the same name, else, where both declare as many, its place. */
static const char *partner_of(const runner *r, const char *name, int64_t place)
{
    const cnnf_graph *a = r->graphs[0], *b = r->graphs[1];
    const cnnf_node *node = NULL;
    struct cnnf_error ignored = {0};
    if (cnnfi_resolve_node(&node, b, name, &ignored) == CNNF_OK) return NULL;
    return cnnf_graph_output_count(a) == cnnf_graph_output_count(b) ? cnnf_graph_output_name(b, place) : NULL;
}

/* What can be told from the first graph, where the second one has it. */
static cnnf_status choose_guessed(runner *r, pair_list *outputs, cnnf_error *error)
{
    cnnf_buffer *names = NULL;
    cnnf_status status = cnnf_graph_guess_outputs(&names, r->graphs[0], error);
    if (status == CNNF_E_INVALID) cnnf_error_clear(error); /* it shows several: all ends are compared then */
    if (status) return status == CNNF_E_INVALID ? CNNF_OK : status;
    char *line = cnnfi_buffer_mut(names);
    for (char *end; status == CNNF_OK && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (cnnf_graph_find(r->graphs[1], line)) status = list_add(outputs, r->context, line, NULL, NULL, error);
    }
    cnnf_buffer_free(names);
    return status;
}

/* Nodes that no other node reads. */
static cnnf_status choose_ends(runner *r, pair_list *outputs, cnnf_error *error)
{
    const cnnf_graph *a = r->graphs[0];
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
    return status;
}

static cnnf_status choose_outputs(runner *r, pair_list *outputs, cnnf_error *error)
{
    const pair_list *asked = &r->options->outputs;
    const cnnf_graph *a = r->graphs[0];
    for (size_t i = 0; i < asked->count; i++)
        CNNFI_TRY(list_add(outputs, r->context, asked->items[i].a, asked->items[i].b, NULL, error));
    for (int64_t i = 0; asked->count == 0 && i < cnnf_graph_output_count(a); i++) {
        const char *name = cnnf_graph_output_name(a, i);
        CNNFI_TRY(list_add(outputs, r->context, name, partner_of(r, name, i), NULL, error));
    }
    if (outputs->count == 0) CNNFI_TRY(choose_guessed(r, outputs, error));
    if (outputs->count == 0) CNNFI_TRY(choose_ends(r, outputs, error));
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

static cnnf_status find_inputs(runner *r, const pair_list *outputs, cnnf_error *error)
{
    const char **names = cnnfi_array(r->context, 2 * outputs->count + 1, sizeof *names);
    if (!names) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < outputs->count; i++) {
        names[i] = outputs->items[i].a;
        names[outputs->count + i] = outputs->items[i].b;
    }
    const char *const *const lists[2] = {names, names + outputs->count};
    const cnnf_graph *const graphs[2] = {r->graphs[0], r->graphs[1]};
    const cnnf_status status = cnnfi_comparison_inputs_find(&r->inputs, graphs, lists, outputs->count, error);
    cnnfi_free(r->context, names);
    return status;
}

/* What a size that was tried may bring: it does not fit a layer. */
static bool may_be_size(cnnf_status status)
{
    return status == CNNF_E_MISMATCH || status == CNNF_E_INVALID || status == CNNF_E_CORRUPT;
}

/* The first run. Sizes that nobody knows are tried; what no size mends is said as it was for the first. */
static cnnf_status run_first(runner *r, const pair_list *outputs, uint64_t *state, cnnf_error *error)
{
    const uint64_t start = *state;
    struct cnnf_error swallowed = {0};
    CNNFI_TRY(make_feeds(r, state, error));
    cnnf_status status = compare_outputs(r, outputs, error);
    const cnnf_status first = status;
    while (may_be_size(status) && r->has_open && r->size_index + 1 < N_SIZES) {
        *state = start;
        r->size_index++;
        status = make_feeds(r, state, &swallowed);
        if (status == CNNF_OK) status = compare_outputs(r, outputs, &swallowed);
    }
    if (status == CNNF_OK && r->has_open) {
        cnnf_error_clear(error);
        cnnfi_log(r->context, CNNF_LOG_INFO, "heights and widths that are not known are %lld here",
                  (long long)sizes[r->size_index]);
    }
    if (status == CNNF_OK || status == CNNF_E_NOMEM || !may_be_size(first) || !r->has_open)
        return status == CNNF_OK || status == CNNF_E_NOMEM ? status : first;
    return cnnfi_error_prefix(error, first, "no height and width that was tried fits: give the inputs' shape or value");
}

static cnnf_status run_all(runner *r, cnnf_error *error)
{
    pair_list outputs = {0}, inner = {0};
    uint64_t state = r->options->seed;
    cnnf_status status = choose_outputs(r, &outputs, error);
    if (status == CNNF_OK && r->options->inside) status = choose_inner(r, &outputs, &inner, error);
    if (status == CNNF_OK) status = find_inputs(r, &outputs, error);
    for (int32_t run = 0; run < r->options->runs && status == CNNF_OK; run++) {
        if (run == 0) {
            status = run_first(r, &outputs, &state, error);
        } else {
            status = make_feeds(r, &state, error);
            if (status == CNNF_OK) status = compare_outputs(r, &outputs, error);
        }
        if (status == CNNF_OK) status = compare_inner(r, &inner, error);
    }
    list_free(&outputs, r->context);
    list_free(&inner, r->context);
    return status;
}

static cnnf_status set_up(runner *r, const cnnf_graph *a, const cnnf_graph *b, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_inline_calls(&r->graphs[0], a, error));
    CNNFI_TRY(cnnfi_inline_calls(&r->graphs[1], b, error));
    CNNFI_TRY(cnnf_evaluator_new(&r->evaluators[0], r->graphs[0], NULL, error));
    return cnnf_evaluator_new(&r->evaluators[1], r->graphs[1], NULL, error);
}

static void tear_down(runner *r)
{
    for (int which = 0; which < 2; which++) {
        cnnf_evaluator_free(r->evaluators[which]);
        cnnf_graph_unref(r->graphs[which]);
    }
    cnnfi_comparison_inputs_free(&r->inputs);
    list_free(&r->feeds, r->context);
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
    runner r = {.context = a->context, .options = options ? options : &defaults};
    r.comparison = cnnfi_calloc(r.context, 1, sizeof(*r.comparison));
    if (!r.comparison) return cnnfi_fail_nomem(error);
    r.comparison->context = cnnf_context_ref(r.context);
    r.comparison->tolerance = r.options->tolerance;
    r.inputs.context = r.context;
    cnnf_status status = set_up(&r, a, b, error);
    if (status == CNNF_OK) status = run_all(&r, error);
    tear_down(&r);
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
