/* SPDX-License-Identifier: Apache-2.0 */
/*
 * freeze_graph: what the outputs need stays, variables become constants. The result is, byte for byte, what
 * TensorFlow 2.15's freeze_graph writes wherever that can be loaded again.
 */
#include <cnnfreeze/inspect.h>
#include <cnnfreeze/transform.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/resolve.h"
#include "graph/order.h"
#include "ops/op_table.h"
#include "transform/freeze/freeze_convert.h"
#include "transform/freeze/freeze_options.h"
#include "transform/freeze/initializers.h"

#define GRAPHDEF_MAX_BYTES ((uint64_t)INT32_MAX)

typedef struct freezer {
    cnnf_context *context;
    const cnnf_graph *graph;
    const cnnf_freeze_options *options;
    cnnf_error *error;
    size_t n_roots;
    int32_t *roots;  /* outputs */
    bool *keep;      /* per node */
    bool *convert;   /* per node */
    cnnfi_edit edit; /* a copy of the graph: same nodes at the same places */
    int64_t converted;
} freezer;

/* ---- outputs ---- */

static cnnf_status add_root(freezer *f, const char *name, size_t *capacity)
{
    const cnnf_node *node;
    if (!cnnfi_grow(f->context, (void **)&f->roots, capacity, f->n_roots, sizeof *f->roots))
        return cnnfi_fail_nomem(f->error);
    CNNFI_TRY(cnnfi_resolve_node(&node, f->graph, name, f->error));
    f->roots[f->n_roots++] = node->index;
    return CNNF_OK;
}

/* One name per line, as cnnf_graph_guess_outputs() gives them. */
static cnnf_status add_guessed(freezer *f, size_t *capacity)
{
    cnnf_buffer *names = NULL;
    CNNFI_TRY(cnnf_graph_guess_outputs(&names, f->graph, f->error));
    char *line = cnnfi_buffer_mut(names);
    cnnf_status status = CNNF_OK;
    for (char *end; status == CNNF_OK && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        cnnfi_log(f->context, CNNF_LOG_INFO, "output: %s", line);
        status = add_root(f, line, capacity);
    }
    cnnf_buffer_free(names);
    if (status == CNNF_OK && f->n_roots == 0)
        status = cnnfi_fail(f->error, CNNF_E_INVALID, "no outputs were given and none can be told from the graph");
    return status;
}

static cnnf_status find_roots(freezer *f)
{
    const cnnfi_text_list *given = &f->options->outputs;
    const cnnfi_meta *meta = &f->graph->meta;
    size_t capacity = 0;
    for (size_t i = 0; i < given->count; i++)
        CNNFI_TRY(add_root(f, given->items[i], &capacity));
    for (size_t i = 0; given->count == 0 && i < meta->n_outputs; i++)
        CNNFI_TRY(add_root(f, meta->outputs[i], &capacity));
    return f->n_roots ? CNNF_OK : add_guessed(f, &capacity);
}

/* ---- variables ---- */

static bool any_matches(const cnnfi_text_list *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (cnnfi_glob_match(patterns->items[i], name)) return true;
    }
    return false;
}

/* A name that matches no variable is a mistake; TensorFlow would silently freeze nothing. */
static cnnf_status check_patterns(const freezer *f, const cnnfi_text_list *patterns, const char *list)
{
    for (size_t i = 0; i < patterns->count; i++) {
        bool found = false;
        for (size_t k = 0; k < f->graph->n_nodes && !found; k++) {
            const cnnf_node *node = f->graph->nodes[k];
            found = cnnfi_op_is_variable(node->op) && cnnfi_glob_match(patterns->items[i], node->name);
        }
        if (!found)
            return cnnfi_fail(f->error, CNNF_E_NOT_FOUND, "%s list: '%s' is the name of no variable", list,
                              patterns->items[i]);
    }
    return CNNF_OK;
}

static bool wanted(const freezer *f, const cnnf_node *node)
{
    return (f->options->allow.count == 0 || any_matches(&f->options->allow, node->name)) &&
           !any_matches(&f->options->deny, node->name);
}

static cnnf_status fail_unbound(const freezer *f, const cnnf_node *first, size_t count)
{
    char others[64] = "";
    if (count > 1) snprintf(others, sizeof others, " (and %zu more variables without a value)", count - 1);
    if (first->unbound)
        return cnnfi_fail_at_node(f->error, CNNF_E_NOT_FOUND, first->name, "%s%s", first->unbound, others);
    return cnnfi_fail_at_node(f->error, CNNF_E_NOT_FOUND, first->name,
                              "variable '%s' has no value: no checkpoint was given%s", first->name, others);
}

static cnnf_status choose_variables(freezer *f)
{
    const cnnf_node *unbound = NULL;
    size_t n_unbound = 0;
    CNNFI_TRY(check_patterns(f, &f->options->allow, "allow"));
    CNNFI_TRY(check_patterns(f, &f->options->deny, "deny"));
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        if (!f->keep[i] || !cnnfi_op_is_variable(node->op) || !wanted(f, node)) continue;
        f->convert[i] = node->value != NULL;
        if (node->value) {
            f->converted++;
            continue;
        }
        if (!unbound) unbound = node;
        n_unbound++;
    }
    return unbound ? fail_unbound(f, unbound, n_unbound) : CNNF_OK;
}

/* ---- size ---- */

typedef struct sized {
    uint64_t bytes;
    const char *name;
} sized;

static uint64_t node_bytes(const freezer *f, const cnnf_node *node)
{
    const cnnfi_attr *value = cnnfi_node_attr(node, "value");
    if (f->convert[node->index]) return cnnf_tensor_byte_size(node->value);
    return value && value->kind == CNNF_ATTR_TENSOR ? cnnf_tensor_byte_size(value->u.tensor) : 0;
}

/* The constants alone decide: next to 2 GiB of them the nodes are small. */
static cnnf_status check_size(const freezer *f)
{
    uint64_t total = 0;
    sized largest[3] = {{0, ""}, {0, ""}, {0, ""}};
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        if (!f->keep[i]) continue;
        sized one = {node_bytes(f, f->graph->nodes[i]), f->graph->nodes[i]->name};
        total += one.bytes;
        for (size_t k = 0; k < 3; k++) {
            if (one.bytes <= largest[k].bytes) continue;
            const sized moved = largest[k];
            largest[k] = one;
            one = moved;
        }
    }
    if (total <= GRAPHDEF_MAX_BYTES) return CNNF_OK;
    return cnnfi_fail(f->error, CNNF_E_LIMIT,
                      "the frozen graph would have %" PRIu64 " bytes, a GraphDef can have %" PRIu64
                      "; largest: '%s' (%" PRIu64 "), '%s' (%" PRIu64 "), '%s' (%" PRIu64 ")",
                      total, GRAPHDEF_MAX_BYTES, largest[0].name, largest[0].bytes, largest[1].name, largest[1].bytes,
                      largest[2].name, largest[2].bytes);
}

/* ---- what cannot be frozen ---- */

/* Breadth first from the outputs, remembering who led there; next[] is -1 at an output. */
static bool find_path(const freezer *f, int32_t *next, int32_t *queue, int32_t wanted_node)
{
    size_t head = 0, tail = 0;
    for (size_t i = 0; i < f->graph->n_nodes; i++)
        next[i] = -2;
    for (size_t i = 0; i < f->n_roots; i++) {
        if (next[f->roots[i]] == -2) queue[tail++] = f->roots[i];
        next[f->roots[i]] = -1;
    }
    while (head < tail && next[wanted_node] == -2) {
        const cnnf_node *node = f->graph->nodes[queue[head++]];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const int32_t input = node->edges[k].node;
            if (input < 0 || next[input] != -2) continue;
            next[input] = node->index;
            queue[tail++] = input;
        }
    }
    return next[wanted_node] != -2;
}

/* "out <- x <- assign", the middle left out when it is long. */
static void print_path(const freezer *f, const int32_t *next, int32_t at, char *out, size_t size)
{
    size_t used = 0;
    for (int shown = 0; at >= 0 && used < size; shown++) {
        if (shown < 6 || next[at] < 0)
            used += (size_t)snprintf(out + used, size - used, "%s%s", shown ? " -> " : "", f->graph->nodes[at]->name);
        else if (shown == 6)
            used += (size_t)snprintf(out + used, size - used, " -> ...");
        at = next[at];
    }
}

static cnnf_status fail_refused(const freezer *f, const cnnfi_conversion *c)
{
    const cnnf_node *node = cnnfi_conversion_original(c, &c->refused);
    char path[600] = "";
    if (c->refused.scope == CNNFI_MAIN_SCOPE) {
        int32_t *next = cnnfi_array(f->context, f->graph->n_nodes, sizeof *next);
        int32_t *queue = cnnfi_array(f->context, f->graph->n_nodes, sizeof *queue);
        if (next && queue && find_path(f, next, queue, c->refused.node))
            print_path(f, next, c->refused.node, path, sizeof path);
        cnnfi_free(f->context, next);
        cnnfi_free(f->context, queue);
    } else {
        snprintf(path, sizeof path, "function '%s'", f->graph->functions[c->refused.scope]->name);
    }
    return cnnfi_fail_at_node(
        f->error, CNNF_E_UNSUPPORTED, node->name,
        "node '%s' (%s) needs variable '%s' itself, which a constant cannot replace; the outputs need it: %s",
        node->name, node->op, c->refused.variable->name, path);
}

/* ---- editing ---- */

#define IMPORTING_RELEASE 215

static void set_defaults(cnnfi_builder *b, cnnf_node *copy, const cnnfi_op *op)
{
    for (size_t i = 0; i < op->n_attrs; i++) {
        const cnnfi_op_attr *attr = cnnfi_op_attr_at(op, i);
        const cnnfi_bytes value = cnnfi_op_default(op, attr, IMPORTING_RELEASE);
        const cnnfi_attr *own = cnnfi_node_attr(copy, attr->name);
        if (value.data && (!own || own->kind == CNNF_ATTR_NONE)) cnnfi_wire_set(b, copy, attr->name, value);
    }
}

/* 1.15's tool writes what it was given, without `versions`. */
static bool is_tool_115(const freezer *f)
{
    const cnnfi_versions *versions = &f->graph->versions;
    const bool old = versions->producer > 0 && versions->producer <= cnnfi_release_producer(115);
    return f->options->tool == CNNFI_FREEZE_115 || (f->options->tool == CNNFI_FREEZE_AUTO && old);
}

/*
 * TensorFlow's freeze_graph imports the graph, and importing fills in the attributes a newer release knows. A
 * graph written for 1.15 or older stays as it is: it was made for consumers that refuse attributes they do not know.
 */
static void add_default_attrs(freezer *f)
{
    if (!f->options->default_attrs || is_tool_115(f) || f->graph->versions.producer <= cnnfi_release_producer(115))
        return;
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnfi_op *op = f->keep[i] ? cnnfi_op_find(f->graph->nodes[i]->op) : NULL;
        if (op) set_defaults(f->edit.b, f->edit.b->graph->nodes[i], op);
    }
}

static cnnf_status convert_all(freezer *f)
{
    cnnfi_conversion c;
    cnnf_status status = cnnfi_conversion_init(&c, f->graph, &f->edit, f->keep, f->error);
    for (size_t i = 0; status == CNNF_OK && i < f->graph->n_nodes; i++) {
        if (f->convert[i]) status = cnnfi_convert_variable(&c, (int32_t)i, f->error);
    }
    if (status == CNNF_OK && c.refused.node >= 0) status = fail_refused(f, &c);
    if (status == CNNF_OK) status = cnnfi_conversion_finish(&c, f->error);
    cnnfi_conversion_free(&c);
    return status;
}

/* What extract_sub_graph() writes: kept nodes in their order, library and (since 2.x) versions even when empty. */
static void extract(freezer *f)
{
    cnnf_graph *graph = f->edit.b->graph;
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        cnnf_node *copy = graph->nodes[i];
        if (!f->keep[i])
            cnnfi_edit_remove(&f->edit, copy);
        else if (!f->options->keep_devices)
            copy->device = "";
    }
    if (is_tool_115(f)) graph->versions = (cnnfi_versions){.present = false};
    graph->has_library = true;
    graph->versions.present = !is_tool_115(f);
    graph->extra = (cnnfi_bytes){.data = (const uint8_t *)"", .size = 0};
}

/* The name of output `i`: the node's, with its port where another than the first was meant. */
static const char *output_name(freezer *f, size_t i)
{
    const char *node = f->graph->nodes[f->roots[i]]->name, *given = NULL;
    const size_t length = strlen(node);
    if (f->options->outputs.count == f->n_roots)
        given = f->options->outputs.items[i];
    else if (f->options->outputs.count == 0 && f->graph->meta.n_outputs == f->n_roots)
        given = f->graph->meta.outputs[i];
    if (!given || strncmp(given, node, length) != 0 || given[length] != ':' || strcmp(given + length, ":0") == 0)
        return node;
    const char *copy = cnnfi_builder_printf(f->edit.b, "%s", given);
    return copy ? copy : node;
}

/* The frozen graph declares its outputs and what is left of the inputs; it has no variables and no saver. */
static void declare(freezer *f)
{
    cnnfi_builder *b = f->edit.b;
    const cnnfi_meta *old = &f->graph->meta;
    size_t n_inputs = 0;
    const char **inputs = cnnfi_builder_array(b, old->n_inputs + 1, sizeof *inputs);
    const char **outputs = cnnfi_builder_array(b, f->n_roots, sizeof *outputs);
    if (!inputs || !outputs) return;
    for (size_t i = 0; i < old->n_inputs; i++) {
        const cnnf_node *node = NULL;
        cnnf_error ignored = {0};
        if (cnnfi_resolve_node(&node, f->graph, old->inputs[i], &ignored) == CNNF_OK && f->keep[node->index])
            inputs[n_inputs++] = old->inputs[i];
    }
    for (size_t i = 0; i < f->n_roots; i++)
        outputs[i] = output_name(f, i);
    const bool reference = old->reference_variables;
    b->graph->meta = (cnnfi_meta){.reference_variables = reference};
    cnnfi_builder_set_io(b, inputs, n_inputs, outputs, f->n_roots);
}

static void log_nothing_to_do(const freezer *f)
{
    size_t variables = 0;
    for (size_t i = 0; i < f->graph->n_nodes; i++)
        variables += cnnfi_op_is_variable(f->graph->nodes[i]->op);
    if (variables == 0)
        cnnfi_log(f->context, CNNF_LOG_WARNING, "the graph has no variables: it is frozen already, or never had any");
    else if (f->options->allow.count == 0 && f->options->deny.count == 0)
        cnnfi_log(f->context, CNNF_LOG_WARNING, "the outputs need none of the graph's %zu variables", variables);
}

static cnnf_status freeze(freezer *f, cnnf_graph **out)
{
    const size_t n = f->graph->n_nodes;
    CNNFI_TRY(find_roots(f));
    f->keep = cnnfi_calloc(f->context, n + 1, sizeof *f->keep);
    f->convert = cnnfi_calloc(f->context, n + 1, sizeof *f->convert);
    if (!f->keep || !f->convert) return cnnfi_fail_nomem(f->error);
    CNNFI_TRY(cnnfi_reach(f->keep, f->graph, f->roots, f->n_roots, true, f->error));
    CNNFI_TRY(choose_variables(f));
    CNNFI_TRY(check_size(f));
    if (f->converted == 0) log_nothing_to_do(f);
    CNNFI_TRY(cnnfi_edit_begin(&f->edit, f->graph, NULL, f->error));
    add_default_attrs(f);
    CNNFI_TRY(convert_all(f));
    extract(f);
    declare(f);
    return cnnfi_builder_publish(out, cnnfi_edit_finish(&f->edit), f->error);
}

static void freezer_free(freezer *f)
{
    cnnfi_free(f->context, f->roots);
    cnnfi_free(f->context, f->keep);
    cnnfi_free(f->context, f->convert);
    cnnfi_edit_free(&f->edit);
}

cnnf_status cnnf_freeze(cnnf_graph **out, int64_t *converted, const cnnf_graph *graph,
                        const cnnf_freeze_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnf_graph *initialized = NULL;
    if (converted) *converted = 0;
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_freeze: out is NULL");
    *out = NULL;
    if (!graph) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_freeze: graph is NULL");
    if (!options) options = cnnfi_freeze_defaults();
    CNNFI_TRY(cnnfi_run_initializers(&initialized, graph, &options->initializers, error));
    freezer f = {.context = graph->context, .graph = initialized, .options = options, .error = error};
    const cnnf_status status = freeze(&f, out);
    if (status == CNNF_OK && converted) *converted = f.converted;
    freezer_free(&f);
    cnnf_graph_unref(initialized);
    return status;
}
