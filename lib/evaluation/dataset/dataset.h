/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the formats share. A format opens its file, says what it knows of the examples, and then hands out raw rows:
 * `width` numbers and a label each. Scaling, normalising, the channel order and tensors are dataset.c's.
 */
#ifndef CNNFI_EVALUATION_DATASET_DATASET_H
#define CNNFI_EVALUATION_DATASET_DATASET_H

#include <stdbool.h>

#include <cnnfreeze/dataset.h>

#include "base/context.h"
#include "base/error.h"
#include "base/source.h"
#include "base/strmap.h"
#include "evaluation/report/thumbnail.h"
#include "graph/shape.h"

#define CNNFI_DATASET_MAX_RANK 8

struct cnnf_dataset_options {
    cnnf_context *context;
    int32_t rank; /* -1: the file says */
    int64_t dims[CNNFI_DATASET_MAX_RANK];
    double scale; /* 0: the format's default */
    double mean, std;
    char *labels_file, *label_map;
    int64_t one_hot; /* CSV: the first so many columns are the label; 0: one column */
    bool channels_first;
};

/* Label names to classes: the lines of a label map. */
typedef struct cnnfi_label_map {
    cnnf_context *context;
    char *text;
    cnnfi_strmap names;
    bool present;
} cnnfi_label_map;

typedef struct cnnfi_format cnnfi_format;

struct cnnf_dataset {
    cnnf_context *context;
    struct cnnf_dataset_options options; /* strings owned */
    const cnnfi_format *format;
    void *state; /* the format's */
    cnnfi_label_map labels;
    int64_t count; /* examples, -1 unknown */
    int64_t width; /* numbers per example; 0: not known before the first row */
    int32_t rank;
    int64_t dims[CNNFI_DATASET_MAX_RANK]; /* of one example as it lies in the file (channels last) */
    double default_scale;
};

struct cnnfi_format {
    const char *name;
    /* Fills state, count, width, default_scale and, where the file says, rank and dims. */
    cnnf_status (*open)(cnnf_dataset *d, cnnfi_source *source, const char *path, cnnf_error *error);
    /* Up to `want` rows: pixels [want][width], labels [want]. *got 0 = the end. */
    cnnf_status (*read)(cnnf_dataset *d, int64_t want, float *pixels, int64_t *labels, int64_t *got, cnnf_error *error);
    cnnf_status (*rewind)(cnnf_dataset *d, cnnf_error *error);
    void (*free)(cnnf_dataset *d);
};

extern const cnnfi_format cnnfi_format_csv, cnnfi_format_idx, cnnfi_format_npy, cnnfi_format_npz, cnnfi_format_images;

/* Sets rank, dims and width of an example; a shape in the options must have as many elements. */
cnnf_status cnnfi_dataset_set_shape(cnnf_dataset *d, const char *path, int32_t rank, const int64_t *dims,
                                    cnnf_error *error);
/* A label as the file has it to a class: through the label map when there is one. false = the map does not know it. */
bool cnnfi_dataset_map_label(const cnnf_dataset *d, int64_t *label);
/* The class of a name, or -1. */
int64_t cnnfi_label_find(const cnnfi_label_map *map, const char *name, size_t length);

/* What was done to the values of the file. */
cnnfi_pixels cnnfi_dataset_pixels(const cnnf_dataset *d);

/* ---- bytes in order, from a plain or .gz file, or a part of one ---- */

typedef struct cnnfi_stream cnnfi_stream;
typedef enum cnnfi_coding {
    CNNFI_CODING_DETECT,
    CNNFI_CODING_PLAIN,
    CNNFI_CODING_GZIP,
    CNNFI_CODING_DEFLATE
} cnnfi_coding;

/* Bytes [offset, offset + size) of the source. DETECT: gzip by its magic. */
cnnf_status cnnfi_stream_new(cnnfi_stream **out, cnnfi_source *source, uint64_t offset, uint64_t size,
                             cnnfi_coding coding, cnnf_error *error);
void cnnfi_stream_free(cnnfi_stream *stream); /* NULL is allowed */
/* Reads up to `size` bytes; *got is less at the end only. */
cnnf_status cnnfi_stream_read(cnnfi_stream *stream, void *data, size_t size, size_t *got, cnnf_error *error);
/* The same, and fewer bytes are CNNF_E_CORRUPT. */
cnnf_status cnnfi_stream_read_all(cnnfi_stream *stream, void *data, size_t size, cnnf_error *error);
/* Whether that many bytes can come out of it at all: asked before room is made for them. */
bool cnnfi_stream_can_hold(const cnnfi_stream *stream, uint64_t size);
cnnf_status cnnfi_stream_rewind(cnnfi_stream *stream, cnnf_error *error);
uint64_t cnnfi_stream_offset(const cnnfi_stream *stream); /* decoded bytes given out */
const char *cnnfi_stream_name(const cnnfi_stream *stream);

/* ---- elements in a file to floats ---- */

typedef struct cnnfi_element {
    char kind;     /* 'f' float, 'i' signed, 'u' unsigned, 'b' bool, 'c' complex (then size is that of a part) */
    uint32_t size; /* bytes */
    bool big_endian;
} cnnfi_element;

void cnnfi_elements_to_float(cnnfi_element e, const uint8_t *in, int64_t n, float *out);
void cnnfi_elements_to_i64(cnnfi_element e, const uint8_t *in, int64_t n, int64_t *out);
/* Turns big-endian elements of `size` bytes in place. */
void cnnfi_elements_swap(void *data, uint32_t size, int64_t n);

/* A stream of n rows of `width` elements: what IDX and NPY files are behind their headers. */
typedef struct cnnfi_array_file {
    cnnfi_stream *stream;
    cnnfi_element element;
    int32_t rank;
    int64_t dims[CNNFI_DATASET_MAX_RANK];
    uint64_t header_size;
    int64_t row; /* next row */
    bool fortran;
    cnnf_dtype dtype;
} cnnfi_array_file;

cnnf_status cnnfi_array_read_floats(cnnfi_array_file *file, cnnf_context *context, int64_t rows, int64_t width,
                                    float *out, cnnf_error *error);
/* Labels: integers, or one-hot rows. */
cnnf_status cnnfi_array_read_labels(cnnfi_array_file *file, cnnf_context *context, int64_t rows, int64_t *out,
                                    cnnf_error *error);
/* Whether the elements that the header declares can be in the file; CNNF_E_CORRUPT. */
cnnf_status cnnfi_array_check_size(const cnnfi_array_file *file, cnnf_error *error);
cnnf_status cnnfi_array_rewind(cnnfi_array_file *file, cnnf_error *error);
void cnnfi_array_close(cnnfi_array_file *file);
/* Reads the header of an NPY stream (takes the stream, also on failure) or of an IDX file. */
cnnf_status cnnfi_npy_open(cnnfi_array_file *file, cnnf_context *context, cnnfi_stream *stream, cnnf_error *error);
cnnf_status cnnfi_idx_open(cnnfi_array_file *file, cnnf_context *context, cnnfi_stream *stream, cnnf_error *error);
/* Opens a file of labels, NPY or IDX, plain or .gz. */
cnnf_status cnnfi_labels_open(cnnfi_array_file *file, cnnf_context *context, const char *path, cnnf_error *error);

/* State and functions of the formats that are two arrays. */
typedef struct cnnfi_array_pair {
    cnnfi_array_file images, labels;
} cnnfi_array_pair;

cnnf_status cnnfi_array_pair_read(cnnf_dataset *d, int64_t want, float *pixels, int64_t *labels, int64_t *got,
                                  cnnf_error *error);
cnnf_status cnnfi_array_pair_rewind(cnnf_dataset *d, cnnf_error *error);
void cnnfi_array_pair_free(cnnf_dataset *d);
/* Checks that the two fit, and takes the example's shape from the first. */
cnnf_status cnnfi_array_pair_check(cnnf_dataset *d, const char *path, cnnf_error *error);

#endif
