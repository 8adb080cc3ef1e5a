/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/fixed_grid.h"

#include <float.h>
#include <math.h>

/* ---- attributes ---- */

static cnnf_status read_int(cnnfi_call *call, const char *key, int64_t fallback, int64_t least, int64_t most,
                            int64_t *out)
{
    *out = cnnf_node_attr_int(call->node, key, fallback);
    if (*out >= least && *out <= most) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_CORRUPT, "%s is %lld, not %lld to %lld", key, (long long)*out, (long long)least,
                           (long long)most);
}

cnnf_status cnnfi_fix_neuron_read(cnnfi_call *call, cnnfi_fix_neuron *out)
{
    int64_t mode = 0, method = 0;
    CNNFI_TRY(read_int(call, "bit_width", 8, 1, CNNFI_FIX_MAX_BITS, &out->bits));
    CNNFI_TRY(read_int(call, "method", 1, CNNFI_FIX_NON_OVERFLOW, CNNFI_FIX_MIN_DEPTHWISE, &method));
    CNNFI_TRY(read_int(call, "mode", 0, CNNFI_FIX_WEIGHT, CNNFI_FIX_DEPTHWISE_WEIGHT, &mode));
    CNNFI_TRY(read_int(call, "phase", CNNFI_FIX_CALIBRATE, CNNFI_FIX_CALIBRATE, CNNFI_FIX_TRAIN, &out->phase));
    CNNFI_TRY(read_int(call, "quantize_pos", 0, CNNFI_FIX_MIN_POSITION, CNNFI_FIX_MAX_POSITION, &out->position));
    out->method = (cnnfi_fix_method)method;
    out->mode = (cnnfi_fix_mode)mode;
    return CNNF_OK;
}

/* ---- rounding ---- */

static float flush(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0.0f, x) : x;
}

/* In units of the step, within [low, high]; NaN stays. Halves away from zero, negative ones up where `up`. */
static inline float to_grid(float v, float low, float high, bool up)
{
    if (!(v > low)) return v <= low ? low : v;
    if (v > high) return high;
    const float whole = (float)(int32_t)v, rest = v - whole;
    const bool down = up ? rest < -0.5f : rest <= -0.5f;
    return copysignf(whole + (float)(rest >= 0.5f) - (float)down, v);
}

/* Both factors are powers of two, so that every product is exact but for what is flushed. */
static void round_all(float *y, const float *x, int64_t n, float low, float high, float scale, float step, bool up)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = to_grid(x[i] * scale, low, high, up) * step;
}

/* Positions whose step or scale is no normal float32. */
static void round_far(float *y, const float *x, int64_t n, float low, float high, int64_t position, bool up)
{
    for (int64_t i = 0; i < n; i++) {
        const double v = ldexp((double)flush(x[i]), (int)position);
        const float near = v > (double)high ? high : v < (double)low ? low : (float)v;
        y[i] = flush((float)ldexp((double)to_grid(near, low, high, up), (int)-position));
    }
}

void cnnfi_fix_neuron_round(float *y, const float *x, int64_t n, int64_t bits, int64_t position, cnnfi_fix_mode mode)
{
    const float half = ldexpf(1.0f, (int)bits - 1), low = -half, high = half - 1.0f;
    const bool up = mode == CNNFI_FIX_ACTIVATION;
    /* Within these a product of scale and a number that is flushed is far below one half. */
    if (position >= -96 && position <= 96)
        round_all(y, x, n, low, high, ldexpf(1.0f, (int)position), ldexpf(1.0f, (int)-position), up);
    else
        round_far(y, x, n, low, high, position, up);
}

/* ---- positions ---- */

cnnfi_fix_range cnnfi_fix_neuron_range(const float *x, int64_t n)
{
    if (n <= 0) return (cnnfi_fix_range){0, 0};
    float least = x[0], most = x[0];
    for (int64_t i = 1; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    return (cnnfi_fix_range){flush(least), flush(most)};
}

int64_t cnnfi_fix_neuron_position(cnnfi_fix_range range, int64_t bits)
{
    const float half = ldexpf(1.0f, (int)bits - 1), from_least = range.least / (-half - 0.5f),
                from_most = range.most / (half - 0.5f);
    const float s = from_least > from_most ? from_least : from_most;
    if (!(s > 0)) return CNNFI_FIX_ZERO_POSITION;
    const double position = floor(log2(1.0 / (double)s));
    if (position < CNNFI_FIX_MIN_POSITION) return CNNFI_FIX_MIN_POSITION;
    return position > CNNFI_FIX_ZERO_POSITION ? CNNFI_FIX_ZERO_POSITION : (int64_t)position;
}

#define BLOCK 256

double cnnfi_fix_neuron_error(const float *x, int64_t n, int64_t bits, int64_t position, cnnfi_fix_mode mode,
                              cnnfi_fix_method method)
{
    const bool relative = method == CNNFI_FIX_MIN_DEPTHWISE && mode == CNNFI_FIX_DEPTHWISE_WEIGHT;
    float sum = 0.0f, y[BLOCK];
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t count = n - first < BLOCK ? n - first : BLOCK;
        cnnfi_fix_neuron_round(y, x + first, count, bits, position, mode);
        for (int64_t i = 0; i < count; i++) {
            const double d = (double)(y[i] - x[first + i]);
            const double term = relative ? sqrt(fabs(d / ((double)fabsf(x[first + i]) + 1e-9))) : d * d;
            sum = (float)((double)sum + term);
        }
    }
    return (double)sum;
}
