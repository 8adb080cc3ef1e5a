/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a model's layers and calls in the order Keras does: Network.from_config() and run_internal_graph(). */
#include "loader/keras/build/keras_build.h"

#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "graph/builder.h"
#include "loader/keras/read/keras_read.h"
#include "ops/validate.h"

/* One pass over a container: the tensors each call gave. */
typedef struct outputs {
    size_t count;
    cnnfi_keras_tensor *tensors;
    bool done;
} outputs;

typedef struct run {
    cnnfi_keras_builder *b;
    const cnnfi_keras_container *container;
    outputs **values;                /* [layer][call] */
    struct cnnfi_keras_order *order; /* calls as they were made */
    size_t n_order, n_calls;
    bool replay; /* run_internal_graph() on other inputs */
} run;

static size_t call_count(const cnnfi_keras_layer *layer)
{
    return layer->n_calls ? layer->n_calls : 1; /* an InputLayer is its own first call */
}

static bool is_input(const cnnfi_keras_layer *layer)
{
    return strcmp(layer->class_name, "InputLayer") == 0;
}

cnnfi_keras_state *cnnfi_build_state(cnnfi_keras_builder *b, cnnfi_keras_layer *layer)
{
    if (!layer->state) layer->state = cnnfi_builder_array(b->graph, 1, sizeof *layer->state);
    return layer->state;
}

static bool run_init(run *r, cnnfi_keras_builder *b, const cnnfi_keras_container *container)
{
    *r = (run){.b = b, .container = container};
    r->values = cnnfi_builder_array(b->graph, container->n_layers ? container->n_layers : 1, sizeof *r->values);
    for (size_t i = 0; r->values && i < container->n_layers; i++) {
        size_t count = call_count(&container->layers[i]);
        r->n_calls += count;
        r->values[i] = cnnfi_builder_array(b->graph, count, sizeof *r->values[i]);
        if (!r->values[i]) return false;
    }
    r->order = cnnfi_builder_array(b->graph, r->n_calls ? r->n_calls : 1, sizeof *r->order);
    return r->order != NULL;
}

/* ---- tensors of earlier calls ---- */

/* What a reference names; NULL while it is not there. */
static const cnnfi_keras_tensor *tensor_at(const run *r, const cnnfi_keras_ref *ref)
{
    if (ref->layer < 0 || (size_t)ref->layer >= r->container->n_layers || ref->node < 0) return NULL;
    if ((size_t)ref->node >= call_count(&r->container->layers[ref->layer])) return NULL;
    const outputs *o = &r->values[ref->layer][ref->node];
    if (!o->done || ref->tensor < 0 || (size_t)ref->tensor >= o->count) return NULL;
    return &o->tensors[ref->tensor];
}

static bool all_there(const run *r, const cnnfi_keras_ref *refs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (refs[i].layer >= 0 && !tensor_at(r, &refs[i])) return false;
    }
    return true;
}

static bool ready(const run *r, const cnnfi_keras_call *call)
{
    return all_there(r, call->inputs, call->n_inputs) && all_there(r, call->named, call->n_named);
}

/* A constant leaves an empty place. */
static cnnfi_keras_tensor *gather(run *r, const cnnfi_keras_ref *refs, size_t n)
{
    cnnfi_keras_tensor *tensors = cnnfi_builder_array(r->b->graph, n ? n : 1, sizeof *tensors);
    for (size_t i = 0; tensors && i < n; i++) {
        const cnnfi_keras_tensor *t = tensor_at(r, &refs[i]);
        if (t) tensors[i] = *t;
    }
    return tensors;
}

static void set_outputs(run *r, size_t layer, size_t call, size_t count, cnnfi_keras_tensor *tensors)
{
    r->values[layer][call] = (outputs){.count = count, .tensors = tensors, .done = true};
    r->order[r->n_order++] = (struct cnnfi_keras_order){.layer = (int32_t)layer, .call = (int32_t)call};
}

/* ---- inputs ---- */

static cnnf_dtype input_dtype(const cnnfi_layer_call *call)
{
    static const struct {
        const char *name;
        cnnf_dtype dtype;
    } types[] = {{"float32", CNNF_FLOAT}, {"float64", CNNF_DOUBLE}, {"float16", CNNF_HALF}, {"int32", CNNF_INT32},
                 {"int64", CNNF_INT64},   {"uint8", CNNF_UINT8},    {"int8", CNNF_INT8},    {"bool", CNNF_BOOL}};
    const char *name = cnnfi_layer_string(call, "dtype", "float32");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name) == 0) return types[i].dtype;
    }
    cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "dtype '%s' is not supported for an input", name);
    return CNNF_FLOAT;
}

static void read_input_shape(cnnfi_layer_call *call, cnnfi_keras_tensor *t)
{
    const cnnfi_json *shape = cnnfi_json_get(call->config, "batch_input_shape");
    size_t rank = cnnfi_json_size(shape);
    if (!cnnfi_json_is_array(shape) || rank == 0 || rank > CNNFI_KERAS_MAX_RANK) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "batch_input_shape must have 1 to %d dimensions",
                         CNNFI_KERAS_MAX_RANK);
        return;
    }
    t->rank = (int32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        const cnnfi_json *dim = cnnfi_json_at(shape, i);
        t->dims[i] = cnnfi_json_is_null(dim) ? -1 : cnnfi_json_int(dim, -2);
        if (t->dims[i] < -1 || t->dims[i] > INT32_MAX) {
            cnnfi_layer_fail(call, CNNF_E_CORRUPT, "dimension %zu of batch_input_shape is no size", i);
        }
    }
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* TensorFlow's names are of fewer characters than Keras 3's: spaces and the like become "_", a first "_" gets an "l".
 */
static const char *scope_name(cnnfi_keras_builder *b, const char *name)
{
    char *clean = cnnfi_builder_array(b->graph, strlen(name) + 2, 1), *at = clean;
    if (!clean) return "";
    if (!is_word(*name) && *name != '.') *at++ = 'l';
    for (; *name; name++)
        *at++ = is_word(*name) || strchr("._-/>", *name) ? *name : '_';
    return clean;
}

static void add_input(run *r, size_t index)
{
    cnnfi_keras_layer *layer = &r->container->layers[index];
    cnnfi_keras_builder *b = r->b;
    cnnfi_layer_call call = {.b = b, .layer = layer, .config = layer->config};
    cnnfi_keras_tensor *t = cnnfi_builder_array(b->graph, 1, sizeof *t);
    cnnfi_keras_tensor shape = {.name = "", .dtype = input_dtype(&call)};
    if (cnnfi_layer_bool(&call, "sparse", false) || cnnfi_layer_bool(&call, "ragged", false)) {
        cnnfi_layer_fail(&call, CNNF_E_UNSUPPORTED, "sparse and ragged inputs are not supported");
    }
    read_input_shape(&call, &shape);
    if (!t || !cnnfi_build_ok(b)) return;
    cnnf_node *node = cnnfi_build_node(b, t, "Placeholder", scope_name(b, layer->name), 0, NULL);
    t->dtype = shape.dtype;
    *t = cnnfi_keras_tensor_shaped(*t, shape.rank, shape.dims);
    cnnfi_node_set_type(b->graph, node, "dtype", t->dtype);
    cnnfi_node_set_shape(b->graph, node, "shape", t->rank, t->dims);
    set_outputs(r, index, 0, 1, t);
}

/* ---- one call ---- */

static void check_inputs(const cnnfi_layer_call *call, const cnnfi_keras_row *row)
{
    if (call->n_inputs < row->min_inputs || call->n_inputs > row->max_inputs) {
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "it is called with %zu inputs", call->n_inputs);
        return;
    }
    int32_t rank = call->n_inputs ? call->inputs[0].rank : row->min_rank;
    if (rank >= row->min_rank && rank <= row->max_rank) return;
    if (row->min_rank == row->max_rank) {
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its input has %d dimensions, it takes %d", rank, row->min_rank);
    } else {
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its input has %d dimensions, it takes %d to %d", rank, row->min_rank,
                         row->max_rank);
    }
}

static const cnnfi_keras_row *row_of(const cnnfi_layer_call *call)
{
    const cnnfi_keras_row *row = cnnfi_keras_row_find(call->layer->class_name);
    if (!row) {
        cnnfi_layer_fail_config(call, CNNF_E_UNSUPPORTED,
                                "class '%s' is not supported; --map_layer %s=KNOWN_CLASS loads it as another class, "
                                "--drop_layer %s where it changes nothing at inference",
                                call->layer->class_name, call->layer->class_name, call->layer->name);
    }
    return row;
}

cnnfi_keras_layer *cnnfi_build_activation_layer(cnnfi_layer_call *call, const cnnfi_json *activation)
{
    const char *class_name = NULL;
    const cnnfi_json *config = cnnfi_layer_serialized(activation, &class_name);
    if (call->state->activation) return call->state->activation;
    const cnnfi_keras_row *row = config ? cnnfi_keras_row_find(class_name) : NULL;
    if (!row || row->max_inputs != 1 || strcmp(row->class_name, call->layer->class_name) == 0) return NULL;
    cnnfi_keras_layer *layer = cnnfi_builder_array(call->b->graph, 1, sizeof *layer);
    if (!layer) return NULL;
    *layer = (cnnfi_keras_layer){.class_name = class_name,
                                 .stored_class = class_name,
                                 .name = cnnfi_json_string(cnnfi_json_get(config, "name"), class_name),
                                 .config = config};
    if (call->layer->n_weights > call->state->used_weights) {
        layer->weights = call->layer->weights + call->state->used_weights;
        layer->n_weights = call->layer->n_weights - call->state->used_weights;
    }
    return call->state->activation = layer;
}

static void build_weights(cnnfi_layer_call *call, const cnnfi_keras_row *row)
{
    if (call->state->built) return;
    call->state->built = true;
    if (row->build) row->build(call);
    /* An activation that is a layer has the rest, and says itself when there is too much. */
    if (cnnfi_build_ok(call->b) && call->state->used_weights < call->layer->n_weights &&
        cnnfi_build_activation_layer(call, cnnfi_json_get(call->config, "activation")))
        return;
    if (cnnfi_build_ok(call->b) && call->state->used_weights < call->layer->n_weights) {
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "the file has %zu weights for this layer, its configuration makes %zu",
                         call->layer->n_weights, call->state->used_weights);
    }
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return false;
}

/* Layers whose call() casts integers to the compute dtype: tf.keras 2.15, and those that Keras 3 adds (its ops promote
   integers to float). Preprocessing layers cast by themselves; into any other layer integers go as they are. */
static bool casts_integers(const cnnfi_layer_call *call)
{
    static const char *const both[] = {"BatchNormalization", "Dense", "LayerNormalization", "LeakyReLU"};
    static const char *const keras3[] = {"EinsumDense",
                                         "GRU",
                                         "GlobalAveragePooling1D",
                                         "GlobalAveragePooling2D",
                                         "GlobalAveragePooling3D",
                                         "GroupNormalization",
                                         "LSTM",
                                         "SimpleRNN"};
    const char *name = call->layer->class_name;
    return is_one_of(name, both, sizeof both / sizeof *both) ||
           (call->b->keras3 && is_one_of(name, keras3, sizeof keras3 / sizeof *keras3));
}

static bool is_float(cnnf_dtype dtype)
{
    return dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
}

/* Layer.__call__ of tf.keras and Keras 3 casts floating inputs to the layer's compute dtype (_maybe_cast_inputs());
   layers around single ops and Lambda do not (autocast=False). */
static void cast_inputs(cnnfi_layer_call *call)
{
    static const char *const plain[] = {"Embedding", "Lambda", "TFOpLambda", "TensorFlowOpLayer"};
    const bool autocast =
        !call->layer->operation && !is_one_of(call->layer->class_name, plain, sizeof plain / sizeof *plain);
    const cnnf_dtype to = cnnfi_keras_weight_dtype(call->layer);
    cnnfi_keras_tensor *cast = NULL;
    for (size_t i = 0; call->b->tf && autocast && i < call->n_inputs && cnnfi_build_ok(call->b); i++) {
        const cnnfi_keras_tensor *x = &call->inputs[i];
        if (!x->name || x->dtype == to || !(is_float(x->dtype) || casts_integers(call))) continue;
        if (!cast) {
            cast = cnnfi_builder_array(call->b->graph, call->n_inputs, sizeof *cast);
            if (!cast) return;
            memcpy(cast, call->inputs, call->n_inputs * sizeof *cast);
            call->inputs = cast;
        }
        const cnnfi_keras_tensor *mask = x->mask;
        cast[i] = cnnfi_build_cast(call->b, "Cast", *x, to);
        cast[i].mask = mask;
    }
}

static void run_row(cnnfi_layer_call *call)
{
    const cnnfi_keras_row *row = row_of(call);
    if (row) check_inputs(call, row);
    if (!cnnfi_build_ok(call->b)) return;
    cast_inputs(call);
    build_weights(call, row);
    if (!cnnfi_build_ok(call->b)) return;
    if (call->b->tf && row->call_tf)
        row->call_tf(call);
    else
        row->call(call);
}

void cnnfi_build_weights_of(cnnfi_keras_builder *b, cnnfi_keras_layer *layer, size_t n,
                            const cnnfi_keras_tensor *inputs)
{
    cnnfi_layer_call call = {.b = b,
                             .layer = layer,
                             .state = cnnfi_build_state(b, layer),
                             .config = layer->config,
                             .n_inputs = n,
                             .inputs = inputs};
    const cnnfi_keras_row *row = call.state ? row_of(&call) : NULL;
    if (row) check_inputs(&call, row);
    if (row && cnnfi_build_ok(b)) build_weights(&call, row);
}

/* Keras 3 hands a mask over as an argument, or several as a list. */
static const cnnfi_keras_tensor *with_mask(cnnfi_keras_builder *b, const cnnfi_keras_call *call,
                                           const cnnfi_keras_tensor *named, size_t n, const cnnfi_keras_tensor *inputs)
{
    cnnfi_keras_tensor *masked = NULL;
    for (size_t i = 0, k = 0; call && k < n && i < call->n_named; i++) {
        if (strcmp(call->names[i], "mask") != 0) continue;
        if (!masked) {
            masked = cnnfi_builder_array(b->graph, n, sizeof *masked);
            if (!masked) break;
            memcpy(masked, inputs, n * sizeof *masked);
        }
        masked[k++].mask = named[i].name ? &named[i] : NULL;
    }
    return masked ? masked : inputs;
}

static void run_container(cnnfi_keras_builder *b, cnnfi_keras_layer *layer, size_t n, const cnnfi_keras_tensor *inputs,
                          size_t *n_outputs, cnnfi_keras_tensor **tensors);

void cnnfi_build_run(cnnfi_keras_builder *b, cnnfi_keras_layer *layer, const cnnfi_keras_call *record, size_t n,
                     const cnnfi_keras_tensor *inputs, const cnnfi_keras_tensor *named, size_t *n_outputs,
                     cnnfi_keras_tensor **tensors)
{
    *n_outputs = 0;
    *tensors = NULL;
    cnnfi_layer_call call = {.b = b,
                             .layer = layer,
                             .state = cnnfi_build_state(b, layer),
                             .config = layer->config,
                             .record = record,
                             .n_inputs = n,
                             .inputs = inputs,
                             .named = named};
    if (!call.state || !cnnfi_build_ok(b)) return;
    call.inputs = with_mask(b, record, named, n, inputs);
    if (layer->identity)
        cnnfi_layer_return_n(&call, n, inputs);
    else if (layer->inner)
        run_container(b, layer, n, inputs, &call.n_outputs, &call.outputs);
    else
        run_row(&call);
    *n_outputs = call.n_outputs;
    *tensors = call.outputs;
}

void cnnfi_layer_return_n(cnnfi_layer_call *call, size_t n, const cnnfi_keras_tensor *tensors)
{
    call->outputs = cnnfi_builder_array(call->b->graph, n ? n : 1, sizeof *call->outputs);
    if (!call->outputs) return;
    if (n) memcpy(call->outputs, tensors, n * sizeof *tensors);
    call->n_outputs = n;
}

void cnnfi_layer_return_masked(cnnfi_layer_call *call, cnnfi_keras_tensor y)
{
    y.mask = call->inputs[0].mask;
    cnnfi_layer_return_n(call, 1, &y);
}

void cnnfi_layer_return_masked3(cnnfi_layer_call *call, cnnfi_keras_tensor y)
{
    if (call->b->keras3) y.mask = call->inputs[0].mask;
    cnnfi_layer_return_n(call, 1, &y);
}

void cnnfi_layer_return(cnnfi_layer_call *call, cnnfi_keras_tensor y)
{
    cnnfi_layer_return_n(call, 1, &y);
}

/* Layer.__call__ copies what a layer gives back as it came; a multi-backend nested model does not go through it. */
static void copy_unmodified(cnnfi_keras_builder *b, const cnnfi_keras_layer *layer, size_t n,
                            const cnnfi_keras_tensor *inputs, size_t n_outputs, cnnfi_keras_tensor *tensors)
{
    for (size_t i = 0; i < n_outputs; i++) {
        bool same = false;
        for (size_t k = 0; k < n; k++)
            same = same || (inputs[k].name && strcmp(tensors[i].name, inputs[k].name) == 0);
        if (!same) continue;
        const char *saved = b->scope;
        const cnnfi_keras_tensor *mask = tensors[i].mask;
        if (b->tf) (void)cnnfi_build_push(b, scope_name(b, layer->name));
        tensors[i] = cnnfi_build_unary(b, "Identity", "Identity", tensors[i]);
        tensors[i].mask = mask;
        cnnfi_build_pop(b, saved);
    }
}

/* Sizes stay below 2^31, so that a layer's arithmetic on two of them cannot overflow. */
static void check_sizes(cnnfi_keras_builder *b, cnnfi_keras_layer *layer, size_t n, const cnnfi_keras_tensor *tensors)
{
    cnnfi_layer_call call = {.b = b, .layer = layer};
    for (size_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < tensors[i].rank; k++) {
            if (tensors[i].dims[k] <= INT32_MAX) continue;
            cnnfi_layer_fail(&call, CNNF_E_LIMIT, "dimension %d of its output would be %lld", k,
                             (long long)tensors[i].dims[k]);
        }
    }
}

static void run_call(run *r, size_t index, size_t call_index)
{
    cnnfi_keras_layer *layer = &r->container->layers[index];
    const cnnfi_keras_call *call = &layer->calls[call_index];
    size_t n = call->n_inputs, n_outputs;
    cnnfi_keras_tensor *inputs = gather(r, call->inputs, n), *named = gather(r, call->named, call->n_named), *tensors;
    const char *saved = cnnfi_build_push(r->b, scope_name(r->b, layer->name));
    cnnfi_build_run(r->b, layer, call, n, inputs, named, &n_outputs, &tensors);
    if (cnnfi_build_ok(r->b)) check_sizes(r->b, layer, n_outputs, tensors);
    if (cnnfi_build_ok(r->b) && (r->b->tf || !r->replay)) copy_unmodified(r->b, layer, n, inputs, n_outputs, tensors);
    cnnfi_build_pop(r->b, saved);
    if (cnnfi_build_ok(r->b)) set_outputs(r, index, call_index, n_outputs, tensors);
}

/* ---- a container's own graph ---- */

static void build_container(cnnfi_keras_builder *b, const cnnfi_keras_container *container, run *r);

/* Keras builds a nested model's own graph, from its own inputs, when it reads it: only its variables are used. */
static void build_inner(cnnfi_keras_builder *b, cnnfi_keras_layer *layer)
{
    cnnfi_keras_state *state = cnnfi_build_state(b, layer);
    run r;
    if (!state) return;
    b->ghost++;
    b->depth++;
    if ((uint64_t)b->depth > cnnfi_limit(b->context, CNNF_LIMIT_DEPTH)) {
        cnnfi_builder_fail(b->graph, CNNF_E_LIMIT, "%s: Keras: models are nested deeper than %llu", b->model->path,
                           (unsigned long long)cnnfi_limit(b->context, CNNF_LIMIT_DEPTH));
    }
    if (cnnfi_build_ok(b)) build_container(b, layer->inner, &r);
    b->depth--;
    b->ghost--;
    if (!cnnfi_build_ok(b)) return;
    state->order = r.order;
    state->n_order = r.n_order;
}

/* A Sequential that does not say its shape is built when it is called. */
static bool waits_for_call(const cnnfi_keras_layer *layer)
{
    const cnnfi_keras_container *c = layer->inner;
    return c && c->sequential && c->n_layers > 0 && is_input(&c->layers[0]) &&
           !cnnfi_json_get(c->layers[0].config, "batch_input_shape");
}

/* The shape and dtype it is called with become its input's. */
static void set_shape_of_call(cnnfi_keras_builder *b, cnnfi_keras_layer *layer, const cnnfi_keras_tensor *x)
{
    cnnfi_json_doc *doc = b->model->documents[0];
    cnnfi_json *config = cnnfi_json_mut(doc, layer->inner->layers[0].config);
    const char *text = "[null";
    for (int32_t i = 1; text && i < x->rank; i++)
        text = x->dims[i] < 0 ? cnnfi_builder_printf(b->graph, "%s,null", text)
                              : cnnfi_builder_printf(b->graph, "%s,%lld", text, (long long)x->dims[i]);
    text = text ? cnnfi_builder_printf(b->graph, "%s]", text) : NULL;
    const cnnfi_json *shape = text ? cnnfi_json_from_text(doc, text) : NULL;
    if (!shape || !cnnfi_json_set(doc, config, "batch_input_shape", shape))
        cnnfi_builder_fail(b->graph, CNNF_E_NOMEM, "out of memory");
}

static void make_layer(run *r, size_t index)
{
    cnnfi_keras_layer *layer = &r->container->layers[index];
    if (!cnnfi_build_ok(r->b)) return;
    if (is_input(layer))
        add_input(r, index);
    else if (layer->inner && !layer->identity && !waits_for_call(layer))
        build_inner(r->b, layer);
    else if (layer->wrapped && layer->wrapped->inner && !layer->identity && !waits_for_call(layer->wrapped))
        build_inner(r->b, layer->wrapped);
}

/* Calls of one layer, as far as their inputs are there; returns how many were made. */
static size_t advance(run *r, size_t index, size_t *next)
{
    const cnnfi_keras_layer *layer = &r->container->layers[index];
    size_t made = 0;
    while (!is_input(layer) && *next < layer->n_calls && cnnfi_build_ok(r->b) && ready(r, &layer->calls[*next])) {
        run_call(r, index, (*next)++);
        made++;
    }
    return made;
}

static void fail_unready(const run *r, const size_t *next)
{
    for (size_t i = 0; i < r->container->n_layers; i++) {
        const cnnfi_keras_layer *layer = &r->container->layers[i];
        if (is_input(layer) || next[i] >= layer->n_calls) continue;
        cnnfi_layer_call call = {.b = r->b, .layer = &r->container->layers[i]};
        cnnfi_layer_fail(&call, CNNF_E_CORRUPT, "its inputs are cyclic or come from a layer that does not exist");
        return;
    }
}

/* Layers in file order, again and again until every call found its inputs (Network.from_config). */
static void make_calls(run *r)
{
    size_t *next = cnnfi_builder_array(r->b->graph, r->container->n_layers + 1, sizeof *next);
    if (!next) return;
    uint64_t steps = 0, most = 64 * cnnfi_limit(r->b->context, CNNF_LIMIT_NODES);
    for (size_t made = 1; made && cnnfi_build_ok(r->b);) {
        made = 0;
        steps += r->container->n_layers;
        cnnfi_builder_spend(r->b->graph, r->container->n_layers);
        if (steps > most) { /* a chain written backwards needs a round for each layer */
            cnnfi_builder_fail(r->b->graph, CNNF_E_LIMIT, "%s: Keras: model '%s': its layers are in too bad an order",
                               r->b->model->path, r->container->name);
        }
        for (size_t i = 0; i < r->container->n_layers; i++)
            made += advance(r, i, &next[i]);
    }
    if (cnnfi_build_ok(r->b)) fail_unready(r, next);
}

typedef struct depth_entry {
    struct cnnfi_keras_order call;
    int64_t depth, rank;
} depth_entry;

/* run_internal_graph() goes by depth, deepest first; within a depth in the order _map_graph_network met the calls. */
static int by_depth(const void *a, const void *b)
{
    const depth_entry *p = a, *q = b;
    if (p->depth != q->depth) return p->depth > q->depth ? -1 : 1;
    return p->rank < q->rank ? -1 : p->rank > q->rank;
}

static void meet(depth_entry *e, int64_t depth, int64_t *met)
{
    if (e->rank < 0) e->rank = (*met)++;
    if (e->depth < depth) e->depth = depth;
}

static void sort_by_depth(run *r)
{
    const cnnfi_keras_container *c = r->container;
    cnnfi_builder *g = r->b->graph;
    size_t *base = cnnfi_builder_array(g, c->n_layers + 1, sizeof *base);
    depth_entry *entries = cnnfi_builder_array(g, r->n_calls + 1, sizeof *entries);
    int64_t *layer_depth = cnnfi_builder_array(g, c->n_layers + 1, sizeof *layer_depth), met = 0;
    if (!base || !entries || !layer_depth) return;
    for (size_t i = 0; i < c->n_layers; i++)
        base[i + 1] = base[i] + call_count(&c->layers[i]);
    for (size_t i = 0; i < r->n_calls; i++)
        entries[i].rank = -1;
    for (size_t k = r->n_order; k-- > 0;) {
        struct cnnfi_keras_order at = r->order[k];
        depth_entry *e = &entries[base[at.layer] + (size_t)at.call];
        e->call = at;
        meet(e, layer_depth[at.layer], &met);
        layer_depth[at.layer] = e->depth;
        if (is_input(&c->layers[at.layer])) continue;
        const cnnfi_keras_call *call = &c->layers[at.layer].calls[at.call];
        for (size_t i = 0; i < call->n_inputs + call->n_named; i++) {
            const cnnfi_keras_ref *ref = i < call->n_inputs ? &call->inputs[i] : &call->named[i - call->n_inputs];
            if (ref->layer >= 0) meet(&entries[base[ref->layer] + (size_t)ref->node], e->depth + 1, &met);
        }
    }
    qsort(entries, r->n_calls, sizeof *entries, by_depth);
    for (size_t k = 0; k < r->n_order; k++)
        r->order[k] = entries[k].call;
}

static void build_container(cnnfi_keras_builder *b, const cnnfi_keras_container *container, run *r)
{
    if (!run_init(r, b, container)) return;
    for (size_t i = 0; i < container->n_layers; i++) {
        size_t first = 0;
        make_layer(r, i);
        if (container->sequential) (void)advance(r, i, &first);
    }
    if (!container->sequential) make_calls(r);
    if (!cnnfi_build_ok(b)) return;
    if (r->n_order != r->n_calls) {
        cnnfi_builder_fail(b->graph, CNNF_E_CORRUPT, "%s: Keras: model '%s': a layer is called without its inputs",
                           b->model->path, container->name);
        return;
    }
    sort_by_depth(r);
}

/* ---- a nested model called on other tensors ---- */

static void feed(run *r, size_t n, const cnnfi_keras_tensor *inputs)
{
    const cnnfi_keras_container *c = r->container;
    for (size_t i = 0; i < c->n_inputs && i < n; i++) {
        const cnnfi_keras_ref *ref = &c->inputs[i];
        cnnfi_keras_tensor *t = cnnfi_builder_array(r->b->graph, 1, sizeof *t);
        if (!t || ref->layer < 0 || (size_t)ref->layer >= c->n_layers) return;
        *t = inputs[i];
        r->values[ref->layer][0] = (outputs){.count = 1, .tensors = t, .done = true};
    }
}

static void run_container(cnnfi_keras_builder *b, cnnfi_keras_layer *layer, size_t n, const cnnfi_keras_tensor *inputs,
                          size_t *n_outputs, cnnfi_keras_tensor **tensors)
{
    run r;
    cnnfi_layer_call call = {.b = b, .layer = layer};
    if (!layer->state->order && n == 1 && waits_for_call(layer)) set_shape_of_call(b, layer, &inputs[0]);
    if (!layer->state->order) build_inner(b, layer);
    if (n != layer->inner->n_inputs) cnnfi_layer_fail(&call, CNNF_E_CORRUPT, "the model is called with %zu inputs", n);
    if (!cnnfi_build_ok(b) || !run_init(&r, b, layer->inner)) return;
    r.replay = true;
    feed(&r, n, inputs);
    for (size_t k = 0; k < layer->state->n_order && cnnfi_build_ok(b); k++) {
        struct cnnfi_keras_order at = layer->state->order[k];
        /* multi-backend Keras calls input layers too, which gives back what it gets but takes a scope */
        if (is_input(&layer->inner->layers[at.layer])) {
            if (!b->tf) cnnfi_build_reserve(b, scope_name(b, layer->inner->layers[at.layer].name));
        } else {
            run_call(&r, (size_t)at.layer, (size_t)at.call);
        }
    }
    if (!cnnfi_build_ok(b)) return;
    if (!all_there(&r, layer->inner->outputs, layer->inner->n_outputs)) {
        cnnfi_layer_fail(&call, CNNF_E_CORRUPT, "an output of the model does not exist");
        return;
    }
    *tensors = gather(&r, layer->inner->outputs, layer->inner->n_outputs);
    *n_outputs = layer->inner->n_outputs;
}

/* ---- the whole model ---- */

static const char **io_names(run *r, const cnnfi_keras_ref *refs, size_t n, const char *what)
{
    const char **names = cnnfi_builder_array(r->b->graph, n + 1, sizeof *names);
    for (size_t i = 0; names && i < n; i++) {
        const cnnfi_keras_tensor *t = tensor_at(r, &refs[i]);
        if (!t) {
            cnnfi_builder_fail(r->b->graph, CNNF_E_CORRUPT, "%s: Keras: %s %zu of the model does not exist",
                               r->b->model->path, what, i);
            return NULL;
        }
        names[i] = t->name;
    }
    return names;
}

static void build_model(cnnfi_keras_builder *b, bool training_state)
{
    const cnnfi_keras_container *top = b->model->top;
    run r;
    build_container(b, top, &r);
    if (!cnnfi_build_ok(b)) return;
    const char **inputs = io_names(&r, top->inputs, top->n_inputs, "input");
    const char **names = inputs ? io_names(&r, top->outputs, top->n_outputs, "output") : NULL;
    if (training_state && cnnfi_build_ok(b)) cnnfi_keras_build_optimizer(b);
    if (names) cnnfi_builder_set_io(b->graph, inputs, top->n_inputs, names, top->n_outputs);
    /* TensorFlow 1.15's GraphDef version */
    cnnfi_builder_set_versions(b->graph, 134, 0);
    if (b->graph->graph) b->graph->graph->meta.reference_variables = !b->resource;
}

static void forget_states(cnnfi_keras_container *container)
{
    for (size_t i = 0; i < container->n_layers; i++) {
        cnnfi_keras_layer *layer = &container->layers[i];
        layer->state = NULL;
        if (layer->inner) forget_states(layer->inner);
        if (layer->wrapped) layer->wrapped->state = NULL;
        if (layer->backward) layer->backward->state = NULL;
        if (layer->wrapped && layer->wrapped->inner) forget_states(layer->wrapped->inner);
    }
}

cnnf_status cnnfi_keras_build(cnnf_graph **out, cnnfi_keras_model *model, int32_t variables, const char *suffix,
                              bool training_state, cnnf_error *error)
{
    *out = NULL;
    bool tf = model->world != CNNFI_KERAS_MULTI;
    cnnfi_keras_builder b = {.context = model->context,
                             .model = model,
                             .tf = tf,
                             .keras3 = model->world == CNNFI_KERAS_3,
                             .tf1 = model->tensorflow1,
                             .resource = variables == CNNF_VARIABLES_AUTO ? tf : variables == CNNF_VARIABLES_RESOURCE,
                             .suffix = suffix,
                             .scope = ""};
    CNNFI_TRY(cnnfi_builder_new(&b.graph, model->context, error));
    b.graph->budget = model->budget;
    cnnfi_strmap_init(&b.names, model->context);
    build_model(&b, training_state);
    cnnfi_strmap_free(&b.names);
    forget_states(model->top);
    CNNFI_TRY(cnnfi_builder_publish(out, b.graph, error));
    /* A graph whose types do not fit is worth nothing, whatever Keras would have said. */
    const cnnf_status status = cnnfi_graph_validate(*out, error);
    if (status == CNNF_OK) return CNNF_OK;
    cnnf_graph_unref(*out);
    *out = NULL;
    return cnnfi_error_prefix(error, status == CNNF_E_CORRUPT ? CNNF_E_UNSUPPORTED : status, "%s: Keras", model->path);
}
