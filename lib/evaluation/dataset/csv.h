/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a CSV line, and which of them is the label. */
#ifndef CNNFI_EVALUATION_DATASET_CSV_H
#define CNNFI_EVALUATION_DATASET_CSV_H

#include <string.h>

#include "base/str.h"
#include "evaluation/dataset/dataset.h"

static inline const char *cnnfi_csv_field_end(const char *field, const char *end, char separator)
{
    const char *stop = field < end ? memchr(field, separator, (size_t)(end - field)) : NULL;
    return stop ? stop : end;
}

/* A field without blanks and quotes around it. */
cnnfi_bytes cnnfi_csv_trim(const char *begin, const char *end);
bool cnnfi_csv_number(const char *begin, const char *end, float *out);
/* ';' or a tab where the line has one (and no comma for the tab), else a comma. */
char cnnfi_csv_separator(const char *line, const char *end);

/* The first rows of a file. */
typedef struct cnnfi_csv_sample {
    const char *name;
    const char *header, *header_end; /* header NULL: none */
    const char *rows, *rows_end;     /* whole lines and the begin of another */
    int64_t columns;
    char separator;
} cnnfi_csv_sample;

/* The column that the user means: a number from 0 (-1: the last), or a name of the header; `wanted` NULL: the first. */
cnnf_status cnnfi_csv_label_column(int64_t *out, const cnnfi_csv_sample *sample, const char *wanted,
                                   int64_t label_columns, cnnf_error *error);
/* Says so in the log when the first column, taken for the label because nobody said otherwise, looks like pixels. */
void cnnfi_csv_suspect(const cnnf_context *context, const cnnfi_csv_sample *sample);

#endif
