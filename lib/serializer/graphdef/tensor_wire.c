/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/graphdef/graph_wire.h"

#include <string.h>

#include "base/context.h"

/* TensorProto (tensorflow/core/framework/tensor.proto) */
enum { DTYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4, FLOAT8_VAL = 18 };

typedef enum value_form { VARINT, SIGNED, FIXED, BYTES } value_form;

/* How make_tensor_proto (tensorflow/python/framework/tensor_util.py) writes a dtype. `content`: more than one element
   goes to tensor_content. A complex number is two values. */
static const struct dtype_rule {
    cnnf_dtype dtype;
    uint32_t field;
    value_form form;
    uint8_t width; /* of one value in the tensor */
    bool content;
} dtype_rules[] = {
    {CNNF_FLOAT, 5, FIXED, 4, true},
    {CNNF_DOUBLE, 6, FIXED, 8, true},
    {CNNF_INT32, 7, SIGNED, 4, true},
    {CNNF_UINT8, 7, VARINT, 1, true},
    {CNNF_INT16, 7, SIGNED, 2, true},
    {CNNF_INT8, 7, SIGNED, 1, true},
    {CNNF_COMPLEX64, 9, FIXED, 4, false},
    {CNNF_INT64, 10, SIGNED, 8, true},
    {CNNF_BOOL, 11, VARINT, 1, false},
    {CNNF_QINT8, 7, SIGNED, 1, true},
    {CNNF_QUINT8, 7, VARINT, 1, true},
    {CNNF_QINT32, 7, SIGNED, 4, true},
    {CNNF_BFLOAT16, 13, VARINT, 2, true},
    {CNNF_QINT16, 7, SIGNED, 2, true},
    {CNNF_QUINT16, 7, VARINT, 2, true},
    {CNNF_UINT16, 7, VARINT, 2, false},
    {CNNF_COMPLEX128, 12, FIXED, 8, false},
    {CNNF_HALF, 13, VARINT, 2, true},
    {CNNF_UINT32, 16, VARINT, 4, true},
    {CNNF_UINT64, 17, VARINT, 8, true},
    {CNNF_FLOAT8_E5M2, FLOAT8_VAL, BYTES, 1, true},
    {CNNF_FLOAT8_E4M3FN, FLOAT8_VAL, BYTES, 1, true},
    {CNNF_INT4, 7, SIGNED, 1, false},
    {CNNF_UINT4, 7, VARINT, 1, false},
};

static const struct dtype_rule *rule_of(cnnf_dtype dtype)
{
    for (size_t i = 0; i < sizeof dtype_rules / sizeof dtype_rules[0]; i++)
        if (dtype_rules[i].dtype == dtype) return &dtype_rules[i];
    return NULL;
}

static uint64_t varint_of(const uint8_t *value, const struct dtype_rule *rule)
{
    uint64_t bits = 0;
    unsigned unused = 64u - 8u * rule->width;
    memcpy(&bits, value, rule->width);
    if (rule->form == SIGNED && unused > 0) bits = (uint64_t)((int64_t)(bits << unused) >> unused);
    return bits;
}

/* Packed; the values are already as FIXED wants them. */
static void put_values(cnnfi_skeleton *s, const struct dtype_rule *rule, const uint8_t *data, size_t size)
{
    if (size == 0) return;
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    if (rule->form == FIXED || rule->form == BYTES)
        cnnfi_strbuf_add(&s->bytes, data, size);
    else
        for (size_t at = 0; at + rule->width <= size; at += rule->width)
            cnnfi_put_varint(&s->bytes, varint_of(data + at, rule));
    cnnfi_skeleton_end(s, rule->field, begin);
}

static void put_typed(cnnfi_skeleton *s, const cnnf_tensor *tensor, const struct dtype_rule *rule)
{
    struct cnnf_error local = {.code = CNNF_OK};
    cnnf_tensor *loaded = NULL;
    cnnf_status status = cnnf_tensor_load(&loaded, tensor, &local);
    if (status == CNNF_OK)
        put_values(s, rule, (const uint8_t *)cnnf_tensor_data(loaded), cnnf_tensor_byte_size(loaded));
    else
        cnnfi_skeleton_fail(s, status, &local);
    cnnf_tensor_unref(loaded);
}

static void put_elements(cnnfi_skeleton *s, const cnnf_tensor *tensor)
{
    const struct dtype_rule *rule = rule_of(cnnf_tensor_dtype(tensor));
    if (cnnf_tensor_element_count(tensor) == 0) return;
    bool content = (cnnfi_tensor_encoding(tensor) & CNNFI_ENCODING_CONTENT) || rule == NULL ||
                   (rule->content && cnnf_tensor_element_count(tensor) > 1);
    if (!content) {
        put_typed(s, tensor, rule);
        return;
    }
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    cnnfi_skeleton_cut_tensor(s, tensor);
    cnnfi_skeleton_end(s, TENSOR_CONTENT, begin);
}

void cnnfi_wire_tensor(cnnfi_skeleton *s, uint32_t field, const cnnf_tensor *tensor)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    cnnfi_put_int_nonzero(&s->bytes, DTYPE, cnnf_tensor_dtype(tensor));
    bool shapeless = (cnnfi_tensor_encoding(tensor) & CNNFI_ENCODING_SHAPELESS) && cnnf_tensor_rank(tensor) == 0;
    if (!shapeless) {
        const cnnfi_shape shape = {.rank = cnnf_tensor_rank(tensor), .dims = cnnfi_tensor_dims(tensor)};
        cnnfi_wire_shape(s, TENSOR_SHAPE, &shape);
    }
    if (cnnfi_tensor_storage(tensor) == CNNFI_STORAGE_PROTO)
        cnnfi_skeleton_cut_raw(s, cnnfi_tensor_fields(tensor));
    else
        put_elements(s, tensor);
    cnnfi_skeleton_end(s, field, begin);
}
