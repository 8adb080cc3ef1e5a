/* SPDX-License-Identifier: Apache-2.0 */
/* How examples are read, as the subcommands that take a data set share it. */
#ifndef DATASET_FLAGS_H
#define DATASET_FLAGS_H

#include "cli.h"

typedef struct dataset_flags {
    const char *labels, *label_map;
    int64_t one_hot;
    double scale, mean, std; /* scale 0: as the format is */
    bool channels_first;
} dataset_flags;

#define DATASET_DEFAULTS                                                                                               \
    {                                                                                                                  \
        .std = 1                                                                                                       \
    }
#define DATASET_FLAGS(d)                                                                                               \
    {"labels", FLAG_STRING, &(d).labels, "FILE", "labels of IDX, NPY or image data"},                                  \
        {"label_map", FLAG_STRING, &(d).label_map, "FILE",                                                             \
         "classes of the labels: \"LABEL CLASS\" or LABEL, one per line"},                                             \
        {"one_hot", FLAG_INT, &(d).one_hot, "CLASSES", "CSV: the first columns are a one-hot label"},                  \
        {"scale", FLAG_DOUBLE, &(d).scale, "X", "divide pixels by X (255 for CSV, IDX, images; 1 for NPY, NPZ)"},      \
        {"mean", FLAG_DOUBLE, &(d).mean, "X", "then subtract X (0)"},                                                  \
        {"std", FLAG_DOUBLE, &(d).std, "X", "then divide by X (1)"},                                                   \
    {                                                                                                                  \
        "nchw", FLAG_BOOL, &(d).channels_first, NULL, "the graph wants channels first"                                 \
    }

/* Opens the data set at `path`. shape [rank]: of one example; rank 0: as the file has it. */
cnnf_status open_dataset(cnnf_dataset **out, const session *s, const char *path, const dataset_flags *flags,
                         size_t rank, const int64_t *shape);
/* The shape of one example as the graph's input declares it, without the batch: its rank, 0 when one size is open. */
size_t declared_example_shape(const cnnf_graph *graph, const char *input, int64_t shape[8]);

#endif
