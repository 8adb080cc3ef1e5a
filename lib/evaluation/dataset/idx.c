/* SPDX-License-Identifier: Apache-2.0 */
/* IDX, the format of the MNIST files: two zero bytes, a type, a rank, big-endian sizes, big-endian elements. */
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/path.h"
#include "evaluation/dataset/dataset.h"

static const struct {
    uint8_t code;
    cnnfi_element element;
} types[] = {
    {0x08, {'u', 1, false}}, {0x09, {'i', 1, false}}, {0x0b, {'i', 2, true}},
    {0x0c, {'i', 4, true}},  {0x0d, {'f', 4, true}},  {0x0e, {'f', 8, true}},
};

static cnnf_status read_header(cnnfi_array_file *file, cnnf_context *context, cnnf_error *error)
{
    const char *name = cnnfi_stream_name(file->stream);
    uint8_t head[4], size[4];
    int64_t count;
    CNNFI_TRY(cnnfi_stream_read_all(file->stream, head, sizeof(head), error));
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].code == head[2]) file->element = types[i].element;
    if (head[0] != 0 || head[1] != 0 || file->element.size == 0)
        return cnnfi_fail(error, CNNF_E_FORMAT, "%s: not an IDX file", name);
    if (head[3] < 1 || head[3] > CNNFI_DATASET_MAX_RANK)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: IDX: rank %d", name, head[3]);
    file->rank = head[3];
    for (int32_t i = 0; i < file->rank; i++) {
        CNNFI_TRY(cnnfi_stream_read_all(file->stream, size, sizeof(size), error));
        file->dims[i] =
            (int64_t)(((uint32_t)size[0] << 24) | ((uint32_t)size[1] << 16) | ((uint32_t)size[2] << 8) | size[3]);
    }
    file->header_size = 4 + 4 * (uint64_t)file->rank;
    if (!cnnfi_shape_elements(&count, file->rank, file->dims))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: IDX: impossible sizes", name);
    return CNNF_OK;
}

cnnf_status cnnfi_idx_open(cnnfi_array_file *file, cnnf_context *context, cnnfi_stream *stream, cnnf_error *error)
{
    memset(file, 0, sizeof(*file));
    file->stream = stream;
    cnnf_status status = read_header(file, context, error);
    if (status == CNNF_OK) status = cnnfi_array_check_size(file, error);
    if (status != CNNF_OK) cnnfi_array_close(file);
    return status;
}

/* The last `from` in the file's own name becomes `to`; NULL when it is not there or memory is out. */
static char *replace_in_name(cnnf_context *context, const char *path, const char *from, const char *to)
{
    const char *found = NULL;
    for (const char *p = strstr(cnnfi_path_name(path), from); p; p = strstr(p + 1, from))
        found = p;
    if (!found) return NULL;
    size_t head = (size_t)(found - path), tail = strlen(found + strlen(from));
    char *name = cnnfi_malloc(context, head + strlen(to) + tail + 1);
    if (!name) return NULL;
    memcpy(name, path, head);
    memcpy(name + head, to, strlen(to));
    memcpy(name + head + strlen(to), found + strlen(from), tail + 1);
    return name;
}

/* t10k-images-idx3-ubyte(.gz) has its labels in t10k-labels-idx1-ubyte(.gz). */
static char *sibling_name(cnnf_context *context, const char *path)
{
    char *labels = replace_in_name(context, path, "images", "labels");
    char *name = labels ? replace_in_name(context, labels, "idx3", "idx1") : NULL;
    if (!name) return labels;
    cnnfi_free(context, labels);
    return name;
}

static cnnf_status open_labels(cnnf_dataset *d, const char *path, cnnf_error *error)
{
    cnnfi_array_pair *pair = d->state;
    if (d->options.labels_file) return cnnfi_labels_open(&pair->labels, d->context, d->options.labels_file, error);
    char *name = sibling_name(d->context, path);
    if (!name || !cnnfi_os_exists(name)) {
        cnnfi_free(d->context, name);
        return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: IDX: no labels beside it; name their file", path);
    }
    cnnf_status status = cnnfi_labels_open(&pair->labels, d->context, name, error);
    cnnfi_free(d->context, name);
    return status;
}

/* Images of one channel come without a channel axis; Keras wants one. */
static void add_channel(cnnfi_array_file *file)
{
    if (file->rank == 3) file->dims[file->rank++] = 1;
}

static cnnf_status idx_open(cnnf_dataset *d, cnnfi_source *source, const char *path, cnnf_error *error)
{
    cnnfi_stream *stream = NULL;
    cnnfi_array_pair *pair = cnnfi_calloc(d->context, 1, sizeof(*pair));
    if (!pair) return cnnfi_fail_nomem(error);
    d->state = pair;
    d->default_scale = 255;
    CNNFI_TRY(cnnfi_stream_new(&stream, source, 0, cnnfi_source_size(source), CNNFI_CODING_DETECT, error));
    CNNFI_TRY(cnnfi_idx_open(&pair->images, d->context, stream, error));
    CNNFI_TRY(open_labels(d, path, error));
    add_channel(&pair->images);
    return cnnfi_array_pair_check(d, path, error);
}

const cnnfi_format cnnfi_format_idx = {
    "IDX", idx_open, cnnfi_array_pair_read, cnnfi_array_pair_rewind, cnnfi_array_pair_free, cnnfi_array_pair_skip};
