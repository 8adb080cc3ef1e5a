/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels as people write them to classes, and classes back to names. A map is lines "LABEL CLASS" or LABEL alone; the
 * mappings beside the EMNIST files ("LABEL ASCII" or "LABEL UPPER LOWER") are told by what they hold.
 */
#include <string.h>

#include "base/num.h"
#include "base/source.h"
#include "evaluation/dataset/dataset.h"

/* Names beyond are not kept: a class is an index of a network's output. */
#define MAX_NAMED_CLASS 1000000

void cnnfi_class_names_init(cnnfi_class_names *names, cnnf_context *context)
{
    *names = (cnnfi_class_names){.context = context};
    cnnfi_arena_init(&names->arena, context);
}

void cnnfi_class_names_free(cnnfi_class_names *names)
{
    cnnfi_free(names->context, names->names);
    cnnfi_arena_free(&names->arena);
}

bool cnnfi_class_names_set(cnnfi_class_names *names, int64_t class, const char *name)
{
    if (class < 0 || class > MAX_NAMED_CLASS) return true;
    while (names->count <= class) {
        if (!cnnfi_grow(names->context, (void **)&names->names, &names->capacity, (size_t)names->count,
                        sizeof(names->names[0])))
            return false;
        names->names[names->count++] = NULL;
    }
    names->names[class] = cnnfi_arena_strdup(&names->arena, name);
    return names->names[class] != NULL;
}

const char *cnnfi_class_names_get(const cnnfi_class_names *names, int64_t class)
{
    return class >= 0 && class < names->count ? names->names[class] : NULL;
}

/* ---- lines ---- */

/* A class has one name: that of the first label that leads to it. */
static bool add_label(cnnfi_label_map *map, cnnfi_class_names *names, const char *label, int64_t class,
                      const char *name)
{
    if (!cnnfi_strmap_set(&map->names, label, class)) return false;
    return cnnfi_class_names_get(names, class) || cnnfi_class_names_set(names, class, name);
}

/* "NAME CLASS", separated by a comma, '=', a tab or a blank; or NAME alone: the line's number, from 0. */
static bool parse_map_line(cnnfi_label_map *map, cnnfi_class_names *names, char *line, int64_t number)
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
    return add_label(map, names, line, class, line);
}

/* ---- EMNIST ---- */

/* The numbers of a line; 0 when there is anything else on it. */
static int line_numbers(const char *line, size_t length, int64_t out[3])
{
    int n = 0;
    for (size_t at = 0; at < length;) {
        size_t stop = at;
        while (stop < length && !strchr(" \t\r", line[stop]))
            stop++;
        if (stop > at && (n == 3 || !cnnfi_parse_i64(line + at, stop - at, &out[n++]))) return 0;
        at = stop + 1;
    }
    return n;
}

/* Labels in a row from 0 or 1, each with the codes of its characters. */
static bool is_emnist(const char *text)
{
    int64_t number = 0, base = 0, v[3] = {0};
    for (const char *line = text; *line; number++) {
        const size_t length = strcspn(line, "\n");
        const int n = line_numbers(line, length, v);
        if (number == 0) base = v[0];
        if (n < 2 || base < 0 || base > 1 || v[0] != base + number || v[1] < '0' || v[1] > 'z') return false;
        line += length + (line[length] == '\n');
    }
    return number > 1;
}

static bool parse_emnist(cnnfi_label_map *map, cnnfi_class_names *names)
{
    int64_t class = 0, v[3] = {0};
    for (char *line = map->text, *next; *line; line = next, class ++) {
        const size_t length = strcspn(line, "\n");
        next = line + length + (line[length] == '\n');
        line_numbers(line, length, v);
        const char name[2] = {(char)v[1], 0};
        line[strspn(line, "0123456789")] = 0;
        if (!add_label(map, names, line, class, name)) return false;
    }
    return true;
}

/* ---- files ---- */

static bool parse_lines(cnnfi_label_map *map, cnnfi_class_names *names)
{
    int64_t number = 0;
    for (char *line = map->text; line && *line; number++) {
        char *next = strchr(line, '\n');
        if (next) *next++ = 0;
        if (*line && !parse_map_line(map, names, line, number)) return false;
        line = next;
    }
    return true;
}

cnnf_status cnnfi_label_map_load(cnnfi_label_map *map, cnnfi_class_names *names, cnnf_context *context,
                                 const char *path, cnnf_error *error)
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
    map->present = true;
    const bool good = is_emnist(map->text) ? parse_emnist(map, names) : parse_lines(map, names);
    return good ? CNNF_OK : cnnfi_fail_nomem(error);
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

bool cnnfi_dataset_has_class(const cnnf_dataset *d, int64_t label)
{
    return d->classes == 0 || (label >= 0 && label < d->classes);
}

cnnf_status cnnfi_dataset_fail_class(const cnnf_dataset *d, int64_t label, const char *place, cnnf_error *error)
{
    if (label < 0) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: there is no label", place);
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: label %lld is outside 0 .. %lld, the classes of the graph", place,
                      (long long)label, (long long)d->classes - 1);
}
