/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifies an HDF5 file's structures before libhdf5 may touch them. libhdf5 trusts many of the numbers that a file
 * holds: a single flipped bit can make it read out of bounds or never return. Whatever lies on the way to an object
 * (superblock, object headers with every message, symbol tables, heaps, B-trees) is walked here first, within
 * bounds and without recursion into what the file says; what is outside the profile of model files is refused.
 */
#ifndef CNNFI_LOADER_HDF5_GUARD_H
#define CNNFI_LOADER_HDF5_GUARD_H

#include <cnnfreeze/error.h>

#include "base/source.h"

typedef struct cnnfi_h5_guard cnnfi_h5_guard;

/* Checks the superblock of the file in [base, base + size) of `source`; `name` and `source` must outlive the guard. */
cnnf_status cnnfi_h5_guard_new(cnnfi_h5_guard **out, cnnf_context *context, cnnfi_source *source, uint64_t base,
                               uint64_t size, const char *name, cnnf_error *error);
void cnnfi_h5_guard_free(cnnfi_h5_guard *guard); /* NULL is allowed */
/* Checks every object on `path` as far as hard links lead; CNNF_OK when it ends in nothing or in another link. */
cnnf_status cnnfi_h5_guard_path(cnnfi_h5_guard *guard, const char *path, cnnf_error *error);

#endif
