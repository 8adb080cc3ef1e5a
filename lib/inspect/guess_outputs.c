/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes are a graph's outputs, when it does not say. docs/outputs.md has the rule for users:
 *
 * Of what is computed from an input and read by nobody, those count that carry on what was learned. Results that are
 * integers, truths or strings (classes, hits), single numbers (losses, accuracies) and what only serves them, updates,
 * savers, summaries and what training added are looked through (output_marks.h). Of the rest, the node whose ancestors
 * hold the most variables is the output, then the one with the most ancestors; and with it every other end of the same
 * trunk that has variables of its own: a second head. Where the graph leaves more than one answer, none is given.
 */
#include <cnnfreeze/inspect.h>

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "inspect/output_marks.h"

/* More ends than this are not compared one by one; the first ones in file order are. */
#define MAX_ENDS 256
/* More names than this are not listed where the answer is not clear. */
#define MAX_CANDIDATES 10

/* How an end came to be one. */
enum {
    END_UNREAD,  /* nobody reads it, or watchers alone */
    END_RAISED,  /* read by losses and measures: what they were computed from */
    END_SAMPLED, /* what a loss over sampled classes was computed from: not what the model gives */
    END_REDUCED, /* read by averages and sums alone: part of a loss, or its prediction */
    END_LOOSE    /* only looked at, by summaries and as a picture */
};

/* An end of the graph and what it rests on. */
typedef struct end {
    int32_t node;
    int how; /* END_* */
    size_t variables, ancestors;
    size_t trained; /* of the variables, those that an optimiser changes */
    size_t own;     /* variables that the best end does not rest on */
    bool is_joined; /* something learned from an input lies under both */
    bool is_random; /* a random op lies under it: dropout while training */
} end;

typedef struct guesser {
    cnnfi_output_marks marks;
    const cnnf_graph *graph;
    bool *seen;     /* [n_nodes] ancestors of one end */
    bool *trunk;    /* [n_nodes] ancestors of the best end */
    int32_t *stack; /* [n_nodes] */
    end ends[MAX_ENDS];
    size_t n_ends;
    end candidates[MAX_ENDS]; /* all ends, for the message */
    size_t n_candidates;
    const char *unclear; /* why no answer is given; NULL: there is one */
} guesser;

#define IN_LIST(list, text) cnnfi_text_in((text), (list), sizeof(list) / sizeof *(list))

static bool has(const guesser *g, int32_t node, unsigned bits)
{
    return cnnfi_marked(&g->marks, node, bits);
}

/* ---- ends ---- */

/* Computed from an input, and nobody reads on. `results`: integers and single numbers too. */
static bool is_end(const guesser *g, const cnnf_node *node, bool results)
{
    const int32_t at = node->index;
    const unsigned never =
        CNNFI_IS_INPUT | CNNFI_IS_UPDATE | CNNFI_IS_WATCHER | (results ? 0u : CNNFI_IS_RESULT | CNNFI_IS_LOSS);
    if (!has(g, at, CNNFI_IS_FED) || has(g, at, never)) return false;
    if (!results && !cnnfi_is_read(&g->marks, at) && has(g, at, CNNFI_DIES)) return false;
    return cnnfi_every_reader(&g->marks, at,
                              CNNFI_IS_UPDATE | CNNFI_IS_WATCHER | (results ? 0u : CNNFI_IS_RESULT | CNNFI_IS_LOSS));
}

/* Whether something learned comes in beside what was fed, be it one number. */
static bool takes_learned(const guesser *g, const cnnf_node *node)
{
    for (size_t k = 0; k < cnnfi_node_data_inputs(node); k++) {
        const int32_t from = node->edges[k].node;
        if (has(g, from, CNNFI_IS_LEARNED) && !has(g, from, CNNFI_IS_FED)) return true;
    }
    return false;
}

/* A loss flattens what it is given; who adds a dimension makes a result. */
static bool adds_dimensions(const guesser *g, const cnnf_node *node)
{
    const cnnfi_value in = cnnfi_graph_shape(&g->marks.shapes, node->edges[0]);
    const cnnfi_value out = cnnfi_graph_shape(&g->marks.shapes, (cnnfi_edge){.node = node->index});
    return in.rank >= 0 && out.rank > in.rank;
}

/*
 * What a loss does to a prediction before the label comes in: -log(p + epsilon), 1 - d, clip(p). The prediction is what
 * lies before it.
 */
static bool is_before_loss(const guesser *g, const cnnf_node *node)
{
    static const char *const ops[] = {"Abs",     "Add",      "AddV2",    "Cast",         "ClipByValue", "Expm1",
                                      "Gather",  "GatherNd", "GatherV2", "GreaterEqual", "Identity",    "Log",
                                      "Log1p",   "Maximum",  "Minimum",  "Mul",          "Neg",         "OnesLike",
                                      "RealDiv", "Reshape",  "Square",   "StopGradient", "Sub",         "ZerosLike"};
    static const char *const inner[] = {"Abs", "Neg", "Select", "SelectV2"};
    if (!has(g, node->index, CNNFI_DIES) || takes_learned(g, node) || node->n_inputs == 0) return false;
    if (strcmp(node->op, "Exp") == 0) return IN_LIST(inner, g->graph->nodes[node->edges[0].node]->op);
    if (strcmp(node->op, "Reshape") == 0 && adds_dimensions(g, node)) return false;
    return IN_LIST(ops, node->op);
}

/* What is done to a tensor to look at it: a part, a scale, a transposition. */
static bool is_before_summary(const guesser *g, const cnnf_node *node)
{
    static const char *const ops[] = {
        "Cast",   "ClipByValue", "ExpandDims", "Identity",     "Max",     "Maximum",        "Mean",
        "Min",    "Minimum",     "Mul",        "Pack",         "Reshape", "ResizeBilinear", "ResizeNearestNeighbor",
        "Switch", "Slice",       "Squeeze",    "StridedSlice", "Sum",     "Tile",           "Transpose"};
    return has(g, node->index, CNNFI_DIES) && IN_LIST(ops, node->op) && !takes_learned(g, node);
}

/* The one operand that was learned from an input; -1 when there are two of them, or none. */
static int32_t only_operand(const guesser *g, const cnnf_node *node)
{
    int32_t from = -1;
    for (size_t k = 0; k < cnnfi_node_data_inputs(node); k++) {
        const int32_t at = node->edges[k].node;
        if (!has(g, at, CNNFI_IS_FED) || has(g, at, CNNFI_IS_RESULT)) continue;
        if (from >= 0 && from != at) return -1; /* two of them: computed, not prepared */
        from = at;
    }
    return from >= 0 && has(g, from, CNNFI_IS_LEARNED) ? from : -1;
}

typedef bool (*step_test)(const guesser *g, const cnnf_node *node);

/* Follows the one operand that was computed from an input, through what only a loss, or a summary, wants. */
static int32_t go_before(const guesser *g, int32_t at, step_test steps)
{
    while (steps(g, g->graph->nodes[at])) {
        const int32_t from = only_operand(g, g->graph->nodes[at]);
        if (from < 0) return at;
        at = from;
    }
    return at;
}

/* One reader's part in what an end is: a bit, 1 << END_*. */
static unsigned reads_as(const guesser *g, int32_t reader)
{
    if (has(g, reader, CNNFI_IS_UPDATE | CNNFI_IS_WATCHER)) return 1u << END_LOOSE;
    if (has(g, reader, CNNFI_IS_SAMPLED)) return 1u << END_SAMPLED;
    if (has(g, reader, CNNFI_IS_LOSS)) return 1u << END_RAISED;
    const char *op = g->graph->nodes[reader]->op;
    static const char *const looks[] = {"Cast", "Equal", "NotEqual"};
    if (IN_LIST(looks, op) && !has(g, reader, CNNFI_IS_SCALAR)) return 1u << END_LOOSE;
    return has(g, reader, CNNFI_IS_SCALAR) && !cnnfi_is_decision_op(op) ? 1u << END_REDUCED : 1u << END_UNREAD;
}

/* Who reads an end, the weightiest reader. Classes are read off what a user wants, as if nobody did. */
static int how_read(const guesser *g, int32_t node)
{
    static const int weight[] = {END_UNREAD, END_RAISED, END_SAMPLED, END_REDUCED, END_LOOSE};
    const cnnfi_consumers *consumers = &g->marks.consumers;
    unsigned as = 0;
    for (size_t c = consumers->start[node]; c < consumers->start[node + 1]; c++) {
        const bool is_shape = has(g, consumers->node[c], CNNFI_IS_SHAPE);
        if (!is_shape && consumers->input[c] >= 0) as |= reads_as(g, consumers->node[c]);
    }
    if (as & 1u << END_SAMPLED && !(as & 1u << END_UNREAD)) return END_SAMPLED;
    if (as & 1u << END_RAISED) return END_RAISED;
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++) {
        if (as & 1u << weight[i]) return weight[i];
    }
    return END_UNREAD;
}

/* In file order, each once; of two ways to be one, the plainer. */
static void add_end(guesser *g, int32_t node, int how)
{
    size_t at = g->n_ends;
    while (at > 0 && g->ends[at - 1].node > node)
        at--;
    if (at > 0 && g->ends[at - 1].node == node) return;
    memmove(&g->ends[at + 1], &g->ends[at], (g->n_ends - at) * sizeof *g->ends);
    g->ends[at] = (end){.node = node, .how = how};
    g->n_ends++;
}

static void take_end(guesser *g, int32_t node, bool results)
{
    const int how = results ? END_UNREAD : how_read(g, node);
    if (how == END_RAISED || how == END_SAMPLED || how == END_REDUCED)
        add_end(g, go_before(g, node, is_before_loss), how);
    else
        add_end(g, how == END_LOOSE ? go_before(g, node, is_before_summary) : node, how);
}

static void find_ends(guesser *g, bool results)
{
    bool learned = false;
    for (size_t i = 0; i < g->graph->n_nodes; i++)
        learned |= has(g, (int32_t)i, CNNFI_IS_LEARNED) && is_end(g, g->graph->nodes[i], results);
    g->n_ends = 0;
    for (size_t i = 0; i < g->graph->n_nodes && g->n_ends < MAX_ENDS; i++) {
        if (!is_end(g, g->graph->nodes[i], results) || (learned && !has(g, (int32_t)i, CNNFI_IS_LEARNED))) continue;
        take_end(g, (int32_t)i, results);
    }
}

/* ---- what an end rests on ---- */

static void count_node(const guesser *g, end *e, const cnnf_node *node)
{
    const int32_t at = node->index;
    const bool is_source = cnnfi_is_learned_source(&g->marks, node);
    const unsigned both = CNNFI_IS_FED | CNNFI_IS_LEARNED;
    e->ancestors++;
    e->variables += is_source;
    e->trained += has(g, at, CNNFI_IS_TRAINED);
    e->own += is_source && !g->trunk[at] && (!g->marks.has_trained || has(g, at, CNNFI_IS_TRAINED));
    e->is_joined |= g->trunk[at] && (g->marks.bits[at] & both) == both;
    e->is_random |= cnnfi_is_random_op(node->op);
}

/* Marks seen, counts ancestors, variables and those outside the trunk. */
static void count_ancestors(guesser *g, end *e)
{
    size_t n = 0;
    memset(g->seen, 0, g->graph->n_nodes * sizeof *g->seen);
    g->stack[n++] = e->node;
    g->seen[e->node] = true;
    *e = (end){.node = e->node, .how = e->how};
    while (n > 0) {
        const cnnf_node *node = g->graph->nodes[g->stack[--n]];
        count_node(g, e, node);
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

static void count_against_trunk(guesser *g, end *trunk)
{
    memset(g->trunk, 0, g->graph->n_nodes * sizeof *g->trunk);
    count_ancestors(g, trunk);
    memcpy(g->trunk, g->seen, g->graph->n_nodes * sizeof *g->trunk);
    for (size_t i = 0; i < g->n_ends; i++)
        count_ancestors(g, &g->ends[i]);
}

/* ---- which of them ---- */

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

/*
 * What comes behind a label is no output where the same was learned without it: a picture's likeness to the wanted one.
 */
static void drop_behind_labels(guesser *g)
{
    size_t most = 0, kept = 0;
    for (size_t i = 0; i < g->n_ends; i++) {
        const bool clean = !has(g, g->ends[i].node, CNNFI_IS_BEHIND_LABEL);
        if (clean && g->ends[i].variables > most) most = g->ends[i].variables;
    }
    for (size_t i = 0; i < g->n_ends; i++) {
        const bool clean = !has(g, g->ends[i].node, CNNFI_IS_BEHIND_LABEL);
        if (clean || g->ends[i].variables > most) g->ends[kept++] = g->ends[i];
    }
    g->n_ends = kept;
}

typedef bool (*end_test)(const guesser *g, const end *e);

static bool any_end(const guesser *g, end_test is)
{
    for (size_t i = 0; i < g->n_ends; i++) {
        if (is(g, &g->ends[i])) return true;
    }
    return false;
}

/* Where some ends are better than others, only those stay. */
static void prefer(guesser *g, end_test better)
{
    size_t kept = 0;
    if (!any_end(g, better)) return;
    for (size_t i = 0; i < g->n_ends; i++) {
        if (better(g, &g->ends[i])) g->ends[kept++] = g->ends[i];
    }
    g->n_ends = kept;
}

/* A network that no optimiser changes beside one that is: a DQN's target, a copy of an older policy. */
static bool rests_on_trained(const guesser *g, const end *e)
{
    return !g->marks.has_trained || e->trained > 0;
}

/* A loop's last states are seldom what the loop was made for. */
static bool is_no_loop_state(const guesser *g, const end *e)
{
    return strcmp(g->graph->nodes[e->node]->op, "Exit") != 0;
}

static bool is_no_sampled(const guesser *g, const end *e)
{
    (void)g;
    return e->how != END_SAMPLED;
}

/* A recurrent cell's state, unrolled (TensorFlow's scopes say so); a batch norm that quantisation has bypassed. */
static bool is_leftover(const guesser *g, const end *e)
{
    const char *name = g->graph->nodes[e->node]->name;
    return strstr(name, "_cell") || strstr(name, "rnn/") || strstr(name, "lstm") ||
           cnnfi_starts_with(g->graph->nodes[e->node]->op, "FusedBatchNorm");
}

/* The same variables in a computation of its own: the network built twice, to train it and to use it. */
static bool is_twin(const end *e, const end *best)
{
    return !e->is_joined && e->own == 0 && e->variables == best->variables;
}

/* Of two builds of a network, the one without dropout is the one to use. The best end's place. */
static size_t prefer_steady_twin(guesser *g, size_t at)
{
    for (size_t i = 0; i < g->n_ends && g->ends[at].is_random; i++) {
        if (i != at && is_twin(&g->ends[i], &g->ends[at]) && !g->ends[i].is_random) return i;
    }
    return at;
}

static bool is_part(const char *op)
{
    static const char *const ops[] = {"Slice", "Split", "SplitV", "StridedSlice", "Unpack", "Unstack"};
    return IN_LIST(ops, op);
}

/* The tensor's part that an end shows, perhaps through an activation; NULL: it is none. */
static const cnnf_node *part_of(const guesser *g, const end *e)
{
    static const char *const ops[] = {"Exp", "Identity", "Relu", "Reshape", "Sigmoid", "Softmax", "Squeeze", "Tanh"};
    const cnnf_node *node = g->graph->nodes[e->node];
    while (IN_LIST(ops, node->op) && node->n_inputs > 0)
        node = g->graph->nodes[node->edges[0].node];
    return is_part(node->op) && node->n_inputs > 0 ? node : NULL;
}

/* Parts of one tensor: a detector's boxes and scores. */
static bool are_parts_of_one(const guesser *g, const end *a, const end *b)
{
    const cnnf_node *x = part_of(g, a), *y = part_of(g, b);
    return x && y && (x == y || (strcmp(x->op, y->op) == 0 && x->edges[0].node == y->edges[0].node));
}

enum { SIDE_RESULT, HEAD, UNCLEAR };

/* What another end is to the best one. */
static int relation(const guesser *g, const end *e, const end *best)
{
    if (!e->is_joined) {
        if (is_twin(e, best)) return e->is_random && !best->is_random ? SIDE_RESULT : UNCLEAR;
        const bool shares = e->own < e->variables;
        return shares || e->own * 4 >= best->variables ? UNCLEAR : SIDE_RESULT;
    }
    if (e->own > 0) return HEAD;
    if (e->variables < best->variables) {
        /* None of its own, and not all of the trunk: a way station that somebody kept, or an embedding. */
        const bool plain = e->how == END_UNREAD && !e->is_random && !is_leftover(g, e);
        return plain && e->variables * 2 >= best->variables ? UNCLEAR : SIDE_RESULT;
    }
    if ((e->how == END_REDUCED || e->how == END_LOOSE) && best->how < END_SAMPLED) return SIDE_RESULT;
    const bool plain = e->how == END_UNREAD && best->how == END_UNREAD;
    return plain || are_parts_of_one(g, e, best) ? HEAD : UNCLEAR;
}

/* ---- one node under all of them ---- */

/*
 * Where a loss takes a prediction apart (its log here, its average there), several ends are left that rest on the same
 * variables: the output is the last node through which all of them pass. -1: there is none.
 */
static int32_t common_cut(guesser *g)
{
    size_t live = 0, i = g->graph->n_nodes;
    memset(g->seen, 0, g->graph->n_nodes * sizeof *g->seen);
    for (size_t k = 0; k < g->n_ends; k++) {
        live += !g->seen[g->ends[k].node];
        g->seen[g->ends[k].node] = true;
    }
    while (i-- > 0) {
        const cnnf_node *node = g->graph->nodes[g->marks.order[i]];
        if (!g->seen[node->index]) continue;
        if (live == 1 && !is_before_loss(g, node)) return node->index;
        if (cnnfi_takes_weights(&g->marks, node)) return -1;
        live--;
        for (size_t k = 0; k < cnnfi_node_data_inputs(node); k++) {
            const int32_t from = node->edges[k].node;
            if (g->seen[from] || !has(g, from, CNNFI_IS_FED) || !has(g, from, CNNFI_IS_LEARNED)) continue;
            g->seen[from] = true;
            live++;
        }
    }
    return -1;
}

/* ---- the choice ---- */

static void keep_heads(guesser *g)
{
    size_t at = best_end(g), kept = 0;
    if (g->ends[at].variables == 0) return;                       /* nothing was learned: every end counts */
    if (!g->marks.has_variables && !g->marks.is_training) return; /* frozen for its ends: all of them were asked for */
    end best = g->ends[at];
    count_against_trunk(g, &best);
    at = prefer_steady_twin(g, at);
    best = g->ends[at];
    count_against_trunk(g, &best);
    bool unclear = false, apart = false;
    for (size_t i = 0; i < g->n_ends; i++) {
        const end *e = &g->ends[i];
        const int what = i == at ? HEAD : relation(g, e, &best);
        unclear |= what == UNCLEAR;
        apart |= what == UNCLEAR && (!e->is_joined || e->variables != best.variables);
        if (what != SIDE_RESULT) g->ends[kept++] = *e;
    }
    g->n_ends = kept;
    /* An average of what two operands gave (two terms of a loss) is no prediction; below it there may be one. */
    unclear |= best.how == END_REDUCED && is_before_loss(g, g->graph->nodes[best.node]);
    if (!unclear) return;
    const int32_t cut = apart ? -1 : common_cut(g);
    if (cut < 0) {
        g->unclear =
            apart ? "it holds several networks, or one several times" : "several results rest on the same variables";
        return;
    }
    g->ends[0] = (end){.node = cut};
    g->n_ends = 1;
}

static void remember_candidates(guesser *g)
{
    memcpy(g->candidates, g->ends, g->n_ends * sizeof *g->ends);
    g->n_candidates = g->n_ends;
}

/*
 * A sequence of classes that was searched for, not just read off: a CRF's path, the boxes that non-maximum suppression
 * left. It may be what the model is for.
 */
static bool is_searched(const guesser *g, const cnnf_node *node)
{
    static const char *const searches[] = {"Exit",
                                           "Merge",
                                           "NonMaxSuppression",
                                           "NonMaxSuppressionV2",
                                           "NonMaxSuppressionV3",
                                           "NonMaxSuppressionV4",
                                           "NonMaxSuppressionV5",
                                           "ReverseSequence"};
    const unsigned both = CNNFI_IS_FED | CNNFI_IS_LEARNED;
    const cnnfi_value value = cnnfi_graph_shape(&g->marks.shapes, (cnnfi_edge){.node = node->index});
    if ((g->marks.bits[node->index] & both) != both || value.rank == 0) return false;
    return (value.dtype == CNNF_INT32 || value.dtype == CNNF_INT64) && IN_LIST(searches, node->op) &&
           !has(g, node->index, CNNFI_IS_WATCHER | CNNFI_IS_UPDATE | CNNFI_IS_SCALAR);
}

static bool shows_a_search(const guesser *g)
{
    for (size_t i = 0; i < g->graph->n_nodes; i++) {
        if (is_searched(g, g->graph->nodes[i])) return true;
    }
    return false;
}

static void choose(guesser *g)
{
    for (size_t i = 0; i < g->n_ends; i++)
        count_ancestors(g, &g->ends[i]);
    drop_behind_labels(g);
    drop_way_stations(g);
    for (size_t i = 0; i < g->n_ends; i++)
        count_ancestors(g, &g->ends[i]);
    remember_candidates(g);
    prefer(g, rests_on_trained);
    prefer(g, is_no_loop_state);
    prefer(g, is_no_sampled);
    if (g->n_ends) keep_heads(g);
    if (g->marks.has_variables && shows_a_search(g)) g->unclear = "classes were searched for";
    for (size_t i = 0; i < g->n_ends; i++) {
        if (g->ends[i].how == END_SAMPLED) g->unclear = "it was trained on sampled classes, and nothing shows what for";
    }
}

static void guess(guesser *g)
{
    find_ends(g, false);
    if (g->n_ends) {
        choose(g);
        return;
    }
    find_ends(g, true); /* a graph whose only results are classes or single numbers */
    drop_way_stations(g);
    remember_candidates(g);
    if (g->n_ends && g->marks.is_training) g->unclear = "it shows losses and measures only";
}

/* ---- the whole ---- */

static cnnf_status guesser_init(guesser *g, const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_context *context = graph->context;
    const size_t n = graph->n_nodes + 1;
    g->graph = graph;
    CNNFI_TRY(cnnfi_output_marks_init(&g->marks, graph, error));
    g->seen = cnnfi_calloc(context, n, sizeof *g->seen);
    g->trunk = cnnfi_calloc(context, n, sizeof *g->trunk);
    g->stack = cnnfi_calloc(context, n, sizeof *g->stack);
    return g->seen && g->trunk && g->stack ? CNNF_OK : cnnfi_fail_nomem(error);
}

static void guesser_free(guesser *g)
{
    if (!g) return;
    cnnf_context *context = g->graph->context;
    cnnfi_free(context, g->stack);
    cnnfi_free(context, g->trunk);
    cnnfi_free(context, g->seen);
    cnnfi_output_marks_free(&g->marks);
    cnnfi_free(context, g);
}

/* The names on one line, the first ones of many. */
static cnnf_status fail_unclear(const guesser *g, cnnf_error *error)
{
    cnnfi_strbuf list;
    cnnfi_strbuf_init(&list, g->graph->context);
    for (size_t i = 0; i < g->n_candidates && i < MAX_CANDIDATES; i++)
        cnnfi_strbuf_printf(&list, "%s%s", i ? ", " : "", g->graph->nodes[g->candidates[i].node]->name);
    if (g->n_candidates > MAX_CANDIDATES) cnnfi_strbuf_printf(&list, " and %zu more", g->n_candidates - MAX_CANDIDATES);
    const cnnf_status status = cnnfi_fail(
        error, CNNF_E_INVALID, "the graph does not show what its outputs are: %s; name them, for example of: %s",
        g->unclear, list.data ? list.data : "");
    cnnfi_strbuf_free(&list);
    return status;
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
    if (status == CNNF_OK && g->unclear) status = fail_unclear(g, error);
    for (size_t i = 0; status == CNNF_OK && i < g->n_ends; i++) {
        cnnfi_strbuf_puts(&names, graph->nodes[g->ends[i].node]->name);
        cnnfi_strbuf_putc(&names, '\n');
    }
    guesser_free(g);
    if (status == CNNF_OK) status = cnnfi_strbuf_finish(&names, out, error);
    cnnfi_strbuf_free(&names);
    return status;
}
