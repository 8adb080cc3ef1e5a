/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/context.h"

/* ---- files ---- */

static void fill_id(cnnfi_file_id *id, const struct stat *st)
{
    *id = (cnnfi_file_id){.device = (uint64_t)st->st_dev, .inode = (uint64_t)st->st_ino, .size = (uint64_t)st->st_size};
#ifdef __APPLE__
    id->mtime_sec = st->st_mtimespec.tv_sec;
    id->mtime_nsec = st->st_mtimespec.tv_nsec;
#else
    id->mtime_sec = st->st_mtim.tv_sec;
    id->mtime_nsec = st->st_mtim.tv_nsec;
#endif
}

int cnnfi_os_open_read(const char *path, int *fd, cnnfi_file_id *id)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    const int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (opened < 0) return errno;
    struct stat st;
    int code = fstat(opened, &st) ? errno : 0;
    if (!code && S_ISDIR(st.st_mode)) code = EISDIR;
    if (!code && !S_ISREG(st.st_mode)) code = EINVAL;
    if (code) {
        close(opened);
        return code;
    }
    fill_id(id, &st);
    *fd = opened;
    return 0;
}

int cnnfi_os_stat_fd(int fd, cnnfi_file_id *id)
{
    struct stat st;
    if (fstat(fd, &st)) return errno;
    fill_id(id, &st);
    return 0;
}

int cnnfi_os_pread(int fd, void *data, size_t size, uint64_t offset, size_t *got)
{
    *got = 0;
    while (*got < size) {
        const ssize_t n = pread(fd, (char *)data + *got, size - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) break;
        *got += (size_t)n;
    }
    return 0;
}

int cnnfi_os_write(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size) {
        const ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int cnnfi_os_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
    const char *p = data;
    while (size) {
        const ssize_t n = pwrite(fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

#define TEMP_TRIES 100

int cnnfi_os_open_temp(const char *beside, char *name, size_t name_size, int *fd)
{
    const char *slash = strrchr(beside, '/');
    const int folder = slash ? (int)(slash - beside) + 1 : 0;
    for (unsigned i = 0; i < TEMP_TRIES; i++) {
        const unsigned long long salt = cnnfi_os_now_ns() ^ ((unsigned long long)getpid() << 32) ^ i;
        const int n = snprintf(name, name_size, "%.*s.cnnfreeze-%llx.tmp", folder, beside, salt);
        if (n < 0 || (size_t)n >= name_size) return ENAMETOOLONG;
        *fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0) return 0;
        if (errno != EEXIST) return errno;
    }
    return EEXIST;
}

int cnnfi_os_open_unlinked(int *fd)
{
    char name[64];
    const int code = cnnfi_os_open_temp("/tmp/", name, sizeof name, fd);
    if (code) return code;
    if (unlink(name) == 0) return 0;
    const int failed = errno;
    close(*fd);
    return failed;
}

int cnnfi_os_rename(const char *from, const char *to)
{
    return rename(from, to) ? errno : 0;
}

int cnnfi_os_unlink(const char *path)
{
    return unlink(path) ? errno : 0;
}

int cnnfi_os_fsync(int fd)
{
    return fsync(fd) ? errno : 0;
}

int cnnfi_os_fsync_folder(const char *path_in_folder)
{
    char folder[4096];
    const char *slash = strrchr(path_in_folder, '/');
    const size_t length = slash ? (size_t)(slash - path_in_folder) : 0;
    if (length >= sizeof folder) return ENAMETOOLONG;
    memcpy(folder, path_in_folder, length);
    folder[length] = '\0';
    const int fd = open(!slash ? "." : length ? folder : "/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0) return errno;
    const int code = fsync(fd) ? errno : 0;
    close(fd);
    return code;
}

int cnnfi_os_copy_mode(int fd, const char *existing)
{
    struct stat st;
    if (stat(existing, &st)) return 0;
    return fchmod(fd, st.st_mode & 0777) ? errno : 0;
}

void cnnfi_os_close(int fd)
{
    close(fd);
}

bool cnnfi_os_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool cnnfi_os_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* Adds a name to an array of pointers into `text`, offsets for now: text may still move. */
static bool list_add(cnnf_context *context, char **text, size_t *size, size_t *capacity, const char *name)
{
    const size_t length = strlen(name) + 1;
    while (*size + length > *capacity) {
        if (!cnnfi_grow(context, (void **)text, capacity, *capacity, 1)) return false;
    }
    memcpy(*text + *size, name, length);
    *size += length;
    return true;
}

static void sort_names(char **names, size_t count)
{
    /* Shell sort: short lists, no recursion, no libc comparator that could be a locale's. */
    for (size_t gap = count / 2; gap; gap /= 2) {
        for (size_t i = gap; i < count; i++) {
            char *name = names[i];
            size_t j = i;
            for (; j >= gap && strcmp(names[j - gap], name) > 0; j -= gap)
                names[j] = names[j - gap];
            names[j] = name;
        }
    }
}

/* One block: the pointers, then the strings. */
static int list_pack(cnnf_context *context, const char *text, size_t size, size_t count, char ***names)
{
    size_t bytes;
    if (!cnnfi_mul_size(&bytes, count, sizeof(char *)) || !cnnfi_add_size(&bytes, bytes, size)) return ENOMEM;
    char **array = cnnfi_malloc(context, bytes);
    if (!array) return ENOMEM;
    char *strings = (char *)(array + count);
    if (size) memcpy(strings, text, size);
    for (size_t i = 0; i < count; i++) {
        array[i] = strings;
        strings += strlen(strings) + 1;
    }
    sort_names(array, count);
    *names = array;
    return 0;
}

int cnnfi_os_list(cnnf_context *context, const char *path, char ***names, size_t *count)
{
    *names = NULL;
    *count = 0;
    DIR *folder = opendir(path);
    if (!folder) return errno;
    char *text = NULL;
    size_t size = 0, capacity = 0, found = 0;
    int code = 0;
    const uint64_t limit = cnnfi_limit(context, CNNF_LIMIT_ENTRIES);
    for (const struct dirent *entry; !code && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (found >= limit)
            code = EFBIG;
        else if (!list_add(context, &text, &size, &capacity, entry->d_name))
            code = ENOMEM;
        else
            found++;
    }
    closedir(folder);
    if (!code) code = list_pack(context, text, size, found, names);
    if (!code) *count = found;
    cnnfi_free(context, text);
    return code;
}

cnnf_status cnnfi_os_status(int code)
{
    return code == ENOMEM ? CNNF_E_NOMEM : CNNF_E_IO;
}

static const struct {
    int code;
    const char *text;
} errors[] = {
    {ENOENT, "No such file or directory"},
    {EACCES, "Permission denied"},
    {EISDIR, "Is a directory"},
    {ENOTDIR, "Not a directory"},
    {EINVAL, "not a regular file"},
    {ENOSPC, "No space left on device"},
    {EIO, "Input/output error"},
    {EEXIST, "File exists"},
    {EMFILE, "Too many open files"},
    {ENFILE, "Too many open files in system"},
    {EROFS, "Read-only file system"},
    {ENAMETOOLONG, "File name too long"},
    {EFBIG, "File too large"},
    {ELOOP, "Too many levels of symbolic links"},
    {EPERM, "Operation not permitted"},
    {EDQUOT, "Disk quota exceeded"},
    {ENOMEM, "Cannot allocate memory"},
    {EBUSY, "Device or resource busy"},
    {EXDEV, "Invalid cross-device link"},
    {EPIPE, "Broken pipe"},
};

const char *cnnfi_os_error(int code)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i].code == code) return errors[i].text;
    }
    return "the operating system refused";
}

/* ---- threads ---- */

struct cnnfi_mutex {
    pthread_mutex_t native;
};

struct cnnfi_cond {
    pthread_cond_t native;
};

struct cnnfi_thread {
    pthread_t native;
    void (*run)(void *);
    void *user;
};

cnnfi_mutex *cnnfi_mutex_new(cnnf_context *context)
{
    cnnfi_mutex *mutex = cnnfi_malloc(context, sizeof *mutex);
    if (mutex && pthread_mutex_init(&mutex->native, NULL)) {
        cnnfi_free(context, mutex);
        return NULL;
    }
    return mutex;
}

void cnnfi_mutex_free(cnnf_context *context, cnnfi_mutex *mutex)
{
    if (!mutex) return;
    pthread_mutex_destroy(&mutex->native);
    cnnfi_free(context, mutex);
}

void cnnfi_mutex_lock(cnnfi_mutex *mutex)
{
    pthread_mutex_lock(&mutex->native);
}

void cnnfi_mutex_unlock(cnnfi_mutex *mutex)
{
    pthread_mutex_unlock(&mutex->native);
}

cnnfi_cond *cnnfi_cond_new(cnnf_context *context)
{
    cnnfi_cond *cond = cnnfi_malloc(context, sizeof *cond);
    if (cond && pthread_cond_init(&cond->native, NULL)) {
        cnnfi_free(context, cond);
        return NULL;
    }
    return cond;
}

void cnnfi_cond_free(cnnf_context *context, cnnfi_cond *cond)
{
    if (!cond) return;
    pthread_cond_destroy(&cond->native);
    cnnfi_free(context, cond);
}

void cnnfi_cond_wait(cnnfi_cond *cond, cnnfi_mutex *mutex)
{
    pthread_cond_wait(&cond->native, &mutex->native);
}

void cnnfi_cond_signal(cnnfi_cond *cond)
{
    pthread_cond_signal(&cond->native);
}

void cnnfi_cond_broadcast(cnnfi_cond *cond)
{
    pthread_cond_broadcast(&cond->native);
}

static void *thread_main(void *user)
{
    struct cnnfi_thread *thread = user;
    thread->run(thread->user);
    return NULL;
}

/* Signals are the host's: none may be delivered on a thread it does not know. */
cnnfi_thread *cnnfi_thread_start(cnnf_context *context, void (*run)(void *), void *user)
{
    cnnfi_thread *thread = cnnfi_malloc(context, sizeof *thread);
    if (!thread) return NULL;
    thread->run = run;
    thread->user = user;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const int code = pthread_create(&thread->native, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code) {
        cnnfi_free(context, thread);
        return NULL;
    }
    return thread;
}

void cnnfi_thread_join(cnnf_context *context, cnnfi_thread *thread)
{
    if (!thread) return;
    pthread_join(thread->native, NULL);
    cnnfi_free(context, thread);
}

/* HDF5 has process-wide state of its own, so its lock must be process-wide too. */
static pthread_mutex_t hdf5_mutex = PTHREAD_MUTEX_INITIALIZER;

void cnnfi_os_hdf5_lock(void)
{
    pthread_mutex_lock(&hdf5_mutex);
}

void cnnfi_os_hdf5_unlock(void)
{
    pthread_mutex_unlock(&hdf5_mutex);
}

uint64_t cnnfi_os_thread_id(void)
{
    return (uint64_t)(uintptr_t)pthread_self();
}

int64_t cnnfi_os_pid(void)
{
    return (int64_t)getpid();
}

int32_t cnnfi_os_processors(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n < 4096 ? (int32_t)n : 1;
}

uint64_t cnnfi_os_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
