/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what the outputs need: nodes, and functions of the library. */
#include "transform/rewrite/prune.h"

#include "edit/unused_functions.h"
#include "transform/framework/pass_edit.h"

cnnf_status cnnfi_need_outputs(const cnnfi_pass_run *run)
{
    if (run->outputs.count) return CNNF_OK;
    return cnnfi_fail(run->error, CNNF_E_INVALID, "the graph declares no outputs: name them");
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_need_outputs(run));
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    const bool *keep = cnnfi_pass_needed(&edit, run);
    int64_t nodes = 0;
    for (size_t i = 0; keep && i < edit.originals; i++) {
        if (keep[i]) continue;
        cnnfi_edit_remove(&edit, edit.b->graph->nodes[i]);
        nodes++;
    }
    const int64_t functions = cnnfi_drop_unused_functions(edit.b);
    cnnfi_run_count(run, "removed", nodes);
    cnnfi_run_count(run, "removed_functions", functions);
    edit.changes += (size_t)(nodes + functions);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_prune = {
    .name = "prune",
    .description = "Keeps the nodes and functions that the outputs need.",
    .run = run_pass,
};
