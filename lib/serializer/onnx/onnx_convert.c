/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/onnx/onnx_convert.h"

#include <string.h>

#include "serializer/export/export_walk.h"
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

/* The walk's state is the model's first member, which is the conversion's. */
static cnnfi_onnx_convert *convert_of(cnnfi_export *x)
{
    return (cnnfi_onnx_convert *)(void *)x;
}

static cnnfi_onnx_call call_of(const cnnfi_export_call *asked)
{
    cnnfi_onnx_convert *c = convert_of(asked->x);
    return (cnnfi_onnx_call){.asked = *asked,
                             .c = c,
                             .m = &c->model,
                             .node = asked->node,
                             .row = cnnfi_onnx_find(asked->node->op),
                             .n_inputs = asked->n_inputs};
}

/* Shape arithmetic whose result is known: a constant, and what it was computed from is swept later. */
static bool convert_known_ints(const cnnfi_onnx_call *call)
{
    const cnnfi_constant *known = cnnfi_export_known_ints(&call->asked);
    if (known == NULL) return false;
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
    const cnnf_dtype dtype = call->n_inputs > 0 ? cnnfi_export_in_shape(&call->asked, 0).dtype : CNNF_DTYPE_INVALID;
    if (call->row == NULL)
        cnnfi_export_refuse(&call->asked, "the op is not exported");
    else if (call->row->opset > call->m->opset)
        cnnfi_export_refuse(&call->asked, "needs opset %d", call->row->opset);
    else if (!takes_dtype(call->row->dtypes, dtype))
        cnnfi_export_refuse(&call->asked, "not for dtype %s", cnnf_dtype_name(dtype));
    else
        call->row->convert(call);
}

static void convert_node(cnnfi_export_call *asked)
{
    cnnfi_onnx_call call = call_of(asked);
    if (strcmp(call.node->op, "Const") == 0 || convert_known_ints(&call)) return; /* Const: made where it is read */
    convert_op(&call);
}

/* ---- the graph's ends ---- */

/* The graph's output under its name, in TensorFlow's layout. */
static void give_output(cnnfi_export_call *reader, cnnfi_edge edge, const cnnfi_value *shape)
{
    const cnnfi_onnx_call call = call_of(reader);
    const char *name = cnnfi_export_tensor_name(reader->x, reader->x->graph->nodes[edge.node], edge.port);
    const char *tensor = cnnfi_onnx_in(&call, 0, CNNFI_PLAIN);
    if (tensor != NULL && name != NULL && strcmp(tensor, name) != 0) cnnfi_onnx_unary(call.m, "Identity", name, tensor);
    cnnfi_onnx_add_graph_output(call.m, name, shape->dtype, shape->rank, shape->dims);
}

/* The name of an output is its own, however often it is asked for. */
static void set_aside(cnnfi_export *x, cnnfi_edge edge)
{
    const char *name = cnnfi_export_tensor_name(x, x->graph->nodes[edge.node], edge.port);
    if (name != NULL && cnnfi_strmap_get(&x->names, name) < 0) cnnfi_export_unique(x, name);
}

static void begin(cnnfi_export *x, size_t n_outputs, const cnnfi_edge *outputs)
{
    cnnfi_onnx_convert *c = convert_of(x);
    for (size_t i = 0; i < n_outputs; i++)
        set_aside(x, outputs[i]);
    c->outputs = cnnfi_export_array(x, x->graph->n_nodes, sizeof *c->outputs);
    for (size_t i = 0; c->outputs != NULL && i < x->graph->n_nodes; i++) {
        c->outputs[i] = cnnfi_export_array(x, (size_t)x->n_read[i], sizeof(cnnfi_onnx_tensor));
        if (c->outputs[i] == NULL) return;
    }
}

void cnnfi_onnx_convert_graph(cnnfi_onnx_convert *c, const cnnf_graph *graph, size_t n_outputs, char *const *outputs)
{
    static const cnnfi_export_side side = {.begin = begin, .node = convert_node, .output = give_output};
    cnnfi_export_walk_declared(&c->model.x, graph, n_outputs, outputs, &side);
}
