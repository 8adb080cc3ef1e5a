/* SPDX-License-Identifier: Apache-2.0 */
/* See frames.h. */
#include "evaluator/plan/frames.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/order.h"

typedef struct finder {
    const cnnf_graph *graph;
    cnnfi_frames *frames;
    cnnfi_arena *arena;
    cnnfi_strmap names; /* of frames: the newest of its name */
    cnnf_error *error;
} finder;

/* "Enter" and "RefEnter". */
static bool is_op(const char *op, const char *name)
{
    return strcmp(op, name) == 0 || (strncmp(op, "Ref", 3) == 0 && strcmp(op + 3, name) == 0);
}

bool cnnfi_op_enters(const char *op)
{
    return is_op(op, "Enter");
}

bool cnnfi_op_exits(const char *op)
{
    return is_op(op, "Exit");
}

bool cnnfi_op_merges(const char *op)
{
    return is_op(op, "Merge");
}

bool cnnfi_op_goes_on(const char *op)
{
    return is_op(op, "NextIteration");
}

static bool has_loops(const cnnf_graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (cnnfi_op_enters(graph->nodes[i]->op)) return true;
    }
    return false;
}

/* ---- which frame ---- */

/* -1 = no memory */
static int32_t add_frame(finder *f, int32_t parent, int32_t same_name)
{
    cnnfi_frames *all = f->frames;
    if (!cnnfi_grow(f->graph->context, (void **)&all->frames, &all->capacity, (size_t)all->count, sizeof(cnnfi_frame)))
        return -1;
    all->frames[all->count] = (cnnfi_frame){.parent = parent,
                                            .depth = parent < 0 ? 0 : all->frames[parent].depth + 1,
                                            .condition = -1,
                                            .same_name = same_name};
    return all->count++;
}

static int32_t enter_frame(finder *f, const cnnf_node *node, int32_t parent)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, "frame_name");
    const char *name = attr && attr->kind == CNNF_ATTR_STRING ? (const char *)attr->u.s.data : "";
    const int32_t newest = (int32_t)cnnfi_strmap_get(&f->names, name);
    for (int32_t i = newest; i >= 0; i = f->frames->frames[i].same_name) {
        if (f->frames->frames[i].parent == parent) return i;
    }
    const int32_t frame = add_frame(f, parent, newest);
    return frame >= 0 && cnnfi_strmap_set(&f->names, name, frame) ? frame : -1;
}

/* The deepest of the frames that a node's inputs come from; what a loop's last round gave is the loop's own. */
static int32_t frame_of_inputs(const finder *f, const cnnf_node *node)
{
    int32_t best = 0;
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (node->edges[i].node < 0) continue;
        const cnnf_node *from = f->graph->nodes[node->edges[i].node];
        int32_t frame = f->frames->of[from->index];
        if (cnnfi_op_goes_on(from->op) && cnnfi_op_merges(node->op)) continue;
        if (cnnfi_op_exits(from->op) && f->frames->frames[frame].parent >= 0) frame = f->frames->frames[frame].parent;
        if (f->frames->frames[frame].depth > f->frames->frames[best].depth) best = frame;
    }
    return best;
}

static cnnf_status assign(finder *f)
{
    int32_t *order = NULL;
    cnnf_status status = cnnfi_toposort(&order, f->graph, f->error);
    for (size_t i = 0; !status && i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[order[i]];
        int32_t frame = frame_of_inputs(f, node);
        if (cnnfi_op_enters(node->op)) frame = enter_frame(f, node, frame);
        if (frame < 0) status = cnnfi_fail_nomem(f->error);
        f->frames->of[node->index] = frame;
        if (!status && strcmp(node->op, "LoopCond") == 0) f->frames->frames[frame].condition = node->index;
    }
    cnnfi_free(f->graph->context, order);
    return status;
}

/* ---- who is in it ---- */

static bool feeds_itself(const cnnf_graph *graph, const cnnf_node *node)
{
    for (size_t i = 0; i < cnnfi_node_data_inputs(node); i++) {
        if (node->edges[i].node >= 0 && cnnfi_op_goes_on(graph->nodes[node->edges[i].node]->op)) return true;
    }
    return false;
}

/* Counts, or lists once the lists are there. */
static void note_members(finder *f)
{
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        cnnfi_frame *frame = &f->frames->frames[f->frames->of[i]];
        if (frame->parent < 0) continue;
        if (cnnfi_op_enters(node->op)) {
            if (frame->enters) frame->enters[frame->n_enters] = node->index;
            frame->n_enters++;
        } else if (cnnfi_op_exits(node->op)) {
            if (frame->exits) frame->exits[frame->n_exits] = node->index;
            frame->n_exits++;
        } else if (cnnfi_op_merges(node->op) && feeds_itself(f->graph, node)) {
            if (frame->merges) frame->merges[frame->n_merges] = node->index;
            frame->n_merges++;
        }
    }
}

static cnnf_status list_members(finder *f)
{
    note_members(f);
    for (int32_t i = 0; i < f->frames->count; i++) {
        cnnfi_frame *frame = &f->frames->frames[i];
        frame->enters = cnnfi_arena_array(f->arena, (size_t)frame->n_enters + 1, sizeof(int32_t));
        frame->merges = cnnfi_arena_array(f->arena, (size_t)frame->n_merges + 1, sizeof(int32_t));
        frame->exits = cnnfi_arena_array(f->arena, (size_t)frame->n_exits + 1, sizeof(int32_t));
        if (!frame->enters || !frame->merges || !frame->exits) return cnnfi_fail_nomem(f->error);
        frame->n_enters = frame->n_merges = frame->n_exits = 0;
    }
    note_members(f);
    return CNNF_OK;
}

cnnf_status cnnfi_frames_find(cnnfi_frames **out, const cnnf_graph *graph, cnnfi_arena *arena, cnnf_error *error)
{
    *out = NULL;
    if (!has_loops(graph)) return CNNF_OK;
    cnnfi_frames *frames = cnnfi_arena_array(arena, 1, sizeof *frames);
    if (!frames) return cnnfi_fail_nomem(error);
    frames->of = cnnfi_arena_array(arena, graph->n_nodes, sizeof(int32_t));
    finder f = {.graph = graph, .frames = frames, .arena = arena, .error = error};
    cnnfi_strmap_init(&f.names, graph->context);
    cnnf_status status = frames->of && add_frame(&f, -1, -1) == 0 ? CNNF_OK : cnnfi_fail_nomem(error);
    if (!status) status = assign(&f);
    if (!status) status = list_members(&f);
    cnnfi_strmap_free(&f.names);
    if (status)
        cnnfi_frames_free(frames, graph->context);
    else
        *out = frames;
    return status;
}

void cnnfi_frames_free(cnnfi_frames *frames, cnnf_context *context)
{
    if (!frames) return;
    cnnfi_free(context, frames->frames);
    frames->frames = NULL;
}
