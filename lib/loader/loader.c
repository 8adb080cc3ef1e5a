/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "loader/load_options.h"

#include "base/context.h"
#include "base/error.h"
#include "base/source.h"
#include "loader/graphdef_pb.h"
#include "loader/keras.h"

static cnnf_status load_graphdef(cnnf_graph **out, cnnf_context *context, cnnfi_source *source,
                                 const cnnf_load_options *options, cnnf_error *error)
{
    cnnfi_builder *builder = NULL;
    CNNFI_TRY(cnnfi_builder_new(&builder, context, error));
    const cnnfi_proto_sink sink = {.user = builder, .item = cnnfi_graphdef_item};
    cnnf_status status = cnnfi_proto_stream_binary(source, 0, cnnfi_source_size(source), &cnnfi__graph_def__descriptor,
                                                   &sink, options, error);
    if (status != CNNF_OK) {
        cnnfi_builder_free(builder);
        return status;
    }
    status = cnnfi_builder_publish(out, builder, error);
    return status ? cnnfi_error_prefix(error, status, "%s", cnnfi_source_name(source)) : CNNF_OK;
}

static cnnf_status load_source(cnnf_graph **out, cnnf_context *context, cnnfi_source *source,
                               const cnnf_load_options *options, cnnf_error *error)
{
    char magic[8] = "";
    size_t size = cnnfi_source_size(source) < sizeof magic ? (size_t)cnnfi_source_size(source) : sizeof magic;
    CNNFI_TRY(cnnfi_source_read(source, 0, magic, size, error));
#if CNNFI_HAVE_KERAS_H5
    if (memcmp(magic, "\x89HDF\r\n\x1a\n", 8) == 0 || memcmp(magic, "PK\3\4", 4) == 0) {
        return cnnfi_load_keras(out, context, source, options, error);
    }
#endif
    return load_graphdef(out, context, source, options, error);
}

cnnf_status cnnf_load_file(cnnf_graph **out, cnnf_context *context, const char *path, const cnnf_load_options *options,
                           cnnf_error *error)
{
    if (out == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_file: out is NULL");
    *out = NULL;
    if (context == NULL || path == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_file: NULL argument");
    cnnfi_source *source = NULL;
    CNNFI_TRY(cnnfi_source_open(&source, context, path, error));
    cnnf_status status = load_source(out, context, source, options, error);
    cnnfi_source_unref(source);
    return status;
}

cnnf_status cnnf_load_memory(cnnf_graph **out, cnnf_context *context, const void *data, size_t size, const char *name,
                             const cnnf_load_options *options, cnnf_error *error)
{
    if (out == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_memory: out is NULL");
    *out = NULL;
    if (context == NULL || name == NULL || (data == NULL && size > 0))
        return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_load_memory: NULL argument");
    cnnfi_source *source = NULL;
    CNNFI_TRY(cnnfi_source_copy(&source, context, data, size, name, error));
    cnnf_status status = load_source(out, context, source, options, error);
    cnnfi_source_unref(source);
    return status;
}
