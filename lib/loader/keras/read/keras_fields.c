/* SPDX-License-Identifier: Apache-2.0 */
/* A layer's configuration, read with its defaults; what is wrong is told with the layer's name. */
#include <string.h>

#include "loader/keras/build/keras_build.h"

static const cnnfi_json *field(const cnnfi_layer_call *call, const char *key)
{
    const cnnfi_json *value = cnnfi_json_get(call->config, key);
    return cnnfi_json_is_null(value) ? NULL : value;
}

int64_t cnnfi_layer_int(const cnnfi_layer_call *call, const char *key, int64_t fallback)
{
    return cnnfi_json_int(field(call, key), fallback);
}

double cnnfi_layer_float(const cnnfi_layer_call *call, const char *key, double fallback)
{
    const cnnfi_json *value = field(call, key);
    /* Keras 2 writes numpy scalars as {"type": "ndarray", "value": 0.2} */
    const cnnfi_json *wrapped = cnnfi_json_is_object(value) ? cnnfi_json_get(value, "value") : NULL;
    return cnnfi_json_number(wrapped ? wrapped : value, fallback);
}

bool cnnfi_layer_bool(const cnnfi_layer_call *call, const char *key, bool fallback)
{
    return cnnfi_json_bool(field(call, key), fallback);
}

const char *cnnfi_layer_string(const cnnfi_layer_call *call, const char *key, const char *fallback)
{
    return cnnfi_json_string(field(call, key), fallback);
}

int64_t cnnfi_layer_positive(cnnfi_layer_call *call, const char *key)
{
    int64_t value = cnnfi_layer_int(call, key, 0);
    if (value > 0 && value <= INT32_MAX) return value;
    cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'%s' is missing or not a positive number", key);
    return 1;
}

static int64_t checked(cnnfi_layer_call *call, const char *key, const cnnfi_json *value, int64_t fallback,
                       int64_t minimum)
{
    int64_t number = cnnfi_json_int(value, INT64_MIN);
    if (number >= minimum && number <= INT32_MAX) return number;
    cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'%s' is no number of at least %lld", key, (long long)minimum);
    return fallback;
}

void cnnfi_layer_ints(cnnfi_layer_call *call, const char *key, size_t n, int64_t *out, int64_t fallback,
                      int64_t minimum)
{
    const cnnfi_json *value = field(call, key);
    bool list = cnnfi_json_is_array(value);
    if (list && cnnfi_json_size(value) != n) {
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'%s' has %zu values, not %zu", key, cnnfi_json_size(value), n);
        list = false;
        value = NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const cnnfi_json *item = list ? cnnfi_json_at(value, i) : value;
        out[i] = item ? checked(call, key, item, fallback, minimum) : fallback;
    }
}

const cnnfi_json *cnnfi_layer_serialized(const cnnfi_json *value, const char **class_name)
{
    *class_name = cnnfi_json_string(value, NULL);
    if (!cnnfi_json_is_object(value)) return NULL;
    *class_name = cnnfi_json_string(cnnfi_json_get(value, "class_name"), NULL);
    const cnnfi_json *config = cnnfi_json_get(value, "config");
    /* Keras 3 writes a function as {"class_name": "function", "config": "relu"} */
    if (cnnfi_json_is_string(config)) *class_name = cnnfi_json_string(config, NULL);
    return cnnfi_json_is_object(config) ? config : NULL;
}

bool cnnfi_layer_channels_first(cnnfi_layer_call *call)
{
    const char *format = cnnfi_layer_string(call, "data_format", "channels_last");
    if (strcmp(format, "channels_first") == 0) return true;
    if (strcmp(format, "channels_last") != 0)
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "data_format '%s' is unknown", format);
    return false;
}

int32_t cnnfi_layer_axis(cnnfi_layer_call *call, int64_t axis, int32_t rank)
{
    int64_t at = axis < 0 ? axis + rank : axis;
    if (at >= 0 && at < rank) return (int32_t)at;
    cnnfi_layer_fail(call, CNNF_E_CORRUPT, "axis %lld is outside a tensor of %d dimensions", (long long)axis, rank);
    return 0;
}
