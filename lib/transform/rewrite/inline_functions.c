/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls become the nodes of what they call, named "<call>/<node>" as TensorFlow's own inlining does. What
 * If, While and Case choose between stays in functions.
 */
#include <inttypes.h>
#include <string.h>

#include "base/context.h"
#include "graph/order.h"
#include "graph/builder.h"
#include "edit/inline_body.h"
#include "edit/unused_functions.h"
#include "transform/framework/passes.h"

#define NONE (-1)

/* A call that was replaced: what its outputs are now. */
typedef struct inlined {
    cnnf_node *node;
    const char **outputs; /* inputs as written in the main graph */
    size_t n_outputs;
    bool awaited; /* somebody has it as a control input */
} inlined;

typedef struct inliner {
    cnnfi_pass_run *run;
    const cnnf_graph *in;
    cnnfi_builder *b;
    cnnfi_body *bodies;            /* one per function */
    cnnfi_strmap functions, calls; /* function name -> index; call name -> index in done */
    inlined *done;
    size_t n_done, done_capacity;
    /* Per node of the builder: nesting, and the chains that make the new order: what goes before it, what after. */
    struct place {
        int32_t depth, first, next;
    } * places;
    size_t n_places, places_capacity;
} inliner;

static bool grow_places(inliner *s, size_t count)
{
    while (s->n_places < count) {
        if (!cnnfi_grow(s->run->context, (void **)&s->places, &s->places_capacity, s->n_places, sizeof *s->places))
            return false;
        s->places[s->n_places++] = (struct place){0, NONE, NONE};
    }
    return true;
}

static const cnnfi_body *body_of(const inliner *s, const cnnfi_function *function)
{
    return &s->bodies[cnnfi_strmap_get(&s->functions, function->name)];
}

/* ---- one call ---- */

typedef struct expansion {
    inliner *s;
    const cnnf_node *call;
    const cnnfi_body *body;
    const cnnfi_func_ref *reference; /* NULL: the op is the function */
    const char **arguments;          /* the call's data inputs, as written */
    const char **names;              /* per node of the body: its name in the main graph */
} expansion;

/* An input of the body as the main graph writes it; NULL when it need not be there. */
static cnnf_status translate(const char **out, const expansion *e, const char *text)
{
    cnnfi_body_tensor t;
    cnnfi_builder *b = e->s->b;
    const size_t n = e->body->function->n_nodes;
    *out = NULL;
    CNNFI_TRY(cnnfi_body_resolve(&t, e->body, e->s->in, text, e->s->run->error));
    if ((size_t)t.producer >= n) {
        if (t.port != CNNFI_PORT_CONTROL) *out = e->arguments[(size_t)t.producer - n];
        return CNNF_OK; /* waiting for an argument: its reader waits anyway */
    }
    const char *name = e->names[t.producer];
    if (t.port == CNNFI_PORT_CONTROL)
        *out = e->body->inert[t.producer] ? NULL : cnnfi_builder_printf(b, "^%s", name);
    else
        *out = t.port ? cnnfi_builder_printf(b, "%s:%" PRId64, name, t.port) : name;
    return CNNF_OK;
}

/* "$T" in a generic function's nodes: the call says what it is. */
static cnnf_status bind_attrs(const expansion *e, cnnf_node *copy)
{
    const cnnfi_attr *given = e->reference ? e->reference->attrs : e->call->attrs;
    const size_t n_given = e->reference ? e->reference->n_attrs : e->call->n_attrs;
    for (size_t i = 0; i < copy->n_attrs; i++) {
        if (copy->attrs[i].kind != CNNF_ATTR_PLACEHOLDER) continue;
        const char *wanted = copy->attrs[i].u.placeholder;
        size_t k = 0;
        while (k < n_given && strcmp(given[k].key, wanted) != 0)
            k++;
        if (k == n_given)
            return cnnfi_fail(e->s->run->error, CNNF_E_UNSUPPORTED,
                              "node '%s': function '%s': attribute '%s' is not given", e->call->name,
                              e->body->function->name, wanted);
        cnnfi_node_copy_attr(e->s->b, copy, copy->attrs[i].key, &given[k]);
    }
    return CNNF_OK;
}

static cnnf_status set_inputs(const expansion *e, cnnf_node *copy, const cnnf_node *original)
{
    cnnfi_node_clear_inputs(copy);
    for (size_t k = 0; k < original->n_inputs; k++) {
        const char *input = NULL;
        CNNFI_TRY(translate(&input, e, original->inputs[k]));
        if (input) cnnfi_node_add_input(e->s->b, copy, input);
    }
    return CNNF_OK;
}

/* What the call had to wait for, its effects have to wait for. */
static void wait_as_call(const expansion *e, cnnf_node *copy, bool inert)
{
    for (size_t k = cnnfi_node_data_inputs(e->call); !inert && k < e->call->n_inputs; k++)
        cnnfi_node_add_control(e->s->b, copy, e->call->inputs[k] + 1);
}

static cnnf_status name_nodes(expansion *e)
{
    const cnnfi_function *f = e->body->function;
    for (size_t i = 0; i < f->n_nodes; i++) {
        const char *name = cnnfi_builder_printf(e->s->b, "%s/%s", e->call->name, f->nodes[i]->name);
        e->names[i] = cnnfi_builder_find(e->s->b, name ? name : "") ? cnnfi_builder_unique(e->s->b, name) : name;
        if (!e->names[i])
            return cnnfi_builder_status(e->s->b) == CNNF_OK ? CNNF_E_NOMEM : cnnfi_builder_status(e->s->b);
    }
    return CNNF_OK;
}

/* Copies of the body's nodes go to the end of the builder, and before the call in the new order. */
static cnnf_status copy_nodes(const expansion *e, int32_t call_index)
{
    inliner *s = e->s;
    const cnnfi_function *f = e->body->function;
    const size_t base = cnnfi_builder_count(s->b);
    if (!grow_places(s, base + f->n_nodes)) return cnnfi_fail_nomem(s->run->error);
    for (size_t i = 0; i < f->n_nodes; i++) {
        cnnf_node *copy = cnnfi_builder_copy_node(s->b, f->nodes[i], e->names[i]);
        if (!copy) return cnnfi_builder_status(s->b);
        if (*copy->device == '\0' && *e->call->device) cnnfi_node_set_device(s->b, copy, e->call->device);
        CNNFI_TRY(set_inputs(e, copy, f->nodes[i]));
        CNNFI_TRY(bind_attrs(e, copy));
        wait_as_call(e, copy, e->body->inert[i]);
        s->places[base + i].depth = s->places[call_index].depth + 1;
        s->places[base + i].next = i + 1 < f->n_nodes ? (int32_t)(base + i + 1) : call_index;
    }
    if (f->n_nodes) s->places[call_index].first = (int32_t)base;
    return CNNF_OK;
}

static const char *returned(const cnnfi_function *f, const char *output)
{
    for (size_t i = 0; i < f->n_ret; i++) {
        if (strcmp(f->ret[i].key, output) == 0) return f->ret[i].value;
    }
    return NULL;
}

static cnnf_status remember(const expansion *e, cnnf_node *call)
{
    inliner *s = e->s;
    const cnnfi_function *f = e->body->function;
    inlined one = {.node = call, .n_outputs = f->n_outputs};
    one.outputs = cnnfi_builder_array(s->b, f->n_outputs + 1, sizeof *one.outputs);
    if (!one.outputs) return cnnfi_builder_status(s->b);
    for (size_t i = 0; i < f->n_outputs; i++) {
        const char *value = returned(f, f->outputs[i].name);
        if (!value)
            return cnnfi_fail(s->run->error, CNNF_E_CORRUPT, "function '%s': output '%s' is not returned", f->name,
                              f->outputs[i].name);
        CNNFI_TRY(translate(&one.outputs[i], e, value));
    }
    if (!cnnfi_grow(s->run->context, (void **)&s->done, &s->done_capacity, s->n_done, sizeof one) ||
        !cnnfi_strmap_set(&s->calls, call->name, (int64_t)s->n_done))
        return cnnfi_fail_nomem(s->run->error);
    s->done[s->n_done++] = one;
    return CNNF_OK;
}

/* An output's type, where the function is generic: the call's attribute. */
static int32_t output_type(const expansion *e, size_t index)
{
    const cnnfi_arg *arg = &e->body->function->outputs[index];
    const cnnfi_attr *tout = cnnfi_node_attr(e->call, "Tout");
    if (arg->type) return arg->type;
    if (tout && tout->kind == CNNF_ATTR_LIST && tout->u.list.item_kind == CNNF_ATTR_TYPE && index < tout->u.list.count)
        return tout->u.list.u.types[index];
    return arg->type_attr ? cnnfi_node_type(e->call, arg->type_attr) : 0;
}

/* The call's name stays for who waits for it and for outputs: Identity, IdentityN or NoOp. */
static cnnf_status replace_call(const expansion *e, cnnf_node *call, const inlined *done)
{
    static const char *const ops[] = {"NoOp", "Identity", "IdentityN"};
    cnnfi_builder *b = e->s->b;
    const cnnfi_function *f = e->body->function;
    const size_t n = done->n_outputs;
    int32_t *types = cnnfi_builder_array(b, n + 1, sizeof *types);
    if (!types) return cnnfi_builder_status(b);
    for (size_t i = 0; i < n; i++)
        types[i] = output_type(e, i);
    cnnfi_node_set_op(b, call, ops[n < 2 ? n : 2]);
    cnnfi_node_clear_inputs(call);
    call->n_attrs = 0;
    for (size_t i = 0; i < n; i++)
        cnnfi_node_add_input(b, call, done->outputs[i]);
    if (n == 1) cnnfi_node_set_type(b, call, "T", types[0]);
    if (n > 1) cnnfi_node_set_types(b, call, "T", types, n);
    for (size_t i = 0; i < f->n_control_ret; i++) {
        const int64_t node = cnnfi_strmap_get(&e->body->names, f->control_ret[i].value);
        if (node >= 0 && (size_t)node < f->n_nodes && !e->body->inert[node])
            cnnfi_node_add_control(b, call, e->names[node]);
    }
    return CNNF_OK;
}

static cnnf_status check_budget(const inliner *s, int32_t call_index, const cnnfi_function *f)
{
    const uint64_t nodes = cnnfi_builder_count(s->b) + f->n_nodes;
    CNNFI_TRY(cnnfi_check_limit(s->run->context, CNNF_LIMIT_NODES, nodes, "inlined functions", s->run->error));
    return cnnfi_check_limit(s->run->context, CNNF_LIMIT_DEPTH, (uint64_t)s->places[call_index].depth + 1,
                             "calls inside calls", s->run->error);
}

static cnnf_status inline_call(inliner *s, int32_t call_index, const cnnfi_function *f, const cnnfi_func_ref *reference)
{
    cnnf_node *call = cnnfi_builder_node(s->b, (size_t)call_index);
    const cnnf_node before = *call; /* the call is edited while its parts are still read */
    CNNFI_TRY(check_budget(s, call_index, f));
    const char **arguments = cnnfi_builder_array(s->b, before.n_inputs + 1, sizeof *arguments);
    const char **names = cnnfi_builder_array(s->b, f->n_nodes + 1, sizeof *names);
    if (!arguments || !names) return cnnfi_builder_status(s->b);
    memcpy(arguments, before.inputs, before.n_inputs * sizeof *arguments);
    expansion e = {s, &before, body_of(s, f), reference, arguments, names};
    CNNFI_TRY(name_nodes(&e));
    CNNFI_TRY(copy_nodes(&e, call_index));
    CNNFI_TRY(remember(&e, call));
    return replace_call(&e, call, &s->done[s->n_done - 1]);
}

/* ---- who read a call reads what it returned ---- */

static cnnf_status redirect_input(inliner *s, cnnf_node *node, size_t index)
{
    for (size_t hop = 0; hop <= s->n_done; hop++) {
        const char *name;
        size_t length;
        const int32_t port = cnnfi_input_parse(node->inputs[index], &name, &length);
        const int64_t found = cnnfi_strmap_get_n(&s->calls, name, length);
        if (found < 0) return CNNF_OK;
        if (port == CNNFI_PORT_CONTROL) {
            s->done[found].awaited = true;
            return CNNF_OK;
        }
        if ((size_t)port >= s->done[found].n_outputs)
            return cnnfi_fail(s->run->error, CNNF_E_CORRUPT, "node '%s': input '%s': the function has %zu outputs",
                              node->name, node->inputs[index], s->done[found].n_outputs);
        cnnfi_node_set_input(s->b, node, index, s->done[found].outputs[port]);
    }
    return cnnfi_fail(s->run->error, CNNF_E_CORRUPT, "cycle: node '%s' reads what it computes", node->name);
}

static cnnf_status redirect_all(inliner *s)
{
    for (size_t i = 0; i < cnnfi_builder_count(s->b); i++) {
        cnnf_node *node = cnnfi_builder_node(s->b, i);
        for (size_t k = 0; k < node->n_inputs; k++)
            CNNFI_TRY(redirect_input(s, node, k));
    }
    return cnnfi_builder_status(s->b);
}

/* A call's name goes when it is no output and nobody waits for it. */
static void drop_names(inliner *s, const bool *protection)
{
    for (size_t i = 0; i < s->n_done; i++) {
        const int64_t index = cnnfi_strmap_get(&s->in->names, s->done[i].node->name);
        if (!s->done[i].awaited && (index < 0 || !protection[index])) cnnfi_builder_remove(s->b, s->done[i].node);
    }
}

/* Each body stands before its call. */
static cnnf_status reorder(inliner *s)
{
    size_t count = 0;
    const size_t n = cnnfi_builder_count(s->b);
    cnnf_node **sorted = cnnfi_builder_array(s->b, n, sizeof *sorted);
    if (!sorted) return cnnfi_builder_status(s->b);
    for (size_t i = 0; i < s->in->n_nodes; i++) {
        for (int32_t at = (int32_t)i; at != NONE; at = s->places[at].next) {
            while (s->places[at].first != NONE) {
                const int32_t first = s->places[at].first;
                s->places[at].first = NONE;
                at = first;
            }
            sorted[count++] = cnnfi_builder_node(s->b, (size_t)at);
        }
    }
    memcpy(s->b->graph->nodes, sorted, count * sizeof *sorted);
    return CNNF_OK;
}

/* ---- the pass ---- */

static cnnf_status inline_all(inliner *s, const bool *needed)
{
    for (size_t i = 0; i < cnnfi_builder_count(s->b); i++) {
        const cnnfi_func_ref *reference;
        if (i < s->in->n_nodes && !needed[i]) continue;
        const cnnfi_function *f = cnnfi_inlinable_function(s->in, cnnfi_builder_node(s->b, i), &reference);
        if (f) CNNFI_TRY(inline_call(s, (int32_t)i, f, reference));
    }
    return redirect_all(s);
}

/* Calls that no output needs (a SavedModel's save and restore functions) stay calls. */
static cnnf_status find_needed(bool *needed, const inliner *s, const bool *protection)
{
    int32_t *roots = cnnfi_array(s->run->context, s->in->n_nodes, sizeof *roots);
    size_t n_roots = 0;
    if (!roots) return cnnfi_fail_nomem(s->run->error);
    for (size_t i = 0; i < s->in->n_nodes; i++) {
        if (protection[i]) roots[n_roots++] = (int32_t)i;
    }
    const cnnf_status status = cnnfi_reach(needed, s->in, roots, n_roots, false, s->run->error);
    cnnfi_free(s->run->context, roots);
    return status;
}

static cnnf_status prepare(inliner *s)
{
    CNNFI_TRY(cnnfi_builder_from(&s->b, s->in, s->run->error));
    s->bodies = cnnfi_calloc(s->run->context, s->in->n_functions + 1, sizeof *s->bodies);
    bool ok = s->bodies && grow_places(s, s->in->n_nodes);
    for (size_t i = 0; ok && i < s->in->n_functions; i++)
        ok = cnnfi_strmap_set(&s->functions, s->in->functions[i]->name, (int64_t)i);
    if (!ok) return cnnfi_fail_nomem(s->run->error);
    return cnnfi_bodies_init(s->bodies, s->in, &s->functions, s->run->error);
}

static cnnf_status run_with(inliner *s, const bool *protection, bool *needed, cnnf_graph **out)
{
    cnnfi_pass_run *run = s->run;
    CNNFI_TRY(find_needed(needed, s, protection));
    CNNFI_TRY(prepare(s));
    CNNFI_TRY(inline_all(s, needed));
    if (s->n_done == 0) return cnnfi_pass_unchanged(s->in, out);
    drop_names(s, protection);
    CNNFI_TRY(reorder(s));
    cnnfi_drop_unused_functions(s->b);
    cnnfi_run_count(run, "inlined", (int64_t)s->n_done);
    cnnfi_builder *b = s->b;
    s->b = NULL;
    return cnnfi_pass_publish(run, out, b);
}

static void inliner_free(inliner *s)
{
    cnnf_context *context = s->run->context;
    for (size_t i = 0; s->bodies && i < s->in->n_functions; i++)
        cnnfi_body_free(&s->bodies[i], context);
    cnnfi_free(context, s->bodies);
    cnnfi_free(context, s->done);
    cnnfi_free(context, s->places);
    cnnfi_strmap_free(&s->functions);
    cnnfi_strmap_free(&s->calls);
    cnnfi_builder_free(s->b);
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    inliner s = {.run = run, .in = in};
    bool *protection = cnnfi_run_protection(run, in);
    bool *needed = cnnfi_calloc(run->context, in->n_nodes + 1, sizeof *needed);
    cnnfi_strmap_init(&s.functions, run->context);
    cnnfi_strmap_init(&s.calls, run->context);
    cnnf_status status = protection && needed ? run_with(&s, protection, needed, out) : cnnfi_fail_nomem(run->error);
    /* The builder's own failures carry their message there. */
    if (status != CNNF_OK && s.b && cnnfi_builder_status(s.b) == status) cnnfi_error_copy(run->error, s.b->error);
    inliner_free(&s);
    cnnfi_free(run->context, protection);
    cnnfi_free(run->context, needed);
    return status;
}

const cnnfi_pass cnnfi_pass_inline_functions = {
    .name = "inline_functions",
    .description = "Replaces calls of functions by the functions' nodes; branches and loops keep their functions.",
    .run = run_pass,
};

/* The Graph Transform Tool's name. */
const cnnfi_pass cnnfi_pass_inline_partitionedcall = {
    .name = "inline_partitionedcall",
    .description = "The same as inline_functions.",
    .run = run_pass,
};
