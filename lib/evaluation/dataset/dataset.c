/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets whatever their format: telling formats apart, shards, raw rows to tensors. */
#include "evaluation/dataset/dataset.h"

#include <string.h>

#include "base/checked.h"
#include "base/os.h"

/* ---- opening ---- */

static const cnnfi_format *detect(const uint8_t *head, size_t size)
{
    static const struct {
        const char *magic;
        size_t length;
        const cnnfi_format *format;
    } known[] = {
        {"\x93NUMPY", 6, &cnnfi_format_npy},  {"PK\x03\x04", 4, &cnnfi_format_npz},
        {"\0\0\x08", 3, &cnnfi_format_idx},   {"\0\0\x09", 3, &cnnfi_format_idx},
        {"\0\0\x0b", 3, &cnnfi_format_idx},   {"\0\0\x0c", 3, &cnnfi_format_idx},
        {"\0\0\x0d", 3, &cnnfi_format_idx},   {"\0\0\x0e", 3, &cnnfi_format_idx},
        {"\x89PNG", 4, &cnnfi_format_images}, {"\xff\xd8\xff", 3, &cnnfi_format_images},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (size >= known[i].length && memcmp(head, known[i].magic, known[i].length) == 0) return known[i].format;
    return &cnnfi_format_csv;
}

/* Names the other kinds of file that end up here by mistake. */
static cnnf_status refuse_foreign(const char *path, const uint8_t *head, size_t size, cnnf_error *error)
{
    static const struct {
        const char *magic, *what;
    } foreign[] = {{"\x89HDF", "an HDF5 file"},
                   {"version https://git-lfs", "the pointer that Git LFS leaves in place of a file: run git lfs pull"},
                   {"<!DOCTYPE html", "a web page: the download went wrong"},
                   {"<html", "a web page: the download went wrong"}};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        size_t n = strlen(foreign[i].magic);
        if (size >= n && memcmp(head, foreign[i].magic, n) == 0)
            return cnnfi_fail(error, CNNF_E_FORMAT, "%s: data set: this is %s", path, foreign[i].what);
    }
    if (size > 0 && memchr(head, 0, size))
        return cnnfi_fail(error, CNNF_E_FORMAT, "%s: data set: neither CSV, IDX, NPY, NPZ nor a folder of images",
                          path);
    return CNNF_OK;
}

static cnnf_status open_file(cnnf_dataset *d, const char *path, cnnf_error *error)
{
    uint8_t head[64];
    size_t got = 0;
    cnnfi_source *source = NULL;
    cnnfi_stream *stream = NULL;
    CNNFI_TRY(cnnfi_source_open(&source, d->context, path, error));
    cnnf_status status = cnnfi_stream_new(&stream, source, 0, cnnfi_source_size(source), CNNFI_CODING_DETECT, error);
    if (status == CNNF_OK) status = cnnfi_stream_read(stream, head, sizeof(head), &got, error);
    cnnfi_stream_free(stream);
    if (status == CNNF_OK) d->format = detect(head, got);
    if (status == CNNF_OK && d->format == &cnnfi_format_csv) status = refuse_foreign(path, head, got, error);
    if (status == CNNF_OK) status = d->format->open(d, source, path, error);
    cnnfi_source_unref(source);
    return status;
}

static cnnf_dataset *new_dataset(cnnf_context *context)
{
    cnnf_dataset *d = cnnfi_calloc(context, 1, sizeof(*d));
    if (!d) return NULL;
    d->context = cnnf_context_ref(context);
    d->count = d->end = -1;
    cnnfi_strmap_init(&d->labels.names, context);
    cnnfi_class_names_init(&d->names, context);
    return d;
}

cnnf_status cnnfi_dataset_open_one(cnnf_dataset **out, cnnf_context *context, const char *path,
                                   const struct cnnf_dataset_options *options, cnnf_error *error)
{
    cnnf_dataset *d = new_dataset(context);
    *out = NULL;
    if (!d) return cnnfi_fail_nomem(error);
    cnnf_status status = cnnfi_dataset_options_copy(&d->options, context, options, error);
    if (status == CNNF_OK && options->label_map)
        status = cnnfi_label_map_load(&d->labels, &d->names, context, options->label_map, error);
    if (status == CNNF_OK && cnnfi_is_pattern(path)) {
        d->format = &cnnfi_format_files;
        status = d->format->open(d, NULL, path, error);
    } else if (status == CNNF_OK && cnnfi_os_is_folder(path)) {
        d->format = &cnnfi_format_images;
        status = d->format->open(d, NULL, path, error);
    } else if (status == CNNF_OK) {
        status = open_file(d, path, error);
    }
    if (status == CNNF_OK) {
        *out = d;
        return CNNF_OK;
    }
    cnnf_dataset_free(d);
    return status;
}

/* ---- shards ---- */

/* shard k of n: examples count * k / n up to count * (k + 1) / n. */
static int64_t shard_edge(int64_t count, int64_t shard, int64_t shards)
{
    return count / shards * shard + count % shards * shard / shards;
}

static cnnf_status go_to_begin(cnnf_dataset *d, cnnf_error *error)
{
    CNNFI_TRY(d->format->rewind(d, error));
    d->at = d->begin;
    return d->begin > 0 ? d->format->skip(d, d->begin, error) : CNNF_OK;
}

static cnnf_status choose_shard(cnnf_dataset *d, cnnf_error *error)
{
    const struct cnnf_dataset_options *o = &d->options;
    int64_t count = d->count;
    if (o->shards <= 1) return CNNF_OK;
    if (count < 0) CNNFI_TRY(d->format->count(d, &count, error));
    d->begin = shard_edge(count, o->shard, o->shards);
    d->end = shard_edge(count, o->shard + 1, o->shards);
    return go_to_begin(d, error);
}

cnnf_status cnnf_dataset_open(cnnf_dataset **out, cnnf_context *context, const char *path,
                              const cnnf_dataset_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "data set: out is NULL");
    *out = NULL;
    if (!context || !path) return cnnfi_fail(error, CNNF_E_INVALID, "data set: context or path is NULL");
    CNNFI_TRY(cnnfi_dataset_open_one(out, context, path, options ? options : &cnnfi_dataset_defaults, error));
    const cnnf_status status = choose_shard(*out, error);
    if (status == CNNF_OK) return CNNF_OK;
    cnnf_dataset_free(*out);
    *out = NULL;
    return status;
}

void cnnf_dataset_free(cnnf_dataset *dataset)
{
    if (!dataset) return;
    cnnf_context *context = dataset->context;
    if (dataset->format) dataset->format->free(dataset);
    cnnfi_dataset_options_clear(&dataset->options, context);
    cnnfi_strmap_free(&dataset->labels.names);
    cnnfi_class_names_free(&dataset->names);
    cnnfi_free(context, dataset->labels.text);
    cnnfi_free(context, dataset);
    cnnf_context_unref(context);
}

/* ---- what one example is ---- */

/* The shape that the user gave, as it lies in the file: channels last. */
static void shape_from_options(cnnf_dataset *d)
{
    const struct cnnf_dataset_options *o = &d->options;
    d->rank = o->rank;
    memcpy(d->dims, o->dims, sizeof(d->dims));
    if (!o->channels_first || o->rank < 2) return;
    memmove(d->dims, o->dims + 1, (size_t)(o->rank - 1) * sizeof(d->dims[0]));
    d->dims[o->rank - 1] = o->dims[0];
}

/* Channels that are to be turned or normalised one by one must be there. */
static cnnf_status check_channels(const cnnf_dataset *d, const char *path, cnnf_error *error)
{
    const struct cnnf_dataset_options *o = &d->options;
    const int64_t channels = d->rank > 0 ? d->dims[d->rank - 1] : 1;
    if (o->n_normal > 1 && o->n_normal != channels)
        return cnnfi_fail(error, CNNF_E_MISMATCH, "%s: %s: mean and std of %d channels do not fit examples of %lld",
                          path, d->format->name, (int)o->n_normal, (long long)channels);
    if (o->bgr && channels != 3)
        return cnnfi_fail(error, CNNF_E_MISMATCH, "%s: %s: BGR needs examples of 3 channels, these have %lld", path,
                          d->format->name, (long long)channels);
    if (o->transpose && d->rank < 2)
        return cnnfi_fail(error, CNNF_E_MISMATCH, "%s: %s: what has one axis cannot be transposed; give the shape",
                          path, d->format->name);
    return CNNF_OK;
}

cnnf_status cnnfi_dataset_set_shape(cnnf_dataset *d, const char *path, int32_t rank, const int64_t *dims,
                                    cnnf_error *error)
{
    int64_t width = 0, wanted = 0;
    char text[128];
    if (rank > CNNFI_DATASET_MAX_RANK || !cnnfi_shape_elements(&width, rank, dims) || width < 1)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: %s: examples of shape %s", path, d->format->name,
                          cnnfi_shape_print(text, sizeof(text), rank, dims));
    d->width = width;
    d->rank = rank;
    memcpy(d->dims, dims, (size_t)rank * sizeof(dims[0]));
    if (d->options.rank < 0) {
        if (d->options.transpose && rank > 1) d->dims[0] = dims[1], d->dims[1] = dims[0];
        return check_channels(d, path, error);
    }
    cnnfi_shape_elements(&wanted, d->options.rank, d->options.dims);
    if (wanted != width)
        return cnnfi_fail(error, CNNF_E_MISMATCH, "%s: %s: %lld values per example, the shape %s needs %lld", path,
                          d->format->name, (long long)width,
                          cnnfi_shape_print(text, sizeof(text), d->options.rank, d->options.dims), (long long)wanted);
    shape_from_options(d);
    return check_channels(d, path, error);
}

int64_t cnnf_dataset_count(const cnnf_dataset *dataset)
{
    if (!dataset) return -1;
    return dataset->end >= 0 ? dataset->end - dataset->begin : dataset->count;
}

int64_t cnnf_dataset_position(const cnnf_dataset *dataset)
{
    return dataset ? dataset->at : -1;
}

const char *cnnf_dataset_example_file(const cnnf_dataset *dataset, int64_t row)
{
    return dataset && dataset->format->row_name ? dataset->format->row_name(dataset, row) : NULL;
}

const char *cnnf_dataset_class_name(const cnnf_dataset *dataset, int64_t class)
{
    return dataset ? cnnfi_class_names_get(&dataset->names, class) : NULL;
}

cnnf_status cnnf_dataset_rewind(cnnf_dataset *dataset, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!dataset) return cnnfi_fail(error, CNNF_E_INVALID, "data set is NULL");
    return go_to_begin(dataset, error);
}

/* ---- batches ---- */

static int32_t batch_dims(const cnnf_dataset *d, int64_t n, int64_t *dims)
{
    bool first = d->options.channels_first && d->rank > 1;
    dims[0] = n;
    for (int32_t i = 0; i < d->rank; i++)
        dims[1 + i] = first ? d->dims[(i + d->rank - 1) % d->rank] : d->dims[i];
    return d->rank + 1;
}

/* Room for n examples. */
static cnnf_status make_room(const cnnf_dataset *d, int64_t n, cnnf_tensor **images, cnnf_tensor **labels,
                             cnnf_error *error)
{
    int64_t dims[CNNFI_DATASET_MAX_RANK + 1];
    const int32_t rank = batch_dims(d, n, dims);
    CNNFI_TRY(cnnf_tensor_new(images, d->context, CNNF_FLOAT, rank, dims, error));
    return cnnf_tensor_new(labels, d->context, CNNF_INT64, 1, &n, error);
}

/* The first n rows of a tensor: itself when it has no more. Takes *tensor. */
static cnnf_status cut_rows(cnnf_tensor **tensor, cnnf_context *context, int64_t n, cnnf_error *error)
{
    int64_t dims[CNNFI_DATASET_MAX_RANK + 1];
    cnnf_tensor *whole = *tensor;
    const int64_t rows = cnnf_tensor_dim(whole, 0);
    const int32_t rank = cnnf_tensor_rank(whole);
    if (rows == n) return CNNF_OK;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i ? cnnf_tensor_dim(whole, i) : n;
    size_t size = cnnf_tensor_byte_size(whole) / (size_t)rows * (size_t)n;
    *tensor = NULL;
    cnnf_status status = cnnf_tensor_wrap(tensor, context, cnnf_tensor_dtype(whole), rank, dims,
                                          cnnf_tensor_data(whole), size, NULL, NULL, error);
    cnnf_tensor_unref(whole);
    return status;
}

static cnnf_status read_batch(cnnf_dataset *d, int64_t batch, cnnf_tensor **images, cnnf_tensor **labels,
                              cnnf_error *error)
{
    int64_t got = 0;
    CNNFI_TRY(make_room(d, batch, images, labels, error));
    float *pixels = cnnf_tensor_data_mut(*images);
    CNNFI_TRY(d->format->read(d, batch, pixels, cnnf_tensor_data_mut(*labels), &got, error));
    d->at += got;
    if (got == 0) {
        cnnf_tensor_unref(*images);
        cnnf_tensor_unref(*labels);
        *images = *labels = NULL;
        return CNNF_OK;
    }
    CNNFI_TRY(cnnfi_dataset_prepare(d, pixels, got, error));
    CNNFI_TRY(cut_rows(images, d->context, got, error));
    return cut_rows(labels, d->context, got, error);
}

/* No tensor is handed out with a failure. */
static cnnf_status or_none(cnnf_status status, cnnf_tensor **images, cnnf_tensor **labels)
{
    if (status == CNNF_OK) return CNNF_OK;
    cnnf_tensor_unref(*images);
    cnnf_tensor_unref(*labels);
    *images = *labels = NULL;
    return status;
}

cnnf_status cnnfi_dataset_read_rows(cnnf_tensor **images, cnnf_tensor **labels, const cnnf_dataset *d, cnnfi_rows rows,
                                    cnnf_error *error)
{
    *images = *labels = NULL;
    cnnf_status status = make_room(d, rows.count, images, labels, error);
    float *pixels = status == CNNF_OK ? cnnf_tensor_data_mut(*images) : NULL;
    if (pixels) status = d->format->read_at(d, rows.first, rows.count, pixels, cnnf_tensor_data_mut(*labels), error);
    if (status == CNNF_OK) status = cnnfi_dataset_prepare(d, pixels, rows.count, error);
    return or_none(status, images, labels);
}

/* At most those that are left where that is known; 0 at the end. */
static int64_t next_rows(const cnnf_dataset *d, int64_t batch)
{
    const int64_t end = d->end >= 0 ? d->end : d->count;
    const int64_t left = end - d->at;
    return end >= 0 && batch > left ? left : batch;
}

cnnf_status cnnfi_dataset_take(cnnf_tensor **images, cnnf_tensor **labels, cnnfi_rows *rows, cnnf_dataset *d,
                               int64_t batch, cnnf_error *error)
{
    *images = *labels = NULL;
    *rows = (cnnfi_rows){.first = d->at, .count = next_rows(d, batch)};
    if (rows->count == 0) return CNNF_OK;
    if (d->format->read_at) {
        d->at += rows->count;
        return CNNF_OK;
    }
    const cnnf_status status = or_none(read_batch(d, rows->count, images, labels, error), images, labels);
    rows->count = *images ? cnnf_tensor_dim(*images, 0) : 0;
    return status;
}

cnnf_status cnnf_dataset_next(cnnf_tensor **images, cnnf_tensor **labels, cnnf_dataset *dataset, int64_t batch,
                              cnnf_error *error)
{
    cnnf_error_clear(error);
    if (images) *images = NULL;
    if (labels) *labels = NULL;
    if (!dataset || !images || !labels || batch < 1)
        return cnnfi_fail(error, CNNF_E_INVALID, "data set: an argument is NULL, or the batch is empty");
    cnnfi_rows rows;
    CNNFI_TRY(cnnfi_dataset_take(images, labels, &rows, dataset, batch, error));
    if (rows.count == 0 || *images) return CNNF_OK;
    return cnnfi_dataset_read_rows(images, labels, dataset, rows, error);
}
