/* SPDX-License-Identifier: Apache-2.0 */
/* inline_functions: calls become the nodes they call, until none is left; unused functions go. */
#include <string.h>

#include "transform/inline_call.h"
#include "transform/passes.h"

/* Functions that call each other without end stop here. */
#define MAX_CALLS 20000

static cnnf_status run_inline(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    int64_t inlined = 0;
    if (in->n_functions == 0) return cnnfi_pass_unchanged(in, out);
    CNNFI_TRY(cnnfi_edit_begin(&edit, run, in));
    for (size_t i = 0; i < edit.count && !edit.b->status; i++) {
        cnnf_node *node = edit.b->graph->nodes[i];
        const cnnfi_function *function = node->removed ? NULL : cnnfi_called_function(&edit, node);
        if (!function) continue;
        if (++inlined > MAX_CALLS) {
            cnnfi_builder_fail(edit.b, CNNF_E_LIMIT, "node '%s': more than %d calls: functions call each other without end",
                               node->name, MAX_CALLS);
            break;
        }
        cnnfi_inline_call(&edit, node, function, 0);
    }
    cnnfi_drop_unused_functions(&edit);
    cnnfi_run_count(run, "inlined", inlined);
    return cnnfi_edit_end(&edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_inline_functions = {
    .name = "inline_functions",
    .description = "Puts the bodies of called functions in place of the calls.",
    .run = run_inline,
};

/* The Graph Transform Tool's name. */
const cnnfi_pass cnnfi_pass_inline_partitionedcall = {
    .name = "inline_partitionedcall",
    .description = "The same as inline_functions.",
    .run = run_inline,
};
