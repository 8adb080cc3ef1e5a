/* SPDX-License-Identifier: Apache-2.0 */
#include "base/context.h"
#include "graph/order.h"
#include "transform/framework/pass_edit.h"

static cnnf_status reorder(cnnfi_pass_run *run, const cnnf_graph *in, const int32_t *order, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; i < edit.originals; i++)
        edit.changes += order[i] != (int32_t)i;
    cnnfi_edit_set_order(&edit, order);
    cnnfi_run_count(run, "moved", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    int32_t *order = NULL;
    CNNFI_TRY(cnnfi_toposort(&order, in, run->error));
    const cnnf_status status = reorder(run, in, order, out);
    cnnfi_free(in->context, order);
    return status;
}

const cnnfi_pass cnnfi_pass_sort_by_execution_order = {
    .name = "sort_by_execution_order",
    .description = "Puts every node behind its inputs, otherwise in the order they had.",
    .run = run_pass,
};
