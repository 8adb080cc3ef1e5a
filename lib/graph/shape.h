/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes: int64 dims, 0 is legal, -1 unknown; rank -1 unknown. */
#ifndef CNNFI_GRAPH_SHAPE_H
#define CNNFI_GRAPH_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/context.h>
#include <cnnfreeze/tensor.h>

#include "base/str.h"

/* No tensor has more; files are checked against CNNF_LIMIT_RANK, which may not exceed it. */
#define CNNFI_MAX_RANK 254

typedef struct cnnfi_shape {
    int32_t rank;        /* -1: unknown rank */
    const int64_t *dims; /* rank sizes, -1 unknown; NULL when rank <= 0 */
    cnnfi_bytes proto;   /* the TensorShapeProto when it says more (names of dimensions), canonical; else empty */
} cnnfi_shape;

/* Number of elements of a fully known shape; false when it overflows or a dim is negative. */
bool cnnfi_shape_elements(int64_t *out, int32_t rank, const int64_t *dims);
/* Bytes of a tensor: elements x size, checked against the limits; `what` names it in the message. */
cnnf_status cnnfi_shape_bytes(size_t *out, const cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                              const int64_t *dims, const char *what, cnnf_error *error);
bool cnnfi_shape_equal(const cnnfi_shape *a, const cnnfi_shape *b);
/* "[3,3,1,16]", "[?,28]", "<unknown>" ; cut when it does not fit. Returns out. */
char *cnnfi_shape_print(char *out, size_t size, int32_t rank, const int64_t *dims);

#endif
