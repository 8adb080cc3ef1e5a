/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/splice.h"

#include <string.h>

#include "base/context.h"
#include "graph/order.h"
#include "graph/builder.h"

/* ---- planning ---- */

cnnf_status cnnfi_splice_plan_init(cnnfi_splice_plan *plan, cnnfi_pass_run *run, const cnnf_graph *in)
{
    *plan = (cnnfi_splice_plan){.graph = in};
    plan->actions = cnnfi_calloc(in->context, in->n_nodes, sizeof *plan->actions);
    plan->protection = cnnfi_run_protection(run, in);
    cnnf_status status = plan->actions && plan->protection ? CNNF_OK : cnnfi_fail_nomem(run->error);
    if (!status) status = cnnfi_consumers_init(&plan->consumers, in, run->error);
    if (status) cnnfi_splice_plan_free(plan);
    return status;
}

void cnnfi_splice_plan_free(cnnfi_splice_plan *plan)
{
    cnnfi_free(plan->graph->context, plan->actions);
    cnnfi_free(plan->graph->context, plan->protection);
    if (plan->consumers.context) cnnfi_consumers_free(&plan->consumers);
    *plan = (cnnfi_splice_plan){.graph = plan->graph};
}

static bool is_switch(const cnnf_node *node)
{
    return strcmp(node->op, "Switch") == 0 || strcmp(node->op, "RefSwitch") == 0 || strcmp(node->op, "_SwitchN") == 0;
}

/* Why a node must stay; NULL when it may go. */
static const char *obstacle(const cnnfi_splice_plan *plan, const cnnf_node *node, cnnfi_splice_action action)
{
    const size_t n_data = cnnfi_node_data_inputs(node);
    const bool many = strcmp(node->op, "IdentityN") == 0;
    const cnnfi_consumers *c = &plan->consumers;
    for (size_t i = c->start[node->index]; i < c->start[node->index + 1]; i++) {
        const int32_t port = plan->graph->nodes[c->node[i]]->edges[c->input[i]].port;
        if (port == CNNFI_PORT_CONTROL) {
            /* A dead tensor of a Switch kills what waits for its Identity, but not what waits for the Switch. */
            const bool branch = n_data && is_switch(plan->graph->nodes[node->edges[0].node]);
            if (branch && action == CNNFI_SPLICE_THROUGH) return "it says whether a branch runs";
            continue;
        }
        if (action == CNNFI_SPLICE_DROP) return "its output is used";
        if (port >= (many ? (int32_t)n_data : n_data ? 1 : 0)) return "an output is used that no input gives";
    }
    return NULL;
}

bool cnnfi_splice_plan_node(cnnfi_splice_plan *plan, cnnfi_pass_run *run, const cnnf_node *node,
                            cnnfi_splice_action action)
{
    const char *why = plan->protection[node->index] ? "it is an input or output" : obstacle(plan, node, action);
    if (why) cnnfi_run_note(run, node->name, "%s kept: %s", node->op, why);
    if (!why) plan->actions[node->index] = (uint8_t)action;
    return !why;
}

/* ---- rewiring ---- */

typedef struct rewiring {
    const cnnfi_splice_plan *plan;
    cnnfi_builder *b;
    int32_t *stack; /* sources of control edges still to be followed */
    size_t depth;
    int32_t *seen; /* per node: the reader that has it already, + 1 */
    cnnf_node *reader;
    int32_t reader_index;
} rewiring;

static void push(rewiring *r, int32_t node)
{
    if (r->seen[node] == r->reader_index + 1) return;
    r->seen[node] = r->reader_index + 1;
    r->stack[r->depth++] = node;
}

/* The node and port that an edge comes from in the end; what is waited for on the way is pushed. */
static cnnfi_edge follow(rewiring *r, cnnfi_edge edge)
{
    const cnnf_graph *g = r->plan->graph;
    for (size_t steps = 0; r->plan->actions[edge.node] == CNNFI_SPLICE_THROUGH && steps < g->n_nodes; steps++) {
        const cnnf_node *node = g->nodes[edge.node];
        const size_t n_data = cnnfi_node_data_inputs(node);
        for (size_t k = n_data; k < node->n_inputs; k++)
            push(r, node->edges[k].node);
        edge = node->edges[edge.port];
    }
    return edge;
}

static const char *input_text(cnnfi_builder *b, const cnnf_graph *g, cnnfi_edge edge)
{
    const char *name = g->nodes[edge.node]->name;
    return edge.port ? cnnfi_builder_printf(b, "%s:%d", name, (int)edge.port) : name;
}

/* A constant that waits for nothing is there from the start. */
static bool is_always_there(const cnnf_node *node)
{
    return strcmp(node->op, "Const") == 0 && node->n_inputs == 0;
}

static void add_controls(rewiring *r)
{
    const cnnf_graph *g = r->plan->graph;
    while (r->depth) {
        const cnnf_node *source = g->nodes[r->stack[--r->depth]];
        const uint8_t action = r->plan->actions[source->index];
        for (size_t k = 0; action == CNNFI_SPLICE_THROUGH && k < source->n_inputs; k++) {
            push(r, source->edges[k].node);
        }
        if (action != CNNFI_SPLICE_KEEP || source->index == r->reader_index || is_always_there(source)) continue;
        cnnfi_node_add_control(r->b, r->reader, source->name);
    }
}

static bool touches_removed(const cnnfi_splice_plan *plan, const cnnf_node *node)
{
    for (size_t k = 0; k < node->n_inputs; k++) {
        if (plan->actions[node->edges[k].node] != CNNFI_SPLICE_KEEP) return true;
    }
    return false;
}

static void rewire(rewiring *r, const cnnf_node *node)
{
    const cnnf_graph *g = r->plan->graph;
    const size_t n_data = cnnfi_node_data_inputs(node);
    r->reader = cnnfi_builder_node(r->b, (size_t)node->index);
    r->reader_index = node->index;
    for (size_t k = 0; k < n_data; k++) {
        const cnnfi_edge edge = follow(r, node->edges[k]);
        if (edge.node == node->edges[k].node) continue;
        cnnfi_node_set_input(r->b, r->reader, k, input_text(r->b, g, edge));
    }
    r->reader->n_inputs = n_data;
    for (size_t k = n_data; k < node->n_inputs; k++) {
        const int32_t source = node->edges[k].node;
        if (r->plan->actions[source] == CNNFI_SPLICE_KEEP) {
            cnnfi_node_add_control(r->b, r->reader, g->nodes[source]->name);
        } else {
            push(r, source);
        }
    }
    add_controls(r);
}

static int64_t edit(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    rewiring r = {.plan = user, .b = b};
    r.stack = cnnfi_builder_array(b, in->n_nodes, sizeof *r.stack);
    r.seen = cnnfi_builder_array(b, in->n_nodes, sizeof *r.seen);
    int64_t removed = 0;
    for (size_t i = 0; !b->status && i < in->n_nodes; i++) {
        const bool stays = r.plan->actions[i] == CNNFI_SPLICE_KEEP;
        if (stays && touches_removed(r.plan, in->nodes[i])) rewire(&r, in->nodes[i]);
    }
    for (size_t i = 0; !b->status && i < in->n_nodes; i++) {
        if (r.plan->actions[i] == CNNFI_SPLICE_KEEP) continue;
        cnnfi_builder_remove(b, cnnfi_builder_node(b, i));
        removed++;
    }
    cnnfi_run_count(run, "removed", removed);
    return removed;
}

cnnf_status cnnfi_splice_run(cnnfi_splice_plan *plan, cnnfi_pass_run *run, cnnf_graph **out)
{
    return cnnfi_pass_edit(run, plan->graph, out, edit, plan);
}
