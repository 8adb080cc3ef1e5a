/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantisation-aware training of tensorflow_model_optimization: QuantizeLayer and QuantizeWrapperV2 are the layer
 * inside between FakeQuant ops of the ranges it learned. ClusterWeights takes for each weight the nearest of its
 * centroids.
 */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/layers.h"

/* ---- FakeQuantWithMinMaxVars ---- */

typedef struct range {
    const char *quantizer; /* its name scope */
    cnnfi_keras_tensor min, max;
    int64_t bits;
    bool narrow;
} range;

static cnnfi_keras_tensor fake_quant(cnnfi_keras_builder *b, cnnfi_keras_tensor x, const range *r)
{
    const char *op = r->min.rank == 1 ? "FakeQuantWithMinMaxVarsPerChannel" : "FakeQuantWithMinMaxVars";
    const cnnfi_keras_tensor inputs[3] = {x, r->min, r->max};
    const char *saved = cnnfi_build_push(b, r->quantizer);
    cnnfi_keras_tensor y;
    cnnf_node *node = cnnfi_build_node(b, &y, op, op, 3, inputs);
    cnnfi_node_set_int(b->graph, node, "num_bits", r->bits);
    cnnfi_node_set_bool(b->graph, node, "narrow_range", r->narrow);
    cnnfi_build_pop(b, saved);
    y.variable = false;
    y.mask = x.mask;
    return cnnfi_keras_tensor_shaped(y, x.rank, x.dims);
}

/* The wrapper's next stored weight, whatever its shape. */
static void take_weight(cnnfi_layer_call *call, const char *name)
{
    const size_t at = call->state->used_weights;
    if (at >= call->layer->n_weights) {
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "weight '%s' is missing", name);
        return;
    }
    const cnnf_tensor *value = call->layer->weights[at].value;
    (void)cnnfi_layer_weight(call, name, cnnf_tensor_rank(value), cnnfi_tensor_dims(value), CNNFI_KERAS_INIT_ZEROS,
                             false);
}

static void take_range(cnnfi_layer_call *call, const char *name)
{
    const char *low = cnnfi_builder_printf(call->b->graph, "%s_min", name),
               *high = cnnfi_builder_printf(call->b->graph, "%s_max", name);
    if (low && high) {
        take_weight(call, low);
        take_weight(call, high);
    }
}

static range range_at(const cnnfi_layer_call *call, size_t index, const char *quantizer, int64_t bits, bool narrow)
{
    return (range){.quantizer = quantizer,
                   .min = cnnfi_layer_variable(call, index),
                   .max = cnnfi_layer_variable(call, index + 1),
                   .bits = bits,
                   .narrow = narrow};
}

/* ---- QuantizeLayer ---- */

static void quantize_layer_build(cnnfi_layer_call *call)
{
    if (!cnnfi_json_get(call->config, "quantizer") || cnnfi_json_is_null(cnnfi_json_get(call->config, "quantizer")))
        return;
    take_range(call, call->layer->name);
    take_weight(call, "optimizer_step");
}

static void quantize_layer(cnnfi_layer_call *call)
{
    static const char *const scopes[][2] = {{"AllValuesQuantizer", "AllValuesQuantize"},
                                            {"MovingAverageQuantizer", "MovingAvgQuantize"},
                                            {"LastValueQuantizer", "LastValueQuant"}};
    const char *class_name = NULL, *scope = NULL;
    const cnnfi_json *config = cnnfi_layer_serialized(cnnfi_json_get(call->config, "quantizer"), &class_name);
    if (!class_name) {
        cnnfi_layer_return_masked(call, call->inputs[0]);
        return;
    }
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        if (strcmp(scopes[i][0], class_name) == 0) scope = scopes[i][1];
    if (!scope || !config) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "quantizer '%s' is not supported", class_name);
        return;
    }
    const range r = range_at(call, 0, scope, cnnfi_json_int(cnnfi_json_get(config, "num_bits"), 8),
                             cnnfi_json_bool(cnnfi_json_get(config, "narrow_range"), false));
    cnnfi_layer_return(call, fake_quant(call->b, call->inputs[0], &r));
}

/* ---- QuantizeWrapperV2 ---- */

#define MAX_QUANTIZED 8

/* What the quantize_config says, and where the ranges are among the wrapper's variables. */
typedef struct plan {
    size_t n_weights; /* quantised weights of the layer: its first */
    const char *weights[MAX_QUANTIZED];
    bool transposed; /* kernels are turned before they are quantised */
    bool before, after, output;
    int64_t weight_bits, activation_bits;
    const cnnfi_json *activation; /* of the layer inside; NULL: its own */
} plan;

static bool in_list(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0) return true;
    return false;
}

/* QuantizeAwareActivation quantises what goes into some activations, and what comes out of others. */
static void plan_activation(cnnfi_layer_call *call, plan *p)
{
    static const char *const before[] = {"softmax", "sigmoid", "tanh", "gelu"}, *const after[] = {"linear", "relu",
                                                                                                  "swish", "gelu"};
    const char *class_name = NULL;
    const cnnfi_json *aware =
        cnnfi_layer_serialized(cnnfi_json_get(call->layer->wrapped->config, "activation"), &class_name);
    if (!aware || strcmp(class_name, "QuantizeAwareActivation") != 0) return;
    p->activation = cnnfi_json_get(aware, "activation");
    (void)cnnfi_layer_serialized(p->activation, &class_name);
    if (!class_name) class_name = "linear";
    if (strcmp(class_name, "NoOpActivation") == 0) {
        p->activation = cnnfi_json_from_text(call->b->model->documents[0], "\"linear\"");
        return;
    }
    p->before = in_list(class_name, before, sizeof before / sizeof *before);
    p->after = in_list(class_name, after, sizeof after / sizeof *after);
    if (!p->before && !p->after)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "activation '%s' is none that is quantised", class_name);
}

static bool is_known_config(const char *class_name)
{
    static const char *const known[] = {"Default8BitQuantizeConfig",
                                        "Default8BitConvQuantizeConfig",
                                        "Default8BitOutputQuantizeConfig",
                                        "Default8BitConvTransposeQuantizeConfig",
                                        "Default8BitActivationQuantizeConfig",
                                        "DefaultNBitQuantizeConfig",
                                        "DefaultNBitConvQuantizeConfig",
                                        "DefaultNBitOutputQuantizeConfig",
                                        "DefaultNBitConvTransposeQuantizeConfig",
                                        "DefaultNBitActivationQuantizeConfig",
                                        "NoOpQuantizeConfig"};
    return class_name && in_list(class_name, known, sizeof known / sizeof *known);
}

/* Default8BitActivationQuantizeConfig quantises what some activations give. */
static bool quantizes_output(cnnfi_layer_call *call, const char *class_name, const cnnfi_json *config)
{
    static const char *const outputs[] = {"linear", "relu", "swish", "gelu"};
    const char *activation = NULL;
    if (!strstr(class_name, "ActivationQuantizeConfig"))
        return cnnfi_json_bool(cnnfi_json_get(config, "quantize_output"), strstr(class_name, "OutputQuantize") != NULL);
    (void)cnnfi_layer_serialized(cnnfi_json_get(call->layer->wrapped->config, "activation"), &activation);
    return activation && in_list(activation, outputs, sizeof outputs / sizeof *outputs);
}

static bool read_plan(cnnfi_layer_call *call, plan *p)
{
    const char *class_name = NULL;
    const cnnfi_json *config = cnnfi_layer_serialized(cnnfi_json_get(call->config, "quantize_config"), &class_name);
    *p = (plan){.weight_bits = cnnfi_json_int(cnnfi_json_get(config, "num_bits_weight"), 8),
                .activation_bits = cnnfi_json_int(cnnfi_json_get(config, "num_bits_activation"), 8)};
    if (class_name && strstr(class_name, "Vitis")) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED,
                         "it is quantised for Vitis AI; give the float model (and quantize it with --for=vitis-ai)");
        return false;
    }
    if (!call->layer->wrapped || call->layer->wrapped->inner || !is_known_config(class_name)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED,
                         "quantize_config '%s' is a class of the user's own, whose code is never run; give the model "
                         "before quantize_apply()",
                         class_name ? class_name : "?");
        return false;
    }
    const cnnfi_json *attrs = cnnfi_json_get(config, "weight_attrs");
    p->n_weights = cnnfi_json_size(attrs);
    if (p->n_weights > MAX_QUANTIZED) cnnfi_layer_fail(call, CNNF_E_LIMIT, "more than %d weights", MAX_QUANTIZED);
    for (size_t i = 0; i < p->n_weights && i < MAX_QUANTIZED; i++)
        p->weights[i] = cnnfi_json_string(cnnfi_json_at(attrs, i), "weight");
    p->transposed = strstr(class_name, "ConvTranspose") != NULL;
    p->output = quantizes_output(call, class_name, config);
    plan_activation(call, p);
    return cnnfi_build_ok(call->b);
}

static bool ends_in(const char *name, const char *end)
{
    const size_t n = strcspn(name, ":"), m = strlen(end);
    return n >= m && strncmp(name + n - m, end, m) == 0;
}

static bool is_own(const cnnfi_keras_weight *w)
{
    return ends_in(w->name, "_min") || ends_in(w->name, "_max") || ends_in(w->name, "optimizer_step");
}

static bool is_quantized(const cnnfi_keras_weight *w, const plan *p)
{
    for (size_t i = 0; i < p->n_weights; i++)
        if (ends_in(w->name, p->weights[i])) return true;
    return false;
}

/* An H5 names them; a weight that is quantised is not where the layer had it. */
static void split_named(cnnfi_keras_layer *wrapper, cnnfi_keras_weight *own, size_t *n_own, const plan *p)
{
    cnnfi_keras_layer *layer = wrapper->wrapped;
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < wrapper->n_weights; i++) {
            const cnnfi_keras_weight *w = &wrapper->weights[i];
            if (!is_own(w) && is_quantized(w, p) == (pass == 0)) layer->weights[layer->n_weights++] = *w;
            if (is_own(w) && pass == 0) own[(*n_own)++] = *w;
        }
}

/*
 * A .keras holds the wrapper's own in order: what is trained, the quantised weights once more, the step, the ranges;
 * then the weights that stayed with the layer.
 */
static void split_counted(cnnfi_keras_layer *wrapper, cnnfi_keras_weight *own, size_t *n_own, const plan *p)
{
    cnnfi_keras_layer *layer = wrapper->wrapped;
    const size_t end = cnnfi_keras_own_weights(wrapper);
    const size_t behind = 1 + 2 * (p->n_weights + p->before + p->after + p->output);
    const size_t step = end > behind ? end - behind : 0;
    for (size_t i = step - (step < p->n_weights ? step : p->n_weights); i < step; i++)
        layer->weights[layer->n_weights++] = wrapper->weights[i];
    for (size_t i = step; i < end; i++)
        own[(*n_own)++] = wrapper->weights[i];
    for (size_t i = end; i < wrapper->n_weights; i++)
        layer->weights[layer->n_weights++] = wrapper->weights[i];
}

/* The layer inside ends linear: what becomes of that is the wrapper's business. */
static void hide_activation(cnnfi_layer_call *call, const cnnfi_json *activation)
{
    cnnfi_json_doc *doc = call->b->model->documents[0];
    cnnfi_json *config = cnnfi_json_mut(doc, call->layer->wrapped->config);
    const cnnfi_json *linear = cnnfi_json_from_text(doc, "\"linear\"");
    if (!linear || !cnnfi_json_set(doc, config, "quantized_activation", activation) ||
        !cnnfi_json_set(doc, config, "activation", linear))
        cnnfi_builder_fail(call->b->graph, CNNF_E_NOMEM, "out of memory");
}

static void wrapper_build(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_layer *wrapper = call->layer, *layer = wrapper->wrapped;
    size_t n_own = 0;
    plan *p = cnnfi_builder_array(b->graph, 1, sizeof *p);
    if (!p || !read_plan(call, p)) return;
    cnnfi_keras_weight *own = cnnfi_builder_array(b->graph, wrapper->n_weights + 1, sizeof *own);
    layer->weights = cnnfi_builder_array(b->graph, wrapper->n_weights + 1, sizeof *layer->weights);
    layer->n_weights = 0;
    if (!own || !layer->weights) return;
    (cnnfi_keras_has_names(wrapper) ? split_named : split_counted)(wrapper, own, &n_own, p);
    wrapper->weights = own;
    wrapper->n_weights = n_own;
    if (p->activation) hide_activation(call, p->activation);
    cnnfi_build_weights_of(b, layer, call->n_inputs, call->inputs);
    if (cnnfi_build_ok(b)) take_weight(call, "optimizer_step");
    for (size_t i = 0; i < p->n_weights; i++)
        take_range(call, p->weights[i]);
    if (p->before) take_range(call, "pre_activation");
    if (p->after) take_range(call, "post_activation");
    if (p->output) take_range(call, "output");
    call->state->extra = p;
}

/* Output channels last, as FakeQuant counts them. */
static cnnfi_keras_tensor turned(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    static const int32_t perm[] = {0, 1, 3, 2};
    return x.rank == 4 ? cnnfi_build_transpose(b, "transpose", x, perm) : x;
}

static void quantize_weights(cnnfi_layer_call *call, const plan *p, cnnfi_keras_state *inside)
{
    for (size_t i = 0; i < p->n_weights && i < inside->n_variables && cnnfi_build_ok(call->b); i++) {
        const range r = range_at(call, 1 + 2 * i, "LastValueQuant", p->weight_bits, true);
        cnnfi_keras_tensor w = inside->variables[i];
        if (p->transposed) w = turned(call->b, w);
        w = fake_quant(call->b, w, &r);
        inside->variables[i] = p->transposed ? turned(call->b, w) : w;
    }
}

static void wrapper_call(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_layer *layer = call->layer->wrapped;
    const plan *p = call->state->extra;
    cnnfi_keras_state *inside = layer ? cnnfi_build_state(b, layer) : NULL;
    if (!p || !inside) return;
    cnnfi_keras_tensor *plain = inside->variables, *outputs = NULL;
    size_t n_outputs = 0, next = 1 + 2 * p->n_weights;
    inside->variables = cnnfi_builder_array(b->graph, inside->n_variables + 1, sizeof *inside->variables);
    if (!inside->variables) return;
    if (inside->n_variables) memcpy(inside->variables, plain, inside->n_variables * sizeof *plain);
    quantize_weights(call, p, inside);
    cnnfi_build_run(b, layer, call->record, call->n_inputs, call->inputs, call->named, &n_outputs, &outputs);
    inside->variables = plain;
    if (!cnnfi_build_ok(b) || n_outputs == 0) return;
    cnnfi_keras_tensor y = outputs[0];
    const range before = range_at(call, next, "MovingAvgQuantize", p->activation_bits, false);
    if (p->before) y = fake_quant(b, y, &before);
    next += p->before ? 2 : 0;
    const cnnfi_keras_tensor *mask = y.mask;
    if (p->activation) y = cnnfi_layer_activate(call, p->activation, y);
    y.mask = mask;
    const range after = range_at(call, next, "MovingAvgQuantize", p->activation_bits, false);
    if (p->after || p->output) y = fake_quant(b, y, &after);
    if (!cnnfi_build_ok(b)) return;
    outputs[0] = y;
    cnnfi_layer_return_n(call, n_outputs, outputs);
}

/* ---- refused ---- */

static void refuse(cnnfi_layer_call *call)
{
    static const char *const reasons[][2] = {
        {"VitisQuantize", "it is a quantizer of Vitis AI; give the float model (and quantize it with --for=vitis-ai)"},
        {"QKeras",
         "layers of QKeras round weights and activations by quantizers that are not built; give the float model"},
        {"QuantizeAnnotate", "it only notes what is to be quantised; give the model before or after quantize_apply()"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(call->layer->class_name, reasons[i][0]) == 0)
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "%s", reasons[i][1]);
}

/* ---- ClusterWeights ---- */

static bool is_centroids(const cnnfi_keras_weight *w)
{
    return strstr(w->name, "cluster_centroids") != NULL;
}

/* Whether one of the centroids in own[] is of the weight with this name. */
static bool is_clustered(const cnnfi_keras_weight *w, const cnnfi_keras_weight *own, size_t n_own)
{
    static const char before[] = "cluster_centroids_";
    for (size_t k = 0; k < n_own; k++) {
        const char *of = strstr(own[k].name, before);
        const size_t n = of ? strcspn(of + sizeof before - 1, ":") : 0, m = strcspn(w->name, ":");
        if (n > 0 && m >= n && strncmp(w->name + m - n, of + sizeof before - 1, n) == 0) return true;
    }
    return false;
}

/* H5: weights, then centroids and indices of each clustered one, named after it. */
static void split_clusters_named(cnnfi_keras_layer *wrapper, cnnfi_keras_weight *own, size_t *n_own)
{
    cnnfi_keras_layer *layer = wrapper->wrapped;
    for (size_t i = 0; i < wrapper->n_weights; i++)
        if (is_centroids(&wrapper->weights[i])) own[(*n_own)++] = wrapper->weights[i];
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < wrapper->n_weights; i++) {
            const cnnfi_keras_weight *w = &wrapper->weights[i];
            if (is_centroids(w) || strstr(w->name, "pulling_indices")) continue;
            if (is_clustered(w, own, *n_own) == (pass == 0)) layer->weights[layer->n_weights++] = *w;
        }
}

/* .keras: a clustered weight, its centroids and indices; then the layer's others. false: it is none such. */
static bool split_clusters_counted(cnnfi_keras_layer *wrapper, cnnfi_keras_weight *own, size_t *n_own)
{
    cnnfi_keras_layer *layer = wrapper->wrapped;
    const size_t end = cnnfi_keras_own_weights(wrapper);
    size_t integers = 0;
    for (size_t i = 0; i < end; i++)
        integers += cnnf_tensor_dtype(wrapper->weights[i].value) == CNNF_INT64;
    const bool clustered = integers == 1 && end == 3;
    if (integers > 0 && !clustered) return false;
    if (clustered) layer->weights[layer->n_weights++] = wrapper->weights[0];
    if (clustered) own[(*n_own)++] = wrapper->weights[1];
    for (size_t i = clustered || end < wrapper->n_weights ? end : 0; i < wrapper->n_weights; i++)
        layer->weights[layer->n_weights++] = wrapper->weights[i];
    return true;
}

static void cluster_build(cnnfi_layer_call *call)
{
    cnnfi_keras_layer *wrapper = call->layer, *layer = wrapper->wrapped;
    cnnfi_keras_builder *b = call->b;
    size_t n_own = 0;
    cnnfi_keras_weight *own = cnnfi_builder_array(b->graph, wrapper->n_weights + 1, sizeof *own);
    cnnfi_keras_weight *inside = cnnfi_builder_array(b->graph, wrapper->n_weights + 1, sizeof *inside);
    bool known = layer && !layer->inner && !cnnfi_layer_bool(call, "preserve_sparsity", false) &&
                 !cnnfi_layer_bool(call, "cluster_per_channel", false);
    if (!own || !inside) return;
    if (known) layer->weights = inside;
    if (known) layer->n_weights = 0;
    if (known && cnnfi_keras_has_names(wrapper))
        split_clusters_named(wrapper, own, &n_own);
    else if (known)
        known = split_clusters_counted(wrapper, own, &n_own);
    if (!known) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED,
                         "its clusters are of a kind that is not supported; give the model after strip_clustering()");
        return;
    }
    wrapper->weights = own;
    wrapper->n_weights = n_own;
    cnnfi_build_weights_of(b, layer, call->n_inputs, call->inputs);
    for (size_t i = 0; i < n_own && cnnfi_build_ok(b); i++)
        take_weight(call, "cluster_centroids");
}

/* centroids[argmin(|w - centroids|)] */
static cnnfi_keras_tensor nearest(cnnfi_keras_builder *b, cnnfi_keras_tensor w, cnnfi_keras_tensor centroids)
{
    cnnfi_keras_tensor index, y;
    centroids = cnnfi_build_read(b, centroids);
    cnnfi_keras_tensor apart =
        cnnfi_build_binary(b, "Sub", "sub", cnnfi_build_expand_dims(b, "ExpandDims", w, w.rank), centroids);
    apart = cnnfi_build_unary(b, "Abs", "Abs", apart);
    const cnnfi_keras_tensor ends[2] = {apart, cnnfi_build_int(b, "ArgMin/dimension", w.rank)};
    cnnf_node *node = cnnfi_build_node_t(b, &index, "ArgMin", "ArgMin", 2, ends);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, "output_type", CNNF_INT64);
    index.dtype = CNNF_INT64;
    const cnnfi_keras_tensor inputs[3] = {centroids, cnnfi_keras_tensor_shaped(index, w.rank, w.dims),
                                          cnnfi_build_int(b, "GatherV2/axis", 0)};
    node = cnnfi_build_node(b, &y, "GatherV2", "GatherV2", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tparams", centroids.dtype);
    cnnfi_node_set_type(b->graph, node, "Tindices", CNNF_INT64);
    cnnfi_node_set_type(b->graph, node, "Taxis", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "batch_dims", 0);
    return cnnfi_keras_tensor_shaped(y, w.rank, w.dims);
}

static void cluster_call(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_layer *layer = call->layer->wrapped;
    cnnfi_keras_state *inside = cnnfi_build_state(b, layer);
    if (!inside) return;
    cnnfi_keras_tensor *plain = inside->variables, *outputs = NULL;
    size_t n_outputs = 0;
    inside->variables = cnnfi_builder_array(b->graph, inside->n_variables + 1, sizeof *inside->variables);
    if (!inside->variables) return;
    if (inside->n_variables) memcpy(inside->variables, plain, inside->n_variables * sizeof *plain);
    for (size_t i = 0; i < call->state->n_variables && i < inside->n_variables && cnnfi_build_ok(b); i++)
        inside->variables[i] = nearest(b, cnnfi_build_read(b, plain[i]), cnnfi_layer_variable(call, i));
    cnnfi_build_run(b, layer, call->record, call->n_inputs, call->inputs, call->named, &n_outputs, &outputs);
    inside->variables = plain;
    if (cnnfi_build_ok(b)) cnnfi_layer_return_n(call, n_outputs, outputs);
}

static const cnnfi_keras_row rows[] = {
    {"ClusterWeights", "layer", "the layer's, centroids", "tf.keras 2.15", 1, 8, 1, 64, cluster_build, cluster_call,
     NULL},
    {"QKeras", "", "", "", 0, 8, 0, 64, refuse, refuse, NULL},
    {"QuantizeAnnotate", "", "", "", 0, 8, 0, 64, refuse, refuse, NULL},
    {"QuantizeLayer", "quantizer", "min max", "tf.keras 2.15", 1, 8, 1, 1, quantize_layer_build, quantize_layer, NULL},
    {"QuantizeWrapper", "layer quantize_config", "the layer's, ranges", "", 1, 8, 1, 64, wrapper_build, wrapper_call,
     NULL},
    {"QuantizeWrapperV2", "layer quantize_config", "the layer's, ranges", "tf.keras 2.15", 1, 8, 1, 64, wrapper_build,
     wrapper_call, NULL},
    {"VitisQuantize", "", "", "", 0, 8, 0, 64, refuse, refuse, NULL},
};

const cnnfi_keras_family cnnfi_keras_quantize_wrappers = {"Quantisation-aware training", rows,
                                                          sizeof rows / sizeof rows[0]};
