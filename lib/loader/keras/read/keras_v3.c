/* SPDX-License-Identifier: Apache-2.0 */
/* .keras: a zip of metadata.json, config.json and model.weights.h5. */
#include <string.h>

#include "base/context.h"
#include "loader/hdf5/hdf5_file.h"
#include "loader/keras/read/keras_folders.h"
#include "loader/keras/read/keras_read.h"
#include "loader/container/zip_file.h"

typedef struct reader {
    cnnfi_keras_model *model;
    cnnfi_zip zip;
    cnnfi_h5 *h5;
    cnnf_error *error;
} reader;

/* ---- the JSON entries ---- */

static cnnf_status parse_entry(reader *r, const cnnfi_zip_data *data, const char *what, cnnfi_json_doc **doc)
{
    cnnf_context *context = r->model->context;
    char *text = cnnfi_malloc(context, (size_t)data->size);
    if (!text) return cnnfi_fail_nomem(r->error);
    cnnf_status status = cnnfi_source_read(data->source, data->offset, text, (size_t)data->size, r->error);
    if (status == CNNF_OK) status = cnnfi_keras_model_json(doc, r->model, text, (size_t)data->size, what, r->error);
    cnnfi_free(context, text);
    return status;
}

/* *doc is NULL when there is no such entry. */
static cnnf_status read_json(reader *r, const char *name, const char *format, cnnfi_json_doc **doc)
{
    cnnfi_zip_data data;
    *doc = NULL;
    CNNFI_TRY(cnnfi_zip_find(&data, &r->zip, name, CNNF_LIMIT_ATTR_BYTES, r->error));
    if (!data.source) return CNNF_OK;
    char *what = cnnfi_arena_printf(&r->model->arena, "%s: %s", r->model->path, format);
    cnnf_status status = what ? parse_entry(r, &data, what, doc) : cnnfi_fail_nomem(r->error);
    cnnfi_source_unref(data.source);
    return status;
}

static cnnf_status fail_missing(reader *r, const char *name)
{
    return cnnfi_fail(r->error, CNNF_E_CORRUPT, "%s: zip: no entry '%s'", r->model->path, name);
}

/* ---- weights ---- */

static cnnf_status read_weights(reader *r, const cnnf_load_options *options)
{
    cnnfi_zip_data data;
    CNNFI_TRY(cnnfi_zip_find(&data, &r->zip, "model.weights.h5", CNNF_LIMIT_FILE_BYTES, r->error));
    if (!data.source) return fail_missing(r, "model.weights.h5");
    char *name = cnnfi_arena_printf(&r->model->arena, "%s: model.weights.h5", r->model->path);
    cnnf_status status = name ? CNNF_OK : cnnfi_fail_nomem(r->error);
    if (status == CNNF_OK)
        status = cnnfi_h5_open(&r->h5, r->model->context, data.source, data.offset, data.size, name, r->model->budget,
                               r->error);
    if (status == CNNF_OK && options && options->ask_libhdf5) status = cnnfi_h5_ask_library(r->h5, r->error);
    if (status == CNNF_OK) status = cnnfi_keras_read_folders(r->model, r->h5, r->error);
    cnnfi_h5_close(r->h5);
    cnnfi_source_unref(data.source);
    return status;
}

/* ---- the whole file ---- */

static cnnf_status read_file(reader *r, cnnfi_source *source, const cnnf_load_options *options)
{
    cnnfi_json_doc *metadata = NULL, *config = NULL;
    CNNFI_TRY(cnnfi_zip_open(&r->zip, source, r->model->budget, r->error));
    CNNFI_TRY(read_json(r, "config.json", "Keras config", &config));
    if (!config) return fail_missing(r, "config.json");
    CNNFI_TRY(read_json(r, "metadata.json", "Keras metadata", &metadata));
    const char *version = cnnfi_json_string(cnnfi_json_get(cnnfi_json_root(metadata), "keras_version"), "3");
    CNNFI_TRY(cnnfi_keras_set_version(r->model, version, cnnfi_json_root(config), r->error));
    CNNFI_TRY(cnnfi_keras_read_config(r->model, config, options, r->error));
    const cnnfi_json *compiled = cnnfi_json_get(cnnfi_json_root(config), "compile_config");
    if (cnnfi_json_size(compiled) > 0) r->model->training_config = compiled;
    return read_weights(r, options);
}

cnnf_status cnnfi_keras_read_v3(cnnfi_keras_model **out, cnnf_context *context, cnnfi_source *source,
                                const cnnf_load_options *options, cnnf_error *error)
{
    reader r = {.error = error};
    *out = NULL;
    CNNFI_TRY(cnnfi_keras_model_new(&r.model, context, cnnfi_source_name(source), cnnfi_load_budget(options), error));
    cnnf_status status = read_file(&r, source, options);
    if (status == CNNF_OK)
        *out = r.model;
    else
        cnnfi_keras_model_free(r.model);
    return cnnfi_error_in_file(error, status, cnnfi_source_name(source));
}
