/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/onnx/onnx_write.h"

#include <stdio.h>
#include <string.h>

#include <cnnfreeze/version.h>

#include "serializer/export/permuted.h"

/* Field numbers of onnx.proto (IR version 3 and later). */
enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER_NAME, MODEL_PRODUCER_VERSION, MODEL_GRAPH = 7, MODEL_OPSET_IMPORT };
enum { OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT };
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OP_TYPE, NODE_ATTRIBUTE };
enum { ATTR_NAME = 1, ATTR_F, ATTR_I, ATTR_S, ATTR_FLOATS = 7, ATTR_INTS, ATTR_TYPE = 20 };
enum { VALUE_NAME = 1, VALUE_TYPE };
enum { TYPE_TENSOR = 1 };
enum { TENSOR_TYPE_ELEM = 1, TENSOR_TYPE_SHAPE };
enum { SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_PARAM };
enum {
    TENSOR_DIMS = 1,
    TENSOR_DATA_TYPE,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA,
    TENSOR_EXTERNAL_DATA = 13,
    TENSOR_LOCATION
};
enum { ENTRY_KEY = 1, ENTRY_VALUE };
enum { LOCATION_EXTERNAL = 1 };

/* What a runtime maps from a file begins at a page. */
#define EXTERNAL_ALIGNMENT ((uint64_t)4096)

/* ---- bytes of an initializer ---- */

static cnnf_status write_piece(const void *data, size_t size, void *sink, cnnf_error *error)
{
    return cnnfi_sink_write((cnnfi_sink *)sink, data, size, error);
}

static cnnf_status write_permuted(const cnnfi_onnx_initializer *init, cnnfi_sink *sink, cnnf_error *error)
{
    return cnnfi_permuted_stream(init->tensor, init->perm, write_piece, sink, error);
}

/* A skeleton's payload. */
static cnnf_status write_payload(const void *user, cnnfi_sink *sink, cnnf_error *error)
{
    return write_permuted(user, sink, error);
}

/* ---- tensors ---- */

static void put_entry(cnnfi_skeleton *s, const char *key, const char *value)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    cnnfi_put_string(&s->bytes, ENTRY_KEY, key);
    cnnfi_put_string(&s->bytes, ENTRY_VALUE, value);
    cnnfi_skeleton_end(s, TENSOR_EXTERNAL_DATA, begin);
}

static void put_external(cnnfi_skeleton *s, const char *location, uint64_t offset, uint64_t size)
{
    char number[24];
    put_entry(s, "location", location);
    snprintf(number, sizeof number, "%llu", (unsigned long long)offset);
    put_entry(s, "offset", number);
    snprintf(number, sizeof number, "%llu", (unsigned long long)size);
    put_entry(s, "length", number);
    cnnfi_put_int(&s->bytes, TENSOR_LOCATION, LOCATION_EXTERNAL);
}

static void put_raw(cnnfi_skeleton *s, const cnnfi_onnx_initializer *init)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    if (init->tensor == NULL)
        cnnfi_skeleton_raw(s, (cnnfi_bytes){.data = init->data, .size = init->size});
    else if (init->permuted)
        cnnfi_skeleton_cut_written(s, init->size, write_payload, init);
    else
        cnnfi_skeleton_cut_tensor(s, init->tensor);
    cnnfi_skeleton_end(s, TENSOR_RAW_DATA, begin);
}

static bool is_external(const cnnfi_onnx_initializer *init)
{
    return init->tensor != NULL && init->size >= CNNFI_ONNX_EXTERNAL_BYTES;
}

static uint64_t external_place(uint64_t end)
{
    return (end + EXTERNAL_ALIGNMENT - 1) / EXTERNAL_ALIGNMENT * EXTERNAL_ALIGNMENT;
}

static void put_initializer(cnnfi_skeleton *s, const cnnfi_onnx_initializer *init, const char *location, uint64_t *end)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    for (int32_t i = 0; i < init->rank; i++)
        cnnfi_put_int(&s->bytes, TENSOR_DIMS, init->dims[i]);
    cnnfi_put_int(&s->bytes, TENSOR_DATA_TYPE, cnnfi_onnx_type(init->dtype));
    cnnfi_put_string(&s->bytes, TENSOR_NAME, init->name);
    if (location != NULL && is_external(init)) {
        const uint64_t offset = external_place(*end);
        put_external(s, location, offset, init->size);
        *end = offset + init->size;
    } else {
        put_raw(s, init);
    }
    cnnfi_skeleton_end(s, GRAPH_INITIALIZER, begin);
}

static cnnf_status write_zeros(cnnfi_sink *sink, uint64_t count, cnnf_error *error)
{
    static const uint8_t zeros[EXTERNAL_ALIGNMENT];
    return cnnfi_sink_write(sink, zeros, (size_t)count, error);
}

static cnnf_status stream_piece(const void *data, size_t size, void *user, cnnf_error *error)
{
    return cnnfi_sink_write(user, data, size, error);
}

cnnf_status cnnfi_onnx_write_external(const cnnfi_onnx_model *model, cnnfi_sink *sink, cnnf_error *error)
{
    uint64_t end = 0;
    for (const cnnfi_onnx_initializer *init = model->initializers; init != NULL; init = init->next) {
        if (!is_external(init)) continue;
        const uint64_t offset = external_place(end);
        CNNFI_TRY(write_zeros(sink, offset - end, error));
        CNNFI_TRY(init->permuted ? write_permuted(init, sink, error)
                                 : cnnfi_tensor_stream(init->tensor, stream_piece, sink, error));
        end = offset + init->size;
    }
    return CNNF_OK;
}

/* ---- nodes ---- */

static void put_attr(cnnfi_skeleton *s, const cnnfi_onnx_attr *attr)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    uint32_t bits;
    cnnfi_put_string(&s->bytes, ATTR_NAME, attr->name);
    switch (attr->kind) {
    case CNNFI_ONNX_FLOAT:
        memcpy(&bits, &attr->f, sizeof bits);
        cnnfi_put_fixed32(&s->bytes, ATTR_F, bits);
        break;
    case CNNFI_ONNX_INT:
        cnnfi_put_int(&s->bytes, ATTR_I, attr->i);
        break;
    case CNNFI_ONNX_STRING:
        cnnfi_put_string(&s->bytes, ATTR_S, attr->s);
        break;
    case CNNFI_ONNX_FLOATS:
        for (size_t i = 0; i < attr->count; i++) {
            memcpy(&bits, &attr->floats[i], sizeof bits);
            cnnfi_put_fixed32(&s->bytes, ATTR_FLOATS, bits);
        }
        break;
    case CNNFI_ONNX_INTS:
        for (size_t i = 0; i < attr->count; i++)
            cnnfi_put_int(&s->bytes, ATTR_INTS, attr->ints[i]);
        break;
    }
    cnnfi_put_int(&s->bytes, ATTR_TYPE, attr->kind);
    cnnfi_skeleton_end(s, NODE_ATTRIBUTE, begin);
}

static void put_node(cnnfi_skeleton *s, const cnnfi_onnx_node *node)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    for (size_t i = 0; i < node->n_inputs; i++)
        cnnfi_put_string(&s->bytes, NODE_INPUT, node->inputs[i] != NULL ? node->inputs[i] : "");
    for (size_t i = 0; i < node->n_outputs; i++)
        cnnfi_put_string(&s->bytes, NODE_OUTPUT, node->outputs[i] != NULL ? node->outputs[i] : "");
    cnnfi_put_string(&s->bytes, NODE_NAME, node->name);
    cnnfi_put_string(&s->bytes, NODE_OP_TYPE, node->op);
    for (const cnnfi_onnx_attr *attr = node->attrs; attr != NULL; attr = attr->next)
        put_attr(s, attr);
    cnnfi_skeleton_end(s, GRAPH_NODE, begin);
}

/* ---- ports ---- */

/* An open batch is one and the same for the whole graph; other open sizes are the tensor's own. */
static void put_dim(cnnfi_skeleton *s, const cnnfi_onnx_port *port, int32_t axis)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    char name[64];
    if (port->dims[axis] >= 0) {
        cnnfi_put_int(&s->bytes, DIM_VALUE, port->dims[axis]);
    } else if (axis == 0) {
        cnnfi_put_string(&s->bytes, DIM_PARAM, "batch");
    } else {
        snprintf(name, sizeof name, "%.40s_dim%d", port->name, (int)axis);
        cnnfi_put_string(&s->bytes, DIM_PARAM, name);
    }
    cnnfi_skeleton_end(s, SHAPE_DIM, begin);
}

static void put_port(cnnfi_skeleton *s, uint32_t field, const cnnfi_onnx_port *port)
{
    const cnnfi_mark value = cnnfi_skeleton_begin(s);
    cnnfi_put_string(&s->bytes, VALUE_NAME, port->name);
    const cnnfi_mark type = cnnfi_skeleton_begin(s);
    const cnnfi_mark tensor = cnnfi_skeleton_begin(s);
    cnnfi_put_int(&s->bytes, TENSOR_TYPE_ELEM, cnnfi_onnx_type(port->dtype));
    if (port->rank >= 0) {
        const cnnfi_mark shape = cnnfi_skeleton_begin(s);
        for (int32_t axis = 0; axis < port->rank; axis++)
            put_dim(s, port, axis);
        cnnfi_skeleton_end(s, TENSOR_TYPE_SHAPE, shape);
    }
    cnnfi_skeleton_end(s, TYPE_TENSOR, tensor);
    cnnfi_skeleton_end(s, VALUE_TYPE, type);
    cnnfi_skeleton_end(s, field, value);
}

/* ---- the model ---- */

/* The IR version that came with an opset (docs/Versioning.md). */
static int64_t ir_version(int32_t opset)
{
    return opset >= 21 ? 10 : opset >= 19 ? 9 : opset >= 15 ? 8 : 7;
}

static void put_graph(cnnfi_skeleton *s, const cnnfi_onnx_model *model, const char *location, uint64_t *external)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    for (const cnnfi_onnx_node *node = model->nodes; node != NULL; node = node->next)
        put_node(s, node);
    cnnfi_put_string(&s->bytes, GRAPH_NAME, "cnnfreeze");
    for (const cnnfi_onnx_initializer *init = model->initializers; init != NULL; init = init->next)
        put_initializer(s, init, location, external);
    for (const cnnfi_onnx_port *port = model->inputs; port != NULL; port = port->next)
        put_port(s, GRAPH_INPUT, port);
    for (const cnnfi_onnx_port *port = model->outputs; port != NULL; port = port->next)
        put_port(s, GRAPH_OUTPUT, port);
    cnnfi_skeleton_end(s, MODEL_GRAPH, begin);
}

void cnnfi_onnx_write(cnnfi_skeleton *s, const cnnfi_onnx_model *model, const char *location, uint64_t *external)
{
    *external = 0;
    cnnfi_put_int(&s->bytes, MODEL_IR_VERSION, ir_version(model->opset));
    cnnfi_put_string(&s->bytes, MODEL_PRODUCER_NAME, "cnnfreeze");
    cnnfi_put_string(&s->bytes, MODEL_PRODUCER_VERSION, cnnf_version_string());
    put_graph(s, model, location, external);
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    cnnfi_put_int(&s->bytes, OPSET_VERSION, model->opset);
    cnnfi_skeleton_end(s, MODEL_OPSET_IMPORT, begin);
}
