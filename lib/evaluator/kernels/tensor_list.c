/* SPDX-License-Identifier: Apache-2.0 */
/* TensorList*: lists of tensors as values (tensorflow/core/kernels/list_kernels.cc). */
#include <string.h>

#include "base/checked.h"
#include "evaluator/object.h"

/* ---- shapes of elements ---- */

/* A shape, -1 for sizes that are not known; the scalar -1 is a shape of which nothing is known. */
static cnnf_status read_shape(cnnfi_call *call, int32_t input, cnnfi_value *out)
{
    const cnnfi_value *from = &call->inputs[input];
    int64_t dims[CNNFI_OP_MAX_RANK], count = 0;
    *out = cnnfi_value_unknown(0);
    if (from->rank > 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is no shape", (int)input);
    CNNFI_TRY(cnnfi_call_ints(call, input, dims, CNNFI_OP_MAX_RANK, &count));
    if (from->rank == 0) {
        if (dims[0] == CNNFI_UNKNOWN) return CNNF_OK;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the scalar %lld is no shape, only -1 is", (long long)dims[0]);
    }
    for (int64_t i = 0; i < count; i++) {
        if (dims[i] < CNNFI_UNKNOWN)
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "size %lld in a shape", (long long)dims[i]);
    }
    *out = cnnfi_value_make(0, (int32_t)count, dims);
    return CNNF_OK;
}

static cnnf_status want_fit(cnnfi_call *call, cnnfi_value *shape, const cnnfi_value *other)
{
    char a[128], b[128];
    if (cnnfi_value_merge(shape, other)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "an element of shape %s where elements have shape %s",
                           cnnfi_shape_print(a, sizeof a, other->rank, other->dims),
                           cnnfi_shape_print(b, sizeof b, shape->rank, shape->dims));
}

/* The element is one of the list's: its dtype, a shape that fits. */
static cnnf_status want_element(cnnfi_call *call, const cnnfi_list *list, const cnnfi_value *element)
{
    cnnfi_value shape = list->shape;
    if (element->dtype == list->dtype) return want_fit(call, &shape, element);
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a %s where the list holds %s", cnnf_dtype_name(element->dtype),
                           cnnf_dtype_name(list->dtype));
}

/* What the op expects of elements, what the list knows of them, and what those that are there say. */
static cnnf_status common_shape(cnnfi_call *call, const cnnfi_list *list, int32_t input, cnnfi_value *shape)
{
    *shape = cnnfi_value_unknown(0);
    if (input >= 0) CNNFI_TRY(read_shape(call, input, shape));
    CNNFI_TRY(want_fit(call, shape, &list->shape));
    CNNFI_TRY(cnnfi_call_spend(call, list->count));
    for (int64_t i = 0; i < list->count && !cnnfi_value_is_shaped(shape); i++)
        if (list->items[i].object) CNNFI_TRY(want_fit(call, shape, &list->items[i].object->value));
    return CNNF_OK;
}

static cnnf_status want_shaped(cnnfi_call *call, const cnnfi_value *shape)
{
    char text[128];
    if (cnnfi_value_is_shaped(shape)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "an element that was never set needs a shape, %s is not known in full",
                           cnnfi_shape_print(text, sizeof text, shape->rank, shape->dims));
}

static cnnf_status want_dtype(cnnfi_call *call, const cnnfi_list *list)
{
    const cnnf_dtype want = cnnfi_node_type(call->node, "element_dtype");
    if (!want || want == list->dtype) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the list holds %s, the op takes %s", cnnf_dtype_name(list->dtype),
                           cnnf_dtype_name(want));
}

static cnnf_status list_in(cnnfi_call *call, cnnfi_list **list)
{
    CNNFI_TRY(cnnfi_call_list(call, 0, CNNFI_OBJECT_LIST, list));
    return want_dtype(call, *list);
}

/* ---- new lists ---- */

static cnnf_status new_list(cnnfi_call *call, int32_t shape_input, int64_t count, cnnfi_list **out)
{
    cnnfi_value shape = cnnfi_value_unknown(0);
    *out = NULL;
    if (shape_input >= 0) CNNFI_TRY(read_shape(call, shape_input, &shape));
    if (count < 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a list of %lld elements", (long long)count);
    CNNFI_TRY(
        cnnfi_check_limit(call->context, CNNF_LIMIT_TENSOR_ELEMENTS, (uint64_t)count, call->node->name, call->error));
    CNNFI_TRY(cnnfi_call_spend(call, count));
    *out = cnnfi_list_new(call->context, CNNFI_OBJECT_LIST, cnnfi_node_type(call->node, "element_dtype"), &shape);
    if (*out && cnnfi_list_resize(*out, count)) return CNNF_OK;
    if (*out) cnnfi_object_unref(&(*out)->object);
    return cnnfi_fail_nomem(call->error);
}

static cnnf_status run_reserve(cnnfi_call *call)
{
    int64_t count;
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_int(call, 1, &count));
    CNNFI_TRY(new_list(call, 0, count, &list));
    cnnfi_call_give(call, 0, &list->object);
    return CNNF_OK;
}

static cnnf_status run_empty(cnnfi_call *call)
{
    int64_t most;
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_int(call, 1, &most));
    CNNFI_TRY(new_list(call, 0, 0, &list));
    list->most = most;
    cnnfi_call_give(call, 0, &list->object);
    return CNNF_OK;
}

/* Row `from` .. `from` + rows of a tensor as a tensor: with the axis, or (rows -1) without it. */
static cnnfi_object *piece_of(cnnfi_call *call, const cnnfi_value *tensor, int64_t from, int64_t rows)
{
    cnnfi_value like = *tensor;
    const int64_t row = cnnfi_dims_product(tensor->dims, 1, tensor->rank);
    const size_t row_bytes = (size_t)row * cnnf_dtype_size(tensor->dtype);
    if (rows < 0) {
        like = cnnfi_value_make(tensor->dtype, tensor->rank - 1, tensor->dims + 1);
        rows = 1;
    } else {
        like.dims[0] = rows;
        like.count = rows * row;
    }
    cnnfi_object *piece = cnnfi_object_tensor(call->context, &like);
    if (piece && row_bytes && rows)
        memcpy(piece->value.data, (const uint8_t *)tensor->data + (size_t)from * row_bytes, (size_t)rows * row_bytes);
    return piece;
}

/* A tensor's rows put into places of a list. */
static cnnf_status put_rows(cnnfi_call *call, cnnfi_list *list, const cnnfi_value *tensor, const int64_t *places)
{
    if (tensor->rank < 1 || !cnnf_dtype_size(tensor->dtype))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a tensor of rows is needed");
    const cnnfi_value row = cnnfi_value_make(tensor->dtype, tensor->rank - 1, tensor->dims + 1);
    CNNFI_TRY(want_element(call, list, &row));
    CNNFI_TRY(cnnfi_call_spend(call, tensor->count));
    for (int64_t i = 0; i < tensor->dims[0]; i++) {
        cnnfi_object *piece = piece_of(call, tensor, i, -1);
        if (!piece) return cnnfi_fail_nomem(call->error);
        cnnfi_list_put(list, places ? places[i] : i, piece);
    }
    return CNNF_OK;
}

static cnnf_status give_or_drop(cnnfi_call *call, cnnfi_list *list, cnnf_status status)
{
    if (status == CNNF_OK)
        cnnfi_call_give(call, 0, &list->object);
    else
        cnnfi_object_unref(&list->object);
    return status;
}

static cnnf_status run_from_tensor(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    const cnnfi_value *tensor = &call->inputs[0];
    if (tensor->rank < 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a scalar has no rows");
    CNNFI_TRY(new_list(call, 1, tensor->dims[0], &list));
    return give_or_drop(call, list, put_rows(call, list, tensor, NULL));
}

/* ---- places that an input names ---- */

/* *out: a new block of the context's. */
static cnnf_status read_places(cnnfi_call *call, int32_t input, int64_t **out, int64_t *count)
{
    const cnnfi_value *from = &call->inputs[input];
    *count = from->count;
    *out = NULL;
    if (from->rank != 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is no vector", (int)input);
    *out = cnnfi_array(call->context, (size_t)from->count, sizeof(int64_t));
    if (!*out) return cnnfi_fail_nomem(call->error);
    return cnnfi_call_ints(call, input, *out, from->count, count);
}

static cnnf_status check_place(cnnfi_call *call, const cnnfi_list *list, int64_t place)
{
    if (place >= 0 && place < list->count) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "element %lld of a list of %lld", (long long)place,
                           (long long)list->count);
}

/* Rows of input 0 or 1 to the places that the next input names; the list grows to the last of them. */
static cnnf_status scatter_into(cnnfi_call *call, cnnfi_list *list, int32_t tensor_input)
{
    const cnnfi_value *tensor = &call->inputs[tensor_input];
    int64_t *places, count, most = -1;
    cnnf_status status = read_places(call, tensor_input + 1, &places, &count);
    if (!status && (tensor->rank < 1 || tensor->dims[0] != count))
        status = cnnfi_call_fail(call, CNNF_E_MISMATCH, "as many rows as indices are needed");
    for (int64_t i = 0; !status && i < count; i++) {
        if (places[i] < 0) status = cnnfi_call_fail(call, CNNF_E_INVALID, "index %lld", (long long)places[i]);
        if (places[i] > most) most = places[i];
    }
    if (!status && most >= list->count) {
        status =
            cnnfi_check_limit(call->context, CNNF_LIMIT_TENSOR_ELEMENTS, (uint64_t)most, call->node->name, call->error);
        if (!status) status = cnnfi_call_spend(call, most);
        if (!status && !cnnfi_list_resize(list, most + 1)) status = cnnfi_fail_nomem(call->error);
    }
    if (!status) status = put_rows(call, list, tensor, places);
    cnnfi_free(call->context, places);
    return status;
}

static cnnf_status run_scatter(cnnfi_call *call)
{
    int64_t count = 0;
    cnnfi_list *list = NULL;
    if (call->n_inputs > 3) CNNFI_TRY(cnnfi_call_int(call, 3, &count));
    CNNFI_TRY(new_list(call, 2, count > 0 ? count : 0, &list));
    return give_or_drop(call, list, scatter_into(call, list, 0));
}

static cnnf_status run_scatter_into(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_own_list(call, 0, &list));
    cnnf_status status = want_dtype(call, list);
    if (!status) status = scatter_into(call, list, 1);
    return give_or_drop(call, list, status);
}

static cnnf_status run_split(cnnfi_call *call)
{
    const cnnfi_value *tensor = &call->inputs[0];
    int64_t *lengths, count, from = 0;
    cnnfi_list *list = NULL;
    cnnfi_value shape;
    cnnf_status status = read_places(call, 2, &lengths, &count);
    if (!status && tensor->rank < 1) status = cnnfi_call_fail(call, CNNF_E_MISMATCH, "a scalar has no rows");
    if (!status) status = new_list(call, 1, count, &list);
    if (!status) status = cnnfi_call_spend(call, tensor->count);
    for (int64_t i = 0; !status && i < count; i++) {
        if (lengths[i] < 0 || lengths[i] > tensor->dims[0] - from) {
            status = cnnfi_call_fail(call, CNNF_E_MISMATCH, "the lengths are not those of the tensor's rows");
            break;
        }
        cnnfi_object *piece = piece_of(call, tensor, from, lengths[i]);
        if (!piece) {
            status = cnnfi_fail_nomem(call->error);
            break;
        }
        cnnfi_list_put(list, i, piece);
        shape = list->shape;
        status = want_fit(call, &shape, &piece->value);
        from += lengths[i];
    }
    if (!status && from != tensor->dims[0])
        status = cnnfi_call_fail(call, CNNF_E_MISMATCH, "the lengths are not those of the tensor's rows");
    cnnfi_free(call->context, lengths);
    if (!list) return status;
    return give_or_drop(call, list, status);
}

/* ---- looking ---- */

static cnnf_status run_length(cnnfi_call *call)
{
    void *out;
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_list(call, 0, CNNFI_OBJECT_LIST, &list));
    CNNFI_TRY(cnnfi_call_give_tensor(call, 0, CNNF_INT32, 0, NULL, &out));
    *(int32_t *)out = (int32_t)list->count;
    return CNNF_OK;
}

static cnnf_status run_element_shape(cnnfi_call *call)
{
    void *out;
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_list(call, 0, CNNFI_OBJECT_LIST, &list));
    const cnnf_dtype dtype = cnnfi_node_type(call->node, "shape_type");
    const bool known = list->shape.rank != CNNFI_UNKNOWN;
    const int64_t rank = list->shape.rank, unknown = CNNFI_UNKNOWN, *dims = known ? list->shape.dims : &unknown;
    CNNFI_TRY(cnnfi_call_give_tensor(call, 0, dtype, known ? 1 : 0, &rank, &out));
    for (int64_t i = 0; i < (known ? rank : 1); i++) {
        if (dtype == CNNF_INT32)
            ((int32_t *)out)[i] = (int32_t)dims[i];
        else
            ((int64_t *)out)[i] = dims[i];
    }
    return CNNF_OK;
}

static cnnf_status give_zeros(cnnfi_call *call, int32_t output, const cnnfi_list *list, const cnnfi_value *shape)
{
    void *out;
    CNNFI_TRY(want_shaped(call, shape));
    if (!cnnf_dtype_size(list->dtype))
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "an element of %s that was never set",
                               cnnf_dtype_name(list->dtype));
    CNNFI_TRY(cnnfi_call_give_tensor(call, output, list->dtype, shape->rank, shape->dims, &out));
    const cnnfi_value *value = &call->outputs[output];
    memset(out, 0, (size_t)value->count * cnnf_dtype_size(value->dtype));
    return CNNF_OK;
}

static cnnf_status give_element(cnnfi_call *call, int32_t output, const cnnfi_list *list, int64_t place)
{
    cnnfi_value shape;
    cnnfi_object *object = list->items[place].object;
    if (object) {
        CNNFI_TRY(read_shape(call, call->n_inputs - 1, &shape));
        CNNFI_TRY(want_fit(call, &shape, &object->value));
        cnnfi_call_give(call, output, cnnfi_object_ref(object));
        return CNNF_OK;
    }
    CNNFI_TRY(common_shape(call, list, call->n_inputs - 1, &shape));
    return give_zeros(call, output, list, &shape);
}

static cnnf_status run_get(cnnfi_call *call)
{
    int64_t place;
    cnnfi_list *list = NULL;
    CNNFI_TRY(list_in(call, &list));
    CNNFI_TRY(cnnfi_call_int(call, 1, &place));
    CNNFI_TRY(check_place(call, list, place));
    return give_element(call, 0, list, place);
}

/* ---- changing ---- */

static cnnf_status set_item(cnnfi_call *call, cnnfi_list *list)
{
    int64_t place;
    cnnfi_object *item;
    CNNFI_TRY(want_dtype(call, list));
    CNNFI_TRY(cnnfi_call_int(call, 1, &place));
    if (place >= list->count && cnnf_node_attr_bool(call->node, "resize_if_index_out_of_bounds", 0)) {
        CNNFI_TRY(cnnfi_check_limit(call->context, CNNF_LIMIT_TENSOR_ELEMENTS, (uint64_t)place, call->node->name,
                                    call->error));
        CNNFI_TRY(cnnfi_call_spend(call, place - list->count));
        if (!cnnfi_list_resize(list, place + 1)) return cnnfi_fail_nomem(call->error);
    }
    CNNFI_TRY(check_place(call, list, place));
    CNNFI_TRY(want_element(call, list, &call->inputs[2]));
    CNNFI_TRY(cnnfi_call_own_tensor(call, 2, &item));
    cnnfi_list_put(list, place, item);
    return CNNF_OK;
}

static cnnf_status run_set(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_own_list(call, 0, &list));
    return give_or_drop(call, list, set_item(call, list));
}

static cnnf_status push_back(cnnfi_call *call, cnnfi_list *list)
{
    cnnfi_object *item;
    CNNFI_TRY(want_dtype(call, list));
    CNNFI_TRY(want_element(call, list, &call->inputs[1]));
    if (list->most >= 0 && list->count >= list->most)
        return cnnfi_call_fail(call, CNNF_E_INVALID, "the list is full: %lld elements", (long long)list->count);
    CNNFI_TRY(cnnfi_check_limit(call->context, CNNF_LIMIT_TENSOR_ELEMENTS, (uint64_t)list->count + 1, call->node->name,
                                call->error));
    if (!cnnfi_list_resize(list, list->count + 1)) return cnnfi_fail_nomem(call->error);
    CNNFI_TRY(cnnfi_call_own_tensor(call, 1, &item));
    cnnfi_list_put(list, list->count - 1, item);
    return CNNF_OK;
}

static cnnf_status run_push(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_own_list(call, 0, &list));
    return give_or_drop(call, list, push_back(call, list));
}

static cnnf_status pop_back(cnnfi_call *call, cnnfi_list *list)
{
    CNNFI_TRY(want_dtype(call, list));
    if (!list->count) return cnnfi_call_fail(call, CNNF_E_INVALID, "the list is empty");
    CNNFI_TRY(give_element(call, 1, list, list->count - 1));
    cnnfi_list_resize(list, list->count - 1);
    return CNNF_OK;
}

static cnnf_status run_pop(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_own_list(call, 0, &list));
    return give_or_drop(call, list, pop_back(call, list));
}

static cnnf_status resize(cnnfi_call *call, cnnfi_list *list)
{
    int64_t count;
    CNNFI_TRY(cnnfi_call_int(call, 1, &count));
    if (count < 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a list of %lld elements", (long long)count);
    CNNFI_TRY(
        cnnfi_check_limit(call->context, CNNF_LIMIT_TENSOR_ELEMENTS, (uint64_t)count, call->node->name, call->error));
    CNNFI_TRY(cnnfi_call_spend(call, count));
    return cnnfi_list_resize(list, count) ? CNNF_OK : cnnfi_fail_nomem(call->error);
}

static cnnf_status run_resize(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_own_list(call, 0, &list));
    return give_or_drop(call, list, resize(call, list));
}

static cnnf_status concat_lists(cnnfi_call *call, cnnfi_list *list)
{
    cnnfi_list *other;
    const int64_t count = list->count;
    CNNFI_TRY(cnnfi_call_list(call, 1, CNNFI_OBJECT_LIST, &other));
    if (other->dtype != list->dtype) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "lists of different dtypes");
    CNNFI_TRY(want_fit(call, &list->shape, &other->shape));
    CNNFI_TRY(cnnfi_call_spend(call, other->count));
    CNNFI_TRY(cnnfi_check_limit(call->context, CNNF_LIMIT_TENSOR_ELEMENTS, (uint64_t)(count + other->count),
                                call->node->name, call->error));
    if (!cnnfi_list_resize(list, count + other->count)) return cnnfi_fail_nomem(call->error);
    for (int64_t i = 0; count + i < list->count; i++)
        list->items[count + i].object = cnnfi_object_ref(other->items[i].object);
    return CNNF_OK;
}

static cnnf_status run_concat_lists(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    CNNFI_TRY(cnnfi_call_own_list(call, 0, &list));
    return give_or_drop(call, list, concat_lists(call, list));
}

/* ---- lists made tensors ---- */

/* The elements at `places` (NULL: all of them) one after the other; those never set are zeros. */
static cnnf_status stack(cnnfi_call *call, const cnnfi_list *list, const int64_t *places, int64_t count,
                         const cnnfi_value *shape)
{
    void *out;
    int64_t dims[CNNFI_OP_MAX_RANK + 1] = {count};
    CNNFI_TRY(want_shaped(call, shape));
    if (!cnnf_dtype_size(list->dtype))
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "elements are %s", cnnf_dtype_name(list->dtype));
    memcpy(dims + 1, shape->dims, (size_t)shape->rank * sizeof *dims);
    CNNFI_TRY(cnnfi_call_give_tensor(call, 0, list->dtype, shape->rank + 1, dims, &out));
    const size_t size = (size_t)shape->count * cnnf_dtype_size(list->dtype);
    for (int64_t i = 0; i < count; i++) {
        const cnnfi_object *item = list->items[places ? places[i] : i].object;
        uint8_t *to = (uint8_t *)out + (size_t)i * size;
        cnnfi_value fits = *shape;
        if (item) CNNFI_TRY(want_fit(call, &fits, &item->value));
        if (item && size)
            memcpy(to, item->value.data, size);
        else
            memset(to, 0, size);
    }
    return CNNF_OK;
}

static cnnf_status run_stack(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    cnnfi_value shape;
    CNNFI_TRY(list_in(call, &list));
    const int64_t want = cnnf_node_attr_int(call->node, "num_elements", -1);
    if (want >= 0 && want != list->count)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld elements, not %lld", (long long)list->count,
                               (long long)want);
    CNNFI_TRY(common_shape(call, list, 1, &shape));
    return stack(call, list, NULL, list->count, &shape);
}

static cnnf_status run_gather(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    cnnfi_value shape;
    int64_t *places = NULL, count = 0;
    CNNFI_TRY(list_in(call, &list));
    cnnf_status status = common_shape(call, list, 2, &shape);
    if (!status) status = read_places(call, 1, &places, &count);
    for (int64_t i = 0; !status && i < count; i++)
        status = check_place(call, list, places[i]);
    if (!status) status = stack(call, list, places, count, &shape);
    cnnfi_free(call->context, places);
    return status;
}

/* How many rows element `i` has: its own, or, when it was never set, what `leading` says. */
static cnnf_status rows_of(cnnfi_call *call, const cnnfi_list *list, int64_t i, const cnnfi_value *shape, int64_t *rows)
{
    const cnnfi_object *item = list->items[i].object;
    if (item && item->value.rank < 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "scalars are not joined");
    if (item) {
        *rows = item->value.dims[0];
        return CNNF_OK;
    }
    *rows = shape->rank > 0 ? shape->dims[0] : CNNFI_UNKNOWN;
    if (call->n_inputs > 2 && *rows < 0) {
        const cnnfi_value *leading = &call->inputs[2];
        if (leading->dtype == CNNF_INT64 && i < leading->count) *rows = ((const int64_t *)leading->data)[i];
    }
    if (*rows >= 0) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "element %lld was never set and its size is not known", (long long)i);
}

/* The shape of elements with the first axis left open. */
static cnnf_status shape_to_join(cnnfi_call *call, const cnnfi_list *list, cnnfi_value *shape)
{
    *shape = cnnfi_value_unknown(0);
    if (call->n_inputs > 1)
        CNNFI_TRY(read_shape(call, 1, shape));
    else if (cnnf_node_attr_shape_rank(call->node, "element_shape") >= 0)
        *shape = cnnfi_value_of_attrs(call->node);
    CNNFI_TRY(want_fit(call, shape, &list->shape));
    CNNFI_TRY(cnnfi_call_spend(call, list->count));
    for (int64_t i = 0; i < list->count; i++) {
        if (!list->items[i].object) continue;
        cnnfi_value item = list->items[i].object->value;
        if (item.rank > 0) item.dims[0] = CNNFI_UNKNOWN;
        CNNFI_TRY(want_fit(call, shape, &item));
    }
    if (shape->rank > 0 && cnnfi_dims_product(shape->dims, 1, shape->rank) >= 0) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "the elements' shape is not known");
}

static cnnf_status run_concat(cnnfi_call *call)
{
    cnnfi_list *list = NULL;
    cnnfi_value shape;
    void *out, *lengths;
    int64_t total = 0, rows = 0;
    CNNFI_TRY(list_in(call, &list));
    CNNFI_TRY(shape_to_join(call, list, &shape));
    CNNFI_TRY(cnnfi_call_give_tensor(call, 1, CNNF_INT64, 1, &list->count, &lengths));
    for (int64_t i = 0; i < list->count; i++) {
        CNNFI_TRY(rows_of(call, list, i, &shape, &rows));
        ((int64_t *)lengths)[i] = rows;
        if (!cnnfi_add_i64(&total, total, rows)) total = INT64_MAX;
    }
    const size_t row = (size_t)cnnfi_dims_product(shape.dims, 1, shape.rank) * cnnf_dtype_size(list->dtype);
    if (!cnnf_dtype_size(list->dtype))
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "elements are %s", cnnf_dtype_name(list->dtype));
    shape.dims[0] = total;
    CNNFI_TRY(cnnfi_call_give_tensor(call, 0, list->dtype, shape.rank, shape.dims, &out));
    uint8_t *to = out;
    for (int64_t i = 0; i < list->count; i++) {
        const cnnfi_object *item = list->items[i].object;
        const size_t size = (size_t)((int64_t *)lengths)[i] * row;
        if (item && size)
            memcpy(to, item->value.data, size);
        else if (size)
            memset(to, 0, size);
        to += size;
    }
    return CNNF_OK;
}

#define ROW(op, run)                                                                                                   \
    {                                                                                                                  \
        op, run, CNNFI_OP_STATEFUL | CNNFI_OP_OBJECTS, NULL                                                            \
    }

static const cnnfi_kernel kernels[] = {
    ROW("EmptyTensorList", run_empty),
    ROW("TensorListConcat", run_concat),
    ROW("TensorListConcatLists", run_concat_lists),
    ROW("TensorListConcatV2", run_concat),
    ROW("TensorListElementShape", run_element_shape),
    ROW("TensorListFromTensor", run_from_tensor),
    ROW("TensorListGather", run_gather),
    ROW("TensorListGetItem", run_get),
    ROW("TensorListLength", run_length),
    ROW("TensorListPopBack", run_pop),
    ROW("TensorListPushBack", run_push),
    ROW("TensorListReserve", run_reserve),
    ROW("TensorListResize", run_resize),
    ROW("TensorListScatter", run_scatter),
    ROW("TensorListScatterIntoExistingList", run_scatter_into),
    ROW("TensorListScatterV2", run_scatter),
    ROW("TensorListSetItem", run_set),
    ROW("TensorListSplit", run_split),
    ROW("TensorListStack", run_stack),
};

const cnnfi_kernel_family cnnfi_kernels_tensor_list = {"lists", kernels, sizeof(kernels) / sizeof(kernels[0])};
