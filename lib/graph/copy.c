/* SPDX-License-Identifier: Apache-2.0 */
/* Deep copies of attributes, nodes and functions into another graph's arena; tensors are shared. */
#include "graph/builder.h"

#include <string.h>

static cnnfi_bytes copy_bytes(cnnfi_builder *b, cnnfi_bytes bytes)
{
    if (!bytes.size) return (cnnfi_bytes){.data = (const uint8_t *)"", .size = 0};
    uint8_t *data = cnnfi_builder_array(b, bytes.size + 1, 1); /* a zero byte follows strings */
    if (!data) return (cnnfi_bytes){0};
    memcpy(data, bytes.data, bytes.size);
    return (cnnfi_bytes){.data = data, .size = bytes.size};
}

static cnnfi_shape copy_shape(cnnfi_builder *b, cnnfi_shape shape)
{
    const cnnfi_bytes proto = copy_bytes(b, shape.proto);
    if (shape.rank <= 0) return (cnnfi_shape){.rank = shape.rank, .proto = proto};
    int64_t *dims = cnnfi_builder_array(b, (size_t)shape.rank, sizeof *dims);
    if (!dims) return (cnnfi_shape){0};
    memcpy(dims, shape.dims, (size_t)shape.rank * sizeof *dims);
    return (cnnfi_shape){.rank = shape.rank, .dims = dims, .proto = proto};
}

static void *copy_block(cnnfi_builder *b, const void *items, size_t count, size_t size)
{
    void *copy = count ? cnnfi_builder_array(b, count, size) : NULL;
    if (copy) memcpy(copy, items, count * size);
    return copy;
}

static void copy_attr(cnnfi_builder *b, cnnfi_attr *to, const cnnfi_attr *from);

/* Functions nest only through attributes of function references; loaders cap the depth. */
static cnnfi_attr *copy_attrs(cnnfi_builder *b, const cnnfi_attr *attrs, size_t count)
{
    cnnfi_attr *copy = cnnfi_builder_array(b, count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i].key = cnnfi_builder_word(b, attrs[i].key);
        copy_attr(b, &copy[i], &attrs[i]);
    }
    return copy;
}

static void copy_func(cnnfi_builder *b, cnnfi_func_ref *to, const cnnfi_func_ref *from)
{
    to->name = cnnfi_builder_strdup(b, from->name);
    to->n_attrs = from->n_attrs;
    to->attrs = copy_attrs(b, from->attrs, from->n_attrs);
    to->extra = copy_bytes(b, from->extra);
}

static void copy_list(cnnfi_builder *b, cnnfi_attr_list *to, const cnnfi_attr_list *from)
{
    static const size_t item_sizes[] = {
        [CNNF_ATTR_STRING] = sizeof(cnnfi_bytes), [CNNF_ATTR_INT] = sizeof(int64_t),
        [CNNF_ATTR_FLOAT] = sizeof(float),        [CNNF_ATTR_BOOL] = sizeof(bool),
        [CNNF_ATTR_TYPE] = sizeof(int32_t),       [CNNF_ATTR_SHAPE] = sizeof(cnnfi_shape),
        [CNNF_ATTR_TENSOR] = sizeof(void *),      [CNNF_ATTR_FUNC] = sizeof(cnnfi_func_ref),
    };
    to->item_kind = from->item_kind;
    to->count = from->count;
    if (from->item_kind == CNNF_ATTR_NONE || !from->count) return;
    to->u.ints = copy_block(b, from->u.ints, from->count, item_sizes[from->item_kind]);
    if (!to->u.ints) return;
    for (size_t i = 0; i < from->count && !b->status; i++) {
        switch (from->item_kind) {
        case CNNF_ATTR_STRING:
            to->u.strings[i] = copy_bytes(b, from->u.strings[i]);
            break;
        case CNNF_ATTR_SHAPE:
            to->u.shapes[i] = copy_shape(b, from->u.shapes[i]);
            break;
        case CNNF_ATTR_TENSOR:
            cnnfi_hold_tensor(b, from->u.tensors[i]);
            break;
        case CNNF_ATTR_FUNC:
            copy_func(b, &to->u.funcs[i], &from->u.funcs[i]);
            break;
        default:
            return;
        }
    }
}

static void copy_attr(cnnfi_builder *b, cnnfi_attr *to, const cnnfi_attr *from)
{
    to->kind = from->kind;
    to->u = from->u;
    to->extra = copy_bytes(b, from->extra);
    switch (from->kind) {
    case CNNF_ATTR_STRING:
        to->u.s = copy_bytes(b, from->u.s);
        break;
    case CNNF_ATTR_SHAPE:
        to->u.shape = copy_shape(b, from->u.shape);
        break;
    case CNNF_ATTR_TENSOR:
        cnnfi_hold_tensor(b, from->u.tensor);
        break;
    case CNNF_ATTR_FUNC:
        to->u.func = cnnfi_builder_array(b, 1, sizeof *to->u.func);
        if (to->u.func) copy_func(b, to->u.func, from->u.func);
        break;
    case CNNF_ATTR_PLACEHOLDER:
        to->u.placeholder = cnnfi_builder_strdup(b, from->u.placeholder);
        break;
    case CNNF_ATTR_LIST:
        copy_list(b, &to->u.list, &from->u.list);
        break;
    default:
        break;
    }
}

void cnnfi_node_copy_attr(cnnfi_builder *b, cnnf_node *node, const char *key, const cnnfi_attr *attr)
{
    cnnfi_attr *slot = attr ? cnnfi_node_attr_slot(b, node, key) : NULL;
    if (slot) copy_attr(b, slot, attr);
}

static void fill_node(cnnfi_builder *b, cnnf_node *to, const cnnf_node *from)
{
    if (!to) return;
    if (*from->device) cnnfi_node_set_device(b, to, from->device);
    const char **inputs = cnnfi_builder_array(b, from->n_inputs, sizeof *inputs);
    for (size_t i = 0; inputs && i < from->n_inputs; i++)
        inputs[i] = cnnfi_builder_strdup(b, from->inputs[i]);
    cnnfi_attr *attrs = copy_attrs(b, from->attrs, from->n_attrs);
    to->extra = copy_bytes(b, from->extra);
    if (b->status) return;
    to->inputs = inputs;
    to->n_inputs = to->input_capacity = from->n_inputs;
    to->attrs = attrs;
    to->n_attrs = to->attr_capacity = from->n_attrs;
    if (from->value) cnnfi_node_set_value(b, to, from->value);
    if (from->unbound) to->unbound = cnnfi_builder_strdup(b, from->unbound);
}

cnnf_node *cnnfi_builder_copy_node(cnnfi_builder *b, const cnnf_node *node, const char *name)
{
    cnnf_node *copy = cnnfi_builder_add(b, node->op, name ? name : node->name);
    fill_node(b, copy, node);
    return b->status ? NULL : copy;
}

static cnnfi_arg *copy_args(cnnfi_builder *b, const cnnfi_arg *args, size_t count)
{
    cnnfi_arg *copy = cnnfi_builder_array(b, count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = args[i];
        copy[i].name = cnnfi_builder_strdup(b, args[i].name);
        copy[i].description = cnnfi_builder_strdup(b, args[i].description);
        copy[i].type_attr = cnnfi_builder_strdup(b, args[i].type_attr);
        copy[i].number_attr = cnnfi_builder_strdup(b, args[i].number_attr);
        copy[i].type_list_attr = cnnfi_builder_strdup(b, args[i].type_list_attr);
        copy[i].extra = copy_bytes(b, args[i].extra);
    }
    return copy;
}

static cnnfi_pair *copy_pairs(cnnfi_builder *b, const cnnfi_pair *pairs, size_t count)
{
    cnnfi_pair *copy = cnnfi_builder_array(b, count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i].key = cnnfi_builder_strdup(b, pairs[i].key);
        copy[i].value = cnnfi_builder_strdup(b, pairs[i].value);
    }
    return copy;
}

cnnfi_function *cnnfi_builder_copy_function(cnnfi_builder *b, const cnnfi_function *from, const char *name)
{
    cnnfi_function *to = cnnfi_builder_add_function(b, name ? name : from->name);
    if (!to) return NULL;
    to->n_inputs = from->n_inputs;
    to->inputs = copy_args(b, from->inputs, from->n_inputs);
    to->n_outputs = from->n_outputs;
    to->outputs = copy_args(b, from->outputs, from->n_outputs);
    to->signature_extra = copy_bytes(b, from->signature_extra);
    to->n_attrs = from->n_attrs;
    to->attrs = copy_attrs(b, from->attrs, from->n_attrs);
    for (size_t i = 0; i < from->n_nodes; i++) {
        fill_node(b, cnnfi_function_add(b, to, from->nodes[i]->op, from->nodes[i]->name), from->nodes[i]);
    }
    to->n_ret = from->n_ret;
    to->ret = copy_pairs(b, from->ret, from->n_ret);
    to->n_control_ret = from->n_control_ret;
    to->control_ret = copy_pairs(b, from->control_ret, from->n_control_ret);
    to->n_arg_attrs = from->n_arg_attrs;
    to->arg_attrs = copy_block(b, from->arg_attrs, from->n_arg_attrs, sizeof *from->arg_attrs);
    for (size_t i = 0; to->arg_attrs && i < from->n_arg_attrs; i++) {
        to->arg_attrs[i].attrs = copy_attrs(b, from->arg_attrs[i].attrs, from->arg_attrs[i].n_attrs);
        to->arg_attrs[i].extra = copy_bytes(b, from->arg_attrs[i].extra);
    }
    to->extra = copy_bytes(b, from->extra);
    return b->status ? NULL : to;
}

static const char *copy_text(cnnfi_builder *b, const char *text)
{
    return text ? cnnfi_builder_strdup(b, text) : NULL;
}

void cnnfi_copy_graph_fields(cnnfi_builder *b, const cnnf_graph *from)
{
    cnnf_graph *to = b->graph;
    to->versions = from->versions;
    to->versions.bad_consumers =
        copy_block(b, from->versions.bad_consumers, from->versions.n_bad_consumers, sizeof(int32_t));
    to->library_extra = copy_bytes(b, from->library_extra);
    to->has_library = from->has_library;
    to->extra = copy_bytes(b, from->extra);
    cnnfi_builder_set_io(b, from->meta.inputs, from->meta.n_inputs, from->meta.outputs, from->meta.n_outputs);
    for (size_t i = 0; i < from->meta.n_variables; i++)
        cnnfi_builder_add_variable(b, &from->meta.variables[i]);
    to->meta.saver_filename_tensor = copy_text(b, from->meta.saver_filename_tensor);
    to->meta.saver_save_tensor = copy_text(b, from->meta.saver_save_tensor);
    to->meta.saver_restore_op = copy_text(b, from->meta.saver_restore_op);
    to->meta.reference_variables = from->meta.reference_variables;
}
