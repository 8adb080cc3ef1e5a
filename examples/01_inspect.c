/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 01: load any model and look at it.
 *     01_inspect MODEL
 * New here: context, error, loading, walking a graph. MODEL may be H5, .keras, GraphDef, .meta, SavedModel.
 */
#include <cnnfreeze/cnnfreeze.h>

#include <inttypes.h>
#include <stdio.h>

/* "conv2d_1/kernel [3,3,1,16] float" for each variable that has a value. */
static void print_variables(const cnnf_graph *graph)
{
    for (int64_t i = 0; i < cnnf_graph_node_count(graph); i++) {
        const cnnf_node *node = cnnf_graph_node(graph, i);
        const cnnf_tensor *value = cnnf_node_value(node);
        if (!value) continue;
        printf("  %s [", cnnf_node_name(node));
        for (int32_t axis = 0; axis < cnnf_tensor_rank(value); axis++) {
            printf("%s%" PRId64, axis ? "," : "", cnnf_tensor_dim(value, axis));
        }
        printf("] %s\n", cnnf_dtype_name(cnnf_tensor_dtype(value)));
    }
}

static void print_graph(const cnnf_graph *graph)
{
    for (int64_t i = 0; i < cnnf_graph_input_count(graph); i++)
        printf("input:  %s\n", cnnf_graph_input_name(graph, i));
    for (int64_t i = 0; i < cnnf_graph_output_count(graph); i++)
        printf("output: %s\n", cnnf_graph_output_name(graph, i));
    printf("%" PRId64 " nodes, %" PRId64 " variables\n", cnnf_graph_node_count(graph),
           cnnf_graph_variable_count(graph));
    print_variables(graph);
}

int main(int argc, char **argv)
{
    if (argc != 2) return fprintf(stderr, "usage: 01_inspect MODEL\n"), 2;
    cnnf_context *context = NULL;
    cnnf_graph *graph = NULL;
    cnnf_error *error = cnnf_error_new();

    cnnf_status status = cnnf_context_new(&context, NULL, error);
    if (!status) status = cnnf_load_file(&graph, context, argv[1], NULL, error);
    if (!status)
        print_graph(graph);
    else
        fprintf(stderr, "%s\n", cnnf_error_message(error));

    cnnf_graph_unref(graph);
    cnnf_context_unref(context);
    cnnf_error_free(error);
    return status ? 1 : 0;
}
