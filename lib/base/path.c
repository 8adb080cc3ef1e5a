/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

bool cnnfi_path_is_slash(char c)
{
#ifdef _WIN32
    if (c == '\\') return true;
#endif
    return c == '/';
}

/* Length of "C:" in front of a path. */
static size_t drive(const char *path)
{
#ifdef _WIN32
    const char letter = (char)(path[0] | 0x20);
    if (letter >= 'a' && letter <= 'z' && path[1] == ':') return 2;
#endif
    (void)path;
    return 0;
}

const char *cnnfi_path_name(const char *path)
{
    const char *name = path + drive(path);
    for (const char *p = name; *p; p++) {
        if (cnnfi_path_is_slash(*p)) name = p + 1;
    }
    return name;
}

size_t cnnfi_path_folder(const char *path)
{
    return (size_t)(cnnfi_path_name(path) - path);
}

bool cnnfi_path_is_absolute(const char *path)
{
    return drive(path) > 0 || cnnfi_path_is_slash(*path);
}
