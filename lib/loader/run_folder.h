/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_LOADER_RUN_FOLDER_H
#define CNNFI_LOADER_RUN_FOLDER_H

#include <cnnfreeze/context.h>

/*
 * The graph and the values that a training run left: `path` is its folder, a checkpoint's prefix (globs allowed) or any
 * file of one. *meta: the .meta beside the checkpoint, else the folder's newest one (the highest step), NULL when there
 * is none; *prefix: the checkpoint, NULL when there is none. Both are *new* strings.
 * CNNF_OK, CNNF_E_NOMEM; a checkpoint that cannot be read is none here.
 */
cnnf_status cnnfi_find_run(char **meta, char **prefix, cnnf_context *context, const char *path, cnnf_error *error);

#endif
