/* SPDX-License-Identifier: Apache-2.0 */
/* The families of ops; a new one is one table here and one source file. */
#ifndef CNNFI_SERIALIZER_TFLITE_TFLITE_OPS_H
#define CNNFI_SERIALIZER_TFLITE_TFLITE_OPS_H

#include "serializer/tflite/tflite_call.h"

/* Each ends with an op of NULL. */
extern const cnnfi_tfl_row cnnfi_tfl_math_rows[];      /* tflite_math.c: element by element */
extern const cnnfi_tfl_row cnnfi_tfl_binary_rows[];    /* tflite_binary.c: broadcasting */
extern const cnnfi_tfl_row cnnfi_tfl_conv_rows[];      /* tflite_conv.c: convolutions */
extern const cnnfi_tfl_row cnnfi_tfl_nn_rows[];        /* tflite_nn.c: pooling, normalisation, resizing */
extern const cnnfi_tfl_row cnnfi_tfl_reduction_rows[]; /* tflite_reduction.c: along axes */
extern const cnnfi_tfl_row cnnfi_tfl_matrix_rows[];    /* tflite_matrix.c: products */
extern const cnnfi_tfl_row cnnfi_tfl_shape_rows[];     /* tflite_shape.c: shapes and axes */
extern const cnnfi_tfl_row cnnfi_tfl_array_rows[];     /* tflite_array.c: parts, joins, places */

/* ---- what several families share ---- */

/* One operator over x, its result the node's output 0, which it is given. */
cnnfi_tfl_node *cnnfi_tfl_give_one(const cnnfi_tfl_call *call, cnnfi_tfl_code code, size_t n_inputs,
                                   cnnfi_tfl_tensor *const *inputs);
/* Data of channels last from channels first, and back: by a Transpose. */
cnnfi_tfl_tensor *cnnfi_tfl_channels_last(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *x);
cnnfi_tfl_tensor *cnnfi_tfl_channels_first(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *x, cnnfi_tfl_tensor *out);

#endif
