/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes are a graph's outputs, when it does not say: what is computed from an input and read by nobody,
 * not counting those who only watch (losses, metrics, gradients, summaries, savers) and what only feeds updates.
 */
#include <cnnfreeze/inspect.h>

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/graph.h"
#include "graph/order.h"

typedef enum role {
    ROLE_PLAIN,
    ROLE_WATCHER, /* its reading of a node does not count */
    ROLE_UPDATE   /* assigns, or is read by assignments alone */
} role;

typedef struct guesser {
    const cnnf_graph *graph;
    cnnfi_consumers consumers;
    int32_t *order;
    role *roles;
    bool *fed; /* computed from an input */
} guesser;

#define IN_LIST(list, text) cnnfi_text_in((text), (list), sizeof(list) / sizeof *(list))

static bool starts_with_any(const char *const *list, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (cnnfi_starts_with(text, list[i])) return true;
    }
    return false;
}

/* First scopes of what Keras and TF1 programs build around a model. */
static bool is_watching_scope(const char *name)
{
    static const char *const scopes[] = {"Adam",   "gradients", "init",      "loss",
                                         "losses", "metrics",   "optimizer", "report_uninitialized_variables",
                                         "save",   "summaries", "train",     "training"};
    char scope[64];
    size_t n = strcspn(name, "/");
    if (n >= sizeof scope) return false;
    memcpy(scope, name, n);
    while (n > 0 && scope[n - 1] >= '0' && scope[n - 1] <= '9')
        n--;
    if (n > 0 && n < strcspn(name, "/") && scope[n - 1] == '_')
        n--; /* save_1 */
    else
        n = strcspn(name, "/");
    scope[n] = '\0';
    return IN_LIST(scopes, scope);
}

static bool is_watching_op(const char *op)
{
    static const char *const ops[] = {
        "Assert", "IsVariableInitialized", "MergeV2Checkpoints", "NoOp", "Print", "PrintV2", "RestoreV2",
        "SaveV2", "VarIsInitializedOp"};
    return IN_LIST(ops, op) || cnnfi_ends_with(op, "Summary") || cnnfi_ends_with(op, "SummaryV2");
}

static bool is_update_op(const char *op)
{
    static const char *const prefixes[] = {"Apply",           "Assign",  "ResourceApply",
                                           "ResourceScatter", "Scatter", "SparseApply"};
    return starts_with_any(prefixes, sizeof prefixes / sizeof *prefixes, op) && strcmp(op, "ScatterNd") != 0;
}

/* Placeholders that Keras adds for training are no inputs of the model. */
static bool is_input(const cnnf_node *node)
{
    static const char *const ops[] = {"Placeholder", "PlaceholderWithDefault", "PlaceholderV2", "IteratorGetNext"};
    return IN_LIST(ops, node->op) && !strstr(node->name, "learning_phase") && !cnnfi_ends_with(node->name, "_target") &&
           !cnnfi_ends_with(node->name, "_sample_weights") && !is_watching_scope(node->name);
}

static void spread_inputs(guesser *g)
{
    for (size_t i = 0; i < g->graph->n_nodes; i++) {
        const cnnf_node *node = g->graph->nodes[g->order[i]];
        g->fed[node->index] = is_input(node);
        for (size_t k = 0; k < node->n_inputs && !g->fed[node->index]; k++) {
            const cnnfi_edge edge = node->edges[k];
            g->fed[node->index] = edge.node >= 0 && edge.port != CNNFI_PORT_CONTROL && g->fed[edge.node];
        }
    }
}

/* Whether every reader of the node is an update; false without readers. */
static bool only_updates_read(const guesser *g, int32_t node)
{
    const size_t begin = g->consumers.start[node], end = g->consumers.start[node + 1];
    for (size_t c = begin; c < end; c++) {
        if (g->roles[g->consumers.node[c]] != ROLE_UPDATE) return false;
    }
    return end > begin;
}

static void assign_roles(guesser *g)
{
    for (size_t i = g->graph->n_nodes; i-- > 0;) {
        const cnnf_node *node = g->graph->nodes[g->order[i]];
        if (is_update_op(node->op) || only_updates_read(g, node->index))
            g->roles[node->index] = ROLE_UPDATE;
        else if (is_watching_op(node->op) || is_watching_scope(node->name))
            g->roles[node->index] = ROLE_WATCHER;
    }
}

static bool is_sink(const guesser *g, const cnnf_node *node)
{
    if (!g->fed[node->index] || g->roles[node->index] != ROLE_PLAIN || is_input(node)) return false;
    for (size_t c = g->consumers.start[node->index]; c < g->consumers.start[node->index + 1]; c++) {
        if (g->roles[g->consumers.node[c]] == ROLE_PLAIN) return false;
    }
    return true;
}

/* 0: what classifiers end in; 1: other computations; 2: what rarely is meant. */
static int rank_of(const cnnf_node *node)
{
    static const char *const best[] = {"Sigmoid", "Softmax", "Tanh"}, *const worst[] = {"Const", "Shape", "Size",
                                                                                        "Rank"};
    if (IN_LIST(best, node->op)) return 0;
    return IN_LIST(worst, node->op) ? 2 : 1;
}

static void list_sinks(const guesser *g, cnnfi_strbuf *out)
{
    for (int rank = 0; rank < 3 && (rank < 2 || out->size == 0); rank++) {
        for (size_t i = 0; i < g->graph->n_nodes; i++) {
            const cnnf_node *node = g->graph->nodes[i];
            if (rank_of(node) == rank && is_sink(g, node)) {
                cnnfi_strbuf_puts(out, node->name);
                cnnfi_strbuf_putc(out, '\n');
            }
        }
    }
}

static cnnf_status guess(guesser *g, cnnfi_strbuf *out, cnnf_error *error)
{
    const cnnf_graph *graph = g->graph;
    CNNFI_TRY(cnnfi_toposort(&g->order, graph, error));
    g->roles = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *g->roles);
    g->fed = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *g->fed);
    if (!g->roles || !g->fed) return cnnfi_fail_nomem(error);
    spread_inputs(g);
    assign_roles(g);
    list_sinks(g, out);
    return CNNF_OK;
}

cnnf_status cnnf_graph_guess_outputs(cnnf_buffer **out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnfi_strbuf names;
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_graph_guess_outputs: out is NULL");
    *out = NULL;
    if (!graph) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_graph_guess_outputs: graph is NULL");
    guesser g = {.graph = graph};
    CNNFI_TRY(cnnfi_consumers_init(&g.consumers, graph, error));
    cnnfi_strbuf_init(&names, graph->context);
    cnnf_status status = guess(&g, &names, error);
    cnnfi_free(graph->context, g.order);
    cnnfi_free(graph->context, g.roles);
    cnnfi_free(graph->context, g.fed);
    cnnfi_consumers_free(&g.consumers);
    if (status == CNNF_OK) status = cnnfi_strbuf_finish(&names, out, error);
    cnnfi_strbuf_free(&names);
    return status;
}
