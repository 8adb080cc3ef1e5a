/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets whatever their format: options, telling formats apart, raw rows to tensors. */
#include "evaluation/dataset/dataset.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/num.h"
#include "base/os.h"

/* ---- options ---- */

cnnf_status cnnf_dataset_options_new(cnnf_dataset_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "data set: out is NULL");
    *out = NULL;
    if (!context) return cnnfi_fail(error, CNNF_E_INVALID, "data set: context is NULL");
    cnnf_dataset_options *options = cnnfi_calloc(context, 1, sizeof(*options));
    if (!options) return cnnfi_fail_nomem(error);
    options->context = cnnf_context_ref(context);
    options->rank = -1;
    options->std = 1;
    *out = options;
    return CNNF_OK;
}

static void clear_strings(struct cnnf_dataset_options *options, cnnf_context *context)
{
    cnnfi_free(context, options->labels_file);
    cnnfi_free(context, options->label_map);
}

void cnnf_dataset_options_free(cnnf_dataset_options *options)
{
    if (!options) return;
    cnnf_context *context = options->context;
    clear_strings(options, context);
    cnnfi_free(context, options);
    cnnf_context_unref(context);
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
    if (!options) return cnnfi_fail_null(error, __func__);
    if (!isfinite(mean) || !isfinite(std) || !(fabs(std) > 0))
        return cnnfi_fail(error, CNNF_E_INVALID, "data set: mean and std must be finite, std not 0");
    options->mean = mean;
    options->std = std;
    return CNNF_OK;
}

static cnnf_status set_string(cnnf_context *context, char **to, const char *value, cnnf_error *error)
{
    char *copy = value ? cnnfi_strdup(context, value) : NULL;
    if (value && !copy) return cnnfi_fail_nomem(error);
    cnnfi_free(context, *to);
    *to = copy;
    return CNNF_OK;
}

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

cnnf_status cnnf_dataset_options_set_channels_first(cnnf_dataset_options *options, int32_t channels_first,
                                                    cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->channels_first = channels_first != 0;
    return CNNF_OK;
}

/* ---- label maps ---- */

/* "NAME CLASS", separated by a comma, '=', a tab or a blank; or NAME alone: the line's number, from 0. */
static bool parse_map_line(cnnfi_label_map *map, char *line, int64_t number)
{
    char *end = line + strlen(line);
    while (end > line && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
        *--end = 0;
    char *cut = end;
    while (cut > line && !strchr(",=\t ", cut[-1]))
        cut--;
    int64_t class = number;
    if (cut > line && cnnfi_parse_i64(cut, (size_t)(end - cut), &class) && class >= 0) {
        while (cut > line && strchr(",=\t ", cut[-1]))
            cut--;
        *cut = 0;
    } else {
        class = number;
    }
    return cnnfi_strmap_set(&map->names, line, class);
}

static cnnf_status load_map(cnnfi_label_map *map, cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnfi_source *source = NULL;
    size_t size = 0;
    uint8_t *bytes = NULL;
    CNNFI_TRY(cnnfi_source_open(&source, context, path, error));
    cnnf_status status = cnnfi_check_limit(context, CNNF_LIMIT_ATTR_BYTES, cnnfi_source_size(source), path, error);
    if (status == CNNF_OK) status = cnnfi_source_read_all(source, &bytes, &size, error);
    if (status == CNNF_OK && !(map->text = cnnfi_strndup(context, (const char *)bytes, size)))
        status = cnnfi_fail_nomem(error);
    cnnfi_free(context, bytes);
    cnnfi_source_unref(source);
    CNNFI_TRY(status);
    int64_t number = 0;
    for (char *line = map->text; line && *line; number++) {
        char *next = strchr(line, '\n');
        if (next) *next++ = 0;
        if (*line && !parse_map_line(map, line, number)) return cnnfi_fail_nomem(error);
        line = next;
    }
    map->present = true;
    return CNNF_OK;
}

int64_t cnnfi_label_find(const cnnfi_label_map *map, const char *name, size_t length)
{
    return map->present ? cnnfi_strmap_get_n(&map->names, name, length) : -1;
}

/* A map of names leaves numbers alone; one that lists numbers must know each. */
bool cnnfi_dataset_map_label(const cnnf_dataset *d, int64_t *label)
{
    char text[32];
    if (*label < 0) return false;
    if (!d->labels.present) return true;
    size_t n = cnnfi_format_double(text, (double)*label);
    if (n > 2 && text[n - 1] == '0' && text[n - 2] == '.') n -= 2;
    int64_t class = cnnfi_label_find(&d->labels, text, n);
    if (class >= 0) *label = class;
    return true;
}

/* ---- opening ---- */

static const cnnfi_format *detect(const uint8_t *head, size_t size)
{
    static const struct {
        const char *magic;
        size_t length;
        const cnnfi_format *format;
    } known[] = {
        {"\x93NUMPY", 6, &cnnfi_format_npy}, {"PK\x03\x04", 4, &cnnfi_format_npz}, {"\0\0\x08", 3, &cnnfi_format_idx},
        {"\0\0\x09", 3, &cnnfi_format_idx},  {"\0\0\x0b", 3, &cnnfi_format_idx},   {"\0\0\x0c", 3, &cnnfi_format_idx},
        {"\0\0\x0d", 3, &cnnfi_format_idx},  {"\0\0\x0e", 3, &cnnfi_format_idx},
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
                   {"\x89PNG", "a PNG image; give the folder"},
                   {"\xff\xd8\xff", "a JPEG image; give the folder"}};
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

static cnnf_status copy_options(cnnf_dataset *d, const cnnf_dataset_options *options, cnnf_error *error)
{
    if (!options) {
        d->options.rank = -1;
        d->options.std = 1;
        return CNNF_OK;
    }
    d->options = *options;
    d->options.context = NULL;
    d->options.labels_file = d->options.label_map = NULL;
    CNNFI_TRY(set_string(d->context, &d->options.labels_file, options->labels_file, error));
    CNNFI_TRY(set_string(d->context, &d->options.label_map, options->label_map, error));
    return options->label_map ? load_map(&d->labels, d->context, options->label_map, error) : CNNF_OK;
}

cnnf_status cnnf_dataset_open(cnnf_dataset **out, cnnf_context *context, const char *path,
                              const cnnf_dataset_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "data set: out is NULL");
    *out = NULL;
    if (!context || !path) return cnnfi_fail(error, CNNF_E_INVALID, "data set: context or path is NULL");
    cnnf_dataset *d = cnnfi_calloc(context, 1, sizeof(*d));
    if (!d) return cnnfi_fail_nomem(error);
    d->context = cnnf_context_ref(context);
    d->count = -1;
    cnnfi_strmap_init(&d->labels.names, context);
    cnnf_status status = copy_options(d, options, error);
    if (status == CNNF_OK && cnnfi_os_is_folder(path)) {
        d->format = &cnnfi_format_images;
        status = d->format->open(d, NULL, path, error);
    } else if (status == CNNF_OK) {
        status = open_file(d, path, error);
    }
    if (status != CNNF_OK) {
        cnnf_dataset_free(d);
        return status;
    }
    *out = d;
    return CNNF_OK;
}

void cnnf_dataset_free(cnnf_dataset *dataset)
{
    if (!dataset) return;
    cnnf_context *context = dataset->context;
    if (dataset->format) dataset->format->free(dataset);
    clear_strings(&dataset->options, context);
    cnnfi_strmap_free(&dataset->labels.names);
    cnnfi_free(context, dataset->labels.text);
    cnnfi_free(context, dataset);
    cnnf_context_unref(context);
}

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
    if (d->options.rank < 0) return CNNF_OK;
    cnnfi_shape_elements(&wanted, d->options.rank, d->options.dims);
    if (wanted != width)
        return cnnfi_fail(error, CNNF_E_MISMATCH, "%s: %s: %lld values per example, the shape %s needs %lld", path,
                          d->format->name, (long long)width,
                          cnnfi_shape_print(text, sizeof(text), d->options.rank, d->options.dims), (long long)wanted);
    shape_from_options(d);
    return CNNF_OK;
}

int64_t cnnf_dataset_count(const cnnf_dataset *dataset)
{
    return dataset ? dataset->count : -1;
}

cnnf_status cnnf_dataset_rewind(cnnf_dataset *dataset, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!dataset) return cnnfi_fail(error, CNNF_E_INVALID, "data set is NULL");
    return dataset->format->rewind(dataset, error);
}

/* ---- batches ---- */

static void scale_pixels(const cnnf_dataset *d, float *pixels, int64_t n)
{
    float scale = (float)(d->options.scale != 0 ? d->options.scale : d->default_scale);
    float mean = (float)d->options.mean, std = (float)d->options.std;
    if (scale != 1)
        for (int64_t i = 0; i < n; i++)
            pixels[i] /= scale;
    if (mean != 0 || std != 1)
        for (int64_t i = 0; i < n; i++)
            pixels[i] = (pixels[i] - mean) / std;
}

/* One example from (..., C) to (C, ...). */
static void channels_to_front(const float *in, int64_t pixels, int64_t channels, float *out)
{
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < channels; c++)
            out[c * pixels + p] = in[p * channels + c];
}

static bool must_turn(const cnnf_dataset *d)
{
    return d->options.channels_first && d->rank > 1 && d->dims[d->rank - 1] > 1 && d->dims[d->rank - 1] < d->width;
}

static cnnf_status turn_channels(const cnnf_dataset *d, float *pixels, int64_t n, cnnf_error *error)
{
    if (!must_turn(d)) return CNNF_OK;
    float *copy = cnnfi_array(d->context, (size_t)d->width, sizeof(*copy));
    if (!copy) return cnnfi_fail_nomem(error);
    int64_t channels = d->dims[d->rank - 1];
    for (int64_t i = 0; i < n; i++) {
        memcpy(copy, pixels + i * d->width, (size_t)d->width * sizeof(*copy));
        channels_to_front(copy, d->width / channels, channels, pixels + i * d->width);
    }
    cnnfi_free(d->context, copy);
    return CNNF_OK;
}

static int32_t batch_dims(const cnnf_dataset *d, int64_t n, int64_t *dims)
{
    bool first = d->options.channels_first && d->rank > 1;
    dims[0] = n;
    for (int32_t i = 0; i < d->rank; i++)
        dims[1 + i] = first ? d->dims[(i + d->rank - 1) % d->rank] : d->dims[i];
    return d->rank + 1;
}

/* The first n rows of a tensor: itself when it has no more. Takes *tensor. */
static cnnf_status cut_rows(cnnf_tensor **tensor, cnnf_context *context, int64_t n, int32_t rank, int64_t *dims,
                            cnnf_error *error)
{
    cnnf_tensor *whole = *tensor;
    if (cnnf_tensor_dim(whole, 0) == n) return CNNF_OK;
    dims[0] = n;
    int64_t rows = cnnf_tensor_dim(whole, 0);
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
    int64_t dims[CNNFI_DATASET_MAX_RANK + 1], got = 0;
    int32_t rank = batch_dims(d, batch, dims);
    CNNFI_TRY(cnnf_tensor_new(images, d->context, CNNF_FLOAT, rank, dims, error));
    CNNFI_TRY(cnnf_tensor_new(labels, d->context, CNNF_INT64, 1, &batch, error));
    float *pixels = cnnf_tensor_data_mut(*images);
    CNNFI_TRY(d->format->read(d, batch, pixels, cnnf_tensor_data_mut(*labels), &got, error));
    if (got == 0) {
        cnnf_tensor_unref(*images);
        cnnf_tensor_unref(*labels);
        *images = *labels = NULL;
        return CNNF_OK;
    }
    scale_pixels(d, pixels, got * d->width);
    CNNFI_TRY(turn_channels(d, pixels, got, error));
    CNNFI_TRY(cut_rows(images, d->context, got, rank, dims, error));
    return cut_rows(labels, d->context, got, 1, &batch, error);
}

cnnf_status cnnf_dataset_next(cnnf_tensor **images, cnnf_tensor **labels, cnnf_dataset *dataset, int64_t batch,
                              cnnf_error *error)
{
    cnnf_error_clear(error);
    if (images) *images = NULL;
    if (labels) *labels = NULL;
    if (!dataset || !images || !labels || batch < 1)
        return cnnfi_fail(error, CNNF_E_INVALID, "data set: an argument is NULL, or the batch is empty");
    if (dataset->count >= 0 && batch > dataset->count) batch = dataset->count > 0 ? dataset->count : 1;
    cnnf_status status = read_batch(dataset, batch, images, labels, error);
    if (status == CNNF_OK) return CNNF_OK;
    cnnf_tensor_unref(*images);
    cnnf_tensor_unref(*labels);
    *images = *labels = NULL;
    return status;
}
