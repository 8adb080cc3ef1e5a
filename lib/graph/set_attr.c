/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of a node under construction: the setters of builder.h. */
#include <string.h>

#include "graph/builder.h"

static bool grow_attrs(cnnfi_builder *b, cnnf_node *node)
{
    if (node->n_attrs < node->attr_capacity) return true;
    const size_t capacity = node->attr_capacity ? node->attr_capacity * 2 : 4;
    cnnfi_attr *attrs = cnnfi_builder_array(b, capacity, sizeof *attrs);
    if (!attrs) return false;
    if (node->n_attrs) memcpy(attrs, node->attrs, node->n_attrs * sizeof *attrs);
    node->attrs = attrs;
    node->attr_capacity = capacity;
    return true;
}

cnnfi_attr *cnnfi_node_attr_slot(cnnfi_builder *b, cnnf_node *node, const char *key)
{
    bool found;
    if (b->status || !node) return NULL;
    const size_t at = cnnfi_attr_position(node->attrs, node->n_attrs, key, &found);
    if (!found) {
        const char *copy = cnnfi_builder_word(b, key);
        if (!copy || !grow_attrs(b, node)) return NULL;
        memmove(node->attrs + at + 1, node->attrs + at, (node->n_attrs - at) * sizeof *node->attrs);
        node->n_attrs++;
        node->attrs[at].key = copy;
    }
    const char *kept = node->attrs[at].key;
    node->attrs[at] = (cnnfi_attr){.key = kept, .kind = CNNF_ATTR_NONE};
    return &node->attrs[at];
}

void cnnfi_node_attr_remove(cnnf_node *node, const char *key)
{
    bool found;
    if (!node) return;
    const size_t at = cnnfi_attr_position(node->attrs, node->n_attrs, key, &found);
    if (!found) return;
    memmove(node->attrs + at, node->attrs + at + 1, (node->n_attrs - at - 1) * sizeof *node->attrs);
    node->n_attrs--;
}

#define SETTER(function, type, kind_, member)                                                                          \
    void function(cnnfi_builder *b, cnnf_node *node, const char *key, type value)                                      \
    {                                                                                                                  \
        cnnfi_attr *slot = cnnfi_node_attr_slot(b, node, key);                                                         \
        if (!slot) return;                                                                                             \
        slot->kind = kind_;                                                                                            \
        slot->u.member = value;                                                                                        \
    }

SETTER(cnnfi_node_set_int, int64_t, CNNF_ATTR_INT, i)
SETTER(cnnfi_node_set_float, float, CNNF_ATTR_FLOAT, f)
SETTER(cnnfi_node_set_bool, bool, CNNF_ATTR_BOOL, b)
SETTER(cnnfi_node_set_type, cnnf_dtype, CNNF_ATTR_TYPE, type)

void cnnfi_node_set_bytes(cnnfi_builder *b, cnnf_node *node, const char *key, const void *data, size_t size)
{
    uint8_t *copy = cnnfi_builder_array(b, size + 1, 1);
    cnnfi_attr *slot = copy ? cnnfi_node_attr_slot(b, node, key) : NULL;
    if (!slot) return;
    if (size) memcpy(copy, data, size);
    slot->kind = CNNF_ATTR_STRING;
    slot->u.s = (cnnfi_bytes){.data = copy, .size = size};
}

void cnnfi_node_set_string(cnnfi_builder *b, cnnf_node *node, const char *key, const char *value)
{
    if (value) cnnfi_node_set_bytes(b, node, key, value, strlen(value));
}

void cnnfi_node_set_shape(cnnfi_builder *b, cnnf_node *node, const char *key, int32_t rank, const int64_t *dims)
{
    int64_t *copy = cnnfi_builder_array(b, rank > 0 ? (size_t)rank : 0, sizeof *copy);
    cnnfi_attr *slot = copy ? cnnfi_node_attr_slot(b, node, key) : NULL;
    if (!slot) return;
    if (rank > 0) memcpy(copy, dims, (size_t)rank * sizeof *dims);
    slot->kind = CNNF_ATTR_SHAPE;
    slot->u.shape = (cnnfi_shape){.rank = rank, .dims = rank > 0 ? copy : NULL};
}

void cnnfi_node_set_tensor(cnnfi_builder *b, cnnf_node *node, const char *key, const cnnf_tensor *value)
{
    if (!value || !cnnfi_hold_tensor(b, value)) return;
    cnnfi_attr *slot = cnnfi_node_attr_slot(b, node, key);
    if (!slot) return;
    slot->kind = CNNF_ATTR_TENSOR;
    slot->u.tensor = (cnnf_tensor *)(uintptr_t)value;
}

void cnnfi_node_set_func(cnnfi_builder *b, cnnf_node *node, const char *key, const char *function)
{
    cnnfi_func_ref *func = cnnfi_builder_array(b, 1, sizeof *func);
    const char *name = cnnfi_builder_strdup(b, function);
    cnnfi_attr *slot = func && name ? cnnfi_node_attr_slot(b, node, key) : NULL;
    if (!slot) return;
    func->name = name;
    slot->kind = CNNF_ATTR_FUNC;
    slot->u.func = func;
}

/* A list attribute over a block of the graph's. */
static void set_list(cnnfi_builder *b, cnnf_node *node, const char *key, int32_t kind, void *items, size_t count)
{
    cnnfi_attr *slot = items ? cnnfi_node_attr_slot(b, node, key) : NULL;
    if (!slot) return;
    slot->kind = CNNF_ATTR_LIST;
    slot->u.list = (cnnfi_attr_list){.item_kind = count ? kind : CNNF_ATTR_NONE, .count = count, .u.ints = items};
}

#define LIST_SETTER(function, type, kind)                                                                              \
    void function(cnnfi_builder *b, cnnf_node *node, const char *key, const type *values, size_t count)                \
    {                                                                                                                  \
        type *copy = cnnfi_builder_array(b, count, sizeof *copy);                                                      \
        if (copy && count) memcpy(copy, values, count * sizeof *copy);                                                 \
        set_list(b, node, key, kind, copy, count);                                                                     \
    }

LIST_SETTER(cnnfi_node_set_ints, int64_t, CNNF_ATTR_INT)
LIST_SETTER(cnnfi_node_set_floats, float, CNNF_ATTR_FLOAT)
LIST_SETTER(cnnfi_node_set_types, int32_t, CNNF_ATTR_TYPE)

void cnnfi_node_set_strings(cnnfi_builder *b, cnnf_node *node, const char *key, const char *const *values, size_t count)
{
    cnnfi_bytes *copy = cnnfi_builder_array(b, count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        const char *text = cnnfi_builder_strdup(b, values[i]);
        copy[i] = (cnnfi_bytes){.data = (const uint8_t *)text, .size = text ? strlen(text) : 0};
    }
    set_list(b, node, key, CNNF_ATTR_STRING, copy, count);
}

void cnnfi_node_set_shapes(cnnfi_builder *b, cnnf_node *node, const char *key, const cnnfi_shape *values, size_t count)
{
    cnnfi_shape *copy = cnnfi_builder_array(b, count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i].rank = values[i].rank;
        if (values[i].rank <= 0) continue;
        int64_t *dims = cnnfi_builder_array(b, (size_t)values[i].rank, sizeof *dims);
        if (dims) memcpy(dims, values[i].dims, (size_t)values[i].rank * sizeof *dims);
        copy[i].dims = dims;
    }
    set_list(b, node, key, CNNF_ATTR_SHAPE, copy, count);
}
