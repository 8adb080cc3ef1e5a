/* SPDX-License-Identifier: Apache-2.0 */
/* Per-channel affine maps: see affine.h. */
#include "transform/batch_norm/affine.h"

#include <math.h>

cnnfi_affine cnnfi_affine_new(cnnfi_edit *edit, size_t n, int32_t axis, double **scale, double **shift)
{
    *scale = cnnfi_edit_array(edit, n, sizeof **scale);
    *shift = cnnfi_edit_array(edit, n, sizeof **shift);
    if (!*scale || !*shift) return (cnnfi_affine){0};
    for (size_t i = 0; i < n; i++)
        (*scale)[i] = 1.0;
    return (cnnfi_affine){.n = n, .scale = *scale, .shift = *shift, .axis = axis};
}

bool cnnfi_affine_composes(const cnnfi_affine *outer, const cnnfi_affine *inner)
{
    const bool same_axis = outer->axis == inner->axis && outer->blocks == inner->blocks;
    if (!outer->n || !inner->n) return false;
    if (outer->n == 1 || inner->n == 1) return true;
    if (!same_axis || (outer->blocks && outer->n != inner->n)) return false;
    return outer->n % inner->n == 0 || inner->n % outer->n == 0;
}

cnnfi_affine cnnfi_affine_compose(cnnfi_edit *edit, const cnnfi_affine *outer, const cnnfi_affine *inner)
{
    const cnnfi_affine *longer = outer->n >= inner->n ? outer : inner;
    double *scale, *shift;
    if (!cnnfi_affine_composes(outer, inner)) return (cnnfi_affine){0};
    cnnfi_affine a = cnnfi_affine_new(edit, longer->n, longer->axis, &scale, &shift);
    a.blocks = longer->blocks;
    for (size_t i = 0; i < a.n; i++) {
        const size_t o = i % outer->n, k = i % inner->n;
        scale[i] = outer->scale[o] * inner->scale[k];
        shift[i] = outer->scale[o] * inner->shift[k] + outer->shift[o];
    }
    return a;
}

static cnnfi_affine copy(cnnfi_edit *edit, const cnnfi_affine *a, double **scale, double **shift)
{
    cnnfi_affine c = cnnfi_affine_new(edit, a->n, a->axis, scale, shift);
    c.blocks = a->blocks;
    return c;
}

cnnfi_affine cnnfi_affine_scale_only(cnnfi_edit *edit, const cnnfi_affine *a)
{
    double *scale, *shift;
    const cnnfi_affine c = copy(edit, a, &scale, &shift);
    for (size_t i = 0; i < c.n; i++)
        scale[i] = a->scale[i];
    return c;
}

cnnfi_affine cnnfi_affine_shift_only(cnnfi_edit *edit, const cnnfi_affine *a)
{
    double *scale, *shift;
    const cnnfi_affine c = copy(edit, a, &scale, &shift);
    for (size_t i = 0; i < c.n; i++)
        shift[i] = a->shift[i];
    return c;
}

void cnnfi_affine_split_sign(cnnfi_edit *edit, const cnnfi_affine *a, cnnfi_affine *sign, cnnfi_affine *magnitude)
{
    double *signs, *none, *scale, *shift;
    *sign = copy(edit, a, &signs, &none);
    *magnitude = copy(edit, a, &scale, &shift);
    if (!sign->n || !magnitude->n) return;
    for (size_t i = 0; i < a->n; i++) {
        signs[i] = a->scale[i] < 0 ? -1.0 : 1.0;
        scale[i] = fabs(a->scale[i]);
        shift[i] = signs[i] * a->shift[i];
    }
}

bool cnnfi_affine_has_shift(const cnnfi_affine *a)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->shift[i] != 0.0) return true;
    }
    return false;
}

bool cnnfi_affine_has_scale(const cnnfi_affine *a)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->scale[i] != 1.0) return true;
    }
    return false;
}

bool cnnfi_affine_is_finite(const cnnfi_affine *a)
{
    for (size_t i = 0; i < a->n; i++) {
        if (!isfinite(a->scale[i]) || !isfinite(a->shift[i])) return false;
    }
    return true;
}

size_t cnnfi_affine_negatives(const cnnfi_affine *a)
{
    size_t count = 0;
    for (size_t i = 0; i < a->n; i++)
        count += a->scale[i] < 0.0;
    return count;
}

size_t cnnfi_affine_zeros(const cnnfi_affine *a)
{
    size_t count = 0;
    for (size_t i = 0; i < a->n; i++)
        count += a->scale[i] == 0.0;
    return count;
}
