/* SPDX-License-Identifier: Apache-2.0 */
/* Weights and biases on a grid (FakeQuant nodes), for the products that read them. */
#ifndef CNNFI_SERIALIZER_ONNX_ONNX_QUANTIZE_H
#define CNNFI_SERIALIZER_ONNX_ONNX_QUANTIZE_H

#include "ops/fake_quant.h"
#include "serializer/onnx/onnx_call.h"

/* Whether an input is a Const behind a FakeQuant node. */
bool cnnfi_onnx_has_quantized_weights(const cnnfi_onnx_call *call, int32_t input);
/* Its integers as an initializer, and DequantizeLinear; perm, rank and dims as cnnfi_onnx_weights() has them, axis: of
   the result, that of the channels. */
const char *cnnfi_onnx_quantized_weights(const cnnfi_onnx_call *call, int32_t input, const int32_t *perm, int32_t rank,
                                         const int64_t *dims, int64_t axis);
/* cnnfi_onnx_offer_bias(), and what its integers mean where data and weights are on grids. */
void cnnfi_onnx_offer_quantized_bias(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, int32_t data, int32_t weights);
/* The int32 of a bias and DequantizeLinear before *taker, which moves behind it; NULL: it does not fit. scales [n], n 1
   or the channels. */
const char *cnnfi_onnx_quantized_bias(const cnnfi_onnx_call *call, const cnnf_tensor *bias, const double *scales,
                                      int64_t n, cnnfi_onnx_node **taker);

#endif
