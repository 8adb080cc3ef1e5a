/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of numbers in a file: what IDX and NPY are behind their headers, and a data set made of two of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/num.h"
#include "evaluation/dataset/dataset.h"

#define PIECE_ELEMENTS 8192

void cnnfi_elements_swap(void *data, uint32_t size, int64_t n)
{
    uint8_t *p = data;
    for (int64_t i = 0; i < n; i++, p += size)
        for (uint32_t b = 0; b < size / 2; b++) {
            uint8_t t = p[b];
            p[b] = p[size - 1 - b];
            p[size - 1 - b] = t;
        }
}

/* One element, little-endian bytes, as a double or an int64. */
static double element_f64(cnnfi_element e, const uint8_t *p)
{
    uint64_t bits = 0;
    float f;
    double d;
    memcpy(&bits, p, e.size);
    if (e.kind == 'f') {
        if (e.size == 2) return (double)cnnfi_half_to_float((uint16_t)bits);
        if (e.size == 8) {
            memcpy(&d, p, sizeof(d));
            return d;
        }
        memcpy(&f, p, sizeof(f));
        return (double)f;
    }
    if (e.kind == 'b') return bits != 0;
    if (e.kind == 'u') return (double)bits;
    unsigned unused = 64 - 8 * e.size;
    return (double)((int64_t)(bits << unused) >> unused);
}

static int64_t element_i64(cnnfi_element e, const uint8_t *p)
{
    uint64_t bits = 0;
    unsigned unused = 64 - 8 * e.size;
    if (e.kind == 'f') {
        double x = element_f64(e, p);
        return x == floor(x) && fabs(x) < 9e15 ? (int64_t)x : -1;
    }
    memcpy(&bits, p, e.size);
    return e.kind == 'i' ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
}

void cnnfi_elements_to_float(cnnfi_element e, const uint8_t *in, int64_t n, float *out)
{
    if (e.kind == 'f' && e.size == 4) {
        memcpy(out, in, (size_t)n * 4);
    } else if (e.kind == 'u' && e.size == 1) {
        for (int64_t i = 0; i < n; i++)
            out[i] = in[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)element_f64(e, in + (size_t)i * e.size);
    }
}

void cnnfi_elements_to_i64(cnnfi_element e, const uint8_t *in, int64_t n, int64_t *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = element_i64(e, in + (size_t)i * e.size);
}

/* ---- array files ---- */

/* The next n elements, in pieces, each handed to the converter. */
static cnnf_status read_elements(cnnfi_array_file *file, cnnf_context *context, int64_t n, float *floats, int64_t *ints,
                                 cnnf_error *error)
{
    uint8_t *piece = cnnfi_malloc(context, (size_t)PIECE_ELEMENTS * file->element.size);
    cnnf_status status = piece ? CNNF_OK : cnnfi_fail_nomem(error);
    for (int64_t i = 0; i < n && status == CNNF_OK; i += PIECE_ELEMENTS) {
        int64_t m = n - i < PIECE_ELEMENTS ? n - i : PIECE_ELEMENTS;
        status = cnnfi_stream_read_all(file->stream, piece, (size_t)m * file->element.size, error);
        if (status != CNNF_OK) break;
        if (file->element.big_endian) cnnfi_elements_swap(piece, file->element.size, m);
        if (floats)
            cnnfi_elements_to_float(file->element, piece, m, floats + i);
        else
            cnnfi_elements_to_i64(file->element, piece, m, ints + i);
    }
    cnnfi_free(context, piece);
    return status;
}

cnnf_status cnnfi_array_read_floats(cnnfi_array_file *file, cnnf_context *context, int64_t rows, int64_t width,
                                    float *out, cnnf_error *error)
{
    file->row += rows;
    return read_elements(file, context, rows * width, out, NULL, error);
}

/* The place of the largest of each row; -1 when none is above 0. */
static cnnf_status read_one_hot(cnnfi_array_file *file, cnnf_context *context, int64_t rows, int64_t classes,
                                int64_t *out, cnnf_error *error)
{
    float *row = cnnfi_array(context, (size_t)classes, sizeof(*row));
    cnnf_status status = row ? CNNF_OK : cnnfi_fail_nomem(error);
    for (int64_t i = 0; i < rows && status == CNNF_OK; i++) {
        float best = 0;
        status = read_elements(file, context, classes, row, NULL, error);
        out[i] = -1;
        for (int64_t c = 0; c < classes && status == CNNF_OK; c++) {
            if (!(row[c] > best)) continue;
            best = row[c];
            out[i] = c;
        }
    }
    cnnfi_free(context, row);
    return status;
}

static int64_t row_width(const cnnfi_array_file *file)
{
    int64_t width = 1;
    for (int32_t i = 1; i < file->rank; i++)
        width *= file->dims[i];
    return width;
}

cnnf_status cnnfi_array_read_labels(cnnfi_array_file *file, cnnf_context *context, int64_t rows, int64_t *out,
                                    cnnf_error *error)
{
    int64_t width = row_width(file);
    file->row += rows;
    if (width > 1) return read_one_hot(file, context, rows, width, out, error);
    return read_elements(file, context, rows, NULL, out, error);
}

cnnf_status cnnfi_array_check_size(const cnnfi_array_file *file, cnnf_error *error)
{
    int64_t count = 0;
    size_t bytes = 0;
    const bool possible = cnnfi_shape_elements(&count, file->rank, file->dims) && count >= 0 &&
                          cnnfi_mul_size(&bytes, (size_t)count, file->element.size) &&
                          cnnfi_stream_can_hold(file->stream, bytes);
    if (possible) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: offset %llu: the file ends early: it cannot hold %lld elements",
                      cnnfi_stream_name(file->stream), (unsigned long long)file->header_size, (long long)count);
}

cnnf_status cnnfi_array_rewind(cnnfi_array_file *file, cnnf_error *error)
{
    file->row = 0;
    if (!file->stream) return CNNF_OK;
    CNNFI_TRY(cnnfi_stream_rewind(file->stream, error));
    return cnnfi_stream_skip(file->stream, file->header_size, error);
}

void cnnfi_array_close(cnnfi_array_file *file)
{
    cnnfi_stream_free(file->stream);
    file->stream = NULL;
}

cnnf_status cnnfi_labels_open(cnnfi_array_file *file, cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnfi_source *source = NULL;
    cnnfi_stream *stream = NULL;
    uint8_t head[6] = {0};
    size_t got = 0;
    CNNFI_TRY(cnnfi_source_open(&source, context, path, error));
    cnnf_status status = cnnfi_stream_new(&stream, source, 0, cnnfi_source_size(source), CNNFI_CODING_DETECT, error);
    cnnfi_source_unref(source);
    if (status == CNNF_OK) status = cnnfi_stream_read(stream, head, sizeof(head), &got, error);
    if (status == CNNF_OK) status = cnnfi_stream_rewind(stream, error);
    if (status != CNNF_OK) {
        cnnfi_stream_free(stream);
        return status;
    }
    if (memcmp(head, "\x93NUMPY", 6) == 0) return cnnfi_npy_open(file, context, stream, error);
    return cnnfi_idx_open(file, context, stream, error);
}

/* ---- pairs ---- */

cnnf_status cnnfi_array_pair_check(cnnf_dataset *d, const char *path, cnnf_error *error)
{
    cnnfi_array_pair *pair = d->state;
    const cnnfi_array_file *x = &pair->images, *y = &pair->labels;
    if (x->rank < 2 || y->rank < 1 || y->rank > 2 || x->dims[0] != y->dims[0])
        return cnnfi_fail(error, CNNF_E_MISMATCH, "%s: %s: %lld examples of rank %d, %lld labels of rank %d", path,
                          d->format->name, (long long)(x->rank ? x->dims[0] : 0), x->rank,
                          (long long)(y->rank ? y->dims[0] : 0), y->rank);
    if (x->element.kind == 'c' || y->element.kind == 'c')
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: %s: complex numbers", path, d->format->name);
    if (x->fortran || y->fortran)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: %s: the array is in Fortran order; save a C-ordered copy",
                          path, d->format->name);
    if (x->dims[0] == 0) return cnnfi_fail(error, CNNF_E_FORMAT, "%s: %s: no examples", path, d->format->name);
    d->count = x->dims[0];
    return cnnfi_dataset_set_shape(d, path, x->rank - 1, x->dims + 1, error);
}

cnnf_status cnnfi_array_pair_read(cnnf_dataset *d, int64_t want, float *pixels, int64_t *labels, int64_t *got,
                                  cnnf_error *error)
{
    cnnfi_array_pair *pair = d->state;
    int64_t left = d->count - pair->images.row, first = pair->images.row;
    *got = want < left ? want : left;
    if (*got == 0) return CNNF_OK;
    CNNFI_TRY(cnnfi_array_read_floats(&pair->images, d->context, *got, d->width, pixels, error));
    CNNFI_TRY(cnnfi_array_read_labels(&pair->labels, d->context, *got, labels, error));
    for (int64_t i = 0; i < *got; i++) {
        char place[512];
        const bool good = cnnfi_dataset_map_label(d, &labels[i]);
        if (good && cnnfi_dataset_has_class(d, labels[i])) continue;
        snprintf(place, sizeof place, "%.480s: row %lld", cnnfi_stream_name(pair->labels.stream),
                 (long long)(first + i));
        if (good) return cnnfi_dataset_fail_class(d, labels[i], place, error);
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: not a label", place);
    }
    return CNNF_OK;
}

/* Sizes were checked against the file when it was opened. */
static cnnf_status skip_rows(cnnfi_array_file *file, int64_t n, cnnf_error *error)
{
    file->row += n;
    return cnnfi_stream_skip(file->stream, (uint64_t)(n * row_width(file)) * file->element.size, error);
}

cnnf_status cnnfi_array_pair_skip(cnnf_dataset *d, int64_t n, cnnf_error *error)
{
    cnnfi_array_pair *pair = d->state;
    CNNFI_TRY(skip_rows(&pair->images, n, error));
    return skip_rows(&pair->labels, n, error);
}

cnnf_status cnnfi_array_pair_rewind(cnnf_dataset *d, cnnf_error *error)
{
    cnnfi_array_pair *pair = d->state;
    CNNFI_TRY(cnnfi_array_rewind(&pair->images, error));
    return cnnfi_array_rewind(&pair->labels, error);
}

void cnnfi_array_pair_free(cnnf_dataset *d)
{
    cnnfi_array_pair *pair = d->state;
    if (!pair) return;
    cnnfi_array_close(&pair->images);
    cnnfi_array_close(&pair->labels);
    cnnfi_free(d->context, pair);
}
