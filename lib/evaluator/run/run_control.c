/* SPDX-License-Identifier: Apache-2.0 */
/* See run_control.h, and cnnfi_control in plan.h. */
#include "evaluator/run/run_control.h"

#include <string.h>

typedef struct control_run {
    cnnfi_workspace *w;
    int32_t index;
    const cnnfi_step *step;
    const cnnfi_control *control;
    const cnnfi_run_request *request;
    cnnf_error *error;
} control_run;

static const cnnfi_slot *slot_of(const control_run *r, int32_t index)
{
    return &r->w->plan->slots[index];
}

/* ---- the plans inside ---- */

static cnnf_status find_inner(const control_run *r, int32_t branch, cnnfi_workspace **out)
{
    cnnfi_workspace *w = r->w;
    const size_t n_steps = (size_t)w->plan->n_steps, n_branches = (size_t)r->control->n_branches;
    if (!w->inner) w->inner = cnnfi_calloc(w->context, n_steps, sizeof *w->inner);
    if (!w->inner) return cnnfi_fail_nomem(r->error);
    cnnfi_workspace ***all = &w->inner[r->index];
    if (!*all) *all = cnnfi_calloc(w->context, n_branches + 1, sizeof **all);
    if (!*all) return cnnfi_fail_nomem(r->error);
    if (!(*all)[branch]) CNNFI_TRY(cnnfi_workspace_new(&(*all)[branch], r->control->branches[branch], r->error));
    *out = (*all)[branch];
    return CNNF_OK;
}

/* Takes the feeds' keepers in any case. */
static cnnf_status run_inner(const control_run *r, int32_t branch, cnnfi_held *feeds, int32_t n_feeds,
                             cnnfi_held *outputs)
{
    cnnfi_workspace *inner = NULL;
    cnnf_status status = find_inner(r, branch, &inner);
    if (status) {
        cnnfi_held_release(feeds, n_feeds);
        return status;
    }
    return cnnfi_workspace_run(inner, feeds, outputs, r->request, r->error);
}

static cnnfi_held *held_array(const control_run *r, int32_t count)
{
    return cnnfi_calloc(r->w->context, (size_t)count + 1, sizeof(cnnfi_held));
}

/* ---- what comes out ---- */

static bool same_shape(const cnnfi_value *a, const cnnfi_value *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof(int64_t)) == 0;
}

/* Bytes that are an input's, which lies in the arena and will be overwritten there, have to be kept. */
static cnnf_status keep_bytes(const control_run *r, cnnfi_held *held)
{
    cnnfi_workspace *w = r->w;
    for (int32_t i = 0; i < r->step->n_inputs; i++) {
        const int32_t input = r->step->inputs[i];
        if (w->values[input].data != held->value.data || slot_of(r, input)->value.data) continue;
        if (w->keepers[input]) {
            held->keeper = cnnfi_object_ref(w->keepers[input]);
            return CNNF_OK;
        }
        if (slot_of(r, slot_of(r, input)->root)->place != CNNFI_PLACE_ARENA) continue;
        held->keeper = cnnfi_object_of_value(w->context, &held->value);
        if (!held->keeper) return cnnfi_fail_nomem(r->error);
        held->value.data = held->keeper->value.data;
        return CNNF_OK;
    }
    return CNNF_OK;
}

/* Takes the keeper. */
static cnnf_status put_output(const control_run *r, int32_t index, cnnfi_held *held)
{
    cnnfi_workspace *w = r->w;
    const int32_t output = r->step->output + index;
    const cnnfi_slot *slot = slot_of(r, output);
    if (slot->place == CNNFI_PLACE_CONST) {
        cnnfi_held_release(held, 1);
        return CNNF_OK;
    }
    if (!held->keeper) CNNFI_TRY(keep_bytes(r, held));
    w->values[output] = held->value;
    cnnfi_object_unref(w->keepers[output]);
    w->keepers[output] = held->keeper;
    held->keeper = NULL;
    if (!slot->known || same_shape(&slot->value, &w->values[output])) return CNNF_OK;
    return cnnfi_fail(r->error, CNNF_E_INTERNAL, "node '%s' (%s): output %d is not what was expected",
                      r->step->node->name, r->step->node->op, (int)index);
}

static cnnf_status put_outputs(const control_run *r, cnnfi_held *held)
{
    for (int32_t i = 0; i < r->step->n_outputs; i++)
        CNNFI_TRY(put_output(r, i, &held[i]));
    return CNNF_OK;
}

/* ---- truth ---- */

/* A scalar is true unless it is 0, anything else unless it is empty: functional_ops.cc, ToBool. */
static bool is_true(const cnnfi_value *value)
{
    static const uint8_t zero[32];
    const size_t size = cnnf_dtype_size(value->dtype);
    if (value->rank > 0) return value->count > 0;
    if (value->dtype == CNNF_FLOAT) return *(const float *)value->data != 0;
    if (value->dtype == CNNF_DOUBLE) return *(const double *)value->data != 0;
    return size && size <= sizeof zero && memcmp(value->data, zero, size) != 0;
}

static cnnf_status fail_truth(const control_run *r)
{
    return cnnfi_fail(r->error, CNNF_E_MISMATCH, "node '%s' (%s): what decides must be a number or a truth",
                      r->step->node->name, r->step->node->op);
}

/* ---- calls and branches ---- */

static cnnf_status choose_branch(const control_run *r, int32_t *out)
{
    const int32_t n = r->control->n_branches;
    *out = 0;
    if (r->control->kind == CNNFI_CONTROL_CALL) return CNNF_OK;
    const cnnfi_value *value = &r->w->values[r->step->inputs[0]];
    if (!cnnf_dtype_size(value->dtype)) return fail_truth(r);
    if (r->control->by_truth) {
        *out = is_true(value) ? 0 : 1;
        return CNNF_OK;
    }
    if (value->dtype != CNNF_INT32 || value->count != 1) return fail_truth(r);
    const int32_t index = *(const int32_t *)value->data;
    *out = index < 0 || index >= n ? n - 1 : index;
    return CNNF_OK;
}

static cnnf_status run_branch(const control_run *r)
{
    int32_t branch;
    const int32_t first = r->control->kind == CNNFI_CONTROL_BRANCH, n = r->step->n_inputs - first;
    CNNFI_TRY(choose_branch(r, &branch));
    if (!r->control->branches[branch]) {
        return cnnfi_fail(r->error, r->control->codes[branch], "node '%s' (%s): %s", r->step->node->name,
                          r->step->node->op, r->control->reasons[branch]);
    }
    const int32_t outputs = r->control->branches[branch]->n_fetches;
    cnnfi_held *feeds = held_array(r, n + outputs), *results = feeds + n;
    if (!feeds) return cnnfi_fail_nomem(r->error);
    for (int32_t i = 0; i < n; i++)
        feeds[i] = cnnfi_workspace_hand_out(r->w, r->step->inputs[first + i]);
    cnnf_status status = run_inner(r, branch, feeds, n, results);
    if (!status) status = put_outputs(r, results);
    cnnfi_held_release(results, outputs);
    cnnfi_free(r->w->context, feeds);
    return status;
}

/* ---- loops ---- */

typedef struct rounds {
    const control_run *r;
    int32_t n_state, n_feeds;
    cnnfi_held *state; /* n_state */
    cnnfi_held *fixed; /* the step's other inputs */
    int32_t n_fixed;
    cnnfi_held *feeds; /* n_feeds: what the plan to be run gets */
    cnnfi_held *next;  /* n_state, or one */
    int32_t late;      /* 1 from the second round on */
} rounds;

static cnnfi_held shared(const cnnfi_held *held)
{
    return (cnnfi_held){held->value, cnnfi_object_ref(held->keeper)};
}

/* take: this plan is the last one to see the state as it is. */
static void fill_feeds(rounds *loop, bool take)
{
    static const int32_t numbers[2] = {0, 1};
    int32_t at = 0;
    for (int32_t i = 0; i < loop->n_state; i++) {
        loop->feeds[at++] = take ? loop->state[i] : shared(&loop->state[i]);
        if (take) loop->state[i].keeper = NULL;
    }
    for (int32_t i = 0; loop->r->control->has_rounds && i < loop->n_state; i++) {
        loop->feeds[at++] =
            (cnnfi_held){.value = {.dtype = CNNF_INT32, .count = 1, .data = (void *)(uintptr_t)&numbers[loop->late]}};
    }
    for (int32_t i = 0; i < loop->n_fixed; i++)
        loop->feeds[at++] = shared(&loop->fixed[i]);
}

static cnnf_status ask_condition(rounds *loop, bool *go_on)
{
    const control_run *r = loop->r;
    cnnfi_held answer = {0};
    fill_feeds(loop, false);
    CNNFI_TRY(run_inner(r, CNNFI_LOOP_CONDITION, loop->feeds, loop->n_feeds, &answer));
    const bool fits = cnnf_dtype_size(answer.value.dtype) != 0;
    *go_on = fits && is_true(&answer.value);
    cnnfi_held_release(&answer, 1);
    return fits ? CNNF_OK : fail_truth(r);
}

static cnnf_status run_rounds(rounds *loop)
{
    const control_run *r = loop->r;
    bool go_on;
    for (;;) {
        CNNFI_TRY(cnnfi_budget_spend(r->request->budget, 1, r->error));
        if (r->request->cancelled(r->request->user)) return cnnfi_fail(r->error, CNNF_E_CANCELLED, "cancelled");
        CNNFI_TRY(ask_condition(loop, &go_on));
        if (!go_on) break;
        fill_feeds(loop, true);
        CNNFI_TRY(run_inner(r, CNNFI_LOOP_BODY, loop->feeds, loop->n_feeds, loop->next));
        cnnfi_held *state = loop->state;
        loop->state = loop->next;
        loop->next = state;
        loop->late = 1;
    }
    if (!r->control->branches[CNNFI_LOOP_AFTER]) return put_outputs(r, loop->state);
    fill_feeds(loop, true);
    CNNFI_TRY(run_inner(r, CNNFI_LOOP_AFTER, loop->feeds, loop->n_feeds, loop->next));
    const cnnf_status status = put_outputs(r, loop->next);
    cnnfi_held_release(loop->next, r->step->n_outputs);
    return status;
}

static cnnf_status run_loop(const control_run *r)
{
    const int32_t n = r->control->n_state;
    rounds loop = {.r = r, .n_state = n, .n_fixed = r->step->n_inputs - n};
    loop.n_feeds = n * (r->control->has_rounds ? 2 : 1) + loop.n_fixed;
    const int32_t n_next = n > r->step->n_outputs ? n : r->step->n_outputs;
    /* + 1: in body and after, a loop of TensorFlow 1 has the condition as a feed that is constant there */
    cnnfi_held *state = held_array(r, n), *fixed = held_array(r, loop.n_fixed),
               *feeds = held_array(r, loop.n_feeds + 1), *next = held_array(r, n_next);
    loop.state = state;
    loop.fixed = fixed;
    loop.feeds = feeds;
    loop.next = next;
    cnnf_status status = state && fixed && feeds && next ? CNNF_OK : cnnfi_fail_nomem(r->error);
    for (int32_t i = 0; !status && i < r->step->n_inputs; i++)
        (i < n ? state : fixed - n)[i] = cnnfi_workspace_hand_out(r->w, r->step->inputs[i]);
    if (!status) status = run_rounds(&loop);
    if (state) cnnfi_held_release(state, n);
    if (fixed) cnnfi_held_release(fixed, loop.n_fixed);
    if (next) cnnfi_held_release(next, n);
    cnnfi_free(r->w->context, state);
    cnnfi_free(r->w->context, fixed);
    cnnfi_free(r->w->context, feeds);
    cnnfi_free(r->w->context, next);
    return status;
}

cnnf_status cnnfi_run_control(cnnfi_workspace *w, int32_t index, const cnnfi_run_request *request, cnnf_error *error)
{
    const cnnfi_step *step = &w->plan->steps[index];
    const control_run r = {
        .w = w, .index = index, .step = step, .control = step->control, .request = request, .error = error};
    return step->control->kind == CNNFI_CONTROL_LOOP ? run_loop(&r) : run_branch(&r);
}
