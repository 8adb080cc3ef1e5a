/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/tflite/tflite_call.h"

#include <string.h>

cnnfi_value cnnfi_tfl_in_shape(const cnnfi_tfl_call *call, int32_t input)
{
    return cnnfi_export_in_shape(&call->asked, input);
}

cnnfi_value cnnfi_tfl_out_shape(const cnnfi_tfl_call *call, int32_t port)
{
    return cnnfi_export_out_shape(&call->asked, port);
}

/* ---- tensors ---- */

static cnnfi_tfl_tensor **tensor_at(const cnnfi_tfl_call *call, int32_t node, int32_t port)
{
    const bool there = port >= 0 && port < call->m->x.n_read[node];
    return there ? &call->c->outputs[node][port] : NULL;
}

static cnnfi_tfl_tensor *constant_of(const cnnfi_tfl_call *call, const cnnf_node *node)
{
    const cnnfi_attr *value = strcmp(node->op, "Const") == 0 ? cnnfi_node_attr(node, "value") : NULL;
    if (value == NULL || value->kind != CNNF_ATTR_TENSOR) return NULL;
    const cnnf_tensor *tensor = value->u.tensor;
    if (cnnf_tensor_dtype(tensor) == CNNF_STRING) {
        cnnfi_tfl_refuse(call, "constants of strings are not exported");
        return NULL;
    }
    return cnnfi_tfl_constant(call->m, cnnfi_export_unique(&call->m->x, node->name), tensor, NULL,
                              cnnf_tensor_rank(tensor), cnnfi_tensor_dims(tensor));
}

cnnfi_tfl_tensor *cnnfi_tfl_in(const cnnfi_tfl_call *call, int32_t input)
{
    if (call->m->x.status != CNNF_OK) return NULL;
    const cnnfi_edge edge = input < call->n_inputs ? call->node->edges[input] : (cnnfi_edge){.node = -1};
    cnnfi_tfl_tensor **tensor = edge.node >= 0 ? tensor_at(call, edge.node, edge.port) : NULL;
    if (tensor != NULL && *tensor == NULL) *tensor = constant_of(call, call->m->x.graph->nodes[edge.node]);
    if (tensor != NULL && *tensor != NULL) return *tensor;
    cnnfi_tfl_refuse(call, "input %d is missing", input);
    return NULL;
}

cnnfi_tfl_tensor *cnnfi_tfl_in_int32(const cnnfi_tfl_call *call, int32_t input)
{
    enum { MAX_INTS = 1024 };
    int64_t values[MAX_INTS];
    size_t count;
    const cnnfi_value shape = cnnfi_tfl_in_shape(call, input);
    if (shape.dtype != CNNF_INT64) return cnnfi_tfl_in(call, input);
    if (shape.rank == 0 && cnnfi_export_ints_of(&call->asked, input, values, 1, &count) && count == 1)
        return cnnfi_tfl_int(call->m, values[0]);
    if (shape.rank == 1 && cnnfi_export_ints_of(&call->asked, input, values, MAX_INTS, &count))
        return cnnfi_tfl_ints(call->m, count, values);
    return cnnfi_tfl_cast(call->m, cnnfi_tfl_in(call, input), cnnfi_tfl_part_like(call, input, CNNF_INT32));
}

cnnfi_tfl_tensor *cnnfi_tfl_out(const cnnfi_tfl_call *call, int32_t port)
{
    if (call->m->x.status != CNNF_OK) return NULL;
    const cnnfi_value shape = cnnfi_tfl_out_shape(call, port);
    const char *name = cnnfi_export_tensor_name(&call->m->x, call->node, port);
    if (name == NULL) cnnfi_export_no_memory(&call->m->x);
    if (shape.dtype == CNNF_DTYPE_INVALID) cnnfi_tfl_refuse(call, "the dtype of output %d is not known", port);
    return cnnfi_tfl_tensor_add(call->m, name != NULL ? cnnfi_export_unique(&call->m->x, name) : NULL, &shape);
}

cnnfi_tfl_tensor *cnnfi_tfl_part(const cnnfi_tfl_call *call)
{
    const cnnfi_value shape = cnnfi_tfl_out_shape(call, 0);
    return cnnfi_tfl_tensor_add(call->m, NULL, &shape);
}

cnnfi_tfl_tensor *cnnfi_tfl_part_like(const cnnfi_tfl_call *call, int32_t input, cnnf_dtype dtype)
{
    cnnfi_value shape = cnnfi_tfl_in_shape(call, input);
    shape.dtype = dtype;
    return cnnfi_tfl_tensor_add(call->m, NULL, &shape);
}

cnnfi_tfl_tensor *cnnfi_tfl_part_of(const cnnfi_tfl_call *call, cnnf_dtype dtype, int32_t rank, const int64_t *dims)
{
    const cnnfi_value shape = cnnfi_value_make(dtype, rank, dims);
    return cnnfi_tfl_tensor_add(call->m, NULL, &shape);
}

void cnnfi_tfl_give(const cnnfi_tfl_call *call, int32_t port, cnnfi_tfl_tensor *tensor)
{
    cnnfi_tfl_tensor **place = tensor_at(call, call->node->index, port);
    if (place != NULL) *place = tensor;
}

/* Whether output `edge` is read by one input alone, and no output of the graph. */
static bool is_private(const cnnfi_tfl_call *call, cnnfi_edge edge)
{
    if (call->m->x.wanted[edge.node]) return false;
    const cnnf_node *from = cnnfi_edit_node(&call->m->x.edit, edge.node);
    return cnnfi_edit_user_count(&call->m->x.edit, from, CNNFI_PORT_DATA) == 1;
}

void cnnfi_tfl_give_input(const cnnfi_tfl_call *call, int32_t port, int32_t input)
{
    cnnfi_tfl_tensor *tensor = cnnfi_tfl_in(call, input);
    if (tensor != NULL && !is_private(call, call->node->edges[input])) tensor->giver = NULL;
    cnnfi_tfl_give(call, port, tensor);
}

static bool same_order(const cnnfi_tfl_tensor *tensor, const cnnf_tensor *source, const int32_t *perm, int32_t rank,
                       const int64_t *dims)
{
    if (tensor->source != source || tensor->rank != rank || tensor->permuted != (perm != NULL)) return false;
    for (int32_t i = 0; perm != NULL && i < cnnf_tensor_rank(source); i++)
        if (tensor->perm[i] != perm[i]) return false;
    return memcmp(tensor->dims, dims, (size_t)rank * sizeof *dims) == 0;
}

cnnfi_tfl_tensor *cnnfi_tfl_weights(const cnnfi_tfl_call *call, int32_t input, const int32_t *perm, int32_t rank,
                                    const int64_t *dims)
{
    const cnnf_tensor *source = cnnfi_export_const_of(&call->asked, input);
    if (call->m->x.status != CNNF_OK || source == NULL) return NULL;
    const char *name = call->m->x.graph->nodes[call->node->edges[input].node]->name;
    /* Weights that several nodes share keep their name: the first of them is found by it. */
    const int64_t known = cnnfi_strmap_get(&call->m->x.names, name);
    for (cnnfi_tfl_tensor *t = known >= 0 ? call->m->tensors : NULL; t != NULL; t = t->next)
        if (t->is_constant && same_order(t, source, perm, rank, dims)) return t;
    return cnnfi_tfl_constant(call->m, cnnfi_export_unique(&call->m->x, name), source, perm, rank, dims);
}

/* ---- operators that others go into ---- */

void cnnfi_tfl_offer(const cnnfi_tfl_call *call, cnnfi_tfl_node *node)
{
    if (node != NULL) node->outputs[0]->giver = node;
}

cnnfi_tfl_node *cnnfi_tfl_taker(const cnnfi_tfl_call *call, int32_t input)
{
    const cnnfi_edge edge = call->node->edges[input];
    cnnfi_tfl_tensor **tensor = edge.node >= 0 ? tensor_at(call, edge.node, edge.port) : NULL;
    if (tensor == NULL || *tensor == NULL) return NULL;
    return is_private(call, edge) ? (*tensor)->giver : NULL;
}

/* ---- small operators ---- */

cnnfi_tfl_tensor *cnnfi_tfl_cast(cnnfi_tfl_model *m, cnnfi_tfl_tensor *x, cnnfi_tfl_tensor *out)
{
    if (x == NULL || out == NULL) return NULL;
    cnnfi_tfl_node *node = cnnfi_tfl_add(m, TFL_CAST, 1, &x, 1, &out);
    cnnfi_tfl_set_byte(node, CAST_IN, cnnfi_tfl_type(x->dtype));
    cnnfi_tfl_set_byte(node, CAST_OUT, cnnfi_tfl_type(out->dtype));
    return out;
}

cnnfi_tfl_tensor *cnnfi_tfl_reshape(cnnfi_tfl_model *m, cnnfi_tfl_tensor *x, cnnfi_tfl_tensor *out)
{
    if (x == NULL || out == NULL) return NULL;
    cnnfi_tfl_tensor *inputs[] = {x, cnnfi_tfl_ints(m, (size_t)out->rank, out->dims)};
    cnnfi_tfl_node *node = cnnfi_tfl_add(m, TFL_RESHAPE, 2, inputs, 1, &out);
    cnnfi_tfl_set_ints(m, node, RESHAPE_NEW_SHAPE, (size_t)out->rank, out->dims);
    return out;
}

cnnfi_tfl_tensor *cnnfi_tfl_transpose(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *x, const int64_t *perm,
                                      cnnfi_tfl_tensor *out)
{
    if (x == NULL) return NULL;
    int64_t dims[CNNFI_OP_MAX_RANK];
    for (int32_t i = 0; i < x->rank; i++)
        dims[i] = x->dims[perm[i]];
    if (out == NULL) out = cnnfi_tfl_part_of(call, x->dtype, x->rank, dims);
    return cnnfi_tfl_binary(call->m, TFL_TRANSPOSE, x, cnnfi_tfl_ints(call->m, (size_t)x->rank, perm), out);
}
