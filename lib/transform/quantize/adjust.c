/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positions moved so that the DPU can do with shifts what lies between them. Each adjustment looks at the positions as
 * the one before has left them all.
 */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/order.h"
#include "transform/quantize/vitis.h"

typedef struct adjuster {
    const cnnf_graph *graph;
    const cnnfi_quantize_plan *plan;
    const cnnfi_quantize_options *options;
    cnnfi_consumers readers;
    int32_t *numbers;        /* by node: of the FixNeuron; -1 */
    int64_t *before, *after; /* [n_fixes] */
} adjuster;

static const cnnf_node *input_of(const adjuster *a, const cnnf_node *node, size_t input)
{
    if (!node || input >= cnnfi_node_data_inputs(node)) return NULL;
    return a->graph->nodes[node->edges[input].node];
}

static int32_t number_of(const adjuster *a, const cnnf_node *node)
{
    return node ? a->numbers[node->index] : -1;
}

/* The first reader that is a FixNeuron (ops NULL) or one of the ops. */
static const cnnf_node *reader_of(const adjuster *a, const cnnf_node *node, const char *ops)
{
    for (size_t i = a->readers.start[node->index]; i < a->readers.start[node->index + 1]; i++) {
        const cnnf_node *reader = a->graph->nodes[a->readers.node[i]];
        if (ops ? cnnfi_vitis_is(reader, ops) : number_of(a, reader) >= 0) return reader;
    }
    return NULL;
}

static bool is_aligned(const adjuster *a, int64_t strategy, const cnnf_node *behind)
{
    if (!behind || strategy == CNNFI_ALIGN_NONE) return false;
    for (size_t i = 0; strategy == CNNFI_ALIGN_OUTPUTS && i < a->options->n_outputs; i++) {
        if (strcmp(a->plan->outputs[i], behind->name) == 0) return true;
    }
    return strategy == CNNFI_ALIGN_ALL;
}

/* ---- concats and pools ---- */

/* The FixNeuron that an input reads, and those before it as long as only the shape changes. */
static void align_input(const adjuster *a, const cnnf_node *from, int64_t position)
{
    while (number_of(a, from) >= 0) {
        a->after[number_of(a, from)] = position;
        const cnnf_node *before = input_of(a, from, 0);
        from = cnnfi_vitis_is(before, "Reshape|ExpandDims") ? input_of(a, before, 0) : NULL;
    }
}

static void align_concat(const adjuster *a, const cnnf_node *node)
{
    const cnnf_node *behind = cnnfi_vitis_is(node, "ConcatV2") ? reader_of(a, node, NULL) : NULL;
    if (!is_aligned(a, a->options->align_concat, behind)) return;
    for (size_t i = 0; i + 1 < cnnfi_node_data_inputs(node); i++)
        align_input(a, input_of(a, node, i), a->before[number_of(a, behind)]);
}

static void align_pool(const adjuster *a, const cnnf_node *node)
{
    const cnnf_node *last = node;
    if (!cnnfi_vitis_is(node, "MaxPool|AvgPool")) return;
    if (strcmp(node->op, "AvgPool") == 0) last = reader_of(a, node, "Mul");
    const cnnf_node *behind = last ? reader_of(a, last, NULL) : NULL;
    const int32_t before = number_of(a, input_of(a, node, 0));
    if (before < 0 || !is_aligned(a, a->options->align_pool, behind)) return;
    a->after[before] = a->before[number_of(a, behind)];
}

/* Mul(Relu6(Add)): the input at 0 at least, the output at 7. */
static void bound_sigmoid(const adjuster *a, const cnnf_node *node)
{
    const cnnf_node *relu = number_of(a, node) >= 0 ? input_of(a, node, 0) : NULL;
    int muls = 0;
    for (; cnnfi_vitis_is(relu, "Mul") && muls < 2; muls++)
        relu = input_of(a, relu, 0);
    const cnnf_node *add = cnnfi_vitis_is(relu, "Relu6") && muls ? input_of(a, relu, 0) : NULL;
    const int32_t input = cnnfi_vitis_is(add, "Add|AddV2") ? number_of(a, input_of(a, add, 0)) : -1;
    if (input < 0) return;
    const int32_t output = number_of(a, node);
    if (a->before[input] < 0) a->after[input] = 0;
    if (a->before[output] < 7) a->after[output] = 7;
}

/* ---- shifts of products ---- */

enum { MOST_SHIFT = 16 };

static bool is_whole(const cnnfi_quantize_group *g, bool with_bias)
{
    return g->input >= 0 && g->output >= 0 && g->weight >= 0 && (!with_bias || g->bias >= 0);
}

static int64_t shift_cut(const int64_t *p, const cnnfi_quantize_group *g)
{
    return p[g->weight] + p[g->input] - p[g->output];
}

static void bound_cut(const adjuster *a, const cnnfi_quantize_group *g)
{
    if (!is_whole(g, false)) return;
    const int64_t cut = shift_cut(a->before, g);
    if (cut < 0) a->after[g->weight] = a->before[g->weight] - cut;
    if (cut > MOST_SHIFT) a->after[g->weight] = a->before[g->weight] - (cut - MOST_SHIFT);
}

static void bound_bias(const adjuster *a, const cnnfi_quantize_group *g)
{
    if (!is_whole(g, true)) return;
    const int64_t product = a->before[g->weight] + a->before[g->input], shift = product - a->before[g->bias];
    const int64_t room = MOST_SHIFT - (g->taps ? (int64_t)ceil(log2((double)g->taps)) : shift_cut(a->before, g));
    const int64_t least = room > 0 ? -room : 0;
    if (shift < least) a->after[g->bias] = product - least;
    if (shift > MOST_SHIFT) a->after[g->bias] = product - MOST_SHIFT;
}

/* ---- all of them ---- */

static void each_node(adjuster *a, void (*adjust)(const adjuster *a, const cnnf_node *node))
{
    memcpy(a->before, a->after, a->plan->n_fixes * sizeof *a->after);
    for (size_t i = 0; i < a->graph->n_nodes; i++)
        adjust(a, a->graph->nodes[i]);
}

static void each_group(adjuster *a, void (*adjust)(const adjuster *a, const cnnfi_quantize_group *g))
{
    memcpy(a->before, a->after, a->plan->n_fixes * sizeof *a->after);
    for (size_t i = 0; i < a->plan->n_groups; i++)
        adjust(a, &a->plan->groups[i]);
}

static void adjust_all(adjuster *a)
{
    int32_t number = 0;
    for (size_t i = 0; i < a->graph->n_nodes; i++)
        a->numbers[i] = strcmp(a->graph->nodes[i]->op, "FixNeuron") ? -1 : number++;
    each_node(a, align_concat);
    each_node(a, align_pool);
    if (a->options->adjust_shift_cut) each_group(a, bound_cut);
    if (a->options->adjust_shift_bias) each_group(a, bound_bias);
    if (a->options->simulate_dpu) each_node(a, bound_sigmoid);
}

cnnf_status cnnfi_quantize_adjust(int64_t *positions, const cnnf_graph *graph, const cnnfi_quantize_plan *plan,
                                  const cnnfi_quantize_options *options, cnnf_error *error)
{
    int64_t *before = cnnfi_array(graph->context, plan->n_fixes + 1, sizeof *before);
    adjuster a = {.graph = graph,
                  .plan = plan,
                  .options = options,
                  .numbers = cnnfi_array(graph->context, graph->n_nodes + 1, sizeof *a.numbers),
                  .before = before,
                  .after = positions};
    cnnf_status status = a.numbers && before ? CNNF_OK : cnnfi_fail_nomem(error);
    if (!status) status = cnnfi_consumers_init(&a.readers, graph, error);
    if (!status) {
        adjust_all(&a);
        cnnfi_consumers_free(&a.readers);
    }
    cnnfi_free(graph->context, a.numbers);
    cnnfi_free(graph->context, before);
    return status;
}
