/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grid of FakeQuantWithMinMax* (fake_quant_ops_functor.h): so many bits between min and max, moved so that 0 is on
 * it. Told once: for the kernel, for exports that write the integers, and for the quantizer that rounds biases.
 */
#ifndef CNNFI_OPS_FAKE_QUANT_H
#define CNNFI_OPS_FAKE_QUANT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cnnfi_fake_grid {
    float low, high, scale;
    int32_t first, last; /* the integers of low and high: 0 or 1 to 2^bits - 1 */
    int32_t zero;        /* the integer of 0 */
} cnnfi_fake_grid;

/* low < high, or both 0: then the scale is 0. In float32, as the op computes it. bits 2 to 16. */
cnnfi_fake_grid cnnfi_fake_quant_grid(float low, float high, int64_t bits, bool narrow);
/* The integer of x: first to last; zero where the scale is 0. */
int32_t cnnfi_fake_quant_integer(const cnnfi_fake_grid *grid, float x);

#endif
