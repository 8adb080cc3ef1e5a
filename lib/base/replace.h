/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replacing files so that the death of the process leaves the old or the new: temporary files beside their final names,
 * several files as one, and what dead processes left behind.
 */
#ifndef CNNFI_BASE_REPLACE_H
#define CNNFI_BASE_REPLACE_H

#include <stdbool.h>
#include <stddef.h>

#include <cnnfreeze/context.h>

/* A finished temporary file and the name that it is for. All functions give 0 or an errno. */
typedef struct cnnfi_replacement {
    char *temporary;   /* the context's; freed and NULL once the file is in its place or gone */
    const char *final; /* borrowed */
} cnnfi_replacement;

/* A new file in the folder of `final`: 0600, locked, told to the context's owner. *name is new, NULL on failure. */
int cnnfi_temporary_open(cnnf_context *context, const char *final, char **name, int *fd);
/* The permissions of a file that nothing replaces. */
int cnnfi_temporary_mode(cnnf_context *context, const char *final, uint32_t *mode);
/* Removes it; NULL is allowed. */
void cnnfi_temporary_discard(cnnf_context *context, char *name);

int cnnfi_replace(cnnf_context *context, cnnfi_replacement *file, bool fsync);
/* All of them or none, also for readers that know nothing of this (replace.c says how). */
int cnnfi_replace_set(cnnf_context *context, cnnfi_replacement *files, size_t count, bool fsync);

/* Removes what dead processes left in the folder of `beside`, and ends what they began. Failures are nobody's. */
void cnnfi_replace_sweep(cnnf_context *context, const char *beside);

#endif
