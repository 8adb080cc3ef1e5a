/* SPDX-License-Identifier: Apache-2.0 */
/*
 * y = scale * x + shift for each channel: what a batch norm is at inference, and what travels along
 * the edges until something absorbs it. The channel axis is counted from the last one (0: NHWC, 2:
 * images in NCHW), so that it means the same whatever leading axes there are.
 *
 * Where channels were merged into a longer axis (Flatten), element j of that axis belongs to channel
 * j % n when channels were last, and to channel j / (length / n) when they came first (`blocks`).
 */
#ifndef CNNFI_TRANSFORM_BATCH_NORM_AFFINE_H
#define CNNFI_TRANSFORM_BATCH_NORM_AFFINE_H

#include "edit/edit.h"

typedef struct cnnfi_affine {
    size_t n;                    /* channels; 1: the same for all */
    const double *scale, *shift; /* [n], in the edit's arena */
    int32_t axis;
    bool blocks;
} cnnfi_affine;

/* The channel of element j of an axis of `length`. */
static inline size_t cnnfi_affine_channel(const cnnfi_affine *a, size_t j, size_t length)
{
    return a->blocks ? j / (length / a->n) : j % a->n;
}

/* Scale 1 and shift 0, to be filled. NULL values (n 0) when memory is out. */
cnnfi_affine cnnfi_affine_new(cnnfi_edit *edit, size_t n, int32_t axis, double **scale, double **shift);
/* Whether both speak of the same channels, or one of them of all alike. */
bool cnnfi_affine_composes(const cnnfi_affine *outer, const cnnfi_affine *inner);
/* outer(inner(x)); n of the result is the larger one, which must be a multiple of the other. n 0 when they do not
 * match. */
cnnfi_affine cnnfi_affine_compose(cnnfi_edit *edit, const cnnfi_affine *outer, const cnnfi_affine *inner);
/* The scale (shift) alone. */
cnnfi_affine cnnfi_affine_scale_only(cnnfi_edit *edit, const cnnfi_affine *a);
cnnfi_affine cnnfi_affine_shift_only(cnnfi_edit *edit, const cnnfi_affine *a);
/* a(x) = sign * magnitude(x), where magnitude scales by |scale|: no channel divides by anything. */
void cnnfi_affine_split_sign(cnnfi_edit *edit, const cnnfi_affine *a, cnnfi_affine *sign, cnnfi_affine *magnitude);

bool cnnfi_affine_has_shift(const cnnfi_affine *a);
bool cnnfi_affine_has_scale(const cnnfi_affine *a);
bool cnnfi_affine_is_finite(const cnnfi_affine *a);
/* How many channels have a scale below (at) zero. */
size_t cnnfi_affine_negatives(const cnnfi_affine *a);
size_t cnnfi_affine_zeros(const cnnfi_affine *a);

#endif
