/* SPDX-License-Identifier: Apache-2.0 */
/* How examples are read, as the subcommands that take a data set share it. */
#ifndef DATASET_FLAGS_H
#define DATASET_FLAGS_H

#include "cli.h"

typedef struct dataset_flags {
    const char *labels, *label_map, *label_column, *mean, *std, *channel_order, *preprocess, *resize, *crop, *shard;
    int64_t one_hot;
    double scale; /* 0: as the format is */
    bool channels_first, transpose;
} dataset_flags;

#define DATASET_FLAGS(d)                                                                                               \
    {"labels", FLAG_STRING, &(d).labels, "FILE", "labels of IDX, NPY or image data"},                                  \
        {"label_map", FLAG_STRING, &(d).label_map, "FILE",                                                             \
         "classes of the labels: \"LABEL CLASS\" or LABEL, one per line; or an EMNIST mapping"},                       \
        {"label_column", FLAG_STRING, &(d).label_column, "NAME|N",                                                     \
         "CSV: the label's column, by its name or from 0; -1 is the last (0)"},                                        \
        {"one_hot", FLAG_INT, &(d).one_hot, "CLASSES", "CSV: so many columns are a one-hot label"},                    \
        {"scale", FLAG_DOUBLE, &(d).scale, "X", "divide pixels by X (255 for CSV, IDX, images; 1 for NPY, NPZ)"},      \
        {"mean", FLAG_STRING, &(d).mean, "X[,X,X]", "then subtract X, or one X per channel (0)"},                      \
        {"std", FLAG_STRING, &(d).std, "X[,X,X]", "then divide by X, or one X per channel (1)"},                       \
        {"channel_order", FLAG_STRING, &(d).channel_order, "rgb|bgr", "order of the channels that are fed (rgb)"},     \
        {"preprocess", FLAG_STRING, &(d).preprocess, "caffe|tf|torch",                                                 \
         "scale, mean, std and channel order as keras.applications' preprocess_input"},                                \
        {"resize", FLAG_STRING, &(d).resize, "MODE",                                                                   \
         "images: area (OpenCV), nearest, box, bilinear, hamming, bicubic, lanczos (Pillow, load_img), tf_nearest "    \
         "or tf_bilinear (tf.image)"},                                                                                 \
        {"crop", FLAG_STRING, &(d).crop, "none|aspect|center",                                                         \
         "images: what is cut away (none); aspect: load_img's keep_aspect_ratio; center: 224 out of 256"},             \
        {"transpose", FLAG_BOOL, &(d).transpose, NULL, "rows and columns change places, as in EMNIST's files"},        \
        {"shard", FLAG_STRING, &(d).shard, "K/N", "the K-th of N parts of the data set"},                              \
    {                                                                                                                  \
        "nchw", FLAG_BOOL, &(d).channels_first, NULL, "the graph wants channels first"                                 \
    }

/* Usage errors of the flags, before anything is opened: 0, or the exit code of what was said. */
int check_dataset_flags(const dataset_flags *flags);
/* Opens the data set at `path`. shape [rank]: of one example; rank 0: as the file has it. */
cnnf_status open_dataset(cnnf_dataset **out, const session *s, const char *path, const dataset_flags *flags,
                         size_t rank, const int64_t *shape);
/* The shape of one example as the graph's input declares it, without the batch: its rank, 0 when one size is open. */
size_t declared_example_shape(const cnnf_graph *graph, const char *input, int64_t shape[8]);

#endif
