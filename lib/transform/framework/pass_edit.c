/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/framework/pass_edit.h"

#include <string.h>

#include "base/context.h"

cnnf_status cnnfi_pass_begin_edit(cnnfi_edit *edit, const cnnfi_pass_run *run, const cnnf_graph *in)
{
    *edit = (cnnfi_edit){0};
    bool *protection = cnnfi_run_protection(run, in);
    if (!protection) return cnnfi_fail_nomem(run->error);
    cnnf_status status = cnnfi_budget_spend(run->budget, in->n_nodes, run->error);
    if (!status) status = cnnfi_edit_begin(edit, in, protection, run->error);
    cnnfi_free(in->context, protection);
    if (!status) edit->budget = run->budget;
    return status;
}

cnnf_status cnnfi_pass_end_edit(cnnfi_edit *edit, cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    *out = NULL;
    if (edit->changes || edit->b->status) return cnnfi_pass_publish(run, out, cnnfi_edit_finish(edit));
    cnnfi_edit_free(edit);
    return cnnfi_pass_unchanged(in, out);
}

bool *cnnfi_pass_needed(cnnfi_edit *edit, const cnnfi_pass_run *run)
{
    const cnnfi_name_list *outputs = &run->outputs;
    int32_t *roots = cnnfi_edit_array(edit, edit->count + outputs->count, sizeof *roots);
    size_t n_roots = 0;
    if (!roots) return NULL;
    for (size_t i = 0; i < outputs->count; i++) {
        const cnnf_node *node = cnnfi_edit_find(edit, outputs->names[i], strlen(outputs->names[i]));
        if (node) roots[n_roots++] = node->index;
    }
    if (n_roots) return cnnfi_edit_reach(edit, roots, n_roots);
    for (int32_t i = 0; (size_t)i < edit->count; i++) {
        if (cnnfi_edit_node(edit, i)) roots[n_roots++] = i;
    }
    return cnnfi_edit_reach(edit, roots, n_roots);
}

bool *cnnfi_pass_marked(cnnfi_edit *edit, const cnnfi_name_list *list)
{
    bool *marked = cnnfi_edit_array(edit, edit->count, sizeof *marked);
    for (size_t i = 0; marked && i < list->count; i++) {
        const cnnf_node *node = cnnfi_edit_find(edit, list->names[i], strlen(list->names[i]));
        if (node) marked[node->index] = true;
    }
    return marked;
}

cnnf_status cnnfi_pass_change_nodes(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out, const char *counted,
                                    cnnfi_node_change change)
{
    cnnfi_edit edit;
    int64_t changes = 0;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    const cnnf_graph *g = edit.b->graph;
    for (size_t i = 0; i < edit.originals; i++)
        changes += change(run, &edit, g->nodes[i]);
    for (size_t f = 0; f < g->n_functions; f++) {
        for (size_t i = 0; i < g->functions[f]->n_nodes; i++)
            changes += change(run, &edit, g->functions[f]->nodes[i]);
    }
    cnnfi_run_count(run, counted, changes);
    edit.changes += (size_t)changes;
    return cnnfi_pass_end_edit(&edit, run, in, out);
}
