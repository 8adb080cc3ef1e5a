/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of keras.ops and tf.*: a row each, and how they read their arguments. */
#ifndef CNNFI_LOADER_KERAS_LAYERS_FUNCTIONS_H
#define CNNFI_LOADER_KERAS_LAYERS_FUNCTIONS_H

#include "loader/keras/layers/layers.h"

typedef struct cnnfi_keras_function_row {
    const char *names; /* keras.ops' class and tf's paths: "Add|math.add|__operators__.add" */
    void (*call)(cnnfi_layer_call *call, const char *op);
    const char *op; /* the row's own word, e.g. the op */
} cnnfi_keras_function_row;

/* The second part of the table: function_table.c. */
extern const cnnfi_keras_function_row cnnfi_keras_function_rows[];
extern const size_t cnnfi_keras_function_row_count;

/* Bits of the arguments that were looked at: by position, and by place among the keywords and the named tensors. */
typedef struct cnnfi_keras_asked {
    uint64_t positions, keywords, named;
} cnnfi_keras_asked;

/* Runs function `name` on a call; false: there is none of that name. */
bool cnnfi_function_run(cnnfi_layer_call *call, const char *name);

/* Argument `index`, called `names` ("axis|axes"), as JSON: by position, by keyword, or from the config; NULL. */
const cnnfi_json *cnnfi_function_argument(const cnnfi_layer_call *call, size_t index, const char *names);
/* The same as a tensor; a number becomes a constant of dtype `like`. */
cnnfi_keras_tensor cnnfi_function_tensor(cnnfi_layer_call *call, size_t index, const char *names, cnnf_dtype like);
bool cnnfi_function_flag(const cnnfi_layer_call *call, size_t index, const char *names);
/* The axes named, normalised; all of them when none is. */
int32_t cnnfi_function_axes(cnnfi_layer_call *call, size_t index, const char *names, int32_t rank, int32_t *out);
int32_t cnnfi_function_axis(cnnfi_layer_call *call, size_t index, const char *names, int64_t fallback, int32_t rank);
cnnfi_keras_tensor cnnfi_function_first(cnnfi_layer_call *call);

#endif
