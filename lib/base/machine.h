/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the operating system before there is a context; the rest is in os.h. */
#ifndef CNNFI_BASE_MACHINE_H
#define CNNFI_BASE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

uint64_t cnnfi_os_wall_ns(void); /* since some fixed day */
/* Where temporary files go when nobody says where; 0 or an errno. */
int cnnfi_os_temporary_folder(char *path, size_t size);

#endif
