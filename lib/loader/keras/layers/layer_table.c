/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/keras/layers/layers.h"

#include <string.h>

/* clang-format off: one family a line */
static const cnnfi_keras_family *const families[] = {
    &cnnfi_keras_core,
    &cnnfi_keras_convolutional,
    &cnnfi_keras_pooling,
    &cnnfi_keras_adaptive_pooling,
    &cnnfi_keras_locally_connected,
    &cnnfi_keras_depthwise,
    &cnnfi_keras_transposed,
    &cnnfi_keras_normalization,
    &cnnfi_keras_layer_normalization,
    &cnnfi_keras_attention,
    &cnnfi_keras_advanced_activations,
    &cnnfi_keras_embeddings,
    &cnnfi_keras_merging,
    &cnnfi_keras_reshaping,
    &cnnfi_keras_category,
    &cnnfi_keras_preprocessing,
    &cnnfi_keras_operations,
    &cnnfi_keras_functions,
    &cnnfi_keras_lambda,
    &cnnfi_keras_recurrent,
    &cnnfi_keras_wrappers,
    &cnnfi_keras_addons,
    &cnnfi_keras_weight_wrappers,
    &cnnfi_keras_quantize_wrappers,
};
/* clang-format on */

const cnnfi_keras_family *cnnfi_keras_family_at(size_t index)
{
    return index < sizeof families / sizeof families[0] ? families[index] : NULL;
}

const cnnfi_keras_row *cnnfi_keras_row_find(const char *class_name)
{
    const cnnfi_keras_family *family;
    if (strncmp(class_name, "ops.", 4) == 0) class_name = "ops.*"; /* one row for all of keras.ops */
    for (size_t f = 0; (family = cnnfi_keras_family_at(f)); f++) {
        for (size_t i = 0; i < family->count; i++) {
            if (strcmp(family->rows[i].class_name, class_name) == 0) return &family->rows[i];
        }
    }
    return NULL;
}

bool cnnfi_keras_class_takes_rank(const char *class_name, int32_t rank)
{
    const cnnfi_keras_row *row = cnnfi_keras_row_find(class_name);
    return row && rank >= row->min_rank && rank <= row->max_rank;
}

bool cnnfi_keras_class_has_weights(const char *class_name)
{
    const cnnfi_keras_row *row = cnnfi_keras_row_find(class_name);
    return !row || row->weights[0] != '\0';
}

bool cnnfi_keras_class_is_layer(const char *class_name)
{
    return cnnfi_keras_row_find(class_name) != NULL;
}
