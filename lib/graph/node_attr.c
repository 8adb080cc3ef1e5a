/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of a node, read: the public getters of <cnnfreeze/graph.h> and those of graph.h. */
#include <string.h>

#include "graph/graph.h"

const cnnfi_attr *cnnfi_node_attr(const cnnf_node *node, const char *key)
{
    bool found;
    if (!node || !key) return NULL;
    const size_t at = cnnfi_attr_position(node->attrs, node->n_attrs, key, &found);
    return found ? &node->attrs[at] : NULL;
}

static const cnnfi_attr *attr_of_kind(const cnnf_node *node, const char *key, int32_t kind)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, key);
    return attr && attr->kind == kind ? attr : NULL;
}

cnnf_dtype cnnfi_node_type(const cnnf_node *node, const char *key)
{
    return cnnf_node_attr_type(node, key, CNNF_DTYPE_INVALID);
}

bool cnnfi_node_string_is(const cnnf_node *node, const char *key, const char *value)
{
    size_t size;
    const char *text = cnnf_node_attr_string(&size, node, key);
    return text && size == strlen(value) && memcmp(text, value, size) == 0;
}

int64_t cnnf_node_attr_count(const cnnf_node *node)
{
    return node ? (int64_t)node->n_attrs : 0;
}

const char *cnnf_node_attr_name(const cnnf_node *node, int64_t index)
{
    return node && index >= 0 && (uint64_t)index < node->n_attrs ? node->attrs[index].key : NULL;
}

int32_t cnnf_node_attr_kind(const cnnf_node *node, const char *name)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, name);
    return attr ? attr->kind : CNNF_ATTR_NONE;
}

int64_t cnnf_node_attr_int(const cnnf_node *node, const char *name, int64_t fallback)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_INT);
    return attr ? attr->u.i : fallback;
}

double cnnf_node_attr_float(const cnnf_node *node, const char *name, double fallback)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_FLOAT);
    return attr ? (double)attr->u.f : fallback;
}

int32_t cnnf_node_attr_bool(const cnnf_node *node, const char *name, int32_t fallback)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_BOOL);
    return attr ? attr->u.b : fallback;
}

cnnf_dtype cnnf_node_attr_type(const cnnf_node *node, const char *name, cnnf_dtype fallback)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_TYPE);
    return attr ? attr->u.type : fallback;
}

const char *cnnf_node_attr_string(size_t *size, const cnnf_node *node, const char *name)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_STRING);
    if (size) *size = attr ? attr->u.s.size : 0;
    return attr ? (const char *)attr->u.s.data : NULL;
}

int64_t cnnf_node_attr_list_count(const cnnf_node *node, const char *name)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_LIST);
    return attr ? (int64_t)attr->u.list.count : -1;
}

int32_t cnnf_node_attr_list_kind(const cnnf_node *node, const char *name)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_LIST);
    return attr && attr->u.list.count ? attr->u.list.item_kind : CNNF_ATTR_NONE;
}

/* The list when it holds elements of that kind and `index` is one of them. */
static const cnnfi_attr_list *list_of_kind(const cnnf_node *node, const char *name, int64_t index, int32_t kind)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_LIST);
    if (!attr || attr->u.list.item_kind != kind) return NULL;
    return index >= 0 && (uint64_t)index < attr->u.list.count ? &attr->u.list : NULL;
}

int64_t cnnf_node_attr_list_int(const cnnf_node *node, const char *name, int64_t index, int64_t fallback)
{
    const cnnfi_attr_list *list = list_of_kind(node, name, index, CNNF_ATTR_INT);
    return list ? list->u.ints[index] : fallback;
}

double cnnf_node_attr_list_float(const cnnf_node *node, const char *name, int64_t index, double fallback)
{
    const cnnfi_attr_list *list = list_of_kind(node, name, index, CNNF_ATTR_FLOAT);
    return list ? (double)list->u.floats[index] : fallback;
}

int32_t cnnf_node_attr_list_bool(const cnnf_node *node, const char *name, int64_t index, int32_t fallback)
{
    const cnnfi_attr_list *list = list_of_kind(node, name, index, CNNF_ATTR_BOOL);
    return list ? list->u.bools[index] : fallback;
}

cnnf_dtype cnnf_node_attr_list_type(const cnnf_node *node, const char *name, int64_t index, cnnf_dtype fallback)
{
    const cnnfi_attr_list *list = list_of_kind(node, name, index, CNNF_ATTR_TYPE);
    return list ? list->u.types[index] : fallback;
}

const char *cnnf_node_attr_list_string(size_t *size, const cnnf_node *node, const char *name, int64_t index)
{
    const cnnfi_attr_list *list = list_of_kind(node, name, index, CNNF_ATTR_STRING);
    if (size) *size = list ? list->u.strings[index].size : 0;
    return list ? (const char *)list->u.strings[index].data : NULL;
}

int32_t cnnf_node_attr_list_shape_rank(const cnnf_node *node, const char *name, int64_t index)
{
    const cnnfi_attr_list *list = list_of_kind(node, name, index, CNNF_ATTR_SHAPE);
    return list ? list->u.shapes[index].rank : -2;
}

int64_t cnnf_node_attr_list_shape_dim(const cnnf_node *node, const char *name, int64_t index, int32_t axis)
{
    const cnnfi_attr_list *list = list_of_kind(node, name, index, CNNF_ATTR_SHAPE);
    return list && axis >= 0 && axis < list->u.shapes[index].rank ? list->u.shapes[index].dims[axis] : -1;
}

const cnnf_tensor *cnnf_node_attr_list_tensor(const cnnf_node *node, const char *name, int64_t index)
{
    const cnnfi_attr_list *list = list_of_kind(node, name, index, CNNF_ATTR_TENSOR);
    return list ? list->u.tensors[index] : NULL;
}

const char *cnnf_node_attr_list_func(const cnnf_node *node, const char *name, int64_t index)
{
    const cnnfi_attr_list *list = list_of_kind(node, name, index, CNNF_ATTR_FUNC);
    return list ? list->u.funcs[index].name : NULL;
}

const char *cnnf_node_attr_func(const cnnf_node *node, const char *name)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_FUNC);
    return attr ? attr->u.func->name : NULL;
}

int32_t cnnf_node_attr_shape_rank(const cnnf_node *node, const char *name)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_SHAPE);
    return attr ? attr->u.shape.rank : -2;
}

int64_t cnnf_node_attr_shape_dim(const cnnf_node *node, const char *name, int32_t axis)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_SHAPE);
    return attr && axis >= 0 && axis < attr->u.shape.rank ? attr->u.shape.dims[axis] : -1;
}

const cnnf_tensor *cnnf_node_attr_tensor(const cnnf_node *node, const char *name)
{
    const cnnfi_attr *attr = attr_of_kind(node, name, CNNF_ATTR_TENSOR);
    return attr ? attr->u.tensor : NULL;
}
