/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of keras.ops and tf.*: a row each, and how they read their arguments. */
#ifndef CNNFI_LOADER_KERAS_LAYERS_FUNCTIONS_H
#define CNNFI_LOADER_KERAS_LAYERS_FUNCTIONS_H

#include "loader/keras/layers/layers.h"

typedef struct cnnfi_kfunction {
    const char *names; /* keras.ops' class and tf's paths: "Add|math.add|__operators__.add" */
    void (*call)(cnnfi_kc *kc, const char *op);
    const char *op; /* the row's own word, e.g. the op */
} cnnfi_kfunction;

/* The second part of the table: function_table.c. */
extern const cnnfi_kfunction cnnfi_kfunctions[];
extern const size_t cnnfi_kfunction_count;

/* Argument `index`, called `names` ("axis|axes"), as JSON: by position, by keyword, or from the config; NULL. */
const cnnfi_json *cnnfi_kfn_argument(const cnnfi_kc *kc, size_t index, const char *names);
/* The same as a tensor; a number becomes a constant of dtype `like`. */
cnnfi_kt cnnfi_kfn_tensor(cnnfi_kc *kc, size_t index, const char *names, cnnf_dtype like);
bool cnnfi_kfn_flag(const cnnfi_kc *kc, size_t index, const char *names);
/* The axes named, normalised; all of them when none is. */
int32_t cnnfi_kfn_axes(cnnfi_kc *kc, size_t index, const char *names, int32_t rank, int32_t *out);
int32_t cnnfi_kfn_axis(cnnfi_kc *kc, size_t index, const char *names, int64_t fallback, int32_t rank);
cnnfi_kt cnnfi_kfn_first(cnnfi_kc *kc);

#endif
