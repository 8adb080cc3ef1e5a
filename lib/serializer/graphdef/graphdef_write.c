/* SPDX-License-Identifier: Apache-2.0 */
/* The public writers of GraphDefs: size first, then bytes to a sink, then the name. */
#include "base/error.h"
#include "base/sink.h"
#include "serializer/graphdef/graphdef_pb.h"
#include "serializer/graphdef/write_options.h"

cnnf_status cnnf_graphdef_size(uint64_t *out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_graphdef_size: out is NULL");
    *out = 0;
    if (graph == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_graphdef_size: graph is NULL");
    return cnnfi_graphdef_measure(out, graph, error);
}

static cnnf_status write_to(const cnnf_graph *graph, uint64_t size, cnnfi_sink *sink, const cnnf_write_options *options,
                            cnnf_error *error)
{
    uint64_t total = options->text ? 0 : size; /* text: unknown */
    if (options->progress != NULL) cnnfi_sink_set_progress(sink, options->progress, options->progress_user, total);
    CNNFI_TRY(options->text ? cnnfi_graphdef_write_text(graph, sink, error) : cnnfi_graphdef_write(graph, sink, error));
    return cnnfi_sink_commit(sink, error);
}

cnnf_status cnnf_write_graphdef_file(const cnnf_graph *graph, const char *path, const cnnf_write_options *options,
                                     cnnf_error *error)
{
    cnnf_error_clear(error);
    if (graph == NULL || path == NULL)
        return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_write_graphdef_file: NULL argument");
    options = cnnfi_write_options_or_default(options);
    uint64_t size = 0;
    cnnfi_sink *sink = NULL;
    CNNFI_TRY(cnnfi_graphdef_measure(&size, graph, error));
    CNNFI_TRY(cnnfi_sink_file(&sink, graph->context, path, options->fsync, error));
    cnnf_status status = write_to(graph, size, sink, options, error);
    cnnfi_sink_free(sink);
    return status;
}

cnnf_status cnnf_write_file(cnnf_context *context, const char *path, const void *data, size_t size,
                            const cnnf_write_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (context == NULL || path == NULL || (data == NULL && size > 0))
        return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_write_file: NULL argument");
    options = cnnfi_write_options_or_default(options);
    cnnfi_sink *sink = NULL;
    CNNFI_TRY(cnnfi_sink_file(&sink, context, path, options->fsync, error));
    cnnf_status status = cnnfi_sink_write(sink, data, size, error);
    if (status == CNNF_OK) status = cnnfi_sink_commit(sink, error);
    cnnfi_sink_free(sink);
    return status;
}

cnnf_status cnnf_write_graphdef_buffer(cnnf_buffer **out, const cnnf_graph *graph, const cnnf_write_options *options,
                                       cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_write_graphdef_buffer: out is NULL");
    *out = NULL;
    if (graph == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_write_graphdef_buffer: graph is NULL");
    options = cnnfi_write_options_or_default(options);
    uint64_t size = 0;
    cnnfi_sink *sink = NULL;
    CNNFI_TRY(cnnfi_graphdef_measure(&size, graph, error));
    CNNFI_TRY(cnnfi_sink_buffer(&sink, graph->context, error));
    cnnf_status status = write_to(graph, size, sink, options, error);
    if (status == CNNF_OK) status = cnnfi_sink_take_buffer(sink, out, error);
    cnnfi_sink_free(sink);
    return status;
}

cnnf_status cnnf_write_graphdef_stream(const cnnf_graph *graph, cnnf_write_fn write, void *user,
                                       const cnnf_write_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (graph == NULL || write == NULL)
        return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_write_graphdef_stream: NULL argument");
    options = cnnfi_write_options_or_default(options);
    uint64_t size = 0;
    cnnfi_sink *sink = NULL;
    CNNFI_TRY(cnnfi_graphdef_measure(&size, graph, error));
    CNNFI_TRY(cnnfi_sink_callback(&sink, graph->context, write, user, error));
    cnnf_status status = write_to(graph, size, sink, options, error);
    cnnfi_sink_free(sink);
    return status;
}
