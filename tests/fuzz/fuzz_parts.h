/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs of several files: a row of parts, each with its size (four bytes, little-endian) in front; seeds.py packs
 * them. They are written into a folder that the process makes once and removes when it ends in peace.
 */
#ifndef FUZZ_PARTS_H
#define FUZZ_PARTS_H

#include "fuzz.h"

typedef struct part {
    uint8_t *data;
    size_t size;
} part;

/* The next part of [*data, +*size); a size that lies is cut. */
static inline part next_part(uint8_t **data, size_t *size)
{
    part p = {0};
    if (*size < 4) {
        p = (part){*data, *size};
        *data += *size;
        *size = 0;
        return p;
    }
    const uint8_t *head = *data;
    const uint32_t said =
        (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
    p.data = *data + 4;
    p.size = said < *size - 4 ? said : *size - 4;
    *data += 4 + p.size;
    *size -= 4 + p.size;
    return p;
}

/* "folder/name"; valid until the fourth call from here. */
const char *fuzz_path(const char *name);
void fuzz_write(const char *name, part p);
void fuzz_remove(const char *name);

/* Puts a part in front of what is behind it: writes its size; gives the place behind it. */
size_t put_part(uint8_t *data, size_t at, size_t size);

#endif
