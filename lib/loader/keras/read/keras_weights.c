/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/keras/read/keras_weights.h"

#include <string.h>

#include "base/context.h"
#include "base/strmap.h"
#include "loader/keras/read/keras_read.h"

typedef struct leaf {
    cnnfi_keras_layer *layer;
    int64_t same;            /* the next leaf of that name (in another nested model), -1 */
    const char *last_weight; /* given last, to see when a list begins anew */
    size_t given;
} leaf;

typedef struct leaves {
    cnnfi_keras_model *model;
    leaf *items;
    size_t count;
    cnnfi_strmap names;
} leaves;

static size_t count_leaves(const cnnfi_keras_container *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_layers; i++)
        n += c->layers[i].inner ? count_leaves(c->layers[i].inner) : 1;
    return n;
}

static bool add_leaf(leaves *l, cnnfi_keras_layer *layer)
{
    int64_t same = cnnfi_strmap_get(&l->names, layer->name);
    l->items[l->count] = (leaf){.layer = layer, .same = -1};
    if (same < 0) return cnnfi_strmap_set(&l->names, layer->name, (int64_t)l->count++);
    while (l->items[same].same >= 0)
        same = l->items[same].same;
    l->items[same].same = (int64_t)l->count++;
    return true;
}

static bool add_leaves(leaves *l, cnnfi_keras_container *c)
{
    for (size_t i = 0; i < c->n_layers; i++) {
        cnnfi_keras_layer *layer = &c->layers[i];
        if (!(layer->inner ? add_leaves(l, layer->inner) : add_leaf(l, layer))) return false;
    }
    return true;
}

/* "conv2d_1_1" -> length of "conv2d_1": TensorFlow made the name unique when a model was loaded twice. */
static size_t without_suffix(const char *name, size_t length)
{
    size_t n = length;
    while (n > 0 && name[n - 1] >= '0' && name[n - 1] <= '9')
        n--;
    return n < length && n > 1 && name[n - 1] == '_' ? n - 1 : length;
}

/* The last '/' of text before `end`, or NULL. */
static const char *slash_before(const char *text, const char *end)
{
    while (end > text)
        if (*--end == '/') return end;
    return NULL;
}

/* The leaf whose name is a run of whole path components of `weight`, the last and longest such; -1. */
static int64_t find_leaf(const leaves *l, const char *weight, bool strip)
{
    for (const char *end = strrchr(weight, '/'); end; end = slash_before(weight, end))
        for (const char *start = weight; start < end; start++) {
            if (start != weight && start[-1] != '/') continue;
            size_t length = (size_t)(end - start);
            int64_t found = cnnfi_strmap_get_n(&l->names, start, strip ? without_suffix(start, length) : length);
            if (found >= 0) return found;
        }
    return -1;
}

/* Among layers of one name: each takes a run of weights until a weight's own name comes again. */
static cnnfi_keras_layer *take(leaves *l, int64_t index, const char *weight)
{
    const char *own = strrchr(weight, '/');
    while (l->items[index].last_weight && l->items[index].same >= 0 && strcmp(l->items[index].last_weight, own) == 0)
        index = l->items[index].same;
    if (l->items[index].given++ == 0) l->items[index].last_weight = own;
    return l->items[index].layer;
}

static cnnf_status find_owners(leaves *l, const char *where, const char *const *names, size_t count,
                               cnnfi_keras_layer **owner, cnnf_error *error)
{
    for (size_t i = 0; i < count; i++) {
        int64_t index = find_leaf(l, names[i], false);
        if (index < 0) index = find_leaf(l, names[i], true);
        if (index < 0)
            return cnnfi_fail(error, CNNF_E_MISMATCH, "%s: layer '%s': weight '%s' belongs to none of its layers",
                              l->model->path, where, names[i]);
        owner[i] = take(l, index, names[i]);
    }
    return CNNF_OK;
}

cnnf_status cnnfi_keras_weight_owners(cnnfi_keras_model *model, cnnfi_keras_container *container, const char *where,
                                      const char *const *names, size_t count, cnnfi_keras_layer **owner,
                                      cnnf_error *error)
{
    leaves l = {.model = model};
    cnnfi_strmap_init(&l.names, model->context);
    l.items = cnnfi_calloc(model->context, count_leaves(container), sizeof *l.items);
    cnnf_status status = CNNF_OK;
    if (!l.items || !add_leaves(&l, container))
        status = cnnfi_fail_nomem(error);
    else
        status = find_owners(&l, where, names, count, owner, error);
    cnnfi_free(model->context, l.items);
    cnnfi_strmap_free(&l.names);
    return status;
}

cnnf_status cnnfi_keras_weights_give(cnnfi_keras_model *model, cnnfi_keras_layer *const *owner,
                                     const cnnfi_keras_weight *weights, size_t count, cnnf_error *error)
{
    for (size_t i = 0; i < count; i++)
        owner[i]->n_weights++;
    for (size_t i = 0; i < count; i++) {
        cnnfi_keras_layer *layer = owner[i];
        if (layer->weights) continue;
        layer->weights = cnnfi_arena_array(&model->arena, layer->n_weights, sizeof *layer->weights);
        if (!layer->weights) return cnnfi_fail_nomem(error);
        layer->n_weights = 0;
    }
    for (size_t i = 0; i < count; i++)
        owner[i]->weights[owner[i]->n_weights++] = weights[i];
    return CNNF_OK;
}

bool cnnfi_keras_has_weights(const cnnfi_keras_layer *layer)
{
    if (layer->identity) return false;
    if (layer->wrapped) return cnnfi_keras_has_weights(layer->wrapped);
    for (size_t i = 0; layer->inner && i < layer->inner->n_layers; i++) {
        if (cnnfi_keras_has_weights(&layer->inner->layers[i])) return true;
    }
    return !layer->inner && cnnfi_keras_class_has_weights(layer->class_name);
}
