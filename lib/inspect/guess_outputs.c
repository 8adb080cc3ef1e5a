/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes are a graph's outputs, when it does not say. docs/outputs.md has the rule for users:
 *
 * Of what is computed from an input and read by nobody, those count that carry on what was learned. Results that are
 * integers, truths or strings (classes, hits), single numbers (losses, accuracies) and what only serves them, updates,
 * savers, summaries and what training added are looked through. Of the rest, the node whose ancestors hold the most
 * variables is the output, then the one with the most ancestors; and with it every other end of the same trunk that has
 * variables of its own: a second head.
 */
#include <cnnfreeze/inspect.h>

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/graph.h"
#include "graph/order.h"
#include "ops/graph_shapes.h"
#include "ops/op_rules.h"

/* What is known of a node, as bits. */
enum {
    IS_INPUT = 1,    /* the caller, a queue or an iterator feeds it */
    IS_FED = 2,      /* computed from an input */
    IS_LEARNED = 4,  /* a variable, or computed from one; in a frozen graph: from a constant of numbers */
    IS_UPDATE = 8,   /* assigns, or is read by assignments alone */
    IS_WATCHER = 16, /* its reading of a node does not count */
    IS_RESULT = 32,  /* no tensor of numbers: an integer, a truth, a string, a single number */
    DIES = 64,       /* every way on from it ends in a result, a watcher or an update */
    IS_LOSS = 128,   /* on the way from where labels come in, or from a class, to where it dies */
    GROWS = 256,     /* more is learned on the way on from it: it is no loss */
    IS_SHAPE = 512   /* follows from shapes alone */
};

/* More ends than this are not compared one by one; the first ones in file order are. */
#define MAX_ENDS 256

/* An end of the graph and what it rests on. */
typedef struct end {
    int32_t node;
    size_t variables, ancestors;
    size_t own;     /* variables that the best end does not rest on */
    bool is_joined; /* something that is fed lies under both */
} end;

typedef struct guesser {
    const cnnf_graph *graph;
    cnnfi_consumers consumers;
    cnnfi_graph_shapes shapes;
    int32_t *order; /* [n_nodes] topological */
    uint16_t *bits; /* [n_nodes] */
    bool *seen;     /* [n_nodes] ancestors of one end */
    bool *trunk;    /* [n_nodes] ancestors of the best end */
    int32_t *stack; /* [n_nodes] */
    end ends[MAX_ENDS];
    size_t n_ends;
    bool has_variables, has_loops;
} guesser;

#define IN_LIST(list, text) cnnfi_text_in((text), (list), sizeof(list) / sizeof *(list))

/* ---- names and ops ---- */

/* Scopes of what Keras and TF1 programs build around a model; `inner` ones count below a user's own scope, too. */
static const struct {
    const char *name;
    bool inner;
} watching_scopes[] = {{"Adam", false},      {"gradients", true}, {"init", false},
                       {"loss", false},      {"losses", false},   {"metrics", false},
                       {"optimizer", false}, {"save", true},      {"report_uninitialized_variables", true},
                       {"summaries", true},  {"train", false},    {"training", false}};

/* "save", "save_1": one component of a name, without the number that made it unique. */
static bool is_scope(const char *name, size_t whole, bool first)
{
    size_t n = whole;
    while (n > 0 && name[n - 1] >= '0' && name[n - 1] <= '9')
        n--;
    const bool is_numbered = n > 1 && n < whole && name[n - 1] == '_';
    const size_t length = is_numbered ? n - 1 : whole;
    for (size_t i = 0; i < sizeof watching_scopes / sizeof *watching_scopes; i++) {
        const char *scope = watching_scopes[i].name;
        if (!first && !watching_scopes[i].inner) continue;
        if (strlen(scope) == length && memcmp(scope, name, length) == 0) return true;
    }
    return false;
}

static bool is_watching_scope(const char *name)
{
    for (const char *at = name, *slash; (slash = strchr(at, '/')); at = slash + 1) {
        if (is_scope(at, (size_t)(slash - at), at == name)) return true;
    }
    const char *last = strrchr(name, '/');
    return !last && is_scope(name, strlen(name), true);
}

static bool is_watching_op(const char *op)
{
    static const char *const ops[] = {"Assert",
                                      "IsVariableInitialized",
                                      "MergeV2Checkpoints",
                                      "NoOp",
                                      "Print",
                                      "PrintV2",
                                      "QueueEnqueue",
                                      "QueueEnqueueMany",
                                      "QueueEnqueueManyV2",
                                      "QueueEnqueueV2",
                                      "RestoreV2",
                                      "SaveV2",
                                      "Save",
                                      "SaveSlices",
                                      "ShardedFilename",
                                      "VarIsInitializedOp"};
    return IN_LIST(ops, op) || cnnfi_ends_with(op, "Summary") || cnnfi_ends_with(op, "SummaryV2") ||
           cnnfi_starts_with(op, "TensorSummary");
}

static bool is_update_op(const char *op)
{
    static const char *const prefixes[] = {"Apply",           "Assign",  "ResourceApply",
                                           "ResourceScatter", "Scatter", "SparseApply"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (cnnfi_starts_with(op, prefixes[i])) return strcmp(op, "ScatterNd") != 0;
    }
    return false;
}

/* Placeholders that Keras adds for training are no inputs of the model; what queues and iterators give is one. */
static bool is_input(const cnnf_node *node)
{
    static const char *const ops[] = {"IteratorGetNext",    "IteratorV2GetNext",      "Placeholder",
                                      "PlaceholderV2",      "PlaceholderWithDefault", "QueueDequeue",
                                      "QueueDequeueMany",   "QueueDequeueManyV2",     "QueueDequeueUpTo",
                                      "QueueDequeueUpToV2", "QueueDequeueV2"};
    return IN_LIST(ops, node->op) && !strstr(node->name, "learning_phase") && !cnnfi_ends_with(node->name, "_target") &&
           !cnnfi_ends_with(node->name, "_sample_weights") && !is_watching_scope(node->name);
}

static bool is_float(cnnf_dtype dtype)
{
    return dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
}

/* Where learned numbers are: variables; in a graph without any (a frozen one), constants of more than one number. */
static bool is_learned_source(const guesser *g, const cnnf_node *node)
{
    if (g->has_variables || strcmp(node->op, "Const") != 0) return cnnfi_op_is_variable(node->op);
    const cnnfi_value value = cnnfi_graph_shape(&g->shapes, (cnnfi_edge){.node = node->index});
    return is_float(value.dtype) && value.rank != 0;
}

/* No tensor of numbers: a class, a hit, a label's text, one number. */
static bool is_result(const guesser *g, const cnnf_node *node)
{
    const cnnfi_value value = cnnfi_graph_shape(&g->shapes, (cnnfi_edge){.node = node->index});
    return (value.dtype && !is_float(value.dtype) && value.dtype != CNNF_RESOURCE) || value.rank == 0;
}

/* ---- marking ---- */

static bool has(const guesser *g, int32_t node, unsigned bits)
{
    return (g->bits[node] & bits) != 0;
}

static bool any_data_input(const guesser *g, const cnnf_node *node, unsigned bits)
{
    for (size_t k = 0; k < node->n_inputs; k++) {
        if (node->edges[k].port != CNNFI_PORT_CONTROL && has(g, node->edges[k].node, bits)) return true;
    }
    return false;
}

static unsigned forward_bits(const guesser *g, const cnnf_node *node)
{
    const cnnfi_op_rule *rule = cnnfi_op_rule_find(node->op);
    unsigned bits = is_result(g, node) ? IS_RESULT : 0;
    if (is_input(node)) bits |= IS_INPUT | IS_FED;
    if (rule && rule->flags & CNNFI_RULE_SHAPE) return bits | IS_SHAPE;
    if (any_data_input(g, node, IS_FED)) bits |= IS_FED;
    if (is_learned_source(g, node) || any_data_input(g, node, IS_LEARNED)) bits |= IS_LEARNED;
    return bits;
}

/* Once in topological order; once more for each loop around a loop, whose back edges come in late. */
static void mark_forward(guesser *g)
{
    enum { MOST_ROUNDS = 4 };
    bool changed = true;
    for (int round = 0; changed && round < MOST_ROUNDS; round++) {
        changed = false;
        for (size_t i = 0; i < g->graph->n_nodes; i++) {
            const cnnf_node *node = g->graph->nodes[g->order[i]];
            const unsigned bits = forward_bits(g, node);
            changed |= round > 0 && bits != g->bits[node->index];
            g->bits[node->index] = (uint16_t)bits;
        }
        changed |= round == 0 && g->has_loops;
    }
}

static bool every_reader(const guesser *g, int32_t node, unsigned bits)
{
    for (size_t c = g->consumers.start[node]; c < g->consumers.start[node + 1]; c++) {
        if (!has(g, g->consumers.node[c], bits)) return false;
    }
    return true;
}

static bool is_read(const guesser *g, int32_t node)
{
    return g->consumers.start[node + 1] > g->consumers.start[node];
}

/* Whether an operand is learned and comes from no input: weights. A single number is a regulariser's, or a scale. */
static bool takes_weights(const guesser *g, const cnnf_node *node)
{
    for (size_t k = 0; k < node->n_inputs; k++) {
        const cnnfi_edge edge = node->edges[k];
        if (edge.port == CNNFI_PORT_CONTROL || has(g, edge.node, IS_FED | IS_RESULT)) continue;
        if (has(g, edge.node, IS_LEARNED)) return true;
    }
    return false;
}

static bool some_reader_grows(const guesser *g, int32_t node)
{
    for (size_t c = g->consumers.start[node]; c < g->consumers.start[node + 1]; c++) {
        const int32_t reader = g->consumers.node[c];
        if (has(g, reader, IS_UPDATE | IS_WATCHER)) continue;
        if (has(g, reader, GROWS) || takes_weights(g, g->graph->nodes[reader])) return true;
    }
    return false;
}

/* From the ends back: who assigns or watches, and what comes to nothing. */
static void mark_backward(guesser *g)
{
    for (size_t i = g->graph->n_nodes; i-- > 0;) {
        const cnnf_node *node = g->graph->nodes[g->order[i]];
        const int32_t at = node->index;
        if (is_update_op(node->op) || (is_read(g, at) && every_reader(g, at, IS_UPDATE)))
            g->bits[at] |= IS_UPDATE;
        else if (is_watching_op(node->op) || is_watching_scope(node->name))
            g->bits[at] |= IS_WATCHER;
        const bool ends_here =
            is_read(g, at) ? every_reader(g, at, IS_UPDATE | IS_WATCHER | DIES) : has(g, at, IS_RESULT);
        if (has(g, at, IS_UPDATE | IS_WATCHER) || ends_here) g->bits[at] |= DIES;
        if (some_reader_grows(g, at)) g->bits[at] |= GROWS;
    }
}

/* Where labels meet predictions: one operand was learned from an input, another comes from an input as it is. */
static bool is_label_join(const guesser *g, const cnnf_node *node)
{
    bool prediction = false, label = false;
    for (size_t k = 0; k < node->n_inputs; k++) {
        if (node->edges[k].port == CNNFI_PORT_CONTROL) continue;
        const unsigned bits = g->bits[node->edges[k].node] & (IS_FED | IS_LEARNED);
        const cnnfi_value value = cnnfi_graph_shape(&g->shapes, node->edges[k]);
        prediction |= bits == (IS_FED | IS_LEARNED);
        label |= bits == IS_FED && value.dtype != CNNF_BOOL && value.rank != 0; /* no phase, no keep_prob */
    }
    return prediction && label;
}

/* A class or a hit that was computed, not given: what only follows from it is a measure. */
static bool follows_a_result(const guesser *g, const cnnf_node *node)
{
    for (size_t k = 0; k < node->n_inputs; k++) {
        const cnnfi_edge edge = node->edges[k];
        if (edge.port == CNNFI_PORT_CONTROL || !has(g, edge.node, IS_RESULT)) continue;
        if (has(g, edge.node, IS_FED) && has(g, edge.node, IS_LEARNED)) return true;
    }
    return false;
}

static void mark_losses(guesser *g)
{
    for (size_t i = 0; i < g->graph->n_nodes; i++) {
        const cnnf_node *node = g->graph->nodes[g->order[i]];
        if (!has(g, node->index, DIES) || has(g, node->index, GROWS)) continue;
        if (is_label_join(g, node) || follows_a_result(g, node) || any_data_input(g, node, IS_LOSS))
            g->bits[node->index] |= IS_LOSS;
    }
}

/* ---- ends ---- */

/* Computed from an input, and nobody reads on. `results`: integers and single numbers too. */
static bool is_end(const guesser *g, const cnnf_node *node, bool results)
{
    const int32_t at = node->index;
    const unsigned never = IS_INPUT | IS_UPDATE | IS_WATCHER | (results ? 0u : IS_RESULT | IS_LOSS);
    if (!has(g, at, IS_FED) || has(g, at, never)) return false;
    return every_reader(g, at, IS_UPDATE | IS_WATCHER | (results ? 0u : IS_RESULT | IS_LOSS));
}

/*
 * What a loss does to a prediction before the label comes in: -log(p + epsilon), 1 - d, clip(p). The prediction is what
 * lies before it.
 */
static bool is_before_loss(const guesser *g, const cnnf_node *node)
{
    static const char *const ops[] = {"Abs",      "Add",       "AddV2",        "Exp",          "Log",
                                      "Log1p",    "Maximum",   "Minimum",      "Mul",          "Neg",
                                      "OnesLike", "Reshape",   "Square",       "StopGradient", "Sub",
                                      "Identity", "ZerosLike", "GreaterEqual", "ClipByValue",  "Cast"};
    return has(g, node->index, DIES) && IN_LIST(ops, node->op) && !takes_weights(g, node);
}

/* Follows the one operand that was computed from an input, through what only a loss wants. */
static int32_t before_loss(const guesser *g, int32_t at)
{
    while (is_before_loss(g, g->graph->nodes[at])) {
        const cnnf_node *node = g->graph->nodes[at];
        int32_t from = -1;
        for (size_t k = 0; k < node->n_inputs; k++) {
            const cnnfi_edge edge = node->edges[k];
            if (edge.port == CNNFI_PORT_CONTROL || !has(g, edge.node, IS_FED)) continue;
            if (from >= 0 && from != edge.node) return at; /* two of them: computed, not prepared */
            from = edge.node;
        }
        if (from < 0 || !has(g, from, IS_LEARNED)) return at;
        at = from;
    }
    return at;
}

/* Read by losses alone, so that what it does may belong to them. */
static bool is_read_by_losses(const guesser *g, int32_t node)
{
    bool loss = false;
    for (size_t c = g->consumers.start[node]; c < g->consumers.start[node + 1]; c++) {
        const int32_t reader = g->consumers.node[c];
        if (has(g, reader, IS_UPDATE | IS_WATCHER)) continue;
        if (!has(g, reader, IS_LOSS)) return false;
        loss = true;
    }
    return loss;
}

/* In file order, each once. */
static void add_end(guesser *g, int32_t node)
{
    size_t at = g->n_ends;
    while (at > 0 && g->ends[at - 1].node > node)
        at--;
    if (at > 0 && g->ends[at - 1].node == node) return;
    memmove(&g->ends[at + 1], &g->ends[at], (g->n_ends - at) * sizeof *g->ends);
    g->ends[at] = (end){.node = node};
    g->n_ends++;
}

static void find_ends(guesser *g, bool results)
{
    bool learned = false;
    for (size_t i = 0; i < g->graph->n_nodes; i++)
        learned |= has(g, (int32_t)i, IS_LEARNED) && is_end(g, g->graph->nodes[i], results);
    g->n_ends = 0;
    for (size_t i = 0; i < g->graph->n_nodes && g->n_ends < MAX_ENDS; i++) {
        if (!is_end(g, g->graph->nodes[i], results) || (learned && !has(g, (int32_t)i, IS_LEARNED))) continue;
        add_end(g, !results && is_read_by_losses(g, (int32_t)i) ? before_loss(g, (int32_t)i) : (int32_t)i);
    }
}

/* What an end rests on: marks seen, counts ancestors, variables and those outside the trunk. */
static void count_ancestors(guesser *g, end *e)
{
    size_t n = 0;
    memset(g->seen, 0, g->graph->n_nodes * sizeof *g->seen);
    g->stack[n++] = e->node;
    g->seen[e->node] = true;
    e->variables = e->ancestors = e->own = 0;
    e->is_joined = false;
    while (n > 0) {
        const cnnf_node *node = g->graph->nodes[g->stack[--n]];
        const bool is_source = is_learned_source(g, node);
        e->ancestors++;
        e->variables += is_source;
        e->own += is_source && !g->trunk[node->index];
        e->is_joined |= g->trunk[node->index] && has(g, node->index, IS_FED);
        for (size_t k = 0; k < node->n_inputs; k++) {
            const int32_t from = node->edges[k].node;
            if (node->edges[k].port == CNNFI_PORT_CONTROL || g->seen[from]) continue;
            g->seen[from] = true;
            g->stack[n++] = from;
        }
    }
}

/* The end on which the most was learned, then the longest computation. */
static size_t best_end(guesser *g)
{
    size_t best = 0;
    for (size_t i = 0; i < g->n_ends; i++) {
        count_ancestors(g, &g->ends[i]);
        const end *e = &g->ends[i], *b = &g->ends[best];
        if (e->variables > b->variables || (e->variables == b->variables && e->ancestors > b->ancestors)) best = i;
    }
    return best;
}

/* An end that another one rests on was only the way there. */
static void drop_way_stations(guesser *g)
{
    for (size_t i = 0; i < g->n_ends; i++) {
        end e = g->ends[i];
        size_t kept = 0;
        count_ancestors(g, &e);
        for (size_t k = 0; k < g->n_ends; k++) {
            const bool below = g->ends[k].node != e.node && g->seen[g->ends[k].node];
            if (below && k < i) i--;
            if (!below) g->ends[kept++] = g->ends[k];
        }
        g->n_ends = kept;
    }
}

static void keep_heads(guesser *g)
{
    const size_t at = best_end(g);
    const end best = g->ends[at];
    size_t kept = 0;
    if (best.variables == 0) return; /* nothing was learned: every end counts */
    count_ancestors(g, &g->ends[at]);
    memcpy(g->trunk, g->seen, g->graph->n_nodes * sizeof *g->trunk);
    for (size_t i = 0; i < g->n_ends; i++) {
        end e = g->ends[i];
        count_ancestors(g, &e);
        /* Fewer variables and none of its own: a side result on the way (a loop's last state, a branch of training). */
        const bool is_head = e.own > 0 || e.variables == best.variables;
        if (i == at || (e.is_joined && is_head)) g->ends[kept++] = e;
    }
    g->n_ends = kept;
}

/* ---- the whole ---- */

static void note_kind(guesser *g, const cnnf_node *node)
{
    g->has_variables |= cnnfi_op_is_variable(node->op);
    g->has_loops |= strcmp(node->op, "NextIteration") == 0;
}

static cnnf_status guesser_init(guesser *g, const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_context *context = graph->context;
    const size_t n = graph->n_nodes + 1;
    g->graph = graph;
    CNNFI_TRY(cnnfi_consumers_init(&g->consumers, graph, error));
    CNNFI_TRY(cnnfi_graph_shapes_init(&g->shapes, graph, error));
    CNNFI_TRY(cnnfi_toposort(&g->order, graph, error));
    for (size_t i = 0; i < graph->n_nodes; i++)
        note_kind(g, graph->nodes[i]);
    g->bits = cnnfi_calloc(context, n, sizeof *g->bits);
    g->seen = cnnfi_calloc(context, n, sizeof *g->seen);
    g->trunk = cnnfi_calloc(context, n, sizeof *g->trunk);
    g->stack = cnnfi_calloc(context, n, sizeof *g->stack);
    return g->bits && g->seen && g->trunk && g->stack ? CNNF_OK : cnnfi_fail_nomem(error);
}

static void guesser_free(guesser *g)
{
    if (!g) return;
    cnnf_context *context = g->graph->context;
    cnnfi_free(context, g->stack);
    cnnfi_free(context, g->trunk);
    cnnfi_free(context, g->seen);
    cnnfi_free(context, g->bits);
    cnnfi_free(context, g->order);
    if (g->shapes.context) cnnfi_graph_shapes_free(&g->shapes);
    if (g->consumers.context) cnnfi_consumers_free(&g->consumers);
    cnnfi_free(context, g);
}

static void guess(guesser *g)
{
    mark_forward(g);
    mark_backward(g);
    mark_losses(g);
    find_ends(g, false);
    if (g->n_ends == 0) find_ends(g, true); /* a graph whose only results are classes or single numbers */
    drop_way_stations(g);
    if (g->n_ends) keep_heads(g);
}

cnnf_status cnnf_graph_guess_outputs(cnnf_buffer **out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnfi_strbuf names;
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_graph_guess_outputs: out is NULL");
    *out = NULL;
    if (!graph) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_graph_guess_outputs: graph is NULL");
    guesser *g = cnnfi_calloc(graph->context, 1, sizeof *g);
    if (!g) return cnnfi_fail_nomem(error);
    cnnfi_strbuf_init(&names, graph->context);
    cnnf_status status = guesser_init(g, graph, error);
    if (status == CNNF_OK) guess(g);
    for (size_t i = 0; status == CNNF_OK && i < g->n_ends; i++) {
        cnnfi_strbuf_puts(&names, graph->nodes[g->ends[i].node]->name);
        cnnfi_strbuf_putc(&names, '\n');
    }
    guesser_free(g);
    if (status == CNNF_OK) status = cnnfi_strbuf_finish(&names, out, error);
    cnnfi_strbuf_free(&names);
    return status;
}
