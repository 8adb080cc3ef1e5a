/* SPDX-License-Identifier: Apache-2.0 */
/* FixNeuron: values rounded to a grid of powers of two, as Vitis AI's quantizer does (ops/fixed_grid.h). */
#include "ops/fixed_grid.h"

#include <float.h>
#include <math.h>

#include "evaluator/fused/simd.h"
#include "evaluator/kernels/portable.h"

typedef struct job {
    const float *x;
    float *y;
    int64_t count;
    cnnfi_fix_neuron fix;
    int64_t first;                       /* of the candidates */
    double errors[CNNFI_FIX_CANDIDATES]; /* by candidate */
    const cnnfi_simd *simd;
    _Atomic int64_t outside; /* elements that the grid ends before */
} job;

/* Positions with which no product leaves the normal numbers. */
#define FAR 60

static cnnfi_grid grid_of(const job *j, int64_t position)
{
    const float half = ldexpf(1.0f, (int)j->fix.bits - 1);
    return (cnnfi_grid){.low = -half,
                        .high = half - 1.0f,
                        .scale = ldexpf(1.0f, (int)position),
                        .step = ldexpf(1.0f, (int)-position),
                        .up = j->fix.mode == CNNFI_FIX_ACTIVATION};
}

static void round_part(int64_t begin, int64_t end, void *user)
{
    job *j = user;
    const int64_t position = j->fix.position;
    if (position < -FAR || position > FAR) {
        cnnfi_fix_neuron_round(j->y + begin, j->x + begin, end - begin, j->fix.bits, position, j->fix.mode);
        return;
    }
    const cnnfi_grid grid = grid_of(j, position);
    j->outside += j->simd->grid_round(&grid, j->x + begin, j->y + begin, end - begin);
}

/* ---- positions ---- */

static void measure(int64_t begin, int64_t end, void *user)
{
    job *j = user;
    for (int64_t i = begin; i < end; i++) {
        j->errors[i] = cnnfi_fix_neuron_error(j->x, j->count, j->fix.bits, j->first + i, j->fix.mode, j->fix.method);
    }
}

/* All candidates at once, where squares are added up. */
static void measure_squares(job *j)
{
    float sums[CNNFI_FIX_CANDIDATES];
    const cnnfi_grid grid = grid_of(j, j->first);
    j->simd->grid_errors(&grid, j->x, j->count, sums);
    for (int i = 0; i < CNNFI_FIX_CANDIDATES; i++)
        j->errors[i] = ldexp((double)sums[i], -2 * i);
}

static cnnfi_fix_range find_range(const job *j)
{
    cnnfi_fix_range range = {0, 0};
    if (!j->count) return range;
    j->simd->grid_range(j->x, j->count, &range.least, &range.most);
    if (fabsf(range.least) < FLT_MIN) range.least = 0;
    if (fabsf(range.most) < FLT_MIN) range.most = 0;
    return range;
}

/* The position of the tensor at hand. */
static int64_t find_position(const cnnfi_call *call, job *j, cnnfi_fix_range range)
{
    int64_t best = 0;
    const bool relative = j->fix.method == CNNFI_FIX_MIN_DEPTHWISE && j->fix.mode == CNNFI_FIX_DEPTHWISE_WEIGHT;
    j->first = cnnfi_fix_neuron_position(range, j->fix.bits);
    if (j->fix.method == CNNFI_FIX_NON_OVERFLOW || j->first == CNNFI_FIX_ZERO_POSITION) return j->first;
    if (relative || j->first < -FAR || j->first + CNNFI_FIX_CANDIDATES > FAR)
        cnnfi_parallel_for(call->pool, CNNFI_FIX_CANDIDATES, 1, measure, j);
    else
        measure_squares(j);
    for (int64_t i = 1; i < CNNFI_FIX_CANDIDATES; i++) {
        if (j->errors[i] < j->errors[best]) best = i;
    }
    return j->first + best;
}

/* ---- the ops ---- */

static cnnf_status begin(cnnfi_call *call, job *j)
{
    *j = (job){.x = call->inputs[0].data,
               .y = call->outputs[0].data,
               .count = call->inputs[0].count,
               .simd = cnnfi_simd_best()};
    return cnnfi_fix_neuron_read(call, &j->fix);
}

/* Element-wise: the buffer may be the input's. */
static void finish(const cnnfi_call *call, job *j)
{
    cnnfi_parallel_for(call->pool, j->count, 16384, round_part, j);
}

static cnnf_status fix_run(cnnfi_call *call)
{
    job j;
    CNNFI_TRY(begin(call, &j));
    if (j.fix.phase == CNNFI_FIX_CALIBRATE) j.fix.position = find_position(call, &j, find_range(&j));
    finish(call, &j);
    return CNNF_OK;
}

static cnnf_status calibrate_run(cnnfi_call *call)
{
    job j;
    double *facts = call->outputs[1].data;
    CNNFI_TRY(begin(call, &j));
    const cnnfi_fix_range range = find_range(&j);
    j.fix.position = find_position(call, &j, range);
    finish(call, &j);
    facts[CNNFI_FIX_FACT_POSITION] = (double)j.fix.position;
    facts[CNNFI_FIX_FACT_LEAST] = (double)range.least;
    facts[CNNFI_FIX_FACT_MOST] = (double)range.most;
    facts[CNNFI_FIX_FACT_COUNT] = (double)j.count;
    facts[CNNFI_FIX_FACT_SATURATED] = (double)j.outside;
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"FixNeuron", fix_run, CNNFI_OP_INPLACE, NULL},
    {"_CalibrateFixNeuron", calibrate_run, 0, NULL},
};

const cnnfi_kernel_family cnnfi_kernels_fix_neuron = {"fix_neuron", kernels, sizeof(kernels) / sizeof(kernels[0])};
