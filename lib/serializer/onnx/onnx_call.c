/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/onnx/onnx_call.h"

#include <stdio.h>
#include <string.h>

#include "edit/constants.h"
#include "graph/element.h"
#include "ops/op_rules.h"

/* ---- asking lib/ops/ ---- */

/* Values of an input as its dtype has them, in the arena; NULL: not constant, or not few integers. */
static void *small_ints(const cnnfi_onnx_call *call, int32_t input, const cnnfi_value *shape)
{
    int64_t values[32];
    size_t count;
    if ((shape->dtype != CNNF_INT32 && shape->dtype != CNNF_INT64) || shape->count < 0 || shape->count > 32)
        return NULL;
    if (!cnnfi_onnx_ints_of(call, input, values, 32, &count) || (int64_t)count != shape->count) return NULL;
    int64_t *data = cnnfi_onnx_array(call->m, count, sizeof *data);
    for (size_t i = 0; data != NULL && i < count; i++) {
        const int32_t narrow = (int32_t)values[i];
        if (shape->dtype == CNNF_INT64)
            data[i] = values[i];
        else
            memcpy((int32_t *)(void *)data + i, &narrow, sizeof narrow);
    }
    return data;
}

bool cnnfi_onnx_ask(const cnnfi_onnx_call *call, cnnfi_onnx_question *question)
{
    const int32_t max_outputs = cnnfi_call_max_outputs(call->node);
    cnnfi_value *inputs = cnnfi_onnx_array(call->m, (size_t)call->n_inputs, sizeof *inputs);
    cnnfi_value *outputs = cnnfi_onnx_array(call->m, (size_t)max_outputs, sizeof *outputs);
    if (inputs == NULL || outputs == NULL) return false;
    for (int32_t i = 0; i < call->n_inputs; i++) {
        inputs[i] = cnnfi_onnx_in_shape(call, i);
        inputs[i].data = small_ints(call, i, &inputs[i]);
    }
    *question = (cnnfi_onnx_question){.inputs = inputs,
                                      .call = {.context = call->m->context,
                                               .node = call->node,
                                               .n_inputs = call->n_inputs,
                                               .inputs = inputs,
                                               .max_outputs = max_outputs,
                                               .outputs = outputs}};
    question->call.error = &question->error;
    return call->m->status == CNNF_OK;
}

bool cnnfi_onnx_answered(const cnnfi_onnx_call *call, const cnnfi_onnx_question *question, cnnf_status status)
{
    if (status < 0) cnnfi_onnx_pass_on(call->m, status, &question->error);
    return status >= 0 && call->m->status == CNNF_OK;
}

/* ---- what is known ---- */

cnnfi_value cnnfi_onnx_in_shape(const cnnfi_onnx_call *call, int32_t input)
{
    return cnnfi_shape_of_input(&call->c->values.shapes, call->node, (size_t)input);
}

cnnfi_value cnnfi_onnx_out_shape(const cnnfi_onnx_call *call, int32_t port)
{
    const cnnfi_value known = cnnfi_shape_of_output(&call->c->values.shapes, call->node, port);
    cnnfi_onnx_question q;
    /* The table knows the outputs that nodes read; one that only the caller wants is asked for. */
    if (known.dtype != CNNF_DTYPE_INVALID || port == 0 || !cnnfi_onnx_ask(call, &q)) return known;
    const cnnf_status status = cnnfi_op_infer(&q.call);
    return status >= 0 && port < q.call.n_outputs ? q.call.outputs[port] : known;
}

const cnnf_tensor *cnnfi_onnx_const_of(const cnnfi_onnx_call *call, int32_t input)
{
    const cnnf_node *node = cnnfi_const_node(&call->c->edit, call->node, (size_t)input);
    const cnnfi_attr *value = node != NULL ? cnnfi_node_attr(node, "value") : NULL;
    return value != NULL && value->kind == CNNF_ATTR_TENSOR ? value->u.tensor : NULL;
}

bool cnnfi_onnx_ints_of(const cnnfi_onnx_call *call, int32_t input, int64_t *out, size_t capacity, size_t *count)
{
    const cnnfi_constant *known =
        input < call->n_inputs ? cnnfi_value_input(&call->c->values, call->node, (size_t)input) : NULL;
    if (!cnnfi_constant_is_whole(known) || known->rounded || known->shape.count > (int64_t)capacity) return false;
    *count = (size_t)known->shape.count;
    for (size_t i = 0; i < *count; i++)
        out[i] = cnnfi_saturate_i64(known->v[i]);
    return true;
}

int64_t cnnfi_onnx_int_known(const cnnfi_onnx_call *call, int32_t input, int64_t index)
{
    const cnnfi_constant *known =
        input < call->n_inputs ? cnnfi_value_known(&call->c->values, call->node, (size_t)input) : NULL;
    if (known == NULL || known->v == NULL || known->uniform || index >= known->shape.count) return CNNFI_UNKNOWN;
    const double value = known->v[index];
    return value >= 0 ? cnnfi_saturate_i64(value) : CNNFI_UNKNOWN; /* NaN: not known */
}

bool cnnfi_onnx_want_ints(const cnnfi_onnx_call *call, int32_t input, const char *what, int64_t *out, size_t capacity,
                          size_t *count)
{
    if (cnnfi_onnx_ints_of(call, input, out, capacity, count)) return true;
    cnnfi_onnx_refuse(call, "%s is not constant", what);
    return false;
}

bool cnnfi_onnx_want_axis(const cnnfi_onnx_call *call, int32_t input, int32_t rank, int32_t *axis)
{
    int64_t value;
    size_t count;
    if (!cnnfi_onnx_want_ints(call, input, "the axis", &value, 1, &count)) return false;
    *axis = (int32_t)(value < 0 ? value + rank : value);
    if (rank >= 0 && *axis >= 0 && *axis < rank) return true;
    cnnfi_onnx_refuse(call, "the number of axes of its input is not known");
    return false;
}

bool cnnfi_onnx_number_of(const cnnfi_onnx_call *call, int32_t input, double *out)
{
    return input < call->n_inputs && cnnfi_value_scalar(&call->c->values, call->node, (size_t)input, out);
}

void cnnfi_onnx_refuse(const cnnfi_onnx_call *call, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cnnfi_onnx_fail(call->m, CNNF_E_UNSUPPORTED, "ONNX export: node '%s' (%s): %s", call->node->name, call->node->op,
                    text);
}

bool cnnfi_onnx_channels_last(const cnnfi_onnx_call *call)
{
    return !cnnfi_node_string_is(call->node, "data_format", "NCHW") &&
           !cnnfi_node_string_is(call->node, "data_format", "NCDHW");
}

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
        cnnfi_onnx_fail(m, CNNF_E_UNSUPPORTED, "ONNX export: dtype %s cannot be said", cnnf_dtype_name(dtype));
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
    const struct cnnfi_onnx_outputs *outputs = &c->outputs[node];
    return port >= 0 && port < outputs->count ? &outputs->tensors[port] : NULL;
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
        cnnfi_onnx_fail(m, CNNF_E_UNSUPPORTED, "ONNX export: constant '%s' has %d axes", name, rank);
        return NULL;
    }
    layout_perm(layout, rank, order);
    for (int32_t axis = 0; axis < rank; axis++) {
        perm[axis] = layout == CNNFI_FIRST ? (int32_t)order[axis] : axis;
        dims[axis] = cnnfi_tensor_dims(tensor)[perm[axis]];
    }
    return cnnfi_onnx_constant(m, cnnfi_onnx_unique(m, name), tensor, perm, rank, dims);
}

const char *cnnfi_onnx_plain_name(cnnfi_onnx_convert *c, const cnnf_node *node, int32_t port)
{
    return port > 0 ? cnnfi_arena_printf(&c->model.arena, "%s:%d", node->name, port) : node->name;
}

static const char *relayout_name(cnnfi_onnx_convert *c, const cnnf_node *node, int32_t port, cnnfi_layout layout)
{
    if (layout == CNNFI_PLAIN && c->wanted[node->index]) return cnnfi_onnx_plain_name(c, node, port);
    const char *name =
        cnnfi_arena_printf(&c->model.arena, "%s/%s", node->name, layout == CNNFI_FIRST ? "NCHW" : "NHWC");
    return name != NULL ? cnnfi_onnx_unique(&c->model, name) : NULL;
}

/* Makes the layout that is not there yet. */
static void make_layout(const cnnfi_onnx_call *call, int32_t input, cnnfi_onnx_tensor *tensor, cnnfi_layout layout)
{
    const cnnfi_edge edge = call->node->edges[input];
    const cnnf_node *from = call->c->graph->nodes[edge.node];
    const cnnfi_attr *value = strcmp(from->op, "Const") == 0 ? cnnfi_node_attr(from, "value") : NULL;
    if (value != NULL && value->kind == CNNF_ATTR_TENSOR) {
        tensor->name[layout] = constant_in(call->m, from->name, value->u.tensor, layout);
        return;
    }
    const char *other = tensor->name[1 - layout];
    const cnnfi_value shape = cnnfi_onnx_in_shape(call, input);
    if (other == NULL || shape.rank < 0) {
        cnnfi_onnx_refuse(call, "the number of axes of input %d is not known", input);
        return;
    }
    tensor->name[layout] =
        cnnfi_onnx_relayout(call->m, other, &shape, layout, relayout_name(call->c, from, edge.port, layout));
}

const char *cnnfi_onnx_in(const cnnfi_onnx_call *call, int32_t input, cnnfi_layout layout)
{
    cnnfi_onnx_tensor *tensor = input < call->n_inputs ? input_tensor(call, input) : NULL;
    if (call->m->status != CNNF_OK) return NULL;
    if (tensor == NULL) {
        cnnfi_onnx_refuse(call, "input %d is missing", input);
        return NULL;
    }
    /* A tensor of two axes or fewer is the same in both. */
    const cnnfi_value shape = cnnfi_onnx_in_shape(call, input);
    if (shape.rank >= 0 && shape.rank < 3) layout = CNNFI_PLAIN;
    if (tensor->name[layout] == NULL) make_layout(call, input, tensor, layout);
    return tensor->name[layout];
}

const char *cnnfi_onnx_in_int64(const cnnfi_onnx_call *call, int32_t input)
{
    const char *x = cnnfi_onnx_in(call, input, CNNFI_PLAIN);
    const bool wide = cnnfi_onnx_in_shape(call, input).dtype == CNNF_INT64;
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
    return first && cnnfi_onnx_const_of(call, input) == NULL ? CNNFI_FIRST : CNNFI_PLAIN;
}

const char *cnnfi_onnx_out_name(const cnnfi_onnx_call *call, int32_t port, cnnfi_layout layout)
{
    if (call->m->status != CNNF_OK) return NULL;
    const char *name = cnnfi_onnx_plain_name(call->c, call->node, port);
    /* The graph's outputs are called as they are asked for; their names were set aside. */
    if (name != NULL && call->c->wanted[call->node->index] && layout == CNNFI_PLAIN) return name;
    return name != NULL ? cnnfi_onnx_unique(call->m, name) : cnnfi_onnx_part(call->m, "output");
}

void cnnfi_onnx_give(const cnnfi_onnx_call *call, int32_t port, cnnfi_layout layout, const char *name)
{
    cnnfi_onnx_tensor *tensor = tensor_at(call->c, call->node->index, port);
    if (tensor == NULL) return;
    /* Two axes or fewer: the same tensor in both layouts, known as PLAIN. */
    const cnnfi_value shape = cnnfi_onnx_out_shape(call, port);
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
    if (tensor == NULL || tensor->node == NULL || call->c->wanted[edge.node]) return NULL;
    const cnnf_node *from = cnnfi_edit_node(&call->c->edit, edge.node);
    return cnnfi_edit_user_count(&call->c->edit, from, CNNFI_PORT_DATA) == 1 ? tensor->node : NULL;
}
