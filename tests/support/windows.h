/* SPDX-License-Identifier: Apache-2.0 */
/* What tests use of POSIX, on Windows. Files are binary, as everywhere else. */
#ifndef TEST_WINDOWS_H
#define TEST_WINDOWS_H

#include <direct.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((constructor, unused)) static void files_are_binary(void)
{
    _fmode = _O_BINARY;
}

static inline char *mkdtemp(char *pattern)
{
    return _mktemp(pattern) && _mkdir(pattern) == 0 ? pattern : NULL;
}

static inline int pread(int fd, void *data, unsigned size, long long offset)
{
    return _lseeki64(fd, offset, SEEK_SET) < 0 ? -1 : _read(fd, data, size);
}

static inline int pwrite(int fd, const void *data, size_t size, long long offset)
{
    return _lseeki64(fd, offset, SEEK_SET) < 0 ? -1 : _write(fd, data, (unsigned)size);
}

/* free() takes it; whole vectors are read one by one, so that malloc's alignment does. */
#define aligned_alloc(alignment, size) malloc(size)

#endif
