/* SPDX-License-Identifier: Apache-2.0 */
#include "base/context.h"
#include "graph/order.h"
#include "graph/builder.h"
#include "transform/framework/passes.h"

static int64_t reorder(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    const int32_t *order = user;
    int64_t moved = 0;
    struct cnnf_node **nodes = cnnfi_builder_array(b, in->n_nodes, sizeof *nodes);
    if (!nodes) return 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        nodes[i] = cnnfi_builder_node(b, (size_t)order[i]);
        moved += order[i] != (int32_t)i;
    }
    for (size_t i = 0; i < in->n_nodes; i++)
        b->graph->nodes[i] = nodes[i];
    cnnfi_run_count(run, "moved", moved);
    return moved;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    int32_t *order = NULL;
    CNNFI_TRY(cnnfi_toposort(&order, in, run->error));
    const cnnf_status status = cnnfi_pass_edit(run, in, out, reorder, order);
    cnnfi_free(in->context, order);
    return status;
}

const cnnfi_pass cnnfi_pass_sort_by_execution_order = {
    .name = "sort_by_execution_order",
    .description = "Puts every node behind its inputs, otherwise in the order they had.",
    .run = run_pass,
};
