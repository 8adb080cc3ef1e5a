/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/onnx/onnx_convert.h"

#include <string.h>

#include "base/context.h"
#include "graph/order.h"
#include "graph/resolve.h"
#include "serializer/onnx/onnx_ops.h"

static const cnnfi_onnx_row *const families[] = {
    cnnfi_onnx_math_rows,      cnnfi_onnx_binary_rows,   cnnfi_onnx_conv_rows,  cnnfi_onnx_nn_rows,
    cnnfi_onnx_reduction_rows, cnnfi_onnx_matrix_rows,   cnnfi_onnx_shape_rows, cnnfi_onnx_array_rows,
    cnnfi_onnx_blocks_rows,    cnnfi_onnx_quantize_rows,
};

const cnnfi_onnx_row *cnnfi_onnx_find(const char *op)
{
    for (size_t family = 0; family < sizeof families / sizeof *families; family++)
        for (const cnnfi_onnx_row *row = families[family]; row->op != NULL; row++)
            if (strcmp(row->op, op) == 0) return row;
    return NULL;
}

/* How many outputs of each node are read, and room for what they are in ONNX. */
static void make_room(cnnfi_onnx_convert *c, const cnnf_graph *graph, size_t n_wanted, const cnnfi_edge *wanted)
{
    const size_t n = graph->n_nodes;
    c->outputs = cnnfi_onnx_array(&c->model, n, sizeof *c->outputs);
    c->wanted = cnnfi_onnx_array(&c->model, n, sizeof *c->wanted);
    if (c->model.status != CNNF_OK) return;
    for (size_t i = 0; i < n; i++) {
        const cnnf_node *node = graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const cnnfi_edge edge = node->edges[k];
            if (edge.node >= 0 && edge.port >= c->outputs[edge.node].count) c->outputs[edge.node].count = edge.port + 1;
        }
    }
    for (size_t i = 0; i < n_wanted; i++) {
        struct cnnfi_onnx_outputs *outputs = &c->outputs[wanted[i].node];
        if (wanted[i].port >= outputs->count) outputs->count = wanted[i].port + 1;
        c->wanted[wanted[i].node] = true;
    }
    for (size_t i = 0; i < n; i++)
        c->outputs[i].tensors = cnnfi_onnx_array(&c->model, (size_t)c->outputs[i].count, sizeof(cnnfi_onnx_tensor));
}

/* Marks what the outputs read; data alone: what is waited for computes nothing. */
static bool *mark_needed(cnnfi_onnx_convert *c, const cnnf_graph *graph, const int32_t *order, size_t n_wanted,
                         const cnnfi_edge *wanted)
{
    bool *needed = cnnfi_onnx_array(&c->model, graph->n_nodes, sizeof *needed);
    if (needed == NULL) return NULL;
    for (size_t i = 0; i < n_wanted; i++)
        needed[wanted[i].node] = true;
    for (size_t i = graph->n_nodes; i-- > 0;) {
        const cnnf_node *node = graph->nodes[order[i]];
        for (size_t k = 0; needed[order[i]] && k < node->n_inputs; k++)
            if (node->edges[k].port >= 0 && node->edges[k].node >= 0) needed[node->edges[k].node] = true;
    }
    return needed;
}

/* Shape arithmetic whose result is known: a constant, and what it was computed from is swept later. */
static bool convert_known_ints(const cnnfi_onnx_call *call)
{
    enum { MAX_KNOWN = 4096 };
    if (call->c->outputs[call->node->index].count != 1) return false;
    const cnnfi_facts *facts = cnnfi_shapes_facts(&call->c->values.shapes, call->node);
    const cnnfi_constant *known = cnnfi_facts_output(facts, 0);
    if (!cnnfi_constant_is_whole(known) || known->shape.count > MAX_KNOWN) return false;
    if (known->shape.dtype != CNNF_INT32 && known->shape.dtype != CNNF_INT64) return false;
    const char *name = cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN);
    cnnfi_onnx_numbers(call->m, name, known->shape.dtype, known->shape.rank, known->shape.dims, known->v);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, name);
    return true;
}

static bool takes_dtype(cnnfi_onnx_dtypes dtypes, cnnf_dtype dtype)
{
    const bool floating = dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF;
    const bool wide = dtype == CNNF_INT32 || dtype == CNNF_INT64 || dtype == CNNF_UINT32 || dtype == CNNF_UINT64;
    switch (dtypes) {
    case CNNFI_ONNX_FLOATING:
        return floating;
    case CNNFI_ONNX_WIDE:
        return floating || wide || dtype == CNNF_BFLOAT16;
    case CNNFI_ONNX_NUMBERS:
        return dtype != CNNF_BOOL;
    default:
        return true;
    }
}

static void convert_op(cnnfi_onnx_call *call)
{
    const cnnf_dtype dtype = call->n_inputs > 0 ? cnnfi_onnx_in_shape(call, 0).dtype : CNNF_DTYPE_INVALID;
    if (call->row == NULL)
        cnnfi_onnx_refuse(call, "the op is not exported");
    else if (call->row->opset > call->m->opset)
        cnnfi_onnx_refuse(call, "needs opset %d", call->row->opset);
    else if (!takes_dtype(call->row->dtypes, dtype))
        cnnfi_onnx_refuse(call, "not for dtype %s", cnnf_dtype_name(dtype));
    else
        call->row->convert(call);
}

static void convert_node(cnnfi_onnx_convert *c, const cnnf_node *node)
{
    cnnfi_onnx_call call = {.c = c,
                            .m = &c->model,
                            .node = node,
                            .row = cnnfi_onnx_find(node->op),
                            .n_inputs = (int32_t)cnnfi_node_data_inputs(node)};
    c->model.scope = node->name;
    if (strcmp(node->op, "Const") == 0 || convert_known_ints(&call)) return; /* Const: made where it is read */
    convert_op(&call);
}

/* The graph's output under its name, in TensorFlow's layout. */
static void give_output(cnnfi_onnx_convert *c, cnnfi_edge edge)
{
    const cnnf_node *node = c->graph->nodes[edge.node];
    const char *name = cnnfi_onnx_plain_name(c, node, edge.port);
    /* A reader of its own, so that a Const or another layout is made as for any reader. */
    cnnf_node reader = {.name = node->name, .op = "Identity", .n_inputs = 1, .edges = &edge, .index = edge.node};
    const cnnfi_onnx_call call = {.c = c, .m = &c->model, .node = &reader, .n_inputs = 1};
    c->model.scope = node->name;
    const cnnfi_onnx_call self = {
        .c = c, .m = &c->model, .node = node, .n_inputs = (int32_t)cnnfi_node_data_inputs(node)};
    const cnnfi_value shape = cnnfi_onnx_out_shape(&self, edge.port);
    const char *tensor = cnnfi_onnx_in(&call, 0, CNNFI_PLAIN);
    if (tensor != NULL && name != NULL && strcmp(tensor, name) != 0)
        cnnfi_onnx_unary(&c->model, "Identity", name, tensor);
    cnnfi_onnx_add_graph_output(&c->model, name, shape.dtype, shape.rank, shape.dims);
}

/* "node", "node:1", a Keras layer's name. */
static cnnf_status find_output(cnnfi_edge *out, const cnnf_graph *graph, const char *text, cnnf_error *error)
{
    const cnnf_node *node = NULL;
    const char *name;
    size_t length;
    const int32_t port = cnnfi_input_parse(text, &name, &length);
    char plain[CNNFI_LINE_BYTES + 1];
    if (port > 0 && length < sizeof plain) {
        memcpy(plain, name, length);
        plain[length] = '\0';
        text = plain;
    }
    CNNFI_TRY(cnnfi_resolve_node(&node, graph, text, error));
    *out = (cnnfi_edge){.node = node->index, .port = port > 0 ? port : 0};
    return CNNF_OK;
}

/* The name of an output is its own, however often it is asked for. */
static void set_aside(cnnfi_onnx_convert *c, const cnnf_node *node, int32_t port)
{
    const char *name = cnnfi_onnx_plain_name(c, node, port);
    if (name != NULL && cnnfi_strmap_get(&c->model.names, name) < 0) cnnfi_onnx_unique(&c->model, name);
}

static cnnfi_edge *find_outputs(cnnfi_onnx_convert *c, const cnnf_graph *graph, size_t n_outputs,
                                const char *const *outputs)
{
    cnnfi_edge *edges = cnnfi_onnx_array(&c->model, n_outputs, sizeof *edges);
    for (size_t i = 0; edges != NULL && i < n_outputs; i++) {
        struct cnnf_error error = {0};
        const cnnf_status status = find_output(&edges[i], graph, outputs[i], &error);
        cnnfi_onnx_pass_on(&c->model, status, &error);
        if (status == CNNF_OK) set_aside(c, graph->nodes[edges[i].node], edges[i].port);
    }
    return edges;
}

static void convert_in_order(cnnfi_onnx_convert *c, const cnnf_graph *graph, const int32_t *order, size_t n_outputs,
                             const cnnfi_edge *wanted)
{
    make_room(c, graph, n_outputs, wanted);
    const bool *needed = c->model.status == CNNF_OK ? mark_needed(c, graph, order, n_outputs, wanted) : NULL;
    for (size_t i = 0; needed != NULL && i < graph->n_nodes && c->model.status == CNNF_OK; i++)
        if (needed[order[i]]) convert_node(c, graph->nodes[order[i]]);
    for (size_t i = 0; i < n_outputs && c->model.status == CNNF_OK; i++)
        give_output(c, wanted[i]);
}

void cnnfi_onnx_convert_graph(cnnfi_onnx_convert *c, const cnnf_graph *graph, size_t n_outputs,
                              const char *const *outputs)
{
    struct cnnf_error error = {0};
    int32_t *order = NULL;
    c->graph = graph;
    cnnfi_edge *wanted = find_outputs(c, graph, n_outputs, outputs);
    if (c->model.status != CNNF_OK) return;
    cnnf_status status = cnnfi_toposort(&order, graph, &error);
    if (status == CNNF_OK) status = cnnfi_edit_begin(&c->edit, graph, NULL, &error);
    if (status != CNNF_OK) {
        cnnfi_onnx_pass_on(&c->model, status, &error);
    } else {
        cnnfi_values_init(&c->values, &c->edit, false);
        convert_in_order(c, graph, order, n_outputs, wanted);
        /* What the tables could not find out for want of memory looked like something unknown. */
        if (c->edit.b->status != CNNF_OK) c->model.status = CNNF_OK;
        cnnfi_onnx_pass_on(&c->model, c->edit.b->status, c->edit.b->error);
        cnnfi_edit_free(&c->edit);
    }
    cnnfi_free(graph->context, order);
}
