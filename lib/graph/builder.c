/* SPDX-License-Identifier: Apache-2.0 */
/* The builder: nodes and functions of a graph under construction, up to publishing. */
#include "graph/builder.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/budget.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "graph/tensor.h"

/* ---- life ---- */

cnnf_status cnnfi_builder_new(cnnfi_builder **out, cnnf_context *context, cnnf_error *error)
{
    *out = NULL;
    cnnfi_builder *b = cnnfi_calloc(context, 1, sizeof *b);
    cnnf_graph *graph = cnnfi_calloc(context, 1, sizeof *graph);
    cnnf_error *first = cnnfi_calloc(context, 1, sizeof *first);
    if (!b || !graph || !first) {
        cnnfi_free(context, b);
        cnnfi_free(context, graph);
        cnnfi_free(context, first);
        return cnnfi_fail_nomem(error);
    }
    atomic_init(&graph->refs, 1);
    graph->context = cnnf_context_ref(context);
    cnnfi_arena_init(&graph->arena, context);
    cnnfi_strmap_init(&graph->names, context);
    cnnfi_strmap_init(&graph->function_names, context);
    b->graph = graph;
    b->error = first;
    first->offset = -1;
    *out = b;
    return CNNF_OK;
}

void cnnfi_builder_free(cnnfi_builder *b)
{
    if (!b) return;
    cnnf_context *context = cnnf_context_ref(b->graph->context);
    cnnf_graph_unref(b->graph);
    cnnfi_free(context, b->error);
    cnnfi_free(context, b);
    cnnf_context_unref(context);
}

static const char *name_at(const void *graph, int64_t index)
{
    return ((const cnnf_graph *)graph)->nodes[index]->name;
}

cnnf_status cnnfi_builder_from(cnnfi_builder **out, const cnnf_graph *graph, cnnf_error *error)
{
    *out = NULL;
    cnnfi_builder *b = NULL;
    CNNFI_TRY(cnnfi_builder_new(&b, graph->context, error));
    b->copying = true;
    for (size_t i = 0; i < graph->n_nodes; i++)
        cnnfi_builder_copy_node(b, graph->nodes[i], NULL);
    b->copying = false;
    if (!b->status && !cnnfi_strmap_copy(&b->graph->names, &graph->names, name_at, b->graph))
        b->status = cnnfi_fail_nomem(b->error);
    for (size_t i = 0; i < graph->n_functions; i++)
        cnnfi_builder_copy_function(b, graph->functions[i], NULL);
    cnnfi_copy_graph_fields(b, graph);
    if (b->status) {
        const cnnf_status status = b->status;
        cnnfi_error_copy(error, b->error);
        cnnfi_builder_free(b);
        return status;
    }
    *out = b;
    return CNNF_OK;
}

void cnnfi_builder_fail(cnnfi_builder *b, cnnf_status code, const char *format, ...)
{
    if (b->status) return;
    char text[sizeof b->error->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    b->status = cnnfi_fail(b->error, code, "%s", text);
}

void cnnfi_builder_fail_at(cnnfi_builder *b, cnnf_status code, const char *node, const char *format, ...)
{
    if (b->status) return;
    char text[sizeof b->error->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    b->status = cnnfi_fail_at_node(b->error, code, node, "%s", text);
}

cnnf_status cnnfi_builder_status(const cnnfi_builder *b)
{
    return b->status;
}

static void *sticky(cnnfi_builder *b, void *block)
{
    if (!block && !b->status) b->status = cnnfi_fail_nomem(b->error);
    return block;
}

void cnnfi_builder_spend(cnnfi_builder *b, uint64_t steps)
{
    if (!b->status && b->budget) b->status = cnnfi_budget_spend(b->budget, steps, b->error);
}

/* A name, an input, an attribute or its value: a step each. false after a failure. */
static bool pay(cnnfi_builder *b)
{
    cnnfi_builder_spend(b, 1);
    return !b->status;
}

const char *cnnfi_builder_strdup(cnnfi_builder *b, const char *text)
{
    return !text || !pay(b) ? NULL : sticky(b, cnnfi_arena_strdup(&b->graph->arena, text));
}

/* FNV-1a. */
static size_t word_hash(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash ^ hash >> 16;
}

const char *cnnfi_builder_word(cnnfi_builder *b, const char *text)
{
    if (b->status || !text) return NULL;
    const char **word = &b->words[word_hash(text) % (sizeof b->words / sizeof *b->words)];
    if (*word && strcmp(*word, text) == 0) return *word;
    const char *copy = cnnfi_builder_strdup(b, text);
    if (copy) *word = copy;
    return copy;
}

const char *cnnfi_builder_printf(cnnfi_builder *b, const char *format, ...)
{
    if (!pay(b)) return NULL;
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = sticky(b, length < 0 ? NULL : cnnfi_arena_alloc(&b->graph->arena, (size_t)length + 1));
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void *cnnfi_builder_array(cnnfi_builder *b, size_t count, size_t size)
{
    return !pay(b) ? NULL : sticky(b, cnnfi_arena_array(&b->graph->arena, count, size));
}

/* ---- nodes ---- */

static cnnf_node *new_node(cnnfi_builder *b, const char *op, const char *name)
{
    cnnf_node *node = cnnfi_builder_array(b, 1, sizeof *node);
    if (!node) return NULL;
    node->name = cnnfi_builder_strdup(b, name);
    node->op = cnnfi_builder_word(b, op);
    node->device = "";
    node->index = -1;
    return b->status ? NULL : node;
}

/* Enters the name of a node that is about to be the last. */
static bool enter_name(cnnfi_builder *b, cnnf_node *node)
{
    const int64_t other = cnnfi_strmap_get(&b->graph->names, node->name);
    if (other >= 0) {
        cnnfi_builder_fail(b, CNNF_E_CORRUPT, "node '%s' occurs twice (nodes %" PRId64 " and %zu)", node->name, other,
                           b->graph->n_nodes);
        return false;
    }
    return sticky(b, cnnfi_strmap_set(&b->graph->names, node->name, (int64_t)b->graph->n_nodes) ? node : NULL) != NULL;
}

cnnf_node *cnnfi_builder_add(cnnfi_builder *b, const char *op, const char *name)
{
    if (b->status || !name || !op) return NULL;
    cnnf_graph *g = b->graph;
    if (cnnfi_check_limit(g->context, CNNF_LIMIT_NODES, g->n_nodes + 1, "graph", b->error)) {
        b->status = CNNF_E_LIMIT;
        return NULL;
    }
    cnnf_node *node = new_node(b, op, name);
    if (!node || (!b->copying && !enter_name(b, node))) return NULL;
    if (!sticky(b, cnnfi_grow(g->context, (void **)&g->nodes, &b->node_capacity, g->n_nodes, sizeof *g->nodes)
                       ? b
                       : NULL)) {
        return NULL;
    }
    g->nodes[g->n_nodes++] = node;
    return node;
}

cnnf_node *cnnfi_builder_find(const cnnfi_builder *b, const char *name)
{
    const int64_t at = cnnfi_strmap_get(&b->graph->names, name);
    return at < 0 ? NULL : b->graph->nodes[at];
}

const char *cnnfi_builder_unique(cnnfi_builder *b, const char *base)
{
    if (cnnfi_strmap_get(&b->graph->names, base) < 0) return cnnfi_builder_strdup(b, base);
    for (unsigned i = 1; !b->status; i++) {
        const char *name = cnnfi_builder_printf(b, "%s_%u", base, i);
        if (name && cnnfi_strmap_get(&b->graph->names, name) < 0) return name;
    }
    return NULL;
}

void cnnfi_builder_remove(cnnfi_builder *b, cnnf_node *node)
{
    if (!node || node->removed) return;
    node->removed = b->moved = true;
    cnnfi_strmap_remove(&b->graph->names, node->name);
}

bool cnnfi_builder_rename(cnnfi_builder *b, cnnf_node *node, const char *name)
{
    if (b->status || !node) return false;
    if (cnnfi_strmap_get(&b->graph->names, name) >= 0) {
        cnnfi_builder_fail(b, CNNF_E_INVALID, "a node is already called '%s'", name);
        return false;
    }
    const char *copy = cnnfi_builder_strdup(b, name);
    if (!copy) return false;
    const int64_t position = cnnfi_strmap_remove(&b->graph->names, node->name);
    node->name = copy;
    return sticky(b, cnnfi_strmap_set(&b->graph->names, copy, position < 0 ? 0 : position) ? node : NULL) != NULL;
}

size_t cnnfi_builder_count(const cnnfi_builder *b)
{
    return b->graph->n_nodes;
}

cnnf_node *cnnfi_builder_node(const cnnfi_builder *b, size_t index)
{
    return b->graph->nodes[index];
}

void cnnfi_node_set_op(cnnfi_builder *b, cnnf_node *node, const char *op)
{
    const char *copy = node ? cnnfi_builder_word(b, op) : NULL;
    if (copy) node->op = copy;
}

void cnnfi_node_set_device(cnnfi_builder *b, cnnf_node *node, const char *device)
{
    const char *copy = node ? cnnfi_builder_word(b, device) : NULL;
    if (copy) node->device = copy;
}

static bool grow_inputs(cnnfi_builder *b, cnnf_node *node)
{
    if (node->n_inputs < node->input_capacity) return true;
    const size_t capacity = node->input_capacity ? node->input_capacity * 2 : 4;
    const char **inputs = cnnfi_builder_array(b, capacity, sizeof *inputs);
    if (!inputs) return false;
    if (node->n_inputs) memcpy(inputs, node->inputs, node->n_inputs * sizeof *inputs);
    node->inputs = inputs;
    node->input_capacity = capacity;
    return true;
}

void cnnfi_node_add_input(cnnfi_builder *b, cnnf_node *node, const char *input)
{
    const char *copy = node ? cnnfi_builder_strdup(b, input) : NULL;
    if (!copy || !grow_inputs(b, node)) return;
    node->inputs[node->n_inputs++] = copy;
}

void cnnfi_node_add_control(cnnfi_builder *b, cnnf_node *node, const char *name)
{
    const char *input = node ? cnnfi_builder_printf(b, "^%s", name) : NULL;
    if (!input || !grow_inputs(b, node)) return;
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (strcmp(node->inputs[i], input) == 0) return;
    }
    node->inputs[node->n_inputs++] = input;
}

void cnnfi_node_set_input(cnnfi_builder *b, cnnf_node *node, size_t index, const char *input)
{
    const char *copy = node && index < node->n_inputs ? cnnfi_builder_strdup(b, input) : NULL;
    if (copy) node->inputs[index] = copy;
}

void cnnfi_node_clear_inputs(cnnf_node *node)
{
    if (node) node->n_inputs = 0;
}

bool cnnfi_hold_tensor(cnnfi_builder *b, const cnnf_tensor *tensor)
{
    cnnf_graph *g = b->graph;
    if (b->status) return false;
    const bool grown =
        cnnfi_grow(g->context, (void **)&g->tensors, &g->tensor_capacity, g->n_tensors, sizeof *g->tensors);
    if (!sticky(b, grown ? g : NULL)) return false;
    g->tensors[g->n_tensors++] = cnnf_tensor_ref(tensor);
    return true;
}

void cnnfi_node_set_value(cnnfi_builder *b, cnnf_node *node, const cnnf_tensor *value)
{
    if (node && (!value || cnnfi_hold_tensor(b, value))) node->value = value;
}

cnnf_node *cnnfi_builder_const(cnnfi_builder *b, const char *name, const cnnf_tensor *value)
{
    cnnf_node *node = value ? cnnfi_builder_add(b, "Const", name) : NULL;
    cnnfi_node_set_type(b, node, "dtype", cnnf_tensor_dtype(value));
    cnnfi_node_set_tensor(b, node, "value", value);
    return node;
}

static cnnf_node *const_of(cnnfi_builder *b, const char *name, cnnf_dtype dtype, int32_t rank, const void *values,
                           size_t count)
{
    const int64_t dims[1] = {(int64_t)count};
    cnnf_tensor *tensor = NULL;
    if (b->status) return NULL;
    b->status = cnnfi_tensor_copy(&tensor, b->graph->context, dtype, rank == 0 ? 0 : 1, dims, values, b->error);
    cnnf_node *node = b->status ? NULL : cnnfi_builder_const(b, name, tensor);
    cnnf_tensor_unref(tensor);
    return node;
}

cnnf_node *cnnfi_builder_const_i32(cnnfi_builder *b, const char *name, int32_t rank, const int32_t *values,
                                   size_t count)
{
    return const_of(b, name, CNNF_INT32, rank, values, count);
}

cnnf_node *cnnfi_builder_const_f32(cnnfi_builder *b, const char *name, int32_t rank, const float *values, size_t count)
{
    return const_of(b, name, CNNF_FLOAT, rank, values, count);
}

/* ---- functions ---- */

cnnfi_function *cnnfi_builder_add_function(cnnfi_builder *b, const char *name)
{
    cnnf_graph *g = b->graph;
    cnnfi_function *function = cnnfi_builder_array(b, 1, sizeof *function);
    const char *copy = cnnfi_builder_strdup(b, name);
    if (!function || !copy) return NULL;
    function->name = copy;
    const bool grown =
        cnnfi_grow(g->context, (void **)&g->functions, &b->function_capacity, g->n_functions, sizeof *g->functions);
    if (!sticky(b, grown ? g : NULL)) return NULL;
    if (cnnfi_strmap_get(&g->function_names, copy) < 0 &&
        !sticky(b, cnnfi_strmap_set(&g->function_names, copy, (int64_t)g->n_functions) ? g : NULL))
        return NULL;
    g->functions[g->n_functions++] = function;
    g->has_library = true;
    return function;
}

cnnf_node *cnnfi_function_add(cnnfi_builder *b, cnnfi_function *function, const char *op, const char *name)
{
    cnnf_node *node = function ? new_node(b, op, name) : NULL;
    if (!node) return NULL;
    if ((function->n_nodes & (function->n_nodes - 1)) == 0) { /* a power of two, or none: full */
        cnnf_node **nodes = cnnfi_builder_array(b, function->n_nodes ? function->n_nodes * 2 : 1, sizeof *nodes);
        if (!nodes) return NULL;
        if (function->n_nodes) memcpy(nodes, function->nodes, function->n_nodes * sizeof *nodes);
        function->nodes = nodes;
    }
    function->nodes[function->n_nodes++] = node;
    return node;
}

static cnnf_status index_functions(cnnf_graph *g, cnnf_error *error)
{
    cnnfi_strmap_free(&g->function_names);
    for (size_t i = 0; i < g->n_functions; i++) {
        const char *name = g->functions[i]->name;
        if (cnnfi_strmap_get(&g->function_names, name) >= 0) continue;
        if (!cnnfi_strmap_set(&g->function_names, name, (int64_t)i)) return cnnfi_fail_nomem(error);
    }
    return CNNF_OK;
}

size_t cnnfi_builder_keep_functions(cnnfi_builder *b, const bool *keep)
{
    cnnf_graph *g = b->graph;
    const size_t before = g->n_functions;
    size_t kept = 0;
    if (b->status) return 0;
    for (size_t i = 0; i < before; i++) {
        if (keep[i]) g->functions[kept++] = g->functions[i];
    }
    g->n_functions = kept;
    if (kept < before) b->status = index_functions(g, b->error);
    return before - kept;
}

/* ---- declared inputs, outputs, variables ---- */

static const char **copy_names(cnnfi_builder *b, const char *const *names, size_t count)
{
    const char **copy = cnnfi_builder_array(b, count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        copy[i] = cnnfi_builder_strdup(b, names[i]);
    return copy;
}

void cnnfi_builder_set_io(cnnfi_builder *b, const char *const *inputs, size_t n_inputs, const char *const *outputs,
                          size_t n_outputs)
{
    cnnfi_meta *meta = &b->graph->meta;
    const char **in = copy_names(b, inputs, n_inputs), **out = copy_names(b, outputs, n_outputs);
    if (b->status) return;
    meta->inputs = in;
    meta->n_inputs = n_inputs;
    meta->outputs = out;
    meta->n_outputs = n_outputs;
}

void cnnfi_builder_add_variable(cnnfi_builder *b, const cnnfi_variable_def *variable)
{
    cnnfi_meta *meta = &b->graph->meta;
    const size_t n = meta->n_variables;
    if ((n & (n - 1)) == 0) {
        cnnfi_variable_def *grown = cnnfi_builder_array(b, n ? n * 2 : 1, sizeof *grown);
        if (!grown) return;
        if (n) memcpy(grown, meta->variables, n * sizeof *grown);
        meta->variables = grown;
    }
    const cnnfi_variable_def copy = {
        .variable_name = cnnfi_builder_strdup(b, variable->variable_name),
        .initial_value_name = cnnfi_builder_strdup(b, variable->initial_value_name),
        .initializer_name = cnnfi_builder_strdup(b, variable->initializer_name),
        .snapshot_name = cnnfi_builder_strdup(b, variable->snapshot_name),
        .is_resource = variable->is_resource,
        .trainable = variable->trainable,
    };
    if (b->status) return;
    meta->variables[n] = copy;
    meta->n_variables = n + 1;
}

void cnnfi_builder_set_versions(cnnfi_builder *b, int32_t producer, int32_t min_consumer)
{
    b->graph->versions.present = true;
    b->graph->versions.producer = producer;
    b->graph->versions.min_consumer = min_consumer;
}

/* ---- publishing ---- */

static void compact(cnnf_graph *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!g->nodes[i]->removed) g->nodes[kept++] = g->nodes[i];
    }
    g->n_nodes = kept;
}

static cnnf_status index_names(const cnnfi_builder *b, cnnf_error *error)
{
    cnnf_graph *g = b->graph;
    for (size_t i = 0; i < g->n_nodes; i++)
        g->nodes[i]->index = (int32_t)i;
    if (!b->moved) return CNNF_OK;
    cnnfi_strmap_free(&g->names);
    bool ok = cnnfi_strmap_reserve(&g->names, g->n_nodes);
    for (size_t i = 0; ok && i < g->n_nodes; i++)
        ok = cnnfi_strmap_set(&g->names, g->nodes[i]->name, (int64_t)i);
    return ok ? CNNF_OK : cnnfi_fail_nomem(error);
}

static cnnf_status resolve_inputs(cnnf_graph *g, cnnf_node *node, cnnf_error *error)
{
    if (node->edges) return CNNF_OK; /* an edit knows them */
    cnnfi_edge *edges = cnnfi_arena_array(&g->arena, node->n_inputs, sizeof *edges);
    if (!edges) return cnnfi_fail_nomem(error);
    for (size_t k = 0; k < node->n_inputs; k++) {
        const char *name;
        size_t length;
        const int32_t port = cnnfi_input_parse(node->inputs[k], &name, &length);
        const int64_t at = cnnfi_strmap_get_n(&g->names, name, length);
        if (at < 0 || port < CNNFI_PORT_CONTROL) {
            return cnnfi_fail_at_node(error, CNNF_E_CORRUPT, node->name, "node '%s': input %zu '%s' names no node",
                                      node->name, k, node->inputs[k]);
        }
        edges[k] = (cnnfi_edge){.node = (int32_t)at, .port = port};
    }
    node->edges = edges;
    return CNNF_OK;
}

static cnnf_status seal(const cnnfi_builder *b, cnnf_error *error)
{
    cnnf_graph *g = b->graph;
    compact(g);
    CNNFI_TRY(index_names(b, error));
    CNNFI_TRY(index_functions(g, error));
    for (size_t i = 0; i < g->n_nodes; i++)
        CNNFI_TRY(resolve_inputs(g, g->nodes[i], error));
    return CNNF_OK;
}

cnnf_status cnnfi_builder_publish(cnnf_graph **out, cnnfi_builder *b, cnnf_error *error)
{
    *out = NULL;
    cnnf_status status = b->status;
    if (status)
        cnnfi_error_copy(error, b->error);
    else
        status = seal(b, error);
    if (!status) *out = cnnf_graph_ref(b->graph);
    cnnfi_builder_free(b);
    return status;
}
