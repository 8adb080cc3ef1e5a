/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV: one example a line, its label first or where the user says. Fields are separated by commas, semicolons or tabs,
 * whatever the first line has. Read in blocks and parsed where it lies; the usual field, a short decimal
 * integer, takes one pass over its digits, everything else (floats, quotes, blanks) the slow road.
 */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/num.h"
#include "base/str.h"
#include "evaluation/dataset/csv.h"

#define BLOCK_BYTES ((size_t)256 * 1024)
#define MAX_COLUMNS ((int64_t)4 * 1024 * 1024)

typedef struct csv {
    cnnfi_stream *stream;
    char *data; /* bytes not yet parsed: [at, end) */
    size_t capacity, at, end;
    bool drained;                             /* the stream has no more */
    int64_t line;                             /* number of the line at `at` */
    int64_t label_at, label_columns, columns; /* the label's first column; how many it has; all */
    char separator;
    bool headed; /* the first line is a header */
} csv;

/* Makes sure that a whole line lies at [at, *line_end): false at the end of the data. */
static cnnf_status find_line(cnnf_dataset *d, csv *c, size_t *line_end, bool *found, cnnf_error *error)
{
    size_t searched = c->at, got = 0;
    for (;;) {
        char *newline = c->end > searched ? memchr(c->data + searched, '\n', c->end - searched) : NULL;
        *found = newline || (c->drained && c->end > c->at);
        *line_end = newline ? (size_t)(newline - c->data) : c->end;
        if (*found) {
            const uint64_t length = *line_end - c->at;
            return cnnfi_check_limit(d->context, CNNF_LIMIT_LINE_BYTES, length, "a line of the data set", error);
        }
        if (c->drained) return CNNF_OK;
        memmove(c->data, c->data + c->at, c->end - c->at);
        c->end -= c->at;
        c->at = 0;
        searched = c->end;
        CNNFI_TRY(cnnfi_check_limit(d->context, CNNF_LIMIT_LINE_BYTES, c->end, "a line of the data set", error));
        if (c->capacity - c->end < BLOCK_BYTES) {
            char *bigger = cnnfi_realloc(d->context, c->data, c->capacity * 2);
            if (!bigger) return cnnfi_fail_nomem(error);
            c->data = bigger;
            c->capacity *= 2;
        }
        CNNFI_TRY(cnnfi_stream_read(c->stream, c->data + c->end, c->capacity - c->end - 1, &got, error));
        c->drained = got < c->capacity - c->end - 1;
        c->end += got;
    }
}

bool cnnfi_csv_number(const char *begin, const char *end, float *out)
{
    cnnfi_bytes field = cnnfi_csv_trim(begin, end);
    size_t used = 0;
    const char *text = (const char *)field.data;
    if (field.size > 1 && *text == '+') text++, field.size--;
    *out = cnnfi_parse_float(text, field.size, &used);
    return field.size > 0 && used == field.size;
}

/* The field at *at, up to the separator or the line's end; *at is left behind the separator. */
static inline bool read_field(const char **at, const char *end, char separator, float *out)
{
    const char *p = *at;
    uint32_t value = 0;
    while (p < end && (unsigned)(*p - '0') < 10u)
        value = value * 10 + (uint32_t)(*p++ - '0');
    if (p > *at && p - *at <= 9 && (p == end || *p == separator)) { /* nine digits fit 32 bits */
        *out = (float)value;
        *at = p + 1;
        return true;
    }
    const char *stop = cnnfi_csv_field_end(p, end, separator);
    bool good = cnnfi_csv_number(*at, stop, out);
    if (good) *at = stop + 1;
    return good;
}

/* "val.csv:18:5: 'abc' is not a number" */
static cnnf_status fail_number(const csv *c, const char *field, const char *line, const char *end, cnnf_error *error)
{
    cnnfi_bytes text = cnnfi_csv_trim(field, field < end ? cnnfi_csv_field_end(field, end, c->separator) : end);
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld:%lld: '%.*s' is not a number", cnnfi_stream_name(c->stream),
                      (long long)c->line, (long long)(field - line + 1), (int)(text.size < 40 ? text.size : 40),
                      (const char *)text.data);
}

static cnnf_status fail_columns(const csv *c, int64_t found, cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: %lld values, must be %lld (+%lld label)",
                      cnnfi_stream_name(c->stream), (long long)c->line, (long long)(found - c->label_columns),
                      (long long)(c->columns - c->label_columns), (long long)c->label_columns);
}

static int64_t count_fields(const csv *c, const char *line, const char *end)
{
    int64_t n = 1;
    for (const char *p = line; p < end; p++)
        n += *p == c->separator;
    return n;
}

/* ---- labels ---- */

/* Against the classes, where they are known. */
static cnnf_status check_class(const cnnf_dataset *d, const csv *c, const char *field, const char *line, int64_t label,
                               cnnf_error *error)
{
    char place[512];
    if (cnnfi_dataset_has_class(d, label)) return CNNF_OK;
    snprintf(place, sizeof place, "%.460s:%lld:%lld", cnnfi_stream_name(c->stream), (long long)c->line,
             (long long)(field - line + 1));
    return cnnfi_dataset_fail_class(d, label, place, error);
}

/* One column: an integer, or a name that the label map knows. */
static cnnf_status read_label(const cnnf_dataset *d, const csv *c, const char **at, const char *line, const char *end,
                              int64_t *label, cnnf_error *error)
{
    float value = 0;
    const char *field = *at, *stop = cnnfi_csv_field_end(field, end, c->separator);
    cnnfi_bytes text = cnnfi_csv_trim(field, stop);
    int64_t named = cnnfi_label_find(&d->labels, (const char *)text.data, text.size);
    if (named >= 0) {
        *label = named;
        *at = stop + 1;
        return check_class(d, c, field, line, named, error);
    }
    if (!read_field(at, end, c->separator, &value)) return fail_number(c, field, line, end, error);
    *label = (int64_t)(value >= 0 && value < 16777216.0f ? value : -1);
    if ((float)*label != value || !cnnfi_dataset_map_label(d, label))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld:%lld: '%.*s' is no label", cnnfi_stream_name(c->stream),
                          (long long)c->line, (long long)(field - line + 1), (int)(text.size < 40 ? text.size : 40),
                          (const char *)text.data);
    return check_class(d, c, field, line, *label, error);
}

/* Several columns: the place of the largest. */
static cnnf_status read_one_hot(const cnnf_dataset *d, const csv *c, const char **at, const char *line, const char *end,
                                int64_t *label, cnnf_error *error)
{
    const char *first = *at;
    float best = 0, value = 0;
    *label = -1;
    for (int64_t i = 0; i < c->label_columns; i++) {
        const char *field = *at;
        if (field > end) { /* behind the line's end: no field is left */
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: %lld columns, the label alone has %lld",
                              cnnfi_stream_name(c->stream), (long long)c->line, (long long)i,
                              (long long)c->label_columns);
        }
        if (!read_field(at, end, c->separator, &value)) return fail_number(c, field, line, end, error);
        if (value > best) {
            best = value;
            *label = i;
        }
    }
    if (*label >= 0) return check_class(d, c, first, line, *label, error);
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: none of the %lld label columns is set",
                      cnnfi_stream_name(c->stream), (long long)c->line, (long long)c->label_columns);
}

/* ---- rows ---- */

/* Pixels *n .. to - 1, or as many as the line has. */
static cnnf_status read_pixels(const csv *c, const char **at, const char *line, const char *end, float *pixels,
                               int64_t *n, int64_t to, cnnf_error *error)
{
    for (; *at <= end && *n < to; ++*n) {
        const char *field = *at;
        if (!read_field(at, end, c->separator, &pixels[*n])) return fail_number(c, field, line, end, error);
    }
    return CNNF_OK;
}

static cnnf_status read_row(const cnnf_dataset *d, const csv *c, const char *line, const char *end, float *pixels,
                            int64_t *label, cnnf_error *error)
{
    const char *at = line;
    int64_t n = 0;
    CNNFI_TRY(read_pixels(c, &at, line, end, pixels, &n, c->label_at, error));
    if (at > end) return fail_columns(c, count_fields(c, line, end), error);
    CNNFI_TRY(c->label_columns == 1 ? read_label(d, c, &at, line, end, label, error)
                                    : read_one_hot(d, c, &at, line, end, label, error));
    CNNFI_TRY(read_pixels(c, &at, line, end, pixels, &n, d->width, error));
    if (n == d->width && at == end + 1) return CNNF_OK;
    return fail_columns(c, count_fields(c, line, end), error);
}

/* The line at [c->at, line_end), without the carriage return; empty lines are passed over. */
static cnnf_status next_line(cnnf_dataset *d, csv *c, const char **line, const char **end, cnnf_error *error)
{
    bool found = true;
    size_t stop = 0;
    for (;;) {
        CNNFI_TRY(find_line(d, c, &stop, &found, error));
        *line = *end = NULL;
        if (!found) return CNNF_OK;
        *line = c->data + c->at;
        *end = c->data + stop;
        if (*end > *line && (*end)[-1] == '\r') (*end)--;
        c->at = stop < c->end ? stop + 1 : stop;
        c->line++;
        if (*end > *line) return CNNF_OK;
    }
}

static cnnf_status csv_read(cnnf_dataset *d, int64_t want, float *pixels, int64_t *labels, int64_t *got,
                            cnnf_error *error)
{
    csv *c = d->state;
    const char *line, *end;
    for (*got = 0; *got < want; ++*got) {
        CNNFI_TRY(next_line(d, c, &line, &end, error));
        if (!line) break;
        CNNFI_TRY(read_row(d, c, line, end, pixels + *got * d->width, labels + *got, error));
    }
    return CNNF_OK;
}

/* ---- opening ---- */

/* A header is a first line with a field that is no number (and no name of a class). */
static bool is_header(const cnnf_dataset *d, const csv *c, const char *line, const char *end)
{
    float value;
    for (const char *at = line; at <= end;) {
        const char *stop = cnnfi_csv_field_end(at, end, c->separator);
        cnnfi_bytes text = cnnfi_csv_trim(at, stop);
        bool name = cnnfi_label_find(&d->labels, (const char *)text.data, text.size) >= 0;
        if (!name && !cnnfi_csv_number(at, stop, &value)) return true;
        at = stop + 1;
    }
    return false;
}

/* To the first byte after a byte order mark. */
static cnnf_status csv_start(cnnf_dataset *d, csv *c, cnnf_error *error)
{
    size_t stop;
    bool found;
    c->at = c->end = 0;
    c->line = 0;
    c->drained = false;
    CNNFI_TRY(find_line(d, c, &stop, &found, error));
    if (c->end >= 3 && memcmp(c->data, "\xef\xbb\xbf", 3) == 0) c->at = 3;
    return CNNF_OK;
}

static cnnf_status csv_rewind(cnnf_dataset *d, cnnf_error *error)
{
    csv *c = d->state;
    const char *line, *end;
    CNNFI_TRY(cnnfi_stream_rewind(c->stream, error));
    CNNFI_TRY(csv_start(d, c, error));
    return c->headed ? next_line(d, c, &line, &end, error) : CNNF_OK;
}

/* Rows to look at before any is read: what the buffer holds of them. */
static cnnfi_csv_sample sample_rows(const csv *c, const char *header, const char *header_end, const char *first)
{
    return (cnnfi_csv_sample){.name = cnnfi_stream_name(c->stream),
                              .header = c->headed ? header : NULL,
                              .header_end = header_end,
                              .rows = first,
                              .rows_end = c->data + c->end,
                              .columns = c->columns,
                              .separator = c->separator};
}

/* Line and header, if there is one, both within the buffer: no line is asked for in between that would move it. */
static cnnf_status csv_columns(cnnf_dataset *d, csv *c, const char *path, cnnf_error *error)
{
    const char *line, *end, *header, *header_end;
    CNNFI_TRY(next_line(d, c, &line, &end, error));
    if (!line) return cnnfi_fail(error, CNNF_E_FORMAT, "%s: CSV: the file is empty", path);
    c->separator = cnnfi_csv_separator(line, end);
    c->headed = is_header(d, c, line, end);
    c->columns = count_fields(c, line, end);
    header = line;
    header_end = end;
    if (c->headed) line = c->data + c->at;
    const cnnfi_csv_sample sample = sample_rows(c, header, header_end, line);
    CNNFI_TRY(cnnfi_csv_label_column(&c->label_at, &sample, d->options.label_column, c->label_columns, error));
    if (!d->options.label_column && c->label_columns == 1 && !d->labels.present) cnnfi_csv_suspect(d->context, &sample);
    if (c->headed) CNNFI_TRY(next_line(d, c, &line, &end, error));
    c->columns = line ? count_fields(c, line, end) : c->label_columns + 1;
    return CNNF_OK;
}

/* The first line tells how many columns there are, and whether it is a header. */
static cnnf_status csv_measure(cnnf_dataset *d, csv *c, const char *path, cnnf_error *error)
{
    CNNFI_TRY(csv_start(d, c, error));
    CNNFI_TRY(csv_columns(d, c, path, error));
    if (c->columns > MAX_COLUMNS)
        return cnnfi_fail(error, CNNF_E_LIMIT, "%s: CSV: %lld columns, at most %lld are read", path,
                          (long long)c->columns, (long long)MAX_COLUMNS);
    if (c->columns <= c->label_columns)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: %lld columns, a label and values are needed", path,
                          (long long)c->line, (long long)c->columns);
    int64_t width = c->columns - c->label_columns;
    if (c->label_at > width)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: %lld columns, the label's is %lld", path, (long long)c->line,
                          (long long)c->columns, (long long)c->label_at);
    CNNFI_TRY(cnnfi_dataset_set_shape(d, path, 1, &width, error));
    return csv_rewind(d, error);
}

static cnnf_status csv_skip(cnnf_dataset *d, int64_t n, cnnf_error *error)
{
    const char *line, *end;
    for (int64_t i = 0; i < n; i++)
        CNNFI_TRY(next_line(d, d->state, &line, &end, error));
    return CNNF_OK;
}

static cnnf_status csv_count(cnnf_dataset *d, int64_t *out, cnnf_error *error)
{
    const char *line = NULL, *end;
    *out = -1;
    CNNFI_TRY(csv_rewind(d, error));
    do {
        CNNFI_TRY(next_line(d, d->state, &line, &end, error));
        ++*out;
    } while (line);
    return CNNF_OK;
}

static cnnf_status csv_open(cnnf_dataset *d, cnnfi_source *source, const char *path, cnnf_error *error)
{
    csv *c = cnnfi_calloc(d->context, 1, sizeof(*c));
    if (!c) return cnnfi_fail_nomem(error);
    d->state = c;
    d->default_scale = 255;
    c->label_columns = d->options.one_hot > 0 ? d->options.one_hot : 1;
    c->capacity = 2 * BLOCK_BYTES;
    c->data = cnnfi_malloc(d->context, c->capacity);
    if (!c->data) return cnnfi_fail_nomem(error);
    CNNFI_TRY(cnnfi_stream_new(&c->stream, source, 0, cnnfi_source_size(source), CNNFI_CODING_DETECT, error));
    return csv_measure(d, c, path, error);
}

static void csv_free(cnnf_dataset *d)
{
    csv *c = d->state;
    if (!c) return;
    cnnfi_stream_free(c->stream);
    cnnfi_free(d->context, c->data);
    cnnfi_free(d->context, c);
}

const cnnfi_format cnnfi_format_csv = {.name = "CSV",
                                       .open = csv_open,
                                       .read = csv_read,
                                       .rewind = csv_rewind,
                                       .free = csv_free,
                                       .skip = csv_skip,
                                       .count = csv_count};
