/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/onnx/onnx_call.h"

#include <string.h>

/* ---- layouts ---- */

int32_t cnnfi_onnx_axis(cnnfi_layout layout, int32_t axis, int32_t rank)
{
    if (layout == CNNFI_PLAIN || rank < 3 || axis == 0) return axis;
    return axis == rank - 1 ? 1 : axis + 1;
}

/* perm[k]: which axis of the other layout is axis k of `to`. */
static void layout_perm(cnnfi_layout to, int32_t rank, int64_t *perm)
{
    for (int32_t axis = 0; axis < rank; axis++) {
        const int32_t first = cnnfi_onnx_axis(CNNFI_FIRST, axis, rank);
        perm[to == CNNFI_FIRST ? first : axis] = to == CNNFI_FIRST ? axis : first;
    }
}

const char *cnnfi_onnx_transpose(cnnfi_onnx_model *m, const char *x, int32_t rank, const int64_t *perm, const char *out)
{
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(m, &node, "Transpose", out, 1, &x);
    cnnfi_onnx_set_ints(m, node, "perm", (size_t)rank, perm);
    return y;
}

const char *cnnfi_onnx_reshape(cnnfi_onnx_model *m, const char *x, size_t rank, const int64_t *dims, const char *out)
{
    return cnnfi_onnx_binary(m, "Reshape", out, x, cnnfi_onnx_ints(m, rank, dims));
}

const char *cnnfi_onnx_cast(cnnfi_onnx_model *m, const char *x, cnnf_dtype dtype, const char *out)
{
    if (cnnfi_onnx_type(dtype) == 0) {
        cnnfi_export_fail(&m->x, CNNF_E_UNSUPPORTED, "ONNX export: dtype %s cannot be said", cnnf_dtype_name(dtype));
        return NULL;
    }
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(m, &node, "Cast", out, 1, &x);
    cnnfi_onnx_set_int(m, node, "to", cnnfi_onnx_type(dtype));
    return y;
}

bool cnnfi_onnx_moves_nothing(const cnnfi_value *shape)
{
    const int32_t rank = shape->rank;
    bool one_place = true;
    int32_t open = 0;
    for (int32_t axis = 0; axis < rank; axis++) {
        open += shape->dims[axis] < 0;
        if (axis > 0 && axis < rank - 1) one_place &= shape->dims[axis] == 1;
    }
    return open <= 1 && (one_place || shape->dims[rank - 1] == 1);
}

const char *cnnfi_onnx_relayout(cnnfi_onnx_model *m, const char *x, const cnnfi_value *shape, cnnfi_layout to,
                                const char *out)
{
    int64_t perm[CNNFI_OP_MAX_RANK], dims[CNNFI_OP_MAX_RANK];
    layout_perm(to, shape->rank, perm);
    if (!cnnfi_onnx_moves_nothing(shape)) return cnnfi_onnx_transpose(m, x, shape->rank, perm, out);
    for (int32_t axis = 0; axis < shape->rank; axis++)
        dims[cnnfi_onnx_axis(to, axis, shape->rank)] = shape->dims[axis];
    return cnnfi_onnx_reshape(m, x, (size_t)shape->rank, dims, out);
}

/* ---- tensors ---- */

static cnnfi_onnx_tensor *tensor_at(const cnnfi_onnx_convert *c, int32_t node, int32_t port)
{
    return port >= 0 && port < c->model.x.n_read[node] ? &c->outputs[node][port] : NULL;
}

static cnnfi_onnx_tensor *input_tensor(const cnnfi_onnx_call *call, int32_t input)
{
    const cnnfi_edge edge = call->node->edges[input];
    return edge.node >= 0 ? tensor_at(call->c, edge.node, edge.port) : NULL;
}

const char *cnnfi_onnx_weights(const cnnfi_onnx_call *call, const cnnf_tensor *tensor, const char *part,
                               const int32_t *perm, int32_t rank, const int64_t *dims)
{
    return cnnfi_onnx_constant(call->m, cnnfi_onnx_part(call->m, part), tensor, perm, rank, dims);
}

/* A Const in a layout: an initializer called as the node. */
static const char *constant_in(cnnfi_onnx_model *m, const char *name, const cnnf_tensor *tensor, cnnfi_layout layout)
{
    const int32_t rank = cnnf_tensor_rank(tensor);
    int64_t dims[CNNFI_OP_MAX_RANK], order[CNNFI_OP_MAX_RANK];
    int32_t perm[CNNFI_OP_MAX_RANK];
    if (rank > CNNFI_OP_MAX_RANK) {
        cnnfi_export_fail(&m->x, CNNF_E_UNSUPPORTED, "ONNX export: constant '%s' has %d axes", name, rank);
        return NULL;
    }
    layout_perm(layout, rank, order);
    for (int32_t axis = 0; axis < rank; axis++) {
        perm[axis] = layout == CNNFI_FIRST ? (int32_t)order[axis] : axis;
        dims[axis] = cnnfi_tensor_dims(tensor)[perm[axis]];
    }
    return cnnfi_onnx_constant(m, cnnfi_export_unique(&m->x, name), tensor, perm, rank, dims);
}

static const char *relayout_name(cnnfi_onnx_convert *c, const cnnf_node *node, int32_t port, cnnfi_layout layout)
{
    if (layout == CNNFI_PLAIN && c->model.x.wanted[node->index])
        return cnnfi_export_tensor_name(&c->model.x, node, port);
    const char *name =
        cnnfi_arena_printf(&c->model.x.arena, "%s/%s", node->name, layout == CNNFI_FIRST ? "NCHW" : "NHWC");
    return name != NULL ? cnnfi_export_unique(&c->model.x, name) : NULL;
}

/* Makes the layout that is not there yet. */
static void make_layout(const cnnfi_onnx_call *call, int32_t input, cnnfi_onnx_tensor *tensor, cnnfi_layout layout)
{
    const cnnfi_edge edge = call->node->edges[input];
    const cnnf_node *from = call->m->x.graph->nodes[edge.node];
    const cnnfi_attr *value = strcmp(from->op, "Const") == 0 ? cnnfi_node_attr(from, "value") : NULL;
    if (value != NULL && value->kind == CNNF_ATTR_TENSOR) {
        tensor->name[layout] = constant_in(call->m, from->name, value->u.tensor, layout);
        return;
    }
    const char *other = tensor->name[1 - layout];
    const cnnfi_value shape = cnnfi_export_in_shape(&call->asked, input);
    if (other == NULL || shape.rank < 0) {
        cnnfi_export_refuse(&call->asked, "the number of axes of input %d is not known", input);
        return;
    }
    tensor->name[layout] =
        cnnfi_onnx_relayout(call->m, other, &shape, layout, relayout_name(call->c, from, edge.port, layout));
}

const char *cnnfi_onnx_in(const cnnfi_onnx_call *call, int32_t input, cnnfi_layout layout)
{
    cnnfi_onnx_tensor *tensor = input < call->n_inputs ? input_tensor(call, input) : NULL;
    if (call->m->x.status != CNNF_OK) return NULL;
    if (tensor == NULL) {
        cnnfi_export_refuse(&call->asked, "input %d is missing", input);
        return NULL;
    }
    /* A tensor of two axes or fewer is the same in both. */
    const cnnfi_value shape = cnnfi_export_in_shape(&call->asked, input);
    if (shape.rank >= 0 && shape.rank < 3) layout = CNNFI_PLAIN;
    if (tensor->name[layout] == NULL) make_layout(call, input, tensor, layout);
    return tensor->name[layout];
}

const char *cnnfi_onnx_in_int64(const cnnfi_onnx_call *call, int32_t input)
{
    const char *x = cnnfi_onnx_in(call, input, CNNFI_PLAIN);
    const bool wide = cnnfi_export_in_shape(&call->asked, input).dtype == CNNF_INT64;
    return wide ? x : cnnfi_onnx_cast(call->m, x, CNNF_INT64, NULL);
}

const char *cnnfi_onnx_per_channel(cnnfi_onnx_model *m, const char *vector, int32_t rank)
{
    int64_t axes[CNNFI_OP_MAX_RANK];
    for (int32_t i = 0; i < rank - 2; i++)
        axes[i] = i + 1;
    return cnnfi_onnx_binary(m, "Unsqueeze", NULL, vector, cnnfi_onnx_ints(m, (size_t)(rank - 2), axes));
}

cnnfi_layout cnnfi_onnx_layout_of(const cnnfi_onnx_call *call, int32_t input)
{
    const cnnfi_onnx_tensor *tensor = input < call->n_inputs ? input_tensor(call, input) : NULL;
    const bool first = tensor != NULL && tensor->name[CNNFI_FIRST] != NULL && tensor->name[CNNFI_PLAIN] == NULL;
    return first && cnnfi_export_const_of(&call->asked, input) == NULL ? CNNFI_FIRST : CNNFI_PLAIN;
}

const char *cnnfi_onnx_out_name(const cnnfi_onnx_call *call, int32_t port, cnnfi_layout layout)
{
    if (call->m->x.status != CNNF_OK) return NULL;
    const char *name = cnnfi_export_tensor_name(&call->m->x, call->node, port);
    /* The graph's outputs are called as they are asked for; their names were set aside. */
    if (name != NULL && call->m->x.wanted[call->node->index] && layout == CNNFI_PLAIN) return name;
    return name != NULL ? cnnfi_export_unique(&call->m->x, name) : cnnfi_onnx_part(call->m, "output");
}

void cnnfi_onnx_give(const cnnfi_onnx_call *call, int32_t port, cnnfi_layout layout, const char *name)
{
    cnnfi_onnx_tensor *tensor = tensor_at(call->c, call->node->index, port);
    if (tensor == NULL) return;
    /* Two axes or fewer: the same tensor in both layouts, known as PLAIN. */
    const cnnfi_value shape = cnnfi_export_out_shape(&call->asked, port);
    tensor->name[shape.rank >= 0 && shape.rank < 3 ? CNNFI_PLAIN : layout] = name;
}

void cnnfi_onnx_give_input(const cnnfi_onnx_call *call, int32_t port, int32_t input)
{
    cnnfi_onnx_tensor *to = tensor_at(call->c, call->node->index, port);
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, input);
    if (cnnfi_onnx_in(call, input, layout) == NULL || to == NULL) return;
    *to = *input_tensor(call, input);
    to->node = NULL;
}

void cnnfi_onnx_offer_bias(const cnnfi_onnx_call *call, cnnfi_onnx_node *node)
{
    cnnfi_onnx_tensor *tensor = tensor_at(call->c, call->node->index, 0);
    if (tensor != NULL) tensor->node = node;
}

void cnnfi_onnx_offer_bias_scales(const cnnfi_onnx_call *call, const double *scales, int64_t n)
{
    cnnfi_onnx_tensor *tensor = tensor_at(call->c, call->node->index, 0);
    if (tensor == NULL) return;
    tensor->bias_scales = scales;
    tensor->n_bias_scales = n;
}

const double *cnnfi_onnx_bias_scales(const cnnfi_onnx_call *call, int32_t input, int64_t *n)
{
    const cnnfi_onnx_tensor *tensor = input_tensor(call, input);
    *n = tensor != NULL ? tensor->n_bias_scales : 0;
    return tensor != NULL ? tensor->bias_scales : NULL;
}

cnnfi_onnx_node *cnnfi_onnx_bias_taker(const cnnfi_onnx_call *call, int32_t input)
{
    const cnnfi_edge edge = call->node->edges[input];
    const cnnfi_onnx_tensor *tensor = input_tensor(call, input);
    if (tensor == NULL || tensor->node == NULL || call->m->x.wanted[edge.node]) return NULL;
    const cnnf_node *from = cnnfi_edit_node(&call->m->x.edit, edge.node);
    return cnnfi_edit_user_count(&call->m->x.edit, from, CNNFI_PORT_DATA) == 1 ? tensor->node : NULL;
}
