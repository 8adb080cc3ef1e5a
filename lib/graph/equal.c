/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/equal.h"

#include <string.h>

#include "base/error.h"
#include "graph/tensor.h"

static bool same_bytes(cnnfi_bytes a, cnnfi_bytes b)
{
    return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static cnnf_status same_tensor(bool *out, const cnnf_tensor *a, const cnnf_tensor *b, cnnf_error *error)
{
    *out = a == b;
    return *out || !a || !b ? CNNF_OK : cnnfi_tensor_equal(out, a, b, error);
}

static cnnf_status same_func(bool *out, const cnnfi_func_ref *a, const cnnfi_func_ref *b, cnnf_error *error)
{
    *out = same_text(a->name, b->name) && same_bytes(a->extra, b->extra);
    return *out ? cnnfi_attrs_equal(out, a->attrs, a->n_attrs, b->attrs, b->n_attrs, error) : CNNF_OK;
}

/* One element of two lists of the same kind. */
static cnnf_status same_item(bool *out, const cnnfi_attr_list *a, const cnnfi_attr_list *b, size_t i, cnnf_error *error)
{
    switch (a->item_kind) {
    case CNNF_ATTR_STRING:
        *out = same_bytes(a->u.strings[i], b->u.strings[i]);
        return CNNF_OK;
    case CNNF_ATTR_INT:
        *out = a->u.ints[i] == b->u.ints[i];
        return CNNF_OK;
    case CNNF_ATTR_FLOAT:
        *out = memcmp(&a->u.floats[i], &b->u.floats[i], sizeof(float)) == 0;
        return CNNF_OK;
    case CNNF_ATTR_BOOL:
        *out = a->u.bools[i] == b->u.bools[i];
        return CNNF_OK;
    case CNNF_ATTR_TYPE:
        *out = a->u.types[i] == b->u.types[i];
        return CNNF_OK;
    case CNNF_ATTR_SHAPE:
        *out = cnnfi_shape_equal(&a->u.shapes[i], &b->u.shapes[i]);
        return CNNF_OK;
    case CNNF_ATTR_TENSOR:
        return same_tensor(out, a->u.tensors[i], b->u.tensors[i], error);
    default:
        return same_func(out, &a->u.funcs[i], &b->u.funcs[i], error);
    }
}

static cnnf_status same_list(bool *out, const cnnfi_attr_list *a, const cnnfi_attr_list *b, cnnf_error *error)
{
    *out = a->count == b->count && (!a->count || a->item_kind == b->item_kind);
    for (size_t i = 0; *out && i < a->count; i++)
        CNNFI_TRY(same_item(out, a, b, i, error));
    return CNNF_OK;
}

cnnf_status cnnfi_attr_equal(bool *out, const cnnfi_attr *a, const cnnfi_attr *b, cnnf_error *error)
{
    *out = a->kind == b->kind && same_text(a->key, b->key) && same_bytes(a->extra, b->extra);
    if (!*out) return CNNF_OK;
    switch (a->kind) {
    case CNNF_ATTR_STRING:
        *out = same_bytes(a->u.s, b->u.s);
        return CNNF_OK;
    case CNNF_ATTR_INT:
        *out = a->u.i == b->u.i;
        return CNNF_OK;
    case CNNF_ATTR_FLOAT:
        *out = memcmp(&a->u.f, &b->u.f, sizeof a->u.f) == 0;
        return CNNF_OK;
    case CNNF_ATTR_BOOL:
        *out = a->u.b == b->u.b;
        return CNNF_OK;
    case CNNF_ATTR_TYPE:
        *out = a->u.type == b->u.type;
        return CNNF_OK;
    case CNNF_ATTR_SHAPE:
        *out = cnnfi_shape_equal(&a->u.shape, &b->u.shape);
        return CNNF_OK;
    case CNNF_ATTR_TENSOR:
        return same_tensor(out, a->u.tensor, b->u.tensor, error);
    case CNNF_ATTR_FUNC:
        return same_func(out, a->u.func, b->u.func, error);
    case CNNF_ATTR_PLACEHOLDER:
        *out = same_text(a->u.placeholder, b->u.placeholder);
        return CNNF_OK;
    case CNNF_ATTR_LIST:
        return same_list(out, &a->u.list, &b->u.list, error);
    default:
        return CNNF_OK;
    }
}

cnnf_status cnnfi_attrs_equal(bool *out, const cnnfi_attr *a, size_t n_a, const cnnfi_attr *b, size_t n_b,
                              cnnf_error *error)
{
    *out = n_a == n_b;
    for (size_t i = 0; *out && i < n_a; i++)
        CNNFI_TRY(cnnfi_attr_equal(out, &a[i], &b[i], error));
    return CNNF_OK;
}

static bool same_inputs(const cnnf_node *a, const cnnf_node *b)
{
    if (a->n_inputs != b->n_inputs) return false;
    for (size_t i = 0; i < a->n_inputs; i++) {
        if (strcmp(a->inputs[i], b->inputs[i])) return false;
    }
    return true;
}

cnnf_status cnnfi_node_equal(bool *out, const cnnf_node *a, const cnnf_node *b, cnnf_error *error)
{
    *out = same_text(a->name, b->name) && same_text(a->op, b->op) && same_text(a->device, b->device) &&
           same_bytes(a->extra, b->extra) && same_inputs(a, b);
    if (*out) CNNFI_TRY(cnnfi_attrs_equal(out, a->attrs, a->n_attrs, b->attrs, b->n_attrs, error));
    return *out ? same_tensor(out, a->value, b->value, error) : CNNF_OK;
}

static bool same_names(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    if (n_a != n_b) return false;
    for (size_t i = 0; i < n_a; i++) {
        if (strcmp(a[i], b[i])) return false;
    }
    return true;
}

static bool same_pairs(const cnnfi_pair *a, size_t n_a, const cnnfi_pair *b, size_t n_b)
{
    if (n_a != n_b) return false;
    for (size_t i = 0; i < n_a; i++) {
        if (strcmp(a[i].key, b[i].key) || strcmp(a[i].value, b[i].value)) return false;
    }
    return true;
}

static bool same_args(const cnnfi_arg *a, size_t n_a, const cnnfi_arg *b, size_t n_b)
{
    if (n_a != n_b) return false;
    for (size_t i = 0; i < n_a; i++) {
        if (!same_text(a[i].name, b[i].name) || a[i].type != b[i].type || a[i].is_ref != b[i].is_ref ||
            !same_text(a[i].type_attr, b[i].type_attr) || !same_text(a[i].number_attr, b[i].number_attr) ||
            !same_text(a[i].type_list_attr, b[i].type_list_attr) || !same_bytes(a[i].extra, b[i].extra)) {
            return false;
        }
    }
    return true;
}

static cnnf_status same_function(bool *out, const cnnfi_function *a, const cnnfi_function *b, cnnf_error *error)
{
    *out = same_text(a->name, b->name) && same_args(a->inputs, a->n_inputs, b->inputs, b->n_inputs) &&
           same_args(a->outputs, a->n_outputs, b->outputs, b->n_outputs) && a->n_nodes == b->n_nodes &&
           same_bytes(a->signature_extra, b->signature_extra) && same_bytes(a->extra, b->extra) &&
           same_pairs(a->ret, a->n_ret, b->ret, b->n_ret) &&
           same_pairs(a->control_ret, a->n_control_ret, b->control_ret, b->n_control_ret);
    if (*out) CNNFI_TRY(cnnfi_attrs_equal(out, a->attrs, a->n_attrs, b->attrs, b->n_attrs, error));
    for (size_t i = 0; *out && i < a->n_nodes; i++)
        CNNFI_TRY(cnnfi_node_equal(out, a->nodes[i], b->nodes[i], error));
    return CNNF_OK;
}

static bool same_frame(const cnnf_graph *a, const cnnf_graph *b)
{
    return a->n_nodes == b->n_nodes && a->n_functions == b->n_functions && a->versions.present == b->versions.present &&
           a->versions.producer == b->versions.producer && a->versions.min_consumer == b->versions.min_consumer &&
           same_bytes(a->extra, b->extra) && same_bytes(a->library_extra, b->library_extra) &&
           same_names(a->meta.inputs, a->meta.n_inputs, b->meta.inputs, b->meta.n_inputs) &&
           same_names(a->meta.outputs, a->meta.n_outputs, b->meta.outputs, b->meta.n_outputs);
}

cnnf_status cnnfi_graph_equal(bool *out, const cnnf_graph *a, const cnnf_graph *b, cnnf_error *error)
{
    *out = a == b;
    if (*out) return CNNF_OK;
    *out = same_frame(a, b);
    for (size_t i = 0; *out && i < a->n_nodes; i++)
        CNNFI_TRY(cnnfi_node_equal(out, a->nodes[i], b->nodes[i], error));
    for (size_t i = 0; *out && i < a->n_functions; i++) {
        CNNFI_TRY(same_function(out, a->functions[i], b->functions[i], error));
    }
    return CNNF_OK;
}
