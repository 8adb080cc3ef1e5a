/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/export/export.h"

#include <stdio.h>
#include <string.h>

#include "edit/constants.h"
#include "graph/element.h"
#include "ops/op_rules.h"

void cnnfi_export_init(cnnfi_export *x, cnnf_context *context, const char *format)
{
    *x = (cnnfi_export){.context = context, .format = format, .scope = ""};
    cnnfi_budget_init_file(&x->budget, context);
    cnnfi_arena_init(&x->arena, context);
    cnnfi_strmap_init(&x->names, context);
}

void cnnfi_export_free(cnnfi_export *x)
{
    cnnfi_strmap_free(&x->names);
    cnnfi_arena_free(&x->arena);
}

cnnf_status cnnfi_export_status(const cnnfi_export *x, cnnf_error *error)
{
    if (x->status != CNNF_OK) cnnfi_error_copy(error, &x->error);
    return x->status;
}

void cnnfi_export_fail(cnnfi_export *x, cnnf_status code, const char *format, ...)
{
    if (x->status != CNNF_OK) return;
    char text[CNNFI_LINE_BYTES + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    x->status = cnnfi_fail_at_node(&x->error, code, x->scope, "%s", text);
}

void cnnfi_export_pass_on(cnnfi_export *x, cnnf_status code, const cnnf_error *error)
{
    if (x->status != CNNF_OK || code == CNNF_OK) return;
    x->status = code;
    cnnfi_error_copy(&x->error, error);
}

void cnnfi_export_no_memory(cnnfi_export *x)
{
    if (x->status == CNNF_OK) x->status = cnnfi_fail_nomem(&x->error);
}

void *cnnfi_export_array(cnnfi_export *x, size_t count, size_t size)
{
    if (x->status == CNNF_OK) x->status = cnnfi_budget_spend(&x->budget, 1, &x->error);
    void *room = x->status == CNNF_OK ? cnnfi_arena_array(&x->arena, count ? count : 1, size) : NULL;
    if (room == NULL) cnnfi_export_no_memory(x);
    return room;
}

void cnnfi_export_refuse(const cnnfi_export_call *call, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cnnfi_export_fail(call->x, CNNF_E_UNSUPPORTED, "%s export: node '%s' (%s): %s", call->x->format, call->node->name,
                      call->node->op, text);
}

const char *cnnfi_export_unique(cnnfi_export *x, const char *base)
{
    const char *first = x->status == CNNF_OK ? cnnfi_arena_strdup(&x->arena, base) : NULL;
    const char *name = first;
    int64_t asked = name != NULL ? cnnfi_strmap_get(&x->names, name) + 1 : 0;
    for (int64_t k = asked; k > 0 && name != NULL && cnnfi_strmap_get(&x->names, name) >= 0; k++) {
        name = cnnfi_arena_printf(&x->arena, "%s_%lld", base, (long long)k);
        asked = k;
    }
    if (name != NULL && cnnfi_strmap_set(&x->names, first, asked) &&
        (name == first || cnnfi_strmap_set(&x->names, name, 0)))
        return name;
    cnnfi_export_no_memory(x);
    return NULL;
}

const char *cnnfi_export_tensor_name(cnnfi_export *x, const cnnf_node *node, int32_t port)
{
    return port > 0 ? cnnfi_arena_printf(&x->arena, "%s:%d", node->name, port) : node->name;
}

/* ---- asking lib/ops/ ---- */

/* Values of an input as its dtype has them, in the arena; NULL: not constant, or not few integers. */
static void *small_ints(const cnnfi_export_call *call, int32_t input, const cnnfi_value *shape)
{
    int64_t values[32];
    size_t count;
    if ((shape->dtype != CNNF_INT32 && shape->dtype != CNNF_INT64) || shape->count < 0 || shape->count > 32)
        return NULL;
    if (!cnnfi_export_ints_of(call, input, values, 32, &count) || (int64_t)count != shape->count) return NULL;
    int64_t *data = cnnfi_export_array(call->x, count, sizeof *data);
    for (size_t i = 0; data != NULL && i < count; i++) {
        const int32_t narrow = (int32_t)values[i];
        if (shape->dtype == CNNF_INT64)
            data[i] = values[i];
        else
            memcpy((int32_t *)(void *)data + i, &narrow, sizeof narrow);
    }
    return data;
}

bool cnnfi_export_ask(const cnnfi_export_call *call, cnnfi_export_question *question)
{
    const int32_t max_outputs = cnnfi_call_max_outputs(call->node);
    cnnfi_value *inputs = cnnfi_export_array(call->x, (size_t)call->n_inputs, sizeof *inputs);
    cnnfi_value *outputs = cnnfi_export_array(call->x, (size_t)max_outputs, sizeof *outputs);
    if (inputs == NULL || outputs == NULL) return false;
    for (int32_t i = 0; i < call->n_inputs; i++) {
        inputs[i] = cnnfi_export_in_shape(call, i);
        inputs[i].data = small_ints(call, i, &inputs[i]);
    }
    *question = (cnnfi_export_question){.inputs = inputs,
                                        .call = {.context = call->x->context,
                                                 .node = call->node,
                                                 .n_inputs = call->n_inputs,
                                                 .inputs = inputs,
                                                 .max_outputs = max_outputs,
                                                 .outputs = outputs}};
    question->call.error = &question->error;
    return call->x->status == CNNF_OK;
}

bool cnnfi_export_answered(const cnnfi_export_call *call, const cnnfi_export_question *question, cnnf_status status)
{
    if (status < 0) cnnfi_export_pass_on(call->x, status, &question->error);
    return status >= 0 && call->x->status == CNNF_OK;
}

/* ---- what is known ---- */

cnnfi_value cnnfi_export_in_shape(const cnnfi_export_call *call, int32_t input)
{
    return cnnfi_shape_of_input(&call->x->values.shapes, call->node, (size_t)input);
}

cnnfi_value cnnfi_export_out_shape(const cnnfi_export_call *call, int32_t port)
{
    const cnnfi_value known = cnnfi_shape_of_output(&call->x->values.shapes, call->node, port);
    cnnfi_export_question q;
    /* The table knows the outputs that nodes read; one that only the caller wants is asked for. */
    if (known.dtype != CNNF_DTYPE_INVALID || port == 0 || !cnnfi_export_ask(call, &q)) return known;
    const cnnf_status status = cnnfi_op_infer(&q.call);
    return status >= 0 && port < q.call.n_outputs ? q.call.outputs[port] : known;
}

const cnnf_tensor *cnnfi_export_const_of(const cnnfi_export_call *call, int32_t input)
{
    const cnnf_node *node = cnnfi_const_node(&call->x->edit, call->node, (size_t)input);
    const cnnfi_attr *value = node != NULL ? cnnfi_node_attr(node, "value") : NULL;
    return value != NULL && value->kind == CNNF_ATTR_TENSOR ? value->u.tensor : NULL;
}

bool cnnfi_export_ints_of(const cnnfi_export_call *call, int32_t input, int64_t *out, size_t capacity, size_t *count)
{
    const cnnfi_constant *known =
        input < call->n_inputs ? cnnfi_value_input(&call->x->values, call->node, (size_t)input) : NULL;
    if (!cnnfi_constant_is_whole(known) || known->rounded || known->shape.count > (int64_t)capacity) return false;
    *count = (size_t)known->shape.count;
    for (size_t i = 0; i < *count; i++)
        out[i] = cnnfi_saturate_i64(known->v[i]);
    return true;
}

int64_t cnnfi_export_int_known(const cnnfi_export_call *call, int32_t input, int64_t index)
{
    const cnnfi_constant *known =
        input < call->n_inputs ? cnnfi_value_known(&call->x->values, call->node, (size_t)input) : NULL;
    if (known == NULL || known->v == NULL || known->uniform || index >= known->shape.count) return CNNFI_UNKNOWN;
    const double value = known->v[index];
    return value >= 0 ? cnnfi_saturate_i64(value) : CNNFI_UNKNOWN; /* NaN: not known */
}

bool cnnfi_export_want_ints(const cnnfi_export_call *call, int32_t input, const char *what, int64_t *out,
                            size_t capacity, size_t *count)
{
    if (cnnfi_export_ints_of(call, input, out, capacity, count)) return true;
    cnnfi_export_refuse(call, "%s is not constant", what);
    return false;
}

bool cnnfi_export_want_axis(const cnnfi_export_call *call, int32_t input, int32_t rank, int32_t *axis)
{
    int64_t value;
    size_t count;
    if (!cnnfi_export_want_ints(call, input, "the axis", &value, 1, &count)) return false;
    *axis = (int32_t)(value < 0 ? value + rank : value);
    if (count == 1 && rank >= 0 && *axis >= 0 && *axis < rank) return true;
    cnnfi_export_refuse(call, "the number of axes of its input is not known");
    return false;
}

bool cnnfi_export_number_of(const cnnfi_export_call *call, int32_t input, double *out)
{
    return input < call->n_inputs && cnnfi_value_scalar(&call->x->values, call->node, (size_t)input, out);
}

bool cnnfi_export_channels_last(const cnnfi_export_call *call)
{
    return !cnnfi_node_string_is(call->node, "data_format", "NCHW") &&
           !cnnfi_node_string_is(call->node, "data_format", "NCDHW");
}

const cnnfi_constant *cnnfi_export_known_ints(const cnnfi_export_call *call)
{
    enum { MAX_KNOWN = 4096 };
    if (call->x->n_read[call->node->index] != 1) return NULL;
    const cnnfi_facts *facts = cnnfi_shapes_facts(&call->x->values.shapes, call->node);
    const cnnfi_constant *known = cnnfi_facts_output(facts, 0);
    if (!cnnfi_constant_is_whole(known) || known->shape.count > MAX_KNOWN) return NULL;
    return known->shape.dtype == CNNF_INT32 || known->shape.dtype == CNNF_INT64 ? known : NULL;
}
