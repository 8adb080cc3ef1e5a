/* SPDX-License-Identifier: Apache-2.0 */
/* Wrappers that only change how a layer's weights are trained: at inference they are the layer inside. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* The stored weights that are the layer's inside; the rest is the wrapper's own. */
typedef size_t (*select_weights)(const cnnfi_keras_layer *wrapper, cnnfi_keras_weight *out);

static bool ends_with(const char *name, const char *const *ends, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strstr(name, ends[i])) return true;
    return false;
}

static void wrapped_build(cnnfi_layer_call *call, select_weights select)
{
    cnnfi_keras_layer *layer = call->layer->wrapped;
    if (!layer || layer->inner) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, layer ? "it wraps a model" : "it wraps no layer");
        return;
    }
    call->state->used_weights = call->layer->n_weights;
    layer->weights = cnnfi_builder_array(call->b->graph, call->layer->n_weights + 1, sizeof *layer->weights);
    if (layer->weights) layer->n_weights = select(call->layer, layer->weights);
}

/* The layer inside, in the wrapper's scope: Keras calls it there. */
static void wrapped_call(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor *outputs;
    size_t n_outputs;
    const char *saved = b->scope;
    (void)cnnfi_build_push(b, call->layer->wrapped->name);
    cnnfi_build_run(b, call->layer->wrapped, call->record, call->n_inputs, call->inputs, call->named, &n_outputs,
                    &outputs);
    cnnfi_build_pop(b, saved);
    if (cnnfi_build_ok(b)) cnnfi_layer_return_n(call, n_outputs, outputs);
}

/* ---- SpectralNormalization ---- */

/* H5: the layer's weights and vector_u; .keras: the wrapper's kernel and vector_u, then the layer's weights. */
static size_t spectral_weights(const cnnfi_keras_layer *wrapper, cnnfi_keras_weight *out)
{
    static const char *const own[] = {"vector_u", "/sn_u"};
    size_t n = 0;
    bool named = false;
    for (size_t i = 0; i < wrapper->n_weights; i++)
        named = named || ends_with(wrapper->weights[i].name, own, 2);
    for (size_t i = named ? 0 : 2; i < wrapper->n_weights; i++)
        if (!ends_with(wrapper->weights[i].name, own, 2)) out[n++] = wrapper->weights[i];
    return n;
}

static void spectral_build(cnnfi_layer_call *call)
{
    wrapped_build(call, spectral_weights);
}

/* ---- PruneLowMagnitude of tensorflow_model_optimization ---- */

size_t cnnfi_keras_own_weights(const cnnfi_keras_layer *wrapper)
{
    size_t i = 1;
    while (i < wrapper->n_weights && strcmp(wrapper->weights[i].name, "0") != 0)
        i++;
    return i < wrapper->n_weights ? i : wrapper->n_weights;
}

bool cnnfi_keras_has_names(const cnnfi_keras_layer *wrapper)
{
    return wrapper->n_weights == 0 || wrapper->weights[0].name[0] < '0' || wrapper->weights[0].name[0] > '9';
}

/* The layer's weights; mask, threshold and pruning_step are the wrapper's. */
static size_t pruned_weights(const cnnfi_keras_layer *wrapper, cnnfi_keras_weight *out)
{
    static const char *const own[] = {"/mask:", "/threshold:", "pruning_step", "/mask_", "/threshold_"};
    const bool named = cnnfi_keras_has_names(wrapper);
    size_t n = 0;
    for (size_t i = named ? 0 : cnnfi_keras_own_weights(wrapper); i < wrapper->n_weights; i++)
        if (!ends_with(wrapper->weights[i].name, own, sizeof own / sizeof *own)) out[n++] = wrapper->weights[i];
    return n;
}

static void pruned_build(cnnfi_layer_call *call)
{
    wrapped_build(call, pruned_weights);
}

static const cnnfi_keras_row rows[] = {
    {"PruneLowMagnitude", "layer", "the layer's", "tf.keras 2.15", 1, 8, 1, 64, pruned_build, wrapped_call, NULL},
    {"SpectralNormalization", "layer", "the layer's, vector_u", "3", 1, 8, 1, 64, spectral_build, wrapped_call, NULL},
};

const cnnfi_keras_family cnnfi_keras_weight_wrappers = {"Wrappers of weights", rows, sizeof rows / sizeof rows[0]};
