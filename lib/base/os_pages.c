/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/os_pages.h"

#ifdef __linux__

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void cnnfi_os_prefer_large_pages(void *block, size_t size)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)block + page - 1) / page * page,
                    end = ((uintptr_t)block + size) / page * page;
    if (begin < end) (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* a kernel without them says no */
}

#else

void cnnfi_os_prefer_large_pages(void *block, size_t size)
{
    (void)block;
    (void)size;
}

#endif
