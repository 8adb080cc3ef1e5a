/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers to text and back, the same in every locale. */
#ifndef CNNFI_BASE_NUM_H
#define CNNFI_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shortest text that reads back as the same double, in Python's repr() form ("0.1", "1e-06", "16777216.0",
   "1e+16", "inf", "-0.0", "nan"); returns its length (< 32). */
size_t cnnfi_format_double(char out[32], double value);
/* Fixed decimals ("0.9925" for digits 4), ties as printf's. Returns the length; "inf", "nan" as they are. */
size_t cnnfi_format_fixed(char out[352], double value, int digits);
/* Reads a decimal number at text (length n); *used = characters taken, 0 when there is none. Correctly rounded. */
double cnnfi_parse_double(const char *text, size_t n, size_t *used);
/* The same rounded once to float. */
float cnnfi_parse_float(const char *text, size_t n, size_t *used);
/* Decimal integer with optional sign; false when it is none or does not fit. */
bool cnnfi_parse_i64(const char *text, size_t n, int64_t *out);

/* IEEE half and bfloat16, round to nearest even. */
float cnnfi_half_to_float(uint16_t bits);
uint16_t cnnfi_float_to_half(float value);
float cnnfi_bfloat16_to_float(uint16_t bits);
uint16_t cnnfi_float_to_bfloat16(float value);

#endif
