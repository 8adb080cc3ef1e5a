/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a tensor's numbers fall where: bins of one width over [-2^exponent, 2^exponent]. Widths are powers of two,
 * so that histograms of other batches are added exactly, whatever order they come in. Told once: for the op that
 * counts (_ObserveRange, in a graph under calibration) and for who chooses a range.
 */
#ifndef CNNFI_OPS_HISTOGRAM_H
#define CNNFI_OPS_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#define CNNFI_HISTOGRAM_BINS 4096

/* A plain array of doubles, so that it is output 1 of the op: least, most, exponent, count, bins. */
enum {
    CNNFI_HISTOGRAM_LEAST,
    CNNFI_HISTOGRAM_MOST,
    CNNFI_HISTOGRAM_EXPONENT,
    CNNFI_HISTOGRAM_COUNT, /* finite elements; 0: nothing else is said */
    CNNFI_HISTOGRAM_FIRST, /* bin 0 */
    CNNFI_HISTOGRAM_SIZE = CNNFI_HISTOGRAM_FIRST + CNNFI_HISTOGRAM_BINS
};

/* Of x [n]; what is not finite is not counted. */
void cnnfi_histogram_of(double *histogram, const float *x, int64_t n);
/* Adds one to another. */
void cnnfi_histogram_add(double *sum, const double *other);
/* Width of a bin. */
double cnnfi_histogram_width(const double *histogram);

#endif
