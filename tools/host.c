/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void host_start(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
}

const char *host_name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *host_called_as(const char *path)
{
    return host_name_of(path);
}

void host_catch_signals(void (*handler)(int))
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = handler}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        sigaddset(&action.sa_mask, ending[i]);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        /* nohup and background jobs have them ignored already. */
        if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(ending[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void host_remove(const char *path)
{
    unlink(path);
}

void host_exit(int code)
{
    _exit(code);
}

bool host_is_file(const char *path, host_file *out)
{
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) return false;
    *out = (host_file){(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size};
    return true;
}

bool host_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

FILE *host_open(const char *path)
{
    return fopen(path, "rb");
}

bool host_make_folder(const char *path)
{
    return !mkdir(path, 0777) || errno == EEXIST;
}

const char *host_temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : NULL;
}

int host_take_stdout(void)
{
    const int copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return copy >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 ? copy : -1;
}

bool host_stderr_is_terminal(void)
{
    return isatty(STDERR_FILENO) != 0;
}

uint64_t host_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
