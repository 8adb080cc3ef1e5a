/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a model or graph: loaded, and if that works frozen, written, and its outputs guessed. */
#include "fuzz.h"

static void use_graph(const cnnf_graph *graph)
{
    cnnf_graph *frozen = NULL;
    cnnf_buffer *buffer = NULL;
    if (cnnf_freeze(&frozen, NULL, graph, NULL, NULL) == CNNF_OK) cnnf_graph_unref(frozen);
    if (cnnf_graph_guess_outputs(&buffer, graph, NULL) == CNNF_OK) cnnf_buffer_free(buffer);
    if (cnnf_write_graphdef_buffer(&buffer, graph, NULL, NULL) == CNNF_OK) cnnf_buffer_free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnnf_context *context = fuzz_context();
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_memory(&graph, context, data, size, "fuzz", NULL, NULL);
    if (status == CNNF_OK)
        use_graph(graph);
    else if (graph || status == CNNF_E_INTERNAL)
        abort();
    cnnf_graph_unref(graph);
    fuzz_context_done(context);
    return 0;
}
