/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operating system: os.c (POSIX) and os_windows.c are the only files with system calls. Paths are UTF-8 everywhere.
 */
#ifndef CNNFI_BASE_OS_H
#define CNNFI_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/context.h>

#include "base/machine.h"

/* ---- files ---- */

typedef struct cnnfi_file_id {
    uint64_t device, inode, size;
    int64_t mtime_sec, mtime_nsec;
} cnnfi_file_id;

/* 0 or a positive errno; no message here, callers know the path. */
int cnnfi_os_open_read(const char *path, int *fd, cnnfi_file_id *id); /* regular files only: else EINVAL, EISDIR */
int cnnfi_os_stat_fd(int fd, cnnfi_file_id *id);
int cnnfi_os_pread(int fd, void *data, size_t size, uint64_t offset, size_t *got); /* loops; *got < size at the end */
int cnnfi_os_write(int fd, const void *data, size_t size);                         /* loops */
int cnnfi_os_pwrite(int fd, const void *data, size_t size, uint64_t offset);
int cnnfi_os_open_unlinked(const char *folder, int *fd); /* anonymous file, 0600 */
int cnnfi_os_rename(const char *from, const char *to);
int cnnfi_os_unlink(const char *path);
int cnnfi_os_fsync(int fd);
int cnnfi_os_fsync_folder(const char *folder);
void cnnfi_os_close(int fd);
bool cnnfi_os_is_folder(const char *path);
bool cnnfi_os_exists(const char *path);
/* Names in a folder, sorted, without "." and "..": one block of the context's, an array and its strings; free the
 * array. */
int cnnfi_os_list(cnnf_context *context, const char *path, char ***names, size_t *count);
/* Those that start so. */
int cnnfi_os_list_starting(cnnf_context *context, const char *path, const char *start, char ***names, size_t *count);
int cnnfi_os_read_link(cnnf_context *context, const char *path, char **target); /* new */
/* strerror without the locale: "No such file or directory"; a general sentence for the rest. */
cnnf_status cnnfi_os_status(int code); /* of a failure: CNNF_E_NOMEM or CNNF_E_IO */
const char *cnnfi_os_error(int code);
int cnnfi_os_no_memory(void);           /* ENOMEM */
bool cnnfi_os_is_absent(int code);      /* no such file */
bool cnnfi_os_is_taken(int code);       /* the name is in use */
bool cnnfi_os_is_unsupported(int code); /* links that this file system or user may not make */

/* ---- outputs ---- */

/* Where the bytes for a path go. */
typedef struct cnnfi_output {
    char *name;    /* the path, links followed: what is replaced; new, also after a failure */
    int fd;        /* >= 0: a device, pipe or open descriptor, which is written through and never replaced */
    bool exists;   /* a regular file does */
    uint32_t mode; /* its permissions */
} cnnfi_output;

int cnnfi_os_output_open(cnnf_context *context, const char *path, cnnfi_output *out);

/* ---- temporary files: 0600, locked as long as their process lives ---- */

int cnnfi_os_temp_create(const char *name, int *fd);   /* EEXIST: try another name */
int cnnfi_os_folder_create(const char *name, int *fd); /* the same for a folder */
/* Opens and locks what process `pid` made when that process is dead; else a code. */
int cnnfi_os_stale_open(const char *name, int64_t pid, int *fd);
/* The permissions that a new file in `folder` gets; `probe` may be made for a moment. (umask() is the process's.) */
int cnnfi_os_new_mode(const char *folder, const char *probe, uint32_t *mode);
int cnnfi_os_chmod(int fd, uint32_t mode);
int cnnfi_os_settle(int fd); /* failures that close() would report */
int cnnfi_os_link(const char *from, const char *to);
int cnnfi_os_symlink(const char *text, const char *name);
int cnnfi_os_make_folder(const char *name);
int cnnfi_os_remove_folder(const char *name);

/* No signal reaches the calling thread in between: a few renames that belong together. */
typedef struct cnnfi_signals {
    uint64_t room[16];
} cnnfi_signals;

void cnnfi_os_hold_signals(cnnfi_signals *before);
void cnnfi_os_release_signals(const cnnfi_signals *before);

/* ---- threads ---- */

typedef struct cnnfi_mutex cnnfi_mutex;
typedef struct cnnfi_cond cnnfi_cond;
typedef struct cnnfi_thread cnnfi_thread;

cnnfi_mutex *cnnfi_mutex_new(cnnf_context *context); /* NULL = no memory */
void cnnfi_mutex_free(cnnf_context *context, cnnfi_mutex *mutex);
void cnnfi_mutex_lock(cnnfi_mutex *mutex);
void cnnfi_mutex_unlock(cnnfi_mutex *mutex);
cnnfi_cond *cnnfi_cond_new(cnnf_context *context);
void cnnfi_cond_free(cnnf_context *context, cnnfi_cond *cond);
void cnnfi_cond_wait(cnnfi_cond *cond, cnnfi_mutex *mutex);
void cnnfi_cond_signal(cnnfi_cond *cond);
void cnnfi_cond_broadcast(cnnfi_cond *cond);
/* A thread with all signals blocked; NULL = could not start. */
cnnfi_thread *cnnfi_thread_start(cnnf_context *context, void (*run)(void *), void *user);
void cnnfi_thread_join(cnnf_context *context, cnnfi_thread *thread);
/* The one process-wide lock (HDF5 is not thread-safe everywhere); statically initialised. */
void cnnfi_os_hdf5_lock(void);
void cnnfi_os_hdf5_unlock(void);

int64_t cnnfi_os_pid(void);
uint64_t cnnfi_os_thread_id(void); /* of the calling thread, to compare */
int32_t cnnfi_os_processors(void); /* those this process may use, >= 1 */
bool cnnfi_os_has_arm_crc32(void); /* the crc instructions of ARMv8.1 */
uint64_t cnnfi_os_now_ns(void);    /* monotonic */

#endif
