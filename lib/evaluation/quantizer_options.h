/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a quantizer, as the public setters keep them. */
#ifndef CNNFI_EVALUATION_QUANTIZER_OPTIONS_H
#define CNNFI_EVALUATION_QUANTIZER_OPTIONS_H

#include <cnnfreeze/quantize.h>

#include "base/arena.h"

/* Rows of the table in quantizer_options.c. */
typedef enum cnnfi_quantizer_option {
    CNNFI_QUANTIZER_ACTIVATION_BIT,
    CNNFI_QUANTIZER_ADJUST_SHIFT_BIAS,
    CNNFI_QUANTIZER_ADJUST_SHIFT_CUT,
    CNNFI_QUANTIZER_ALIGN_CONCAT,
    CNNFI_QUANTIZER_ALIGN_POOL,
    CNNFI_QUANTIZER_AS_VAI_Q,
    CNNFI_QUANTIZER_DO_CLE,
    CNNFI_QUANTIZER_KEPT,
    CNNFI_QUANTIZER_METHOD,
    CNNFI_QUANTIZER_PER_CHANNEL,
    CNNFI_QUANTIZER_RANGES,
    CNNFI_QUANTIZER_REPLACE_SOFTMAX,
    CNNFI_QUANTIZER_SCHEME,
    CNNFI_QUANTIZER_SIMULATE_DPU,
    CNNFI_QUANTIZER_THREADS,
    CNNFI_QUANTIZER_WEIGHT_BIT,
    CNNFI_QUANTIZER_OPTIONS
} cnnfi_quantizer_option;

typedef struct cnnfi_name_set {
    const char **names; /* in the arena */
    size_t count, capacity;
} cnnfi_name_set;

struct cnnf_quantizer_options {
    cnnf_context *context;
    cnnfi_arena arena;
    int64_t values[CNNFI_QUANTIZER_OPTIONS];
    cnnfi_name_set inputs, outputs;
};

void cnnfi_quantizer_defaults(int64_t values[CNNFI_QUANTIZER_OPTIONS]);
/* The node part of "x", "x:0", copied into the arena. */
cnnf_status cnnfi_name_set_add(cnnfi_name_set *set, cnnfi_arena *arena, cnnf_context *context, const char *text,
                               cnnf_error *error);

#endif
