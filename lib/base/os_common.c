/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os_common.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"

/* ---- names in a folder ---- */

int cnnfi_name_list_add(cnnfi_name_list *list, cnnf_context *context, const char *name, const char *start)
{
    const size_t length = strlen(name) + 1;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return 0;
    if (strncmp(name, start, strlen(start)) != 0) return 0;
    if (list->count >= cnnfi_limit(context, CNNF_LIMIT_ENTRIES)) return EFBIG;
    while (list->size + length > list->capacity) {
        if (!cnnfi_grow(context, (void **)&list->text, &list->capacity, list->capacity, 1)) return ENOMEM;
    }
    memcpy(list->text + list->size, name, length);
    list->size += length;
    list->count++;
    return 0;
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

int cnnfi_name_list_finish(cnnfi_name_list *list, cnnf_context *context, int code, char ***names, size_t *count)
{
    if (!code) code = list_pack(context, list->text, list->size, list->count, names);
    if (!code) *count = list->count;
    cnnfi_free(context, list->text);
    return code;
}

int cnnfi_os_list(cnnf_context *context, const char *path, char ***names, size_t *count)
{
    return cnnfi_os_list_starting(context, path, "", names, count);
}

/* ---- outputs ---- */

int cnnfi_os_descriptor_named(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    if (strcmp(path, "/dev/stdout") == 0) return 1;
    if (strcmp(path, "/dev/stderr") == 0) return 2;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const size_t length = strlen(folders[i]);
        if (strncmp(path, folders[i], length) != 0) continue;
        int number = 0;
        const char *digit = path + length;
        for (; *digit >= '0' && *digit <= '9' && number < 100000; digit++)
            number = number * 10 + (*digit - '0');
        return *digit || digit == path + length ? -1 : number;
    }
    return -1;
}

/* ---- codes ---- */

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
#ifdef EDQUOT
    {EDQUOT, "Disk quota exceeded"},
#endif
    {ENOMEM, "Cannot allocate memory"},
    {EBUSY, "Device or resource busy"},
    {EXDEV, "Invalid cross-device link"},
    {EPIPE, "Broken pipe"},
    {ENXIO, "nobody reads the pipe, or no such device"},
    {EBADF, "the descriptor is not open"},
    {EILSEQ, "the name is not UTF-8"},
};

int cnnfi_os_no_memory(void)
{
    return ENOMEM;
}

bool cnnfi_os_is_absent(int code)
{
    return code == ENOENT;
}

bool cnnfi_os_is_taken(int code)
{
    return code == EEXIST;
}

bool cnnfi_os_is_unsupported(int code)
{
    static const int codes[] = {EPERM, EACCES, ENOTSUP, EOPNOTSUPP, ENOSYS, EMLINK, EXDEV, EINVAL};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i] == code) return true;
    }
    return false;
}

const char *cnnfi_os_error(int code)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i].code == code) return errors[i].text;
    }
    return "the operating system refused";
}
