/* SPDX-License-Identifier: Apache-2.0 */
#include "label_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define MAX_BYTES (4 << 20)

static const char *const separators = ",:;=\t ";

static cnnf_status unreadable(const char *path)
{
    cli_say(0, "%s: cannot read the names of the classes", path);
    return CNNF_E_IO;
}

static cnnf_status read_text(label_names *labels, const char *path)
{
    FILE *file = host_open(path);
    if (!file) return unreadable(path);
    labels->text = calloc(1, MAX_BYTES + 1);
    labels->names = calloc(MAX_LABELS, sizeof *labels->names);
    const size_t size = labels->text ? fread(labels->text, 1, MAX_BYTES, file) : 0;
    const bool failed = ferror(file) != 0, more = fgetc(file) != EOF;
    fclose(file);
    if (!labels->text || !labels->names) return CNNF_E_NOMEM;
    if (failed) return unreadable(path);
    if (!more && !memchr(labels->text, 0, size)) return CNNF_OK;
    cli_say(0, "%s: %s", path, more ? "too large for names of classes" : "names of classes are text, a line each");
    return CNNF_E_FORMAT;
}

static void set_name(label_names *labels, size_t class_number, const char *name)
{
    if (class_number >= MAX_LABELS || !*name) return;
    labels->names[class_number] = name;
    if (class_number >= labels->count) labels->count = class_number + 1;
}

/* "7 seven": the number, and *name what follows; SIZE_MAX when the line is none of these. */
static size_t numbered(char *line, const char **name)
{
    char *end = NULL;
    const unsigned long long number = *line >= '0' && *line <= '9' ? strtoull(line, &end, 10) : 0;
    if (!end || !*end || !strchr(separators, *end)) return SIZE_MAX;
    *name = end + strspn(end, separators);
    return (size_t)number;
}

/* "seven 7": the name is cut off; a name alone has the line's number. */
static void map_line(label_names *labels, char *line, size_t number)
{
    char *rest = line + strcspn(line, ",=\t ");
    if (*rest) {
        *rest++ = '\0';
        number = (size_t)strtoull(rest, NULL, 10);
    }
    set_name(labels, number, line);
}

cnnf_status label_names_read(label_names *out, const char *names, const char *label_map)
{
    *out = (label_names){0};
    if (!names && !label_map) return CNNF_OK;
    const cnnf_status status = read_text(out, names ? names : label_map);
    bool with_numbers = false;
    size_t number = 0;
    for (char *line = status ? NULL : out->text; line; number++) {
        char *next = strchr(line, '\n');
        const char *name = line;
        if (next) *next++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        const size_t written = numbered(line, &name);
        with_numbers = number ? with_numbers : written == 0;
        if (!names)
            map_line(out, line, number);
        else
            set_name(out, with_numbers && written != SIZE_MAX ? written : number, with_numbers ? name : line);
        line = next;
    }
    if (status) label_names_free(out);
    return status;
}

void label_names_free(label_names *labels)
{
    free(labels->text);
    free(labels->names);
    *labels = (label_names){0};
}

const char *label_name(const label_names *labels, int64_t label, char room[24])
{
    if (label >= 0 && (size_t)label < labels->count && labels->names[label]) return labels->names[label];
    snprintf(room, 24, "%" PRId64, label);
    return room;
}
