/* SPDX-License-Identifier: Apache-2.0 */
/* See object.h. */
#include "evaluator/object.h"

#include <string.h>

#include "base/checked.h"

#define ALIGNMENT ((size_t)64)

typedef struct tensor_object {
    cnnfi_object object;
    uint8_t bytes[]; /* value.data is in there, aligned to 64 */
} tensor_object;

cnnfi_object *cnnfi_object_ref(cnnfi_object *object)
{
    if (object) object->refs++;
    return object;
}

/* Lists may hold lists, as deep as somebody likes: those that are to go are in a chain. */
static void let_go(cnnfi_object *object, cnnfi_object **chain)
{
    if (!object || --object->refs > 0) return;
    object->next = *chain;
    *chain = object;
}

void cnnfi_object_unref(cnnfi_object *object)
{
    cnnfi_object *chain = NULL;
    let_go(object, &chain);
    while (chain) {
        cnnfi_object *gone = chain;
        chain = gone->next;
        if (gone->kind != CNNFI_OBJECT_TENSOR) {
            cnnfi_list *list = (cnnfi_list *)gone;
            for (int64_t i = 0; i < list->count; i++)
                let_go(list->items[i].object, &chain);
            cnnfi_free(gone->context, list->items);
        }
        cnnfi_free(gone->context, gone);
    }
}

cnnfi_object *cnnfi_object_tensor(cnnf_context *context, const cnnfi_value *like)
{
    const size_t size = (size_t)like->count * cnnf_dtype_size(like->dtype);
    size_t total;
    if (!cnnfi_add_size(&total, size, sizeof(tensor_object) + 2 * ALIGNMENT)) return NULL;
    tensor_object *self = cnnfi_malloc(context, total);
    if (!self) return NULL;
    self->object = (cnnfi_object){.kind = CNNFI_OBJECT_TENSOR, .refs = 1, .context = context, .value = *like};
    self->object.value.data = self->bytes + (ALIGNMENT - (uintptr_t)self->bytes % ALIGNMENT) % ALIGNMENT;
    return &self->object;
}

cnnfi_object *cnnfi_value_object(const cnnfi_value *value)
{
    if (value->dtype != CNNF_VARIANT && value->dtype != CNNF_RESOURCE) return NULL;
    cnnfi_object *object = value->data;
    return object && (object->kind == CNNFI_OBJECT_LIST || object->kind == CNNFI_OBJECT_ARRAY) ? object : NULL;
}

cnnfi_object *cnnfi_object_of_value(cnnf_context *context, const cnnfi_value *value)
{
    const size_t size = cnnf_dtype_size(value->dtype);
    if (!size) return cnnfi_object_ref(cnnfi_value_object(value));
    cnnfi_object *copy = cnnfi_object_tensor(context, value);
    if (copy && value->count) memcpy(copy->value.data, value->data, (size_t)value->count * size);
    return copy;
}

/* ---- lists ---- */

cnnfi_list *cnnfi_list_new(cnnf_context *context, cnnfi_object_kind kind, cnnf_dtype dtype, const cnnfi_value *shape)
{
    cnnfi_list *list = cnnfi_calloc(context, 1, sizeof *list);
    if (!list) return NULL;
    const cnnf_dtype handle = kind == CNNFI_OBJECT_LIST ? CNNF_VARIANT : CNNF_RESOURCE;
    list->object = (cnnfi_object){.kind = (int32_t)kind,
                                  .refs = 1,
                                  .context = context,
                                  .value = {.dtype = handle, .rank = 0, .count = 1, .data = list}};
    list->dtype = dtype;
    list->shape = *shape;
    list->most = -1;
    return list;
}

bool cnnfi_list_resize(cnnfi_list *list, int64_t count)
{
    for (int64_t i = count; i < list->count; i++) {
        cnnfi_object_unref(list->items[i].object);
        list->items[i] = (cnnfi_item){0};
    }
    if ((size_t)count > list->capacity) {
        size_t bytes, wanted = (size_t)count;
        if (wanted - list->capacity == 1) wanted += wanted / 2;
        if (!cnnfi_mul_size(&bytes, wanted, sizeof(cnnfi_item))) return false;
        cnnfi_item *items = cnnfi_realloc(list->object.context, list->items, bytes);
        if (!items) return false;
        list->items = items;
        list->capacity = wanted;
    }
    for (int64_t i = list->count; i < count; i++)
        list->items[i] = (cnnfi_item){0};
    list->count = count;
    return true;
}

cnnfi_list *cnnfi_list_clone(const cnnfi_list *list)
{
    cnnfi_list *copy =
        cnnfi_list_new(list->object.context, (cnnfi_object_kind)list->object.kind, list->dtype, &list->shape);
    if (!copy) return NULL;
    if (!cnnfi_list_resize(copy, list->count)) {
        cnnfi_object_unref(&copy->object);
        return NULL;
    }
    copy->most = list->most;
    for (int64_t i = 0; i < list->count; i++)
        copy->items[i].object = cnnfi_object_ref(list->items[i].object);
    return copy;
}

void cnnfi_list_put(cnnfi_list *list, int64_t index, cnnfi_object *item)
{
    cnnfi_object_unref(list->items[index].object);
    list->items[index] = (cnnfi_item){.object = item, .written = true};
}

/* ---- for kernels ---- */

cnnf_status cnnfi_call_spend(cnnfi_call *call, int64_t items)
{
    return cnnfi_budget_spend(call->objects->budget, 1 + (uint64_t)items / CNNFI_STEP_ELEMENTS, call->error);
}

cnnf_status cnnfi_call_list(cnnfi_call *call, int32_t input, cnnfi_object_kind kind, cnnfi_list **out)
{
    cnnfi_object *object = cnnfi_value_object(&call->inputs[input]);
    *out = (cnnfi_list *)object;
    if (object && object->kind == (int32_t)kind) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is no %s", (int)input,
                           kind == CNNFI_OBJECT_LIST ? "list of tensors" : "TensorArray");
}

cnnf_status cnnfi_call_own_list(cnnfi_call *call, int32_t input, cnnfi_list **out)
{
    CNNFI_TRY(cnnfi_call_list(call, input, CNNFI_OBJECT_LIST, out));
    const cnnfi_object_step *step = call->objects;
    if (step->last[input] && step->keepers[input] == &(*out)->object && (*out)->object.refs == 1) {
        step->keepers[input] = NULL;
        return CNNF_OK;
    }
    CNNFI_TRY(cnnfi_call_spend(call, (*out)->count));
    *out = cnnfi_list_clone(*out);
    return *out ? CNNF_OK : cnnfi_fail_nomem(call->error);
}

cnnf_status cnnfi_call_own_tensor(cnnfi_call *call, int32_t input, cnnfi_object **out)
{
    cnnfi_object *keeper = call->objects->keepers[input];
    const cnnfi_value *value = &call->inputs[input];
    const bool whole = keeper && keeper->value.data == value->data && keeper->value.dtype == value->dtype &&
                       keeper->value.rank == value->rank &&
                       memcmp(keeper->value.dims, value->dims, (size_t)value->rank * sizeof(int64_t)) == 0;
    *out = whole ? cnnfi_object_ref(keeper) : cnnfi_object_of_value(call->context, value);
    if (*out) return CNNF_OK;
    if (cnnf_dtype_size(value->dtype)) return cnnfi_fail_nomem(call->error);
    return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "a list cannot hold %s", cnnf_dtype_name(value->dtype));
}

void cnnfi_call_give(cnnfi_call *call, int32_t output, cnnfi_object *object)
{
    call->outputs[output] = object->value;
    call->objects->outputs[output] = object;
}

cnnf_status cnnfi_call_give_tensor(cnnfi_call *call, int32_t output, cnnf_dtype dtype, int32_t rank,
                                   const int64_t *dims, void **data)
{
    CNNFI_TRY(cnnfi_call_output(call, output, dtype, rank, dims));
    cnnfi_object *object = cnnfi_object_tensor(call->context, &call->outputs[output]);
    if (!object) return cnnfi_fail_nomem(call->error);
    cnnfi_call_give(call, output, object);
    *data = object->value.data;
    return cnnfi_budget_spend(call->objects->budget, (uint64_t)object->value.count / CNNFI_STEP_ELEMENTS, call->error);
}
