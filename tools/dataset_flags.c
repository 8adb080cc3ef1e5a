/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset_flags.h"

cnnf_status open_dataset(cnnf_dataset **out, const session *s, const char *path, const dataset_flags *flags,
                         size_t rank, const int64_t *shape)
{
    cnnf_dataset_options *options = NULL;
    cnnf_status status = cnnf_dataset_options_new(&options, s->context, s->error);
    if (!status && rank) status = cnnf_dataset_options_set_shape(options, (int32_t)rank, shape, s->error);
    if (!status && flags->scale > 0) status = cnnf_dataset_options_set_scale(options, flags->scale, s->error);
    if (!status) status = cnnf_dataset_options_set_normalization(options, flags->mean, flags->std, s->error);
    if (!status && flags->labels) status = cnnf_dataset_options_set_labels_file(options, flags->labels, s->error);
    if (!status && flags->label_map) status = cnnf_dataset_options_set_label_map(options, flags->label_map, s->error);
    if (!status && flags->one_hot) status = cnnf_dataset_options_set_one_hot(options, flags->one_hot, s->error);
    if (!status) status = cnnf_dataset_options_set_channels_first(options, flags->channels_first, s->error);
    if (!status) status = cnnf_dataset_open(out, s->context, path, options, s->error);
    cnnf_dataset_options_free(options);
    return status;
}

size_t declared_example_shape(const cnnf_graph *graph, const char *input, int64_t shape[8])
{
    const cnnf_node *node = cnnf_graph_find(graph, input);
    size_t rank = 0;
    for (int32_t i = 1; i < cnnf_node_attr_shape_rank(node, "shape") && rank < 8; i++) {
        shape[rank] = cnnf_node_attr_shape_dim(node, "shape", i);
        if (shape[rank++] < 0) return 0; /* the file may know */
    }
    return rank;
}
