/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/onnx/onnx_model.h"

#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/num.h"
#include "graph/element.h"

void cnnfi_onnx_model_init(cnnfi_onnx_model *model, cnnf_context *context, int32_t opset)
{
    *model = (cnnfi_onnx_model){.opset = opset};
    cnnfi_export_init(&model->x, context, "ONNX");
    cnnfi_strmap_init(&model->small, context);
    model->last_node = &model->nodes;
    model->last_initializer = &model->initializers;
    model->last_input = &model->inputs;
    model->last_output = &model->outputs;
}

void cnnfi_onnx_model_free(cnnfi_onnx_model *model)
{
    cnnfi_strmap_free(&model->small);
    cnnfi_free(model->x.context, model->shared);
    cnnfi_export_free(&model->x);
}

/* ---- names ---- */

const char *cnnfi_onnx_part(cnnfi_onnx_model *model, const char *part)
{
    const char *name =
        model->x.status == CNNF_OK ? cnnfi_arena_printf(&model->x.arena, "%s/%s", model->x.scope, part) : NULL;
    if (name == NULL) cnnfi_export_no_memory(&model->x);
    return name != NULL ? cnnfi_export_unique(&model->x, name) : NULL;
}

/* ---- nodes ---- */

static const char **copy_names(cnnfi_onnx_model *model, size_t count, const char *const *names)
{
    const char **copy = cnnfi_export_array(&model->x, count, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++)
        copy[i] = names[i];
    return copy;
}

cnnfi_onnx_node *cnnfi_onnx_add_many(cnnfi_onnx_model *model, const char *op, size_t n_outputs,
                                     const char *const *outputs, size_t n_inputs, const char *const *inputs)
{
    cnnfi_onnx_node *node = cnnfi_export_array(&model->x, 1, sizeof *node);
    const char **in = copy_names(model, n_inputs, inputs);
    const char **out = copy_names(model, n_outputs, outputs);
    if (model->x.status != CNNF_OK) return NULL;
    *node = (cnnfi_onnx_node){.op = op,
                              .name = n_outputs > 0 && outputs[0] != NULL ? outputs[0] : model->x.scope,
                              .n_inputs = n_inputs,
                              .inputs = in,
                              .n_outputs = n_outputs,
                              .outputs = out};
    *model->last_node = node;
    model->last_node = &node->next;
    return node;
}

const char *cnnfi_onnx_add(cnnfi_onnx_model *model, cnnfi_onnx_node **node, const char *op, const char *out,
                           size_t n_inputs, const char *const *inputs)
{
    if (node != NULL) *node = NULL;
    const char *name = out != NULL ? out : cnnfi_onnx_part(model, op);
    cnnfi_onnx_node *made = cnnfi_onnx_add_many(model, op, 1, &name, n_inputs, inputs);
    if (node != NULL) *node = made;
    return made != NULL ? name : NULL;
}

const char *cnnfi_onnx_unary(cnnfi_onnx_model *model, const char *op, const char *out, const char *x)
{
    return cnnfi_onnx_add(model, NULL, op, out, 1, &x);
}

const char *cnnfi_onnx_binary(cnnfi_onnx_model *model, const char *op, const char *out, const char *x, const char *y)
{
    return cnnfi_onnx_add(model, NULL, op, out, 2, (const char *[]){x, y});
}

void cnnfi_onnx_exchange(cnnfi_onnx_node *a, cnnfi_onnx_node *b)
{
    const cnnfi_onnx_node first = *a, second = *b;
    *a = second;
    *b = first;
    a->next = first.next;
    b->next = second.next;
}

void cnnfi_onnx_add_input(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *input)
{
    const char **inputs = node != NULL ? cnnfi_export_array(&model->x, node->n_inputs + 1, sizeof *inputs) : NULL;
    if (inputs == NULL) return;
    memcpy(inputs, node->inputs, node->n_inputs * sizeof *inputs);
    inputs[node->n_inputs++] = input;
    node->inputs = inputs;
}

static cnnfi_onnx_attr *add_attr(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *name, cnnfi_onnx_kind kind)
{
    cnnfi_onnx_attr *attr = node != NULL ? cnnfi_export_array(&model->x, 1, sizeof *attr) : NULL;
    if (attr == NULL) return NULL;
    *attr = (cnnfi_onnx_attr){.name = name, .kind = kind};
    cnnfi_onnx_attr **end = &node->attrs;
    while (*end != NULL)
        end = &(*end)->next;
    *end = attr;
    return attr;
}

void cnnfi_onnx_set_int(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *name, int64_t value)
{
    cnnfi_onnx_attr *attr = add_attr(model, node, name, CNNFI_ONNX_INT);
    if (attr != NULL) attr->i = value;
}

void cnnfi_onnx_set_float(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *name, float value)
{
    cnnfi_onnx_attr *attr = add_attr(model, node, name, CNNFI_ONNX_FLOAT);
    if (attr != NULL) attr->f = value;
}

void cnnfi_onnx_set_text(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *name, const char *value)
{
    cnnfi_onnx_attr *attr = add_attr(model, node, name, CNNFI_ONNX_STRING);
    if (attr == NULL) return;
    attr->s = cnnfi_arena_strdup(&model->x.arena, value);
    if (attr->s == NULL) cnnfi_export_no_memory(&model->x);
}

void cnnfi_onnx_set_ints(cnnfi_onnx_model *model, cnnfi_onnx_node *node, const char *name, size_t count,
                         const int64_t *values)
{
    cnnfi_onnx_attr *attr = add_attr(model, node, name, CNNFI_ONNX_INTS);
    int64_t *copy = attr != NULL ? cnnfi_export_array(&model->x, count, sizeof *copy) : NULL;
    if (copy == NULL) return;
    if (count > 0) memcpy(copy, values, count * sizeof *copy);
    attr->ints = copy;
    attr->count = count;
}

/* ---- constants ---- */

static cnnfi_onnx_initializer *add_initializer(cnnfi_onnx_model *model, const char *name, cnnf_dtype dtype,
                                               int32_t rank, const int64_t *dims)
{
    if (rank > CNNFI_ONNX_MAX_RANK) {
        cnnfi_export_fail(&model->x, CNNF_E_UNSUPPORTED, "a constant has %d axes, at most %d can be said", rank,
                          CNNFI_ONNX_MAX_RANK);
        return NULL;
    }
    cnnfi_onnx_initializer *made = name != NULL ? cnnfi_export_array(&model->x, 1, sizeof *made) : NULL;
    if (made == NULL) return NULL;
    *made = (cnnfi_onnx_initializer){.name = name, .dtype = dtype, .rank = rank};
    for (int32_t i = 0; i < rank; i++)
        made->dims[i] = dims[i];
    *model->last_initializer = made;
    model->last_initializer = &made->next;
    return made;
}

const char *cnnfi_onnx_constant(cnnfi_onnx_model *model, const char *name, const cnnf_tensor *tensor,
                                const int32_t *perm, int32_t rank, const int64_t *dims)
{
    const int32_t axes = cnnf_tensor_rank(tensor);
    if (cnnfi_onnx_type(cnnf_tensor_dtype(tensor)) == 0 || cnnf_tensor_dtype(tensor) == CNNF_STRING) {
        cnnfi_export_fail(&model->x, CNNF_E_UNSUPPORTED, "constants of dtype %s are not exported",
                          cnnf_dtype_name(cnnf_tensor_dtype(tensor)));
        return NULL;
    }
    cnnfi_onnx_initializer *made = add_initializer(model, name, cnnf_tensor_dtype(tensor), rank, dims);
    if (made == NULL) return NULL;
    made->tensor = tensor;
    made->size = cnnf_tensor_byte_size(tensor);
    for (int32_t i = 0; perm != NULL && i < axes && i < CNNFI_ONNX_MAX_RANK; i++) {
        made->perm[i] = perm[i];
        made->permuted |= perm[i] != i;
    }
    return name;
}

/* The initializer of these bytes that there is, or a new one. */
static const char *share(cnnfi_onnx_model *model, const char *key, const char *name, cnnf_dtype dtype, int32_t rank,
                         int64_t count, const void *data, size_t size)
{
    if (model->x.status != CNNF_OK) return NULL;
    const int64_t known = key != NULL ? cnnfi_strmap_get(&model->small, key) : -1;
    if (known >= 0) return model->shared[known];
    void *copy = cnnfi_export_array(&model->x, size, 1);
    if (key == NULL || copy == NULL ||
        !cnnfi_grow(model->x.context, (void **)&model->shared, &model->shared_capacity, model->n_shared,
                    sizeof *model->shared) ||
        !cnnfi_strmap_set(&model->small, key, (int64_t)model->n_shared)) {
        cnnfi_export_no_memory(&model->x);
        return NULL;
    }
    if (size > 0) memcpy(copy, data, size);
    cnnfi_onnx_initializer *made = add_initializer(model, cnnfi_export_unique(&model->x, name), dtype, rank, &count);
    if (made == NULL) return NULL;
    made->data = copy;
    made->size = size;
    return model->shared[model->n_shared++] = made->name;
}

const char *cnnfi_onnx_ints(cnnfi_onnx_model *model, size_t count, const int64_t *values)
{
    cnnfi_strbuf key;
    cnnfi_strbuf_init(&key, model->x.context);
    cnnfi_strbuf_puts(&key, "const");
    for (size_t i = 0; i < count; i++)
        cnnfi_strbuf_printf(&key, "_%lld", (long long)values[i]);
    const char *name = key.failed ? NULL : cnnfi_arena_strdup(&model->x.arena, count > 0 ? key.data : "const_empty");
    cnnfi_strbuf_free(&key);
    return share(model, name, name, CNNF_INT64, 1, (int64_t)count, values, count * sizeof *values);
}

const char *cnnfi_onnx_int(cnnfi_onnx_model *model, int64_t value)
{
    return cnnfi_onnx_ints(model, 1, &value);
}

const char *cnnfi_onnx_floats(cnnfi_onnx_model *model, size_t count, const float *values)
{
    cnnfi_strbuf key;
    cnnfi_strbuf_init(&key, model->x.context);
    cnnfi_strbuf_puts(&key, "floats");
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        cnnfi_strbuf_printf(&key, "_%x", (unsigned)bits);
    }
    const char *name = key.failed ? NULL : cnnfi_arena_strdup(&model->x.arena, key.data);
    cnnfi_strbuf_free(&key);
    return share(model, name, "floats", CNNF_FLOAT, 1, (int64_t)count, values, count * sizeof *values);
}

const char *cnnfi_onnx_scalar(cnnfi_onnx_model *model, cnnf_dtype dtype, double value)
{
    uint8_t element[8] = {0};
    const size_t size = cnnfi_element_from_f64(element, dtype, value);
    if (size == 0) {
        cnnfi_export_fail(&model->x, CNNF_E_UNSUPPORTED, "a constant of dtype %s is not exported",
                          cnnf_dtype_name(dtype));
        return NULL;
    }
    uint64_t bits;
    memcpy(&bits, element, sizeof bits);
    const char *key = cnnfi_arena_printf(&model->x.arena, "%s_%llx", cnnf_dtype_name(dtype), (unsigned long long)bits);
    return share(model, key, "scalar", dtype, 0, 0, element, size);
}

void cnnfi_onnx_numbers(cnnfi_onnx_model *model, const char *name, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                        const double *values)
{
    uint8_t element[8];
    const size_t size = cnnfi_element_from_f64(element, dtype, 0);
    int64_t count = 0;
    if (size == 0 || !cnnfi_shape_elements(&count, rank, dims)) {
        cnnfi_export_fail(&model->x, CNNF_E_UNSUPPORTED, "a constant of dtype %s is not exported",
                          cnnf_dtype_name(dtype));
        return;
    }
    uint8_t *data = cnnfi_export_array(&model->x, (size_t)count, size);
    cnnfi_onnx_initializer *made = add_initializer(model, name, dtype, rank, dims);
    if (data == NULL || made == NULL) return;
    for (int64_t i = 0; i < count; i++) {
        cnnfi_element_from_f64(element, dtype, values[i]);
        memcpy(data + (size_t)i * size, element, size);
    }
    made->data = data;
    made->size = (size_t)count * size;
}

void cnnfi_onnx_bytes(cnnfi_onnx_model *model, const char *name, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                      const void *data, size_t size)
{
    cnnfi_onnx_initializer *made = add_initializer(model, name, dtype, rank, dims);
    if (made == NULL) return;
    made->data = data;
    made->size = size;
}

/* ---- what is needed ---- */

/* Each node once, the last first; NULL: no memory. */
static cnnfi_onnx_node **nodes_backward(cnnfi_onnx_model *model, size_t *count)
{
    *count = 0;
    for (const cnnfi_onnx_node *node = model->nodes; node != NULL; node = node->next)
        ++*count;
    cnnfi_onnx_node **nodes = cnnfi_export_array(&model->x, *count, sizeof(cnnfi_onnx_node *));
    size_t i = *count;
    for (cnnfi_onnx_node *node = model->nodes; nodes != NULL && node != NULL; node = node->next)
        nodes[--i] = node;
    return nodes;
}

static bool is_used(const cnnfi_strmap *used, const char *name)
{
    return name != NULL && cnnfi_strmap_get(used, name) >= 0;
}

static void mark_used(cnnfi_onnx_model *model, cnnfi_strmap *used, const char *name)
{
    if (name != NULL && !cnnfi_strmap_set(used, name, 1)) cnnfi_export_no_memory(&model->x);
}

/* Nodes stand after those that they read: one walk from the end knows what is needed. */
static void keep_used_nodes(cnnfi_onnx_model *model, cnnfi_strmap *used)
{
    size_t count;
    cnnfi_onnx_node **nodes = nodes_backward(model, &count);
    cnnfi_onnx_node *kept = NULL;
    for (size_t i = 0; nodes != NULL && i < count; i++) {
        bool wanted = false;
        for (size_t k = 0; k < nodes[i]->n_outputs; k++)
            wanted |= is_used(used, nodes[i]->outputs[k]);
        if (!wanted) continue;
        for (size_t k = 0; k < nodes[i]->n_inputs; k++)
            mark_used(model, used, nodes[i]->inputs[k]);
        nodes[i]->next = kept;
        kept = nodes[i];
    }
    model->nodes = kept;
}

void cnnfi_onnx_sweep(cnnfi_onnx_model *model)
{
    cnnfi_strmap used;
    cnnfi_strmap_init(&used, model->x.context);
    for (const cnnfi_onnx_port *port = model->outputs; port != NULL; port = port->next)
        mark_used(model, &used, port->name);
    keep_used_nodes(model, &used);
    cnnfi_onnx_initializer **link = &model->initializers;
    while (*link != NULL) {
        if (is_used(&used, (*link)->name))
            link = &(*link)->next;
        else
            *link = (*link)->next;
    }
    cnnfi_strmap_free(&used);
}

/* ---- ports ---- */

static void add_port(cnnfi_onnx_model *model, cnnfi_onnx_port ***last, const char *name, cnnf_dtype dtype, int32_t rank,
                     const int64_t *dims)
{
    cnnfi_onnx_port *port = name != NULL ? cnnfi_export_array(&model->x, 1, sizeof *port) : NULL;
    if (port == NULL) return;
    *port = (cnnfi_onnx_port){.name = name, .dtype = dtype, .rank = rank > CNNFI_ONNX_MAX_RANK ? -1 : rank};
    for (int32_t i = 0; i < port->rank; i++)
        port->dims[i] = dims[i];
    **last = port;
    *last = &port->next;
}

void cnnfi_onnx_add_graph_input(cnnfi_onnx_model *model, const char *name, cnnf_dtype dtype, int32_t rank,
                                const int64_t *dims)
{
    add_port(model, &model->last_input, name, dtype, rank, dims);
}

void cnnfi_onnx_add_graph_output(cnnfi_onnx_model *model, const char *name, cnnf_dtype dtype, int32_t rank,
                                 const int64_t *dims)
{
    add_port(model, &model->last_output, name, dtype, rank, dims);
}

/* onnx.proto, TensorProto.DataType */
static const struct {
    cnnf_dtype dtype;
    int32_t type;
} types[] = {
    {CNNF_FLOAT, 1},   {CNNF_UINT8, 2},   {CNNF_INT8, 3},    {CNNF_UINT16, 4},    {CNNF_INT16, 5},
    {CNNF_INT32, 6},   {CNNF_INT64, 7},   {CNNF_STRING, 8},  {CNNF_BOOL, 9},      {CNNF_HALF, 10},
    {CNNF_DOUBLE, 11}, {CNNF_UINT32, 12}, {CNNF_UINT64, 13}, {CNNF_BFLOAT16, 16},
};

int32_t cnnfi_onnx_type(cnnf_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype) return types[i].type;
    return 0;
}
