/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody else's program, as C and as C++: consumer MODEL */
#include <cnnfreeze/cnnfreeze.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    cnnf_context *context = 0;
    cnnf_graph *graph = 0;
    int32_t nodes;
    if (argc != 2 || cnnf_context_new(&context, 0, 0) || cnnf_load_file(&graph, context, argv[1], 0, 0)) return 1;
    nodes = cnnf_graph_node_count(graph);
    printf("%s: %d nodes\n", cnnf_version_string(), (int)nodes);
    cnnf_graph_unref(graph);
    cnnf_context_unref(context);
    return nodes <= 0;
}
