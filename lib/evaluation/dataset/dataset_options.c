/* SPDX-License-Identifier: Apache-2.0 */
/* What a user may ask of a data set. Words are looked up in tables; nothing is opened here. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "evaluation/dataset/dataset.h"
#include "evaluation/dataset/image.h"

const struct cnnf_dataset_options cnnfi_dataset_defaults = {.rank = -1, .n_normal = 1, .std = {1}, .shards = 1};

cnnf_status cnnf_dataset_options_new(cnnf_dataset_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "data set: out is NULL");
    *out = NULL;
    if (!context) return cnnfi_fail(error, CNNF_E_INVALID, "data set: context is NULL");
    cnnf_dataset_options *options = cnnfi_malloc(context, sizeof(*options));
    if (!options) return cnnfi_fail_nomem(error);
    *options = cnnfi_dataset_defaults;
    options->context = cnnf_context_ref(context);
    *out = options;
    return CNNF_OK;
}

void cnnfi_dataset_options_clear(struct cnnf_dataset_options *options, cnnf_context *context)
{
    cnnfi_free(context, options->labels_file);
    cnnfi_free(context, options->label_map);
    cnnfi_free(context, options->label_column);
}

void cnnf_dataset_options_free(cnnf_dataset_options *options)
{
    if (!options) return;
    cnnf_context *context = options->context;
    cnnfi_dataset_options_clear(options, context);
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

static cnnf_status set_string(cnnf_context *context, char **to, const char *value, cnnf_error *error)
{
    char *copy = value ? cnnfi_strdup(context, value) : NULL;
    if (value && !copy) return cnnfi_fail_nomem(error);
    cnnfi_free(context, *to);
    *to = copy;
    return CNNF_OK;
}

cnnf_status cnnfi_dataset_options_copy(struct cnnf_dataset_options *to, cnnf_context *context,
                                       const struct cnnf_dataset_options *from, cnnf_error *error)
{
    *to = *from;
    to->context = NULL;
    to->labels_file = to->label_map = to->label_column = NULL;
    CNNFI_TRY(set_string(context, &to->labels_file, from->labels_file, error));
    CNNFI_TRY(set_string(context, &to->label_map, from->label_map, error));
    return set_string(context, &to->label_column, from->label_column, error);
}

cnnf_status cnnf_dataset_options_set_shape(cnnf_dataset_options *options, int32_t rank, const int64_t *dims,
                                           cnnf_error *error)
{
    cnnf_error_clear(error);
    int64_t count;
    char text[128];
    if (!options || (rank > 0 && !dims)) return cnnfi_fail_null(error, __func__);
    if (rank < 0 || rank > CNNFI_DATASET_MAX_RANK)
        return cnnfi_fail(error, CNNF_E_INVALID, "data set: a shape of %d axes, 0 to %d are possible", (int)rank,
                          CNNFI_DATASET_MAX_RANK);
    if (!cnnfi_shape_elements(&count, rank, dims) || count < 1)
        return cnnfi_fail(error, CNNF_E_INVALID, "data set: the shape %s has no elements, or too many",
                          cnnfi_shape_print(text, sizeof text, rank, dims));
    options->rank = rank;
    if (rank > 0) memcpy(options->dims, dims, (size_t)rank * sizeof(dims[0]));
    return CNNF_OK;
}

/* ---- pixels ---- */

cnnf_status cnnf_dataset_options_set_scale(cnnf_dataset_options *options, double scale, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (!(fabs(scale) > 0) || !isfinite(scale))
        return cnnfi_fail(error, CNNF_E_INVALID, "data set: the scale must be finite and not 0");
    options->scale = scale;
    return CNNF_OK;
}

cnnf_status cnnf_dataset_options_set_normalization(cnnf_dataset_options *options, double mean, double std,
                                                   cnnf_error *error)
{
    cnnf_error_clear(error);
    return cnnf_dataset_options_set_channel_normalization(options, 1, &mean, &std, error);
}

cnnf_status cnnf_dataset_options_set_channel_normalization(cnnf_dataset_options *options, int32_t channels,
                                                           const double *mean, const double *std, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !mean || !std) return cnnfi_fail_null(error, __func__);
    if (channels < 1 || channels > CNNFI_DATASET_MAX_CHANNELS)
        return cnnfi_fail(error, CNNF_E_INVALID, "data set: mean and std of %d channels, 1 to %d are possible",
                          (int)channels, CNNFI_DATASET_MAX_CHANNELS);
    for (int32_t c = 0; c < channels; c++)
        if (!isfinite(mean[c]) || !isfinite(std[c]) || !(fabs(std[c]) > 0))
            return cnnfi_fail(error, CNNF_E_INVALID, "data set: mean and std must be finite, std not 0");
    options->n_normal = channels;
    memcpy(options->mean, mean, (size_t)channels * sizeof(mean[0]));
    memcpy(options->std, std, (size_t)channels * sizeof(std[0]));
    return CNNF_OK;
}

/* The place of a word in a list; a failure names the list. */
static cnnf_status find_word(int32_t *out, const char *word, const char *const *words, size_t count, const char *what,
                             cnnf_error *error)
{
    char list[256];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        *out = (int32_t)i;
        if (strcmp(words[i], word) == 0) return CNNF_OK;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 i == 0          ? ""
                                 : i + 1 < count ? ", "
                                                 : " or ",
                                 words[i]);
    }
    return cnnfi_fail(error, CNNF_E_INVALID, "data set: %s is %s, not '%.40s'", what, list, word);
}

#define FIND_WORD(out, word, words, what, error)                                                                       \
    find_word(out, word, words, sizeof(words) / sizeof((words)[0]), what, error)

/* What keras.applications' preprocess_input does, in its own numbers (keras/applications/imagenet_utils.py). */
static const struct preprocessing {
    double scale;
    bool bgr;
    int32_t n_normal;
    double mean[3], std[3]; /* in the order the channels are fed in */
} preprocessings[] = {
    {1, true, 3, {103.939, 116.779, 123.68}, {1, 1, 1}},
    {127.5, false, 1, {1}, {1}},
    {255, false, 3, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
};

cnnf_status cnnf_dataset_options_set_preprocess(cnnf_dataset_options *options, const char *mode, cnnf_error *error)
{
    cnnf_error_clear(error);
    static const char *const modes[] = {"caffe", "tf", "torch"};
    int32_t found = 0;
    if (!options || !mode) return cnnfi_fail_null(error, __func__);
    CNNFI_TRY(FIND_WORD(&found, mode, modes, "preprocess", error));
    const struct preprocessing *p = &preprocessings[found];
    options->scale = p->scale;
    options->bgr = p->bgr;
    options->n_normal = p->n_normal;
    memcpy(options->mean, p->mean, sizeof(p->mean));
    memcpy(options->std, p->std, sizeof(p->std));
    return CNNF_OK;
}

cnnf_status cnnf_dataset_options_set_channel_order(cnnf_dataset_options *options, const char *order, cnnf_error *error)
{
    cnnf_error_clear(error);
    static const char *const orders[] = {"rgb", "bgr"};
    int32_t found = 0;
    if (!options || !order) return cnnfi_fail_null(error, __func__);
    CNNFI_TRY(FIND_WORD(&found, order, orders, "channel_order", error));
    options->bgr = found == 1;
    return CNNF_OK;
}

cnnf_status cnnf_dataset_options_set_resize(cnnf_dataset_options *options, const char *mode, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !mode) return cnnfi_fail_null(error, __func__);
    return find_word(&options->resize, mode, cnnfi_resize_names, CNNFI_RESIZE_COUNT, "resize", error);
}

cnnf_status cnnf_dataset_options_set_crop(cnnf_dataset_options *options, const char *mode, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !mode) return cnnfi_fail_null(error, __func__);
    return find_word(&options->crop, mode, cnnfi_crop_names, CNNFI_CROP_COUNT, "crop", error);
}

cnnf_status cnnf_dataset_options_set_transpose(cnnf_dataset_options *options, int32_t transpose, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->transpose = transpose != 0;
    return CNNF_OK;
}

cnnf_status cnnf_dataset_options_set_channels_first(cnnf_dataset_options *options, int32_t channels_first,
                                                    cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->channels_first = channels_first != 0;
    return CNNF_OK;
}

/* ---- labels ---- */

cnnf_status cnnf_dataset_options_set_labels_file(cnnf_dataset_options *options, const char *path, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    return set_string(options->context, &options->labels_file, path, error);
}

cnnf_status cnnf_dataset_options_set_label_map(cnnf_dataset_options *options, const char *path, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    return set_string(options->context, &options->label_map, path, error);
}

cnnf_status cnnf_dataset_options_set_label_column(cnnf_dataset_options *options, const char *column, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    return set_string(options->context, &options->label_column, column, error);
}

cnnf_status cnnf_dataset_options_set_one_hot(cnnf_dataset_options *options, int64_t classes, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (classes < 0 || classes == 1)
        return cnnfi_fail(error, CNNF_E_INVALID, "data set: a one-hot label of %lld columns; 0, or 2 and more",
                          (long long)classes);
    options->one_hot = classes;
    return CNNF_OK;
}

/* ---- parts ---- */

cnnf_status cnnf_dataset_options_set_shard(cnnf_dataset_options *options, int64_t shard, int64_t shards,
                                           cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (shards < 1 || shards > INT32_MAX || shard < 1 || shard > shards)
        return cnnfi_fail(error, CNNF_E_INVALID, "data set: shard %lld of %lld; shards are 1 of 1 and up",
                          (long long)shard, (long long)shards);
    options->shard = shard - 1;
    options->shards = shards;
    return CNNF_OK;
}
