/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/fake_quant.h"

#include <math.h>

cnnfi_fake_grid cnnfi_fake_quant_grid(float low, float high, int64_t bits, bool narrow)
{
    const float first = narrow ? 1.0f : 0.0f, last = (float)(((int64_t)1 << bits) - 1);
    const float scale = (high - low) / (last - first), zero = first - low / scale;
    const float point = !(zero >= first) ? first : zero > last ? last : roundf(zero); /* a scale of 0: NaN */
    return (cnnfi_fake_grid){.low = (first - point) * scale,
                             .high = (last - point) * scale,
                             .scale = scale,
                             .first = (int32_t)first,
                             .last = (int32_t)last,
                             .zero = (int32_t)point};
}

int32_t cnnfi_fake_quant_integer(const cnnfi_fake_grid *grid, float x)
{
    if (!(grid->scale > 0) || isnan(x)) return grid->zero;
    const float cut = x < grid->low ? grid->low : x > grid->high ? grid->high : x;
    const float step = floorf((cut - grid->low) / grid->scale + 0.5f) + (float)grid->first;
    return step > (float)grid->last ? grid->last : (int32_t)step;
}
