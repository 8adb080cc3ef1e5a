/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "transform/framework/pass_edit.h"

/* ConcatV2(values..., axis) -> Concat(axis, values...); Concat's axis is int32. */
static bool backport(cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node)
{
    const size_t n = cnnfi_node_data_inputs(node);
    const cnnf_dtype index = cnnf_node_attr_type(node, "Tidx", CNNF_INT32);
    if (n < 2) return false;
    if (index != CNNF_INT32) {
        cnnfi_run_note(run, node->name, "kept: its axis is %s, Concat takes int32", cnnf_dtype_name(index));
        return false;
    }
    const cnnfi_edge axis = cnnfi_edit_input(node, n - 1);
    for (size_t k = n - 1; k > 0; k--)
        cnnfi_edit_set_input(edit, node, k, cnnfi_edit_input(node, k - 1));
    cnnfi_edit_set_input(edit, node, 0, axis);
    cnnfi_edit_set_op(edit, node, "Concat");
    cnnfi_node_attr_remove(node, "Tidx");
    return true;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; i < edit.originals; i++) {
        cnnf_node *node = edit.b->graph->nodes[i];
        if (strcmp(node->op, "ConcatV2") == 0) edit.changes += backport(run, &edit, node);
    }
    cnnfi_run_count(run, "rewritten", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_backport_concatv2 = {
    .name = "backport_concatv2",
    .description = "Turns ConcatV2 into Concat, which TensorFlow before 1.0 knows.",
    .run = run_pass,
};
