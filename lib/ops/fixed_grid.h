/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FixNeuron: the op that Vitis AI's quantizer (vai_q_tensorflow 3.5) puts behind what is to be an 8-bit number: values
 * rounded to multiples of 2^-position, within what so many bits hold. Told once: for rule and kernel, for the pass that
 * writes weights on their grid, and for the search of positions.
 *
 * Arithmetic is float32 as the DPU's tools do it: numbers below the smallest normal one count as zero.
 */
#ifndef CNNFI_OPS_FIXED_GRID_H
#define CNNFI_OPS_FIXED_GRID_H

#include "ops/call.h"

/* attribute `mode` */
typedef enum cnnfi_fix_mode {
    CNNFI_FIX_WEIGHT,          /* halves away from zero */
    CNNFI_FIX_ACTIVATION,      /* the DPU's rounding: negative halves go up */
    CNNFI_FIX_DEPTHWISE_WEIGHT /* as WEIGHT; method 2 weighs its errors differently */
} cnnfi_fix_mode;

/* attribute `method` */
typedef enum cnnfi_fix_method {
    CNNFI_FIX_NON_OVERFLOW, /* the finest grid that holds every value */
    CNNFI_FIX_MIN_DIFFS,    /* of that one and four finer ones, the one with the least squared error */
    CNNFI_FIX_MIN_DEPTHWISE /* the same; for depthwise weights the error relative to the value counts */
} cnnfi_fix_method;

/* attribute `phase` */
enum { CNNFI_FIX_CALIBRATE, CNNFI_FIX_EVALUATE, CNNFI_FIX_TRAIN };

/* Of a tensor that is zero everywhere. */
#define CNNFI_FIX_ZERO_POSITION 127
#define CNNFI_FIX_MIN_POSITION  (-127)
#define CNNFI_FIX_MAX_POSITION  131 /* the fourth candidate of the finest one */
#define CNNFI_FIX_MAX_BITS      24  /* what a float32 holds */
#define CNNFI_FIX_CANDIDATES    5   /* of methods 1 and 2 */

typedef struct cnnfi_fix_neuron {
    int64_t bits, position, phase;
    cnnfi_fix_method method;
    cnnfi_fix_mode mode;
} cnnfi_fix_neuron;

/* What the attributes say; CNNF_E_CORRUPT for a value that the op does not take. */
cnnf_status cnnfi_fix_neuron_read(cnnfi_call *call, cnnfi_fix_neuron *out);

/* y[i] = x[i] on the grid, i in [0, n); y may be x. */
void cnnfi_fix_neuron_round(float *y, const float *x, int64_t n, int64_t bits, int64_t position, cnnfi_fix_mode mode);

typedef struct cnnfi_fix_range {
    float least, most; /* 0 when there are no elements */
} cnnfi_fix_range;

cnnfi_fix_range cnnfi_fix_neuron_range(const float *x, int64_t n);
/* The position that method 0 gives a range. */
int64_t cnnfi_fix_neuron_position(cnnfi_fix_range range, int64_t bits);
/* Sum of the errors of one position, in the order of memory and the precision of the real op; method 1 or 2. */
double cnnfi_fix_neuron_error(const float *x, int64_t n, int64_t bits, int64_t position, cnnfi_fix_mode mode,
                              cnnfi_fix_method method);

/* ---- _CalibrateFixNeuron: the op of a graph under calibration ----
 *
 * Attributes as FixNeuron's. Finds the tensor's own position and rounds with it. Output 0: like the input; output 1:
 * what was found, CNNFI_FIX_FACTS doubles. */
enum {
    CNNFI_FIX_FACT_POSITION,
    CNNFI_FIX_FACT_LEAST,
    CNNFI_FIX_FACT_MOST,
    CNNFI_FIX_FACT_COUNT,     /* elements */
    CNNFI_FIX_FACT_SATURATED, /* elements outside what the grid holds */
    CNNFI_FIX_FACTS
};

#endif
