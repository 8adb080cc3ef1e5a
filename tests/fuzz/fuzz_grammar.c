/* SPDX-License-Identifier: Apache-2.0 */
/* What people and scripts write: pass lists with arguments, run on a small graph; and numbers, types and shapes in
 * them. */
#include <string.h>

#include "fuzz.h"
#include "graph/builder.h"

static cnnf_graph *small_graph(cnnf_context *context)
{
    static const float values[] = {1, 2, 3, 4};
    static const int64_t dims[] = {-1, 4};
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    if (cnnfi_builder_new(&b, context, NULL)) return NULL;
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "x");
    cnnfi_node_set_type(b, x, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, x, "shape", 2, dims);
    cnnfi_builder_const_f32(b, "c", 1, values, 4);
    cnnf_node *sum = cnnfi_builder_add(b, "BiasAdd", "sum");
    cnnfi_node_add_input(b, sum, "x");
    cnnfi_node_add_input(b, sum, "c");
    cnnfi_node_set_type(b, sum, "T", CNNF_FLOAT);
    cnnf_node *relu = cnnfi_builder_add(b, "Relu", "y");
    cnnfi_node_add_input(b, relu, "sum");
    cnnfi_node_set_type(b, relu, "T", CNNF_FLOAT);
    cnnfi_builder_publish(&graph, b, NULL);
    return graph;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnnf_context *context = fuzz_context();
    cnnf_pipeline *pipeline = NULL;
    cnnf_graph *graph = NULL, *out = NULL;
    cnnf_buffer *report = NULL;
    char *text = malloc(size + 1);
    if (!text) abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (cnnf_pipeline_new(&pipeline, context, NULL)) abort();
    if (cnnf_pipeline_add(pipeline, text, NULL) == CNNF_OK) {
        graph = small_graph(context);
        cnnf_pipeline_add_output(pipeline, "y", NULL);
        if (graph && cnnf_pipeline_run_report(&out, &report, pipeline, graph, NULL) == CNNF_OK && !out) abort();
    }
    cnnf_buffer_free(report);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    cnnf_pipeline_free(pipeline);
    free(text);
    fuzz_context_done(context);
    return 0;
}
