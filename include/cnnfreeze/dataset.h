/* SPDX-License-Identifier: Apache-2.0 */
/**
 * dataset.h - labelled examples in batches, and what an evaluator makes of them.
 *
 * Formats, told apart by content, files plain or .gz:
 * CSV: one example a line, fields separated by commas, semicolons or tabs; the first column is the label, else
 * set_label_column(); a first line with a field that is no number is a header.
 * IDX: "images" in the file's name becomes "labels" for the labels, else set_labels_file().
 * NPY: x.npy has its labels in y.npy (x_test.npy in y_test.npy), else set_labels_file(). NPZ: arrays
 * x and y, x_test and y_test, or images and labels.
 * A folder of PNG/JPEG images: one folder per class, numbered in the order of their names; or a file of
 * lines "name,label" (labels.csv in the folder, else set_labels_file()). Images are resized to the
 * shape as cv2.resize(INTER_AREA) does, then turned grey for one channel; else set_resize() and set_crop().
 * One PNG or JPEG file: one example, its label -1, which no metrics take.
 * Several files at once: '*' and '?' in the last part of the path ("shards/part-*.csv"), in the order of their names.
 *
 * Pixels are read, transposed, scaled, their channels turned, normalised and brought to the front, in this order, in
 * float32.
 *
 * Thread-safety: a cnnf_dataset and the options are unsafe; one thread at a time.
 */
#ifndef CNNFREEZE_DATASET_H
#define CNNFREEZE_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/context.h>
#include <cnnfreeze/evaluator.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/metrics.h>
#include <cnnfreeze/tensor.h>

typedef struct cnnf_dataset cnnf_dataset;
typedef struct cnnf_dataset_options cnnf_dataset_options;
typedef struct cnnf_evaluate_options cnnf_evaluate_options;

CNNF_BEGIN_DECLS

/** *New* options holding the defaults. @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_new(cnnf_dataset_options **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_dataset_options_free(cnnf_dataset_options *options); /**< NULL is allowed. @since 0.1 */
/** Shape of one example, without the batch ({28, 28, 1}); needed where the file does not say. @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_shape(cnnf_dataset_options *options, int32_t rank, const int64_t *dims,
                                                    cnnf_error *error);
/** Pixels are divided by `scale` in float32: default 255 for CSV, IDX and images, 1 for NPY/NPZ; 1 = as they are.
 * @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_scale(cnnf_dataset_options *options, double scale, cnnf_error *error);
/** Then (v - mean) / std; defaults 0 and 1. @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_normalization(cnnf_dataset_options *options, double mean, double std,
                                                            cnnf_error *error);
/** The same for each of `channels` (1 .. 16) channels, in the order in which they are fed; examples must have as many
 * (CNNF_E_MISMATCH from cnnf_dataset_open()). CNNF_OK, CNNF_E_INVALID, as the next ones. @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_channel_normalization(cnnf_dataset_options *options, int32_t channels,
                                                                    const double *mean, const double *std,
                                                                    cnnf_error *error);
/** "rgb" (the default) or "bgr": red and blue change places in examples of three channels. @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_channel_order(cnnf_dataset_options *options, const char *order,
                                                            cnnf_error *error);
/**
 * What keras.applications' preprocess_input does, number for number: "caffe" (ResNet, VGG: BGR, ImageNet's means
 * subtracted), "tf" (MobileNet, Inception, Xception, ResNetV2: -1 .. 1) or "torch" (DenseNet: 0 .. 1, mean and standard
 * deviation of ImageNet). Sets scale, channel order and normalisation, which may be changed afterwards. @since 0.1
 */
CNNF_API cnnf_status cnnf_dataset_options_set_preprocess(cnnf_dataset_options *options, const char *mode,
                                                         cnnf_error *error);
/**
 * How images are brought to the shape: "area" (OpenCV's INTER_AREA, the default); "nearest", "box", "bilinear",
 * "hamming", "bicubic" or "lanczos" (Pillow's, as Keras' load_img and flow_from_directory, whose default is nearest);
 * "tf_nearest" or "tf_bilinear" (tf.image.resize's, as Keras' image_dataset_from_directory). @since 0.1
 */
CNNF_API cnnf_status cnnf_dataset_options_set_resize(cnnf_dataset_options *options, const char *mode,
                                                     cnnf_error *error);
/**
 * What is cut away before: "none" (the default; sides are stretched); "aspect" (all but the largest middle part of the
 * wanted aspect: load_img(keep_aspect_ratio=True), image_dataset_from_directory(crop_to_aspect_ratio=True)); "center"
 * (the shorter side becomes 8/7 of what is wanted, 256 for 224, of which the middle is taken). @since 0.1
 */
CNNF_API cnnf_status cnnf_dataset_options_set_crop(cnnf_dataset_options *options, const char *mode, cnnf_error *error);
/** Rows and columns of each example change places: EMNIST's files have them so. @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_transpose(cnnf_dataset_options *options, int32_t transpose,
                                                        cnnf_error *error);
/** A file with the labels (IDX or NPY data; image folders). @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_labels_file(cnnf_dataset_options *options, const char *path,
                                                          cnnf_error *error);
/**
 * A text file that gives classes to labels, a line each: "LABEL CLASS" (separated by a comma, '=', a
 * tab or a blank), or LABEL alone, whose class is the line's number from 0. Labels are numbers or
 * names: a CSV's label column, the folders of images. The mappings beside EMNIST's files ("LABEL ASCII", "LABEL UPPER
 * LOWER") are told by what they hold: a label's class is the number of its line, its name the character. @since 0.1
 */
CNNF_API cnnf_status cnnf_dataset_options_set_label_map(cnnf_dataset_options *options, const char *path,
                                                        cnnf_error *error);
/** CSV: `column` is the label: a name of the header, or a number from 0; -1 is the last, -2 the one before. NULL, the
 * default: the first, with a warning in the log when its values look like pixels. CNNF_E_NOT_FOUND from
 * cnnf_dataset_open() when there is none. CNNF_OK, CNNF_E_INVALID (NULL options), CNNF_E_NOMEM. @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_label_column(cnnf_dataset_options *options, const char *column,
                                                           cnnf_error *error);
/** CSV: `classes` (>= 2) columns, from the label column on, are a one-hot label; 0, the default: one column, an
 * integer. (NPY and IDX labels of rank 2 are one-hot by themselves.) @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_one_hot(cnnf_dataset_options *options, int64_t classes,
                                                      cnnf_error *error);
/** Examples are wanted channels first (NCHW); the shape is then (C, H, W). @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_options_set_channels_first(cnnf_dataset_options *options, int32_t channels_first,
                                                             cnnf_error *error);

/**
 * Part `shard` of `shards` (from 1): examples count * (shard - 1) / shards up to count * shard / shards, so that all
 * parts together are the data set, each example once. A CSV is read once to count its lines. Rows keep their numbers
 * (cnnf_dataset_position()). CNNF_OK, CNNF_E_INVALID. @since 0.1
 */
CNNF_API cnnf_status cnnf_dataset_options_set_shard(cnnf_dataset_options *options, int64_t shard, int64_t shards,
                                                    cnnf_error *error);

/** Opens a data set; *out is *new*. CNNF_OK, CNNF_E_IO, CNNF_E_FORMAT, CNNF_E_CORRUPT, CNNF_E_LIMIT, CNNF_E_INVALID,
 * CNNF_E_MISMATCH (the shape, channels; files of one pattern that differ), CNNF_E_NOT_FOUND (labels, a column, no file
 * that a pattern names), CNNF_E_UNSUPPORTED, CNNF_E_NOMEM. @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_open(cnnf_dataset **out, cnnf_context *context, const char *path,
                                       const cnnf_dataset_options *options, cnnf_error *error);
CNNF_API void cnnf_dataset_free(cnnf_dataset *dataset); /**< NULL is allowed. @since 0.1 */
/** Examples in all, or in the shard; -1 when the file must be read to know. @since 0.1 */
CNNF_API int64_t cnnf_dataset_count(const cnnf_dataset *dataset);
/** The number, from 0, of the example that comes next, counted over the whole data set also in a shard; -1 for NULL.
 * @since 0.1 */
CNNF_API int64_t cnnf_dataset_position(const cnnf_dataset *dataset);
/** The file of example `row`, where each has its own (images); else NULL. *Borrowed* until the data set is freed.
 * @since 0.1 */
CNNF_API const char *cnnf_dataset_example_file(const cnnf_dataset *dataset, int64_t row);
/** The name of a class: of its folder, or in the label map; NULL when it has none. *Borrowed* until the data set is
 * freed. @since 0.1 */
CNNF_API const char *cnnf_dataset_class_name(const cnnf_dataset *dataset, int64_t label);
/**
 * The next `batch` examples: *images a *new* float tensor (n, shape...), *labels a *new* int64
 * tensor (n). At the end both are NULL with CNNF_OK. Bad rows are CNNF_E_CORRUPT with line and
 * column. @since 0.1
 */
CNNF_API cnnf_status cnnf_dataset_next(cnnf_tensor **images, cnnf_tensor **labels, cnnf_dataset *dataset, int64_t batch,
                                       cnnf_error *error);
/** Back to the first example. @since 0.1 */
CNNF_API cnnf_status cnnf_dataset_rewind(cnnf_dataset *dataset, cnnf_error *error);

/** *New* options holding the defaults: the graph's only declared input and output, batches of 32, the last partial
 * batch counts, no progress. CNNF_OK, CNNF_E_NOMEM, CNNF_E_INVALID (NULL). @since 0.1 */
CNNF_API cnnf_status cnnf_evaluate_options_new(cnnf_evaluate_options **out, cnnf_context *context, cnnf_error *error);
CNNF_API void cnnf_evaluate_options_free(cnnf_evaluate_options *options); /**< NULL is allowed. @since 0.1 */
/** The node that takes the examples ("x" or "x:0"). CNNF_OK, CNNF_E_INVALID (NULL), CNNF_E_NOMEM, as the next. @since
 * 0.1
 */
CNNF_API cnnf_status cnnf_evaluate_options_set_input(cnnf_evaluate_options *options, const char *name,
                                                     cnnf_error *error);
/** The node that gives the scores, one per class. @since 0.1 */
CNNF_API cnnf_status cnnf_evaluate_options_set_output(cnnf_evaluate_options *options, const char *name,
                                                      cnnf_error *error);
/** Examples per run (>= 1); an input with a fixed batch has that one, its last rows filled up. CNNF_OK, CNNF_E_INVALID,
 * as the next ones. @since 0.1 */
CNNF_API cnnf_status cnnf_evaluate_options_set_batch(cnnf_evaluate_options *options, int64_t batch, cnnf_error *error);
/** Whether a last partial batch is left out, as the tutorial's script does. @since 0.1 */
CNNF_API cnnf_status cnnf_evaluate_options_set_full_batches_only(cnnf_evaluate_options *options, int32_t full_only,
                                                                 cnnf_error *error);
/** Progress in examples; the total is 0 where the data set does not know it. NULL: none. @since 0.1 */
CNNF_API cnnf_status cnnf_evaluate_options_set_progress(cnnf_evaluate_options *options, cnnf_progress_fn progress,
                                                        void *user, cnnf_error *error);
/**
 * Runs the rest of a data set through the evaluator's graph and adds it to `metrics`; batches run in parallel on the
 * evaluator's threads. `options` NULL = the defaults. CNNF_OK; CNNF_E_INVALID (NULL, or no single input or output is
 * declared: name them), CNNF_E_CORRUPT (a label is no class of the metrics: says which example), what
 * cnnf_dataset_next(), cnnf_evaluator_run() and cnnf_metrics_add() return. On CNNF_E_CANCELLED, and on every other
 * failure, metrics hold what was done until then. @since 0.1
 */
CNNF_API cnnf_status cnnf_evaluate_dataset(cnnf_metrics *metrics, cnnf_evaluator *evaluator, cnnf_dataset *dataset,
                                           const cnnf_evaluate_options *options, cnnf_error *error);

CNNF_END_DECLS

#endif
