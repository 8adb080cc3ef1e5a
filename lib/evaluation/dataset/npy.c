/* SPDX-License-Identifier: Apache-2.0 */
/* NPY: a magic, a version, a Python dict in text, then the elements. As a data set, and as single tensors. */
#include <stdio.h>
#include <string.h>

#include <cnnfreeze/npy.h>

#include "base/checked.h"
#include "base/num.h"
#include "base/os.h"
#include "base/path.h"
#include "base/sink.h"
#include "evaluation/dataset/dataset.h"
#include "graph/tensor.h"

#define MAX_HEADER 65536

static const struct {
    const char *text; /* descr without the byte order */
    cnnf_dtype dtype;
    char kind;
    uint32_t size;
} types[] = {
    {"f4", CNNF_FLOAT, 'f', 4},     {"f8", CNNF_DOUBLE, 'f', 8},      {"f2", CNNF_HALF, 'f', 2},
    {"i1", CNNF_INT8, 'i', 1},      {"i2", CNNF_INT16, 'i', 2},       {"i4", CNNF_INT32, 'i', 4},
    {"i8", CNNF_INT64, 'i', 8},     {"u1", CNNF_UINT8, 'u', 1},       {"u2", CNNF_UINT16, 'u', 2},
    {"u4", CNNF_UINT32, 'u', 4},    {"u8", CNNF_UINT64, 'u', 8},      {"b1", CNNF_BOOL, 'b', 1},
    {"c8", CNNF_COMPLEX64, 'c', 4}, {"c16", CNNF_COMPLEX128, 'c', 8},
};

/* ---- the header ---- */

/* What follows 'key': in the dict, blanks skipped; NULL when it is not there. */
static const char *find_value(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof(quoted), "'%s':", key);
    const char *at = strstr(header, quoted);
    if (!at) return NULL;
    at += strlen(quoted);
    while (*at == ' ')
        at++;
    return at;
}

static bool parse_descr(cnnfi_array_file *file, const char *text)
{
    if (!text || (*text != '\'' && *text != '"') || !strchr("<>|=", text[1]) || !text[1]) return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t n = strlen(types[i].text);
        if (strncmp(text + 2, types[i].text, n) != 0 || text[2 + n] != *text) continue;
        file->element = (cnnfi_element){.kind = types[i].kind, .size = types[i].size, .big_endian = text[1] == '>'};
        file->dtype = types[i].dtype;
        return true;
    }
    return false;
}

/* "(2, 3)", "(5,)", "()" */
static bool parse_shape(cnnfi_array_file *file, const char *text)
{
    int64_t count;
    if (!text || *text++ != '(') return false;
    while (*text != ')') {
        const char *begin = text;
        while (*text >= '0' && *text <= '9')
            text++;
        if (file->rank == CNNFI_DATASET_MAX_RANK ||
            !cnnfi_parse_i64(begin, (size_t)(text - begin), &file->dims[file->rank]))
            return false;
        file->rank++;
        if (*text == 'L') text++; /* Python 2 */
        while (*text == ' ')
            text++;
        if (*text == ',')
            text++;
        else if (*text != ')')
            return false;
        while (*text == ' ')
            text++;
    }
    return cnnfi_shape_elements(&count, file->rank, file->dims);
}

static cnnf_status parse_header(cnnfi_array_file *file, const char *header, cnnf_error *error)
{
    const char *name = cnnfi_stream_name(file->stream), *descr = find_value(header, "descr");
    const char *order = find_value(header, "fortran_order");
    if (!descr || !order || (strncmp(order, "True", 4) != 0 && strncmp(order, "False", 5) != 0))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: NPY: header: 'descr' or 'fortran_order' is missing", name);
    if (!parse_descr(file, descr)) return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: NPY: dtype %.16s", name, descr);
    if (!parse_shape(file, find_value(header, "shape")))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: NPY: header: bad shape (at most %d axes are read)", name,
                          CNNFI_DATASET_MAX_RANK);
    file->fortran = *order == 'T' && file->rank > 1;
    return CNNF_OK;
}

static cnnf_status read_header(cnnfi_array_file *file, cnnf_context *context, cnnf_error *error)
{
    uint8_t head[12] = {0};
    const char *name = cnnfi_stream_name(file->stream);
    CNNFI_TRY(cnnfi_stream_read_all(file->stream, head, 10, error));
    if (memcmp(head, "\x93NUMPY", 6) != 0) return cnnfi_fail(error, CNNF_E_FORMAT, "%s: not an NPY file", name);
    if (head[6] < 1 || head[6] > 3)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: NPY: version %d.%d", name, head[6], head[7]);
    if (head[6] > 1) CNNFI_TRY(cnnfi_stream_read_all(file->stream, head + 10, 2, error));
    uint32_t size = (uint32_t)head[8] | (uint32_t)head[9] << 8 | (uint32_t)head[10] << 16 | (uint32_t)head[11] << 24;
    if (size > MAX_HEADER) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: NPY: a header of %u bytes", name, size);
    char *header = cnnfi_malloc(context, (size_t)size + 1);
    if (!header) return cnnfi_fail_nomem(error);
    cnnf_status status = cnnfi_stream_read_all(file->stream, header, size, error);
    header[status == CNNF_OK ? size : 0] = 0;
    if (status == CNNF_OK) status = parse_header(file, header, error);
    cnnfi_free(context, header);
    file->header_size = cnnfi_stream_offset(file->stream);
    return status;
}

cnnf_status cnnfi_npy_open(cnnfi_array_file *file, cnnf_context *context, cnnfi_stream *stream, cnnf_error *error)
{
    memset(file, 0, sizeof(*file));
    file->stream = stream;
    cnnf_status status = read_header(file, context, error);
    if (status == CNNF_OK) status = cnnfi_array_check_size(file, error);
    if (status != CNNF_OK) cnnfi_array_close(file);
    return status;
}

/* ---- single tensors ---- */

/* Fortran order to C order: axis i of the file walks with the stride of the reversed shape. */
static void reorder(const cnnfi_array_file *file, size_t size, const char *in, char *out, int64_t n)
{
    int64_t index[CNNFI_DATASET_MAX_RANK] = {0}, strides[CNNFI_DATASET_MAX_RANK], step = 1, from = 0;
    for (int32_t i = 0; i < file->rank; i++) {
        strides[i] = step;
        step *= file->dims[i];
    }
    for (int64_t k = 0; k < n; k++) {
        memcpy(out + (size_t)k * size, in + (size_t)from * size, size);
        for (int32_t i = file->rank - 1; i >= 0; i--) {
            from += strides[i];
            if (++index[i] < file->dims[i]) break;
            from -= index[i] * strides[i];
            index[i] = 0;
        }
    }
}

static cnnf_status fill_tensor(cnnfi_array_file *file, cnnf_tensor *tensor, cnnf_context *context, cnnf_error *error)
{
    size_t size = cnnf_tensor_byte_size(tensor), element = cnnf_dtype_size(file->dtype);
    int64_t n = cnnf_tensor_element_count(tensor);
    char *data = cnnf_tensor_data_mut(tensor), *copy = NULL, extra;
    size_t got = 0;
    if (size == 0) return CNNF_OK;
    if (file->fortran && !(copy = cnnfi_malloc(context, size))) return cnnfi_fail_nomem(error);
    cnnf_status status = cnnfi_stream_read_all(file->stream, copy ? copy : data, size, error);
    if (status == CNNF_OK && file->element.big_endian)
        cnnfi_elements_swap(copy ? copy : data, file->element.size, (int64_t)(size / file->element.size));
    if (status == CNNF_OK && copy) reorder(file, element, copy, data, n);
    cnnfi_free(context, copy);
    if (status == CNNF_OK) status = cnnfi_stream_read(file->stream, &extra, 1, &got, error);
    if (status == CNNF_OK && got > 0)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: NPY: bytes follow the last element",
                          cnnfi_stream_name(file->stream));
    return status;
}

static cnnf_status read_tensor(cnnf_tensor **out, cnnf_context *context, cnnfi_stream *stream, cnnf_error *error)
{
    cnnfi_array_file file;
    *out = NULL;
    CNNFI_TRY(cnnfi_npy_open(&file, context, stream, error));
    cnnf_status status = cnnf_tensor_new(out, context, file.dtype, file.rank, file.dims, error);
    if (status != CNNF_OK) cnnfi_error_prefix(error, status, "%s: NPY", cnnfi_stream_name(file.stream));
    if (status == CNNF_OK) status = fill_tensor(&file, *out, context, error);
    cnnfi_array_close(&file);
    if (status == CNNF_OK) return CNNF_OK;
    cnnf_tensor_unref(*out);
    *out = NULL;
    return status;
}

cnnf_status cnnf_npy_load(cnnf_tensor **out, cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnfi_source *source = NULL;
    cnnfi_stream *stream = NULL;
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "NPY: out is NULL");
    *out = NULL;
    if (!context || !path) return cnnfi_fail(error, CNNF_E_INVALID, "NPY: context or path is NULL");
    CNNFI_TRY(cnnfi_source_open(&source, context, path, error));
    cnnf_status status = cnnfi_stream_new(&stream, source, 0, cnnfi_source_size(source), CNNFI_CODING_DETECT, error);
    cnnfi_source_unref(source);
    return status == CNNF_OK ? read_tensor(out, context, stream, error) : status;
}

/* Version 1.0 as numpy writes it: the header padded with blanks so that the elements begin at a multiple of 64. */
static size_t format_header(char *out, const cnnf_tensor *tensor, const char *type)
{
    char dict[512];
    int n = snprintf(dict, sizeof(dict), "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                     type[1] == '1' && !type[2] ? '|' : '<', type);
    for (int32_t i = 0; i < cnnf_tensor_rank(tensor); i++)
        n += snprintf(dict + n, sizeof(dict) - (size_t)n, i ? ", %lld" : "%lld", (long long)cnnf_tensor_dim(tensor, i));
    n += snprintf(dict + n, sizeof(dict) - (size_t)n, cnnf_tensor_rank(tensor) == 1 ? ",), }" : "), }");
    size_t total = (10 + (size_t)n + 1 + 63) / 64 * 64;
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)((total - 10) & 0xff);
    out[9] = (char)((total - 10) >> 8);
    memset(out + 10, ' ', total - 10);
    memcpy(out + 10, dict, (size_t)n);
    out[total - 1] = '\n';
    return total;
}

static cnnf_status write_piece(const void *data, size_t size, void *user, cnnf_error *error)
{
    return cnnfi_sink_write(user, data, size, error);
}

cnnf_status cnnf_npy_save(const cnnf_tensor *tensor, const char *path, cnnf_error *error)
{
    cnnf_error_clear(error);
    char header[1024];
    const char *type = NULL;
    cnnfi_sink *sink = NULL;
    if (!tensor || !path) return cnnfi_fail(error, CNNF_E_INVALID, "NPY: tensor or path is NULL");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].dtype == cnnf_tensor_dtype(tensor)) type = types[i].text;
    if (!type || cnnf_tensor_rank(tensor) > CNNFI_DATASET_MAX_RANK)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: NPY: no dtype for %s", path,
                          cnnf_dtype_name(cnnf_tensor_dtype(tensor)));
    CNNFI_TRY(cnnfi_sink_file(&sink, cnnfi_tensor_context(tensor), path, false, error));
    cnnf_status status = cnnfi_sink_write(sink, header, format_header(header, tensor, type), error);
    if (status == CNNF_OK && cnnf_tensor_element_count(tensor) > 0)
        status = cnnfi_tensor_stream(tensor, write_piece, sink, error);
    if (status == CNNF_OK) status = cnnfi_sink_commit(sink, error);
    cnnfi_sink_free(sink);
    return status;
}

/* ---- data sets: x*.npy with y*.npy beside it ---- */

static char *sibling_name(cnnf_context *context, const char *path)
{
    char *name = cnnfi_strdup(context, path);
    if (!name) return NULL;
    char *base = name + cnnfi_path_folder(name);
    if (*base == 'x') {
        *base = 'y';
        return name;
    }
    char *x = strstr(base, "_x");
    if (!x) x = strstr(base, "-x");
    if (!x) x = strstr(base, ".x");
    if (x) {
        x[1] = 'y';
        return name;
    }
    cnnfi_free(context, name);
    return NULL;
}

static cnnf_status open_labels(cnnf_dataset *d, const char *path, cnnf_error *error)
{
    cnnfi_array_pair *pair = d->state;
    if (d->options.labels_file) return cnnfi_labels_open(&pair->labels, d->context, d->options.labels_file, error);
    char *name = sibling_name(d->context, path);
    cnnf_status status =
        name && cnnfi_os_exists(name)
            ? cnnfi_labels_open(&pair->labels, d->context, name, error)
            : cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: NPY: no labels beside it; name their file", path);
    cnnfi_free(d->context, name);
    return status;
}

static cnnf_status npy_open(cnnf_dataset *d, cnnfi_source *source, const char *path, cnnf_error *error)
{
    cnnfi_stream *stream = NULL;
    cnnfi_array_pair *pair = cnnfi_calloc(d->context, 1, sizeof(*pair));
    if (!pair) return cnnfi_fail_nomem(error);
    d->state = pair;
    d->default_scale = 1;
    CNNFI_TRY(cnnfi_stream_new(&stream, source, 0, cnnfi_source_size(source), CNNFI_CODING_DETECT, error));
    CNNFI_TRY(cnnfi_npy_open(&pair->images, d->context, stream, error));
    CNNFI_TRY(open_labels(d, path, error));
    return cnnfi_array_pair_check(d, path, error);
}

const cnnfi_format cnnfi_format_npy = {
    "NPY", npy_open, cnnfi_array_pair_read, cnnfi_array_pair_rewind, cnnfi_array_pair_free, cnnfi_array_pair_skip};
