/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/graphdef/graph_wire.h"

/* tensorflow/core/framework/{tensor_shape,attr_value,node_def,op_def,function}.proto */
enum { SHAPE_DIM = 2, SHAPE_UNKNOWN_RANK = 3, DIM_SIZE = 1 };
enum { LIST_S = 2, LIST_I, LIST_F, LIST_B, LIST_TYPE, LIST_SHAPE, LIST_TENSOR, LIST_FUNC };
enum { ATTR_LIST = 1, ATTR_S, ATTR_I, ATTR_F, ATTR_B, ATTR_TYPE, ATTR_SHAPE, ATTR_TENSOR, ATTR_PLACEHOLDER, ATTR_FUNC };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { FUNC_NAME = 1, FUNC_ATTR = 2 };
enum { NODE_NAME = 1, NODE_OP, NODE_INPUT, NODE_DEVICE, NODE_ATTR };
enum { ARG_NAME = 1, ARG_DESCRIPTION, ARG_TYPE, ARG_TYPE_ATTR, ARG_NUMBER_ATTR, ARG_TYPE_LIST_ATTR, ARG_IS_REF = 16 };
enum { OP_NAME = 1, OP_INPUT_ARG, OP_OUTPUT_ARG };
enum {
    FUNCTION_SIGNATURE = 1,
    FUNCTION_NODE = 3,
    FUNCTION_RET,
    FUNCTION_ATTR,
    FUNCTION_CONTROL_RET,
    FUNCTION_ARG_ATTR,
    FUNCTION_RESOURCE_ID
};
enum { ARG_ATTRS_ATTR = 1 };

static void put_attrs(cnnfi_skeleton *s, uint32_t field, const cnnfi_attr *attrs, size_t count);

void cnnfi_wire_shape(cnnfi_skeleton *s, uint32_t field, const cnnfi_shape *shape)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    if (shape->proto.size > 0) {
        cnnfi_skeleton_raw(s, shape->proto);
        cnnfi_skeleton_end(s, field, begin);
        return;
    }
    for (int32_t i = 0; i < shape->rank; i++) {
        const cnnfi_mark dim = cnnfi_skeleton_begin(s);
        cnnfi_put_int_nonzero(&s->bytes, DIM_SIZE, shape->dims[i]);
        cnnfi_skeleton_end(s, SHAPE_DIM, dim);
    }
    if (shape->rank < 0) cnnfi_put_int(&s->bytes, SHAPE_UNKNOWN_RANK, 1);
    cnnfi_skeleton_end(s, field, begin);
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void put_func(cnnfi_skeleton *s, uint32_t field, const cnnfi_func_ref *func)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    cnnfi_skeleton_text(s, FUNC_NAME, func->name);
    put_attrs(s, FUNC_ATTR, func->attrs, func->n_attrs);
    cnnfi_skeleton_raw(s, func->extra);
    cnnfi_skeleton_end(s, field, begin);
}

/* ---- lists ---- */

static void list_strings(cnnfi_skeleton *s, const cnnfi_attr_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        cnnfi_put_bytes(&s->bytes, LIST_S, list->u.strings[i].data, list->u.strings[i].size);
}

static void list_ints(cnnfi_skeleton *s, const cnnfi_attr_list *list)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    for (size_t i = 0; i < list->count; i++)
        cnnfi_put_varint(&s->bytes, (uint64_t)list->u.ints[i]);
    cnnfi_skeleton_end(s, LIST_I, begin);
}

static void list_floats(cnnfi_skeleton *s, const cnnfi_attr_list *list)
{
    cnnfi_put_bytes(&s->bytes, LIST_F, list->u.floats, list->count * sizeof(float));
}

static void list_bools(cnnfi_skeleton *s, const cnnfi_attr_list *list)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    for (size_t i = 0; i < list->count; i++)
        cnnfi_put_varint(&s->bytes, list->u.bools[i]);
    cnnfi_skeleton_end(s, LIST_B, begin);
}

static void list_types(cnnfi_skeleton *s, const cnnfi_attr_list *list)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    for (size_t i = 0; i < list->count; i++)
        cnnfi_put_varint(&s->bytes, (uint64_t)(int64_t)list->u.types[i]);
    cnnfi_skeleton_end(s, LIST_TYPE, begin);
}

static void list_shapes(cnnfi_skeleton *s, const cnnfi_attr_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        cnnfi_wire_shape(s, LIST_SHAPE, &list->u.shapes[i]);
}

static void list_tensors(cnnfi_skeleton *s, const cnnfi_attr_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        cnnfi_wire_tensor(s, LIST_TENSOR, list->u.tensors[i]);
}

static void list_funcs(cnnfi_skeleton *s, const cnnfi_attr_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        put_func(s, LIST_FUNC, &list->u.funcs[i]);
}

static void (*const list_writers[])(cnnfi_skeleton *, const cnnfi_attr_list *) = {
    [CNNF_ATTR_STRING] = list_strings, [CNNF_ATTR_INT] = list_ints,   [CNNF_ATTR_FLOAT] = list_floats,
    [CNNF_ATTR_BOOL] = list_bools,     [CNNF_ATTR_TYPE] = list_types, [CNNF_ATTR_SHAPE] = list_shapes,
    [CNNF_ATTR_TENSOR] = list_tensors, [CNNF_ATTR_FUNC] = list_funcs,
};

static void put_list(cnnfi_skeleton *s, const cnnfi_attr_list *list)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    size_t kinds = sizeof list_writers / sizeof list_writers[0];
    bool known = list->item_kind > 0 && (size_t)list->item_kind < kinds && list_writers[list->item_kind] != NULL;
    if (known && list->count > 0) list_writers[list->item_kind](s, list);
    cnnfi_skeleton_end(s, ATTR_LIST, begin);
}

/* ---- attributes ---- */

/* A oneof: written even when zero. */
static void put_value(cnnfi_skeleton *s, const cnnfi_attr *attr)
{
    switch (attr->kind) {
    case CNNF_ATTR_STRING:
        cnnfi_put_bytes(&s->bytes, ATTR_S, attr->u.s.data, attr->u.s.size);
        break;
    case CNNF_ATTR_INT:
        cnnfi_put_int(&s->bytes, ATTR_I, attr->u.i);
        break;
    case CNNF_ATTR_FLOAT:
        cnnfi_put_fixed32(&s->bytes, ATTR_F, float_bits(attr->u.f));
        break;
    case CNNF_ATTR_BOOL:
        cnnfi_put_int(&s->bytes, ATTR_B, attr->u.b);
        break;
    case CNNF_ATTR_TYPE:
        cnnfi_put_int(&s->bytes, ATTR_TYPE, attr->u.type);
        break;
    case CNNF_ATTR_SHAPE:
        cnnfi_wire_shape(s, ATTR_SHAPE, &attr->u.shape);
        break;
    case CNNF_ATTR_TENSOR:
        cnnfi_wire_tensor(s, ATTR_TENSOR, attr->u.tensor);
        break;
    case CNNF_ATTR_FUNC:
        put_func(s, ATTR_FUNC, attr->u.func);
        break;
    case CNNF_ATTR_PLACEHOLDER:
        cnnfi_put_string(&s->bytes, ATTR_PLACEHOLDER, attr->u.placeholder);
        break;
    case CNNF_ATTR_LIST:
        put_list(s, &attr->u.list);
        break;
    default:
        break;
    }
}

static void put_attrs(cnnfi_skeleton *s, uint32_t field, const cnnfi_attr *attrs, size_t count)
{
    cnnfi_map_order order = cnnfi_map_order_of(s, attrs, count, sizeof *attrs);
    for (size_t i; cnnfi_map_next(&order, &i);) {
        const cnnfi_mark entry = cnnfi_skeleton_begin(s);
        cnnfi_put_string(&s->bytes, ENTRY_KEY, attrs[i].key);
        const cnnfi_mark value = cnnfi_skeleton_begin(s);
        put_value(s, &attrs[i]);
        cnnfi_skeleton_raw(s, attrs[i].extra);
        cnnfi_skeleton_end(s, ENTRY_VALUE, value);
        cnnfi_skeleton_end(s, field, entry);
    }
}

void cnnfi_wire_node(cnnfi_skeleton *s, uint32_t field, const cnnf_node *node)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    s->node = node->name;
    cnnfi_skeleton_text(s, NODE_NAME, node->name);
    cnnfi_skeleton_text(s, NODE_OP, node->op);
    for (size_t i = 0; i < node->n_inputs; i++)
        cnnfi_put_string(&s->bytes, NODE_INPUT, node->inputs[i]);
    cnnfi_skeleton_text(s, NODE_DEVICE, node->device);
    put_attrs(s, NODE_ATTR, node->attrs, node->n_attrs);
    cnnfi_skeleton_raw(s, node->extra);
    cnnfi_skeleton_end(s, field, begin);
}

/* ---- functions ---- */

/* How many bytes of encoded fields come before field `number`. */
static size_t fields_before(cnnfi_bytes fields, uint32_t number)
{
    cnnfi_cursor cursor = cnnfi_cursor_of(fields.data, fields.size);
    cnnfi_wire_field field;
    size_t at = 0;
    while (cnnfi_wire_next(&cursor, &field) > 0 && field.number < number)
        at = cursor.at;
    return at;
}

static void put_arg(cnnfi_skeleton *s, uint32_t field, const cnnfi_arg *arg)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    cnnfi_skeleton_text(s, ARG_NAME, arg->name);
    cnnfi_skeleton_text(s, ARG_DESCRIPTION, arg->description);
    cnnfi_put_int_nonzero(&s->bytes, ARG_TYPE, arg->type);
    cnnfi_skeleton_text(s, ARG_TYPE_ATTR, arg->type_attr);
    cnnfi_skeleton_text(s, ARG_NUMBER_ATTR, arg->number_attr);
    cnnfi_skeleton_text(s, ARG_TYPE_LIST_ATTR, arg->type_list_attr);
    size_t before = fields_before(arg->extra, ARG_IS_REF);
    cnnfi_skeleton_raw(s, (cnnfi_bytes){arg->extra.data, before});
    cnnfi_put_int_nonzero(&s->bytes, ARG_IS_REF, arg->is_ref);
    if (arg->extra.size > before)
        cnnfi_skeleton_raw(s, (cnnfi_bytes){arg->extra.data + before, arg->extra.size - before});
    cnnfi_skeleton_end(s, field, begin);
}

static void put_signature(cnnfi_skeleton *s, const cnnfi_function *function)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    cnnfi_skeleton_text(s, OP_NAME, function->name);
    for (size_t i = 0; i < function->n_inputs; i++)
        put_arg(s, OP_INPUT_ARG, &function->inputs[i]);
    for (size_t i = 0; i < function->n_outputs; i++)
        put_arg(s, OP_OUTPUT_ARG, &function->outputs[i]);
    cnnfi_skeleton_raw(s, function->signature_extra);
    cnnfi_skeleton_end(s, FUNCTION_SIGNATURE, begin);
}

static void put_pairs(cnnfi_skeleton *s, uint32_t field, const cnnfi_pair *pairs, size_t count)
{
    cnnfi_map_order order = cnnfi_map_order_of(s, pairs, count, sizeof *pairs);
    for (size_t i; cnnfi_map_next(&order, &i);) {
        const cnnfi_mark begin = cnnfi_skeleton_begin(s);
        cnnfi_put_string(&s->bytes, ENTRY_KEY, pairs[i].key);
        cnnfi_put_string(&s->bytes, ENTRY_VALUE, pairs[i].value);
        cnnfi_skeleton_end(s, field, begin);
    }
}

static void put_arg_attrs(cnnfi_skeleton *s, const cnnfi_function *function)
{
    size_t count = function->n_arg_attrs;
    for (size_t i = 0; i < count; i++) {
        const struct cnnfi_arg_attr *arg = &function->arg_attrs[s->text_order ? i : count - 1 - i];
        const cnnfi_mark entry = cnnfi_skeleton_begin(s);
        cnnfi_put_int(&s->bytes, ENTRY_KEY, arg->index);
        const cnnfi_mark value = cnnfi_skeleton_begin(s);
        put_attrs(s, ARG_ATTRS_ATTR, arg->attrs, arg->n_attrs);
        cnnfi_skeleton_raw(s, arg->extra);
        cnnfi_skeleton_end(s, ENTRY_VALUE, value);
        cnnfi_skeleton_end(s, FUNCTION_ARG_ATTR, entry);
    }
}

static void put_reversed(cnnfi_skeleton *s, cnnfi_bytes fields)
{
    for (size_t end = fields.size; end > 0;) {
        size_t last = 0;
        cnnfi_wire_field field;
        cnnfi_cursor cursor = cnnfi_cursor_of(fields.data, end);
        while (cnnfi_cursor_left(&cursor) > 0) {
            last = cursor.at;
            if (cnnfi_wire_next(&cursor, &field) <= 0) return;
        }
        cnnfi_skeleton_raw(s, (cnnfi_bytes){fields.data + last, end - last});
        end = last;
    }
}

/* resource_arg_unique_id is kept in the order of the wire, from large to small. */
static void put_function_extra(cnnfi_skeleton *s, cnnfi_bytes extra)
{
    size_t ids = s->text_order ? fields_before(extra, FUNCTION_RESOURCE_ID + 1) : 0;
    put_reversed(s, (cnnfi_bytes){extra.data, ids});
    if (extra.size > ids) cnnfi_skeleton_raw(s, (cnnfi_bytes){extra.data + ids, extra.size - ids});
}

void cnnfi_wire_function(cnnfi_skeleton *s, uint32_t field, const cnnfi_function *function)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    put_signature(s, function);
    for (size_t i = 0; i < function->n_nodes; i++)
        cnnfi_wire_node(s, FUNCTION_NODE, function->nodes[i]);
    put_pairs(s, FUNCTION_RET, function->ret, function->n_ret);
    put_attrs(s, FUNCTION_ATTR, function->attrs, function->n_attrs);
    put_pairs(s, FUNCTION_CONTROL_RET, function->control_ret, function->n_control_ret);
    put_arg_attrs(s, function);
    put_function_extra(s, function->extra);
    cnnfi_skeleton_end(s, field, begin);
}
