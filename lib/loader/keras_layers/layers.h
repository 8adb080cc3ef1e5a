/* SPDX-License-Identifier: Apache-2.0 */
/* The table of Keras layers: one row per class, one file per family. */
#ifndef CNNFI_LOADER_KERAS_LAYERS_H
#define CNNFI_LOADER_KERAS_LAYERS_H

#include "loader/keras_build.h"

/*
 * A layer class. `build` makes the variables on the first call (NULL: none), inside the layer's name scope;
 * `call` emits the ops of one call and ends with cnnfi_kc_return(). Both see which Keras wrote the file in
 * kc->b->tf and kc->b->keras3; a class that differs throughout has call_tf.
 */
typedef struct cnnfi_keras_row {
    const char *class_name;
    const char *fields;   /* configuration fields read, for docs/layers.md */
    const char *weights;  /* variables in order; "" */
    const char *verified; /* Keras versions whose graphs were compared */
    int32_t min_rank, max_rank; /* of the first input, batch included */
    size_t min_inputs, max_inputs;
    void (*build)(cnnfi_kc *kc);
    void (*call)(cnnfi_kc *kc);    /* multi-backend; tf.keras too when call_tf is NULL */
    void (*call_tf)(cnnfi_kc *kc);
} cnnfi_keras_row;

typedef struct cnnfi_keras_family {
    const char *name;
    const cnnfi_keras_row *rows;
    size_t count;
} cnnfi_keras_family;

/* The families; table.c joins them. */
extern const cnnfi_keras_family cnnfi_keras_core, cnnfi_keras_convolutional, cnnfi_keras_pooling,
    cnnfi_keras_normalization, cnnfi_keras_advanced_activations;

/* NULL when the class is unknown. */
const cnnfi_keras_row *cnnfi_keras_row_find(const char *class_name);
const cnnfi_keras_family *cnnfi_keras_family_at(size_t index); /* NULL past the last */

#define CNNFI_KERAS_VERIFIED "2.2.5, tf.keras 2.15, 3"

#endif
