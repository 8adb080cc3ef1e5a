/* SPDX-License-Identifier: Apache-2.0 */
/* TensorArray*V3: what loops of TensorFlow 1 collect in (tensorflow/core/kernels/tensor_array_ops.cc). The flow input
   and output order the changes; its value is nobody's business. */
#include <string.h>

#include "base/checked.h"
#include "evaluator/object.h"

static cnnfi_value declared_shape(const cnnf_node *node, const char *key)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    const int32_t rank = cnnf_node_attr_shape_rank(node, key);
    if (rank < 0 || rank > CNNFI_OP_MAX_RANK) return cnnfi_value_unknown(0);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = cnnf_node_attr_shape_dim(node, key, i);
    return cnnfi_value_make(0, rank, dims);
}

static cnnf_status give_flow(cnnfi_call *call, int32_t output)
{
    void *flow;
    CNNFI_TRY(cnnfi_call_give_tensor(call, output, CNNF_FLOAT, 0, NULL, &flow));
    *(float *)flow = 0;
    return CNNF_OK;
}

static cnnf_status run_new(cnnfi_call *call)
{
    int64_t count;
    const cnnfi_value shape = declared_shape(call->node, "element_shape");
    CNNFI_TRY(cnnfi_call_int(call, 0, &count));
    if (count < 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a TensorArray of %lld", (long long)count);
    CNNFI_TRY(
        cnnfi_check_limit(call->context, CNNF_LIMIT_TENSOR_ELEMENTS, (uint64_t)count, call->node->name, call->error));
    CNNFI_TRY(cnnfi_call_spend(call, count));
    cnnfi_list *array = cnnfi_list_new(call->context, CNNFI_OBJECT_ARRAY, cnnfi_node_type(call->node, "dtype"), &shape);
    if (!array || !cnnfi_list_resize(array, count)) {
        if (array) cnnfi_object_unref(&array->object);
        return cnnfi_fail_nomem(call->error);
    }
    array->dynamic = cnnf_node_attr_bool(call->node, "dynamic_size", 0);
    array->clears = cnnf_node_attr_bool(call->node, "clear_after_read", 1);
    array->identical = cnnf_node_attr_bool(call->node, "identical_element_shapes", 0);
    cnnfi_call_give(call, 0, &array->object);
    return give_flow(call, 1);
}

static cnnf_status array_in(cnnfi_call *call, cnnfi_list **out)
{
    return cnnfi_call_list(call, 0, CNNFI_OBJECT_ARRAY, out);
}

/* ---- writing ---- */

static cnnf_status want_element(cnnfi_call *call, cnnfi_list *array, const cnnfi_value *value)
{
    char a[128], b[128];
    cnnfi_value shape = array->shape;
    if (value->dtype != array->dtype)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a %s where the TensorArray holds %s",
                               cnnf_dtype_name(value->dtype), cnnf_dtype_name(array->dtype));
    if (!cnnfi_value_merge(&shape, value))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "an element of shape %s where elements have shape %s",
                               cnnfi_shape_print(a, sizeof a, value->rank, value->dims),
                               cnnfi_shape_print(b, sizeof b, shape.rank, shape.dims));
    if (array->identical) array->shape = shape;
    return CNNF_OK;
}

static cnnf_status make_room(cnnfi_call *call, cnnfi_list *array, int64_t place)
{
    if (place >= 0 && place < array->count) return CNNF_OK;
    if (place < 0 || !array->dynamic)
        return cnnfi_call_fail(call, CNNF_E_INVALID, "element %lld of a TensorArray of %lld", (long long)place,
                               (long long)array->count);
    CNNFI_TRY(
        cnnfi_check_limit(call->context, CNNF_LIMIT_TENSOR_ELEMENTS, (uint64_t)place, call->node->name, call->error));
    CNNFI_TRY(cnnfi_call_spend(call, place - array->count));
    return cnnfi_list_resize(array, place + 1) ? CNNF_OK : cnnfi_fail_nomem(call->error);
}

static cnnf_status check_unwritten(cnnfi_call *call, const cnnfi_list *array, int64_t place)
{
    if (!array->items[place].written) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "element %lld was written already", (long long)place);
}

/* Takes the reference, also on failure. */
static cnnf_status write_item(cnnfi_call *call, cnnfi_list *array, int64_t place, cnnfi_object *item)
{
    cnnf_status status = item ? make_room(call, array, place) : cnnfi_fail_nomem(call->error);
    if (!status) status = check_unwritten(call, array, place);
    if (!status) status = want_element(call, array, &item->value);
    if (status)
        cnnfi_object_unref(item);
    else
        cnnfi_list_put(array, place, item);
    return status;
}

static cnnf_status run_write(cnnfi_call *call)
{
    int64_t place;
    cnnfi_list *array;
    cnnfi_object *item;
    CNNFI_TRY(array_in(call, &array));
    CNNFI_TRY(cnnfi_call_int(call, 1, &place));
    CNNFI_TRY(cnnfi_call_own_tensor(call, 2, &item));
    CNNFI_TRY(write_item(call, array, place, item));
    return give_flow(call, 0);
}

/* Rows from .. from + rows of a tensor; rows -1: one, without the axis. */
static cnnfi_object *piece_of(cnnfi_call *call, const cnnfi_value *tensor, int64_t from, int64_t rows)
{
    const int64_t row = cnnfi_dims_product(tensor->dims, 1, tensor->rank);
    const size_t bytes = (size_t)row * cnnf_dtype_size(tensor->dtype);
    int64_t dims[CNNFI_OP_MAX_RANK];
    memcpy(dims, tensor->dims, sizeof dims);
    dims[0] = rows;
    const cnnfi_value like = rows < 0 ? cnnfi_value_make(tensor->dtype, tensor->rank - 1, tensor->dims + 1)
                                      : cnnfi_value_make(tensor->dtype, tensor->rank, dims);
    cnnfi_object *piece = cnnfi_object_tensor(call->context, &like);
    const size_t size = (rows < 0 ? 1 : (size_t)rows) * bytes;
    if (piece && size) memcpy(piece->value.data, (const uint8_t *)tensor->data + (size_t)from * bytes, size);
    return piece;
}

static cnnf_status want_rows(cnnfi_call *call, const cnnfi_value *tensor)
{
    if (tensor->rank > 0 && cnnf_dtype_size(tensor->dtype)) return cnnfi_call_spend(call, tensor->count);
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a tensor of rows is needed");
}

static int64_t int_at(const cnnfi_value *value, int64_t i)
{
    return value->dtype == CNNF_INT64 ? ((const int64_t *)value->data)[i] : ((const int32_t *)value->data)[i];
}

static cnnf_status want_ints(cnnfi_call *call, int32_t input)
{
    CNNFI_TRY(cnnfi_want_int(call, input));
    if (call->inputs[input].rank == 1) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is no vector", (int)input);
}

static cnnf_status run_scatter(cnnfi_call *call)
{
    cnnfi_list *array;
    const cnnfi_value *places = &call->inputs[1], *tensor = &call->inputs[2];
    CNNFI_TRY(array_in(call, &array));
    CNNFI_TRY(want_ints(call, 1));
    CNNFI_TRY(want_rows(call, tensor));
    if (places->count != tensor->dims[0])
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "as many rows as indices are needed");
    for (int64_t i = 0; i < places->count; i++)
        CNNFI_TRY(write_item(call, array, int_at(places, i), piece_of(call, tensor, i, -1)));
    return give_flow(call, 0);
}

static cnnf_status run_split(cnnfi_call *call)
{
    cnnfi_list *array;
    int64_t from = 0;
    const cnnfi_value *tensor = &call->inputs[1], *lengths = &call->inputs[2];
    CNNFI_TRY(array_in(call, &array));
    CNNFI_TRY(want_ints(call, 2));
    CNNFI_TRY(want_rows(call, tensor));
    if (array->dynamic ? array->count > lengths->count : array->count != lengths->count)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld lengths for a TensorArray of %lld",
                               (long long)lengths->count, (long long)array->count);
    for (int64_t i = 0; i < lengths->count; i++) {
        const int64_t rows = int_at(lengths, i);
        if (rows < 0 || rows > tensor->dims[0] - from)
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the lengths are not those of the tensor's rows");
        CNNFI_TRY(write_item(call, array, i, piece_of(call, tensor, from, rows)));
        from += rows;
    }
    if (from != tensor->dims[0])
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the lengths are not those of the tensor's rows");
    return give_flow(call, 0);
}

/* ---- reading ---- */

/* The element, borrowed; one that was never written is zeros where its shape is known. */
static cnnf_status read_item(cnnfi_call *call, cnnfi_list *array, int64_t place, cnnfi_object **out)
{
    if (place < 0 || place >= array->count)
        return cnnfi_call_fail(call, CNNF_E_INVALID, "element %lld of a TensorArray of %lld", (long long)place,
                               (long long)array->count);
    cnnfi_item *item = &array->items[place];
    if (!item->object && item->read && array->clears)
        return cnnfi_call_fail(call, CNNF_E_INVALID, "element %lld was read already, which cleared it",
                               (long long)place);
    if (!item->object) {
        cnnfi_value shape = declared_shape(call->node, "element_shape");
        if (!cnnfi_value_merge(&shape, &array->shape) || !cnnfi_value_is_shaped(&shape) ||
            !cnnf_dtype_size(array->dtype))
            return cnnfi_call_fail(call, CNNF_E_INVALID, "element %lld was never written", (long long)place);
        size_t bytes;
        CNNFI_TRY(cnnfi_shape_bytes(&bytes, call->context, array->dtype, shape.rank, shape.dims, call->node->name,
                                    call->error));
        shape.dtype = array->dtype;
        item->object = cnnfi_object_tensor(call->context, &shape);
        if (!item->object) return cnnfi_fail_nomem(call->error);
        memset(item->object->value.data, 0, bytes);
    }
    item->read = true;
    *out = item->object;
    return CNNF_OK;
}

static void clear_item(cnnfi_list *array, int64_t place)
{
    if (!array->clears) return;
    cnnfi_object_unref(array->items[place].object);
    array->items[place].object = NULL;
}

static cnnf_status run_read(cnnfi_call *call)
{
    int64_t place;
    cnnfi_list *array;
    cnnfi_object *item;
    CNNFI_TRY(array_in(call, &array));
    CNNFI_TRY(cnnfi_call_int(call, 1, &place));
    CNNFI_TRY(read_item(call, array, place, &item));
    cnnfi_call_give(call, 0, cnnfi_object_ref(item));
    clear_item(array, place);
    return CNNF_OK;
}

/* Elements one after the other; places NULL: all of them. */
static cnnf_status gather(cnnfi_call *call, cnnfi_list *array, const cnnfi_value *places)
{
    void *out = NULL;
    cnnfi_object *item;
    const int64_t count = places ? places->count : array->count;
    cnnfi_value shape = declared_shape(call->node, "element_shape");
    char a[128], b[128];
    if (!cnnfi_value_merge(&shape, &array->shape))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "elements have another shape");
    CNNFI_TRY(cnnfi_call_spend(call, count));
    for (int64_t i = 0; i < count || !out; i++) {
        if (i < count) {
            CNNFI_TRY(read_item(call, array, places ? int_at(places, i) : i, &item));
            if (!cnnfi_value_merge(&shape, &item->value))
                return cnnfi_call_fail(call, CNNF_E_MISMATCH, "elements of shapes %s and %s",
                                       cnnfi_shape_print(a, sizeof a, shape.rank, shape.dims),
                                       cnnfi_shape_print(b, sizeof b, item->value.rank, item->value.dims));
        }
        if (!out) {
            int64_t dims[CNNFI_OP_MAX_RANK + 1] = {count};
            if (!cnnfi_value_is_shaped(&shape))
                return cnnfi_call_fail(call, CNNF_E_INVALID, "nothing to gather, and its shape is not known");
            memcpy(dims + 1, shape.dims, (size_t)shape.rank * sizeof *dims);
            CNNFI_TRY(cnnfi_call_give_tensor(call, 0, array->dtype, shape.rank + 1, dims, &out));
        }
        const size_t size = (size_t)shape.count * cnnf_dtype_size(array->dtype);
        if (i < count && size) memcpy((uint8_t *)out + (size_t)i * size, item->value.data, size);
    }
    for (int64_t i = 0; i < count; i++)
        clear_item(array, places ? int_at(places, i) : i);
    return CNNF_OK;
}

static cnnf_status run_gather(cnnfi_call *call)
{
    cnnfi_list *array;
    CNNFI_TRY(array_in(call, &array));
    CNNFI_TRY(want_ints(call, 1));
    return gather(call, array, &call->inputs[1]);
}

static cnnf_status join_shape(cnnfi_call *call, cnnfi_list *array, cnnfi_value *shape, int64_t *lengths)
{
    cnnfi_object *item;
    int64_t total = 0;
    for (int64_t i = 0; i < array->count; i++) {
        CNNFI_TRY(read_item(call, array, i, &item));
        cnnfi_value one = item->value;
        if (one.rank < 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "scalars are not joined");
        lengths[i] = one.dims[0];
        if (!cnnfi_add_i64(&total, total, lengths[i])) total = INT64_MAX;
        one.dims[0] = CNNFI_UNKNOWN;
        if (!cnnfi_value_merge(shape, &one))
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "elements differ beyond their first axis");
    }
    const cnnfi_value rest = declared_shape(call->node, "element_shape_except0");
    if (shape->rank == CNNFI_UNKNOWN && cnnfi_value_is_shaped(&rest) && rest.rank < CNNFI_OP_MAX_RANK) {
        shape->rank = rest.rank + 1;
        memcpy(shape->dims + 1, rest.dims, (size_t)rest.rank * sizeof *rest.dims);
    }
    if (shape->rank < 1) return cnnfi_call_fail(call, CNNF_E_INVALID, "nothing to join, and its shape is not known");
    shape->dims[0] = total;
    return CNNF_OK;
}

static cnnf_status run_concat(cnnfi_call *call)
{
    cnnfi_list *array;
    void *out, *lengths;
    cnnfi_value shape = cnnfi_value_unknown(0);
    CNNFI_TRY(array_in(call, &array));
    CNNFI_TRY(cnnfi_call_spend(call, array->count));
    CNNFI_TRY(cnnfi_call_give_tensor(call, 1, CNNF_INT64, 1, &array->count, &lengths));
    CNNFI_TRY(join_shape(call, array, &shape, lengths));
    CNNFI_TRY(cnnfi_call_give_tensor(call, 0, array->dtype, shape.rank, shape.dims, &out));
    uint8_t *to = out;
    for (int64_t i = 0; i < array->count; i++) {
        const cnnfi_value *value = &array->items[i].object->value;
        const size_t size = (size_t)value->count * cnnf_dtype_size(value->dtype);
        if (size) memcpy(to, value->data, size);
        to += size;
        clear_item(array, i);
    }
    return CNNF_OK;
}

static cnnf_status run_size(cnnfi_call *call)
{
    void *out;
    cnnfi_list *array;
    CNNFI_TRY(array_in(call, &array));
    CNNFI_TRY(cnnfi_call_give_tensor(call, 0, CNNF_INT32, 0, NULL, &out));
    *(int32_t *)out = (int32_t)array->count;
    return CNNF_OK;
}

static cnnf_status run_close(cnnfi_call *call)
{
    cnnfi_list *array;
    CNNFI_TRY(array_in(call, &array));
    cnnfi_list_resize(array, 0);
    return CNNF_OK;
}

#define ROW(op, run)                                                                                                   \
    {                                                                                                                  \
        op, run, CNNFI_OP_STATEFUL | CNNFI_OP_OBJECTS, NULL                                                            \
    }

static const cnnfi_kernel kernels[] = {
    ROW("TensorArrayCloseV3", run_close),     ROW("TensorArrayConcatV3", run_concat),
    ROW("TensorArrayGatherV3", run_gather),   ROW("TensorArrayReadV3", run_read),
    ROW("TensorArrayScatterV3", run_scatter), ROW("TensorArraySizeV3", run_size),
    ROW("TensorArraySplitV3", run_split),     ROW("TensorArrayV3", run_new),
    ROW("TensorArrayWriteV3", run_write),
};

const cnnfi_kernel_family cnnfi_kernels_tensor_array = {"arrays", kernels, sizeof(kernels) / sizeof(kernels[0])};
