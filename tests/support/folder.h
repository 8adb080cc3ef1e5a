/* SPDX-License-Identifier: Apache-2.0 */
/* Files in a folder of a test's own: made, read, changed, removed. */
#ifndef FOLDER_H
#define FOLDER_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static char folder[64];

static inline void folder_make(void)
{
    strcpy(folder, "/tmp/cnnfreeze-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline const char *folder_path(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* A folder with what is in it. */
static inline void tree_remove(const char *path)
{
    DIR *dir = opendir(path);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        char inside[1024];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        ck_assert_int_lt(snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name), (int)sizeof inside);
        if (unlink(inside)) tree_remove(inside);
    }
    if (dir) closedir(dir);
    rmdir(path);
}

static inline void folder_remove(void)
{
    tree_remove(folder);
}

/* The bytes of a file; freed with free(). */
static inline uint8_t *file_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size + 1);
    ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static inline void file_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_msg(file != NULL, "%s", path);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static inline void file_copy(const char *from, const char *to)
{
    size_t size;
    uint8_t *bytes = file_read(from, &size);
    file_write(to, bytes, size);
    free(bytes);
}

#endif
