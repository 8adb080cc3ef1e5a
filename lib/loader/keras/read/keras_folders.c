/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of saving_lib.py (_save_state, _save_container_state): see keras_folders.h. */
#include "loader/keras/read/keras_folders.h"

#include <string.h>

#include "base/context.h"
#include "base/strmap.h"
#include "loader/keras/read/keras_read.h"

typedef struct reader {
    cnnfi_keras_model *model;
    cnnfi_h5 *h5;
    const char *separator; /* "/"; "\\" in files saved on Windows, where folders are joined by os.path.join() */
    cnnf_error *error;
} reader;

static char *join(reader *r, const char *path, const char *name)
{
    return cnnfi_arena_printf(&r->model->arena, "%s%s%s", path, *path ? r->separator : "", name);
}

static cnnf_status is_there(bool *out, reader *r, const char *path)
{
    *out = false;
    if (!path) return cnnfi_fail_nomem(r->error);
    char *absolute = cnnfi_arena_printf(&r->model->arena, "/%s", path);
    return absolute ? cnnfi_h5_has(out, r->h5, absolute, r->error) : cnnfi_fail_nomem(r->error);
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

/* The class' name in Python, where it is exported under another. */
static char *folder_base(cnnfi_arena *arena, const cnnfi_keras_layer *layer)
{
    const bool grouped = strcmp(layer->stored_class, "GroupQueryAttention") == 0;
    return snake_case(arena, grouped ? "GroupedQueryAttention" : layer->stored_class);
}

/* ---- weights ---- */

typedef struct weight_list {
    cnnfi_keras_weight *items;
    size_t count, capacity;
} weight_list;

static cnnf_status read_container(reader *r, cnnfi_keras_container *container, const char *path);

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
        char *var = cnnfi_arena_printf(&r->model->arena, "/%s/vars/%d", path, i);
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
static const char *const children[] = {"cell",        "layer",         "forward_layer", "backward_layer",
                                       "activation",  "_query_dense",  "query_dense",   "_key_dense",
                                       "key_dense",   "_gate_dense",   "gate_dense",    "_value_dense",
                                       "value_dense", "_output_dense", "output_dense"};

/* The cells that a layer, or the layer inside a wrapper, stacks (StackedRNNCells); NULL. */
static const cnnfi_json *cells_of(const cnnfi_keras_layer *layer, bool backward)
{
    const cnnfi_keras_layer *inside = backward && layer->backward ? layer->backward : layer->wrapped;
    const cnnfi_json *cell = cnnfi_json_get(inside ? inside->config : layer->config, "cell");
    const cnnfi_json *cells = cnnfi_json_get(cnnfi_json_get(cell, "config"), "cells");
    return cnnfi_json_is_array(cells) ? cells : NULL;
}

static const char *numbered(reader *r, const char *base, int64_t number)
{
    return number == 0 ? base : cnnfi_arena_printf(&r->model->arena, "%s_%lld", base, (long long)number);
}

/* <path>/cells/lstm_cell, lstm_cell_1, gru_cell ...: a list numbers what it holds by class. */
static cnnf_status read_cells(reader *r, weight_list *list, const char *path, const cnnfi_json *cells,
                              cnnf_dtype floats, cnnfi_strmap *used)
{
    for (size_t i = 0; i < cnnfi_json_size(cells); i++) {
        const char *class_name = cnnfi_json_string(cnnfi_json_get(cnnfi_json_at(cells, i), "class_name"), "");
        char *base = snake_case(&r->model->arena, class_name);
        const int64_t number = base ? cnnfi_strmap_get(used, base) + 1 : 0;
        const char *name = base ? numbered(r, base, number) : NULL;
        char *child = name ? join(r, path, name) : NULL;
        if (!child || !cnnfi_strmap_set(used, base, number)) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(read_vars(r, list, child, floats));
    }
    return CNNF_OK;
}

static cnnf_status read_stack(reader *r, weight_list *list, const char *path, const cnnfi_json *cells,
                              cnnf_dtype floats)
{
    cnnfi_strmap used;
    char *folder = join(r, path, "cells");
    if (!folder) return cnnfi_fail_nomem(r->error);
    cnnfi_strmap_init(&used, r->model->context);
    const cnnf_status status = read_cells(r, list, folder, cells, floats, &used);
    cnnfi_strmap_free(&used);
    return status;
}

static cnnf_status read_tree(reader *r, weight_list *list, const char *path, const cnnfi_keras_layer *layer, int depth)
{
    const cnnf_dtype floats = cnnfi_keras_weight_dtype(layer);
    const cnnfi_json *cells = cells_of(layer, strstr(path, "backward_layer") != NULL);
    CNNFI_TRY(read_vars(r, list, path, floats));
    for (size_t i = 0; depth < 4 && i < sizeof children / sizeof children[0]; i++) {
        char *child = join(r, path, children[i]);
        bool there = false;
        if (!child) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(is_there(&there, r, child));
        if (there) CNNFI_TRY(read_tree(r, list, child, layer, depth + 1));
        if (there && i == 0 && cells) CNNFI_TRY(read_stack(r, list, child, cells, floats));
    }
    return CNNF_OK;
}

static cnnf_status read_layer_weights(reader *r, cnnfi_keras_layer *layer, const char *path)
{
    weight_list list = {.items = NULL};
    if (layer->inner) return read_container(r, layer->inner, path);
    CNNFI_TRY(read_tree(r, &list, path, layer, 0));
    layer->weights = list.items;
    layer->n_weights = list.count;
    if (!layer->wrapped || !layer->wrapped->inner) return CNNF_OK;
    char *inner = join(r, path, "layer");
    return inner ? read_container(r, layer->wrapped->inner, inner) : cnnfi_fail_nomem(r->error);
}

/* ---- layers of a model ---- */

typedef struct layer_folder {
    char *path; /* NULL: none */
    bool may_count_twice;
} layer_folder;

/*
 * The folder of the next layer of class `base`: base, base_1, base_2 ... tf.keras 2.12 and 2.13 walk
 * `_layer_checkpoint_dependencies`, where a layer with weights stands twice ("layer-1", "layer_with_weights-0"), so
 * that it uses up two numbers: conv2d, conv2d_2, conv2d_4. 2.14 counts once in the same folder; which it is shows in
 * what is there.
 */
static cnnf_status name_of(const char **out, reader *r, cnnfi_strmap *used, const layer_folder *folder,
                           const char *base)
{
    const int64_t last = cnnfi_strmap_get(used, base);
    int64_t number = last < 0 ? 0 : last + 1;
    bool there = true;
    *out = numbered(r, base, number);
    if (folder->may_count_twice && last >= 0 && *out) {
        CNNFI_TRY(is_there(&there, r, join(r, folder->path, *out)));
        if (!there) *out = numbered(r, base, ++number);
    }
    if (!*out || !cnnfi_strmap_set(used, base, number)) return cnnfi_fail_nomem(r->error);
    return CNNF_OK;
}

/* A Sequential's list has no InputLayer, and Keras' operations are no layers. */
static bool has_folder(const cnnfi_keras_container *container, size_t index)
{
    return !container->layers[index].operation && !(container->sequential && index == 0);
}

static cnnf_status read_layers(reader *r, cnnfi_keras_container *container, const layer_folder *folder,
                               cnnfi_strmap *used)
{
    for (size_t i = 0; i < container->n_layers; i++) {
        cnnfi_keras_layer *layer = &container->layers[i];
        const char *name = NULL;
        if (!has_folder(container, i)) continue;
        char *base = folder_base(&r->model->arena, layer);
        if (!base) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(name_of(&name, r, used, folder, base));
        char *path = join(r, folder->path, name);
        if (!path) return cnnfi_fail_nomem(r->error);
        CNNFI_TRY(read_layer_weights(r, layer, path));
    }
    return CNNF_OK;
}

/* The folder of a container's layers; NULL when there is none. With "/" it is there itself; with a backslash only the
   layers are, under names that begin with it. */
static cnnf_status find_folder(layer_folder *out, reader *r, const cnnfi_keras_container *container, const char *path)
{
    static const char *const folders[] = {"layers", "_layer_checkpoint_dependencies"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        bool there = false;
        *out = (layer_folder){.path = join(r, path, folders[i]), .may_count_twice = i == 1};
        if (!out->path) return cnnfi_fail_nomem(r->error);
        if (*r->separator == '/') CNNFI_TRY(is_there(&there, r, out->path));
        for (size_t k = 0; *r->separator != '/' && !there && k < container->n_layers; k++) {
            if (!has_folder(container, k)) continue;
            char *base = folder_base(&r->model->arena, &container->layers[k]);
            CNNFI_TRY(is_there(&there, r, base ? join(r, out->path, base) : NULL));
        }
        if (there) return CNNF_OK;
    }
    out->path = NULL;
    return CNNF_OK;
}

static cnnf_status read_container(reader *r, cnnfi_keras_container *container, const char *path)
{
    layer_folder folder;
    cnnfi_strmap used;
    CNNFI_TRY(find_folder(&folder, r, container, path));
    if (!folder.path) return CNNF_OK;
    cnnfi_strmap_init(&used, r->model->context);
    const cnnf_status status = read_layers(r, container, &folder, &used);
    cnnfi_strmap_free(&used);
    return status;
}

/* ---- one layer at two places ---- */

/*
 * saving_lib writes an object once, where it meets it first; a model that is used inside another one and beside it has
 * no folder at the second place. By its names it is known again, as long as only one has them.
 */
typedef struct twin {
    const cnnfi_keras_layer *found;
    bool several;
    uint64_t *steps; /* left */
} twin;

static bool same_layer(const cnnfi_keras_layer *x, const cnnfi_keras_layer *y)
{
    return x != y && strcmp(x->name, y->name) == 0 && strcmp(x->class_name, y->class_name) == 0;
}

/* The layer of that name, below a nested model of that name when `within` is given, that has weights. */
static void find_twin(twin *t, const cnnfi_keras_container *container, const char *within,
                      const cnnfi_keras_layer *layer)
{
    for (size_t i = 0; i<container->n_layers && * t->steps> 0; i++, --*t->steps) {
        const cnnfi_keras_layer *other = &container->layers[i];
        const bool here = !within || strcmp(container->name, within) == 0;
        if (other->inner) find_twin(t, other->inner, within, layer);
        if (!here || other->n_weights == 0 || !same_layer(other, layer)) continue;
        t->several = t->several || (t->found && t->found->weights != other->weights);
        t->found = other;
    }
}

static void share(const cnnfi_keras_container *top, cnnfi_keras_container *container, bool nested, uint64_t *steps)
{
    for (size_t i = 0; i < container->n_layers; i++) {
        cnnfi_keras_layer *layer = &container->layers[i];
        twin t = {.steps = steps};
        if (layer->inner) share(top, layer->inner, true, steps);
        if (layer->inner || layer->n_weights > 0 || !cnnfi_keras_class_has_weights(layer->class_name)) continue;
        find_twin(&t, top, nested ? container->name : NULL, layer);
        if (!t.found || t.several || *steps == 0) continue;
        layer->weights = t.found->weights;
        layer->n_weights = t.found->n_weights;
    }
}

/* ---- the whole file ---- */

/* Tells which separator the file was written with. */
static cnnf_status find_separator(bool *found, reader *r)
{
    static const char *const separators[] = {"/", "\\"};
    layer_folder folder = {.path = NULL};
    for (size_t i = 0; i < 2 && !folder.path; i++) {
        r->separator = separators[i];
        CNNFI_TRY(find_folder(&folder, r, r->model->top, ""));
    }
    *found = folder.path != NULL;
    return CNNF_OK;
}

cnnf_status cnnfi_keras_has_folders(bool *out, cnnfi_keras_model *model, cnnfi_h5 *h5, cnnf_error *error)
{
    reader r = {.model = model, .h5 = h5, .error = error};
    *out = false;
    return find_separator(out, &r);
}

cnnf_status cnnfi_keras_read_folders(cnnfi_keras_model *model, cnnfi_h5 *h5, cnnf_error *error)
{
    reader r = {.model = model, .h5 = h5, .error = error};
    bool found;
    CNNFI_TRY(find_separator(&found, &r));
    if (!found) return CNNF_OK;
    CNNFI_TRY(read_container(&r, model->top, ""));
    uint64_t steps = 16 * cnnfi_limit(model->context, CNNF_LIMIT_NODES);
    share(model->top, model->top, false, &steps);
    return CNNF_OK;
}
