/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a model or graph of any format: loaded, and if that works written and read back, frozen, run, and its
 * outputs guessed.
 */
#include "graph_oracles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnnf_context *context = fuzz_context();
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_memory(&graph, context, data, size, "fuzz", NULL, NULL);
    if (status == CNNF_OK)
        check_graph(graph, (uint32_t)size * 2654435761u >> 8, false);
    else if (graph || status == CNNF_E_INTERNAL)
        abort();
    cnnf_graph_unref(graph);
    fuzz_context_done(context);
    return 0;
}
