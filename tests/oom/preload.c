/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LD_PRELOAD shim for allocations that no context sees: runs the program once for each allocation that comes from a
 * given library, and lets that one fail, and once more with all after it.
 *     OOM_LIB=libjansson OOM_POINTS=60 LD_PRELOAD=.../liboom.so cnnfreeze ...
 * OOM_LIB empty: whoever asks. Counted from main() on: what the loader and constructors of libraries need is theirs.
 * OOM_POINTS: how many are tried, evenly spread; 0: every one. Each run is a child, forked right before main().
 * Prints "<allocations> <runs> <bad runs>" and a line for each bad run: another exit code than 0 and 5, a signal, or a
 * failure without a word. Exit 0 when the program without a failure exits with 0.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

#define NOMEM_EXIT 5
#define SECONDS    60 /* of one run */

static long *calls, fail_at; /* *calls is shared with the children; NULL: nobody counts */
static int persist;
static const char *library;
static __thread int inside;

typedef int (*main_fn)(int argc, char **argv, char **environment);
static main_fn program;

/* ---- in the child ---- */

static int must_fail(const void *caller)
{
    if (inside || !calls) return 0;
    inside = 1;
    Dl_info info;
    int fail = 0;
    if (!*library || (dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, library))) {
        const long n = __atomic_add_fetch(calls, 1, __ATOMIC_RELAXED);
        fail = fail_at && (n == fail_at || (persist && n > fail_at));
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

/* ---- in the parent, which allocates nothing ---- */

/* One run; its status as waitpid() has it, and how many bytes of words it said. */
static int run(int words, long *said, int argc, char **argv, char **environment)
{
    int status = -1;
    if (ftruncate(words, 0) || lseek(words, 0, SEEK_SET)) return -1;
    const pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        const int nothing = memfd_create("stdout", 0);
        dup2(nothing, STDOUT_FILENO);
        dup2(words, STDERR_FILENO);
        static long counter;
        if (!calls) calls = &counter;
        exit(program(argc, argv, environment));
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    *said = (long)lseek(words, 0, SEEK_END);
    return status;
}

static int is_bad(int status, long said)
{
    if (!WIFEXITED(status)) return 1;
    return WEXITSTATUS(status) != 0 && (WEXITSTATUS(status) != NOMEM_EXIT || said == 0);
}

static void tell_bad(int words, int status)
{
    char text[200] = "";
    const ssize_t size = pread(words, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    dprintf(STDOUT_FILENO, "%s of %ld: %s %d: %s\n", persist ? "all from" : "number", fail_at,
            WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), text);
}

static int try_all(int argc, char **argv, char **environment)
{
    const char *points = getenv("OOM_POINTS");
    const long wanted = points ? atol(points) : 0;
    const int words = memfd_create("stderr", 0);
    long *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long said = 0, runs = 0, bad = 0;
    library = getenv("OOM_LIB");
    if (!library) library = "";
    if (shared == MAP_FAILED || words < 0) return 1;
    calls = shared;
    int status = run(words, &said, argc, argv, environment);
    const long total = *shared, step = wanted && total > wanted ? total / wanted : 1;
    if (status) tell_bad(words, status);
    for (fail_at = 1; !status && fail_at <= total; fail_at += step)
        for (persist = 0; persist < 2; persist++, runs++) {
            *shared = 0;
            const int ended = run(words, &said, argc, argv, environment);
            if (!is_bad(ended, said)) continue;
            bad++;
            tell_bad(words, ended);
        }
    dprintf(STDOUT_FILENO, "%ld %ld %ld\n", total, runs, bad);
    return status != 0;
}

/* Called when every library's constructors have run, right before main(). */
int __libc_start_main(main_fn started, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(main_fn started, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
    __typeof__(&__libc_start_main) real;
    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    program = started;
    return real(try_all, argc, argv, init, fini, rtld_fini, stack_end);
}
