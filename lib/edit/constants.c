/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/constants.h"

#include <string.h>

#include "graph/tensor.h"

/* Identity nodes passed in a row; more are a cycle. */
#define MAX_DEPTH 24

/* ---- tensors ---- */

double *cnnfi_doubles_of_tensor(cnnfi_edit *edit, const cnnf_tensor *tensor)
{
    cnnfi_builder *b = edit->b;
    const int64_t count = cnnf_tensor_element_count(tensor);
    double *values = cnnfi_edit_array(edit, (size_t)count, sizeof *values);
    cnnf_tensor *loaded = NULL;
    if (!values) return NULL;
    b->status = cnnf_tensor_load(&loaded, tensor, b->error);
    const bool is_float = loaded && cnnf_tensor_dtype(loaded) == CNNF_FLOAT && cnnf_tensor_data(loaded);
    const float *floats = is_float ? cnnf_tensor_data(loaded) : NULL;
    bool readable = loaded != NULL;
    for (int64_t i = 0; readable && i < count; i++) {
        if (floats)
            values[i] = (double)floats[i];
        else
            readable = cnnfi_tensor_get_f64(loaded, i, &values[i]);
    }
    cnnf_tensor_unref(loaded);
    return readable ? values : NULL;
}

cnnf_tensor *cnnfi_tensor_of_doubles(cnnfi_edit *edit, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                                     const double *values)
{
    cnnfi_builder *b = edit->b;
    cnnf_tensor *tensor = NULL;
    if (b->status) return NULL;
    b->status = cnnf_tensor_new(&tensor, b->graph->context, dtype, rank, dims, b->error);
    if (b->status) return NULL;
    const int64_t count = cnnf_tensor_element_count(tensor);
    void *data = cnnf_tensor_data_mut(tensor);
    if (dtype == CNNF_DOUBLE) memcpy(data, values, (size_t)count * sizeof *values);
    for (int64_t i = 0; dtype == CNNF_FLOAT && i < count; i++)
        ((float *)data)[i] = (float)values[i];
    return tensor;
}

/* ---- nodes ---- */

cnnf_node *cnnfi_const_node(const cnnfi_edit *edit, const cnnf_node *node, size_t input)
{
    int32_t port;
    cnnf_node *from = cnnfi_edit_producer(edit, node, input, &port);
    for (int depth = 0; from && port == 0 && depth < MAX_DEPTH; depth++) {
        if (strcmp(from->op, "Const") == 0) return from;
        if (!cnnfi_op_is_identity(from->op)) return NULL;
        from = cnnfi_edit_producer(edit, from, 0, &port);
    }
    return NULL;
}

/* Whether nobody but this input can see the Const: no other user, no protected name on the way. */
static bool owns_const(const cnnfi_edit *edit, const cnnf_node *node, size_t input, const cnnf_node *source)
{
    while (node && node != source) {
        node = cnnfi_edit_producer(edit, node, input, NULL);
        input = 0;
        if (!node || cnnfi_edit_is_protected(edit, node) || cnnfi_edit_user_count(edit, node, CNNFI_PORT_ANY) != 1)
            return false;
    }
    return node != NULL;
}

void cnnfi_edit_own_const(cnnfi_edit *edit, cnnf_node *node, size_t input, const cnnf_tensor *value)
{
    cnnf_node *source = cnnfi_const_node(edit, node, input);
    if (!value) return;
    if (source && owns_const(edit, node, input, source)) {
        cnnfi_node_set_tensor(edit->b, source, "value", value);
        cnnfi_edit_touch(edit, source);
        return;
    }
    const char *last = source ? strrchr(source->name, '/') : NULL;
    const cnnf_node *own = cnnfi_edit_const(edit, value, "%s/%s", node->name, last ? last + 1 : "folded");
    cnnfi_edit_set_input(edit, node, input, cnnfi_end(own, 0));
}
