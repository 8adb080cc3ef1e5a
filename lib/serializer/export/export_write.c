/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/export/export_write.h"

#include "base/context.h"
#include "base/error.h"

cnnf_status cnnfi_export_outputs_add(cnnfi_export_outputs *outputs, cnnf_context *context, const char *name,
                                     cnnf_error *error)
{
    char *copy = cnnfi_grow(context, (void **)&outputs->names, &outputs->capacity, outputs->n, sizeof *outputs->names)
                     ? cnnfi_strdup(context, name)
                     : NULL;
    if (copy == NULL) return cnnfi_fail_nomem(error);
    outputs->names[outputs->n++] = copy;
    return CNNF_OK;
}

void cnnfi_export_outputs_free(cnnfi_export_outputs *outputs, cnnf_context *context)
{
    for (size_t i = 0; i < outputs->n; i++)
        cnnfi_free(context, outputs->names[i]);
    cnnfi_free(context, outputs->names);
}

static cnnf_status write_sink(const cnnfi_skeleton *s, cnnfi_sink *sink, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_skeleton_write(s, sink, error));
    return cnnfi_sink_commit(sink, error);
}

cnnf_status cnnfi_export_write_file(const cnnfi_skeleton *s, cnnf_context *context, const char *path,
                                    const cnnf_write_options *options, cnnf_error *error)
{
    cnnfi_sink *sink = NULL;
    CNNFI_TRY(cnnfi_sink_file(&sink, context, path, options->fsync, error));
    if (options->progress != NULL)
        cnnfi_sink_set_progress(sink, options->progress, options->progress_user, cnnfi_skeleton_size(s));
    const cnnf_status status = write_sink(s, sink, error);
    cnnfi_sink_free(sink);
    return status;
}

cnnf_status cnnfi_export_write_buffer(cnnf_buffer **out, const cnnfi_skeleton *s, cnnf_context *context,
                                      cnnf_error *error)
{
    cnnfi_sink *sink = NULL;
    CNNFI_TRY(cnnfi_sink_buffer(&sink, context, error));
    cnnf_status status = write_sink(s, sink, error);
    if (status == CNNF_OK) status = cnnfi_sink_take_buffer(sink, out, error);
    cnnfi_sink_free(sink);
    return status;
}
