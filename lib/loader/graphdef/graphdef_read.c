/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/graphdef/graphdef_read.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/wire.h"
#include "graph/tensor.h"
#include "graph/builder.h"

/* Where a value goes: strings and arrays into the graph's arena; failures stick to the builder. */
typedef struct conversion {
    cnnfi_builder *b;
    cnnfi_source *payloads;
    const char *node; /* for messages; "" outside of nodes */
} conversion;

static cnnf_context *context_of(const conversion *c)
{
    return c->b->graph->context;
}

/* A failed check of the file. */
#define FAIL(c, ...) cnnfi_builder_fail((c)->b, CNNF_E_CORRUPT, __VA_ARGS__)

static bool within(conversion *c, int32_t limit, uint64_t value, const char *what)
{
    struct cnnf_error local = {.code = CNNF_OK};
    if (cnnfi_check_limit(context_of(c), limit, value, what, &local) == CNNF_OK) return true;
    cnnfi_builder_fail(c->b, CNNF_E_LIMIT, "node '%s': %s", c->node, local.message);
    return false;
}

/* What is left of a message once the fields we name are cleared: the others, and those nobody knows. */
static cnnfi_bytes rest_of(conversion *c, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size == 0) return (cnnfi_bytes){NULL, 0};
    uint8_t *data = (uint8_t *)cnnfi_builder_array(c->b, size, 1);
    if (data == NULL) return (cnnfi_bytes){NULL, 0};
    return (cnnfi_bytes){data, protobuf_c_message_pack(message, data)};
}

static const char *text_of(conversion *c, const char *text)
{
    return cnnfi_builder_strdup(c->b, text);
}

static bool is_short(conversion *c, const char *name)
{
    return within(c, CNNF_LIMIT_NAME_BYTES, strlen(name), "name");
}

static const char *name_of(conversion *c, const char *name)
{
    return is_short(c, name) ? text_of(c, name) : NULL;
}

/* "name", "^name", "name:port", "name:argument:port": the limit is the name's, and what follows it has the same. */
static bool is_short_input(conversion *c, const char *input)
{
    if (*input == '^') input++;
    const size_t length = strcspn(input, ":");
    return within(c, CNNF_LIMIT_NAME_BYTES, length, "name") && is_short(c, input + length);
}

static cnnfi_bytes bytes_of(conversion *c, const ProtobufCBinaryData *in)
{
    char *data = (char *)cnnfi_builder_array(c->b, in->len + 1, 1);
    if (data == NULL) return (cnnfi_bytes){NULL, 0};
    if (in->len > 0) memcpy(data, in->data, in->len);
    return (cnnfi_bytes){(const uint8_t *)data, in->len};
}

/* ---- shapes and tensors ---- */

/* Whether a shape says what cnnfi_shape has no place for. */
static bool says_more(const Cnnfi__TensorShapeProto *in)
{
    if (in->base.n_unknown_fields > 0 || (in->unknown_rank && in->n_dim > 0)) return true;
    for (size_t i = 0; i < in->n_dim; i++)
        if (in->dim[i]->name[0] != '\0' || in->dim[i]->base.n_unknown_fields > 0) return true;
    return false;
}

static bool shape_of(conversion *c, cnnfi_shape *out, const Cnnfi__TensorShapeProto *in)
{
    *out = (cnnfi_shape){.rank = -1};
    if (in != NULL && says_more(in)) out->proto = rest_of(c, &in->base);
    if (in == NULL || in->unknown_rank) return true;
    if (!within(c, CNNF_LIMIT_RANK, in->n_dim, "shape")) return false;
    int64_t *dims = (int64_t *)cnnfi_builder_array(c->b, in->n_dim, sizeof *dims);
    if (dims == NULL) return false;
    for (size_t i = 0; i < in->n_dim; i++) {
        dims[i] = in->dim[i]->size;
        if (dims[i] >= -1) continue;
        FAIL(c, "node '%s': dimension %zu is %lld", c->node, i, (long long)dims[i]);
        return false;
    }
    out->rank = (int32_t)in->n_dim;
    out->dims = dims;
    return true;
}

static cnnf_status tensor_dims(int64_t *dims, int32_t *rank, cnnf_context *context, const Cnnfi__TensorShapeProto *in,
                               cnnf_error *error)
{
    *rank = 0;
    if (in == NULL) return CNNF_OK;
    if (in->unknown_rank) return cnnfi_fail(error, CNNF_E_CORRUPT, "tensor of unknown rank");
    CNNFI_TRY(cnnfi_check_limit(context, CNNF_LIMIT_RANK, in->n_dim, "tensor", error));
    if (in->n_dim > CNNFI_MAX_RANK) return cnnfi_fail(error, CNNF_E_CORRUPT, "tensor of rank %zu", in->n_dim);
    for (size_t i = 0; i < in->n_dim; i++) {
        dims[i] = in->dim[i]->size;
        if (dims[i] < 0)
            return cnnfi_fail(error, CNNF_E_CORRUPT, "tensor: dimension %zu is %lld", i, (long long)dims[i]);
    }
    *rank = (int32_t)in->n_dim;
    return CNNF_OK;
}

/* tensor_content as the guard has left it. */
typedef struct content {
    bool elsewhere;
    uint64_t offset, size;
    const uint8_t *data;
} content;

static cnnf_status content_of(content *out, const ProtobufCBinaryData *in, cnnf_error *error)
{
    *out = (content){.size = 0};
    if (in->len == 0) return CNNF_OK;
    if (in->data[0] == CNNFI_CONTENT_INLINE) {
        out->data = in->data + 1;
        out->size = in->len - 1;
        return CNNF_OK;
    }
    if (in->len != CNNFI_CONTENT_LOCATOR_BYTES)
        return cnnfi_fail(error, CNNF_E_INTERNAL, "tensor_content has lost its place");
    out->elsewhere = true;
    memcpy(&out->offset, in->data + 1, sizeof out->offset);
    memcpy(&out->size, in->data + 1 + sizeof out->offset, sizeof out->size);
    return CNNF_OK;
}

static cnnf_status check_content(const content *found, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                                 const int64_t *dims, cnnf_error *error)
{
    char shape[256];
    size_t wanted = 0;
    if (cnnf_dtype_size(dtype) == 0)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "tensor_content for dtype %s (%d), which has none",
                          cnnf_dtype_name(dtype), (int)dtype);
    CNNFI_TRY(cnnfi_shape_bytes(&wanted, context, dtype, rank, dims, "tensor", error));
    if (found->size == wanted) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "tensor_content is %llu bytes, %s%s needs %zu",
                      (unsigned long long)found->size, cnnf_dtype_name(dtype),
                      cnnfi_shape_print(shape, sizeof shape, rank, dims), wanted);
}

cnnf_status cnnfi_graphdef_tensor(cnnf_tensor **out, cnnf_context *context, const Cnnfi__TensorProto *proto,
                                  cnnfi_source *payloads, cnnf_error *error)
{
    int64_t dims[CNNFI_MAX_RANK];
    int32_t rank;
    content found;
    cnnfi_bytes fields = {NULL, 0};
    *out = NULL;
    CNNFI_TRY(tensor_dims(dims, &rank, context, proto->tensor_shape, error));
    CNNFI_TRY(content_of(&found, &proto->tensor_content, error));
    Cnnfi__TensorProto values = *proto;
    values.dtype = CNNFI__DATA_TYPE__DT_INVALID;
    values.tensor_shape = NULL;
    values.tensor_content = (ProtobufCBinaryData){0, NULL};
    if (!cnnfi_message_pack(context, &values.base, &fields)) return cnnfi_fail_nomem(error);
    const cnnfi_encoding shapeless = proto->tensor_shape ? CNNFI_ENCODING_AUTO : CNNFI_ENCODING_SHAPELESS;
    cnnf_dtype dtype = (cnnf_dtype)proto->dtype;
    cnnf_status status = CNNF_OK;
    if (found.size == 0) {
        status = cnnfi_tensor_proto(out, context, dtype, rank, dims, fields.data, fields.size, error);
        if (status == CNNF_OK) cnnfi_tensor_set_encoding(*out, shapeless);
        goto done;
    }
    if (fields.size > 0) {
        status = cnnfi_fail(error, CNNF_E_CORRUPT, "tensor has both tensor_content and other values");
        goto done;
    }
    status = check_content(&found, context, dtype, rank, dims, error);
    if (status != CNNF_OK) goto done;
    status = found.elsewhere ? cnnfi_tensor_range(out, context, dtype, rank, dims, payloads, found.offset,
                                                  (size_t)found.size, false, 0, error)
                             : cnnfi_tensor_copy(out, context, dtype, rank, dims, found.data, error);
    if (status == CNNF_OK) cnnfi_tensor_set_encoding(*out, CNNFI_ENCODING_CONTENT | shapeless);
done:
    cnnfi_free(context, (void *)(uintptr_t)fields.data);
    return status;
}

static cnnf_tensor *tensor_of(conversion *c, const Cnnfi__TensorProto *in)
{
    struct cnnf_error local = {.code = CNNF_OK};
    cnnf_tensor *tensor = NULL;
    cnnf_status status = cnnfi_graphdef_tensor(&tensor, context_of(c), in, c->payloads, &local);
    if (status != CNNF_OK) {
        cnnfi_builder_fail(c->b, status, "node '%s': %s", c->node, local.message);
        return NULL;
    }
    cnnfi_hold_tensor(c->b, tensor);
    cnnf_tensor_unref(tensor);
    return cnnfi_builder_status(c->b) == CNNF_OK ? tensor : NULL;
}

/* ---- attributes ---- */

static cnnfi_bytes limited_string(conversion *c, const ProtobufCBinaryData *in)
{
    const uint64_t allowed = cnnfi_limit(c->b->graph->context, CNNF_LIMIT_ATTR_BYTES);
    if (in->len <= allowed) return bytes_of(c, in);
    cnnfi_builder_fail(c->b, CNNF_E_LIMIT, "node '%s': attribute of %zu bytes exceeds %s %llu", c->node, in->len,
                       cnnf_limit_name(CNNF_LIMIT_ATTR_BYTES), (unsigned long long)allowed);
    return (cnnfi_bytes){.data = (const uint8_t *)"", .size = 0};
}

static void attr_of(conversion *c, cnnfi_attr *out, const Cnnfi__AttrValue *in);

/* Place of `key` among sorted attributes: where it is, or where it belongs. */
static size_t attr_place(const cnnfi_attr *attrs, size_t count, const char *key, bool *found)
{
    size_t low = 0, high = count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(attrs[middle].key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A map on the wire: any order, the last of equal keys counts. */
static cnnfi_attr *attrs_of(conversion *c, Cnnfi__AttrEntry *const *in, size_t n_in, size_t *n_out)
{
    *n_out = 0;
    if (n_in == 0 || !within(c, CNNF_LIMIT_ATTRS, n_in, "attributes")) return NULL;
    cnnfi_attr *attrs = (cnnfi_attr *)cnnfi_builder_array(c->b, n_in, sizeof *attrs);
    if (attrs == NULL) return NULL;
    for (size_t i = 0; i < n_in && cnnfi_builder_status(c->b) == CNNF_OK; i++) {
        bool found;
        size_t at = attr_place(attrs, *n_out, in[i]->key, &found);
        if (!found) {
            memmove(attrs + at + 1, attrs + at, (*n_out - at) * sizeof *attrs);
            ++*n_out;
        }
        attrs[at] = (cnnfi_attr){.key = is_short(c, in[i]->key) ? cnnfi_builder_word(c->b, in[i]->key) : NULL};
        if (attrs[at].key == NULL) {
            *n_out = 0;
            return NULL;
        }
        if (in[i]->value != NULL) attr_of(c, &attrs[at], in[i]->value);
    }
    return attrs;
}

static bool func_of(conversion *c, cnnfi_func_ref *out, const Cnnfi__NameAttrList *in)
{
    out->name = name_of(c, in->name);
    out->attrs = attrs_of(c, in->attr, in->n_attr, &out->n_attrs);
    Cnnfi__NameAttrList rest;
    protobuf_c_message_init(&cnnfi__name_attr_list__descriptor, &rest);
    rest.base = in->base;
    out->extra = rest_of(c, &rest.base);
    return cnnfi_builder_status(c->b) == CNNF_OK;
}

/* Room for a list's items. */
static bool list_room(conversion *c, cnnfi_attr_list *list, int32_t kind, size_t count, size_t size)
{
    list->item_kind = kind;
    list->count = count;
    void *items = cnnfi_builder_array(c->b, count, size);
    list->u.strings = (cnnfi_bytes *)items; /* any member: all are pointers */
    return items != NULL;
}

#define COPY_ITEMS(c, list, kind_, member, in, n)                                                                      \
    do {                                                                                                               \
        if (list_room(c, list, kind_, n, sizeof *(list)->u.member))                                                    \
            for (size_t i = 0; i < (n); i++)                                                                           \
                (list)->u.member[i] = (in)[i];                                                                         \
    } while (0)

static void list_strings(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in)
{
    if (!list_room(c, out, CNNF_ATTR_STRING, in->n_s, sizeof *out->u.strings)) return;
    for (size_t i = 0; i < in->n_s; i++)
        out->u.strings[i] = bytes_of(c, &in->s[i]);
}

static void list_ints(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in)
{
    COPY_ITEMS(c, out, CNNF_ATTR_INT, ints, in->i, in->n_i);
}

static void list_floats(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in)
{
    COPY_ITEMS(c, out, CNNF_ATTR_FLOAT, floats, in->f, in->n_f);
}

static void list_bools(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in)
{
    COPY_ITEMS(c, out, CNNF_ATTR_BOOL, bools, in->b, in->n_b);
}

static void list_types(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in)
{
    COPY_ITEMS(c, out, CNNF_ATTR_TYPE, types, (const int32_t *)in->type, in->n_type);
}

static void list_shapes(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in)
{
    if (!list_room(c, out, CNNF_ATTR_SHAPE, in->n_shape, sizeof *out->u.shapes)) return;
    for (size_t i = 0; i < in->n_shape; i++)
        if (!shape_of(c, &out->u.shapes[i], in->shape[i])) return;
}

static void list_tensors(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in)
{
    if (!list_room(c, out, CNNF_ATTR_TENSOR, in->n_tensor, sizeof(cnnf_tensor *))) return;
    for (size_t i = 0; i < in->n_tensor; i++)
        if ((out->u.tensors[i] = tensor_of(c, in->tensor[i])) == NULL) return;
}

static void list_funcs(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in)
{
    if (!list_room(c, out, CNNF_ATTR_FUNC, in->n_func, sizeof *out->u.funcs)) return;
    for (size_t i = 0; i < in->n_func; i++)
        if (!func_of(c, &out->u.funcs[i], in->func[i])) return;
}

static void list_of(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in, const char *key)
{
    const struct list_kind {
        size_t count;
        void (*convert)(conversion *c, cnnfi_attr_list *out, const Cnnfi__AttrValue__ListValue *in);
    } kinds[] = {{in->n_s, list_strings},      {in->n_i, list_ints},     {in->n_f, list_floats},
                 {in->n_b, list_bools},        {in->n_type, list_types}, {in->n_shape, list_shapes},
                 {in->n_tensor, list_tensors}, {in->n_func, list_funcs}};
    size_t filled = 0;
    *out = (cnnfi_attr_list){.item_kind = CNNF_ATTR_NONE};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].count == 0) continue;
        if (++filled > 1) {
            FAIL(c, "node '%s': attribute '%s' is a list of several kinds", c->node, key);
            return;
        }
        kinds[i].convert(c, out, in);
    }
}

static void attr_func(conversion *c, cnnfi_attr *out, const Cnnfi__NameAttrList *in)
{
    out->u.func = (cnnfi_func_ref *)cnnfi_builder_array(c->b, 1, sizeof *out->u.func);
    if (out->u.func != NULL) func_of(c, out->u.func, in);
}

static void attr_of(conversion *c, cnnfi_attr *out, const Cnnfi__AttrValue *in)
{
    Cnnfi__AttrValue rest;
    protobuf_c_message_init(&cnnfi__attr_value__descriptor, &rest);
    rest.base = in->base;
    out->extra = rest_of(c, &rest.base);
    switch (in->value_case) {
    case CNNFI__ATTR_VALUE__VALUE_S:
        out->kind = CNNF_ATTR_STRING;
        out->u.s = limited_string(c, &in->s);
        break;
    case CNNFI__ATTR_VALUE__VALUE_I:
        out->kind = CNNF_ATTR_INT;
        out->u.i = in->i;
        break;
    case CNNFI__ATTR_VALUE__VALUE_F:
        out->kind = CNNF_ATTR_FLOAT;
        out->u.f = in->f;
        break;
    case CNNFI__ATTR_VALUE__VALUE_B:
        out->kind = CNNF_ATTR_BOOL;
        out->u.b = in->b != 0;
        break;
    case CNNFI__ATTR_VALUE__VALUE_TYPE:
        out->kind = CNNF_ATTR_TYPE;
        out->u.type = (int32_t)in->type;
        break;
    case CNNFI__ATTR_VALUE__VALUE_SHAPE:
        out->kind = CNNF_ATTR_SHAPE;
        shape_of(c, &out->u.shape, in->shape);
        break;
    case CNNFI__ATTR_VALUE__VALUE_TENSOR:
        out->kind = CNNF_ATTR_TENSOR;
        out->u.tensor = tensor_of(c, in->tensor);
        break;
    case CNNFI__ATTR_VALUE__VALUE_FUNC:
        out->kind = CNNF_ATTR_FUNC;
        attr_func(c, out, in->func);
        break;
    case CNNFI__ATTR_VALUE__VALUE_PLACEHOLDER:
        out->kind = CNNF_ATTR_PLACEHOLDER;
        out->u.placeholder = name_of(c, in->placeholder);
        break;
    case CNNFI__ATTR_VALUE__VALUE_LIST:
        out->kind = CNNF_ATTR_LIST;
        list_of(c, &out->u.list, in->list, out->key);
        break;
    default:
        break;
    }
}

/* ---- nodes ---- */

static void check_const(conversion *c, const cnnf_node *node)
{
    const cnnfi_attr *value = cnnfi_node_attr(node, "value");
    cnnf_dtype declared = cnnfi_node_type(node, "dtype");
    if (strcmp(node->op, "Const") != 0 || value == NULL || value->kind != CNNF_ATTR_TENSOR || declared == 0) return;
    cnnf_dtype found = cnnf_tensor_dtype(value->u.tensor);
    if (found == declared) return;
    FAIL(c, "node '%s': value is %s, attribute 'dtype' says %s", node->name, cnnf_dtype_name(found),
         cnnf_dtype_name(declared));
}

static void fill_node(conversion *c, cnnf_node *node, const Cnnfi__NodeDef *in)
{
    cnnfi_builder *b = c->b;
    if (node == NULL || !within(c, CNNF_LIMIT_NODE_INPUTS, in->n_input, "inputs")) return;
    if (!is_short(c, in->device)) return;
    cnnfi_node_set_device(b, node, in->device);
    for (size_t i = 0; i < in->n_input && is_short_input(c, in->input[i]); i++)
        cnnfi_node_add_input(b, node, in->input[i]);
    node->attrs = attrs_of(c, in->attr, in->n_attr, &node->n_attrs);
    node->attr_capacity = node->n_attrs;
    Cnnfi__NodeDef rest;
    protobuf_c_message_init(&cnnfi__node_def__descriptor, &rest);
    rest.base = in->base;
    rest.experimental_debug_info = in->experimental_debug_info;
    rest.experimental_type = in->experimental_type;
    node->extra = rest_of(c, &rest.base);
    if (cnnfi_builder_status(b) == CNNF_OK) check_const(c, node);
}

static bool check_name(conversion *c, const Cnnfi__NodeDef *in, size_t index)
{
    c->node = in->name;
    if (in->name[0] == '\0') {
        FAIL(c, "node %zu: empty name", index);
        return false;
    }
    return is_short(c, in->name) && is_short(c, in->op);
}

static void take_node(conversion *c, const Cnnfi__NodeDef *in)
{
    if (check_name(c, in, cnnfi_builder_count(c->b))) fill_node(c, cnnfi_builder_add(c->b, in->op, in->name), in);
}

/* ---- functions ---- */

static cnnfi_arg *args_of(conversion *c, Cnnfi__OpDef__ArgDef *const *in, size_t count)
{
    cnnfi_arg *args = count > 0 ? (cnnfi_arg *)cnnfi_builder_array(c->b, count, sizeof *args) : NULL;
    for (size_t i = 0; args != NULL && i < count; i++) {
        const Cnnfi__OpDef__ArgDef *arg = in[i];
        Cnnfi__OpDef__ArgDef rest;
        protobuf_c_message_init(&cnnfi__op_def__arg_def__descriptor, &rest);
        rest.base = arg->base;
        rest.n_handle_data = arg->n_handle_data;
        rest.handle_data = arg->handle_data;
        rest.experimental_full_type = arg->experimental_full_type;
        args[i] = (cnnfi_arg){.name = name_of(c, arg->name),
                              .description = text_of(c, arg->description),
                              .type_attr = name_of(c, arg->type_attr),
                              .number_attr = name_of(c, arg->number_attr),
                              .type_list_attr = name_of(c, arg->type_list_attr),
                              .type = (int32_t)arg->type,
                              .is_ref = arg->is_ref != 0,
                              .extra = rest_of(c, &rest.base)};
    }
    return args;
}

static void signature_of(conversion *c, cnnfi_function *out, const Cnnfi__OpDef *in)
{
    Cnnfi__OpDef rest = *in;
    rest.name = (char *)(uintptr_t)protobuf_c_empty_string;
    rest.n_input_arg = rest.n_output_arg = 0;
    out->signature_extra = rest_of(c, &rest.base);
    out->n_inputs = in->n_input_arg;
    out->inputs = args_of(c, in->input_arg, in->n_input_arg);
    out->n_outputs = in->n_output_arg;
    out->outputs = args_of(c, in->output_arg, in->n_output_arg);
}

/* A map<string, string>. */
static cnnfi_pair *pairs_of(conversion *c, Cnnfi__TextEntry *const *in, size_t n_in, size_t *n_out)
{
    *n_out = 0;
    if (!within(c, CNNF_LIMIT_NODE_INPUTS, n_in, "outputs of a function")) return NULL;
    cnnfi_pair *pairs = n_in > 0 ? (cnnfi_pair *)cnnfi_builder_array(c->b, n_in, sizeof *pairs) : NULL;
    for (size_t i = 0; pairs != NULL && i < n_in; i++) {
        size_t at = *n_out;
        while (at > 0 && strcmp(pairs[at - 1].key, in[i]->key) > 0)
            at--;
        if (at > 0 && strcmp(pairs[at - 1].key, in[i]->key) == 0) {
            pairs[at - 1].value = is_short_input(c, in[i]->value) ? text_of(c, in[i]->value) : NULL;
            continue;
        }
        memmove(pairs + at + 1, pairs + at, (*n_out - at) * sizeof *pairs);
        pairs[at] = (cnnfi_pair){name_of(c, in[i]->key), text_of(c, in[i]->value)};
        if (pairs[at].key == NULL || !is_short_input(c, in[i]->value)) {
            *n_out = 0;
            return NULL;
        }
        ++*n_out;
    }
    return pairs;
}

static void arg_attrs_of(conversion *c, cnnfi_function *out, const Cnnfi__FunctionDef *in)
{
    size_t count = in->n_arg_attr;
    if (!within(c, CNNF_LIMIT_NODE_INPUTS, count, "arguments of a function")) return;
    out->arg_attrs =
        count > 0 ? (struct cnnfi_arg_attr *)cnnfi_builder_array(c->b, count, sizeof *out->arg_attrs) : NULL;
    for (size_t i = 0; out->arg_attrs != NULL && i < count; i++) {
        const Cnnfi__FunctionDef__ArgAttrEntry *entry = in->arg_attr[i];
        struct cnnfi_arg_attr value = {.index = entry->key};
        if (entry->value != NULL) {
            Cnnfi__FunctionDef__ArgAttrs rest;
            protobuf_c_message_init(&cnnfi__function_def__arg_attrs__descriptor, &rest);
            rest.base = entry->value->base;
            value.attrs = attrs_of(c, entry->value->attr, entry->value->n_attr, &value.n_attrs);
            value.extra = rest_of(c, &rest.base);
        }
        size_t at = out->n_arg_attrs;
        while (at > 0 && out->arg_attrs[at - 1].index > value.index)
            at--;
        if (at > 0 && out->arg_attrs[at - 1].index == value.index) {
            out->arg_attrs[at - 1] = value;
            continue;
        }
        memmove(out->arg_attrs + at + 1, out->arg_attrs + at, (out->n_arg_attrs - at) * sizeof value);
        out->arg_attrs[at] = value;
        out->n_arg_attrs++;
    }
}

/* resource_arg_unique_id, a map<uint32, uint32>, sorted in place from large to small as the serializer of TensorFlow's
   does, later entries over earlier ones. */
static size_t sort_ids(Cnnfi__FunctionDef__ResourceArgUniqueIdEntry **ids, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        Cnnfi__FunctionDef__ResourceArgUniqueIdEntry *entry = ids[i];
        size_t at = kept;
        while (at > 0 && ids[at - 1]->key < entry->key)
            at--;
        if (at > 0 && ids[at - 1]->key == entry->key) {
            ids[at - 1]->value = entry->value;
            continue;
        }
        memmove(ids + at + 1, ids + at, (kept - at) * sizeof *ids);
        ids[at] = entry;
        kept++;
    }
    return kept;
}

/* The fields of a FunctionDef beyond those we name. A map's entry has both its fields on the wire, zero or not. */
static cnnfi_bytes function_rest(conversion *c, const Cnnfi__FunctionDef *in)
{
    cnnfi_strbuf buf;
    cnnfi_strbuf_init(&buf, context_of(c));
    size_t n = in->n_resource_arg_unique_id;
    Cnnfi__FunctionDef__ResourceArgUniqueIdEntry **ids = NULL;
    if (n > 0) ids = (Cnnfi__FunctionDef__ResourceArgUniqueIdEntry **)cnnfi_builder_array(c->b, n, sizeof *ids);
    if (ids != NULL) {
        memcpy(ids, in->resource_arg_unique_id, n * sizeof *ids);
        n = sort_ids(ids, n);
        for (size_t i = 0; i < n; i++) {
            cnnfi_put_tag(&buf, 8, CNNFI_WIRE_BYTES);
            cnnfi_put_varint(&buf, 2 + cnnfi_varint_size(ids[i]->key) + cnnfi_varint_size(ids[i]->value));
            cnnfi_put_int(&buf, 1, ids[i]->key);
            cnnfi_put_int(&buf, 2, ids[i]->value);
        }
    }
    Cnnfi__FunctionDef rest;
    protobuf_c_message_init(&cnnfi__function_def__descriptor, &rest);
    rest.base = in->base;
    cnnfi_bytes unknown = rest_of(c, &rest.base);
    cnnfi_strbuf_add(&buf, unknown.data, unknown.size);
    cnnfi_bytes whole = bytes_of(c, &(ProtobufCBinaryData){buf.size, (uint8_t *)buf.data});
    if (buf.failed) cnnfi_builder_fail(c->b, CNNF_E_NOMEM, "out of memory");
    cnnfi_strbuf_free(&buf);
    return whole;
}

static void take_function(conversion *c, const Cnnfi__FunctionDef *in)
{
    if (in->signature == NULL || in->signature->name[0] == '\0') {
        FAIL(c, "function %zu: empty name", c->b->graph->n_functions);
        return;
    }
    c->node = in->signature->name;
    if (!is_short(c, in->signature->name)) return;
    cnnfi_function *function = cnnfi_builder_add_function(c->b, in->signature->name);
    if (function == NULL) return;
    signature_of(c, function, in->signature);
    function->attrs = attrs_of(c, in->attr, in->n_attr, &function->n_attrs);
    function->ret = pairs_of(c, in->ret, in->n_ret, &function->n_ret);
    function->control_ret = pairs_of(c, in->control_ret, in->n_control_ret, &function->n_control_ret);
    arg_attrs_of(c, function, in);
    function->extra = function_rest(c, in);
    for (size_t i = 0; i < in->n_node_def && cnnfi_builder_status(c->b) == CNNF_OK; i++) {
        const Cnnfi__NodeDef *node = in->node_def[i];
        if (check_name(c, node, i)) fill_node(c, cnnfi_function_add(c->b, function, node->op, node->name), node);
    }
}

/* ---- what is left ---- */

static void take_library_rest(conversion *c, const Cnnfi__FunctionDefLibrary *in)
{
    c->b->graph->has_library = true;
    c->b->graph->library_extra = rest_of(c, &in->base);
}

static void take_versions(conversion *c, cnnfi_versions *out, const Cnnfi__VersionDef *in)
{
    out->present = true;
    out->producer = in->producer;
    out->min_consumer = in->min_consumer;
    if (in->n_bad_consumers == 0) return;
    out->bad_consumers = (int32_t *)cnnfi_builder_array(c->b, in->n_bad_consumers, sizeof *out->bad_consumers);
    if (out->bad_consumers == NULL) return;
    memcpy(out->bad_consumers, in->bad_consumers, in->n_bad_consumers * sizeof *out->bad_consumers);
    out->n_bad_consumers = in->n_bad_consumers;
}

static void take_graph_rest(conversion *c, const Cnnfi__GraphDef *in)
{
    cnnf_graph *graph = c->b->graph;
    if (in->versions != NULL) take_versions(c, &graph->versions, in->versions);
    graph->versions.version = in->version;
    Cnnfi__GraphDef rest;
    protobuf_c_message_init(&cnnfi__graph_def__descriptor, &rest);
    rest.base = in->base;
    rest.debug_info = in->debug_info;
    graph->extra = rest_of(c, &rest.base);
}

cnnf_status cnnfi_graphdef_item(void *user, ProtobufCMessage *message, cnnfi_source *payloads, cnnf_error *error)
{
    cnnfi_builder *b = (cnnfi_builder *)user;
    conversion c = {.b = b, .payloads = payloads, .node = ""};
    const cnnfi_message_type *type = message->descriptor;
    if (type == &cnnfi__node_def__descriptor)
        take_node(&c, (const Cnnfi__NodeDef *)message);
    else if (type == &cnnfi__function_def__descriptor)
        take_function(&c, (const Cnnfi__FunctionDef *)message);
    else if (type == &cnnfi__function_def_library__descriptor)
        take_library_rest(&c, (const Cnnfi__FunctionDefLibrary *)message);
    else if (type == &cnnfi__graph_def__descriptor)
        take_graph_rest(&c, (const Cnnfi__GraphDef *)message);
    cnnf_status status = cnnfi_builder_status(b);
    if (status != CNNF_OK) cnnfi_error_copy(error, b->error);
    return status;
}
