/* SPDX-License-Identifier: Apache-2.0 */
/* All classes of a model that are not supported, in one message: a user maps or drops them in one go. */
#include <string.h>

#include "loader/keras/build/keras_build.h"
#include "loader/keras/layers/layers.h"

#define MAX_CLASSES 16

typedef struct missing {
    const char *class_name, *layer; /* the first of it */
    size_t layers;
} missing;

typedef struct finder {
    missing classes[MAX_CLASSES];
    size_t n_classes; /* may be more than are remembered */
} finder;

static void note(finder *f, const cnnfi_keras_layer *layer)
{
    const size_t known = f->n_classes < MAX_CLASSES ? f->n_classes : MAX_CLASSES;
    for (size_t i = 0; i < known; i++) {
        if (strcmp(f->classes[i].class_name, layer->class_name) != 0) continue;
        f->classes[i].layers++;
        return;
    }
    if (known < MAX_CLASSES)
        f->classes[known] = (missing){.class_name = layer->class_name, .layer = layer->name, .layers = 1};
    f->n_classes++;
}

/* A layer inside another one has the same fate. Containers are not deeper than their reader allows. */
static void find(finder *f, const cnnfi_keras_container *container)
{
    for (size_t i = 0; i < container->n_layers; i++) {
        const cnnfi_keras_layer *layer = &container->layers[i];
        if (layer->identity) continue;
        const cnnfi_keras_layer *inside = layer->wrapped ? layer->wrapped : layer;
        if (inside->inner)
            find(f, inside->inner);
        else if (strcmp(inside->class_name, "InputLayer") != 0 && !cnnfi_keras_row_find(inside->class_name))
            note(f, inside);
    }
}

cnnf_status cnnfi_keras_check_classes(const cnnfi_keras_model *model, cnnf_error *error)
{
    finder f = {.n_classes = 0};
    cnnfi_strbuf text;
    find(&f, model->top);
    if (f.n_classes < 2) return CNNF_OK; /* its layer says more */
    cnnfi_strbuf_init(&text, model->context);
    for (size_t i = 0; i < f.n_classes && i < MAX_CLASSES; i++) {
        const missing *m = &f.classes[i];
        cnnfi_strbuf_printf(&text, "%s'%s' (layer '%s'", i ? ", " : "", m->class_name, m->layer);
        if (m->layers > 1) cnnfi_strbuf_printf(&text, " and %zu more", m->layers - 1);
        cnnfi_strbuf_putc(&text, ')');
    }
    if (f.n_classes > MAX_CLASSES) cnnfi_strbuf_puts(&text, ", ...");
    const cnnf_status status =
        text.failed ? cnnfi_fail_nomem(error)
                    : cnnfi_fail(error, CNNF_E_UNSUPPORTED,
                                 "%s: Keras config: %zu classes are not supported: %s; --map_layer CLASS=KNOWN_CLASS "
                                 "loads one as another class, --drop_layer NAME where it changes nothing at inference",
                                 model->path, f.n_classes, text.data);
    cnnfi_strbuf_free(&text);
    return status;
}
