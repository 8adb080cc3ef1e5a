/* SPDX-License-Identifier: Apache-2.0 */
/* remove_dropout: what dropout computes on average at inference: its input. */
#include "transform/dropout.h"
#include "transform/passes.h"

static cnnf_status run_remove(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    cnnfi_dropout dropout;
    int64_t removed = 0;
    CNNFI_TRY(cnnfi_edit_begin(&edit, run, in));
    for (size_t i = 0; i < edit.count && !edit.b->status; i++) {
        cnnf_node *node = edit.b->graph->nodes[i];
        if (node->removed || !cnnfi_find_dropout(&edit, node, &dropout)) continue;
        if (dropout.kind == CNNFI_DROPOUT_CLASSIC) {
            cnnfi_run_note(run, dropout.node->name,
                           "dropout that does not scale while training: the network may want scale_dropout_weights");
        }
        cnnfi_remove_dropout(&edit, &dropout);
        removed++;
    }
    cnnfi_run_count(run, "dropouts", removed);
    return cnnfi_edit_end(&edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_remove_dropout = {
    .name = "remove_dropout",
    .description = "Removes dropout of every form: at inference it is its input.",
    .run = run_remove,
};
