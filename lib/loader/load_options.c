/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/load_options.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "loader/layer_map.h"

static const cnnf_load_options defaults = {.name_suffix = "", .training_state = true};

const cnnf_load_options *cnnfi_load_defaults(void)
{
    return &defaults;
}

/* Asked from time to time, also where there is nothing new to tell. */
static bool wants_to_stop(void *user)
{
    const cnnfi_load_call *call = user;
    return call->options.progress && call->options.progress(call->done, call->total, call->options.progress_user) != 0;
}

const cnnf_load_options *cnnfi_load_begin(cnnfi_load_call *call, const cnnf_context *context,
                                          const cnnf_load_options *options)
{
    if (options && options->call) return options;
    *call = (cnnfi_load_call){.options = options ? *options : defaults};
    cnnfi_budget_init_file(&call->budget, context);
    call->budget.stop = wants_to_stop;
    call->budget.user = call;
    call->options.call = call;
    return &call->options;
}

cnnf_status cnnfi_load_progress(const cnnf_load_options *options, uint64_t done, uint64_t total, cnnf_error *error)
{
    if (options == NULL || options->progress == NULL) return CNNF_OK;
    if (options->call) {
        options->call->done = done;
        options->call->total = total;
    }
    if (options->progress(done, total, options->progress_user) == 0) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CANCELLED, "cancelled while loading");
}

cnnf_status cnnf_load_options_new(cnnf_load_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_options_new: out is NULL");
    *out = NULL;
    if (context == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_options_new: context is NULL");
    cnnf_load_options *options = (cnnf_load_options *)cnnfi_malloc(context, sizeof *options);
    if (options == NULL) return cnnfi_fail_nomem(error);
    *options = defaults;
    options->context = cnnf_context_ref(context);
    options->name_suffix = cnnfi_strdup(context, "");
    if (options->name_suffix == NULL) {
        cnnf_load_options_free(options);
        return cnnfi_fail_nomem(error);
    }
    *out = options;
    return CNNF_OK;
}

static void names_free(cnnf_context *context, cnnfi_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        cnnfi_free(context, names->names[i]);
    cnnfi_free(context, names->names);
}

void cnnf_load_options_free(cnnf_load_options *options)
{
    if (options == NULL) return;
    cnnf_context *context = options->context;
    cnnfi_free(context, options->name_suffix);
    cnnfi_free(context, options->architecture_file);
    cnnfi_free(context, options->signature);
    cnnfi_free(context, options->saver_file);
    names_free(context, &options->map_from);
    names_free(context, &options->map_to);
    names_free(context, &options->drop_layers);
    names_free(context, &options->lambda_names);
    names_free(context, &options->lambdas);
    names_free(context, &options->tags);
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

static cnnf_status set_text(cnnf_load_options *options, char **slot, const char *text, cnnf_error *error)
{
    char *copy = cnnfi_strdup(options->context, text);
    if (copy == NULL) return cnnfi_fail_nomem(error);
    cnnfi_free(options->context, *slot);
    *slot = copy;
    return CNNF_OK;
}

static cnnf_status add_name(cnnf_load_options *options, cnnfi_names *names, const char *name, cnnf_error *error)
{
    if (!cnnfi_grow(options->context, (void **)&names->names, &names->capacity, names->count, sizeof *names->names))
        return cnnfi_fail_nomem(error);
    char *copy = cnnfi_strdup(options->context, name);
    if (copy == NULL) return cnnfi_fail_nomem(error);
    names->names[names->count++] = copy;
    return CNNF_OK;
}

cnnf_status cnnf_load_options_set_name_suffix(cnnf_load_options *options, const char *suffix, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || suffix == NULL) return cnnfi_fail_null(error, __func__);
    return set_text(options, &options->name_suffix, suffix, error);
}

cnnf_status cnnf_load_options_set_variables(cnnf_load_options *options, int32_t variables, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    if (variables < CNNF_VARIABLES_AUTO || variables > CNNF_VARIABLES_RESOURCE)
        return cnnfi_fail(error, CNNF_E_INVALID, "there is no kind of variables %d", (int)variables);
    options->variables = variables;
    return CNNF_OK;
}

cnnf_status cnnf_load_options_set_ask_libhdf5(cnnf_load_options *options, int32_t ask, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    options->ask_libhdf5 = ask != 0;
    return CNNF_OK;
}

cnnf_status cnnf_load_options_set_training_state(cnnf_load_options *options, int32_t keep, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    options->training_state = keep != 0;
    return CNNF_OK;
}

cnnf_status cnnf_load_options_set_architecture_file(cnnf_load_options *options, const char *path, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || path == NULL) return cnnfi_fail_null(error, __func__);
    return set_text(options, &options->architecture_file, path, error);
}

cnnf_status cnnf_load_options_set_input_shape(cnnf_load_options *options, int32_t rank, const int64_t *dims,
                                              cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || dims == NULL) return cnnfi_fail_null(error, __func__);
    const int32_t most = (int32_t)(sizeof options->input_dims / sizeof *options->input_dims);
    if (rank < 1 || rank > most) return cnnfi_fail(error, CNNF_E_INVALID, "an input shape of rank %d", (int)rank);
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < -1 || dims[i] > INT32_MAX)
            return cnnfi_fail(error, CNNF_E_INVALID, "dimension %d of an input shape is %lld", (int)i,
                              (long long)dims[i]);
    }
    options->input_rank = rank;
    memcpy(options->input_dims, dims, (size_t)rank * sizeof *dims);
    return CNNF_OK;
}

static cnnf_status add_pair(cnnf_load_options *options, cnnfi_names *first, cnnfi_names *second, const char *one,
                            const char *two, cnnf_error *error)
{
    cnnf_status status = add_name(options, first, one, error);
    if (status == CNNF_OK) status = add_name(options, second, two, error);
    if (status != CNNF_OK && first->count > second->count) cnnfi_free(options->context, first->names[--first->count]);
    return status;
}

cnnf_status cnnf_load_options_map_layer(cnnf_load_options *options, const char *from, const char *to, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || from == NULL || to == NULL) return cnnfi_fail_null(error, __func__);
    cnnfi_layer_map map;
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, options->context);
    const cnnf_status status = cnnfi_layer_map_read(&map, &arena, to, error);
    cnnfi_arena_free(&arena);
    return status ? status : add_pair(options, &options->map_from, &options->map_to, from, to, error);
}

cnnf_status cnnf_load_options_add_lambda(cnnf_load_options *options, const char *name, const char *expression,
                                         cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || name == NULL || expression == NULL) return cnnfi_fail_null(error, __func__);
    const cnnfi_expression *parsed = NULL;
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, options->context);
    const cnnf_status status = cnnfi_expression_parse(&parsed, &arena, expression, error);
    cnnfi_arena_free(&arena);
    return status ? status : add_pair(options, &options->lambda_names, &options->lambdas, name, expression, error);
}

cnnf_status cnnf_load_options_drop_layer(cnnf_load_options *options, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || name == NULL) return cnnfi_fail_null(error, __func__);
    return add_name(options, &options->drop_layers, name, error);
}

cnnf_status cnnf_load_options_set_rnn_steps(cnnf_load_options *options, int64_t steps, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    if (steps < 0 || steps > CNNFI_MAX_RNN_STEPS)
        return cnnfi_fail(error, CNNF_E_INVALID, "rnn_steps must be between 0 and %d", CNNFI_MAX_RNN_STEPS);
    options->rnn_steps = steps;
    return CNNF_OK;
}

cnnf_status cnnf_load_options_add_tag(cnnf_load_options *options, const char *tag, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || tag == NULL) return cnnfi_fail_null(error, __func__);
    return add_name(options, &options->tags, tag, error);
}

cnnf_status cnnf_load_options_set_signature(cnnf_load_options *options, const char *signature, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || signature == NULL) return cnnfi_fail_null(error, __func__);
    return set_text(options, &options->signature, signature, error);
}

cnnf_status cnnf_load_options_set_saver_file(cnnf_load_options *options, const char *path, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !path) return cnnfi_fail_null(error, __func__);
    return set_text(options, &options->saver_file, path, error);
}

cnnf_status cnnf_load_options_set_format(cnnf_load_options *options, int32_t format, cnnf_error *error)
{
    cnnf_error_clear(error);
    static const int32_t kinds[] = {CNNF_FORMAT_UNKNOWN, CNNF_FORMAT_GRAPHDEF, CNNF_FORMAT_META_GRAPH,
                                    CNNF_FORMAT_SAVED_MODEL, CNNF_FORMAT_KERAS_H5};
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i] != format) continue;
        options->format = format;
        return CNNF_OK;
    }
    return cnnfi_fail(error, CNNF_E_INVALID, "%s (format %d) cannot be demanded of a file", cnnf_format_name(format),
                      (int)format);
}

cnnf_status cnnf_load_options_set_progress(cnnf_load_options *options, cnnf_progress_fn progress, void *user,
                                           cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    options->progress = progress;
    options->progress_user = user;
    return CNNF_OK;
}
