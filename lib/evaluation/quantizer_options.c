/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluation/quantizer_options.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/graph.h"
#include "ops/fixed_grid.h"
#include "evaluation/quantizer.h"

typedef struct row {
    const char *name, *description;
    int64_t least, most, fallback;
} row;

static const row rows[CNNFI_QUANTIZER_OPTIONS] = {
    [CNNFI_QUANTIZER_ACTIVATION_BIT] = {"activation_bit", "bits of activations", 2, CNNFI_FIX_MAX_BITS, 8},
    [CNNFI_QUANTIZER_ADJUST_SHIFT_BIAS] = {"adjust_shift_bias", "keep the shift of a bias in the DPU's range", 0, 1, 1},
    [CNNFI_QUANTIZER_ADJUST_SHIFT_CUT] = {"adjust_shift_cut", "keep the shift of a sum in the DPU's range", 0, 1, 1},
    [CNNFI_QUANTIZER_ALIGN_CONCAT] = {"align_concat", "inputs of a concat at its position: 0 all, 1 outputs, 2 none", 0,
                                      2, 0},
    [CNNFI_QUANTIZER_ALIGN_POOL] = {"align_pool", "the input of a pool at its position: 0 all, 1 outputs, 2 none", 0, 2,
                                    0},
    [CNNFI_QUANTIZER_AS_VAI_Q] = {"as_vai_q", "the tool's own result, where it is wrong too", 0, 1, 0},
    [CNNFI_QUANTIZER_DO_CLE] = {"do_cle", "equalize weights across layers", 0, 1, 0},
    [CNNFI_QUANTIZER_KEPT] = {"kept", "scheme 1, ranges 1: numbers within the range, in a million", 500000, 1000000,
                              999900},
    [CNNFI_QUANTIZER_METHOD] = {"method", "positions: 0 no overflow, 1 least squares, 2 relative for depthwise", 0, 2,
                                1},
    [CNNFI_QUANTIZER_REPLACE_SOFTMAX] = {"replace_softmax",
                                         "Softmax as the DPU's hard softmax (refused: not known here)", 0, 1, 0},
    [CNNFI_QUANTIZER_PER_CHANNEL] = {"per_channel", "scheme 1: a scale for each channel of weights", 0, 1, 1},
    [CNNFI_QUANTIZER_RANGES] = {"ranges",
                                "scheme 1: 0 least and greatest, 1 all but a share, 2 least squares, 3 entropy", 0,
                                CNNFI_AFFINE_METHODS - 1, CNNFI_AFFINE_MSE},
    [CNNFI_QUANTIZER_SCHEME] = {"scheme", "0 FixNeuron for the DPU, 1 affine int8 as FakeQuant nodes", 0, 1, 0},
    [CNNFI_QUANTIZER_SIMULATE_DPU] = {"simulate_dpu", "pools and leaky rectifiers with the DPU's constants", 0, 1, 1},
    [CNNFI_QUANTIZER_THREADS] = {"threads", "threads, 0 all processors", 0, INT32_MAX, 0},
    [CNNFI_QUANTIZER_WEIGHT_BIT] = {"weight_bit", "bits of weights and biases", 2, CNNFI_FIX_MAX_BITS, 8},
};

static const row *row_at(int32_t index)
{
    return index >= 0 && index < CNNFI_QUANTIZER_OPTIONS ? &rows[index] : NULL;
}

int32_t cnnf_quantizer_option_count(void)
{
    return CNNFI_QUANTIZER_OPTIONS;
}

const char *cnnf_quantizer_option_name(int32_t index)
{
    return row_at(index) ? row_at(index)->name : NULL;
}

const char *cnnf_quantizer_option_description(int32_t index)
{
    return row_at(index) ? row_at(index)->description : NULL;
}

int64_t cnnf_quantizer_option_default(int32_t index)
{
    return row_at(index) ? row_at(index)->fallback : 0;
}

void cnnfi_quantizer_defaults(int64_t values[CNNFI_QUANTIZER_OPTIONS])
{
    for (int32_t i = 0; i < CNNFI_QUANTIZER_OPTIONS; i++)
        values[i] = rows[i].fallback;
}

cnnf_status cnnf_quantizer_options_new(cnnf_quantizer_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail_null(error, __func__);
    *out = NULL;
    if (!context) return cnnfi_fail_null(error, __func__);
    cnnf_quantizer_options *options = cnnfi_calloc(context, 1, sizeof *options);
    if (!options) return cnnfi_fail_nomem(error);
    options->context = cnnf_context_ref(context);
    cnnfi_arena_init(&options->arena, context);
    cnnfi_quantizer_defaults(options->values);
    *out = options;
    return CNNF_OK;
}

void cnnf_quantizer_options_free(cnnf_quantizer_options *options)
{
    if (!options) return;
    cnnf_context *context = options->context;
    cnnfi_free(context, options->inputs.names);
    cnnfi_free(context, options->outputs.names);
    cnnfi_arena_free(&options->arena);
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

cnnf_status cnnf_quantizer_options_set(cnnf_quantizer_options *options, const char *name, int64_t value,
                                       cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !name) return cnnfi_fail_null(error, __func__);
    for (int32_t i = 0; i < CNNFI_QUANTIZER_OPTIONS; i++) {
        if (strcmp(rows[i].name, name)) continue;
        if (value < rows[i].least || value > rows[i].most) {
            return cnnfi_fail(error, CNNF_E_INVALID, "%s is %lld, not %lld to %lld", name, (long long)value,
                              (long long)rows[i].least, (long long)rows[i].most);
        }
        options->values[i] = value;
        return CNNF_OK;
    }
    return cnnfi_fail(error, CNNF_E_NOT_FOUND, "a quantizer has no option '%s'", name);
}

cnnf_status cnnfi_name_set_add(cnnfi_name_set *set, cnnfi_arena *arena, cnnf_context *context, const char *text,
                               cnnf_error *error)
{
    const char *start;
    size_t length;
    cnnfi_input_parse(text, &start, &length);
    if (!length) return cnnfi_fail(error, CNNF_E_INVALID, "'%s' is no node name", text);
    const char *name = cnnfi_arena_strndup(arena, start, length);
    if (!name || !cnnfi_grow(context, (void **)&set->names, &set->capacity, set->count, sizeof *set->names))
        return cnnfi_fail_nomem(error);
    set->names[set->count++] = name;
    return CNNF_OK;
}

cnnf_status cnnf_quantizer_options_add_input(cnnf_quantizer_options *options, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !name) return cnnfi_fail_null(error, __func__);
    return cnnfi_name_set_add(&options->inputs, &options->arena, options->context, name, error);
}

cnnf_status cnnf_quantizer_options_add_output(cnnf_quantizer_options *options, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !name) return cnnfi_fail_null(error, __func__);
    return cnnfi_name_set_add(&options->outputs, &options->arena, options->context, name, error);
}
