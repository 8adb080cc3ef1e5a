/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_generate.h"

#include <string.h>

#include "base/wire.h"
#include "graph/tensor.h"
#include "ops/generated/op_table_rows.h"
#include "ops/op_rules.h"
#include "ops/op_table.h"

#define MOST_NODES    24
#define MOST_ELEMENTS 4096
#define MOST_INPUTS   8
#define TRIES         3

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

uint32_t choose(choices *c, uint32_t n)
{
    uint32_t value = 0;
    for (uint32_t range = 1; range < n && c->left > 0; range <<= 8, c->left--)
        value = value << 8 | *c->bytes++;
    return n ? value % n : 0;
}

/* ---- constants ---- */

static const cnnf_dtype dtypes[] = {CNNF_FLOAT, CNNF_FLOAT, CNNF_INT32, CNNF_INT32,  CNNF_INT64,    CNNF_BOOL,
                                    CNNF_HALF,  CNNF_UINT8, CNNF_INT8,  CNNF_DOUBLE, CNNF_BFLOAT16, CNNF_COMPLEX64};
static const int64_t sizes[] = {1, 2, 3, 4, 4, 8, 0, 5};

/* Small integers in integer types, what is or is not a small number in others. */
static void fill(uint8_t *bytes, size_t count, cnnf_dtype dtype, choices *c)
{
    const size_t size = cnnf_dtype_size(dtype);
    const uint32_t kind = choose(c, 4);
    for (size_t i = 0; i < count; i++) {
        const int64_t small = kind == 0 ? (int64_t)i : (int64_t)choose(c, 8) - (kind == 3 ? 4 : 0);
        const float number = (float)small * (kind == 2 ? 0.37f : 1.0f);
        const double wide = (double)number;
        uint16_t half = (uint16_t)(small ? 0x3c00 + small * 64 : 0);
        if (dtype == CNNF_FLOAT || dtype == CNNF_COMPLEX64)
            for (size_t k = 0; k < size; k += 4)
                memcpy(bytes + i * size + k, &number, 4);
        else if (dtype == CNNF_DOUBLE)
            memcpy(bytes + i * size, &wide, 8);
        else if (dtype == CNNF_HALF || dtype == CNNF_BFLOAT16)
            memcpy(bytes + i * size, &half, 2);
        else if (dtype == CNNF_BOOL)
            bytes[i] = small & 1;
        else if (size <= sizeof small)
            memcpy(bytes + i * size, &small, size);
        else
            memset(bytes + i * size, 0, size);
    }
}

/* Four dims as an image has them, the shape of a value, a scalar, a short vector, or anything. */
static int32_t some_shape(int64_t *dims, const value_pool *pool, choices *c)
{
    int32_t rank = 0;
    const cnnfi_value *like = pool->count ? &pool->values[choose(c, (uint32_t)pool->count)] : NULL;
    switch (choose(c, 6)) {
    case 0:
        for (rank = 0; rank < 4; rank++)
            dims[rank] = sizes[choose(c, 5)];
        return rank;
    case 1:
        if (!like || !cnnfi_value_is_shaped(like)) break;
        memcpy(dims, like->dims, (size_t)like->rank * sizeof *dims);
        return like->rank;
    case 2:
        dims[0] = like && like->rank > 0 && like->dims[like->rank - 1] > 0 ? like->dims[like->rank - 1] : 4;
        return 1;
    case 3:
        return 0;
    case 4:
        dims[0] = like && like->rank > 0 ? like->rank : 2;
        return 1;
    default:
        break;
    }
    for (rank = 0; rank < (int32_t)choose(c, 5); rank++)
        dims[rank] = sizes[choose(c, COUNT(sizes))];
    return rank;
}

static int32_t add_value(value_pool *pool, const char *name, const cnnfi_value *value)
{
    if (!name || pool->count == MOST_VALUES) return -1;
    pool->names[pool->count] = name;
    pool->values[pool->count] = *value;
    return pool->count++;
}

static cnnf_tensor *some_tensor(value_pool *pool, choices *c, cnnf_context *context, cnnf_dtype dtype)
{
    int64_t dims[CNNFI_OP_MAX_RANK] = {0}, count = 1;
    const int32_t rank = some_shape(dims, pool, c);
    static uint8_t bytes[MOST_ELEMENTS * 16];
    cnnf_tensor *tensor = NULL;
    for (int32_t i = 0; i < rank; i++)
        count *= dims[i];
    if (count > MOST_ELEMENTS || !cnnf_dtype_size(dtype)) return NULL;
    fill(bytes, (size_t)count, dtype, c);
    cnnfi_tensor_copy(&tensor, context, dtype, rank, dims, bytes, NULL);
    return tensor;
}

int32_t add_some_const(cnnfi_builder *b, value_pool *pool, choices *c, cnnf_context *context, cnnf_dtype dtype)
{
    cnnfi_value value;
    if (!dtype) dtype = dtypes[choose(c, COUNT(dtypes))];
    cnnf_tensor *tensor = some_tensor(pool, c, context, dtype);
    if (!tensor) return -1;
    cnnf_node *node = cnnfi_builder_const(b, cnnfi_builder_unique(b, "c"), tensor);
    int32_t place = -1;
    if (node && cnnfi_value_of_tensor(&value, tensor)) {
        value.data = (void *)(uintptr_t)cnnf_tensor_data(tensor); /* the node keeps it */
        place = add_value(pool, node->name, &value);
    }
    cnnf_tensor_unref(tensor);
    return place;
}

/* ---- sources ---- */

static void add_placeholder(cnnfi_builder *b, value_pool *pool, choices *c)
{
    int64_t dims[CNNFI_OP_MAX_RANK] = {0};
    const int32_t rank = some_shape(dims, pool, c);
    const cnnf_dtype dtype = dtypes[choose(c, 6)];
    cnnf_node *node = cnnfi_builder_add(b, "Placeholder", cnnfi_builder_unique(b, "x"));
    if (!node) return;
    if (rank > 0 && choose(c, 3) == 0) dims[0] = -1;
    cnnfi_node_set_type(b, node, "dtype", dtype);
    cnnfi_node_set_shape(b, node, "shape", rank, dims);
    const cnnfi_value value = cnnfi_value_make(dtype, rank, dims);
    add_value(pool, node->name, &value);
}

/* A variable with a value, of either kind, and its reader. */
static void add_variable(cnnfi_builder *b, value_pool *pool, choices *c, cnnf_context *context)
{
    cnnf_tensor *tensor = some_tensor(pool, c, context, dtypes[choose(c, 5)]);
    cnnfi_value value;
    if (!tensor) return;
    const bool resource = choose(c, 2);
    const cnnf_dtype dtype = cnnf_tensor_dtype(tensor);
    cnnf_node *node =
        cnnfi_builder_add(b, resource ? "VarHandleOp" : "VariableV2", cnnfi_builder_unique(b, "v/kernel"));
    cnnf_node *read = cnnfi_builder_add(b, resource ? "ReadVariableOp" : "Identity", cnnfi_builder_unique(b, "read"));
    if (node && read && cnnfi_value_of_tensor(&value, tensor)) {
        cnnfi_node_set_type(b, node, "dtype", dtype);
        cnnfi_node_set_shape(b, node, "shape", cnnf_tensor_rank(tensor), cnnfi_tensor_dims(tensor));
        if (resource) cnnfi_node_set_string(b, node, "shared_name", node->name);
        if (choose(c, 8)) cnnfi_node_set_value(b, node, tensor);
        cnnfi_node_add_input(b, read, node->name);
        cnnfi_node_set_type(b, read, resource ? "dtype" : "T", dtype);
        add_value(pool, read->name, &value);
    }
    cnnf_tensor_unref(tensor);
}

/* ---- ops ---- */

static const char *const words[] = {"SAME",    "VALID",     "NHWC",      "NCHW",         "REFLECT",     "SYMMETRIC",
                                    "nearest", "bilinear",  "ij,jk->ik", "i,j->ij",      "...i,i->...", "ii->",
                                    "ii->i",   "MIN_FIRST", "HALF_UP",   "MIN_COMBINED", "RIGHT_LEFT",  ""};
static const int64_t four[][4] = {{1, 1, 1, 1}, {1, 2, 2, 1}, {1, 3, 3, 1}, {1, 1, 2, 2}, {1, 2, 1, 1}, {2, 1, 1, 1}};

/* Item number `at` (modulo how many there are) of the types that an attribute allows; 0: none are named. */
static cnnf_dtype allowed_type(cnnfi_bytes allowed, uint32_t at)
{
    uint64_t types[64];
    uint32_t count = 0;
    cnnfi_cursor outer = cnnfi_cursor_of(allowed.data, allowed.size);
    cnnfi_wire_field list, item;
    while (cnnfi_wire_next(&outer, &list) > 0) {
        if (!cnnfi_wire_is(&list, 1, CNNFI_WIRE_BYTES)) continue;
        cnnfi_cursor inner = cnnfi_cursor_of(list.bytes.data, list.bytes.size);
        while (cnnfi_wire_next(&inner, &item) > 0) {
            if (cnnfi_wire_is(&item, 6, CNNFI_WIRE_VARINT) && count < COUNT(types)) types[count++] = item.value;
            if (!cnnfi_wire_is(&item, 6, CNNFI_WIRE_BYTES)) continue;
            cnnfi_cursor packed = cnnfi_cursor_of(item.bytes.data, item.bytes.size);
            while (count < COUNT(types) && cnnfi_cursor_left(&packed) && cnnfi_read_varint(&packed, &types[count]))
                count++;
        }
    }
    return count ? (cnnf_dtype)types[at % count] : 0;
}

/* The same for strings, as bytes; size 0: none. */
static cnnfi_bytes allowed_string(cnnfi_bytes allowed, uint32_t at)
{
    cnnfi_bytes strings[32];
    uint32_t count = 0;
    cnnfi_cursor outer = cnnfi_cursor_of(allowed.data, allowed.size);
    cnnfi_wire_field list, item;
    while (cnnfi_wire_next(&outer, &list) > 0) {
        if (!cnnfi_wire_is(&list, 1, CNNFI_WIRE_BYTES)) continue;
        cnnfi_cursor inner = cnnfi_cursor_of(list.bytes.data, list.bytes.size);
        while (cnnfi_wire_next(&inner, &item) > 0)
            if (cnnfi_wire_is(&item, 2, CNNFI_WIRE_BYTES) && count < COUNT(strings)) strings[count++] = item.bytes;
    }
    return count ? strings[at % count] : (cnnfi_bytes){0};
}

static bool permits(const cnnfi_op *op, const char *attr, cnnf_dtype dtype)
{
    const cnnfi_op_attr *row = cnnfi_op_attr_find(op, attr);
    const cnnfi_attr value = {.key = attr, .kind = CNNF_ATTR_TYPE, .u.type = dtype};
    return row && cnnfi_wire_allows(row->allowed, &value);
}

/* A value of the pool that may stand for an argument; -1: none. */
static int32_t find_value(const value_pool *pool, const cnnfi_op *op, const cnnfi_op_arg *arg, cnnf_dtype dtype,
                          choices *c)
{
    const int32_t start = (int32_t)choose(c, (uint32_t)pool->count + 1);
    for (int32_t i = 0; i < pool->count; i++) {
        const int32_t at = (start + i) % pool->count;
        const cnnf_dtype have = pool->values[at].dtype;
        if (dtype ? have == dtype : have && arg->type_attr && permits(op, arg->type_attr, have)) return at;
    }
    return -1;
}

/* Whatever is not a type of the inputs: the default, or something that the attribute's type allows. */
static bool set_attribute(cnnfi_builder *b, cnnf_node *node, const cnnfi_op *op, const cnnfi_op_attr *attr,
                          value_pool *pool, choices *c, cnnf_context *context)
{
    int64_t dims[CNNFI_OP_MAX_RANK] = {0};
    const bool has_default = attr->default_value.data != NULL;
    (void)op;
    if (has_default && choose(c, 4) < 3) {
        if (choose(c, 2)) cnnfi_wire_set(b, node, attr->name, attr->default_value);
        return true;
    }
    if (strcmp(attr->type, "int") == 0) {
        int64_t value = (int64_t)choose(c, 5) - 1;
        if (choose(c, 24) == 0) value = choose(c, 2) ? INT64_MAX : INT32_MIN;
        cnnfi_node_set_int(b, node, attr->name, attr->minimum > value ? attr->minimum : value);
    } else if (strcmp(attr->type, "list(int)") == 0) {
        if (choose(c, 4))
            cnnfi_node_set_ints(b, node, attr->name, four[choose(c, COUNT(four))], 4);
        else
            cnnfi_node_set_ints(b, node, attr->name, sizes, choose(c, COUNT(sizes)));
    } else if (strcmp(attr->type, "string") == 0) {
        const cnnfi_bytes allowed = allowed_string(attr->allowed, choose(c, 16));
        if (allowed.size)
            cnnfi_node_set_bytes(b, node, attr->name, allowed.data, allowed.size);
        else
            cnnfi_node_set_string(b, node, attr->name, words[choose(c, COUNT(words))]);
    } else if (strcmp(attr->type, "type") == 0) {
        const cnnf_dtype allowed = allowed_type(attr->allowed, choose(c, 16));
        cnnfi_node_set_type(b, node, attr->name, allowed ? allowed : dtypes[choose(c, COUNT(dtypes))]);
    } else if (strcmp(attr->type, "bool") == 0) {
        cnnfi_node_set_bool(b, node, attr->name, choose(c, 2));
    } else if (strcmp(attr->type, "float") == 0) {
        cnnfi_node_set_float(b, node, attr->name, (float)choose(c, 8) * 0.25f - 0.5f);
    } else if (strcmp(attr->type, "shape") == 0) {
        const int32_t rank = some_shape(dims, pool, c);
        cnnfi_node_set_shape(b, node, attr->name, rank, dims);
    } else if (strcmp(attr->type, "tensor") == 0) {
        cnnf_tensor *tensor = some_tensor(pool, c, context, CNNF_FLOAT);
        if (tensor) cnnfi_node_set_tensor(b, node, attr->name, tensor);
        cnnf_tensor_unref(tensor);
    } else if (strcmp(attr->type, "list(type)") == 0) {
        int32_t types[2] = {dtypes[choose(c, COUNT(dtypes))], CNNF_FLOAT};
        cnnfi_node_set_types(b, node, attr->name, types, 1 + choose(c, 2));
    } else {
        return has_default;
    }
    return true;
}

/* Inputs as the op has them: values of the pool, or new constants. False: there are none. */
static bool set_inputs(cnnfi_builder *b, cnnf_node *node, const cnnfi_op *op, value_pool *pool, choices *c,
                       cnnf_context *context, cnnfi_value *inputs, int32_t *count)
{
    *count = 0;
    for (size_t i = 0; i < op->n_inputs; i++) {
        const cnnfi_op_arg *arg = cnnfi_op_input(op, i);
        int32_t width = 1, types[MOST_INPUTS];
        if (arg->number_attr) {
            const cnnfi_attr *known = cnnfi_node_attr(node, arg->number_attr);
            width = known && known->kind == CNNF_ATTR_INT ? (int32_t)known->u.i : 1 + (int32_t)choose(c, 3);
            if (!known) cnnfi_node_set_int(b, node, arg->number_attr, width);
        } else if (arg->type_list_attr) {
            width = 1 + (int32_t)choose(c, 2);
        }
        if (width > MOST_INPUTS - *count) return false;
        for (int32_t k = 0; k < width; k++) {
            cnnf_dtype dtype = arg->type;
            if (arg->type_attr) dtype = cnnfi_node_type(node, arg->type_attr);
            int32_t at = choose(c, 4) ? find_value(pool, op, arg, dtype, c) : -1;
            if (at < 0 && !dtype && arg->type_attr) {
                const cnnfi_op_attr *row = cnnfi_op_attr_find(op, arg->type_attr);
                dtype = row ? allowed_type(row->allowed, choose(c, 16)) : 0;
            }
            if (at < 0) at = add_some_const(b, pool, c, context, dtype);
            if (at < 0) return false;
            inputs[*count] = pool->values[at];
            types[k] = pool->values[at].dtype;
            if (arg->type_attr && !cnnfi_node_attr(node, arg->type_attr))
                cnnfi_node_set_type(b, node, arg->type_attr, types[k]);
            cnnfi_node_add_input(b, node, pool->names[at]);
            ++*count;
        }
        if (arg->type_list_attr) cnnfi_node_set_types(b, node, arg->type_list_attr, types, (size_t)width);
    }
    return true;
}

/* What the rules say of the node as it stands; its outputs go to the pool when they are small enough. */
static bool take_outputs(cnnfi_builder *b, value_pool *pool, const cnnf_node *node, const cnnfi_value *inputs,
                         int32_t count, cnnf_context *context)
{
    static cnnfi_value outputs[CNNFI_CALL_OUTPUTS];
    struct cnnf_error unread = {0};
    cnnfi_call call = {.context = context,
                       .node = node,
                       .n_inputs = count,
                       .inputs = inputs,
                       .max_outputs = CNNFI_CALL_OUTPUTS,
                       .outputs = outputs,
                       .error = &unread};
    if (cnnfi_op_infer(&call) < 0) return false;
    for (int32_t i = 0; i < call.n_outputs; i++)
        if (outputs[i].count > MOST_ELEMENTS) return false;
    for (int32_t i = 0; i < call.n_outputs && i < 4; i++) {
        outputs[i].data = NULL;
        add_value(pool, i ? cnnfi_builder_printf(b, "%s:%d", node->name, (int)i) : node->name, &outputs[i]);
    }
    return true;
}

const cnnfi_op *some_ruled_op(choices *c)
{
    static const cnnfi_op *ops[1024];
    static uint32_t count;
    const cnnfi_rule_family *family = count ? NULL : cnnfi_rule_family_at(0);
    for (size_t f = 1; family; family = cnnfi_rule_family_at(f++)) {
        for (size_t i = 0; i < family->count && count < COUNT(ops); i++) {
            const cnnfi_op *op = cnnfi_op_find(family->rules[i].op);
            if (op && op->n_inputs <= MOST_INPUTS) ops[count++] = op;
        }
    }
    return ops[choose(c, count)];
}

static const cnnfi_op *some_op(choices *c)
{
    if (choose(c, 16)) return some_ruled_op(c);
    const cnnfi_op *op = &cnnfi_ops[choose(c, (uint32_t)cnnfi_n_ops)];
    return op->n_inputs <= MOST_INPUTS ? op : NULL;
}

bool add_some_op(cnnfi_builder *b, value_pool *pool, choices *c, cnnf_context *context)
{
    const cnnfi_op *op = some_op(c);
    for (int tries = 0; op && tries < TRIES && !cnnfi_builder_status(b); tries++) {
        cnnfi_value inputs[MOST_INPUTS];
        int32_t count = 0;
        cnnf_node *node = cnnfi_builder_add(b, op->name, cnnfi_builder_unique(b, op->name));
        bool good = node && set_inputs(b, node, op, pool, c, context, inputs, &count);
        for (size_t i = 0; good && i < op->n_attrs; i++) {
            const cnnfi_op_attr *attr = cnnfi_op_attr_at(op, i);
            if (!cnnfi_node_attr(node, attr->name)) good = set_attribute(b, node, op, attr, pool, c, context);
        }
        if (good && take_outputs(b, pool, node, inputs, count, context)) return true;
        if (node) cnnfi_builder_remove(b, node);
    }
    return false;
}

/* ---- the whole ---- */

static void add_decoration(cnnfi_builder *b, choices *c)
{
    const size_t count = cnnfi_builder_count(b);
    if (count < 2) return;
    cnnf_node *node = cnnfi_builder_node(b, count - 1);
    const cnnf_node *before = cnnfi_builder_node(b, choose(c, (uint32_t)count - 1));
    /* A constant may be an operand of the node before it, which was there first. */
    if (node->removed || before->removed || strcmp(node->op, "Const") == 0) return;
    if (choose(c, 2)) cnnfi_node_add_control(b, node, before->name);
    if (choose(c, 2)) cnnfi_node_set_device(b, node, "/device:CPU:0");
}

cnnf_graph *generate_graph(cnnf_context *context, const uint8_t *data, size_t size)
{
    static value_pool pool;
    choices c = {data, size};
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    if (cnnfi_builder_new(&b, context, NULL)) return NULL;
    pool.count = 0;
    add_placeholder(b, &pool, &c);
    for (int n = 0; n < MOST_NODES && c.left > 0; n++) {
        switch (choose(&c, 12)) {
        case 0:
            add_placeholder(b, &pool, &c);
            break;
        case 1:
            add_variable(b, &pool, &c, context);
            break;
        case 2:
            add_some_const(b, &pool, &c, context, 0);
            break;
        default:
            add_some_op(b, &pool, &c, context);
        }
        if (choose(&c, 16) == 15) add_decoration(b, &c);
    }
    cnnfi_builder_set_versions(b, 134, 0);
    if (cnnfi_builder_publish(&graph, b, NULL)) return NULL;
    return graph;
}
