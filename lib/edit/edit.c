/* SPDX-License-Identifier: Apache-2.0 */
/* A builder whose nodes know their users: see edit.h. */
#include "edit/edit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"

#define NONE (-1)

struct cnnfi_edit_entry {
    cnnfi_edge *edges; /* [capacity] node->edges, in the graph's arena */
    cnnfi_use **uses;  /* [capacity] the record of each input, in its producer's list */
    size_t capacity;
    cnnfi_use *first, *last;                   /* who uses the node */
    size_t n_users, n_controls, n_of_output_0; /* of them: all, by control edges, of port 0 */
    size_t n_lookers;                          /* of the data uses: by ops that look at shape only */
    bool protected, looker;
    bool placed_by_hand;
    int32_t first_before, last_before, next_before; /* nodes placed right before this one */
};

static struct cnnfi_edit_entry *entry_of(const cnnfi_edit *edit, const cnnf_node *node)
{
    return &edit->entries[node->index];
}

static cnnf_context *context_of(const cnnfi_edit *edit)
{
    return edit->b->graph->context;
}

static void no_memory(cnnfi_edit *edit)
{
    if (!edit->b->status) edit->b->status = cnnfi_fail_nomem(edit->b->error);
}

static bool grow(cnnfi_edit *edit, void *array, size_t *capacity, size_t count, size_t size)
{
    const bool grown = cnnfi_grow(context_of(edit), array, capacity, count, size);
    if (!grown) no_memory(edit);
    return grown;
}

void *cnnfi_edit_array(cnnfi_edit *edit, size_t count, size_t size)
{
    void *block = edit->b->status ? NULL : cnnfi_arena_array(&edit->arena, count ? count : 1, size);
    if (!block) no_memory(edit);
    return block;
}

/* Work: a node or an edge that was made or moved. */
static void spend(cnnfi_edit *edit, uint64_t steps)
{
    if (edit->budget && !edit->b->status) edit->b->status = cnnfi_budget_spend(edit->budget, steps, edit->b->error);
}

/* ---- the records of inputs ---- */

static void count_use(cnnfi_edit *edit, int32_t producer, const cnnfi_use *use, size_t by)
{
    struct cnnfi_edit_entry *e = &edit->entries[producer];
    e->n_users += by;
    if (use->port == CNNFI_PORT_CONTROL)
        e->n_controls += by;
    else if (entry_of(edit, use->user)->looker)
        e->n_lookers += by;
    if (use->port == 0) e->n_of_output_0 += by;
}

static void link_use(cnnfi_edit *edit, cnnfi_use *use)
{
    const cnnfi_edge end = use->user->edges[use->input];
    struct cnnfi_edit_entry *e = &edit->entries[end.node];
    spend(edit, 1);
    use->port = end.port;
    use->previous = e->last;
    use->next = NULL;
    *(e->last ? &e->last->next : &e->first) = use;
    e->last = use;
    count_use(edit, end.node, use, 1);
}

static void unlink_use(cnnfi_edit *edit, cnnfi_use *use)
{
    const int32_t producer = use->user->edges[use->input].node;
    struct cnnfi_edit_entry *e = &edit->entries[producer];
    *(use->previous ? &use->previous->next : &e->first) = use->next;
    *(use->next ? &use->next->previous : &e->last) = use->previous;
    count_use(edit, producer, use, (size_t)-1);
}

static void suspect(cnnfi_edit *edit, int32_t node)
{
    if (grow(edit, &edit->suspects, &edit->suspect_capacity, edit->n_suspects, sizeof *edit->suspects))
        edit->suspects[edit->n_suspects++] = node;
}

void cnnfi_edit_touch(cnnfi_edit *edit, const cnnf_node *node)
{
    if (!node) return;
    const bool said = edit->n_log > edit->log_read && edit->log[edit->n_log - 1] == node->index;
    if (said) return;
    if (grow(edit, &edit->log, &edit->log_capacity, edit->n_log, sizeof *edit->log))
        edit->log[edit->n_log++] = node->index;
}

/* ---- life ---- */

static bool add_entry(cnnfi_edit *edit, cnnf_node *node)
{
    if (!grow(edit, &edit->entries, &edit->capacity, edit->count, sizeof *edit->entries)) return false;
    spend(edit, 1);
    edit->entries[edit->count] = (struct cnnfi_edit_entry){
        .looker = cnnfi_op_is_shape_only(node->op), .first_before = NONE, .last_before = NONE, .next_before = NONE};
    node->index = (int32_t)edit->count++;
    return true;
}

/* The edges of `in`, whose nodes have the same indices; one block of each kind for all nodes. */
static void connect(cnnfi_edit *edit, const cnnf_graph *in)
{
    size_t total = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        if (!add_entry(edit, edit->b->graph->nodes[i])) return;
        total += in->nodes[i]->n_inputs;
    }
    cnnfi_edge *edges = cnnfi_builder_array(edit->b, total ? total : 1, sizeof *edges);
    cnnfi_use *records = cnnfi_edit_array(edit, total, sizeof *records);
    cnnfi_use **uses = cnnfi_edit_array(edit, total, sizeof *uses);
    if (!edges || !records || !uses) return;
    for (size_t i = 0; i < in->n_nodes; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        struct cnnfi_edit_entry *e = &edit->entries[i];
        const size_t n = node->n_inputs;
        if (n) memcpy(edges, in->nodes[i]->edges, n * sizeof *edges);
        e->capacity = n;
        node->edges = e->edges = edges;
        e->uses = uses;
        for (size_t k = 0; k < n; k++) {
            uses[k] = &records[k];
            records[k] = (cnnfi_use){.user = node, .input = k};
            link_use(edit, &records[k]);
        }
        edges += n;
        records += n;
        uses += n;
    }
}

cnnf_status cnnfi_edit_begin(cnnfi_edit *edit, const cnnf_graph *in, const bool *protection, cnnf_error *error)
{
    *edit = (cnnfi_edit){0};
    CNNFI_TRY(cnnfi_builder_from(&edit->b, in, error));
    cnnfi_arena_init(&edit->arena, context_of(edit));
    connect(edit, in);
    edit->originals = edit->count;
    for (size_t i = 0; protection && i < edit->count; i++)
        edit->entries[i].protected = protection[i];
    const cnnf_status status = edit->b->status;
    if (!status) return CNNF_OK;
    cnnfi_error_copy(error, edit->b->error);
    cnnfi_edit_free(edit);
    return status;
}

/* All but the builder. */
static void drop_tables(cnnfi_edit *edit)
{
    cnnfi_free(context_of(edit), edit->entries);
    cnnfi_free(context_of(edit), edit->suspects);
    cnnfi_free(context_of(edit), edit->log);
    cnnfi_arena_free(&edit->arena);
}

void cnnfi_edit_free(cnnfi_edit *edit)
{
    if (!edit->b) return;
    drop_tables(edit);
    cnnfi_builder_free(edit->b);
    *edit = (cnnfi_edit){0};
}

/* ---- finishing: what lost its users ---- */

void cnnfi_edit_sweep(cnnfi_edit *edit)
{
    while (edit->n_suspects && !edit->b->status) {
        cnnf_node *node = edit->b->graph->nodes[edit->suspects[--edit->n_suspects]];
        const struct cnnfi_edit_entry *e = entry_of(edit, node);
        if (node->removed || e->protected || strcmp(node->op, "Placeholder") == 0) continue;
        if (!e->n_users) cnnfi_edit_remove(edit, node);
    }
}

/* ---- finishing: the order of nodes ---- */

/* A node that waits for those that come before it: the ones placed so by hand, then new ones that it reads. */
typedef struct waiting {
    int32_t node;
    size_t input; /* the next one to look at */
} waiting;

typedef struct ordering {
    const cnnfi_edit *edit;
    cnnf_node **out;
    size_t n;
    bool *placed;
    waiting *stack; /* [count]: every node waits once */
    size_t depth;
} ordering;

static void wait_for(ordering *o, int32_t node)
{
    o->placed[node] = true;
    o->stack[o->depth++] = (waiting){.node = node};
}

/* What has to come before the node on top; NONE. */
static int32_t next_before(ordering *o)
{
    waiting *top = &o->stack[o->depth - 1];
    struct cnnfi_edit_entry *e = &o->edit->entries[top->node];
    if (e->first_before != NONE) {
        const int32_t before = e->first_before;
        e->first_before = o->edit->entries[before].next_before;
        return before;
    }
    const cnnf_node *node = o->edit->b->graph->nodes[top->node];
    while (top->input < node->n_inputs) {
        const int32_t from = node->edges[top->input++].node;
        const bool is_new = (size_t)from >= o->edit->originals && !o->edit->entries[from].placed_by_hand;
        if (is_new && !o->placed[from]) return from;
    }
    return NONE;
}

static void place(ordering *o, int32_t node)
{
    wait_for(o, node);
    while (o->depth) {
        const int32_t before = next_before(o);
        if (before != NONE)
            wait_for(o, before);
        else
            o->out[o->n++] = o->edit->b->graph->nodes[o->stack[--o->depth].node];
    }
}

/* Graphs that are in execution order stay so: a new node goes before the first one that reads it. */
static void put_in_order(cnnfi_edit *edit)
{
    if (edit->count == edit->originals && !edit->order) return;
    cnnf_graph *g = edit->b->graph;
    ordering o = {.edit = edit,
                  .out = cnnfi_edit_array(edit, edit->count, sizeof *o.out),
                  .placed = cnnfi_edit_array(edit, edit->count, sizeof *o.placed),
                  .stack = cnnfi_edit_array(edit, edit->count, sizeof *o.stack)};
    if (!o.out || !o.placed || !o.stack) return;
    for (size_t i = 0; i < edit->count; i++) {
        const int32_t at = edit->order && i < edit->originals ? edit->order[i] : (int32_t)i;
        const bool by_hand = edit->entries[at].placed_by_hand && edit->entries[at].next_before != at;
        if (!o.placed[at] && !by_hand) place(&o, at);
    }
    memcpy(g->nodes, o.out, edit->count * sizeof *o.out);
}

/* ---- finishing: inputs ---- */

/* Without the removed; position[i]: where node i is now, NONE when it is gone. Names follow. */
static int32_t *renumber(cnnfi_edit *edit)
{
    cnnf_graph *g = edit->b->graph;
    int32_t *position = cnnfi_edit_array(edit, edit->count, sizeof *position);
    size_t kept = 0;
    for (size_t i = 0; position && i < g->n_nodes; i++) {
        cnnf_node *node = g->nodes[i];
        position[node->index] = node->removed ? NONE : (int32_t)kept;
        if (!node->removed) g->nodes[kept++] = node;
    }
    if (!position) return NULL;
    g->n_nodes = kept;
    cnnfi_strmap_renumber(&g->names, position);
    edit->b->moved = false;
    return position;
}

static const char *written(cnnfi_edit *edit, const char *name, int32_t port)
{
    if (port > 0) return cnnfi_builder_printf(edit->b, "%s:%d", name, (int)port);
    return port ? cnnfi_builder_printf(edit->b, "^%s", name) : name;
}

static void write_inputs(cnnfi_edit *edit, cnnf_node *node, struct cnnfi_edit_entry *e, const int32_t *position)
{
    const cnnf_graph *g = edit->b->graph;
    for (size_t k = 0; k < node->n_inputs; k++) {
        const int32_t at = position[e->edges[k].node];
        if (at == NONE) {
            cnnfi_builder_fail_at(edit->b, CNNF_E_CORRUPT, node->name,
                                  "node '%s': input %zu names no node: it was removed", node->name, k);
            return;
        }
        if (!node->inputs[k]) node->inputs[k] = written(edit, g->nodes[at]->name, e->edges[k].port);
        e->edges[k].node = at;
    }
}

cnnfi_builder *cnnfi_edit_finish(cnnfi_edit *edit)
{
    cnnfi_builder *b = edit->b;
    put_in_order(edit);
    const int32_t *position = renumber(edit);
    for (size_t i = 0; position && i < b->graph->n_nodes && !b->status; i++) {
        cnnf_node *node = b->graph->nodes[i];
        write_inputs(edit, node, entry_of(edit, node), position);
    }
    for (size_t i = 0; i < b->graph->n_nodes; i++)
        b->graph->nodes[i]->index = (int32_t)i;
    drop_tables(edit);
    *edit = (cnnfi_edit){0};
    return b;
}

/* ---- looking ---- */

void cnnfi_edit_set_protected(cnnfi_edit *edit, const cnnf_node *node, bool protection)
{
    entry_of(edit, node)->protected = protection;
}

bool cnnfi_edit_is_protected(const cnnfi_edit *edit, const cnnf_node *node)
{
    return entry_of(edit, node)->protected;
}

cnnf_node *cnnfi_edit_node(const cnnfi_edit *edit, int32_t index)
{
    return index >= 0 && !edit->b->graph->nodes[index]->removed ? edit->b->graph->nodes[index] : NULL;
}

cnnf_node *cnnfi_edit_find(const cnnfi_edit *edit, const char *name, size_t length)
{
    const int64_t at = cnnfi_strmap_get_n(&edit->b->graph->names, name, length);
    return at >= 0 && (uint64_t)at < edit->count ? cnnfi_edit_node(edit, (int32_t)at) : NULL;
}

cnnfi_edge cnnfi_edit_input(const cnnf_node *node, size_t input)
{
    return input < node->n_inputs ? node->edges[input] : (cnnfi_edge){.node = NONE};
}

cnnf_node *cnnfi_edit_producer(const cnnfi_edit *edit, const cnnf_node *node, size_t input, int32_t *port)
{
    const cnnfi_edge end = cnnfi_edit_input(node, input);
    if (port) *port = end.port;
    return cnnfi_edit_node(edit, end.node);
}

cnnfi_use *cnnfi_edit_uses(const cnnfi_edit *edit, const cnnf_node *node)
{
    return entry_of(edit, node)->first;
}

cnnfi_use *cnnfi_edit_last_use(const cnnfi_edit *edit, const cnnf_node *node)
{
    return entry_of(edit, node)->last;
}

size_t cnnfi_edit_user_count(const cnnfi_edit *edit, const cnnf_node *node, int32_t port)
{
    const struct cnnfi_edit_entry *e = entry_of(edit, node);
    if (port == CNNFI_PORT_ANY) return e->n_users;
    if (port == CNNFI_PORT_DATA) return e->n_users - e->n_controls;
    if (port == CNNFI_PORT_CONTROL) return e->n_controls;
    if (port == 0) return e->n_of_output_0;
    size_t rest = e->n_users - e->n_controls - e->n_of_output_0, count = 0;
    for (const cnnfi_use *use = e->first; rest && use; use = use->next) {
        rest -= use->port > 0;
        count += use->port == port;
    }
    return count;
}

const cnnfi_use *cnnfi_edit_only_reader(const cnnfi_edit *edit, const cnnf_node *node)
{
    const struct cnnfi_edit_entry *e = entry_of(edit, node);
    if (e->n_users - e->n_controls - e->n_lookers != 1) return NULL;
    const cnnfi_use *use = e->first;
    while (use && (use->port == CNNFI_PORT_CONTROL || entry_of(edit, use->user)->looker))
        use = use->next;
    return use;
}

/* ---- changing nodes ---- */

static const char *unique_name(cnnfi_edit *edit, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static const char *unique_name(cnnfi_edit *edit, const char *format, va_list args)
{
    if (edit->b->status) return NULL;
    va_list again;
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *base = length < 0 ? NULL : cnnfi_edit_array(edit, (size_t)length + 1, 1);
    if (!base) return NULL;
    vsnprintf(base, (size_t)length + 1, format, args);
    return cnnfi_builder_unique(edit->b, base);
}

const char *cnnfi_edit_unique(cnnfi_edit *edit, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *name = unique_name(edit, format, args);
    va_end(args);
    return name;
}

cnnf_node *cnnfi_edit_add(cnnfi_edit *edit, const char *op, const char *name)
{
    cnnf_node *node = cnnfi_builder_add(edit->b, op, name);
    return node && add_entry(edit, node) ? node : NULL;
}

cnnf_node *cnnfi_edit_copy(cnnfi_edit *edit, const cnnf_node *node, const char *name)
{
    cnnf_node *copy = name ? cnnfi_builder_copy_node(edit->b, node, name) : NULL;
    cnnfi_node_clear_inputs(copy);
    return copy && add_entry(edit, copy) ? copy : NULL;
}

cnnf_node *cnnfi_edit_const(cnnfi_edit *edit, const cnnf_tensor *value, const char *format, ...)
{
    if (!value) return NULL;
    va_list args;
    va_start(args, format);
    const char *name = unique_name(edit, format, args);
    va_end(args);
    cnnf_node *node = name ? cnnfi_builder_const(edit->b, name, value) : NULL;
    return node && add_entry(edit, node) ? node : NULL;
}

void cnnfi_edit_place_before(cnnfi_edit *edit, cnnf_node *node, const cnnf_node *other)
{
    if (!node || entry_of(edit, node)->placed_by_hand) return;
    struct cnnfi_edit_entry *e = entry_of(edit, node);
    e->placed_by_hand = true;
    if (!other) {
        e->next_before = node->index; /* before itself: at its own turn */
        return;
    }
    struct cnnfi_edit_entry *o = entry_of(edit, other);
    *(o->last_before == NONE ? &o->first_before : &edit->entries[o->last_before].next_before) = node->index;
    o->last_before = node->index;
}

void cnnfi_edit_set_order(cnnfi_edit *edit, const int32_t *order)
{
    edit->order = order;
}

void cnnfi_edit_set_op(cnnfi_edit *edit, cnnf_node *node, const char *op)
{
    if (!node) return;
    struct cnnfi_edit_entry *e = entry_of(edit, node);
    for (size_t k = 0; k < node->n_inputs; k++)
        count_use(edit, e->edges[k].node, e->uses[k], (size_t)-1);
    cnnfi_node_set_op(edit->b, node, op);
    e->looker = cnnfi_op_is_shape_only(node->op);
    for (size_t k = 0; k < node->n_inputs; k++)
        count_use(edit, e->edges[k].node, e->uses[k], 1);
    cnnfi_edit_touch(edit, node);
}

void cnnfi_edit_truncate_inputs(cnnfi_edit *edit, cnnf_node *node, size_t count)
{
    while (node && node->n_inputs > count)
        cnnfi_edit_remove_input(edit, node, node->n_inputs - 1);
}

void cnnfi_edit_reset(cnnfi_edit *edit, cnnf_node *node, const char *op)
{
    if (!node) return;
    cnnfi_edit_truncate_inputs(edit, node, 0);
    node->n_attrs = 0;
    node->extra = (cnnfi_bytes){0};
    cnnfi_edit_set_op(edit, node, op);
}

void cnnfi_edit_rename(cnnfi_edit *edit, cnnf_node *node, const char *name)
{
    if (!node || !cnnfi_builder_rename(edit->b, node, name)) return;
    for (cnnfi_use *use = entry_of(edit, node)->first; use; use = use->next)
        use->user->inputs[use->input] = NULL;
}

void cnnfi_edit_remove(cnnfi_edit *edit, cnnf_node *node)
{
    if (!node || node->removed) return;
    cnnfi_edit_truncate_inputs(edit, node, 0);
    cnnfi_builder_remove(edit->b, node);
    cnnfi_edit_touch(edit, node);
}

/* ---- changing inputs ---- */

static bool grow_inputs(cnnfi_edit *edit, cnnf_node *node)
{
    struct cnnfi_edit_entry *e = entry_of(edit, node);
    if (node->n_inputs < e->capacity) return true;
    const size_t capacity = e->capacity ? e->capacity * 2 : 4, n = node->n_inputs;
    cnnfi_edge *edges = cnnfi_builder_array(edit->b, capacity, sizeof *edges);
    const char **inputs = cnnfi_builder_array(edit->b, capacity, sizeof *inputs);
    cnnfi_use **uses = cnnfi_edit_array(edit, capacity, sizeof *uses);
    if (!edges || !inputs || !uses) return false;
    if (n) {
        memcpy(edges, e->edges, n * sizeof *edges);
        memcpy(inputs, node->inputs, n * sizeof *inputs);
        memcpy(uses, e->uses, n * sizeof *uses);
    }
    node->edges = e->edges = edges;
    node->inputs = inputs;
    node->input_capacity = e->capacity = capacity;
    e->uses = uses;
    return true;
}

static cnnfi_use *new_use(cnnfi_edit *edit)
{
    cnnfi_use *use = edit->spare;
    if (!use) return cnnfi_edit_array(edit, 1, sizeof *use);
    edit->spare = use->next;
    return use;
}

/* Moves inputs [from, n_inputs) by one place, up or down. */
static void shift_inputs(cnnfi_edit *edit, cnnf_node *node, size_t from, int by)
{
    const struct cnnfi_edit_entry *e = entry_of(edit, node);
    const size_t count = node->n_inputs - from, to = by > 0 ? from + 1 : from - 1;
    memmove(e->edges + to, e->edges + from, count * sizeof *e->edges);
    memmove(node->inputs + to, node->inputs + from, count * sizeof *node->inputs);
    memmove(e->uses + to, e->uses + from, count * sizeof *e->uses);
    for (size_t k = to; k < to + count; k++)
        e->uses[k]->input = k;
}

static void insert_input(cnnfi_edit *edit, cnnf_node *node, size_t at, cnnfi_edge end)
{
    cnnfi_use *use = grow_inputs(edit, node) ? new_use(edit) : NULL;
    if (!use) return;
    const struct cnnfi_edit_entry *e = entry_of(edit, node);
    shift_inputs(edit, node, at, 1);
    node->n_inputs++;
    node->inputs[at] = NULL;
    e->edges[at] = end;
    e->uses[at] = use;
    *use = (cnnfi_use){.user = node, .input = at};
    link_use(edit, use);
    cnnfi_edit_touch(edit, node);
}

/* Where the control inputs begin. */
static size_t first_control(const cnnf_node *node)
{
    size_t at = node->n_inputs;
    while (at && node->edges[at - 1].port == CNNFI_PORT_CONTROL)
        at--;
    return at;
}

void cnnfi_edit_add_input(cnnfi_edit *edit, cnnf_node *node, cnnfi_edge end)
{
    if (!node || end.node < 0) return;
    insert_input(edit, node, end.port == CNNFI_PORT_CONTROL ? node->n_inputs : first_control(node), end);
}

/* Looks through the shorter list: the node's control inputs, or who waits for `from`. */
static bool waits_for(const cnnfi_edit *edit, const cnnf_node *node, const cnnf_node *from)
{
    const size_t first = first_control(node);
    if (node->n_inputs - first <= entry_of(edit, from)->n_users) {
        for (size_t k = first; k < node->n_inputs; k++) {
            if (node->edges[k].node == from->index) return true;
        }
        return false;
    }
    const cnnfi_use *use = entry_of(edit, from)->first;
    while (use && (use->user != node || use->port != CNNFI_PORT_CONTROL))
        use = use->next;
    return use != NULL;
}

void cnnfi_edit_add_control(cnnfi_edit *edit, cnnf_node *node, const cnnf_node *from)
{
    if (!node || !from || waits_for(edit, node, from)) return;
    cnnfi_edit_add_input(edit, node, cnnfi_end(from, CNNFI_PORT_CONTROL));
}

void cnnfi_edit_set_input(cnnfi_edit *edit, cnnf_node *node, size_t input, cnnfi_edge end)
{
    if (!node || end.node < 0 || input >= node->n_inputs) return;
    const struct cnnfi_edit_entry *e = entry_of(edit, node);
    suspect(edit, e->edges[input].node);
    unlink_use(edit, e->uses[input]);
    e->edges[input] = end;
    node->inputs[input] = NULL;
    link_use(edit, e->uses[input]);
    cnnfi_edit_touch(edit, node);
}

void cnnfi_edit_remove_input(cnnfi_edit *edit, cnnf_node *node, size_t input)
{
    if (!node || input >= node->n_inputs) return;
    const struct cnnfi_edit_entry *e = entry_of(edit, node);
    cnnfi_use *use = e->uses[input];
    suspect(edit, e->edges[input].node);
    unlink_use(edit, use);
    use->next = edit->spare;
    edit->spare = use;
    shift_inputs(edit, node, input + 1, -1);
    node->n_inputs--;
    cnnfi_edit_touch(edit, node);
}

void cnnfi_edit_redirect(cnnfi_edit *edit, const cnnf_node *from, int32_t port, cnnfi_edge to, const cnnf_node *but)
{
    if (!from || to.node < 0) return;
    /* A use of `to` itself goes to the end of the same list: the last one of now is the last one looked at. */
    const cnnfi_use *last = entry_of(edit, from)->last;
    for (cnnfi_use *use = entry_of(edit, from)->first, *next; use; use = next) {
        next = use == last ? NULL : use->next;
        if (use->port == port && use->user != but) cnnfi_edit_set_input(edit, use->user, use->input, to);
    }
}

void cnnfi_edit_stop_waiting(cnnfi_edit *edit, const cnnf_node *node)
{
    for (cnnfi_use *use = cnnfi_edit_uses(edit, node), *next; use; use = next) {
        next = use->next;
        if (use->port == CNNFI_PORT_CONTROL) cnnfi_edit_remove_input(edit, use->user, use->input);
    }
}

static cnnf_dtype output_type(const cnnf_node *node)
{
    const cnnf_dtype type = cnnfi_node_type(node, "T");
    return type ? type : cnnfi_node_type(node, "dtype");
}

void cnnfi_edit_bypass(cnnfi_edit *edit, cnnf_node *node, cnnfi_edge to)
{
    if (!node || to.node < 0) return;
    const bool stays = cnnfi_edit_is_protected(edit, node);
    const cnnf_dtype type = output_type(node);
    if (stays) {
        cnnfi_edit_reset(edit, node, "Identity");
        cnnfi_edit_add_input(edit, node, to);
        if (type) cnnfi_node_set_type(edit->b, node, "T", type);
    }
    cnnfi_edit_redirect(edit, node, 0, to, NULL);
    cnnfi_edit_redirect(edit, node, CNNFI_PORT_CONTROL, (cnnfi_edge){to.node, CNNFI_PORT_CONTROL}, NULL);
    if (!stays) cnnfi_edit_remove(edit, node);
}

/* ---- what nodes need ---- */

bool *cnnfi_edit_reach(cnnfi_edit *edit, const int32_t *roots, size_t n_roots)
{
    bool *needed = cnnfi_edit_array(edit, edit->count, sizeof *needed);
    int32_t *stack = cnnfi_edit_array(edit, edit->count, sizeof *stack);
    size_t top = 0;
    if (!needed || !stack) return NULL;
    for (size_t i = 0; i < n_roots; i++) {
        if (!needed[roots[i]]) stack[top++] = roots[i];
        needed[roots[i]] = true;
    }
    while (top) {
        const cnnf_node *node = edit->b->graph->nodes[stack[--top]];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const int32_t from = node->edges[k].node;
            if (needed[from]) continue;
            needed[from] = true;
            stack[top++] = from;
        }
    }
    return needed;
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

bool cnnfi_op_is_switch(const char *op)
{
    return strcmp(op, "Switch") == 0 || strcmp(op, "RefSwitch") == 0;
}
