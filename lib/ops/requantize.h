/* SPDX-License-Identifier: Apache-2.0 */
/* QuantizeAndDequantize V2, V3, V4: what their attributes and num_bits say, for rule and kernel. */
#ifndef CNNFI_OPS_REQUANTIZE_H
#define CNNFI_OPS_REQUANTIZE_H

#include "ops/call.h"

typedef struct cnnfi_requantize {
    int64_t bits; /* CNNFI_UNKNOWN: V3's input, its value not known */
    int64_t axis; /* -1: one range for all */
    bool is_signed, given, narrow, half_up;
} cnnfi_requantize;

/* Inputs are data, the least and the greatest number (scalars, or vectors along the axis), V3: num_bits. */
cnnf_status cnnfi_requantize_read(cnnfi_call *call, cnnfi_requantize *q);

#endif
