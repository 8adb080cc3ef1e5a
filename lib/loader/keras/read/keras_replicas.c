/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multi_gpu_model(): Lambdas slice the batch, one inner model is called on each slice, Concatenate puts the results
 * together. What it computes is the inner model, which is taken alone.
 */
#include <string.h>

#include "base/context.h"
#include "loader/keras/read/keras_read.h"

/* get_slice(data, i, parts) */
static bool is_slice(const cnnfi_keras_layer *layer)
{
    const cnnfi_json *arguments = cnnfi_json_get(layer->config, "arguments");
    return strcmp(layer->class_name, "Lambda") == 0 && cnnfi_json_get(arguments, "i") != NULL &&
           cnnfi_json_get(arguments, "parts") != NULL;
}

static bool joins_batches(const cnnfi_keras_layer *layer)
{
    return strcmp(layer->class_name, "Concatenate") == 0 &&
           cnnfi_json_int(cnnfi_json_get(layer->config, "axis"), -1) == 0;
}

/* The model that is replicated; NULL: this is something else. */
static cnnfi_keras_layer *replicated(const cnnfi_keras_container *top)
{
    cnnfi_keras_layer *model = NULL;
    size_t slices = 0, joins = 0;
    for (size_t i = 0; i < top->n_layers; i++) {
        cnnfi_keras_layer *layer = &top->layers[i];
        if (strcmp(layer->class_name, "InputLayer") == 0) continue;
        if (layer->inner && !model) {
            model = layer;
        } else if (is_slice(layer)) {
            slices++;
        } else if (joins_batches(layer)) {
            joins++;
        } else {
            return NULL;
        }
    }
    const bool whole = model && model->n_calls > 1 && slices == model->n_calls * top->n_inputs;
    return whole && joins == top->n_outputs && model->inner->n_outputs == joins ? model : NULL;
}

void cnnfi_keras_take_replicated(cnnfi_keras_model *model)
{
    const cnnfi_keras_layer *layer = model->top->sequential ? NULL : replicated(model->top);
    if (!layer) return;
    cnnfi_log(model->context, CNNF_LOG_INFO, "%s: multi_gpu_model() of '%s': that model is taken alone", model->path,
              layer->name);
    model->top = layer->inner;
}
