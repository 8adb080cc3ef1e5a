/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/keras/read/keras_legacy.h"

#include <stdio.h>
#include <string.h>

/* keras/legacy, tf.keras' v1/v2 classes, and the aliases of keras.layers. */
static const struct {
    const char *from, *to;
} aliases[] = {
    {"Convolution1D", "Conv1D"},
    {"Convolution2D", "Conv2D"},
    {"Convolution3D", "Conv3D"},
    {"AtrousConvolution1D", "Conv1D"},
    {"AtrousConvolution2D", "Conv2D"},
    {"AtrousConv1D", "Conv1D"},
    {"AtrousConv2D", "Conv2D"},
    {"Deconvolution2D", "Conv2DTranspose"},
    {"Deconvolution3D", "Conv3DTranspose"},
    {"Convolution2DTranspose", "Conv2DTranspose"},
    {"Convolution3DTranspose", "Conv3DTranspose"},
    {"SeparableConvolution1D", "SeparableConv1D"},
    {"SeparableConvolution2D", "SeparableConv2D"},
    {"DepthwiseConvolution2D", "DepthwiseConv2D"},
    {"BatchNormalizationV1", "BatchNormalization"},
    {"BatchNormalizationV2", "BatchNormalization"},
    {"SyncBatchNormalization", "BatchNormalization"},
    {"LSTMV1", "LSTM"},
    {"LSTMV2", "LSTM"},
    {"GRUV1", "GRU"},
    {"GRUV2", "GRU"},
    {"CuDNNLSTM", "LSTM"},
    {"CuDNNGRU", "GRU"},
    {"MaxPool1D", "MaxPooling1D"},
    {"MaxPool2D", "MaxPooling2D"},
    {"MaxPool3D", "MaxPooling3D"},
    {"AvgPool1D", "AveragePooling1D"},
    {"AvgPool2D", "AveragePooling2D"},
    {"AvgPool3D", "AveragePooling3D"},
    {"GlobalMaxPool1D", "GlobalMaxPooling1D"},
    {"GlobalMaxPool2D", "GlobalMaxPooling2D"},
    {"GlobalMaxPool3D", "GlobalMaxPooling3D"},
    {"GlobalAvgPool1D", "GlobalAveragePooling1D"},
    {"GlobalAvgPool2D", "GlobalAveragePooling2D"},
    {"GlobalAvgPool3D", "GlobalAveragePooling3D"},
    {"GroupQueryAttention", "GroupedQueryAttention"},
    {"NormalizationV1", "Normalization"},
    {"Addons>GroupNormalization", "GroupNormalization"},
    {"Addons>InstanceNormalization", "GroupNormalization"}, /* its groups are -1: one for each channel */
    {"Custom>InstanceNormalization", "InstanceNormalization"},
    {"Custom>L2Normalization", "L2Normalization"},
    {"RandomFlipV1", "RandomFlip"},
};

/* Packages whose classes are refused with one reason each. */
static const struct {
    const char *part, *to;
} packages[] = {{"Vitis", "VitisQuantize"},    {"QConv", "QKeras"},
                {"QDense", "QKeras"},          {"QActivation", "QKeras"},
                {"QDepthwise", "QKeras"},      {"QSeparable", "QKeras"},
                {"QBatchNorm", "QKeras"},      {"QAdaptiveActivation", "QKeras"},
                {"QLSTM", "QKeras"},           {"QGRU", "QKeras"},
                {"QSimpleRNN", "QKeras"},      {"QBidirectional", "QKeras"},
                {"QAveragePooling", "QKeras"}, {"QGlobalAverage", "QKeras"},
                {"QMobileNet", "QKeras"}};

const char *cnnfi_keras_class_alias(const char *class_name)
{
    const char *package = strrchr(class_name, '>'), *own = package ? package + 1 : class_name;
    for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++)
        if (strncmp(own, packages[i].part, strlen(packages[i].part)) == 0) return packages[i].to;
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(class_name, aliases[i].from) == 0) return aliases[i].to;
    return class_name;
}

/* Keras 1 and Keras 3 field names; NULL class: every class. A field that exists under both names keeps the new one. */
static const struct {
    const char *class_name, *from, *to;
} fields[] = {
    {NULL, "batch_shape", "batch_input_shape"},
    {NULL, "border_mode", "padding"},
    {NULL, "subsample", "strides"},
    {NULL, "subsample_length", "strides"},
    {NULL, "dim_ordering", "data_format"},
    {NULL, "nb_filter", "filters"},
    {NULL, "atrous_rate", "dilation_rate"},
    {NULL, "bias", "use_bias"},
    {NULL, "inner_activation", "recurrent_activation"},
    {NULL, "pool_length", "pool_size"},
    {"MaxPooling1D", "stride", "strides"},
    {"AveragePooling1D", "stride", "strides"},
    {"Dense", "output_dim", "units"},
    {"SimpleRNN", "output_dim", "units"},
    {"GRU", "output_dim", "units"},
    {"LSTM", "output_dim", "units"},
    {"Conv1D", "filter_length", "kernel_size"},
    {"UpSampling1D", "length", "size"},
    {"Dropout", "p", "rate"},
    {"SpatialDropout1D", "p", "rate"},
    {"SpatialDropout2D", "p", "rate"},
    {"SpatialDropout3D", "p", "rate"},
    {"GaussianDropout", "p", "rate"},
    {"GaussianNoise", "sigma", "stddev"},
    {"LeakyReLU", "negative_slope", "alpha"},
};

static bool rename_fields(cnnfi_json_doc *doc, const char *class_name, cnnfi_json *config)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if ((!fields[i].class_name || strcmp(fields[i].class_name, class_name) == 0) &&
            !cnnfi_json_rename(doc, config, fields[i].from, fields[i].to))
            return false;
    return true;
}

static bool set_text(cnnfi_json_doc *doc, cnnfi_json *config, const char *key, const char *json)
{
    const cnnfi_json *value = cnnfi_json_from_text(doc, json);
    return value && cnnfi_json_set(doc, config, key, value);
}

/* Kernel sizes and dilation of Keras 1 are one number per field. */
static bool join_kernel_size(cnnfi_json_doc *doc, cnnfi_json *config)
{
    static const char *const parts[2][3] = {{"nb_row", "nb_col", NULL}, {"kernel_dim1", "kernel_dim2", "kernel_dim3"}};
    for (size_t i = 0; i < 2; i++) {
        if (cnnfi_json_get(config, "kernel_size") || !cnnfi_json_get(config, parts[i][0])) continue;
        int64_t size[3] = {0};
        for (size_t k = 0; k < 3 && parts[i][k]; k++)
            size[k] = cnnfi_json_int(cnnfi_json_get(config, parts[i][k]), 0);
        char text[80];
        if (parts[i][2])
            snprintf(text, sizeof text, "[%lld,%lld,%lld]", (long long)size[0], (long long)size[1], (long long)size[2]);
        else
            snprintf(text, sizeof text, "[%lld,%lld]", (long long)size[0], (long long)size[1]);
        return set_text(doc, config, "kernel_size", text);
    }
    return true;
}

static bool rename_values(cnnfi_json_doc *doc, cnnfi_json *config)
{
    const char *format = cnnfi_json_string(cnnfi_json_get(config, "data_format"), "");
    if (strcmp(format, "tf") == 0) return set_text(doc, config, "data_format", "\"channels_last\"");
    if (strcmp(format, "th") == 0) return set_text(doc, config, "data_format", "\"channels_first\"");
    return true;
}

/* {"class_name": "DTypePolicy", "config": {"name": "float32"}} -> "float32"; older policies are named the same way. */
static bool unwrap_dtype(cnnfi_json_doc *doc, cnnfi_json *config)
{
    const cnnfi_json *dtype = cnnfi_json_get(config, "dtype");
    if (!cnnfi_json_is_object(dtype)) return true;
    const cnnfi_json *inner = cnnfi_json_get(dtype, "config");
    const cnnfi_json *name = cnnfi_json_get(inner, "name");
    if (!name) name = cnnfi_json_get(inner, "source_name"); /* quantized policies */
    return cnnfi_json_is_string(name) ? cnnfi_json_set(doc, config, "dtype", name) : true;
}

/* Mixed policies keep variables in float32; we compute in it as well. */
static bool unmix_dtype(cnnfi_json_doc *doc, cnnfi_json *config)
{
    const char *name = cnnfi_json_string(cnnfi_json_get(config, "dtype"), "");
    return strncmp(name, "mixed_", 6) != 0 || set_text(doc, config, "dtype", "\"float32\"");
}

/* Keras 3: {"class_name": "function", "config": "relu"} -> "relu"; {"class_name": "__tuple__", "items": [...]} -> the
 * items. */
static const cnnfi_json *unwrapped(const cnnfi_json *value)
{
    const char *class_name = cnnfi_json_string(cnnfi_json_get(value, "class_name"), "");
    if (strcmp(class_name, "__tuple__") == 0) return cnnfi_json_get(value, "items");
    if (strcmp(class_name, "function") == 0 && cnnfi_json_is_string(cnnfi_json_get(value, "config")))
        return cnnfi_json_get(value, "config");
    return NULL;
}

static bool unwrap_values(cnnfi_json_doc *doc, cnnfi_json *config)
{
    for (size_t i = 0, n = cnnfi_json_size(config); i < n; i++) {
        const cnnfi_json *value = unwrapped(cnnfi_json_value_at(config, i));
        if (value && !cnnfi_json_set(doc, config, cnnfi_json_key_at(config, i), value)) return false;
    }
    return true;
}

/* What cuDNN's layers have no field for: their only activations, and GRU's second bias. */
static bool complete_cudnn(cnnfi_json_doc *doc, const char *stored, cnnfi_json *config)
{
    static const struct {
        const char *key, *value;
    } fixed[] = {{"activation", "\"tanh\""}, {"recurrent_activation", "\"sigmoid\""}, {"reset_after", "true"}};
    if (strncmp(stored, "CuDNN", 5) != 0) return true;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (!cnnfi_json_get(config, fixed[i].key) && !set_text(doc, config, fixed[i].key, fixed[i].value)) return false;
    return true;
}

bool cnnfi_keras_normalise_config(cnnfi_json_doc *doc, const char *stored, const char *class_name, cnnfi_json *config)
{
    return complete_cudnn(doc, stored, config) && rename_fields(doc, class_name, config) &&
           join_kernel_size(doc, config) && rename_values(doc, config) && unwrap_dtype(doc, config) &&
           unmix_dtype(doc, config) && unwrap_values(doc, config);
}

bool cnnfi_keras_is_keras1_config(const cnnfi_json *config)
{
    static const char *const words[] = {"nb_filter",        "border_mode",   "dim_ordering",
                                        "inner_activation", "W_regularizer", "b_regularizer"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (cnnfi_json_get(config, words[i])) return true;
    return false;
}
