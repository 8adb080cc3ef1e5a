/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little of HDF5 that model files need: hard links; attributes of strings; numeric datasets stored in this file,
 * plain or with deflate, shuffle, fletcher32. Everything else is refused by name, and declared sizes are checked before
 * anything is allocated. The reader is our own; libhdf5 opens the file, when it is asked, and no more
 * (hdf5_library.h).
 */
#ifndef CNNFI_LOADER_HDF5_FILE_H
#define CNNFI_LOADER_HDF5_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/source.h"
#include "graph/tensor.h"

typedef struct cnnfi_h5 cnnfi_h5;

/* Opens the HDF5 file in [base, base + size) of `source`. `name` stands before every message and must outlive the file,
 * as `budget` (nullable) must, which pays for every structure and chunk that is read.
 */
cnnf_status cnnfi_h5_open(cnnfi_h5 **out, cnnf_context *context, cnnfi_source *source, uint64_t base, uint64_t size,
                          const char *name, cnnfi_budget *budget, cnnf_error *error);
void cnnfi_h5_close(cnnfi_h5 *h5); /* NULL is allowed */
/* Whether libhdf5 opens the file too; CNNF_E_CORRUPT with its words. */
cnnf_status cnnfi_h5_ask_library(cnnfi_h5 *h5, cnnf_error *error);

/* Whether something is at `path` ("/a/b/c"). A link that is no hard link on the way is a failure. */
cnnf_status cnnfi_h5_has(bool *out, cnnfi_h5 *h5, const char *path, cnnf_error *error);
/* A scalar string attribute in the arena; *out is NULL when there is none. */
cnnf_status cnnfi_h5_attr_string(const char **out, cnnfi_h5 *h5, cnnfi_arena *arena, const char *path, const char *name,
                                 cnnf_error *error);
/* A vector of strings, also one that h5py split into name0, name1 ...; *found false when there is none. */
cnnf_status cnnfi_h5_attr_strings(const char ***out, size_t *count, bool *found, cnnfi_h5 *h5, cnnfi_arena *arena,
                                  const char *path, const char *name, cnnf_error *error);
/* Whether an attribute is there and holds strings of a fixed length. */
cnnf_status cnnfi_h5_attr_is_fixed(bool *out, cnnfi_h5 *h5, const char *path, const char *name, cnnf_error *error);
/*
 * A dataset as a *new* tensor: a range of the source where the bytes can stay where they are, else decoded.
 * Floating values of any size and byte order become `floats` (CNNF_FLOAT, CNNF_DOUBLE, CNNF_HALF); integers stay.
 */
cnnf_status cnnfi_h5_tensor(cnnf_tensor **out, cnnfi_h5 *h5, const char *path, cnnf_dtype floats, cnnf_error *error);

#endif
