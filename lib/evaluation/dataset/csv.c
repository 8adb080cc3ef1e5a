/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV: one example a line, the label first. Read in blocks and parsed where it lies; the usual field, a short decimal
 * integer, takes one pass over its digits, everything else (floats, quotes, blanks) the slow road.
 */
#include <string.h>

#include "base/checked.h"
#include "base/num.h"
#include "base/str.h"
#include "evaluation/dataset/dataset.h"

#define BLOCK_BYTES ((size_t)256 * 1024)
#define MAX_COLUMNS ((int64_t)4 * 1024 * 1024)

typedef struct csv {
    cnnfi_stream *stream;
    char *data; /* bytes not yet parsed: [at, end) */
    size_t capacity, at, end;
    bool drained; /* the stream has no more */
    int64_t line; /* number of the line at `at` */
    int64_t label_columns, columns;
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

/* A field without blanks and quotes around it. */
static cnnfi_bytes trim(const char *begin, const char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    if (end - begin >= 2 && *begin == '"' && end[-1] == '"') begin++, end--;
    return (cnnfi_bytes){.data = (const uint8_t *)begin, .size = (size_t)(end - begin)};
}

static bool slow_number(const char *begin, const char *end, float *out)
{
    cnnfi_bytes field = trim(begin, end);
    size_t used = 0;
    const char *text = (const char *)field.data;
    if (field.size > 1 && *text == '+') text++, field.size--;
    *out = cnnfi_parse_float(text, field.size, &used);
    return field.size > 0 && used == field.size;
}

/* The field at *at, up to the comma or the line's end; *at is left behind the comma. */
static inline bool read_field(const char **at, const char *end, float *out)
{
    const char *p = *at;
    uint32_t value = 0;
    while (p < end && (unsigned)(*p - '0') < 10u)
        value = value * 10 + (uint32_t)(*p++ - '0');
    if (p > *at && p - *at <= 9 && (p == end || *p == ',')) { /* nine digits fit 32 bits */
        *out = (float)value;
        *at = p + 1;
        return true;
    }
    const char *comma = p < end ? memchr(p, ',', (size_t)(end - p)) : NULL;
    const char *stop = comma ? comma : end;
    bool good = slow_number(*at, stop, out);
    if (good) *at = stop + 1;
    return good;
}

/* "val.csv:18:5: 'abc' is not a number" */
static cnnf_status fail_number(const csv *c, const char *field, const char *line, const char *end, cnnf_error *error)
{
    const char *comma = field < end ? memchr(field, ',', (size_t)(end - field)) : NULL;
    cnnfi_bytes text = trim(field, comma ? comma : end);
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

static int64_t count_fields(const char *line, const char *end)
{
    int64_t n = 1;
    for (const char *p = line; p < end; p++)
        n += *p == ',';
    return n;
}

/* ---- labels ---- */

/* The first column: an integer, or a name that the label map knows. */
static cnnf_status read_label(const cnnf_dataset *d, const csv *c, const char **at, const char *line, const char *end,
                              int64_t *label, cnnf_error *error)
{
    float value = 0;
    const char *field = *at, *comma = memchr(field, ',', (size_t)(end - field));
    cnnfi_bytes text = trim(field, comma ? comma : end);
    int64_t named = cnnfi_label_find(&d->labels, (const char *)text.data, text.size);
    if (named >= 0) {
        *label = named;
        *at = comma ? comma + 1 : end + 1;
        return CNNF_OK;
    }
    if (!read_field(at, end, &value)) return fail_number(c, field, line, end, error);
    *label = (int64_t)(value >= 0 && value < 16777216.0f ? value : -1);
    if ((float)*label != value || !cnnfi_dataset_map_label(d, label))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld:%lld: '%.*s' is no label", cnnfi_stream_name(c->stream),
                          (long long)c->line, (long long)(field - line + 1), (int)(text.size < 40 ? text.size : 40),
                          (const char *)text.data);
    return CNNF_OK;
}

/* Several columns: the place of the largest. */
static cnnf_status read_one_hot(const csv *c, const char **at, const char *line, const char *end, int64_t *label,
                                cnnf_error *error)
{
    float best = 0, value = 0;
    *label = -1;
    for (int64_t i = 0; i < c->label_columns; i++) {
        const char *field = *at;
        if (field > end) { /* behind the line's end: no field is left */
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: %lld columns, the label alone has %lld",
                              cnnfi_stream_name(c->stream), (long long)c->line, (long long)i,
                              (long long)c->label_columns);
        }
        if (!read_field(at, end, &value)) return fail_number(c, field, line, end, error);
        if (value > best) {
            best = value;
            *label = i;
        }
    }
    if (*label >= 0) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: none of the %lld label columns is set",
                      cnnfi_stream_name(c->stream), (long long)c->line, (long long)c->label_columns);
}

/* ---- rows ---- */

static cnnf_status read_row(const cnnf_dataset *d, const csv *c, const char *line, const char *end, float *pixels,
                            int64_t *label, cnnf_error *error)
{
    const char *at = line;
    int64_t n = 0;
    CNNFI_TRY(c->label_columns == 1 ? read_label(d, c, &at, line, end, label, error)
                                    : read_one_hot(c, &at, line, end, label, error));
    for (; at <= end && n < d->width; n++) {
        const char *field = at;
        if (!read_field(&at, end, &pixels[n])) return fail_number(c, field, line, end, error);
    }
    if (n == d->width && at == end + 1) return CNNF_OK;
    return fail_columns(c, count_fields(line, end), error);
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
static bool is_header(const cnnf_dataset *d, const char *line, const char *end)
{
    float value;
    int64_t column = 0;
    for (const char *at = line; at <= end; column++) {
        const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        cnnfi_bytes text = trim(at, comma ? comma : end);
        bool name = column == 0 && cnnfi_label_find(&d->labels, (const char *)text.data, text.size) >= 0;
        if (!name && !slow_number(at, comma ? comma : end, &value)) return true;
        at = comma ? comma + 1 : end + 1;
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

/* The first line tells how many columns there are, and whether it is a header. */
static cnnf_status csv_measure(cnnf_dataset *d, csv *c, const char *path, cnnf_error *error)
{
    const char *line, *end;
    CNNFI_TRY(csv_start(d, c, error));
    CNNFI_TRY(next_line(d, c, &line, &end, error));
    if (!line) return cnnfi_fail(error, CNNF_E_FORMAT, "%s: CSV: the file is empty", path);
    c->headed = is_header(d, line, end);
    if (c->headed) CNNFI_TRY(next_line(d, c, &line, &end, error));
    c->columns = line ? count_fields(line, end) : c->label_columns + 1;
    if (c->columns > MAX_COLUMNS)
        return cnnfi_fail(error, CNNF_E_LIMIT, "%s: CSV: %lld columns, at most %lld are read", path,
                          (long long)c->columns, (long long)MAX_COLUMNS);
    if (c->columns <= c->label_columns)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: %lld columns, a label and values are needed", path,
                          (long long)c->line, (long long)c->columns);
    int64_t width = c->columns - c->label_columns;
    CNNFI_TRY(cnnfi_dataset_set_shape(d, path, 1, &width, error));
    return csv_rewind(d, error);
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

const cnnfi_format cnnfi_format_csv = {"CSV", csv_open, csv_read, csv_rewind, csv_free};
