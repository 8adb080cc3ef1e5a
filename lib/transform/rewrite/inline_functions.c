/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls become the nodes of what they call, named "<call>/<node>" as TensorFlow's own inlining does. What
 * If, While and Case choose between stays in functions.
 */
#include "edit/inline.h"
#include "edit/unused_functions.h"
#include "transform/framework/pass_edit.h"

/* Calls that no output needs (a SavedModel's save and restore functions) stay calls. */
static const bool *find_needed(cnnfi_edit *edit)
{
    int32_t *roots = cnnfi_edit_array(edit, edit->count, sizeof *roots);
    size_t n_roots = 0;
    if (!roots) return NULL;
    for (size_t i = 0; i < edit->count; i++) {
        if (cnnfi_edit_is_protected(edit, edit->b->graph->nodes[i])) roots[n_roots++] = (int32_t)i;
    }
    return cnnfi_edit_reach(edit, roots, n_roots);
}

/* Calls inside bodies are at the end of the list when their turn comes. */
static int64_t inline_calls(cnnfi_edit *edit, cnnfi_inliner *inliner)
{
    const bool *needed = find_needed(edit);
    int64_t inlined = 0;
    for (size_t i = 0; needed && i < edit->count && !edit->b->status; i++) {
        cnnfi_call_site site;
        if (i < edit->originals && !needed[i]) continue;
        if (!cnnfi_find_call(&site, edit, edit->b->graph->nodes[i])) continue;
        cnnfi_inline(inliner, &site);
        inlined++;
    }
    return inlined;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    cnnfi_inliner inliner;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    cnnfi_inliner_init(&inliner, &edit, true);
    const int64_t inlined = inline_calls(&edit, &inliner);
    cnnfi_inliner_finish(&inliner);
    cnnfi_inliner_free(&inliner);
    if (inlined) cnnfi_drop_unused_functions(edit.b);
    if (inlined) cnnfi_run_count(run, "inlined", inlined);
    return cnnfi_pass_end_edit(&edit, run, in, out);
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
