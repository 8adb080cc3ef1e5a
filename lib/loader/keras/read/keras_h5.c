/* SPDX-License-Identifier: Apache-2.0 */
/* Keras H5: attributes with JSON at the root, one group per layer under model_weights. */
#include <string.h>

#include "base/context.h"
#include "base/strmap.h"
#include "loader/hdf5/hdf5_file.h"
#include "loader/keras/read/keras_convert.h"
#include "loader/keras/read/keras_folders.h"
#include "loader/keras/read/keras_read.h"
#include "loader/keras/read/keras_weights.h"

typedef struct reader {
    cnnfi_keras_model *model;
    cnnfi_h5 *h5;
    const char *root; /* "/model_weights", or "" for a weights-only file */
    cnnf_error *error;
} reader;

/* ---- architecture ---- */

static cnnf_status parse_config(reader *r, const char *text, size_t size, const char *path, cnnfi_json_doc **doc)
{
    char *what = cnnfi_arena_printf(&r->model->arena, "%s: Keras config", path);
    if (!what) return cnnfi_fail_nomem(r->error);
    return cnnfi_keras_model_json(doc, r->model, text, size, what, r->error);
}

static cnnf_status read_model_config(reader *r, const cnnf_load_options *options, cnnfi_json_doc **doc)
{
    const char *text = NULL;
    if (options && options->architecture_file)
        return cnnfi_keras_read_architecture(doc, r->model, options->architecture_file, r->error);
    CNNFI_TRY(cnnfi_h5_attr_string(&text, r->h5, &r->model->arena, "/", "model_config", r->error));
    if (!text)
        return cnnfi_fail(r->error, CNNF_E_UNSUPPORTED,
                          "%s: Keras: attribute 'model_config' not found at '/' (weights-only file? give the "
                          "architecture with --architecture)",
                          r->model->path);
    return parse_config(r, text, strlen(text), r->model->path, doc);
}

/* At the root, or (weights-only files of old) beside the layers. */
static cnnf_status root_string(reader *r, const char *name, const char **out)
{
    CNNFI_TRY(cnnfi_h5_attr_string(out, r->h5, &r->model->arena, "/", name, r->error));
    if (*out || !r->root[0]) return CNNF_OK;
    return cnnfi_h5_attr_string(out, r->h5, &r->model->arena, r->root, name, r->error);
}

static cnnf_status read_version(reader *r, const cnnfi_json_doc *doc)
{
    const char *version = NULL, *backend = NULL;
    const cnnfi_json *root = cnnfi_json_root(doc);
    CNNFI_TRY(root_string(r, "keras_version", &version));
    CNNFI_TRY(root_string(r, "backend", &backend));
    if (!version) version = cnnfi_json_string(cnnfi_json_get(root, "keras_version"), NULL);
    r->model->theano_kernels = backend && strcmp(backend, "theano") == 0;
    return cnnfi_keras_set_version(r->model, version, root, r->error);
}

/* ---- weights ---- */

static cnnf_status read_weight(reader *r, const char *group, const char *name, const cnnfi_keras_layer *layer,
                               cnnfi_keras_weight *out)
{
    char *path = cnnfi_arena_printf(&r->model->arena, "%s/%s", group, name);
    if (!path) return cnnfi_fail_nomem(r->error);
    out->name = name;
    cnnf_status status = cnnfi_h5_tensor(&out->value, r->h5, path, cnnfi_keras_weight_dtype(layer), r->error);
    if (status == CNNF_E_NOT_FOUND)
        return cnnfi_fail(r->error, CNNF_E_CORRUPT, "%s: layer '%s': weight '%s' listed but not in file",
                          r->model->path, layer->name, name);
    CNNFI_TRY(status);
    return cnnfi_keras_model_hold(r->model, out->value, r->error);
}

/* The model inside a layer, if it is one or wraps one. */
static cnnfi_keras_container *inside(const cnnfi_keras_layer *layer)
{
    if (layer->inner) return layer->inner;
    return layer->wrapped ? layer->wrapped->inner : NULL;
}

static cnnf_status read_owned(reader *r, cnnfi_keras_layer *layer, const char *group, const char *const *names,
                              size_t count, cnnfi_keras_layer **owner)
{
    cnnfi_keras_container *inner = inside(layer);
    cnnfi_keras_weight *weights = cnnfi_arena_array(&r->model->arena, count, sizeof *weights);
    if (!weights) return cnnfi_fail_nomem(r->error);
    for (size_t i = 0; i < count; i++)
        owner[i] = layer;
    if (inner) CNNFI_TRY(cnnfi_keras_weight_owners(r->model, inner, layer->name, names, count, owner, r->error));
    for (size_t i = 0; i < count; i++)
        CNNFI_TRY(read_weight(r, group, names[i], owner[i], &weights[i]));
    if (inner) CNNFI_TRY(cnnfi_keras_weights_give(r->model, owner, weights, count, r->error));
    if (layer->inner) return CNNF_OK;
    layer->weights = weights;
    layer->n_weights = count;
    return CNNF_OK;
}

static cnnf_status read_group(reader *r, cnnfi_keras_layer *layer, const char *name)
{
    const char **names = NULL;
    size_t count = 0;
    bool found = false;
    char *group = cnnfi_arena_printf(&r->model->arena, "%s/%s", r->root, name);
    if (!group) return cnnfi_fail_nomem(r->error);
    CNNFI_TRY(cnnfi_h5_attr_strings(&names, &count, &found, r->h5, &r->model->arena, group, "weight_names", r->error));
    if (count == 0) return CNNF_OK;
    if (!layer)
        return cnnfi_fail(r->error, CNNF_E_MISMATCH, "%s: layer '%s' has weights but is not in the architecture",
                          r->model->path, name);
    cnnfi_keras_layer **owner = cnnfi_arena_array(&r->model->arena, count, sizeof *owner);
    if (!owner) return cnnfi_fail_nomem(r->error);
    return read_owned(r, layer, group, names, count, owner);
}

/* `*.weights.h5` of Keras 3 and late tf.keras: the layout of a .keras' member in a file of its own. */
static cnnf_status read_folders(reader *r, const char *root)
{
    bool found = false;
    CNNFI_TRY(cnnfi_keras_has_folders(&found, r->model, r->h5, r->error));
    if (found) return cnnfi_keras_read_folders(r->model, r->h5, r->error);
    return cnnfi_fail(r->error, CNNF_E_CORRUPT, "%s: Keras: attribute 'layer_names' not found at '%s'", r->model->path,
                      root);
}

/*
 * Weights of a file whose layers are called otherwise than the architecture's: load_weights() matches those with
 * weights in order (load_weights_from_hdf5_group()), and so do we.
 */
static cnnf_status read_in_order(reader *r, const char **names, size_t count)
{
    cnnfi_keras_container *top = r->model->top;
    size_t next = 0, given = 0;
    for (size_t i = 0; i < count; i++) {
        const char **weights = NULL;
        size_t n = 0;
        bool found = false;
        char *group = cnnfi_arena_printf(&r->model->arena, "%s/%s", r->root, names[i]);
        if (!group) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(
            cnnfi_h5_attr_strings(&weights, &n, &found, r->h5, &r->model->arena, group, "weight_names", r->error));
        if (n == 0) continue;
        while (next < top->n_layers && !cnnfi_keras_has_weights(&top->layers[next]))
            next++;
        CNNFI_TRY(read_group(r, next < top->n_layers ? &top->layers[next] : NULL, names[i]));
        cnnfi_log(r->model->context, CNNF_LOG_INFO, "weights of '%s' go to layer '%s', by their order", names[i],
                  top->layers[next].name);
        next++;
        given++;
    }
    while (next < top->n_layers && !cnnfi_keras_has_weights(&top->layers[next]))
        next++;
    if (next == top->n_layers) return CNNF_OK;
    return cnnfi_fail(r->error, CNNF_E_MISMATCH, "%s: the file has weights for %zu layers, layer '%s' gets none",
                      r->model->path, given, top->layers[next].name);
}

static cnnf_status read_layers(reader *r, cnnfi_strmap *index)
{
    const char **names = NULL;
    size_t count = 0;
    bool found = false;
    const char *root = r->root[0] ? r->root : "/";
    CNNFI_TRY(cnnfi_h5_attr_strings(&names, &count, &found, r->h5, &r->model->arena, root, "layer_names", r->error));
    if (!found) return read_folders(r, root);
    /* h5py 2, all that ran beside TensorFlow 1, writes names of a fixed length */
    if (r->model->world == CNNFI_KERAS_MULTI)
        CNNFI_TRY(cnnfi_h5_attr_is_fixed(&r->model->tensorflow1, r->h5, root, "layer_names", r->error));
    cnnfi_keras_container *top = r->model->top;
    for (size_t i = 0; i < top->n_layers; i++)
        if (!cnnfi_strmap_set(index, top->layers[i].name, (int64_t)i)) return cnnfi_fail_nomem(r->error);
    bool by_name = true;
    for (size_t i = 0; i < count && !r->root[0]; i++)
        by_name = by_name && cnnfi_strmap_get(index, names[i]) >= 0;
    if (!by_name) return read_in_order(r, names, count);
    for (size_t i = 0; i < count; i++) {
        int64_t at = cnnfi_strmap_get(index, names[i]);
        CNNFI_TRY(read_group(r, at < 0 ? NULL : &top->layers[at], names[i]));
    }
    return CNNF_OK;
}

static cnnf_status read_weights(reader *r)
{
    cnnfi_strmap index;
    cnnfi_strmap_init(&index, r->model->context);
    cnnf_status status = read_layers(r, &index);
    cnnfi_strmap_free(&index);
    return status;
}

/* ---- training ---- */

/* The optimizer never stops a load: what cannot be understood of it is left out. */
static cnnf_status forgive(cnnf_status status)
{
    return status == CNNF_E_NOMEM || status == CNNF_E_IO ? status : CNNF_OK;
}

static cnnf_status read_training_config(reader *r)
{
    cnnf_error ignored = {0};
    const char *text = NULL;
    cnnfi_json_doc *doc = NULL;
    cnnf_status status = cnnfi_h5_attr_string(&text, r->h5, &r->model->arena, "/", "training_config", &ignored);
    if (status == CNNF_OK && text)
        status = cnnfi_keras_model_json(&doc, r->model, text, strlen(text), "training_config", &ignored);
    r->model->training_config = cnnfi_json_root(doc);
    if (forgive(status) != CNNF_OK) cnnfi_error_copy(r->error, &ignored);
    return forgive(status);
}

/* "training/Adam/Variable:0" -> "training/Adam/Variable" */
static const char *variable_name(cnnfi_arena *arena, const char *name)
{
    size_t length = strlen(name);
    return cnnfi_arena_strndup(arena, name, length > 2 && strcmp(name + length - 2, ":0") == 0 ? length - 2 : length);
}

static cnnf_status read_optimizer(reader *r)
{
    cnnfi_keras_model *model = r->model;
    const char **names = NULL;
    size_t count = 0;
    bool found = false;
    CNNFI_TRY(cnnfi_h5_attr_strings(&names, &count, &found, r->h5, &model->arena, "/optimizer_weights", "weight_names",
                                    r->error));
    if (count == 0) return CNNF_OK;
    model->optimizer_weights = cnnfi_arena_array(&model->arena, count, sizeof *model->optimizer_weights);
    if (!model->optimizer_weights) return cnnfi_fail_nomem(r->error);
    const cnnfi_keras_layer optimizer = {.name = "optimizer"};
    for (size_t i = 0; i < count; i++) {
        cnnfi_keras_weight *weight = &model->optimizer_weights[i];
        CNNFI_TRY(read_weight(r, "/optimizer_weights", names[i], &optimizer, weight));
        weight->name = variable_name(&model->arena, names[i]);
        if (!weight->name) return cnnfi_fail_nomem(r->error);
        model->n_optimizer_weights++;
    }
    return CNNF_OK;
}

/* ---- the whole file ---- */

static cnnf_status read_file(reader *r, const cnnf_load_options *options)
{
    bool whole = false;
    cnnfi_json_doc *doc = NULL;
    CNNFI_TRY(cnnfi_h5_has(&whole, r->h5, "/model_weights", r->error));
    r->root = whole ? "/model_weights" : "";
    CNNFI_TRY(read_model_config(r, options, &doc));
    CNNFI_TRY(read_version(r, doc));
    CNNFI_TRY(cnnfi_keras_read_config(r->model, doc, options, r->error));
    CNNFI_TRY(read_weights(r));
    cnnf_status status = cnnfi_keras_convert_weights(r->model, r->model->top, r->error);
    if (status != CNNF_OK) return cnnfi_error_prefix(r->error, status, "%s", r->model->path);
    if (!whole) return CNNF_OK;
    CNNFI_TRY(read_training_config(r));
    return read_optimizer(r);
}

cnnf_status cnnfi_keras_read_h5(cnnfi_keras_model **out, cnnf_context *context, cnnfi_source *source,
                                const cnnf_load_options *options, cnnf_error *error)
{
    reader r = {.error = error};
    *out = NULL;
    CNNFI_TRY(cnnfi_keras_model_new(&r.model, context, cnnfi_source_name(source), cnnfi_load_budget(options), error));
    cnnf_status status = cnnfi_h5_open(&r.h5, context, source, 0, cnnfi_source_size(source), cnnfi_source_name(source),
                                       r.model->budget, error);
    if (status == CNNF_OK && options && options->ask_libhdf5) status = cnnfi_h5_ask_library(r.h5, error);
    if (status == CNNF_OK) status = read_file(&r, options);
    cnnfi_h5_close(r.h5);
    if (status == CNNF_OK)
        *out = r.model;
    else
        cnnfi_keras_model_free(r.model);
    return cnnfi_error_in_file(error, status, cnnfi_source_name(source));
}
