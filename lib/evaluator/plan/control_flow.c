/* SPDX-License-Identifier: Apache-2.0 */
/* Functions, branches and loops as plans inside the plan: see cnnfi_control in plan.h. */
#include "evaluator/plan/control_flow.h"

#include <string.h>

#include "evaluator/plan/plan_steps.h"

/* A plan inside: what it is fed, what is known of that, what it gives. */
typedef struct inner {
    const cnnf_graph *graph;
    cnnfi_loaded_constants *constants;
    const cnnfi_frames *frames;
    const bool *keep;
    size_t n_feeds, n_fetches;
    const cnnfi_endpoint *feeds, *fetches;
    const cnnfi_slot *slots; /* by feed */
} inner;

static cnnf_status compile_inner(cnnfi_compiler *c, const inner *in, cnnfi_plan **out, cnnf_error *error)
{
    const cnnfi_plan_request *r = c->request;
    const cnnfi_plan_request request = {.graph = in->graph,
                                        .n_feeds = in->n_feeds,
                                        .n_fetches = in->n_fetches,
                                        .constants = in->constants,
                                        .backend = r->backend,
                                        .threads = r->threads,
                                        .strict = r->strict,
                                        .isa = r->isa,
                                        .callees = r->callees,
                                        .budget = r->budget,
                                        .depth = r->depth + 1,
                                        .feed_points = in->feeds,
                                        .fetch_points = in->fetches,
                                        .feed_slots = in->slots,
                                        .frames = in->frames,
                                        .keep = in->keep};
    CNNFI_TRY(cnnfi_check_limit(c->context, CNNF_LIMIT_DEPTH, (uint64_t)request.depth, "calls inside calls", error));
    return c->compile(out, c->context, &request, error);
}

static void *array(cnnfi_compiler *c, size_t count, size_t size)
{
    return cnnfi_arena_array(&c->memory, count + 1, size);
}

/* What a plan inside may know of a value of the one outside. */
static cnnfi_slot told(const cnnfi_slot *outer)
{
    return (cnnfi_slot){.value = outer->value, .known = outer->known};
}

static bool same_shape(const cnnfi_value *a, const cnnfi_value *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof(int64_t)) == 0;
}

static const cnnfi_slot *given_by(const cnnfi_plan *plan, int32_t output)
{
    return &plan->slots[plan->fetches[output]];
}

/* ---- the step ---- */

static cnnf_status new_control(cnnfi_compiler *c, cnnfi_control_kind kind, int32_t n_plans, cnnfi_control **out)
{
    cnnfi_plan *plan = c->plan;
    cnnfi_control *control = cnnfi_plan_array(plan, 1, sizeof *control);
    *out = control;
    if (!control) return cnnfi_fail_nomem(c->error);
    control->kind = kind;
    control->branches = cnnfi_plan_array(plan, n_plans, sizeof *control->branches);
    control->reasons = cnnfi_plan_array(plan, n_plans, sizeof *control->reasons);
    control->codes = cnnfi_plan_array(plan, n_plans, sizeof *control->codes);
    if (!control->branches || !control->reasons || !control->codes ||
        !cnnfi_grow(c->context, (void **)&plan->controls, &plan->control_capacity, (size_t)plan->n_controls,
                    sizeof *plan->controls)) {
        return cnnfi_fail_nomem(c->error);
    }
    control->n_branches = n_plans;
    plan->controls[plan->n_controls++] = control;
    return CNNF_OK;
}

static cnnf_status add_dead(cnnfi_compiler *c, cnnfi_step *step)
{
    CNNFI_TRY(cnnfi_compiler_reserve(c, step->node->index, c->max_port[step->node->index] + 1));
    return cnnfi_compiler_finish(c, step);
}

/* One output of the step, of which `from`, in the plan inside, says what is known. */
static void describe_output(cnnfi_compiler *c, int32_t slot, const cnnfi_slot *from, bool constant)
{
    cnnfi_slot *out = &c->plan->slots[slot];
    out->place = CNNFI_PLACE_HEAP;
    out->known = from->known;
    if (!from->known) return;
    out->value = from->value;
    out->value.data = NULL;
    if (!constant || from->place != CNNFI_PLACE_CONST || from->life != CNNFI_LIVE || !from->value.data) return;
    out->value.data = from->value.data;
    out->place = CNNFI_PLACE_CONST;
}

/* ---- calls and branches ---- */

static cnnf_status find_callee(cnnfi_compiler *c, const cnnf_node *node, const cnnfi_func_ref *reference,
                               const cnnfi_callee **out)
{
    const char *name = reference ? reference->name : node->op;
    const cnnfi_attr *attrs = reference ? reference->attrs : node->attrs;
    const size_t n_attrs = reference ? reference->n_attrs : node->n_attrs;
    const cnnf_status status = cnnfi_callees_get(c->request->callees, name, attrs, n_attrs, out, c->error);
    return status ? cnnfi_error_prefix(c->error, status, "node '%s' (%s)", node->name, node->op) : CNNF_OK;
}

static cnnf_status want_arguments(cnnfi_compiler *c, const cnnf_node *node, const cnnfi_callee *callee, int32_t given,
                                  size_t returned)
{
    const cnnfi_function *f = callee->function;
    if (f->n_inputs == (size_t)given && (returned == SIZE_MAX || f->n_outputs == returned)) return CNNF_OK;
    return cnnfi_fail(c->error, CNNF_E_CORRUPT,
                      "node '%s' (%s): function '%s' takes %zu tensors and gives %zu: that does not fit", node->name,
                      node->op, f->name, f->n_inputs, f->n_outputs);
}

/* The slots of the step's inputs from `first` on, as a plan inside sees them. */
static cnnfi_slot *told_inputs(cnnfi_compiler *c, const cnnfi_step *step, int32_t first)
{
    cnnfi_slot *slots = array(c, (size_t)(step->n_inputs - first), sizeof *slots);
    for (int32_t i = first; slots && i < step->n_inputs; i++)
        slots[i - first] = told(&c->plan->slots[step->inputs[i]]);
    return slots;
}

static inner inner_of(const cnnfi_callee *callee, const cnnfi_slot *slots)
{
    return (inner){.graph = callee->graph,
                   .constants = callee->constants,
                   .n_feeds = callee->function->n_inputs,
                   .n_fetches = callee->function->n_outputs,
                   .feeds = callee->args,
                   .fetches = callee->returns,
                   .slots = slots};
}

/* A failure that is the plan's as a whole, whoever would have been computed. */
static bool is_final(cnnf_status status)
{
    return status == CNNF_E_NOMEM || status == CNNF_E_LIMIT || status == CNNF_E_CANCELLED;
}

/* A branch that cannot be computed does no harm while it is not taken. */
static cnnf_status compile_branch(cnnfi_compiler *c, cnnfi_control *control, int32_t index, const inner *in,
                                  bool may_fail)
{
    struct cnnf_error swallowed = {0};
    const cnnf_status status = compile_inner(c, in, &control->branches[index], may_fail ? &swallowed : c->error);
    if (status == CNNF_OK || !may_fail) return status;
    if (is_final(status)) {
        cnnfi_error_copy(c->error, &swallowed);
        return status;
    }
    control->codes[index] = status;
    control->reasons[index] = cnnfi_arena_strdup(&c->plan->memory, swallowed.message);
    return control->reasons[index] ? CNNF_OK : cnnfi_fail_nomem(c->error);
}

/* What all branches that can be taken agree on. */
static void describe_branches(cnnfi_compiler *c, const cnnfi_control *control, int32_t first, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        const cnnfi_slot *one = NULL;
        bool agree = true;
        for (int32_t k = 0; k < control->n_branches; k++) {
            if (!control->branches[k]) continue;
            const cnnfi_slot *other = given_by(control->branches[k], i);
            agree = agree && other->known && (!one || same_shape(&one->value, &other->value));
            one = other;
        }
        if (one && agree)
            describe_output(c, first + i, one, control->n_branches == 1);
        else
            c->plan->slots[first + i].place = CNNFI_PLACE_HEAP;
    }
}

static cnnf_status finish_branches(cnnfi_compiler *c, cnnfi_step *step, const cnnfi_control *control, int32_t outputs)
{
    const int32_t node = step->node->index;
    CNNFI_TRY(cnnfi_compiler_reserve(c, node, outputs));
    describe_branches(c, control, c->first_slot[node], outputs);
    step->kind = CNNFI_STEP_CONTROL;
    step->control = control;
    return cnnfi_compiler_finish(c, step);
}

/* The node, its inputs from `first` on given to the functions at `references` (NULL: its op is the function). */
static cnnf_status compile_functions(cnnfi_compiler *c, cnnfi_step *step, cnnfi_control_kind kind, int32_t first,
                                     const cnnfi_func_ref *references, int32_t count)
{
    cnnfi_control *control;
    const cnnfi_callee *callee;
    size_t outputs = SIZE_MAX;
    const bool may_fail = kind == CNNFI_CONTROL_BRANCH || c->life[step->node->index] != CNNFI_LIVE;
    CNNFI_TRY(new_control(c, kind, count, &control));
    control->by_truth = !cnnfi_node_attr(step->node, "branches");
    const cnnfi_slot *slots = told_inputs(c, step, first);
    if (!slots) return cnnfi_fail_nomem(c->error);
    for (int32_t i = 0; i < count; i++) {
        CNNFI_TRY(find_callee(c, step->node, references ? &references[i] : NULL, &callee));
        CNNFI_TRY(want_arguments(c, step->node, callee, step->n_inputs - first, outputs));
        outputs = callee->function->n_outputs;
        const inner in = inner_of(callee, slots);
        CNNFI_TRY(compile_branch(c, control, i, &in, may_fail));
    }
    return finish_branches(c, step, control, (int32_t)outputs);
}

static cnnf_status want_function(cnnfi_compiler *c, const cnnf_node *node, const char *key, const cnnfi_func_ref **out)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, key);
    *out = attr && attr->kind == CNNF_ATTR_FUNC ? attr->u.func : NULL;
    if (*out) return CNNF_OK;
    return cnnfi_fail(c->error, CNNF_E_CORRUPT, "node '%s' (%s): attribute '%s' names no function", node->name,
                      node->op, key);
}

cnnf_status cnnfi_compile_call(cnnfi_compiler *c, const cnnf_node *node)
{
    cnnfi_step step;
    const cnnfi_func_ref *reference = NULL;
    CNNFI_TRY(cnnfi_compiler_begin(c, node, &step));
    if (c->life[node->index] == CNNFI_DEAD) return add_dead(c, &step);
    if (!cnnfi_callees_has(c->request->callees, node->op)) CNNFI_TRY(want_function(c, node, "f", &reference));
    return compile_functions(c, &step, CNNFI_CONTROL_CALL, 0, reference, 1);
}

/* The functions of an If or a Case. */
static cnnf_status read_branches(cnnfi_compiler *c, const cnnf_node *node, const cnnfi_func_ref **out, int32_t *count)
{
    const cnnfi_attr *list = cnnfi_node_attr(node, "branches");
    if (list) {
        const bool fits = list->kind == CNNF_ATTR_LIST && list->u.list.item_kind == CNNF_ATTR_FUNC &&
                          list->u.list.count <= cnnfi_limit(c->context, CNNF_LIMIT_NODE_INPUTS);
        *out = fits ? list->u.list.u.funcs : NULL;
        *count = fits ? (int32_t)list->u.list.count : 0;
        if (*count > 0) return CNNF_OK;
        return cnnfi_fail(c->error, CNNF_E_CORRUPT, "node '%s' (%s) has no branches", node->name, node->op);
    }
    cnnfi_func_ref *two = array(c, 2, sizeof *two);
    const cnnfi_func_ref *one, *other;
    if (!two) return cnnfi_fail_nomem(c->error);
    CNNFI_TRY(want_function(c, node, "then_branch", &one));
    CNNFI_TRY(want_function(c, node, "else_branch", &other));
    two[0] = *one;
    two[1] = *other;
    *out = two;
    *count = 2;
    return CNNF_OK;
}

cnnf_status cnnfi_compile_branches(cnnfi_compiler *c, const cnnf_node *node)
{
    cnnfi_step step;
    int32_t count = 0;
    const cnnfi_func_ref *references = NULL;
    CNNFI_TRY(cnnfi_compiler_begin(c, node, &step));
    if (c->life[node->index] == CNNFI_DEAD) return add_dead(c, &step);
    if (step.n_inputs < 1)
        return cnnfi_fail(c->error, CNNF_E_CORRUPT, "node '%s' (%s) needs an input", node->name, node->op);
    CNNFI_TRY(read_branches(c, node, &references, &count));
    return compile_functions(c, &step, CNNFI_CONTROL_BRANCH, 1, references, count);
}

/* ---- loops ---- */

/* The plans of a loop; the first n_state of the feeds change from round to round. */
typedef struct loop {
    cnnfi_control *control;
    inner plans[CNNFI_LOOP_PLANS]; /* graph NULL: not there */
    cnnfi_slot *slots;             /* of all feeds; the plans share them */
    const bool *fixed;             /* by state: the body hands it on as it is */
} loop;

/* A value that changes is known by its shape at most, and by that only while every round keeps it. */
static bool forget_what_changes(const loop *l, const cnnfi_plan *body, bool everything)
{
    bool changed = false;
    for (int32_t i = 0; i < l->control->n_state; i++) {
        cnnfi_slot *slot = &l->slots[i];
        const cnnfi_slot *next = given_by(body, i);
        if (l->fixed[i] || !slot->known) continue;
        if (!everything && next->known && same_shape(&slot->value, &next->value)) continue;
        *slot = (cnnfi_slot){.value = {.dtype = slot->value.dtype}};
        changed = true;
    }
    return changed;
}

static cnnf_status compile_loop(cnnfi_compiler *c, const loop *l)
{
    enum { ROUNDS = 4 };
    cnnfi_plan **branches = l->control->branches;
    for (int32_t i = 0; i < l->control->n_state; i++)
        if (!l->fixed[i]) l->slots[i].value.data = NULL;
    for (int32_t round = 0;; round++) {
        CNNFI_TRY(compile_inner(c, &l->plans[CNNFI_LOOP_BODY], &branches[CNNFI_LOOP_BODY], c->error));
        if (!forget_what_changes(l, branches[CNNFI_LOOP_BODY], round == ROUNDS)) break;
        cnnfi_plan_unref(branches[CNNFI_LOOP_BODY]);
        branches[CNNFI_LOOP_BODY] = NULL;
    }
    CNNFI_TRY(compile_inner(c, &l->plans[CNNFI_LOOP_CONDITION], &branches[CNNFI_LOOP_CONDITION], c->error));
    if (!l->plans[CNNFI_LOOP_AFTER].graph) return CNNF_OK;
    return compile_inner(c, &l->plans[CNNFI_LOOP_AFTER], &branches[CNNFI_LOOP_AFTER], c->error);
}

static bool is_identity(const cnnf_node *node)
{
    return strcmp(node->op, "Identity") == 0 && node->n_inputs > 0;
}

/* Whether what a function returns as its i-th is its i-th argument. */
static bool hands_on(const cnnfi_callee *callee, int32_t i)
{
    cnnfi_edge at = {callee->returns[i].node, callee->returns[i].port};
    for (size_t n = 0; n < callee->graph->n_nodes && at.node >= 0 && at.port == 0; n++) {
        if (at.node == callee->args[i].node) return true;
        const cnnf_node *node = callee->graph->nodes[at.node];
        if (!is_identity(node)) return false;
        at = node->edges[0];
    }
    return false;
}

static cnnf_status prepare_while(cnnfi_compiler *c, const cnnfi_step *step, loop *l)
{
    const cnnfi_func_ref *cond, *body;
    const cnnfi_callee *cond_callee, *body_callee;
    const int32_t n = step->n_inputs;
    CNNFI_TRY(want_function(c, step->node, "cond", &cond));
    CNNFI_TRY(want_function(c, step->node, "body", &body));
    CNNFI_TRY(find_callee(c, step->node, cond, &cond_callee));
    CNNFI_TRY(find_callee(c, step->node, body, &body_callee));
    CNNFI_TRY(want_arguments(c, step->node, cond_callee, n, 1));
    CNNFI_TRY(want_arguments(c, step->node, body_callee, n, (size_t)n));
    bool *fixed = array(c, (size_t)n, sizeof *fixed);
    l->slots = told_inputs(c, step, 0);
    if (!fixed || !l->slots) return cnnfi_fail_nomem(c->error);
    for (int32_t i = 0; i < n; i++)
        fixed[i] = hands_on(body_callee, i);
    l->fixed = fixed;
    l->plans[CNNFI_LOOP_CONDITION] = inner_of(cond_callee, l->slots);
    l->plans[CNNFI_LOOP_BODY] = inner_of(body_callee, l->slots);
    CNNFI_TRY(new_control(c, CNNFI_CONTROL_LOOP, CNNFI_LOOP_PLANS, &l->control));
    l->control->n_state = n;
    return CNNF_OK;
}

cnnf_status cnnfi_compile_while(cnnfi_compiler *c, const cnnf_node *node)
{
    cnnfi_step step;
    loop l = {0};
    CNNFI_TRY(cnnfi_compiler_begin(c, node, &step));
    if (c->life[node->index] == CNNFI_DEAD) return add_dead(c, &step);
    CNNFI_TRY(prepare_while(c, &step, &l));
    CNNFI_TRY(compile_loop(c, &l));
    CNNFI_TRY(cnnfi_compiler_reserve(c, node->index, step.n_inputs));
    for (int32_t i = 0; i < step.n_inputs; i++) {
        if (l.slots[i].value.data) l.slots[i].place = CNNFI_PLACE_CONST;
        describe_output(c, c->first_slot[node->index] + i, &l.slots[i], l.fixed[i]);
    }
    step.kind = CNNFI_STEP_CONTROL;
    step.control = l.control;
    return cnnfi_compiler_finish(c, &step);
}

/* ---- loops of TensorFlow 1 ---- */

/* The members of a frame that are needed. */
typedef struct members {
    const cnnfi_frame *frame;
    int32_t n_merges, n_enters, n_exits;
    const cnnf_node **merges, **enters, **exits;
    const cnnf_node **initial, **next; /* by merge: its Enter, its NextIteration */
} members;

static const cnnf_node **choose(cnnfi_compiler *c, const int32_t *from, int32_t count, int32_t *chosen)
{
    const cnnf_node **nodes = array(c, (size_t)count, sizeof *nodes);
    *chosen = 0;
    for (int32_t i = 0; nodes && i < count; i++) {
        if (c->keep[from[i]]) nodes[(*chosen)++] = c->graph->nodes[from[i]];
    }
    return nodes;
}

static cnnf_status fail_loop(cnnfi_compiler *c, const cnnf_node *node, const char *why)
{
    return cnnfi_fail_at_node(c->error, CNNF_E_UNSUPPORTED, node->name, "node '%s' (%s): %s", node->name, node->op,
                              why);
}

static cnnf_status find_ends(cnnfi_compiler *c, members *m, int32_t i)
{
    const cnnf_node *merge = m->merges[i];
    if (cnnfi_node_data_inputs(merge) != 2) return fail_loop(c, merge, "a loop's Merge has two inputs");
    for (int32_t k = 0; k < 2; k++) {
        const cnnf_node *from = c->graph->nodes[merge->edges[k].node];
        if (cnnfi_op_enters(from->op) && from->n_inputs > 0) m->initial[i] = from;
        if (cnnfi_op_goes_on(from->op) && from->n_inputs > 0) m->next[i] = from;
    }
    if (m->initial[i] && m->next[i]) return CNNF_OK;
    return fail_loop(c, merge, "a loop's Merge is fed by an Enter and a NextIteration");
}

static cnnf_status find_members(cnnfi_compiler *c, members *m)
{
    const cnnfi_frame *frame = m->frame;
    m->merges = choose(c, frame->merges, frame->n_merges, &m->n_merges);
    m->enters = choose(c, frame->enters, frame->n_enters, &m->n_enters);
    m->exits = choose(c, frame->exits, frame->n_exits, &m->n_exits);
    m->initial = array(c, (size_t)m->n_merges, sizeof *m->initial);
    m->next = array(c, (size_t)m->n_merges, sizeof *m->next);
    if (!m->merges || !m->enters || !m->exits || !m->initial || !m->next) return cnnfi_fail_nomem(c->error);
    for (int32_t i = 0; i < m->n_merges; i++)
        CNNFI_TRY(find_ends(c, m, i));
    for (int32_t i = 0; i < m->n_exits; i++)
        if (!m->exits[i]->n_inputs) return fail_loop(c, m->exits[i], "it needs an input");
    const cnnf_node *any = m->exits[0];
    if (frame->condition < 0 || !c->graph->nodes[frame->condition]->n_inputs)
        return fail_loop(c, any, "its loop has no condition");
    return CNNF_OK;
}

/* What an Enter takes in is an input of the step, which waits for what the Enter waits for. */
static cnnf_status take_enter(cnnfi_compiler *c, cnnfi_step *step, const cnnf_node *enter, uint8_t *life)
{
    int32_t *slot = &step->inputs[step->n_inputs++];
    if (!cnnfi_node_data_inputs(enter)) return fail_loop(c, enter, "it needs an input");
    CNNFI_TRY(cnnfi_compiler_input(c, enter, enter->edges[0], slot));
    const uint8_t input_life = (uint8_t)c->plan->slots[*slot].life;
    if (input_life > *life) *life = input_life;
    for (size_t i = 1; i < enter->n_inputs; i++) {
        const int32_t by = enter->edges[i].node;
        if (enter->edges[i].port != CNNFI_PORT_CONTROL) continue;
        if (c->life[by] > *life) *life = c->life[by];
        if (c->flag[by] >= 0) step->controls[step->n_controls++] = c->flag[by];
    }
    return CNNF_OK;
}

static cnnf_status begin_frame(cnnfi_compiler *c, const members *m, cnnfi_step *step)
{
    size_t controls = 0;
    uint8_t life = CNNFI_LIVE;
    const int32_t inputs = m->n_merges + m->n_enters;
    *step = (cnnfi_step){.kind = CNNFI_STEP_CONTROL, .node = m->exits[0], .live_flag = -1};
    for (int32_t i = 0; i < m->n_enters; i++)
        controls += m->enters[i]->n_inputs;
    for (int32_t i = 0; i < m->n_merges; i++)
        controls += m->initial[i]->n_inputs;
    if (controls > INT32_MAX / 2) return fail_loop(c, m->exits[0], "too many control inputs");
    step->inputs = cnnfi_plan_array(c->plan, inputs, sizeof(int32_t));
    step->controls = cnnfi_plan_array(c->plan, (int32_t)controls, sizeof(int32_t));
    if (!step->inputs || !step->controls) return cnnfi_fail_nomem(c->error);
    for (int32_t i = 0; i < m->n_merges; i++)
        CNNFI_TRY(take_enter(c, step, m->initial[i], &life));
    for (int32_t i = 0; i < m->n_enters; i++)
        CNNFI_TRY(take_enter(c, step, m->enters[i], &life));
    for (int32_t i = 0; i < m->n_exits; i++)
        c->life[m->exits[i]->index] = life;
    return CNNF_OK;
}

/* Exits lie side by side. */
static cnnf_status reserve_exits(cnnfi_compiler *c, const members *m)
{
    CNNFI_TRY(cnnfi_compiler_reserve(c, m->exits[0]->index, m->n_exits));
    const int32_t first = c->first_slot[m->exits[0]->index];
    for (int32_t i = 1; i < m->n_exits; i++) {
        c->first_slot[m->exits[i]->index] = first + i;
        c->n_outputs[m->exits[i]->index] = 1;
    }
    return CNNF_OK;
}

static cnnf_status finish_frame(cnnfi_compiler *c, const members *m, cnnfi_step *step)
{
    CNNFI_TRY(cnnfi_compiler_finish(c, step));
    c->n_outputs[m->exits[0]->index] = 1;
    for (int32_t i = 1; i < m->n_exits; i++)
        c->flag[m->exits[i]->index] = c->flag[m->exits[0]->index];
    return CNNF_OK;
}

/* Feeds of the three plans: see cnnfi_control; then, of body and after, what the condition said. */
static cnnf_status prepare_frame(cnnfi_compiler *c, const members *m, const cnnfi_step *step, loop *l)
{
    static const uint8_t truths[2] = {0, 1};
    const int32_t n = m->n_merges, shared = 2 * n + m->n_enters;
    const cnnf_node *condition = c->graph->nodes[m->frame->condition];
    cnnfi_endpoint *feeds = array(c, (size_t)shared + 1, sizeof *feeds);
    cnnfi_endpoint *next = array(c, (size_t)n, sizeof *next), *after = array(c, (size_t)m->n_exits, sizeof *after);
    cnnfi_endpoint *decides = array(c, 1, sizeof *decides);
    cnnfi_slot *after_slots = array(c, (size_t)shared + 1, sizeof *after_slots);
    bool *fixed = array(c, (size_t)n, sizeof *fixed);
    l->slots = array(c, (size_t)shared + 1, sizeof *l->slots);
    if (!feeds || !next || !after || !decides || !after_slots || !fixed || !l->slots) return cnnfi_fail_nomem(c->error);
    for (int32_t i = 0; i < n; i++) {
        feeds[i] = (cnnfi_endpoint){m->merges[i]->index, 0};
        feeds[n + i] = (cnnfi_endpoint){m->merges[i]->index, 1};
        l->slots[i] = told(&c->plan->slots[step->inputs[i]]);
        l->slots[n + i] = (cnnfi_slot){.value = {.dtype = CNNF_INT32, .count = 1}, .known = true};
        next[i] = (cnnfi_endpoint){m->next[i]->edges[0].node, m->next[i]->edges[0].port};
    }
    for (int32_t i = 0; i < m->n_enters; i++) {
        feeds[2 * n + i] = (cnnfi_endpoint){m->enters[i]->index, 0};
        l->slots[2 * n + i] = told(&c->plan->slots[step->inputs[n + i]]);
    }
    for (int32_t i = 0; i < m->n_exits; i++)
        after[i] = (cnnfi_endpoint){m->exits[i]->edges[0].node, m->exits[i]->edges[0].port};
    feeds[shared] = (cnnfi_endpoint){condition->index, 0};
    *decides = (cnnfi_endpoint){condition->edges[0].node, condition->edges[0].port};
    l->slots[shared] =
        (cnnfi_slot){.value = {.dtype = CNNF_BOOL, .count = 1, .data = (void *)(uintptr_t)&truths[1]}, .known = true};
    l->fixed = fixed;
    const inner in = {.graph = c->graph,
                      .constants = c->request->constants,
                      .frames = c->frames,
                      .keep = c->keep,
                      .feeds = feeds,
                      .n_feeds = (size_t)shared + 1,
                      .slots = l->slots};
    for (int k = 0; k < CNNFI_LOOP_PLANS; k++)
        l->plans[k] = in;
    l->plans[CNNFI_LOOP_CONDITION].n_feeds--;
    l->plans[CNNFI_LOOP_CONDITION].fetches = decides;
    l->plans[CNNFI_LOOP_CONDITION].n_fetches = 1;
    l->plans[CNNFI_LOOP_BODY].fetches = next;
    l->plans[CNNFI_LOOP_BODY].n_fetches = (size_t)n;
    l->plans[CNNFI_LOOP_AFTER].graph = NULL; /* compiled when the shapes are settled */
    l->plans[CNNFI_LOOP_AFTER].fetches = after;
    l->plans[CNNFI_LOOP_AFTER].n_fetches = (size_t)m->n_exits;
    CNNFI_TRY(new_control(c, CNNFI_CONTROL_LOOP, CNNFI_LOOP_PLANS, &l->control));
    l->control->n_state = n;
    l->control->has_rounds = true;
    CNNFI_TRY(compile_loop(c, l));
    memcpy(after_slots, l->slots, (size_t)shared * sizeof *after_slots);
    after_slots[shared] = l->slots[shared];
    after_slots[shared].value.data = (void *)(uintptr_t)&truths[0];
    inner last = l->plans[CNNFI_LOOP_AFTER];
    last.graph = c->graph;
    last.slots = after_slots;
    return compile_inner(c, &last, &l->control->branches[CNNFI_LOOP_AFTER], c->error);
}

static cnnf_status compile_frame(cnnfi_compiler *c, const cnnfi_frame *frame)
{
    cnnfi_step step;
    loop l = {0};
    members m = {.frame = frame};
    CNNFI_TRY(find_members(c, &m));
    CNNFI_TRY(begin_frame(c, &m, &step));
    if (c->life[m.exits[0]->index] == CNNFI_DEAD) {
        CNNFI_TRY(reserve_exits(c, &m));
        return finish_frame(c, &m, &step);
    }
    CNNFI_TRY(prepare_frame(c, &m, &step, &l));
    CNNFI_TRY(reserve_exits(c, &m));
    for (int32_t i = 0; i < m.n_exits; i++) {
        const cnnfi_slot *from = given_by(l.control->branches[CNNFI_LOOP_AFTER], i);
        describe_output(c, c->first_slot[m.exits[i]->index], from, true);
    }
    step.control = l.control;
    return finish_frame(c, &m, &step);
}

cnnf_status cnnfi_compile_exit(cnnfi_compiler *c, const cnnf_node *node)
{
    if (c->first_slot[node->index] >= 0) return CNNF_OK;
    const int32_t frame = c->frames ? c->frames->of[node->index] : 0;
    if (!frame || !c->keep[node->index]) return fail_loop(c, node, "it leaves no loop");
    return compile_frame(c, &c->frames->frames[frame]);
}

cnnf_status cnnfi_compile_enter(cnnfi_compiler *c, const cnnf_node *node)
{
    return cnnfi_compiler_reserve(c, node->index, 0);
}

/* ---- handing on ---- */

cnnf_status cnnfi_compile_pass(cnnfi_compiler *c, const cnnf_node *node)
{
    cnnfi_step step;
    bool constant = true;
    CNNFI_TRY(cnnfi_compiler_begin(c, node, &step));
    CNNFI_TRY(cnnfi_compiler_reserve(c, node->index, step.n_inputs));
    for (int32_t i = 0; i < step.n_inputs; i++) {
        const cnnfi_slot in = c->plan->slots[step.inputs[i]];
        cnnfi_slot *out = &c->plan->slots[c->first_slot[node->index] + i];
        out->value = in.value;
        out->known = in.known;
        out->root = in.root;
        out->place = in.value.data ? CNNFI_PLACE_CONST : CNNFI_PLACE_VIEW;
        constant = constant && in.value.data;
    }
    step.kind = CNNFI_STEP_PASS;
    return constant ? cnnfi_compiler_finish_constant(c, &step) : cnnfi_compiler_finish(c, &step);
}
