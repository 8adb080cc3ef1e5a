/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LD_PRELOAD shim for allocations that no context sees: fails the n-th one that comes from a given library.
 *     OOM_LIB=libjansson OOM_AT=17 [OOM_PERSIST=1] LD_PRELOAD=.../liboom.so cnnfreeze ...
 * OOM_LIB empty: whoever asks. Counted from main() on: what the loader and constructors of libraries need is theirs.
 * OOM_COUNT=FILE: writes how many there were.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

static long calls, fail_at = -1;
static int persist, in_main;
static const char *library;
static __thread int inside;

static void start(void)
{
    const char *at = getenv("OOM_AT");
    library = getenv("OOM_LIB");
    persist = getenv("OOM_PERSIST") != NULL;
    fail_at = at ? atol(at) : 0;
}

static int must_fail(const void *caller)
{
    if (inside || !in_main) return 0;
    inside = 1;
    if (fail_at < 0) start();
    Dl_info info;
    int fail = 0;
    if (library && dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, library)) {
        calls++;
        fail = fail_at && (calls == fail_at || (persist && calls > fail_at));
    }
    inside = 0;
    if (fail) errno = ENOMEM;
    return fail;
}

void *malloc(size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_realloc(pointer, size);
}

/* Called when every library's constructors have run, right before main(). */
int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    __typeof__(&__libc_start_main) real;
    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    in_main = 1;
    return real(program, argc, argv, init, fini, rtld_fini, stack_end);
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("OOM_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", calls);
    fclose(file);
}
