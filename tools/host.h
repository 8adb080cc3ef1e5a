/* SPDX-License-Identifier: Apache-2.0 */
/* What the command asks of the operating system: host.c (POSIX), host_windows.c. Paths are UTF-8. */
#ifndef CLI_HOST_H
#define CLI_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* First in main(): arguments in UTF-8, streams that change no byte. */
void host_start(int *argc, char ***argv);
const char *host_name_of(const char *path); /* what follows the folder */
/* The name a command was called by, without folder and ".exe". */
const char *host_called_as(const char *path);

/* Calls `handler` for SIGINT, SIGTERM, SIGHUP, unless they are ignored; it may only do what a signal handler may. */
void host_catch_signals(void (*handler)(int));
void host_remove(const char *path);
_Noreturn void host_exit(int code); /* at once */

/* Which file a name stands for. */
typedef struct host_file {
    uint64_t device, inode, size;
} host_file;

bool host_is_file(const char *path, host_file *out); /* a regular one */
bool host_exists(const char *path);
FILE *host_open(const char *path);       /* to read, binary */
bool host_make_folder(const char *path); /* or there is one already; else errno */
const char *host_temporary_folder(void); /* the user's wish, NULL = none */
/* A copy of standard output; what is printed goes to standard error from now on. -1 on failure. */
int host_take_stdout(void);

bool host_stderr_is_terminal(void);
uint64_t host_now_ns(void);

#endif
