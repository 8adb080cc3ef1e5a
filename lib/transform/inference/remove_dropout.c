/* SPDX-License-Identifier: Apache-2.0 */
/* remove_dropout: what dropout computes on average at inference: its input. */
#include "transform/inference/dropout.h"
#include "transform/framework/pass_edit.h"

/* One random number may serve several: a training graph's gradient takes the mask of the dropout it goes back through.
 */
static int64_t remove_all_of(cnnfi_pass_run *run, cnnfi_dropouts *dropouts, cnnf_node *source)
{
    cnnfi_edit *edit = dropouts->edit;
    cnnfi_dropout dropout;
    int64_t removed = 0;
    while (!edit->b->status && !source->removed && cnnfi_find_dropout(dropouts, source, &dropout)) {
        if (dropout.kind == CNNFI_DROPOUT_CLASSIC) {
            cnnfi_run_note(run, dropout.node->name,
                           "dropout that does not scale while training: the network may want scale_dropout_weights");
        }
        cnnfi_remove_dropout(edit, &dropout);
        removed++;
    }
    return removed;
}

static cnnf_status run_remove(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    cnnfi_dropouts dropouts;
    int64_t removed = 0;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    cnnfi_dropouts_init(&dropouts, &edit);
    for (size_t i = 0; i < edit.count && !edit.b->status; i++) {
        removed += remove_all_of(run, &dropouts, edit.b->graph->nodes[i]);
    }
    cnnfi_run_count(run, "dropouts", removed);
    cnnfi_edit_sweep(&edit);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_remove_dropout = {
    .name = "remove_dropout",
    .description = "Removes dropout of every form: at inference it is its input.",
    .run = run_remove,
};
