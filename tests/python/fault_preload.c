/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LD_PRELOAD shim that ends or disturbs a process at its n-th call which changes files.
 *     FAULT_AT=17 FAULT_SIGNAL=9  LD_PRELOAD=.../libfault.so cnnfreeze ...   the signal, before the call; a write is
 * half done FAULT_AT=17 FAULT_ERRNO=28  ...                                        the call fails FAULT_COUNT=FILE
 * writes how many there were
 */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS /* open() and open64() are two functions then */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static long calls, at = -1;
static int raised, code;

/* Whether this call is the one; a signal is raised here. */
static int hit(void)
{
    if (at < 0) {
        const char *text = getenv("FAULT_AT");
        at = text ? atol(text) : 0;
        text = getenv("FAULT_SIGNAL");
        raised = text ? atoi(text) : 0;
        text = getenv("FAULT_ERRNO");
        code = text ? atoi(text) : 0;
    }
    if (++calls != at) return 0;
    if (raised) raise(raised);
    errno = code;
    return code != 0;
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

#define SHIM(type, name, parameters, arguments)                                                                        \
    type name parameters                                                                                               \
    {                                                                                                                  \
        if (hit()) return -1;                                                                                          \
        type(*call) parameters;                                                                                        \
        *(void **)&call = real(#name);                                                                                 \
        return call arguments;                                                                                         \
    }

SHIM(int, rename, (const char *from, const char *to), (from, to))
SHIM(int, link, (const char *from, const char *to), (from, to))
SHIM(int, symlink, (const char *text, const char *path), (text, path))
SHIM(int, unlink, (const char *path), (path))
SHIM(int, rmdir, (const char *path), (path))
SHIM(int, mkdir, (const char *path, mode_t mode), (path, mode))
SHIM(int, fchmod, (int fd, mode_t mode), (fd, mode))

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*call)(int, const void *, size_t);
    *(void **)&call = real("write");
    if (fd <= STDERR_FILENO) return call(fd, data, size);
    if (at == calls + 1 && raised == SIGKILL) (void)!call(fd, data, size / 2);
    return hit() ? -1 : call(fd, data, size);
}

static int open_with(const char *name, const char *path, int flags, mode_t mode)
{
    int (*call)(const char *, int, ...);
    *(void **)&call = real(name);
    if ((flags & O_CREAT) && hit()) return -1;
    return call(path, flags, mode);
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(list, mode_t) : 0;                                \
        va_end(list);                                                                                                  \
        return open_with(#name, path, flags, mode);                                                                    \
    }

OPEN(open)
OPEN(open64)

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("FAULT_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", calls);
    fclose(file);
}
