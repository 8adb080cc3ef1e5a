/* SPDX-License-Identifier: Apache-2.0 */
/* A builder with users: see edit.h. */
#include "edit/edit.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/builder.h"

/* `users` may name nodes that no longer use this one, and twice: look-ups check against the inputs as written. */
struct cnnfi_edit_entry {
    int32_t *users;
    size_t n_users, capacity;
    uint32_t stamp;
    bool protected;
};

static cnnf_context *context_of(const cnnfi_edit *edit)
{
    return edit->b->graph->context;
}

static void no_memory(cnnfi_edit *edit)
{
    if (!edit->b->status) edit->b->status = cnnfi_fail_nomem(edit->b->error);
}

static bool grow(cnnfi_edit *edit, void **array, size_t *capacity, size_t count, size_t size)
{
    const bool grown = cnnfi_grow(context_of(edit), array, capacity, count, size);
    if (!grown) no_memory(edit);
    return grown;
}

static int32_t index_of(const cnnfi_edit *edit, const char *name, size_t length)
{
    const int64_t at = cnnfi_strmap_get_n(&edit->b->graph->names, name, length);
    return at >= 0 && (uint64_t)at < edit->count ? (int32_t)at : -1;
}

/* ---- life ---- */

static bool add_entry(cnnfi_edit *edit, cnnf_node *node)
{
    if (!grow(edit, (void **)&edit->entries, &edit->capacity, edit->count, sizeof *edit->entries)) return false;
    edit->entries[edit->count] = (struct cnnfi_edit_entry){0};
    node->index = (int32_t)edit->count++;
    return true;
}

static void add_user(cnnfi_edit *edit, const char *input, const cnnf_node *user)
{
    const char *name;
    size_t length;
    cnnfi_input_parse(input, &name, &length);
    const int32_t at = index_of(edit, name, length);
    if (at < 0) return;
    struct cnnfi_edit_entry *e = &edit->entries[at];
    if (e->n_users && e->users[e->n_users - 1] == user->index) return;
    if (grow(edit, (void **)&e->users, &e->capacity, e->n_users, sizeof *e->users))
        e->users[e->n_users++] = user->index;
}

static void edit_free(cnnfi_edit *edit)
{
    cnnf_context *context = cnnf_context_ref(context_of(edit));
    for (size_t i = 0; i < edit->count; i++)
        cnnfi_free(context, edit->entries[i].users);
    cnnfi_free(context, edit->entries);
    cnnfi_free(context, edit->suspects);
    cnnfi_arena_free(&edit->arena);
    cnnfi_builder_free(edit->b);
    *edit = (cnnfi_edit){0};
    cnnf_context_unref(context);
}

static void connect(cnnfi_edit *edit)
{
    const cnnf_graph *g = edit->b->graph;
    for (size_t i = 0; i < g->n_nodes && add_entry(edit, g->nodes[i]); i++) {
    }
    for (size_t i = 0; i < edit->count; i++) {
        for (size_t k = 0; k < g->nodes[i]->n_inputs; k++)
            add_user(edit, g->nodes[i]->inputs[k], g->nodes[i]);
    }
}

cnnf_status cnnfi_edit_begin(cnnfi_edit *edit, cnnfi_pass_run *run, const cnnf_graph *in)
{
    *edit = (cnnfi_edit){0};
    CNNFI_TRY(cnnfi_builder_from(&edit->b, in, run->error));
    cnnfi_arena_init(&edit->arena, context_of(edit));
    connect(edit);
    edit->originals = edit->count;
    bool *flags = edit->b->status ? NULL : cnnfi_run_protection(run, in);
    for (size_t i = 0; flags && i < edit->count; i++)
        edit->entries[i].protected = flags[i];
    if (!flags) no_memory(edit);
    cnnfi_free(in->context, flags);
    const cnnf_status status = edit->b->status;
    if (!status) return CNNF_OK;
    cnnfi_error_copy(run->error, edit->b->error);
    edit_free(edit);
    return status;
}

void *cnnfi_edit_array(cnnfi_edit *edit, size_t count, size_t size)
{
    void *block = edit->b->status ? NULL : cnnfi_arena_array(&edit->arena, count ? count : 1, size);
    if (!block) no_memory(edit);
    return block;
}

/* ---- what lost its users ---- */

static void suspect(cnnfi_edit *edit, const cnnf_node *node)
{
    if (!node ||
        !grow(edit, (void **)&edit->suspects, &edit->suspect_capacity, edit->n_suspects, sizeof *edit->suspects)) {
        return;
    }
    edit->suspects[edit->n_suspects++] = node->index;
}

void cnnfi_edit_sweep(cnnfi_edit *edit)
{
    while (edit->n_suspects && !edit->b->status) {
        cnnf_node *node = edit->b->graph->nodes[edit->suspects[--edit->n_suspects]];
        if (node->removed || cnnfi_edit_is_protected(edit, node) || strcmp(node->op, "Placeholder") == 0) continue;
        if (cnnfi_edit_uses(edit, node, CNNFI_PORT_ANY).count == 0) cnnfi_edit_remove(edit, node);
    }
}

/* ---- the order of nodes ---- */

typedef struct ordering {
    cnnfi_edit *edit;
    cnnf_node **out;
    size_t n;
    bool *placed;
} ordering;

/* New nodes are few and shallow: an addition, its constant, an inlined body. */
#define MAX_NEW_DEPTH 1000

static void place(ordering *o, cnnf_node *node, int depth)
{
    const size_t at = (size_t)node->index;
    if (o->placed[at]) return;
    o->placed[at] = true;
    for (size_t k = 0; k < node->n_inputs && depth < MAX_NEW_DEPTH; k++) {
        cnnf_node *from = cnnfi_edit_producer(o->edit, node, k, NULL);
        if (from && (size_t)from->index >= o->edit->originals) place(o, from, depth + 1);
    }
    o->out[o->n++] = node;
}

/* Graphs that are in execution order stay so: a new node goes before the first one that reads it. */
static void put_in_order(cnnfi_edit *edit)
{
    cnnf_graph *g = edit->b->graph;
    ordering o = {.edit = edit,
                  .out = cnnfi_edit_array(edit, edit->count, sizeof *o.out),
                  .placed = cnnfi_edit_array(edit, edit->count, sizeof *o.placed)};
    if (!o.out || !o.placed || edit->count == edit->originals) return;
    for (size_t i = 0; i < edit->count; i++)
        place(&o, g->nodes[i], 0);
    memcpy(g->nodes, o.out, edit->count * sizeof *o.out);
}

cnnf_status cnnfi_edit_end(cnnfi_edit *edit, cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnf_status status;
    *out = NULL;
    cnnfi_edit_sweep(edit);
    put_in_order(edit);
    if (edit->changes && !edit->b->status) {
        cnnfi_builder *spare = NULL; /* publishing takes the builder; freeing the edit wants one */
        status = cnnfi_builder_new(&spare, in->context, run->error);
        if (!status) {
            status = cnnfi_pass_publish(run, out, edit->b);
            edit->b = spare;
        }
    } else if (edit->b->status) {
        status = edit->b->status;
        cnnfi_error_copy(run->error, edit->b->error);
    } else {
        status = cnnfi_pass_unchanged(in, out);
    }
    edit_free(edit);
    return status;
}

/* ---- looking ---- */

void cnnfi_edit_set_protected(cnnfi_edit *edit, const cnnf_node *node, bool protected)
{
    edit->entries[node->index].protected = protected;
}

bool cnnfi_edit_is_protected(const cnnfi_edit *edit, const cnnf_node *node)
{
    return edit->entries[node->index].protected;
}

cnnf_node *cnnfi_edit_find(const cnnfi_edit *edit, const char *name, size_t length)
{
    const int32_t at = index_of(edit, name, length);
    return at < 0 || edit->b->graph->nodes[at]->removed ? NULL : edit->b->graph->nodes[at];
}

cnnf_node *cnnfi_edit_producer(const cnnfi_edit *edit, const cnnf_node *node, size_t input, int32_t *port)
{
    const char *name;
    size_t length;
    if (input >= node->n_inputs) return NULL;
    const int32_t at = cnnfi_input_parse(node->inputs[input], &name, &length);
    if (port) *port = at;
    return cnnfi_edit_find(edit, name, length);
}

static bool port_matches(int32_t wanted, int32_t port)
{
    return wanted == CNNFI_PORT_ANY || wanted == port;
}

/* Calls count how many inputs match; with items they are stored. */
static size_t matching_inputs(const cnnfi_edit *edit, cnnf_node *user, const cnnf_node *node, int32_t port,
                              cnnfi_use *items)
{
    size_t found = 0;
    for (size_t k = 0; k < user->n_inputs; k++) {
        int32_t at;
        if (cnnfi_edit_producer(edit, user, k, &at) != node || !port_matches(port, at)) continue;
        if (items) items[found] = (cnnfi_use){.node = user, .input = k};
        found++;
    }
    return found;
}

static size_t walk_users(cnnfi_edit *edit, const cnnf_node *node, int32_t port, cnnfi_use *items)
{
    const struct cnnfi_edit_entry *e = &edit->entries[node->index];
    const uint32_t stamp = ++edit->stamp;
    size_t found = 0;
    for (size_t i = 0; i < e->n_users; i++) {
        cnnf_node *user = edit->b->graph->nodes[e->users[i]];
        struct cnnfi_edit_entry *seen = &edit->entries[e->users[i]];
        if (user->removed || seen->stamp == stamp) continue;
        seen->stamp = stamp;
        found += matching_inputs(edit, user, node, port, items ? items + found : NULL);
    }
    return found;
}

cnnfi_uses cnnfi_edit_uses(cnnfi_edit *edit, const cnnf_node *node, int32_t port)
{
    const size_t count = walk_users(edit, node, port, NULL);
    cnnfi_uses uses = {.items = count ? cnnfi_edit_array(edit, count, sizeof *uses.items) : NULL, .count = count};
    if (!uses.items)
        uses.count = 0;
    else
        walk_users(edit, node, port, uses.items);
    return uses;
}

/* ---- changing ---- */

cnnf_node *cnnfi_edit_add(cnnfi_edit *edit, const char *op, const char *name)
{
    cnnf_node *node = cnnfi_builder_add(edit->b, op, name);
    return node && add_entry(edit, node) ? node : NULL;
}

cnnf_node *cnnfi_edit_copy(cnnfi_edit *edit, const cnnf_node *node, const char *name)
{
    cnnf_node *copy = cnnfi_builder_copy_node(edit->b, node, name);
    cnnfi_node_clear_inputs(copy);
    return copy && add_entry(edit, copy) ? copy : NULL;
}

void cnnfi_edit_add_input(cnnfi_edit *edit, cnnf_node *node, const char *input)
{
    if (!node || !input) return;
    cnnfi_node_add_input(edit->b, node, input);
    add_user(edit, input, node);
}

void cnnfi_edit_set_input(cnnfi_edit *edit, cnnf_node *node, size_t index, const char *input)
{
    if (!node || !input || index >= node->n_inputs) return;
    suspect(edit, cnnfi_edit_producer(edit, node, index, NULL));
    cnnfi_node_set_input(edit->b, node, index, input);
    add_user(edit, input, node);
}

void cnnfi_edit_remove_input(cnnfi_edit *edit, cnnf_node *node, size_t index)
{
    if (!node || index >= node->n_inputs) return;
    suspect(edit, cnnfi_edit_producer(edit, node, index, NULL));
    cnnfi_node_remove_input(node, index);
}

void cnnfi_edit_redirect(cnnfi_edit *edit, const cnnf_node *from, int32_t port, const char *input, const cnnf_node *but)
{
    const cnnfi_uses uses = cnnfi_edit_uses(edit, from, port);
    for (size_t i = 0; i < uses.count; i++) {
        if (uses.items[i].node != but) cnnfi_edit_set_input(edit, uses.items[i].node, uses.items[i].input, input);
    }
}

void cnnfi_edit_reset(cnnfi_edit *edit, cnnf_node *node, const char *op)
{
    if (!node) return;
    while (node->n_inputs)
        cnnfi_edit_remove_input(edit, node, node->n_inputs - 1);
    node->n_attrs = 0;
    node->extra = (cnnfi_bytes){0};
    cnnfi_node_set_op(edit->b, node, op);
}

static cnnf_dtype output_type(const cnnf_node *node)
{
    const cnnf_dtype type = cnnfi_node_type(node, "T");
    return type ? type : cnnfi_node_type(node, "dtype");
}

void cnnfi_edit_bypass(cnnfi_edit *edit, cnnf_node *node, const char *input)
{
    char producer[4096];
    const char *to = cnnfi_builder_strdup(edit->b, input); /* `input` may be the node's own, about to be dropped */
    const char *control =
        to ? cnnfi_builder_printf(edit->b, "^%s", cnnfi_input_node(to, producer, sizeof producer)) : NULL;
    if (!control) return;
    const bool stays = cnnfi_edit_is_protected(edit, node);
    const cnnf_dtype type = output_type(node);
    if (stays) {
        cnnfi_edit_reset(edit, node, "Identity");
        cnnfi_edit_add_input(edit, node, to);
        if (type) cnnfi_node_set_type(edit->b, node, "T", type);
    }
    cnnfi_edit_redirect(edit, node, 0, to, NULL);
    cnnfi_edit_redirect(edit, node, CNNFI_PORT_CONTROL, control, NULL);
    if (!stays) cnnfi_edit_remove(edit, node);
}

void cnnfi_edit_remove(cnnfi_edit *edit, cnnf_node *node)
{
    if (!node || node->removed) return;
    while (node->n_inputs)
        cnnfi_edit_remove_input(edit, node, node->n_inputs - 1);
    cnnfi_builder_remove(edit->b, node);
}

const char *cnnfi_edit_const(cnnfi_edit *edit, const char *base, const cnnf_tensor *value)
{
    const char *name = cnnfi_builder_unique(edit->b, base);
    cnnf_node *node = name ? cnnfi_builder_const(edit->b, name, value) : NULL;
    return node && add_entry(edit, node) ? node->name : NULL;
}

const char *cnnfi_edit_ref(cnnfi_edit *edit, const cnnf_node *node, int32_t port)
{
    return port > 0 ? cnnfi_builder_printf(edit->b, "%s:%d", node->name, (int)port) : node->name;
}

/* ---- what outputs need ---- */

static bool no_output_known(const cnnfi_edit *edit, const cnnfi_pass_run *run)
{
    for (size_t i = 0; i < run->outputs.count; i++) {
        if (cnnfi_edit_find(edit, run->outputs.names[i], strlen(run->outputs.names[i]))) return false;
    }
    return true;
}

bool *cnnfi_edit_needed(cnnfi_edit *edit, const cnnfi_pass_run *run)
{
    bool *needed = cnnfi_edit_array(edit, edit->count, sizeof *needed);
    int32_t *stack = cnnfi_edit_array(edit, edit->count, sizeof *stack);
    const bool all = no_output_known(edit, run);
    size_t top = 0;
    for (size_t i = 0; needed && stack && i < edit->count; i++) {
        const cnnf_node *node = edit->b->graph->nodes[i];
        needed[i] = !node->removed && (all || cnnfi_run_is_output(run, node->name));
        if (needed[i]) stack[top++] = (int32_t)i;
    }
    while (top) {
        const cnnf_node *node = edit->b->graph->nodes[stack[--top]];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const cnnf_node *from = cnnfi_edit_producer(edit, node, k, NULL);
            if (!from || needed[from->index]) continue;
            needed[from->index] = true;
            stack[top++] = from->index;
        }
    }
    return stack ? needed : NULL;
}

/* ---- what ops mean ---- */

bool cnnfi_op_is_identity(const char *op)
{
    static const char *const ops[] = {"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot"};
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}

bool cnnfi_op_is_shape_only(const char *op)
{
    static const char *const ops[] = {"Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike"};
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}
