/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/memo.h"

#include <string.h>

/* Answers that are worked out at once after an edit; those behind them are forgotten. */
#define FOLLOWED 16

static const char nothing, in_progress; /* marks in known[] */

void cnnfi_memo_init(cnnfi_memo *memo, cnnfi_edit *edit, const cnnfi_analysis *analysis, void *self)
{
    *memo = (cnnfi_memo){.edit = edit, .analysis = analysis, .self = self, .read = edit->n_log};
    edit->log_read = edit->n_log;
}

const void *cnnfi_memo_peek(const cnnfi_memo *memo, const cnnf_node *node)
{
    const void *known = (size_t)node->index < memo->size ? memo->known[node->index] : NULL;
    return known == &nothing || known == &in_progress ? NULL : known;
}

/* Room for the nodes there are now, twice what there was. */
static bool make_room(cnnfi_memo *memo)
{
    cnnfi_edit *edit = memo->edit;
    if (edit->count <= memo->size) return true;
    cnnfi_memo grown = *memo;
    grown.size = edit->count > 2 * memo->size ? edit->count : 2 * memo->size;
    grown.known = cnnfi_edit_array(edit, grown.size, sizeof *grown.known);
    grown.queued = cnnfi_edit_array(edit, grown.size, sizeof *grown.queued);
    grown.queue = cnnfi_edit_array(edit, grown.size, sizeof *grown.queue);
    grown.stack = cnnfi_edit_array(edit, grown.size, sizeof *grown.stack);
    if (!grown.known || !grown.queued || !grown.queue || !grown.stack) return false;
    if (memo->size) memcpy(grown.known, memo->known, memo->size * sizeof *grown.known);
    *memo = grown;
    return true;
}

/* ---- working out ---- */

/* The next input that has to come first; NULL. */
static const cnnf_node *next_needed(cnnfi_memo *memo, struct cnnfi_memo_visit *visit)
{
    const cnnf_node *node = memo->edit->b->graph->nodes[visit->node];
    while (visit->input < node->n_inputs) {
        const size_t k = visit->input++;
        const cnnf_node *from = cnnfi_edit_producer(memo->edit, node, k, NULL);
        if (from && !memo->known[from->index] && memo->analysis->needs(memo->self, node, k)) return from;
    }
    return NULL;
}

static void work_out(cnnfi_memo *memo, const cnnf_node *wanted)
{
    size_t depth = 0;
    const cnnf_node *node = wanted;
    while (true) {
        if (node) {
            memo->known[node->index] = &in_progress;
            memo->stack[depth++] = (struct cnnfi_memo_visit){.node = node->index};
        }
        node = next_needed(memo, &memo->stack[depth - 1]);
        if (node) continue;
        const int32_t at = memo->stack[--depth].node;
        const void *answer = memo->analysis->compute(memo->self, memo->edit->b->graph->nodes[at]);
        memo->known[at] = answer ? answer : &nothing;
        if (!depth) return;
    }
}

/* ---- following edits ---- */

/* The queue is a ring: a node is in it once. */
static void enqueue(cnnfi_memo *memo, int32_t node, size_t *end)
{
    if ((size_t)node >= memo->size || !memo->known[node] || memo->queued[node]) return;
    memo->queued[node] = true;
    memo->queue[(*end)++ % memo->size] = node;
}

/* Whether what is known of the node is another thing now. */
static bool look_again(cnnfi_memo *memo, const cnnf_node *node)
{
    const void *before = memo->known[node->index];
    memo->known[node->index] = NULL;
    if (node->removed) return true;
    work_out(memo, node);
    const void *now = memo->known[node->index];
    const bool marks = before == &nothing || now == &nothing;
    return before == &in_progress || (marks ? before != now : !memo->analysis->same(before, now));
}

/* Without looking again. */
static void forget(cnnfi_memo *memo, int32_t changed)
{
    size_t first = 0, end = 0;
    enqueue(memo, changed, &end);
    while (first != end) {
        const cnnf_node *node = memo->edit->b->graph->nodes[memo->queue[first++ % memo->size]];
        memo->queued[node->index] = false;
        memo->known[node->index] = NULL;
        for (const cnnfi_use *use = cnnfi_edit_uses(memo->edit, node); use; use = use->next)
            enqueue(memo, use->user->index, &end);
    }
}

static void follow(cnnfi_memo *memo, int32_t changed)
{
    size_t first = 0, end = 0, followed = 0;
    enqueue(memo, changed, &end);
    while (first != end) {
        const cnnf_node *node = memo->edit->b->graph->nodes[memo->queue[first++ % memo->size]];
        memo->queued[node->index] = false;
        if (!memo->known[node->index]) continue;
        if (followed++ >= FOLLOWED)
            memo->known[node->index] = NULL;
        else if (!look_again(memo, node))
            continue;
        if (memo->listener) forget(memo->listener, node->index);
        for (const cnnfi_use *use = cnnfi_edit_uses(memo->edit, node); use; use = use->next)
            enqueue(memo, use->user->index, &end);
    }
}

void cnnfi_memo_sync(cnnfi_memo *memo)
{
    if (memo->edit->b->status || !make_room(memo)) return;
    memo->edit->log_read = memo->edit->n_log;
    while (memo->read < memo->edit->n_log)
        follow(memo, memo->edit->log[memo->read++]);
}

const void *cnnfi_memo_get(cnnfi_memo *memo, const cnnf_node *node)
{
    cnnfi_memo_sync(memo);
    if (memo->edit->b->status) return NULL;
    if (!memo->known[node->index]) work_out(memo, node);
    return cnnfi_memo_peek(memo, node);
}
