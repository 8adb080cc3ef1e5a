/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, names and sizes from tensorflow/core/framework/types.proto and types.cc. */
#include <cnnfreeze/tensor.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [CNNF_FLOAT] = {"float", 4},
    [CNNF_DOUBLE] = {"double", 8},
    [CNNF_INT32] = {"int32", 4},
    [CNNF_UINT8] = {"uint8", 1},
    [CNNF_INT16] = {"int16", 2},
    [CNNF_INT8] = {"int8", 1},
    [CNNF_STRING] = {"string", 0},
    [CNNF_COMPLEX64] = {"complex64", 8},
    [CNNF_INT64] = {"int64", 8},
    [CNNF_BOOL] = {"bool", 1},
    [CNNF_QINT8] = {"qint8", 1},
    [CNNF_QUINT8] = {"quint8", 1},
    [CNNF_QINT32] = {"qint32", 4},
    [CNNF_BFLOAT16] = {"bfloat16", 2},
    [CNNF_QINT16] = {"qint16", 2},
    [CNNF_QUINT16] = {"quint16", 2},
    [CNNF_UINT16] = {"uint16", 2},
    [CNNF_COMPLEX128] = {"complex128", 16},
    [CNNF_HALF] = {"half", 2},
    [CNNF_RESOURCE] = {"resource", 0},
    [CNNF_VARIANT] = {"variant", 0},
    [CNNF_UINT32] = {"uint32", 4},
    [CNNF_UINT64] = {"uint64", 8},
    [CNNF_FLOAT8_E5M2] = {"float8_e5m2", 1},
    [CNNF_FLOAT8_E4M3FN] = {"float8_e4m3fn", 1},
    [CNNF_INT4] = {"int4", 1},
    [CNNF_UINT4] = {"uint4", 1},
};

#define DTYPE_COUNT ((cnnf_dtype)(sizeof dtypes / sizeof *dtypes))

const char *cnnf_dtype_name(cnnf_dtype dtype)
{
    return dtype > 0 && dtype < DTYPE_COUNT && dtypes[dtype].name ? dtypes[dtype].name : "unknown";
}

size_t cnnf_dtype_size(cnnf_dtype dtype)
{
    return dtype > 0 && dtype < DTYPE_COUNT ? dtypes[dtype].size : 0;
}
