/* SPDX-License-Identifier: Apache-2.0 */
/* Running a plan: values and liveness lie in a workspace, steps are walked in order. */
#include "evaluator/run/run.h"

#include <string.h>

#include "graph/tensor.h"

struct cnnfi_workspace {
    cnnfi_plan *plan; /* a reference */
    cnnf_context *context;
    uint8_t *block, *arena; /* arena: block, aligned to 64 */
    cnnfi_value *values;    /* by slot */
    uint8_t *dead;          /* by slot */
    uint8_t *node_dead;     /* by liveness flag */
    cnnfi_value *inputs;    /* of the step under way */
    void **heap;            /* blocks of dynamic steps, until the end of the run */
    size_t n_heap, heap_capacity;
};

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
    if (!w->block || !w->values || !w->dead || !w->node_dead || !w->inputs) {
        cnnfi_workspace_free(w);
        return cnnfi_fail_nomem(error);
    }
    w->arena = w->block + (64 - (uintptr_t)w->block % 64) % 64;
    place_values(w);
    *out = w;
    return CNNF_OK;
}

static void free_heap(cnnfi_workspace *w)
{
    for (size_t i = 0; i < w->n_heap; i++)
        cnnfi_free(w->context, w->heap[i]);
    w->n_heap = 0;
}

void cnnfi_workspace_free(cnnfi_workspace *w)
{
    if (!w) return;
    free_heap(w);
    cnnfi_free(w->context, w->heap);
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

static void *heap_alloc(cnnfi_workspace *w, size_t size)
{
    if (!cnnfi_grow(w->context, (void **)&w->heap, &w->heap_capacity, w->n_heap, sizeof(void *))) return NULL;
    uint8_t *block = cnnfi_malloc(w->context, size + 128);
    if (!block) return NULL;
    w->heap[w->n_heap++] = block;
    return block + (64 - (uintptr_t)block % 64) % 64;
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
    bool taken = *(const uint8_t *)predicate->data != 0;
    for (int32_t i = 0; i < 2; i++) {
        w->values[step->output + i] = *data;
        w->dead[step->output + i] = taken != (i == 1);
    }
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
    if (step->dynamic) {
        *to = *from;
        to->data = heap_alloc(w, byte_count(from));
        if (!to->data) return cnnfi_fail_nomem(error);
    }
    memcpy(to->data, from->data, byte_count(from));
    *(int32_t *)w->values[step->output + 1].data = alive;
    return CNNF_OK;
}

static void gather_inputs(cnnfi_workspace *w, const cnnfi_step *step)
{
    for (int32_t i = 0; i < step->n_inputs; i++)
        w->inputs[i] = w->values[step->inputs[i]];
}

static cnnf_status run_known(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call)
{
    call->outputs = &w->values[step->output];
    call->n_outputs = step->n_outputs;
    call->scratch_size = step->scratch_size;
    call->scratch = w->arena + step->scratch_offset;
    if (step->kind == CNNFI_STEP_FUSED) return step->fused->run(step->fused, call);
    if (step->flags & CNNFI_OP_VIEW) {
        call->outputs[0].data = call->inputs[0].data;
        return CNNF_OK;
    }
    return step->kernel->run(call);
}

static cnnf_status allocate_outputs(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call)
{
    bool view = step->flags & CNNFI_OP_VIEW;
    for (int32_t i = 0; i < call->n_outputs; i++) {
        cnnfi_value *out = &call->outputs[i];
        out->data = view && i == 0 ? call->inputs[0].data : heap_alloc(w, byte_count(out));
        if (!out->data) return cnnfi_fail_nomem(call->error);
    }
    if (call->scratch_size == 0) return CNNF_OK;
    call->scratch = heap_alloc(w, call->scratch_size);
    return call->scratch ? CNNF_OK : cnnfi_fail_nomem(call->error);
}

static cnnf_status infer_and_run(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call)
{
    cnnf_status status = cnnfi_kernel_infer(step->kernel, call);
    if (status == CNNFI_INFER_DYNAMIC) return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "its shape is not known");
    if (status != CNNF_OK) return status;
    if (call->n_outputs < step->n_outputs) {
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "there is no output %d", (int)step->n_outputs - 1);
    }
    CNNFI_TRY(allocate_outputs(w, step, call));
    if (step->flags & CNNFI_OP_VIEW) return CNNF_OK;
    return step->kernel->run(call);
}

static cnnf_status run_dynamic(cnnfi_workspace *w, const cnnfi_step *step, cnnfi_call *call)
{
    call->outputs = cnnfi_calloc(w->context, (size_t)step->max_outputs, sizeof(cnnfi_value));
    if (!call->outputs) return cnnfi_fail_nomem(call->error);
    cnnf_status status = infer_and_run(w, step, call);
    if (status == CNNF_OK)
        memcpy(&w->values[step->output], call->outputs, (size_t)step->n_outputs * sizeof(cnnfi_value));
    cnnfi_free(w->context, call->outputs);
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
    return step->dynamic ? run_dynamic(w, step, &call) : run_known(w, step, &call);
}

static cnnf_status run_step(cnnfi_workspace *w, const cnnfi_step *step, const cnnfi_run_request *request,
                            cnnf_error *error)
{
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
    case CNNFI_STEP_KERNEL:
    case CNNFI_STEP_FUSED:
        break;
    }
    return run_kernel(w, step, request, error);
}

/* ---- a whole run ---- */

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
    if (w->dead[slot]) return cnnfi_fail(error, CNNF_E_INVALID, "a fetch is dead: a Switch took the other branch");
    if (cnnf_dtype_size(value->dtype) == 0) {
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "a fetch is a %s tensor", cnnf_dtype_name(value->dtype));
    }
    return cnnfi_tensor_copy(out, w->context, value->dtype, value->rank, value->dims, value->data, error);
}

static cnnf_status run_all(cnnfi_workspace *w, const cnnfi_run_request *request, cnnf_error *error)
{
    const cnnfi_plan *plan = w->plan;
    bind_feeds(w, request->feeds);
    for (int32_t i = 0; i < plan->n_steps; i++) {
        if (request->cancelled(request->user)) return cnnfi_fail(error, CNNF_E_CANCELLED, "cancelled");
        CNNFI_TRY(run_step(w, &plan->steps[i], request, error));
    }
    for (int32_t i = 0; i < plan->n_fetches; i++)
        CNNFI_TRY(fetch(w, plan->fetches[i], &request->outputs[i], error));
    return CNNF_OK;
}

cnnf_status cnnfi_plan_run(cnnfi_workspace *w, const cnnfi_run_request *request, cnnf_error *error)
{
    struct cnnf_error unread = {0};
    for (int32_t i = 0; i < w->plan->n_fetches; i++)
        request->outputs[i] = NULL;
    cnnf_status status = run_all(w, request, error ? error : &unread);
    free_heap(w);
    for (int32_t i = 0; status != CNNF_OK && i < w->plan->n_fetches; i++) {
        cnnf_tensor_unref(request->outputs[i]);
        request->outputs[i] = NULL;
    }
    return status;
}
