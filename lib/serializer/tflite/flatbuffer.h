/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FlatBuffers, written front to back: a table first, what its offsets point to behind it, large payloads last. That is
 * all one file format needs; memory is the tables', payloads are streamed (skeleton.h).
 *
 * A place is where an offset waits to be linked; linking makes it point to what comes next.
 */
#ifndef CNNFI_SERIALIZER_TFLITE_FLATBUFFER_H
#define CNNFI_SERIALIZER_TFLITE_FLATBUFFER_H

#include "serializer/graphdef/skeleton.h"

typedef enum cnnfi_flat_kind {
    CNNFI_FLAT_BYTE,  /* bool, byte, enum */
    CNNFI_FLAT_INT,   /* int, uint, float (its bits) */
    CNNFI_FLAT_OFFSET /* of a table, a vector, a string: linked later */
} cnnfi_flat_kind;

/* One field of a table; a value of 0 is left out, which is the default of every field that is written here. */
typedef struct cnnfi_flat_field {
    uint32_t id; /* in the schema's order */
    cnnfi_flat_kind kind;
    uint32_t value;
    size_t place; /* of an offset, set when the table is written */
} cnnfi_flat_field;

/* Fields of one table; larger ones are not needed. */
#define CNNFI_FLAT_MAX_FIELDS 16

/* The head of the file; returns the place of the root. identifier: 4 characters. */
size_t cnnfi_flat_begin(cnnfi_skeleton *s, const char *identifier);
/* Writes a table and links `place` to it. */
void cnnfi_flat_table(cnnfi_skeleton *s, size_t place, size_t n_fields, cnnfi_flat_field *fields);
/* `count` offsets; returns the first one's place, the others follow 4 bytes apart. */
size_t cnnfi_flat_offsets(cnnfi_skeleton *s, size_t place, size_t count);
void cnnfi_flat_string(cnnfi_skeleton *s, size_t place, const char *text);
/* `count` elements of `size` bytes (1, 4, 8). */
void cnnfi_flat_vector(cnnfi_skeleton *s, size_t place, const void *data, size_t count, size_t size);
/* The head of a vector of `size` bytes whose first stands at a multiple of `alignment`; they follow at once. */
void cnnfi_flat_bytes(cnnfi_skeleton *s, size_t place, size_t size, size_t alignment);

#endif
