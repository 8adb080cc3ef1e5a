/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text: where the folder ends. On Windows '\\' and "C:" end one, too. */
#ifndef CNNFI_BASE_PATH_H
#define CNNFI_BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* The last component: what follows the folder. */
const char *cnnfi_path_name(const char *path);
/* Length of the folder in front of the last component, its slash included; 0 = none. */
size_t cnnfi_path_folder(const char *path);
bool cnnfi_path_is_absolute(const char *path);
bool cnnfi_path_is_slash(char c);

#endif
