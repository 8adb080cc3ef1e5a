/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the portable kernels share: element types as small indices, checks that every `infer` needs,
 * broadcasting, and blocks of half precision numbers as floats.
 */
#ifndef CNNFI_EVALUATOR_KERNELS_PORTABLE_H
#define CNNFI_EVALUATOR_KERNELS_PORTABLE_H

#include <string.h>

#include "base/checked.h"
#include "base/num.h"
#include "evaluator/kernels/kernel.h"
#include "graph/element.h"

/* Index of an element type in a kernel's table of functions. Quantised types count as their integers. */
typedef enum cnnfi_type {
    CNNFI_T_F32,
    CNNFI_T_F64,
    CNNFI_T_HALF,
    CNNFI_T_BF16,
    CNNFI_T_I8,
    CNNFI_T_I16,
    CNNFI_T_I32,
    CNNFI_T_I64,
    CNNFI_T_U8,
    CNNFI_T_U16,
    CNNFI_T_U32,
    CNNFI_T_U64,
    CNNFI_T_BOOL,
    CNNFI_T_C64,
    CNNFI_T_C128,
    CNNFI_T_COUNT,
    CNNFI_T_NONE = CNNFI_T_COUNT /* strings, resources ... */
} cnnfi_type;

/* suffix, C type: the types that C computes with */
#define CNNFI_FLOAT_TYPES(X)    X(f32, float) X(f64, double)
#define CNNFI_SIGNED_TYPES(X)   X(i8, int8_t) X(i16, int16_t) X(i32, int32_t) X(i64, int64_t)
#define CNNFI_UNSIGNED_TYPES(X) X(u8, uint8_t) X(u16, uint16_t) X(u32, uint32_t) X(u64, uint64_t)
#define CNNFI_INTEGER_TYPES(X)  CNNFI_SIGNED_TYPES(X) CNNFI_UNSIGNED_TYPES(X)
#define CNNFI_COMPLEX_TYPES(X)  X(c64, float _Complex) X(c128, double _Complex)

/* Rows of a table of functions: NAME_f32, NAME_f64 ... */
#define CNNFI_FLOATS(name) [CNNFI_T_F32] = name##_f32, [CNNFI_T_F64] = name##_f64,
#define CNNFI_SIGNED(name)                                                                                             \
    [CNNFI_T_I8] = name##_i8, [CNNFI_T_I16] = name##_i16, [CNNFI_T_I32] = name##_i32, [CNNFI_T_I64] = name##_i64,
#define CNNFI_UNSIGNED(name)                                                                                           \
    [CNNFI_T_U8] = name##_u8, [CNNFI_T_U16] = name##_u16, [CNNFI_T_U32] = name##_u32, [CNNFI_T_U64] = name##_u64,
#define CNNFI_INTEGERS(name) CNNFI_SIGNED(name) CNNFI_UNSIGNED(name)
#define CNNFI_COMPLEX(name)  [CNNFI_T_C64] = name##_c64, [CNNFI_T_C128] = name##_c128,
#define CNNFI_BOOL(name)     [CNNFI_T_BOOL] = name##_bool,

cnnfi_type cnnfi_type_of(cnnf_dtype dtype);
bool cnnfi_type_is_float(cnnfi_type type); /* half and bfloat16 too */
/* Half and bfloat16 are computed in blocks of floats and rounded once, as Eigen does. */
static inline bool cnnfi_type_is_small_float(cnnfi_type type)
{
    return type == CNNFI_T_HALF || type == CNNFI_T_BF16;
}
#define CNNFI_FLOAT_BLOCK 256
void cnnfi_small_load(cnnfi_type type, const void *in, int64_t n, float *out);
void cnnfi_small_store(cnnfi_type type, const float *in, int64_t n, void *out);

/* Element `index` as a double or an int64: element.h; 0 where it is no number. */
static inline double cnnfi_get_f64(const cnnfi_value *value, int64_t index)
{
    double number;
    cnnfi_element_f64(&number, value->dtype, value->data, index);
    return number;
}
static inline int64_t cnnfi_get_i64(const cnnfi_value *value, int64_t index)
{
    int64_t number;
    cnnfi_element_i64(&number, value->dtype, value->data, index);
    return number;
}
/* One number as an element of `type` at `to` (16 bytes of room). */
void cnnfi_put_f64(cnnfi_type type, double number, void *to);

/* Rows' `scratch`: refuse the types of input 0 that an op has and its kernel lacks. */
cnnf_status cnnfi_take_numbers(cnnfi_call *call); /* takes complex and bool too */
cnnf_status cnnfi_take_ordered(cnnfi_call *call); /* takes bool, no complex */

/* Product of dims[begin .. end). */
int64_t cnnfi_span(const int64_t *dims, int32_t begin, int32_t end);

/* ---- copying elements of any type ---- */

void cnnfi_copy_bytes(cnnfi_value *to, const cnnfi_value *from);
/* Walks an n-dimensional box in C order of the output: out[...] contiguous, in at `strides` (elements, any sign). */
void cnnfi_copy_strided(void *out, const void *in, size_t size, int32_t rank, const int64_t *dims,
                        const int64_t *strides);
/* C-order strides in elements. */
void cnnfi_strides(int32_t rank, const int64_t *dims, int64_t *strides);
/* Fills n elements of `size` bytes. */
void cnnfi_fill(void *out, const void *element, size_t size, int64_t n);

/* ---- broadcasting of up to three operands ---- */

#define CNNFI_BROADCAST_MAX 3
typedef struct cnnfi_broadcast {
    int32_t rank; /* >= 1; neighbouring axes that behave alike are merged */
    int32_t n;
    int64_t dims[CNNFI_OP_MAX_RANK];
    int64_t strides[CNNFI_BROADCAST_MAX][CNNFI_OP_MAX_RANK]; /* elements; 0 along a repeated axis */
} cnnfi_broadcast;

void cnnfi_broadcast_init(cnnfi_broadcast *b, const cnnfi_value *inputs, int32_t n, const cnnfi_value *out);
/* n operands of `count` elements each, whatever their shapes. */
void cnnfi_broadcast_init_flat(cnnfi_broadcast *b, int32_t n, int64_t count);
/* Calls `row` for each innermost row: offsets in elements of each operand, of the output, and the row's length.
   Inner strides of the operands are b->strides[k][b->rank - 1], 0 or 1. */
typedef void (*cnnfi_broadcast_row)(const int64_t *offsets, int64_t out, int64_t n, void *user);
void cnnfi_broadcast_rows(const cnnfi_broadcast *b, int64_t begin, int64_t end, cnnfi_broadcast_row row, void *user);
int64_t cnnfi_broadcast_row_count(const cnnfi_broadcast *b);

#endif
