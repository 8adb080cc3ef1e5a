/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/splice.h"

#include <string.h>

/* ---- planning ---- */

void cnnfi_splice_init(cnnfi_splice *splice, cnnfi_edit *edit)
{
    *splice = (cnnfi_splice){.edit = edit, .actions = cnnfi_edit_array(edit, edit->count, sizeof *splice->actions)};
}

static bool is_switch(const cnnf_node *node)
{
    return strcmp(node->op, "Switch") == 0 || strcmp(node->op, "RefSwitch") == 0 || strcmp(node->op, "_SwitchN") == 0;
}

/* Why a node must stay; NULL when it may go. */
static const char *obstacle(const cnnfi_splice *splice, const cnnf_node *node, cnnfi_splice_action action)
{
    const cnnfi_edit *edit = splice->edit;
    const size_t n_data = cnnfi_node_data_inputs(node);
    const int32_t given = (int32_t)(strcmp(node->op, "IdentityN") == 0 ? n_data : n_data > 0);
    /* A dead tensor of a Switch kills what waits for its Identity, but not what waits for the Switch. */
    const cnnf_node *first = n_data ? cnnfi_edit_producer(edit, node, 0, NULL) : NULL;
    const bool branch = action == CNNFI_SPLICE_THROUGH && first && is_switch(first);
    for (const cnnfi_use *use = cnnfi_edit_uses(edit, node); use; use = use->next) {
        if (use->port == CNNFI_PORT_CONTROL) {
            if (branch) return "it says whether a branch runs";
            continue;
        }
        if (action == CNNFI_SPLICE_DROP) return "its output is used";
        if (use->port >= given) return "an output is used that no input gives";
    }
    return NULL;
}

const char *cnnfi_splice_plan(cnnfi_splice *splice, const cnnf_node *node, cnnfi_splice_action action)
{
    if (cnnfi_edit_is_protected(splice->edit, node)) return "it is an input or output";
    const char *why = obstacle(splice, node, action);
    if (!why && splice->actions) splice->actions[node->index] = (uint8_t)action;
    return why;
}

/* ---- rewiring ---- */

typedef struct rewiring {
    cnnfi_edit *edit;
    const uint8_t *actions;
    int32_t *stack; /* [count] sources of control edges still to be followed */
    size_t depth;
    int32_t *seen; /* [count] per node: the reader that has it already, + 1 */
    cnnf_node *reader;
} rewiring;

static const cnnf_node *node_at(const rewiring *r, int32_t index)
{
    return r->edit->b->graph->nodes[index];
}

static void push(rewiring *r, int32_t node)
{
    if (r->seen[node] == r->reader->index + 1) return;
    r->seen[node] = r->reader->index + 1;
    r->stack[r->depth++] = node;
}

/* The node and port that an edge comes from in the end; what is waited for on the way is pushed. */
static cnnfi_edge follow(rewiring *r, cnnfi_edge edge)
{
    for (size_t steps = 0; r->actions[edge.node] == CNNFI_SPLICE_THROUGH && steps < r->edit->count; steps++) {
        const cnnf_node *node = node_at(r, edge.node);
        for (size_t k = cnnfi_node_data_inputs(node); k < node->n_inputs; k++)
            push(r, node->edges[k].node);
        edge = node->edges[edge.port];
    }
    return edge;
}

/* A constant that waits for nothing is there from the start. */
static bool is_always_there(const cnnf_node *node)
{
    return strcmp(node->op, "Const") == 0 && node->n_inputs == 0;
}

static void add_controls(rewiring *r)
{
    while (r->depth) {
        const cnnf_node *source = node_at(r, r->stack[--r->depth]);
        const uint8_t action = r->actions[source->index];
        for (size_t k = 0; action == CNNFI_SPLICE_THROUGH && k < source->n_inputs; k++)
            push(r, source->edges[k].node);
        if (action == CNNFI_SPLICE_KEEP && source != r->reader && !is_always_there(source))
            cnnfi_edit_add_control(r->edit, r->reader, source);
    }
}

static bool touches_removed(const rewiring *r, const cnnf_node *node)
{
    for (size_t k = 0; k < node->n_inputs; k++) {
        if (r->actions[node->edges[k].node] != CNNFI_SPLICE_KEEP) return true;
    }
    return false;
}

/* Control edges that stay come first, in their order; then those that spliced nodes had. */
static void rewire(rewiring *r, cnnf_node *node)
{
    const size_t n_data = cnnfi_node_data_inputs(node), n_controls = node->n_inputs - n_data;
    cnnfi_edge *controls = cnnfi_edit_array(r->edit, n_controls, sizeof *controls);
    if (!controls) return;
    if (n_controls) memcpy(controls, node->edges + n_data, n_controls * sizeof *controls);
    r->reader = node;
    for (size_t k = 0; k < n_data; k++) {
        const cnnfi_edge edge = follow(r, node->edges[k]);
        if (edge.node != node->edges[k].node) cnnfi_edit_set_input(r->edit, node, k, edge);
    }
    while (node->n_inputs > n_data)
        cnnfi_edit_remove_input(r->edit, node, node->n_inputs - 1);
    for (size_t k = 0; k < n_controls; k++) {
        const int32_t source = controls[k].node;
        if (r->actions[source] == CNNFI_SPLICE_KEEP)
            cnnfi_edit_add_control(r->edit, node, node_at(r, source));
        else
            push(r, source);
    }
    add_controls(r);
}

int64_t cnnfi_splice_run(cnnfi_splice *splice)
{
    cnnfi_edit *edit = splice->edit;
    const size_t count = edit->count;
    rewiring r = {.edit = edit,
                  .actions = splice->actions,
                  .stack = cnnfi_edit_array(edit, count, sizeof *r.stack),
                  .seen = cnnfi_edit_array(edit, count, sizeof *r.seen)};
    int64_t removed = 0;
    if (!r.actions || !r.stack || !r.seen) return 0;
    for (size_t i = 0; i < count && !edit->b->status; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (r.actions[i] == CNNFI_SPLICE_KEEP && touches_removed(&r, node)) rewire(&r, node);
    }
    for (size_t i = 0; i < count; i++) {
        if (r.actions[i] == CNNFI_SPLICE_KEEP) continue;
        cnnfi_edit_remove(edit, edit->b->graph->nodes[i]);
        removed++;
    }
    return removed;
}
