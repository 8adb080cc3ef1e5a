/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/wrappers.py: TimeDistributed, Bidirectional. */
#include <string.h>

#include "base/str.h"
#include "loader/keras/layers/recurrent.h"
#include "graph/builder.h"

/* ---- TimeDistributed ---- */

/* x without its second dimension, as the layer inside sees it */
static cnnfi_keras_tensor inner_shape(cnnfi_keras_tensor x)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {-1};
    for (int32_t i = 2; i < x.rank; i++)
        dims[i - 1] = x.dims[i];
    return cnnfi_keras_tensor_shaped(x, x.rank - 1, dims);
}

/* The wrapper holds the weights; the layer inside is built in the wrapper's scope. A model inside has its own. */
static void time_distributed_build(cnnfi_layer_call *call)
{
    cnnfi_keras_layer *layer = call->layer->wrapped;
    if (!layer) {
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "it wraps no layer");
        return;
    }
    call->state->used_weights = call->layer->n_weights;
    if (layer->inner) return;
    layer->weights = call->layer->weights;
    layer->n_weights = call->layer->n_weights;
    const cnnfi_keras_row *row = cnnfi_keras_row_find(layer->class_name);
    cnnfi_keras_tensor x = inner_shape(call->inputs[0]);
    cnnfi_layer_call inner = {.b = call->b,
                              .layer = layer,
                              .state = cnnfi_build_state(call->b, layer),
                              .config = layer->config,
                              .n_inputs = 1,
                              .inputs = &x};
    if (!row || !inner.state) return; /* told when it is called */
    if (row->build && x.rank >= row->min_rank && x.rank <= row->max_rank) row->build(&inner);
    inner.state->built = true;
    if (cnnfi_build_ok(call->b) && inner.state->used_weights < layer->n_weights)
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "the file has %zu weights for this layer, its configuration makes %zu",
                         layer->n_weights, inner.state->used_weights);
}

static bool known_from(const cnnfi_keras_tensor *x, int32_t axis)
{
    for (int32_t i = axis; i < x->rank; i++)
        if (x->dims[i] < 0) return false;
    return true;
}

/* Reshape to [-1, dims[from:]] */
static cnnfi_keras_tensor fold_time(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor shape = inner_shape(x);
    return cnnfi_build_reshape(b, "Reshape", x, shape.rank, shape.dims);
}

/* Reshape to [-1, steps, dims[1:]] */
static cnnfi_keras_tensor unfold_time(cnnfi_keras_builder *b, cnnfi_keras_tensor y, cnnfi_keras_tensor x,
                                      cnnfi_keras_tensor steps)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {-1, x.dims[1]};
    cnnfi_keras_dim items[CNNFI_KERAS_MAX_RANK] = {cnnfi_keras_dim_of(-1), cnnfi_keras_dim_tensor(steps)};
    for (int32_t i = 1; i < y.rank; i++) {
        dims[i + 1] = y.dims[i];
        items[i + 1] = cnnfi_keras_dim_of(y.dims[i]);
    }
    if (!steps.name) return cnnfi_build_reshape(b, "Reshape", y, y.rank + 1, dims);
    return cnnfi_build_reshape_to(b, "Reshape", y, (size_t)y.rank + 1, items, dims);
}

/* ---- its mask ---- */

/* K.reshape(mask, [-1, dims[2:]]): batch and steps in one. */
static cnnfi_keras_tensor fold_mask(cnnfi_keras_builder *b, cnnfi_keras_tensor mask)
{
    cnnfi_keras_tensor shape = inner_shape(mask);
    return cnnfi_build_reshape(b, "Reshape", mask, shape.rank, shape.dims);
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
static bool by_steps(const cnnfi_layer_call *call)
{
    return !call->b->tf && call->inputs[0].dims[0] > 0;
}

/* any() of a mask over all but batch and steps */
static cnnfi_keras_tensor any_step(cnnfi_keras_builder *b, cnnfi_keras_tensor mask)
{
    while (mask.rank > 2 && cnnfi_build_ok(b))
        mask = cnnfi_build_reduce_axis(b, "Any", "Any", mask, -1, false);
    return mask;
}

/* TimeDistributed.compute_mask(); given: what the layer inside got, inner: what it gave. */
static cnnfi_keras_tensor masked_output(cnnfi_layer_call *call, cnnfi_keras_tensor y, const cnnfi_keras_tensor *given,
                                        const cnnfi_keras_tensor *inner, cnnfi_keras_tensor steps)
{
    cnnfi_keras_builder *b = call->b;
    const cnnfi_keras_tensor *mask = call->inputs[0].mask;
    y.mask = mask;
    if (b->keras3 || by_steps(call) || (!mask && !inner)) return y;
    cnnfi_keras_tensor again = mask ? fold_mask(b, *mask) : y;
    if (b->tf) cnnfi_build_reserve(b, "Reshape");
    if (!inner) return cnnfi_build_masked(b, y, any_step(b, *mask));
    return cnnfi_build_masked(b, y, unfold_time(b, inner == given ? again : *inner, call->inputs[0], steps));
}

/* What the layer inside gets for a mask: nothing in Keras 3 unless there is one for it alone; one that is folded if it
   asks for one; else, in Keras 2, one that it can only carry on. */
static cnnfi_keras_tensor with_inner_mask(cnnfi_layer_call *call, cnnfi_keras_tensor folded)
{
    const cnnfi_keras_tensor *mask = call->inputs[0].mask;
    folded.mask = NULL;
    if (!mask || by_steps(call) || (call->b->keras3 && mask->rank < 3)) return folded;
    return cnnfi_build_masked(call->b, folded, asks_for_mask(call->layer->wrapped) ? fold_mask(call->b, *mask) : *mask);
}

static void time_distributed(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], steps = {.name = NULL}, *outputs;
    size_t n_outputs;
    if (!known_from(&x, 2)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "the dimensions after the second must be known");
        return;
    }
    if (x.dims[1] < 0)
        steps = cnnfi_build_slice(b, "strided_slice", cnnfi_build_shape_of(b, "Shape", x), 1, 2, false, false, true);
    cnnfi_keras_tensor folded = fold_time(b, x);
    folded = with_inner_mask(call, folded);
    const cnnfi_keras_tensor *given = folded.mask;
    const char *saved = b->scope;
    /* tf.keras calls the layer, multi-backend Keras its call() */
    if (b->tf) (void)cnnfi_build_push(b, call->layer->wrapped->name);
    cnnfi_build_run(b, call->layer->wrapped, NULL, 1, &folded, NULL, &n_outputs, &outputs);
    cnnfi_build_pop(b, saved);
    if (!cnnfi_build_ok(b)) return;
    if (n_outputs != 1 || outputs[0].rank >= CNNFI_KERAS_MAX_RANK || !known_from(&outputs[0], 1)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "the layer inside must have one output of known size");
        return;
    }
    cnnfi_keras_tensor y = unfold_time(b, outputs[0], x, steps);
    cnnfi_layer_return(call, masked_output(call, y, given, outputs[0].mask, steps));
}

/* ---- Bidirectional ---- */

typedef struct directions {
    cnnfi_keras_layer layer[2]; /* forward, backward: each with its half of the weights */
} directions;

static const char *const prefixes[2] = {"forward_", "backward_"};

static cnnfi_layer_call direction(cnnfi_layer_call *call, int i)
{
    directions *d = call->state->extra;
    cnnfi_layer_call inner = *call;
    inner.layer = &d->layer[i];
    inner.config = d->layer[i].config;
    inner.state = cnnfi_build_state(call->b, inner.layer);
    return inner;
}

/* "forward_lstm" of a layer, whether it is called that already (Keras 3) or not */
static const char *direction_name(cnnfi_keras_builder *b, const char *name, int i)
{
    if (b->keras3 && cnnfi_starts_with(name, prefixes[i])) return name;
    return cnnfi_builder_printf(b->graph, "%s%s", prefixes[i], name);
}

/* One direction takes the weights that are left and says in its layer how many are its own. */
static void build_direction(cnnfi_layer_call *call, int i, const cnnfi_keras_layer *layer)
{
    cnnfi_keras_builder *b = call->b;
    directions *d = call->state->extra;
    size_t used = call->state->used_weights;
    d->layer[i] = *layer;
    d->layer[i].state = NULL;
    d->layer[i].name = layer == call->layer->backward ? layer->name : direction_name(b, layer->name, i);
    d->layer[i].n_weights = call->layer->n_weights - used;
    d->layer[i].weights = d->layer[i].n_weights ? call->layer->weights + used : NULL;
    cnnfi_layer_call inner = direction(call, i);
    if (!inner.state || !d->layer[i].name) return;
    inner.n_inputs = 1;
    const char *saved = cnnfi_build_push(b, d->layer[i].name);
    cnnfi_keras_rnn_build(&inner);
    cnnfi_build_pop(b, saved);
    d->layer[i].n_weights = inner.state->used_weights;
    call->state->used_weights += inner.state->used_weights;
}

static void bidirectional_build(cnnfi_layer_call *call)
{
    const cnnfi_keras_layer *wrapped = call->layer->wrapped, *backward = call->layer->backward;
    if (!wrapped || wrapped->inner || (backward && backward->inner)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "it must wrap a recurrent layer");
        return;
    }
    call->state->extra = cnnfi_builder_array(call->b->graph, 1, sizeof(directions));
    if (!call->state->extra) return;
    build_direction(call, 0, wrapped);
    if (cnnfi_build_ok(call->b)) build_direction(call, 1, backward ? backward : wrapped);
}

static cnnfi_keras_tensor merge(cnnfi_layer_call *call, const char *mode, cnnfi_keras_tensor y, cnnfi_keras_tensor back)
{
    cnnfi_keras_builder *b = call->b;
    if (strcmp(mode, "concat") == 0)
        return cnnfi_build_concat(b, "concat", 2, (const cnnfi_keras_tensor[]){y, back}, y.rank - 1);
    if (strcmp(mode, "sum") == 0) return cnnfi_build_binary(b, "AddV2", "add", y, back);
    if (strcmp(mode, "mul") == 0) return cnnfi_build_binary(b, "Mul", "mul", y, back);
    if (strcmp(mode, "ave") == 0)
        return cnnfi_build_binary_const(b, "RealDiv", "truediv", cnnfi_build_binary(b, "AddV2", "add", y, back), 2);
    cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "merge_mode '%s' is unknown", mode);
    return y;
}

/* One direction's outputs, in its own scope in tf.keras. Keras 2.4 and later set masked steps of sequences to zero. */
static cnnfi_layer_call run_direction(cnnfi_layer_call *call, int i, size_t n_states)
{
    cnnfi_layer_call inner = direction(call, i);
    cnnfi_keras_tensor *inputs = cnnfi_builder_array(call->b->graph, 1 + n_states, sizeof *inputs);
    if (!inputs) return inner;
    inputs[0] = call->inputs[0];
    for (size_t k = 0; k < n_states; k++)
        inputs[1 + k] = call->inputs[1 + (size_t)i * n_states + k];
    inner.inputs = inputs;
    inner.n_inputs = 1 + n_states;
    const char *saved = call->b->scope;
    if (call->b->tf) (void)cnnfi_build_push(call->b, inner.layer->name);
    cnnfi_keras_rnn_call(&inner, i == 1 && !call->layer->backward,
                         call->b->tf && cnnfi_layer_bool(&inner, "return_sequences", false));
    cnnfi_build_pop(call->b, saved);
    return inner;
}

/* Bidirectional.compute_mask(); Keras 3 has none, so that the first output always keeps the mask. */
static void set_masks(const cnnfi_layer_call *call, bool sequences, bool merged, cnnfi_keras_tensor *results)
{
    const cnnfi_keras_tensor *mask = call->inputs[0].mask;
    results[0].mask = sequences || call->b->keras3 ? mask : NULL;
    if (!merged) results[1].mask = sequences && !call->b->keras3 ? mask : NULL;
}

static void bidirectional(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_rnn_inputs(call);
    size_t n_states = (call->n_inputs - 1) / 2, n = 0;
    const cnnfi_json *mode = cnnfi_json_get(call->config, "merge_mode");
    const bool merged = !cnnfi_json_is_null(mode);
    if (call->n_inputs % 2 == 0)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "it is called with %zu inputs", call->n_inputs);
    if (!cnnfi_build_ok(b)) return;
    cnnfi_layer_call forward = run_direction(call, 0, n_states);
    if (!cnnfi_build_ok(b)) return;
    cnnfi_layer_call backward = run_direction(call, 1, n_states);
    cnnfi_keras_tensor *results =
        cnnfi_builder_array(b->graph, forward.n_outputs + backward.n_outputs + 2, sizeof *results);
    if (!results || !cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor y = forward.outputs[0], back = backward.outputs[0];
    const bool sequences = cnnfi_layer_bool(&forward, "return_sequences", false);
    if (sequences) back = cnnfi_build_reverse(b, back, 1);
    results[n++] = merged ? merge(call, cnnfi_json_string(mode, "concat"), y, back) : y;
    if (!merged) results[n++] = back;
    for (size_t i = 1; i < forward.n_outputs; i++)
        results[n++] = forward.outputs[i];
    for (size_t i = 1; i < backward.n_outputs; i++)
        results[n++] = backward.outputs[i];
    set_masks(call, sequences, merged, results);
    if (cnnfi_build_ok(b)) cnnfi_layer_return_n(call, n, results);
}

static const cnnfi_keras_row rows[] = {
    {"Bidirectional", "layer backward_layer merge_mode", "the forward layer's, then the backward layer's",
     CNNFI_KERAS_VERIFIED, 3, 6, 1, 257, bidirectional_build, bidirectional, NULL},
    {"TimeDistributed", "layer", "the layer's", CNNFI_KERAS_VERIFIED, 3, 8, 1, 1, time_distributed_build,
     time_distributed, NULL},
};

const cnnfi_keras_family cnnfi_keras_wrappers = {"Wrappers", rows, sizeof rows / sizeof rows[0]};
