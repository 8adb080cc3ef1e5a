/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/tflite/tflite_convert.h"

#include <string.h>

#include "serializer/export/export_walk.h"
#include "serializer/tflite/tflite_ops.h"

static const cnnfi_tfl_row *const families[] = {
    cnnfi_tfl_math_rows,      cnnfi_tfl_binary_rows, cnnfi_tfl_conv_rows,  cnnfi_tfl_nn_rows,
    cnnfi_tfl_reduction_rows, cnnfi_tfl_matrix_rows, cnnfi_tfl_shape_rows, cnnfi_tfl_array_rows,
};

const cnnfi_tfl_row *cnnfi_tfl_find(const char *op)
{
    for (size_t family = 0; family < sizeof families / sizeof *families; family++)
        for (const cnnfi_tfl_row *row = families[family]; row->op != NULL; row++)
            if (strcmp(row->op, op) == 0) return row;
    return NULL;
}

/* The walk's state is the model's first member, which is the conversion's. */
static cnnfi_tfl_convert *convert_of(cnnfi_export *x)
{
    return (cnnfi_tfl_convert *)(void *)x;
}

static cnnfi_tfl_call call_of(const cnnfi_export_call *asked)
{
    cnnfi_tfl_convert *c = convert_of(asked->x);
    return (cnnfi_tfl_call){.asked = *asked,
                            .c = c,
                            .m = &c->model,
                            .node = asked->node,
                            .row = cnnfi_tfl_find(asked->node->op),
                            .n_inputs = asked->n_inputs};
}

/* ---- what kernels take ---- */

static uint32_t bit_of(cnnf_dtype dtype)
{
    static const struct {
        cnnf_dtype dtype;
        uint32_t bit;
    } bits[] = {{CNNF_FLOAT, CNNFI_TFL_OF_FLOAT}, {CNNF_INT32, CNNFI_TFL_OF_INT32},  {CNNF_INT64, CNNFI_TFL_OF_INT64},
                {CNNF_BOOL, CNNFI_TFL_OF_BOOL},   {CNNF_INT8, CNNFI_TFL_OF_BYTE},    {CNNF_UINT8, CNNFI_TFL_OF_BYTE},
                {CNNF_INT16, CNNFI_TFL_OF_SHORT}, {CNNF_UINT32, CNNFI_TFL_OF_UINT32}};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (bits[i].dtype == dtype) return bits[i].bit;
    return 0;
}

static bool is_taken(const cnnfi_tfl_call *call)
{
    const cnnfi_tfl_row *row = call->row;
    const cnnfi_value data =
        row->data < call->n_inputs ? cnnfi_tfl_in_shape(call, row->data) : cnnfi_value_unknown(CNNF_DTYPE_INVALID);
    const int32_t rank = cnnfi_tfl_out_shape(call, 0).rank > data.rank ? cnnfi_tfl_out_shape(call, 0).rank : data.rank;
    if (row->dtypes != 0 && data.dtype != CNNF_DTYPE_INVALID && (row->dtypes & bit_of(data.dtype)) == 0)
        cnnfi_tfl_refuse(call, "not for dtype %s", cnnf_dtype_name(data.dtype));
    else if (row->axes != 0 && rank > row->axes)
        cnnfi_tfl_refuse(call, "%d axes, the kernels take %d", rank, row->axes);
    return call->m->x.status == CNNF_OK;
}

/* ---- one node ---- */

/* Shape arithmetic whose result is known: a constant, and what it was computed from is dropped later. */
static bool convert_known_ints(const cnnfi_tfl_call *call)
{
    const cnnfi_constant *known = cnnfi_export_known_ints(&call->asked);
    if (known == NULL) return false;
    cnnfi_tfl_give(call, 0,
                   cnnfi_tfl_numbers(call->m, known->shape.dtype, known->shape.rank, known->shape.dims, known->v));
    return true;
}

static void convert_node(cnnfi_export_call *asked)
{
    cnnfi_tfl_call call = call_of(asked);
    if (strcmp(call.node->op, "Const") == 0) return; /* made where it is read */
    if (convert_known_ints(&call)) return;
    if (call.row == NULL)
        cnnfi_tfl_refuse(&call, "TFLite has no builtin operator for it");
    else if (is_taken(&call))
        call.row->convert(&call);
}

/* ---- the graph's ends ---- */

/* What Keras calls an output: the layer, which is the first part of the node's name. */
static const char *key_of(cnnfi_tfl_model *m, const cnnf_node *node, int32_t port, const cnnfi_tfl_port *others)
{
    const size_t length = strcspn(node->name, "/");
    const char *key = port > 0 ? cnnfi_arena_printf(&m->x.arena, "%.*s_%d", (int)length, node->name, port)
                               : cnnfi_arena_strndup(&m->x.arena, node->name, length);
    for (; key != NULL && others != NULL; others = others->next)
        if (strcmp(others->key, key) == 0) key = cnnfi_export_tensor_name(&m->x, node, port);
    if (key == NULL) cnnfi_export_no_memory(&m->x);
    return key;
}

/* Wants a tensor of its own name for each output, so that those of two outputs differ. */
static void give_output(cnnfi_export_call *reader, cnnfi_edge edge, const cnnfi_value *shape)
{
    const cnnfi_tfl_call call = call_of(reader);
    (void)shape;
    cnnfi_tfl_tensor *tensor = cnnfi_tfl_in(&call, 0);
    const char *key = key_of(call.m, reader->x->graph->nodes[edge.node], edge.port, call.m->outputs);
    if (key != NULL) cnnfi_tfl_add_output(call.m, tensor, key);
}

static void make_room(cnnfi_export *x, size_t n_outputs, const cnnfi_edge *outputs)
{
    cnnfi_tfl_convert *c = convert_of(x);
    (void)n_outputs, (void)outputs;
    const size_t n = x->graph->n_nodes;
    c->outputs = cnnfi_export_array(x, n, sizeof *c->outputs);
    for (size_t i = 0; c->outputs != NULL && i < n; i++) {
        c->outputs[i] = cnnfi_export_array(x, (size_t)x->n_read[i], sizeof(cnnfi_tfl_tensor *));
        if (c->outputs[i] == NULL) return;
    }
}

/* ---- what every operator needs at the end ---- */

/* Kernels of two convolutions want a bias; others have none where there is none. */
static void complete_bias(cnnfi_tfl_model *m, cnnfi_tfl_node *node)
{
    const bool wants = node->code == TFL_CONV_2D || node->code == TFL_DEPTHWISE_CONV_2D;
    if (wants && node->inputs[2] == NULL) {
        const int64_t channels = node->inputs[1]->dims[node->code == TFL_CONV_2D ? 0 : 3];
        float *zeros = cnnfi_export_array(&m->x, (size_t)channels, sizeof *zeros);
        if (zeros != NULL)
            node->inputs[2] = cnnfi_tfl_constant_data(m, cnnfi_export_unique(&m->x, "no_bias"), CNNF_FLOAT, 1,
                                                      &channels, zeros, (size_t)channels * sizeof *zeros);
    }
    const bool trailing = node->code != TFL_FULLY_CONNECTED;
    while (trailing && node->n_inputs > 0 && node->inputs[node->n_inputs - 1] == NULL)
        node->n_inputs--;
}

void cnnfi_tfl_convert_graph(cnnfi_tfl_convert *c, const cnnf_graph *graph, size_t n_outputs, char *const *outputs)
{
    static const cnnfi_export_side side = {.begin = make_room, .node = convert_node, .output = give_output};
    cnnfi_export_walk_declared(&c->model.x, graph, n_outputs, outputs, &side);
    for (cnnfi_tfl_node *node = c->model.nodes; node != NULL && c->model.x.status == CNNF_OK; node = node->next)
        complete_bias(&c->model, node);
}
