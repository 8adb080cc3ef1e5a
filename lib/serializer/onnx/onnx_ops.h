/* SPDX-License-Identifier: Apache-2.0 */
/* The families of ops; a new one is one table here and one source file. */
#ifndef CNNFI_SERIALIZER_ONNX_ONNX_OPS_H
#define CNNFI_SERIALIZER_ONNX_ONNX_OPS_H

#include "serializer/onnx/onnx_call.h"

/* Each ends with an op of NULL. */
extern const cnnfi_onnx_row cnnfi_onnx_math_rows[];      /* onnx_math.c: element by element */
extern const cnnfi_onnx_row cnnfi_onnx_binary_rows[];    /* onnx_binary.c: broadcasting */
extern const cnnfi_onnx_row cnnfi_onnx_conv_rows[];      /* onnx_conv.c: convolutions */
extern const cnnfi_onnx_row cnnfi_onnx_nn_rows[];        /* onnx_nn.c: pooling, normalisation, resizing */
extern const cnnfi_onnx_row cnnfi_onnx_reduction_rows[]; /* onnx_reduction.c: along axes */
extern const cnnfi_onnx_row cnnfi_onnx_matrix_rows[];    /* onnx_matrix.c: products */
extern const cnnfi_onnx_row cnnfi_onnx_shape_rows[];     /* onnx_shape.c: shapes and axes */
extern const cnnfi_onnx_row cnnfi_onnx_array_rows[];     /* onnx_array.c: parts, joins, places */
extern const cnnfi_onnx_row cnnfi_onnx_blocks_rows[];    /* onnx_blocks.c: space, batch and depth */
extern const cnnfi_onnx_row cnnfi_onnx_quantize_rows[];  /* onnx_quantize.c: numbers on a grid */

/* Helpers that several families share. */

/* The layout in which an op over inputs 0 .. n-1 computes: FIRST when one of them is there channels-first alone. */
cnnfi_layout cnnfi_onnx_common_layout(const cnnfi_onnx_call *call, int32_t n);
/* An input beside others of `rank` axes, as broadcasting lines them up in that layout. */
const char *cnnfi_onnx_operand(const cnnfi_onnx_call *call, int32_t input, int32_t rank, cnnfi_layout layout);

/* A reduction over axes [count] of x; where they are said (an input from opset 18, of ReduceSum from 13) is its matter.
 */
const char *cnnfi_onnx_reduce(cnnfi_onnx_model *m, const char *op, const char *x, size_t count, const int64_t *axes,
                              bool keep, const char *out);

#endif
