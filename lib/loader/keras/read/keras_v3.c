/* SPDX-License-Identifier: Apache-2.0 */
/* .keras: a zip of metadata.json, config.json and model.weights.h5. */
#include <string.h>

#include "base/context.h"
#include "base/strmap.h"
#include "loader/hdf5_file.h"
#include "loader/keras/read/keras_read.h"
#include "loader/container/zip_file.h"

typedef struct reader {
    cnnfi_keras_model *model;
    cnnfi_zip zip;
    cnnfi_h5 *h5;
    cnnf_error *error;
} reader;

/* ---- the JSON entries ---- */

static cnnf_status parse_entry(reader *r, const cnnfi_zip_data *data, const char *what, cnnfi_json_doc **doc)
{
    cnnf_context *context = r->model->context;
    CNNFI_TRY(cnnfi_check_limit(context, CNNF_LIMIT_ATTR_BYTES, data->size, what, r->error));
    char *text = cnnfi_malloc(context, (size_t)data->size);
    if (!text) return cnnfi_fail_nomem(r->error);
    cnnf_status status = cnnfi_source_read(data->source, data->offset, text, (size_t)data->size, r->error);
    if (status == CNNF_OK) status = cnnfi_keras_model_json(doc, r->model, text, (size_t)data->size, what, r->error);
    cnnfi_free(context, text);
    return status;
}

/* *doc is NULL when there is no such entry. */
static cnnf_status read_json(reader *r, const char *name, const char *format, cnnfi_json_doc **doc)
{
    cnnfi_zip_data data;
    *doc = NULL;
    CNNFI_TRY(cnnfi_zip_find(&data, &r->zip, name, r->error));
    if (!data.source) return CNNF_OK;
    char *what = cnnfi_arena_printf(&r->model->arena, "%s: %s", r->model->path, format);
    cnnf_status status = what ? parse_entry(r, &data, what, doc) : cnnfi_fail_nomem(r->error);
    cnnfi_source_unref(data.source);
    return status;
}

static cnnf_status fail_missing(reader *r, const char *name)
{
    return cnnfi_fail(r->error, CNNF_E_CORRUPT, "%s: zip: no entry '%s'", r->model->path, name);
}

/* ---- names of folders ---- */

static bool upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/*
 * keras.src.utils.naming.to_snake_case: re.sub("(.)([A-Z][a-z]+)", r"\1_\2"), re.sub("([a-z])([A-Z])", r"\1_\2"),
 * lower(). "PReLU" -> "p_re_lu", "Conv2D" -> "conv2d". Both passes put '_' before a capital; a capital that begins a
 * word takes one only when the character before it was not used up by the word before, which the second pass then makes
 * good unless it is no small letter.
 */
static char *snake_case(cnnfi_arena *arena, const char *name)
{
    size_t n = strlen(name), at = 0;
    char *out = cnnfi_arena_alloc(arena, 2 * n + 1);
    for (size_t i = 0, free_from = 0; out && i < n; i++) {
        bool word = upper(name[i]) && i > free_from && lower(name[i + 1]);
        bool bump = upper(name[i]) && i > 0 && lower(name[i - 1]);
        if (word || bump) out[at++] = '_';
        if (word) {
            free_from = i + 1;
            while (lower(name[free_from]))
                free_from++;
        }
        out[at++] = upper(name[i]) ? (char)(name[i] - 'A' + 'a') : name[i];
    }
    return out;
}

/* The second of a name in a container is name_1. */
static const char *unique_name(reader *r, cnnfi_strmap *used, const char *base)
{
    int64_t count = cnnfi_strmap_get(used, base);
    if (!cnnfi_strmap_set(used, base, count + 1)) return NULL;
    return count < 0 ? base : cnnfi_arena_printf(&r->model->arena, "%s_%lld", base, (long long)(count + 1));
}

/* ---- weights ---- */

typedef struct weight_list {
    cnnfi_keras_weight *items;
    size_t count, capacity;
} weight_list;

static cnnf_status read_model_weights(reader *r, cnnfi_keras_container *container, const char *path);

static cnnf_status add_weight(reader *r, weight_list *list, cnnf_tensor *value, const char *name)
{
    CNNFI_TRY(cnnfi_keras_model_hold(r->model, value, r->error));
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 4;
        cnnfi_keras_weight *items = cnnfi_arena_array(&r->model->arena, capacity, sizeof *items);
        if (!items) return cnnfi_fail_nomem(r->error);
        if (list->count > 0) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (cnnfi_keras_weight){.name = name, .value = value};
    return CNNF_OK;
}

/* <path>/vars/0, 1, ... */
static cnnf_status read_vars(reader *r, weight_list *list, const char *path, cnnf_dtype floats)
{
    for (int i = 0;; i++) {
        char *var = cnnfi_arena_printf(&r->model->arena, "%s/vars/%d", path, i);
        cnnf_tensor *value = NULL;
        bool there = false;
        if (!var) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(cnnfi_h5_has(&there, r->h5, var, r->error));
        if (!there) return CNNF_OK;
        CNNFI_TRY(cnnfi_h5_tensor(&value, r->h5, var, floats, r->error));
        CNNFI_TRY(add_weight(r, list, value, strrchr(var, '/') + 1));
    }
}

/* Attributes that hold layers with weights, in the order of a layer's own list of weights. */
static const char *const children[] = {"cell", "layer", "forward_layer", "backward_layer"};

static cnnf_status read_tree(reader *r, weight_list *list, const char *path, cnnf_dtype floats, int depth)
{
    CNNFI_TRY(read_vars(r, list, path, floats));
    for (size_t i = 0; depth < 4 && i < sizeof children / sizeof children[0]; i++) {
        char *child = cnnfi_arena_printf(&r->model->arena, "%s/%s", path, children[i]);
        bool there = false;
        if (!child) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(cnnfi_h5_has(&there, r->h5, child, r->error));
        if (there) CNNFI_TRY(read_tree(r, list, child, floats, depth + 1));
    }
    return CNNF_OK;
}

static cnnf_status read_layer_weights(reader *r, cnnfi_keras_layer *layer, const char *path)
{
    weight_list list = {.items = NULL};
    if (layer->inner) return read_model_weights(r, layer->inner, path);
    CNNFI_TRY(read_tree(r, &list, path, cnnfi_keras_weight_dtype(layer), 0));
    layer->weights = list.items;
    layer->n_weights = list.count;
    if (!layer->wrapped || !layer->wrapped->inner) return CNNF_OK;
    char *inner = cnnfi_arena_printf(&r->model->arena, "%s/layer", path);
    return inner ? read_model_weights(r, layer->wrapped->inner, inner) : cnnfi_fail_nomem(r->error);
}

/* Folders are called after classes, numbered in the order of the container's layers; a Sequential's list has no
   InputLayer, and Keras' operations are no layers. */
static cnnf_status read_named_layers(reader *r, cnnfi_keras_container *container, const char *folder,
                                     cnnfi_strmap *used)
{
    for (size_t i = 0; i < container->n_layers; i++) {
        cnnfi_keras_layer *layer = &container->layers[i];
        if (layer->operation || (container->sequential && i == 0)) continue;
        char *base = snake_case(&r->model->arena, layer->stored_class);
        const char *name = base ? unique_name(r, used, base) : NULL;
        char *path = name ? cnnfi_arena_printf(&r->model->arena, "%s/%s", folder, name) : NULL;
        if (!path) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(read_layer_weights(r, layer, path));
    }
    return CNNF_OK;
}

static cnnf_status read_model_weights(reader *r, cnnfi_keras_container *container, const char *path)
{
    /* "_layer_checkpoint_dependencies": tf.keras 2.12 and 2.13. */
    static const char *const folders[] = {"layers", "_layer_checkpoint_dependencies"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char *folder = cnnfi_arena_printf(&r->model->arena, "%s/%s", path, folders[i]);
        bool there = false;
        if (!folder) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(cnnfi_h5_has(&there, r->h5, folder, r->error));
        if (!there) continue;
        cnnfi_strmap used;
        cnnfi_strmap_init(&used, r->model->context);
        cnnf_status status = read_named_layers(r, container, folder, &used);
        cnnfi_strmap_free(&used);
        return status;
    }
    return CNNF_OK;
}

static cnnf_status read_weights(reader *r)
{
    cnnfi_zip_data data;
    CNNFI_TRY(cnnfi_zip_find(&data, &r->zip, "model.weights.h5", r->error));
    if (!data.source) return fail_missing(r, "model.weights.h5");
    char *name = cnnfi_arena_printf(&r->model->arena, "%s: model.weights.h5", r->model->path);
    cnnf_status status = name ? CNNF_OK : cnnfi_fail_nomem(r->error);
    if (status == CNNF_OK)
        status = cnnfi_h5_open(&r->h5, r->model->context, data.source, data.offset, data.size, name, r->error);
    if (status == CNNF_OK) status = read_model_weights(r, r->model->top, "");
    cnnfi_h5_close(r->h5);
    cnnfi_source_unref(data.source);
    return status;
}

/* ---- the whole file ---- */

static cnnf_status read_file(reader *r, cnnfi_source *source, const cnnf_load_options *options)
{
    cnnfi_json_doc *metadata = NULL, *config = NULL;
    CNNFI_TRY(cnnfi_zip_open(&r->zip, source, r->error));
    CNNFI_TRY(read_json(r, "config.json", "Keras config", &config));
    if (!config) return fail_missing(r, "config.json");
    CNNFI_TRY(read_json(r, "metadata.json", "Keras metadata", &metadata));
    const char *version = cnnfi_json_string(cnnfi_json_get(cnnfi_json_root(metadata), "keras_version"), "3");
    CNNFI_TRY(cnnfi_keras_set_version(r->model, version, cnnfi_json_root(config), r->error));
    CNNFI_TRY(cnnfi_keras_read_config(r->model, config, options, r->error));
    const cnnfi_json *compiled = cnnfi_json_get(cnnfi_json_root(config), "compile_config");
    if (cnnfi_json_size(compiled) > 0) r->model->training_config = compiled;
    return read_weights(r);
}

cnnf_status cnnfi_keras_read_v3(cnnfi_keras_model **out, cnnf_context *context, cnnfi_source *source,
                                const cnnf_load_options *options, cnnf_error *error)
{
    reader r = {.error = error};
    *out = NULL;
    CNNFI_TRY(cnnfi_keras_model_new(&r.model, context, cnnfi_source_name(source), error));
    cnnf_status status = read_file(&r, source, options);
    if (status == CNNF_OK)
        *out = r.model;
    else
        cnnfi_keras_model_free(r.model);
    return cnnfi_error_in_file(error, status, cnnfi_source_name(source));
}
