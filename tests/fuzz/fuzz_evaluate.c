/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a graph, and if it loads, run on zeros: what loads must not hurt the evaluator. */
#include "fuzz.h"

#define MAX_FEEDS 4
#define MAX_RANK  8

static cnnf_tensor *zeros_for(cnnf_context *context, const cnnf_node *node)
{
    int64_t dims[MAX_RANK];
    cnnf_tensor *tensor = NULL;
    const int32_t rank = cnnf_node_attr_shape_rank(node, "shape");
    if (rank < 0 || rank > MAX_RANK) return NULL;
    int64_t count = 1;
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = cnnf_node_attr_shape_dim(node, "shape", i);
        if (dims[i] < 0) dims[i] = 2;
        if (dims[i] > 4096 || (count *= dims[i] ? dims[i] : 1) > 1 << 16) return NULL; /* a run must stay short */
    }
    cnnf_tensor_new(&tensor, context, cnnf_node_attr_type(node, "dtype", CNNF_FLOAT), rank, dims, NULL);
    return tensor;
}

static void run_graph(cnnf_context *context, const cnnf_graph *graph)
{
    const char *names[MAX_FEEDS], *fetch = NULL;
    const cnnf_tensor *feeds[MAX_FEEDS];
    size_t count = 0;
    cnnf_evaluator *evaluator = NULL;
    cnnf_evaluator_options *options = NULL;
    for (int64_t i = 0; i < cnnf_graph_node_count(graph); i++) {
        const cnnf_node *node = cnnf_graph_node(graph, i);
        const char *op = cnnf_node_op(node);
        fetch = cnnf_node_name(node);
        if (op[0] != 'P' || op[1] != 'l' || count == MAX_FEEDS) continue;
        cnnf_tensor *zeros = zeros_for(context, node);
        if (!zeros) continue;
        names[count] = cnnf_node_name(node);
        feeds[count++] = zeros;
    }
    cnnf_tensor *out = NULL;
    if (fetch && cnnf_evaluator_options_new(&options, context, NULL) == CNNF_OK) {
        cnnf_evaluator_options_set_threads(options, 1, NULL);
        cnnf_evaluator_options_set_backend(options, "portable", NULL);
        if (cnnf_evaluator_new(&evaluator, graph, options, NULL) == CNNF_OK) {
            cnnf_evaluator_run(&out, evaluator, names, feeds, count, &fetch, 1, NULL);
        }
    }
    cnnf_tensor_unref(out);
    cnnf_evaluator_free(evaluator);
    cnnf_evaluator_options_free(options);
    for (size_t i = 0; i < count; i++)
        cnnf_tensor_unref((cnnf_tensor *)(uintptr_t)feeds[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnnf_context *context = fuzz_context();
    cnnf_graph *graph = NULL;
    if (cnnf_load_memory(&graph, context, data, size, "fuzz", NULL, NULL) == CNNF_OK) run_graph(context, graph);
    cnnf_graph_unref(graph);
    fuzz_context_done(context);
    return 0;
}
