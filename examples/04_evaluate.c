/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 04: the accuracy of a frozen graph (or a Keras model: "before" and "after" are the same call) on a data set.
 *     04_evaluate GRAPH DATA.csv INPUT_NODE OUTPUT_NODE CLASSES
 * New here: evaluator, data set, metrics, progress.
 */
#include <cnnfreeze/cnnfreeze.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Shape of one example: the input node's, without the batch. */
static cnnf_status open_data(cnnf_dataset **out, cnnf_context *context, const cnnf_graph *graph, char **argv,
                             cnnf_error *error)
{
    const cnnf_node *input = cnnf_graph_find(graph, argv[3]);
    int64_t dims[8];
    int32_t rank = 0;
    for (int32_t axis = 1; axis < cnnf_node_attr_shape_rank(input, "shape") && rank < 8; axis++) {
        dims[rank++] = cnnf_node_attr_shape_dim(input, "shape", axis);
    }
    cnnf_dataset_options *options = NULL;
    cnnf_status status = cnnf_dataset_options_new(&options, context, error);
    if (!status) status = cnnf_dataset_options_set_shape(options, rank, dims, error);
    if (!status) status = cnnf_dataset_open(out, context, argv[2], options, error);
    cnnf_dataset_options_free(options);
    return status;
}

/* Progress for a long run; returning 1 would stop it. */
static int32_t on_progress(uint64_t done, uint64_t total, void *user)
{
    (void)total;
    *(uint64_t *)user = done;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 6) return fprintf(stderr, "usage: 04_evaluate GRAPH DATA.csv INPUT_NODE OUTPUT_NODE CLASSES\n"), 2;
    cnnf_context *context = NULL;
    cnnf_graph *graph = NULL;
    cnnf_evaluator *evaluator = NULL;
    cnnf_dataset *data = NULL;
    cnnf_metrics *metrics = NULL;
    cnnf_evaluate_options *options = NULL;
    cnnf_error *error = cnnf_error_new();
    uint64_t images = 0;

    cnnf_status status = cnnf_context_new(&context, NULL, error);
    if (!status) status = cnnf_load_file(&graph, context, argv[1], NULL, error);
    if (!status) status = cnnf_evaluator_new(&evaluator, graph, NULL, error);
    if (!status) status = open_data(&data, context, graph, argv, error);
    if (!status) status = cnnf_metrics_new(&metrics, context, atoll(argv[5]), 0, error);
    if (!status) status = cnnf_evaluate_options_new(&options, context, error);
    if (!status) status = cnnf_evaluate_options_set_input(options, argv[3], error);
    if (!status) status = cnnf_evaluate_options_set_output(options, argv[4], error);
    if (!status) status = cnnf_evaluate_options_set_progress(options, on_progress, &images, error);
    if (!status) status = cnnf_evaluate_dataset(metrics, evaluator, data, options, error);
    if (!status) {
        printf("%" PRIu64 " images, accuracy %.4f, loss %.4f\n", images, cnnf_metrics_accuracy(metrics),
               cnnf_metrics_loss(metrics));
    } else {
        fprintf(stderr, "%s\n", cnnf_error_message(error));
    }

    cnnf_evaluate_options_free(options);
    cnnf_metrics_free(metrics);
    cnnf_dataset_free(data);
    cnnf_evaluator_free(evaluator);
    cnnf_graph_unref(graph);
    cnnf_context_unref(context);
    cnnf_error_free(error);
    return status ? 1 : 0;
}
