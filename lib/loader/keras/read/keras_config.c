/* SPDX-License-Identifier: Apache-2.0 */
/* model_config of every Keras -> containers, layers, calls. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/strmap.h"
#include "loader/keras/read/keras_legacy.h"
#include "loader/layer_map.h"
#include "loader/keras/read/keras_read.h"

typedef struct reader {
    cnnfi_keras_model *model;
    cnnfi_json_doc *doc;
    const cnnf_load_options *options;
    cnnf_error *error;
    size_t n_layers; /* of all containers, against the limit */
} reader;

static cnnf_status read_container(reader *r, cnnfi_keras_container *container, const char *name,
                                  const cnnfi_json *config);

#define FAIL(r, code, ...) fail_config((r), (code), __VA_ARGS__)
static cnnf_status fail_config(reader *r, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static cnnf_status fail_config(reader *r, cnnf_status code, const char *format, ...)
{
    char what[800];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return cnnfi_fail(r->error, code, "%s: Keras config: %s", r->model->path, what);
}

static void *array(reader *r, size_t count, size_t size)
{
    return cnnfi_arena_array(&r->model->arena, count, size);
}

/* ---- what a class is ---- */

static bool is_model_class(const char *class_name)
{
    static const char *const names[] = {"Sequential", "Model", "Functional", "Network"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(class_name, names[i]) == 0) return true;
    return false;
}

/* Subclasses of Model keep the functional config. */
static bool is_functional_config(const cnnfi_json *config)
{
    return cnnfi_json_is_array(cnnfi_json_get(config, "layers")) && cnnfi_json_get(config, "input_layers") &&
           cnnfi_json_get(config, "output_layers");
}

static bool is_wrapper_class(const char *class_name)
{
    static const char *const names[] = {"Bidirectional",   "ClusterWeights",    "PruneLowMagnitude",
                                        "QuantizeWrapper", "QuantizeWrapperV2", "SpectralNormalization",
                                        "TimeDistributed"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(class_name, names[i]) == 0) return true;
    return false;
}

/* "Custom>MyReLU" is MyReLU too. */
static bool is_class(const char *class_name, const char *given)
{
    const char *package = strrchr(class_name, '>');
    return strcmp(class_name, given) == 0 || (package && strcmp(package + 1, given) == 0);
}

/* What --map_layer says of a class; NULL: nothing. */
static const char *map_of(const reader *r, const char *class_name)
{
    for (size_t i = 0; r->options && i < r->options->map_from.count; i++)
        if (is_class(class_name, r->options->map_from.names[i])) return r->options->map_to.names[i];
    return NULL;
}

/* A field as --map_layer wants it: a constant, or what the class' own field holds. */
static cnnf_status set_field(reader *r, const cnnfi_keras_layer *layer, const cnnfi_expression *field,
                             const cnnfi_json *own, cnnfi_json *config)
{
    cnnfi_strbuf text;
    const cnnfi_json *value = NULL;
    if (field->kind == CNNFI_EXPRESSION_NAME) {
        value = cnnfi_json_get(own, field->text);
        if (!value)
            return FAIL(r, CNNF_E_NOT_FOUND, "layer '%s': class '%s' has no field '%s' that '%s' could be made from",
                        layer->name, layer->stored_class, field->text, field->keyword);
    } else {
        cnnfi_strbuf_init(&text, r->model->context);
        if (cnnfi_expression_json(field, &text) && !text.failed) value = cnnfi_json_from_text(r->doc, text.data);
        cnnfi_strbuf_free(&text);
    }
    return value && cnnfi_json_set(r->doc, config, field->keyword, value) ? CNNF_OK : cnnfi_fail_nomem(r->error);
}

/* A map reads all fields from the configuration as it was, then sets them: a:b and b:a swap. */
static cnnf_status apply_map(reader *r, cnnfi_keras_layer *layer, const cnnfi_json *config)
{
    cnnfi_layer_map map;
    const char *text = map_of(r, layer->stored_class);
    layer->class_name = cnnfi_keras_class_alias(layer->stored_class);
    if (!text) return CNNF_OK;
    CNNFI_TRY(cnnfi_layer_map_read(&map, &r->model->arena, text, r->error));
    layer->class_name = map.class_name;
    if (!map.fields || !cnnfi_json_is_object(config)) return CNNF_OK;
    cnnfi_json *own = cnnfi_json_mut(r->doc, cnnfi_json_from_text(r->doc, "{}"));
    for (size_t i = 0; own && i < cnnfi_json_size(config); i++)
        if (!cnnfi_json_set(r->doc, own, cnnfi_json_key_at(config, i), cnnfi_json_value_at(config, i))) own = NULL;
    if (!own) return cnnfi_fail_nomem(r->error);
    for (const cnnfi_expression *field = map.fields; field; field = field->next)
        CNNFI_TRY(set_field(r, layer, field, own, cnnfi_json_mut(r->doc, config)));
    return CNNF_OK;
}

/* What --lambda says of a layer, or of its class. */
static cnnf_status read_lambda(reader *r, cnnfi_keras_layer *layer)
{
    const char *text = NULL;
    for (size_t i = 0; !text && r->options && i < r->options->lambdas.count; i++)
        if (strcmp(r->options->lambda_names.names[i], layer->name) == 0) text = r->options->lambdas.names[i];
    for (size_t i = 0; !text && r->options && i < r->options->lambdas.count; i++)
        if (is_class(layer->stored_class, r->options->lambda_names.names[i])) text = r->options->lambdas.names[i];
    if (!text) return CNNF_OK;
    layer->class_name = strcmp(layer->stored_class, "Lambda") == 0 ? "Lambda" : "Expression";
    return cnnfi_expression_parse(&layer->lambda, &r->model->arena, text, r->error);
}

static bool dropped(const reader *r, const char *name)
{
    for (size_t i = 0; r->options && i < r->options->drop_layers.count; i++)
        if (strcmp(r->options->drop_layers.names[i], name) == 0) return true;
    return false;
}

/* .keras files name the module ("keras.src.ops.numpy"); in an H5 only a layer says whether it is trainable, or has a
   dtype while it is known as a layer ("SpatialDropout1D"; "ZerosLike" has one too). */
static bool is_operation(const reader *r, const cnnfi_json *object, const cnnfi_json *config)
{
    const char *module = cnnfi_json_string(cnnfi_json_get(object, "module"), NULL);
    if (module) return strstr(module, ".ops.") != NULL;
    const bool is_layer = cnnfi_keras_class_is_layer(cnnfi_json_string(cnnfi_json_get(object, "class_name"), ""));
    return r->model->world == CNNFI_KERAS_3 && cnnfi_json_is_object(config) && !cnnfi_json_get(config, "trainable") &&
           !(cnnfi_json_get(config, "dtype") && is_layer) && !cnnfi_json_get(config, "batch_shape") &&
           !cnnfi_json_get(config, "batch_input_shape") && !cnnfi_json_get(config, "layers");
}

/* ---- one layer, without its calls ---- */

static cnnf_status read_layer(reader *r, cnnfi_keras_layer *layer, const cnnfi_json *object);

/* A config that is a list is a Sequential of Keras 1 and 2.0-2.2.2. */
static cnnf_status read_parts(reader *r, cnnfi_keras_layer *layer, const cnnfi_json *config)
{
    if (is_model_class(layer->class_name) || is_functional_config(config)) {
        layer->inner = array(r, 1, sizeof *layer->inner);
        return layer->inner ? read_container(r, layer->inner, layer->name, config) : cnnfi_fail_nomem(r->error);
    }
    if (!is_wrapper_class(layer->class_name)) return CNNF_OK;
    layer->wrapped = array(r, 1, sizeof *layer->wrapped);
    if (!layer->wrapped) return cnnfi_fail_nomem(r->error);
    CNNFI_TRY(read_layer(r, layer->wrapped, cnnfi_json_get(config, "layer")));
    const cnnfi_json *backward = cnnfi_json_get(config, "backward_layer");
    if (!cnnfi_json_is_object(backward)) return CNNF_OK;
    layer->backward = array(r, 1, sizeof *layer->backward);
    return layer->backward ? read_layer(r, layer->backward, backward) : cnnfi_fail_nomem(r->error);
}

/* Members are read by position, which is slow in objects as large as nobody writes them. */
static cnnf_status check_fields(reader *r, const cnnfi_json *object)
{
    return cnnfi_check_limit(r->model->context, CNNF_LIMIT_ATTRS, cnnfi_json_size(object), "fields of a config",
                             r->error);
}

static cnnf_status name_layer(reader *r, cnnfi_keras_layer *layer, const cnnfi_json *object, const cnnfi_json *config)
{
    const char *name = cnnfi_json_string(cnnfi_json_get(object, "name"), NULL);
    if (!name) name = cnnfi_json_string(cnnfi_json_get(config, "name"), NULL);
    if (!name &&
        cnnfi_json_is_array(config)) /* a nested Sequential of Keras 1 is named after its first layer's config */
        name = cnnfi_json_string(cnnfi_json_get(cnnfi_json_at(config, 0), "name"), "sequential");
    if (!name || !name[0]) return FAIL(r, CNNF_E_CORRUPT, "a layer of class '%s' has no name", layer->stored_class);
    layer->name = name;
    return cnnfi_check_limit(r->model->context, CNNF_LIMIT_NAME_BYTES, strlen(name), "layer name", r->error);
}

static cnnf_status read_layer(reader *r, cnnfi_keras_layer *layer, const cnnfi_json *object)
{
    const cnnfi_json *config = cnnfi_json_get(object, "config");
    layer->stored_class = cnnfi_json_string(cnnfi_json_get(object, "class_name"), NULL);
    if (!layer->stored_class || !config || (!cnnfi_json_is_object(config) && !cnnfi_json_is_array(config)))
        return FAIL(r, CNNF_E_CORRUPT, "a layer has no class_name or no config");
    CNNFI_TRY(cnnfi_check_limit(r->model->context, CNNF_LIMIT_NODES, ++r->n_layers, "layers", r->error));
    CNNFI_TRY(name_layer(r, layer, object, config));
    if (cnnfi_json_is_object(config)) CNNFI_TRY(check_fields(r, config));
    CNNFI_TRY(apply_map(r, layer, config));
    layer->operation = is_operation(r, object, config);
    /* "Add" is a layer and an operation */
    if (layer->operation) layer->class_name = cnnfi_arena_printf(&r->model->arena, "ops.%s", layer->stored_class);
    if (!layer->class_name) return cnnfi_fail_nomem(r->error);
    layer->config = config;
    CNNFI_TRY(read_lambda(r, layer));
    layer->identity = dropped(r, layer->name);
    if (cnnfi_json_is_object(config) &&
        !cnnfi_keras_normalise_config(r->doc, layer->stored_class, layer->class_name, cnnfi_json_mut(r->doc, config)))
        return cnnfi_fail_nomem(r->error);
    if (r->model->keras_major == 0 && cnnfi_keras_is_keras1_config(config)) r->model->keras_major = 1;
    return layer->identity || layer->lambda ? CNNF_OK : read_parts(r, layer, config);
}

/* ---- calls ---- */

typedef struct scope {
    cnnfi_keras_container *container;
    cnnfi_strmap names; /* layer name -> index */
    const char *layer;  /* whose inbound nodes are being read; NULL: the model's outputs */
} scope;

/*
 * Whether a reference counts the calls of a nested model from 1: node 0 is then the one of its own making. Keras up to
 * 2 does everywhere. Keras 3 does among `output_layers` for a nested functional model alone (functional.py,
 * get_config(): kept_nodes = 1), while inbound nodes and nested Sequentials count from 0.
 */
static bool counts_from_one(const reader *r, const cnnfi_keras_layer *layer, bool is_end)
{
    if (!layer->inner) return false;
    return r->model->world != CNNFI_KERAS_3 || (is_end && !layer->inner->sequential);
}

static cnnf_status make_ref(reader *r, const scope *s, cnnfi_keras_ref *ref, const char *name, int64_t node,
                            int64_t tensor)
{
    const char *user = s->layer ? s->layer : "(outputs)";
    int64_t index = cnnfi_strmap_get(&s->names, name);
    if (index < 0)
        return FAIL(r, CNNF_E_CORRUPT, "layer '%s': inbound node names layer '%s', which does not exist", user, name);
    if (node < 0 || node > INT32_MAX || tensor < 0 || tensor > INT32_MAX)
        return FAIL(r, CNNF_E_CORRUPT, "layer '%s': inbound node of '%s' is out of range", user, name);
    *ref = (cnnfi_keras_ref){.layer = (int32_t)index, .node = (int32_t)node, .tensor = (int32_t)tensor};
    return CNNF_OK;
}

/* ["name", node, tensor] or ["name", node, tensor, {kwargs}]; Keras 0 and 1 may leave numbers out. */
static bool is_history(const cnnfi_json *v)
{
    return cnnfi_json_is_array(v) && cnnfi_json_is_string(cnnfi_json_at(v, 0)) &&
           (cnnfi_json_size(v) < 2 || cnnfi_json_is_int(cnnfi_json_at(v, 1)));
}

static cnnf_status read_history(reader *r, const scope *s, cnnfi_keras_ref *ref, const cnnfi_json *v)
{
    const char *name = cnnfi_json_string(cnnfi_json_at(v, 0), "");
    if (strcmp(name, "_CONSTANT_VALUE") == 0) { /* tf.keras: an argument that is no tensor of the model */
        *ref = (cnnfi_keras_ref){.layer = -1, .value = cnnfi_json_at(v, 2)};
        return CNNF_OK;
    }
    return make_ref(r, s, ref, name, cnnfi_json_int(cnnfi_json_at(v, 1), 0), cnnfi_json_int(cnnfi_json_at(v, 2), 0));
}

/* Keras 3: {"class_name": "__keras_tensor__", "config": {"keras_history": [name, node, tensor]}}; NULL when it is none.
 */
static const cnnfi_json *keras_tensor(const cnnfi_json *v)
{
    if (strcmp(cnnfi_json_string(cnnfi_json_get(v, "class_name"), ""), "__keras_tensor__") != 0) return NULL;
    return cnnfi_json_get(cnnfi_json_get(v, "config"), "keras_history");
}

/* Tensors of Keras 3 arguments and of kwargs, wherever they are written in one of the two ways. */
static const cnnfi_json *tensor_in(const scope *s, const cnnfi_json *v)
{
    const cnnfi_json *history = keras_tensor(v);
    if (history) return history;
    bool looks = is_history(v) && cnnfi_json_size(v) == 3 && cnnfi_json_is_int(cnnfi_json_at(v, 2));
    return looks && cnnfi_strmap_get(&s->names, cnnfi_json_string(cnnfi_json_at(v, 0), "")) >= 0 ? v : NULL;
}

/* An argument may be a list of tensors, or of lists: initial_state=[h, c]. */
#define LIST_DEPTH 3

static size_t count_tensors(const scope *s, const cnnfi_json *v, int depth)
{
    size_t n = 0;
    if (tensor_in(s, v)) return 1;
    for (size_t i = 0; cnnfi_json_is_array(v) && depth > 0 && i < cnnfi_json_size(v); i++)
        n += count_tensors(s, cnnfi_json_at(v, i), depth - 1);
    return n;
}

static cnnf_status read_named(reader *r, const scope *s, cnnfi_keras_call *call, const char *name, const cnnfi_json *v,
                              int depth)
{
    const cnnfi_json *history = tensor_in(s, v);
    if (history) {
        call->names[call->n_named] = name;
        return read_history(r, s, &call->named[call->n_named++], history);
    }
    for (size_t i = 0; cnnfi_json_is_array(v) && depth > 0 && i < cnnfi_json_size(v); i++)
        CNNFI_TRY(read_named(r, s, call, name, cnnfi_json_at(v, i), depth - 1));
    return CNNF_OK;
}

static cnnf_status read_kwargs(reader *r, const scope *s, cnnfi_keras_call *call, const cnnfi_json *kwargs)
{
    size_t n = 0;
    if (!cnnfi_json_is_object(kwargs) || cnnfi_json_size(kwargs) == 0) return CNNF_OK;
    CNNFI_TRY(check_fields(r, kwargs));
    call->kwargs = kwargs;
    for (size_t i = 0; i < cnnfi_json_size(kwargs); i++)
        n += count_tensors(s, cnnfi_json_value_at(kwargs, i), LIST_DEPTH);
    CNNFI_TRY(cnnfi_check_limit(r->model->context, CNNF_LIMIT_NODES, n, "arguments of a call", r->error));
    if (n == 0) return CNNF_OK;
    call->named = array(r, n, sizeof *call->named);
    call->names = array(r, n, sizeof *call->names);
    if (!call->named || !call->names) return cnnfi_fail_nomem(r->error);
    for (size_t i = 0; i < cnnfi_json_size(kwargs); i++)
        CNNFI_TRY(read_named(r, s, call, cnnfi_json_key_at(kwargs, i), cnnfi_json_value_at(kwargs, i), LIST_DEPTH));
    return CNNF_OK;
}

/* Keras 3: args in order, lists of tensors flattened; what is no tensor stays as a value. */
static cnnf_status read_args(reader *r, const scope *s, cnnfi_keras_call *call, const cnnfi_json *args)
{
    size_t n = 0;
    for (size_t i = 0; i < cnnfi_json_size(args); i++)
        n += 1 + cnnfi_json_size(cnnfi_json_at(args, i));
    call->inputs = array(r, n, sizeof *call->inputs);
    if (!call->inputs) return cnnfi_fail_nomem(r->error);
    for (size_t i = 0; i < cnnfi_json_size(args); i++) {
        const cnnfi_json *arg = cnnfi_json_at(args, i), *history = keras_tensor(arg);
        bool list = cnnfi_json_is_array(arg) && keras_tensor(cnnfi_json_at(arg, 0));
        for (size_t k = 0; list && k < cnnfi_json_size(arg); k++) {
            const cnnfi_json *item = cnnfi_json_at(arg, k), *found = keras_tensor(item);
            if (!found) return FAIL(r, CNNF_E_UNSUPPORTED, "layer '%s': a list of tensors and constants", s->layer);
            CNNFI_TRY(read_history(r, s, &call->inputs[call->n_inputs++], found));
        }
        call->input_is_list = call->input_is_list || list;
        if (list) continue;
        if (history)
            CNNFI_TRY(read_history(r, s, &call->inputs[call->n_inputs++], history));
        else
            call->inputs[call->n_inputs++] = (cnnfi_keras_ref){.layer = -1, .value = arg};
    }
    return CNNF_OK;
}

/* Keras 1, 2 and tf.keras: a list of [name, node, tensor, kwargs], one such alone, or a dict of them. */
static cnnf_status read_node_data(reader *r, const scope *s, cnnfi_keras_call *call, const cnnfi_json *data)
{
    bool alone = is_history(data), dict = cnnfi_json_is_object(data);
    size_t n = alone ? 1 : cnnfi_json_size(data);
    if (dict) CNNFI_TRY(check_fields(r, data));
    call->input_is_list = n > 1;
    call->inputs = array(r, n, sizeof *call->inputs);
    if (!call->inputs) return cnnfi_fail_nomem(r->error);
    for (size_t i = 0; i < n; i++) {
        const cnnfi_json *item = alone ? data : dict ? cnnfi_json_value_at(data, i) : cnnfi_json_at(data, i);
        if (!is_history(item)) return FAIL(r, CNNF_E_CORRUPT, "layer '%s': inbound node %zu is malformed", s->layer, i);
        CNNFI_TRY(read_history(r, s, &call->inputs[call->n_inputs++], item));
        if (cnnfi_json_size(cnnfi_json_at(item, 3)) > 0) {
            call->n_named = 0;
            CNNFI_TRY(read_kwargs(r, s, call, cnnfi_json_at(item, 3)));
        }
    }
    return CNNF_OK;
}

static cnnf_status read_call(reader *r, const scope *s, cnnfi_keras_call *call, const cnnfi_json *data)
{
    const cnnfi_json *args = cnnfi_json_get(data, "args");
    if (!args) return read_node_data(r, s, call, data);
    CNNFI_TRY(read_args(r, s, call, args));
    return read_kwargs(r, s, call, cnnfi_json_get(data, "kwargs"));
}

static cnnf_status read_calls(reader *r, scope *s, cnnfi_keras_layer *layer, const cnnfi_json *nodes)
{
    size_t n = cnnfi_json_size(nodes);
    s->layer = layer->name;
    CNNFI_TRY(cnnfi_check_limit(r->model->context, CNNF_LIMIT_NODES, n, "inbound nodes", r->error));
    layer->calls = array(r, n ? n : 1, sizeof *layer->calls);
    if (!layer->calls) return cnnfi_fail_nomem(r->error);
    layer->n_calls = n;
    for (size_t i = 0; i < n; i++) {
        const cnnfi_json *data = cnnfi_json_at(nodes, i);
        CNNFI_TRY(read_call(r, s, &layer->calls[i], data));
        if (layer->calls[i].n_inputs == 0 && layer->calls[i].n_named == 0)
            return FAIL(r, CNNF_E_CORRUPT, "layer '%s': inbound node %zu has no inputs", layer->name, i);
    }
    if (n == 0 && strcmp(layer->class_name, "InputLayer") == 0) layer->n_calls = 1; /* its output is node 0 */
    return CNNF_OK;
}

/* ---- after all layers are known ---- */

/* Turns Keras' node numbers into indices of calls and checks them. */
static cnnf_status settle_ref(reader *r, const cnnfi_keras_container *c, const char *user, cnnfi_keras_ref *ref,
                              bool is_end)
{
    if (ref->layer < 0) return CNNF_OK;
    const cnnfi_keras_layer *layer = &c->layers[ref->layer];
    if (counts_from_one(r, layer, is_end) && ref->node > 0) ref->node--;
    if ((size_t)ref->node < layer->n_calls) return CNNF_OK;
    return FAIL(r, CNNF_E_CORRUPT, "layer '%s': inbound node %d of layer '%s' does not exist", user, ref->node,
                layer->name);
}

static cnnf_status settle_refs(reader *r, cnnfi_keras_container *c)
{
    for (size_t i = 0; i < c->n_layers; i++)
        for (size_t k = 0; k < c->layers[i].n_calls; k++) {
            cnnfi_keras_call *call = &c->layers[i].calls[k];
            for (size_t j = 0; j < call->n_inputs; j++)
                CNNFI_TRY(settle_ref(r, c, c->layers[i].name, &call->inputs[j], false));
            for (size_t j = 0; j < call->n_named; j++)
                CNNFI_TRY(settle_ref(r, c, c->layers[i].name, &call->named[j], false));
        }
    for (size_t i = 0; i < c->n_inputs; i++)
        CNNFI_TRY(settle_ref(r, c, "(inputs)", &c->inputs[i], true));
    for (size_t i = 0; i < c->n_outputs; i++)
        CNNFI_TRY(settle_ref(r, c, "(outputs)", &c->outputs[i], true));
    return CNNF_OK;
}

/* ---- cycles: a depth-first walk over calls, with its own stack ---- */

typedef struct visit {
    int32_t layer, call;
    size_t next; /* the input to follow next */
} visit;

typedef struct walk {
    const cnnfi_keras_container *container;
    size_t *first;  /* first[layer]: number of its call 0 */
    uint8_t *state; /* per call: 0 new, 1 open, 2 done */
    visit *stack;
    size_t depth;
} walk;

static const cnnfi_keras_ref *input_at(const cnnfi_keras_call *call, size_t index)
{
    if (index < call->n_inputs) return &call->inputs[index];
    return index - call->n_inputs < call->n_named ? &call->named[index - call->n_inputs] : NULL;
}

static void push(walk *w, int32_t layer, int32_t call)
{
    w->state[w->first[layer] + (size_t)call] = 1;
    w->stack[w->depth++] = (visit){.layer = layer, .call = call};
}

/* The layer that closes a cycle, or NULL. */
static const cnnfi_keras_layer *find_cycle(walk *w, int32_t layer, int32_t call)
{
    push(w, layer, call);
    while (w->depth > 0) {
        visit *top = &w->stack[w->depth - 1];
        const cnnfi_keras_layer *at = &w->container->layers[top->layer];
        const cnnfi_keras_ref *ref = input_at(&at->calls[top->call], top->next++);
        if (!ref) {
            w->state[w->first[top->layer] + (size_t)top->call] = 2;
            w->depth--;
        } else if (ref->layer >= 0) {
            uint8_t state = w->state[w->first[ref->layer] + (size_t)ref->node];
            if (state == 1) return at;
            if (state == 0) push(w, ref->layer, ref->node);
        }
    }
    return NULL;
}

static cnnf_status check_cycles(reader *r, const cnnfi_keras_container *c)
{
    size_t total = 0;
    walk w = {.container = c, .first = array(r, c->n_layers + 1, sizeof *w.first)};
    if (!w.first) return cnnfi_fail_nomem(r->error);
    for (size_t i = 0; i < c->n_layers; i++) {
        w.first[i] = total;
        total += c->layers[i].n_calls;
    }
    w.state = array(r, total + 1, sizeof *w.state);
    w.stack = array(r, total + 1, sizeof *w.stack);
    if (!w.state || !w.stack) return cnnfi_fail_nomem(r->error);
    for (size_t i = 0; i < c->n_layers; i++)
        for (size_t k = 0; k < c->layers[i].n_calls; k++) {
            if (w.state[w.first[i] + k]) continue;
            const cnnfi_keras_layer *bad = find_cycle(&w, (int32_t)i, (int32_t)k);
            if (bad) return FAIL(r, CNNF_E_CORRUPT, "layer '%s': its inbound nodes form a cycle", bad->name);
        }
    return CNNF_OK;
}

/* ---- containers ---- */

/* [["a", 0, 0], ...], Keras 3's ["a", 0, 0] for a single one, a dict of either. */
static cnnf_status read_ends(reader *r, const scope *s, const cnnfi_json *ends, cnnfi_keras_ref **out, size_t *count)
{
    bool alone = is_history(ends), dict = cnnfi_json_is_object(ends);
    *count = alone ? 1 : cnnfi_json_size(ends);
    if (dict) CNNFI_TRY(check_fields(r, ends));
    *out = array(r, *count, sizeof **out);
    if (!*out) return cnnfi_fail_nomem(r->error);
    for (size_t i = 0; i < *count; i++) {
        const cnnfi_json *item = alone ? ends : dict ? cnnfi_json_value_at(ends, i) : cnnfi_json_at(ends, i);
        if (!is_history(item)) return FAIL(r, CNNF_E_CORRUPT, "input_layers or output_layers are malformed");
        CNNFI_TRY(read_history(r, s, &(*out)[i], item));
    }
    return *count > 0 ? CNNF_OK : FAIL(r, CNNF_E_CORRUPT, "a model without inputs or outputs");
}

static cnnf_status index_layers(reader *r, scope *s)
{
    for (size_t i = 0; i < s->container->n_layers; i++) {
        const char *name = s->container->layers[i].name;
        if (cnnfi_strmap_get(&s->names, name) >= 0) return FAIL(r, CNNF_E_CORRUPT, "layer '%s' occurs twice", name);
        if (!cnnfi_strmap_set(&s->names, name, (int64_t)i)) return cnnfi_fail_nomem(r->error);
    }
    return CNNF_OK;
}

static cnnf_status connect_functional(reader *r, scope *s, const cnnfi_json *config, const cnnfi_json *layers)
{
    cnnfi_keras_container *c = s->container;
    CNNFI_TRY(index_layers(r, s));
    for (size_t i = 0; i < c->n_layers; i++)
        CNNFI_TRY(read_calls(r, s, &c->layers[i], cnnfi_json_get(cnnfi_json_at(layers, i), "inbound_nodes")));
    s->layer = NULL;
    CNNFI_TRY(read_ends(r, s, cnnfi_json_get(config, "input_layers"), &c->inputs, &c->n_inputs));
    CNNFI_TRY(read_ends(r, s, cnnfi_json_get(config, "output_layers"), &c->outputs, &c->n_outputs));
    CNNFI_TRY(settle_refs(r, c));
    return check_cycles(r, c);
}

static cnnf_status read_functional(reader *r, cnnfi_keras_container *c, const cnnfi_json *config)
{
    const cnnfi_json *layers = cnnfi_json_get(config, "layers");
    c->n_layers = cnnfi_json_size(layers);
    c->layers = array(r, c->n_layers, sizeof *c->layers);
    if (!c->layers) return cnnfi_fail_nomem(r->error);
    for (size_t i = 0; i < c->n_layers; i++)
        CNNFI_TRY(read_layer(r, &c->layers[i], cnnfi_json_at(layers, i)));
    scope s = {.container = c};
    cnnfi_strmap_init(&s.names, r->model->context);
    cnnf_status status = connect_functional(r, &s, config, layers);
    cnnfi_strmap_free(&s.names);
    return status;
}

/* The shape a Sequential without InputLayer begins with: its first layer's, or the first layer's of a nested model
 * there. */
static const cnnfi_json *first_shape(const cnnfi_keras_layer *layer, const char **dtype)
{
    while (layer->inner && layer->inner->n_layers > 0)
        layer = &layer->inner->layers[0];
    if (layer->wrapped && !cnnfi_json_get(layer->config, "batch_input_shape")) layer = layer->wrapped;
    *dtype = cnnfi_json_string(cnnfi_json_get(layer->config, "dtype"), "float32");
    if (strcmp(layer->class_name, "Embedding") == 0) *dtype = "float32";
    return cnnfi_json_get(layer->config, "batch_input_shape");
}

/* Keras 1 writes input_dim and input_length where no shape is given. *shape stays NULL when it did not. */
static cnnf_status dim_shape(reader *r, const cnnfi_keras_layer *layer, const cnnfi_json **shape)
{
    int64_t dim = cnnfi_json_int(cnnfi_json_get(layer->config, "input_dim"), -1);
    const cnnfi_json *length = cnnfi_json_get(layer->config, "input_length");
    char text[64];
    if (dim < 0) return CNNF_OK;
    if (strcmp(layer->class_name, "Embedding") == 0) {
        if (!cnnfi_json_is_int(length))
            snprintf(text, sizeof text, "[null,null]");
        else
            snprintf(text, sizeof text, "[null,%lld]", (long long)cnnfi_json_int(length, 0));
    } else {
        snprintf(text, sizeof text, "[null,%lld]", (long long)dim);
    }
    *shape = cnnfi_json_from_text(r->doc, text);
    return *shape ? CNNF_OK : cnnfi_fail_nomem(r->error);
}

/* What the caller said; a batch that was not given is unknown. *shape stays NULL where nothing was said. */
static cnnf_status given_shape(reader *r, const cnnfi_keras_layer *first, const cnnfi_json **shape)
{
    char text[256] = "[";
    const int32_t rank = r->options ? r->options->input_rank : 0;
    if (rank == 0) return CNNF_OK;
    while (first->inner && first->inner->n_layers > 1)
        first = &first->inner->layers[1]; /* behind its InputLayer */
    const bool batch = !cnnfi_keras_class_takes_rank(first->class_name, rank);
    size_t used = (size_t)snprintf(text, sizeof text, batch ? "[null" : "[");
    for (int32_t i = 0; i < rank && used < sizeof text; i++) {
        const int64_t dim = r->options->input_dims[i];
        const char *comma = i || batch ? "," : "";
        used += (size_t)(dim < 0 ? snprintf(text + used, sizeof text - used, "%snull", comma)
                                 : snprintf(text + used, sizeof text - used, "%s%lld", comma, (long long)dim));
    }
    if (used + 1 < sizeof text) snprintf(text + used, sizeof text - used, "]");
    *shape = cnnfi_json_from_text(r->doc, text);
    return *shape ? CNNF_OK : cnnfi_fail_nomem(r->error);
}

/* config of the InputLayer that Keras puts before `first`. A nested Sequential may leave its shape to its first call.
 */
static cnnf_status make_input(reader *r, cnnfi_keras_layer *input, const cnnfi_keras_layer *first,
                              const cnnfi_json *build_shape, bool nested)
{
    const char *dtype = "float32";
    const cnnfi_json *shape = first_shape(first, &dtype);
    if (!shape) shape = build_shape;
    if (!shape) CNNFI_TRY(dim_shape(r, first, &shape));
    if (!shape && !nested) CNNFI_TRY(given_shape(r, first, &shape));
    if (!cnnfi_json_is_array(shape) && !nested)
        return FAIL(r, CNNF_E_UNSUPPORTED,
                    "layer '%s' begins a Sequential and no input shape is known: give it with --input_shape",
                    first->name);
    char *text = cnnfi_arena_printf(&r->model->arena, "{\"dtype\":\"%s\",\"sparse\":false}", dtype);
    cnnfi_json *config = text ? cnnfi_json_mut(r->doc, cnnfi_json_from_text(r->doc, text)) : NULL;
    input->class_name = input->stored_class = "InputLayer";
    input->name = cnnfi_arena_printf(&r->model->arena, "%s_input", first->name);
    input->config = config;
    if (!config || !input->name) return cnnfi_fail_nomem(r->error);
    if (shape && !cnnfi_json_set(r->doc, config, "batch_input_shape", shape)) return cnnfi_fail_nomem(r->error);
    return CNNF_OK;
}

/* A chain: each layer is called once, on the one before it. */
static cnnf_status chain(reader *r, cnnfi_keras_container *c)
{
    for (size_t i = 0; i < c->n_layers; i++) {
        cnnfi_keras_call *call = array(r, 1, sizeof *call);
        cnnfi_keras_ref *ref = array(r, 1, sizeof *ref);
        if (!call || !ref) return cnnfi_fail_nomem(r->error);
        c->layers[i].calls = call;
        c->layers[i].n_calls = 1;
        if (i == 0) continue;
        ref->layer = (int32_t)(i - 1);
        call->inputs = ref;
        call->n_inputs = 1;
    }
    c->inputs = array(r, 1, sizeof *c->inputs);
    c->outputs = array(r, 1, sizeof *c->outputs);
    if (!c->inputs || !c->outputs) return cnnfi_fail_nomem(r->error);
    c->n_inputs = c->n_outputs = 1;
    c->outputs[0].layer = (int32_t)(c->n_layers - 1);
    return CNNF_OK;
}

static cnnf_status read_sequential(reader *r, cnnfi_keras_container *c, const cnnfi_json *config)
{
    const cnnfi_json *layers = cnnfi_json_is_array(config) ? config : cnnfi_json_get(config, "layers");
    size_t n = cnnfi_json_size(layers);
    c->sequential = true;
    if (n == 0) return FAIL(r, CNNF_E_CORRUPT, "model '%s' has no layers", c->name);
    c->layers = array(r, n + 1, sizeof *c->layers);
    if (!c->layers) return cnnfi_fail_nomem(r->error);
    CNNFI_TRY(read_layer(r, &c->layers[1], cnnfi_json_at(layers, 0)));
    size_t skip = strcmp(c->layers[1].class_name, "InputLayer") == 0 ? 1 : 0;
    if (skip)
        c->layers[0] = c->layers[1];
    else
        CNNFI_TRY(make_input(r, &c->layers[0], &c->layers[1], cnnfi_json_get(config, "build_input_shape"),
                             c != r->model->top));
    for (size_t i = 1; i < n; i++)
        CNNFI_TRY(read_layer(r, &c->layers[i + 1 - skip], cnnfi_json_at(layers, i)));
    c->n_layers = n + 1 - skip;
    return chain(r, c);
}

static cnnf_status read_container(reader *r, cnnfi_keras_container *container, const char *name,
                                  const cnnfi_json *config)
{
    container->name = name;
    return is_functional_config(config) ? read_functional(r, container, config) : read_sequential(r, container, config);
}

cnnf_status cnnfi_keras_read_config(cnnfi_keras_model *model, cnnfi_json_doc *doc, const cnnf_load_options *options,
                                    cnnf_error *error)
{
    reader r = {.model = model, .doc = doc, .options = options, .error = error};
    const cnnfi_json *root = cnnfi_json_root(doc), *config = cnnfi_json_get(root, "config");
    const char *class_name = cnnfi_json_string(cnnfi_json_get(root, "class_name"), NULL);
    if (!class_name || !config) return FAIL(&r, CNNF_E_CORRUPT, "no class_name or no config");
    const char *mapped = map_of(&r, class_name);
    if (!is_model_class(mapped ? mapped : class_name) && !is_functional_config(config))
        return FAIL(
            &r, CNNF_E_UNSUPPORTED,
            "a model of class '%s' is built by Python code; only Sequential and functional models hold their layers",
            class_name);
    model->top = array(&r, 1, sizeof *model->top);
    if (!model->top) return cnnfi_fail_nomem(error);
    const char *name = cnnfi_json_string(cnnfi_json_get(config, "name"), "model");
    return read_container(&r, model->top, name, config);
}

/* ---- version ---- */

/* tf.keras' InputLayer says whether it is ragged; multi-backend Keras has never heard of it. */
static bool mentions_ragged(const cnnfi_json *config)
{
    const cnnfi_json *inner = cnnfi_json_get(config, "config");
    const cnnfi_json *layers = cnnfi_json_is_array(inner) ? inner : cnnfi_json_get(inner, "layers");
    for (size_t i = 0; i < cnnfi_json_size(layers); i++)
        if (cnnfi_json_get(cnnfi_json_get(cnnfi_json_at(layers, i), "config"), "ragged")) return true;
    return false;
}

/* "2.2.4-tf" and everything from 2.4 on is tf.keras; up to 2.3.1 without the suffix it is multi-backend. */
static cnnfi_keras_world world_of(const char *version, const cnnfi_json *config)
{
    int major = 0, minor = 0;
    if (sscanf(version, "%d.%d", &major, &minor) < 1) {
        bool functional = strcmp(cnnfi_json_string(cnnfi_json_get(config, "class_name"), ""), "Functional") == 0;
        return functional || mentions_ragged(config) ? CNNFI_KERAS_TF : CNNFI_KERAS_MULTI;
    }
    if (major >= 3) return CNNFI_KERAS_3;
    return strstr(version, "-tf") || (major == 2 && minor >= 4) ? CNNFI_KERAS_TF : CNNFI_KERAS_MULTI;
}

cnnf_status cnnfi_keras_set_version(cnnfi_keras_model *model, const char *version, const cnnfi_json *config,
                                    cnnf_error *error)
{
    model->keras_version = cnnfi_arena_strdup(&model->arena, version ? version : "");
    if (!model->keras_version) return cnnfi_fail_nomem(error);
    model->world = world_of(model->keras_version, config);
    char first = model->keras_version[0];
    model->keras_major = first >= '0' && first <= '9' ? first - '0' : 0;
    return CNNF_OK;
}

/* ---- for the readers of weights ---- */

cnnfi_keras_layer *cnnfi_keras_find_layer(cnnfi_keras_container *container, const char *name)
{
    for (size_t i = 0; i < container->n_layers; i++)
        if (strcmp(container->layers[i].name, name) == 0) return &container->layers[i];
    return NULL;
}

cnnf_dtype cnnfi_keras_weight_dtype(const cnnfi_keras_layer *layer)
{
    const char *name = cnnfi_json_string(cnnfi_json_get(layer->config, "dtype"), "float32");
    return strcmp(name, "float64") == 0 ? CNNF_DOUBLE : strcmp(name, "float16") == 0 ? CNNF_HALF : CNNF_FLOAT;
}
