/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows 10. Descriptors are the C runtime's, over handles that we open by wide names. Every file is opened so that it
 * may be renamed and deleted while it is open, as on other systems. There are no links that every user may make: a set
 * of files is replaced one by one (replace.c).
 */
#define WIN32_LEAN_AND_MEAN
#include "base/os_common.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <io.h>
#include <process.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "base/context.h"
#include "base/path.h"

/* ---- codes ---- */

static const struct {
    DWORD windows;
    int code;
} codes[] = {
    {ERROR_FILE_NOT_FOUND, ENOENT},
    {ERROR_PATH_NOT_FOUND, ENOENT},
    {ERROR_INVALID_DRIVE, ENOENT},
    {ERROR_BAD_NETPATH, ENOENT},
    {ERROR_BAD_NET_NAME, ENOENT},
    {ERROR_INVALID_NAME, ENOENT},
    {ERROR_BAD_PATHNAME, ENOENT},
    {ERROR_ACCESS_DENIED, EACCES},
    {ERROR_SHARING_VIOLATION, EBUSY},
    {ERROR_LOCK_VIOLATION, EBUSY},
    {ERROR_DELETE_PENDING, EBUSY},
    {ERROR_FILE_EXISTS, EEXIST},
    {ERROR_ALREADY_EXISTS, EEXIST},
    {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
    {ERROR_DIRECTORY, ENOTDIR},
    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
    {ERROR_OUTOFMEMORY, ENOMEM},
    {ERROR_COMMITMENT_LIMIT, ENOMEM},
    {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
    {ERROR_HANDLE_DISK_FULL, ENOSPC},
    {ERROR_DISK_FULL, ENOSPC},
    {ERROR_WRITE_PROTECT, EROFS},
    {ERROR_NOT_SAME_DEVICE, EXDEV},
    {ERROR_BROKEN_PIPE, EPIPE},
    {ERROR_NO_DATA, EPIPE},
    {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
    {ERROR_INSUFFICIENT_BUFFER, ENAMETOOLONG},
    {ERROR_NO_UNICODE_TRANSLATION, EILSEQ},
    {ERROR_INVALID_FUNCTION, ENOTSUP},
    {ERROR_NOT_SUPPORTED, ENOTSUP},
    {ERROR_TOO_MANY_LINKS, EMLINK},
    {ERROR_INVALID_HANDLE, EBADF},
};

static int code_of(DWORD error)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].windows == error) return codes[i].code;
    }
    return EIO;
}

static int last_code(void)
{
    return code_of(GetLastError());
}

static int check(BOOL done)
{
    return done ? 0 : last_code();
}

/* ---- names ---- */

#define LONGEST     4096 /* of a name, in UTF-16 units */
#define SHORT_NAMES 240  /* longer ones need the prefix that takes Windows' limit of 260 away */
#define SHARED      (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

typedef struct wide {
    wchar_t text[LONGEST + 8];
} wide;

/* \\?\C:\... and \\?\UNC\server\...: only whole names, with backslashes. */
static int lengthen(wide *name)
{
    static const wchar_t drive[] = L"\\\\?\\", network[] = L"\\\\?\\UNC";
    wchar_t full[LONGEST];
    const DWORD length = GetFullPathNameW(name->text, LONGEST, full, NULL);
    if (!length) return last_code();
    if (length >= LONGEST) return ENAMETOOLONG;
    const bool is_network = full[0] == L'\\' && full[1] == L'\\';
    const wchar_t *rest = is_network ? full + 1 : full;
    wcscpy(name->text, is_network ? network : drive);
    wcscat(name->text, rest);
    return 0;
}

static int widen(wide *out, const char *path)
{
    const int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, out->text, LONGEST);
    if (length <= 0) return last_code();
    if (length == 1) return ENOENT;
    const bool prefixed = wcsncmp(out->text, L"\\\\?\\", 4) == 0 || wcsncmp(out->text, L"\\\\.\\", 4) == 0;
    return length > SHORT_NAMES && !prefixed ? lengthen(out) : 0;
}

/* new, or NULL */
static char *narrow(cnnf_context *context, const wchar_t *text)
{
    const int size = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, -1, NULL, 0, NULL, NULL);
    char *out = size > 0 ? cnnfi_malloc(context, (size_t)size) : NULL;
    if (out) WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, -1, out, size, NULL, NULL);
    return out;
}

/* ---- handles ---- */

/* INVALID_HANDLE_VALUE and a code on failure. Folders open, too. */
static int open_handle(HANDLE *out, const char *path, DWORD access, DWORD share, DWORD how, DWORD flags)
{
    wide name;
    *out = INVALID_HANDLE_VALUE;
    const int code = widen(&name, path);
    if (code) return code;
    *out = CreateFileW(name.text, access, share, NULL, how, flags | FILE_FLAG_BACKUP_SEMANTICS, NULL);
    return *out == INVALID_HANDLE_VALUE ? last_code() : 0;
}

/* Takes the handle, also on failure. */
static int take_handle(HANDLE handle, int flags, int *fd)
{
    *fd = _open_osfhandle((intptr_t)handle, flags | _O_BINARY | _O_NOINHERIT);
    if (*fd >= 0) return 0;
    CloseHandle(handle);
    return EMFILE;
}

static HANDLE handle_of(int fd)
{
    return (HANDLE)_get_osfhandle(fd);
}

static uint64_t joined(DWORD high, DWORD low)
{
    return (uint64_t)high << 32 | low;
}

#define TICKS_PER_SECOND 10000000 /* FILETIME's */

static int identify(HANDLE handle, cnnfi_file_id *id, DWORD *attributes)
{
    BY_HANDLE_FILE_INFORMATION info;
    if (!GetFileInformationByHandle(handle, &info)) return last_code();
    const uint64_t ticks = joined(info.ftLastWriteTime.dwHighDateTime, info.ftLastWriteTime.dwLowDateTime);
    *id = (cnnfi_file_id){.device = info.dwVolumeSerialNumber,
                          .inode = joined(info.nFileIndexHigh, info.nFileIndexLow),
                          .size = joined(info.nFileSizeHigh, info.nFileSizeLow),
                          .mtime_sec = (int64_t)(ticks / TICKS_PER_SECOND),
                          .mtime_nsec = (int64_t)(ticks % TICKS_PER_SECOND * 100)};
    if (attributes) *attributes = info.dwFileAttributes;
    return 0;
}

/* ---- files ---- */

int cnnfi_os_open_read(const char *path, int *fd, cnnfi_file_id *id)
{
    HANDLE handle;
    DWORD attributes = 0;
    int code = open_handle(&handle, path, GENERIC_READ, SHARED, OPEN_EXISTING, 0);
    if (code) return cnnfi_os_is_folder(path) ? EISDIR : code;
    if (GetFileType(handle) != FILE_TYPE_DISK) code = EINVAL;
    if (!code) code = identify(handle, id, &attributes);
    if (!code && attributes & FILE_ATTRIBUTE_DIRECTORY) code = EISDIR;
    if (!code) return take_handle(handle, _O_RDONLY, fd);
    CloseHandle(handle);
    return code;
}

int cnnfi_os_stat_fd(int fd, cnnfi_file_id *id)
{
    return identify(handle_of(fd), id, NULL);
}

#define MOST_AT_ONCE ((size_t)1 << 30)

static DWORD piece(size_t size)
{
    return (DWORD)(size < MOST_AT_ONCE ? size : MOST_AT_ONCE);
}

static OVERLAPPED place(uint64_t offset)
{
    OVERLAPPED at;
    memset(&at, 0, sizeof at);
    at.Offset = (DWORD)offset;
    at.OffsetHigh = (DWORD)(offset >> 32);
    return at;
}

int cnnfi_os_pread(int fd, void *data, size_t size, uint64_t offset, size_t *got)
{
    *got = 0;
    while (*got < size) {
        DWORD n = 0;
        OVERLAPPED at = place(offset + *got);
        if (!ReadFile(handle_of(fd), (char *)data + *got, piece(size - *got), &n, &at)) {
            if (GetLastError() == ERROR_HANDLE_EOF) break;
            return last_code();
        }
        if (n == 0) break;
        *got += n;
    }
    return 0;
}

/* `offset`: NULL = where the file stands. */
static int write_all(int fd, const void *data, size_t size, const uint64_t *offset)
{
    for (size_t done = 0; done < size;) {
        DWORD n = 0;
        OVERLAPPED at = place(offset ? *offset + done : 0);
        if (!WriteFile(handle_of(fd), (const char *)data + done, piece(size - done), &n, offset ? &at : NULL))
            return last_code();
        done += n;
    }
    return 0;
}

int cnnfi_os_write(int fd, const void *data, size_t size)
{
    return write_all(fd, data, size, NULL);
}

int cnnfi_os_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
    return write_all(fd, data, size, &offset);
}

#define NAME_TRIES 100

int cnnfi_os_open_unlinked(const char *folder, int *fd)
{
    int code = 0;
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        char name[LONGEST];
        HANDLE handle;
        const int n = snprintf(name, sizeof name, "%s/.cnnfreeze-%" PRId64 "-%" PRIx64 ".%u", folder, cnnfi_os_pid(),
                               cnnfi_os_now_ns(), i);
        if (n < 0 || (size_t)n >= sizeof name) return ENAMETOOLONG;
        code = open_handle(&handle, name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_DELETE, CREATE_NEW,
                           FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE);
        if (!code) return take_handle(handle, _O_RDWR, fd);
        if (code != EEXIST) return code;
    }
    return code;
}

int cnnfi_os_temporary_folder(char *path, size_t size)
{
    wchar_t text[MAX_PATH + 2];
    const DWORD length = GetTempPathW(MAX_PATH + 1, text);
    if (length == 0) return last_code();
    if (length > MAX_PATH) return ENAMETOOLONG;
    return WideCharToMultiByte(CP_UTF8, 0, text, -1, path, (int)size, NULL, NULL) > 0 ? 0 : last_code();
}

#define RENAME_INFO_EX ((FILE_INFO_BY_HANDLE_CLASS)22) /* FileRenameInfoEx; older headers lack it */

/* Since Windows 10 a name can move over one that somebody reads; he keeps what he opened. */
static int rename_like_posix(HANDLE handle, const wide *to)
{
    union {
        FILE_RENAME_INFO info;
        char room[sizeof(FILE_RENAME_INFO) + sizeof(wide)];
    } order;
    const size_t length = wcslen(to->text);
    memset(&order.info, 0, sizeof order.info);
    order.info.Flags = FILE_RENAME_FLAG_REPLACE_IF_EXISTS | FILE_RENAME_FLAG_POSIX_SEMANTICS;
    order.info.FileNameLength = (DWORD)(length * sizeof(wchar_t));
    memcpy(order.info.FileName, to->text, (length + 1) * sizeof(wchar_t));
    return check(SetFileInformationByHandle(handle, RENAME_INFO_EX, &order, (DWORD)sizeof order));
}

#define RENAME_TRIES 10 /* somebody looks at a new file for a moment: virus scanners, indexers */

int cnnfi_os_rename(const char *from, const char *to)
{
    wide old, new;
    HANDLE handle;
    int code = widen(&old, from);
    if (!code) code = widen(&new, to);
    if (!code) code = lengthen(&new);
    if (!code)
        code = open_handle(&handle, from, DELETE | SYNCHRONIZE, SHARED, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT);
    if (code) return code;
    code = rename_like_posix(handle, &new);
    CloseHandle(handle);
    for (int i = 0; code && i < RENAME_TRIES; i++) {
        code = check(MoveFileExW(old.text, new.text, MOVEFILE_REPLACE_EXISTING));
        if (code != EBUSY && code != EACCES) break;
        if (cnnfi_os_is_folder(to)) return EISDIR;
        if (code) Sleep(10);
    }
    return code;
}

int cnnfi_os_unlink(const char *path)
{
    wide name;
    const int code = widen(&name, path);
    return code ? code : check(DeleteFileW(name.text));
}

int cnnfi_os_fsync(int fd)
{
    return check(FlushFileBuffers(handle_of(fd)));
}

/* The file system's journal keeps names in order; there is no call to wait for it. */
int cnnfi_os_fsync_folder(const char *folder)
{
    return cnnfi_os_is_folder(folder) ? 0 : ENOTDIR;
}

void cnnfi_os_close(int fd)
{
    _close(fd);
}

static DWORD attributes_of(const char *path)
{
    wide name;
    return widen(&name, path) ? INVALID_FILE_ATTRIBUTES : GetFileAttributesW(name.text);
}

bool cnnfi_os_is_folder(const char *path)
{
    const DWORD attributes = attributes_of(path);
    return attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_DIRECTORY;
}

bool cnnfi_os_exists(const char *path)
{
    return attributes_of(path) != INVALID_FILE_ATTRIBUTES;
}

/* Names that are no Unicode (lone surrogates) cannot be told, and are passed over. */
static int add_found(cnnfi_name_list *list, cnnf_context *context, const wchar_t *found, const char *start)
{
    char name[4 * MAX_PATH];
    if (WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, found, -1, name, sizeof name, NULL, NULL) <= 0) return 0;
    return cnnfi_name_list_add(list, context, name, start);
}

int cnnfi_os_list_starting(cnnf_context *context, const char *path, const char *start, char ***names, size_t *count)
{
    wide pattern;
    WIN32_FIND_DATAW found;
    cnnfi_name_list list = {NULL};
    *names = NULL;
    *count = 0;
    int code = widen(&pattern, path);
    if (code) return code;
    if (!cnnfi_os_is_folder(path)) return cnnfi_os_exists(path) ? ENOTDIR : ENOENT;
    if (wcslen(pattern.text) + 3 > LONGEST) return ENAMETOOLONG;
    wcscat(pattern.text, L"\\*");
    const HANDLE search = FindFirstFileW(pattern.text, &found);
    if (search == INVALID_HANDLE_VALUE) return last_code();
    do
        code = add_found(&list, context, found.cFileName, start);
    while (!code && FindNextFileW(search, &found));
    FindClose(search);
    return cnnfi_name_list_finish(&list, context, code, names, count);
}

/* No link of ours is ever made. */
int cnnfi_os_read_link(cnnf_context *context, const char *path, char **target)
{
    (void)context;
    *target = NULL;
    return cnnfi_os_exists(path) ? EINVAL : ENOENT;
}

/* ---- outputs ---- */

/* Where a link leads. */
static int follow(cnnf_context *context, HANDLE handle, char **name)
{
    wide target;
    const DWORD length = GetFinalPathNameByHandleW(handle, target.text, LONGEST, 0);
    if (length == 0) return last_code();
    if (length >= LONGEST) return ENAMETOOLONG;
    char *found = narrow(context, target.text);
    if (!found) return ENOMEM;
    cnnfi_free(context, *name);
    *name = found;
    return 0;
}

/* What is there decides: a folder, a device, a file. */
static int output_found(cnnf_context *context, HANDLE handle, cnnfi_output *out)
{
    cnnfi_file_id id;
    DWORD attributes = 0;
    HANDLE device;
    if (GetFileType(handle) != FILE_TYPE_DISK) {
        const int code = open_handle(&device, out->name, GENERIC_WRITE, SHARED, OPEN_EXISTING, 0);
        return code ? code : take_handle(device, _O_WRONLY, &out->fd);
    }
    const int code = identify(handle, &id, &attributes);
    if (code) return code;
    if (attributes & FILE_ATTRIBUTE_DIRECTORY) return EISDIR;
    out->exists = true;
    out->mode = attributes & FILE_ATTRIBUTE_READONLY ? 0444 : 0666;
    return attributes_of(out->name) & FILE_ATTRIBUTE_REPARSE_POINT ? follow(context, handle, &out->name) : 0;
}

static int duplicate(int from, int *fd)
{
    HANDLE copy, self = GetCurrentProcess();
    const HANDLE handle = handle_of(from);
    if (handle == INVALID_HANDLE_VALUE) return EBADF;
    if (!DuplicateHandle(self, handle, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) return last_code();
    return take_handle(copy, _O_WRONLY, fd);
}

int cnnfi_os_output_open(cnnf_context *context, const char *path, cnnfi_output *out)
{
    HANDLE handle;
    *out = (cnnfi_output){.fd = -1, .name = cnnfi_strdup(context, path)};
    if (!out->name) return ENOMEM;
    const int known = cnnfi_os_descriptor_named(path);
    if (known >= 0) return duplicate(known, &out->fd);
    int code = open_handle(&handle, path, FILE_READ_ATTRIBUTES, SHARED, OPEN_EXISTING, 0);
    if (code) return code == ENOENT ? 0 : code;
    code = output_found(context, handle, out);
    CloseHandle(handle);
    return code;
}

/* ---- temporary files ---- */

/* The lock: its maker alone may write, and somebody who asks to write learns that he lives. */
#define LOCKED (FILE_SHARE_READ | FILE_SHARE_DELETE)

int cnnfi_os_temp_create(const char *name, int *fd)
{
    HANDLE handle;
    *fd = -1;
    const int code =
        open_handle(&handle, name, GENERIC_READ | GENERIC_WRITE, LOCKED, CREATE_NEW, FILE_ATTRIBUTE_NORMAL);
    return code ? code : take_handle(handle, _O_RDWR, fd);
}

int cnnfi_os_folder_create(const char *name, int *fd)
{
    HANDLE handle;
    *fd = -1;
    int code = cnnfi_os_make_folder(name);
    if (code) return code;
    code = open_handle(&handle, name, FILE_LIST_DIRECTORY | FILE_ADD_FILE | SYNCHRONIZE, LOCKED, OPEN_EXISTING, 0);
    if (!code) code = take_handle(handle, _O_RDONLY, fd);
    if (code) cnnfi_os_remove_folder(name);
    return code;
}

static bool is_dead(int64_t pid)
{
    DWORD state = STILL_ACTIVE;
    if (pid <= 0 || pid > UINT32_MAX) return true;
    const HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
    if (!process) return GetLastError() == ERROR_INVALID_PARAMETER;
    GetExitCodeProcess(process, &state);
    CloseHandle(process);
    return state != STILL_ACTIVE;
}

#define OLD_SECONDS 3600 /* pids are reused */

int cnnfi_os_stale_open(const char *name, int64_t pid, int *fd)
{
    HANDLE handle;
    cnnfi_file_id id = {.size = 0};
    *fd = -1;
    int code = open_handle(&handle, name, FILE_LIST_DIRECTORY | FILE_ADD_FILE | SYNCHRONIZE, LOCKED, OPEN_EXISTING,
                           FILE_FLAG_OPEN_REPARSE_POINT);
    if (code) return code;
    code = identify(handle, &id, NULL);
    const int64_t age = (int64_t)(cnnfi_os_wall_ns() / 1000000000u) - id.mtime_sec;
    if (!code && pid != cnnfi_os_pid() && !is_dead(pid) && age <= OLD_SECONDS) code = EBUSY;
    if (!code) return take_handle(handle, _O_RDONLY, fd);
    CloseHandle(handle);
    return code;
}

/* Who may read a file is inherited from its folder. */
int cnnfi_os_new_mode(const char *folder, const char *probe, uint32_t *mode)
{
    (void)probe;
    *mode = 0666;
    return cnnfi_os_is_folder(folder) ? 0 : ENOENT;
}

int cnnfi_os_chmod(int fd, uint32_t mode)
{
    (void)fd;
    (void)mode;
    return 0;
}

int cnnfi_os_settle(int fd)
{
    (void)fd;
    return 0;
}

int cnnfi_os_link(const char *from, const char *to)
{
    wide old, new;
    int code = widen(&old, from);
    if (!code) code = widen(&new, to);
    if (code) return code;
    if (cnnfi_os_is_folder(from)) return EISDIR;
    return check(CreateHardLinkW(new.text, old.text, NULL));
}

/* Only some users may make them. */
int cnnfi_os_symlink(const char *text, const char *name)
{
    (void)text;
    (void)name;
    return ENOTSUP;
}

int cnnfi_os_make_folder(const char *name)
{
    wide path;
    const int code = widen(&path, name);
    return code ? code : check(CreateDirectoryW(path.text, NULL));
}

int cnnfi_os_remove_folder(const char *name)
{
    wide path;
    const int code = widen(&path, name);
    return code ? code : check(RemoveDirectoryW(path.text));
}

/* There are none: Ctrl-C comes on a thread of its own. */
void cnnfi_os_hold_signals(cnnfi_signals *before)
{
    memset(before, 0, sizeof *before);
}

void cnnfi_os_release_signals(const cnnfi_signals *before)
{
    (void)before;
}

/* ---- threads ---- */

struct cnnfi_mutex {
    SRWLOCK native;
};

struct cnnfi_cond {
    CONDITION_VARIABLE native;
};

struct cnnfi_thread {
    HANDLE native;
    void (*run)(void *);
    void *user;
};

cnnfi_mutex *cnnfi_mutex_new(cnnf_context *context)
{
    cnnfi_mutex *mutex = cnnfi_malloc(context, sizeof *mutex);
    if (mutex) InitializeSRWLock(&mutex->native);
    return mutex;
}

void cnnfi_mutex_free(cnnf_context *context, cnnfi_mutex *mutex)
{
    cnnfi_free(context, mutex);
}

void cnnfi_mutex_lock(cnnfi_mutex *mutex)
{
    AcquireSRWLockExclusive(&mutex->native);
}

void cnnfi_mutex_unlock(cnnfi_mutex *mutex)
{
    ReleaseSRWLockExclusive(&mutex->native);
}

cnnfi_cond *cnnfi_cond_new(cnnf_context *context)
{
    cnnfi_cond *cond = cnnfi_malloc(context, sizeof *cond);
    if (cond) InitializeConditionVariable(&cond->native);
    return cond;
}

void cnnfi_cond_free(cnnf_context *context, cnnfi_cond *cond)
{
    cnnfi_free(context, cond);
}

void cnnfi_cond_wait(cnnfi_cond *cond, cnnfi_mutex *mutex)
{
    SleepConditionVariableSRW(&cond->native, &mutex->native, INFINITE, 0);
}

void cnnfi_cond_signal(cnnfi_cond *cond)
{
    WakeConditionVariable(&cond->native);
}

void cnnfi_cond_broadcast(cnnfi_cond *cond)
{
    WakeAllConditionVariable(&cond->native);
}

static unsigned __stdcall thread_main(void *user)
{
    struct cnnfi_thread *thread = user;
    thread->run(thread->user);
    return 0;
}

cnnfi_thread *cnnfi_thread_start(cnnf_context *context, void (*run)(void *), void *user)
{
    cnnfi_thread *thread = cnnfi_malloc(context, sizeof *thread);
    if (!thread) return NULL;
    thread->run = run;
    thread->user = user;
    thread->native = (HANDLE)_beginthreadex(NULL, 0, thread_main, thread, 0, NULL);
    if (thread->native) return thread;
    cnnfi_free(context, thread);
    return NULL;
}

void cnnfi_thread_join(cnnf_context *context, cnnfi_thread *thread)
{
    if (!thread) return;
    WaitForSingleObject(thread->native, INFINITE);
    CloseHandle(thread->native);
    cnnfi_free(context, thread);
}

static SRWLOCK hdf5_lock = SRWLOCK_INIT;

void cnnfi_os_hdf5_lock(void)
{
    AcquireSRWLockExclusive(&hdf5_lock);
}

void cnnfi_os_hdf5_unlock(void)
{
    ReleaseSRWLockExclusive(&hdf5_lock);
}

uint64_t cnnfi_os_thread_id(void)
{
    return GetCurrentThreadId();
}

int64_t cnnfi_os_pid(void)
{
    return GetCurrentProcessId();
}

/* A process stays within one group of 64. */
int32_t cnnfi_os_processors(void)
{
    DWORD_PTR mine = 0, all = 0;
    int32_t count = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &mine, &all)) return 1;
    for (; mine; mine &= mine - 1)
        count++;
    return count ? count : 1;
}

bool cnnfi_os_has_arm_crc32(void)
{
#ifdef __aarch64__
    return IsProcessorFeaturePresent(PF_ARM_V8_CRC32_INSTRUCTIONS_AVAILABLE);
#else
    return false;
#endif
}

uint64_t cnnfi_os_now_ns(void)
{
    LARGE_INTEGER now, rate;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&rate);
    const uint64_t ticks = (uint64_t)now.QuadPart, per_second = (uint64_t)rate.QuadPart;
    return ticks / per_second * 1000000000u + ticks % per_second * 1000000000u / per_second;
}

uint64_t cnnfi_os_wall_ns(void)
{
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    return joined(now.dwHighDateTime, now.dwLowDateTime) * 100;
}
