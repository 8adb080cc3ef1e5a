/* SPDX-License-Identifier: Apache-2.0 */
/* Which column of a CSV is the label: what the user says, and whether the one nobody spoke of can be it. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "evaluation/dataset/csv.h"

#define SAMPLE_ROWS  256
#define ENOUGH_ROWS  20
#define MOST_CLASSES 64 /* more different values than that are no labels that a few rows can tell from pixels */

cnnfi_bytes cnnfi_csv_trim(const char *begin, const char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    if (end - begin >= 2 && *begin == '"' && end[-1] == '"') begin++, end--;
    return (cnnfi_bytes){.data = (const uint8_t *)begin, .size = (size_t)(end - begin)};
}

char cnnfi_csv_separator(const char *line, const char *end)
{
    const size_t n = (size_t)(end - line);
    if (memchr(line, ';', n)) return ';';
    return memchr(line, '\t', n) && !memchr(line, ',', n) ? '\t' : ',';
}

/* ---- columns by name ---- */

static bool is_word(cnnfi_bytes field, const char *word)
{
    return field.size == strlen(word) && memcmp(field.data, word, field.size) == 0;
}

static void copy_field(char *out, size_t size, cnnfi_bytes field)
{
    const size_t n = field.size < size - 1 ? field.size : size - 1;
    memcpy(out, field.data, n);
    out[n] = 0;
}

/* -1: no column is called so; then `nearest` has the one that comes nearest, if any does. */
static int64_t named_column(const cnnfi_csv_sample *s, const char *word, char nearest[64])
{
    size_t best = strlen(word) / 3 + 1;
    int64_t column = 0;
    nearest[0] = 0;
    for (const char *at = s->header; at && at <= s->header_end; column++) {
        char text[64];
        const char *stop = cnnfi_csv_field_end(at, s->header_end, s->separator);
        const cnnfi_bytes field = cnnfi_csv_trim(at, stop);
        if (is_word(field, word)) return column;
        copy_field(text, sizeof text, field);
        const size_t distance = cnnfi_edit_distance(text, word, best + 1);
        if (distance <= best && field.size) {
            memcpy(nearest, text, sizeof text);
            best = distance - 1;
        }
        at = stop + 1;
    }
    return -1;
}

static cnnf_status fail_name(const cnnfi_csv_sample *s, const char *wanted, const char *nearest, cnnf_error *error)
{
    if (!s->header)
        return cnnfi_fail(error, CNNF_E_NOT_FOUND,
                          "%s: CSV: no header names a column '%.60s'; give the label column's number, from 0 (-1: the "
                          "last)",
                          s->name, wanted);
    return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: CSV: there is no column '%.60s'%s%s%s", s->name, wanted,
                      *nearest ? "; did you mean '" : " in the header", nearest, *nearest ? "'?" : "");
}

cnnf_status cnnfi_csv_label_column(int64_t *out, const cnnfi_csv_sample *sample, const char *wanted,
                                   int64_t label_columns, cnnf_error *error)
{
    char nearest[64];
    *out = 0;
    if (!wanted) return CNNF_OK;
    *out = named_column(sample, wanted, nearest);
    if (*out < 0 && !cnnfi_parse_i64(wanted, strlen(wanted), out)) return fail_name(sample, wanted, nearest, error);
    if (*out < 0) *out = *out == -1 ? sample->columns - label_columns : sample->columns + *out;
    if (*out >= 0 && *out + label_columns <= sample->columns) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: CSV: there is no label column %.60s, the columns are 0 .. %lld",
                      sample->name, wanted, (long long)sample->columns - 1);
}

/* ---- labels or pixels ---- */

/* Different values of a column in the first rows. */
typedef struct values {
    float seen[MOST_CLASSES];
    size_t count;
    bool whole; /* all are integers from 0 on, and no more different ones than fit */
    float largest;
} values;

static void note(values *v, const char *begin, const char *end)
{
    float value = 0;
    if (!cnnfi_csv_number(begin, end, &value) || value < 0 || value > floorf(value)) {
        v->whole = false;
        return;
    }
    v->largest = fmaxf(v->largest, value);
    for (size_t i = 0; i < v->count; i++)
        if (!(v->seen[i] < value) && !(v->seen[i] > value)) return;
    if (v->count < MOST_CLASSES)
        v->seen[v->count++] = value;
    else
        v->whole = false;
}

/* First and last column of whole lines; the rows looked at. */
static int64_t look(const cnnfi_csv_sample *s, values *first, values *last)
{
    int64_t rows = 0;
    for (const char *line = s->rows, *stop; rows < SAMPLE_ROWS && line < s->rows_end; line = stop + 1) {
        stop = memchr(line, '\n', (size_t)(s->rows_end - line));
        if (!stop) break;
        if (stop == line || *line == '\r') continue;
        const char *begin = stop;
        while (begin > line && begin[-1] != s->separator)
            begin--;
        note(first, line, cnnfi_csv_field_end(line, stop, s->separator));
        note(last, begin, stop);
        rows++;
    }
    return rows;
}

/*
 * The last column is like labels (few different small integers) and the first is not: it never changes, as the corner
 * of a picture does, or it takes more values, and larger ones.
 */
static bool labels_are_last(const cnnfi_csv_sample *s)
{
    values first = {.whole = true}, last = {.whole = true};
    const int64_t rows = look(s, &first, &last);
    if (rows < ENOUGH_ROWS || !last.whole || last.count < 2 || last.largest >= 1000) return false;
    if (!first.whole) return true;
    return first.count == 1 || (first.count > last.count && first.largest > last.largest && first.largest >= 64);
}

void cnnfi_csv_suspect(const cnnf_context *context, const cnnfi_csv_sample *s)
{
    static const char *const words[] = {"label", "labels", "class", "target", "category"};
    char nearest[64];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const int64_t column = named_column(s, words[i], nearest);
        if (column == 0) return;
        if (column < 0) continue;
        cnnfi_log(context, CNNF_LOG_WARNING,
                  "%s: the first column is taken for the label, but the header calls column %lld '%s'; say "
                  "label_column=%s",
                  s->name, (long long)column, words[i], words[i]);
        return;
    }
    if (!labels_are_last(s)) return;
    cnnfi_log(context, CNNF_LOG_WARNING,
              "%s: the first column is taken for the label, but its values look like pixels and the last column's like "
              "labels; say label_column=-1 if they are",
              s->name);
}
