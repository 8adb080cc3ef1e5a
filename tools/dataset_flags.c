/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset_flags.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CHANNELS 16

/* "1" or "0.5,0.4,0.3": how many; 0 when it is none of these. */
static int32_t numbers_of(const char *text, double out[MAX_CHANNELS])
{
    for (int32_t n = 0; n < MAX_CHANNELS;) {
        char *end = NULL;
        out[n++] = strtod(text, &end);
        if (end == text || (*end && *end != ',')) return 0;
        if (!*end) return n;
        text = end + 1;
    }
    return 0;
}

/* Both with the number of channels of the longer; false when they do not go together. */
static bool normalization_of(const dataset_flags *flags, double mean[MAX_CHANNELS], double std[MAX_CHANNELS],
                             int32_t *channels)
{
    const int32_t n = flags->mean ? numbers_of(flags->mean, mean) : 1;
    const int32_t m = flags->std ? numbers_of(flags->std, std) : 1;
    if (!flags->mean) mean[0] = 0;
    if (!flags->std) std[0] = 1;
    *channels = n > m ? n : m;
    for (int32_t c = 1; c < *channels && n == 1; c++)
        mean[c] = mean[0];
    for (int32_t c = 1; c < *channels && m == 1; c++)
        std[c] = std[0];
    return n && m && (n == m || n == 1 || m == 1);
}

/* "3/8" */
static bool shard_of(const char *text, int64_t *shard, int64_t *shards)
{
    char *end = NULL;
    *shard = strtoll(text, &end, 10);
    if (end == text || *end != '/') return false;
    text = end + 1;
    *shards = strtoll(text, &end, 10);
    return end != text && !*end && *shard >= 1 && *shard <= *shards && *shards <= INT32_MAX;
}

static const char *word_at(size_t index, const void *table)
{
    return ((const char *const *)table)[index];
}

/* 0, or 2: `text` is none of the words. */
static int check_word(const char *flag_name, const char *text, const char *const *words, size_t n)
{
    if (!text) return 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], text) == 0) return 0;
    const char *meant = cli_nearest(text, word_at, words, n);
    char list[256] = "";
    for (size_t i = 0, used = 0; i < n && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 i == 0      ? ""
                                 : i + 1 < n ? ", "
                                             : " or ",
                                 words[i]);
    if (meant) return cli_say(EXIT_USAGE, "--%s is %s, not '%s'; did you mean %s?", flag_name, list, text, meant);
    return cli_say(EXIT_USAGE, "--%s is %s, not '%s'", flag_name, list, text);
}

#define CHECK_WORD(name, text, words) check_word(name, text, words, sizeof(words) / sizeof *(words))

int check_dataset_flags(const dataset_flags *flags)
{
    static const char *const orders[] = {"rgb", "bgr"}, *const modes[] = {"caffe", "tf", "torch"},
                             *const crops[] = {"none", "aspect", "center"},
                             *const resizes[] = {"area",    "nearest", "box",        "bilinear",   "hamming",
                                                 "bicubic", "lanczos", "tf_nearest", "tf_bilinear"};
    double mean[MAX_CHANNELS], std[MAX_CHANNELS];
    int64_t shard, shards;
    int32_t channels;
    int code = CHECK_WORD("channel_order", flags->channel_order, orders);
    if (!code) code = CHECK_WORD("preprocess", flags->preprocess, modes);
    if (!code) code = CHECK_WORD("resize", flags->resize, resizes);
    if (!code) code = CHECK_WORD("crop", flags->crop, crops);
    if (!code && flags->mean && !numbers_of(flags->mean, mean))
        code = cli_say(EXIT_USAGE, "--mean is a number, or one per channel, not '%s'", flags->mean);
    if (!code && flags->std && !numbers_of(flags->std, std))
        code = cli_say(EXIT_USAGE, "--std is a number, or one per channel, not '%s'", flags->std);
    if (!code && !normalization_of(flags, mean, std, &channels))
        code =
            cli_say(EXIT_USAGE, "--mean=%s and --std=%s are of different numbers of channels", flags->mean, flags->std);
    if (!code && flags->shard && !shard_of(flags->shard, &shard, &shards))
        code = cli_say(EXIT_USAGE, "--shard is K/N with K from 1 to N, not '%s'", flags->shard);
    if (!code && (flags->one_hot < 0 || flags->one_hot == 1))
        code = cli_say(EXIT_USAGE, "--one_hot=%lld: a one-hot label has 2 columns or more", (long long)flags->one_hot);
    if (!code && flags->scale < 0)
        code = cli_say(EXIT_USAGE, "--scale=%g: pixels are divided by more than 0", flags->scale);
    return code;
}

/* What preprocess_input sets, flags of their own may change. */
static cnnf_status set_pixels(cnnf_dataset_options *options, const session *s, const dataset_flags *flags)
{
    double mean[MAX_CHANNELS], std[MAX_CHANNELS];
    int32_t channels;
    cnnf_status status = CNNF_OK;
    if (flags->preprocess) status = cnnf_dataset_options_set_preprocess(options, flags->preprocess, s->error);
    if (!status && flags->scale > 0) status = cnnf_dataset_options_set_scale(options, flags->scale, s->error);
    if (!status && (flags->mean || flags->std) && normalization_of(flags, mean, std, &channels))
        status = cnnf_dataset_options_set_channel_normalization(options, channels, mean, std, s->error);
    if (!status && flags->channel_order)
        status = cnnf_dataset_options_set_channel_order(options, flags->channel_order, s->error);
    if (!status && flags->resize) status = cnnf_dataset_options_set_resize(options, flags->resize, s->error);
    if (!status && flags->crop) status = cnnf_dataset_options_set_crop(options, flags->crop, s->error);
    if (!status) status = cnnf_dataset_options_set_transpose(options, flags->transpose, s->error);
    if (!status) status = cnnf_dataset_options_set_channels_first(options, flags->channels_first, s->error);
    return status;
}

static cnnf_status set_labels(cnnf_dataset_options *options, const session *s, const dataset_flags *flags)
{
    cnnf_status status = CNNF_OK;
    if (flags->labels) status = cnnf_dataset_options_set_labels_file(options, flags->labels, s->error);
    if (!status && flags->label_map) status = cnnf_dataset_options_set_label_map(options, flags->label_map, s->error);
    if (!status && flags->label_column)
        status = cnnf_dataset_options_set_label_column(options, flags->label_column, s->error);
    if (!status && flags->one_hot) status = cnnf_dataset_options_set_one_hot(options, flags->one_hot, s->error);
    return status;
}

cnnf_status open_dataset(cnnf_dataset **out, const session *s, const char *path, const dataset_flags *flags,
                         size_t rank, const int64_t *shape)
{
    cnnf_dataset_options *options = NULL;
    int64_t shard, shards;
    cnnf_status status = cnnf_dataset_options_new(&options, s->context, s->error);
    if (!status && rank) status = cnnf_dataset_options_set_shape(options, (int32_t)rank, shape, s->error);
    if (!status) status = set_pixels(options, s, flags);
    if (!status) status = set_labels(options, s, flags);
    if (!status && flags->shard && shard_of(flags->shard, &shard, &shards))
        status = cnnf_dataset_options_set_shard(options, shard, shards, s->error);
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
