/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard in front of protobuf-c, which recurses without limit and multiplies memory by up to 76: walks wire bytes
 * iteratively, straight from their source, and checks depth, lengths, wire types, UTF-8 and the memory protobuf-c would
 * take. Makes the copy that protobuf-c gets, in which large tensor contents are replaced by their place in the source.
 */
#ifndef CNNFI_LOADER_GRAPHDEF_PROTO_GUARD_H
#define CNNFI_LOADER_GRAPHDEF_PROTO_GUARD_H

#include "base/source.h"
#include "proto/message.h"

/* One field as it lies in the source. */
typedef struct cnnfi_guard_field {
    uint32_t number, wire;
    uint64_t at;      /* of its tag */
    uint64_t payload; /* where its bytes begin (length-delimited) */
    uint64_t size;    /* of the payload; numeric: the bits */
    uint64_t end;     /* of the whole field */
} cnnfi_guard_field;

typedef struct cnnfi_guard {
    cnnf_context *context; /* borrowed */
    cnnfi_source *source;  /* borrowed */
    const uint8_t *window; /* bytes [window_at, window_at + window_size) of the source */
    uint64_t window_at;
    size_t window_size;
    uint8_t *owned; /* the window's memory; NULL when the source is memory */
} cnnfi_guard;

cnnf_status cnnfi_guard_init(cnnfi_guard *guard, cnnfi_source *source, cnnf_error *error);
void cnnfi_guard_free(cnnfi_guard *guard); /* may be called twice */

/* The field at `at`, which lies before `end`. CNNF_E_CORRUPT, CNNF_E_IO. */
cnnf_status cnnfi_guard_next(cnnfi_guard *guard, uint64_t at, uint64_t end, cnnfi_guard_field *field,
                             cnnf_error *error);
/* Appends the message of `type` at [at, end) to `out`, checked; `depth` messages are around it already. */
cnnf_status cnnfi_guard_copy(cnnfi_guard *guard, const cnnfi_message_type *type, uint64_t at, uint64_t end,
                             uint32_t depth, cnnfi_strbuf *out, cnnf_error *error);
/* CNNF_E_CORRUPT with the file and the offset in front. */
cnnf_status cnnfi_guard_fail(const cnnfi_guard *guard, uint64_t offset, cnnf_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
