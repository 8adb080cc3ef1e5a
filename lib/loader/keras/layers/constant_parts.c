/* SPDX-License-Identifier: Apache-2.0 */
/* Constants that configurations hold as JSON. */
#include <string.h>

#include "base/context.h"
#include "graph/builder.h"
#include "loader/keras/layers/layers.h"

/* Nobody writes larger ones into a configuration. */
#define MAX_VALUES 1048576

typedef struct nested {
    int32_t rank;
    int64_t dims[CNNFI_KERAS_MAX_RANK], count;
    bool any_real, any_bool;
} nested;

static const cnnfi_json *unwrap(const cnnfi_json *value)
{
    /* numpy arrays of Keras 2, tuples of Keras 3 */
    if (!cnnfi_json_is_object(value)) return value;
    const cnnfi_json *items = cnnfi_json_get(value, "items");
    if (items) return items;
    const cnnfi_json *inner = cnnfi_json_get(value, "value");
    if (inner) return inner;
    return cnnfi_json_get(cnnfi_json_get(value, "config"), "value");
}

/* The shape by the first item of each level. */
static bool measure(nested *n, const cnnfi_json *value)
{
    n->count = 1;
    for (value = unwrap(value); cnnfi_json_is_array(value); value = unwrap(cnnfi_json_at(value, 0))) {
        if (n->rank == CNNFI_KERAS_MAX_RANK) return false;
        n->dims[n->rank++] = (int64_t)cnnfi_json_size(value);
        if (__builtin_mul_overflow(n->count, n->dims[n->rank - 1], &n->count) || n->count > MAX_VALUES) return false;
        if (n->count == 0) return true;
    }
    return true;
}

/* Fills out[] in row order; false when the lists are ragged or hold no numbers. */
static bool flatten(nested *n, const cnnfi_json *value, int32_t level, double **out)
{
    value = unwrap(value);
    if (level == n->rank) {
        bool is_bool = cnnfi_json_is_bool(value);
        if (!is_bool && !cnnfi_json_is_number(value)) return false;
        n->any_bool = n->any_bool || is_bool;
        n->any_real = n->any_real || (!is_bool && !cnnfi_json_is_int(value));
        *(*out)++ = is_bool ? cnnfi_json_bool(value, false) : cnnfi_json_number(value, 0);
        return true;
    }
    if (!cnnfi_json_is_array(value) || (int64_t)cnnfi_json_size(value) != n->dims[level]) return false;
    for (size_t i = 0; i < cnnfi_json_size(value); i++)
        if (!flatten(n, cnnfi_json_at(value, i), level + 1, out)) return false;
    return true;
}

static cnnf_dtype natural(const nested *n)
{
    return n->any_real || n->count == 0 ? CNNF_FLOAT : n->any_bool ? CNNF_BOOL : CNNF_INT32;
}

static int64_t to_integer(double value, double limit)
{
    return value >= -limit && value <= limit ? (int64_t)value : 0;
}

static bool store(void *out, int64_t i, cnnf_dtype dtype, double value)
{
    switch (dtype) {
    case CNNF_FLOAT:
        ((float *)out)[i] = (float)value;
        return true;
    case CNNF_DOUBLE:
        ((double *)out)[i] = value;
        return true;
    case CNNF_INT32:
        ((int32_t *)out)[i] = (int32_t)to_integer(value, INT32_MAX);
        return true;
    case CNNF_INT64:
        ((int64_t *)out)[i] = to_integer(value, 9e15);
        return true;
    case CNNF_BOOL:
        ((uint8_t *)out)[i] = value != 0;
        return true;
    default:
        return false;
    }
}

static cnnfi_keras_tensor emit(cnnfi_layer_call *call, const char *name, const nested *n, cnnf_dtype dtype,
                               const double *values)
{
    cnnfi_keras_builder *b = call->b;
    void *data = cnnfi_array(b->context, (size_t)n->count + 1, sizeof(double));
    bool fits = data != NULL;
    for (int64_t i = 0; fits && i < n->count; i++)
        fits = store(data, i, dtype, values[i]);
    if (!data)
        cnnfi_builder_fail(b->graph, CNNF_E_NOMEM, "out of memory");
    else if (!fits)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "a constant of dtype %s", cnnf_dtype_name(dtype));
    cnnfi_keras_tensor t = cnnfi_build_ok(b) ? cnnfi_build_const(b, name, dtype, n->rank, n->dims, data)
                                             : (cnnfi_keras_tensor){.name = "", .dtype = dtype};
    cnnfi_free(b->context, data);
    return t;
}

cnnfi_keras_tensor cnnfi_layer_constant(cnnfi_layer_call *call, const char *name, const cnnfi_json *value,
                                        cnnf_dtype dtype)
{
    nested n = {.rank = 0};
    cnnfi_keras_tensor t = {.name = "", .dtype = CNNF_FLOAT};
    double *values = measure(&n, value) ? cnnfi_array(call->b->context, (size_t)n.count + 1, sizeof *values) : NULL,
           *at = values;
    if (values && (n.count == 0 || flatten(&n, value, 0, &at)))
        t = emit(call, name, &n, dtype ? dtype : natural(&n), values);
    else
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "constant '%s' is no number and no list of numbers", name);
    cnnfi_free(call->b->context, values);
    return t;
}

int32_t cnnfi_json_integers(const cnnfi_json *value, int64_t *out, int32_t capacity)
{
    nested n = {.rank = 0};
    double values[2 * CNNFI_KERAS_MAX_RANK], *at = values;
    if (!value || !measure(&n, value) || n.count > capacity || n.count > 2 * CNNFI_KERAS_MAX_RANK) return -1;
    if (n.count > 0 && (!flatten(&n, value, 0, &at) || n.any_real)) return -1;
    for (int64_t i = 0; i < n.count; i++)
        out[i] = to_integer(values[i], 9e15);
    return (int32_t)n.count;
}
