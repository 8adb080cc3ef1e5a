/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.save_weights() in TensorFlow's format, beside a JSON architecture: an object-based checkpoint whose keys lead
 * from the model through its layers with weights, "layer_with_weights-2/cell/kernel/.ATTRIBUTES/VARIABLE_VALUE".
 */
#include <cnnfreeze/checkpoint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "loader/checkpoint/checkpoint_impl.h"
#include "loader/keras/read/keras_convert.h"
#include "loader/keras/read/keras_read.h"

#define LAYER "layer_with_weights-"
#define VALUE "/.ATTRIBUTES/VARIABLE_VALUE"

typedef struct reader {
    cnnfi_keras_model *model;
    cnnf_checkpoint *checkpoint;
    cnnf_error *error;
} reader;

/* One weight of a layer: its key's part behind the layer, "cell/kernel". */
typedef struct found {
    const char *local;
    size_t length;
    int64_t index; /* in the checkpoint */
} found;

/* ---- the order in which Keras counts a layer's weights; keys come in byte order ---- */

static size_t place_of(const char *part, size_t length)
{
    static const char *const order[] = {"forward_layer",
                                        "backward_layer",
                                        "layer",
                                        "cell",
                                        "_query_dense",
                                        "_key_dense",
                                        "_value_dense",
                                        "_output_dense",
                                        "embeddings",
                                        "alpha",
                                        "kernel",
                                        "depthwise_kernel",
                                        "pointwise_kernel",
                                        "recurrent_kernel",
                                        "bias",
                                        "gamma",
                                        "beta",
                                        "moving_mean",
                                        "moving_variance",
                                        "mean",
                                        "variance",
                                        "count"};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (strlen(order[i]) == length && memcmp(order[i], part, length) == 0) return i;
    }
    return sizeof order / sizeof *order;
}

static int compare_found(const void *a, const void *b)
{
    const found *x = a, *y = b;
    const char *p = x->local, *q = y->local;
    for (;;) {
        const size_t n = strcspn(p, "/"), m = strcspn(q, "/");
        const size_t i = place_of(p, n), k = place_of(q, m);
        if (i != k) return i < k ? -1 : 1;
        const int order = n == m ? memcmp(p, q, n) : n < m ? -1 : 1;
        if (order) return order;
        if (!p[n] || !q[m]) return (x->index > y->index) - (x->index < y->index);
        p += n + 1;
        q += m + 1;
    }
}

/* ---- one layer ---- */

/* The weights whose keys begin with `prefix`: a block of the arena. */
static cnnf_status collect(reader *r, const char *prefix, found **out, size_t *count)
{
    const size_t n = strlen(prefix), tail = strlen(VALUE);
    const int64_t all = cnnf_checkpoint_count(r->checkpoint);
    *out = cnnfi_arena_array(&r->model->arena, (size_t)all, sizeof **out);
    *count = 0;
    if (!*out) return cnnfi_fail_nomem(r->error);
    for (int64_t i = 0; i < all; i++) {
        const char *name = cnnf_checkpoint_name(r->checkpoint, i);
        const size_t length = strlen(name);
        if (length <= n + tail || strncmp(name, prefix, n) != 0 || strcmp(name + length - tail, VALUE) != 0) continue;
        if (strstr(name, "/.OPTIMIZER_SLOT/")) continue;
        (*out)[(*count)++] = (found){.local = name + n, .length = length - n - tail, .index = i};
    }
    qsort(*out, *count, sizeof **out, compare_found);
    return CNNF_OK;
}

static cnnf_status read_weights(reader *r, cnnfi_keras_layer *layer, const char *prefix)
{
    found *all = NULL;
    size_t count = 0;
    CNNFI_TRY(collect(r, prefix, &all, &count));
    layer->weights = cnnfi_arena_array(&r->model->arena, count, sizeof *layer->weights);
    if (!layer->weights) return cnnfi_fail_nomem(r->error);
    for (size_t i = 0; i < count; i++) {
        const cnnf_tensor *tensor = NULL;
        CNNFI_TRY(cnnfi_checkpoint_use(&tensor, r->checkpoint, all[i].index, r->error));
        cnnfi_keras_weight *weight = &layer->weights[i];
        weight->name = cnnfi_arena_strndup(&r->model->arena, all[i].local, all[i].length);
        if (!weight->name) return cnnfi_fail_nomem(r->error);
        weight->value = cnnf_tensor_ref(tensor);
        CNNFI_TRY(cnnfi_keras_model_hold(r->model, weight->value, r->error));
    }
    layer->n_weights = count;
    return CNNF_OK;
}

/* ---- a model's layers ---- */

static cnnf_status read_container(reader *r, cnnfi_keras_container *container, const char *prefix)
{
    size_t next = 0;
    for (size_t i = 0; i < container->n_layers; i++) {
        cnnfi_keras_layer *layer = &container->layers[i];
        if (strcmp(layer->class_name, "InputLayer") == 0 || !cnnfi_keras_has_weights(layer)) continue;
        cnnfi_keras_container *inner = layer->wrapped ? layer->wrapped->inner : layer->inner;
        char *below = cnnfi_arena_printf(&r->model->arena, "%s" LAYER "%zu/%s", prefix, next++,
                                         inner && layer->wrapped ? "layer/" : "");
        if (!below) return cnnfi_fail_nomem(r->error);
        if (inner)
            CNNFI_TRY(read_container(r, inner, below));
        else
            CNNFI_TRY(read_weights(r, layer, below));
    }
    return CNNF_OK;
}

/* What stands before the first layer: nothing, or where a tf.train.Checkpoint keeps the model. NULL: no layer. */
static cnnf_status find_root(reader *r, const char **out)
{
    *out = NULL;
    for (int64_t i = 0; i < cnnf_checkpoint_count(r->checkpoint); i++) {
        const char *name = cnnf_checkpoint_name(r->checkpoint, i), *at = strstr(name, LAYER "0/");
        if (!at || (*out && strlen(*out) <= (size_t)(at - name))) continue;
        *out = cnnfi_arena_strndup(&r->model->arena, name, (size_t)(at - name));
        if (!*out) return cnnfi_fail_nomem(r->error);
    }
    return CNNF_OK;
}

static cnnf_status read_file(reader *r, const char *path, const cnnf_load_options *options)
{
    cnnfi_json_doc *doc = NULL;
    const char *root = NULL;
    CNNFI_TRY(cnnfi_checkpoint_open(&r->checkpoint, r->model->context, path, r->model->budget, r->error));
    CNNFI_TRY(cnnfi_keras_read_architecture(&doc, r->model, options->architecture_file, r->error));
    const cnnfi_json *json = cnnfi_json_root(doc);
    CNNFI_TRY(cnnfi_keras_set_version(r->model, cnnfi_json_string(cnnfi_json_get(json, "keras_version"), NULL), json,
                                      r->error));
    CNNFI_TRY(cnnfi_keras_read_config(r->model, doc, options, r->error));
    CNNFI_TRY(find_root(r, &root));
    if (!root)
        return cnnfi_fail(r->error, CNNF_E_FORMAT,
                          "%s: no weights of a Keras model in this checkpoint: no key with '" LAYER "0'", path);
    CNNFI_TRY(read_container(r, r->model->top, root));
    return cnnfi_keras_convert_weights(r->model, r->model->top, r->error);
}

cnnf_status cnnfi_keras_read_checkpoint(cnnfi_keras_model **out, cnnf_context *context, const char *path,
                                        const cnnf_load_options *options, cnnf_error *error)
{
    reader r = {.error = error};
    *out = NULL;
    CNNFI_TRY(cnnfi_keras_model_new(&r.model, context, path, cnnfi_load_budget(options), error));
    const cnnf_status status = read_file(&r, path, options);
    cnnf_checkpoint_unref(r.checkpoint);
    if (status == CNNF_OK)
        *out = r.model;
    else
        cnnfi_keras_model_free(r.model);
    return status;
}
