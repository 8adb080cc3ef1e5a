/* SPDX-License-Identifier: Apache-2.0 */
/* "ReLU(max_value: 6, negative_slope: slope)": what a class is loaded as, and what its fields are made from. */
#ifndef CNNFI_LOADER_LAYER_MAP_H
#define CNNFI_LOADER_LAYER_MAP_H

#include "loader/expression.h"

/* Lives in the arena it was read into. */
typedef struct cnnfi_layer_map {
    const char *class_name;
    const cnnfi_expression *fields; /* keyword: the target's field; a NAME is a field of the class, else a constant */
} cnnfi_layer_map;

/* A text without parentheses is a class alone. CNNF_E_INVALID, CNNF_E_LIMIT, CNNF_E_NOMEM. */
cnnf_status cnnfi_layer_map_read(cnnfi_layer_map *out, cnnfi_arena *arena, const char *text, cnnf_error *error);

#endif
