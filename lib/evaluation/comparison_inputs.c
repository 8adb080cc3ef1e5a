/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluation/comparison_inputs.h"

#include <string.h>

#include "base/str.h"
#include "graph/order.h"
#include "graph/resolve.h"
#include "ops/graph_shapes.h"

/* Producers before write rank 0 for a shape that is not known. */
#define FIRST_PRODUCER_WITH_UNKNOWN_RANK 24

#define IN_LIST(list, text) cnnfi_text_in((text), (list), sizeof(list) / sizeof *(list))

/* ---- which nodes ---- */

/* Flags of what the file calls an input: a new block, NULL = no memory. */
static bool *find_declared(const cnnf_graph *graph)
{
    bool *declared = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *declared);
    for (int64_t i = 0; declared && i < cnnf_graph_input_count(graph); i++) {
        const cnnf_node *node = cnnf_graph_find(graph, cnnf_graph_input_name(graph, i));
        if (node) declared[node->index] = true;
    }
    return declared;
}

/* What somebody has to feed: placeholders, and what the file calls an input. */
static bool is_placeholder(const cnnf_node *node)
{
    return strcmp(node->op, "Placeholder") == 0 || strcmp(node->op, "PlaceholderV2") == 0;
}

/* Marks what is needed of the nodes on the stack; what stands behind an input is not. */
static void walk(bool *needed, const bool *declared, const cnnf_graph *graph, int32_t *stack, size_t n)
{
    while (n > 0) {
        const cnnf_node *node = graph->nodes[stack[--n]];
        for (size_t k = 0; k < node->n_inputs && !declared[node->index]; k++) {
            const int32_t input = node->edges[k].node;
            if (input < 0 || needed[input]) continue;
            needed[input] = true;
            stack[n++] = input;
        }
    }
}

/* Flags of the nodes that the outputs need: a new block. */
static cnnf_status find_needed(bool **out, const bool *declared, const cnnf_graph *graph, const char *const *outputs,
                               size_t n_outputs, cnnf_error *error)
{
    int32_t *stack = cnnfi_array(graph->context, graph->n_nodes + 1, sizeof *stack);
    size_t n = 0;
    cnnf_status status = CNNF_OK;
    *out = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof **out);
    if (!stack || !*out || !declared) status = cnnfi_fail_nomem(error);
    for (size_t i = 0; i < n_outputs && status == CNNF_OK; i++) {
        const cnnf_node *node = NULL;
        status = cnnfi_resolve_node(&node, graph, outputs[i], error);
        if (status != CNNF_OK || (*out)[node->index]) continue;
        (*out)[node->index] = true;
        stack[n++] = node->index;
    }
    if (status == CNNF_OK) walk(*out, declared, graph, stack, n);
    cnnfi_free(graph->context, stack);
    return status;
}

/* ---- shapes ---- */

static void forget_shape(cnnfi_comparison_input *input)
{
    input->rank = CNNFI_UNKNOWN;
    for (int i = 0; i < CNNFI_OP_MAX_RANK; i++)
        input->dims[i] = CNNFI_UNKNOWN;
}

/* Where nothing was known. */
static void learn_rank(cnnfi_comparison_input *input, int32_t rank)
{
    if (input->rank == CNNFI_UNKNOWN && rank >= 0 && rank <= CNNFI_OP_MAX_RANK) input->rank = rank;
}

static void learn_dim(cnnfi_comparison_input *input, int32_t rank, int32_t axis, int64_t dim)
{
    if (input->rank == rank && axis < rank && input->dims[axis] < 0 && dim >= 0) input->dims[axis] = dim;
}

static void learn_declared(cnnfi_comparison_input *input, const cnnf_graph *graph, const cnnf_node *node)
{
    const int32_t rank = cnnf_node_attr_shape_rank(node, "shape");
    if (rank == 0 && graph->versions.producer < FIRST_PRODUCER_WITH_UNKNOWN_RANK) return;
    learn_rank(input, rank);
    for (int32_t i = 0; i < rank; i++)
        learn_dim(input, rank, i, cnnf_node_attr_shape_dim(node, "shape", i));
}

/* A layer that says what it reads. */
static bool learn_from_layer(cnnfi_comparison_input *input, const cnnf_node *layer, const cnnfi_graph_shapes *shapes)
{
    static const char *const convolutions[] = {"Conv2D", "DepthwiseConv2dNative"};
    const bool convolves = IN_LIST(convolutions, layer->op), multiplies = strcmp(layer->op, "MatMul") == 0;
    if ((!convolves && !multiplies) || layer->n_inputs < 2) return false;
    const cnnfi_value weights = cnnfi_graph_shape(shapes, layer->edges[1]);
    if (convolves && weights.rank == 4) {
        const char *format = cnnf_node_attr_string(NULL, layer, "data_format");
        const bool nchw = format && strcmp(format, "NCHW") == 0;
        learn_rank(input, 4);
        learn_dim(input, 4, nchw ? 1 : 3, weights.dims[2]);
    }
    if (multiplies && weights.rank == 2) {
        learn_rank(input, 2);
        learn_dim(input, 2, 1, weights.dims[cnnf_node_attr_bool(layer, "transpose_b", 0) ? 1 : 0]);
    }
    return true;
}

/* Ops that leave rank and channels as they are. */
static bool passes_on(const char *op)
{
    static const char *const ops[] = {"Abs",       "Add", "AddV2",   "AvgPool",  "BiasAdd",      "Cast",
                                      "Div",       "Mul", "Maximum", "Identity", "MaxPool",      "Minimum",
                                      "MirrorPad", "Neg", "Pad",     "PadV2",    "RealDiv",      "Relu",
                                      "Relu6",     "Sub", "Square",  "Sqrt",     "StopGradient", "FusedBatchNormV3"};
    return IN_LIST(ops, op);
}

/* Walks on from the input to the first layers with weights. */
static cnnf_status learn_from_layers(cnnfi_comparison_input *input, const cnnf_graph *graph, int32_t from,
                                     const cnnfi_graph_shapes *shapes, const cnnfi_consumers *consumers,
                                     cnnf_error *error)
{
    int32_t *stack = cnnfi_array(graph->context, graph->n_nodes + 1, sizeof *stack);
    bool *seen = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *seen);
    size_t n = 0;
    if (stack && seen) stack[n++] = from;
    const cnnf_status status = stack && seen ? CNNF_OK : cnnfi_fail_nomem(error);
    while (n > 0) {
        const int32_t at = stack[--n];
        for (size_t i = consumers->start[at]; i < consumers->start[at + 1]; i++) {
            const cnnf_node *reader = graph->nodes[consumers->node[i]];
            if (consumers->input[i] != 0 || reader->edges[0].port != 0 || seen[reader->index]) continue;
            seen[reader->index] = true;
            if (!learn_from_layer(input, reader, shapes) && passes_on(reader->op)) stack[n++] = reader->index;
        }
    }
    cnnfi_free(graph->context, stack);
    cnnfi_free(graph->context, seen);
    return status;
}

static bool is_open(const cnnfi_comparison_input *input)
{
    if (input->rank == CNNFI_UNKNOWN) return true;
    for (int32_t i = 1; i < input->rank; i++) {
        if (input->dims[i] < 0) return true;
    }
    return false;
}

static cnnf_status learn_open(cnnfi_comparison_inputs *inputs, const cnnf_graph *graph, cnnf_error *error)
{
    cnnfi_graph_shapes shapes;
    cnnfi_consumers consumers = {0};
    bool any = false;
    for (size_t i = 0; i < inputs->count; i++)
        any |= is_open(&inputs->items[i]);
    if (!any) return CNNF_OK;
    CNNFI_TRY(cnnfi_graph_shapes_init(&shapes, graph, error));
    cnnf_status status = cnnfi_consumers_init(&consumers, graph, error);
    for (size_t i = 0; i < inputs->count && status == CNNF_OK; i++) {
        cnnfi_comparison_input *input = &inputs->items[i];
        const cnnf_node *node = cnnf_graph_find(graph, input->names[0]);
        if (is_open(input) && node) status = learn_from_layers(input, graph, node->index, &shapes, &consumers, error);
    }
    cnnfi_consumers_free(&consumers);
    cnnfi_graph_shapes_free(&shapes);
    return status;
}

/* ---- pairs ---- */

typedef struct finder {
    cnnfi_comparison_inputs *inputs;
    const cnnf_graph *graph;
    bool *declared, *needed; /* [n_nodes] */
    cnnf_error *error;
} finder;

/* Calls take() for what has to be fed: declared inputs in their order, then other placeholders as the file has them. */
static cnnf_status each_input(const finder *f, cnnf_status (*take)(const finder *, const cnnf_node *))
{
    for (int64_t i = 0; i < cnnf_graph_input_count(f->graph); i++) {
        const cnnf_node *node = cnnf_graph_find(f->graph, cnnf_graph_input_name(f->graph, i));
        if (node && f->needed[node->index]) CNNFI_TRY(take(f, node));
    }
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        if (f->needed[i] && is_placeholder(node) && !f->declared[i]) CNNFI_TRY(take(f, node));
    }
    return CNNF_OK;
}

static cnnf_status take_first(const finder *f, const cnnf_node *node)
{
    cnnfi_comparison_inputs *inputs = f->inputs;
    if (!cnnfi_grow(inputs->context, (void **)&inputs->items, &inputs->capacity, inputs->count, sizeof *inputs->items))
        return cnnfi_fail_nomem(f->error);
    cnnfi_comparison_input *input = &inputs->items[inputs->count++];
    *input =
        (cnnfi_comparison_input){.names = {node->name, NULL}, .dtype = cnnf_node_attr_type(node, "dtype", CNNF_FLOAT)};
    forget_shape(input);
    learn_declared(input, f->graph, node);
    return CNNF_OK;
}

static void pair(const finder *f, cnnfi_comparison_input *input, const cnnf_node *node)
{
    input->names[1] = node->name;
    learn_declared(input, f->graph, node);
}

static cnnf_status take_same_name(const finder *f, const cnnf_node *node)
{
    for (size_t i = 0; i < f->inputs->count; i++) {
        if (strcmp(f->inputs->items[i].names[0], node->name) == 0) pair(f, &f->inputs->items[i], node);
    }
    return CNNF_OK;
}

/* The next one that is left. */
static cnnf_status take_other_name(const finder *f, const cnnf_node *node)
{
    cnnfi_comparison_input *left = NULL;
    for (size_t i = f->inputs->count; i-- > 0;) {
        cnnfi_comparison_input *input = &f->inputs->items[i];
        if (!input->names[1]) left = input;
        if (input->names[1] && strcmp(input->names[1], node->name) == 0) return CNNF_OK;
    }
    if (left) pair(f, left, node);
    if (left || !is_placeholder(node)) return CNNF_OK;
    return cnnfi_fail(f->error, CNNF_E_NOT_FOUND, "the first graph has no input for '%s'", node->name);
}

cnnf_status cnnfi_comparison_inputs_find(cnnfi_comparison_inputs *out, const cnnf_graph *const graphs[2],
                                         const char *const *const outputs[2], size_t n_outputs, cnnf_error *error)
{
    *out = (cnnfi_comparison_inputs){.context = graphs[0]->context};
    finder first = {.inputs = out, .graph = graphs[0], .error = error}, second = first;
    second.graph = graphs[1];
    first.declared = find_declared(graphs[0]);
    second.declared = find_declared(graphs[1]);
    cnnf_status status = find_needed(&first.needed, first.declared, graphs[0], outputs[0], n_outputs, error);
    if (status == CNNF_OK)
        status = find_needed(&second.needed, second.declared, graphs[1], outputs[1], n_outputs, error);
    if (status == CNNF_OK) status = each_input(&first, take_first);
    if (status == CNNF_OK) status = each_input(&second, take_same_name);
    if (status == CNNF_OK) status = each_input(&second, take_other_name);
    if (status == CNNF_OK) status = learn_open(out, graphs[0], error);
    cnnfi_free(out->context, first.declared);
    cnnfi_free(out->context, second.declared);
    cnnfi_free(out->context, first.needed);
    cnnfi_free(out->context, second.needed);
    if (status != CNNF_OK) cnnfi_comparison_inputs_free(out);
    return status;
}

void cnnfi_comparison_inputs_free(cnnfi_comparison_inputs *inputs)
{
    cnnfi_free(inputs->context, inputs->items);
    inputs->items = NULL;
    inputs->count = inputs->capacity = 0;
}
