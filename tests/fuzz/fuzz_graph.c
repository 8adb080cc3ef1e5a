/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes are choices of a generator of graphs over the op table; the first four say which passes are run. */
#include "graph_generate.h"
#include "graph_oracles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t pick = 0;
    if (size < sizeof pick) return 0;
    for (size_t i = 0; i < sizeof pick; i++)
        pick = pick << 8 | data[i];
    cnnf_context *context = fuzz_context();
    cnnf_graph *graph = generate_graph(context, data + sizeof pick, size - sizeof pick);
    if (graph) check_graph(graph, pick, true);
    cnnf_graph_unref(graph);
    fuzz_context_done(context);
    return 0;
}
