/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/walk.h"

#include <string.h>

#define COME (-1)

void cnnfi_walk_init(cnnfi_walk *walk, cnnfi_edit *edit)
{
    *walk = (cnnfi_walk){.edit = edit};
}

/* ---- the heap ---- */

static void push(cnnfi_walk *walk, int32_t node)
{
    int32_t *heap = walk->ready;
    size_t at = walk->n_ready++;
    for (; at && heap[(at - 1) / 2] > node; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = node;
}

static int32_t pop(cnnfi_walk *walk)
{
    int32_t *heap = walk->ready;
    const int32_t top = heap[0], last = heap[--walk->n_ready];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < walk->n_ready; at = child) {
        if (child + 1 < walk->n_ready && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}

/* ---- counting ---- */

static bool closes_loop(const cnnf_node *node)
{
    return strcmp(node->op, "NextIteration") == 0 || strcmp(node->op, "RefNextIteration") == 0;
}

/* Counts the edges that are missing; ready when there are none. */
static bool is_ready(cnnfi_walk *walk, const cnnf_node *node)
{
    int32_t missing = 0;
    for (size_t k = 0; k < node->n_inputs; k++) {
        const cnnf_node *from = cnnfi_edit_producer(walk->edit, node, k, NULL);
        missing += from && walk->missing[from->index] != COME && !closes_loop(from);
    }
    walk->missing[node->index] = missing;
    return !missing;
}

static bool make_room(cnnfi_walk *walk)
{
    cnnfi_edit *edit = walk->edit;
    if (edit->count <= walk->size) return true;
    const size_t size = edit->count > 2 * walk->size ? edit->count : 2 * walk->size;
    int32_t *missing = cnnfi_edit_array(edit, size, sizeof *missing);
    int32_t *ready = cnnfi_edit_array(edit, size, sizeof *ready);
    if (!missing || !ready) return false;
    if (walk->known) memcpy(missing, walk->missing, walk->known * sizeof *missing);
    if (walk->n_ready) memcpy(ready, walk->ready, walk->n_ready * sizeof *ready);
    walk->missing = missing;
    walk->ready = ready;
    walk->size = size;
    return true;
}

/* Those added since the last node. All of them are unknown before one is counted: they read each other. */
static void count_new(cnnfi_walk *walk)
{
    const size_t first = walk->known;
    walk->known = walk->edit->count;
    for (size_t i = first; i < walk->known; i++)
        walk->missing[i] = 0;
    for (size_t i = first; i < walk->known; i++) {
        if (is_ready(walk, walk->edit->b->graph->nodes[i])) push(walk, (int32_t)i);
    }
}

/* Told before the caller changes anything: who reads the node misses one edge less. */
static void tell_users(cnnfi_walk *walk, const cnnf_node *node)
{
    walk->missing[node->index] = COME;
    for (const cnnfi_use *use = closes_loop(node) ? NULL : cnnfi_edit_uses(walk->edit, node); use; use = use->next) {
        const int32_t user = use->user->index;
        if (walk->missing[user] > 0 && --walk->missing[user] == 0) push(walk, user);
    }
}

cnnf_node *cnnfi_walk_next(cnnfi_walk *walk)
{
    if (walk->edit->b->status || !make_room(walk)) return NULL;
    count_new(walk);
    while (walk->n_ready) {
        cnnf_node *node = walk->edit->b->graph->nodes[pop(walk)];
        /* An edit since may have given it an input that has not come. */
        if (!is_ready(walk, node)) continue;
        tell_users(walk, node);
        if (!node->removed) return node;
    }
    return NULL;
}
