/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/wrappers.py: TimeDistributed, Bidirectional. */
#include <string.h>

#include "base/str.h"
#include "loader/keras/layers/recurrent.h"
#include "graph/builder.h"

/* ---- TimeDistributed ---- */

/* x without its second dimension, as the layer inside sees it */
static cnnfi_kt inner_shape(cnnfi_kt x)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {-1};
    for (int32_t i = 2; i < x.rank; i++)
        dims[i - 1] = x.dims[i];
    return cnnfi_kt_shaped(x, x.rank - 1, dims);
}

/* The wrapper holds the weights; the layer inside is built in the wrapper's scope. A model inside has its own. */
static void time_distributed_build(cnnfi_kc *kc)
{
    cnnfi_keras_layer *layer = kc->layer->wrapped;
    if (!layer) {
        cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "it wraps no layer");
        return;
    }
    kc->state->used_weights = kc->layer->n_weights;
    if (layer->inner) return;
    layer->weights = kc->layer->weights;
    layer->n_weights = kc->layer->n_weights;
    const cnnfi_keras_row *row = cnnfi_keras_row_find(layer->class_name);
    cnnfi_kt x = inner_shape(kc->inputs[0]);
    cnnfi_kc inner = {.b = kc->b,
                      .layer = layer,
                      .state = cnnfi_kb_state(kc->b, layer),
                      .config = layer->config,
                      .n_inputs = 1,
                      .inputs = &x};
    if (!row || !inner.state) return; /* told when it is called */
    if (row->build && x.rank >= row->min_rank && x.rank <= row->max_rank) row->build(&inner);
    inner.state->built = true;
    if (cnnfi_kb_ok(kc->b) && inner.state->used_weights < layer->n_weights)
        cnnfi_kc_fail(kc, CNNF_E_MISMATCH, "the file has %zu weights for this layer, its configuration makes %zu",
                      layer->n_weights, inner.state->used_weights);
}

static bool known_from(const cnnfi_kt *x, int32_t axis)
{
    for (int32_t i = axis; i < x->rank; i++)
        if (x->dims[i] < 0) return false;
    return true;
}

/* Reshape to [-1, dims[from:]] */
static cnnfi_kt fold_time(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt shape = inner_shape(x);
    return cnnfi_kb_reshape(b, "Reshape", x, shape.rank, shape.dims);
}

/* Reshape to [-1, steps, dims[1:]] */
static cnnfi_kt unfold_time(cnnfi_kb *b, cnnfi_kt y, cnnfi_kt x, cnnfi_kt steps)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {-1, x.dims[1]};
    cnnfi_kdim items[CNNFI_KERAS_MAX_RANK] = {cnnfi_kdim_of(-1), cnnfi_kdim_tensor(steps)};
    for (int32_t i = 1; i < y.rank; i++) {
        dims[i + 1] = y.dims[i];
        items[i + 1] = cnnfi_kdim_of(y.dims[i]);
    }
    if (!steps.name) return cnnfi_kb_reshape(b, "Reshape", y, y.rank + 1, dims);
    return cnnfi_kb_reshape_to(b, "Reshape", y, (size_t)y.rank + 1, items, dims);
}

/* ---- its mask ---- */

/* K.reshape(mask, [-1, dims[2:]]): batch and steps in one. */
static cnnfi_kt fold_mask(cnnfi_kb *b, cnnfi_kt mask)
{
    cnnfi_kt shape = inner_shape(mask);
    return cnnfi_kb_reshape(b, "Reshape", mask, shape.rank, shape.dims);
}

/* Keras 2 hands a mask to a layer inside that asks for one. */
static bool asks_for_mask(const cnnfi_keras_layer *layer)
{
    static const char *const names[] = {
        "BatchNormalization",     "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU",
        "GlobalAveragePooling1D", "LSTM",          "RNN",        "SimpleRNN",  "Softmax",    "TimeDistributed"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(layer->class_name, names[i]) == 0) return true;
    return layer->inner != NULL;
}

/* Multi-backend Keras goes over a known batch by steps, and masks nothing there. */
static bool by_steps(const cnnfi_kc *kc)
{
    return !kc->b->tf && kc->inputs[0].dims[0] > 0;
}

/* any() of a mask over all but batch and steps */
static cnnfi_kt any_step(cnnfi_kb *b, cnnfi_kt mask)
{
    while (mask.rank > 2 && cnnfi_kb_ok(b))
        mask = cnnfi_kb_reduce_axis(b, "Any", "Any", mask, -1, false);
    return mask;
}

/* TimeDistributed.compute_mask(); given: what the layer inside got, inner: what it gave. */
static cnnfi_kt masked_output(cnnfi_kc *kc, cnnfi_kt y, const cnnfi_kt *given, const cnnfi_kt *inner, cnnfi_kt steps)
{
    cnnfi_kb *b = kc->b;
    const cnnfi_kt *mask = kc->inputs[0].mask;
    y.mask = mask;
    if (b->keras3 || by_steps(kc) || (!mask && !inner)) return y;
    cnnfi_kt again = mask ? fold_mask(b, *mask) : y;
    if (b->tf) cnnfi_kb_reserve(b, "Reshape");
    if (!inner) return cnnfi_kb_masked(b, y, any_step(b, *mask));
    return cnnfi_kb_masked(b, y, unfold_time(b, inner == given ? again : *inner, kc->inputs[0], steps));
}

/* What the layer inside gets for a mask: nothing in Keras 3 unless there is one for it alone; one that is folded if it
   asks for one; else, in Keras 2, one that it can only carry on. */
static cnnfi_kt with_inner_mask(cnnfi_kc *kc, cnnfi_kt folded)
{
    const cnnfi_kt *mask = kc->inputs[0].mask;
    folded.mask = NULL;
    if (!mask || by_steps(kc) || (kc->b->keras3 && mask->rank < 3)) return folded;
    return cnnfi_kb_masked(kc->b, folded, asks_for_mask(kc->layer->wrapped) ? fold_mask(kc->b, *mask) : *mask);
}

static void time_distributed(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = kc->inputs[0], steps = {.name = NULL}, *outputs;
    size_t n_outputs;
    if (!known_from(&x, 2)) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "the dimensions after the second must be known");
        return;
    }
    if (x.dims[1] < 0)
        steps = cnnfi_kb_slice(b, "strided_slice", cnnfi_kb_shape_of(b, "Shape", x), 1, 2, false, false, true);
    cnnfi_kt folded = fold_time(b, x);
    folded = with_inner_mask(kc, folded);
    const cnnfi_kt *given = folded.mask;
    const char *saved = b->scope;
    /* tf.keras calls the layer, multi-backend Keras its call() */
    if (b->tf) (void)cnnfi_kb_push(b, kc->layer->wrapped->name);
    cnnfi_kb_run(b, kc->layer->wrapped, NULL, 1, &folded, NULL, &n_outputs, &outputs);
    cnnfi_kb_pop(b, saved);
    if (!cnnfi_kb_ok(b)) return;
    if (n_outputs != 1 || outputs[0].rank >= CNNFI_KERAS_MAX_RANK || !known_from(&outputs[0], 1)) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "the layer inside must have one output of known size");
        return;
    }
    cnnfi_kt y = unfold_time(b, outputs[0], x, steps);
    cnnfi_kc_return(kc, masked_output(kc, y, given, outputs[0].mask, steps));
}

/* ---- Bidirectional ---- */

typedef struct directions {
    cnnfi_keras_layer layer[2]; /* forward, backward: each with its half of the weights */
} directions;

static const char *const prefixes[2] = {"forward_", "backward_"};

static cnnfi_kc direction(cnnfi_kc *kc, int i)
{
    directions *d = kc->state->extra;
    cnnfi_kc inner = *kc;
    inner.layer = &d->layer[i];
    inner.config = d->layer[i].config;
    inner.state = cnnfi_kb_state(kc->b, inner.layer);
    return inner;
}

/* "forward_lstm" of a layer, whether it is called that already (Keras 3) or not */
static const char *direction_name(cnnfi_kb *b, const char *name, int i)
{
    if (b->keras3 && cnnfi_starts_with(name, prefixes[i])) return name;
    return cnnfi_builder_printf(b->graph, "%s%s", prefixes[i], name);
}

/* One direction takes the weights that are left and says in its layer how many are its own. */
static void build_direction(cnnfi_kc *kc, int i, const cnnfi_keras_layer *layer)
{
    cnnfi_kb *b = kc->b;
    directions *d = kc->state->extra;
    size_t used = kc->state->used_weights;
    d->layer[i] = *layer;
    d->layer[i].state = NULL;
    d->layer[i].name = layer == kc->layer->backward ? layer->name : direction_name(b, layer->name, i);
    d->layer[i].n_weights = kc->layer->n_weights - used;
    d->layer[i].weights = d->layer[i].n_weights ? kc->layer->weights + used : NULL;
    cnnfi_kc inner = direction(kc, i);
    if (!inner.state || !d->layer[i].name) return;
    inner.n_inputs = 1;
    const char *saved = cnnfi_kb_push(b, d->layer[i].name);
    cnnfi_keras_rnn_build(&inner);
    cnnfi_kb_pop(b, saved);
    d->layer[i].n_weights = inner.state->used_weights;
    kc->state->used_weights += inner.state->used_weights;
}

static void bidirectional_build(cnnfi_kc *kc)
{
    const cnnfi_keras_layer *wrapped = kc->layer->wrapped, *backward = kc->layer->backward;
    if (!wrapped || wrapped->inner || (backward && backward->inner)) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "it must wrap a recurrent layer");
        return;
    }
    kc->state->extra = cnnfi_builder_array(kc->b->graph, 1, sizeof(directions));
    if (!kc->state->extra) return;
    build_direction(kc, 0, wrapped);
    if (cnnfi_kb_ok(kc->b)) build_direction(kc, 1, backward ? backward : wrapped);
}

static cnnfi_kt merge(cnnfi_kc *kc, const char *mode, cnnfi_kt y, cnnfi_kt back)
{
    cnnfi_kb *b = kc->b;
    if (strcmp(mode, "concat") == 0) return cnnfi_kb_concat(b, "concat", 2, (const cnnfi_kt[]){y, back}, y.rank - 1);
    if (strcmp(mode, "sum") == 0) return cnnfi_kb_binary(b, "AddV2", "add", y, back);
    if (strcmp(mode, "mul") == 0) return cnnfi_kb_binary(b, "Mul", "mul", y, back);
    if (strcmp(mode, "ave") == 0)
        return cnnfi_kb_binary_const(b, "RealDiv", "truediv", cnnfi_kb_binary(b, "AddV2", "add", y, back), 2);
    cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "merge_mode '%s' is unknown", mode);
    return y;
}

/* One direction's outputs, in its own scope in tf.keras. Keras 2.4 and later set masked steps of sequences to zero. */
static cnnfi_kc run_direction(cnnfi_kc *kc, int i, size_t n_states)
{
    cnnfi_kc inner = direction(kc, i);
    cnnfi_kt *inputs = cnnfi_builder_array(kc->b->graph, 1 + n_states, sizeof *inputs);
    if (!inputs) return inner;
    inputs[0] = kc->inputs[0];
    for (size_t k = 0; k < n_states; k++)
        inputs[1 + k] = kc->inputs[1 + (size_t)i * n_states + k];
    inner.inputs = inputs;
    inner.n_inputs = 1 + n_states;
    const char *saved = kc->b->scope;
    if (kc->b->tf) (void)cnnfi_kb_push(kc->b, inner.layer->name);
    cnnfi_keras_rnn_call(&inner, i == 1 && !kc->layer->backward,
                         kc->b->tf && cnnfi_kc_bool(&inner, "return_sequences", false));
    cnnfi_kb_pop(kc->b, saved);
    return inner;
}

/* Bidirectional.compute_mask(); Keras 3 has none, so that the first output always keeps the mask. */
static void set_masks(const cnnfi_kc *kc, bool sequences, bool merged, cnnfi_kt *results)
{
    const cnnfi_kt *mask = kc->inputs[0].mask;
    results[0].mask = sequences || kc->b->keras3 ? mask : NULL;
    if (!merged) results[1].mask = sequences && !kc->b->keras3 ? mask : NULL;
}

static void bidirectional(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_keras_rnn_inputs(kc);
    size_t n_states = (kc->n_inputs - 1) / 2, n = 0;
    const cnnfi_json *mode = cnnfi_json_get(kc->config, "merge_mode");
    const bool merged = !cnnfi_json_is_null(mode);
    if (kc->n_inputs % 2 == 0) cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "it is called with %zu inputs", kc->n_inputs);
    if (!cnnfi_kb_ok(b)) return;
    cnnfi_kc forward = run_direction(kc, 0, n_states);
    if (!cnnfi_kb_ok(b)) return;
    cnnfi_kc backward = run_direction(kc, 1, n_states);
    cnnfi_kt *results = cnnfi_builder_array(b->graph, forward.n_outputs + backward.n_outputs + 2, sizeof *results);
    if (!results || !cnnfi_kb_ok(b)) return;
    cnnfi_kt y = forward.outputs[0], back = backward.outputs[0];
    const bool sequences = cnnfi_kc_bool(&forward, "return_sequences", false);
    if (sequences) back = cnnfi_kb_reverse(b, back, 1);
    results[n++] = merged ? merge(kc, cnnfi_json_string(mode, "concat"), y, back) : y;
    if (!merged) results[n++] = back;
    for (size_t i = 1; i < forward.n_outputs; i++)
        results[n++] = forward.outputs[i];
    for (size_t i = 1; i < backward.n_outputs; i++)
        results[n++] = backward.outputs[i];
    set_masks(kc, sequences, merged, results);
    if (cnnfi_kb_ok(b)) cnnfi_kc_return_n(kc, n, results);
}

static const cnnfi_keras_row rows[] = {
    {"Bidirectional", "layer backward_layer merge_mode", "the forward layer's, then the backward layer's",
     CNNFI_KERAS_VERIFIED, 3, 6, 1, 257, bidirectional_build, bidirectional, NULL},
    {"TimeDistributed", "layer", "the layer's", CNNFI_KERAS_VERIFIED, 3, 8, 1, 1, time_distributed_build,
     time_distributed, NULL},
};

const cnnfi_keras_family cnnfi_keras_wrappers = {"Wrappers", rows, sizeof rows / sizeof rows[0]};
