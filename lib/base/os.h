/* SPDX-License-Identifier: Apache-2.0 */
/* The operating system: the only file that includes POSIX headers is os.c. */
#ifndef CNNFI_BASE_OS_H
#define CNNFI_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/context.h>

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
int cnnfi_os_open_temp(const char *beside, char *name, size_t name_size,
                       int *fd);     /* O_EXCL in the folder of `beside` */
int cnnfi_os_open_unlinked(int *fd); /* anonymous file in the temporary folder */
int cnnfi_os_rename(const char *from, const char *to);
int cnnfi_os_unlink(const char *path);
int cnnfi_os_fsync(int fd);
int cnnfi_os_fsync_folder(const char *path_in_folder);
int cnnfi_os_copy_mode(int fd, const char *existing); /* mode of the file it replaces, else the umask's */
void cnnfi_os_close(int fd);
bool cnnfi_os_is_folder(const char *path);
bool cnnfi_os_exists(const char *path);
/* Names in a folder, sorted, without "." and "..": one block of the context's, an array and its strings; free the
 * array. */
int cnnfi_os_list(cnnf_context *context, const char *path, char ***names, size_t *count);
/* strerror without the locale: "No such file or directory"; a general sentence for the rest. */
cnnf_status cnnfi_os_status(int code); /* of a failure: CNNF_E_NOMEM or CNNF_E_IO */
const char *cnnfi_os_error(int code);

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
uint64_t cnnfi_os_now_ns(void);    /* monotonic */

#endif
