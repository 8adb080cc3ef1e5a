/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "fuzz_parts.h"

#include <stdio.h>
#include <string.h>

static char folder[32];

static void remove_folder(void)
{
    remove(folder);
}

const char *fuzz_path(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    if (!folder[0]) {
        strcpy(folder, "fuzz-XXXXXX");
        if (!mkdtemp(folder)) abort();
        atexit(remove_folder);
    }
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void fuzz_write(const char *name, part p)
{
    FILE *file = fopen(fuzz_path(name), "wb");
    if (!file || fwrite(p.data, 1, p.size, file) != p.size || fclose(file)) abort();
}

void fuzz_remove(const char *name)
{
    remove(fuzz_path(name));
}

size_t put_part(uint8_t *data, size_t at, size_t size)
{
    for (unsigned i = 0; i < 4; i++)
        data[at + i] = (uint8_t)(size >> (8 * i));
    return at + 4 + size;
}
