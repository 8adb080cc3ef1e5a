/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes to steps: shapes inferred, constants folded, what may be dead marked. */
#include "evaluator/plan/compile.h"

#include <stdio.h>
#include <string.h>

#include "evaluator/plan/control_flow.h"
#include "evaluator/plan/fuse.h"
#include "evaluator/plan/image_segment.h"
#include "evaluator/plan/memory_plan.h"
#include "evaluator/plan/plan_prune.h"
#include "evaluator/plan/plan_steps.h"
#include "graph/tensor.h"

/* What an empty tensor points to. */
static const uint8_t nothing[64];

static void set_constant(cnnfi_slot *slot, void *data)
{
    slot->value.data = data;
    slot->place = CNNFI_PLACE_CONST;
    slot->known = true;
}

static cnnf_status value_of_tensor(cnnfi_compiler *c, const cnnf_tensor *tensor, const char *name, cnnfi_value *out)
{
    if (cnnfi_value_of_tensor(out, tensor)) return CNNF_OK;
    return cnnfi_fail(c->error, CNNF_E_UNSUPPORTED, "'%s' has rank %d, the evaluator goes to %d", name,
                      (int)cnnf_tensor_rank(tensor), CNNFI_OP_MAX_RANK);
}

/* ---- ordinary ops ---- */

/* The call of a step while compiling; values lie in the compilation's memory. */
static cnnf_status make_call(cnnfi_compiler *c, cnnfi_step *step, cnnfi_call *call)
{
    step->max_outputs = cnnfi_call_max_outputs(step->node);
    cnnfi_value *inputs =
        cnnfi_array(c->context, (size_t)step->n_inputs + (size_t)step->max_outputs + 1, sizeof(cnnfi_value));
    if (!inputs) return cnnfi_fail_nomem(c->error);
    for (int32_t i = 0; i < step->n_inputs; i++)
        inputs[i] = c->plan->slots[step->inputs[i]].value;
    cnnfi_value *outputs = inputs + step->n_inputs;
    memset(outputs, 0, (size_t)step->max_outputs * sizeof(cnnfi_value));
    *call = (cnnfi_call){.context = c->context,
                         .node = step->node,
                         .n_inputs = step->n_inputs,
                         .inputs = inputs,
                         .max_outputs = step->max_outputs,
                         .outputs = outputs,
                         .error = c->error};
    return CNNF_OK;
}

static bool all_inputs(const cnnfi_compiler *c, const cnnfi_step *step, bool constant)
{
    for (int32_t i = 0; i < step->n_inputs; i++) {
        const cnnfi_slot *slot = &c->plan->slots[step->inputs[i]];
        if (constant ? slot->value.data == NULL : !slot->known) return false;
    }
    return true;
}

static cnnf_status infer(cnnfi_compiler *c, cnnfi_step *step, cnnfi_call *call)
{
    if (!all_inputs(c, step, false)) return CNNFI_INFER_DYNAMIC;
    struct cnnf_error swallowed = {0};
    bool may_fail = c->life[step->node->index] == CNNFI_MAYBE_DEAD; /* a branch that is perhaps never taken */
    if (may_fail) call->error = &swallowed;
    cnnf_status status = cnnfi_kernel_infer(step->kernel, call);
    call->error = c->error;
    return may_fail && status < 0 && status != CNNF_E_NOMEM ? CNNFI_INFER_DYNAMIC : status;
}

static cnnf_status place_in_plan(cnnfi_call *call, int32_t index, bool shared, void *user)
{
    cnnfi_value *out = &call->outputs[index];
    out->data =
        shared ? call->inputs[0].data : cnnfi_plan_block(user, (size_t)out->count * cnnf_dtype_size(out->dtype));
    return out->data ? CNNF_OK : cnnfi_fail_nomem(call->error);
}

/* Runs a kernel now. A failure is left to the run, where the node may be dead or the message belongs. */
static cnnf_status fold(cnnfi_compiler *c, const cnnfi_step *step, cnnfi_call *call, bool *done)
{
    CNNFI_TRY(cnnfi_budget_spend(c->request->budget, cnnfi_kernel_work(step->kernel, call), c->error));
    struct cnnf_error swallowed = {0};
    const cnnfi_once once = {.most_bytes = UINT64_MAX, .place = place_in_plan, .user = c->plan};
    call->error = &swallowed;
    const cnnf_status status = cnnfi_kernel_compute(step->kernel, call, &once);
    call->error = c->error;
    *done = status == CNNF_OK;
    return status == CNNF_E_NOMEM ? cnnfi_fail_nomem(c->error) : CNNF_OK;
}

static cnnf_status try_fold(cnnfi_compiler *c, cnnfi_step *step, cnnfi_call *call, bool *folded)
{
    *folded = false;
    uint32_t flags = step->flags;
    if ((flags & CNNFI_OP_STATEFUL) || c->life[step->node->index] == CNNFI_DEAD || call->n_outputs == 0) return CNNF_OK;
    if (!(flags & CNNFI_OP_SHAPE) && !all_inputs(c, step, true)) return CNNF_OK;
    return fold(c, step, call, folded);
}

static void place_outputs(cnnfi_compiler *c, const cnnfi_step *step, const cnnfi_call *call, int32_t first)
{
    for (int32_t i = 0; i < call->n_outputs; i++) {
        cnnfi_slot *slot = &c->plan->slots[first + i];
        slot->value = call->outputs[i];
        slot->value.data = NULL;
        slot->known = true;
        slot->place = CNNFI_PLACE_ARENA;
        if (i == 0 && (step->flags & CNNFI_OP_VIEW)) {
            slot->place = CNNFI_PLACE_VIEW;
            slot->root = c->plan->slots[step->inputs[0]].root;
        }
    }
}

static cnnf_status add_dynamic(cnnfi_compiler *c, cnnfi_step *step, const cnnfi_call *call)
{
    int32_t node = step->node->index;
    int32_t count = c->max_port[node] + 1;
    if (call->n_outputs > count) count = call->n_outputs;
    CNNFI_TRY(cnnfi_compiler_reserve(c, node, count));
    bool view = step->flags & CNNFI_OP_VIEW;
    for (int32_t i = 0; i < count; i++) {
        cnnfi_slot *slot = &c->plan->slots[c->first_slot[node] + i];
        slot->place = i == 0 && view ? CNNFI_PLACE_VIEW : CNNFI_PLACE_HEAP;
        if (i < call->n_outputs && cnnfi_value_is_shaped(&call->outputs[i]) && call->outputs[i].dtype) {
            slot->value = call->outputs[i];
            slot->value.data = NULL;
            slot->known = true;
        }
        if (i == 0 && view && step->n_inputs > 0) slot->root = c->plan->slots[step->inputs[0]].root;
    }
    step->dynamic = true;
    return cnnfi_compiler_finish(c, step);
}

static cnnf_status add_known(cnnfi_compiler *c, cnnfi_step *step, cnnfi_call *call)
{
    int32_t node = step->node->index;
    bool folded = false;
    CNNFI_TRY(cnnfi_compiler_reserve(c, node, call->n_outputs));
    CNNFI_TRY(try_fold(c, step, call, &folded));
    if (!folded) {
        place_outputs(c, step, call, c->first_slot[node]);
        step->scratch_size = call->scratch_size;
        if (__builtin_add_overflow(c->plan->work, cnnfi_kernel_work(step->kernel, call), &c->plan->work))
            c->plan->work = UINT64_MAX;
        return cnnfi_compiler_finish(c, step);
    }
    for (int32_t i = 0; i < call->n_outputs; i++) {
        cnnfi_slot *slot = &c->plan->slots[c->first_slot[node] + i];
        slot->value = call->outputs[i];
        set_constant(slot, call->outputs[i].data);
    }
    return cnnfi_compiler_finish_constant(c, step);
}

static cnnf_status add_dead(cnnfi_compiler *c, cnnfi_step *step)
{
    CNNFI_TRY(cnnfi_compiler_reserve(c, step->node->index, c->max_port[step->node->index] + 1));
    return cnnfi_compiler_finish(c, step);
}

static cnnf_status compile_op(cnnfi_compiler *c, const cnnf_node *node)
{
    cnnfi_step step;
    cnnfi_call call;
    CNNFI_TRY(cnnfi_compiler_begin(c, node, &step));
    step.kernel = cnnfi_kernel_find(node->op);
    step.flags = step.kernel ? cnnfi_kernel_flags(step.kernel) : 0;
    if (c->life[node->index] == CNNFI_DEAD) return add_dead(c, &step);
    if (!step.kernel) return cnnfi_compiler_refuse(c, node);
    CNNFI_TRY(make_call(c, &step, &call));
    cnnf_status status = infer(c, &step, &call);
    if (status == CNNFI_INFER_DYNAMIC || (status == CNNF_OK && step.flags & CNNFI_OP_OBJECTS)) {
        if (!(step.flags & CNNFI_OP_OBJECTS)) call.n_outputs = 0;
        status = add_dynamic(c, &step, &call);
    } else if (status == CNNF_OK) {
        status = add_known(c, &step, &call);
    }
    cnnfi_free(c->context, (void *)(uintptr_t)call.inputs);
    return status;
}

/* ---- ops the plan does itself ---- */

static cnnf_status compile_tensor(cnnfi_compiler *c, const cnnf_node *node, const cnnf_tensor *tensor)
{
    cnnfi_step step;
    const cnnf_tensor *loaded = NULL;
    CNNFI_TRY(cnnfi_compiler_begin(c, node, &step));
    CNNFI_TRY(cnnfi_compiler_reserve(c, node->index, 1));
    cnnfi_slot *slot = &c->plan->slots[c->first_slot[node->index]];
    CNNFI_TRY(value_of_tensor(c, tensor, node->name, &slot->value));
    const void *data = nothing;
    if (cnnf_tensor_byte_size(tensor) > 0) {
        CNNFI_TRY(cnnfi_loaded_constants_get(c->request->constants, node, tensor, &loaded, c->error));
        data = cnnf_tensor_data(loaded);
    }
    set_constant(slot, (void *)(uintptr_t)data);
    return cnnfi_compiler_finish_constant(c, &step);
}

static cnnf_status compile_const(cnnfi_compiler *c, const cnnf_node *node)
{
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(node, "value");
    if (tensor) return compile_tensor(c, node, tensor);
    return cnnfi_fail(c->error, CNNF_E_CORRUPT, "node '%s' (Const): attribute 'value' is missing", node->name);
}

static cnnf_status compile_variable(cnnfi_compiler *c, const cnnf_node *node)
{
    if (node->value) return compile_tensor(c, node, node->value);
    return cnnfi_fail(c->error, CNNF_E_INVALID, "%s%s%s", node->unbound ? node->unbound : "variable '",
                      node->unbound ? "" : node->name, node->unbound ? "" : "' has no value: bind a checkpoint first");
}

static cnnf_status compile_placeholder(cnnfi_compiler *c, const cnnf_node *node)
{
    return cnnfi_fail(c->error, CNNF_E_INVALID, "placeholder '%s' is needed and not fed", node->name);
}

static cnnf_status compile_noop(cnnfi_compiler *c, const cnnf_node *node)
{
    cnnfi_step step;
    CNNFI_TRY(cnnfi_compiler_begin(c, node, &step));
    CNNFI_TRY(cnnfi_compiler_reserve(c, node->index, 0));
    return cnnfi_compiler_finish_constant(c, &step);
}

/* Output 0 lives when the predicate is false, output 1 when it is true. */
static cnnf_status compile_switch(cnnfi_compiler *c, const cnnf_node *node)
{
    cnnfi_step step;
    CNNFI_TRY(cnnfi_compiler_begin(c, node, &step));
    if (step.n_inputs != 2)
        return cnnfi_fail(c->error, CNNF_E_CORRUPT, "node '%s' (%s) needs 2 inputs", node->name, node->op);
    CNNFI_TRY(cnnfi_compiler_reserve(c, node->index, 2));
    const cnnfi_slot data = c->plan->slots[step.inputs[0]], predicate = c->plan->slots[step.inputs[1]];
    if (predicate.known && (predicate.value.dtype != CNNF_BOOL || predicate.value.count != 1)) {
        return cnnfi_fail(c->error, CNNF_E_MISMATCH, "node '%s' (%s): the predicate must be one bool", node->name,
                          node->op);
    }
    for (int32_t i = 0; i < 2; i++) {
        cnnfi_slot *out = &c->plan->slots[c->first_slot[node->index] + i];
        out->value = data.value;
        out->known = data.known;
        out->root = data.root;
        out->place = data.value.data ? CNNFI_PLACE_CONST : CNNFI_PLACE_VIEW;
        out->life = CNNFI_MAYBE_DEAD;
        if (predicate.value.data)
            out->life = *(const uint8_t *)predicate.value.data == (uint8_t)i ? CNNFI_LIVE : CNNFI_DEAD;
    }
    step.kind = CNNFI_STEP_SWITCH;
    return cnnfi_compiler_finish(c, &step);
}

static bool same_shape(const cnnfi_value *a, const cnnfi_value *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof(int64_t)) == 0;
}

/* Whether the inputs of a Merge that are not surely dead agree in shape; *life: the best of them, *first one of them.
 */
static bool merge_inputs(const cnnfi_compiler *c, const cnnfi_step *step, uint8_t *life, int32_t *first)
{
    bool agree = true;
    *life = CNNFI_DEAD;
    *first = -1;
    for (int32_t i = 0; i < step->n_inputs; i++) {
        const cnnfi_slot *slot = &c->plan->slots[step->inputs[i]];
        if (slot->life < *life) *life = (uint8_t)slot->life;
        if (slot->life == CNNFI_DEAD) continue;
        if (*first < 0) *first = step->inputs[i];
        agree = agree && slot->known && same_shape(&slot->value, &c->plan->slots[*first].value);
    }
    return agree && *first >= 0;
}

/* Output 0: the input that is alive; output 1: its number. */
static cnnf_status compile_merge(cnnfi_compiler *c, const cnnf_node *node)
{
    cnnfi_step step;
    int32_t first;
    CNNFI_TRY(cnnfi_compiler_begin(c, node, &step));
    bool agree = merge_inputs(c, &step, &c->life[node->index], &first);
    CNNFI_TRY(cnnfi_compiler_reserve(c, node->index, 2));
    cnnfi_slot *out = &c->plan->slots[c->first_slot[node->index]];
    out[0].place = CNNFI_PLACE_HEAP;
    if (agree) {
        out[0].value = c->plan->slots[first].value;
        out[0].value.data = NULL;
        out[0].known = true;
        out[0].place = CNNFI_PLACE_ARENA;
    }
    out[1].value = (cnnfi_value){.dtype = CNNF_INT32, .count = 1};
    out[1].known = true;
    out[1].place = CNNFI_PLACE_ARENA;
    step.kind = CNNFI_STEP_MERGE;
    step.dynamic = !agree;
    return cnnfi_compiler_finish(c, &step);
}

typedef struct special {
    const char *op;
    cnnf_status (*compile)(cnnfi_compiler *c, const cnnf_node *node);
} special;

static const special specials[] = {
    {"Case", cnnfi_compile_branches},
    {"Enter", cnnfi_compile_enter},
    {"Exit", cnnfi_compile_exit},
    {"IdentityN", cnnfi_compile_pass},
    {"If", cnnfi_compile_branches},
    {"LoopCond", cnnfi_compile_pass},
    {"PartitionedCall", cnnfi_compile_call},
    {"RefEnter", cnnfi_compile_enter},
    {"RefExit", cnnfi_compile_exit},
    {"StatefulPartitionedCall", cnnfi_compile_call},
    {"StatelessCase", cnnfi_compile_branches},
    {"StatelessIf", cnnfi_compile_branches},
    {"StatelessWhile", cnnfi_compile_while},
    {"While", cnnfi_compile_while},
    {"Const", compile_const},
    {"HostConst", compile_const},
    {"Placeholder", compile_placeholder},
    {"PlaceholderV2", compile_placeholder},
    {"Variable", compile_variable},
    {"VariableV2", compile_variable},
    {"VarHandleOp", compile_variable},
    {"NoOp", compile_noop},
    {"Switch", compile_switch},
    {"RefSwitch", compile_switch},
    {"Merge", compile_merge},
    {"RefMerge", compile_merge},
};

static cnnf_status compile_node(cnnfi_compiler *c, int32_t index)
{
    const cnnf_node *node = c->graph->nodes[index];
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
        if (strcmp(specials[i].op, node->op) == 0) return specials[i].compile(c, node);
    }
    if (!cnnfi_kernel_find(node->op) && cnnfi_callees_has(c->request->callees, node->op))
        return cnnfi_compile_call(c, node);
    return compile_op(c, node);
}

/* ---- feeds and fetches ---- */

static cnnf_status check_feed(cnnfi_compiler *c, size_t i, const cnnfi_value *value)
{
    const cnnf_node *node = c->graph->nodes[c->feeds[i].node];
    const char *name = c->request->feed_names[i];
    if (strncmp(node->op, "Placeholder", 11) != 0) return CNNF_OK;
    cnnf_dtype want = cnnf_node_attr_type(node, "dtype", value->dtype);
    if (want != value->dtype) {
        return cnnfi_fail(c->error, CNNF_E_MISMATCH, "feed '%s' is %s, the placeholder takes %s", name,
                          cnnf_dtype_name(value->dtype), cnnf_dtype_name(want));
    }
    const cnnfi_attr *shape = cnnfi_node_attr(node, "shape");
    /* Graphs of producers before 24 write rank 0 for "unknown": a scalar shape says nothing. */
    if (!shape || shape->kind != CNNF_ATTR_SHAPE || shape->u.shape.rank <= 0) return CNNF_OK;
    bool fits = shape->u.shape.rank == value->rank;
    for (int32_t k = 0; fits && k < value->rank; k++) {
        fits = shape->u.shape.dims[k] < 0 || shape->u.shape.dims[k] == value->dims[k];
    }
    if (fits) return CNNF_OK;
    char have[128], need[128];
    return cnnfi_fail(c->error, CNNF_E_MISMATCH, "feed '%s' has shape %s, the placeholder takes %s", name,
                      cnnfi_shape_print(have, sizeof(have), value->rank, value->dims),
                      cnnfi_shape_print(need, sizeof(need), shape->u.shape.rank, shape->u.shape.dims));
}

static cnnf_status add_feeds(cnnfi_compiler *c)
{
    for (size_t i = 0; i < c->request->n_feeds; i++) {
        int32_t slot = cnnfi_compiler_slots(c, 1);
        if (slot < 0) return cnnfi_fail_nomem(c->error);
        cnnfi_slot *feed = &c->plan->slots[slot];
        c->plan->feeds[i] = slot;
        if (c->request->feed_slots) {
            const cnnfi_slot *told = &c->request->feed_slots[i];
            feed->value = told->value;
            feed->known = told->known;
            feed->place = told->value.data ? CNNFI_PLACE_CONST : CNNFI_PLACE_FEED;
            continue;
        }
        CNNFI_TRY(value_of_tensor(c, c->request->feeds[i], c->request->feed_names[i], &feed->value));
        CNNFI_TRY(check_feed(c, i, &feed->value));
        if (cnnf_dtype_size(feed->value.dtype) == 0) {
            return cnnfi_fail(c->error, CNNF_E_UNSUPPORTED, "feed '%s' is %s", c->request->feed_names[i],
                              cnnf_dtype_name(feed->value.dtype));
        }
        feed->place = CNNFI_PLACE_FEED;
        feed->known = true;
    }
    return CNNF_OK;
}

static cnnf_status add_fetches(cnnfi_compiler *c)
{
    for (size_t i = 0; i < c->request->n_fetches; i++) {
        cnnfi_edge edge = {c->fetches[i].node, c->fetches[i].port};
        int32_t *slot = &c->plan->fetches[i];
        const cnnf_node *node = c->graph->nodes[edge.node];
        if (cnnfi_compiler_fed(c, edge.node, edge.port) < 0 && edge.port >= c->n_outputs[edge.node]) {
            return cnnfi_fail(c->error, CNNF_E_NOT_FOUND, "fetch '%s': '%s' (%s) has no output %d",
                              c->request->fetch_names ? c->request->fetch_names[i] : "what is returned", node->name,
                              node->op, (int)edge.port);
        }
        CNNFI_TRY(cnnfi_compiler_input(c, node, edge, slot));
        c->plan->slots[*slot].uses++;
    }
    return CNNF_OK;
}

static cnnf_status compile(cnnfi_compiler *c)
{
    const cnnfi_fuse_options fuse = {.backend = c->request->backend,
                                     .threads = c->request->threads,
                                     .strict = c->request->strict,
                                     .isa = c->request->isa};
    CNNFI_TRY(cnnfi_compiler_prune(c));
    CNNFI_TRY(add_feeds(c));
    for (int32_t i = 0; i < c->n_order; i++) {
        CNNFI_TRY(cnnfi_budget_spend(c->request->budget, 1 + c->graph->nodes[c->order[i]]->n_inputs, c->error));
        CNNFI_TRY(compile_node(c, c->order[i]));
    }
    CNNFI_TRY(add_fetches(c));
    CNNFI_TRY(cnnfi_plan_fuse(c->plan, &fuse, c->error));
    CNNFI_TRY(cnnfi_plan_segment(c->plan, c->request->threads, c->error));
    return cnnfi_plan_memory(c->plan, c->error);
}

static bool compiler_init(cnnfi_compiler *c)
{
    size_t n = c->graph->n_nodes + 1;
    cnnfi_plan *plan = c->plan;
    c->feeds = cnnfi_arena_array(&c->memory, c->request->n_feeds + 1, sizeof(cnnfi_endpoint));
    c->fetches = cnnfi_arena_array(&c->memory, c->request->n_fetches + 1, sizeof(cnnfi_endpoint));
    c->next_feed = cnnfi_arena_array(&c->memory, c->request->n_feeds + 1, sizeof(int32_t));
    c->feed_of = cnnfi_arena_array(&c->memory, n, sizeof(int32_t));
    c->order = cnnfi_arena_array(&c->memory, n, sizeof(int32_t));
    c->max_port = cnnfi_arena_array(&c->memory, n, sizeof(int32_t));
    c->first_slot = cnnfi_arena_array(&c->memory, n, sizeof(int32_t));
    c->n_outputs = cnnfi_arena_array(&c->memory, n, sizeof(int32_t));
    c->life = cnnfi_arena_array(&c->memory, n, 1);
    c->flag = cnnfi_arena_array(&c->memory, n, sizeof(int32_t));
    plan->n_feeds = (int32_t)c->request->n_feeds;
    plan->n_fetches = (int32_t)c->request->n_fetches;
    plan->feeds = cnnfi_plan_array(plan, plan->n_feeds, sizeof(int32_t));
    plan->fetches = cnnfi_plan_array(plan, plan->n_fetches, sizeof(int32_t));
    if (!c->feeds || !c->fetches || !c->next_feed || !c->feed_of || !c->order || !c->max_port || !c->first_slot ||
        !c->n_outputs || !c->life || !c->flag || !plan->feeds || !plan->fetches) {
        return false;
    }
    for (size_t i = 0; i < n; i++)
        c->max_port[i] = c->first_slot[i] = c->flag[i] = c->feed_of[i] = -1;
    return true;
}

cnnf_status cnnfi_plan_compile(cnnfi_plan **out, cnnf_context *context, const cnnfi_plan_request *request,
                               cnnf_error *error)
{
    *out = NULL;
    cnnfi_plan *plan = cnnfi_calloc(context, 1, sizeof(*plan));
    if (!plan) return cnnfi_fail_nomem(error);
    struct cnnf_error unread = {0}; /* so that kernels may always fill one */
    cnnfi_compiler c = {.context = context,
                        .graph = request->graph,
                        .request = request,
                        .plan = plan,
                        .compile = cnnfi_plan_compile,
                        .error = error ? error : &unread};
    atomic_init(&plan->refs, 1);
    plan->context = context;
    cnnfi_arena_init(&plan->memory, context);
    cnnfi_arena_init(&c.memory, context);
    cnnf_status status = compiler_init(&c) ? compile(&c) : cnnfi_fail_nomem(error);
    cnnfi_frames_free(c.own_frames, context);
    cnnfi_arena_free(&c.memory);
    if (status != CNNF_OK) {
        cnnfi_plan_unref(plan);
        return status;
    }
    *out = plan;
    return CNNF_OK;
}
