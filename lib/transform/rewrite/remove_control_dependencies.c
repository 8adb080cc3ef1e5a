/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "transform/framework/passes.h"
#include "graph/builder.h"

/* Where a control edge decides whether a node runs at all. */
static bool has_control_flow(const cnnf_graph *in)
{
    static const char *const ops[] = {"Switch", "RefSwitch", "_SwitchN", "Enter", "RefEnter"};
    for (size_t i = 0; i < in->n_nodes; i++) {
        for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
            if (strcmp(in->nodes[i]->op, ops[k]) == 0) return true;
        }
    }
    return false;
}

static int64_t edit(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    const bool *keep_roots = user;
    int64_t removed = 0, kept = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        cnnf_node *node = cnnfi_builder_node(b, i);
        const size_t data = cnnfi_node_data_inputs(node);
        if (data == node->n_inputs) continue;
        if (!data && *keep_roots) {
            kept += (int64_t)node->n_inputs;
            continue;
        }
        removed += (int64_t)(node->n_inputs - data);
        node->n_inputs = data;
    }
    cnnfi_run_count(run, "removed", removed);
    if (kept) cnnfi_run_note(run, NULL, "%d control inputs say in which branch or loop a node runs, kept", (int)kept);
    return removed;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    bool keep_roots = has_control_flow(in);
    return cnnfi_pass_edit(run, in, out, edit, &keep_roots);
}

const cnnfi_pass cnnfi_pass_remove_control_dependencies = {
    .name = "remove_control_dependencies",
    .description = "Drops every control input; constants of branches and loops keep theirs.",
    .run = run_pass,
};
