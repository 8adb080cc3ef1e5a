/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch of big images: layer by layer every activation goes through main memory. Where activations outweigh
 * filters, neighbouring fused steps become a segment: each thread takes an image through all of them, in buffers
 * of its own that stay in its cache.
 */
#include "evaluator/plan/image_segment.h"

#include <string.h>

#include "base/checked.h"
#include "evaluator/plan/slots.h"

/* A layer joins when its activations, the whole batch's, are at least this big and so many times its filter. */
#define WORTHWHILE ((size_t)4 << 20)
#define OUTWEIGHS  4

typedef struct operand {
    int32_t external; /* 0: data input of the segment, k: its k-th; -1: internal; INT32_MAX: the output; -2: none */
    size_t offset;    /* internal: in the thread's buffer */
    size_t floats;    /* external: of one image */
} operand;

#define INTERNAL (-1)
#define ABSENT   (-2)
#define OUTPUT   INT32_MAX

typedef struct part {
    const cnnfi_fused *fused;
    operand x, residual, y;
} part;

typedef struct segment {
    cnnfi_fused base;
    int32_t count;
    part *parts;
    size_t buffer_bytes, slot_bytes; /* slot: buffer and scratch */
    int32_t slots;
} segment;

/* ---- running ---- */

typedef struct job {
    const segment *s;
    const cnnfi_call *call;
    cnnfi_slots slots;
} job;

static float *resolve(const job *j, const operand *o, int64_t image, uint8_t *buffer)
{
    if (o->external == ABSENT) return NULL;
    if (o->external == INTERNAL) return (float *)(void *)(buffer + o->offset);
    const cnnfi_value *value = o->external == OUTPUT ? &j->call->outputs[0] : &j->call->inputs[o->external];
    return (float *)value->data + (size_t)image * o->floats;
}

static bool is_cancelled(const cnnfi_call *call)
{
    return call->cancelled && call->cancelled(call->cancelled_user);
}

static void run_images(int64_t begin, int64_t end, void *user)
{
    job *j = user;
    const segment *s = j->s;
    int slot = cnnfi_slot_take(&j->slots);
    uint8_t *buffer = (uint8_t *)j->call->scratch + (size_t)slot * s->slot_bytes;
    for (int64_t image = begin; image < end; image++) {
        /* A segment can be the whole network: asked as often as between steps. */
        for (int32_t i = 0; i < s->count && !is_cancelled(j->call); i++) {
            const part *p = &s->parts[i];
            p->fused->run_one(p->fused, resolve(j, &p->x, image, buffer), resolve(j, &p->residual, image, buffer),
                              resolve(j, &p->y, image, buffer), buffer + s->buffer_bytes);
        }
    }
    cnnfi_slot_give(&j->slots, slot);
}

static cnnf_status run_segment(const cnnfi_fused *base, cnnfi_call *call)
{
    const segment *s = (const segment *)base;
    job j = {.s = s, .call = call};
    cnnfi_slots_init(&j.slots, s->slots);
    cnnfi_parallel_for(call->pool, s->base.batch, 1, run_images, &j);
    if (is_cancelled(call)) return cnnfi_fail(call->error, CNNF_E_CANCELLED, "cancelled");
    return CNNF_OK;
}

static void free_segment(cnnf_context *context, cnnfi_fused *base)
{
    segment *s = (segment *)base;
    cnnfi_free(context, (void *)(uintptr_t)s->base.parts);
    cnnfi_free(context, s->parts);
    cnnfi_free(context, s);
}

/* ---- finding ---- */

typedef struct finder {
    cnnfi_plan *plan;
    int32_t *inside;     /* by slot: reads by steps of the segment under construction */
    int32_t first, last; /* steps [first, last) */
} finder;

static size_t slot_bytes(const cnnfi_plan *plan, int32_t slot)
{
    return (size_t)plan->slots[slot].value.count * sizeof(float);
}

static bool joins(const cnnfi_plan *plan, const cnnfi_step *step, int64_t batch)
{
    if (step->kind != CNNFI_STEP_FUSED || !step->fused->run_one || step->fused->batch != batch) return false;
    size_t bytes = slot_bytes(plan, step->inputs[0]) + slot_bytes(plan, step->output);
    return bytes >= WORTHWHILE && bytes / OUTWEIGHS >= step->fused->weight_bytes;
}

/* Only the last step's output may be read outside. */
static bool is_closed(const finder *f)
{
    const cnnfi_plan *plan = f->plan;
    bool closed = true;
    for (int32_t i = f->first; i < f->last; i++) {
        for (int32_t k = 0; k < plan->steps[i].n_inputs; k++)
            f->inside[plan->steps[i].inputs[k]]++;
    }
    for (int32_t i = f->first; i + 1 < f->last; i++) {
        const cnnfi_slot *out = &plan->slots[plan->steps[i].output];
        closed = closed && out->uses == f->inside[plan->steps[i].output];
    }
    for (int32_t i = f->first; i < f->last; i++) {
        for (int32_t k = 0; k < plan->steps[i].n_inputs; k++)
            f->inside[plan->steps[i].inputs[k]] = 0;
    }
    return closed;
}

/* The longest run of steps from `first` that can be a segment. */
static bool find(finder *f, int32_t threads)
{
    const cnnfi_plan *plan = f->plan;
    const cnnfi_step *step = &plan->steps[f->first];
    if (step->kind != CNNFI_STEP_FUSED || step->fused->batch < 2 || step->fused->batch < threads) return false;
    int64_t batch = step->fused->batch;
    f->last = f->first;
    while (f->last < plan->n_steps && joins(plan, &plan->steps[f->last], batch))
        f->last++;
    while (f->last - f->first > 1 && !is_closed(f))
        f->last--;
    return f->last - f->first > 1;
}

/* ---- building ---- */

typedef struct lifetime {
    int32_t slot, from, to; /* steps, relative */
    size_t offset, size;
} lifetime;

/* The lowest place that no buffer alive at the same time occupies. */
static void place(lifetime *all, int32_t index)
{
    lifetime *me = &all[index];
    me->offset = 0;
    for (int32_t k = 0; k < index; k++) {
        const lifetime *o = &all[k];
        bool apart = o->to < me->from || me->to < o->from || o->offset + o->size <= me->offset ||
                     me->offset + me->size <= o->offset;
        if (apart) continue;
        me->offset = o->offset + o->size;
        k = -1;
    }
}

static void plan_buffers(const finder *f, segment *s, lifetime *all)
{
    const cnnfi_plan *plan = f->plan;
    for (int32_t i = 0; i + 1 < s->count; i++) {
        int32_t slot = plan->steps[f->first + i].output;
        all[i] = (lifetime){.slot = slot, .from = i, .to = i};
        all[i].size = (slot_bytes(plan, slot) / (size_t)s->base.batch + 63) & ~(size_t)63;
        for (int32_t k = i + 1; k < s->count; k++) {
            const cnnfi_step *step = &plan->steps[f->first + k];
            for (int32_t m = 0; m < step->n_inputs; m++) {
                if (step->inputs[m] == slot) all[i].to = k;
            }
        }
        place(all, i);
        if (all[i].offset + all[i].size > s->buffer_bytes) s->buffer_bytes = all[i].offset + all[i].size;
    }
}

/* What a slot is to the segment; new external ones are added to inputs. */
static operand operand_of(const finder *f, const segment *s, const lifetime *all, int32_t slot, int32_t *inputs,
                          int32_t *n_inputs)
{
    operand o = {.external = INTERNAL, .floats = (size_t)(f->plan->slots[slot].value.count / s->base.batch)};
    for (int32_t i = 0; i + 1 < s->count; i++) {
        if (all[i].slot != slot) continue;
        o.offset = all[i].offset;
        return o;
    }
    for (o.external = 0; o.external < *n_inputs; o.external++) {
        if (inputs[o.external] == slot) return o;
    }
    inputs[(*n_inputs)++] = slot;
    return o;
}

static void fill_parts(const finder *f, segment *s, const lifetime *all, int32_t *inputs, int32_t *n_inputs)
{
    size_t scratch = 0;
    for (int32_t i = 0; i < s->count; i++) {
        const cnnfi_step *step = &f->plan->steps[f->first + i];
        part *p = &s->parts[i];
        p->fused = step->fused;
        p->x = operand_of(f, s, all, step->inputs[0], inputs, n_inputs);
        p->residual = (operand){.external = ABSENT};
        if (step->n_inputs > 1) p->residual = operand_of(f, s, all, step->inputs[1], inputs, n_inputs);
        p->y =
            (operand){.external = OUTPUT, .floats = (size_t)(f->plan->slots[step->output].value.count / s->base.batch)};
        if (i + 1 < s->count) p->y = operand_of(f, s, all, step->output, inputs, n_inputs);
        if (step->fused->one_scratch > scratch) scratch = step->fused->one_scratch;
        s->base.n_nodes += step->fused->n_nodes;
    }
    s->slot_bytes = s->buffer_bytes + ((scratch + 63) & ~(size_t)63);
}

/* The last step becomes the segment, the others are struck out. */
static cnnf_status replace(finder *f, segment *s, int32_t *inputs, int32_t n_inputs, cnnf_error *error)
{
    cnnfi_plan *plan = f->plan;
    size_t scratch;
    CNNFI_TRY(cnnfi_plan_own(plan, &s->base, error));
    if (!cnnfi_mul_size(&scratch, s->slot_bytes, (size_t)s->slots)) return cnnfi_fail_nomem(error);
    memcpy((void *)(uintptr_t)s->base.parts, &plan->steps[f->first], (size_t)s->count * sizeof(cnnfi_step));
    for (int32_t i = f->first; i + 1 < f->last; i++) {
        plan->slots[plan->steps[i].output].place = CNNFI_PLACE_NONE;
        plan->steps[i].node = NULL;
    }
    cnnfi_step *step = &plan->steps[f->last - 1];
    step->fused = &s->base;
    step->inputs = inputs;
    step->n_inputs = n_inputs;
    step->scratch_size = scratch;
    return CNNF_OK;
}

static cnnf_status build(finder *f, int32_t threads, cnnf_error *error)
{
    cnnf_context *context = f->plan->context;
    int32_t count = f->last - f->first, n_inputs = 0;
    segment *s = cnnfi_calloc(context, 1, sizeof(*s));
    lifetime *all = cnnfi_calloc(context, (size_t)count, sizeof(*all));
    int32_t *inputs = cnnfi_arena_array(&f->plan->memory, 2 * (size_t)count, sizeof(int32_t));
    if (s) {
        s->base = (cnnfi_fused){.backend = "portable",
                                .algorithm = "image by image",
                                .run = run_segment,
                                .free = free_segment,
                                .batch = f->plan->steps[f->first].fused->batch,
                                .n_parts = count};
        s->count = count;
        s->slots = cnnfi_slot_count(threads);
        s->parts = cnnfi_calloc(context, (size_t)count, sizeof(part));
        s->base.parts = cnnfi_calloc(context, (size_t)count, sizeof(cnnfi_step));
    }
    if (!s || !all || !inputs || !s->parts || !s->base.parts) {
        cnnfi_free(context, all);
        if (s) free_segment(context, &s->base);
        return cnnfi_fail_nomem(error);
    }
    plan_buffers(f, s, all);
    fill_parts(f, s, all, inputs, &n_inputs);
    cnnfi_free(context, all);
    return replace(f, s, inputs, n_inputs, error);
}

cnnf_status cnnfi_plan_segment(cnnfi_plan *plan, int32_t threads, cnnf_error *error)
{
    cnnf_status status = CNNF_OK;
    finder f = {.plan = plan, .inside = cnnfi_calloc(plan->context, (size_t)plan->n_slots + 1, sizeof(int32_t))};
    if (!f.inside) return cnnfi_fail_nomem(error);
    while (f.first < plan->n_steps && status == CNNF_OK) {
        if (find(&f, threads)) {
            status = build(&f, threads, error);
            f.first = f.last;
        } else {
            f.first++;
        }
    }
    cnnfi_free(plan->context, f.inside);
    cnnfi_plan_compact(plan);
    return status;
}
