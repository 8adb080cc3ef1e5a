/* SPDX-License-Identifier: Apache-2.0 */
/* The op table's AttrValues against nodes' attributes, and OpDef messages made from its rows. */
#include <string.h>

#include "base/wire.h"
#include "graph/builder.h"
#include "ops/op_table.h"

/* ---- reading AttrValue (tensorflow/core/framework/attr_value.proto) ---- */

static int32_t kind_of(uint32_t number)
{
    static const int32_t kinds[] = {
        [1] = CNNF_ATTR_LIST, [2] = CNNF_ATTR_STRING, [3] = CNNF_ATTR_INT,   [4] = CNNF_ATTR_FLOAT,
        [5] = CNNF_ATTR_BOOL, [6] = CNNF_ATTR_TYPE,   [7] = CNNF_ATTR_SHAPE, [8] = CNNF_ATTR_TENSOR,
    };
    return number < sizeof kinds / sizeof *kinds ? kinds[number] : CNNF_ATTR_NONE;
}

/* A scalar of an attribute or an item of a list, in one form. */
typedef struct scalar {
    int32_t kind;
    uint64_t bits; /* int, float, bool, type */
    cnnfi_bytes text;
} scalar;

static float float_of(uint64_t bits)
{
    const uint32_t word = (uint32_t)bits;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static uint64_t bits_of(float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

static bool same_scalar(const scalar *a, const scalar *b)
{
    if (a->kind != b->kind) return false;
    if (a->kind != CNNF_ATTR_STRING) return a->bits == b->bits;
    return a->text.size == b->text.size && (!a->text.size || memcmp(a->text.data, b->text.data, a->text.size) == 0);
}

static scalar scalar_of_field(const cnnfi_wire_field *f)
{
    return (scalar){.kind = kind_of(f->number), .bits = f->value, .text = f->bytes};
}

static scalar scalar_of_attr(const cnnfi_attr *attr)
{
    scalar s = {.kind = attr->kind};
    if (attr->kind == CNNF_ATTR_STRING) s.text = attr->u.s;
    if (attr->kind == CNNF_ATTR_INT) s.bits = (uint64_t)attr->u.i;
    if (attr->kind == CNNF_ATTR_FLOAT) s.bits = bits_of(attr->u.f);
    if (attr->kind == CNNF_ATTR_BOOL) s.bits = attr->u.b;
    if (attr->kind == CNNF_ATTR_TYPE) s.bits = (uint64_t)attr->u.type;
    return s;
}

static scalar scalar_of_item(const cnnfi_attr_list *list, size_t i)
{
    scalar s = {.kind = list->item_kind};
    if (s.kind == CNNF_ATTR_STRING) s.text = list->u.strings[i];
    if (s.kind == CNNF_ATTR_INT) s.bits = (uint64_t)list->u.ints[i];
    if (s.kind == CNNF_ATTR_FLOAT) s.bits = bits_of(list->u.floats[i]);
    if (s.kind == CNNF_ATTR_BOOL) s.bits = list->u.bools[i];
    if (s.kind == CNNF_ATTR_TYPE) s.bits = (uint64_t)list->u.types[i];
    return s;
}

/* Walks the items of a ListValue; numbers are packed, or one field each. */
typedef struct list_walk {
    cnnfi_cursor fields, packed;
    uint32_t number; /* of the packed field */
} list_walk;

static bool next_item(list_walk *walk, scalar *out)
{
    cnnfi_wire_field f;
    if (!cnnfi_cursor_left(&walk->packed)) {
        if (cnnfi_wire_next(&walk->fields, &f) <= 0) return false;
        if (f.type != CNNFI_WIRE_BYTES || f.number == 2 || f.number >= 7) {
            *out = scalar_of_field(&f);
            return true;
        }
        walk->packed = cnnfi_cursor_of(f.bytes.data, f.bytes.size);
        walk->number = f.number;
    }
    uint32_t word = 0;
    f = (cnnfi_wire_field){.number = walk->number};
    const bool ok = f.number == 4 ? cnnfi_read_u32(&walk->packed, &word) : cnnfi_read_varint(&walk->packed, &f.value);
    if (f.number == 4) f.value = word;
    *out = scalar_of_field(&f);
    return ok;
}

static list_walk walk_list(cnnfi_bytes bytes)
{
    return (list_walk){.fields = cnnfi_cursor_of(bytes.data, bytes.size)};
}

static bool list_equals(cnnfi_bytes bytes, const cnnfi_attr_list *list)
{
    list_walk walk = walk_list(bytes);
    scalar want;
    size_t n = 0;
    for (; next_item(&walk, &want); n++) {
        if (n >= list->count) return false;
        const scalar have = scalar_of_item(list, n);
        if (!same_scalar(&want, &have)) return false;
    }
    return n == list->count;
}

/* TensorShapeProto: only the two forms that are defaults, a scalar and an unknown rank (field 3). */
static bool shape_equals(cnnfi_bytes bytes, const cnnfi_shape *shape)
{
    return bytes.size ? shape->rank == -1 : shape->rank == 0;
}

bool cnnfi_wire_equals(cnnfi_bytes wire, const cnnfi_attr *attr)
{
    cnnfi_cursor c = cnnfi_cursor_of(wire.data, wire.size);
    cnnfi_wire_field f;
    if (!wire.data || cnnfi_wire_next(&c, &f) <= 0 || kind_of(f.number) != attr->kind) return false;
    if (attr->kind == CNNF_ATTR_LIST) return list_equals(f.bytes, &attr->u.list);
    if (attr->kind == CNNF_ATTR_SHAPE) return shape_equals(f.bytes, &attr->u.shape);
    const scalar want = scalar_of_field(&f), have = scalar_of_attr(attr);
    return same_scalar(&want, &have);
}

static bool in_list(cnnfi_bytes list, const scalar *have)
{
    list_walk walk = walk_list(list);
    scalar want;
    while (next_item(&walk, &want)) {
        if (same_scalar(&want, have)) return true;
    }
    return false;
}

bool cnnfi_wire_allows(cnnfi_bytes allowed, const cnnfi_attr *attr)
{
    cnnfi_cursor c = cnnfi_cursor_of(allowed.data, allowed.size);
    cnnfi_wire_field f;
    if (!allowed.data || cnnfi_wire_next(&c, &f) <= 0) return true;
    if (attr->kind != CNNF_ATTR_LIST) {
        const scalar have = scalar_of_attr(attr);
        return in_list(f.bytes, &have);
    }
    for (size_t i = 0; i < attr->u.list.count; i++) {
        const scalar have = scalar_of_item(&attr->u.list, i);
        if (!in_list(f.bytes, &have)) return false;
    }
    return true;
}

/* ---- setting ---- */

#define MAX_DEFAULT_ITEMS 16 /* the longest default list has 5 */

static void set_list(cnnfi_builder *b, cnnf_node *node, const char *key, cnnfi_bytes bytes)
{
    int64_t ints[MAX_DEFAULT_ITEMS];
    float floats[MAX_DEFAULT_ITEMS];
    int32_t types[MAX_DEFAULT_ITEMS];
    list_walk walk = walk_list(bytes);
    scalar item = {.kind = CNNF_ATTR_NONE};
    size_t n = 0;
    for (scalar next; n < MAX_DEFAULT_ITEMS && next_item(&walk, &next); n++) {
        item = next;
        ints[n] = (int64_t)item.bits;
        floats[n] = float_of(item.bits);
        types[n] = (int32_t)item.bits;
    }
    if (item.kind == CNNF_ATTR_FLOAT)
        cnnfi_node_set_floats(b, node, key, floats, n);
    else if (item.kind == CNNF_ATTR_TYPE)
        cnnfi_node_set_types(b, node, key, types, n);
    else
        cnnfi_node_set_ints(b, node, key, ints, item.kind == CNNF_ATTR_INT ? n : 0);
}

void cnnfi_wire_set(cnnfi_builder *b, cnnf_node *node, const char *key, cnnfi_bytes wire)
{
    cnnfi_cursor c = cnnfi_cursor_of(wire.data, wire.size);
    cnnfi_wire_field f;
    if (!wire.data || cnnfi_wire_next(&c, &f) <= 0) return;
    switch (kind_of(f.number)) {
    case CNNF_ATTR_STRING:
        cnnfi_node_set_bytes(b, node, key, f.bytes.data, f.bytes.size);
        break;
    case CNNF_ATTR_INT:
        cnnfi_node_set_int(b, node, key, (int64_t)f.value);
        break;
    case CNNF_ATTR_FLOAT:
        cnnfi_node_set_float(b, node, key, float_of(f.value));
        break;
    case CNNF_ATTR_BOOL:
        cnnfi_node_set_bool(b, node, key, f.value != 0);
        break;
    case CNNF_ATTR_TYPE:
        cnnfi_node_set_type(b, node, key, (cnnf_dtype)f.value);
        break;
    case CNNF_ATTR_SHAPE:
        cnnfi_node_set_shape(b, node, key, f.bytes.size ? -1 : 0, NULL);
        break;
    case CNNF_ATTR_LIST:
        set_list(b, node, key, f.bytes);
        break;
    default:
        break;
    }
}

/* ---- OpDef (tensorflow/core/framework/op_def.proto) ---- */

static void put_text(cnnfi_strbuf *out, uint32_t number, const char *text)
{
    if (text) cnnfi_put_string(out, number, text);
}

/* A type attribute the release did not have yet: its default was the argument's fixed type. */
static int32_t fixed_type(const cnnfi_op *op, const cnnfi_op_arg *arg, int32_t release)
{
    const cnnfi_op_attr *attr = arg->type_attr ? cnnfi_op_attr_find(op, arg->type_attr) : NULL;
    if (!attr || cnnfi_op_attr_in_release(op, attr, release) || attr->default_value.size != 2) return 0;
    return attr->default_value.data[1];
}

static void put_arg(cnnfi_strbuf *out, uint32_t number, const cnnfi_op *op, const cnnfi_op_arg *arg, int32_t release)
{
    cnnfi_strbuf inner;
    cnnfi_strbuf_init(&inner, out->context);
    const int32_t fixed = fixed_type(op, arg, release);
    put_text(&inner, 1, arg->name);
    cnnfi_put_int_nonzero(&inner, 3, fixed ? fixed : arg->type);
    if (!fixed) put_text(&inner, 4, arg->type_attr);
    put_text(&inner, 5, arg->number_attr);
    put_text(&inner, 6, arg->type_list_attr);
    cnnfi_put_int_nonzero(&inner, 16, arg->is_ref);
    cnnfi_put_bytes(out, number, inner.data, inner.size);
    out->failed |= inner.failed;
    cnnfi_strbuf_free(&inner);
}

static void put_attr(cnnfi_strbuf *out, const cnnfi_op *op, const cnnfi_op_attr *attr, int32_t release)
{
    cnnfi_strbuf inner;
    cnnfi_strbuf_init(&inner, out->context);
    const cnnfi_bytes value = cnnfi_op_default(op, attr, release), allowed = cnnfi_op_allowed(op, attr, release);
    put_text(&inner, 1, attr->name);
    put_text(&inner, 2, attr->type);
    if (value.data) cnnfi_put_bytes(&inner, 3, value.data, value.size);
    cnnfi_put_int_nonzero(&inner, 5, attr->minimum != INT64_MIN);
    if (attr->minimum != INT64_MIN) cnnfi_put_int_nonzero(&inner, 6, attr->minimum);
    if (allowed.data) cnnfi_put_bytes(&inner, 7, allowed.data, allowed.size);
    cnnfi_put_bytes(out, 4, inner.data, inner.size);
    out->failed |= inner.failed;
    cnnfi_strbuf_free(&inner);
}

static void put_deprecation(cnnfi_strbuf *out, const cnnfi_op *op)
{
    if (!op->deprecated) return;
    cnnfi_strbuf inner;
    cnnfi_strbuf_init(&inner, out->context);
    cnnfi_put_int_nonzero(&inner, 1, op->deprecated);
    cnnfi_put_bytes(out, 8, inner.data, inner.size);
    out->failed |= inner.failed;
    cnnfi_strbuf_free(&inner);
}

bool cnnfi_op_def_bytes(cnnfi_strbuf *out, const char *name, int32_t release)
{
    const cnnfi_op *op = cnnfi_op_find(name);
    if (!op || !cnnfi_op_in_release(op, release)) return false;
    put_text(out, 1, op->name);
    for (size_t i = 0; i < op->n_inputs; i++)
        put_arg(out, 2, op, cnnfi_op_input(op, i), release);
    for (size_t i = 0; i < op->n_outputs; i++)
        put_arg(out, 3, op, cnnfi_op_output(op, i), release);
    for (size_t i = 0; i < op->n_attrs; i++) {
        const cnnfi_op_attr *attr = cnnfi_op_attr_at(op, i);
        if (cnnfi_op_attr_in_release(op, attr, release)) put_attr(out, op, attr, release);
    }
    put_deprecation(out, op);
    cnnfi_put_int_nonzero(out, 16, (op->flags & CNNFI_OP_AGGREGATE) != 0);
    cnnfi_put_int_nonzero(out, 17, (op->flags & CNNFI_OP_IS_STATEFUL) != 0);
    cnnfi_put_int_nonzero(out, 18, (op->flags & CNNFI_OP_COMMUTATIVE) != 0);
    cnnfi_put_int_nonzero(out, 19, (op->flags & CNNFI_OP_UNINITIALIZED) != 0);
    return true;
}
