/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pointwise convolution and the depthwise one that reads it, in bands of rows: what lies between them is six times
 * wider than either end and never leaves the cache. Rows at the seams are computed twice, to the same bits.
 */
#include "base/checked.h"
#include "evaluator/fused/fused.h"
#include "evaluator/plan/slots.h"

/* What lies between, for one band: half of a second-level cache. */
#define BAND_BYTES ((size_t)512 << 10)
/* Images that fit are left alone. */
#define WORTHWHILE ((size_t)1 << 20)

typedef struct pair {
    cnnfi_fused base;
    const cnnfi_fused_conv *wide, *deep; /* the plan's */
    int64_t rows;                        /* output rows of a band */
    int64_t bands;                       /* of an image */
    size_t band_bytes;
    int32_t slots;
} pair;

typedef struct job {
    const pair *p;
    const float *x, *residual;
    float *y;
    uint8_t *scratch;
    cnnfi_slots slots;
} job;

/* The rows of the middle that output rows [begin, end) read. */
static void rows_between(const cnnfi_depthwise *d, int64_t begin, int64_t end, int64_t *first, int64_t *last)
{
    *first = cnnfi_max_i64(begin * d->stride_y - d->before_y, 0);
    *last = cnnfi_min_i64((end - 1) * d->stride_y - d->before_y + (d->filter_y - 1) * d->dilation_y + 1, d->height);
}

static void run_band(const pair *p, const float *x, const float *residual, float *y, int64_t band, float *middle)
{
    const cnnfi_gemm *g = &p->wide->gemm;
    cnnfi_depthwise d = p->deep->depthwise;
    int64_t begin = band * p->rows, end = cnnfi_min_i64(begin + p->rows, d.out_height), first, last;
    rows_between(&d, begin, end, &first, &last);
    p->wide->simd->gemm(g, x, middle, first * g->out_width, last * g->out_width, 0, p->wide->panel_count);
    d.first_row = first;
    d.post.residual = residual;
    p->deep->simd->depthwise(&d, middle, y + begin * d.out_width * d.channels, begin, end);
}

static void run_one(const cnnfi_fused *base, const float *x, const float *residual, float *y, void *scratch)
{
    const pair *p = (const pair *)base;
    for (int64_t i = 0; i < p->bands; i++)
        run_band(p, x, residual, y, i, scratch);
}

static void run_bands(int64_t begin, int64_t end, void *user)
{
    job *j = user;
    const pair *p = j->p;
    const cnnfi_depthwise *d = &p->deep->depthwise;
    const int64_t in = p->wide->gemm.image_stride, out = d->out_height * d->out_width * d->channels;
    int slot = cnnfi_slot_take(&j->slots);
    float *middle = (float *)(void *)(j->scratch + (size_t)slot * p->band_bytes);
    for (int64_t i = begin; i < end; i++) {
        int64_t image = i / p->bands;
        run_band(p, j->x + image * in, j->residual ? j->residual + image * out : NULL, j->y + image * out, i % p->bands,
                 middle);
    }
    cnnfi_slot_give(&j->slots, slot);
}

static cnnf_status run(const cnnfi_fused *base, cnnfi_call *call)
{
    const pair *p = (const pair *)base;
    job j = {.p = p, .x = call->inputs[0].data, .y = call->outputs[0].data, .scratch = call->scratch};
    if (call->n_inputs > 1) j.residual = call->inputs[1].data;
    cnnfi_slots_init(&j.slots, p->slots);
    cnnfi_parallel_for(call->pool, p->base.batch * p->bands, 1, run_bands, &j);
    return CNNF_OK;
}

static void free_pair(cnnf_context *context, cnnfi_fused *base)
{
    cnnfi_free(context, base);
}

static bool fits(const cnnfi_fused_conv *wide, const cnnfi_fused_conv *deep)
{
    return wide->method == CNNFI_METHOD_GEMM && deep->method == CNNFI_METHOD_DEPTHWISE && !wide->copy &&
           !wide->gemm.pool && wide->gemm.n_runs == 1 && wide->base.batch == deep->base.batch &&
           wide->gemm.out_height == deep->depthwise.height && deep->depthwise.filter_y > 1;
}

cnnf_status cnnfi_pair_portable(cnnfi_fused **out, cnnf_context *context, const cnnfi_fused *first,
                                const cnnfi_fused *second, int32_t threads, size_t *scratch_size, cnnf_error *error)
{
    const cnnfi_fused_conv *wide = (const cnnfi_fused_conv *)first, *deep = (const cnnfi_fused_conv *)second;
    *out = NULL;
    if (first->free != second->free || first->free != cnnfi_fused_conv_free || !fits(wide, deep)) return CNNF_OK;
    const cnnfi_depthwise *d = &deep->depthwise;
    const size_t row = (size_t)(d->width * d->channels) * sizeof(float);
    if (row * (size_t)d->height < WORTHWHILE) return CNNF_OK;
    const int64_t reach = (d->filter_y - 1) * d->dilation_y + 1, room = (int64_t)(BAND_BYTES / row);
    if (room < 2 * reach) return CNNF_OK; /* the seams would be too many */
    pair *p = cnnfi_calloc(context, 1, sizeof(*p));
    if (!p) return cnnfi_fail_nomem(error);
    p->wide = wide;
    p->deep = deep;
    p->rows = cnnfi_min_i64((room - reach) / d->stride_y + 1, (d->out_height + threads - 1) / threads);
    p->bands = (d->out_height + p->rows - 1) / p->rows;
    p->band_bytes = (((size_t)((p->rows - 1) * d->stride_y + reach) * row) + 63) & ~(size_t)63;
    p->slots = cnnfi_slot_count(threads);
    *scratch_size = p->band_bytes * (size_t)p->slots;
    p->base = (cnnfi_fused){.backend = "portable",
                            .algorithm = "matrix product and depthwise in bands",
                            .isa = first->isa,
                            .run = run,
                            .run_one = run_one,
                            .free = free_pair,
                            .n_nodes = first->n_nodes + second->n_nodes,
                            .batch = first->batch,
                            .one_scratch = p->band_bytes,
                            .weight_bytes = first->weight_bytes};
    *out = &p->base;
    return CNNF_OK;
}
