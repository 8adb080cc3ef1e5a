/* SPDX-License-Identifier: Apache-2.0 */
/* Advice to the operating system about memory. Apart from os.h, which knows contexts: they ask here. */
#ifndef CNNFI_BASE_OS_PAGES_H
#define CNNFI_BASE_OS_PAGES_H

#include <stddef.h>

/* The block is big and much used: a few of the processor's large pages serve it better than many small ones. */
void cnnfi_os_prefer_large_pages(void *block, size_t size);

#endif
