/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluator/plan/inline_calls.h"

#include "base/context.h"
#include "base/error.h"
#include "edit/inline.h"

static bool has_calls(cnnfi_edit *edit)
{
    cnnfi_call_site site;
    for (size_t i = 0; i < edit->originals; i++) {
        if (cnnfi_find_call(&site, edit, edit->b->graph->nodes[i])) return true;
    }
    return false;
}

/* Calls inside bodies are at the end of the list when their turn comes. */
static void inline_all(cnnfi_edit *edit)
{
    cnnfi_inliner inliner;
    cnnfi_inliner_init(&inliner, edit, true);
    for (size_t i = 0; i < edit->count && !edit->b->status; i++) {
        cnnfi_call_site site;
        if (cnnfi_find_call(&site, edit, edit->b->graph->nodes[i])) cnnfi_inline(&inliner, &site);
    }
    cnnfi_inliner_finish(&inliner);
    cnnfi_inliner_free(&inliner);
}

cnnf_status cnnfi_inline_calls(cnnf_graph **out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnfi_edit edit;
    cnnfi_budget budget;
    struct cnnf_error swallowed = {0};
    *out = cnnf_graph_ref(graph);
    if (graph->n_functions == 0) return CNNF_OK;
    cnnf_graph *flat = NULL;
    cnnf_status status = cnnfi_edit_begin(&edit, graph, NULL, &swallowed);
    cnnfi_budget_init(&budget, graph->context);
    if (status == CNNF_OK && has_calls(&edit)) {
        edit.budget = &budget;
        inline_all(&edit);
        status = cnnfi_builder_publish(&flat, cnnfi_edit_finish(&edit), &swallowed);
    } else if (status == CNNF_OK) {
        cnnfi_edit_free(&edit);
    }
    if (status == CNNF_OK && flat) {
        cnnf_graph_unref(*out);
        *out = flat;
    }
    if (status != CNNF_E_NOMEM) return CNNF_OK;
    cnnf_graph_unref(*out);
    *out = NULL;
    return cnnfi_fail_nomem(error);
}
