/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/inline.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "edit/function_body.h"

#define NONE (-1)

/* One body that was put in; nodes of bodies inside it belong to frames whose parent it is. */
struct cnnfi_inline_frame {
    const cnnfi_function *function;
    int32_t parent, depth;
};

typedef struct expansion {
    cnnfi_inliner *inliner;
    cnnfi_edit *edit;
    const cnnfi_call_site *site;
    cnnf_node *call;
    const cnnfi_function *function;
    const cnnfi_body *body;
    cnnfi_edge *arguments; /* [function->n_inputs] what the call was given */
    cnnf_node **copies;    /* [function->n_nodes] */
} expansion;

/* ---- life ---- */

void cnnfi_inliner_init(cnnfi_inliner *inliner, cnnfi_edit *edit, bool keeps_calls)
{
    *inliner = (cnnfi_inliner){.edit = edit, .keeps_calls = keeps_calls};
}

void cnnfi_inliner_free(cnnfi_inliner *inliner)
{
    const cnnf_graph *graph = inliner->edit->b->graph;
    for (size_t i = 0; inliner->bodies && i < graph->n_functions; i++)
        cnnfi_body_free(&inliner->bodies[i], graph->context);
    cnnfi_free(graph->context, inliner->bodies);
    cnnfi_free(graph->context, inliner->frames);
    cnnfi_free(graph->context, inliner->frame_of);
    cnnfi_free(graph->context, inliner->kept);
}

static bool grow(const cnnfi_inliner *inliner, void *array, size_t *capacity, size_t count, size_t size)
{
    cnnfi_builder *b = inliner->edit->b;
    if (b->status) return false;
    if (!cnnfi_grow(b->graph->context, array, capacity, count, size)) b->status = cnnfi_fail_nomem(b->error);
    return !b->status;
}

/* ---- frames: who was put in by whom ---- */

static int32_t frame_of(const cnnfi_inliner *inliner, const cnnf_node *node)
{
    return (size_t)node->index < inliner->n_framed ? inliner->frame_of[node->index] : NONE;
}

bool cnnfi_inliner_made(const cnnfi_inliner *inliner, const cnnf_node *node)
{
    return frame_of(inliner, node) != NONE;
}

static bool set_frame(cnnfi_inliner *inliner, const cnnf_node *node, int32_t frame)
{
    while (inliner->n_framed <= (size_t)node->index) {
        if (!grow(inliner, &inliner->frame_of, &inliner->framed_capacity, inliner->n_framed, sizeof frame))
            return false;
        inliner->frame_of[inliner->n_framed++] = NONE;
    }
    inliner->frame_of[node->index] = frame;
    return true;
}

/* "cycle: f -> g -> f": the calls that led from the function to itself, as far as they have room. */
static void refuse_recursion(cnnfi_inliner *inliner, int32_t outer, int32_t inner, const cnnfi_function *again)
{
    cnnfi_builder *b = inliner->edit->b;
    const char *path = again->name;
    for (int32_t at = inner; path && at != NONE; at = inliner->frames[at].parent) {
        const char *name = inliner->frames[at].function->name;
        if (strlen(path) + strlen(name) > 800) break;
        path = cnnfi_builder_printf(b, "%s -> %s", name, path);
        if (at == outer) break;
    }
    if (path) cnnfi_builder_fail(b, CNNF_E_CORRUPT, "cycle: %s", path);
}

/* The call's frame, its place among the others, and the limits. */
static int32_t enter(cnnfi_inliner *inliner, const cnnfi_call_site *site)
{
    cnnfi_builder *b = inliner->edit->b;
    const int32_t parent = frame_of(inliner, site->node);
    const int32_t depth = parent == NONE ? 1 : inliner->frames[parent].depth + 1;
    for (int32_t at = parent; at != NONE; at = inliner->frames[at].parent) {
        if (inliner->frames[at].function != site->function) continue;
        refuse_recursion(inliner, at, parent, site->function);
        return NONE;
    }
    const cnnf_context *context = b->graph->context;
    const uint64_t nodes = (uint64_t)inliner->edit->count + site->function->n_nodes;
    b->status = cnnfi_check_limit(context, CNNF_LIMIT_NODES, nodes, "inlined functions", b->error);
    if (!b->status)
        b->status = cnnfi_check_limit(context, CNNF_LIMIT_DEPTH, (uint64_t)depth, "calls inside calls", b->error);
    if (!grow(inliner, &inliner->frames, &inliner->frame_capacity, inliner->n_frames, sizeof *inliner->frames))
        return NONE;
    inliner->frames[inliner->n_frames] = (struct cnnfi_inline_frame){site->function, parent, depth};
    return (int32_t)inliner->n_frames++;
}

/* ---- which function ---- */

bool cnnfi_find_call(cnnfi_call_site *site, const cnnfi_edit *edit, cnnf_node *node)
{
    *site = (cnnfi_call_site){.node = node};
    site->function = cnnfi_inlinable_function(edit->b->graph, node, &site->reference);
    return site->function != NULL;
}

bool cnnfi_find_branch(cnnfi_call_site *site, const cnnfi_edit *edit, cnnf_node *node, const cnnfi_func_ref *reference,
                       size_t first_input)
{
    *site = (cnnfi_call_site){.node = node, .reference = reference, .first_input = first_input};
    site->function = cnnfi_graph_function(edit->b->graph, reference->name);
    return site->function != NULL;
}

static void refuse(const expansion *e, const char *what, const char *which)
{
    cnnfi_builder_fail(e->edit->b, CNNF_E_UNSUPPORTED, "node '%s': function '%s': %s '%s'", e->call->name,
                       e->function->name, what, which);
}

static const cnnfi_body *body_of(cnnfi_inliner *inliner, const cnnfi_function *function)
{
    cnnfi_builder *b = inliner->edit->b;
    cnnf_graph *g = b->graph;
    const int64_t index = cnnfi_strmap_get(&g->function_names, function->name);
    if (b->status || index < 0) return NULL;
    if (!inliner->bodies) inliner->bodies = cnnfi_calloc(g->context, g->n_functions, sizeof *inliner->bodies);
    b->status =
        inliner->bodies ? cnnfi_body_prepare(inliner->bodies, g, (size_t)index, b->error) : cnnfi_fail_nomem(b->error);
    return b->status ? NULL : &inliner->bodies[index];
}

/* ---- the body ---- */

static const cnnfi_edge nothing = {.node = NONE};

/* An input of the body outside of it; `nothing` when it need not be there, or after a failure. */
static cnnfi_edge translate(const expansion *e, const char *text)
{
    cnnfi_body_tensor t;
    cnnfi_builder *b = e->edit->b;
    const size_t n = e->function->n_nodes;
    if (b->status) return nothing;
    b->status = cnnfi_body_resolve(&t, e->body, b->graph, text, b->error);
    if (b->status) return nothing;
    const bool control = t.port == CNNFI_PORT_CONTROL;
    /* Who waits for an argument waits anyway. */
    if ((size_t)t.producer >= n) return control ? nothing : e->arguments[(size_t)t.producer - n];
    if (control && e->body->inert[t.producer]) return nothing;
    if (t.port > INT32_MAX) {
        refuse(e, "no such output", text);
        return nothing;
    }
    return cnnfi_end(e->copies[t.producer], (int32_t)t.port);
}

/* "$T" in a generic function's nodes: the call says what it is. */
static void bind_attrs(const expansion *e, cnnf_node *copy)
{
    const cnnfi_func_ref *reference = e->site->reference;
    const cnnfi_attr *given = reference ? reference->attrs : e->call->attrs;
    const size_t n_given = reference ? reference->n_attrs : e->call->n_attrs;
    for (size_t i = 0; i < copy->n_attrs; i++) {
        if (copy->attrs[i].kind != CNNF_ATTR_PLACEHOLDER) continue;
        size_t k = 0;
        while (k < n_given && strcmp(given[k].key, copy->attrs[i].u.placeholder) != 0)
            k++;
        if (k == n_given) {
            refuse(e, "the call does not give attribute", copy->attrs[i].u.placeholder);
            return;
        }
        cnnfi_node_copy_attr(e->edit->b, copy, copy->attrs[i].key, &given[k]);
    }
}

static bool copy_nodes(const expansion *e, int32_t frame)
{
    cnnfi_builder *b = e->edit->b;
    for (size_t i = 0; i < e->function->n_nodes; i++) {
        const cnnf_node *node = e->function->nodes[i];
        cnnf_node *copy =
            cnnfi_edit_copy(e->edit, node, cnnfi_edit_unique(e->edit, "%s/%s", e->call->name, node->name));
        if (!copy || !set_frame(e->inliner, copy, frame)) return false;
        e->copies[i] = copy;
        if (!*copy->device && *e->call->device) cnnfi_node_set_device(b, copy, e->call->device);
        bind_attrs(e, copy);
        if (e->inliner->keeps_calls) cnnfi_edit_place_before(e->edit, copy, e->call);
    }
    return !b->status;
}

/* What the call had to wait for, its effects have to wait for. */
static void connect_nodes(const expansion *e)
{
    for (size_t i = 0; i < e->function->n_nodes && !e->edit->b->status; i++) {
        const cnnf_node *node = e->function->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++)
            cnnfi_edit_add_input(e->edit, e->copies[i], translate(e, node->inputs[k]));
        const size_t first = e->body->inert[i] ? e->call->n_inputs : cnnfi_node_data_inputs(e->call);
        for (size_t k = first; k < e->call->n_inputs; k++)
            cnnfi_edit_add_control(e->edit, e->copies[i], cnnfi_edit_producer(e->edit, e->call, k, NULL));
    }
}

/* ---- the call ---- */

static bool take_arguments(expansion *e)
{
    const size_t given = cnnfi_node_data_inputs(e->call), first = e->site->first_input;
    e->arguments = cnnfi_edit_array(e->edit, e->function->n_inputs, sizeof *e->arguments);
    e->copies = cnnfi_edit_array(e->edit, e->function->n_nodes, sizeof(cnnf_node *));
    if (!e->arguments || !e->copies) return false;
    if (given < first || given - first != e->function->n_inputs) {
        refuse(e, "is called with another number of arguments by", e->call->name);
        return false;
    }
    for (size_t i = 0; i < e->function->n_inputs; i++)
        e->arguments[i] = e->call->edges[first + i];
    return true;
}

/* An output's type, where the function is generic: the call's attribute. */
static int32_t output_type(const expansion *e, size_t index)
{
    const cnnfi_arg *arg = &e->function->outputs[index];
    const cnnfi_attr *tout = cnnfi_node_attr(e->call, "Tout");
    if (arg->type) return arg->type;
    if (tout && tout->kind == CNNF_ATTR_LIST && tout->u.list.item_kind == CNNF_ATTR_TYPE && index < tout->u.list.count)
        return tout->u.list.u.types[index];
    return arg->type_attr ? cnnfi_node_type(e->call, arg->type_attr) : 0;
}

/* The call's name stays for who waits for it and for outputs. */
static void become_identity(const expansion *e, const cnnfi_edge *results, size_t count)
{
    static const char *const ops[] = {"NoOp", "Identity", "IdentityN"};
    cnnfi_edit *edit = e->edit;
    int32_t *types = cnnfi_edit_array(edit, count, sizeof *types);
    if (!types) return;
    for (size_t i = 0; i < count; i++)
        types[i] = output_type(e, i);
    cnnfi_edit_reset(edit, e->call, ops[count < 2 ? count : 2]);
    for (size_t i = 0; i < count; i++)
        cnnfi_edit_add_input(edit, e->call, results[i]);
    if (count == 1) cnnfi_node_set_type(edit->b, e->call, "T", types[0]);
    if (count > 1) cnnfi_node_set_types(edit->b, e->call, "T", types, count);
    for (size_t i = 0; i < e->function->n_control_ret; i++) {
        const int64_t node = cnnfi_strmap_get(&e->body->names, e->function->control_ret[i].value);
        if (node >= 0 && (size_t)node < e->function->n_nodes && !e->body->inert[node])
            cnnfi_edit_add_control(edit, e->call, e->copies[node]);
    }
}

static bool find_results(const expansion *e, cnnfi_edge *results, size_t count)
{
    for (size_t i = 0; i < count && !e->edit->b->status; i++) {
        const char *name = e->function->outputs[i].name, *value = cnnfi_function_returns(e->function, name);
        results[i] = value ? translate(e, value) : nothing;
        if (results[i].node == NONE) refuse(e, "does not say what it returns as", name);
    }
    for (const cnnfi_use *use = cnnfi_edit_uses(e->edit, e->call); use; use = use->next) {
        if (use->port < 0 || (size_t)use->port < count) continue;
        cnnfi_builder_fail(e->edit->b, CNNF_E_CORRUPT, "node '%s': input '%s:%d': the function has %zu outputs",
                           use->user->name, e->call->name, (int)use->port, count);
    }
    return !e->edit->b->status;
}

static void remember(cnnfi_inliner *inliner, const cnnf_node *call)
{
    if (grow(inliner, &inliner->kept, &inliner->kept_capacity, inliner->n_kept, sizeof *inliner->kept))
        inliner->kept[inliner->n_kept++] = call->index;
}

static void replace_call(const expansion *e)
{
    cnnfi_edit *edit = e->edit;
    const size_t count = e->function->n_outputs;
    cnnfi_edge *results = cnnfi_edit_array(edit, count, sizeof *results);
    if (!results || !find_results(e, results, count)) return;
    const cnnfi_use *last = cnnfi_edit_last_use(edit, e->call);
    for (cnnfi_use *use = cnnfi_edit_uses(edit, e->call), *next; use; use = next) {
        next = use == last ? NULL : use->next;
        if (use->port != CNNFI_PORT_CONTROL) cnnfi_edit_set_input(edit, use->user, use->input, results[use->port]);
    }
    if (e->inliner->keeps_calls || (cnnfi_edit_is_protected(edit, e->call) && count)) {
        become_identity(e, results, count);
        remember(e->inliner, e->call);
        return;
    }
    if (count)
        cnnfi_edit_redirect(edit, e->call, CNNFI_PORT_CONTROL, (cnnfi_edge){results[0].node, CNNFI_PORT_CONTROL}, NULL);
    else
        cnnfi_edit_stop_waiting(edit, e->call);
    cnnfi_edit_remove(edit, e->call);
}

void cnnfi_inline(cnnfi_inliner *inliner, const cnnfi_call_site *site)
{
    expansion e = {.inliner = inliner,
                   .edit = inliner->edit,
                   .site = site,
                   .call = site->node,
                   .function = site->function,
                   .body = body_of(inliner, site->function)};
    const int32_t frame = e.body ? enter(inliner, site) : NONE;
    if (frame != NONE && take_arguments(&e) && copy_nodes(&e, frame)) {
        connect_nodes(&e);
        if (!e.edit->b->status) replace_call(&e);
    }
    inliner->edit->changes++;
}

void cnnfi_inliner_finish(cnnfi_inliner *inliner)
{
    cnnfi_edit *edit = inliner->edit;
    for (size_t i = 0; i < inliner->n_kept; i++) {
        cnnf_node *call = cnnfi_edit_node(edit, inliner->kept[i]);
        const bool used = call && cnnfi_edit_user_count(edit, call, CNNFI_PORT_ANY) > 0;
        if (call && !used && !cnnfi_edit_is_protected(edit, call)) cnnfi_edit_remove(edit, call);
    }
}
