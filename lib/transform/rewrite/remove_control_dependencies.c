/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/framework/pass_edit.h"

/* Where a control edge decides whether a node runs at all. */
static bool has_control_flow(const cnnf_graph *in)
{
    static const char *const ops[] = {"Switch", "RefSwitch", "_SwitchN", "Enter", "RefEnter"};
    size_t i = 0;
    while (i < in->n_nodes && !cnnfi_text_in(in->nodes[i]->op, ops, sizeof ops / sizeof *ops))
        i++;
    return i < in->n_nodes;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const bool keep_roots = has_control_flow(in);
    size_t kept = 0;
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; i < edit.originals; i++) {
        cnnf_node *node = edit.b->graph->nodes[i];
        const size_t data = cnnfi_node_data_inputs(node), controls = node->n_inputs - data;
        if (!data && keep_roots) {
            kept += controls;
            continue;
        }
        cnnfi_edit_truncate_inputs(&edit, node, data);
        edit.changes += controls;
    }
    cnnfi_run_count(run, "removed", (int64_t)edit.changes);
    if (kept) cnnfi_run_note(run, NULL, "%d control inputs say in which branch or loop a node runs, kept", (int)kept);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_remove_control_dependencies = {
    .name = "remove_control_dependencies",
    .description = "Drops every control input; constants of branches and loops keep theirs.",
    .run = run_pass,
};
