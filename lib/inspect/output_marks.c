/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/output_marks.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "ops/op_rules.h"

#define IN_LIST(list, text) cnnfi_text_in((text), (list), sizeof(list) / sizeof *(list))

/* ---- names ---- */

/*
 * Scopes of what Keras and TF1 programs build around a model; `inner` ones count below a user's own scope, too. What
 * training adds is known by gradients and updates: people put whole models under "train".
 */
static const struct {
    const char *name;
    bool inner;
} watching_scopes[] = {{"gradients", true},
                       {"init", false},
                       {"loss", false},
                       {"losses", false},
                       {"metrics", false},
                       {"save", true},
                       {"report_uninitialized_variables", true},
                       {"summaries", true}};

/* The length of one component of a name without the number that made it unique: "save_1" is 4. */
static size_t without_number(const char *name, size_t whole)
{
    size_t n = whole;
    while (n > 0 && name[n - 1] >= '0' && name[n - 1] <= '9')
        n--;
    return n > 1 && n < whole && name[n - 1] == '_' ? n - 1 : whole;
}

static bool is_scope(const char *name, size_t whole, bool first)
{
    const size_t length = without_number(name, whole);
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

/* What follows the component "gradients" (or "gradients_1") of a name; NULL when it has none. */
static const char *inside_gradients(const char *name)
{
    for (const char *at = name, *slash; (slash = strchr(at, '/')); at = slash + 1) {
        const size_t length = without_number(at, (size_t)(slash - at));
        if (length == strlen("gradients") && memcmp(at, "gradients", length) == 0) return slash + 1;
    }
    return NULL;
}

/* ---- ops ---- */

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

/* What an optimiser does to a variable, its first input. */
static bool is_optimizer_op(const char *op)
{
    return cnnfi_starts_with(op, "Apply") || cnnfi_starts_with(op, "ResourceApply") ||
           cnnfi_starts_with(op, "SparseApply") || cnnfi_starts_with(op, "ResourceSparseApply");
}

/* Losses by themselves, whoever comes in. */
static bool is_loss_op(const char *op)
{
    static const char *const ops[] = {"CTCLoss", "CTCLossV2", "L2Loss", "SoftmaxCrossEntropyWithLogits",
                                      "SparseSoftmaxCrossEntropyWithLogits"};
    return IN_LIST(ops, op);
}

/* What is done to a prediction to decide: its numbers are hits, where nobody goes on with them. */
bool cnnfi_is_decision_op(const char *op)
{
    static const char *const ops[] = {"CTCBeamSearchDecoder",
                                      "CTCGreedyDecoder",
                                      "Ceil",
                                      "EditDistance",
                                      "Floor",
                                      "InTopK",
                                      "InTopKV2",
                                      "Rint",
                                      "Round",
                                      "Sign",
                                      "TopK",
                                      "TopKV2"};
    return IN_LIST(ops, op);
}

bool cnnfi_is_random_op(const char *op)
{
    static const char *const ops[] = {"Multinomial", "ParameterizedTruncatedNormal", "TruncatedNormal"};
    return cnnfi_starts_with(op, "Random") || cnnfi_starts_with(op, "Stateless") || IN_LIST(ops, op);
}

/* Placeholders that Keras adds for training are no inputs of the model; what queues and iterators give is one. */
static bool is_input(const cnnf_node *node)
{
    static const char *const ops[] = {"IteratorGetNext",  "IteratorGetNextSync", "OptionalGetValue",
                                      "Placeholder",      "PlaceholderV2",       "PlaceholderWithDefault",
                                      "QueueDequeue",     "QueueDequeueMany",    "QueueDequeueManyV2",
                                      "QueueDequeueUpTo", "QueueDequeueUpToV2",  "QueueDequeueV2"};
    return IN_LIST(ops, node->op) && !strstr(node->name, "learning_phase") && !cnnfi_ends_with(node->name, "_target") &&
           !cnnfi_ends_with(node->name, "_sample_weights") && !is_watching_scope(node->name);
}

static bool is_float(cnnf_dtype dtype)
{
    return dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
}

/* Numbers that a model computes with; quantised ones, too. */
static bool is_number(cnnf_dtype dtype)
{
    return is_float(dtype) || dtype == CNNF_QINT8 || dtype == CNNF_QUINT8 || dtype == CNNF_QINT16 ||
           dtype == CNNF_QUINT16 || dtype == CNNF_QINT32;
}

/* ---- small questions ---- */

static bool has(const cnnfi_output_marks *m, int32_t node, unsigned bits)
{
    return cnnfi_marked(m, node, bits);
}

static bool any_data_input(const cnnfi_output_marks *m, const cnnf_node *node, unsigned bits)
{
    for (size_t k = 0; k < node->n_inputs; k++) {
        if (node->edges[k].port != CNNFI_PORT_CONTROL && has(m, node->edges[k].node, bits)) return true;
    }
    return false;
}

static bool every_data_input(const cnnfi_output_marks *m, const cnnf_node *node, unsigned bits)
{
    const size_t n = cnnfi_node_data_inputs(node);
    for (size_t k = 0; k < n; k++) {
        if (!has(m, node->edges[k].node, bits)) return false;
    }
    return n > 0;
}

static cnnfi_value first_output(const cnnfi_output_marks *m, const cnnf_node *node)
{
    return cnnfi_graph_shape(&m->shapes, (cnnfi_edge){.node = node->index});
}

bool cnnfi_every_reader(const cnnfi_output_marks *m, int32_t node, unsigned bits)
{
    for (size_t c = m->consumers.start[node]; c < m->consumers.start[node + 1]; c++) {
        if (!has(m, m->consumers.node[c], bits)) return false;
    }
    return true;
}

bool cnnfi_is_learned_source(const cnnfi_output_marks *m, const cnnf_node *node)
{
    if (m->has_variables || strcmp(node->op, "Const") != 0) return cnnfi_op_is_variable(node->op);
    const cnnfi_value value = first_output(m, node);
    return is_float(value.dtype) && value.rank != 0;
}

/* A single number is a regulariser's, or a scale. */
bool cnnfi_takes_weights(const cnnfi_output_marks *m, const cnnf_node *node)
{
    for (size_t k = 0; k < node->n_inputs; k++) {
        const cnnfi_edge edge = node->edges[k];
        if (edge.port == CNNFI_PORT_CONTROL || has(m, edge.node, CNNFI_IS_FED | CNNFI_IS_RESULT)) continue;
        if (has(m, edge.node, CNNFI_IS_LEARNED)) return true;
    }
    return false;
}

/* ---- single numbers ---- */

/* The axes [0, 1, ..., k - 1] that tf.reduce_mean(x) writes, as "Const", when it knows the rank. */
static bool is_all_axes(const cnnfi_output_marks *m, const cnnf_node *axes)
{
    const char *slash = strrchr(axes->name, '/'), *last = slash ? slash + 1 : axes->name;
    const size_t length = without_number(last, strlen(last));
    if (strcmp(axes->op, "Const") != 0 || length != strlen("Const") || memcmp(last, "Const", length) != 0) return false;
    const cnnfi_constant *value = cnnfi_graph_constant(&m->shapes, (cnnfi_edge){.node = axes->index});
    if (!cnnfi_constant_is_whole(value) || value->shape.rank != 1) return false;
    for (int64_t i = 0; i < value->shape.count; i++) {
        if (value->v[i] != (double)i) return false;
    }
    return true;
}

/* A reduction to one number of something whose rank the graph does not say: Range(0, Rank(x), 1), or see above. */
static bool reduces_all(const cnnfi_output_marks *m, const cnnf_node *node)
{
    static const char *const ops[] = {"All", "Any", "Max", "Mean", "Min", "Prod", "Sum"};
    if (!IN_LIST(ops, node->op) || node->n_inputs < 2 || node->edges[1].port == CNNFI_PORT_CONTROL) return false;
    const cnnfi_attr *keep = cnnfi_node_attr(node, "keep_dims");
    if (keep && keep->kind == CNNF_ATTR_BOOL && keep->u.b) return false;
    const cnnf_node *axes = m->graph->nodes[node->edges[1].node];
    if (strcmp(axes->op, "Range") != 0) return is_all_axes(m, axes);
    const cnnf_node *limit = axes->n_inputs > 1 ? m->graph->nodes[axes->edges[1].node] : axes;
    return strcmp(limit->op, "Rank") == 0;
}

/* What gives a single number where it is given single numbers. */
static bool is_elementwise(const char *op)
{
    static const char *const ops[] = {"Abs",
                                      "Add",
                                      "AddN",
                                      "AddV2",
                                      "Cast",
                                      "Div",
                                      "DivNoNan",
                                      "Exp",
                                      "Log",
                                      "Log1p",
                                      "Maximum",
                                      "Minimum",
                                      "Mul",
                                      "Neg",
                                      "Pow",
                                      "RealDiv",
                                      "Identity",
                                      "OnesLike",
                                      "ZerosLike",
                                      "Select",
                                      "Sqrt",
                                      "Square",
                                      "SquaredDifference",
                                      "Sub"};
    return IN_LIST(ops, op);
}

static bool is_scalar(const cnnfi_output_marks *m, const cnnf_node *node)
{
    const cnnfi_value value = first_output(m, node);
    if (m->shapes.counts[node->index] > 1) return false; /* a loop counts in its first output */
    if (value.rank >= 0) return value.rank == 0;
    return reduces_all(m, node) || (is_elementwise(node->op) && every_data_input(m, node, CNNFI_IS_SCALAR));
}

/* ---- before the walks ---- */

/* "gradients/Fill", "gradients/grad_ys_0": what a gradient starts with. */
static bool is_seed(const char *name)
{
    const char *rest = inside_gradients(name);
    if (!rest || strchr(rest, '/')) return false;
    return strcmp(rest, "Fill") == 0 || cnnfi_starts_with(rest, "grad_ys_") || cnnfi_starts_with(rest, "ones");
}

/* The node whose gradient starts: "train/gradients/loss/Mean_grad/Reshape" reads a seed, so it is "loss/Mean". */
static void note_top(cnnfi_output_marks *m, const cnnf_node *node)
{
    const char *rest = inside_gradients(node->name), *end = rest ? strstr(rest, "_grad/") : NULL;
    bool starts = false;
    for (size_t k = 0; end && k < node->n_inputs; k++)
        starts |= is_seed(m->graph->nodes[node->edges[k].node]->name);
    const int64_t top = starts ? cnnfi_strmap_get_n(&m->graph->names, rest, (size_t)(end - rest)) : -1;
    if (top >= 0) m->bits[top] |= CNNFI_IS_TOP;
}

static void note_optimizer(cnnfi_output_marks *m, const cnnf_node *node)
{
    if (!is_optimizer_op(node->op) || node->n_inputs == 0) return;
    const int32_t variable = node->edges[0].node;
    if (!cnnfi_op_is_variable(m->graph->nodes[variable]->op)) return;
    m->bits[variable] |= CNNFI_IS_TRAINED;
    m->has_trained = true;
}

static void note_kinds(cnnfi_output_marks *m)
{
    for (size_t i = 0; i < m->graph->n_nodes; i++) {
        const cnnf_node *node = m->graph->nodes[i];
        m->has_variables |= cnnfi_op_is_variable(node->op);
        m->has_loops |= strcmp(node->op, "NextIteration") == 0;
        m->is_training |= inside_gradients(node->name) != NULL || is_optimizer_op(node->op);
        note_top(m, node);
        note_optimizer(m, node);
    }
}

/* ---- forward ---- */

/* Whether no output holds numbers: a loop counts in its first one, and carries the model in others. */
static bool has_no_numbers(const cnnfi_output_marks *m, const cnnf_node *node)
{
    const int32_t n = m->shapes.counts[node->index];
    for (int32_t port = 0; port < n; port++) {
        const cnnf_dtype dtype = cnnfi_graph_shape(&m->shapes, (cnnfi_edge){node->index, port}).dtype;
        if (!dtype || is_number(dtype) || dtype == CNNF_RESOURCE) return false;
    }
    return n > 0;
}

/* No tensor of numbers: a class, a hit, a label's text, one number. A loss of each example is where gradients start. */
static bool is_result(const cnnfi_output_marks *m, const cnnf_node *node, unsigned bits)
{
    const cnnfi_value value = first_output(m, node);
    if (has_no_numbers(m, node)) return true;
    return bits & CNNFI_IS_SCALAR || (bits & CNNFI_IS_TOP && value.rank <= 1);
}

/* Behind a StopGradient stands a target (what a DQN wants to be), until something learned joins in. */
static bool is_stopped(const cnnfi_output_marks *m, const cnnf_node *node)
{
    if (strcmp(node->op, "StopGradient") == 0) return true;
    bool stopped = false;
    for (size_t k = 0; k < cnnfi_node_data_inputs(node); k++) {
        const int32_t from = node->edges[k].node;
        if (has(m, from, CNNFI_IS_LEARNED) && !has(m, from, CNNFI_IS_STOPPED)) return false;
        stopped |= has(m, from, CNNFI_IS_STOPPED);
    }
    return stopped;
}

static unsigned forward_bits(const cnnfi_output_marks *m, const cnnf_node *node)
{
    const cnnfi_op_rule *rule = cnnfi_op_rule_find(node->op);
    unsigned bits = m->bits[node->index] & (CNNFI_IS_TOP | CNNFI_IS_TRAINED);
    if (is_scalar(m, node)) bits |= CNNFI_IS_SCALAR;
    if (is_result(m, node, bits)) bits |= CNNFI_IS_RESULT;
    if (any_data_input(m, node, CNNFI_IS_BEHIND_GRADIENT)) return bits | CNNFI_IS_BEHIND_GRADIENT | CNNFI_IS_WATCHER;
    if (inside_gradients(node->name)) {
        /* A loop's gradient puts empty lists under its name, which the loop itself fills. */
        const bool real = is_seed(node->name) || any_data_input(m, node, CNNFI_IS_FED | CNNFI_IS_LEARNED);
        return bits | CNNFI_IS_WATCHER | (real ? CNNFI_IS_BEHIND_GRADIENT : 0u);
    }
    if (is_update_op(node->op)) return bits;
    if (is_input(node)) bits |= CNNFI_IS_INPUT | CNNFI_IS_FED;
    if (rule && rule->flags & CNNFI_RULE_SHAPE) return bits | CNNFI_IS_SHAPE;
    if (any_data_input(m, node, CNNFI_IS_FED)) bits |= CNNFI_IS_FED;
    if (cnnfi_is_learned_source(m, node) || any_data_input(m, node, CNNFI_IS_LEARNED)) bits |= CNNFI_IS_LEARNED;
    if (is_stopped(m, node)) bits |= CNNFI_IS_STOPPED;
    if (cnnfi_ends_with(node->op, "CandidateSampler") || any_data_input(m, node, CNNFI_IS_SAMPLED))
        bits |= CNNFI_IS_SAMPLED;
    return bits;
}

/* Once in topological order; once more for each loop around a loop, whose back edges come in late. */
static void mark_forward(cnnfi_output_marks *m)
{
    enum { MOST_ROUNDS = 4 };
    bool changed = true;
    for (int round = 0; changed && round < MOST_ROUNDS; round++) {
        changed = false;
        for (size_t i = 0; i < m->graph->n_nodes; i++) {
            const cnnf_node *node = m->graph->nodes[m->order[i]];
            const unsigned bits = forward_bits(m, node);
            changed |= round > 0 && bits != m->bits[node->index];
            m->bits[node->index] = bits;
        }
        changed |= round == 0 && m->has_loops;
    }
}

/* ---- where labels come in ---- */

/* Brings inputs together, labels and predictions seldom. */
static bool is_joining_op(const char *op)
{
    static const char *const ops[] = {"Add", "AddV2", "Concat", "ConcatV2", "Pack"};
    return IN_LIST(ops, op);
}

static bool is_difference_op(const char *op)
{
    static const char *const ops[] = {"SquaredDifference", "Sub"};
    return IN_LIST(ops, op);
}

/*
 * Where labels meet predictions: one operand was learned from an input, another comes from an input as it is.
 * `alone`: the label serves nothing else, so that it is one for sure.
 */
static bool is_label_join(const cnnfi_output_marks *m, const cnnf_node *node, bool alone)
{
    /* No phase, no keep_prob; but nobody subtracts those (a label without a shape looked like a number once). */
    const unsigned never = (is_difference_op(node->op) ? 0u : CNNFI_IS_SCALAR) | (alone ? (unsigned)CNNFI_GROWS : 0u);
    bool prediction = false, label = false;
    if (is_joining_op(node->op)) return false;
    for (size_t k = 0; k < cnnfi_node_data_inputs(node); k++) {
        const int32_t from = node->edges[k].node;
        const unsigned bits = m->bits[from] & (CNNFI_IS_FED | CNNFI_IS_LEARNED | CNNFI_IS_STOPPED);
        const cnnfi_value value = cnnfi_graph_shape(&m->shapes, node->edges[k]);
        prediction |= bits == (CNNFI_IS_FED | CNNFI_IS_LEARNED);
        /* The input again (x - f(x)) is a label only where no other one follows. */
        const bool again = has(m, from, CNNFI_GROWS) && has(m, node->index, CNNFI_MEETS_LABEL);
        label |= (bits == CNNFI_IS_FED || bits & CNNFI_IS_STOPPED) && value.dtype != CNNF_BOOL &&
                 !has(m, from, never) && !again;
    }
    return prediction && label;
}

/* ---- backward ---- */

static bool some_reader_grows(const cnnfi_output_marks *m, int32_t node)
{
    for (size_t c = m->consumers.start[node]; c < m->consumers.start[node + 1]; c++) {
        const int32_t reader = m->consumers.node[c];
        if (has(m, reader, CNNFI_IS_UPDATE | CNNFI_IS_WATCHER)) continue;
        if (has(m, reader, CNNFI_GROWS | CNNFI_TAKES_WEIGHTS)) return true;
    }
    return false;
}

/* A hit or a class in numbers: what a decision gives, or the cast of one, with nothing learned after it. */
static bool is_decision(const cnnfi_output_marks *m, const cnnf_node *node)
{
    if (has(m, node->index, CNNFI_GROWS) || !has(m, node->index, CNNFI_IS_LEARNED)) return false;
    if (cnnfi_is_decision_op(node->op)) return true;
    return strcmp(node->op, "Cast") == 0 && node->n_inputs > 0 &&
           (m->bits[node->edges[0].node] & (CNNFI_IS_RESULT | CNNFI_IS_FED | CNNFI_IS_LEARNED)) ==
               (CNNFI_IS_RESULT | CNNFI_IS_FED | CNNFI_IS_LEARNED);
}

static bool dies(const cnnfi_output_marks *m, int32_t at)
{
    if (has(m, at, CNNFI_IS_UPDATE | CNNFI_IS_WATCHER)) return true;
    if (cnnfi_is_read(m, at)) return cnnfi_every_reader(m, at, CNNFI_IS_UPDATE | CNNFI_IS_WATCHER | CNNFI_DIES);
    return has(m, at, CNNFI_IS_RESULT | CNNFI_IS_ERROR);
}

/* Whether one reader makes the node part of an update. A metric counts hits, and compares predictions with labels. */
static bool serves_update(const cnnfi_output_marks *m, int32_t node, int32_t reader)
{
    const unsigned both = CNNFI_IS_FED | CNNFI_IS_LEARNED;
    if (!has(m, reader, CNNFI_IS_UPDATE)) return false;
    if ((m->bits[node] & both) != both || has(m, node, CNNFI_IS_RESULT)) return true;
    return !has_no_numbers(m, m->graph->nodes[reader]) && !has(m, reader, CNNFI_JOINS_LABEL);
}

static bool only_updates(const cnnfi_output_marks *m, int32_t node)
{
    for (size_t c = m->consumers.start[node]; c < m->consumers.start[node + 1]; c++) {
        if (!serves_update(m, node, m->consumers.node[c])) return false;
    }
    return cnnfi_is_read(m, node);
}

/* Whether a label that serves nothing else comes in later. */
static bool some_reader_meets_label(const cnnfi_output_marks *m, int32_t node)
{
    for (size_t c = m->consumers.start[node]; c < m->consumers.start[node + 1]; c++) {
        const int32_t reader = m->consumers.node[c];
        if (has(m, reader, CNNFI_IS_UPDATE | CNNFI_IS_WATCHER)) continue;
        if (has(m, reader, CNNFI_MEETS_LABEL | CNNFI_JOINS_ALONE)) return true;
    }
    return false;
}

/* From the ends back: who assigns or watches, and what comes to nothing. */
static void mark_backward(cnnfi_output_marks *m)
{
    for (size_t i = m->graph->n_nodes; i-- > 0;) {
        const cnnf_node *node = m->graph->nodes[m->order[i]];
        const int32_t at = node->index;
        if (is_update_op(node->op) || only_updates(m, at))
            m->bits[at] |= CNNFI_IS_UPDATE;
        else if (is_watching_op(node->op) || is_watching_scope(node->name))
            m->bits[at] |= CNNFI_IS_WATCHER;
        if (some_reader_grows(m, at)) m->bits[at] |= CNNFI_GROWS;
        if (some_reader_meets_label(m, at)) m->bits[at] |= CNNFI_MEETS_LABEL;
        if (is_decision(m, node)) m->bits[at] |= CNNFI_IS_RESULT;
        if (dies(m, at)) m->bits[at] |= CNNFI_DIES;
    }
}

/* What is asked of a node by each of its operands is worked out once: nodes have thousands of them. */
static void mark_operands(cnnfi_output_marks *m)
{
    for (size_t i = 0; i < m->graph->n_nodes; i++) {
        const cnnf_node *node = m->graph->nodes[i];
        if (cnnfi_takes_weights(m, node)) m->bits[i] |= CNNFI_TAKES_WEIGHTS;
        if (is_label_join(m, node, false)) m->bits[i] |= CNNFI_JOINS_LABEL;
    }
}

/* The same for labels that nothing is learned from, known after a walk back. */
static void mark_lonely_labels(cnnfi_output_marks *m)
{
    for (size_t i = 0; i < m->graph->n_nodes; i++) {
        if (has(m, (int32_t)i, CNNFI_JOINS_LABEL) && is_label_join(m, m->graph->nodes[i], true))
            m->bits[i] |= CNNFI_JOINS_ALONE;
    }
}

/* ---- losses ---- */

/* The squared difference to something that was not learned: noise that was added, a table. */
static bool is_squared_error(const cnnfi_output_marks *m, const cnnf_node *node)
{
    if (strcmp(node->op, "SquaredDifference") != 0 || cnnfi_node_data_inputs(node) != 2) return false;
    const bool a = has(m, node->edges[0].node, CNNFI_IS_LEARNED), b = has(m, node->edges[1].node, CNNFI_IS_LEARNED);
    return a != b && has(m, node->index, CNNFI_IS_FED);
}

/* The difference to a label, and what is only computed from it; nobody goes on to learn. */
static void mark_errors(cnnfi_output_marks *m)
{
    for (size_t i = 0; i < m->graph->n_nodes; i++) {
        const cnnf_node *node = m->graph->nodes[m->order[i]];
        if (has(m, node->index, CNNFI_GROWS | CNNFI_IS_BEHIND_GRADIENT)) continue;
        const bool met = is_label_join(m, node, true);
        if (met || any_data_input(m, node, CNNFI_IS_BEHIND_LABEL)) m->bits[node->index] |= CNNFI_IS_BEHIND_LABEL;
        if ((met && is_difference_op(node->op)) || is_squared_error(m, node) || any_data_input(m, node, CNNFI_IS_ERROR))
            m->bits[node->index] |= CNNFI_IS_ERROR;
    }
}

/* A class or a hit that was computed, not given: what only follows from it is a measure. */
static bool follows_a_result(const cnnfi_output_marks *m, const cnnf_node *node)
{
    if (cnnfi_starts_with(node->op, "TensorArray")) return false; /* its flow and its size are single numbers */
    for (size_t k = 0; k < node->n_inputs; k++) {
        const cnnfi_edge edge = node->edges[k];
        if (edge.port == CNNFI_PORT_CONTROL || !has(m, edge.node, CNNFI_IS_RESULT) ||
            has(m, edge.node, CNNFI_IS_SCALAR))
            continue;
        if (has(m, edge.node, CNNFI_IS_FED) && has(m, edge.node, CNNFI_IS_LEARNED)) return true;
    }
    return false;
}

static bool is_loss(const cnnfi_output_marks *m, const cnnf_node *node)
{
    if (has(m, node->index, CNNFI_IS_SAMPLED) || is_loss_op(node->op)) return true;
    if (has(m, node->index, CNNFI_GROWS)) return false;
    if (any_data_input(m, node, CNNFI_IS_LOSS)) return true;
    return has(m, node->index, CNNFI_DIES) &&
           (is_label_join(m, node, false) || is_squared_error(m, node) || follows_a_result(m, node));
}

static void mark_losses(cnnfi_output_marks *m)
{
    for (size_t i = 0; i < m->graph->n_nodes; i++) {
        const cnnf_node *node = m->graph->nodes[m->order[i]];
        if (is_loss(m, node)) m->bits[node->index] |= CNNFI_IS_LOSS;
    }
}

/* ---- the whole ---- */

cnnf_status cnnfi_output_marks_init(cnnfi_output_marks *m, const cnnf_graph *graph, cnnf_error *error)
{
    *m = (cnnfi_output_marks){.graph = graph};
    CNNFI_TRY(cnnfi_consumers_init(&m->consumers, graph, error));
    CNNFI_TRY(cnnfi_graph_shapes_init(&m->shapes, graph, error));
    CNNFI_TRY(cnnfi_toposort(&m->order, graph, error));
    m->bits = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *m->bits);
    if (!m->bits) return cnnfi_fail_nomem(error);
    note_kinds(m);
    mark_forward(m);
    mark_operands(m);
    mark_backward(m);
    mark_lonely_labels(m);
    mark_errors(m);
    mark_backward(m); /* an error that nobody reads comes to nothing */
    mark_losses(m);
    return CNNF_OK;
}

void cnnfi_output_marks_free(cnnfi_output_marks *m)
{
    cnnfi_free(m->graph->context, m->bits);
    cnnfi_free(m->graph->context, m->order);
    if (m->shapes.context) cnnfi_graph_shapes_free(&m->shapes);
    if (m->consumers.context) cnnfi_consumers_free(&m->consumers);
}
