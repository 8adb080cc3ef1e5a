/* SPDX-License-Identifier: Apache-2.0 */
/* A whole checkpoint: data, index, meta and state file, written beside their names and put in their place as one. */
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/graph.h"
#include "serializer/checkpoint/checkpoint_data.h"
#include "serializer/checkpoint/checkpoint_index.h"
#include "serializer/checkpoint/checkpoint_state.h"
#include "serializer/graphdef/meta_graph_write.h"
#include "serializer/graphdef/saver.h"
#include "serializer/graphdef/write_options.h"

/* In the order of their renames where a set cannot be one: a checkpoint is there when its index is. */
enum { FILE_DATA, FILE_META, FILE_INDEX, FILE_STATE, FILES };

typedef struct writer {
    const cnnf_graph *graph; /* with its saver */
    const char *prefix;
    const cnnf_write_options *options;
    cnnfi_saved_variables variables;
    cnnfi_sink *sinks[FILES];
} writer;

static cnnf_status open_sink(writer *w, int which, const char *path, cnnf_error *error)
{
    if (!path) return cnnfi_fail_nomem(error);
    return cnnfi_sink_file(&w->sinks[which], w->graph->context, path, w->options->fsync, error);
}

static cnnf_status open_sinks(writer *w, cnnf_error *error)
{
    static const char *const suffixes[] = {
        [FILE_DATA] = ".data-00000-of-00001", [FILE_INDEX] = ".index", [FILE_META] = ".meta"};
    cnnfi_strbuf path;
    cnnf_status status = CNNF_OK;
    cnnfi_strbuf_init(&path, w->graph->context);
    for (int i = 0; i < FILE_STATE && status == CNNF_OK; i++) {
        path.size = 0;
        cnnfi_strbuf_puts(&path, w->prefix);
        cnnfi_strbuf_puts(&path, suffixes[i]);
        status = open_sink(w, i, path.failed ? NULL : path.data, error);
    }
    path.size = 0;
    cnnfi_checkpoint_state_path(&path, w->prefix);
    if (status == CNNF_OK) status = open_sink(w, FILE_STATE, path.failed ? NULL : path.data, error);
    cnnfi_strbuf_free(&path);
    return status;
}

static cnnf_status write_tensors(writer *w, cnnfi_table_writer *index, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_bundle_add_header(index, error));
    for (size_t i = 0; i < w->variables.count; i++) {
        const cnnf_node *node = w->variables.nodes[i];
        cnnfi_bundle_entry entry;
        CNNFI_TRY(cnnfi_budget_spend(cnnfi_sink_budget(w->sinks[FILE_DATA]), 1, error));
        const cnnf_status status = cnnfi_checkpoint_write_tensor(&entry, w->sinks[FILE_DATA], node->value, error);
        if (status != CNNF_OK) return cnnfi_error_prefix(error, status, "'%s'", node->name);
        CNNFI_TRY(cnnfi_bundle_add_entry(index, node->name, &entry, error));
    }
    return cnnfi_table_writer_finish(index, error);
}

static cnnf_status write_bundle(writer *w, cnnf_error *error)
{
    uint64_t total = 0;
    cnnfi_table_writer index;
    for (size_t i = 0; i < w->variables.count; i++)
        total += cnnfi_checkpoint_tensor_bytes(w->variables.nodes[i]->value);
    cnnfi_sink_set_progress(w->sinks[FILE_DATA], w->options->progress, w->options->progress_user, total);
    for (int i = FILE_DATA + 1; i < FILES; i++)
        cnnfi_sink_join(w->sinks[i], w->sinks[FILE_DATA]);
    cnnfi_table_writer_init(&index, w->graph->context, w->sinks[FILE_INDEX]);
    const cnnf_status status = write_tensors(w, &index, error);
    cnnfi_table_writer_free(&index);
    return status;
}

/* Nothing gets its name before everything is written. */
static cnnf_status write_files(writer *w, cnnf_error *error)
{
    CNNFI_TRY(open_sinks(w, error));
    CNNFI_TRY(write_bundle(w, error));
    CNNFI_TRY(cnnfi_meta_graph_write(w->graph, w->sinks[FILE_META], error));
    CNNFI_TRY(cnnfi_checkpoint_state_write(w->sinks[FILE_STATE], w->graph->context, w->prefix, error));
    return cnnfi_sink_commit_set(w->sinks, FILES, error);
}

static cnnf_status write_all(writer *w, cnnf_error *error)
{
    if (w->variables.count == 0 || !w->variables.nodes[0]->value)
        return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: no variable has a value: there is nothing to save", w->prefix);
    const cnnf_status status = write_files(w, error);
    for (int i = 0; i < FILES; i++)
        cnnfi_sink_free(w->sinks[i]);
    return status;
}

cnnf_status cnnf_write_checkpoint(const cnnf_graph *graph, const char *prefix, const cnnf_write_options *options,
                                  cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnf_graph *with_saver = NULL;
    if (!graph || !prefix || !*prefix || cnnfi_ends_with(prefix, "/"))
        return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_write_checkpoint: no graph or no prefix");
    CNNFI_TRY(cnnf_graph_with_saver(&with_saver, graph, error));
    writer w = {.graph = with_saver, .prefix = prefix, .options = cnnfi_write_options_or_default(options)};
    cnnf_status status = cnnfi_saved_variables_init(&w.variables, with_saver, error);
    if (status == CNNF_OK) status = write_all(&w, error);
    cnnfi_saved_variables_free(&w.variables);
    cnnf_graph_unref(with_saver);
    return status;
}
