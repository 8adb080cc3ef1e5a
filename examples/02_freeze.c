/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 02: a Keras model in, one frozen GraphDef out, its batch norms folded on the way.
 *     02_freeze MODEL OUT.pb
 * New here: freezing, a pipeline of passes, writing. What 01 explained is not explained again.
 */
#include <cnnfreeze/cnnfreeze.h>

#include <inttypes.h>
#include <stdio.h>

static cnnf_status fold(cnnf_graph **out, cnnf_context *context, const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_pipeline *pipeline = NULL;
    cnnf_status status = cnnf_pipeline_new(&pipeline, context, error);
    if (!status) status = cnnf_pipeline_add(pipeline, "fold_batch_norms", error);
    if (!status) status = cnnf_pipeline_run(out, pipeline, graph, error);
    cnnf_pipeline_free(pipeline);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 3) return fprintf(stderr, "usage: 02_freeze MODEL OUT.pb\n"), 2;
    cnnf_context *context = NULL;
    cnnf_graph *model = NULL, *frozen = NULL, *folded = NULL;
    cnnf_error *error = cnnf_error_new();
    int64_t converted = 0;

    cnnf_status status = cnnf_context_new(&context, NULL, error);
    if (!status) status = cnnf_load_file(&model, context, argv[1], NULL, error);
    if (!status) status = cnnf_freeze(&frozen, &converted, model, NULL, error);
    if (!status) status = fold(&folded, context, frozen, error);
    if (!status) status = cnnf_write_graphdef_file(folded, argv[2], NULL, error);
    if (!status) {
        printf("froze %" PRId64 " variables; %" PRId64 " nodes, %" PRId64 " after folding\n", converted,
               cnnf_graph_node_count(frozen), cnnf_graph_node_count(folded));
    } else {
        fprintf(stderr, "%s\n", cnnf_error_message(error));
    }

    cnnf_graph_unref(folded);
    cnnf_graph_unref(frozen);
    cnnf_graph_unref(model);
    cnnf_context_unref(context);
    cnnf_error_free(error);
    return status ? 1 : 0;
}
