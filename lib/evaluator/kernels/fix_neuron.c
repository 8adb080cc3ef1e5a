/* SPDX-License-Identifier: Apache-2.0 */
/* FixNeuron: values rounded to a grid of powers of two, as Vitis AI's quantizer does (ops/fixed_grid.h). */
#include "ops/fixed_grid.h"

#include <math.h>

#include "evaluator/kernels/portable.h"

typedef struct job {
    const float *x;
    float *y;
    int64_t count;
    cnnfi_fix_neuron fix;
    int64_t first;                       /* of the candidates */
    double errors[CNNFI_FIX_CANDIDATES]; /* by candidate */
} job;

static void round_part(int64_t begin, int64_t end, void *user)
{
    const job *j = user;
    cnnfi_fix_neuron_round(j->y + begin, j->x + begin, end - begin, j->fix.bits, j->fix.position, j->fix.mode);
}

static void measure(int64_t begin, int64_t end, void *user)
{
    job *j = user;
    for (int64_t i = begin; i < end; i++) {
        j->errors[i] = cnnfi_fix_neuron_error(j->x, j->count, j->fix.bits, j->first + i, j->fix.mode, j->fix.method);
    }
}

/* The position of the tensor at hand. */
static int64_t find_position(const cnnfi_call *call, job *j, cnnfi_fix_range range)
{
    int64_t best = 0;
    j->first = cnnfi_fix_neuron_position(range, j->fix.bits);
    if (j->fix.method == CNNFI_FIX_NON_OVERFLOW || j->first == CNNFI_FIX_ZERO_POSITION) return j->first;
    cnnfi_parallel_for(call->pool, CNNFI_FIX_CANDIDATES, 1, measure, j);
    for (int64_t i = 1; i < CNNFI_FIX_CANDIDATES; i++) {
        if (j->errors[i] < j->errors[best]) best = i;
    }
    return j->first + best;
}

static cnnf_status begin(cnnfi_call *call, job *j)
{
    *j = (job){.x = call->inputs[0].data, .y = call->outputs[0].data, .count = call->inputs[0].count};
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
    if (j.fix.phase == CNNFI_FIX_CALIBRATE)
        j.fix.position = find_position(call, &j, cnnfi_fix_neuron_range(j.x, j.count));
    finish(call, &j);
    return CNNF_OK;
}

static int64_t count_outside(const job *j)
{
    const double step = ldexp(1.0, (int)-j->fix.position), half = ldexp(1.0, (int)j->fix.bits - 1);
    const double low = (-half - 0.5) * step, high = (half - 0.5) * step;
    int64_t outside = 0;
    for (int64_t i = 0; i < j->count; i++)
        outside += (double)j->x[i] < low || (double)j->x[i] >= high;
    return outside;
}

static cnnf_status calibrate_run(cnnfi_call *call)
{
    job j;
    double *facts = call->outputs[1].data;
    CNNFI_TRY(begin(call, &j));
    const cnnfi_fix_range range = cnnfi_fix_neuron_range(j.x, j.count);
    j.fix.position = find_position(call, &j, range);
    facts[CNNFI_FIX_FACT_POSITION] = (double)j.fix.position;
    facts[CNNFI_FIX_FACT_LEAST] = (double)range.least;
    facts[CNNFI_FIX_FACT_MOST] = (double)range.most;
    facts[CNNFI_FIX_FACT_COUNT] = (double)j.count;
    facts[CNNFI_FIX_FACT_SATURATED] = (double)count_outside(&j);
    finish(call, &j);
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"FixNeuron", fix_run, CNNFI_OP_INPLACE, NULL},
    {"_CalibrateFixNeuron", calibrate_run, 0, NULL},
};

const cnnfi_kernel_family cnnfi_kernels_fix_neuron = {"fix_neuron", kernels, sizeof(kernels) / sizeof(kernels[0])};
