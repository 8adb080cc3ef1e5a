/* SPDX-License-Identifier: Apache-2.0 */
/* The public side: options, and a graph converted, swept and written. */
#include <limits.h>
#include <string.h>

#include <cnnfreeze/onnx.h>

#include "base/context.h"
#include "base/path.h"
#include "serializer/export/export_write.h"
#include "serializer/onnx/onnx_convert.h"
#include "serializer/onnx/onnx_write.h"

struct cnnf_onnx_options {
    cnnf_context *context; /* a reference */
    int32_t opset;
    bool inputs_as_nchw, external_data;
    cnnfi_export_outputs outputs;
};

static const cnnf_onnx_options defaults = {.opset = CNNF_ONNX_OPSET_DEFAULT};

cnnf_status cnnf_onnx_options_new(cnnf_onnx_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail_null(error, __func__);
    *out = NULL;
    if (context == NULL) return cnnfi_fail_null(error, __func__);
    cnnf_onnx_options *options = cnnfi_malloc(context, sizeof *options);
    if (options == NULL) return cnnfi_fail_nomem(error);
    *options = defaults;
    options->context = cnnf_context_ref(context);
    *out = options;
    return CNNF_OK;
}

void cnnf_onnx_options_free(cnnf_onnx_options *options)
{
    if (options == NULL) return;
    cnnf_context *context = options->context;
    cnnfi_export_outputs_free(&options->outputs, context);
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

cnnf_status cnnf_onnx_options_add_output(cnnf_onnx_options *options, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL || name == NULL) return cnnfi_fail_null(error, __func__);
    return cnnfi_export_outputs_add(&options->outputs, options->context, name, error);
}

cnnf_status cnnf_onnx_options_set_opset(cnnf_onnx_options *options, int32_t opset, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    if (opset < CNNF_ONNX_OPSET_MIN || opset > CNNF_ONNX_OPSET_MAX)
        return cnnfi_fail(error, CNNF_E_INVALID, "opset %d: must be %d to %d", (int)opset, CNNF_ONNX_OPSET_MIN,
                          CNNF_ONNX_OPSET_MAX);
    options->opset = opset;
    return CNNF_OK;
}

cnnf_status cnnf_onnx_options_set_inputs_as_nchw(cnnf_onnx_options *options, int32_t on, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    options->inputs_as_nchw = on != 0;
    return CNNF_OK;
}

cnnf_status cnnf_onnx_options_set_external_data(cnnf_onnx_options *options, int32_t on, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    options->external_data = on != 0;
    return CNNF_OK;
}

int32_t cnnf_onnx_opset_of(const char *op)
{
    const cnnfi_onnx_row *row = op != NULL ? cnnfi_onnx_find(op) : NULL;
    if (op != NULL && strcmp(op, "Const") == 0) return CNNF_ONNX_OPSET_MIN;
    if (row == NULL) return 0;
    return row->opset > CNNF_ONNX_OPSET_MIN ? row->opset : CNNF_ONNX_OPSET_MIN;
}

/* ---- conversion ---- */

static void convert(cnnfi_onnx_convert *c, const cnnf_graph *graph, const cnnf_onnx_options *options)
{
    *c = (cnnfi_onnx_convert){.inputs_as_nchw = options->inputs_as_nchw};
    cnnfi_onnx_model_init(&c->model, graph->context, options->opset);
    cnnfi_onnx_convert_graph(c, graph, options->outputs.n, options->outputs.names);
    if (c->model.x.status == CNNF_OK) cnnfi_onnx_sweep(&c->model);
}

/* The wire form; location: see cnnfi_onnx_write(). */
static cnnf_status make_skeleton(cnnfi_skeleton *s, cnnfi_onnx_convert *c, const char *location, uint64_t *external,
                                 cnnf_error *error)
{
    CNNFI_TRY(cnnfi_export_status(&c->model.x, error));
    cnnfi_onnx_write(s, &c->model, location, external);
    return cnnfi_skeleton_status(s, error);
}

/* ---- files ---- */

/* "dir/model.onnx" and "model.onnx.data" beside it. */
typedef struct data_file {
    char *path;
    const char *name; /* the last part of path */
} data_file;

static cnnf_status data_file_of(data_file *out, cnnf_context *context, const char *path, cnnf_error *error)
{
    static const char suffix[] = ".data";
    const size_t length = strlen(path);
    out->path = cnnfi_malloc(context, length + sizeof suffix);
    if (out->path == NULL) return cnnfi_fail_nomem(error);
    memcpy(out->path, path, length);
    memcpy(out->path + length, suffix, sizeof suffix);
    out->name = cnnfi_path_name(out->path);
    return CNNF_OK;
}

/* Both files or none: the weights first. */
static cnnf_status write_pair(const cnnfi_skeleton *s, const cnnfi_onnx_model *model, const char *path,
                              const char *data_path, uint64_t size, const cnnf_write_options *options,
                              cnnf_error *error)
{
    cnnfi_sink *sinks[2] = {NULL, NULL};
    cnnf_status status = cnnfi_sink_file(&sinks[0], model->x.context, data_path, options->fsync, error);
    if (status == CNNF_OK) status = cnnfi_sink_file(&sinks[1], model->x.context, path, options->fsync, error);
    if (status == CNNF_OK) cnnfi_sink_join(sinks[1], sinks[0]);
    if (status == CNNF_OK && options->progress != NULL)
        cnnfi_sink_set_progress(sinks[0], options->progress, options->progress_user, size);
    if (status == CNNF_OK) status = cnnfi_onnx_write_external(model, sinks[0], error);
    if (status == CNNF_OK) status = cnnfi_skeleton_write(s, sinks[1], error);
    if (status == CNNF_OK) status = cnnfi_sink_commit_set(sinks, 2, error);
    cnnfi_sink_free(sinks[1]);
    cnnfi_sink_free(sinks[0]);
    return status;
}

static cnnf_status write_external(cnnfi_onnx_convert *c, cnnfi_skeleton *s, const char *path,
                                  const cnnf_write_options *options, cnnf_error *error)
{
    data_file data = {NULL, NULL};
    uint64_t size;
    cnnf_status status = data_file_of(&data, c->model.x.context, path, error);
    if (status == CNNF_OK) status = make_skeleton(s, c, data.name, &size, error);
    if (status == CNNF_OK) status = write_pair(s, &c->model, path, data.path, size, options, error);
    cnnfi_free(c->model.x.context, data.path);
    return status;
}

static cnnf_status write_file(cnnfi_onnx_convert *c, const char *path, bool external, const cnnf_write_options *options,
                              cnnf_error *error)
{
    cnnfi_skeleton s;
    uint64_t size;
    cnnfi_skeleton_init(&s, c->model.x.context);
    cnnf_status status = external ? CNNF_OK : make_skeleton(&s, c, NULL, &size, error);
    if (status == CNNF_OK && cnnfi_skeleton_size(&s) > INT_MAX) {
        external = true;
        cnnfi_skeleton_reset(&s);
    }
    if (status == CNNF_OK)
        status = external ? write_external(c, &s, path, options, error)
                          : cnnfi_export_write_file(&s, c->model.x.context, path, options, error);
    cnnfi_skeleton_free(&s);
    return status;
}

cnnf_status cnnf_write_onnx_file(const cnnf_graph *graph, const char *path, const cnnf_onnx_options *options,
                                 const cnnf_write_options *write_options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (graph == NULL || path == NULL) return cnnfi_fail_null(error, __func__);
    if (options == NULL) options = &defaults;
    cnnfi_onnx_convert c;
    convert(&c, graph, options);
    const cnnf_status status =
        write_file(&c, path, options->external_data, cnnfi_write_options_or_default(write_options), error);
    cnnfi_onnx_model_free(&c.model);
    return status;
}

/* ---- buffers ---- */

static cnnf_status write_buffer(cnnf_buffer **out, cnnfi_onnx_convert *c, cnnfi_skeleton *s, cnnf_error *error)
{
    uint64_t size;
    CNNFI_TRY(make_skeleton(s, c, NULL, &size, error));
    if (cnnfi_skeleton_size(s) > INT_MAX)
        return cnnfi_fail(error, CNNF_E_LIMIT, "ONNX export: larger than 2 GiB; a file can have its weights beside it");
    return cnnfi_export_write_buffer(out, s, c->model.x.context, error);
}

cnnf_status cnnf_write_onnx_buffer(cnnf_buffer **out, const cnnf_graph *graph, const cnnf_onnx_options *options,
                                   cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail_null(error, __func__);
    *out = NULL;
    if (graph == NULL) return cnnfi_fail_null(error, __func__);
    cnnfi_onnx_convert c;
    cnnfi_skeleton s;
    convert(&c, graph, options != NULL ? options : &defaults);
    cnnfi_skeleton_init(&s, graph->context);
    const cnnf_status status = write_buffer(out, &c, &s, error);
    cnnfi_skeleton_free(&s);
    cnnfi_onnx_model_free(&c.model);
    return status;
}
