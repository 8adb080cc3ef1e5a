/* SPDX-License-Identifier: Apache-2.0 */
/* One element of a tensor's bytes as a number, whatever its dtype. */
#ifndef CNNFI_GRAPH_ELEMENT_H
#define CNNFI_GRAPH_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <cnnfreeze/tensor.h>

/* A double as an integer, truncated; what no int64 holds is the nearest one, NaN is INT64_MIN (what x86 gives). */
int64_t cnnfi_saturate_i64(double number);
/* Element `index` of `data` (C order, any alignment). Complex: the real part. Quantised types count as their integers.
   false: no number (strings, resources), *out is 0. */
bool cnnfi_element_f64(double *out, cnnf_dtype dtype, const void *data, int64_t index);
bool cnnfi_element_i64(int64_t *out, cnnf_dtype dtype, const void *data, int64_t index);
/* A number as an element of the dtype, rounded or cut to it; its size, 0: not for strings, complex and quantised types.
 */
size_t cnnfi_element_from_f64(uint8_t out[8], cnnf_dtype dtype, double value);

#endif
