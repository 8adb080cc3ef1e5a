/* SPDX-License-Identifier: Apache-2.0 */
/* What os.c and os_windows.c share: nobody else includes it. */
#ifndef CNNFI_BASE_OS_COMMON_H
#define CNNFI_BASE_OS_COMMON_H

#include "base/os.h"

/* Names in a folder, as they are found. */
typedef struct cnnfi_name_list {
    char *text; /* one after the other, each with its NUL */
    size_t size, capacity, count;
} cnnfi_name_list;

/* 0, ENOMEM, or EFBIG when there are more than the context allows; "." and ".." are left out. */
int cnnfi_name_list_add(cnnfi_name_list *list, cnnf_context *context, const char *name, const char *start);
/* What cnnfi_os_list() gives. Frees what the list holds, also after a failure before, which it hands on. */
int cnnfi_name_list_finish(cnnfi_name_list *list, cnnf_context *context, int code, char ***names, size_t *count);

/* N of "/dev/fd/N", "/proc/self/fd/N" and of the names of the standard streams; else -1. */
int cnnfi_os_descriptor_named(const char *path);

#endif
