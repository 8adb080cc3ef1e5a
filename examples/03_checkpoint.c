/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 03: the long way round, as TensorFlow's tools go it: checkpoint and GraphDef out, then back in, bound and frozen.
 *     03_checkpoint MODEL PREFIX GRAPH.pb FROZEN.pb
 * New here: the saver's nodes, writing a checkpoint, reading one, binding its values to a graph.
 */
#include <cnnfreeze/cnnfreeze.h>

#include <inttypes.h>
#include <stdio.h>

/* PREFIX.{data-00000-of-00001,index,meta}, `checkpoint`, and the GraphDef. */
static cnnf_status export_model(cnnf_context *context, char **argv, cnnf_error *error)
{
    cnnf_graph *model = NULL, *with_saver = NULL;
    cnnf_status status = cnnf_load_file(&model, context, argv[1], NULL, error);
    if (!status) status = cnnf_graph_with_saver(&with_saver, model, error);
    if (!status) status = cnnf_write_checkpoint(with_saver, argv[2], NULL, error);
    if (!status) status = cnnf_write_graphdef_file(with_saver, argv[3], NULL, error);
    cnnf_graph_unref(with_saver);
    cnnf_graph_unref(model);
    return status;
}

static cnnf_status list_checkpoint(cnnf_context *context, const char *prefix, cnnf_error *error)
{
    cnnf_checkpoint *checkpoint = NULL;
    const cnnf_status status = cnnf_checkpoint_open(&checkpoint, context, prefix, error);
    if (!status) printf("%" PRId64 " tensors in the checkpoint\n", cnnf_checkpoint_count(checkpoint));
    cnnf_checkpoint_unref(checkpoint);
    return status;
}

/* A GraphDef does not say its outputs: guess them. */
static cnnf_status import_model(cnnf_context *context, char **argv, cnnf_error *error)
{
    cnnf_graph *graph = NULL, *bound = NULL, *frozen = NULL;
    int64_t converted = 0;
    cnnf_status status = cnnf_load_file(&graph, context, argv[3], NULL, error);
    if (!status) status = cnnf_bind_checkpoint(&bound, graph, argv[2], NULL, error);
    if (!status) status = cnnf_freeze(&frozen, &converted, bound, NULL, error);
    if (!status) status = cnnf_write_graphdef_file(frozen, argv[4], NULL, error);
    if (!status) printf("froze %" PRId64 " variables\n", converted);
    cnnf_graph_unref(frozen);
    cnnf_graph_unref(bound);
    cnnf_graph_unref(graph);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 5) return fprintf(stderr, "usage: 03_checkpoint MODEL PREFIX GRAPH.pb FROZEN.pb\n"), 2;
    cnnf_context *context = NULL;
    cnnf_error *error = cnnf_error_new();
    cnnf_status status = cnnf_context_new(&context, NULL, error);
    if (!status) status = export_model(context, argv, error);
    if (!status) status = list_checkpoint(context, argv[2], error);
    if (!status) status = import_model(context, argv, error);
    if (status) fprintf(stderr, "%s\n", cnnf_error_message(error));
    cnnf_context_unref(context);
    cnnf_error_free(error);
    return status ? 1 : 0;
}
