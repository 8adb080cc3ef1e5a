/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three parts: options (two bytes), a data set (CSV, IDX, NPY, NPZ, each also gzipped, or a picture), its labels. What
 * a file is, its content says; a bit of the options makes a folder of it.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz_parts.h"

enum { FOLDER = 1, LABELS = 2, SHAPE = 4, ONE_HOT = 8, CHANNELS_FIRST = 16, SCALE = 32, LABEL_MAP = 64, MORE = 128 };

/* What the second byte chooses of everything else. */
static void set_more(cnnf_dataset_options *options, unsigned more)
{
    static const char *const resizes[] = {"area",    "nearest", "box",        "bilinear",   "hamming",
                                          "bicubic", "lanczos", "tf_nearest", "tf_bilinear"};
    static const char *const crops[] = {"none", "aspect", "center"}, *const modes[] = {"caffe", "tf", "torch"},
                             *const columns[] = {"-1", "1", "label", "x"};
    cnnf_dataset_options_set_resize(options, resizes[more % 9], NULL);
    cnnf_dataset_options_set_crop(options, crops[more / 9 % 3], NULL);
    if (more & 1) cnnf_dataset_options_set_preprocess(options, modes[more / 2 % 3], NULL);
    if (more & 4) cnnf_dataset_options_set_transpose(options, 1, NULL);
    if (more & 8) cnnf_dataset_options_set_shard(options, 1 + more % 3, 3, NULL);
    if (more & 16) cnnf_dataset_options_set_label_column(options, columns[more / 32 % 4], NULL);
}

static cnnf_dataset_options *options_of(cnnf_context *context, unsigned bits, unsigned more)
{
    const int64_t dims[] = {2 + more % 3, 2, 1 + (more >> 2) % 3};
    cnnf_dataset_options *options = NULL;
    if (cnnf_dataset_options_new(&options, context, NULL)) return NULL;
    if (bits & LABELS) cnnf_dataset_options_set_labels_file(options, fuzz_path("labels"), NULL);
    if (bits & SHAPE) cnnf_dataset_options_set_shape(options, 1 + (int32_t)(more % 3), dims, NULL);
    if (bits & ONE_HOT) cnnf_dataset_options_set_one_hot(options, 2 + more % 9, NULL);
    if (bits & CHANNELS_FIRST) cnnf_dataset_options_set_channels_first(options, 1, NULL);
    if (bits & SCALE) cnnf_dataset_options_set_scale(options, 0.5 + more, NULL);
    if (bits & MORE) set_more(options, more);
    if (bits & LABEL_MAP) cnnf_dataset_options_set_label_map(options, fuzz_path("labels"), NULL);
    return options;
}

/* Every number that was given out is read. */
static void read_batch(const cnnf_tensor *tensor)
{
    const uint8_t *bytes = cnnf_tensor_data(tensor);
    unsigned sum = 0;
    for (size_t i = 0; bytes && i < cnnf_tensor_byte_size(tensor); i++)
        sum += bytes[i];
    if (sum == UINT32_MAX) abort();
}

static void read_all(cnnf_dataset *data)
{
    for (int turn = 0; turn < 2; turn++) {
        cnnf_tensor *images = NULL, *labels = NULL;
        for (int i = 0; i < 8 && cnnf_dataset_next(&images, &labels, data, 3, NULL) == CNNF_OK && images; i++) {
            read_batch(images);
            read_batch(labels);
            cnnf_tensor_unref(images);
            cnnf_tensor_unref(labels);
        }
        if (cnnf_dataset_rewind(data, NULL)) break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint8_t *data = (uint8_t *)(uintptr_t)bytes;
    const part chosen = next_part(&data, &size), file = next_part(&data, &size), labels = next_part(&data, &size);
    const unsigned bits = chosen.size > 0 ? chosen.data[0] : 0, more = chosen.size > 1 ? chosen.data[1] : 0;
    const bool folder = bits & FOLDER;
    const char *const name = folder ? "set/a/1.png" : "x-images";
    cnnf_context *context = fuzz_context();
    cnnf_dataset *set = NULL;
    if (folder) {
        mkdir(fuzz_path("set"), 0700);
        mkdir(fuzz_path("set/a"), 0700);
    }
    fuzz_write(name, file);
    fuzz_write("labels", labels);
    cnnf_dataset_options *options = options_of(context, bits, more);
    if (cnnf_dataset_open(&set, context, fuzz_path(folder ? "set" : "x-images"), options, NULL) == CNNF_OK)
        read_all(set);
    cnnf_dataset_free(set);
    cnnf_dataset_options_free(options);
    cnnf_tensor *array = NULL;
    if (!folder && cnnf_npy_load(&array, context, fuzz_path("x-images"), NULL) == CNNF_OK) read_batch(array);
    cnnf_tensor_unref(array);
    fuzz_remove(name);
    fuzz_remove("labels");
    fuzz_remove("set/a");
    fuzz_remove("set");
    fuzz_context_done(context);
    return 0;
}
