/* SPDX-License-Identifier: Apache-2.0 */
/* A layer's configuration, read with its defaults; what is wrong is told with the layer's name. */
#include <string.h>

#include "loader/keras/build/keras_build.h"

static const cnnfi_json *field(const cnnfi_kc *kc, const char *key)
{
    const cnnfi_json *value = cnnfi_json_get(kc->config, key);
    return cnnfi_json_is_null(value) ? NULL : value;
}

int64_t cnnfi_kc_int(const cnnfi_kc *kc, const char *key, int64_t fallback)
{
    return cnnfi_json_int(field(kc, key), fallback);
}

double cnnfi_kc_float(const cnnfi_kc *kc, const char *key, double fallback)
{
    const cnnfi_json *value = field(kc, key);
    /* Keras 2 writes numpy scalars as {"type": "ndarray", "value": 0.2} */
    const cnnfi_json *wrapped = cnnfi_json_is_object(value) ? cnnfi_json_get(value, "value") : NULL;
    return cnnfi_json_number(wrapped ? wrapped : value, fallback);
}

bool cnnfi_kc_bool(const cnnfi_kc *kc, const char *key, bool fallback)
{
    return cnnfi_json_bool(field(kc, key), fallback);
}

const char *cnnfi_kc_string(const cnnfi_kc *kc, const char *key, const char *fallback)
{
    return cnnfi_json_string(field(kc, key), fallback);
}

int64_t cnnfi_kc_positive(cnnfi_kc *kc, const char *key)
{
    int64_t value = cnnfi_kc_int(kc, key, 0);
    if (value > 0 && value <= INT32_MAX) return value;
    cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "'%s' is missing or not a positive number", key);
    return 1;
}

static int64_t checked(cnnfi_kc *kc, const char *key, const cnnfi_json *value, int64_t fallback, int64_t minimum)
{
    int64_t number = cnnfi_json_int(value, INT64_MIN);
    if (number >= minimum && number <= INT32_MAX) return number;
    cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "'%s' is no number of at least %lld", key, (long long)minimum);
    return fallback;
}

void cnnfi_kc_ints(cnnfi_kc *kc, const char *key, size_t n, int64_t *out, int64_t fallback, int64_t minimum)
{
    const cnnfi_json *value = field(kc, key);
    bool list = cnnfi_json_is_array(value);
    if (list && cnnfi_json_size(value) != n) {
        cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "'%s' has %zu values, not %zu", key, cnnfi_json_size(value), n);
        list = false;
        value = NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const cnnfi_json *item = list ? cnnfi_json_at(value, i) : value;
        out[i] = item ? checked(kc, key, item, fallback, minimum) : fallback;
    }
}

const cnnfi_json *cnnfi_kc_serialized(const cnnfi_json *value, const char **class_name)
{
    *class_name = cnnfi_json_string(value, NULL);
    if (!cnnfi_json_is_object(value)) return NULL;
    *class_name = cnnfi_json_string(cnnfi_json_get(value, "class_name"), NULL);
    const cnnfi_json *config = cnnfi_json_get(value, "config");
    /* Keras 3 writes a function as {"class_name": "function", "config": "relu"} */
    if (cnnfi_json_is_string(config)) *class_name = cnnfi_json_string(config, NULL);
    return cnnfi_json_is_object(config) ? config : NULL;
}

bool cnnfi_kc_channels_first(cnnfi_kc *kc)
{
    const char *format = cnnfi_kc_string(kc, "data_format", "channels_last");
    if (strcmp(format, "channels_first") == 0) return true;
    if (strcmp(format, "channels_last") != 0) cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "data_format '%s' is unknown", format);
    return false;
}

int32_t cnnfi_kc_axis(cnnfi_kc *kc, int64_t axis, int32_t rank)
{
    int64_t at = axis < 0 ? axis + rank : axis;
    if (at >= 0 && at < rank) return (int32_t)at;
    cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "axis %lld is outside a tensor of %d dimensions", (long long)axis, rank);
    return 0;
}
