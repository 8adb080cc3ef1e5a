/* SPDX-License-Identifier: Apache-2.0 */
/* The published graph: life, look-ups, inputs as written. */
#include "graph/graph.h"

#include <stdatomic.h>
#include <string.h>

#include "base/context.h"
#include "base/str.h"

cnnf_graph *cnnf_graph_ref(const cnnf_graph *graph)
{
    cnnf_graph *counted = (cnnf_graph *)(uintptr_t)graph; /* nothing but the count changes */
    if (counted) atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
    return counted;
}

void cnnf_graph_unref(cnnf_graph *graph)
{
    if (!graph || atomic_fetch_sub_explicit(&graph->refs, 1, memory_order_acq_rel) != 1) return;
    cnnf_context *context = graph->context;
    for (size_t i = 0; i < graph->n_tensors; i++)
        cnnf_tensor_unref(graph->tensors[i]);
    cnnfi_free(context, graph->tensors);
    cnnfi_free(context, graph->nodes);
    cnnfi_free(context, graph->functions);
    cnnfi_strmap_free(&graph->names);
    cnnfi_strmap_free(&graph->function_names);
    cnnfi_arena_free(&graph->arena);
    cnnfi_free(context, graph);
    cnnf_context_unref(context);
}

int64_t cnnf_graph_node_count(const cnnf_graph *graph)
{
    return graph ? (int64_t)graph->n_nodes : 0;
}

const cnnf_node *cnnf_graph_node(const cnnf_graph *graph, int64_t index)
{
    return graph && index >= 0 && (uint64_t)index < graph->n_nodes ? graph->nodes[index] : NULL;
}

const cnnf_node *cnnf_graph_find(const cnnf_graph *graph, const char *name)
{
    return graph && name ? cnnf_graph_node(graph, cnnfi_strmap_get(&graph->names, name)) : NULL;
}

/* A Placeholder is an input where nothing is declared; the learning phase is a switch, not an input. */
static bool is_plain_input(const cnnf_node *node)
{
    return strcmp(node->op, "Placeholder") == 0 && cnnfi_node_type(node, "dtype") != CNNF_BOOL;
}

int64_t cnnf_graph_input_count(const cnnf_graph *graph)
{
    if (!graph) return 0;
    if (graph->meta.n_inputs) return (int64_t)graph->meta.n_inputs;
    int64_t count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        count += is_plain_input(graph->nodes[i]);
    return count;
}

const char *cnnf_graph_input_name(const cnnf_graph *graph, int64_t index)
{
    if (!graph || index < 0) return NULL;
    if (graph->meta.n_inputs) return (uint64_t)index < graph->meta.n_inputs ? graph->meta.inputs[index] : NULL;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (is_plain_input(graph->nodes[i]) && index-- == 0) return graph->nodes[i]->name;
    }
    return NULL;
}

/* "x:0" is declared where another output than the first is meant, or just written so. */
static const cnnf_node *input_node(const cnnf_graph *graph, int64_t index)
{
    const char *text = cnnf_graph_input_name(graph, index), *name;
    size_t length;
    if (!text) return NULL;
    cnnfi_input_parse(text, &name, &length);
    return cnnf_graph_node(graph, cnnfi_strmap_get_n(&graph->names, name, length));
}

cnnf_dtype cnnf_graph_input_dtype(const cnnf_graph *graph, int64_t index)
{
    return cnnfi_node_type(input_node(graph, index), "dtype");
}

int32_t cnnf_graph_input_shape_rank(const cnnf_graph *graph, int64_t index)
{
    const int32_t rank = cnnf_node_attr_shape_rank(input_node(graph, index), "shape");
    return rank < 0 ? -1 : rank;
}

int64_t cnnf_graph_input_shape_dim(const cnnf_graph *graph, int64_t index, int32_t axis)
{
    return cnnf_node_attr_shape_dim(input_node(graph, index), "shape", axis);
}

int64_t cnnf_graph_output_count(const cnnf_graph *graph)
{
    return graph ? (int64_t)graph->meta.n_outputs : 0;
}

const char *cnnf_graph_output_name(const cnnf_graph *graph, int64_t index)
{
    return graph && index >= 0 && (uint64_t)index < graph->meta.n_outputs ? graph->meta.outputs[index] : NULL;
}

int64_t cnnf_graph_variable_count(const cnnf_graph *graph)
{
    int64_t count = 0;
    for (size_t i = 0; graph && i < graph->n_nodes; i++)
        count += cnnfi_op_is_variable(graph->nodes[i]->op);
    return count;
}

int64_t cnnf_graph_function_count(const cnnf_graph *graph)
{
    return graph ? (int64_t)graph->n_functions : 0;
}

const char *cnnf_graph_function_name(const cnnf_graph *graph, int64_t index)
{
    return graph && index >= 0 && (uint64_t)index < graph->n_functions ? graph->functions[index]->name : NULL;
}

const char *cnnf_node_name(const cnnf_node *node)
{
    return node ? node->name : NULL;
}

const char *cnnf_node_op(const cnnf_node *node)
{
    return node ? node->op : NULL;
}

const char *cnnf_node_device(const cnnf_node *node)
{
    return node ? node->device : NULL;
}

int64_t cnnf_node_input_count(const cnnf_node *node)
{
    return node ? (int64_t)node->n_inputs : 0;
}

const char *cnnf_node_input(const cnnf_node *node, int64_t index)
{
    return node && index >= 0 && (uint64_t)index < node->n_inputs ? node->inputs[index] : NULL;
}

int32_t cnnf_node_is_variable(const cnnf_node *node)
{
    return node ? cnnfi_op_is_variable(node->op) : 0;
}

const cnnf_tensor *cnnf_node_value(const cnnf_node *node)
{
    return node ? node->value : NULL;
}

bool cnnfi_op_is_variable(const char *op)
{
    return strcmp(op, "VariableV2") == 0 || strcmp(op, "VarHandleOp") == 0 || strcmp(op, "Variable") == 0;
}

size_t cnnfi_node_data_inputs(const cnnf_node *node)
{
    size_t n = 0;
    if (node->edges) {
        while (n < node->n_inputs && node->edges[n].port != CNNFI_PORT_CONTROL)
            n++;
        return n;
    }
    while (n < node->n_inputs && node->inputs[n][0] != '^')
        n++;
    return n;
}

/* Digits after the last colon, without leading zeros, are a port; everything else is part of the name. */
int32_t cnnfi_input_parse(const char *input, const char **name, size_t *length)
{
    if (input[0] == '^') {
        *name = input + 1;
        *length = strlen(input + 1);
        return CNNFI_PORT_CONTROL;
    }
    *name = input;
    *length = strlen(input);
    const char *colon = strrchr(input, ':');
    if (!colon || !colon[1]) return 0;
    int32_t port = 0;
    for (const char *c = colon + 1; *c; c++) {
        if (*c < '0' || *c > '9' || port > 100000000) return 0;
        port = port * 10 + (*c - '0');
    }
    *length = (size_t)(colon - input);
    return port;
}

char *cnnfi_input_node(const char *input, char *out, size_t size)
{
    const char *name;
    size_t length;
    cnnfi_input_parse(input, &name, &length);
    if (length >= size) length = size - 1;
    memcpy(out, name, length);
    out[length] = '\0';
    return out;
}

const cnnfi_function *cnnfi_graph_function(const cnnf_graph *graph, const char *name)
{
    const int64_t at = cnnfi_strmap_get(&graph->function_names, name);
    return at >= 0 && (uint64_t)at < graph->n_functions ? graph->functions[at] : NULL;
}
