/* SPDX-License-Identifier: Apache-2.0 */
/* The public side: options, and a graph converted and written. */
#include <limits.h>
#include <string.h>

#include <cnnfreeze/tflite.h>

#include "base/context.h"
#include "serializer/export/export_write.h"
#include "serializer/tflite/tflite_convert.h"
#include "serializer/tflite/tflite_write.h"

struct cnnf_tflite_options {
    cnnf_context *context; /* a reference */
    int32_t weights;
    cnnfi_export_outputs outputs;
};

static const cnnf_tflite_options defaults = {.weights = CNNF_TFLITE_FLOAT32};

cnnf_status cnnf_tflite_options_new(cnnf_tflite_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail_null(error, __func__);
    *out = NULL;
    if (context == NULL) return cnnfi_fail_null(error, __func__);
    cnnf_tflite_options *options = cnnfi_malloc(context, sizeof *options);
    if (options == NULL) return cnnfi_fail_nomem(error);
    *options = defaults;
    options->context = cnnf_context_ref(context);
    *out = options;
    return CNNF_OK;
}

void cnnf_tflite_options_free(cnnf_tflite_options *options)
{
    if (options == NULL) return;
    cnnf_context *context = options->context;
    cnnfi_export_outputs_free(&options->outputs, context);
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

cnnf_status cnnf_tflite_options_add_output(cnnf_tflite_options *options, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || name == NULL) return cnnfi_fail_null(error, __func__);
    return cnnfi_export_outputs_add(&options->outputs, options->context, name, error);
}

int32_t cnnf_tflite_has_op(const char *op)
{
    return op != NULL && (strcmp(op, "Const") == 0 || cnnfi_tfl_find(op) != NULL);
}

/* ---- conversion ---- */

/* The file's bytes, but for the weights that are streamed. */
static cnnf_status make_skeleton(cnnfi_skeleton *s, cnnfi_tfl_convert *c, const cnnf_graph *graph,
                                 const cnnf_tflite_options *options, cnnf_error *error)
{
    cnnfi_tfl_convert_graph(c, graph, options->outputs.n, options->outputs.names);
    if (c->model.x.status == CNNF_OK) cnnfi_tfl_write(s, &c->model);
    CNNFI_TRY(cnnfi_export_status(&c->model.x, error));
    CNNFI_TRY(cnnfi_skeleton_status(s, error));
    if (cnnfi_skeleton_size(s) > INT_MAX)
        return cnnfi_fail(error, CNNF_E_LIMIT, "TFLite export: larger than the 2 GiB that a FlatBuffer can be");
    return CNNF_OK;
}

cnnf_status cnnf_write_tflite_file(const cnnf_graph *graph, const char *path, const cnnf_tflite_options *options,
                                   const cnnf_write_options *write_options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (graph == NULL || path == NULL) return cnnfi_fail_null(error, __func__);
    cnnfi_tfl_convert c = {.outputs = NULL};
    cnnfi_skeleton s;
    cnnfi_tfl_model_init(&c.model, graph->context);
    cnnfi_skeleton_init(&s, graph->context);
    cnnf_status status = make_skeleton(&s, &c, graph, options != NULL ? options : &defaults, error);
    if (status == CNNF_OK)
        status =
            cnnfi_export_write_file(&s, graph->context, path, cnnfi_write_options_or_default(write_options), error);
    cnnfi_skeleton_free(&s);
    cnnfi_tfl_model_free(&c.model);
    return status;
}

cnnf_status cnnf_write_tflite_buffer(cnnf_buffer **out, const cnnf_graph *graph, const cnnf_tflite_options *options,
                                     cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail_null(error, __func__);
    *out = NULL;
    if (graph == NULL) return cnnfi_fail_null(error, __func__);
    cnnfi_tfl_convert c = {.outputs = NULL};
    cnnfi_skeleton s;
    cnnfi_tfl_model_init(&c.model, graph->context);
    cnnfi_skeleton_init(&s, graph->context);
    cnnf_status status = make_skeleton(&s, &c, graph, options != NULL ? options : &defaults, error);
    if (status == CNNF_OK) status = cnnfi_export_write_buffer(out, &s, graph->context, error);
    cnnfi_skeleton_free(&s);
    cnnfi_tfl_model_free(&c.model);
    return status;
}
