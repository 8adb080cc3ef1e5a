/* SPDX-License-Identifier: Apache-2.0 */
#define WIN32_LEAN_AND_MEAN
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <shellapi.h>

#define LONGEST 4096

/* new; NULL: no Unicode, no memory */
static char *narrow(const wchar_t *text)
{
    const int size = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, -1, NULL, 0, NULL, NULL);
    char *out = size > 0 ? malloc((size_t)size) : NULL;
    if (out) WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, -1, out, size, NULL, NULL);
    return out;
}

static bool widen(wchar_t *out, const char *path)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, out, LONGEST) > 0;
}

/* The arguments live as long as the process. */
void host_start(int *argc, char ***argv)
{
    int count = 0;
    SetConsoleOutputCP(CP_UTF8);
    _setmode(_fileno(stdout), _O_BINARY);
    wchar_t **given = CommandLineToArgvW(GetCommandLineW(), &count);
    char **made = given ? calloc((size_t)count + 1, sizeof *made) : NULL;
    for (int i = 0; made && i < count; i++) {
        made[i] = narrow(given[i]);
        if (!made[i]) made[i] = (char *)"?";
    }
    if (given) LocalFree(given);
    if (!made) return;
    *argc = count;
    *argv = made;
}

const char *host_name_of(const char *path)
{
    const char *start = path;
    for (const char *p = path; *p; p++) {
        if (*p == '/' || *p == '\\' || *p == ':') start = p + 1;
    }
    return start;
}

const char *host_called_as(const char *path)
{
    static char name[64];
    const char *start = host_name_of(path);
    const size_t length = strlen(start);
    if (length < 5 || length >= sizeof name || _stricmp(start + length - 4, ".exe") != 0) return start;
    memcpy(name, start, length - 4);
    name[length - 4] = '\0';
    return name;
}

static void (*on_signal)(int);

/* On a thread of its own; Windows ends the process when it returns FALSE. */
static BOOL WINAPI on_control(DWORD event)
{
    on_signal(event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT ? SIGINT : SIGTERM);
    return TRUE;
}

void host_catch_signals(void (*handler)(int))
{
    on_signal = handler;
    SetConsoleCtrlHandler(on_control, TRUE);
}

void host_remove(const char *path)
{
    wchar_t name[LONGEST];
    if (widen(name, path)) DeleteFileW(name);
}

void host_exit(int code)
{
    _exit(code);
}

bool host_is_file(const char *path, host_file *out)
{
    wchar_t name[LONGEST];
    BY_HANDLE_FILE_INFORMATION info;
    if (!widen(name, path)) return false;
    const HANDLE handle =
        CreateFileW(name, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                    OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (handle == INVALID_HANDLE_VALUE) return false;
    const bool is_file = GetFileType(handle) == FILE_TYPE_DISK && GetFileInformationByHandle(handle, &info) &&
                         !(info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY);
    CloseHandle(handle);
    if (!is_file) return false;
    *out = (host_file){info.dwVolumeSerialNumber, (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow,
                       (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow};
    return true;
}

bool host_exists(const char *path)
{
    wchar_t name[LONGEST];
    return widen(name, path) && GetFileAttributesW(name) != INVALID_FILE_ATTRIBUTES;
}

FILE *host_open(const char *path)
{
    wchar_t name[LONGEST];
    return widen(name, path) ? _wfopen(name, L"rb") : NULL;
}

bool host_make_folder(const char *path)
{
    wchar_t name[LONGEST];
    if (!widen(name, path)) {
        errno = ENOENT;
        return false;
    }
    if (CreateDirectoryW(name, NULL) || GetLastError() == ERROR_ALREADY_EXISTS) return true;
    errno = GetLastError() == ERROR_ACCESS_DENIED ? EACCES : ENOENT;
    return false;
}

/* Windows knows by itself. */
const char *host_temporary_folder(void)
{
    return NULL;
}

int host_take_stdout(void)
{
    const int copy = _dup(1);
    if (copy < 0 || _dup2(2, 1) < 0) return -1;
    _setmode(copy, _O_BINARY);
    return copy;
}

bool host_stderr_is_terminal(void)
{
    return _isatty(2) != 0;
}

uint64_t host_now_ns(void)
{
    LARGE_INTEGER now, rate;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&rate);
    const uint64_t ticks = (uint64_t)now.QuadPart, per_second = (uint64_t)rate.QuadPart;
    return ticks / per_second * 1000000000u + ticks % per_second * 1000000000u / per_second;
}
