/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "transform/framework/passes.h"
#include "graph/builder.h"

/* ConcatV2(values..., axis) -> Concat(axis, values...); Concat's axis is int32. */
static bool backport(cnnfi_pass_run *run, cnnfi_builder *b, cnnf_node *node)
{
    const size_t n = cnnfi_node_data_inputs(node);
    const cnnf_dtype index = cnnf_node_attr_type(node, "Tidx", CNNF_INT32);
    if (n < 2) return false;
    if (index != CNNF_INT32) {
        cnnfi_run_note(run, node->name, "kept: its axis is %s, Concat takes int32", cnnf_dtype_name(index));
        return false;
    }
    const char *axis = node->inputs[n - 1];
    memmove(node->inputs + 1, node->inputs, (n - 1) * sizeof *node->inputs);
    node->inputs[0] = axis;
    cnnfi_node_set_op(b, node, "Concat");
    cnnfi_node_attr_remove(node, "Tidx");
    return true;
}

static int64_t edit(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    int64_t changed = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        if (strcmp(in->nodes[i]->op, "ConcatV2") == 0) changed += backport(run, b, cnnfi_builder_node(b, i));
    }
    cnnfi_run_count(run, "rewritten", changed);
    return changed;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    return cnnfi_pass_edit(run, in, out, edit, NULL);
}

const cnnfi_pass cnnfi_pass_backport_concatv2 = {
    .name = "backport_concatv2",
    .description = "Turns ConcatV2 into Concat, which TensorFlow before 1.0 knows.",
    .run = run_pass,
};
