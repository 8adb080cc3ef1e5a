/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/graphdef/graph_file.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/order.h"
#include "graph/builder.h"
#include "loader/graphdef/graphdef_read.h"
#include "loader/graphdef/meta_graph_read.h"

#define DEFAULT_TAG "serve"

static cnnf_status stream(const cnnfi_graph_file *file, const cnnfi_message_type *type, const cnnfi_proto_sink *sink,
                          cnnf_error *error)
{
    if (file->text) return cnnfi_proto_stream_text(file->source, type, sink, file->options, error);
    return cnnfi_proto_stream_binary(file->source, 0, cnnfi_source_size(file->source), type, sink, file->options,
                                     error);
}

/* ---- what is built ---- */

typedef struct reader {
    cnnfi_builder *builder;
    const cnnf_load_options *options;
    int64_t wanted, current; /* which MetaGraphDef of a SavedModel; current -1: before the first */
} reader;

static cnnf_status reader_begin(void *user, const cnnfi_message_type *type, cnnf_error *error)
{
    reader *r = (reader *)user;
    if (type == &cnnfi__meta_graph_def__descriptor) r->current++;
    return CNNF_OK;
}

static cnnf_status reader_item(void *user, ProtobufCMessage *message, cnnfi_source *payloads, cnnf_error *error)
{
    const reader *r = (const reader *)user;
    if (r->current != r->wanted) return CNNF_OK;
    if (message->descriptor == &cnnfi__meta_graph_def__descriptor)
        return cnnfi_meta_graph_take(r->builder, (const Cnnfi__MetaGraphDef *)message, r->options, error);
    return cnnfi_graphdef_item(r->builder, message, payloads, error);
}

/* A cycle is refused here, where the file is known; *graph is given back then. */
static cnnf_status check_order(cnnf_graph **graph, cnnf_error *error)
{
    int32_t *order = NULL;
    cnnf_status status = cnnfi_toposort(&order, *graph, error);
    cnnfi_free((*graph)->context, order);
    if (status == CNNF_OK) return CNNF_OK;
    cnnf_graph_unref(*graph);
    *graph = NULL;
    return status;
}

/* `wanted`: the MetaGraphDef to take, -1 for a bare GraphDef. */
static cnnf_status build(cnnf_graph **out, const cnnfi_graph_file *file, const cnnfi_message_type *type, int64_t wanted,
                         cnnf_error *error)
{
    reader r = {.options = file->options, .wanted = wanted, .current = -1};
    CNNFI_TRY(cnnfi_builder_new(&r.builder, cnnfi_source_context(file->source), error));
    r.builder->budget = cnnfi_load_budget(file->options);
    const cnnfi_proto_sink sink = {.user = &r, .begin = reader_begin, .item = reader_item};
    cnnf_status status = stream(file, type, &sink, error);
    if (status != CNNF_OK) {
        cnnfi_builder_free(r.builder);
        return status;
    }
    status = cnnfi_builder_publish(out, r.builder, error);
    if (status == CNNF_OK) status = check_order(out, error);
    if (status == CNNF_OK || status == CNNF_E_NOMEM) return status;
    const char *name = cnnfi_source_name(file->source);
    return cnnfi_error_in_file(error, cnnfi_error_prefix(error, status, "%s", name), name);
}

cnnf_status cnnfi_load_graphdef(cnnf_graph **out, const cnnfi_graph_file *file, cnnf_error *error)
{
    return build(out, file, &cnnfi__graph_def__descriptor, -1, error);
}

cnnf_status cnnfi_load_meta_graph(cnnf_graph **out, const cnnfi_graph_file *file, cnnf_error *error)
{
    return build(out, file, &cnnfi__meta_graph_def__descriptor, 0, error);
}

/* ---- SavedModel: which of its MetaGraphDefs ---- */

typedef struct tag_search {
    const cnnf_load_options *options;
    int64_t current, found; /* found -1: none yet */
    cnnfi_strbuf seen;      /* "{serve} {train,gpu}" */
} tag_search;

static cnnf_status search_begin(void *user, const cnnfi_message_type *type, cnnf_error *error)
{
    if (type == &cnnfi__meta_graph_def__descriptor) ((tag_search *)user)->current++;
    return CNNF_OK;
}

static bool has_tag(const Cnnfi__MetaGraphDef__MetaInfoDef *info, const char *tag)
{
    for (size_t i = 0; i < info->n_tags; i++)
        if (strcmp(info->tags[i], tag) == 0) return true;
    return false;
}

/* As TensorFlow's loader: the sets of tags must be equal. */
static bool tags_fit(const Cnnfi__MetaGraphDef__MetaInfoDef *info, const cnnfi_names *wanted)
{
    if (wanted->count == 0) return info->n_tags == 1 && strcmp(info->tags[0], DEFAULT_TAG) == 0;
    for (size_t i = 0; i < wanted->count; i++)
        if (!has_tag(info, wanted->names[i])) return false;
    return info->n_tags == wanted->count;
}

static void note_tags(cnnfi_strbuf *seen, const Cnnfi__MetaGraphDef__MetaInfoDef *info)
{
    cnnfi_strbuf_puts(seen, seen->size > 0 ? " {" : "{");
    for (size_t i = 0; i < info->n_tags; i++)
        cnnfi_strbuf_printf(seen, "%s%s", i > 0 ? "," : "", info->tags[i]);
    cnnfi_strbuf_putc(seen, '}');
}

static cnnf_status search_item(void *user, ProtobufCMessage *message, cnnfi_source *payloads, cnnf_error *error)
{
    tag_search *search = (tag_search *)user;
    if (message->descriptor != &cnnfi__meta_graph_def__descriptor) return CNNF_OK;
    const Cnnfi__MetaGraphDef__MetaInfoDef *info = ((const Cnnfi__MetaGraphDef *)message)->meta_info_def;
    if (info == NULL) return CNNF_OK;
    note_tags(&search->seen, info);
    if (search->found < 0 && tags_fit(info, &search->options->tags)) search->found = search->current;
    return CNNF_OK;
}

static cnnf_status fail_tags(const tag_search *search, const char *name, cnnf_error *error)
{
    const cnnfi_names *tags = &search->options->tags;
    cnnfi_strbuf wanted;
    cnnfi_strbuf_init(&wanted, search->seen.context);
    for (size_t i = 0; i < tags->count; i++)
        cnnfi_strbuf_printf(&wanted, "%s%s", i > 0 ? "," : "", tags->names[i]);
    cnnf_status status = cnnfi_fail_in_file(
        error, CNNF_E_NOT_FOUND, name, -1, "%s: no meta graph has tags {%s}; found %s", name,
        wanted.data != NULL ? wanted.data : DEFAULT_TAG, search->seen.data != NULL ? search->seen.data : "none");
    cnnfi_strbuf_free(&wanted);
    return status;
}

cnnf_status cnnfi_load_saved_model(cnnf_graph **out, const cnnfi_graph_file *file, cnnf_error *error)
{
    tag_search search = {.options = file->options, .current = -1, .found = -1};
    cnnfi_strbuf_init(&search.seen, cnnfi_source_context(file->source));
    const cnnfi_proto_sink sink = {.user = &search, .begin = search_begin, .item = search_item};
    cnnf_status status = stream(file, &cnnfi__saved_model__descriptor, &sink, error);
    if (status == CNNF_OK && search.found < 0) status = fail_tags(&search, cnnfi_source_name(file->source), error);
    cnnfi_strbuf_free(&search.seen);
    if (status != CNNF_OK) return status;
    return build(out, file, &cnnfi__saved_model__descriptor, search.found, error);
}

/* ---- SaverDef ---- */

typedef struct saver_search {
    cnnf_context *context;
    char *restore_op;
} saver_search;

static cnnf_status take_saver(void *user, ProtobufCMessage *message, cnnfi_source *payloads, cnnf_error *error)
{
    saver_search *search = user;
    const Cnnfi__SaverDef *saver = (const Cnnfi__SaverDef *)message;
    if (!saver->restore_op_name[0]) return cnnfi_fail(error, CNNF_E_CORRUPT, "SaverDef: no restore_op_name");
    search->restore_op = cnnfi_strdup(search->context, saver->restore_op_name);
    return search->restore_op ? CNNF_OK : cnnfi_fail_nomem(error);
}

cnnf_status cnnfi_load_saver_def(char **restore_op, const cnnfi_graph_file *file, cnnf_error *error)
{
    saver_search search = {.context = cnnfi_source_context(file->source)};
    const cnnfi_proto_sink sink = {.user = &search, .item = take_saver};
    const cnnf_status status = stream(file, &cnnfi__saver_def__descriptor, &sink, error);
    *restore_op = status ? NULL : search.restore_op;
    if (status) cnnfi_free(search.context, search.restore_op);
    return status;
}
