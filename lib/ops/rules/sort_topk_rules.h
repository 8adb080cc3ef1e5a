/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing elements, and what the shapes of Unique and ListDiff depend on; for their rules and their kernels. */
#ifndef CNNFI_OPS_RULES_SORT_TOPK_RULES_H
#define CNNFI_OPS_RULES_SORT_TOPK_RULES_H

#include "graph/element.h"
#include "ops/call.h"

/* -1, 0, 1; exact for every type but complex. NaN compares equal to everything, as in chains of '<'. */
static inline int cnnfi_compare_elements(const cnnfi_value *v, int64_t i, int64_t j)
{
    const cnnf_dtype t = v->dtype;
    if (t == CNNF_FLOAT || t == CNNF_DOUBLE || t == CNNF_HALF || t == CNNF_BFLOAT16) {
        double a, b;
        cnnfi_element_f64(&a, t, v->data, i);
        cnnfi_element_f64(&b, t, v->data, j);
        return (a > b) - (a < b);
    }
    const uint64_t flip = t == CNNF_UINT64 ? (uint64_t)1 << 63 : 0; /* orders uint64 as int64 */
    int64_t a, b;
    cnnfi_element_i64(&a, t, v->data, i);
    cnnfi_element_i64(&b, t, v->data, j);
    a = (int64_t)((uint64_t)a ^ flip);
    b = (int64_t)((uint64_t)b ^ flip);
    return (a > b) - (a < b);
}

/* A tensor as slices along an axis, outer x n x inner. */
typedef struct cnnfi_slices {
    const cnnfi_value *in;
    int32_t axis;
    int64_t n, outer, inner;
} cnnfi_slices;

/* Unique: input 0, UniqueV2's axis is input 1. CNNFI_INFER_DYNAMIC: no axis or shape yet. */
cnnf_status cnnfi_unique_slices(cnnfi_call *call, cnnfi_slices *slices);
/* Numbers the slices in the order in which different ones first come. *block, which the caller frees: [0 .. *count)
   which slice a number stands for, [n .. 2 n) the number of each slice. */
cnnf_status cnnfi_unique_count(cnnfi_call *call, const cnnfi_slices *slices, int64_t **block, int64_t *count);

/* Whether element i of x is one of y's. */
bool cnnfi_list_has(const cnnfi_value *y, const cnnfi_value *x, int64_t i);

#endif
