/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/tflite/tflite_model.h"

#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "graph/element.h"

void cnnfi_tfl_model_init(cnnfi_tfl_model *model, cnnf_context *context)
{
    *model = (cnnfi_tfl_model){.n_shared = 0};
    cnnfi_export_init(&model->x, context, "TFLite");
    cnnfi_strmap_init(&model->small, context);
    model->last_tensor = &model->tensors;
    model->last_node = &model->nodes;
    model->last_input = &model->inputs;
    model->last_output = &model->outputs;
}

void cnnfi_tfl_model_free(cnnfi_tfl_model *model)
{
    cnnfi_strmap_free(&model->small);
    cnnfi_free(model->x.context, model->shared);
    cnnfi_export_free(&model->x);
}

/* ---- tensors ---- */

static cnnfi_tfl_tensor *new_tensor(cnnfi_tfl_model *model, const char *name, cnnf_dtype dtype, int32_t rank,
                                    const int64_t *dims)
{
    if (rank > CNNFI_OP_MAX_RANK)
        cnnfi_export_fail(&model->x, CNNF_E_UNSUPPORTED, "a tensor has %d axes, at most %d can be said", rank,
                          CNNFI_OP_MAX_RANK);
    if (cnnfi_tfl_type(dtype) < 0)
        cnnfi_export_fail(&model->x, CNNF_E_UNSUPPORTED, "TFLite export: dtype %s cannot be said",
                          cnnf_dtype_name(dtype));
    cnnfi_tfl_tensor *tensor = cnnfi_export_array(&model->x, 1, sizeof *tensor);
    if (tensor == NULL) return NULL;
    *tensor = (cnnfi_tfl_tensor){.name = name, .dtype = dtype, .rank = rank, .index = -1};
    for (int32_t i = 0; i < rank; i++)
        tensor->dims[i] = dims[i];
    *model->last_tensor = tensor;
    model->last_tensor = &tensor->next;
    return tensor;
}

cnnfi_tfl_tensor *cnnfi_tfl_tensor_add(cnnfi_tfl_model *model, const char *name, const cnnfi_value *shape)
{
    if (name == NULL && model->x.status == CNNF_OK) {
        name = cnnfi_arena_printf(&model->x.arena, "%s/part", model->x.scope);
        name = name != NULL ? cnnfi_export_unique(&model->x, name) : NULL;
    }
    return new_tensor(model, name, shape->dtype, shape->rank, shape->dims);
}

static bool keeps_order(int32_t rank, const int32_t *perm)
{
    for (int32_t i = 0; perm != NULL && i < rank; i++)
        if (perm[i] != i) return false;
    return true;
}

cnnfi_tfl_tensor *cnnfi_tfl_constant(cnnfi_tfl_model *model, const char *name, const cnnf_tensor *source,
                                     const int32_t *perm, int32_t rank, const int64_t *dims)
{
    const int32_t axes = cnnf_tensor_rank(source);
    cnnfi_tfl_tensor *tensor = new_tensor(model, name, cnnf_tensor_dtype(source), rank, dims);
    if (tensor == NULL) return NULL;
    tensor->is_constant = true;
    tensor->source = source;
    tensor->size = cnnf_tensor_byte_size(source);
    tensor->permuted = !keeps_order(axes, perm);
    for (int32_t i = 0; tensor->permuted && i < axes && i < CNNFI_OP_MAX_RANK; i++)
        tensor->perm[i] = perm[i];
    return tensor;
}

cnnfi_tfl_tensor *cnnfi_tfl_constant_data(cnnfi_tfl_model *model, const char *name, cnnf_dtype dtype, int32_t rank,
                                          const int64_t *dims, const void *data, size_t size)
{
    cnnfi_tfl_tensor *tensor = new_tensor(model, name, dtype, rank, dims);
    if (tensor == NULL) return NULL;
    tensor->is_constant = true;
    tensor->data = data;
    tensor->size = size;
    return tensor;
}

/* The one constant of these bytes. */
static cnnfi_tfl_tensor *shared_constant(cnnfi_tfl_model *model, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                                         const void *bytes, size_t size)
{
    enum { MAX_SHARED = 64 };
    char key[2 * MAX_SHARED + 64];
    int n = snprintf(key, sizeof key, "%d %d %lld ", dtype, rank, rank > 0 ? (long long)dims[0] : 0LL);
    for (size_t i = 0; size <= MAX_SHARED && i < size; i++)
        n += snprintf(key + n, sizeof key - (size_t)n, "%02x", ((const uint8_t *)bytes)[i]);
    const int64_t known = size <= MAX_SHARED ? cnnfi_strmap_get(&model->small, key) : -1;
    if (known >= 0) return model->shared[known];
    const char *name = cnnfi_export_unique(&model->x, size <= 8 ? "number" : "numbers");
    cnnfi_tfl_tensor *tensor = cnnfi_tfl_constant_data(model, name, dtype, rank, dims, bytes, size);
    if (tensor == NULL || size > MAX_SHARED || rank > 1) return tensor;
    const char *kept = cnnfi_arena_strdup(&model->x.arena, key);
    if (kept == NULL ||
        !cnnfi_grow(model->x.context, (void **)&model->shared, &model->shared_capacity, model->n_shared,
                    sizeof(cnnfi_tfl_tensor *)) ||
        !cnnfi_strmap_set(&model->small, kept, (int64_t)model->n_shared)) {
        cnnfi_export_no_memory(&model->x);
        return NULL;
    }
    model->shared[model->n_shared++] = tensor;
    return tensor;
}

cnnfi_tfl_tensor *cnnfi_tfl_ints(cnnfi_tfl_model *model, size_t count, const int64_t *values)
{
    const int64_t dims[] = {(int64_t)count};
    int32_t *data = cnnfi_export_array(&model->x, count, sizeof *data);
    for (size_t i = 0; data != NULL && i < count; i++)
        data[i] = values[i] > INT32_MAX ? INT32_MAX : values[i] < INT32_MIN ? INT32_MIN : (int32_t)values[i];
    return data != NULL ? shared_constant(model, CNNF_INT32, 1, dims, data, count * sizeof *data) : NULL;
}

cnnfi_tfl_tensor *cnnfi_tfl_int(cnnfi_tfl_model *model, int64_t value)
{
    return cnnfi_tfl_scalar(model, CNNF_INT32, (double)value);
}

cnnfi_tfl_tensor *cnnfi_tfl_scalar(cnnfi_tfl_model *model, cnnf_dtype dtype, double value)
{
    return cnnfi_tfl_numbers(model, dtype, 0, NULL, &value);
}

cnnfi_tfl_tensor *cnnfi_tfl_numbers(cnnfi_tfl_model *model, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                                    const double *values)
{
    const size_t size = cnnf_dtype_size(dtype);
    int64_t count = 1;
    for (int32_t i = 0; i < rank; i++)
        count *= dims[i];
    uint8_t *data = cnnfi_export_array(&model->x, (size_t)count, size), element[8] = {0};
    if (cnnfi_element_from_f64(element, dtype, 0) == 0)
        cnnfi_export_fail(&model->x, CNNF_E_UNSUPPORTED, "TFLite export: a constant of dtype %s",
                          cnnf_dtype_name(dtype));
    for (int64_t i = 0; data != NULL && i < count; i++) {
        cnnfi_element_from_f64(element, dtype, values[i]);
        memcpy(data + (size_t)i * size, element, size);
    }
    return data != NULL ? shared_constant(model, dtype, rank, dims, data, (size_t)count * size) : NULL;
}

/* ---- operators ---- */

static cnnfi_tfl_tensor **copy_tensors(cnnfi_tfl_model *model, size_t count, cnnfi_tfl_tensor *const *tensors)
{
    cnnfi_tfl_tensor **copy = cnnfi_export_array(&model->x, count, sizeof(cnnfi_tfl_tensor *));
    for (size_t i = 0; copy != NULL && i < count; i++)
        copy[i] = tensors[i];
    return copy;
}

cnnfi_tfl_node *cnnfi_tfl_add(cnnfi_tfl_model *model, cnnfi_tfl_code code, size_t n_inputs,
                              cnnfi_tfl_tensor *const *inputs, size_t n_outputs, cnnfi_tfl_tensor *const *outputs)
{
    cnnfi_tfl_node *node = cnnfi_export_array(&model->x, 1, sizeof *node);
    cnnfi_tfl_tensor **in = copy_tensors(model, n_inputs, inputs), **out = copy_tensors(model, n_outputs, outputs);
    if (model->x.status != CNNF_OK) return NULL;
    *node = (cnnfi_tfl_node){.code = code, .n_inputs = n_inputs, .inputs = in, .n_outputs = n_outputs, .outputs = out};
    *model->last_node = node;
    model->last_node = &node->next;
    return node;
}

cnnfi_tfl_tensor *cnnfi_tfl_unary(cnnfi_tfl_model *model, cnnfi_tfl_code code, cnnfi_tfl_tensor *x,
                                  cnnfi_tfl_tensor *out)
{
    return cnnfi_tfl_add(model, code, 1, &x, 1, &out) != NULL ? out : NULL;
}

cnnfi_tfl_tensor *cnnfi_tfl_binary(cnnfi_tfl_model *model, cnnfi_tfl_code code, cnnfi_tfl_tensor *x,
                                   cnnfi_tfl_tensor *y, cnnfi_tfl_tensor *out)
{
    return cnnfi_tfl_add(model, code, 2, (cnnfi_tfl_tensor *[]){x, y}, 1, &out) != NULL ? out : NULL;
}

/* Sets an option: a new one, or the one that is there. No operator has more than there is room for. */
static void set_option(cnnfi_tfl_node *node, const cnnfi_tfl_option *option)
{
    size_t i = 0;
    if (node == NULL) return;
    while (i < node->n_options && node->options[i].field != option->field)
        i++;
    if (i == CNNFI_TFL_MAX_OPTIONS) return;
    if (i == node->n_options) node->n_options++;
    node->options[i] = *option;
}

void cnnfi_tfl_set_byte(cnnfi_tfl_node *node, uint32_t field, int32_t value)
{
    set_option(node, &(cnnfi_tfl_option){.field = field, .kind = CNNFI_TFL_BYTE, .i = value});
}

void cnnfi_tfl_set_int(cnnfi_tfl_node *node, uint32_t field, int64_t value)
{
    set_option(node, &(cnnfi_tfl_option){.field = field, .kind = CNNFI_TFL_INT, .i = (int32_t)value});
}

void cnnfi_tfl_set_real(cnnfi_tfl_node *node, uint32_t field, double value)
{
    set_option(node, &(cnnfi_tfl_option){.field = field, .kind = CNNFI_TFL_REAL, .f = (float)value});
}

void cnnfi_tfl_set_ints(cnnfi_tfl_model *model, cnnfi_tfl_node *node, uint32_t field, size_t count,
                        const int64_t *values)
{
    int32_t *copy = node != NULL ? cnnfi_export_array(&model->x, count, sizeof *copy) : NULL;
    if (copy == NULL) return;
    for (size_t i = 0; i < count; i++)
        copy[i] = (int32_t)values[i];
    set_option(node, &(cnnfi_tfl_option){.field = field, .kind = CNNFI_TFL_INTS, .count = count, .ints = copy});
}

void cnnfi_tfl_set_reals(cnnfi_tfl_node *node, uint32_t field, size_t count, const float *values)
{
    set_option(node, &(cnnfi_tfl_option){.field = field, .kind = CNNFI_TFL_REALS, .count = count, .reals = values});
}

int32_t cnnfi_tfl_option_of(const cnnfi_tfl_node *node, uint32_t field)
{
    for (size_t i = 0; i < node->n_options; i++)
        if (node->options[i].field == field) return node->options[i].i;
    return 0;
}

/* ---- the graph's ends ---- */

static void add_port(cnnfi_tfl_model *model, cnnfi_tfl_port ***last, cnnfi_tfl_tensor *tensor, const char *key)
{
    cnnfi_tfl_port *port = tensor != NULL ? cnnfi_export_array(&model->x, 1, sizeof *port) : NULL;
    if (port == NULL) return;
    *port = (cnnfi_tfl_port){.tensor = tensor, .key = key};
    **last = port;
    *last = &port->next;
}

void cnnfi_tfl_add_input(cnnfi_tfl_model *model, cnnfi_tfl_tensor *tensor, const char *key)
{
    add_port(model, &model->last_input, tensor, key);
}

void cnnfi_tfl_add_output(cnnfi_tfl_model *model, cnnfi_tfl_tensor *tensor, const char *key)
{
    add_port(model, &model->last_output, tensor, key);
}

/* Marks what is read, from the end: nodes stand after those that they read. Marked tensors have index 0. */
static void keep_used_nodes(cnnfi_tfl_model *model)
{
    size_t count = 0;
    for (const cnnfi_tfl_node *node = model->nodes; node != NULL; node = node->next)
        count++;
    cnnfi_tfl_node **nodes = cnnfi_export_array(&model->x, count, sizeof *nodes), *kept = NULL;
    if (nodes == NULL) return;
    count = 0;
    for (cnnfi_tfl_node *node = model->nodes; node != NULL; node = node->next)
        nodes[count++] = node;
    for (size_t i = count; i-- > 0;) {
        bool wanted = false;
        for (size_t k = 0; k < nodes[i]->n_outputs; k++)
            wanted |= nodes[i]->outputs[k]->index >= 0;
        if (!wanted) continue;
        for (size_t k = 0; k < nodes[i]->n_inputs; k++)
            if (nodes[i]->inputs[k] != NULL) nodes[i]->inputs[k]->index = 0;
        nodes[i]->next = kept;
        kept = nodes[i];
    }
    model->nodes = kept;
}

typedef struct numbering {
    cnnfi_tfl_tensor **tensors;
    size_t count;
} numbering;

static void number_one(numbering *n, cnnfi_tfl_tensor *tensor)
{
    if (tensor == NULL || (tensor->index > 0 && n->tensors[tensor->index - 1] == tensor)) return;
    n->tensors[n->count++] = tensor;
    tensor->index = (int32_t)n->count; /* plus 1, while they are counted: 0 is marked */
}

size_t cnnfi_tfl_number_tensors(cnnfi_tfl_model *model, cnnfi_tfl_tensor ***file_order)
{
    numbering n = {.count = 0};
    for (const cnnfi_tfl_tensor *tensor = model->tensors; tensor != NULL; tensor = tensor->next)
        n.count++;
    *file_order = n.tensors = cnnfi_export_array(&model->x, n.count, sizeof *n.tensors);
    n.count = 0;
    for (const cnnfi_tfl_port *port = model->outputs; port != NULL; port = port->next)
        port->tensor->index = 0;
    keep_used_nodes(model);
    if (model->x.status != CNNF_OK) return 0;
    for (const cnnfi_tfl_port *port = model->inputs; port != NULL; port = port->next)
        number_one(&n, port->tensor);
    for (const cnnfi_tfl_node *node = model->nodes; node != NULL; node = node->next) {
        for (size_t i = 0; i < node->n_inputs; i++)
            number_one(&n, node->inputs[i]);
        for (size_t i = 0; i < node->n_outputs; i++)
            number_one(&n, node->outputs[i]);
    }
    for (const cnnfi_tfl_port *port = model->outputs; port != NULL; port = port->next)
        number_one(&n, port->tensor);
    for (size_t i = 0; i < n.count; i++)
        n.tensors[i]->index = (int32_t)i;
    return n.count;
}

/* TensorType */
static const struct {
    cnnf_dtype dtype;
    int32_t type;
} types[] = {
    {CNNF_FLOAT, 0},   {CNNF_HALF, 1},        {CNNF_INT32, 2},   {CNNF_UINT8, 3},     {CNNF_INT64, 4},
    {CNNF_STRING, 5},  {CNNF_BOOL, 6},        {CNNF_INT16, 7},   {CNNF_COMPLEX64, 8}, {CNNF_INT8, 9},
    {CNNF_DOUBLE, 10}, {CNNF_COMPLEX128, 11}, {CNNF_UINT64, 12}, {CNNF_UINT32, 15},   {CNNF_UINT16, 16},
};

int32_t cnnfi_tfl_type(cnnf_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype) return types[i].type;
    return -1;
}
