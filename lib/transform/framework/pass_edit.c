/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/framework/pass_edit.h"

#include <string.h>

#include "base/context.h"

cnnf_status cnnfi_pass_begin_edit(cnnfi_edit *edit, const cnnfi_pass_run *run, const cnnf_graph *in)
{
    *edit = (cnnfi_edit){0};
    bool *protection = cnnfi_run_protection(run, in);
    if (!protection) return cnnfi_fail_nomem(run->error);
    const cnnf_status status = cnnfi_edit_begin(edit, in, protection, run->error);
    cnnfi_free(in->context, protection);
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
