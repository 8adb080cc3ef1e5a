/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message on its way out: its wire bytes in memory, but for the large payloads, of which only place and size are
 * known (they are streamed from their tensors when the message is written). Lengths already count them.
 *
 * Sticky: the first failure is remembered and reported by cnnfi_skeleton_status().
 */
#ifndef CNNFI_SERIALIZER_GRAPHDEF_SKELETON_H
#define CNNFI_SERIALIZER_GRAPHDEF_SKELETON_H

#include "base/error.h"
#include "base/sink.h"
#include "base/str.h"
#include "base/wire.h"
#include "graph/tensor.h"

/* Writes a payload's bytes, exactly as many as were promised. */
typedef cnnf_status (*cnnfi_payload_fn)(const void *user, cnnfi_sink *sink, cnnf_error *error);

/* A payload that belongs before byte `at` of the skeleton. */
typedef struct cnnfi_cut {
    size_t at, size;
    const cnnf_tensor *tensor; /* its bytes, or ... */
    const uint8_t *data;       /* ... these, or ... */
    cnnfi_payload_fn write;    /* ... what it writes; all borrowed */
    const void *user;
    const char *node; /* whose it is, for messages; borrowed */
} cnnfi_cut;

typedef struct cnnfi_skeleton {
    cnnf_context *context; /* borrowed */
    cnnfi_strbuf bytes;
    cnnfi_cut *cuts;
    size_t n_cuts, cut_capacity;
    const char *node; /* being written */
    bool text_order;  /* for text format: map entries in its order, no cuts but tensor contents */
    cnnf_status status;
    struct cnnf_error error;
} cnnfi_skeleton;

void cnnfi_skeleton_init(cnnfi_skeleton *s, cnnf_context *context);
void cnnfi_skeleton_free(cnnfi_skeleton *s);
void cnnfi_skeleton_reset(cnnfi_skeleton *s); /* empty again; keeps memory and a failure */
cnnf_status cnnfi_skeleton_status(const cnnfi_skeleton *s, cnnf_error *error);
void cnnfi_skeleton_fail(cnnfi_skeleton *s, cnnf_status status, const cnnf_error *error);
/* Bytes of the finished message. */
uint64_t cnnfi_skeleton_size(const cnnfi_skeleton *s);
/* Skeleton and payloads, in order. */
cnnf_status cnnfi_skeleton_write(const cnnfi_skeleton *s, cnnfi_sink *sink, cnnf_error *error);

/*
 * Where a submessage begins. The cuts are counted, because their places do not tell: a payload that ends the sibling
 * before lies at the same byte as the first payload in here.
 */
typedef struct cnnfi_mark {
    size_t at, n_cuts;
} cnnfi_mark;

/* A submessage is what is written between begin and end. */
cnnfi_mark cnnfi_skeleton_begin(const cnnfi_skeleton *s);
void cnnfi_skeleton_end(cnnfi_skeleton *s, uint32_t field, cnnfi_mark begin);

/* proto3: empty text is not written. */
void cnnfi_skeleton_text(cnnfi_skeleton *s, uint32_t field, const char *text);
/* Bytes as they are: fields that were encoded before. */
void cnnfi_skeleton_raw(cnnfi_skeleton *s, cnnfi_bytes bytes);
void cnnfi_skeleton_cut_tensor(cnnfi_skeleton *s, const cnnf_tensor *tensor);
/* `size` bytes that are made when they are written. */
void cnnfi_skeleton_cut_written(cnnfi_skeleton *s, size_t size, cnnfi_payload_fn write, const void *user);
/* Raw bytes again, left where they are when they are many. */
void cnnfi_skeleton_cut_raw(cnnfi_skeleton *s, cnnfi_bytes bytes);

/*
 * The order of a map's entries. TensorFlow's deterministic serializer (upb) sorts keys by byte, but has a key before
 * those that it continues ("Tidx" before "T"), and numbers from large to small; text format sorts plainly.
 */
typedef struct cnnfi_map_order {
    const void *items; /* sorted by byte; a `const char *` key is each item's first member */
    size_t count, stride, next;
    size_t top; /* item that waits for those which continue it, plus 1; 0: none */
    bool text;
} cnnfi_map_order;

cnnfi_map_order cnnfi_map_order_of(const cnnfi_skeleton *s, const void *items, size_t count, size_t stride);
bool cnnfi_map_next(cnnfi_map_order *order, size_t *index);

#endif
