/* SPDX-License-Identifier: Apache-2.0 */
/* What convolutions and poolings share: data formats, padding, output lengths, the bias. */
#include <string.h>

#include "loader/keras_layers/layers.h"

bool cnnfi_keras_same_padding(cnnfi_kc *kc)
{
    const char *padding = cnnfi_kc_string(kc, "padding", "valid");
    if (strcmp(padding, "same") == 0) return true;
    if (strcmp(padding, "valid") != 0) cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "padding '%s' is not known", padding);
    return false;
}

const char *cnnfi_keras_tf_format(int32_t n, bool channels_first)
{
    static const char *const names[2][2] = {{"NHWC", "NCHW"}, {"NDHWC", "NCDHW"}};
    return names[n == 3][channels_first];
}

int64_t cnnfi_keras_window_length(int64_t length, int64_t size, int64_t stride, int64_t dilation, bool same)
{
    if (length < 0) return -1;
    int64_t reach = same ? 1 : (size - 1) * dilation + 1;
    return length < reach ? 0 : (length - reach + stride) / stride;
}

cnnfi_kt cnnfi_keras_to_last(cnnfi_kb *b, cnnfi_kt x)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK] = {0};
    for (int32_t i = 1; i < x.rank; i++) perm[i] = i + 1 < x.rank ? i + 1 : 1;
    return cnnfi_kb_transpose(b, "transpose", x, perm);
}

cnnfi_kt cnnfi_keras_to_first(cnnfi_kb *b, cnnfi_kt x)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK] = {0};
    for (int32_t i = 1; i < x.rank; i++) perm[i] = i == 1 ? x.rank - 1 : i - 1;
    return cnnfi_kb_transpose(b, "transpose", x, perm);
}

cnnfi_kt cnnfi_kb_keras_bias(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt bias, bool channels_first)
{
    if (x.rank != 3 && x.rank != 5 && !(x.rank == 4 && channels_first)) {
        return cnnfi_kb_bias_add(b, "BiasAdd", x, bias, "NHWC");
    }
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x.rank; i++) dims[i] = i == (channels_first ? 1 : x.rank - 1) ? bias.dims[0] : 1;
    return cnnfi_kb_binary(b, "AddV2", "add", x, cnnfi_kb_reshape(b, "Reshape", bias, x.rank, dims));
}
