/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes do the fetches need, with the feeds standing for what they name; and in which order. */
#include "evaluator/plan/plan_prune.h"

#include <string.h>

#include "graph/order.h"
#include "graph/resolve.h"

/* "node", "node:1" */
static cnnf_status resolve(cnnfi_compiler *c, const char *text, const char *what, cnnfi_endpoint *out)
{
    const char *name = NULL;
    size_t length = 0;
    if (!text) return cnnfi_fail(c->error, CNNF_E_INVALID, "a %s has no name", what);
    int32_t port = cnnfi_input_parse(text, &name, &length);
    if (port < 0) return cnnfi_fail(c->error, CNNF_E_INVALID, "%s '%s' is a control input", what, text);
    int64_t index = cnnfi_strmap_get_n(&c->graph->names, name, length);
    if (index < 0) {
        const cnnf_node *node = NULL;
        cnnf_status status = cnnfi_resolve_node(&node, c->graph, text, c->error);
        if (status != CNNF_OK) return cnnfi_error_prefix(c->error, status, "%s", what);
        index = node->index;
    }
    *out = (cnnfi_endpoint){(int32_t)index, port};
    return CNNF_OK;
}

static cnnf_status resolve_all(cnnfi_compiler *c)
{
    const cnnfi_plan_request *r = c->request;
    for (size_t i = 0; i < r->n_feeds; i++) {
        if (r->feed_points)
            c->feeds[i] = r->feed_points[i];
        else
            CNNFI_TRY(resolve(c, r->feed_names[i], "feed", &c->feeds[i]));
        if (cnnfi_compiler_fed(c, c->feeds[i].node, c->feeds[i].port) >= 0)
            return cnnfi_fail(c->error, CNNF_E_INVALID, "'%s' is fed twice",
                              r->feed_points ? c->graph->nodes[c->feeds[i].node]->name : r->feed_names[i]);
        c->next_feed[i] = c->feed_of[c->feeds[i].node];
        c->feed_of[c->feeds[i].node] = (int32_t)i;
    }
    for (size_t i = 0; i < r->n_fetches; i++) {
        if (r->fetch_points)
            c->fetches[i] = r->fetch_points[i];
        else
            CNNFI_TRY(resolve(c, r->fetch_names[i], "fetch", &c->fetches[i]));
    }
    return CNNF_OK;
}

int32_t cnnfi_compiler_fed(const cnnfi_compiler *c, int32_t node, int32_t port)
{
    int32_t feed = c->feed_of[node];
    while (feed >= 0 && c->feeds[feed].port != port)
        feed = c->next_feed[feed];
    return feed;
}

static bool node_is_fed(const cnnfi_compiler *c, int32_t node)
{
    return c->feed_of[node] >= 0;
}

/* Depth first without recursion. */
typedef struct walk {
    int32_t *stack;  /* nodes open */
    size_t *cursor;  /* by depth: next input to look at */
    uint8_t *colour; /* by node: 0 new, 1 open, 2 done */
    size_t depth;
} walk;

static cnnf_status need(cnnfi_compiler *c, walk *w, cnnfi_edge edge, const char *by)
{
    if (edge.node < 0) return cnnfi_fail(c->error, CNNF_E_CORRUPT, "node '%s': an input names no node", by);
    if (edge.port == CNNFI_PORT_CONTROL) {
        if (node_is_fed(c, edge.node)) return CNNF_OK;
        if (c->max_port[edge.node] < 0) c->max_port[edge.node] = 0;
    } else {
        if (cnnfi_compiler_fed(c, edge.node, edge.port) >= 0) return CNNF_OK;
        CNNFI_TRY(
            cnnfi_check_limit(c->context, CNNF_LIMIT_NODE_INPUTS, (uint64_t)edge.port, "an output's number", c->error));
        if (c->max_port[edge.node] < edge.port) c->max_port[edge.node] = edge.port;
    }
    if (w->colour[edge.node] == 2) return CNNF_OK;
    if (w->colour[edge.node] == 1) {
        return cnnfi_fail(c->error, CNNF_E_UNSUPPORTED,
                          "node '%s' lies inside a loop: only what leaves a loop can be fetched",
                          c->graph->nodes[edge.node]->name);
    }
    w->colour[edge.node] = 1;
    w->stack[w->depth] = edge.node;
    w->cursor[w->depth++] = 0;
    return CNNF_OK;
}

/* The next node that this one needs: what leaves a loop needs all that enters it. false: there is none. */
static bool next_need(const cnnfi_compiler *c, const cnnf_node *node, size_t *cursor, cnnfi_edge *out)
{
    if (!c->frames || !cnnfi_op_exits(node->op)) {
        if (*cursor >= node->n_inputs) return false;
        *out = node->edges[(*cursor)++];
        return true;
    }
    const cnnfi_frame *frame = &c->frames->frames[c->frames->of[node->index]];
    while (*cursor < (size_t)frame->n_enters && !c->keep[frame->enters[*cursor]])
        (*cursor)++;
    if (*cursor >= (size_t)frame->n_enters) return false;
    *out = (cnnfi_edge){frame->enters[(*cursor)++], 0};
    return true;
}

static cnnf_status walk_from(cnnfi_compiler *c, walk *w, cnnfi_endpoint root)
{
    CNNFI_TRY(need(c, w, (cnnfi_edge){root.node, root.port}, "fetch"));
    while (w->depth > 0) {
        int32_t index = w->stack[w->depth - 1];
        const cnnf_node *node = c->graph->nodes[index];
        size_t *cursor = &w->cursor[w->depth - 1];
        cnnfi_edge edge;
        if (next_need(c, node, cursor, &edge)) {
            CNNFI_TRY(need(c, w, edge, node->name));
            continue;
        }
        w->colour[index] = 2;
        c->order[c->n_order++] = index;
        w->depth--;
    }
    return CNNF_OK;
}

cnnf_status cnnfi_compiler_refuse(cnnfi_compiler *c, const cnnf_node *node)
{
    return cnnfi_fail_at_node(c->error, CNNF_E_UNSUPPORTED, node->name,
                              "node '%s': op %s is outside the evaluator's table", node->name, node->op);
}

/* Unknown ops are refused before anything else; behind a Switch they may be dead, which compiling will tell. */
static cnnf_status check_ops(cnnfi_compiler *c)
{
    const cnnf_node *unknown = NULL;
    for (int32_t i = 0; i < c->n_order; i++) {
        const cnnf_node *node = c->graph->nodes[c->order[i]];
        if (strcmp(node->op, "Switch") == 0 || strcmp(node->op, "RefSwitch") == 0) return CNNF_OK;
        if (unknown || cnnfi_kernel_find(node->op)) continue;
        if (!cnnfi_callees_has(c->request->callees, node->op)) unknown = node;
    }
    return unknown ? cnnfi_compiler_refuse(c, unknown) : CNNF_OK;
}

/* Where loops of TensorFlow 1 lie, and what the outermost fetches need of them. */
static cnnf_status find_loops(cnnfi_compiler *c)
{
    const cnnfi_plan_request *r = c->request;
    c->frames = r->frames;
    c->keep = r->keep;
    if (c->frames) return CNNF_OK;
    CNNFI_TRY(cnnfi_frames_find(&c->own_frames, c->graph, &c->memory, c->error));
    c->frames = c->own_frames;
    if (!c->frames) return CNNF_OK;
    bool *keep = cnnfi_arena_array(&c->memory, c->graph->n_nodes, sizeof *keep);
    int32_t *roots = cnnfi_arena_array(&c->memory, r->n_fetches + 1, sizeof *roots);
    if (!keep || !roots) return cnnfi_fail_nomem(c->error);
    for (size_t i = 0; i < r->n_fetches; i++)
        roots[i] = c->fetches[i].node;
    c->keep = keep;
    return cnnfi_reach(keep, c->graph, roots, r->n_fetches, false, c->error);
}

cnnf_status cnnfi_compiler_prune(cnnfi_compiler *c)
{
    size_t n = c->graph->n_nodes + 1;
    walk w = {cnnfi_arena_array(&c->memory, n, sizeof(int32_t)), cnnfi_arena_array(&c->memory, n, sizeof(size_t)),
              cnnfi_arena_array(&c->memory, n, 1), 0};
    if (!w.stack || !w.cursor || !w.colour) return cnnfi_fail_nomem(c->error);
    CNNFI_TRY(resolve_all(c));
    CNNFI_TRY(find_loops(c));
    for (size_t i = 0; i < c->request->n_fetches; i++) {
        if (c->fetches[i].port >= 0 && cnnfi_compiler_fed(c, c->fetches[i].node, c->fetches[i].port) >= 0) continue;
        CNNFI_TRY(walk_from(c, &w, c->fetches[i]));
    }
    return check_ops(c);
}
