/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the formats share. A format opens its file, says what it knows of the examples, and then hands out raw rows:
 * `width` numbers and a label each. Scaling, normalising, the channel order and tensors are dataset.c's.
 */
#ifndef CNNFI_EVALUATION_DATASET_DATASET_H
#define CNNFI_EVALUATION_DATASET_DATASET_H

#include <stdbool.h>

#include <cnnfreeze/dataset.h>

#include "base/arena.h"
#include "base/context.h"
#include "base/error.h"
#include "base/source.h"
#include "base/strmap.h"
#include "evaluation/report/thumbnail.h"
#include "graph/shape.h"

#define CNNFI_DATASET_MAX_RANK     8
#define CNNFI_DATASET_MAX_CHANNELS 16

struct cnnf_dataset_options {
    cnnf_context *context;
    int32_t rank; /* -1: the file says */
    int64_t dims[CNNFI_DATASET_MAX_RANK];
    double scale;     /* 0: the format's default */
    int32_t n_normal; /* mean and std: 1 for all channels, else one each */
    double mean[CNNFI_DATASET_MAX_CHANNELS], std[CNNFI_DATASET_MAX_CHANNELS];
    char *labels_file, *label_map, *label_column;
    int64_t one_hot; /* CSV: so many columns are the label; 0: one column */
    int64_t shard, shards;
    int32_t resize, crop; /* cnnfi_resize, cnnfi_crop */
    bool channels_first, bgr, transpose;
};

extern const struct cnnf_dataset_options cnnfi_dataset_defaults;

/* Into what holds nothing yet; what was copied is cleared also after a failure. */
cnnf_status cnnfi_dataset_options_copy(struct cnnf_dataset_options *to, cnnf_context *context,
                                       const struct cnnf_dataset_options *from, cnnf_error *error);
void cnnfi_dataset_options_clear(struct cnnf_dataset_options *options, cnnf_context *context);

/* Classes to names, where a file or folder names them. */
typedef struct cnnfi_class_names {
    cnnf_context *context;
    cnnfi_arena arena;
    const char **names; /* [count], NULL where there is none */
    size_t capacity;
    int64_t count;
} cnnfi_class_names;

void cnnfi_class_names_init(cnnfi_class_names *names, cnnf_context *context);
void cnnfi_class_names_free(cnnfi_class_names *names);
bool cnnfi_class_names_set(cnnfi_class_names *names, int64_t class, const char *name); /* copied; false = no memory */
const char *cnnfi_class_names_get(const cnnfi_class_names *names, int64_t class);      /* NULL: none */

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
    cnnfi_class_names names;
    int64_t count;      /* examples of the file, -1 unknown */
    int64_t begin, end; /* those of the shard; end -1: to the file's end */
    int64_t at;         /* the next one */
    int64_t classes;    /* labels must be below; 0: any */
    int64_t width;      /* numbers per example; 0: not known before the first row */
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
    cnnf_status (*skip)(cnnf_dataset *d, int64_t n, cnnf_error *error); /* no more than there are */
    /* May be NULL: rows first .. first + n - 1, from any thread beside others; read() is not asked then. */
    cnnf_status (*read_at)(const cnnf_dataset *d, int64_t first, int64_t n, float *pixels, int64_t *labels,
                           cnnf_error *error);
    const char *(*row_name)(const cnnf_dataset *d, int64_t row); /* may be NULL: the file of one example */
    /* May be NULL: examples of a file that does not declare them; the next row is any afterwards. */
    cnnf_status (*count)(cnnf_dataset *d, int64_t *out, cnnf_error *error);
};

extern const cnnfi_format cnnfi_format_csv, cnnfi_format_idx, cnnfi_format_npy, cnnfi_format_npz, cnnfi_format_images,
    cnnfi_format_files;

/* Opens what lies at `path` alone: no pattern, no shard. */
cnnf_status cnnfi_dataset_open_one(cnnf_dataset **out, cnnf_context *context, const char *path,
                                   const struct cnnf_dataset_options *options, cnnf_error *error);

/* Raw rows of examples as they were read to what is fed: turned, scaled, normalised, in place. [n][width] */
cnnf_status cnnfi_dataset_prepare(const cnnf_dataset *d, float *pixels, int64_t n, cnnf_error *error);
/* Whether a path names several files ("shards/part-*.csv") and no file is called so. */
bool cnnfi_is_pattern(const char *path);

/* Rows that one thread has taken and may read beside others, where the format has read_at(). */
typedef struct cnnfi_rows {
    int64_t first, count;
} cnnfi_rows;

/* The next rows, at most `batch`; where the format cannot read beside others, they are read at once. */
cnnf_status cnnfi_dataset_take(cnnf_tensor **images, cnnf_tensor **labels, cnnfi_rows *rows, cnnf_dataset *d,
                               int64_t batch, cnnf_error *error);
/* Reads rows that were taken and not read; may run beside others of its kind. */
cnnf_status cnnfi_dataset_read_rows(cnnf_tensor **images, cnnf_tensor **labels, const cnnf_dataset *d, cnnfi_rows rows,
                                    cnnf_error *error);

/* Sets rank, dims and width of an example; a shape in the options must have as many elements. */
cnnf_status cnnfi_dataset_set_shape(cnnf_dataset *d, const char *path, int32_t rank, const int64_t *dims,
                                    cnnf_error *error);
/* A label as the file has it to a class: through the label map when there is one. false = the map does not know it. */
bool cnnfi_dataset_map_label(const cnnf_dataset *d, int64_t *label);
/* Whether labels are such, where whoever reads has said how many classes there are. -1 is the label of what has none.
 */
bool cnnfi_dataset_has_class(const cnnf_dataset *d, int64_t label);
/* "PLACE: label 30 is outside 0 .. 24, the classes of the graph" */
cnnf_status cnnfi_dataset_fail_class(const cnnf_dataset *d, int64_t label, const char *place, cnnf_error *error);
/* The lines of a file, and the names they give to classes. */
cnnf_status cnnfi_label_map_load(cnnfi_label_map *map, cnnfi_class_names *names, cnnf_context *context,
                                 const char *path, cnnf_error *error);
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
cnnf_status cnnfi_stream_skip(cnnfi_stream *stream, uint64_t size, cnnf_error *error); /* no more than there are */
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
cnnf_status cnnfi_array_pair_skip(cnnf_dataset *d, int64_t n, cnnf_error *error);
void cnnfi_array_pair_free(cnnf_dataset *d);
/* Checks that the two fit, and takes the example's shape from the first. */
cnnf_status cnnfi_array_pair_check(cnnf_dataset *d, const char *path, cnnf_error *error);

#endif
