/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor's elements in another order of its axes, streamed: filters and matrices of other formats. */
#ifndef CNNFI_SERIALIZER_EXPORT_PERMUTED_H
#define CNNFI_SERIALIZER_EXPORT_PERMUTED_H

#include "graph/tensor.h"

/* Axes that a permuted tensor can have. */
#define CNNFI_PERMUTED_MAX_RANK 8

typedef cnnf_status (*cnnfi_piece_fn)(const void *data, size_t size, void *user, cnnf_error *error);

/*
 * Hands on the elements with axis k of the result being the tensor's axis perm[k] [the tensor's rank; at most
 * CNNFI_PERMUTED_MAX_RANK], in pieces. What is a plain transpose of a matrix is read and turned strip by strip when it
 * is large; else one tensor is in memory at a time.
 */
cnnf_status cnnfi_permuted_stream(const cnnf_tensor *tensor, const int32_t *perm, cnnfi_piece_fn piece, void *user,
                                  cnnf_error *error);

#endif
