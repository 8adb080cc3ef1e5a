/* SPDX-License-Identifier: Apache-2.0 */
/* The public loaders: what a file is decides who reads it. */
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/os.h"
#include "base/path.h"
#include "base/source.h"
#include "graph/graph.h"
#include "loader/graphdef/graph_file.h"
#include "loader/keras/read/keras.h"
#include "loader/run_folder.h"
#include "loader/sniff.h"

typedef cnnf_status (*load_fn)(cnnf_graph **out, const cnnfi_graph_file *file, cnnf_error *error);

static cnnf_status load_keras(cnnf_graph **out, const cnnfi_graph_file *file, cnnf_error *error)
{
#if CNNFI_HAVE_KERAS_H5
    return cnnfi_load_keras(out, cnnfi_source_context(file->source), file->source, file->options, error);
#else
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: this library was built without HDF5",
                      cnnfi_source_name(file->source));
#endif
}

/* Formats that hold a graph. A `family` is one kind of content, binary or text. */
static const struct format_rule {
    int32_t format, family;
    bool text;
    load_fn load;
} format_rules[] = {
    {CNNF_FORMAT_KERAS_H5, CNNF_FORMAT_KERAS_H5, false, load_keras},
    {CNNF_FORMAT_HDF5, CNNF_FORMAT_KERAS_H5, false, load_keras}, /* says what is missing */
    {CNNF_FORMAT_KERAS_V3, CNNF_FORMAT_KERAS_H5, false, load_keras},
    {CNNF_FORMAT_ZIP, CNNF_FORMAT_KERAS_H5, false, load_keras},
    {CNNF_FORMAT_GRAPHDEF, CNNF_FORMAT_GRAPHDEF, false, cnnfi_load_graphdef},
    {CNNF_FORMAT_GRAPHDEF_TEXT, CNNF_FORMAT_GRAPHDEF, true, cnnfi_load_graphdef},
    {CNNF_FORMAT_META_GRAPH, CNNF_FORMAT_META_GRAPH, false, cnnfi_load_meta_graph},
    {CNNF_FORMAT_META_GRAPH_TEXT, CNNF_FORMAT_META_GRAPH, true, cnnfi_load_meta_graph},
    {CNNF_FORMAT_SAVED_MODEL, CNNF_FORMAT_SAVED_MODEL, false, cnnfi_load_saved_model},
    {CNNF_FORMAT_SAVED_MODEL_TEXT, CNNF_FORMAT_SAVED_MODEL, true, cnnfi_load_saved_model},
};

static const struct format_rule *rule_of(int32_t format)
{
    for (size_t i = 0; i < sizeof format_rules / sizeof format_rules[0]; i++)
        if (format_rules[i].format == format) return &format_rules[i];
    return NULL;
}

static cnnf_status fail_format(int32_t format, int32_t wanted, const char *name, cnnf_error *error)
{
    const char *hint = cnnfi_format_hint(format);
    const char *what = wanted == CNNF_FORMAT_UNKNOWN ? "a model or graph" : cnnf_format_name(wanted);
    return cnnfi_fail_in_file(error, CNNF_E_FORMAT, name, -1, "%s: is %s, not %s%s%s", name, cnnf_format_name(format),
                              what, hint[0] != '\0' ? "; " : "", hint);
}

static cnnf_status load_source(cnnf_graph **out, cnnfi_source *source, const cnnf_load_options *options,
                               int32_t *format, cnnf_error *error)
{
    const char *name = cnnfi_source_name(source);
    CNNFI_TRY(cnnfi_sniff(format, source, error));
    const struct format_rule *rule = rule_of(*format), *wanted = rule_of(options->format);
    if (rule == NULL || (wanted != NULL && wanted->family != rule->family))
        return fail_format(*format, options->format, name, error);
    const cnnfi_graph_file file = {.source = source, .text = rule->text, .options = options};
    return rule->load(out, &file, error);
}

/* A checkpoint of a Keras model's weights, with its architecture. */
static cnnf_status load_weights(cnnf_graph **out, cnnf_context *context, const char *path,
                                const cnnf_load_options *options, cnnf_error *error)
{
#if CNNFI_HAVE_KERAS_H5
    return cnnfi_load_keras_checkpoint(out, context, path, options, error);
#else
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: this library was built without HDF5", path);
#endif
}

/* ---- SavedModel folders ---- */

/* FOLDER/NAME, or NAME beside FILE: a new block. */
static char *path_in(cnnf_context *context, const char *folder, size_t length, const char *name)
{
    size_t size = strlen(name);
    char *path = (char *)cnnfi_malloc(context, length + size + 2);
    if (path == NULL) return NULL;
    memcpy(path, folder, length);
    if (length > 0 && !cnnfi_path_is_slash(path[length - 1])) path[length++] = '/';
    memcpy(path + length, name, size + 1);
    return path;
}

/* The variables lie beside saved_model.pb. */
static cnnf_status bind_variables(cnnf_graph **graph, const char *path, const cnnf_load_options *options,
                                  cnnf_error *error)
{
    cnnf_context *context = (*graph)->context;
    char *prefix = path_in(context, path, cnnfi_path_folder(path), "variables/variables");
    cnnf_graph *bound = NULL;
    if (prefix == NULL) return cnnfi_fail_nomem(error);
    cnnf_status status = cnnf_bind_checkpoint(&bound, *graph, prefix, options, error);
    cnnfi_free(context, prefix);
    if (status != CNNF_OK) return status;
    cnnf_graph_unref(*graph);
    *graph = bound;
    return CNNF_OK;
}

static cnnf_status load_one_file(cnnf_graph **out, cnnf_context *context, const char *path,
                                 const cnnf_load_options *options, cnnf_error *error)
{
    cnnfi_source *source = NULL;
    int32_t format = CNNF_FORMAT_UNKNOWN;
    CNNFI_TRY(cnnfi_source_open(&source, context, path, error));
    cnnf_status status = load_source(out, source, options, &format, error);
    cnnfi_source_unref(source);
    bool saved_model = format == CNNF_FORMAT_SAVED_MODEL || format == CNNF_FORMAT_SAVED_MODEL_TEXT;
    if (status != CNNF_OK || !saved_model || cnnf_graph_variable_count(*out) == 0) return status;
    status = bind_variables(out, path, options, error);
    if (status == CNNF_OK) return CNNF_OK;
    cnnf_graph_unref(*out);
    *out = NULL;
    return status;
}

/* The file of a folder that is to be read; NULL: none of those we know. A new block. */
static cnnf_status saved_model_file(char **out, cnnf_context *context, const char *folder, cnnf_error *error)
{
    static const char *const names[] = {"saved_model.pb", "saved_model.pbtxt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        *out = path_in(context, folder, strlen(folder), names[i]);
        if (*out == NULL) return cnnfi_fail_nomem(error);
        if (cnnfi_os_exists(*out)) return CNNF_OK;
        cnnfi_free(context, *out);
        *out = NULL;
    }
    return CNNF_OK;
}

/* ---- what a training run left: a graph in a .meta, its values in a checkpoint ---- */

/* Says that there is none. */
typedef cnnf_status (*absent_fn)(cnnf_graph **out, cnnf_context *context, const char *path,
                                 const cnnf_load_options *options, cnnf_error *error);

static cnnf_status fail_folder(cnnf_graph **out, cnnf_context *context, const char *path,
                               const cnnf_load_options *options, cnnf_error *error)
{
    (void)out, (void)context, (void)options;
    return cnnfi_fail_in_file(error, CNNF_E_FORMAT, path, -1,
                              "%s: is a folder without saved_model.pb, saved_model.pbtxt or a .meta", path);
}

static cnnf_status load_meta_and_values(cnnf_graph **out, cnnf_context *context, const char *meta, const char *prefix,
                                        const cnnf_load_options *options, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    if (!prefix) return load_one_file(out, context, meta, options, error);
    CNNFI_TRY(load_one_file(&graph, context, meta, options, error));
    const cnnf_status status = cnnf_bind_checkpoint(out, graph, prefix, options, error);
    cnnf_graph_unref(graph);
    if (status == CNNF_OK) cnnfi_log(context, CNNF_LOG_INFO, "%s with the values of %s", meta, prefix);
    return status;
}

static cnnf_status load_run(cnnf_graph **out, cnnf_context *context, const char *path, const cnnf_load_options *options,
                            absent_fn absent, cnnf_error *error)
{
    char *meta = NULL, *prefix = NULL;
    CNNFI_TRY(cnnfi_find_run(&meta, &prefix, context, path, error));
    const cnnf_status status = meta ? load_meta_and_values(out, context, meta, prefix, options, error)
                                    : absent(out, context, path, options, error);
    cnnfi_free(context, meta);
    cnnfi_free(context, prefix);
    return status;
}

/* A file of a checkpoint, or a name that is none of a file: a prefix. */
static bool may_be_run(cnnf_context *context, const char *path, const cnnf_load_options *options)
{
    static const int32_t formats[] = {CNNF_FORMAT_CHECKPOINT_INDEX, CNNF_FORMAT_CHECKPOINT_DATA,
                                      CNNF_FORMAT_CHECKPOINT_STATE, CNNF_FORMAT_CHECKPOINT_V1};
    int32_t format = CNNF_FORMAT_UNKNOWN;
    if (options && options->format != CNNF_FORMAT_UNKNOWN && options->format != CNNF_FORMAT_META_GRAPH) return false;
    if (!cnnfi_os_exists(path)) return true;
    if (cnnf_format_detect(&format, context, path, NULL) != CNNF_OK) return false;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (formats[i] == format) return true;
    }
    return false;
}

static cnnf_status load_folder(cnnf_graph **out, cnnf_context *context, const char *path,
                               const cnnf_load_options *options, cnnf_error *error)
{
    char *file = NULL;
    CNNFI_TRY(saved_model_file(&file, context, path, error));
    if (file == NULL) return load_run(out, context, path, options, fail_folder, error);
    cnnf_status status = load_one_file(out, context, file, options, error);
    cnnfi_free(context, file);
    return status;
}

/* ---- public ---- */

cnnf_status cnnf_load_file(cnnf_graph **out, cnnf_context *context, const char *path, const cnnf_load_options *options,
                           cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_file: out is NULL");
    *out = NULL;
    if (context == NULL || path == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_file: NULL argument");
    cnnfi_load_call call;
    options = cnnfi_load_begin(&call, context, options);
    if (cnnfi_os_is_folder(path)) return load_folder(out, context, path, options, error);
    if (may_be_run(context, path, options) && options && options->architecture_file)
        return load_weights(out, context, path, options, error);
    if (may_be_run(context, path, options)) return load_run(out, context, path, options, load_one_file, error);
    return load_one_file(out, context, path, options, error);
}

cnnf_status cnnf_load_memory(cnnf_graph **out, cnnf_context *context, const void *data, size_t size, const char *name,
                             const cnnf_load_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_memory: out is NULL");
    *out = NULL;
    if (context == NULL || name == NULL || (data == NULL && size > 0))
        return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_memory: NULL argument");
    cnnfi_source *source = NULL;
    int32_t format;
    cnnfi_load_call call;
    options = cnnfi_load_begin(&call, context, options);
    CNNFI_TRY(cnnfi_source_copy(&source, context, data, size, name, error));
    cnnf_status status = load_source(out, source, options, &format, error);
    cnnfi_source_unref(source);
    return status;
}

static cnnf_status detect_folder(int32_t *out, cnnf_context *context, const char *path, cnnf_error *error)
{
    char *file = NULL;
    CNNFI_TRY(saved_model_file(&file, context, path, error));
    if (file != NULL) *out = cnnfi_ends_with(file, "txt") ? CNNF_FORMAT_SAVED_MODEL_TEXT : CNNF_FORMAT_SAVED_MODEL;
    cnnfi_free(context, file);
    return CNNF_OK;
}

cnnf_status cnnf_format_detect(int32_t *out, cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_format_detect: out is NULL");
    *out = CNNF_FORMAT_UNKNOWN;
    if (context == NULL || path == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_format_detect: NULL argument");
    if (cnnfi_os_is_folder(path)) return detect_folder(out, context, path, error);
    cnnfi_source *source = NULL;
    CNNFI_TRY(cnnfi_source_open(&source, context, path, error));
    cnnf_status status = cnnfi_sniff(out, source, error);
    cnnfi_source_unref(source);
    return status;
}

cnnf_status cnnfi_saver_restore_op(char **out, cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnfi_source *source = NULL;
    int32_t format = CNNF_FORMAT_UNKNOWN;
    *out = NULL;
    cnnfi_load_call call;
    const cnnf_load_options *options = cnnfi_load_begin(&call, context, NULL);
    CNNFI_TRY(cnnfi_source_open(&source, context, path, error));
    cnnf_status status = cnnfi_sniff(&format, source, error);
    const cnnfi_graph_file file = {.source = source, .text = format == CNNF_FORMAT_SAVER_DEF_TEXT, .options = options};
    if (status == CNNF_OK)
        status = format == CNNF_FORMAT_SAVER_DEF || file.text ? cnnfi_load_saver_def(out, &file, error)
                                                              : fail_format(format, CNNF_FORMAT_SAVER_DEF, path, error);
    cnnfi_source_unref(source);
    return status;
}

cnnf_status cnnf_check_saver_file(cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnf_error_clear(error);
    char *restore_op = NULL;
    if (!context || !path) return cnnfi_fail_null(error, __func__);
    const cnnf_status status = cnnfi_saver_restore_op(&restore_op, context, path, error);
    cnnfi_free(context, restore_op);
    return status;
}
