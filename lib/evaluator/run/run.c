/* SPDX-License-Identifier: Apache-2.0 */
/* Running a plan: values and liveness lie in a workspace, steps are walked in order. */
#include "evaluator/run/run.h"

#include <string.h>

#include "evaluator/run/run_control.h"
#include "graph/tensor.h"

static int32_t most_inputs(const cnnfi_plan *plan)
{
    int32_t most = 1;
    for (int32_t i = 0; i < plan->n_steps; i++) {
        if (plan->steps[i].n_inputs > most) most = plan->steps[i].n_inputs;
    }
    return most;
}

static void place_values(cnnfi_workspace *w)
{
    for (int32_t i = 0; i < w->plan->n_slots; i++) {
        const cnnfi_slot *slot = &w->plan->slots[i];
        w->values[i] = slot->value;
        w->dead[i] = slot->life == CNNFI_DEAD;
        if (slot->place == CNNFI_PLACE_ARENA) w->values[i].data = w->arena + slot->offset;
    }
}

cnnf_status cnnfi_workspace_new(cnnfi_workspace **out, cnnfi_plan *plan, cnnf_error *error)
{
    cnnf_context *context = plan->context;
    *out = NULL;
    cnnfi_workspace *w = cnnfi_calloc(context, 1, sizeof(*w));
    if (!w) return cnnfi_fail_nomem(error);
    w->plan = cnnfi_plan_ref(plan);
    w->context = context;
    w->block = cnnfi_malloc(context, plan->arena_size + 128);
    w->values = cnnfi_array(context, (size_t)plan->n_slots + 1, sizeof(cnnfi_value));
    w->dead = cnnfi_calloc(context, (size_t)plan->n_slots + 1, 1);
    w->node_dead = cnnfi_calloc(context, (size_t)plan->n_flags + 1, 1);
    w->inputs = cnnfi_array(context, (size_t)most_inputs(plan), sizeof(cnnfi_value));
    w->keepers = cnnfi_calloc(context, (size_t)plan->n_slots + 1, sizeof *w->keepers);
    w->owners = cnnfi_calloc(context, (size_t)most_inputs(plan), sizeof *w->owners);
    w->last = cnnfi_calloc(context, (size_t)most_inputs(plan), sizeof *w->last);
    if (!w->keepers || !w->owners || !w->last || !w->block || !w->values || !w->dead || !w->node_dead || !w->inputs) {
        cnnfi_workspace_free(w);
        return cnnfi_fail_nomem(error);
    }
    w->arena = w->block + (64 - (uintptr_t)w->block % 64) % 64;
    place_values(w);
    *out = w;
    return CNNF_OK;
}

/* What lists and loops made lives until the end of a run. */
static void release(cnnfi_workspace *w)
{
    for (int32_t i = 0; w->keepers && i < w->plan->n_slots; i++) {
        cnnfi_object_unref(w->keepers[i]);
        w->keepers[i] = NULL;
    }
}

static void free_inner(cnnfi_workspace *w)
{
    for (int32_t i = 0; w->inner && i < w->plan->n_steps; i++) {
        const cnnfi_control *control = w->inner[i] ? w->plan->steps[i].control : NULL;
        for (int32_t k = 0; control && k < control->n_branches; k++)
            cnnfi_workspace_free(w->inner[i][k]);
        cnnfi_free(w->context, w->inner[i]);
    }
    cnnfi_free(w->context, w->inner);
}

void cnnfi_workspace_free(cnnfi_workspace *w)
{
    if (!w) return;
    release(w);
    free_inner(w);
    cnnfi_free(w->context, w->keepers);
    cnnfi_free(w->context, w->owners);
    cnnfi_free(w->context, w->last);
    cnnfi_free(w->context, w->inputs);
    cnnfi_free(w->context, w->node_dead);
    cnnfi_free(w->context, w->dead);
    cnnfi_free(w->context, w->values);
    cnnfi_free(w->context, w->block);
    cnnfi_plan_unref(w->plan);
    cnnfi_free(w->context, w);
}

cnnfi_plan *cnnfi_workspace_plan(const cnnfi_workspace *w)
{
    return w->plan;
}

/* ---- values that are kept by objects ---- */

cnnfi_held cnnfi_workspace_hand_out(cnnfi_workspace *w, int32_t slot)
{
    cnnfi_held held = {w->values[slot], w->keepers[slot]};
    if (w->plan->slots[slot].uses == 1)
        w->keepers[slot] = NULL;
    else
        cnnfi_object_ref(held.keeper);
    return held;
}

/* The same value in another slot. */
static void pass(cnnfi_workspace *w, int32_t from, int32_t to)
{
    const cnnfi_held held = cnnfi_workspace_hand_out(w, from);
    cnnfi_object_unref(w->keepers[to]);
    w->values[to] = held.value;
    w->keepers[to] = held.keeper;
}

/* Memory for a slot whose shape is known now only. */
static cnnf_status allocate(cnnfi_workspace *w, int32_t slot, cnnfi_value *value, cnnf_error *error)
{
    cnnfi_object *object = cnnfi_object_tensor(w->context, value);
    if (!object) return cnnfi_fail_nomem(error);
    cnnfi_object_unref(w->keepers[slot]);
    w->keepers[slot] = object;
    value->data = object->value.data;
    return CNNF_OK;
}

void cnnfi_held_release(cnnfi_held *held, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        cnnfi_object_unref(held[i].keeper);
        held[i].keeper = NULL;
    }
}

/* ---- liveness ---- */

static bool is_dead(const cnnfi_workspace *w, const cnnfi_step *step)
{
    if (step->live_flag < 0) return false;
    for (int32_t i = 0; i < step->n_controls; i++) {
        if (w->node_dead[step->controls[i]]) return true;
    }
    if (step->kind == CNNFI_STEP_MERGE) return false;
    for (int32_t i = 0; i < step->n_inputs; i++) {
        if (w->dead[step->inputs[i]]) return true;
    }
    return false;
}

static void set_dead(cnnfi_workspace *w, const cnnfi_step *step, bool dead)
{
    if (step->live_flag < 0) return;
    w->node_dead[step->live_flag] = dead;
    for (int32_t i = 0; i < step->n_outputs; i++)
        w->dead[step->output + i] = dead;
}

/* ---- steps ---- */

static cnnf_status run_switch(cnnfi_workspace *w, const cnnfi_step *step, cnnf_error *error)
{
    const cnnfi_value *data = &w->values[step->inputs[0]], *predicate = &w->values[step->inputs[1]];
    if (predicate->dtype != CNNF_BOOL || predicate->count != 1) {
        return cnnfi_fail(error, CNNF_E_MISMATCH, "node '%s' (%s): the predicate must be one bool", step->node->name,
                          step->node->op);
    }
    const int32_t taken = *(const uint8_t *)predicate->data != 0;
    w->values[step->output + !taken] = *data;
    w->dead[step->output + taken] = false;
    w->dead[step->output + !taken] = true;
    pass(w, step->inputs[0], step->output + taken);
    return CNNF_OK;
}

static size_t byte_count(const cnnfi_value *value)
{
    return (size_t)value->count * cnnf_dtype_size(value->dtype);
}

static cnnf_status run_merge(cnnfi_workspace *w, const cnnfi_step *step, cnnf_error *error)
{
    int32_t alive = 0;
    while (alive < step->n_inputs && w->dead[step->inputs[alive]])
        alive++;
    set_dead(w, step, alive == step->n_inputs);
    if (alive == step->n_inputs) return CNNF_OK;
    const cnnfi_value *from = &w->values[step->inputs[alive]];
    cnnfi_value *to = &w->values[step->output];
    if (!cnnf_dtype_size(from->dtype) || (step->dynamic && w->keepers[step->inputs[alive]])) {
        pass(w, step->inputs[alive], step->output);
    } else {
        if (step->dynamic) {
            *to = *from;
            CNNFI_TRY(allocate(w, step->output, to, error));
        }
        memcpy(to->data, from->data, byte_count(from));
    }
    *(int32_t *)w->values[step->output + 1].data = alive;
    return CNNF_OK;
}

static void gather_inputs(cnnfi_workspace *w, const cnnfi_step *step)
{
    for (int32_t i = 0; i < step->n_inputs; i++)
        w->inputs[i] = w->values[step->inputs[i]];
}

/* The output's bytes are input 0's. */
static void hand_on(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call)
{
    const cnnfi_held held = cnnfi_workspace_hand_out(w, step->inputs[0]);
    cnnfi_object_unref(w->keepers[step->output]);
    w->keepers[step->output] = held.keeper;
    call->outputs[0].data = held.value.data;
}

static cnnf_status run_known(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call)
{
    call->outputs = &w->values[step->output];
    call->n_outputs = step->n_outputs;
    call->scratch_size = step->scratch_size;
    call->scratch = w->arena + step->scratch_offset;
    if (step->kind == CNNFI_STEP_FUSED) return step->fused->run(step->fused, call);
    if (step->flags & CNNFI_OP_VIEW) {
        hand_on(w, step, call);
        return CNNF_OK;
    }
    return step->kernel->run(call);
}

static cnnf_status allocate_outputs(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call)
{
    const bool view = step->flags & CNNFI_OP_VIEW;
    for (int32_t i = 0; i < call->n_outputs; i++) {
        if (view && i == 0)
            hand_on(w, step, call);
        else if (i < step->n_outputs)
            CNNFI_TRY(allocate(w, step->output + i, &call->outputs[i], call->error));
    }
    return CNNF_OK;
}

/* Outputs that no slot stands for are computed all the same: kernels know nothing of slots. */
static cnnf_status allocate_unread(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call, cnnfi_object **unread)
{
    for (int32_t i = step->n_outputs; i < call->n_outputs; i++) {
        unread[i] = cnnfi_object_tensor(w->context, &call->outputs[i]);
        if (!unread[i]) return cnnfi_fail_nomem(call->error);
        call->outputs[i].data = unread[i]->value.data;
    }
    return CNNF_OK;
}

static cnnf_status run_placed(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call)
{
    if (step->flags & CNNFI_OP_VIEW) return CNNF_OK;
    if (call->scratch_size > SIZE_MAX - 64) return cnnfi_fail_nomem(call->error);
    void *block = call->scratch_size ? cnnfi_malloc(w->context, call->scratch_size + 64) : NULL;
    if (call->scratch_size && !block) return cnnfi_fail_nomem(call->error);
    call->scratch = (void *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
    const cnnf_status status = step->kernel->run(call);
    cnnfi_free(w->context, block);
    return status;
}

static cnnf_status infer_and_run(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call, cnnfi_budget *budget)
{
    cnnf_status status = cnnfi_kernel_infer(step->kernel, call);
    if (status == CNNFI_INFER_DYNAMIC) return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "its shape is not known");
    if (status != CNNF_OK) return status;
    if (call->n_outputs < step->n_outputs) {
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "there is no output %d", (int)step->n_outputs - 1);
    }
    CNNFI_TRY(cnnfi_budget_spend(budget, cnnfi_kernel_work(step->kernel, call), call->error));
    CNNFI_TRY(allocate_outputs(w, step, call));
    if (call->n_outputs == step->n_outputs) return run_placed(w, step, call);
    cnnfi_object **unread = cnnfi_calloc(w->context, (size_t)call->n_outputs, sizeof *unread);
    if (!unread) return cnnfi_fail_nomem(call->error);
    status = allocate_unread(w, step, call, unread);
    if (!status) status = run_placed(w, step, call);
    for (int32_t i = 0; i < call->n_outputs; i++)
        cnnfi_object_unref(unread[i]);
    cnnfi_free(w->context, unread);
    return status;
}

static cnnf_status run_dynamic(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call, cnnfi_budget *budget)
{
    call->outputs = cnnfi_calloc(w->context, (size_t)step->max_outputs, sizeof(cnnfi_value));
    if (!call->outputs) return cnnfi_fail_nomem(call->error);
    cnnf_status status = infer_and_run(w, step, call, budget);
    if (status == CNNF_OK)
        memcpy(&w->values[step->output], call->outputs, (size_t)step->n_outputs * sizeof(cnnfi_value));
    cnnfi_free(w->context, call->outputs);
    return status;
}

/* An op that makes its outputs itself. */
static cnnf_status run_objects(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call, cnnfi_budget *budget)
{
    cnnfi_value outputs[CNNFI_OBJECT_OUTPUTS] = {{0}};
    cnnfi_object *given[CNNFI_OBJECT_OUTPUTS] = {NULL};
    const cnnfi_object_step objects = {.keepers = w->owners, .last = w->last, .outputs = given, .budget = budget};
    call->max_outputs = CNNFI_OBJECT_OUTPUTS;
    call->outputs = outputs;
    cnnf_status status = cnnfi_kernel_infer(step->kernel, call);
    if (status == CNNF_OK || status == CNNFI_INFER_DYNAMIC) {
        memset(outputs, 0, sizeof outputs);
        for (int32_t i = 0; i < step->n_inputs; i++) {
            const int32_t slot = step->inputs[i];
            w->owners[i] = w->keepers[slot];
            w->last[i] = w->plan->slots[slot].uses == 1;
        }
        call->objects = (struct cnnfi_object_step *)(uintptr_t)&objects;
        status = cnnfi_budget_spend(budget, 1, call->error);
        if (!status) status = step->kernel->run(call);
        for (int32_t i = 0; i < step->n_inputs; i++)
            if (!w->owners[i]) w->keepers[step->inputs[i]] = NULL;
    }
    for (int32_t i = 0; i < CNNFI_OBJECT_OUTPUTS; i++) {
        if (status || i >= step->n_outputs) {
            cnnfi_object_unref(given[i]);
            continue;
        }
        cnnfi_object_unref(w->keepers[step->output + i]);
        w->values[step->output + i] = outputs[i];
        w->keepers[step->output + i] = given[i];
    }
    return status;
}

static cnnf_status run_kernel(cnnfi_workspace *w, const cnnfi_step *step, const cnnfi_run_request *request,
                              cnnf_error *error)
{
    gather_inputs(w, step);
    cnnfi_call call = {.context = w->context,
                       .node = step->node,
                       .n_inputs = step->n_inputs,
                       .inputs = w->inputs,
                       .max_outputs = step->max_outputs,
                       .pool = request->pool,
                       .cancelled = request->cancelled,
                       .cancelled_user = request->user,
                       .error = error};
    if (step->flags & CNNFI_OP_OBJECTS) return run_objects(w, step, &call, request->budget);
    return step->dynamic ? run_dynamic(w, step, &call, request->budget) : run_known(w, step, &call);
}

static cnnf_status run_step(cnnfi_workspace *w, int32_t index, const cnnfi_run_request *request, cnnf_error *error)
{
    const cnnfi_step *step = &w->plan->steps[index];
    bool dead = is_dead(w, step);
    set_dead(w, step, dead);
    if (dead) return CNNF_OK;
    switch (step->kind) {
    case CNNFI_STEP_MARK:
        return CNNF_OK;
    case CNNFI_STEP_SWITCH:
        return run_switch(w, step, error);
    case CNNFI_STEP_MERGE:
        return run_merge(w, step, error);
    case CNNFI_STEP_PASS:
        for (int32_t i = 0; i < step->n_outputs; i++)
            if (w->plan->slots[step->output + i].place != CNNFI_PLACE_CONST) pass(w, step->inputs[i], step->output + i);
        return CNNF_OK;
    case CNNFI_STEP_CONTROL:
        return cnnfi_run_control(w, index, request, error);
    case CNNFI_STEP_KERNEL:
    case CNNFI_STEP_FUSED:
        break;
    }
    return run_kernel(w, step, request, error);
}

/* ---- a whole run ---- */

static cnnf_status run_steps(cnnfi_workspace *w, const cnnfi_run_request *request, cnnf_error *error)
{
    const cnnfi_plan *plan = w->plan;
    CNNFI_TRY(cnnfi_budget_spend(request->budget, plan->work, error));
    for (int32_t i = 0; i < plan->n_steps; i++) {
        if (request->cancelled(request->user)) return cnnfi_fail(error, CNNF_E_CANCELLED, "cancelled");
        CNNFI_TRY(run_step(w, i, request, error));
    }
    return CNNF_OK;
}

static cnnf_status check_alive(const cnnfi_workspace *w, int32_t slot, cnnf_error *error)
{
    if (!w->dead[slot]) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_INVALID, "a fetch is dead: a Switch took the other branch");
}

/* ---- with tensors ---- */

static void bind_feeds(cnnfi_workspace *w, const cnnf_tensor *const *feeds)
{
    static const uint8_t nothing[64];
    for (int32_t i = 0; i < w->plan->n_feeds; i++) {
        const void *data = cnnf_tensor_data(feeds[i]);
        w->values[w->plan->feeds[i]].data = (void *)(uintptr_t)(data ? data : nothing);
    }
}

static cnnf_status fetch(cnnfi_workspace *w, int32_t slot, cnnf_tensor **out, cnnf_error *error)
{
    const cnnfi_value *value = &w->values[slot];
    CNNFI_TRY(check_alive(w, slot, error));
    if (cnnf_dtype_size(value->dtype) == 0) {
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "a fetch is a %s tensor", cnnf_dtype_name(value->dtype));
    }
    return cnnfi_tensor_copy(out, w->context, value->dtype, value->rank, value->dims, value->data, error);
}

static cnnf_status run_all(cnnfi_workspace *w, const cnnfi_run_request *request, cnnf_error *error)
{
    bind_feeds(w, request->feeds);
    CNNFI_TRY(run_steps(w, request, error));
    for (int32_t i = 0; i < w->plan->n_fetches; i++)
        CNNFI_TRY(fetch(w, w->plan->fetches[i], &request->outputs[i], error));
    return CNNF_OK;
}

cnnf_status cnnfi_plan_run(cnnfi_workspace *w, const cnnfi_run_request *request, cnnf_error *error)
{
    struct cnnf_error unread = {0};
    for (int32_t i = 0; i < w->plan->n_fetches; i++)
        request->outputs[i] = NULL;
    cnnf_status status = run_all(w, request, error ? error : &unread);
    release(w);
    for (int32_t i = 0; status != CNNF_OK && i < w->plan->n_fetches; i++) {
        cnnf_tensor_unref(request->outputs[i]);
        request->outputs[i] = NULL;
    }
    return status;
}

/* ---- with values, inside another plan ---- */

/* Steps rely on what the plan knows of a feed. */
static bool fits(const cnnfi_slot *slot, const cnnfi_value *value)
{
    return !slot->known || (slot->value.dtype == value->dtype && slot->value.rank == value->rank &&
                            memcmp(slot->value.dims, value->dims, (size_t)value->rank * sizeof(int64_t)) == 0);
}

static cnnf_status take_feeds(cnnfi_workspace *w, cnnfi_held *feeds, cnnf_error *error)
{
    for (int32_t i = 0; i < w->plan->n_feeds; i++) {
        const int32_t slot = w->plan->feeds[i];
        if (w->plan->slots[slot].place == CNNFI_PLACE_CONST) continue;
        if (!fits(&w->plan->slots[slot], &feeds[i].value))
            return cnnfi_fail(error, CNNF_E_INTERNAL, "argument %d is not what was expected", (int)i);
        w->values[slot] = feeds[i].value;
        w->keepers[slot] = feeds[i].keeper;
        feeds[i].keeper = NULL;
    }
    return CNNF_OK;
}

static cnnf_status give_output(cnnfi_workspace *w, int32_t slot, cnnfi_held *out, cnnf_error *error)
{
    const cnnfi_slot *root = &w->plan->slots[w->plan->slots[slot].root];
    CNNFI_TRY(check_alive(w, slot, error));
    *out = cnnfi_workspace_hand_out(w, slot);
    if (out->keeper || root->place != CNNFI_PLACE_ARENA) return CNNF_OK;
    out->keeper = cnnfi_object_of_value(w->context, &out->value);
    if (!out->keeper) return cnnfi_fail_nomem(error);
    if (cnnf_dtype_size(out->value.dtype)) out->value.data = out->keeper->value.data;
    return CNNF_OK;
}

static cnnf_status run_with_values(cnnfi_workspace *w, cnnfi_held *feeds, cnnfi_held *outputs,
                                   const cnnfi_run_request *request, cnnf_error *error)
{
    CNNFI_TRY(take_feeds(w, feeds, error));
    CNNFI_TRY(run_steps(w, request, error));
    for (int32_t i = 0; i < w->plan->n_fetches; i++)
        CNNFI_TRY(give_output(w, w->plan->fetches[i], &outputs[i], error));
    return CNNF_OK;
}

cnnf_status cnnfi_workspace_run(cnnfi_workspace *w, cnnfi_held *feeds, cnnfi_held *outputs,
                                const cnnfi_run_request *request, cnnf_error *error)
{
    for (int32_t i = 0; i < w->plan->n_fetches; i++)
        outputs[i] = (cnnfi_held){.keeper = NULL};
    const cnnf_status status = run_with_values(w, feeds, outputs, request, error);
    cnnfi_held_release(feeds, w->plan->n_feeds);
    release(w);
    if (status) cnnfi_held_release(outputs, w->plan->n_fetches);
    return status;
}
