/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/keras/read/keras.h"

#include <string.h>

#include "base/context.h"
#include "loader/keras/build/keras_build.h"
#include "loader/keras/read/keras_read.h"
#include "loader/load_options.h"

static bool is_zip(cnnfi_source *source)
{
    char magic[4] = "";
    return cnnfi_source_size(source) >= sizeof magic &&
           cnnfi_source_read(source, 0, magic, sizeof magic, NULL) == CNNF_OK && memcmp(magic, "PK\3\4", 4) == 0;
}

static cnnf_status read_model(cnnfi_keras_model **out, cnnf_context *context, cnnfi_source *source,
                              const cnnf_load_options *options, cnnf_error *error)
{
    if (!is_zip(source)) return cnnfi_keras_read_h5(out, context, source, options, error);
#if CNNFI_HAVE_KERAS_V3
    return cnnfi_keras_read_v3(out, context, source, options, error);
#else
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: .keras: this library was built without zlib",
                      cnnfi_source_name(source));
#endif
}

cnnf_status cnnfi_keras_read_architecture(cnnfi_json_doc **out, cnnfi_keras_model *model, const char *path,
                                          cnnf_error *error)
{
    cnnfi_source *source = NULL;
    uint8_t *text = NULL;
    size_t size = 0;
    char *what = cnnfi_arena_printf(&model->arena, "%s: Keras config", path);
    if (!what) return cnnfi_fail_nomem(error);
    CNNFI_TRY(cnnfi_source_open(&source, model->context, path, error));
    cnnf_status status =
        cnnfi_check_limit(model->context, CNNF_LIMIT_ATTR_BYTES, cnnfi_source_size(source), path, error);
    if (status == CNNF_OK) status = cnnfi_source_read_all(source, &text, &size, error);
    if (status == CNNF_OK) status = cnnfi_keras_model_json(out, model, (const char *)text, size, what, error);
    cnnfi_free(model->context, text);
    cnnfi_source_unref(source);
    return status;
}

static cnnf_status build(cnnf_graph **out, cnnfi_keras_model *model, const cnnf_load_options *options,
                         cnnf_error *error)
{
    model->rnn_steps = options->rnn_steps;
    cnnfi_keras_take_replicated(model);
    CNNFI_TRY(cnnfi_keras_check_classes(model, error));
    return cnnfi_keras_build(out, model, options->variables, options->name_suffix, options->training_state, error);
}

cnnf_status cnnfi_load_keras_checkpoint(cnnf_graph **out, cnnf_context *context, const char *path,
                                        const cnnf_load_options *options, cnnf_error *error)
{
    cnnfi_keras_model *model = NULL;
    *out = NULL;
    cnnf_status status = cnnfi_keras_read_checkpoint(&model, context, path, options, error);
    if (status == CNNF_OK) status = build(out, model, options, error);
    cnnfi_keras_model_free(model);
    return status;
}

cnnf_status cnnfi_load_keras(cnnf_graph **out, cnnf_context *context, cnnfi_source *source,
                             const cnnf_load_options *options, cnnf_error *error)
{
    cnnfi_keras_model *model = NULL;
    cnnf_status status = read_model(&model, context, source, options, error);
    const uint64_t size = cnnfi_source_size(source);
    if (status == CNNF_OK) status = cnnfi_load_progress(options, size, size, error);
    if (status == CNNF_OK) status = build(out, model, options, error);
    cnnfi_keras_model_free(model);
    return status;
}
