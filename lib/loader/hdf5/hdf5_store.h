/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one HDF5 file as its reader sees them: every structure is fetched through here, within the file and
 * within a budget, and every failure is told here, with the path in hand and the address in the file.
 * The names of structures and fields are those of the "HDF5 File Format Specification Version 3.0".
 */
#ifndef CNNFI_LOADER_HDF5_STORE_H
#define CNNFI_LOADER_HDF5_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/source.h"
#include "base/strmap.h"

#define CNNFI_H5_UNDEFINED UINT64_MAX /* "undefined address" */

/* [at, at + size) of the source. */
typedef struct cnnfi_h5_span {
    uint64_t at, size;
} cnnfi_h5_span;

typedef struct cnnfi_h5_store {
    cnnf_context *context;
    cnnfi_source *source;
    uint64_t base, size;     /* address 0 and what lies behind it */
    uint64_t user_block;     /* bytes before address 0 that are not HDF5's */
    const char *name, *path; /* for messages: the file, and what is looked at */
    cnnf_error *error;       /* of the call in progress */
    cnnfi_arena arena;       /* lives as long as the file is open */
    cnnfi_arena scratch;     /* emptied after each object */
    uint64_t fetched;        /* bytes of structures read so far */
    cnnfi_budget *budget;    /* pays for what is read and decoded; borrowed, nullable */
    /* from the superblock */
    uint64_t root, extension;
    unsigned leaf_k, internal_k, chunk_k;
    cnnfi_strmap collections; /* global heaps read so far, by address in hexadecimal */
    struct cnnfi_h5_collection **heaps;
    size_t n_heaps, heap_capacity;
    /* structures found good while `showing`: all that libhdf5 gets to see */
    bool showing;
    cnnfi_h5_span *shown;
    size_t n_shown, shown_capacity;
} cnnfi_h5_store;

/* `name` and `source` must outlive the store. */
void cnnfi_h5_store_init(cnnfi_h5_store *store, cnnf_context *context, cnnfi_source *source, uint64_t base,
                         uint64_t size, const char *name, cnnf_error *error);
void cnnfi_h5_store_free(cnnfi_h5_store *store);
void cnnfi_h5_scratch_reset(cnnfi_h5_store *store);

/* "NAME: HDF5: 'PATH': at ADDRESS: what"; returns `code`. */
cnnf_status cnnfi_h5_fail(cnnfi_h5_store *store, cnnf_status code, uint64_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define CNNFI_H5_CORRUPT(store, at, ...) cnnfi_h5_fail((store), CNNF_E_CORRUPT, (at), __VA_ARGS__)

/* The bytes [at, at + size), in `arena`; `what` names them when they are not in the file. */
cnnf_status cnnfi_h5_fetch(cnnfi_h5_store *store, cnnfi_arena *arena, uint64_t at, uint64_t size, const uint8_t **out,
                           const char *what);
/* The same of a structure that begins with `signature` and ends with the lookup3 checksum of what is before. */
cnnf_status cnnfi_h5_fetch_checked(cnnfi_h5_store *store, cnnfi_arena *arena, uint64_t at, uint64_t size,
                                   const char *signature, const uint8_t **out, const char *what);
/* Adds one more item to an array in `arena`; NULL = no memory. */
void *cnnfi_h5_append(cnnfi_arena *arena, void **array, size_t *capacity, size_t *count, size_t item_size);

/* Bob Jenkins' lookup3 ("hashlittle", initial value 0): HDF5's checksum of metadata and hash of names. */
uint32_t cnnfi_h5_lookup3(const void *data, size_t size);
/* A little-endian number of 0 to 8 bytes. */
uint64_t cnnfi_h5_uint(const uint8_t *p, size_t width);
/* floor(log2(value)) of a positive value, and the bytes that hold any number up to `limit`. */
unsigned cnnfi_h5_log2(uint64_t value);
unsigned cnnfi_h5_width(uint64_t limit);

#endif
