/* SPDX-License-Identifier: Apache-2.0 */
/* What the classes of a network are called, out of a text file. */
#ifndef LABEL_NAMES_H
#define LABEL_NAMES_H

#include "cli.h"

#define MAX_LABELS 65536

/* names [count] point into text; NULL where a class has none. */
typedef struct label_names {
    char *text;
    const char **names;
    size_t count;
} label_names;

/*
 * `names`: a line for each class, in order from 0; or "NUMBER NAME" lines, when the first begins with a 0. Else
 * `label_map`: "LABEL CLASS" lines, or LABEL alone. Both NULL: classes are called by their numbers. Said on failure.
 */
cnnf_status label_names_read(label_names *out, const char *names, const char *label_map);
void label_names_free(label_names *labels);
/* The class's name, or its number in `room`. */
const char *label_name(const label_names *labels, int64_t label, char room[24]);

#endif
