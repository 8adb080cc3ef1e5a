/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/keras/read/keras_model.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/context.h"

cnnf_status cnnfi_keras_model_new(cnnfi_keras_model **out, cnnf_context *context, const char *path,
                                  cnnfi_budget *budget, cnnf_error *error)
{
    *out = NULL;
    cnnfi_keras_model *model = cnnfi_calloc(context, 1, sizeof *model);
    if (!model) return cnnfi_fail_nomem(error);
    model->context = cnnf_context_ref(context);
    cnnfi_arena_init(&model->arena, context);
    model->path = cnnfi_arena_strdup(&model->arena, path);
    model->budget = budget;
    model->keras_version = "";
    if (!model->path) {
        cnnfi_keras_model_free(model);
        return cnnfi_fail_nomem(error);
    }
    *out = model;
    return CNNF_OK;
}

void cnnfi_keras_model_free(cnnfi_keras_model *model)
{
    if (!model) return;
    cnnf_context *context = model->context;
    for (size_t i = 0; i < model->n_tensors; i++)
        cnnf_tensor_unref(model->tensors[i]);
    cnnfi_free(context, model->tensors);
    for (size_t i = 0; i < model->n_documents; i++)
        cnnfi_json_doc_free(model->documents[i]);
    cnnfi_arena_free(&model->arena);
    cnnfi_free(context, model);
    cnnf_context_unref(context);
}

cnnf_status cnnfi_keras_model_hold(cnnfi_keras_model *model, cnnf_tensor *tensor, cnnf_error *error)
{
    void *grown = model->tensors;
    if (!cnnfi_grow(model->context, &grown, &model->tensor_capacity, model->n_tensors, sizeof *model->tensors)) {
        cnnf_tensor_unref(tensor);
        return cnnfi_fail_nomem(error);
    }
    model->tensors = grown;
    model->tensors[model->n_tensors++] = tensor;
    return CNNF_OK;
}

cnnf_status cnnfi_keras_model_json(cnnfi_json_doc **out, cnnfi_keras_model *model, const char *text, size_t size,
                                   const char *what, cnnf_error *error)
{
    *out = NULL;
    if (model->n_documents == sizeof model->documents / sizeof model->documents[0])
        return cnnfi_fail(error, CNNF_E_INTERNAL, "%s: too many JSON documents", model->path);
    CNNFI_TRY(cnnfi_json_parse(out, model->context, text, size, what, model->budget, error));
    model->documents[model->n_documents++] = *out;
    return CNNF_OK;
}

cnnf_status cnnfi_keras_fail(cnnf_error *error, cnnf_status code, const cnnfi_keras_layer *layer, const char *format,
                             ...)
{
    char what[768];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return cnnfi_fail_at_node(error, code, layer->name, "layer '%s' (%s): %s", layer->name, layer->stored_class, what);
}
